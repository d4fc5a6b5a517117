/*
 * nested_memory: HCR_EL2.NV2: registers of a hypervisor at EL1 in the page at VNCR_EL2, and the faults of that page.
 */
#include "common/nested.h"

/* ---- NV2: registers in memory */

CODE(load, "ldr x0, [x1]");

#define PATTERN 0x5a5a5a5a00000000ul

static void fill_page(u64 page)
{
    for (u64 at = 0; at < 0x1000; at += 8)
        *(volatile u64 *)(page + at) = PATTERN | at;
}

/* A read gives what is at the offset, a write changes that and nothing else, all 64 bits. */
static void is_in_memory(const struct row *r)
{
    const u64 value = 0xfedcba9876543210ul ^ r->reg;

    at_row(r->name);
    fill_page(ARENA);
    const struct exception *e = read(EL1H, r->reg);
    CHECK_RETURNED(e);
    CHECK(e->x[3], PATTERN | r->offset);
    CHECK_RETURNED(write(EL1H, r->reg, value));
    for (u64 at = 0; at < 0x1000; at += 8)
        if (!CHECK(*(volatile u64 *)(ARENA + at), at == r->offset ? value : PATTERN | at))
            break;
}

CASE(nv2_has_registers_of_el2_in_memory, "HCR_EL2.NV2; VNCR_EL2 offsets (D8.11); accessibility: `1x1` of EffectiveHCR_EL2_NVx()")
{
    NEED(NV2);
    static const u64 hcr[] = {HCR_NV | HCR_NV2, HCR_NV | HCR_NV1 | HCR_NV2};
    sysreg_set(VNCR_EL2, ARENA);
    for (u64 h = 0; h < COUNT(hcr); h++) {
        next.hcr = HCR_RW | hcr[h];
        FOR_NAMES_OF_EL2(r)
            if (r->where == MEMORY)
                is_in_memory(r);
        for (u64 i = 0; i < COUNT(always_names); i++)
            is_in_memory(&always_names[i]);
    }
}

CASE(nv2_has_vncr_el2_itself_in_memory, "accessibility of VNCR_EL2: NVMem[0x0B0]")
{
    NEED(NV2);
    static const struct row vncr = {"VNCR_EL2", VNCR_EL2, MEMORY, 0x0b0, 0};
    sysreg_set(VNCR_EL2, ARENA);
    next.hcr |= HCR_NV | HCR_NV2;
    is_in_memory(&vncr);
    CHECK(sysreg_get(VNCR_EL2), ARENA);
    next.hcr = HCR_RW | HCR_NV;
    traps(read(EL1H, VNCR_EL2), VNCR_EL2, 3, 1);
}

CASE(nv2_has_el12_names_in_memory, "HCR_EL2.NV1 = 0: EL12 and EL02 names with EffectiveHCR_EL2_NVx() '101', whatever HCR_EL2.E2H")
{
    NEED(NV2);
    sysreg_set(VNCR_EL2, ARENA);
    next.hcr |= HCR_NV | HCR_NV2;
    FOR_NAMES_OF_EL2(r)
        if (r->where == PAIR)
            is_in_memory(r);
}

CASE(nv2_with_nv1_has_el1_names_in_memory, "HCR_EL2.NV1 = 1: names of EL1 with EffectiveHCR_EL2_NVx() '111'")
{
    NEED(NV2);
    sysreg_set(VNCR_EL2, ARENA);
    next.hcr |= HCR_NV | HCR_NV1 | HCR_NV2;
    for (u64 i = 0; i < COUNT(el1_names); i++) {
        const u64 old = sysreg_get(el1_names[i].reg);
        is_in_memory(&el1_names[i]);
        CHECK(sysreg_get(el1_names[i].reg), old);
    }
}

CASE(nv2_with_nv1_traps_el12_names, "accessibility of SCTLR_EL12 and the others: '101' is memory, any other `xx1` traps")
{
    NEED(NV2);
    sysreg_set(VNCR_EL2, ARENA);
    names_trap(HCR_NV | HCR_NV1 | HCR_NV2, pairs);
}

CASE(nv2_traps_what_is_not_in_memory, "accessibility of SCTLR_EL2 and the others: `xx1` traps")
{
    NEED(NV2);
    sysreg_set(VNCR_EL2, ARENA);
    names_trap(HCR_NV | HCR_NV2, outside_memory);
    names_trap(HCR_NV | HCR_NV1 | HCR_NV2, outside_memory);
}

CASE(nv2_traps_timers_by_cnthctl, "CNTHCTL_EL2.EL1NVPCT, EL1NVVCT: EL02 names with EffectiveHCR_EL2_NVx() '101'")
{
    NEED(NV2);
    NEED(ECV);
    sysreg_set(VNCR_EL2, ARENA);
    next.hcr |= HCR_NV | HCR_NV2;
    for (u64 bit = 15; bit <= 16; bit++) {
        sysreg_write(cnthctl_el2, 3 | 1ul << bit);
        isb();
        FOR_NAMES_OF_EL2(r)
        {
            if (r->where != PAIR || r->offset < 0x168 || r->offset > 0x180)
                continue;
            at_row(r->name);
            if ((r->offset >= 0x178) == (bit == 15)) { /* CNTP */
                traps(read(EL1H, r->reg), r->reg, 3, 1);
                traps(write(EL1H, r->reg, 0), r->reg, 4, 0);
            } else {
                is_in_memory(r);
            }
        }
        next.hcr |= HCR_NV1; /* EL1's own names are not asked */
        FOR_EACH_ROW(r, el1_names)
            if (r->offset >= 0x168 && r->offset <= 0x180)
                is_in_memory(r);
        next.hcr &= ~HCR_NV1;
    }
}

CASE(nv2_leads_exception_registers_to_el1, "accessibility of SPSR_EL2, ELR_EL2, ESR_EL2, FAR_EL2: with `1x1` those of EL1")
{
    NEED(NV2);
    static const u64 hcr[] = {HCR_NV | HCR_NV2, HCR_NV | HCR_NV1 | HCR_NV2};
    sysreg_set(VNCR_EL2, ARENA);
    for (u64 h = 0; h < COUNT(hcr); h++) {
        next.hcr = HCR_RW | hcr[h];
        FOR_NAMES_OF_EL2(r) {
            if (r->where != EL1S)
                continue;
            at_row(r->name);
            fill_page(ARENA);
            sysreg_set(r->offset, 0x3c4);
            const struct exception *e = read(EL1H, r->reg);
            CHECK_RETURNED(e);
            CHECK(e->x[3], 0x3c4);
            CHECK_RETURNED(write(EL1H, r->reg, 0x3c5));
            CHECK(sysreg_get(r->offset), 0x3c5);
            for (u64 at = 0; at < 0x1000; at += 8)
                if (!CHECK(*(volatile u64 *)(ARENA + at), PATTERN | at))
                    break;
        }
    }
}

CASE(nv2_comes_after_the_traps, "accessibility of SCTLR_EL1, ACTLR_EL1, CPACR_EL1, MDSCR_EL1, CNTP_CTL_EL0: traps are asked before NVMem[]")
{
    NEED(NV2);
    const u32 sctlr = SYSREG(3, 0, 1, 0, 0), actlr = SYSREG(3, 0, 1, 0, 1), cpacr = SYSREG(3, 0, 1, 0, 2);
    const u32 mdscr = SYSREG(2, 0, 0, 2, 2), cntp_ctl = SYSREG(3, 3, 14, 2, 1), esr_el2 = SYSREG(3, 4, 5, 2, 0);
    const u64 hcr = HCR_RW | HCR_NV | HCR_NV1 | HCR_NV2;
    sysreg_set(VNCR_EL2, ARENA);
    next.hcr = hcr | HCR_TVM;
    traps(write(EL1H, sctlr, 0), sctlr, 4, 0);
    CHECK_RETURNED(read(EL1H, sctlr));
    next.hcr = hcr | HCR_TRVM;
    traps(read(EL1H, sctlr), sctlr, 3, 1);
    CHECK_RETURNED(write(EL1H, sctlr, 0));
    next.hcr = hcr | HCR_TVM | HCR_TRVM; /* ESR_EL1 by its other name is not asked for */
    CHECK_RETURNED(read(EL1H, esr_el2));
    CHECK_RETURNED(write(EL1H, esr_el2, 0));
    next.hcr = hcr | HCR_TACR;
    traps(read(EL1H, actlr), actlr, 3, 1);
    next.hcr = hcr;
    if (have(FEAT_FGT)) {
        const u32 vbar = SYSREG(3, 0, 12, 0, 0), hfgrtr = SYSREG(3, 4, 1, 1, 4);
        sysreg_set(hfgrtr, 1ul << 38); /* VBAR_EL1 */
        traps(read(EL1H, vbar), vbar, 3, 1);
        CHECK_RETURNED(write(EL1H, vbar, 0));
        sysreg_set(hfgrtr, 0);
    }
    sysreg_write(cptr_el2, 0x33ff | 1ul << 31); /* TCPAC */
    isb();
    traps(read(EL1H, cpacr), cpacr, 3, 1);
    sysreg_write(mdcr_el2, sysreg_read(mdcr_el2) | 1ul << 9); /* TDA */
    isb();
    traps(read(EL1H, mdscr), mdscr, 3, 1);
    sysreg_write(cnthctl_el2, 1); /* EL1PCEN = 0 */
    isb();
    traps(write(EL1H, cntp_ctl, 0), cntp_ctl, 4, 0);
}

/* ---- NV2: the page */

/* A data abort of EL2's by its number, from EL1 by its vector; HPFAR_EL2 is left alone. */
static void page_fault(const struct exception *e, u64 iss, u64 far)
{
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT, ISS_VNCR | iss));
    CHECK(e->far, far);
    CHECK(e->elr, code_buffer);
    CHECK(e->spsr, EL1H);
    CHECK(e->hpfar, 0x1230);
}

CASE(vncr_translation_faults, "ISS encoding for an exception from a Data Abort, VNCR; EC 0x25; AArch64.DataAbort(): to EL2")
{
    NEED(NV2);
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, ARENA, 3, KERNEL_RW);
    map(&s1, VA + 0x40000000, ARENA, 2, KERNEL_RW);
    static const struct { u64 va, level; } rows[] = {
        {1ul << 39 | 0x5000, 0}, {VA + 0x80000000 + 0x6000, 1}, {VA + 0x40000000 + 0x200000, 2}, {VA + 0x1000, 3},
    };
    next.hcr |= HCR_NV | HCR_NV2;
    sysreg_write(hpfar_el2, 0x1230);
    for (u64 i = 0; i < COUNT(rows); i++) {
        sysreg_set(VNCR_EL2, rows[i].va);
        page_fault(read(EL1H, HCR_EL2_REG), FSC_TRANSLATION(rows[i].level), rows[i].va + HCR_OFFSET);
        page_fault(write(EL1H, HCR_EL2_REG, 0), ISS_WNR | FSC_TRANSLATION(rows[i].level), rows[i].va + HCR_OFFSET);
    }
    sysreg_set(VNCR_EL2, VA + 0x7000);
    page_fault(read(EL1H, SYSREG(3, 4, 12, 11, 0)), FSC_TRANSLATION(3), VA + 0x7000 + 0x4c0); /* ICH_HCR_EL2 */
}

CASE(vncr_permission_faults, "EL2's stage 1 decides: a read-only page is read")
{
    NEED(NV2);
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, KERNEL_RW | D_USER | D_READ_ONLY);
    next.hcr |= HCR_NV | HCR_NV2;
    sysreg_write(hpfar_el2, 0x1230);
    sysreg_set(VNCR_EL2, VA);
    *(volatile u64 *)(ARENA + HCR_OFFSET) = 0x1234;
    const struct exception *e = read(EL1H, HCR_EL2_REG);
    CHECK_RETURNED(e);
    CHECK(e->x[3], 0x1234);
    page_fault(write(EL1H, HCR_EL2_REG, 0), ISS_WNR | FSC_PERMISSION(3), VA + HCR_OFFSET);
    CHECK(*(volatile u64 *)(ARENA + HCR_OFFSET), 0x1234);
}

CASE(vncr_access_flag_fault, "EL2's stage 1 decides; the register that is read keeps its value")
{
    NEED(NV2);
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, (KERNEL_RW | D_USER) & ~D_AF);
    next.hcr |= HCR_NV | HCR_NV2;
    sysreg_write(hpfar_el2, 0x1230);
    sysreg_set(VNCR_EL2, VA);
    const struct exception *e = RUN(EL1H, EMIT(INSN_MRS(HCR_EL2_REG, 3)), 0, 0, 0, 0x777);
    page_fault(e, FSC_ACCESS_FLAG(3), VA + HCR_OFFSET);
    CHECK(e->x[3], 0x777);
}

CASE(vncr_external_abort, "AArch64.DataAbort(): an NV2 access is routed to EL2 without HCR_EL2.TEA")
{
    NEED(NV2);
    next.hcr |= HCR_NV | HCR_NV2;
    sysreg_write(hpfar_el2, 0x1230);
    sysreg_set(VNCR_EL2, NOWHERE);
    page_fault(read(EL1H, HCR_EL2_REG), FSC_EXTERNAL, NOWHERE + HCR_OFFSET);
    page_fault(write(EL1H, HCR_EL2_REG, 0), ISS_WNR | FSC_EXTERNAL, NOWHERE + HCR_OFFSET);
}

CASE(vncr_is_an_address_of_el2, "the access is made in EL2's regime: neither EL1's stage 1 nor stage 2 translate it")
{
    NEED(NV2);
    struct tables s1, s2;
    stage1_new(&s1, SHIFT_4K, 39);
    stage2_new(&s2, SHIFT_4K, 39, 1);
    map(&s1, ARENA, ARENA + 0x10000, 3, RAM_RW);
    map(&s2, ARENA + 0x10000, ARENA + 0x20000, 3, S2_RAM);
    next.hcr |= HCR_NV | HCR_NV2;
    sysreg_set(VNCR_EL2, ARENA);
    *(volatile u64 *)(ARENA + HCR_OFFSET) = 1;
    *(volatile u64 *)(ARENA + 0x10000 + HCR_OFFSET) = 2;
    *(volatile u64 *)(ARENA + 0x20000 + HCR_OFFSET) = 3;
    const struct exception *e = RUN(EL1H, load, 0, ARENA + HCR_OFFSET);
    CHECK_RETURNED(e);
    CHECK(e->x[0], 3);
    e = read(EL1H, HCR_EL2_REG);
    CHECK_RETURNED(e);
    CHECK(e->x[3], 1);
    CHECK_RETURNED(write(EL1H, HCR_EL2_REG, 4));
    CHECK(*(volatile u64 *)(ARENA + HCR_OFFSET), 4);
    CHECK(*(volatile u64 *)(ARENA + 0x20000 + HCR_OFFSET), 3);
    e = RUN(EL1H, load, 0, ARENA + HCR_OFFSET);
    CHECK(e->x[0], 3);
}

CASE(vncr_is_translated_by_el2, "VNCR_EL2.BADDR is a virtual address of EL2's regime")
{
    NEED(NV2);
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA + 0x3000, 3, KERNEL_RW | D_USER);
    next.hcr |= HCR_NV | HCR_NV2;
    sysreg_set(VNCR_EL2, VA);
    CHECK_RETURNED(write(EL1H, HCR_EL2_REG, 0x77));
    CHECK(*(volatile u64 *)(ARENA + 0x3000 + HCR_OFFSET), 0x77);
    /* The translation is cached like any other of EL2's, and goes with TLBI VAE2. */
    map(&s1, VA, ARENA + 0x4000, 3, KERNEL_RW | D_USER);
    asm volatile("dsb ish\n\ttlbi vae2, %0\n\tdsb ish\n\tisb" : : "r"(VA >> 12) : "memory");
    CHECK_RETURNED(write(EL1H, HCR_EL2_REG, 0x88));
    CHECK(*(volatile u64 *)(ARENA + 0x4000 + HCR_OFFSET), 0x88);
    CHECK(*(volatile u64 *)(ARENA + 0x3000 + HCR_OFFSET), 0x77);
}

CASE(vncr_of_a_host_with_e2h, "the access is privileged, PSTATE.PAN = 0, in EL2&0 with HCR_EL2.E2H; BADDR is sign-extended: TTBR1_EL2")
{
    NEED(NV2);
    NEED(VHE);
    NEED(PAN);
    struct tables low, high;
    tables_new(&low, 1, SHIFT_4K, 39, 0);
    tables_new(&high, 1, SHIFT_4K, 39, 0);
    map_image(&low);
    map(&low, VA, ARENA, 3, KERNEL_RW | D_PXN | D_UXN);
    map(&low, VA + 0x1000, ARENA + 0x1000, 3, RAM_RW | D_PXN | D_UXN);
    map(&high, 0x5000, ARENA + 0x2000, 3, KERNEL_RW | D_PXN | D_UXN);
    sysreg_write(mair_el2, MAIR_VALUE);
    sysreg_write(ttbr0_el2, low.root);
    sysreg_set(SYSREG(3, 4, 2, 0, 1), high.root);
    sysreg_write(tcr_el2, 25ul | 25ul << 16 | 2ul << 30 | pa_range() << 32); /* T0SZ, T1SZ, TG1 = 4 KiB, IPS */
    next.sctlr_el2 |= SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_SPAN;
    next.hcr |= HCR_E2H | HCR_NV | HCR_NV2;
    sysreg_write(hpfar_el2, 0x1230);
    static const u64 pages[] = {VA, VA + 0x1000, 0xffffff8000005000ul};
    for (u64 i = 0; i < COUNT(pages); i++) {
        sysreg_set(VNCR_EL2, pages[i]);
        CHECK_RETURNED(write(EL1H | PSTATE_PAN, HCR_EL2_REG, 0x100 + i));
        CHECK(*(volatile u64 *)(ARENA + 0x1000 * i + HCR_OFFSET), 0x100 + i);
    }
    sysreg_set(VNCR_EL2, 0xffffff8000006000ul);
    page_fault(read(EL1H, HCR_EL2_REG), FSC_TRANSLATION(3), 0xffffff8000006000ul + HCR_OFFSET);
}

#define ISS_DEBUG 0x22ul
#define MDSCR_KDE (1ul << 13)
#define MDSCR_MDE (1ul << 15)
#define MDCR_TDE (1ul << 8)

CASE(vncr_watchpoint, "R_YGWHK, R_DGCTK: an access of EL2, debug exceptions enabled at EL2: to EL2 with EC 0x35 and ISS.VNCR")
{
    NEED(NV2);
    const u32 dbgwvr0 = SYSREG(2, 0, 0, 0, 6), dbgwcr0 = SYSREG(2, 0, 0, 0, 7);
    const u64 mdcr = sysreg_read(mdcr_el2);
    static const struct { const char *text; u64 mdscr, mdcr, pstate; int taken; } states[] = {
        {"all", MDSCR_MDE | MDSCR_KDE, MDCR_TDE, 0, 1},
        {"PSTATE.D", MDSCR_MDE | MDSCR_KDE, MDCR_TDE, PSTATE_D, 0},
        {"no KDE", MDSCR_MDE, MDCR_TDE, 0, 0},
        {"no TDE", MDSCR_MDE | MDSCR_KDE, 0, 0, 0},
        {"no MDE", MDSCR_KDE, MDCR_TDE, 0, 0},
    };
    sysreg_set(VNCR_EL2, ARENA);
    sysreg_set(dbgwvr0, ARENA + HCR_OFFSET);
    sysreg_set(dbgwcr0, 1 | 3 << 3 | 0xff << 5 | 1 << 13 | 3 << 14); /* E, loads and stores, 8 bytes, HMC and SSC: EL2 alone */
    next.hcr |= HCR_NV | HCR_NV2;
    for (u64 i = 0; i < COUNT(states); i++) {
        at_row(states[i].text);
        sysreg_write(mdscr_el1, states[i].mdscr);
        sysreg_write(mdcr_el2, mdcr | states[i].mdcr);
        isb();
        for (int is_write = 0; is_write < 2; is_write++) {
            const u64 mode = EL1H | states[i].pstate;
            const struct exception *e = is_write ? write(mode, HCR_EL2_REG, 5) : read(mode, HCR_EL2_REG);
            if (states[i].taken) {
                CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WATCHPOINT, ISS_VNCR | (is_write ? ISS_WNR : 0) | ISS_DEBUG));
                CHECK(e->far, ARENA + HCR_OFFSET);
                CHECK(e->elr, code_buffer);
            } else {
                CHECK_RETURNED(e);
            }
        }
        CHECK_RETURNED(read(EL1H | states[i].pstate, SYSREG(3, 4, 2, 1, 0))); /* another register */
        CHECK_RETURNED(RUN(EL1H | states[i].pstate, load, 0, ARENA + HCR_OFFSET)); /* an access of EL1 */
    }
    sysreg_write(mdscr_el1, 0);
    sysreg_write(mdcr_el2, mdcr);
    sysreg_set(dbgwcr0, 0);
}
