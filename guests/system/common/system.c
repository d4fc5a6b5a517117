/*
 * The runner of a system program: cases one after the other, a line for each, a summary, and the board powered off.
 *
 *     ok NAME        skip NAME: why        FAIL NAME: what: got G, expected E; ...
 *     system: 12 ok, 3 skip, 0 FAIL
 *
 * See system.h for how to write a case.
 */
#include "cpu.h"

static const struct case_row *current;
static const char *row_text;
static unsigned differences, passed, skipped, failed;
static int case_skipped;

struct next next;

/* ---- results */

static void begin_difference(void)
{
    uart_puts(differences++ ? "; " : "FAIL ");
    if (differences == 1) {
        uart_puts(current->name);
        uart_puts(": ");
    }
    if (row_text) {
        uart_puts("[");
        uart_puts(row_text);
        uart_puts("] ");
    }
}

#define MOST_DIFFERENCES 8 /* of a case: the rest says nothing new */

int check(const char *what, u64 got, u64 expected)
{
    if (got == expected)
        return 1;
    if (differences < MOST_DIFFERENCES) {
        begin_difference();
        uart_puts(what);
        uart_puts(": got ");
        uart_hex(got);
        uart_puts(", expected ");
        uart_hex(expected);
    }
    return 0;
}

static void describe(const struct exception *e)
{
    uart_puts(" (taken to EL");
    uart_decimal(e->el);
    uart_puts(" vector ");
    uart_hex(e->vector);
    uart_puts(" ESR ");
    uart_hex(e->esr);
    uart_puts(" FAR ");
    uart_hex(e->far);
    uart_puts(" ELR ");
    uart_hex(e->elr);
    uart_puts(" SPSR ");
    uart_hex(e->spsr);
    uart_puts(")");
}

int check_taken(const char *what, const struct exception *e, u64 el, u64 vector, u64 esr)
{
    if (el > HOME_EL)
        needs_el2();
    if (e->el == el && e->vector == vector && e->esr == esr)
        return 1;
    if (differences < MOST_DIFFERENCES) {
        begin_difference();
        uart_puts(what);
        uart_puts(": expected EL");
        uart_decimal(el);
        uart_puts(" vector ");
        uart_hex(vector);
        uart_puts(" ESR ");
        uart_hex(esr);
        describe(e);
    }
    return 0;
}

int returned(const struct exception *e)
{
    const u64 ec = ESR_EC(e->esr);

    return (ec == EC_SVC || ec == EC_HVC) && (e->esr & 0xffff) == RETURNED && !(e->vector & 0x180);
}

int check_returned(const char *what, const struct exception *e)
{
    if (returned(e))
        return 1;
    if (differences < MOST_DIFFERENCES) {
        begin_difference();
        uart_puts(what);
        uart_puts(" did not return");
        describe(e);
    }
    return 0;
}

void at_row(const char *text) { row_text = text; }

void skip(const char *why)
{
    case_skipped = 1;
    uart_puts("skip ");
    uart_puts(current->name);
    uart_puts(": ");
    uart_puts(why);
    uart_putc('\n');
}

void give_up(const char *why)
{
    begin_difference();
    uart_puts(why);
    case_abandon(my_cpu());
}

void needs_el2(void)
{
    if (my_cpu() != cpus || differences)
        give_up("from here on the case needs EL2");
    skip("needs EL2");
    case_abandon(my_cpu());
}

void hangs(const struct exception *e)
{
    begin_difference();
    uart_puts("the code hangs");
    describe(e);
    case_abandon(my_cpu());
}

/* start.S: an exception in C code */
void system_wild(struct cpu *cpu)
{
    if (cpu != cpus) {
        cpu->wild = 1;
        for (;;)
            asm volatile("wfe");
    }
    struct exception *e = record_exception(cpu);
    begin_difference();
    uart_puts("an exception in the case's own code");
    describe(e);
    case_abandon(cpu);
}

/* ---- running code */

u64 emit(const u32 *instructions, u64 count)
{
    volatile u32 *to = code_buffer;

    for (u64 i = 0; i < count; i++)
        to[i] = instructions[i];
    to[count] = INSN_RET;
    for (u64 at = (u64)to; at <= (u64)(to + count); at += 4)
        asm volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0" : : "r"(at) : "memory");
    asm volatile("dsb ish\n\tisb" ::: "memory");
    return (u64)to;
}

/* The register comes at run time: the instruction is made, and run here. */
u64 sysreg_get(u32 sysreg)
{
    const u64 *held = held_encoding(sysreg);

    return held ? *held : ((u64(*)(void))EMIT(INSN_MRS(sysreg, 0)))();
}

void sysreg_set(u32 sysreg, u64 value)
{
    u64 *held = held_encoding(sysreg);

    if (held)
        *held = value;
    else
        ((void (*)(u64))EMIT(INSN_MSR(sysreg, 0)))(value);
    isb();
}

/* ---- the second CPU */

u64 smc(u64 function, u64 a1, u64 a2, u64 a3)
{
    register u64 x0 asm("x0") = function;
    register u64 x1 asm("x1") = a1;
    register u64 x2 asm("x2") = a2;
    register u64 x3 asm("x3") = a3;

    asm volatile(FIRMWARE_CALL : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
    return x0;
}

static void wait_until(volatile u64 *word, u64 value)
{
    const u64 start = sysreg_read(cntpct_el0), limit = sysreg_read(cntfrq_el0);

    while (*word != value && !cpus[1].wild)
        if (sysreg_read(cntpct_el0) - start > limit)
            break;
    if (*word != value)
        give_up(cpus[1].wild ? "an exception in CPU 1's own code" : "CPU 1 does not answer");
    asm volatile("dmb ish" ::: "memory");
}

int second_cpu(void)
{
    if (cpus[1].alive)
        return 1;
    if (smc(0xc4000003, 1, (u64)cpu_start, 0)) /* PSCI CPU_ON, MPIDR 1 */
        return 0;
    wait_until(&cpus[1].alive, 1);
    return 1;
}

void start_second(void (*function)(u64), u64 argument)
{
    cpus[1].argument = argument;
    asm volatile("dsb ish" ::: "memory");
    cpus[1].job = (u64)function;
    asm volatile("dsb ish\n\tsev" ::: "memory");
}

void wait_second(void) { wait_until(&cpus[1].job, 0); }

void system_secondary(void)
{
    struct cpu *cpu = my_cpu();

    clean_state();
    cpu->alive = 1;
    for (;;) {
        asm volatile("dmb ish" ::: "memory");
        if (!cpu->job) {
            asm volatile("wfe");
            continue;
        }
        clean_state();
        case_enter(cpu, (void (*)(u64))cpu->job, cpu->argument);
        asm volatile("dmb ish" ::: "memory");
        cpu->job = 0;
    }
}

/* ---- all cases */

static void run_case(const struct case_row *row)
{
    current = row;
    row_text = 0;
    differences = case_skipped = 0;
    next.hcr = HCR_CLEAN;
    next.sctlr_el2 = SCTLR_EL2_OFF;
    watchdog_for_case();
    tables_reset();
    clean_state();
    case_enter(my_cpu(), (void (*)(u64))row->function, 0);
    if (differences) {
        failed++;
        uart_putc('\n');
    } else if (case_skipped) {
        skipped++;
    } else {
        passed++;
        uart_puts("ok ");
        uart_puts(row->name);
        uart_putc('\n');
    }
}

void system_main(void)
{
    extern const struct case_row first_case[], last_case[];

    interrupts_init();
    for (const struct case_row *row = first_case; row < last_case; row++)
        run_case(row);
    uart_puts("system: ");
    uart_decimal(passed);
    uart_puts(" ok, ");
    uart_decimal(skipped);
    uart_puts(" skip, ");
    uart_decimal(failed);
    uart_puts(" FAIL\n");
}

void system_wrong_level(void)
{
    uart_puts(HOME_EL == 2 ? "system programs run at EL2: gdbhv run --el 2, or QEMU's -M virt,virtualization=on\n"
                           : "this system program runs at EL1: gdbhv run, or QEMU's -M virt\n");
}
