/*
 * debug_step: software step: the state machine, what becomes of exceptions and returns, priorities of all debug exceptions.
 */
#include "common/debug.h"

CODE(svc_0, "svc #0\n\tnop");
CODE(hvc_0, "hvc #0\n\tnop");
CODE(smc_0, "smc #0\n\tnop");
CODE(load_exclusive, "ldxr x0, [x1]");
CODE(read_id, "mrs x0, id_aa64pfr0_el1\n\tnop");
CODE(unmask, "msr daifclr, #8\n\tnop\n\tnop");
CODE(mask, "msr daifset, #8\n\tnop\n\tnop");
CODE(step_self, "msr mdscr_el1, x0\n\tisb\n\tnop\n\tnop");
CODE(return_to_el0, "msr spsr_el1, x1\n\tmsr elr_el1, x0\n\tisb\n\teret");
CODE(wait, "wfi\n\tnop");

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

CASE(step_at_each_level, "D2.12: active where debug exceptions are enabled")
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

CASE(exception_of_a_stepped_instruction, "D2.12: SPSR_ELx.SS is 0 after SVC and HVC, which have been stepped, and 1 otherwise")
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

CASE(breakpoint_on_a_stepped_instruction, "D2.12: a breakpoint or watchpoint exception leaves the instruction to be stepped")
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

CASE(step_becomes_active_by_pstate, "D2.12: at once when PSTATE.D is cleared, and pending, for PSTATE.SS is 0")
{
    debug_off();
    mdscr(MDSCR_SS | MDSCR_KDE);
    const struct exception *e = RUN(EL1H | PSTATE_D | PSTATE_SS, unmask);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_STEP, DEBUG_EVENT));
    CHECK(e->elr, unmask + 4);
}

CASE(step_ends_by_pstate, "D2.12: inactive when the stepped instruction sets PSTATE.D")
{
    debug_off();
    mdscr(MDSCR_SS | MDSCR_KDE);
    CHECK_RETURNED(RUN(EL1H | PSTATE_SS, mask));
}

CASE(step_becomes_active_by_mdscr, "D2.12: after a context synchronization event at the latest")
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

CASE(return_is_stepped, "D2.12: ERET in the active state is stepped itself; SPSR_EL1.SS is not looked at")
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

CASE(step_into_a_handler, "D2.12: with EL2 stepping, an exception to EL1 is followed by a step at its vector")
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

CASE(fetch_fault_before_breakpoint, "D1.3.5: an instruction abort comes before a breakpoint")
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

CASE(breakpoint_before_the_instruction, "D1.3.5: a breakpoint comes before the illegal state, traps and UNDEFINED")
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

CASE(abort_before_watchpoint, "D1.3.5: a translation fault comes before a watchpoint, an external abort after it")
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

CASE(stage2_fault_before_watchpoint, "D1.3.5: so does a fault of stage 2")
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

CASE(step_before_all, "D1.3.5: a pending software step comes before all of them")
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
