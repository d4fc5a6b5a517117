/* The console. See uart.c. */
#pragma once
#include "types.h"

void uart_putc(char c);
void uart_puts(const char *text);
void uart_hex(u64 value);     /* 0x1f */
void uart_decimal(u64 value); /* 31 */
