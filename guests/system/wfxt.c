/*
 * wfxt: waiting: WFE, WFI, and WFET and WFIT with their timeouts (FEAT_WFxT); the event register; what traps, with which syndrome.
 */
#include "../common/gic.h"
#include "common/system.h"

#define TWI (1ul << 13)
#define TWE (1ul << 14)
#define NTWI (1ul << 16) /* SCTLR_EL1 */
#define NTWE (1ul << 18)

/* ISS of EC_WFX: CV, COND = 0xE, RN, RV, TI */
#define ISS_WF(ti) (1ul << 24 | 0xeul << 20 | (ti))
#define ISS_WFT(ti, rn) (ISS_WF(ti) | (u64)(rn) << 5 | 1ul << 2)
enum { WFI, WFE, WFIT, WFET };

#define INSN_WFE 0xd503205fu
#define INSN_WFI 0xd503207fu
#define INSN_SEV 0xd503209fu
#define INSN_SEVL 0xd50320bfu
#define INSN_WFET(rt) (0xd5031000u | (rt))
#define INSN_WFIT(rt) (0xd5031020u | (rt))
#define CNTVCT SYSREG(3, 3, 14, 0, 2)

static u64 now(void) { return sysreg_read(cntvct_el0); }

/* Nothing but what the case does ends a WFE: an exception return sets the event register (SendEventLocal), and the first WFE takes it. */
#define QUIET INSN_WFE

CASE(event_register, "D1.7.2 'Wait for Event'; C6.2 SEV, SEVL, WFE")
{
    sysreg_write(cntkctl_el1, 0);
    CHECK_RETURNED(RUN(EL1H, EMIT(QUIET, INSN_SEVL, INSN_WFE, INSN_SEV, INSN_WFE)));
}

CASE(a_set_event_register_is_not_trapped, "C6.2 WFE: the event comes before the trap")
{
    next.hcr |= TWE;
    const u64 code = EMIT(INSN_SEVL, INSN_WFE, INSN_SEVL, INSN_WFE, INSN_WFE);
    CHECK_TAKEN(RUN(EL1H, code), 2, LOWER_SYNC, ESR(EC_WFX, ISS_WF(WFE)));
    CHECK(RUN(EL1H, code)->elr, code + 16);
}

CASE(a_pending_interrupt_is_not_trapped, "C6.2 WFI: the interrupt comes before the trap; PSTATE.I does not matter")
{
    const u64 code = EMIT(INSN_WFI);

    next.hcr |= TWI;
    CHECK_TAKEN(RUN(EL1H | PSTATE_DAIF, code), 2, LOWER_SYNC, ESR(EC_WFX, ISS_WF(WFI)));
    gic_on();
    gic_enable_private(0, 27);
    sysreg_write(cntv_cval_el0, 0);
    sysreg_write(cntv_ctl_el0, 1);
    CHECK_RETURNED(RUN(EL1H | PSTATE_DAIF, code));
}

CASE(traps_of_el0, "D24.2 SCTLR_EL1.nTWI, nTWE; HCR_EL2.TWI, TWE: EL1 first")
{
    const u64 wfe = EMIT(QUIET, INSN_WFE);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN & ~(NTWI | NTWE));
    next.hcr |= TWI | TWE;
    CHECK_TAKEN(RUN(EL0T, wfe), 1, LOWER_SYNC, ESR(EC_WFX, ISS_WF(WFE)));
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | NTWI | NTWE);
    CHECK_TAKEN(RUN(EL0T, wfe), 2, LOWER_SYNC, ESR(EC_WFX, ISS_WF(WFE)));
    CHECK_TAKEN(RUN(EL0T, EMIT(INSN_WFI)), 2, LOWER_SYNC, ESR(EC_WFX, ISS_WF(WFI)));
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN & ~(NTWI | NTWE));
    CHECK_TAKEN(RUN(EL0T, EMIT(INSN_WFI)), 1, LOWER_SYNC, ESR(EC_WFX, ISS_WF(WFI)));
}

CASE(undefined_without_the_feature, "C6.2 WFET, WFIT: FEAT_WFxT")
{
    if (have(FEAT_WFxT)) {
        skip("FEAT_WFxT");
        return;
    }
    CHECK_TAKEN(RUN(EL1H, EMIT(INSN_WFET(0))), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_TAKEN(RUN(EL1H, EMIT(INSN_WFIT(0))), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
}

CASE(timeout_ends_waiting, "C6.2 WFET, WFIT; LocalTimeoutEvent()")
{
    NEED(WFxT);
    for (int event = 0; event < 2; event++) {
        const u64 until = now() + 30000;
        const struct exception *e =
            RUN(EL1H | PSTATE_DAIF, EMIT(QUIET, event ? INSN_WFET(0) : INSN_WFIT(0), INSN_MRS(CNTVCT, 1)), until);
        CHECK_RETURNED(e);
        CHECK(e->x[1] >= until, 1);
        CHECK(e->x[1] < until + 3000000, 1);
    }
}

CASE(a_timeout_that_is_over_is_not_trapped, "C6.2 WFET, WFIT: the timeout comes before the trap")
{
    NEED(WFxT);
    next.hcr |= TWI | TWE;
    CHECK_RETURNED(RUN(EL1H, EMIT(QUIET, INSN_WFET(0), INSN_WFIT(0)), now()));
    CHECK_RETURNED(RUN(EL1H, EMIT(QUIET, INSN_WFET(31), INSN_WFIT(31)), ~0ul)); /* XZR: over long ago */
}

CASE(traps_tell_the_register, "ESR_ELx, ISS encoding for an exception from a WF* instruction: RN, RV, TI")
{
    NEED(WFxT);
    next.hcr |= TWI | TWE;
    static const unsigned registers[] = {0, 7, 3};
    for (int i = 0; i < 3; i++) {
        const unsigned r = registers[i];
        static const u64 far[8] = {~0ul, ~0ul, ~0ul, ~0ul, ~0ul, ~0ul, ~0ul, ~0ul};
        u64 code = EMIT(QUIET, INSN_WFET(r));
        const struct exception *e = run(EL1H, code, far);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WFX, ISS_WFT(WFET, r)));
        CHECK(e->elr, code + 4);
        code = EMIT(INSN_WFIT(r));
        CHECK_TAKEN(run(EL1H, code, far), 2, LOWER_SYNC, ESR(EC_WFX, ISS_WFT(WFIT, r)));
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN & ~(NTWI | NTWE));
        CHECK_TAKEN(run(EL0T, code, far), 1, LOWER_SYNC, ESR(EC_WFX, ISS_WFT(WFIT, r)));
        code = EMIT(QUIET, INSN_WFET(r));
        CHECK_TAKEN(run(EL0T, code, far), 1, LOWER_SYNC, ESR(EC_WFX, ISS_WFT(WFET, r)));
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | NTWI | NTWE);
        CHECK_TAKEN(run(EL0T, code, far), 2, LOWER_SYNC, ESR(EC_WFX, ISS_WFT(WFET, r)));
    }
}

CASE(the_timeout_leaves_the_event_register, "C6.2 WFET: a set event register is taken, a timeout takes none")
{
    NEED(WFxT);
    next.hcr |= TWE;
    /* A WFET whose timeout is over takes the event; the WFE behind it is trapped. */
    const u64 code = EMIT(INSN_SEVL, INSN_WFET(0), INSN_WFE);
    const struct exception *e = RUN(EL1H, code, 0);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WFX, ISS_WF(WFE)));
    CHECK(e->elr, code + 8);
}

CASE(the_count_is_the_virtual_one_of_the_level, "LocalTimeoutEvent(): VirtualCounterTimer(); CNTVOFF_EL2")
{
    NEED(WFxT);
    NEED(VHE);
    const u64 far = 1ul << 40;
    next.hcr |= TWI;
    sysreg_write(cntvoff_el2, -far); /* EL1's count is ahead */
    isb();
    const u64 between = sysreg_read(cntpct_el0) + far / 2;
    CHECK_RETURNED(RUN(EL1H, EMIT(INSN_WFIT(0)), between));
    sysreg_write(cntvoff_el2, 0);
    isb();
    CHECK_TAKEN(RUN(EL1H, EMIT(INSN_WFIT(0)), between), 2, LOWER_SYNC, ESR(EC_WFX, ISS_WFT(WFIT, 0)));
    /* The host's EL2 has no offset: with EL1's it would wait for hours. */
    sysreg_write(cntvoff_el2, far);
    next.hcr = (next.hcr & ~TWI) | HCR_E2H;
    const u64 until = sysreg_read(cntpct_el0) + 20000;
    const struct exception *e = RUN(EL2H, EMIT(INSN_WFIT(0), INSN_MRS(CNTVCT, 1)), until);
    CHECK_RETURNED(e);
    CHECK(e->x[1] >= until, 1);
}

CASE(an_interrupt_ends_wfit_before_its_time, "C6.2 WFIT")
{
    NEED(WFxT);
    gic_on();
    gic_enable_private(0, 27);
    sysreg_write(cntv_cval_el0, now() + 30000);
    sysreg_write(cntv_ctl_el0, 1);
    const struct exception *e = RUN(EL1H | PSTATE_DAIF, EMIT(INSN_WFIT(0), INSN_MRS(CNTVCT, 1)), ~0ul);
    CHECK_RETURNED(e);
    CHECK(e->x[1] >= sysreg_read(cntv_cval_el0), 1);
}

static void send_event(u64 delay)
{
    const u64 start = sysreg_read(cntpct_el0);

    while (sysreg_read(cntpct_el0) - start < delay)
        ;
    asm volatile("sev");
}

CASE(sev_of_another_cpu_ends_wfe, "D1.7.2 'Wait for Event'; C6.2 SEV")
{
    NEED_TWO_CPUS();
    start_second(send_event, 30000);
    CHECK_RETURNED(RUN(EL1H, EMIT(QUIET, INSN_WFE)));
    wait_second();
}
