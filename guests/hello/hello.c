/*
 * hello: the smallest guest. It proves that the machine starts an image at EL1, that the console works, and that PSCI
 * SYSTEM_OFF ends the run (start.S calls it when main() returns).
 *
 * Under gdbhv it causes two kinds of exits: stage 2 data aborts for the console, and one HVC. At EL2 it runs too.
 */
#include "types.h"
#include "uart.h"

int main(void)
{
    uart_puts("hello from EL");
    uart_decimal(sysreg_read(CurrentEL) >> 2);
    uart_puts("\n");
    return 0;
}
