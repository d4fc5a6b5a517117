/*
 * mmio_device: drives a device that exists only as a few lines of Python in the hypervisor. It proves that reads, writes
 * and the interrupt of an emulated device reach a guest as those of a real one would.
 *
 * The device is an adder with a doorbell, 0x1000 bytes at 0x0a004000, on SPI 48 (INTID 80, level-sensitive). All
 * registers are 32 bits wide and accessed as such; unused offsets read as zero and ignore writes.
 *
 *   offset  name      access  meaning
 *   0x00    ID        R       0x41444431 ("ADD1")
 *   0x04    A         RW      first operand, 0 at reset
 *   0x08    B         RW      second operand, 0 at reset
 *   0x0c    SUM       R       A + B modulo 2^32
 *   0x10    DOORBELL  W       any value: STATUS becomes 1 and the interrupt line is raised; RINGS counts up
 *   0x14    STATUS    R       1 while the line is raised
 *   0x18    ACK       W       any value: STATUS becomes 0 and the line is lowered
 *   0x1c    RINGS     R       how often the doorbell was rung
 *
 * Where the device is missing, reading ID is an external abort: the guest says so and ends.
 */
#include "exception.h"
#include "gic.h"
#include "types.h"
#include "uart.h"

#define ADDER 0x0a004000ul
#define ADDER_INTID 80
#define ADDER_ID 0x41444431u

enum { ID = 0x00, A = 0x04, B = 0x08, SUM = 0x0c, DOORBELL = 0x10, STATUS = 0x14, ACK = 0x18, RINGS = 0x1c };

static volatile unsigned interrupts, missing;

/* One function for each kind of access, so that a debugger can stop at it by name. */
__attribute__((noinline)) static u32 adder_read(u32 reg) { return read32(ADDER + reg); }
__attribute__((noinline)) static void adder_write(u32 reg, u32 value) { write32(ADDER + reg, value); }

void el1_sync(struct frame *frame)
{
    if (esr_class(frame->esr) != EC_DATA_ABORT || frame->far != ADDER + ID)
        unexpected(frame);
    missing = 1;
    frame->elr += 4;
}

void el1_irq(struct frame *frame)
{
    const u32 intid = gic_acknowledge();

    if (intid == INTID_NONE) /* gone before we looked */
        return;
    if (intid != ADDER_INTID || adder_read(STATUS) != 1)
        unexpected(frame);
    interrupts++;
    adder_write(ACK, 1);
    gic_end(intid);
}

static void ring_and_wait(unsigned times)
{
    irq_disable(); /* WFI wakes up for a masked interrupt too: none is lost between the test and the wait */
    while (interrupts < times) {
        adder_write(DOORBELL, times);
        asm volatile("wfi");
        irq_enable();
        irq_disable();
    }
    irq_enable();
}

static void show(const char *text, u64 value)
{
    uart_puts(text);
    uart_decimal(value);
    uart_puts("\n");
}

int main(void)
{
    const u32 id = adder_read(ID);

    if (missing || id != ADDER_ID) {
        uart_puts("mmio_device: there is no adder here\n");
        return 0;
    }
    uart_puts("mmio_device: found the adder\n");
    adder_write(A, 1200);
    adder_write(B, 34);
    show("mmio_device: 1200 + 34 = ", adder_read(SUM));

    gic_init_distributor();
    gic_init_vcpu(0);
    gic_enable_shared(ADDER_INTID);
    irq_enable();
    ring_and_wait(1);
    ring_and_wait(2);
    show("mmio_device: rings ", adder_read(RINGS));
    show("mmio_device: interrupts ", interrupts);
    uart_puts("mmio_device ok\n");
    return 0;
}
