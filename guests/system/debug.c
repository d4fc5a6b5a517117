/*
 * debug: self-hosted debug: breakpoints, watchpoints, software step, the locks, what routes debug exceptions and what disables them.
 */
#include "common/system.h"

#define DBGBVR(n) SYSREG(2, 0, 0, n, 4)
#define DBGBCR(n) SYSREG(2, 0, 0, n, 5)
#define DBGWVR(n) SYSREG(2, 0, 0, n, 6)
#define DBGWCR(n) SYSREG(2, 0, 0, n, 7)
#define CONTEXTIDR_EL2 SYSREG(3, 4, 13, 0, 1)
#define BREAKPOINTS 6
#define WATCHPOINTS 4
#define CONTEXT 4 /* the first breakpoint that compares context */

#define MDSCR_SS (1ul << 0)
#define MDSCR_TDCC (1ul << 12)
#define MDSCR_KDE (1ul << 13)
#define MDSCR_MDE (1ul << 15)
#define MDCR_TDE (1ul << 8)
#define MDCR_TDA (1ul << 9)
#define MDCR_TDOSA (1ul << 10)
#define MDCR_TDRA (1ul << 11)
#define HCR_TID3 (1ul << 18)
#define HCR_TSC (1ul << 19)

/* DBGBCR and DBGWCR */
#define ENABLE 1ul
#define PMC(v) ((u64)(v) << 1) /* PAC too: 1 is EL1, 2 is EL0 */
#define HMC (1ul << 13)
#define SSC(v) ((u64)(v) << 14)
#define LBN(n) ((u64)(n) << 16)
#define BT(v) ((u64)(v) << 20)
#define WT (1ul << 20)
#define LSC(v) ((u64)(v) << 3)
#define BAS(v) ((u64)(v) << 5)
#define MASK(v) ((u64)(v) << 24)
#define BP_BAS (15ul << 5)
#define EVERYWHERE (ENABLE | PMC(3) | HMC)
#define LOAD LSC(1)
#define STORE LSC(2)
#define BOTH LSC(3)

#define DEBUG_EVENT 0x22ul
#define STEP_ISV (1ul << 24)
#define STEP_EX (1ul << 6)

CODE(nops, "nop\n\tnop\n\tnop\n\tnop");
CODE(svc_0, "svc #0\n\tnop");
CODE(hvc_0, "hvc #0\n\tnop");
CODE(smc_0, "smc #0\n\tnop");
CODE(brk_5, "brk #5\n\tnop");
CODE(udf, "udf #0\n\tnop");
CODE(load, "ldr x0, [x1]");
CODE(load_byte, "ldrb w0, [x1]");
CODE(load_half, "ldrh w0, [x1]");
CODE(load_pair, "ldp x2, x3, [x1]");
CODE(load_user, "ldtr x0, [x1]");
CODE(store, "str x0, [x1]");
CODE(store_pair, "stp x2, x3, [x1]");
CODE(store_user, "sttr x0, [x1]");
CODE(load_exclusive, "ldxr x0, [x1]");
CODE(store_exclusive, "ldxr x0, [x1]\n\tstxr w2, x0, [x1]");
CODE(atomic_add, ".inst 0xf8200020"); /* ldadd x0, x0, [x1] */
CODE(compare_and_swap, ".inst 0xc8a07c20"); /* cas x0, x0, [x1] */
CODE(zero_line, "dc zva, x1");
CODE(invalidate_line, "dc ivac, x1");
CODE(clean_line, "dc cvac, x1\n\tdc civac, x1\n\tdc cvau, x1\n\tic ivau, x1\n\tprfm pldl1keep, [x1]");
CODE(read_id, "mrs x0, id_aa64pfr0_el1\n\tnop");
CODE(read_dcc, "mrs x0, mdccsr_el0");
CODE(unmask, "msr daifclr, #8\n\tnop\n\tnop");
CODE(mask, "msr daifset, #8\n\tnop\n\tnop");
CODE(step_self, "msr mdscr_el1, x0\n\tisb\n\tnop\n\tnop");
CODE(return_to_el0, "msr spsr_el1, x1\n\tmsr elr_el1, x0\n\tisb\n\teret");
CODE(wait, "wfi\n\tnop");
/* EL1: loops X0 times over the word at X1, to which X2 points as a breakpoint that is armed when X0 is 3 */
CODE(arm_in_loop, "1:\tsub x0, x0, #1\n\tcmp x0, #3\n\tb.ne 2f\n\tmsr dbgbvr0_el1, x2\n\tmsr dbgbcr0_el1, x3\n\tisb\n"
                  "2:\tadd x4, x4, #1\n\tcbnz x0, 1b");

static void debug_off(void)
{
    sysreg_write(mdscr_el1, 0);
    for (int i = 0; i < BREAKPOINTS; i++) {
        sysreg_set(DBGBVR(i), 0);
        sysreg_set(DBGBCR(i), 0);
    }
    for (int i = 0; i < WATCHPOINTS; i++) {
        sysreg_set(DBGWVR(i), 0);
        sysreg_set(DBGWCR(i), 0);
    }
    isb();
}

static void mdscr(u64 value)
{
    sysreg_write(mdscr_el1, value);
    isb();
}

static void mdcr(u64 bits)
{
    sysreg_write(mdcr_el2, sysreg_read(mdcr_el2) | bits);
    isb();
}

static void breakpoint(int n, const void *address, u64 control)
{
    sysreg_set(DBGBVR(n), (u64)address);
    sysreg_set(DBGBCR(n), control | BP_BAS);
}

static void watchpoint(int n, u64 address, u64 control)
{
    sysreg_set(DBGWVR(n), address);
    sysreg_set(DBGWCR(n), control);
}

static u64 mode_of(int el) { return el == 0 ? EL0T : el == 1 ? EL1H : EL2H; }

/* A debug exception at its own level, or from a lower one. */
static u64 vector_of(int el, int from) { return el == from ? CURRENT_SYNC : LOWER_SYNC; }

CASE(identification, "ID_AA64DFR0_EL1: BRPs, WRPs, CTX_CMPs are the numbers less 1")
{
    const u64 id = sysreg_read(id_aa64dfr0_el1);

    CHECK(id >> 12 & 15, BREAKPOINTS - 1);
    CHECK(id >> 20 & 15, WATCHPOINTS - 1);
    CHECK(id >> 28 & 15, BREAKPOINTS - CONTEXT - 1);
    CHECK((id & 15) >= (have(FEAT_VHE) ? 7 : 6), 1);
}

/* ---- breakpoints */

CASE(breakpoint_from_el0, "D2.8; ESR_ELx, ISS encoding for an exception from a Breakpoint")
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

CASE(breakpoint_from_el1, "D2.4.1: with MDSCR_EL1.KDE, and PSTATE.D clear")
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

CASE(disabled_breakpoints, "D2.8: MDSCR_EL1.MDE, DBGBCR.E, another address")
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

/* The levels of HMC, SSC and PMC without EL3, as a mask. */
static const struct {
    const char *text;
    u64 control, levels;
} level_rows[] = {
    {"0 00 01", PMC(1), 2},
    {"0 00 10", PMC(2), 1},
    {"0 00 11", PMC(3), 3},
    {"1 00 01", HMC | PMC(1), 6},
    {"1 00 11", HMC | PMC(3), 7},
    {"1 11 00", HMC | SSC(3), 4},
};

CASE(levels_of_breakpoints, "D2.8.4, table of HMC, SSC and PMC")
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

CASE(levels_of_watchpoints, "D2.9, table of HMC, SSC and PAC")
{
    debug_off();
    mdscr(MDSCR_MDE | MDSCR_KDE);
    mdcr(MDCR_TDE);
    for (unsigned i = 0; i < sizeof level_rows / sizeof *level_rows; i++) {
        at_row(level_rows[i].text);
        watchpoint(3, ARENA, ENABLE | level_rows[i].control | BOTH | BAS(0xff));
        for (int el = 0; el < 3; el++) {
            const struct exception *e = RUN(mode_of(el), load, 0, ARENA);
            if (level_rows[i].levels >> el & 1)
                CHECK_TAKEN(e, 2, vector_of(2, el), ESR(el == 2 ? EC_WATCHPOINT : EC_WATCHPOINT_LOWER, DEBUG_EVENT));
            else
                CHECK_RETURNED(e);
        }
    }
}

CASE(all_breakpoints_at_once, "D2.8: each unit by itself")
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

CASE(breakpoint_armed_by_running_code, "D2.8.6: effective after a context synchronization event, on code that has run")
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

/* ---- context */

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

CASE(linked_to_context_id, "D2.8.3, BT = 0b0011")
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

CASE(a_linked_context_breakpoint_alone_does_nothing, "D2.8.3: it only qualifies others")
{
    debug_off();
    mdscr(MDSCR_MDE);
    sysreg_write(contextidr_el1, 7);
    breakpoint(5, (const void *)7, ENABLE | PMC(3) | BT(3));
    CHECK_RETURNED(RUN(EL0T, nops));
}

CASE(linked_to_vmid, "D2.8.3, BT = 0b1001 and 0b1011")
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

CASE(vmid_of_16_bits, "D2.8.3: 16 bits by VTCR_EL2.VS")
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

CASE(linked_to_contexts_of_vhe, "D2.8.3, BT = 0b0111, 0b1101, 0b1111")
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

CASE(context_id_of_the_host, "D2.8.3: BT = 0b0011 compares CONTEXTIDR_EL2 in the host")
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

CASE(unlinked_context_breakpoints, "D2.8.3, BT = 0b0010, 0b1000, 0b1010: before every instruction of the context")
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

CASE(watchpoint_linked_to_context_id, "D2.9: DBGWCR.WT")
{
    debug_off();
    mdscr(MDSCR_MDE);
    sysreg_write(contextidr_el1, 3);
    breakpoint(5, (const void *)3, ENABLE | PMC(3) | BT(3));
    watchpoint(0, ARENA, ENABLE | PMC(3) | BOTH | BAS(0xff) | WT | LBN(5));
    CHECK_TAKEN(RUN(EL0T, load, 0, ARENA), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
    sysreg_write(contextidr_el1, 4);
    CHECK_RETURNED(RUN(EL0T, load, 0, ARENA));
}

/* ---- watchpoints */

CASE(watchpoint_bytes, "D2.9.2: an access hits if it touches a byte that BAS selects")
{
    static const struct { const char *code; u64 size; } accesses[] = {{load_byte, 1}, {load_half, 2}, {load, 8}};
    static const u64 selections[] = {0x01, 0x80, 0x18, 0x0f, 0xf0, 0xff};

    debug_off();
    mdscr(MDSCR_MDE);
    for (unsigned s = 0; s < sizeof selections / sizeof *selections; s++) {
        const u64 bas = selections[s];
        watchpoint(1, ARENA + 8, ENABLE | PMC(3) | LOAD | BAS(bas));
        for (int a = 0; a < 3; a++) {
            for (u64 offset = 0; offset < 24; offset += accesses[a].size) {
                const u64 touched = ((1ul << accesses[a].size) - 1) << offset, hit = touched & bas << 8;
                const struct exception *e = RUN(EL0T, accesses[a].code, 0, ARENA + offset);
                if (!hit) {
                    CHECK_RETURNED(e);
                    continue;
                }
                CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
                /* D2.9.6: from the lowest address of the access to the highest watched one of it */
                CHECK(e->far >= ARENA + offset, 1);
                CHECK(e->far <= ARENA + 63 - (unsigned)__builtin_clzl(hit), 1);
                CHECK(e->elr, accesses[a].code);
            }
        }
    }
}

CASE(watchpoint_at_a_word, "DBGWVR: with bit 2 set BAS[3:0] select (deprecated)")
{
    debug_off();
    mdscr(MDSCR_MDE);
    watchpoint(0, ARENA + 4, ENABLE | PMC(3) | LOAD | BAS(0x0f));
    CHECK_RETURNED(RUN(EL0T, load_half, 0, ARENA + 2));
    CHECK_TAKEN(RUN(EL0T, load_byte, 0, ARENA + 4), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
    CHECK_TAKEN(RUN(EL0T, load_byte, 0, ARENA + 7), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
    CHECK_RETURNED(RUN(EL0T, load_byte, 0, ARENA + 8));
}

CASE(watchpoint_masks, "DBGWCR.MASK: 2^MASK bytes")
{
    debug_off();
    mdscr(MDSCR_MDE);
    for (u64 mask = 3; mask < 24; mask++) {
        const u64 size = 1ul << mask, start = ARENA + (mask < 23 ? size : 0);
        watchpoint(0, start, ENABLE | PMC(3) | LOAD | BAS(0xff) | MASK(mask));
        CHECK_RETURNED(RUN(EL0T, load_byte, 0, start - 1));
        CHECK_TAKEN(RUN(EL0T, load_byte, 0, start), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
        CHECK_TAKEN(RUN(EL0T, load_byte, 0, start + size / 2), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
        CHECK_TAKEN(RUN(EL0T, load_byte, 0, start + size - 1), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
        if (mask < 23)
            CHECK_RETURNED(RUN(EL0T, load_byte, 0, start + size));
    }
}

CASE(loads_and_stores, "DBGWCR.LSC; ESR_ELx, ISS encoding for an exception from a Watchpoint: WnR")
{
    debug_off();
    mdscr(MDSCR_MDE);
    for (u64 lsc = 0; lsc < 4; lsc++) {
        watchpoint(2, ARENA, ENABLE | PMC(3) | LSC(lsc) | BAS(0xff));
        const struct exception *e = RUN(EL0T, load, 0, ARENA);
        if (lsc & 1)
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
        else
            CHECK_RETURNED(e);
        *(u64 *)ARENA = 1;
        e = RUN(EL0T, store, 2, ARENA);
        if (lsc & 2)
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, ISS_WNR | DEBUG_EVENT));
        else
            CHECK_RETURNED(e);
        CHECK(*(volatile u64 *)ARENA, lsc & 2 ? 1 : 2);
    }
}

CASE(load_and_store_pairs, "D2.9.2: any byte of the pair")
{
    debug_off();
    mdscr(MDSCR_MDE);
    watchpoint(0, ARENA + 8, ENABLE | PMC(3) | BOTH | BAS(0x80));
    const struct exception *e = RUN(EL0T, load_pair, 0, ARENA);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
    CHECK(e->far >= ARENA && e->far <= ARENA + 15, 1);
    CHECK_TAKEN(RUN(EL0T, store_pair, 0, ARENA), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, ISS_WNR | DEBUG_EVENT));
    CHECK_RETURNED(RUN(EL0T, store_pair, 0, ARENA + 16));
}

CASE(unprivileged_accesses, "D2.9.4: LDTR and STTR at EL1 match as accesses of EL0")
{
    debug_off();
    mdscr(MDSCR_MDE | MDSCR_KDE);
    watchpoint(0, ARENA, ENABLE | PMC(2) | BOTH | BAS(0xff));
    CHECK_RETURNED(RUN(EL1H, load, 0, ARENA));
    CHECK_TAKEN(RUN(EL1H, load_user, 0, ARENA), 1, CURRENT_SYNC, ESR(EC_WATCHPOINT, DEBUG_EVENT));
    CHECK_TAKEN(RUN(EL1H, store_user, 0, ARENA), 1, CURRENT_SYNC, ESR(EC_WATCHPOINT, ISS_WNR | DEBUG_EVENT));
    watchpoint(0, ARENA, ENABLE | PMC(1) | BOTH | BAS(0xff));
    CHECK_TAKEN(RUN(EL1H, load, 0, ARENA), 1, CURRENT_SYNC, ESR(EC_WATCHPOINT, DEBUG_EVENT));
    CHECK_RETURNED(RUN(EL1H, load_user, 0, ARENA));
}

CASE(exclusives, "D2.9: a Load-Exclusive is a load, a Store-Exclusive a store")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW);
    mdscr(MDSCR_MDE);
    watchpoint(0, ARENA, ENABLE | PMC(3) | STORE | BAS(0xff));
    CHECK_RETURNED(RUN(EL0T, load_exclusive, 0, ARENA));
    const struct exception *e = RUN(EL0T, store_exclusive, 0, ARENA);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, ISS_WNR | DEBUG_EVENT));
    CHECK(e->elr, store_exclusive + 4);
    watchpoint(0, ARENA, ENABLE | PMC(3) | LOAD | BAS(0xff));
    CHECK_TAKEN(RUN(EL0T, load_exclusive, 0, ARENA), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
}

CASE(atomics, "ESR_ELx, WnR: 0 if a read of the location would have generated the exception, 1 otherwise")
{
    NEED(LSE);
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW);
    mdscr(MDSCR_MDE);
    *(u64 *)ARENA = 5;
    for (u64 lsc = 1; lsc < 4; lsc++) {
        const u64 iss = (lsc == 2 ? ISS_WNR : 0) | DEBUG_EVENT;
        watchpoint(0, ARENA, ENABLE | PMC(3) | LSC(lsc) | BAS(0xff));
        CHECK_TAKEN(RUN(EL0T, atomic_add, 1, ARENA), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, iss));
        CHECK_TAKEN(RUN(EL0T, compare_and_swap, 1, ARENA), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, iss));
    }
    CHECK(*(volatile u64 *)ARENA, 5);
}

CASE(dc_zva, "D2.9.5: DC ZVA is a store to its block, and no cache maintenance (CM = 0)")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW);
    sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | 1ul << 14); /* DZE */
    mdscr(MDSCR_MDE);
    watchpoint(0, ARENA + 0x68, ENABLE | PMC(3) | STORE | BAS(0x10));
    CHECK_RETURNED(RUN(EL0T, zero_line, 0, ARENA + 0x80));
    const struct exception *e = RUN(EL0T, zero_line, 0, ARENA + 0x44);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, ISS_WNR | DEBUG_EVENT));
    CHECK(e->far >= ARENA + 0x40 && e->far <= ARENA + 0x6c, 1);
    watchpoint(0, ARENA + 0x68, ENABLE | PMC(3) | LOAD | BAS(0x10));
    CHECK_RETURNED(RUN(EL0T, zero_line, 0, ARENA + 0x44));
}

CASE(dc_ivac, "D2.9.5: whether DC IVAC generates watchpoint exceptions is IMPLEMENTATION DEFINED; CM = 1, WnR = 1, FAR as given")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW & ~D_USER);
    mdscr(MDSCR_MDE | MDSCR_KDE);
    watchpoint(0, ARENA + 0x40, ENABLE | PMC(3) | STORE | BAS(0xff));
    const struct exception *e = RUN(EL1H, invalidate_line, 0, ARENA + 0x78);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_WATCHPOINT, ISS_CM | ISS_WNR | DEBUG_EVENT));
    CHECK(e->far, ARENA + 0x78);
    CHECK_RETURNED(RUN(EL1H, invalidate_line, 0, ARENA + 0x80));
}

CASE(no_watchpoint_by_other_maintenance, "D2.9.5: cleaning, instruction cache maintenance and prefetches generate none")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW & ~D_USER);
    mdscr(MDSCR_MDE | MDSCR_KDE);
    watchpoint(0, ARENA, ENABLE | PMC(3) | BOTH | BAS(0xff));
    CHECK_RETURNED(RUN(EL1H, clean_line, 0, ARENA));
}

CASE(watchpoints_do_not_watch_elsewhere, "D2.9: a page of which a line is watched is memory as any other")
{
    debug_off();
    mdscr(MDSCR_MDE);
    watchpoint(0, ARENA + 0x100, ENABLE | PMC(3) | BOTH | BAS(0xff));
    for (u64 offset = 0; offset < 0x400; offset += 8) {
        const struct exception *e = RUN(EL0T, store, offset, ARENA + offset);
        if (offset == 0x100)
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, ISS_WNR | DEBUG_EVENT));
        else if (CHECK_RETURNED(e))
            CHECK(*(volatile u64 *)(ARENA + offset), offset);
    }
}

/* ---- priorities */

CASE(fetch_fault_before_breakpoint, "D1.3.5.4: an instruction abort comes before a breakpoint")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    breakpoint(0, (void *)0x80000000, ENABLE | PMC(3));
    mdscr(MDSCR_MDE);
    CHECK_TAKEN(RUN(EL0T, 0x80000000), 1, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_TRANSLATION(1)));
    map(&s1, 0x80000000, NOWHERE, 3, RAM_RW);
    CHECK_TAKEN(RUN(EL0T, 0x80000000), 1, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
}

CASE(breakpoint_before_the_instruction, "D1.3.5.4: a breakpoint comes before the illegal state, traps and UNDEFINED")
{
    debug_off();
    mdscr(MDSCR_MDE);
    breakpoint(0, udf, ENABLE | PMC(3));
    CHECK_TAKEN(RUN(EL0T, udf), 1, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
    breakpoint(0, brk_5, ENABLE | PMC(3));
    CHECK_TAKEN(RUN(EL0T, brk_5), 1, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
    breakpoint(0, nops, ENABLE | PMC(3));
    const struct exception *e = RUN(EL0T | PSTATE_IL, nops);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
    CHECK(e->spsr, EL0T | PSTATE_IL);
    CHECK_TAKEN(RUN(EL0T | PSTATE_IL, nops + 4), 1, LOWER_SYNC, ESR(EC_ILLEGAL, 0));
}

CASE(abort_before_watchpoint, "D1.3.5.4: a translation fault comes before a watchpoint, an external abort after it")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    watchpoint(0, 0x80000000, ENABLE | PMC(3) | BOTH | BAS(0xff));
    mdscr(MDSCR_MDE);
    CHECK_TAKEN(RUN(EL0T, load, 0, 0x80000000), 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_TRANSLATION(1)));
    map(&s1, 0x80000000, ARENA, 3, RAM_RW | D_READ_ONLY);
    CHECK_TAKEN(RUN(EL0T, store, 0, 0x80000000), 1, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_WNR | FSC_PERMISSION(3)));
    CHECK_TAKEN(RUN(EL0T, load, 0, 0x80000000), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
    map(&s1, 0x80001000, NOWHERE, 3, RAM_RW);
    watchpoint(1, 0x80001000, ENABLE | PMC(3) | BOTH | BAS(0xff));
    CHECK_TAKEN(RUN(EL0T, load, 0, 0x80001000), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
}

CASE(stage2_fault_before_watchpoint, "D1.3.5.4: so does a fault of stage 2")
{
    struct tables s1, s2;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    stage2_new(&s2, SHIFT_4K, 36, 1);
    map(&s1, 0x80000000, 0x90000000, 3, RAM_RW);
    watchpoint(0, 0x80000000, ENABLE | PMC(3) | BOTH | BAS(0xff));
    mdscr(MDSCR_MDE);
    CHECK(ESR_EC(RUN(EL0T, load, 0, 0x80000000)->esr), EC_DABT_LOWER);
    map(&s2, 0x90000000, ARENA, 3, S2_RAM);
    CHECK_TAKEN(RUN(EL0T, load, 0, 0x80000000), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
}

CASE(step_before_all, "D1.3.5.4: a pending software step comes before all of them")
{
    debug_off();
    breakpoint(0, nops, ENABLE | PMC(3));
    mdscr(MDSCR_MDE | MDSCR_SS);
    CHECK_TAKEN(RUN(EL0T, nops), 1, LOWER_SYNC, ESR(EC_STEP_LOWER, DEBUG_EVENT));
    CHECK_TAKEN(RUN(EL0T | PSTATE_IL, nops + 8), 1, LOWER_SYNC, ESR(EC_STEP_LOWER, DEBUG_EVENT));
    CHECK_TAKEN(RUN(EL0T, nops + 2), 1, LOWER_SYNC, ESR(EC_STEP_LOWER, DEBUG_EVENT));
    CHECK_TAKEN(RUN(EL0T | PSTATE_SS, nops), 1, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
    CHECK_TAKEN(RUN(EL0T | PSTATE_SS, nops + 2), 1, LOWER_SYNC, ESR(EC_PC_ALIGN, 0));
}

/* ---- software step */

#define STEPPED (STEP_ISV | DEBUG_EVENT)

CASE(step_from_el0, "D2.12; ESR_ELx, ISS encoding for an exception from a Software Step")
{
    debug_off();
    mdscr(MDSCR_SS);
    const struct exception *e = RUN(EL0T | PSTATE_SS | PSTATE_D, nops);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_STEP_LOWER, STEPPED));
    CHECK(e->elr, nops + 4);
    CHECK(e->spsr, EL0T | PSTATE_D);
    e = RUN(EL0T, nops);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_STEP_LOWER, DEBUG_EVENT));
    CHECK(e->elr, nops);
}

CASE(step_at_each_level, "D2.12.3: active where debug exceptions are enabled")
{
    debug_off();
    mdscr(MDSCR_SS);
    CHECK_RETURNED(RUN(EL1H | PSTATE_SS, nops));
    mdscr(MDSCR_SS | MDSCR_KDE);
    const struct exception *e = RUN(EL1H | PSTATE_SS, nops);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_STEP, STEPPED));
    CHECK(e->elr, nops + 4);
    CHECK_RETURNED(RUN(EL1H | PSTATE_SS | PSTATE_D, nops));
    CHECK_RETURNED(RUN(EL2H | PSTATE_SS, nops));
    mdcr(MDCR_TDE);
    for (int el = 0; el < 3; el++) {
        e = RUN(mode_of(el) | PSTATE_SS, nops);
        CHECK_TAKEN(e, 2, vector_of(2, el), ESR(el == 2 ? EC_STEP : EC_STEP_LOWER, STEPPED));
        CHECK(e->elr, nops + 4);
    }
    mdscr(MDSCR_KDE);
    CHECK_RETURNED(RUN(EL1H | PSTATE_SS, nops));
}

CASE(step_of_a_load_exclusive, "ESR_ELx, EX")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW);
    mdscr(MDSCR_SS);
    CHECK_TAKEN(RUN(EL0T | PSTATE_SS, load_exclusive, 0, ARENA), 1, LOWER_SYNC, ESR(EC_STEP_LOWER, STEPPED | STEP_EX));
    CHECK_TAKEN(RUN(EL0T | PSTATE_SS, load, 0, ARENA), 1, LOWER_SYNC, ESR(EC_STEP_LOWER, STEPPED));
}

CASE(exception_of_a_stepped_instruction, "D2.12.4: SPSR_ELx.SS is 0 after SVC and HVC, which have been stepped, and 1 otherwise")
{
    debug_off();
    mdscr(MDSCR_SS);
    const struct exception *e = RUN(EL0T | PSTATE_SS, svc_0);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_SVC, 0));
    CHECK(e->spsr, EL0T);
    CHECK(e->elr, svc_0 + 4);
    e = RUN(EL0T | PSTATE_SS, brk_5);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_BRK, 5));
    CHECK(e->spsr, EL0T | PSTATE_SS);
    e = RUN(EL0T | PSTATE_SS, udf);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK(e->spsr, EL0T | PSTATE_SS);
    e = RUN(EL0T | PSTATE_SS, load, 0, NOWHERE);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_EXTERNAL));
    CHECK(e->spsr, EL0T | PSTATE_SS);
    mdscr(MDSCR_SS | MDSCR_KDE);
    e = RUN(EL1H | PSTATE_SS, hvc_0);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_HVC, 0));
    CHECK(e->spsr, EL1H);
    next.hcr |= HCR_TSC | HCR_TID3;
    e = RUN(EL1H | PSTATE_SS, smc_0);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SMC, 0));
    CHECK(e->spsr, EL1H | PSTATE_SS);
    CHECK(e->elr, smc_0);
    e = RUN(EL1H | PSTATE_SS, read_id);
    CHECK(ESR_EC(e->esr), EC_SYSREG);
    CHECK(e->spsr, EL1H | PSTATE_SS);
}

CASE(breakpoint_on_a_stepped_instruction, "D2.12.4: a breakpoint or watchpoint exception leaves the instruction to be stepped")
{
    debug_off();
    breakpoint(0, nops, ENABLE | PMC(3));
    watchpoint(0, ARENA, ENABLE | PMC(3) | BOTH | BAS(0xff));
    mdscr(MDSCR_MDE | MDSCR_SS);
    const struct exception *e = RUN(EL0T | PSTATE_SS, nops);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
    CHECK(e->spsr, EL0T | PSTATE_SS);
    e = RUN(EL0T | PSTATE_SS, load, 0, ARENA);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
    CHECK(e->spsr, EL0T | PSTATE_SS);
}

CASE(step_becomes_active_by_pstate, "D2.12.3: at once when PSTATE.D is cleared, and pending, for PSTATE.SS is 0")
{
    debug_off();
    mdscr(MDSCR_SS | MDSCR_KDE);
    const struct exception *e = RUN(EL1H | PSTATE_D | PSTATE_SS, unmask);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_STEP, DEBUG_EVENT));
    CHECK(e->elr, unmask + 4);
}

CASE(step_ends_by_pstate, "D2.12.3: inactive when the stepped instruction sets PSTATE.D")
{
    debug_off();
    mdscr(MDSCR_SS | MDSCR_KDE);
    CHECK_RETURNED(RUN(EL1H | PSTATE_SS, mask));
}

CASE(step_becomes_active_by_mdscr, "D2.12.3: after a context synchronization event at the latest")
{
    debug_off();
    mdscr(MDSCR_KDE);
    const struct exception *e = RUN(EL1H, step_self, MDSCR_SS | MDSCR_KDE);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_STEP, DEBUG_EVENT));
    CHECK(e->elr >= (u64)step_self + 4 && e->elr <= (u64)step_self + 8, 1);
}

CASE(return_sets_step, "DebugExceptionReturnSS: SPSR_EL1.SS counts only where stepping was not enabled before the return")
{
    debug_off();
    mdscr(MDSCR_SS);
    /* Not enabled at EL1: EL0 executes one instruction. */
    const struct exception *e = RUN(EL1H, return_to_el0, (u64)nops, EL0T | PSTATE_SS);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_STEP_LOWER, STEPPED));
    CHECK(e->elr, nops + 4);
    e = RUN(EL1H, return_to_el0, (u64)nops, EL0T);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_STEP_LOWER, DEBUG_EVENT));
    CHECK(e->elr, nops);
}

CASE(return_is_stepped, "D2.12.4: ERET in the active state is stepped itself; SPSR_EL1.SS is not looked at")
{
    debug_off();
    sysreg_write(spsr_el1, EL0T | PSTATE_SS);
    sysreg_write(elr_el1, (u64)nops);
    mdscr(MDSCR_SS);
    mdcr(MDCR_TDE);
    const struct exception *e = RUN(EL1H | PSTATE_SS, return_to_el0 + 12);
    CHECK(e->el, 2);
    CHECK_MASKED(e->esr, ~STEP_ISV, ESR(EC_STEP_LOWER, DEBUG_EVENT)); /* ISV may be either */
    CHECK(e->elr, nops);
    CHECK(e->spsr, EL0T);
}

CASE(step_into_a_handler, "D2.12.4: with EL2 stepping, an exception to EL1 is followed by a step at its vector")
{
    debug_off();
    mdscr(MDSCR_SS);
    mdcr(MDCR_TDE);
    const struct exception *e = RUN(EL0T | PSTATE_SS, svc_0);
    CHECK(e->el, 2);
    CHECK_MASKED(e->esr, ~STEP_ISV, ESR(EC_STEP_LOWER, DEBUG_EVENT));
    CHECK(e->elr, sysreg_read(vbar_el1) + LOWER_SYNC);
    CHECK_MASKED(e->spsr, 0x3cf | PSTATE_SS, EL1H | PSTATE_DAIF);
    CHECK(sysreg_read(spsr_el1), EL0T);
    e = RUN(EL0T | PSTATE_SS, udf);
    CHECK_MASKED(e->esr, ~STEP_ISV, ESR(EC_STEP_LOWER, DEBUG_EVENT));
    CHECK(e->elr, sysreg_read(vbar_el1) + LOWER_SYNC);
    CHECK(sysreg_read(spsr_el1), EL0T | PSTATE_SS);
}

CASE(step_over_wfi, "D2.12: WFI completes at some time; stepped, it is followed by the step exception")
{
    debug_off();
    mdscr(MDSCR_SS | MDSCR_KDE);
    const struct exception *e = RUN(EL1H | PSTATE_SS, wait);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_STEP, STEPPED));
    CHECK(e->elr, wait + 4);
}

/* ---- BRK, locks, traps */

CASE(brk_always, "D2.6: BRK is no matter of MDE, KDE, PSTATE.D or the OS lock")
{
    debug_off();
    sysreg_write(oslar_el1, 1);
    isb();
    for (int el = 0; el < 3; el++) {
        const struct exception *e = RUN(mode_of(el) | PSTATE_DAIF, brk_5);
        CHECK_TAKEN(e, el < 2 ? 1 : 2, vector_of(el < 2 ? 1 : 2, el), ESR(EC_BRK, 5));
        CHECK(e->elr, brk_5);
    }
    mdcr(MDCR_TDE);
    for (int el = 0; el < 3; el++)
        CHECK_TAKEN(RUN(mode_of(el), brk_5), 2, vector_of(2, el), ESR(EC_BRK, 5));
}

CASE(os_lock, "D2.3, D24.3.24 OSLSR_EL1: no breakpoint, watchpoint or step exceptions while it is locked")
{
    debug_off();
    breakpoint(0, nops, ENABLE | PMC(3));
    mdscr(MDSCR_MDE | MDSCR_SS);
    sysreg_write(oslar_el1, 1);
    isb();
    CHECK_MASKED(sysreg_read(oslsr_el1), 2, 2);
    CHECK_RETURNED(RUN(EL0T, nops));
    sysreg_write(oslar_el1, 0);
    isb();
    CHECK_MASKED(sysreg_read(oslsr_el1), 2, 0);
    CHECK_TAKEN(RUN(EL0T, nops), 1, LOWER_SYNC, ESR(EC_STEP_LOWER, DEBUG_EVENT));
}

CASE(os_double_lock, "D24.3.23 OSDLR_EL1: so does the double lock, where there is one, unless DBGPRCR_EL1.CORENPDRQ is set")
{
    const int there = (sysreg_read(id_aa64dfr0_el1) >> 36 & 15) == 0;

    debug_off();
    breakpoint(0, nops, ENABLE | PMC(3));
    mdscr(MDSCR_MDE);
    sysreg_write(osdlr_el1, 1);
    isb();
    CHECK(sysreg_read(osdlr_el1), there);
    if (there)
        CHECK_RETURNED(RUN(EL0T, nops));
    sysreg_write(osdlr_el1, 0);
    isb();
    CHECK_TAKEN(RUN(EL0T, nops), 1, LOWER_SYNC, ESR(EC_BREAKPOINT_LOWER, DEBUG_EVENT));
}

CASE(saved_state_under_the_os_lock, "D24.3.20 MDSCR_EL1: TXfull, RXfull and their kind are written under the OS lock only")
{
    debug_off();
    sysreg_write(mdscr_el1, 1ul << 29 | 1ul << 30);
    CHECK_MASKED(sysreg_read(mdscr_el1), 3ul << 29, 0);
    sysreg_write(oslar_el1, 1);
    isb();
    sysreg_write(mdscr_el1, 1ul << 29);
    CHECK_MASKED(sysreg_read(mdscr_el1), 3ul << 29, 1ul << 29);
    sysreg_write(mdscr_el1, 0);
}

CASE(claim_tags, "D24.3.5, D24.3.6 DBGCLAIMCLR_EL1, DBGCLAIMSET_EL1")
{
    sysreg_set(SYSREG(2, 0, 7, 9, 6), 0xff);
    sysreg_set(SYSREG(2, 0, 7, 8, 6), 0x14);
    sysreg_set(SYSREG(2, 0, 7, 8, 6), 0x03);
    CHECK(sysreg_get(SYSREG(2, 0, 7, 8, 6)), 0xff);
    CHECK(sysreg_get(SYSREG(2, 0, 7, 9, 6)), 0x17);
    sysreg_set(SYSREG(2, 0, 7, 9, 6), 0x05);
    CHECK(sysreg_get(SYSREG(2, 0, 7, 9, 6)), 0x12);
    sysreg_set(SYSREG(2, 0, 7, 9, 6), 0xff);
}

CASE(tdcc, "D24.3.20 MDSCR_EL1.TDCC: EL0's accesses to the communication channel are trapped")
{
    const u32 mdccsr = SYSREG(2, 3, 0, 1, 0);

    debug_off();
    CHECK_RETURNED(RUN(EL0T, read_dcc));
    mdscr(MDSCR_TDCC);
    CHECK_TAKEN(RUN(EL0T, read_dcc), 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(mdccsr, 0, 1)));
    CHECK_RETURNED(RUN(EL1H, read_dcc));
    next.hcr |= HCR_TGE;
    CHECK_TAKEN(RUN(EL0T, read_dcc), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(mdccsr, 0, 1)));
}

CASE(traps_of_debug_registers, "D24.3.18 MDCR_EL2: TDA, TDOSA, TDRA; TDE means all of them")
{
    static const struct { const char *text; u64 bit; u32 sysreg; } rows[] = {
        {"MDSCR_EL1", MDCR_TDA, SYSREG(2, 0, 0, 2, 2)}, {"DBGBVR0_EL1", MDCR_TDA, DBGBVR(0)},
        {"DBGBCR5_EL1", MDCR_TDA, DBGBCR(5)},           {"DBGWVR0_EL1", MDCR_TDA, DBGWVR(0)},
        {"DBGWCR3_EL1", MDCR_TDA, DBGWCR(3)},           {"OSLSR_EL1", MDCR_TDOSA, SYSREG(2, 0, 1, 1, 4)},
        {"OSDLR_EL1", MDCR_TDOSA, SYSREG(2, 0, 1, 3, 4)}, {"MDRAR_EL1", MDCR_TDRA, SYSREG(2, 0, 1, 0, 0)},
    };
    static const u64 bits[] = {MDCR_TDA, MDCR_TDOSA, MDCR_TDRA, MDCR_TDE};
    const u64 clean = sysreg_read(mdcr_el2);

    debug_off();
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        at_row(rows[i].text);
        for (unsigned b = 0; b < 4; b++) {
            const u64 code = EMIT(INSN_MRS(rows[i].sysreg, 3));
            sysreg_write(mdcr_el2, clean | bits[b]);
            isb();
            const struct exception *e = RUN(EL1H, code);
            if (bits[b] == rows[i].bit || bits[b] == MDCR_TDE)
                CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(rows[i].sysreg, 3, 1)));
            else
                CHECK_RETURNED(e);
        }
    }
}

/* ---- two CPUs */

static void run_on_second(u64 out) { *(volatile u64 *)out = returned(RUN(EL1H, nops)); }

CASE(each_pe_has_its_own, "D2.8: a breakpoint unit is its PE's")
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
