/*
 * base: what every other system program stands on: EL1 and EL0 are entered, exceptions come back with their syndrome, tables map what
 * they say, the second CPU works.
 */
#include "common/system.h"

CODE(svc_7, "svc #7");
CODE(hvc_8, "hvc #8");
CODE(add, "add x0, x0, x1");
CODE(undefined, "udf #0");
CODE(load, "ldr x0, [x1]");

CASE(return_from_el0, "D1.3.2 'Exception return'")
{
    const struct exception *e = RUN(EL0T, add, 40, 2);

    CHECK_RETURNED(e);
    CHECK(e->x[0], 42);
}

CASE(return_from_el1, "D1.3.2 'Exception return'")
{
    const struct exception *e = RUN(EL1H, add, 40, 2);

    CHECK_RETURNED(e);
    CHECK(e->x[0], 42);
}

CASE(return_from_el2, "D1.3.2 'Exception return'")
{
    const struct exception *e = RUN(EL2H, add, 40, 2);

    CHECK_RETURNED(e);
    CHECK(e->x[0], 42);
}

CASE(svc_from_el0, "ESR_ELx, ISS encoding for an exception from HVC or SVC; D1.3.1 'Exception entry'")
{
    const struct exception *e = RUN(EL0T | PSTATE_N | PSTATE_C, svc_7);

    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_SVC, 7));
    CHECK(e->elr, svc_7 + 4);
    CHECK(e->spsr, EL0T | PSTATE_N | PSTATE_C);
    CHECK_MASKED(e->pstate, 0x3df, EL1H | PSTATE_DAIF);
}

CASE(hvc_from_el1, "ESR_ELx, ISS encoding for an exception from HVC or SVC; D1.3.1 'Exception entry'")
{
    const struct exception *e = RUN(EL1H | PSTATE_A | PSTATE_Z, hvc_8);

    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_HVC, 8));
    CHECK(e->elr, hvc_8 + 4);
    CHECK(e->spsr, EL1H | PSTATE_A | PSTATE_Z);
    CHECK_MASKED(e->pstate, 0x3df, EL2H | PSTATE_DAIF);
}

CASE(undefined_at_el1, "ESR_ELx, EC 0x00")
{
    const struct exception *e = RUN(EL1H, undefined);

    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK(e->elr, undefined);
}

CASE(tables_of_each_granule, "D8.2 'Translation process'")
{
    static const unsigned shifts[] = {SHIFT_4K, SHIFT_16K, SHIFT_64K};

    for (int i = 0; i < 3; i++) {
        struct tables s1, s2;
        if (!have_granule(shifts[i]))
            continue;
        next.hcr = HCR_RW;
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
        stage1_new(&s1, shifts[i], 39);
        stage2_new(&s2, shifts[i], 36, shifts[i] == SHIFT_4K ? 1 : 2);
        tlbi_all();
        map(&s1, 0x80000000, 0x90000000, 3, RAM_RW);
        map(&s2, 0x90000000, ARENA, 3, S2_RAM);
        *(u64 *)ARENA = 0x1234567800 + i;
        const struct exception *e = RUN(EL0T, load, 0, 0x80000000);
        CHECK_RETURNED(e);
        CHECK(e->x[0], 0x1234567800 + i);
        e = RUN(EL0T, load, 0, 0xa0000008); /* not in stage 1 */
        CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_TRANSLATION(2)));
        CHECK(e->far, 0xa0000008);
    }
}

static void add_on_second(u64 address) { *(volatile u64 *)address += 2; }

CASE(second_cpu_runs, "PSCI (DEN 0022), CPU_ON")
{
    NEED_TWO_CPUS();
    *(volatile u64 *)ARENA = 40;
    start_second(add_on_second, ARENA);
    wait_second();
    CHECK(*(volatile u64 *)ARENA, 42);
}
