/*
 * What happens to an exception for which a guest has no handler of its own: say it, and power off. A guest takes over
 * by defining el1_sync(), el1_irq() or el0_sync() itself.
 */
#include "exception.h"
#include "psci.h"
#include "uart.h"

void unexpected(struct frame *frame)
{
    uart_puts("unexpected exception: ESR ");
    uart_hex(frame->esr);
    uart_puts(" ELR ");
    uart_hex(frame->elr);
    uart_puts(" FAR ");
    uart_hex(frame->far);
    uart_puts("\n");
    power_off();
}

void el1_sync(struct frame *frame) __attribute__((weak, alias("unexpected")));
void el1_irq(struct frame *frame) __attribute__((weak, alias("unexpected")));
void el0_sync(struct frame *frame) __attribute__((weak, alias("unexpected")));
