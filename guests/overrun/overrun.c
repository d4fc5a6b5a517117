/*
 * overrun: a program that dies of a store made long before: a name that is too long for its buffer runs over the pointer
 * to a function behind it, and 40,000 rounds of other work later somebody calls that.
 *
 *   1. three devices get a function to do their work, and a name                             add()
 *   2. the name of the last one is longer than its buffer: the copy writes over `work`       copy_name()
 *   3. the first two devices work, round after round                                         main()
 *   4. the third has something to do: a branch to an address that is text                    main()
 *   5. instruction abort; the handler says what it knows, which is not who did it            el1_sync()
 *
 * `scripts/sessions/back_to_store.py` goes from the panic back to the store.
 */
#include "exception.h"
#include "psci.h"
#include "types.h"
#include "uart.h"

#define ROUNDS 40000

struct device {
    char name[16];
    void (*work)(u64 round);
};

static struct device devices[4];
static volatile u64 done;

static void count(u64 round) { done += round & 1; }
static void mix(u64 round) { done ^= round << 7; }

/* The defect: nothing looks at how long the buffer is. */
__attribute__((noinline)) static void copy_name(char *to, const char *from)
{
    while ((*to++ = *from++))
        ;
}

__attribute__((noinline)) static void add(struct device *device, const char *name, void (*work)(u64))
{
    device->work = work;
    copy_name(device->name, name);
}

void el1_sync(struct frame *frame)
{
    uart_puts("overrun: panic: ESR ");
    uart_hex(frame->esr);
    uart_puts(", branch to ");
    uart_hex(frame->elr);
    uart_puts("\n");
    power_off();
}

int main(void)
{
    add(&devices[0], "counter", count);
    add(&devices[1], "mixer", mix);
    add(&devices[2], "secondary controller of CPU 0", mix);
    uart_puts("overrun: three devices\n");
    for (u64 round = 0; round < ROUNDS; round++)
        devices[round & 1].work(round);
    devices[2].work(ROUNDS);
    return 0;
}
