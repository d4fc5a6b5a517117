/* What the topics about GICv3 share: registers, the interrupts that they use, a clean Distributor. Included by one topic each. */
#pragma once
#include "system.h"
#pragma GCC diagnostic ignored "-Wunused-function"

#define GICD 0x08000000ul
#define GICR(cpu) (0x080a0000ul + 0x20000ul * (cpu))
#define SGI_BASE(cpu) (GICR(cpu) + 0x10000)

#define IGROUPR 0x080
#define ISENABLER 0x100
#define ICENABLER 0x180
#define ISPENDR 0x200
#define ICPENDR 0x280
#define ISACTIVER 0x300
#define ICACTIVER 0x380
#define IPRIORITYR 0x400
#define ICFGR 0xc00
#define IROUTER 0x6000

#define NONE 1023
#define MAINTENANCE 25
/* SPIs without a device on either board; the clock's alarm is SPI 2. */
#define SPI_A 200u
#define SPI_B 201u
#define ALARM 34u

#define ICH_AP0R0_EL2 S3_4_C12_C8_0
#define ICH_AP1R0_EL2 S3_4_C12_C9_0
#define ICH_HCR_EL2 S3_4_C12_C11_0
#define ICH_VTR_EL2 S3_4_C12_C11_1
#define ICH_MISR_EL2 S3_4_C12_C11_2
#define ICH_EISR_EL2 S3_4_C12_C11_3
#define ICH_ELRSR_EL2 S3_4_C12_C11_5
#define ICH_VMCR_EL2 S3_4_C12_C11_7
#define ICH_LR0_EL2 S3_4_C12_C12_0
#define ICH_LR1_EL2 S3_4_C12_C12_1
#define READ_(name) sysreg_read(name)
#define WRITE_(name, value) sysreg_write(name, value)

#define LR_PENDING (1ul << 62)
#define LR_ACTIVE (2ul << 62)
#define LR_HW (1ul << 61)
#define LR_GROUP1 (1ul << 60)
#define LR_EOI (1ul << 41)
#define LR_PRIORITY(p) ((u64)(p) << 48)

static void dsb(void) { asm volatile("dsb sy" ::: "memory"); }
static u8 read8(u64 address)
{
    u32 value;
    asm volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}
static void write8(u64 address, u32 value) { asm volatile("strb %w0, [%1]" : : "r"(value), "r"(address) : "memory"); }
static u64 read64(u64 address)
{
    u64 value;
    asm volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

/* The frame of an INTID, private ones of the CPU that calls. */
static u64 frame(u32 intid) { return intid < 32 ? SGI_BASE(this_cpu()) : GICD; }
static u64 bit_at(u32 intid, u64 base) { return frame(intid) + base + intid / 32 * 4; }
static int get(u32 intid, u64 base) { return read32(bit_at(intid, base)) >> intid % 32 & 1; }
static void set(u32 intid, u64 base)
{
    write32(bit_at(intid, base), 1u << intid % 32);
    dsb();
}
static void group(u32 intid, int one)
{
    const u32 old = read32(bit_at(intid, IGROUPR)), bit = 1u << intid % 32;

    write32(bit_at(intid, IGROUPR), one ? old | bit : old & ~bit);
    dsb();
}
static void priority(u32 intid, u32 value)
{
    write8(frame(intid) + IPRIORITYR + intid, value);
    dsb();
}
static void edge(u32 intid, int on)
{
    const u64 at = frame(intid) + ICFGR + intid / 16 * 4;
    const u32 bit = 2u << intid % 16 * 2;

    write32(at, on ? read32(at) | bit : read32(at) & ~bit);
    dsb();
}
static void route(u32 intid, u64 to)
{
    write64(GICD + IROUTER + 8ul * intid, to);
    dsb();
}

static void interface_on(void)
{
    sysreg_write(icc_pmr_el1, 0xff);
    sysreg_write(icc_igrpen0_el1, 1);
    sysreg_write(icc_igrpen1_el1, 1);
}

static void wake(u64 cpu)
{
    write32(GICR(cpu) + 0x14, 0);
    while (read32(GICR(cpu) + 0x14) & 4)
        ;
}

/* The interrupts that cases use: inactive, not pending, off; Distributor and interface on. */
static void gic_clean(void)
{
    static const u32 used[] = {0, 1, 2, 3, MAINTENANCE, 27, SPI_A, SPI_B, ALARM};

    write32(GICD, 3);
    wake(this_cpu());
    for (unsigned i = 0; i < sizeof used / sizeof *used; i++) {
        set(used[i], ICENABLER);
        set(used[i], ICPENDR);
        set(used[i], ICACTIVER);
        group(used[i], 1);
        priority(used[i], 0xa0);
        if (used[i] >= 32)
            route(used[i], this_cpu());
    }
    edge(SPI_A, 1);
    edge(SPI_B, 1);
    sysreg_write(icc_ap0r0_el1, 0);
    sysreg_write(icc_ap1r0_el1, 0);
    interface_on();
}

static void ready(u32 intid, u32 level)
{
    priority(intid, level);
    set(intid, ISENABLER);
}

static u64 take(void)
{
    dsb();
    const u64 intid = sysreg_read(icc_iar1_el1);

    if (intid < 1020)
        sysreg_write(icc_eoir1_el1, intid);
    return intid;
}
static u64 signalled(void)
{
    dsb();
    return sysreg_read(isr_el1) & (PSTATE_I | PSTATE_F);
}

/* The second CPU: interface on, then what it is signalled. */
static void take_to(u64 address)
{
    wake(this_cpu());
    interface_on();
    *(volatile u64 *)address = take();
}
static u64 take_on_second(void)
{
    start_second(take_to, ARENA);
    wait_second();
    return *(volatile u64 *)ARENA;
}
