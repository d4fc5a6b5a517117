/*
 * two_vcpus: one VM with two vCPUs that take turns by SGI and share a counter under a spin-lock. It proves PSCI CPU_ON,
 * interrupts from vCPU to vCPU, exclusives between CPUs, and, run twice as two VMs, that VMs do not see each other.
 *
 * Each console line begins with the VM's name, the word after "name=" in the bootargs ("vm" without).
 *
 * Exits, besides the console's: HVC (CPU_ON, CPU_OFF, SYSTEM_OFF), GICD and GICR accesses, a write of ICC_SGI1R_EL1 for each
 * turn, WFI for each wait, and WFE if one vCPU lost its time slice while it held the lock.
 */
#include "exception.h"
#include "fdt.h"
#include "gic.h"
#include "mmu.h"
#include "psci.h"
#include "types.h"
#include "uart.h"

#define SGI_YOUR_TURN 1
#define ROUNDS 3
#define INCREMENTS 1000

static char name[16] = "vm";
static volatile u64 turns[2];  /* how many each vCPU has been given */
static volatile u64 counter;   /* under counter_lock */
static u32 counter_lock;

static u64 this_vcpu(void) { return sysreg_read(mpidr_el1) & 0xff; }

/* "NAME: vCPU 0 ping 2" */
static void say(const char *event, u64 number)
{
    uart_puts(name);
    uart_puts(": vCPU ");
    uart_decimal(this_vcpu());
    uart_puts(event);
    uart_decimal(number);
    uart_puts("\n");
}

/* 0 is free. WFE sleeps until the holder's store-release clears the exclusive monitor. */
__attribute__((noinline)) static void lock(u32 *word)
{
    u32 value, failed;

    asm volatile("    sevl\n"
                 "1:  wfe\n"
                 "2:  ldaxr %w0, [%2]\n"
                 "    cbnz  %w0, 1b\n"
                 "    stxr  %w1, %w3, [%2]\n"
                 "    cbnz  %w1, 2b\n"
                 : "=&r"(value), "=&r"(failed)
                 : "r"(word), "r"(1)
                 : "memory");
}

__attribute__((noinline)) static void unlock(u32 *word)
{
    asm volatile("stlr wzr, [%0]" : : "r"(word) : "memory");
}

void el1_irq(struct frame *frame)
{
    const u32 intid = gic_acknowledge();

    if (intid == INTID_NONE)
        return;
    if (intid != SGI_YOUR_TURN)
        unexpected(frame);
    turns[this_vcpu()]++;
    gic_end(intid);
}

static void give_turn(u64 to) { gic_send_sgi(to, SGI_YOUR_TURN); }

__attribute__((noinline)) static void wait_for_turn(u64 number)
{
    irq_disable(); /* WFI wakes up for a masked interrupt too: none is lost between the test and the wait */
    while (turns[this_vcpu()] < number) {
        asm volatile("wfi");
        irq_enable();
        irq_disable();
    }
    irq_enable();
}

static void increment_together(void)
{
    unsigned i;

    for (i = 0; i < INCREMENTS; i++) {
        lock(&counter_lock);
        counter++;
        unlock(&counter_lock);
    }
}

static void join(void)
{
    mmu_on();
    gic_init_vcpu(this_vcpu());
    gic_enable_private(this_vcpu(), SGI_YOUR_TURN);
    irq_enable();
}

/* vCPU 1, from CPU_ON to CPU_OFF. */
void secondary_main(void)
{
    u64 round;

    join();
    say(" is up, turns ", turns[1]);
    give_turn(0);
    for (round = 1; round <= ROUNDS; round++) {
        wait_for_turn(round);
        say(" pong ", round);
        give_turn(0);
    }
    increment_together();
}

/* vCPU 0. */
int main(void)
{
    u64 round, refused;

    bootargs_word("name=", name, sizeof(name));
    mmu_build_table();
    gic_init_distributor();
    join();
    refused = psci_call(PSCI_CPU_ON, 1, (u64)secondary_start, 0);
    if (refused) {
        say(" cannot start another, CPU_ON says -", -refused);
        return 1;
    }
    wait_for_turn(1);
    for (round = 1; round <= ROUNDS; round++) {
        say(" ping ", round);
        give_turn(1);
        wait_for_turn(1 + round);
    }
    increment_together();
    while (counter < 2 * INCREMENTS) /* no SGI here: two of them in a row may become one */
        asm volatile("yield");
    say(" counts ", counter);
    uart_puts(name);
    uart_puts(" ok\n");
    return 0;
}
