/*
 * One UART, and two guests who have one each. What a guest writes is gathered until its line is complete; a line goes out
 * whole, with the VM's name in front. Next: guest.c, the other side of all this.
 */
#include "type1.h"

#define UART 0x09000000ul /* the board's own, which firmware has set up */

void uart_print(const char *text)
{
    for (; *text; text++) {
        while (read32(UART + UARTFR) & UARTFR_TXFF)
            ;
        write32(UART + UARTDR, (u8)*text);
    }
}

/* It can take more: the guests whose lines were on their way hear it from their UARTs. */
void uart_interrupt(void)
{
    write32(UART + UARTIMSC, 0);
    write32(UART + UARTICR, UART_INT_TX);
    for (struct vm *vm = vms; vm < vms + VMS; vm++) {
        if (!vm->uart.busy)
            continue;
        vm->uart.busy = 0;
        if (vm->uart.enabled & UART_INT_TX)
            vgic_post(vcpu_of(vm, 0), VIRQ_UART);
    }
}

static void gather(struct vm *vm, char c)
{
    struct uart *u = &vm->uart;

    u->line[u->length++] = c;
    if (c != '\n' && u->length < (int)sizeof u->line - 1)
        return;
    u->line[u->length] = 0;
    uart_print(vm->name);
    uart_print(": ");
    uart_print(u->line);
    u->length = 0;
    u->busy = 1;
    write32(UART + UARTIMSC, UART_INT_TX); /* uart_interrupt() comes when it is through */
}

/* A guest's load or store, as exits.c has it from the data abort. */

u32 uart_read(struct vm *vm, u64 offset)
{
    switch (offset) {
    case UARTFR: return vm->uart.busy ? UARTFR_TXFF : UARTFR_TXFE;
    case UARTIMSC: return vm->uart.enabled;
    default: return 0;
    }
}

void uart_write(struct vm *vm, u64 offset, u32 value)
{
    if (offset == UARTDR)
        gather(vm, (char)value);
    else if (offset == UARTIMSC)
        vm->uart.enabled = value;
    /* UARTICR clears what was told: there is nothing to do, the list register has told it once. */
}
