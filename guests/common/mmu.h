/*
 * Stage 1 for a guest, as small as it can be: 39-bit virtual addresses, 4 KiB granule, and one level 1 table whose
 * entries map 1 GiB each (Arm ARM D8.3, "Translation table descriptor formats").
 *
 *     VA 0x00000000..  entry 0   devices, at the same address          Device-nGnRE, never executed
 *     VA 0x40000000..  entry 1   RAM, at the same address              Normal write-back
 *     VA 0x80000000..  entry 2   the same RAM once more ("the alias")  so that a VA may differ from its IPA
 *     from 0xc0000000            nothing; a guest may add entries
 *
 * Without it all memory is Device: exclusives (spin-locks) need not work there.
 */
#pragma once
#include "types.h"

#define ALIAS 0x40000000ul /* VA = IPA + ALIAS */

#define DESC_BLOCK 0x1ul
#define DESC_TABLE 0x3ul
#define DESC_ATTR(n) ((u64)(n) << 2)       /* index into MAIR_EL1 */
#define DESC_INNER_SHAREABLE (3ul << 8)
#define DESC_ACCESSED (1ul << 10)
#define DESC_NEVER_EXECUTE (3ul << 53)     /* PXN and UXN */

#define MAIR_DEVICE_THEN_NORMAL 0xff04ul   /* attribute 0: Device-nGnRE, 1: Normal write-back */
#define TCR_T0SZ_39_BITS 25ul
#define TCR_WALKS_CACHED (1ul << 8 | 1ul << 10 | 3ul << 12) /* IRGN0, ORGN0 write-back; SH0 inner shareable */
#define TCR_NO_TTBR1 (1ul << 23)           /* EPD1 */
#define TCR_IPA_40_BITS (2ul << 32)
#define SCTLR_M_C_I (1ul << 0 | 1ul << 2 | 1ul << 12)

static u64 stage1_table[512] __attribute__((aligned(4096)));

static __attribute__((unused)) void mmu_build_table(void)
{
    const u64 ram = DESC_BLOCK | DESC_ATTR(1) | DESC_INNER_SHAREABLE | DESC_ACCESSED;

    stage1_table[0] = DESC_BLOCK | DESC_ATTR(0) | DESC_ACCESSED | DESC_NEVER_EXECUTE;
    stage1_table[1] = 0x40000000ul | ram;
    stage1_table[2] = 0x40000000ul | ram;
}

/* Each vCPU calls this for itself, after one has built the table. */
static __attribute__((unused)) void mmu_on(void)
{
    sysreg_write(mair_el1, MAIR_DEVICE_THEN_NORMAL);
    sysreg_write(tcr_el1, TCR_T0SZ_39_BITS | TCR_WALKS_CACHED | TCR_NO_TTBR1 | TCR_IPA_40_BITS);
    sysreg_write(ttbr0_el1, (u64)stage1_table);
    asm volatile("dsb ish\n\ttlbi vmalle1\n\tdsb ish\n\tisb" ::: "memory");
    sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | SCTLR_M_C_I);
}
