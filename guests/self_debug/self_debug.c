/*
 * self_debug: a kernel at EL1 debugs itself and a program at EL0, with the CPU's own breakpoints, watchpoints and software step
 * (Arm ARM, "AArch64 Self-hosted Debug"). It proves that each fires where it should, once, with the right syndrome, beside whatever
 * a debugger of the machine does at the same places, and that vCPUs which share a CPU do not see each other's.
 *
 * Exits, besides the console's: OSLAR_EL1 and OSDLR_EL1, ID_AA64DFR0_EL1, the first write of a debug register, CPU_ON and SYSTEM_OFF.
 * What fires does not exit.
 */
#include "exception.h"
#include "psci.h"
#include "types.h"
#include "uart.h"

enum { EC_BREAKPOINT = 0x31, EC_STEP_EL0 = 0x32, EC_STEP = 0x33, EC_WATCHPOINT = 0x35 };

#define MDSCR_SS (1ul << 0)
#define MDSCR_KDE (1ul << 13)
#define MDSCR_MDE (1ul << 15)
#define SPSR_SS (1ul << 21)
#define SPSR_DAIF (15ul << 6)

#define ENABLE_EL1 (1ul << 1 | 1) /* DBGBCR, DBGWCR: E, and PMC or PAC for EL1 */
#define WHOLE_INSTRUCTION (15ul << 5)
#define BYTES(mask) ((u64)(mask) << 5)
#define LOADS (1ul << 3)
#define STORES (2ul << 3)

#define MOST 16
#define TURNS 20000

static u64 log[MOST]; /* of vCPU 0: where, and what with it */
static unsigned events;
static volatile u64 hits[2], done[2];
static volatile int counting;
static u64 resume;

static u64 this_vcpu(void) { return sysreg_read(mpidr_el1) & 0xff; }

static void note(u64 value)
{
    if (events < MOST)
        log[events++] = value;
}

/* ---- the registers; their numbers are part of the instructions */

#define SET_BREAKPOINT(n)                                                                                              \
    case n:                                                                                                            \
        sysreg_write(dbgbvr##n##_el1, address);                                                                        \
        sysreg_write(dbgbcr##n##_el1, control);                                                                        \
        break;
#define SET_WATCHPOINT(n)                                                                                              \
    case n:                                                                                                            \
        sysreg_write(dbgwvr##n##_el1, address);                                                                        \
        sysreg_write(dbgwcr##n##_el1, control);                                                                        \
        break;

static void set_breakpoint(unsigned n, u64 address, u64 control)
{
    switch (n) {
        SET_BREAKPOINT(0) SET_BREAKPOINT(1) SET_BREAKPOINT(2) SET_BREAKPOINT(3) SET_BREAKPOINT(4) SET_BREAKPOINT(5)
    }
}

static void set_watchpoint(unsigned n, u64 address, u64 control)
{
    switch (n) {
        SET_WATCHPOINT(0) SET_WATCHPOINT(1) SET_WATCHPOINT(2) SET_WATCHPOINT(3)
    }
}

static void set_mdscr(u64 value)
{
    sysreg_write(mdscr_el1, value);
    asm volatile("isb" ::: "memory");
}

/* The OS lock is set by a reset: firmware or the first kernel clears it. */
__attribute__((noinline)) static void unlock(void)
{
    sysreg_write(osdlr_el1, 0);
    sysreg_write(oslar_el1, 0);
    asm volatile("isb" ::: "memory");
}

__attribute__((noinline)) static void first_write(void) { sysreg_write(mdscr_el1, 0); }

/* ---- handlers */

extern const char six_nops[], stepped[], stepped_end[], stepped_el0[], loop_body[2][8];

void el1_sync(struct frame *frame)
{
    switch (esr_class(frame->esr)) {
    case EC_BREAKPOINT:
        hits[this_vcpu()]++;
        note(frame->elr - (u64)six_nops);
        frame->elr += 4;
        break;
    case EC_WATCHPOINT:
        note(frame->far << 1 | (frame->esr >> 6 & 1));
        frame->elr += 4;
        break;
    case EC_STEP:
        if (frame->elr < (u64)stepped_end)
            note(frame->elr - (u64)stepped);
        frame->spsr |= SPSR_SS;
        break;
    default:
        unexpected(frame);
    }
}

void el0_sync(struct frame *frame)
{
    switch (esr_class(frame->esr)) {
    case EC_STEP_EL0:
        note(frame->elr - (u64)stepped_el0);
        frame->spsr |= SPSR_SS;
        break;
    case EC_SVC:
        if (esr_fault_status(frame->esr) == 1) { /* SVC #1 ends */
            frame->elr = resume;
            frame->spsr = SPSR_EL1H | SPSR_DAIF;
        }
        break;
    default:
        unexpected(frame);
    }
}

void el1_irq(struct frame *frame) { unexpected(frame); }

/* ---- what is debugged */

asm(".text\n.balign 64\n"
    "six_nops: nop\n nop\n nop\n nop\n nop\n nop\n ret\n"
    "step_here: msr daifclr, #8\n"
    "stepped: mov x1, #2\n 1: sub x1, x1, #1\n cbnz x1, 1b\n msr daifset, #8\n"
    "stepped_end: ret\n"
    "stepped_el0: nop\n svc #0\n mrs x1, tpidr_el0\n svc #1\n b .\n"
    "loop_body: nop\n ret\n nop\n ret\n");

static void run(const char *code) { ((void (*)(void))code)(); }

static void say(const char *what)
{
    uart_puts("self_debug: ");
    uart_puts(what);
}

static void say_log(const char *what)
{
    say(what);
    for (unsigned i = 0; i < events; i++) {
        uart_puts(" +");
        uart_decimal(log[i]);
    }
    uart_puts("\n");
    events = 0;
}

#define UNMASKED(code) asm volatile("msr daifclr, #8\n\tisb" ::: "memory"); code; asm volatile("msr daifset, #8" ::: "memory")

__attribute__((noinline)) static void test_breakpoints(void)
{
    for (unsigned n = 0; n < 6; n++)
        set_breakpoint(n, (u64)six_nops + 4 * n, WHOLE_INSTRUCTION | ENABLE_EL1);
    set_mdscr(MDSCR_MDE | MDSCR_KDE);
    UNMASKED(run(six_nops));
    set_mdscr(0);
    run(six_nops);
    for (unsigned n = 0; n < 6; n++)
        set_breakpoint(n, 0, 0);
}

static u64 watched[8] __attribute__((aligned(64)));

__attribute__((noinline)) static void test_watchpoints(void)
{
    volatile u64 *words = watched;
    volatile u8 *bytes = (volatile u8 *)watched;

    set_watchpoint(0, (u64)(words + 0), BYTES(0xff) | LOADS | ENABLE_EL1);
    set_watchpoint(1, (u64)(words + 1), BYTES(0xff) | STORES | ENABLE_EL1);
    set_watchpoint(2, (u64)(words + 2), BYTES(0x02) | LOADS | STORES | ENABLE_EL1);
    set_watchpoint(3, (u64)(words + 4), 5ul << 24 | BYTES(0xff) | STORES | ENABLE_EL1); /* MASK: 32 bytes */
    set_mdscr(MDSCR_MDE | MDSCR_KDE);
    UNMASKED({
        words[0] = 1; /* a store: not watched */
        (void)words[0];
        (void)words[1];
        words[1] = 2;
        (void)bytes[16];
        (void)bytes[17];
        bytes[17] = 3;
        words[3] = 4;
        words[6] = 5;
    });
    set_mdscr(0);
    for (unsigned i = 0; i < events; i++)
        log[i] = (log[i] & 1) * 1000 + (log[i] >> 1) - (u64)watched; /* 1000 marks a store */
    for (unsigned n = 0; n < 4; n++)
        set_watchpoint(n, 0, 0);
}

__attribute__((noinline)) static void test_steps(void)
{
    set_mdscr(MDSCR_SS | MDSCR_KDE);
    asm volatile("bl step_here" ::: "x1", "x30", "memory");
    set_mdscr(0);
}

__attribute__((noinline)) static void test_steps_of_el0(void)
{
    set_mdscr(MDSCR_SS);
    asm volatile("adr x2, 1f\n\tstr x2, [%2]\n\tmsr elr_el1, %0\n\tmsr spsr_el1, %1\n\teret\n1:"
                 :
                 : "r"(stepped_el0), "r"(SPSR_SS), "r"(&resume)
                 : "x1", "x2", "memory");
    set_mdscr(0);
}

/* Each vCPU has breakpoint 0 in a loop of its own. */
__attribute__((noinline)) static void count(u64 me)
{
    events = MOST;
    set_breakpoint(0, (u64)loop_body[me], WHOLE_INSTRUCTION | ENABLE_EL1);
    set_mdscr(MDSCR_MDE | MDSCR_KDE);
    while (!counting)
        ;
    UNMASKED(for (unsigned i = 0; i < TURNS; i++) run(loop_body[me]));
    set_mdscr(0);
    done[me] = 1;
}

void secondary_main(void)
{
    unlock();
    counting = 1;
    count(1);
}

int main(void)
{
    unlock();
    first_write();
    const u64 id = sysreg_read(id_aa64dfr0_el1);
    say("");
    uart_decimal((id >> 12 & 15) + 1);
    uart_puts(" breakpoints, ");
    uart_decimal((id >> 20 & 15) + 1);
    uart_puts(" watchpoints\n");
    test_breakpoints();
    say_log("breakpoints at");
    test_watchpoints();
    say_log("watchpoints at");
    test_steps();
    say_log("steps at");
    test_steps_of_el0();
    say_log("steps of EL0 at");

    if (psci_call(PSCI_CPU_ON, 1, (u64)secondary_start, 0) == 0) {
        hits[0] = 0;
        count(0);
        while (!done[1])
            asm volatile("yield");
        say("two vCPUs hit ");
        uart_decimal(hits[0]);
        uart_puts(" and ");
        uart_decimal(hits[1]);
        uart_puts("\n");
    }
    uart_puts("self_debug ok\n");
    return 0;
}
