/*
 * GICv3, as much as a small guest needs: affinity routing, everything in group 1, priorities as they are after reset.
 * Interrupt numbers (INTID): SGI 0..15, PPI 16..31 (private to a vCPU), SPI from 32.
 * Under a hypervisor the distributor and redistributor are emulated (each access below is an exit), while the ICC_*
 * registers are the virtual CPU interface and cause none, except ICC_SGI1R_EL1.
 */
#pragma once
#include "types.h"

#define GICD_CTLR 0x08000000ul
#define GICD_IGROUPR 0x08000080ul
#define GICD_ISENABLER 0x08000100ul
#define GICD_IROUTER 0x08006000ul
#define GICR_BASE(cpu) (0x080a0000ul + (cpu) * 0x20000ul)
#define GICR_WAKER 0x14
#define GICR_IGROUPR0 0x10080
#define GICR_ISENABLER0 0x10100

#define GICD_CTLR_ARE_AND_GROUPS 0x13u
#define WAKER_PROCESSOR_SLEEP (1u << 1)
#define WAKER_CHILDREN_ASLEEP (1u << 2)

#define INTID_VIRTUAL_TIMER 27
#define INTID_NONE 1023

static __attribute__((unused)) void gic_init_distributor(void)
{
    write32(GICD_CTLR, GICD_CTLR_ARE_AND_GROUPS);
}

static __attribute__((unused)) void gic_init_vcpu(u64 cpu)
{
    const u64 redistributor = GICR_BASE(cpu);

    write32(redistributor + GICR_WAKER, read32(redistributor + GICR_WAKER) & ~WAKER_PROCESSOR_SLEEP);
    while (read32(redistributor + GICR_WAKER) & WAKER_CHILDREN_ASLEEP)
        ;
    write32(redistributor + GICR_IGROUPR0, ~0u);
    sysreg_write(icc_sre_el1, 1);
    sysreg_write(icc_pmr_el1, 0xff);
    sysreg_write(icc_igrpen1_el1, 1);
}

/* An SGI or PPI of this vCPU. */
static __attribute__((unused)) void gic_enable_private(u64 cpu, u32 intid)
{
    write32(GICR_BASE(cpu) + GICR_ISENABLER0, 1u << intid);
}

/* An SPI, to be delivered to vCPU 0. */
static __attribute__((unused)) void gic_enable_shared(u32 intid)
{
    write32(GICD_IGROUPR + intid / 32 * 4, ~0u);
    write64(GICD_IROUTER + intid * 8ul, 0);
    write32(GICD_ISENABLER + intid / 32 * 4, 1u << intid % 32);
}

/* ICC_SGI1R_EL1: INTID in 27:24, target list (Aff0 = 0..15) in 15:0. */
static __attribute__((unused)) void gic_send_sgi(u64 cpu, u64 intid)
{
    asm volatile("dsb ishst" ::: "memory");
    sysreg_write(icc_sgi1r_el1, intid << 24 | 1ul << cpu);
}

static inline u32 gic_acknowledge(void) { return sysreg_read(icc_iar1_el1) & 0xffffff; }
static inline void gic_end(u32 intid) { sysreg_write(icc_eoir1_el1, intid); }
