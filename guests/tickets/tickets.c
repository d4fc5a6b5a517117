/*
 * tickets: two vCPUs draw tickets from one counter, each of which must be given once. It has a mistake, which an ordinary run
 * does not meet: `next_ticket` does not look whether its store-exclusive has failed. A turn of the other vCPU between load
 * and store, or a monitor that was cleared for no reason (Arm ARM B2.17 allows it at any time), gives a ticket twice.
 *
 * `gdbhv hunt` finds a seed of chaos that shows it. Exits, besides the console's: HVC (CPU_ON, CPU_OFF, SYSTEM_OFF).
 */
#include "mmu.h"
#include "psci.h"
#include "types.h"
#include "uart.h"

#define EACH 20  /* tickets that a vCPU draws */
#define WORK 40  /* what it does with one: rounds of a loop */

static u64 tickets;                  /* given so far */
static volatile u8 given[2 * EACH + 1];
static volatile u64 done[2];         /* vCPUs that have drawn all theirs */

__attribute__((noinline)) static u64 next_ticket(void)
{
    u64 ticket;
    u32 failed;

    asm volatile("    ldxr %0, [%2]\n"
                 "    add  %0, %0, #1\n"
                 "    stxr %w1, %0, [%2]\n" /* the mistake: nobody looks at %w1 */
                 : "=&r"(ticket), "=&r"(failed)
                 : "r"(&tickets)
                 : "memory");
    return ticket;
}

static void draw(u64 vcpu)
{
    unsigned i;
    volatile unsigned work;

    for (i = 0; i < EACH; i++) {
        given[next_ticket()]++;
        for (work = 0; work < WORK; work++)
            ;
    }
    asm volatile("dmb ish" ::: "memory");
    done[vcpu] = 1;
}

/* vCPU 1, from CPU_ON to CPU_OFF. */
void secondary_main(void)
{
    mmu_on();
    draw(1);
}

/* vCPU 0. */
int main(void)
{
    unsigned ticket;

    mmu_build_table();
    mmu_on();
    if (psci_call(PSCI_CPU_ON, 1, (u64)secondary_start, 0)) {
        uart_puts("tickets: no second vCPU\n");
        return 1;
    }
    draw(0);
    while (!done[1])
        asm volatile("yield");
    for (ticket = 1; ticket <= 2 * EACH; ticket++) {
        if (given[ticket] == 1)
            continue;
        uart_puts("tickets: number ");
        uart_decimal(ticket);
        uart_puts(" was given to ");
        uart_decimal(given[ticket]);
        uart_puts("\n");
        return 1;
    }
    uart_puts("tickets: each was given once\n");
    return 0;
}
