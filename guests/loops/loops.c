/*
 * loops: loops to measure an engine's speed with, and at the same time a test: the checksum must be the same everywhere.
 *
 *   int    16 integer instructions, hot           18 instructions for each unit of work
 *   mem    loads and stores over 64 KiB           30,724
 *   call   nested calls with stack frames         23 or 24
 *   cold   65,536 instructions, each once         65,539
 *
 * Bootargs choose: "loop=int work=1000000". Without them, the variables loop_name and loop_work count, which a debugger or
 * a loader may patch before the guest starts.
 */
#include "fdt.h"
#include "mmu.h"
#include "types.h"
#include "uart.h"

typedef u64 loop(u64 work);
loop loop_int, loop_mem, loop_call, loop_cold;

char loop_name[8] = "int";
u64 loop_work = 1000;

static const struct {
    const char *name;
    loop *run;
} loops[] = {{"int", loop_int}, {"mem", loop_mem}, {"call", loop_call}, {"cold", loop_cold}};

/* Breakpoints here see the measured part begin and end. */
__attribute__((noinline)) static void loop_start(u64 work)
{
    uart_puts("loops: ");
    uart_puts(loop_name);
    uart_puts(", work ");
    uart_decimal(work);
    uart_puts("\n");
}

__attribute__((noinline)) static void loop_end(u64 checksum)
{
    uart_puts("loops: done, checksum ");
    uart_hex(checksum);
    uart_puts("\n");
}

static u64 number(const char *digits)
{
    u64 value = 0;

    while (*digits >= '0' && *digits <= '9')
        value = value * 10 + (*digits++ - '0');
    return value;
}

int main(void)
{
    char work[24];
    unsigned i;

    if (bootargs_word("work=", work, sizeof(work)))
        loop_work = number(work);
    bootargs_word("loop=", loop_name, sizeof(loop_name));
    mmu_build_table();
    mmu_on();
    for (i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
        if (text_equals(loop_name, loops[i].name) && loop_work) {
            loop_start(loop_work);
            loop_end(loops[i].run(loop_work));
            return 0;
        }
    uart_puts("loops: no such loop, or no work\n");
    return 1;
}
