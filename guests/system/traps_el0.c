/*
 * traps_el0: EL0's accesses: the controls of EL1 come before those of EL2; what TGE and E2H change; what is UNDEFINED below.
 */
#include "traps.h"

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
