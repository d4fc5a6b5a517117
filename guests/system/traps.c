/*
 * traps: which bit sends which register or instruction of EL1 and EL0 to EL2 (or EL1), with the class and syndrome that it should have;
 * with the bit clear the same access does not trap.
 */
#include "common/system.h"

#define NO_FEATURE 0xff
#define READ 1
#define WRITE 0

/* ---- one register or instruction, one bit of HCR_EL2 */

struct row {
    const char *name;
    u32 code;    /* SYSREG() */
    u8 read;
    u8 feature;  /* or NO_FEATURE */
    u8 bit;      /* of HCR_EL2 */
};

#define REG_SCTLR_EL1 SYSREG(3, 0, 1, 0, 0)
#define REG_ACTLR_EL1 SYSREG(3, 0, 1, 0, 1)
#define REG_CPACR_EL1 SYSREG(3, 0, 1, 0, 2)
#define REG_TTBR0_EL1 SYSREG(3, 0, 2, 0, 0)
#define REG_TTBR1_EL1 SYSREG(3, 0, 2, 0, 1)
#define REG_TCR_EL1 SYSREG(3, 0, 2, 0, 2)
#define REG_AFSR0_EL1 SYSREG(3, 0, 5, 1, 0)
#define REG_AFSR1_EL1 SYSREG(3, 0, 5, 1, 1)
#define REG_ESR_EL1 SYSREG(3, 0, 5, 2, 0)
#define REG_FAR_EL1 SYSREG(3, 0, 6, 0, 0)
#define REG_MAIR_EL1 SYSREG(3, 0, 10, 2, 0)
#define REG_AMAIR_EL1 SYSREG(3, 0, 10, 3, 0)
#define REG_CONTEXTIDR_EL1 SYSREG(3, 0, 13, 0, 1)
#define REG_CTR_EL0 SYSREG(3, 3, 0, 0, 1)
#define REG_CCSIDR_EL1 SYSREG(3, 1, 0, 0, 0)
#define REG_CLIDR_EL1 SYSREG(3, 1, 0, 0, 1)
#define REG_CSSELR_EL1 SYSREG(3, 2, 0, 0, 0)
#define REG_REVIDR_EL1 SYSREG(3, 0, 0, 0, 6)
#define REG_AIDR_EL1 SYSREG(3, 1, 0, 0, 7)
#define OP_DC_ISW SYSREG(1, 0, 7, 6, 2)
#define OP_DC_CSW SYSREG(1, 0, 7, 10, 2)
#define OP_DC_CISW SYSREG(1, 0, 7, 14, 2)
#define OP_DC_IVAC SYSREG(1, 0, 7, 6, 1)
#define OP_DC_CVAC SYSREG(1, 3, 7, 10, 1)
#define OP_DC_CIVAC SYSREG(1, 3, 7, 14, 1)
#define OP_DC_CVAP SYSREG(1, 3, 7, 12, 1)
#define OP_DC_CVADP SYSREG(1, 3, 7, 13, 1)
#define OP_DC_CVAU SYSREG(1, 3, 7, 11, 1)
#define OP_IC_IVAU SYSREG(1, 3, 7, 5, 1)
#define OP_IC_IALLU SYSREG(1, 0, 7, 5, 0)
#define OP_IC_IALLUIS SYSREG(1, 0, 7, 1, 0)
#define OP_DC_ZVA SYSREG(1, 3, 7, 4, 1)
#define OP_TLBI(crm, op2) SYSREG(1, 0, 8, crm, op2)
#define REG_LORSA_EL1 SYSREG(3, 0, 10, 4, 0)
#define REG_LORID_EL1 SYSREG(3, 0, 10, 4, 7)
#define REG_ICC_SGI1R_EL1 SYSREG(3, 0, 12, 11, 5)
#define REG_ICC_ASGI1R_EL1 SYSREG(3, 0, 12, 11, 6)
#define REG_ICC_SGI0R_EL1 SYSREG(3, 0, 12, 11, 7)
#define REG_ICC_SRE_EL1 SYSREG(3, 0, 12, 12, 5)

/* An address or a register's own value: what a write may carry without harm. */
static u64 harmless(u32 code, int read)
{
    const u32 op0 = code >> 19 & 3, crn = code >> 12 & 15;

    if (op0 == 1)
        return crn == 7 && (code >> 16 & 7) == 0 && (code >> 5 & 7) == 2 ? 0 : ARENA; /* set and way 0 */
    if (read || (crn == 12 && (code >> 8 & 15) == 11))
        return 0; /* an SGI to nobody */
    return sysreg_get(code);
}

#define RT_READ 9
#define RT_WRITE 5

static const struct exception *access(u64 mode, u32 code, int read)
{
    const u64 value = harmless(code, read);

    return RUN(mode, EMIT(read ? INSN_MRS(code, RT_READ) : INSN_MSR(code, RT_WRITE)), 0, 0, 0, 0, 0, value);
}

static u64 trap_esr(u32 code, int read) { return ESR(EC_SYSREG, ISS_SYSREG(code, read ? RT_READ : RT_WRITE, read)); }

static void check_hcr_rows(const struct row *row, u64 n)
{
    no_watchdog(); /* HCR_EL2.FMO traps some */
    for (; n--; row++) {
        if (row->feature != NO_FEATURE && !have(row->feature))
            continue;
        at_row(row->name);
        next.hcr = HCR_RW | 1ul << row->bit;
        const struct exception *e = access(EL1H, row->code, row->read);
        CHECK_TAKEN(e, 2, LOWER_SYNC, trap_esr(row->code, row->read));
        CHECK(e->elr, code_buffer);
        CHECK(e->spsr, EL1H);
        next.hcr = HCR_RW;
        CHECK_RETURNED(access(EL1H, row->code, row->read));
        /* It is EL1's and EL0's: EL2 itself is not trapped */
        next.hcr = HCR_RW | 1ul << row->bit;
        CHECK_RETURNED(access(EL2H, row->code, row->read));
    }
}

#define R(name, feature, bit) {#name " read", REG_##name, READ, feature, bit}
#define W(name, feature, bit) {#name " write", REG_##name, WRITE, feature, bit}
#define I(name, feature, bit) {#name, OP_##name, WRITE, feature, bit}
#define CHECK_ROWS(...)                                                                                                \
    do {                                                                                                               \
        static const struct row rows[] = {__VA_ARGS__};                                                                \
        check_hcr_rows(rows, sizeof rows / sizeof *rows);                                                              \
    } while (0)
#define N NO_FEATURE

CASE(hcr_tvm, "HCR_EL2.TVM: EL1's writes of translation control")
{
    CHECK_ROWS(W(SCTLR_EL1, N, 26), W(TTBR0_EL1, N, 26), W(TTBR1_EL1, N, 26), W(TCR_EL1, N, 26), W(ESR_EL1, N, 26), W(FAR_EL1, N, 26),
               W(AFSR0_EL1, N, 26), W(AFSR1_EL1, N, 26), W(MAIR_EL1, N, 26), W(AMAIR_EL1, N, 26), W(CONTEXTIDR_EL1, N, 26));
    /* but not reads */
    next.hcr = HCR_RW | 1ul << 26;
    CHECK_RETURNED(access(EL1H, REG_SCTLR_EL1, READ));
    CHECK_RETURNED(access(EL1H, REG_CONTEXTIDR_EL1, READ));
}

CASE(hcr_trvm, "HCR_EL2.TRVM: EL1's reads of translation control")
{
    CHECK_ROWS(R(SCTLR_EL1, N, 30), R(TTBR0_EL1, N, 30), R(TTBR1_EL1, N, 30), R(TCR_EL1, N, 30), R(ESR_EL1, N, 30), R(FAR_EL1, N, 30),
               R(AFSR0_EL1, N, 30), R(AFSR1_EL1, N, 30), R(MAIR_EL1, N, 30), R(AMAIR_EL1, N, 30), R(CONTEXTIDR_EL1, N, 30));
    next.hcr = HCR_RW | 1ul << 30;
    CHECK_RETURNED(access(EL1H, REG_SCTLR_EL1, WRITE));
}

CASE(hcr_tacr, "HCR_EL2.TACR: ACTLR_EL1") { CHECK_ROWS(R(ACTLR_EL1, N, 21), W(ACTLR_EL1, N, 21)); }

CASE(hcr_tid1, "HCR_EL2.TID1: REVIDR_EL1, AIDR_EL1") { CHECK_ROWS(R(REVIDR_EL1, N, 16), R(AIDR_EL1, N, 16)); }

CASE(hcr_tid2, "HCR_EL2.TID2: CTR_EL0, CCSIDR_EL1, CLIDR_EL1, CSSELR_EL1")
{
    CHECK_ROWS(R(CTR_EL0, N, 17), R(CCSIDR_EL1, N, 17), R(CLIDR_EL1, N, 17), R(CSSELR_EL1, N, 17), W(CSSELR_EL1, N, 17));
}

CASE(hcr_tid4, "HCR_EL2.TID4 (FEAT_EVT): as TID2, without CTR_EL0")
{
    NEED(EVT);
    CHECK_ROWS(R(CCSIDR_EL1, N, 49), R(CLIDR_EL1, N, 49), R(CSSELR_EL1, N, 49), W(CSSELR_EL1, N, 49));
    next.hcr = HCR_RW | 1ul << 49;
    CHECK_RETURNED(access(EL1H, REG_CTR_EL0, READ));
}

CASE(hcr_tid3, "HCR_EL2.TID3: op0 3, op1 0, CRn 0, CRm 1 to 7, the reserved ones too")
{
    for (u32 crm = 1; crm <= 7; crm++)
        for (u32 op2 = 0; op2 < 8; op2++) {
            const u32 code = SYSREG(3, 0, 0, crm, op2);
            static char name[] = "CRm n op2 n";
            name[4] = '0' + crm;
            name[10] = '0' + op2;
            at_row(name);
            next.hcr = HCR_RW | 1ul << 18;
            const struct exception *e = access(EL1H, code, READ);
            CHECK_TAKEN(e, 2, LOWER_SYNC, trap_esr(code, READ));
            next.hcr = HCR_RW;
            CHECK_RETURNED(access(EL1H, code, READ));
        }
    at_row(0);
    next.hcr = HCR_RW | 1ul << 18;
    CHECK_RETURNED(access(EL1H, SYSREG(3, 0, 0, 0, 0), READ)); /* MIDR_EL1: no */
    CHECK_RETURNED(access(EL1H, SYSREG(3, 0, 0, 0, 5), READ)); /* MPIDR_EL1: no */
}

CASE(hcr_tsw, "HCR_EL2.TSW: DC by set and way") { CHECK_ROWS(I(DC_ISW, N, 22), I(DC_CSW, N, 22), I(DC_CISW, N, 22)); }

CASE(hcr_tpc, "HCR_EL2.TPCP: DC to the point of coherency or persistence")
{
    CHECK_ROWS(I(DC_IVAC, N, 23), I(DC_CVAC, N, 23), I(DC_CIVAC, N, 23), I(DC_CVAP, FEAT_DPB, 23), I(DC_CVADP, FEAT_DPB2, 23));
    next.hcr = HCR_RW | 1ul << 23;
    CHECK_RETURNED(access(EL1H, OP_DC_CVAU, WRITE));
}

CASE(hcr_tpu, "HCR_EL2.TPU: IC, and DC to the point of unification")
{
    CHECK_ROWS(I(DC_CVAU, N, 24), I(IC_IVAU, N, 24), I(IC_IALLU, N, 24), I(IC_IALLUIS, N, 24));
    next.hcr = HCR_RW | 1ul << 24;
    CHECK_RETURNED(access(EL1H, OP_DC_CVAC, WRITE));
}

CASE(hcr_tocu, "HCR_EL2.TOCU (FEAT_EVT): as TPU, without IC IALLUIS")
{
    NEED(EVT);
    CHECK_ROWS(I(DC_CVAU, N, 52), I(IC_IVAU, N, 52), I(IC_IALLU, N, 52));
    next.hcr = HCR_RW | 1ul << 52;
    CHECK_RETURNED(access(EL1H, OP_IC_IALLUIS, WRITE));
}

CASE(hcr_ticab, "HCR_EL2.TICAB (FEAT_EVT): IC IALLUIS")
{
    NEED(EVT);
    CHECK_ROWS(I(IC_IALLUIS, N, 50));
    next.hcr = HCR_RW | 1ul << 50;
    CHECK_RETURNED(access(EL1H, OP_IC_IALLU, WRITE));
    CHECK_RETURNED(access(EL1H, OP_IC_IVAU, WRITE));
}

/* All TLBI that EL1 has: CRm, op2, and the bit for that scope besides TTLB */
static void check_tlbi(u32 crm, int bit, int other, enum feature feature)
{
    static const u8 all[] = {0, 1, 2, 3, 5, 7}, range[] = {1, 3, 5, 7};
    const int is_range = crm == 2 || crm == 5 || crm == 6;

    if (feature != N && !have(feature))
        return;
    for (unsigned i = 0; i < (is_range ? sizeof range : sizeof all); i++) {
        static char name[] = "TLBI CRm n op2 n";
        name[9] = '0' + crm;
        name[15] = '0' + (is_range ? range[i] : all[i]);
        const struct row row = {name, OP_TLBI(crm, is_range ? range[i] : all[i]), WRITE, N, bit};
        check_hcr_rows(&row, 1);
        if (other) { /* a bit of another scope does not trap it */
            next.hcr = HCR_RW | 1ul << other;
            CHECK_RETURNED(access(EL1H, row.code, WRITE));
        }
    }
}

CASE(hcr_ttlb, "HCR_EL2.TTLB: all TLBI of EL1")
{
    static const struct {
        u8 crm, feature;
    } rows[] = {{7, N}, {3, N}, {1, FEAT_TLBIOS}, {6, FEAT_TLBIRANGE}, {2, FEAT_TLBIRANGE}, {5, FEAT_TLBIRANGE}};

    for (unsigned i = 0; i < 6; i++)
        check_tlbi(rows[i].crm, 25, 0, rows[i].feature);
}

CASE(hcr_ttlbis_ttlbos, "HCR_EL2.TTLBIS, TTLBOS (FEAT_EVT): TLBI of the inner and of the outer shareable domain")
{
    NEED(EVT);
    check_tlbi(3, 54, 55, N);
    check_tlbi(2, 54, 55, FEAT_TLBIRANGE);
    check_tlbi(1, 55, 54, FEAT_TLBIOS);
    check_tlbi(5, 55, 54, FEAT_TLBIRANGE);
    next.hcr = HCR_RW | 3ul << 54;
    CHECK_RETURNED(access(EL1H, OP_TLBI(7, 1), WRITE));
}

CASE(hcr_tdz, "HCR_EL2.TDZ: DC ZVA; DCZID_EL0.DZP says so")
{
    struct tables s1;
    const struct exception *e;

    stage1_new(&s1, SHIFT_4K, 39); /* zeroing Device memory is an Alignment fault */
    map(&s1, ARENA, ARENA, 3, RAM_RW);
    for (u64 dze = 0; dze < 2; dze++)
        for (u64 tdz = 0; tdz < 2; tdz++) {
            sysreg_write(sctlr_el1, (sysreg_read(sctlr_el1) & ~(1ul << 14)) | dze << 14);
            next.hcr = HCR_RW | tdz << 28;
            e = access(EL1H, OP_DC_ZVA, WRITE);
            if (tdz)
                CHECK_TAKEN(e, 2, LOWER_SYNC, trap_esr(OP_DC_ZVA, WRITE));
            else
                CHECK_RETURNED(e);
            e = access(EL0T, OP_DC_ZVA, WRITE);
            if (!dze)
                CHECK_TAKEN(e, 1, LOWER_SYNC, trap_esr(OP_DC_ZVA, WRITE));
            else if (tdz)
                CHECK_TAKEN(e, 2, LOWER_SYNC, trap_esr(OP_DC_ZVA, WRITE));
            else
                CHECK_RETURNED(e);
        }
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
    next.hcr = HCR_RW | 1ul << 28;
    e = access(EL1H, SYSREG(3, 3, 0, 0, 7), READ);
    CHECK_RETURNED(e);
    CHECK_MASKED(e->x[RT_READ], 1 << 4, 1 << 4);
    next.hcr = HCR_RW;
    e = access(EL1H, SYSREG(3, 3, 0, 0, 7), READ);
    CHECK_MASKED(e->x[RT_READ], 1 << 4, 0);
    e = access(EL0T, SYSREG(3, 3, 0, 0, 7), READ); /* SCTLR_EL1.DZE = 0 */
    CHECK_MASKED(e->x[RT_READ], 1 << 4, 1 << 4);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1 << 14);
    e = access(EL0T, SYSREG(3, 3, 0, 0, 7), READ);
    CHECK_MASKED(e->x[RT_READ], 1 << 4, 0);
}

CASE(hcr_tlor, "HCR_EL2.TLOR: registers of limited ordering regions")
{
    NEED(LOR);
    CHECK_ROWS(R(LORSA_EL1, N, 35), W(LORSA_EL1, N, 35), R(LORID_EL1, N, 35));
}

CASE(hcr_imo_fmo_sgi, "ICC_SGI0R_EL1, ICC_SGI1R_EL1, ICC_ASGI1R_EL1: writes trap by HCR_EL2.IMO and by FMO")
{
    CHECK_ROWS(W(ICC_SGI1R_EL1, N, 4), W(ICC_SGI0R_EL1, N, 4), W(ICC_ASGI1R_EL1, N, 4), W(ICC_SGI1R_EL1, N, 3),
               W(ICC_SGI0R_EL1, N, 3), W(ICC_ASGI1R_EL1, N, 3));
}

CASE(hcr_tidcp, "HCR_EL2.TIDCP: op0 3 or 1, CRn 11 or 15, both directions, at EL1")
{
    static const u32 codes[] = {SYSREG(3, 0, 11, 0, 0), SYSREG(3, 7, 11, 15, 7), SYSREG(3, 1, 15, 2, 3), SYSREG(3, 6, 15, 0, 0),
                                SYSREG(1, 1, 11, 3, 2), SYSREG(1, 5, 15, 7, 1)};

    for (int i = 0; i < 6; i++)
        for (int read = 0; read < 2; read++) {
            if (read && i >= 4)
                continue;
            const u32 insn = read ? INSN_MRS(codes[i], RT_READ) : INSN_MSR(codes[i], RT_WRITE);
            next.hcr = HCR_RW | 1ul << 20;
            const struct exception *e = RUN(EL1H, EMIT(insn));
            CHECK_TAKEN(e, 2, LOWER_SYNC, trap_esr(codes[i], read));
            next.hcr = HCR_RW;
            if (codes[i] >> 12 != SYSREG(3, 1, 15, 2, 3) >> 12) /* a Cortex-A57 has registers there */
                CHECK_TAKEN(RUN(EL1H, EMIT(insn)), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
        }
}

CASE(cptr_tcpac, "CPTR_EL2.TCPAC: CPACR_EL1")
{
    sysreg_write(cptr_el2, 0x33ff | 1ul << 31);
    for (int read = 0; read < 2; read++)
        CHECK_TAKEN(access(EL1H, REG_CPACR_EL1, read), 2, LOWER_SYNC, trap_esr(REG_CPACR_EL1, read));
    sysreg_write(cptr_el2, 0x33ff);
    for (int read = 0; read < 2; read++)
        CHECK_RETURNED(access(EL1H, REG_CPACR_EL1, read));
}

CASE(icc_sre_enable, "ICC_SRE_EL2.Enable = 0: ICC_SRE_EL1 from EL1")
{
    sysreg_set(SYSREG(3, 4, 12, 9, 5), 7);
    if (sysreg_get(SYSREG(3, 4, 12, 9, 5)) & 8) {
        skip("Enable is RAO/WI");
        return;
    }
    for (int read = 0; read < 2; read++)
        CHECK_TAKEN(access(EL1H, REG_ICC_SRE_EL1, read), 2, LOWER_SYNC, trap_esr(REG_ICC_SRE_EL1, read));
    sysreg_set(SYSREG(3, 4, 12, 9, 5), 15);
    for (int read = 0; read < 2; read++)
        CHECK_RETURNED(access(EL1H, REG_ICC_SRE_EL1, read));
}

CASE(ich_hcr_traps, "ICH_HCR_EL2.TC, TALL0, TALL1, TDIR: registers of the CPU interface, at EL1")
{
    static const struct {
        const char *name;
        u32 code;
        u8 directions; /* 1 read, 2 write */
        u32 bits;      /* that trap it */
    } rows[] = {
        {"PMR", SYSREG(3, 0, 4, 6, 0), 3, 1 << 10},         {"RPR", SYSREG(3, 0, 12, 11, 3), 1, 1 << 10},
        {"CTLR", SYSREG(3, 0, 12, 12, 4), 3, 1 << 10},      {"SGI1R", REG_ICC_SGI1R_EL1, 2, 1 << 10},
        {"SGI0R", REG_ICC_SGI0R_EL1, 2, 1 << 10},           {"ASGI1R", REG_ICC_ASGI1R_EL1, 2, 1 << 10},
        {"DIR", SYSREG(3, 0, 12, 11, 1), 2, 1 << 10 | 1 << 14},
        {"IAR0", SYSREG(3, 0, 12, 8, 0), 1, 1 << 11},       {"EOIR0", SYSREG(3, 0, 12, 8, 1), 2, 1 << 11},
        {"HPPIR0", SYSREG(3, 0, 12, 8, 2), 1, 1 << 11},     {"BPR0", SYSREG(3, 0, 12, 8, 3), 3, 1 << 11},
        {"AP0R0", SYSREG(3, 0, 12, 8, 4), 3, 1 << 11},      {"IGRPEN0", SYSREG(3, 0, 12, 12, 6), 3, 1 << 11},
        {"IAR1", SYSREG(3, 0, 12, 12, 0), 1, 1 << 12},      {"EOIR1", SYSREG(3, 0, 12, 12, 1), 2, 1 << 12},
        {"HPPIR1", SYSREG(3, 0, 12, 12, 2), 1, 1 << 12},    {"BPR1", SYSREG(3, 0, 12, 12, 3), 3, 1 << 12},
        {"AP1R0", SYSREG(3, 0, 12, 9, 0), 3, 1 << 12},      {"IGRPEN1", SYSREG(3, 0, 12, 12, 7), 3, 1 << 12},
    };
    const u64 tdir = sysreg_get(SYSREG(3, 4, 12, 11, 1)) >> 19 & 1; /* ICH_VTR_EL2.TDS */

    no_watchdog();
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int read = 0; read < 2; read++)
            for (int bit = 10; bit <= 14; bit++) {
                if (!(rows[i].directions & (read ? 1 : 2)) || bit == 13 || (bit == 14 && !tdir))
                    continue;
                at_row(rows[i].name);
                sysreg_set(SYSREG(3, 4, 12, 11, 0), 1ul << bit);
                const u32 insn = read ? INSN_MRS(rows[i].code, RT_READ) : INSN_MSR(rows[i].code, RT_WRITE);
                const struct exception *e = RUN(EL1H, EMIT(insn), 0, 0, 0, 0, 0, rows[i].code == SYSREG(3, 0, 4, 6, 0) ? 0xff : 0);
                if (rows[i].bits >> bit & 1)
                    CHECK_TAKEN(e, 2, LOWER_SYNC, trap_esr(rows[i].code, read));
                else
                    CHECK_RETURNED(e);
                CHECK_RETURNED(RUN(EL2H, EMIT(INSN_NOP)));
            }
}

/* ---- the generic timer */

#define REG_CNTPCT_EL0 SYSREG(3, 3, 14, 0, 1)
#define REG_CNTVCT_EL0 SYSREG(3, 3, 14, 0, 2)
#define REG_CNTFRQ_EL0 SYSREG(3, 3, 14, 0, 0)
#define REG_CNTP_TVAL_EL0 SYSREG(3, 3, 14, 2, 0)
#define REG_CNTP_CTL_EL0 SYSREG(3, 3, 14, 2, 1)
#define REG_CNTP_CVAL_EL0 SYSREG(3, 3, 14, 2, 2)
#define REG_CNTV_TVAL_EL0 SYSREG(3, 3, 14, 3, 0)
#define REG_CNTV_CTL_EL0 SYSREG(3, 3, 14, 3, 1)
#define REG_CNTV_CVAL_EL0 SYSREG(3, 3, 14, 3, 2)

static const u32 physical_timer[] = {REG_CNTP_TVAL_EL0, REG_CNTP_CTL_EL0, REG_CNTP_CVAL_EL0};
static const u32 virtual_timer[] = {REG_CNTV_TVAL_EL0, REG_CNTV_CTL_EL0, REG_CNTV_CVAL_EL0};

static void check_cnthctl(u64 hcr, unsigned pcten, unsigned pten)
{
    next.hcr = hcr;
    sysreg_write(cnthctl_el2, 0);
    CHECK_TAKEN(access(EL1H, REG_CNTPCT_EL0, READ), 2, LOWER_SYNC, trap_esr(REG_CNTPCT_EL0, READ));
    for (int i = 0; i < 3; i++)
        for (int read = 0; read < 2; read++) {
            CHECK_TAKEN(access(EL1H, physical_timer[i], read), 2, LOWER_SYNC, trap_esr(physical_timer[i], read));
            CHECK_RETURNED(access(EL1H, virtual_timer[i], read));
        }
    CHECK_RETURNED(access(EL1H, REG_CNTVCT_EL0, READ));
    CHECK_RETURNED(access(EL1H, REG_CNTFRQ_EL0, READ));
    sysreg_write(cnthctl_el2, 1ul << pcten);
    CHECK_RETURNED(access(EL1H, REG_CNTPCT_EL0, READ));
    CHECK_TAKEN(access(EL1H, REG_CNTP_CTL_EL0, READ), 2, LOWER_SYNC, trap_esr(REG_CNTP_CTL_EL0, READ));
    sysreg_write(cnthctl_el2, 1ul << pten);
    CHECK_TAKEN(access(EL1H, REG_CNTPCT_EL0, READ), 2, LOWER_SYNC, trap_esr(REG_CNTPCT_EL0, READ));
    CHECK_RETURNED(access(EL1H, REG_CNTP_CTL_EL0, READ));
    CHECK_RETURNED(access(EL1H, REG_CNTP_CVAL_EL0, WRITE));
}

CASE(cnthctl, "CNTHCTL_EL2.EL1PCTEN, EL1PCEN (E2H = 0): CNTPCT_EL0 and the physical timer, at EL1") { check_cnthctl(HCR_RW, 0, 1); }

CASE(cnthctl_e2h, "CNTHCTL_EL2.EL1PCTEN, EL1PTEN (E2H = 1): bits 10 and 11")
{
    NEED(VHE);
    check_cnthctl(HCR_RW | HCR_E2H, 10, 11);
}

/* ---- EL0: EL1's control first, then EL2's */

struct el0_row {
    const char *name;
    u32 code;
    u8 read;
    char control;  /* 's' SCTLR_EL1, 'k' CNTKCTL_EL1 */
    u8 bit;        /* of it: 1 allows EL0 */
    u8 hcr;        /* bit of HCR_EL2 that traps to EL2; 0: none; 1, 2: CNTHCTL_EL2.EL1PCTEN, EL1PCEN */
};

static const struct el0_row el0_rows[] = {
    {"CTR_EL0", REG_CTR_EL0, READ, 's', 15, 17},
    {"DC CVAU", OP_DC_CVAU, WRITE, 's', 26, 24},
    {"IC IVAU", OP_IC_IVAU, WRITE, 's', 26, 24},
    {"DC CVAC", OP_DC_CVAC, WRITE, 's', 26, 23},
    {"DC CIVAC", OP_DC_CIVAC, WRITE, 's', 26, 23},
    {"DAIF read", SYSREG(3, 3, 4, 2, 1), READ, 's', 9, 0},
    {"DAIF write", SYSREG(3, 3, 4, 2, 1), WRITE, 's', 9, 0},
    {"CNTPCT", REG_CNTPCT_EL0, READ, 'k', 0, 1},
    {"CNTVCT", REG_CNTVCT_EL0, READ, 'k', 1, 0},
    {"CNTV_CTL", REG_CNTV_CTL_EL0, READ, 'k', 8, 0},
    {"CNTV_CVAL", REG_CNTV_CVAL_EL0, WRITE, 'k', 8, 0},
    {"CNTV_TVAL", REG_CNTV_TVAL_EL0, READ, 'k', 8, 0},
    {"CNTP_CTL", REG_CNTP_CTL_EL0, READ, 'k', 9, 2},
    {"CNTP_CVAL", REG_CNTP_CVAL_EL0, WRITE, 'k', 9, 2},
    {"CNTP_TVAL", REG_CNTP_TVAL_EL0, READ, 'k', 9, 2},
};

static void el1_allows(const struct el0_row *row, int yes)
{
    const u64 all = (row->control == 's' ? 1ul << 15 | 1 << 26 | 1 << 14 | 1 << 9 : 0x303);
    const u64 value = yes ? all : all & ~(1ul << row->bit);

    if (row->control == 's')
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | value);
    else
        sysreg_write(cntkctl_el1, value);
}

static void el2_traps(const struct el0_row *row, int yes)
{
    next.hcr = HCR_RW | (yes && row->hcr > 2 ? 1ul << row->hcr : 0);
    sysreg_write(cnthctl_el2, yes && row->hcr && row->hcr <= 2 ? 3 & ~row->hcr : 3);
}

CASE(el0_accesses, "D1.3.5, traps of EL0: EL1's control before EL2's; HCR_EL2.TGE sends EL1's trap to EL2 with the same syndrome")
{
    for (unsigned i = 0; i < sizeof el0_rows / sizeof *el0_rows; i++) {
        const struct el0_row *row = &el0_rows[i];
        const u64 esr = trap_esr(row->code, row->read);
        at_row(row->name);
        for (int trap = 0; trap <= (row->hcr != 0); trap++) {
            el1_allows(row, 0);
            el2_traps(row, trap);
            const struct exception *e = access(EL0T, row->code, row->read);
            CHECK_TAKEN(e, 1, LOWER_SYNC, esr);
            CHECK(e->elr, code_buffer);
            el1_allows(row, 1);
            e = access(EL0T, row->code, row->read);
            if (trap)
                CHECK_TAKEN(e, 2, LOWER_SYNC, esr);
            else
                CHECK_RETURNED(e);
            el1_allows(row, 0);
            next.hcr |= HCR_TGE;
            CHECK_TAKEN(access(EL0T, row->code, row->read), 2, LOWER_SYNC, esr);
        }
    }
}

CASE(el0_host_accesses, "HCR_EL2.{E2H, TGE} = {1, 1}: SCTLR_EL2 and CNTHCTL_EL2 govern EL0, HCR_EL2's traps do not")
{
    NEED(VHE);
    no_watchdog(); /* the host's CNTP is CNTHP */
    for (unsigned i = 0; i < sizeof el0_rows / sizeof *el0_rows; i++) {
        const struct el0_row *row = &el0_rows[i];
        at_row(row->name);
        el1_allows(row, 0);
        for (int allowed = 0; allowed < 2; allowed++) {
            next.hcr = HCR_RW | HCR_E2H | HCR_TGE | (row->hcr > 2 ? 1ul << row->hcr : 0);
            next.sctlr_el2 = SCTLR_EL1_CLEAN | (row->control == 's' && allowed ? 1ul << row->bit : 0);
            sysreg_write(cnthctl_el2, row->control == 'k' && allowed ? 1ul << row->bit : 0);
            const struct exception *e = access(EL0T, row->code, row->read);
            if (allowed && (row->control == 'k' || row->bit != 9)) /* SCTLR_EL2 has no UMA: the host's EL0 never reaches DAIF (C5.2.3) */
                CHECK_RETURNED(e);
            else
                CHECK_TAKEN(e, 2, LOWER_SYNC, trap_esr(row->code, row->read));
        }
    }
}

CASE(el0_frequency, "CNTFRQ_EL0 at EL0: CNTKCTL_EL1.EL0PCTEN or EL0VCTEN")
{
    for (u64 n = 0; n < 4; n++) {
        sysreg_write(cntkctl_el1, n);
        const struct exception *e = access(EL0T, REG_CNTFRQ_EL0, READ);
        if (n)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 1, LOWER_SYNC, trap_esr(REG_CNTFRQ_EL0, READ));
    }
}

CODE(daifset, "msr daifset, #5");
CODE(daifclr, "msr daifclr, #10");
CODE(spsel, "msr spsel, #1");

CASE(el0_mask_bits, "SCTLR_EL1.UMA = 0: MSR DAIFSet, DAIFClr at EL0: EC 0x18, CRm the immediate, Rt 31")
{
    const u32 set = SYSREG(0, 3, 4, 5, 6), clr = SYSREG(0, 3, 4, 10, 7);
    CHECK_TAKEN(RUN(EL0T, daifset), 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(set, 31, WRITE)));
    CHECK_TAKEN(RUN(EL0T, daifclr), 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(clr, 31, WRITE)));
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1 << 9);
    const struct exception *e = RUN(EL0T, daifset);
    CHECK_RETURNED(e);
    CHECK(e->spsr, EL0T | PSTATE_F | PSTATE_A);
    CHECK_TAKEN(RUN(EL0T, spsel), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
}

/* ---- UNDEFINED */

CASE(undefined_below, "Registers of a higher level: UNDEFINED, EC 0, taken to EL1; with HCR_EL2.TGE to EL2")
{
    static const u32 el1[] = {REG_SCTLR_EL1, REG_ESR_EL1, SYSREG(3, 0, 12, 0, 0), SYSREG(3, 0, 4, 1, 0), SYSREG(3, 0, 4, 2, 2),
                              SYSREG(3, 0, 4, 6, 0), SYSREG(3, 0, 7, 4, 0)};
    static const u32 el2[] = {SYSREG(3, 4, 1, 0, 0), SYSREG(3, 4, 1, 1, 0), SYSREG(3, 4, 2, 1, 0), SYSREG(3, 4, 5, 2, 0),
                              SYSREG(3, 4, 12, 11, 0), SYSREG(3, 4, 14, 1, 0), SYSREG(3, 4, 4, 1, 0)};
    for (int i = 0; i < 7; i++) {
        CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(el1[i], 3))), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
        CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MSR(el1[i], 3))), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
        CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(el2[i], 3))), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
        CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MRS(el2[i], 3))), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
        CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MSR(el2[i], 3))), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
        /* UNDEFINED wins over the traps of HCR_EL2 */
        next.hcr = HCR_RW | 1ul << 30 | 1ul << 26;
        CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(el1[i], 3))), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
        next.hcr = HCR_RW | HCR_TGE;
        CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(el1[i], 3))), 2, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
        next.hcr = HCR_RW;
    }
}

CASE(undefined_direction, "A write of what is read only, a read of what is written only: UNDEFINED")
{
    static const u32 read_only[] = {SYSREG(3, 0, 0, 0, 0), SYSREG(3, 0, 0, 4, 0), SYSREG(3, 0, 12, 12, 0), SYSREG(3, 0, 12, 1, 0),
                                    SYSREG(3, 3, 14, 0, 1), SYSREG(3, 0, 4, 2, 2), SYSREG(3, 1, 0, 0, 1)};
    static const u32 write_only[] = {SYSREG(3, 0, 12, 12, 1), SYSREG(3, 0, 12, 11, 5), SYSREG(2, 0, 1, 0, 4)};
    for (int i = 0; i < 7; i++) {
        CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MSR(read_only[i], 3))), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
        CHECK_TAKEN(RUN(EL2H, EMIT(INSN_MSR(read_only[i], 3))), 2, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    }
    for (int i = 0; i < 3; i++)
        CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MRS(write_only[i], 3))), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    /* TID3 traps reads only */
    next.hcr = HCR_RW | 1ul << 18;
    CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MSR(SYSREG(3, 0, 0, 4, 0), 3))), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
}

CASE(el0_id_space, "EL0's reads of the feature ID space: UNDEFINED; with FEAT_IDST EC 0x18 to EL1 (to EL2 with TGE), whatever TID3")
{
    static const u32 codes[] = {SYSREG(3, 0, 0, 4, 0), SYSREG(3, 0, 0, 7, 1), SYSREG(3, 0, 0, 0, 0), SYSREG(3, 0, 0, 2, 0),
                                SYSREG(3, 1, 0, 0, 1), SYSREG(3, 1, 0, 0, 7)};
    for (int i = 0; i < 6; i++) {
        const u64 esr = have(FEAT_IDST) ? trap_esr(codes[i], READ) : ESR(EC_UNKNOWN, 0);
        next.hcr = HCR_RW;
        CHECK_TAKEN(access(EL0T, codes[i], READ), 1, LOWER_SYNC, esr);
        next.hcr = HCR_RW | 7ul << 16;
        CHECK_TAKEN(access(EL0T, codes[i], READ), 1, LOWER_SYNC, esr);
        next.hcr = HCR_RW | HCR_TGE;
        CHECK_TAKEN(access(EL0T, codes[i], READ), 2, LOWER_SYNC, esr);
    }
}

CODE(sp_el0_read, "mrs x0, sp_el0");

CASE(sp_el0_in_use, "SP_EL0: UNDEFINED while PSTATE.SP = 0")
{
    CHECK_TAKEN(RUN(EL1T, sp_el0_read), 1, CURRENT_SP0_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_RETURNED(RUN(EL1H, sp_el0_read));
    CHECK_TAKEN(RUN(EL2T, sp_el0_read), 2, CURRENT_SP0_SYNC, ESR(EC_UNKNOWN, 0));
}

/* ---- instructions */

CODE(wfi, "wfi");
CODE(wfe, "clrex\n\tsevl\n\twfe\n\twfe"); /* the first WFE clears the event register */
CODE(wfe_with_event, "sevl\n\twfe");
#define WFX_ISS(ti) (1ul << 24 | 14ul << 20 | (ti))

CASE(wfi_traps, "HCR_EL2.TWI, SCTLR_EL1.nTWI: WFI; EL1's control first; ISS: CV = 1, COND = 0xe, TI = 0")
{
    next.hcr = HCR_RW | 1ul << 13;
    const struct exception *e = RUN(EL1H, wfi);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(0)));
    CHECK(e->elr, wfi);
    e = RUN(EL0T, wfi); /* SCTLR_EL1.nTWI = 0 */
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(0)));
    CHECK(e->elr, wfi);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1 << 16);
    e = RUN(EL0T, wfi);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(0)));
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
    next.hcr = HCR_RW | HCR_TGE;
    CHECK_TAKEN(RUN(EL0T, wfi), 2, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(0)));
}

CASE(wfe_traps, "HCR_EL2.TWE, SCTLR_EL1.nTWE: WFE, if the event register is clear; ISS: TI = 1")
{
    next.hcr = HCR_RW | 1ul << 14;
    const struct exception *e = RUN(EL1H, wfe);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(1)));
    CHECK(e->elr, wfe + 12);
    CHECK_RETURNED(RUN(EL1H, wfe_with_event));
    e = RUN(EL0T, wfe);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(1)));
    CHECK(e->elr, wfe + 12);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1 << 18);
    e = RUN(EL0T, wfe);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(1)));
}

CODE(svc_ffff, "svc #0xffff");
CODE(hvc_1234, "hvc #0x1234");
CODE(smc_1234, "smc #0x1234");

CASE(svc, "SVC: EC 0x15, ELR after it; from EL1 to EL1, from EL2 to EL2, from EL0 to EL1 or, with TGE, EL2")
{
    const struct exception *e = RUN(EL1H, svc_ffff);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_SVC, 0xffff));
    CHECK(e->elr, svc_ffff + 4);
    e = RUN(EL1T, svc_ffff);
    CHECK_TAKEN(e, 1, CURRENT_SP0_SYNC, ESR(EC_SVC, 0xffff));
    CHECK(e->spsr, EL1T);
    e = RUN(EL2H, svc_ffff);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_SVC, 0xffff));
    e = RUN(EL2T | PSTATE_V, svc_ffff);
    CHECK_TAKEN(e, 2, CURRENT_SP0_SYNC, ESR(EC_SVC, 0xffff));
    CHECK(e->spsr, EL2T | PSTATE_V);
    next.hcr |= HCR_TGE;
    e = RUN(EL0T, svc_ffff);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SVC, 0xffff));
    CHECK(e->elr, svc_ffff + 4);
}

CASE(hvc, "HVC: EC 0x16, ELR after it; UNDEFINED at EL0; HCR_EL2.HCD makes it UNDEFINED at EL1 and EL2")
{
    const struct exception *e = RUN(EL1H, hvc_1234);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_HVC, 0x1234));
    CHECK(e->elr, hvc_1234 + 4);
    e = RUN(EL2H, hvc_1234);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_HVC, 0x1234));
    CHECK(e->elr, hvc_1234 + 4);
    e = RUN(EL0T, hvc_1234);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK(e->elr, hvc_1234);
    next.hcr |= 1ul << 29;
    e = RUN(EL2H, hvc_1234);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK(e->elr, hvc_1234);
    /* EL1's vectors, an HVC each, do not work now: let stage 2 report where EL1 went */
    struct tables s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    sysreg_write(vbar_el1, 0x800000000);
    e = RUN(EL1H, hvc_1234);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_TRANSLATION(1)));
    CHECK(e->elr, 0x800000200);
    CHECK(sysreg_read(esr_el1), ESR(EC_UNKNOWN, 0));
    CHECK(sysreg_read(elr_el1), hvc_1234);
}

CASE(smc_traps, "HCR_EL2.TSC: SMC from EL1: EC 0x17, ELR at it; UNDEFINED at EL0")
{
    next.hcr |= 1ul << 19;
    const struct exception *e = RUN(EL1H, smc_1234);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SMC, 0x1234));
    CHECK(e->elr, smc_1234);
    e = RUN(EL0T, smc_1234);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK(e->elr, smc_1234);
}

/* ---- FP */

CODE(fmov, ".inst 0x9e670000");     /* fmov d0, x0 */
CODE(fpcr_read, "mrs x0, fpcr");
CODE(ldr_q0, ".inst 0x3dc00020");   /* ldr q0, [x1] */
#define FP_ISS (1ul << 24 | 14ul << 20)

CASE(fp_el1_traps, "CPACR_EL1.FPEN: 00 and 10 trap EL1 and EL0, 01 EL0 only; EC 7, CV = 1, COND = 0xe")
{
    const char *codes[] = {fmov, fpcr_read, ldr_q0};
    for (u64 fpen = 0; fpen < 4; fpen++)
        for (int i = 0; i < 3; i++) {
            sysreg_write(cpacr_el1, fpen << 20);
            const struct exception *e = RUN(EL1H, codes[i], 0, ARENA);
            if (fpen & 1)
                CHECK_RETURNED(e);
            else
                CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_FP, FP_ISS));
            e = RUN(EL0T, codes[i], 0, ARENA);
            if (fpen == 3)
                CHECK_RETURNED(e);
            else
                CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_FP, FP_ISS));
        }
}

CASE(fp_el2_traps, "CPTR_EL2.TFP (E2H = 0): EL2, EL1, EL0; after CPACR_EL1; EC 7")
{
    sysreg_write(cptr_el2, 0x33ff | 1 << 10);
    sysreg_write(cpacr_el1, 3 << 20);
    CHECK_TAKEN(RUN(EL0T, fmov), 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
    CHECK_TAKEN(RUN(EL1H, fmov), 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
    CHECK_TAKEN(RUN(EL2H, fmov), 2, CURRENT_SYNC, ESR(EC_FP, FP_ISS));
    CHECK_TAKEN(RUN(EL1H, fpcr_read), 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
    sysreg_write(cpacr_el1, 0);
    CHECK_TAKEN(RUN(EL0T, fmov), 1, LOWER_SYNC, ESR(EC_FP, FP_ISS));
    CHECK_TAKEN(RUN(EL1H, fmov), 1, CURRENT_SYNC, ESR(EC_FP, FP_ISS));
}

CASE(fp_tge, "AArch64.AdvSIMDFPAccessTrap: CPACR_EL1's trap of EL0 under HCR_EL2.TGE is taken to EL2 with EC 0")
{
    next.hcr |= HCR_TGE;
    CHECK_TAKEN(RUN(EL0T, fmov), 2, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    sysreg_write(cpacr_el1, 3 << 20);
    CHECK_RETURNED(RUN(EL0T, fmov));
}

CASE(fp_e2h, "CPTR_EL2.FPEN (E2H = 1): EL2; EL1 and EL0 (TGE = 0) for 00 and 10; host's EL0 (TGE = 1) for 01 too")
{
    NEED(VHE);
    sysreg_write(cpacr_el1, 3 << 20);
    for (u64 fpen = 0; fpen < 4; fpen++) {
        sysreg_write(cptr_el2, fpen << 20);
        next.hcr = HCR_RW | HCR_E2H;
        const struct exception *e = RUN(EL2H, fmov);
        if (fpen & 1)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_FP, FP_ISS));
        e = RUN(EL1H, fmov);
        if (fpen & 1)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
        e = RUN(EL0T, fmov);
        if (fpen & 1)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
        next.hcr |= HCR_TGE;
        sysreg_write(cpacr_el1, 0); /* not asked */
        e = RUN(EL0T, fmov);
        if (fpen == 3)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
        sysreg_write(cpacr_el1, 3 << 20);
    }
}

CASE(cptr_tcpac_e2h, "CPTR_EL2.TCPAC (E2H = 1, TGE = 0): CPACR_EL1 from EL1")
{
    NEED(VHE);
    next.hcr = HCR_RW | HCR_E2H;
    sysreg_write(cptr_el2, 3ul << 20 | 1ul << 31);
    for (int read = 0; read < 2; read++)
        CHECK_TAKEN(access(EL1H, REG_CPACR_EL1, read), 2, LOWER_SYNC, trap_esr(REG_CPACR_EL1, read));
    sysreg_write(cptr_el2, 3ul << 20);
    for (int read = 0; read < 2; read++)
        CHECK_RETURNED(access(EL1H, REG_CPACR_EL1, read));
}
