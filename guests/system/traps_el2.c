/*
 * traps_el2: what the controls of EL2 trap, at which level and in which direction, with which syndrome; what EL1 refuses EL0 first; where
 * it goes under HCR_EL2.TGE.
 */
#include "common/system.h"

#define HCR(n) (1ul << (n))
/* An access, and the least level that may do it: a control that traps it does so there and at EL1. */
struct row {
    const char *name;
    u32 sysreg;
    unsigned char least, reads, writes;
};

#define R(name, op0, op1, n, m, op2, el) {name, SYSREG(op0, op1, n, m, op2), el, 1, 0}
#define W(name, op0, op1, n, m, op2, el) {name, SYSREG(op0, op1, n, m, op2), el, 0, 1}
#define RW(name, op0, op1, n, m, op2, el) {name, SYSREG(op0, op1, n, m, op2), el, 1, 1}
#define COUNT(rows) (int)(sizeof(rows) / sizeof((rows)[0]))

#define EL0_MAY (1ul << 26 | 1ul << 15 | 1ul << 14 | 1ul << 9 | 1ul << 10 | 1ul << 16 | 1ul << 18)

static void let_el0(void)
{
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | EL0_MAY);
    sysreg_write(cntkctl_el1, 0x303);
    isb();
}

/* What to write: what is there, so that nothing changes. */
static u64 harmless(const struct row *row)
{
    return row->reads && row->sysreg >> 19 != 1 ? sysreg_get(row->sysreg) : ARENA;
}

static const struct exception *attempt(const struct row *row, int el, int read, u64 value)
{
    const u64 code = EMIT(read ? INSN_MRS(row->sysreg, 5) : INSN_MSR(row->sysreg, 5));
    return RUN(el ? EL1H : EL0T, code, 0, 0, 0, 0, 0, value);
}

/* All accesses of the rows from all levels that may: trapped to EL2, or not (DC ZVA of Device memory then is an alignment fault). */
static void expect(const struct row *rows, int count, int trapped)
{
    for (int i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        const u64 value = harmless(row);
        at_row(row->name);
        for (int el = row->least; el < 2; el++)
            for (int read = 0; read < 2; read++) {
                if (!(read ? row->reads : row->writes))
                    continue;
                const struct exception *e = attempt(row, el, read, value);
                if (trapped) {
                    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(row->sysreg, 5, read)));
                    CHECK(e->elr, (u64)code_buffer);
                } else {
                    CHECK(e->el == 2 && ESR_EC(e->esr) == EC_SYSREG, 0);
                }
            }
    }
    at_row(0);
}

static void by_hcr(unsigned bit, const struct row *rows, int count)
{
    let_el0();
    next.hcr = HCR_RW | HCR(bit);
    expect(rows, count, 1);
    next.hcr &= ~HCR(bit);
    expect(rows, count, 0);
}

/* The same for another register, whose value `on` traps and `off` does not. */
static void by(u32 control, u64 on, u64 off, const struct row *rows, int count)
{
    let_el0();
    sysreg_set(control, on);
    expect(rows, count, 1);
    sysreg_set(control, off);
    expect(rows, count, 0);
}

#define BY_HCR(bit, ...)                                                                                               \
    do {                                                                                                               \
        static const struct row rows[] = {__VA_ARGS__};                                                               \
        by_hcr(bit, rows, COUNT(rows));                                                                                \
    } while (0)
#define BY(control, on, off, ...)                                                                                      \
    do {                                                                                                               \
        static const struct row rows[] = {__VA_ARGS__};                                                               \
        by(control, on, off, rows, COUNT(rows));                                                                       \
    } while (0)

/* ---- HCR_EL2 */

CASE(hcr_tid1, "HCR_EL2.TID1")
{
    BY_HCR(16, R("REVIDR_EL1", 3, 0, 0, 0, 6, 1), R("AIDR_EL1", 3, 1, 0, 0, 7, 1));
}

CASE(hcr_tid2, "HCR_EL2.TID2")
{
    BY_HCR(17, R("CTR_EL0", 3, 3, 0, 0, 1, 0), R("CCSIDR_EL1", 3, 1, 0, 0, 0, 1), R("CLIDR_EL1", 3, 1, 0, 0, 1, 1),
           RW("CSSELR_EL1", 3, 2, 0, 0, 0, 1));
}

CASE(hcr_tid3, "HCR_EL2.TID3")
{
    BY_HCR(18, R("ID_PFR0_EL1", 3, 0, 0, 1, 0, 1), R("ID_AFR0_EL1", 3, 0, 0, 1, 3, 1), R("ID_ISAR5_EL1", 3, 0, 0, 2, 5, 1),
           R("MVFR0_EL1", 3, 0, 0, 3, 0, 1), R("reserved CRm 3", 3, 0, 0, 3, 7, 1), R("ID_AA64PFR0_EL1", 3, 0, 0, 4, 0, 1),
           R("ID_AA64DFR0_EL1", 3, 0, 0, 5, 0, 1), R("ID_AA64ISAR0_EL1", 3, 0, 0, 6, 0, 1),
           R("ID_AA64MMFR2_EL1", 3, 0, 0, 7, 2, 1), R("reserved CRm 7", 3, 0, 0, 7, 7, 1));
}

CASE(hcr_tid4, "HCR_EL2.TID4 (FEAT_EVT)")
{
    NEED(EVT);
    BY_HCR(49, R("CCSIDR_EL1", 3, 1, 0, 0, 0, 1), R("CLIDR_EL1", 3, 1, 0, 0, 1, 1), RW("CSSELR_EL1", 3, 2, 0, 0, 0, 1));
    static const struct row ctr[] = {R("CTR_EL0", 3, 3, 0, 0, 1, 0)};
    next.hcr = HCR_RW | HCR(49);
    expect(ctr, 1, 0);
}

CASE(hcr_tacr, "HCR_EL2.TACR") { BY_HCR(21, RW("ACTLR_EL1", 3, 0, 1, 0, 1, 1)); }

#define TRANSLATION(X)                                                                                                 \
    X("SCTLR_EL1", 3, 0, 1, 0, 0, 1), X("TTBR0_EL1", 3, 0, 2, 0, 0, 1), X("TTBR1_EL1", 3, 0, 2, 0, 1, 1),              \
        X("TCR_EL1", 3, 0, 2, 0, 2, 1), X("ESR_EL1", 3, 0, 5, 2, 0, 1), X("FAR_EL1", 3, 0, 6, 0, 0, 1),                \
        X("AFSR0_EL1", 3, 0, 5, 1, 0, 1), X("AFSR1_EL1", 3, 0, 5, 1, 1, 1), X("MAIR_EL1", 3, 0, 10, 2, 0, 1),          \
        X("AMAIR_EL1", 3, 0, 10, 3, 0, 1), X("CONTEXTIDR_EL1", 3, 0, 13, 0, 1, 1)

CASE(hcr_tvm, "HCR_EL2.TVM: writes")
{
    static const struct row rows[] = {TRANSLATION(W)}, reads[] = {TRANSLATION(R)};
    next.hcr = HCR_RW | HCR(26);
    expect(rows, COUNT(rows), 1);
    expect(reads, COUNT(reads), 0);
}

CASE(hcr_trvm, "HCR_EL2.TRVM: reads")
{
    static const struct row rows[] = {TRANSLATION(R)};
    by_hcr(30, rows, COUNT(rows));
    next.hcr = HCR_RW | HCR(30);
    static const struct row writes[] = {TRANSLATION(RW)};
    for (int i = 0; i < COUNT(writes); i++)
        CHECK_RETURNED(attempt(&writes[i], 1, 0, harmless(&writes[i])));
}

CASE(hcr_tsw, "HCR_EL2.TSW")
{
    BY_HCR(22, W("DC ISW", 1, 0, 7, 6, 2, 1), W("DC CSW", 1, 0, 7, 10, 2, 1), W("DC CISW", 1, 0, 7, 14, 2, 1));
}

CASE(hcr_tpcp, "HCR_EL2.TPCP")
{
    BY_HCR(23, W("DC IVAC", 1, 0, 7, 6, 1, 1), W("DC CVAC", 1, 3, 7, 10, 1, 0), W("DC CIVAC", 1, 3, 7, 14, 1, 0));
    if (have(FEAT_DPB))
        BY_HCR(23, W("DC CVAP", 1, 3, 7, 12, 1, 0));
    if (have(FEAT_DPB2))
        BY_HCR(23, W("DC CVADP", 1, 3, 7, 13, 1, 0));
}

CASE(hcr_tpu, "HCR_EL2.TPU")
{
    BY_HCR(24, W("IC IVAU", 1, 3, 7, 5, 1, 0), W("IC IALLU", 1, 0, 7, 5, 0, 1), W("IC IALLUIS", 1, 0, 7, 1, 0, 1),
           W("DC CVAU", 1, 3, 7, 11, 1, 0));
}

CASE(hcr_tocu_ticab, "HCR_EL2.TOCU, TICAB (FEAT_EVT)")
{
    NEED(EVT);
    BY_HCR(52, W("IC IVAU", 1, 3, 7, 5, 1, 0), W("IC IALLU", 1, 0, 7, 5, 0, 1), W("DC CVAU", 1, 3, 7, 11, 1, 0));
    BY_HCR(50, W("IC IALLUIS", 1, 0, 7, 1, 0, 1));
    static const struct row local[] = {W("IC IALLU", 1, 0, 7, 5, 0, 1)}, all[] = {W("IC IALLUIS", 1, 0, 7, 1, 0, 1)};
    next.hcr = HCR_RW | HCR(50);
    expect(local, 1, 0);
    next.hcr = HCR_RW | HCR(52);
    expect(all, 1, 0);
}

#define LOCAL_TLBI W("TLBI VMALLE1", 1, 0, 8, 7, 0, 1), W("TLBI VAE1", 1, 0, 8, 7, 1, 1), W("TLBI VAALE1", 1, 0, 8, 7, 7, 1)
#define INNER_TLBI W("TLBI VMALLE1IS", 1, 0, 8, 3, 0, 1), W("TLBI ASIDE1IS", 1, 0, 8, 3, 2, 1)
#define OUTER_TLBI W("TLBI VMALLE1OS", 1, 0, 8, 1, 0, 1), W("TLBI VALE1OS", 1, 0, 8, 1, 5, 1)

CASE(hcr_ttlb, "HCR_EL2.TTLB")
{
    BY_HCR(25, LOCAL_TLBI, INNER_TLBI);
    if (have(FEAT_TLBIOS))
        BY_HCR(25, OUTER_TLBI);
}

CASE(hcr_ttlbis_ttlbos, "HCR_EL2.TTLBIS, TTLBOS (FEAT_EVT)")
{
    NEED(EVT);
    NEED(TLBIOS);
    static const struct row local[] = {LOCAL_TLBI}, inner[] = {INNER_TLBI}, outer[] = {OUTER_TLBI};
    by_hcr(54, inner, COUNT(inner));
    by_hcr(55, outer, COUNT(outer));
    next.hcr = HCR_RW | HCR(54);
    expect(local, COUNT(local), 0);
    expect(outer, COUNT(outer), 0);
    next.hcr = HCR_RW | HCR(55);
    expect(local, COUNT(local), 0);
    expect(inner, COUNT(inner), 0);
}

CASE(hcr_tdz, "HCR_EL2.TDZ; DCZID_EL0.DZP")
{
    BY_HCR(28, W("DC ZVA", 1, 3, 7, 4, 1, 0));
    const u32 dczid = SYSREG(3, 3, 0, 0, 7);
    next.hcr = HCR_RW | HCR(28);
    CHECK_MASKED(RUN(EL1H, EMIT(INSN_MRS(dczid, 0)))->x[0], 16, 16);
    CHECK_MASKED(sysreg_get(dczid), 16, 0);
}

CASE(hcr_tlor, "HCR_EL2.TLOR")
{
    NEED(LOR);
    BY_HCR(35, RW("LORSA_EL1", 3, 0, 10, 4, 0, 1), RW("LOREA_EL1", 3, 0, 10, 4, 1, 1), RW("LORN_EL1", 3, 0, 10, 4, 2, 1),
           RW("LORC_EL1", 3, 0, 10, 4, 3, 1), R("LORID_EL1", 3, 0, 10, 4, 7, 1));
}

CASE(hcr_imo_fmo_of_sgis, "HCR_EL2.IMO, FMO: ICC_SGI0R_EL1, ICC_SGI1R_EL1, ICC_ASGI1R_EL1")
{
    static const struct row rows[] = {W("ICC_SGI1R_EL1", 3, 0, 12, 11, 5, 1), W("ICC_ASGI1R_EL1", 3, 0, 12, 11, 6, 1),
                                      W("ICC_SGI0R_EL1", 3, 0, 12, 11, 7, 1)};
    no_watchdog(); /* it needs FMO */
    for (int i = 0; i < COUNT(rows); i++)
        for (unsigned bit = 3; bit < 5; bit++) {
            at_row(rows[i].name);
            next.hcr = HCR_RW | HCR(bit);
            const struct exception *e = attempt(&rows[i], 1, 0, 0);
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(rows[i].sysreg, 5, 0)));
        }
}

CASE(hcr_tidcp, "HCR_EL2.TIDCP: S3_<op1>_<C11, C15>_<Cm>_<op2>, and SYS and SYSL of C11 and C15")
{
    static const struct row rows[] = {RW("S3_0_C11_C0_0", 3, 0, 11, 0, 0, 1), RW("S3_7_C15_C15_7", 3, 7, 15, 15, 7, 1),
                                      RW("S3_3_C11_C5_2", 3, 3, 11, 5, 2, 1), RW("S3_4_C15_C1_1", 3, 4, 15, 1, 1, 1),
                                      RW("SYS #0, C11", 1, 0, 11, 0, 0, 1), RW("SYS #7, C15", 1, 7, 15, 3, 4, 1)};
    for (int i = 0; i < COUNT(rows); i++)
        for (int read = 0; read < 2; read++) {
            at_row(rows[i].name);
            next.hcr = HCR_RW | HCR(20);
            const struct exception *e = attempt(&rows[i], 1, read, 0);
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(rows[i].sysreg, 5, read)));
            next.hcr = HCR_RW;
            CHECK_TAKEN(attempt(&rows[i], 1, read, 0), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
        }
}

CODE(wfi, "wfi");
CODE(sevl_wfe, "sevl\n\twfe");
CODE(smc_5, "smc #5");
CODE(hvc_6, "hvc #6");
CODE(svc_7, "svc #7");
CODE(brk_8, "brk #8");
CODE(fmov, ".inst 0x9e6703e0"); /* fmov d0, xzr */

#define WFX(ti) ESR(EC_WFX, 1ul << 24 | 14ul << 20 | (ti))

CASE(hcr_twi_twe, "HCR_EL2.TWI, TWE; ESR_ELx, ISS encoding for an exception from a WF* instruction")
{
    let_el0();
    for (u64 spsr = EL0T; spsr <= EL1H; spsr += EL1H) {
        next.hcr = HCR_RW | HCR(13);
        const struct exception *e = RUN(spsr, wfi);
        CHECK_TAKEN(e, 2, LOWER_SYNC, WFX(0));
        CHECK(e->elr, wfi);
        next.hcr = HCR_RW | HCR(14);
        CHECK_RETURNED(RUN(EL2H, sevl_wfe)); /* EL2 is not trapped */
        CHECK_RETURNED(RUN(spsr, sevl_wfe));
    }
}

CODE(two_wfe, "wfe\n\twfe");

CASE(wfe_traps_when_it_would_wait, "WFE; HCR_EL2.TWE; D1.6.1 'Wait For Event'")
{
    let_el0();
    next.hcr = HCR_RW | HCR(14);
    const struct exception *e = RUN(EL1H, two_wfe); /* ERET is an event: the first is over at once */
    CHECK_TAKEN(e, 2, LOWER_SYNC, WFX(1));
    CHECK(e->elr, two_wfe + 4);
}

CASE(wfx_of_el0, "SCTLR_EL1.nTWI, nTWE; HCR_EL2.TGE")
{
    next.hcr = HCR_RW | HCR(13);
    CHECK_TAKEN(RUN(EL0T, wfi), 1, LOWER_SYNC, WFX(0)); /* EL1's control first */
    next.hcr = HCR_RW | HCR_TGE;
    CHECK_TAKEN(RUN(EL0T, wfi), 2, LOWER_SYNC, WFX(0));
    CHECK_TAKEN(RUN(EL0T, two_wfe), 2, LOWER_SYNC, WFX(1));
}

CASE(wfe_delayed, "HCR_EL2.TWEDEn, TWEDEL (FEAT_TWED)")
{
    NEED(TWED);
    let_el0();
    next.hcr = HCR_RW | HCR(14) | HCR(59) | 15ul << 60;
    const u64 before = sysreg_read(cntpct_el0);
    const struct exception *e = RUN(EL1H, two_wfe);
    const u64 ticks = sysreg_read(cntpct_el0) - before;
    CHECK_TAKEN(e, 2, LOWER_SYNC, WFX(1));
    CHECK(e->elr, two_wfe + 4);
    CHECK(ticks * (1000000000 / sysreg_read(cntfrq_el0)) >= 1ul << 23, 1); /* a cycle is a nanosecond here */
}

static void soon(u64 unused)
{
    (void)unused;
    for (int i = 0; i < 100000; i++)
        asm volatile("nop");
    asm volatile("sev");
}

CASE(wfe_that_wakes_in_time_does_not_trap, "HCR_EL2.TWEDEn, TWEDEL (FEAT_TWED)")
{
    NEED(TWED);
    NEED_TWO_CPUS();
    next.hcr = HCR_RW | HCR(14) | HCR(59) | 15ul << 60;
    start_second(soon, 0);
    CHECK_RETURNED(RUN(EL1H, two_wfe));
    wait_second();
}

CASE(hcr_tsc, "HCR_EL2.TSC; AArch64.CheckForSMCUndefOrTrap")
{
    next.hcr = HCR_RW | HCR(19);
    const struct exception *e = RUN(EL1H, smc_5);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SMC, 5));
    CHECK(e->elr, smc_5); /* trapped: the SMC itself */
    CHECK_TAKEN(RUN(EL0T, smc_5), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_TAKEN(RUN(EL0T, hvc_6), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
}

CASE(hcr_tge_of_el0, "HCR_EL2.TGE: exceptions from EL0 are taken to EL2; AArch64.AdvSIMDFPAccessTrap")
{
    next.hcr = HCR_RW | HCR_TGE;
    const struct exception *e = RUN(EL0T, svc_7);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SVC, 7));
    CHECK(e->elr, svc_7 + 4);
    CHECK_TAKEN(RUN(EL0T, smc_5), 2, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_TAKEN(RUN(EL0T, brk_8), 2, LOWER_SYNC, ESR(EC_BRK, 8));
    sysreg_write(cpacr_el1, 0);
    CHECK_TAKEN(RUN(EL0T, fmov), 2, LOWER_SYNC, ESR(EC_UNKNOWN, 0)); /* CPACR_EL1.FPEN */
    static const struct row rows[] = {R("CTR_EL0", 3, 3, 0, 0, 1, 0), W("DC CVAU", 1, 3, 7, 11, 1, 0), R("DAIF", 3, 3, 4, 2, 1, 0)};
    for (int i = 0; i < 3; i++) { /* SCTLR_EL1 refuses them; the trap goes to EL2 */
        const int read = rows[i].reads;
        e = attempt(&rows[i], 0, read, ARENA);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(rows[i].sysreg, 5, read)));
    }
}

CASE(the_host_has_controls_of_its_own, "HCR_EL2.{E2H, TGE} = {1, 1}: SCTLR_EL2.{UCT, UCI, DZE} for EL0, no HCR_EL2 trap")
{
    NEED(VHE);
    static const struct row rows[] = {R("CTR_EL0", 3, 3, 0, 0, 1, 0), W("DC CVAU", 1, 3, 7, 11, 1, 0), W("IC IVAU", 1, 3, 7, 5, 1, 0)};
    let_el0(); /* SCTLR_EL1 is not asked */
    next.hcr = HCR_RW | HCR_E2H | HCR_TGE | HCR(17) | HCR(23) | HCR(24);
    for (int i = 0; i < 3; i++) {
        const int read = rows[i].reads;
        next.sctlr_el2 = SCTLR_EL2_OFF;
        const struct exception *e = attempt(&rows[i], 0, read, ARENA);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(rows[i].sysreg, 5, read)));
        next.sctlr_el2 = SCTLR_EL2_OFF | EL0_MAY;
        CHECK_RETURNED(attempt(&rows[i], 0, read, ARENA));
    }
    /* DAIF is never the host's EL0's: AArch64.CheckDAIFAccess */
    const u32 daif = SYSREG(3, 3, 4, 2, 1);
    CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(daif, 5))), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(daif, 5, 1)));
}

/* ---- what EL1 refuses EL0 */

CASE(el1_refuses_el0, "SCTLR_EL1.{UCT, UCI, DZE, UMA, EnRCTX}, CNTKCTL_EL1: before any trap to EL2")
{
    static const struct row rows[] = {
        R("CTR_EL0", 3, 3, 0, 0, 1, 0), W("DC CVAU", 1, 3, 7, 11, 1, 0), W("DC CVAC", 1, 3, 7, 10, 1, 0),
        W("DC CIVAC", 1, 3, 7, 14, 1, 0), W("IC IVAU", 1, 3, 7, 5, 1, 0), W("DC ZVA", 1, 3, 7, 4, 1, 0),
        RW("DAIF", 3, 3, 4, 2, 1, 0), R("CNTPCT_EL0", 3, 3, 14, 0, 1, 0), R("CNTVCT_EL0", 3, 3, 14, 0, 2, 0),
        R("CNTFRQ_EL0", 3, 3, 14, 0, 0, 0), RW("CNTP_CTL_EL0", 3, 3, 14, 2, 1, 0), RW("CNTV_CVAL_EL0", 3, 3, 14, 3, 2, 0),
    };
    sysreg_write(cntkctl_el1, 0);
    sysreg_write(cnthctl_el2, 0);
    isb();
    next.hcr = HCR_RW | HCR(17) | HCR(23) | HCR(24) | HCR(28);
    for (int i = 0; i < COUNT(rows); i++)
        for (int read = 0; read < 2; read++)
            if (read ? rows[i].reads : rows[i].writes) {
                at_row(rows[i].name);
                const struct exception *e = attempt(&rows[i], 0, read, ARENA);
                CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(rows[i].sysreg, 5, read)));
            }
}

CASE(enrctx, "SCTLR_EL1.EnRCTX; CFP RCTX, DVP RCTX, CPP RCTX")
{
    static const struct row rows[] = {W("CFP RCTX", 1, 3, 7, 3, 4, 0), W("DVP RCTX", 1, 3, 7, 3, 5, 0), W("CPP RCTX", 1, 3, 7, 3, 7, 0)};
    if ((sysreg_get(SYSREG(3, 0, 0, 6, 1)) >> 40 & 15) == 0) {
        skip("no FEAT_SPECRES");
        return;
    }
    for (int i = 0; i < 3; i++) {
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
        CHECK_TAKEN(attempt(&rows[i], 0, 0, 0), 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(rows[i].sysreg, 5, 0)));
        CHECK_RETURNED(attempt(&rows[i], 1, 0, 0));
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1ul << 10);
        CHECK_RETURNED(attempt(&rows[i], 0, 0, 0));
    }
}

CASE(sctlr_tidcp, "SCTLR_EL1.TIDCP (FEAT_TIDCP1)")
{
    NEED(TIDCP1);
    static const struct row rows[] = {RW("S3_0_C11_C0_0", 3, 0, 11, 0, 0, 0), RW("S3_7_C15_C15_7", 3, 7, 15, 15, 7, 0),
                                      RW("SYS #0, C11", 1, 0, 11, 0, 0, 0)};
    for (int i = 0; i < 3; i++)
        for (int read = 0; read < 2; read++) {
            at_row(rows[i].name);
            const u64 esr = ESR(EC_SYSREG, ISS_SYSREG(rows[i].sysreg, 5, read));
            sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
            next.hcr = HCR_RW;
            CHECK_TAKEN(attempt(&rows[i], 0, read, 0), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
            sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1ul << 63);
            CHECK_TAKEN(attempt(&rows[i], 0, read, 0), 1, LOWER_SYNC, esr);
            next.hcr = HCR_RW | HCR_TGE;
            CHECK_TAKEN(attempt(&rows[i], 0, read, 0), 2, LOWER_SYNC, esr);
            next.hcr = HCR_RW | HCR_TGE | HCR_E2H; /* SCTLR_EL2's own */
            CHECK_TAKEN(attempt(&rows[i], 0, read, 0), 2, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
        }
}

/* ---- other registers of EL2 */

#define CPTR SYSREG(3, 4, 1, 1, 2)
#define MDCR SYSREG(3, 4, 1, 1, 1)
#define CNTHCTL SYSREG(3, 4, 14, 1, 0)
#define ICH_HCR SYSREG(3, 4, 12, 11, 0)

CASE(cptr_tcpac, "CPTR_EL2.TCPAC") { BY(CPTR, 0x33ff | 1ul << 31, 0x33ff, RW("CPACR_EL1", 3, 0, 1, 0, 2, 1)); }

CASE(cptr_tfp, "CPTR_EL2.TFP; CPACR_EL1.FPEN first")
{
    const u64 esr = ESR(EC_FP, 1ul << 24 | 14ul << 20);
    sysreg_write(cpacr_el1, 3ul << 20);
    sysreg_set(CPTR, 0x33ff | 1ul << 10);
    CHECK_TAKEN(RUN(EL1H, fmov), 2, LOWER_SYNC, esr);
    CHECK_TAKEN(RUN(EL0T, fmov), 2, LOWER_SYNC, esr);
    CHECK_TAKEN(RUN(EL2H, fmov), 2, CURRENT_SYNC, esr);
    sysreg_write(cpacr_el1, 1ul << 20);
    CHECK_TAKEN(RUN(EL0T, fmov), 1, LOWER_SYNC, esr);
    CHECK_TAKEN(RUN(EL1H, fmov), 2, LOWER_SYNC, esr);
    sysreg_set(CPTR, 0x33ff);
    CHECK_RETURNED(RUN(EL1H, fmov));
    sysreg_write(cpacr_el1, 0);
    CHECK_TAKEN(RUN(EL1H, fmov), 1, CURRENT_SYNC, esr);
}

#define BREAKPOINTS                                                                                                    \
    RW("DBGBVR0_EL1", 2, 0, 0, 0, 4, 1), RW("DBGBCR0_EL1", 2, 0, 0, 0, 5, 1), RW("DBGWVR0_EL1", 2, 0, 0, 0, 6, 1),     \
        RW("DBGWCR0_EL1", 2, 0, 0, 0, 7, 1), RW("MDSCR_EL1", 2, 0, 0, 2, 2, 1), RW("MDCCINT_EL1", 2, 0, 0, 2, 0, 1),   \
        R("MDCCSR_EL0", 2, 3, 0, 1, 0, 0)

CASE(mdcr_tda, "MDCR_EL2.TDA") { BY(MDCR, 1ul << 9, 0, BREAKPOINTS); }

CASE(mdcr_tdosa, "MDCR_EL2.TDOSA")
{
    BY(MDCR, 1ul << 10, 0, W("OSLAR_EL1", 2, 0, 1, 0, 4, 1), R("OSLSR_EL1", 2, 0, 1, 1, 4, 1), RW("OSDLR_EL1", 2, 0, 1, 3, 4, 1));
}

CASE(mdcr_tdra, "MDCR_EL2.TDRA") { BY(MDCR, 1ul << 11, 0, R("MDRAR_EL1", 2, 0, 1, 0, 0, 1)); }

CASE(mdcr_tde, "MDCR_EL2.TDE: all of TDA, TDOSA, TDRA, and BRK")
{
    BY(MDCR, 1ul << 8, 0, BREAKPOINTS, R("OSLSR_EL1", 2, 0, 1, 1, 4, 1), R("MDRAR_EL1", 2, 0, 1, 0, 0, 1));
    sysreg_set(MDCR, 1ul << 8);
    CHECK_TAKEN(RUN(EL1H, brk_8), 2, LOWER_SYNC, ESR(EC_BRK, 8));
    CHECK_TAKEN(RUN(EL0T, brk_8), 2, LOWER_SYNC, ESR(EC_BRK, 8));
}

CASE(mdcr_tdcc, "MDCR_EL2.TDCC (FEAT_FGT); MDSCR_EL1.TDCC first")
{
    NEED(FGT);
    BY(MDCR, 1ul << 27, 0, RW("MDCCINT_EL1", 2, 0, 0, 2, 0, 1), R("MDCCSR_EL0", 2, 3, 0, 1, 0, 0), RW("DBGDTR_EL0", 2, 3, 0, 4, 0, 0),
       RW("DBGDTRRX_EL0", 2, 3, 0, 5, 0, 0), RW("OSDTRRX_EL1", 2, 0, 0, 0, 2, 1), RW("OSDTRTX_EL1", 2, 0, 0, 3, 2, 1));
    static const struct row status = R("MDCCSR_EL0", 2, 3, 0, 1, 0, 0);
    sysreg_set(MDCR, 1ul << 27);
    sysreg_write(mdscr_el1, 1ul << 12);
    CHECK_TAKEN(attempt(&status, 0, 1, 0), 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(status.sysreg, 5, 1)));
}

CASE(cnthctl, "CNTHCTL_EL2.EL1PCTEN, EL1PCEN (E2H = 0)")
{
    BY(CNTHCTL, 2, 3, R("CNTPCT_EL0", 3, 3, 14, 0, 1, 0));
    BY(CNTHCTL, 1, 3, RW("CNTP_CTL_EL0", 3, 3, 14, 2, 1, 0), RW("CNTP_CVAL_EL0", 3, 3, 14, 2, 2, 0),
       RW("CNTP_TVAL_EL0", 3, 3, 14, 2, 0, 0));
}

CASE(ich_hcr, "ICH_HCR_EL2.TC, TALL0, TALL1, TDIR")
{
    BY(ICH_HCR, 1ul << 10, 0, RW("ICC_PMR_EL1", 3, 0, 4, 6, 0, 1), RW("ICC_CTLR_EL1", 3, 0, 12, 12, 4, 1),
       R("ICC_RPR_EL1", 3, 0, 12, 11, 3, 1), W("ICC_DIR_EL1", 3, 0, 12, 11, 1, 1));
    BY(ICH_HCR, 1ul << 11, 0, RW("ICC_BPR0_EL1", 3, 0, 12, 8, 3, 1), R("ICC_IAR0_EL1", 3, 0, 12, 8, 0, 1),
       R("ICC_HPPIR0_EL1", 3, 0, 12, 8, 2, 1), RW("ICC_AP0R0_EL1", 3, 0, 12, 8, 4, 1), RW("ICC_IGRPEN0_EL1", 3, 0, 12, 12, 6, 1));
    BY(ICH_HCR, 1ul << 12, 0, RW("ICC_BPR1_EL1", 3, 0, 12, 12, 3, 1), R("ICC_IAR1_EL1", 3, 0, 12, 12, 0, 1),
       R("ICC_HPPIR1_EL1", 3, 0, 12, 12, 2, 1), RW("ICC_AP1R0_EL1", 3, 0, 12, 9, 0, 1), RW("ICC_IGRPEN1_EL1", 3, 0, 12, 12, 7, 1));
    BY(ICH_HCR, 1ul << 14, 0, W("ICC_DIR_EL1", 3, 0, 12, 11, 1, 1));
}

CASE(icc_sre, "ICC_SRE_EL2.Enable")
{
    const u32 sre = SYSREG(3, 4, 12, 9, 5);
    sysreg_set(sre, 7);
    if (sysreg_get(sre) & 8) {
        skip("ICC_SRE_EL2.Enable is RAO/WI");
        return;
    }
    BY(sre, 7, 15, RW("ICC_SRE_EL1", 3, 0, 12, 12, 5, 1));
}
