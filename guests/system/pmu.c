/*
 * pmu: performance monitors: what counts where, overflow and its interrupt, chained and long counters, who may touch what, what
 * EL2 keeps for itself. Counting is exact where the architecture says what an event is; QEMU counts instructions only with -icount,
 * and then has the event: its absence in PMCEID0_EL0 skips the case.
 */
#include "../common/gic.h"
#include "common/system.h"

#define SW_INCR 0x00
#define LD_RETIRED 0x06
#define ST_RETIRED 0x07
#define INST_RETIRED 0x08
#define EXC_TAKEN 0x09
#define EXC_RETURN 0x0a
#define CPU_CYCLES 0x11
#define MEM_ACCESS 0x13
#define CHAIN 0x1e
#define BR_RETIRED 0x21

#define P (1ul << 31)  /* not at EL1 */
#define U (1ul << 30)  /* not at EL0 */
#define NSH (1ul << 27) /* at EL2 */
#define CYCLE (1ul << 31)

#define PMCR_E (1ul << 0)
#define PMCR_P (1ul << 1)
#define PMCR_C (1ul << 2)
#define PMCR_DP (1ul << 5)
#define PMCR_LC (1ul << 6)
#define PMCR_LP (1ul << 7)
#define PMCR_FZO (1ul << 9)

#define MDCR_TPMCR (1ul << 5)
#define MDCR_TPM (1ul << 6)
#define MDCR_HPME (1ul << 7)
#define MDCR_HPMD (1ul << 17)
#define MDCR_HCCD (1ul << 23)
#define MDCR_HLP (1ul << 26)

#define INTID_PMU 23

/* Filtered to where code under test runs and C code does not. */
#define ONLY_BELOW (HOME_EL == 2 ? 0 : P)

/* Registers by encoding, for tables. */
#define PMCR SYSREG(3, 3, 9, 12, 0)
#define PMCNTENSET SYSREG(3, 3, 9, 12, 1)
#define PMCNTENCLR SYSREG(3, 3, 9, 12, 2)
#define PMOVSCLR SYSREG(3, 3, 9, 12, 3)
#define PMSWINC SYSREG(3, 3, 9, 12, 4)
#define PMSELR SYSREG(3, 3, 9, 12, 5)
#define PMCEID0 SYSREG(3, 3, 9, 12, 6)
#define PMCEID1 SYSREG(3, 3, 9, 12, 7)
#define PMCCNTR SYSREG(3, 3, 9, 13, 0)
#define PMXEVTYPER SYSREG(3, 3, 9, 13, 1)
#define PMXEVCNTR SYSREG(3, 3, 9, 13, 2)
#define PMUSERENR SYSREG(3, 3, 9, 14, 0)
#define PMOVSSET SYSREG(3, 3, 9, 14, 3)
#define PMINTENSET SYSREG(3, 0, 9, 14, 1)
#define PMINTENCLR SYSREG(3, 0, 9, 14, 2)
#define PMEVCNTR(n) SYSREG(3, 3, 14, 8, n)
#define PMEVTYPER(n) SYSREG(3, 3, 14, 12, n)
#define PMCCFILTR SYSREG(3, 3, 14, 15, 7)

CODE(swinc, "msr pmswinc_el0, x0");
CODE(nops, "nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop");
CODE(accesses, "ldr x2, [x0]\n str x2, [x0]\n ldp x2, x3, [x0]\n b 1f\n1: cbz x0, 1b\n ldr x2, [x0]");

static u64 counters(void) { return sysreg_read(pmcr_el0) >> 11 & 31; }
static u64 all_counters(void) { return (1ul << counters()) - 1; }
static int counts(unsigned event)
{
    return (event < 32 ? sysreg_read(pmceid0_el0) : sysreg_read(pmceid1_el0)) >> event % 32 & 1;
}
#define NEED_EVENT(event)                                                                                              \
    do {                                                                                                               \
        if (!counts(event)) {                                                                                          \
            skip("no " #event);                                                                                        \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

/* Counter n of `type` from `value`; enabled, but for PMCR_EL0.E. */
static void counter(unsigned n, u64 type, u64 value)
{
    sysreg_set(PMEVTYPER(n), type);
    sysreg_set(PMEVCNTR(n), value);
    sysreg_write(pmcntenset_el0, 1ul << n);
}
static u64 count(unsigned n) { return sysreg_get(PMEVCNTR(n)); }
static void control(u64 value)
{
    sysreg_write(pmcr_el0, value | PMCR_LC);
    isb();
}
static void mdcr(u64 bits, u64 hpmn)
{
    sysreg_write(mdcr_el2, bits | hpmn);
    isb();
}

/* ---- control and identification */

CASE(control_register, "D24.5 PMCR_EL0")
{
    NEED(PMUv3);
    CHECK(counters() >= 4, 1); /* Armv8: at least two; this board: six */
    counter(0, SW_INCR, 5);
    sysreg_write(pmccntr_el0, 7);
    control(PMCR_P);
    CHECK(count(0), 0);
    CHECK(sysreg_read(pmccntr_el0), 7);
    control(PMCR_C);
    CHECK(sysreg_read(pmccntr_el0), 0);
    CHECK_MASKED(sysreg_read(pmcr_el0), 0x7f, PMCR_LC); /* P and C read as zero */
    control(PMCR_E);
    CHECK_MASKED(sysreg_read(pmcr_el0), 0x7f, PMCR_LC | PMCR_E);
}

CASE(set_and_clear_pairs, "D24.5 PMCNTENSET_EL0, PMINTENSET_EL1, PMOVSSET_EL0")
{
    NEED(PMUv3);
    static const struct {
        const char *name;
        u32 set, clear;
    } rows[] = {{"PMCNTEN", PMCNTENSET, PMCNTENCLR}, {"PMINTEN", PMINTENSET, PMINTENCLR}, {"PMOVS", PMOVSSET, PMOVSCLR}};
    const u64 every = CYCLE | all_counters();

    for (int i = 0; i < 3; i++) {
        at_row(rows[i].name);
        sysreg_set(rows[i].set, ~0ul); /* bits of counters that are not there are RAZ/WI */
        CHECK(sysreg_get(rows[i].set), every);
        CHECK(sysreg_get(rows[i].clear), every);
        sysreg_set(rows[i].clear, 2);
        sysreg_set(rows[i].set, 0);
        CHECK(sysreg_get(rows[i].set), every & ~2ul);
        sysreg_set(rows[i].clear, ~0ul);
        CHECK(sysreg_get(rows[i].clear), 0);
    }
}

CASE(selected_counter, "D24.5 PMSELR_EL0, PMXEVTYPER_EL0, PMXEVCNTR_EL0")
{
    NEED(PMUv3);
    sysreg_write(pmselr_el0, 2);
    isb();
    sysreg_write(pmxevtyper_el0, P | SW_INCR);
    sysreg_write(pmxevcntr_el0, 0x1234);
    CHECK(sysreg_get(PMEVTYPER(2)), P | SW_INCR);
    CHECK(count(2), 0x1234);
    CHECK(sysreg_read(pmxevcntr_el0), 0x1234);
    sysreg_write(pmselr_el0, 31);
    isb();
    sysreg_write(pmxevtyper_el0, U | 0x11); /* the event of PMCCFILTR_EL0 is RES0 */
    CHECK(sysreg_read(pmccfiltr_el0), U);
    CHECK(sysreg_read(pmxevtyper_el0), U);
}

CASE(events_told, "D13.11 'Common event numbers'; required events")
{
    NEED(PMUv3);
    CHECK(counts(SW_INCR), 1);
    CHECK(counts(CPU_CYCLES), 1);
    if (have(FEAT_PMUv3p1)) {
        CHECK(counts(0x23), 1); /* STALL_FRONTEND */
        CHECK(counts(0x24), 1); /* STALL_BACKEND */
    }
    if (have(FEAT_PMUv3p4)) {
        CHECK(counts(0x3c), 1); /* STALL */
        CHECK_MASKED(sysreg_read(S3_0_C9_C14_6), ~0xfffffful, 0); /* PMMIR_EL1 */
    }
}

/* ---- where it counts */

CASE(filters_by_exception_level, "D24.5 PMEVTYPER<n>_EL0: P, U, NSH; D13.5.3, software increments")
{
    NEED(PMUv3);
    static const u64 filters[] = {0, P, U, P | U, NSH, P | NSH, U | NSH, P | U | NSH};
    static const u64 modes[] = {EL0T, EL1H, EL2H};

    sysreg_write(pmuserenr_el0, 1);
    for (int f = 0; f < 8; f++)
        for (int m = 0; m <= HOME_EL; m++) {
            const u64 is = filters[f];
            counter(1, is | SW_INCR, 0);
            control(PMCR_E);
            CHECK_RETURNED(RUN(modes[m], swinc, 2));
            control(0);
            CHECK(count(1), m == 0 ? !(is & U) : m == 1 ? !(is & P) : !!(is & NSH));
        }
}

CASE(cycle_filter, "D24.5 PMCCFILTR_EL0")
{
    NEED(PMUv3);
    sysreg_write(pmcntenset_el0, CYCLE);
    for (int filtered = 0; filtered < 2; filtered++) {
        sysreg_write(pmccfiltr_el0, filtered ? P : 0);
        control(PMCR_E | PMCR_C);
        CHECK_RETURNED(RUN(EL1H, nops));
        control(0);
        CHECK(sysreg_read(pmccntr_el0) != 0, !filtered);
    }
    sysreg_write(pmccfiltr_el0, NSH);
    control(PMCR_E | PMCR_C);
    const u64 first = sysreg_read(pmccntr_el0);
    isb();
    CHECK(sysreg_read(pmccntr_el0) > first, 1);
    sysreg_write(pmcntenclr_el0, CYCLE);
    isb();
    const u64 stopped = sysreg_read(pmccntr_el0);
    isb();
    CHECK(sysreg_read(pmccntr_el0), stopped);
}

CASE(software_increment, "D24.5 PMSWINC_EL0")
{
    NEED(PMUv3);
    counter(0, NSH | SW_INCR, 0);
    counter(1, NSH | SW_INCR, 0);
    counter(2, NSH | CPU_CYCLES, 0);
    sysreg_write(pmcntenclr_el0, 6);
    sysreg_write(pmswinc_el0, 7);
    CHECK(count(0), 0); /* PMCR_EL0.E */
    control(PMCR_E);
    sysreg_write(pmswinc_el0, 7);
    sysreg_write(pmswinc_el0, 6);
    sysreg_write(pmswinc_el0, 1);
    control(0);
    CHECK(count(0), 2);
    CHECK(count(1), 0); /* PMCNTENSET_EL0 */
    CHECK(count(2), 0); /* another event */
}

CASE(instructions_retired, "D13.11 INST_RETIRED; D13.5 'Filtering'")
{
    NEED(PMUv3);
    NEED_EVENT(INST_RETIRED);
    counter(0, INST_RETIRED | U, 0);
    counter(1, INST_RETIRED | P, 0);
    control(PMCR_E);
    if (HOME_EL == 2) {
        CHECK_RETURNED(RUN(EL1H, nops));
        CHECK(count(0), 12); /* and RET, and HVC */
    }
    CHECK(count(1), 0);
    CHECK_RETURNED(RUN(EL0T, nops));
    control(0);
    CHECK(count(1), 12); /* and RET, and SVC */
}

CODE(undefined, "nop\n nop\n udf #0");

CASE(an_instruction_that_faults_does_not_retire, "D13.11 INST_RETIRED; glossary, 'architecturally executed'")
{
    NEED(PMUv3);
    NEED_EVENT(INST_RETIRED);
    counter(0, INST_RETIRED | P, 0);
    control(PMCR_E);
    CHECK_TAKEN(RUN(EL0T, undefined), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    control(0);
    CHECK(count(0), 2);
}

CASE(exceptions_count_where_they_come_from, "D13.5.3 'Accuracy of event filtering'; EXC_TAKEN, EXC_RETURN")
{
    NEED(PMUv3);
    NEED_EVENT(EXC_TAKEN);
    NEED_EVENT(EXC_RETURN);
    counter(0, EXC_TAKEN | P, 0);         /* from EL0 */
    counter(1, EXC_TAKEN | U, 0);         /* from EL1 */
    counter(2, EXC_RETURN | (HOME_EL == 2 ? P | U | NSH : U), 0); /* at the level of C code */
    counter(3, EXC_RETURN | ONLY_BELOW, 0);
    control(PMCR_E);
    CHECK_RETURNED(RUN(EL0T, nops)); /* SVC to EL1, whose vector does HVC to EL2 */
    control(0);
    CHECK(count(0), 1);
    if (HOME_EL == 2)
        CHECK(count(1), 1);
    CHECK(count(2), 1);
    CHECK(count(3), 0);
}

CASE(loads_stores_branches, "D13.11 LD_RETIRED, ST_RETIRED, MEM_ACCESS, BR_RETIRED")
{
    NEED(PMUv3);
    NEED_EVENT(LD_RETIRED);
    NEED_EVENT(ST_RETIRED);
    NEED_EVENT(MEM_ACCESS);
    NEED_EVENT(BR_RETIRED);
    counter(0, LD_RETIRED | ONLY_BELOW, 0);
    counter(1, ST_RETIRED | ONLY_BELOW, 0);
    counter(2, MEM_ACCESS | ONLY_BELOW, 0);
    counter(3, BR_RETIRED | ONLY_BELOW, 0);
    control(PMCR_E);
    CHECK_RETURNED(RUN(BELOW, accesses, ARENA));
    control(0);
    CHECK(count(0), 3);
    CHECK(count(1), 1);
    CHECK(count(2) >= 4, 1); /* a pair may be two accesses */
    CHECK(count(3), 3);      /* B, CBZ (not taken), RET */
}

/* ---- overflow */

CASE(overflow_status, "D24.5 PMOVSSET_EL0; D13.3 'Overflow'")
{
    NEED(PMUv3);
    counter(0, NSH | SW_INCR, 0xfffffffe);
    counter(2, NSH | SW_INCR, 0xffffffff);
    control(PMCR_E);
    sysreg_write(pmswinc_el0, 5);
    CHECK(sysreg_read(pmovsset_el0), 4);
    CHECK_MASKED(count(2), 0xffffffff, 0);
    CHECK(count(2), have(FEAT_PMUv3p5) ? 1ul << 32 : 0);
    sysreg_write(pmswinc_el0, 5);
    CHECK(sysreg_read(pmovsclr_el0), 5);
    sysreg_write(pmovsclr_el0, 4);
    CHECK(sysreg_read(pmovsset_el0), 1);
}

CASE(cycle_counter_overflows_from_bit_63, "D24.5 PMCR_EL0.LC")
{
    NEED(PMUv3);
    sysreg_write(pmccfiltr_el0, NSH);
    sysreg_write(pmccntr_el0, ~0ul);
    sysreg_write(pmcntenset_el0, CYCLE);
    control(PMCR_E);
    isb();
    control(0);
    CHECK(sysreg_read(pmovsset_el0), CYCLE);
    sysreg_write(pmovsclr_el0, CYCLE);
    sysreg_write(pmccntr_el0, 0xffffffff);
    control(PMCR_E);
    isb();
    control(0);
    CHECK(sysreg_read(pmovsset_el0), 0);
    CHECK(sysreg_read(pmccntr_el0) >= 1ul << 32, 1);
}

CASE(chained_counters, "D13.11 CHAIN")
{
    NEED(PMUv3);
    NEED_EVENT(CHAIN);
    counter(0, NSH | SW_INCR, 0xffffffff);
    counter(1, NSH | CHAIN, 0xffffffff);
    counter(2, NSH | SW_INCR, 0xffffffff);
    counter(3, NSH | CHAIN, 3);
    sysreg_write(pmcntenclr_el0, 8); /* an odd counter that is off does not follow */
    control(PMCR_E);
    sysreg_write(pmswinc_el0, 5);
    control(0);
    CHECK_MASKED(count(1), 0xffffffff, 0);
    CHECK(count(3), 3);
    CHECK(sysreg_read(pmovsset_el0), 7);
}

CASE(long_event_counters, "D24.5 PMCR_EL0.LP (FEAT_PMUv3p5); CHAIN")
{
    NEED(PMUv3p5);
    counter(0, NSH | SW_INCR, 0xffffffff);
    counter(1, NSH | CHAIN, 0);
    counter(2, NSH | SW_INCR, ~0ul);
    control(PMCR_E | PMCR_LP);
    sysreg_write(pmswinc_el0, 5);
    control(0);
    CHECK(count(0), 1ul << 32);
    CHECK(count(1), 0);
    CHECK(count(2), 0);
    CHECK(sysreg_read(pmovsset_el0), 4);
}

CASE(freeze_on_overflow, "D24.5 PMCR_EL0.FZO (FEAT_PMUv3p7), PMCR_EL0.DP")
{
    NEED(PMUv3p7);
    counter(0, NSH | SW_INCR, 0xffffffff);
    counter(1, NSH | SW_INCR, 0);
    sysreg_write(pmccfiltr_el0, NSH);
    sysreg_write(pmcntenset_el0, CYCLE);
    control(PMCR_E | PMCR_FZO);
    sysreg_write(pmswinc_el0, 3);
    sysreg_write(pmswinc_el0, 3);
    CHECK(count(1), 1);
    const u64 first = sysreg_read(pmccntr_el0);
    isb();
    CHECK(sysreg_read(pmccntr_el0) > first, 1);
    control(PMCR_E | PMCR_FZO | PMCR_DP); /* without EL2, DP is RES0 */
    const int stops = !!(sysreg_read(pmcr_el0) & PMCR_DP);
    const u64 held = sysreg_read(pmccntr_el0);
    isb();
    CHECK(sysreg_read(pmccntr_el0) == held, stops);
    sysreg_write(pmovsclr_el0, 1);
    isb();
    sysreg_write(pmswinc_el0, 3);
    CHECK(count(1), 2);
}

static u32 pending(void) { return read32(GICR_BASE(0) + 0x10200) >> INTID_PMU & 1; }

CASE(overflow_interrupt_is_a_level, "D13.3 'Overflow interrupt'; CheckForPMUOverflow(); IHI 0069 GICR_ISPENDR0")
{
    NEED(PMUv3);
    counter(0, NSH | SW_INCR, 0xffffffff);
    sysreg_write(pmintenset_el1, 1);
    control(PMCR_E);
    CHECK(pending(), 0);
    sysreg_write(pmswinc_el0, 1);
    CHECK(pending(), 1);
    sysreg_write(pmintenclr_el1, 1);
    CHECK(pending(), 0);
    sysreg_write(pmintenset_el1, 1);
    CHECK(pending(), 1);
    control(0); /* E gates the interrupt */
    CHECK(pending(), 0);
    control(PMCR_E);
    CHECK(pending(), 1);
    sysreg_write(pmovsclr_el0, 1);
    CHECK(pending(), 0);
    sysreg_write(pmovsset_el0, 1); /* software may set it */
    CHECK(pending(), 1);
    sysreg_write(pmovsclr_el0, ~0ul);
    CHECK(pending(), 0);
}

CODE(increments, "msr pmswinc_el0, x0\n isb\n nop\n nop\n b .");

CASE(overflow_interrupts_el1, "D13.3 'Overflow interrupt'")
{
    NEED(PMUv3);
    gic_on();
    gic_enable_private(0, INTID_PMU);
    counter(0, SW_INCR, 0xffffffff);
    sysreg_write(pmintenset_el1, 1);
    control(PMCR_E);
    interrupts_home();
    const struct exception *e = RUN(EL1H, increments, 1);
    CHECK(e->el, HOME_EL);
    CHECK(e->vector, HOME_IRQ);
    CHECK(e->elr == (u64)increments + 4 || e->elr == (u64)increments + 8, 1);
    CHECK(gic_acknowledge(), INTID_PMU);
    control(0);
    sysreg_write(pmovsclr_el0, ~0ul);
    gic_end(INTID_PMU);
}

CASE(overflow_is_taken_behind_its_instruction, "D13.3: no rule demands it, but INST_RETIRED is exact here")
{
    NEED(PMUv3);
    NEED_EVENT(INST_RETIRED);
    gic_on();
    gic_enable_private(0, INTID_PMU);
    for (u64 n = 1; n <= 10; n++) {
        counter(0, INST_RETIRED | ONLY_BELOW, 0x100000000 - n);
        sysreg_write(pmintenset_el1, 1);
        control(PMCR_E);
        interrupts_home();
        const struct exception *e = RUN(BELOW, nops);
        CHECK(e->vector, LOWER_IRQ);
        CHECK(e->elr, (u64)nops + 4 * n);
        CHECK(gic_acknowledge(), INTID_PMU);
        control(0);
        sysreg_write(pmovsclr_el0, ~0ul);
        gic_end(INTID_PMU);
    }
}

/* ---- who may */

static const struct {
    const char *name;
    u32 reg;
    u64 reads, writes; /* bits of PMUSERENR_EL0 that let EL0 do it; 0: nobody does it */
} users[] = {
    {"PMCR_EL0", PMCR, 1, 1},
    {"PMCNTENSET_EL0", PMCNTENSET, 1, 1},
    {"PMCNTENCLR_EL0", PMCNTENCLR, 1, 1},
    {"PMOVSCLR_EL0", PMOVSCLR, 1, 1},
    {"PMOVSSET_EL0", PMOVSSET, 1, 1},
    {"PMSWINC_EL0", PMSWINC, 0, 1 | 2},
    {"PMSELR_EL0", PMSELR, 1 | 8, 1 | 8},
    {"PMCEID0_EL0", PMCEID0, 1, 0},
    {"PMCEID1_EL0", PMCEID1, 1, 0},
    {"PMCCNTR_EL0", PMCCNTR, 1 | 4, 1},
    {"PMXEVTYPER_EL0", PMXEVTYPER, 1, 1},
    {"PMXEVCNTR_EL0", PMXEVCNTR, 1 | 8, 1},
    {"PMCCFILTR_EL0", PMCCFILTR, 1, 1},
    {"PMEVCNTR1_EL0", PMEVCNTR(1), 1 | 8, 1},
    {"PMEVTYPER1_EL0", PMEVTYPER(1), 1, 1},
};
#define USERS (sizeof users / sizeof *users)

CASE(el0_by_pmuserenr, "D24.5 PMUSERENR_EL0: EN, SW, CR, ER")
{
    NEED(PMUv3);
    for (unsigned i = 0; i < USERS; i++)
        for (int read = 0; read < 2; read++) {
            const u64 allowed = read ? users[i].reads : users[i].writes;
            if (!allowed)
                continue;
            const u64 code = EMIT(read ? INSN_MRS(users[i].reg, 3) : INSN_MSR(users[i].reg, 3));
            at_row(users[i].name);
            for (u64 enable = 0; enable < 16; enable++) {
                sysreg_write(pmuserenr_el0, enable);
                const struct exception *e = RUN(EL0T, code);
                if (enable & allowed)
                    CHECK_RETURNED(e);
                else
                    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(users[i].reg, 3, read)));
            }
        }
    at_row("PMUSERENR_EL0");
    sysreg_write(pmuserenr_el0, 0);
    CHECK_RETURNED(RUN(EL0T, EMIT(INSN_MRS(PMUSERENR, 3))));
    CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MSR(PMUSERENR, 3))), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
}

CASE(el0_trap_goes_to_el2_with_tge, "PMCR_EL0 accessibility: HCR_EL2.TGE")
{
    NEED(PMUv3);
    next.hcr |= HCR_TGE;
    CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(PMCR, 3))), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(PMCR, 3, 1)));
}

CASE(el2_traps_all, "D24.3 MDCR_EL2.TPM")
{
    NEED(PMUv3);
    sysreg_write(pmuserenr_el0, 15);
    mdcr(MDCR_TPM, counters());
    for (unsigned i = 0; i < USERS; i++)
        for (int read = 0; read < 2; read++)
            for (int el1 = 0; el1 < 2; el1++) {
                if (!(read ? users[i].reads : users[i].writes))
                    continue;
                at_row(users[i].name);
                const u64 code = EMIT(read ? INSN_MRS(users[i].reg, 3) : INSN_MSR(users[i].reg, 3));
                CHECK_TAKEN(RUN(el1 ? EL1H : EL0T, code), 2, LOWER_SYNC,
                            ESR(EC_SYSREG, ISS_SYSREG(users[i].reg, 3, read)));
            }
    at_row("PMINTENSET_EL1");
    CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MSR(PMINTENSET, 3))), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(PMINTENSET, 3, 0)));
    at_row("PMUSERENR_EL0");
    CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(PMUSERENR, 3))), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(PMUSERENR, 3, 1)));
}

CASE(el1_trap_comes_first, "PMCCNTR_EL0 accessibility: PMUSERENR_EL0 before MDCR_EL2.TPM")
{
    NEED(PMUv3);
    mdcr(MDCR_TPM, counters());
    CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(PMCCNTR, 3))), 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(PMCCNTR, 3, 1)));
}

CASE(el2_traps_pmcr, "D24.3 MDCR_EL2.TPMCR")
{
    NEED(PMUv3);
    mdcr(MDCR_TPMCR, counters());
    CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MRS(PMCR, 3))), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(PMCR, 3, 1)));
    CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MSR(PMCR, 3))), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(PMCR, 3, 0)));
    CHECK_RETURNED(RUN(EL1H, EMIT(INSN_MRS(PMCNTENSET, 3))));
}

/* ---- EL2's own counters */

CASE(el1_does_not_see_el2s_counters, "PMCR_EL0.N, PMCNTENSET_EL0.P<n>, PMOVSSET_EL0, PMINTENSET_EL1 with MDCR_EL2.HPMN")
{
    NEED(PMUv3);
    const u64 all = all_counters();
    static const u32 sets[] = {PMCNTENSET, PMINTENSET, PMOVSSET}, clears[] = {PMCNTENCLR, PMINTENCLR, PMOVSCLR};

    mdcr(0, 2);
    const struct exception *e = RUN(EL1H, EMIT(INSN_MRS(PMCR, 3)));
    CHECK(e->x[3] >> 11 & 31, 2);
    CHECK(counters() > 2, 1); /* EL2 sees all */
    for (int i = 0; i < 3; i++) {
        sysreg_set(sets[i], ~0ul);
        e = RUN(EL1H, EMIT(INSN_MRS(sets[i], 3)));
        CHECK(e->x[3], CYCLE | 3);
        RUN(EL1H, EMIT(INSN_MSR(clears[i], 0)), ~0ul);
        CHECK(sysreg_get(sets[i]), all & ~3ul);
        RUN(EL1H, EMIT(INSN_MSR(sets[i], 0)), ~0ul);
        CHECK(sysreg_get(sets[i]), all | CYCLE);
        sysreg_set(clears[i], ~0ul);
    }
}

CASE(el1_is_trapped_from_el2s_counters, "PMEVCNTR<n>_EL0, PMEVTYPER<n>_EL0 accessibility (FEAT_FGT)")
{
    NEED(PMUv3);
    NEED_EL2();
    NEED(FGT);
    const u32 registers[] = {PMEVCNTR(2), PMEVTYPER(3), PMEVCNTR(1), PMEVTYPER(0)};

    mdcr(0, 2);
    for (int i = 0; i < 4; i++)
        for (int read = 0; read < 2; read++) {
            const struct exception *e = RUN(EL1H, EMIT(read ? INSN_MRS(registers[i], 3) : INSN_MSR(registers[i], 3)));
            if (i < 2)
                CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(registers[i], 3, read)));
            else
                CHECK_RETURNED(e);
        }
}

CASE(el1_resets_its_own_counters_only, "PMCR_EL0.P with MDCR_EL2.HPMN")
{
    NEED(PMUv3);
    for (int n = 0; n < 4; n++)
        counter(n, SW_INCR, 5);
    mdcr(0, 2);
    CHECK_RETURNED(RUN(EL1H, EMIT(INSN_MSR(PMCR, 0)), PMCR_P | PMCR_LC));
    CHECK(count(0) | count(1), 0);
    CHECK(count(2), 5);
    CHECK(count(3), 5);
    control(PMCR_P);
    CHECK(count(2) | count(3), 0);
}

CASE(el2s_counters_are_enabled_by_hpme, "D24.3 MDCR_EL2.HPME; CountPMUEvents()")
{
    NEED(PMUv3);
    counter(1, NSH | SW_INCR, 0);
    counter(2, NSH | SW_INCR, 0);
    mdcr(MDCR_HPME, 2);
    sysreg_write(pmswinc_el0, 6);
    CHECK(count(1), 0);
    CHECK(count(2), 1);
    mdcr(0, 2);
    control(PMCR_E);
    sysreg_write(pmswinc_el0, 6);
    CHECK(count(1), 1);
    CHECK(count(2), 1);
}

CASE(el1_cannot_increment_el2s_counters, "D24.5 PMSWINC_EL0 with MDCR_EL2.HPMN")
{
    NEED(PMUv3);
    counter(1, SW_INCR, 0);
    counter(2, SW_INCR, 0);
    control(PMCR_E);
    mdcr(MDCR_HPME, 2);
    CHECK_RETURNED(RUN(EL1H, swinc, 6));
    CHECK(count(1), 1);
    CHECK(count(2), 0);
}

CASE(prohibited_at_el2, "D24.3 MDCR_EL2.HPMD (FEAT_PMUv3p1); PMCR_EL0.DP")
{
    NEED(PMUv3p1);
    counter(1, NSH | SW_INCR, 0);
    counter(2, NSH | SW_INCR, 0);
    sysreg_write(pmccfiltr_el0, NSH);
    sysreg_write(pmcntenset_el0, CYCLE);
    control(PMCR_E);
    mdcr(MDCR_HPME | MDCR_HPMD, 2);
    sysreg_write(pmswinc_el0, 6);
    CHECK(count(1), 0); /* EL1's does not count here */
    CHECK(count(2), 1); /* EL2's own does */
    const u64 first = sysreg_read(pmccntr_el0);
    isb();
    CHECK(sysreg_read(pmccntr_el0) > first, 1);
    control(PMCR_E | PMCR_DP);
    const u64 held = sysreg_read(pmccntr_el0);
    isb();
    CHECK(sysreg_read(pmccntr_el0), held);
    CHECK_RETURNED(RUN(EL1H, swinc, 2));
    CHECK(count(1), 1);
}

CASE(cycles_prohibited_at_el2, "D24.3 MDCR_EL2.HCCD (FEAT_PMUv3p5)")
{
    NEED(PMUv3p5);
    sysreg_write(pmccfiltr_el0, NSH);
    sysreg_write(pmcntenset_el0, CYCLE);
    control(PMCR_E);
    mdcr(MDCR_HCCD, counters());
    const u64 held = sysreg_read(pmccntr_el0);
    isb();
    CHECK(sysreg_read(pmccntr_el0), held);
}

CASE(el2s_long_counters, "D24.3 MDCR_EL2.HLP (FEAT_PMUv3p5)")
{
    NEED(PMUv3p5);
    counter(1, NSH | SW_INCR, 0xffffffff);
    counter(2, NSH | SW_INCR, 0xffffffff);
    control(PMCR_E);
    mdcr(MDCR_HPME | MDCR_HLP, 2);
    sysreg_write(pmswinc_el0, 6);
    CHECK(sysreg_read(pmovsset_el0), 2);
    CHECK(count(2), 1ul << 32);
}
