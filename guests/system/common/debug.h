/* Self-hosted debug: what its topics (debug_*.c) share. */
#pragma once
#include "system.h"

#define DBGBVR(n) SYSREG(2, 0, 0, n, 4)
#define DBGBCR(n) SYSREG(2, 0, 0, n, 5)
#define DBGWVR(n) SYSREG(2, 0, 0, n, 6)
#define DBGWCR(n) SYSREG(2, 0, 0, n, 7)
#define CONTEXTIDR_EL2 SYSREG(3, 4, 13, 0, 1)
#define BREAKPOINTS 6
#define WATCHPOINTS 4
#define CONTEXT 4 /* the first breakpoint that compares context */

#define MDSCR_SS (1ul << 0)
#define MDSCR_TDCC (1ul << 12)
#define MDSCR_KDE (1ul << 13)
#define MDSCR_MDE (1ul << 15)
#define MDCR_TDE (1ul << 8)
#define MDCR_TDA (1ul << 9)
#define MDCR_TDOSA (1ul << 10)
#define MDCR_TDRA (1ul << 11)
#define HCR_TID3 (1ul << 18)
#define HCR_TSC (1ul << 19)

/* DBGBCR and DBGWCR */
#define ENABLE 1ul
#define PMC(v) ((u64)(v) << 1) /* PAC too: 1 is EL1, 2 is EL0 */
#define HMC (1ul << 13)
#define SSC(v) ((u64)(v) << 14)
#define LBN(n) ((u64)(n) << 16)
#define BT(v) ((u64)(v) << 20)
#define WT (1ul << 20)
#define LSC(v) ((u64)(v) << 3)
#define BAS(v) ((u64)(v) << 5)
#define MASK(v) ((u64)(v) << 24)
#define BP_BAS (15ul << 5)
#define EVERYWHERE (ENABLE | PMC(3) | HMC)
#define LOAD LSC(1)
#define STORE LSC(2)
#define BOTH LSC(3)

#define DEBUG_EVENT 0x22ul
#define STEP_ISV (1ul << 24)
#define STEP_EX (1ul << 6)

CODE(nops, "nop\n\tnop\n\tnop\n\tnop");
CODE(brk_5, "brk #5\n\tnop");
CODE(udf, "udf #0\n\tnop");
CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");

static inline void debug_off(void)
{
    sysreg_write(mdscr_el1, 0);
    for (int i = 0; i < BREAKPOINTS; i++) {
        sysreg_set(DBGBVR(i), 0);
        sysreg_set(DBGBCR(i), 0);
    }
    for (int i = 0; i < WATCHPOINTS; i++) {
        sysreg_set(DBGWVR(i), 0);
        sysreg_set(DBGWCR(i), 0);
    }
    isb();
}

static inline void mdscr(u64 value)
{
    sysreg_write(mdscr_el1, value);
    isb();
}

static inline void mdcr(u64 bits)
{
    sysreg_write(mdcr_el2, sysreg_read(mdcr_el2) | bits);
    isb();
}

static inline void breakpoint(int n, const void *address, u64 control)
{
    sysreg_set(DBGBVR(n), (u64)address);
    sysreg_set(DBGBCR(n), control | BP_BAS);
}

static inline void watchpoint(int n, u64 address, u64 control)
{
    sysreg_set(DBGWVR(n), address);
    sysreg_set(DBGWCR(n), control);
}

static inline u64 mode_of(int el) { return el == 0 ? EL0T : el == 1 ? EL1H : EL2H; }

/* A debug exception at its own level, or from a lower one. */
static inline u64 vector_of(int el, int from) { return el == from ? CURRENT_SYNC : LOWER_SYNC; }

/* The levels of HMC, SSC and PMC without EL3, as a mask. */
static const struct level_row {
    const char *text;
    u64 control, levels;
} level_rows[] __attribute__((unused)) = {
    {"0 00 01", PMC(1), 2},
    {"0 00 10", PMC(2), 1},
    {"0 00 11", PMC(3), 3},
    {"1 00 01", HMC | PMC(1), 6},
    {"1 00 11", HMC | PMC(3), 7},
    {"1 11 00", HMC | SSC(3), 4},
};
