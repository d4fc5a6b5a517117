/*
 * The console: a PL011 at 0x09000000, polled. Under a hypervisor each byte costs two exits (one read of the flag register,
 * one write of the data register), each a stage 2 data abort with ISV = 1.
 */
#include "uart.h"

#define UART_DR 0x09000000ul   /* data */
#define UART_FR 0x09000018ul   /* flags */
#define UART_FR_TXFF (1u << 5) /* transmit FIFO full */

void uart_putc(char c)
{
    while (read32(UART_FR) & UART_FR_TXFF)
        ;
    write32(UART_DR, (u8)c);
}

void uart_puts(const char *text)
{
    while (*text)
        uart_putc(*text++);
}

void uart_hex(u64 value)
{
    int shift = 60;

    while (shift > 0 && !(value >> shift))
        shift -= 4;
    uart_puts("0x");
    for (; shift >= 0; shift -= 4)
        uart_putc("0123456789abcdef"[value >> shift & 15]);
}

void uart_decimal(u64 value)
{
    if (value >= 10)
        uart_decimal(value / 10);
    uart_putc('0' + value % 10);
}
