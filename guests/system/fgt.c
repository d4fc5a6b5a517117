/*
 * fgt: the fine-grained traps (FEAT_FGT): every bit traps what it names, in its direction, from EL1 and EL0; SVC and ERET; what comes
 * before them.
 */
#include "common/system.h"

#define HFGRTR SYSREG(3, 4, 1, 1, 4)
#define HFGWTR SYSREG(3, 4, 1, 1, 5)
#define HFGITR SYSREG(3, 4, 1, 1, 6)
#define HDFGRTR SYSREG(3, 4, 3, 1, 4)
#define HDFGWTR SYSREG(3, 4, 3, 1, 5)
#define HCR_TVM (1ul << 26)
#define HCR_API (3ul << 40)

enum { BASE, RAS, PMU, PMU4, LOR_, DPB_, DPB2_, PAN2_, TLBIOS_, RANGE };

/* A bit: what it traps, and from which level on that may be accessed at all. */
struct row {
    const char *name;
    u32 sysreg;
    unsigned char bit, el, reads, writes, needs;
};

#define R(name, op0, op1, n, m, op2, bit, el) {name, SYSREG(op0, op1, n, m, op2), bit, el, 1, 0, BASE}
#define W(name, op0, op1, n, m, op2, bit, el) {name, SYSREG(op0, op1, n, m, op2), bit, el, 0, 1, BASE}
#define RW(name, op0, op1, n, m, op2, bit, el) {name, SYSREG(op0, op1, n, m, op2), bit, el, 1, 1, BASE}
#define RX(name, op0, op1, n, m, op2, bit, el, needs) {name, SYSREG(op0, op1, n, m, op2), bit, el, 1, 0, needs}
#define WX(name, op0, op1, n, m, op2, bit, el, needs) {name, SYSREG(op0, op1, n, m, op2), bit, el, 0, 1, needs}
#define RWX(name, op0, op1, n, m, op2, bit, el, needs) {name, SYSREG(op0, op1, n, m, op2), bit, el, 1, 1, needs}

/* HFGRTR_EL2 and HFGWTR_EL2, field descriptions. */
static const struct row registers[] = {
    RW("AFSR0_EL1", 3, 0, 5, 1, 0, 0, 1),       RW("AFSR1_EL1", 3, 0, 5, 1, 1, 1, 1),
    R("AIDR_EL1", 3, 1, 0, 0, 7, 2, 1),         RW("AMAIR_EL1", 3, 0, 10, 3, 0, 3, 1),
    R("CCSIDR_EL1", 3, 1, 0, 0, 0, 9, 1),       R("CLIDR_EL1", 3, 1, 0, 0, 1, 10, 1),
    RW("CONTEXTIDR_EL1", 3, 0, 13, 0, 1, 11, 1), RW("CPACR_EL1", 3, 0, 1, 0, 2, 12, 1),
    RW("CSSELR_EL1", 3, 2, 0, 0, 0, 13, 1),     R("CTR_EL0", 3, 3, 0, 0, 1, 14, 0),
    R("DCZID_EL0", 3, 3, 0, 0, 7, 15, 0),       RW("ESR_EL1", 3, 0, 5, 2, 0, 16, 1),
    RW("FAR_EL1", 3, 0, 6, 0, 0, 17, 1),        R("ISR_EL1", 3, 0, 12, 1, 0, 18, 1),
    RWX("LORC_EL1", 3, 0, 10, 4, 3, 19, 1, LOR_), RWX("LOREA_EL1", 3, 0, 10, 4, 1, 20, 1, LOR_),
    RX("LORID_EL1", 3, 0, 10, 4, 7, 21, 1, LOR_), RWX("LORN_EL1", 3, 0, 10, 4, 2, 22, 1, LOR_),
    RWX("LORSA_EL1", 3, 0, 10, 4, 0, 23, 1, LOR_), RW("MAIR_EL1", 3, 0, 10, 2, 0, 24, 1),
    R("MIDR_EL1", 3, 0, 0, 0, 0, 25, 1),        R("MPIDR_EL1", 3, 0, 0, 0, 5, 26, 1),
    RW("PAR_EL1", 3, 0, 7, 4, 0, 27, 1),        R("REVIDR_EL1", 3, 0, 0, 0, 6, 28, 1),
    RW("SCTLR_EL1", 3, 0, 1, 0, 0, 29, 1),      RW("TCR_EL1", 3, 0, 2, 0, 2, 32, 1),
    RW("TPIDR_EL1", 3, 0, 13, 0, 4, 33, 1),     RW("TPIDRRO_EL0", 3, 3, 13, 0, 3, 34, 1),
    R("TPIDRRO_EL0 at EL0", 3, 3, 13, 0, 3, 34, 0), RW("TPIDR_EL0", 3, 3, 13, 0, 2, 35, 0),
    RW("TTBR0_EL1", 3, 0, 2, 0, 0, 36, 1),      RW("TTBR1_EL1", 3, 0, 2, 0, 1, 37, 1),
    RW("VBAR_EL1", 3, 0, 12, 0, 0, 38, 1),      RW("ICC_IGRPEN0_EL1", 3, 0, 12, 12, 6, 39, 1),
    RW("ICC_IGRPEN1_EL1", 3, 0, 12, 12, 7, 39, 1), RX("ERRIDR_EL1", 3, 0, 5, 3, 0, 40, 1, RAS),
    RWX("ERRSELR_EL1", 3, 0, 5, 3, 1, 41, 1, RAS), RX("ERXFR_EL1", 3, 0, 5, 4, 0, 42, 1, RAS),
    RWX("ERXCTLR_EL1", 3, 0, 5, 4, 1, 43, 1, RAS), RWX("ERXSTATUS_EL1", 3, 0, 5, 4, 2, 44, 1, RAS),
    RWX("ERXMISC0_EL1", 3, 0, 5, 5, 0, 45, 1, RAS), RWX("ERXMISC1_EL1", 3, 0, 5, 5, 1, 45, 1, RAS),
    RWX("ERXADDR_EL1", 3, 0, 5, 4, 3, 49, 1, RAS),
};

/* HDFGRTR_EL2 and HDFGWTR_EL2. */
static const struct row debug[] = {
    RW("DBGBCR0_EL1", 2, 0, 0, 0, 5, 0, 1),     RW("DBGBCR1_EL1", 2, 0, 0, 1, 5, 0, 1),
    RW("DBGBVR0_EL1", 2, 0, 0, 0, 4, 1, 1),     RW("DBGWCR0_EL1", 2, 0, 0, 0, 7, 2, 1),
    RW("DBGWVR1_EL1", 2, 0, 0, 1, 6, 3, 1),     RW("MDSCR_EL1", 2, 0, 0, 2, 2, 4, 1),
    RW("DBGCLAIMSET_EL1", 2, 0, 7, 8, 6, 5, 1), RW("DBGCLAIMCLR_EL1", 2, 0, 7, 9, 6, 5, 1),
    R("DBGAUTHSTATUS_EL1", 2, 0, 7, 14, 6, 6, 1), RW("DBGPRCR_EL1", 2, 0, 1, 4, 4, 7, 1),
    W("OSLAR_EL1", 2, 0, 1, 0, 4, 8, 1),        R("OSLSR_EL1", 2, 0, 1, 1, 4, 9, 1),
    RW("OSECCR_EL1", 2, 0, 0, 6, 2, 10, 1),     RW("OSDLR_EL1", 2, 0, 1, 3, 4, 11, 1),
    RWX("PMEVCNTR0_EL0", 3, 3, 14, 8, 0, 12, 0, PMU), RWX("PMXEVCNTR_EL0", 3, 3, 9, 13, 2, 12, 0, PMU),
    RWX("PMEVTYPER0_EL0", 3, 3, 14, 12, 0, 13, 0, PMU), RWX("PMXEVTYPER_EL0", 3, 3, 9, 13, 1, 13, 0, PMU),
    RWX("PMCCFILTR_EL0", 3, 3, 14, 15, 7, 14, 0, PMU), RWX("PMCCNTR_EL0", 3, 3, 9, 13, 0, 15, 0, PMU),
    RWX("PMCNTENSET_EL0", 3, 3, 9, 12, 1, 16, 0, PMU), RWX("PMCNTENCLR_EL0", 3, 3, 9, 12, 2, 16, 0, PMU),
    RWX("PMINTENSET_EL1", 3, 0, 9, 14, 1, 17, 1, PMU), RWX("PMINTENCLR_EL1", 3, 0, 9, 14, 2, 17, 1, PMU),
    RWX("PMOVSCLR_EL0", 3, 3, 9, 12, 3, 18, 0, PMU), RWX("PMOVSSET_EL0", 3, 3, 9, 14, 3, 18, 0, PMU),
    RWX("PMSELR_EL0", 3, 3, 9, 12, 5, 19, 0, PMU), WX("PMSWINC_EL0", 3, 3, 9, 12, 4, 20, 0, PMU),
    WX("PMCR_EL0", 3, 3, 9, 12, 0, 21, 0, PMU), RX("PMMIR_EL1", 3, 0, 9, 14, 6, 22, 1, PMU4),
    RWX("PMUSERENR_EL0", 3, 3, 9, 14, 0, 57, 1, PMU), RX("PMUSERENR_EL0 at EL0", 3, 3, 9, 14, 0, 57, 0, PMU),
    RX("PMCEID0_EL0", 3, 3, 9, 12, 6, 58, 0, PMU), RX("PMCEID1_EL0", 3, 3, 9, 12, 7, 58, 0, PMU),
};

/* HFGITR_EL2. */
static const struct row instructions[] = {
    W("IC IALLUIS", 1, 0, 7, 1, 0, 0, 1),       W("IC IALLU", 1, 0, 7, 5, 0, 1, 1),
    W("IC IVAU", 1, 3, 7, 5, 1, 2, 0),          W("DC IVAC", 1, 0, 7, 6, 1, 3, 1),
    W("DC ISW", 1, 0, 7, 6, 2, 4, 1),           W("DC CSW", 1, 0, 7, 10, 2, 5, 1),
    W("DC CISW", 1, 0, 7, 14, 2, 6, 1),         W("DC CVAU", 1, 3, 7, 11, 1, 7, 0),
    WX("DC CVAP", 1, 3, 7, 12, 1, 8, 0, DPB_),  WX("DC CVADP", 1, 3, 7, 13, 1, 9, 0, DPB2_),
    W("DC CIVAC", 1, 3, 7, 14, 1, 10, 0),       W("DC ZVA", 1, 3, 7, 4, 1, 11, 0),
    W("AT S1E1R", 1, 0, 7, 8, 0, 12, 1),        W("AT S1E1W", 1, 0, 7, 8, 1, 13, 1),
    W("AT S1E0R", 1, 0, 7, 8, 2, 14, 1),        W("AT S1E0W", 1, 0, 7, 8, 3, 15, 1),
    WX("AT S1E1RP", 1, 0, 7, 9, 0, 16, 1, PAN2_), WX("AT S1E1WP", 1, 0, 7, 9, 1, 17, 1, PAN2_),
    WX("TLBI VMALLE1OS", 1, 0, 8, 1, 0, 18, 1, TLBIOS_), WX("TLBI VAE1OS", 1, 0, 8, 1, 1, 19, 1, TLBIOS_),
    WX("TLBI ASIDE1OS", 1, 0, 8, 1, 2, 20, 1, TLBIOS_), WX("TLBI VAAE1OS", 1, 0, 8, 1, 3, 21, 1, TLBIOS_),
    WX("TLBI VALE1OS", 1, 0, 8, 1, 5, 22, 1, TLBIOS_), WX("TLBI VAALE1OS", 1, 0, 8, 1, 7, 23, 1, TLBIOS_),
    WX("TLBI RVAE1OS", 1, 0, 8, 5, 1, 24, 1, RANGE), WX("TLBI RVAAE1OS", 1, 0, 8, 5, 3, 25, 1, RANGE),
    WX("TLBI RVALE1OS", 1, 0, 8, 5, 5, 26, 1, RANGE), WX("TLBI RVAALE1OS", 1, 0, 8, 5, 7, 27, 1, RANGE),
    W("TLBI VMALLE1IS", 1, 0, 8, 3, 0, 28, 1),  W("TLBI VAE1IS", 1, 0, 8, 3, 1, 29, 1),
    W("TLBI ASIDE1IS", 1, 0, 8, 3, 2, 30, 1),   W("TLBI VAAE1IS", 1, 0, 8, 3, 3, 31, 1),
    W("TLBI VALE1IS", 1, 0, 8, 3, 5, 32, 1),    W("TLBI VAALE1IS", 1, 0, 8, 3, 7, 33, 1),
    WX("TLBI RVAE1IS", 1, 0, 8, 2, 1, 34, 1, RANGE), WX("TLBI RVAAE1IS", 1, 0, 8, 2, 3, 35, 1, RANGE),
    WX("TLBI RVALE1IS", 1, 0, 8, 2, 5, 36, 1, RANGE), WX("TLBI RVAALE1IS", 1, 0, 8, 2, 7, 37, 1, RANGE),
    WX("TLBI RVAE1", 1, 0, 8, 6, 1, 38, 1, RANGE), WX("TLBI RVAAE1", 1, 0, 8, 6, 3, 39, 1, RANGE),
    WX("TLBI RVALE1", 1, 0, 8, 6, 5, 40, 1, RANGE), WX("TLBI RVAALE1", 1, 0, 8, 6, 7, 41, 1, RANGE),
    W("TLBI VMALLE1", 1, 0, 8, 7, 0, 42, 1),    W("TLBI VAE1", 1, 0, 8, 7, 1, 43, 1),
    W("TLBI ASIDE1", 1, 0, 8, 7, 2, 44, 1),     W("TLBI VAAE1", 1, 0, 8, 7, 3, 45, 1),
    W("TLBI VALE1", 1, 0, 8, 7, 5, 46, 1),      W("TLBI VAALE1", 1, 0, 8, 7, 7, 47, 1),
    W("CFP RCTX", 1, 3, 7, 3, 4, 48, 0),        W("DVP RCTX", 1, 3, 7, 3, 5, 49, 0),
    W("CPP RCTX", 1, 3, 7, 3, 7, 50, 0),        W("DC CVAC", 1, 3, 7, 10, 1, 54, 0),
};

static int there(const struct row *row)
{
    switch (row->needs) {
    case RAS: return have(FEAT_RAS);
    case PMU: return have(FEAT_PMUv3);
    case PMU4: return have(FEAT_PMUv3p4);
    case LOR_: return have(FEAT_LOR);
    case DPB_: return have(FEAT_DPB);
    case DPB2_: return have(FEAT_DPB2);
    case PAN2_: return have(FEAT_PAN2);
    case TLBIOS_: return have(FEAT_TLBIOS);
    case RANGE: return have(FEAT_TLBIRANGE);
    default: return 1;
    }
}

/* EL1 lets EL0 do what it can: SCTLR_EL1.{UCI, UCT, DZE, UMA, EnRCTX}, PMUSERENR_EL0. */
static void let_el0(void)
{
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1ul << 26 | 1ul << 15 | 1ul << 14 | 1ul << 9 | 1ul << 10);
    if (have(FEAT_PMUv3))
        sysreg_set(SYSREG(3, 3, 9, 14, 0), 0xf);
    isb();
}

/* Each access of the rows, in one direction: the bit alone traps it, from every level that may; the other bits do not. */
static void traps(const struct row *rows, int count, u32 control, int read)
{
    let_el0();
    sysreg_set(control, ~0ul);
    const u64 all = sysreg_get(control);
    for (int i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        if (!(read ? row->reads : row->writes) || !there(row))
            continue;
        at_row(row->name);
        CHECK_MASKED(all >> row->bit, 1, 1);
        for (int el = row->el; el < 2; el++) {
            const u64 spsr = el ? EL1H : EL0T;
            const u32 access = read ? INSN_MRS(row->sysreg, 5) : INSN_MSR(row->sysreg, 5);
            sysreg_set(control, 1ul << row->bit);
            u64 code = EMIT(access);
            const struct exception *e = RUN(spsr, code, 0, 0, 0, 0, 0, ARENA);
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(row->sysreg, 5, read)));
            CHECK(e->elr, code);
        }
    }
    /* Nothing else: with all bits but one, that one's access is not trapped by them (seen at EL1, reads and harmless writes only). */
    for (int i = 0; read && i < count; i++) {
        const struct row *row = &rows[i];
        if (!row->reads || !there(row))
            continue;
        at_row(row->name);
        sysreg_set(control, all & ~(1ul << row->bit));
        CHECK_RETURNED(RUN(EL1H, EMIT(INSN_MRS(row->sysreg, 5))));
    }
    at_row(0);
}

#define COUNT(rows) (int)(sizeof(rows) / sizeof((rows)[0]))

CASE(reads_of_registers, "HFGRTR_EL2; accessibility pseudocode of each register")
{
    NEED(FGT);
    traps(registers, COUNT(registers), HFGRTR, 1);
}

CASE(writes_of_registers, "HFGWTR_EL2; accessibility pseudocode of each register")
{
    NEED(FGT);
    traps(registers, COUNT(registers), HFGWTR, 0);
}

CASE(reads_of_debug_registers, "HDFGRTR_EL2; accessibility pseudocode of each register")
{
    NEED(FGT);
    traps(debug, COUNT(debug), HDFGRTR, 1);
}

CASE(writes_of_debug_registers, "HDFGWTR_EL2; accessibility pseudocode of each register")
{
    NEED(FGT);
    traps(debug, COUNT(debug), HDFGWTR, 0);
}

CASE(system_instructions, "HFGITR_EL2; accessibility pseudocode of each instruction")
{
    NEED(FGT);
    traps(instructions, COUNT(instructions), HFGITR, 0);
}

CODE(svc_42, "svc #42");
CODE(eret, "eret");
CODE(read_tpidr_el0, "mrs x0, tpidr_el0");
CODE(read_ctr_el0, "mrs x0, ctr_el0");
CODE(read_midr, "mrs x0, midr_el1");
CODE(write_sctlr, "msr sctlr_el1, x0");

CASE(svc_from_el0, "HFGITR_EL2.SVC_EL0; AArch64.CheckForSVCTrap")
{
    NEED(FGT);
    sysreg_set(HFGITR, 1ul << 52);
    const struct exception *e = RUN(EL0T, svc_42);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SVC, 42));
    CHECK(e->elr, svc_42); /* the SVC has not executed */
    e = RUN(EL1H, svc_42);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_SVC, 42));
    CHECK(e->elr, svc_42 + 4);
}

CASE(svc_from_el1, "HFGITR_EL2.SVC_EL1; AArch64.CheckForSVCTrap")
{
    NEED(FGT);
    sysreg_set(HFGITR, 1ul << 53);
    const struct exception *e = RUN(EL1H, svc_42);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SVC, 42));
    CHECK(e->elr, svc_42);
    CHECK_TAKEN(RUN(EL0T, svc_42), 1, LOWER_SYNC, ESR(EC_SVC, 42));
}

CASE(eret_from_el1, "HFGITR_EL2.ERET; AArch64.CheckForERetTrap; ESR_ELx, ISS encoding for an exception from ERET")
{
    NEED(FGT);
    sysreg_set(HFGITR, 1ul << 51);
    const struct exception *e = RUN(EL1H, eret);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_ERET, 0));
    CHECK(e->elr, eret);
    CHECK_TAKEN(RUN(EL0T, eret), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
}

CASE(el1_refuses_first, "CTR_EL0 and MIDR_EL1, accessibility pseudocode at EL0")
{
    NEED(FGT);
    sysreg_set(HFGRTR, 1ul << 14 | 1ul << 25);
    const struct exception *e = RUN(EL0T, read_ctr_el0); /* SCTLR_EL1.UCT = 0 */
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(SYSREG(3, 3, 0, 0, 1), 0, 1)));
    e = RUN(EL0T, read_midr); /* no register of EL0's: by FEAT_IDST an access trapped to EL1, else UNDEFINED */
    CHECK(e->el, 1);
}

CASE(the_hosts_el0_is_not_trapped, "TPIDR_EL0 and SVC, HCR_EL2.{E2H, TGE} = {1, 1} and {0, 1}")
{
    NEED(FGT);
    NEED(VHE);
    sysreg_set(HFGRTR, 1ul << 35);
    sysreg_set(HFGITR, 1ul << 52);
    next.hcr = HCR_RW | HCR_E2H | HCR_TGE;
    CHECK_TAKEN(RUN(EL0T, svc_42), 2, LOWER_SYNC, ESR(EC_SVC, 42));
    const struct exception *e = RUN(EL0T, svc_42);
    CHECK(e->elr, svc_42 + 4);
    CHECK_RETURNED(RUN(EL0T, read_tpidr_el0));
    next.hcr = HCR_RW | HCR_TGE;
    e = RUN(EL0T, read_tpidr_el0);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(SYSREG(3, 3, 13, 0, 2), 0, 1)));
    e = RUN(EL0T, svc_42);
    CHECK(e->elr, svc_42);
}

CASE(el2_is_not_trapped, "MIDR_EL1, accessibility pseudocode at EL2")
{
    NEED(FGT);
    sysreg_set(HFGRTR, ~0ul);
    CHECK_RETURNED(RUN(EL2H, read_midr));
    CHECK_RETURNED(RUN(EL2H, read_tpidr_el0));
}

CASE(with_hcr_tvm_it_is_one_trap, "SCTLR_EL1, accessibility pseudocode at EL1")
{
    NEED(FGT);
    next.hcr |= HCR_TVM;
    for (int i = 0; i < 2; i++) {
        sysreg_set(HFGWTR, (u64)i << 29);
        const struct exception *e = RUN(EL1H, write_sctlr, SCTLR_EL1_CLEAN);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(SYSREG(3, 0, 1, 0, 0), 0, 0)));
    }
}

CASE(reserved_bits, "HFGRTR_EL2 to HDFGWTR_EL2, field descriptions: RES0")
{
    NEED(FGT);
    static const struct { u32 control; u64 reserved; } rows[] = {
        {HFGRTR, 1ul << 51},
        {HFGWTR, 1ul << 2 | 3ul << 9 | 3ul << 14 | 1ul << 18 | 1ul << 21 | 3ul << 25 | 1ul << 28 | 1ul << 40 | 1ul << 42 | 1ul << 46 | 1ul << 51},
        {HFGITR, 1ul << 61},
        {HDFGRTR, 1ul << 8 | 3ul << 20 | 3ul << 38 | 1ul << 42 | 1ul << 49},
        {HDFGWTR, 1ul << 6 | 1ul << 9 | 1ul << 22 | 1ul << 30 | 1ul << 34 | 7ul << 38 | 1ul << 43 | 1ul << 47 | 1ul << 51 | 3ul << 58 | 1ul << 63},
    };

    for (int i = 0; i < 5; i++) {
        sysreg_set(rows[i].control, ~0ul);
        CHECK_MASKED(sysreg_get(rows[i].control), rows[i].reserved, 0);
    }
}
