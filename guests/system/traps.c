/*
 * traps: which bit sends which register or instruction of EL1 to EL2, with the class and syndrome that it should have; with the bit
 * clear the same access does not trap, and EL2's own never does. At EL1 the bit is the hypervisor's, and no trap of it shows.
 */
#include "traps.h"

#define NO_FEATURE 0xff

/* Set the bits of HCR_EL2 for the next access; at EL1, where it cannot, return 0. */
static int trapping(u64 bits)
{
    if (HOME_EL == 2)
        next.hcr = HCR_RW | bits;
    return HOME_EL == 2;
}

/* ---- one register or instruction, one bit of HCR_EL2 */

struct row {
    const char *name;
    u32 code;    /* SYSREG() */
    u8 read;
    u8 feature;  /* or NO_FEATURE */
    u8 bit;      /* of HCR_EL2 */
};

static void check_hcr_rows(const struct row *row, u64 n)
{
    no_watchdog(); /* HCR_EL2.FMO traps some */
    for (; n--; row++) {
        if (row->feature != NO_FEATURE && !have(row->feature))
            continue;
        at_row(row->name);
        if (trapping(1ul << row->bit)) {
            const struct exception *e = access(EL1H, row->code, row->read);
            CHECK_TAKEN(e, 2, LOWER_SYNC, trap_esr(row->code, row->read));
            CHECK(e->elr, code_buffer);
            CHECK(e->spsr, EL1H);
            /* It is EL1's and EL0's: EL2 itself is not trapped */
            CHECK_RETURNED(access(EL2H, row->code, row->read));
        }
        trapping(0);
        CHECK_RETURNED(access(EL1H, row->code, row->read));
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
    trapping(1ul << 26);
    CHECK_RETURNED(access(EL1H, REG_SCTLR_EL1, READ));
    CHECK_RETURNED(access(EL1H, REG_CONTEXTIDR_EL1, READ));
}

CASE(hcr_trvm, "HCR_EL2.TRVM: EL1's reads of translation control")
{
    CHECK_ROWS(R(SCTLR_EL1, N, 30), R(TTBR0_EL1, N, 30), R(TTBR1_EL1, N, 30), R(TCR_EL1, N, 30), R(ESR_EL1, N, 30), R(FAR_EL1, N, 30),
               R(AFSR0_EL1, N, 30), R(AFSR1_EL1, N, 30), R(MAIR_EL1, N, 30), R(AMAIR_EL1, N, 30), R(CONTEXTIDR_EL1, N, 30));
    trapping(1ul << 30);
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
    trapping(1ul << 49);
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
            if (trapping(1ul << 18))
                CHECK_TAKEN(access(EL1H, code, READ), 2, LOWER_SYNC, trap_esr(code, READ));
            trapping(0);
            CHECK_RETURNED(access(EL1H, code, READ));
        }
    at_row(0);
    trapping(1ul << 18);
    CHECK_RETURNED(access(EL1H, SYSREG(3, 0, 0, 0, 0), READ)); /* MIDR_EL1: no */
    CHECK_RETURNED(access(EL1H, SYSREG(3, 0, 0, 0, 5), READ)); /* MPIDR_EL1: no */
}

CASE(hcr_tsw, "HCR_EL2.TSW: DC by set and way") { CHECK_ROWS(I(DC_ISW, N, 22), I(DC_CSW, N, 22), I(DC_CISW, N, 22)); }

CASE(hcr_tpc, "HCR_EL2.TPCP: DC to the point of coherency or persistence")
{
    CHECK_ROWS(I(DC_IVAC, N, 23), I(DC_CVAC, N, 23), I(DC_CIVAC, N, 23), I(DC_CVAP, FEAT_DPB, 23), I(DC_CVADP, FEAT_DPB2, 23));
    trapping(1ul << 23);
    CHECK_RETURNED(access(EL1H, OP_DC_CVAU, WRITE));
}

CASE(hcr_tpu, "HCR_EL2.TPU: IC, and DC to the point of unification")
{
    CHECK_ROWS(I(DC_CVAU, N, 24), I(IC_IVAU, N, 24), I(IC_IALLU, N, 24), I(IC_IALLUIS, N, 24));
    trapping(1ul << 24);
    CHECK_RETURNED(access(EL1H, OP_DC_CVAC, WRITE));
}

CASE(hcr_tocu, "HCR_EL2.TOCU (FEAT_EVT): as TPU, without IC IALLUIS")
{
    NEED(EVT);
    CHECK_ROWS(I(DC_CVAU, N, 52), I(IC_IVAU, N, 52), I(IC_IALLU, N, 52));
    trapping(1ul << 52);
    CHECK_RETURNED(access(EL1H, OP_IC_IALLUIS, WRITE));
}

CASE(hcr_ticab, "HCR_EL2.TICAB (FEAT_EVT): IC IALLUIS")
{
    NEED(EVT);
    CHECK_ROWS(I(IC_IALLUIS, N, 50));
    trapping(1ul << 50);
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
            trapping(1ul << other);
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
    trapping(3ul << 54);
    CHECK_RETURNED(access(EL1H, OP_TLBI(7, 1), WRITE));
}

CASE(hcr_tdz, "HCR_EL2.TDZ: DC ZVA; DCZID_EL0.DZP says so")
{
    struct tables s1;
    const struct exception *e;

    stage1_new(&s1, SHIFT_4K, 39); /* zeroing Device memory is an Alignment fault */
    map(&s1, ARENA, ARENA, 3, RAM_RW);
    for (u64 dze = 0; dze < 2; dze++)
        for (u64 tdz = 0; tdz < HOME_EL; tdz++) {
            sysreg_write(sctlr_el1, (sysreg_read(sctlr_el1) & ~(1ul << 14)) | dze << 14);
            trapping(tdz << 28);
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
    if (trapping(1ul << 28)) {
        e = access(EL1H, SYSREG(3, 3, 0, 0, 7), READ);
        CHECK_RETURNED(e);
        CHECK_MASKED(e->x[RT_READ], 1 << 4, 1 << 4);
    }
    trapping(0);
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
            if (trapping(1ul << 20))
                CHECK_TAKEN(RUN(EL1H, EMIT(insn)), 2, LOWER_SYNC, trap_esr(codes[i], read));
            trapping(0);
            if (codes[i] >> 12 != SYSREG(3, 1, 15, 2, 3) >> 12) /* a Cortex-A57 has registers there */
                CHECK_TAKEN(RUN(EL1H, EMIT(insn)), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
        }
}

CASE(cptr_tcpac, "CPTR_EL2.TCPAC: CPACR_EL1")
{
    if (HOME_EL == 2) {
        sysreg_write(cptr_el2, 0x33ff | 1ul << 31);
        for (int read = 0; read < 2; read++)
            CHECK_TAKEN(access(EL1H, REG_CPACR_EL1, read), 2, LOWER_SYNC, trap_esr(REG_CPACR_EL1, read));
        sysreg_write(cptr_el2, 0x33ff);
    }
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
    const u64 tdir = HOME_EL == 2 && sysreg_get(SYSREG(3, 4, 12, 11, 1)) >> 19 & 1; /* ICH_VTR_EL2.TDS */

    no_watchdog();
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int read = 0; read < 2; read++)
            for (int bit = 10; bit <= 14; bit++) {
                if (!(rows[i].directions & (read ? 1 : 2)) || bit == 13 || (bit == 14 && !tdir))
                    continue;
                at_row(rows[i].name);
                if (HOME_EL == 2)
                    sysreg_set(SYSREG(3, 4, 12, 11, 0), 1ul << bit);
                const u32 insn = read ? INSN_MRS(rows[i].code, RT_READ) : INSN_MSR(rows[i].code, RT_WRITE);
                const struct exception *e = RUN(EL1H, EMIT(insn), 0, 0, 0, 0, 0, rows[i].code == SYSREG(3, 0, 4, 6, 0) ? 0xff : 0);
                if (HOME_EL == 2 && rows[i].bits >> bit & 1)
                    CHECK_TAKEN(e, 2, LOWER_SYNC, trap_esr(rows[i].code, read));
                else
                    CHECK_RETURNED(e);
                if (HOME_EL == 2)
                    CHECK_RETURNED(RUN(EL2H, EMIT(INSN_NOP)));
            }
}

/* ---- the generic timer */

static const u32 physical_timer[] = {REG_CNTP_TVAL_EL0, REG_CNTP_CTL_EL0, REG_CNTP_CVAL_EL0};
static const u32 virtual_timer[] = {REG_CNTV_TVAL_EL0, REG_CNTV_CTL_EL0, REG_CNTV_CVAL_EL0};

static void check_cnthctl(u64 hcr, unsigned pcten, unsigned pten)
{
    NO_WATCHDOG_BY_CNTP();
    next.hcr = hcr;
    if (HOME_EL == 1) {
        CHECK_RETURNED(access(EL1H, REG_CNTPCT_EL0, READ));
        CHECK_RETURNED(access(EL1H, REG_CNTVCT_EL0, READ));
        CHECK_RETURNED(access(EL1H, REG_CNTFRQ_EL0, READ));
        for (int i = 0; i < 3; i++)
            for (int read = 0; read < 2; read++) {
                CHECK_RETURNED(access(EL1H, physical_timer[i], read));
                CHECK_RETURNED(access(EL1H, virtual_timer[i], read));
            }
        return;
    }
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
