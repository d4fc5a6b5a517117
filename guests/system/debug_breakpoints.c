/*
 * debug_breakpoints: hardware breakpoints: levels, routing, what enables them, addresses and contexts, several PEs.
 */
#include "common/debug.h"

/* EL1: loops X0 times over the word at X1, to which X2 points as a breakpoint that is armed when X0 is 3 */
CODE(arm_in_loop, "1:\tsub x0, x0, #1\n\tcmp x0, #3\n\tb.ne 2f\n\tmsr dbgbvr0_el1, x2\n\tmsr dbgbcr0_el1, x3\n\tisb\n"
                  "2:\tadd x4, x4, #1\n\tcbnz x0, 1b");

CASE(breakpoint_from_el0, "D2.9; ESR_ELx, ISS encoding for an exception from a Breakpoint")
{
    debug_off();
    breakpoint(0, nops + 4, ENABLE | PMC(2));
    mdscr(MDSCR_MDE);
    const struct exception *e = RUN(EL0T | PSTATE_DAIF | PSTATE_Z, nops);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
    CHECK(e->elr, nops + 4);
    CHECK(e->spsr, EL0T | PSTATE_DAIF | PSTATE_Z);
    CHECK_MASKED(e->pstate, PSTATE_DAIF, PSTATE_DAIF);
}

CASE(breakpoint_from_el1, "D2.4: with MDSCR_EL1.KDE, and PSTATE.D clear")
{
    debug_off();
    breakpoint(5, nops + 8, ENABLE | PMC(1));
    mdscr(MDSCR_MDE | MDSCR_KDE);
    const struct exception *e = RUN(EL1H, nops);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_BREAKPOINT, DEBUG_EVENT));
    CHECK(e->elr, nops + 8);
    CHECK_RETURNED(RUN(EL1H | PSTATE_D, nops));
    mdscr(MDSCR_MDE);
    CHECK_RETURNED(RUN(EL1H, nops));
}

CASE(breakpoint_to_el2, "D2.4: MDCR_EL2.TDE routes to EL2, and is no matter of KDE and D from below")
{
    debug_off();
    breakpoint(1, nops, EVERYWHERE);
    mdscr(MDSCR_MDE);
    mdcr(MDCR_TDE);
    for (int el = 0; el < 2; el++) {
        const struct exception *e = RUN(mode_of(el) | PSTATE_D, nops);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
        CHECK(e->elr, nops);
    }
    CHECK_RETURNED(RUN(EL2H, nops));
    mdscr(MDSCR_MDE | MDSCR_KDE);
    CHECK_TAKEN(RUN(EL2H, nops), 2, CURRENT_SYNC, ESR(EC_BREAKPOINT, DEBUG_EVENT));
    CHECK_RETURNED(RUN(EL2H | PSTATE_D, nops));
}

CASE(no_breakpoint_at_el2_without_tde, "D2.4: from a higher level than the one that would take it, never")
{
    debug_off();
    breakpoint(1, nops, EVERYWHERE);
    mdscr(MDSCR_MDE | MDSCR_KDE);
    CHECK_RETURNED(RUN(EL2H, nops));
}

CASE(breakpoint_of_the_host, "D2.4: HCR_EL2.TGE routes to EL2, which for FEAT_VHE's host is its own")
{
    debug_off();
    breakpoint(1, nops, EVERYWHERE);
    mdscr(MDSCR_MDE | MDSCR_KDE);
    next.hcr |= HCR_TGE;
    CHECK_TAKEN(RUN(EL0T | PSTATE_D, nops), 2, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
    CHECK_TAKEN(RUN(EL2H, nops), 2, CURRENT_SYNC, ESR(EC_BREAKPOINT, DEBUG_EVENT));
    if (have(FEAT_VHE)) {
        next.hcr |= HCR_E2H;
        CHECK_TAKEN(RUN(EL0T | PSTATE_D, nops), 2, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
        CHECK_TAKEN(RUN(EL2H, nops), 2, CURRENT_SYNC, ESR(EC_BREAKPOINT, DEBUG_EVENT));
    }
}

CASE(disabled_breakpoints, "D2.9: MDSCR_EL1.MDE, DBGBCR.E, another address")
{
    debug_off();
    breakpoint(0, nops + 4, ENABLE | PMC(3));
    CHECK_RETURNED(RUN(EL0T, nops));
    mdscr(MDSCR_MDE | MDSCR_KDE);
    breakpoint(0, nops + 4, PMC(3));
    CHECK_RETURNED(RUN(EL0T, nops));
    breakpoint(0, udf, ENABLE | PMC(3));
    CHECK_RETURNED(RUN(EL0T, nops));
    CHECK_RETURNED(RUN(EL1H, nops));
}

CASE(levels_of_breakpoints, "D2.9, table of HMC, SSC and PMC")
{
    debug_off();
    mdscr(MDSCR_MDE | MDSCR_KDE);
    mdcr(MDCR_TDE);
    for (unsigned i = 0; i < sizeof level_rows / sizeof *level_rows; i++) {
        at_row(level_rows[i].text);
        breakpoint(2, nops, ENABLE | level_rows[i].control);
        for (int el = 0; el < 3; el++) {
            const struct exception *e = RUN(mode_of(el), nops);
            if (level_rows[i].levels >> el & 1)
                CHECK_TAKEN(e, 2, vector_of(2, el), ESR(el == 2 ? EC_BREAKPOINT : EC_BREAKPOINT_LOWER, DEBUG_EVENT));
            else
                CHECK_RETURNED(e);
        }
    }
}

CASE(all_breakpoints_at_once, "D2.9: each unit by itself")
{
    debug_off();
    for (int n = 0; n < BREAKPOINTS; n++)
        breakpoint(n, nops + 4 * (n & 3), ENABLE | PMC(1));
    mdscr(MDSCR_MDE | MDSCR_KDE);
    for (int n = 0; n < 4; n++) {
        const struct exception *e = RUN(EL1H, nops + 4 * n);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_BREAKPOINT, DEBUG_EVENT));
        CHECK(e->elr, nops + 4 * n);
    }
}

CASE(breakpoint_armed_by_running_code, "D2.9: effective after a context synchronization event, on code that has run")
{
    debug_off();
    mdscr(MDSCR_MDE | MDSCR_KDE);
    for (int again = 0; again < 2; again++) {
        breakpoint(0, 0, 0);
        const struct exception *e = RUN(EL1H, arm_in_loop, 10, 0, (u64)arm_in_loop + 24, ENABLE | PMC(1) | BP_BAS, 0);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_BREAKPOINT, DEBUG_EVENT));
        CHECK(e->elr, arm_in_loop + 24);
        CHECK(e->x[0], 3);
        CHECK(e->x[4], 6);
    }
    breakpoint(0, 0, 0);
    const struct exception *e = RUN(EL1H, arm_in_loop, 10, 0, (u64)udf, ENABLE | PMC(1) | BP_BAS, 0);
    CHECK_RETURNED(e);
    CHECK(e->x[4], 10);
}

static void link_to_context(u64 type, u64 value)
{
    breakpoint(CONTEXT, (const void *)value, ENABLE | BT(type) | EVERYWHERE);
    breakpoint(0, nops + 4, ENABLE | PMC(3) | BT(1) | LBN(CONTEXT));
}

static void check_links(const char *text, int hits)
{
    at_row(text);
    const struct exception *e = RUN(EL0T, nops);
    if (hits) {
        CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
        CHECK(e->elr, nops + 4);
    } else {
        CHECK_RETURNED(e);
    }
}

CASE(linked_to_context_id, "D2.9, BT = 0b0011")
{
    debug_off();
    mdscr(MDSCR_MDE);
    sysreg_write(contextidr_el1, 0x1234);
    link_to_context(3, 0x1234);
    check_links("the same", 1);
    link_to_context(3, 0x1235);
    check_links("another", 0);
    link_to_context(3, 0x1234);
    sysreg_set(DBGBCR(CONTEXT), BT(3) | BP_BAS | (EVERYWHERE & ~ENABLE));
    check_links("disabled", 0);
    link_to_context(2, 0x1234);
    sysreg_set(DBGBCR(CONTEXT), 0);
    check_links("off", 0);
}

CASE(a_linked_context_breakpoint_alone_does_nothing, "D2.9: it only qualifies others")
{
    debug_off();
    mdscr(MDSCR_MDE);
    sysreg_write(contextidr_el1, 7);
    breakpoint(5, (const void *)7, ENABLE | PMC(3) | BT(3));
    CHECK_RETURNED(RUN(EL0T, nops));
}

CASE(linked_to_vmid, "D2.9, BT = 0b1001 and 0b1011")
{
    debug_off();
    mdscr(MDSCR_MDE);
    sysreg_write(contextidr_el1, 0x77);
    sysreg_write(vttbr_el2, 5ul << 48);
    link_to_context(9, 5ul << 32);
    check_links("VMID", 1);
    link_to_context(9, 4ul << 32);
    check_links("another VMID", 0);
    link_to_context(11, 5ul << 32 | 0x77);
    check_links("both", 1);
    link_to_context(11, 5ul << 32 | 0x78);
    check_links("another context", 0);
    link_to_context(11, 6ul << 32 | 0x77);
    check_links("another VMID, same context", 0);
}

CASE(vmid_of_16_bits, "D2.9: 16 bits by VTCR_EL2.VS")
{
    NEED(VMID16);
    debug_off();
    mdscr(MDSCR_MDE);
    sysreg_write(vttbr_el2, 0x105ul << 48);
    link_to_context(9, 0x205ul << 32);
    check_links("8 bits", 1);
    sysreg_write(vtcr_el2, 1ul << 31 | 1ul << 19);
    check_links("16 bits", 0);
    link_to_context(9, 0x105ul << 32);
    check_links("16 bits, the same", 1);
}

CASE(linked_to_contexts_of_vhe, "D2.9, BT = 0b0111, 0b1101, 0b1111")
{
    NEED(VHE);
    debug_off();
    mdscr(MDSCR_MDE);
    sysreg_write(contextidr_el1, 1);
    sysreg_set(CONTEXTIDR_EL2, 2);
    link_to_context(7, 1);
    check_links("CONTEXTIDR_EL1", 1);
    link_to_context(13, 2ul << 32);
    check_links("CONTEXTIDR_EL2", 1);
    link_to_context(13, 1ul << 32);
    check_links("another CONTEXTIDR_EL2", 0);
    link_to_context(15, 2ul << 32 | 1);
    check_links("both", 1);
    link_to_context(15, 1ul << 32 | 1);
    check_links("both, another CONTEXTIDR_EL2", 0);
    link_to_context(15, 2ul << 32 | 2);
    check_links("both, another CONTEXTIDR_EL1", 0);
}

CASE(context_id_of_the_host, "D2.9: BT = 0b0011 compares CONTEXTIDR_EL2 in the host")
{
    NEED(VHE);
    debug_off();
    mdscr(MDSCR_MDE);
    sysreg_write(contextidr_el1, 1);
    sysreg_set(CONTEXTIDR_EL2, 2);
    next.hcr |= HCR_TGE | HCR_E2H;
    link_to_context(3, 2);
    CHECK_TAKEN(RUN(EL0T, nops), 2, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
    link_to_context(3, 1);
    CHECK_RETURNED(RUN(EL0T, nops));
}

CASE(unlinked_context_breakpoints, "D2.9, BT = 0b0010, 0b1000, 0b1010: before every instruction of the context")
{
    debug_off();
    mdscr(MDSCR_MDE);
    sysreg_write(contextidr_el1, 9);
    sysreg_write(vttbr_el2, 5ul << 48);
    static const struct { const char *text; u64 type, value; int hits; } rows[] = {
        {"context", 2, 9, 1}, {"another context", 2, 8, 0}, {"VMID", 8, 5ul << 32, 1}, {"another VMID", 8, 9ul << 32, 0},
        {"both", 10, 5ul << 32 | 9, 1}, {"both, another context", 10, 5ul << 32 | 8, 0},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        at_row(rows[i].text);
        breakpoint(5, (const void *)rows[i].value, ENABLE | PMC(2) | BT(rows[i].type));
        for (int n = 0; n < 4; n++) {
            const struct exception *e = RUN(EL0T, nops + 4 * n);
            if (rows[i].hits) {
                CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
                CHECK(e->elr, nops + 4 * n);
            } else {
                CHECK_RETURNED(e);
            }
        }
        CHECK_RETURNED(RUN(EL1H, nops)); /* PMC says EL0 */
    }
}

static void run_on_second(u64 out) { *(volatile u64 *)out = returned(RUN(EL1H, nops)); }

CASE(each_pe_has_its_own, "D2.9: a breakpoint unit is its PE's")
{
    NEED_TWO_CPUS();
    debug_off();
    breakpoint(0, nops, ENABLE | PMC(1));
    mdscr(MDSCR_MDE | MDSCR_KDE);
    *(volatile u64 *)ARENA = 2;
    start_second(run_on_second, ARENA);
    wait_second();
    CHECK(*(volatile u64 *)ARENA, 1);
    CHECK_TAKEN(RUN(EL1H, nops), 1, CURRENT_SYNC, ESR(EC_BREAKPOINT, DEBUG_EVENT));
}
