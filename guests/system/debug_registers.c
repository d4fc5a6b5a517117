/*
 * debug_registers: BRK, the OS lock and double lock, claim tags, traps of debug registers, what ID_AA64DFR0_EL1 tells.
 */
#include "common/debug.h"

CODE(read_dcc, "mrs x0, mdccsr_el0");

CASE(identification, "ID_AA64DFR0_EL1: BRPs, WRPs, CTX_CMPs are the numbers less 1")
{
    const u64 id = sysreg_read(id_aa64dfr0_el1);

    CHECK(id >> 12 & 15, BREAKPOINTS - 1);
    CHECK(id >> 20 & 15, WATCHPOINTS - 1);
    CHECK(id >> 28 & 15, BREAKPOINTS - CONTEXT - 1);
    CHECK((id & 15) >= (have(FEAT_VHE) ? 7 : 6), 1);
}

CASE(brk_always, "D2.8: BRK is no matter of MDE, KDE, PSTATE.D or the OS lock")
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

CASE(os_lock, "D2.4, D24.3, OSLSR_EL1: no breakpoint, watchpoint or step exceptions while it is locked")
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

CASE(os_double_lock, "D24.3, OSDLR_EL1: so does the double lock, where there is one, unless DBGPRCR_EL1.CORENPDRQ is set")
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

CASE(saved_state_under_the_os_lock, "D24.3, MDSCR_EL1: TXfull, RXfull and their kind are written under the OS lock only")
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

CASE(claim_tags, "D24.3, DBGCLAIMCLR_EL1, DBGCLAIMSET_EL1")
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

CASE(tdcc, "D24.3, MDSCR_EL1.TDCC: EL0's accesses to the communication channel are trapped")
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

CASE(traps_of_debug_registers, "D24.3, MDCR_EL2: TDA, TDOSA, TDRA; TDE means all of them")
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
