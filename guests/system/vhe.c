/*
 * vhe: HCR_EL2.E2H and TGE: redirection of EL1's names, the _EL12 and _EL02 names, the EL2&0 regime, exceptions of the host's EL0.
 */
#include "common/system.h"

#define EL12(crn, crm, op2) SYSREG(3, 5, crn, crm, op2)
#define EL1(crn, crm, op2) SYSREG(3, 0, crn, crm, op2)
#define EL2(crn, crm, op2) SYSREG(3, 4, crn, crm, op2)

/* Registers that E2H redirects: EL1's name, EL2's register, the _EL12 name; a value that both hold */
static const struct {
    const char *name;
    u32 el1, el2, el12;
    u64 a, b;
} pairs[] = {
    {"SCTLR", EL1(1, 0, 0), EL2(1, 0, 0), EL12(1, 0, 0), SCTLR_EL1_CLEAN, SCTLR_EL1_CLEAN | SCTLR_SA},
    {"CPACR", EL1(1, 0, 2), EL2(1, 1, 2), EL12(1, 0, 2), 1 << 20, 3 << 20},
    {"TTBR0", EL1(2, 0, 0), EL2(2, 0, 0), EL12(2, 0, 0), 0x1000000041000000, 0x2000000042000000},
    {"TTBR1", EL1(2, 0, 1), EL2(2, 0, 1), EL12(2, 0, 1), 0x1000000043000000, 0x2000000044000000},
    {"TCR", EL1(2, 0, 2), EL2(2, 0, 2), EL12(2, 0, 2), 25 | 25 << 16, 16 | 16 << 16},
    {"SPSR", EL1(4, 0, 0), EL2(4, 0, 0), EL12(4, 0, 0), 0x3c5, 0x600003c5},
    {"ELR", EL1(4, 0, 1), EL2(4, 0, 1), EL12(4, 0, 1), 0x1111222233334444, 0x5555666677778888},
    {"ESR", EL1(5, 2, 0), EL2(5, 2, 0), EL12(5, 2, 0), 0x56000001, 0x5a000002},
    {"FAR", EL1(6, 0, 0), EL2(6, 0, 0), EL12(6, 0, 0), 0x1111222233334444, 0x5555666677778888},
    {"MAIR", EL1(10, 2, 0), EL2(10, 2, 0), EL12(10, 2, 0), 0x44ff, 0xff04},
    {"CONTEXTIDR", EL1(13, 0, 1), EL2(13, 0, 1), EL12(13, 0, 1), 0x1234, 0x5678},
    {"CNTKCTL", EL1(14, 1, 0), EL2(14, 1, 0), EL12(14, 1, 0), 0x300, 0x103},
};
#define PAIRS (sizeof pairs / sizeof *pairs)

/* Code for EL2 with E2H = 1: read or write a register. x1 = value to write; x0 = value read. SPSR, ELR and the like are restored by RUN(). */
static u64 e2h_read(u32 code)
{
    const struct exception *e = RUN(EL2H, EMIT(INSN_MRS(code, 0)));

    CHECK_RETURNED(e);
    return e->x[0];
}

/* Write, and read it back before anything else can change it */
static u64 e2h_write_read(u32 to, u64 value, u32 from)
{
    const struct exception *e = RUN(EL2H, EMIT(INSN_MSR(to, 1), 0xd5033fdfu /* ISB */, INSN_MRS(from, 0)), 0, value);

    CHECK_RETURNED(e);
    return e->x[0];
}

CASE(redirection, "D8.1, FEAT_VHE, E2H = 1: at EL2 the name of EL1 is EL2's register; _EL12 is EL1's")
{
    NEED(VHE);
    next.hcr = HCR_RW | HCR_E2H;
    next.sctlr_el2 = SCTLR_EL1_CLEAN;
    for (unsigned i = 0; i < PAIRS; i++) {
        at_row(pairs[i].name);
        if (i != 1) /* CPTR_EL2 has another layout with E2H = 0: below */
            CHECK(e2h_write_read(pairs[i].el1, pairs[i].a, pairs[i].el2), pairs[i].a);
        CHECK(e2h_write_read(pairs[i].el12, pairs[i].b, pairs[i].el12), pairs[i].b);
        CHECK(sysreg_get(pairs[i].el1), pairs[i].b); /* E2H = 0 here: EL1's own */
        CHECK(e2h_write_read(pairs[i].el2, pairs[i].a, pairs[i].el1), pairs[i].a);
        CHECK(e2h_read(pairs[i].el12), pairs[i].b);
        if (pairs[i].el1 == EL1(1, 0, 0))
            sysreg_set(EL1(1, 0, 0), SCTLR_EL1_CLEAN);
    }
}

CASE(no_redirection_below, "FEAT_VHE: at EL1 the names are EL1's, whatever E2H; with E2H = 0 at EL2 too")
{
    NEED(VHE);
    for (unsigned i = 3; i < PAIRS; i++) {
        at_row(pairs[i].name);
        next.hcr = HCR_RW | HCR_E2H;
        const struct exception *e = RUN(EL1H, EMIT(INSN_MSR(pairs[i].el1, 1), 0xd5033fdfu, INSN_MRS(pairs[i].el1, 0)), 0, pairs[i].b);
        CHECK_RETURNED(e);
        CHECK(e->x[0], pairs[i].b);
        CHECK(e2h_read(pairs[i].el12), pairs[i].b);
        next.hcr = HCR_RW;
        CHECK(e2h_write_read(pairs[i].el1, pairs[i].a, pairs[i].el1), pairs[i].a);
        CHECK(sysreg_get(pairs[i].el1), pairs[i].a);
    }
}

CASE(vbar_redirection, "FEAT_VHE: VBAR_EL1 at EL2 with E2H = 1 is VBAR_EL2; VBAR_EL12 is VBAR_EL1")
{
    NEED(VHE);
    next.hcr = HCR_RW | HCR_E2H;
    const u64 vbar1 = sysreg_read(vbar_el1), vbar2 = sysreg_read(vbar_el2);
    CHECK(e2h_read(EL1(12, 0, 0)), vbar2);
    CHECK(e2h_read(EL12(12, 0, 0)), vbar1);
}

CASE(el12_undefined, "_EL12 and _EL02 names: UNDEFINED at EL2 with E2H = 0, at EL1 and EL0 always")
{
    NEED(VHE);
    static const u32 timers[] = {SYSREG(3, 5, 14, 2, 0), SYSREG(3, 5, 14, 2, 1), SYSREG(3, 5, 14, 2, 2),
                                 SYSREG(3, 5, 14, 3, 0), SYSREG(3, 5, 14, 3, 1), SYSREG(3, 5, 14, 3, 2)};
    for (unsigned i = 0; i < PAIRS + 6; i++) {
        const u32 code = i < PAIRS ? pairs[i].el12 : timers[i - PAIRS];
        at_row(i < PAIRS ? pairs[i].name : "timer");
        next.hcr = HCR_RW;
        CHECK_TAKEN(RUN(EL2H, EMIT(INSN_MRS(code, 0))), 2, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
        CHECK_TAKEN(RUN(EL2H, EMIT(INSN_MSR(code, 0))), 2, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
        CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MRS(code, 0))), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
        next.hcr = HCR_RW | HCR_E2H;
        CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MSR(code, 0))), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
        CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(code, 0))), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
        next.hcr = HCR_RW | HCR_E2H | HCR_TGE;
        CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(code, 0))), 2, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    }
}

CASE(timer_redirection, "FEAT_VHE: CNTP_*_EL0, CNTV_*_EL0 at EL2 with E2H = 1 are CNTHP_*, CNTHV_*; _EL02 are EL1's; the host's EL0 likewise")
{
    NEED(VHE);
    no_watchdog();
    static const struct {
        u32 el0, el2, el02;
    } timers[] = {
        {SYSREG(3, 3, 14, 2, 2), SYSREG(3, 4, 14, 2, 2), SYSREG(3, 5, 14, 2, 2)},
        {SYSREG(3, 3, 14, 3, 2), SYSREG(3, 4, 14, 3, 2), SYSREG(3, 5, 14, 3, 2)},
    };
    for (int i = 0; i < 2; i++) {
        next.hcr = HCR_RW | HCR_E2H;
        CHECK(e2h_write_read(timers[i].el0, 0x1111111111111111, timers[i].el2), 0x1111111111111111);
        CHECK(e2h_write_read(timers[i].el02, 0x2222222222222222, timers[i].el02), 0x2222222222222222);
        CHECK(sysreg_get(timers[i].el0), 0x2222222222222222);
        CHECK(sysreg_get(timers[i].el2), 0x1111111111111111);
        /* EL1: its own */
        sysreg_write(cnthctl_el2, 3 << 10);
        const struct exception *e = RUN(EL1H, EMIT(INSN_MRS(timers[i].el0, 0)));
        CHECK(e->x[0], 0x2222222222222222);
        /* the guest's EL0 (TGE = 0) */
        sysreg_write(cntkctl_el1, 0x303);
        e = RUN(EL0T, EMIT(INSN_MRS(timers[i].el0, 0)));
        CHECK_RETURNED(e);
        CHECK(e->x[0], 0x2222222222222222);
        /* the host's EL0 */
        next.hcr = HCR_RW | HCR_E2H | HCR_TGE;
        sysreg_write(cnthctl_el2, 3 << 8);
        e = RUN(EL0T, EMIT(INSN_MRS(timers[i].el0, 0)));
        CHECK_RETURNED(e);
        CHECK(e->x[0], 0x1111111111111111);
    }
}

CODE(read_cntvct, "mrs x0, cntvct_el0");

CASE(count_of_host, "CNTVCT_EL0: CNTVOFF_EL2 is 0 at EL2 with E2H = 1, and at the host's EL0; not at EL2 with E2H = 0, nor at EL1")
{
    NEED(VHE);
    const u64 far_away = 1ul << 60;


    sysreg_write(cntvoff_el2, far_away);
    sysreg_write(cnthctl_el2, 3);
    CHECK(RUN(EL2H, read_cntvct)->x[0] >> 59, 0x1e);  /* 0 - 2^60 + little: bit 63..60 = 0xf, and bit 59 = 0 */
    CHECK(RUN(EL1H, read_cntvct)->x[0] >> 59, 0x1e);
    next.hcr = HCR_RW | HCR_E2H;
    CHECK(RUN(EL2H, read_cntvct)->x[0] >> 59, 0);
    CHECK(RUN(EL1H, read_cntvct)->x[0] >> 59, 0x1e);
    next.hcr = HCR_RW | HCR_E2H | HCR_TGE;
    CHECK(RUN(EL2H, read_cntvct)->x[0] >> 59, 0);
    CHECK(RUN(EL0T, read_cntvct)->x[0] >> 59, 0);
}

CASE(cptr_layout, "CPTR_EL2, E2H = 1: as CPACR_EL1")
{
    NEED(VHE);
    next.hcr = HCR_RW | HCR_E2H;
    CHECK_MASKED(e2h_write_read(EL2(1, 1, 2), 3 << 20, EL2(1, 1, 2)), 3 << 20 | 0xff, 3 << 20);
    CHECK_MASKED(e2h_read(EL1(1, 0, 2)), 3 << 20, 3 << 20);
}

/* ---- the EL2&0 regime */

#define LOW 0x80000000ul
#define HIGH 0xffffff8080000000ul

static void host_tables(struct tables *low, struct tables *high)
{
    tables_new(low, 1, SHIFT_4K, 39, 0);
    map_image(low);
    tables_new(high, 1, SHIFT_4K, 39, 0);
    sysreg_write(mair_el2, MAIR_VALUE);
    sysreg_write(ttbr0_el2, low->root);
    sysreg_set(SYSREG(3, 4, 2, 0, 1), high->root);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
    next.hcr = HCR_RW | HCR_E2H | HCR_TGE;
    next.sctlr_el2 = SCTLR_EL1_CLEAN | SCTLR_M | SCTLR_C | SCTLR_I;
    /* TCR_EL2 laid out as TCR_EL1: T0SZ = T1SZ = 25, 4 KiB both, IPS; written with E2H = 1 so that no bit of it is RES0 */
    const u64 tcr = 25 | 25 << 16 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 24 | 1 << 26 | 3 << 28 | 2ul << 30 | pa_range() << 32;
    const u64 sctlr = next.sctlr_el2;
    next.sctlr_el2 = SCTLR_EL1_CLEAN;
    CHECK(e2h_write_read(EL2(2, 0, 2), tcr, EL2(2, 0, 2)), tcr);
    next.sctlr_el2 = sctlr;
    tlbi_all();
}

CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");
CODE(svc, "svc #9");
CODE(undefined, "udf #0");

CASE(two_ranges, "D8.1: EL2&0 has two VA ranges, TTBR0_EL2 and TTBR1_EL2; EL0 under {E2H, TGE} = {1, 1} uses it too")
{
    NEED(VHE);
    struct tables low, high;
    host_tables(&low, &high);
    map(&low, LOW, ARENA, 3, RAM_RW);
    map(&high, HIGH & 0x7fffffffff, ARENA + 0x1000, 3, RAM_RW);
    *(u64 *)ARENA = 0x1111, *(u64 *)(ARENA + 0x1000) = 0x2222;
    const struct exception *e = RUN(EL2H, load, 0, LOW);
    CHECK_RETURNED(e);
    CHECK(e->x[0], 0x1111);
    e = RUN(EL2H, load, 0, HIGH);
    CHECK_RETURNED(e);
    CHECK(e->x[0], 0x2222);
    e = RUN(EL0T, load, 0, LOW);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SVC, RETURNED));
    CHECK(e->x[0], 0x1111);
    e = RUN(EL0T, load, 0, HIGH);
    CHECK(e->x[0], 0x2222);
    /* faults: of EL2 at EL2, of EL0 at EL2 from a lower level */
    e = RUN(EL2H, load, 0, LOW + 0x1000);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_DABT, FSC_TRANSLATION(3)));
    CHECK(e->far, LOW + 0x1000);
    e = RUN(EL0T, store, 0, HIGH + 0x1000);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_WNR | FSC_TRANSLATION(3)));
    CHECK(e->far, HIGH + 0x1000);
    e = RUN(EL0T, LOW + 0x40000000);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_TRANSLATION(1)));
    e = RUN(EL2H, load, 0, 1ul << 40);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_DABT, FSC_TRANSLATION(0)));
}

CASE(host_permissions, "D8.4: EL2&0 has AP[1], PXN and UXN as EL1&0; PAN at EL2")
{
    NEED(VHE);
    struct tables low, high;
    host_tables(&low, &high);
    *(u32 *)ARENA = INSN_RET;
    for (u64 n = 0; n < 16; n++) {
        const u64 page = NORMAL | D_AF | (n & 1 ? D_USER : 0) | (n & 2 ? D_READ_ONLY : 0) | (n & 4 ? D_PXN : 0) | (n & 8 ? D_UXN : 0);
        const int user = n & 1, writable = !(n & 2);
        static char name[] = "user x ro x pxn x uxn x";
        name[5] = '0' + (n & 1), name[10] = '0' + (n >> 1 & 1), name[16] = '0' + (n >> 2 & 1), name[22] = '0' + (n >> 3);
        at_row(name);
        map(&low, LOW, ARENA, 3, page);
        tlbi_all();
        CHECK_RETURNED(RUN(EL2H, load, 0, LOW));
        const struct exception *e = RUN(EL0T, load, 0, LOW);
        if (user)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_PERMISSION(3)));
        e = RUN(EL2H, store, INSN_RET, LOW);
        if (writable)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
        e = RUN(EL2H, LOW);
        if (!(n & 4) && !(user && writable))
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_IABT, FSC_PERMISSION(3)));
        e = RUN(EL0T, LOW);
        if (!(n & 8))
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_PERMISSION(3)));
        e = RUN(EL2H | PSTATE_PAN, load, 0, LOW);
        if (user)
            CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_DABT, FSC_PERMISSION(3)));
        else
            CHECK_RETURNED(e);
    }
}

CASE(no_stage2_for_host, "D8.1.2: {E2H, TGE} = {1, 1}: HCR_EL2.VM does not translate EL0")
{
    NEED(VHE);
    struct tables low, high, s2;
    host_tables(&low, &high);
    map(&low, LOW, ARENA, 3, RAM_RW);
    stage2_new(&s2, SHIFT_4K, 36, 1);
    *(u64 *)ARENA = 0x3333;
    tlbi_all();
    const struct exception *e = RUN(EL0T, load, 0, LOW);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SVC, RETURNED));
    CHECK(e->x[0], 0x3333);
}

CASE(host_el0_exceptions, "HCR_EL2.{E2H, TGE} = {1, 1}: SVC, UNDEFINED and breakpoint instructions of EL0 go to EL2")
{
    NEED(VHE);
    next.hcr = HCR_RW | HCR_E2H | HCR_TGE;
    next.sctlr_el2 = SCTLR_EL1_CLEAN;
    const struct exception *e = RUN(EL0T | PSTATE_N, svc);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SVC, 9));
    CHECK(e->spsr, EL0T | PSTATE_N);
    CHECK_TAKEN(RUN(EL0T, undefined), 2, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_TAKEN(RUN(EL0T, EMIT(0xd4200540u)), 2, LOWER_SYNC, ESR(EC_BRK, 0x2a));
    /* EL1's registers are untouched */
    CHECK(sysreg_read(esr_el1), 0);
    CHECK(sysreg_read(elr_el1), 0);
}

CASE(tge_without_e2h, "HCR_EL2.TGE = 1, E2H = 0: SCTLR_EL1.M is 0 for EL0, VM is not; exceptions go to EL2 (`AArch64.S1Enabled`, `NSS2TTWParams`)")
{
    struct tables s1, s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 39);
    *(u64 *)ARENA = 0x4444;
    next.hcr |= HCR_TGE;
    map(&s2, ARENA, ARENA, 3, S2_RAM);
    const struct exception *e = RUN(EL0T, load, 0, ARENA); /* not mapped by stage 1 */
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SVC, RETURNED));
    CHECK(e->x[0], 0x4444);
    e = RUN(EL0T, load, 0, ARENA + 0x1000); /* nor by stage 2 */
    CHECK(ESR_EC(e->esr), EC_DABT_LOWER);
    CHECK(e->hpfar, (ARENA + 0x1000) >> 12 << 4);
}

CODE(wfi, "wfi");

CASE(host_wfx, "SCTLR_EL2.nTWI, nTWE trap the host's EL0 to EL2; HCR_EL2.TWI, TWE do not")
{
    NEED(VHE);
    next.hcr = HCR_RW | HCR_E2H | HCR_TGE;
    next.sctlr_el2 = SCTLR_EL1_CLEAN & ~(1ul << 16 | 1ul << 18);
    CHECK_TAKEN(RUN(EL0T, wfi), 2, LOWER_SYNC, ESR(EC_WFX, 1 << 24 | 14 << 20));
}

CASE(stale_regime, "TLB entries of EL2 (E2H = 0), EL2&0 and EL1&0 are apart: changing HCR_EL2 needs no invalidation")
{
    NEED(VHE);
    struct tables low, high, el2, guest;

    stage1_new(&guest, SHIFT_4K, 39);
    map(&guest, LOW, ARENA + 0x2000, 3, RAM_RW);
    const u64 sctlr_el1 = sysreg_read(sctlr_el1);
    host_tables(&low, &high);
    sysreg_write(sctlr_el1, sctlr_el1);
    map(&low, LOW, ARENA, 3, RAM_RW);
    *(u64 *)ARENA = 1, *(u64 *)(ARENA + 0x1000) = 2, *(u64 *)(ARENA + 0x2000) = 3;
    CHECK(RUN(EL2H, load, 0, LOW)->x[0], 1);
    CHECK(RUN(EL0T, load, 0, LOW)->x[0], 1);
    next.hcr = HCR_RW | HCR_E2H;
    CHECK(RUN(EL1H, load, 0, LOW)->x[0], 3);
    CHECK(RUN(EL0T, load, 0, LOW)->x[0], 3);
    CHECK(RUN(EL2H, load, 0, LOW)->x[0], 1);
    next.hcr = HCR_RW;
    stage1_el2_new(&el2, SHIFT_4K, 39);
    map(&el2, LOW, ARENA + 0x1000, 3, RAM_RW);
    next.sctlr_el2 = SCTLR_EL2_OFF | SCTLR_M | SCTLR_C | SCTLR_I;
    asm volatile("dsb ish\n\ttlbi alle2is\n\tdsb ish\n\tisb"); /* EL2's tables changed */
    CHECK(RUN(EL2H, load, 0, LOW)->x[0], 2);
    CHECK(RUN(EL1H, load, 0, LOW)->x[0], 3);
}
