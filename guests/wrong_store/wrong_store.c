/*
 * wrong_store: the journey of one wrong store, from the instruction to the handler that survives it.
 *
 *   1. the guest stores to an address where there is neither memory nor a device            wrong_store()
 *   2. stage 2 has no mapping: exit to EL2, a data abort (translation fault, write, ISV = 1)
 *   3. the hypervisor decides: no memory slot, no device, so this is the guest's own error
 *   4. it injects a synchronous external abort: it sets the guest's ESR_EL1, FAR_EL1, ELR_EL1, SPSR_EL1 and PC as
 *      the CPU would have, had the bus of a real machine refused the store
 *   5. the guest's own handler runs, as on hardware; here it looks, skips the store and goes on     el1_sync()
 *
 * There is one exit for the store, and none for what the guest does about it. Without a hypervisor the board refuses the
 * store itself: the guest sees the same.
 */
#include "exception.h"
#include "types.h"
#include "uart.h"

#define NOTHING_THERE 0x0b000000ul

static volatile unsigned aborts_seen;

/* In assembly, so that a debugger's breakpoint is at the store itself. */
void wrong_store(u64 address, u32 value);
asm(".text\n"
    ".global wrong_store\n"
    ".type wrong_store, %function\n"
    "wrong_store:\n"
    "    str w1, [x0]\n"
    "    ret\n"
    ".size wrong_store, . - wrong_store\n");

void el1_sync(struct frame *frame)
{
    if (esr_class(frame->esr) != EC_DATA_ABORT || esr_fault_status(frame->esr) != FAULT_EXTERNAL_ABORT)
        unexpected(frame);
    aborts_seen++;
    uart_puts("  EL1 handler: external abort, ESR ");
    uart_hex(frame->esr);
    uart_puts(" FAR ");
    uart_hex(frame->far);
    uart_puts(frame->elr == (u64)wrong_store ? " at the store; skipping it\n" : " somewhere else\n");
    frame->elr += 4;
}

int main(void)
{
    uart_puts("wrong_store: storing to ");
    uart_hex(NOTHING_THERE);
    uart_puts("\n");
    wrong_store(NOTHING_THERE, 0x1badb002);
    uart_puts(aborts_seen == 1 ? "wrong_store ok\n" : "wrong_store failed: no abort came\n");
    return 0;
}
