/*
 * smp: two CPUs: PSCI with its errors, what a CPU is when it starts, exclusive monitors, events, SGIs, code written by the other one.
 */
#include "common/cpu.h"
#include "../common/gic.h"

/* PSCI (DEN 0022): functions (SMC64 where there is one), results */
#define CPU_SUSPEND 0xc4000001ul
#define CPU_OFF 0x84000002ul
#define CPU_ON 0xc4000003ul
#define AFFINITY_INFO 0xc4000004ul
#define MIGRATE_INFO_TYPE 0x84000006ul
#define SYSTEM_OFF 0x84000008ul
#define SYSTEM_RESET 0x84000009ul
#define PSCI_FEATURES 0x8400000aul
#define RESULT(n) ((u64)(long)(n))
#define SUCCESS 0
#define NOT_SUPPORTED RESULT(-1)
#define INVALID_PARAMETERS RESULT(-2)
#define ALREADY_ON RESULT(-4)
#define INVALID_ADDRESS RESULT(-9)

static volatile u64 *const shared = (u64 *)ARENA;

/* SMC32 returns 32 bits: compare those. */
#define CHECK32(got, expected) CHECK((got) & 0xffffffff, (u64)(expected) & 0xffffffff)

CASE(psci_version, "DEN 0022, PSCI_VERSION: 1.1; its SMC64 form does not exist")
{
    CHECK32(smc(0x84000000, 0, 0, 0), 0x10001);
    CHECK32(smc(0xc4000000, 0, 0, 0), NOT_SUPPORTED);
}

CASE(psci_features, "DEN 0022, PSCI_FEATURES: 0 for what there is, NOT_SUPPORTED for the rest")
{
    static const u32 there[] = {0x84000000, 0x84000001, 0xc4000001, 0x84000002, 0x84000003, 0xc4000003,
                                0x84000004, 0xc4000004, 0x84000006, 0x84000008, 0x84000009, 0x8400000a};
    static const u32 not_there[] = {0xc4000000, 0xc4000002, 0x8400ffff, 0x12345678, 0xc4000008};

    for (int i = 0; i < 12; i++)
        CHECK32(smc(PSCI_FEATURES, there[i], 0, 0), SUCCESS);
    for (int i = 0; i < 5; i++)
        CHECK32(smc(PSCI_FEATURES, not_there[i], 0, 0), NOT_SUPPORTED);
}

CASE(psci_unknown, "SMCCC (DEN 0028), 5.2: an unknown function returns NOT_SUPPORTED")
{
    CHECK32(smc(0x8400001f, 0, 0, 0), NOT_SUPPORTED);
    CHECK32(smc(0xc400ffff, 0, 0, 0), NOT_SUPPORTED);
    CHECK32(smc(0xdeadbeef, 0, 0, 0), NOT_SUPPORTED);
}

CASE(psci_migrate_info_type, "DEN 0022, MIGRATE_INFO_TYPE: 2, no Trusted OS that needs migration")
{
    CHECK32(smc(MIGRATE_INFO_TYPE, 0, 0, 0), 2);
}

CASE(psci_affinity_info, "DEN 0022, AFFINITY_INFO: 0 ON, 1 OFF; INVALID_PARAMETERS for what is not there")
{
    CHECK32(smc(AFFINITY_INFO, 0, 0, 0), 0);
    CHECK32(smc(AFFINITY_INFO, 7, 0, 0), INVALID_PARAMETERS);
    CHECK32(smc(AFFINITY_INFO, 1ul << 32, 0, 0), INVALID_PARAMETERS);
    CHECK32(smc(AFFINITY_INFO, 0x100, 0, 0), INVALID_PARAMETERS);
    NEED_TWO_CPUS();
    CHECK32(smc(AFFINITY_INFO, 1, 0, 0), 0);
}

CASE(psci_cpu_on_errors, "DEN 0022, CPU_ON: ALREADY_ON, INVALID_PARAMETERS")
{
    NEED_TWO_CPUS();
    CHECK32(smc(CPU_ON, 0, (u64)cpu_start, 0), ALREADY_ON);
    CHECK32(smc(CPU_ON, 1, (u64)cpu_start, 0), ALREADY_ON);
    CHECK32(smc(CPU_ON, 7, (u64)cpu_start, 0), INVALID_PARAMETERS);
    CHECK32(smc(CPU_ON, 0x100000000, (u64)cpu_start, 0), INVALID_PARAMETERS);
}

CODE(smc_version, "movz w0, #0x8400, lsl #16\n\t" FIRMWARE_CALL);

CASE(psci_from_el1, "DEN 0028: SMC from EL1 with HCR_EL2.TSC = 0 reaches the firmware, as HVC does without EL2; x1 to x17 but x0 to x3 are kept")
{
    volatile u64 four = 4; /* else the compiler calls memcpy for a constant array */
    const struct exception *e = RUN(EL1H, smc_version, 0, 1, 2, 3, four, 5, 6, 7);
    CHECK_RETURNED(e);
    CHECK32(e->x[0], 0x10001);
    for (u64 n = 4; n < 8; n++)
        CHECK(e->x[n], n);
}

/* ---- off and on again */

static void switch_off(u64 unused)
{
    (void)unused;
    smc(CPU_OFF, 0, 0, 0);
    shared[0] = 0xbad;
}

static int wait_for(volatile u64 *word, u64 value)
{
    const u64 start = sysreg_read(cntpct_el0);

    while (*word != value)
        if (sysreg_read(cntpct_el0) - start > sysreg_read(cntfrq_el0))
            return 0;
    asm volatile("dmb ish" ::: "memory");
    return 1;
}

static void turn_off_second(void)
{
    const u64 start = sysreg_read(cntpct_el0);

    start_second(switch_off, 0);
    while (smc(AFFINITY_INFO, 1, 0, 0) != 1)
        if (sysreg_read(cntpct_el0) - start > sysreg_read(cntfrq_el0))
            give_up("CPU 1 does not switch off");
    cpus[1].alive = cpus[1].job = 0;
}

/* What a CPU is when it starts: noted at ARENA, then off again */
extern const char started[];
asm(".pushsection .text\n.balign 16\nstarted:\n"
    "movz x1, #0x4100, lsl #16\n"
    "str x0, [x1, #8]\n"
    "mrs x2, currentel\n str x2, [x1, #16]\n"
    "mrs x2, daif\n str x2, [x1, #24]\n"
    "mrs x2, spsel\n str x2, [x1, #32]\n"
    "mrs x2, mpidr_el1\n str x2, [x1, #48]\n"
#if HOME_EL == 2
    "mrs x2, sctlr_el2\n str x2, [x1, #40]\n"
    "mrs x2, hcr_el2\n str x2, [x1, #56]\n"
#else
    "mrs x2, sctlr_el1\n str x2, [x1, #40]\n"
#endif
    "dsb ish\n mov x2, #1\n str x2, [x1]\n"
    "movz w0, #0x8400, lsl #16\n movk w0, #2\n " FIRMWARE_CALL "\n b .\n.popsection");

CASE(psci_cpu_off_and_on, "DEN 0022, CPU_OFF; CPU_ON, initial state: x0 = context, the highest level of the caller's world, MMU off, DAIF masked")
{
    NEED_TWO_CPUS();
    shared[0] = 0;
    turn_off_second();
    CHECK(shared[0], 0);
    CHECK32(smc(CPU_ON, 1, (u64)started, 0x1234567890abcdef), SUCCESS);
    if (!wait_for(&shared[0], 1))
        give_up("CPU 1 does not start");
    CHECK(shared[1], 0x1234567890abcdef);
    CHECK(shared[2], HOME_EL << 2);
    CHECK(shared[3], PSTATE_DAIF);
    CHECK(shared[4], 1);
    CHECK_MASKED(shared[5], SCTLR_M | SCTLR_C | SCTLR_I, 0);
    CHECK_MASKED(shared[6], 0xff, 1);
    if (HOME_EL == 2)
        CHECK_MASKED(shared[7], HCR_E2H | HCR_TGE | HCR_VM, 0);
    while (smc(AFFINITY_INFO, 1, 0, 0) != 1)
        ;
    CHECK(second_cpu(), 1); /* and as the other cases want it */
}

CASE(psci_suspend, "DEN 0022, CPU_SUSPEND: a standby state returns SUCCESS at a pending interrupt")
{
    gic_on();
    gic_enable_private(0, 3);
    write32(GICR_BASE(0) + 0x10200, 1u << 3); /* GICR_ISPENDR0 */
    CHECK32(smc(CPU_SUSPEND, 0, 0, 0), SUCCESS);
    write32(GICR_BASE(0) + 0x10280, 1u << 3);
}

/* ---- exclusives. Memory must be Normal: all of these run at EL1 with stage 1 on. */

CODE(pair, "ldxr x2, [x1]\n\tadd x2, x2, #1\n\tstxr w0, x2, [x1]");
CODE(lone_store, "clrex\n\tstxr w0, x2, [x1]");
CODE(cleared, "ldxr x2, [x1]\n\tclrex\n\tstxr w0, x2, [x1]");
CODE(twice, "ldxr x2, [x1]\n\tstxr w0, x2, [x1]\n\tstxr w3, x2, [x1]");
CODE(across_eret, "ldxr x2, [x1]\n\tadr x3, 1f\n\tmsr elr_el1, x3\n\tmov x3, #5\n\tmsr spsr_el1, x3\n\tisb\n\teret\n1:\tstxr w0, x2, [x1]");
CODE(wide_pair, "ldaxp x2, x3, [x1]\n\tmov x4, #7\n\tstlxp w0, x4, x3, [x1]");

static void normal_memory(struct tables *s1)
{
    stage1_new(s1, SHIFT_4K, 39);
    map(s1, ARENA, ARENA, 3, RAM_RW);
    map(s1, ARENA + 0x1000, ARENA + 0x1000, 3, RAM_RW);
    tlbi_all();
}

CASE(exclusives, "B2.9 'Synchronization and semaphores': STXR succeeds after LDXR, once; not after CLREX, nor alone")
{
    struct tables s1;
    normal_memory(&s1);
    shared[0] = 41;
    CHECK(RUN(EL1H, pair, 9, ARENA)->x[0], 0);
    CHECK(shared[0], 42);
    CHECK(RUN(EL1H, lone_store, 9, ARENA, 0)->x[0], 1);
    CHECK(RUN(EL1H, cleared, 9, ARENA)->x[0], 1);
    CHECK(shared[0], 42);
    const struct exception *e = RUN(EL1H, twice, 9, ARENA);
    CHECK(e->x[0], 0);
    CHECK(e->x[3], 1);
    CHECK(RUN(EL1H, wide_pair, 9, ARENA)->x[0], 0);
    CHECK(shared[0], 7);
}

CASE(exception_return_clears, "D1.3.2, B2.9: an exception return clears the local monitor")
{
    struct tables s1;
    normal_memory(&s1);
    shared[0] = 5;
    CHECK(RUN(EL1H, across_eret, 9, ARENA)->x[0], 1);
    CHECK(shared[0], 5);
}

static void store_there(u64 address) { *(volatile u64 *)address = 99; }

/* x1 = address, x3 = word to set, x4 = word to wait for */
CODE(reserve_and_wait, "ldxr x2, [x1]\n\tmov x5, #1\n\tdsb ish\n\tstr x5, [x3]\n1:\tldr x5, [x4]\n\tcbz x5, 1b\n\tdmb ish\n\tstxr w0, x2, [x1]");

static void store_when_told(u64 address)
{
    while (!shared[512])
        ;
    asm volatile("dmb ish" ::: "memory");
    store_there(address);
    asm volatile("dsb ish" ::: "memory");
    shared[520] = 1;
}

CASE(other_cpu_clears, "B2.9.2 'Exclusive access instructions and shareable memory': a store of another CPU to the location clears the global monitor")
{
    NEED_TWO_CPUS();
    struct tables s1;
    normal_memory(&s1);
    shared[0] = 5, shared[512] = shared[520] = 0; /* another page: no granule of exclusives is shared */
    start_second(store_when_told, ARENA);
    const struct exception *e = RUN(EL1H, reserve_and_wait, 9, ARENA, 0, ARENA + 0x1000, ARENA + 0x1040);
    CHECK_RETURNED(e);
    CHECK(e->x[0], 1);
    CHECK(shared[0], 99);
    wait_second();
}

/* x1 = address, x2 = times */
CODE(count_exclusive, "1:\tldaxr x3, [x1]\n\tadd x3, x3, #1\n\tstlxr w4, x3, [x1]\n\tcbnz w4, 1b\n\tsubs x2, x2, #1\n\tb.ne 1b");
CODE(count_atomic, "mov x3, #1\n1:\t.inst 0xf8e30024\n\tsubs x2, x2, #1\n\tb.ne 1b");
#define TIMES 2000

static const char *counter;

static void count_on_second(u64 root)
{
    /* CPU 1 has a clean state of its own: the same tables */
    sysreg_write(mair_el1, MAIR_VALUE);
    sysreg_write(tcr_el1, shared[514]);
    sysreg_write(ttbr0_el1, root);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | SCTLR_M | SCTLR_C | SCTLR_I);
    shared[513] = returned(RUN(EL1H, counter, 0, ARENA, TIMES));
}

static void check_counting(const char *code)
{
    struct tables s1;
    normal_memory(&s1);
    shared[0] = 0, shared[513] = 0, shared[514] = sysreg_read(tcr_el1);
    counter = code;
    start_second(count_on_second, s1.root);
    CHECK_RETURNED(RUN(EL1H, code, 0, ARENA, TIMES));
    wait_second();
    CHECK(shared[513], 1);
    CHECK(shared[0], 2 * TIMES);
}

CASE(counting_by_exclusives, "B2.9: two CPUs count with LDAXR and STLXR: nothing is lost")
{
    NEED_TWO_CPUS();
    check_counting(count_exclusive);
}

CASE(counting_by_atomics, "FEAT_LSE: two CPUs count with LDADDAL: nothing is lost")
{
    NEED(LSE);
    NEED_TWO_CPUS();
    check_counting(count_atomic);
}

/* ---- events, interrupts, code */

static void wait_for_event(u64 unused)
{
    (void)unused;
    asm volatile("sevl\n\twfe" ::: "memory");
    shared[0] = 1;
    asm volatile("dsb ish" ::: "memory");
    while (!shared[1])
        asm volatile("wfe" ::: "memory");
    shared[2] = 1;
}

CASE(send_event, "D1.6.1: SEV of one CPU ends WFE of the other")
{
    NEED_TWO_CPUS();
    shared[0] = shared[1] = shared[2] = 0;
    start_second(wait_for_event, 0);
    if (!wait_for(&shared[0], 1))
        give_up("CPU 1 does not start");
    shared[1] = 1;
    asm volatile("dsb ish\n\tsev" ::: "memory");
    CHECK(wait_for(&shared[2], 1), 1);
    wait_second();
}

static void wait_for_sgi(u64 unused)
{
    (void)unused;
    write32(GICR_BASE(1) + GICR_WAKER, read32(GICR_BASE(1) + GICR_WAKER) & ~WAKER_PROCESSOR_SLEEP);
    while (read32(GICR_BASE(1) + GICR_WAKER) & WAKER_CHILDREN_ASLEEP)
        ;
    write32(GICR_BASE(1) + GICR_IGROUPR0, ~0u);
    gic_enable_private(1, 4);
    gic_on();
    shared[0] = 1;
    asm volatile("dsb ish\n\twfi" ::: "memory"); /* masked interrupts end it too */
    shared[1] = sysreg_read(icc_iar1_el1);
    gic_end(shared[1]);
    shared[2] = 1;
}

CASE(sgi, "GIC (IHI 0069) 12.2.21 ICC_SGI1R_EL1: an SGI to the other CPU; WFI ends, masked or not")
{
    NEED_TWO_CPUS();
    shared[0] = shared[1] = shared[2] = 0;
    gic_on();
    start_second(wait_for_sgi, 0);
    if (!wait_for(&shared[0], 1))
        give_up("CPU 1 does not start");
    gic_send_sgi(1, 4);
    CHECK(wait_for(&shared[2], 1), 1);
    CHECK(shared[1], 4);
    wait_second();
}

#define INSN_MOVZ_X0(n) (0xd2800000u | (n) << 5)

static void call_code(u64 slot)
{
    isb();
    shared[slot] = ((u64(*)(void))code_buffer)();
}

CASE(code_of_the_other, "B2.7.4 'Concurrent modification and execution': IC IVAU by one CPU, ISB by the other: the new code runs")
{
    NEED_TWO_CPUS();
    for (u32 n = 1; n < 4; n++) {
        EMIT(INSN_MOVZ_X0(n)); /* DC CVAU, IC IVAU, DSB */
        start_second(call_code, n);
        wait_second();
        CHECK(shared[n], n);
        CHECK(RUN(EL0T, code_buffer)->x[0], n);
    }
}

/* The last one: a firmware that lets it pass has lost CPU 1. */
CASE(psci_invalid_address, "DEN 0022, CPU_ON: INVALID_ADDRESS for an entry that is no RAM")
{
    NEED_TWO_CPUS();
    turn_off_second();
    CHECK32(smc(CPU_ON, 1, NOWHERE, 0), INVALID_ADDRESS);
    CHECK32(smc(AFFINITY_INFO, 1, 0, 0), 1);
    CHECK(second_cpu(), 1);
}
