/*
 * What the topics about nested virtualization (nested*.c) share: where each register that EL2 alone has is found at EL1 with HCR_EL2.NV
 * ("virtual EL2"), by the accessibility pseudocode of each register and the table of VNCR_EL2 offsets (Arm ARM D8.11).
 */
#pragma once
#include "system.h"

#define HCR_NV (1ul << 42)
#define HCR_NV1 (1ul << 43)
#define HCR_AT (1ul << 44)
#define HCR_NV2 (1ul << 45)
#define HCR_TACR (1ul << 21)
#define HCR_TVM (1ul << 26)
#define HCR_TRVM (1ul << 30)
#define HCR_TSC (1ul << 19)

#define ISS_VNCR (1ul << 13)
#define VNCR_EL2 SYSREG(3, 4, 2, 2, 0)
#define HCR_EL2_REG SYSREG(3, 4, 1, 1, 0)
#define HCR_OFFSET 0x078 /* of HCR_EL2 in memory */
#define CURRENT_EL SYSREG(3, 0, 4, 2, 2)

#define VA 0x80000000ul
#define KERNEL_RW (NORMAL | D_INNER_SHAREABLE | D_AF)

enum where {
    TRAPS,     /* with NV and with NV2 */
    READ_ONLY, /* the same, but there is no MSR */
    MEMORY,    /* with NV2, whatever NV1 */
    PAIR,      /* with NV2 and NV1 = 0 (its partner of EL1 with NV1 = 1) */
    EL1S,      /* with NV2 it is the register of EL1 */
};

struct row {
    const char *name;
    u32 reg;
    enum where where;
    u32 offset; /* in memory; for EL1S that register */
    int needs;  /* 1 + the feature that brings it; 0: none */
};

#define NEEDS(feature) (1 + FEAT_##feature)

/* Names that EL2 alone has: all that a PE with these features has (RVBAR_EL2 is for the highest level). */
static const struct row el2_names[] __attribute__((unused)) = {
    {"VPIDR_EL2", SYSREG(3, 4, 0, 0, 0), MEMORY, 0x088, 0},
    {"VMPIDR_EL2", SYSREG(3, 4, 0, 0, 5), MEMORY, 0x050, 0},
    {"SCTLR_EL2", SYSREG(3, 4, 1, 0, 0), TRAPS, 0, 0},
    {"ACTLR_EL2", SYSREG(3, 4, 1, 0, 1), TRAPS, 0, 0},
    {"HCR_EL2", SYSREG(3, 4, 1, 1, 0), MEMORY, 0x078, 0},
    {"MDCR_EL2", SYSREG(3, 4, 1, 1, 1), TRAPS, 0, 0},
    {"CPTR_EL2", SYSREG(3, 4, 1, 1, 2), TRAPS, 0, 0},
    {"HSTR_EL2", SYSREG(3, 4, 1, 1, 3), MEMORY, 0x080, 0},
    {"HACR_EL2", SYSREG(3, 4, 1, 1, 7), TRAPS, 0, 0},
    {"TTBR0_EL2", SYSREG(3, 4, 2, 0, 0), TRAPS, 0, 0},
    {"TTBR1_EL2", SYSREG(3, 4, 2, 0, 1), TRAPS, 0, 0},
    {"TCR_EL2", SYSREG(3, 4, 2, 0, 2), TRAPS, 0, 0},
    {"VTTBR_EL2", SYSREG(3, 4, 2, 1, 0), MEMORY, 0x020, 0},
    {"VTCR_EL2", SYSREG(3, 4, 2, 1, 2), MEMORY, 0x040, 0},
    {"SPSR_EL2", SYSREG(3, 4, 4, 0, 0), EL1S, SYSREG(3, 0, 4, 0, 0), 0},
    {"ELR_EL2", SYSREG(3, 4, 4, 0, 1), EL1S, SYSREG(3, 0, 4, 0, 1), 0},
    {"SP_EL1", SYSREG(3, 4, 4, 1, 0), MEMORY, 0x240, 0},
    {"AFSR0_EL2", SYSREG(3, 4, 5, 1, 0), TRAPS, 0, 0},
    {"AFSR1_EL2", SYSREG(3, 4, 5, 1, 1), TRAPS, 0, 0},
    {"ESR_EL2", SYSREG(3, 4, 5, 2, 0), EL1S, SYSREG(3, 0, 5, 2, 0), 0},
    {"FAR_EL2", SYSREG(3, 4, 6, 0, 0), EL1S, SYSREG(3, 0, 6, 0, 0), 0},
    {"HPFAR_EL2", SYSREG(3, 4, 6, 0, 4), TRAPS, 0, 0},
    {"MAIR_EL2", SYSREG(3, 4, 10, 2, 0), TRAPS, 0, 0},
    {"AMAIR_EL2", SYSREG(3, 4, 10, 3, 0), TRAPS, 0, 0},
    {"VBAR_EL2", SYSREG(3, 4, 12, 0, 0), TRAPS, 0, 0},
    {"ICH_AP0R0_EL2", SYSREG(3, 4, 12, 8, 0), MEMORY, 0x480, 0},
    {"ICH_AP1R0_EL2", SYSREG(3, 4, 12, 9, 0), MEMORY, 0x4a0, 0},
    {"ICC_SRE_EL2", SYSREG(3, 4, 12, 9, 5), TRAPS, 0, 0},
    {"ICH_HCR_EL2", SYSREG(3, 4, 12, 11, 0), MEMORY, 0x4c0, 0},
    {"ICH_VTR_EL2", SYSREG(3, 4, 12, 11, 1), READ_ONLY, 0, 0},
    {"ICH_MISR_EL2", SYSREG(3, 4, 12, 11, 2), READ_ONLY, 0, 0},
    {"ICH_EISR_EL2", SYSREG(3, 4, 12, 11, 3), READ_ONLY, 0, 0},
    {"ICH_ELRSR_EL2", SYSREG(3, 4, 12, 11, 5), READ_ONLY, 0, 0},
    {"ICH_VMCR_EL2", SYSREG(3, 4, 12, 11, 7), MEMORY, 0x4c8, 0},
    {"ICH_LR0_EL2", SYSREG(3, 4, 12, 12, 0), MEMORY, 0x400, 0},
    {"ICH_LR3_EL2", SYSREG(3, 4, 12, 12, 3), MEMORY, 0x418, 0},
    {"CONTEXTIDR_EL2", SYSREG(3, 4, 13, 0, 1), TRAPS, 0, 0},
    {"TPIDR_EL2", SYSREG(3, 4, 13, 0, 2), MEMORY, 0x090, 0},
    {"CNTVOFF_EL2", SYSREG(3, 4, 14, 0, 3), MEMORY, 0x060, 0},
    {"CNTHCTL_EL2", SYSREG(3, 4, 14, 1, 0), TRAPS, 0, 0},
    {"CNTHP_TVAL_EL2", SYSREG(3, 4, 14, 2, 0), TRAPS, 0, 0},
    {"CNTHP_CTL_EL2", SYSREG(3, 4, 14, 2, 1), TRAPS, 0, 0},
    {"CNTHP_CVAL_EL2", SYSREG(3, 4, 14, 2, 2), TRAPS, 0, 0},
    {"CNTHV_TVAL_EL2", SYSREG(3, 4, 14, 3, 0), TRAPS, 0, 0},
    {"CNTHV_CTL_EL2", SYSREG(3, 4, 14, 3, 1), TRAPS, 0, 0},
    {"CNTHV_CVAL_EL2", SYSREG(3, 4, 14, 3, 2), TRAPS, 0, 0},
    {"HCRX_EL2", SYSREG(3, 4, 1, 2, 2), MEMORY, 0x0a0, NEEDS(HCX)},
    {"HFGRTR_EL2", SYSREG(3, 4, 1, 1, 4), MEMORY, 0x1b8, NEEDS(FGT)},
    {"HFGWTR_EL2", SYSREG(3, 4, 1, 1, 5), MEMORY, 0x1c0, NEEDS(FGT)},
    {"HFGITR_EL2", SYSREG(3, 4, 1, 1, 6), MEMORY, 0x1c8, NEEDS(FGT)},
    {"HDFGRTR_EL2", SYSREG(3, 4, 3, 1, 4), MEMORY, 0x1d0, NEEDS(FGT)},
    {"HDFGWTR_EL2", SYSREG(3, 4, 3, 1, 5), MEMORY, 0x1d8, NEEDS(FGT)},
    {"VDISR_EL2", SYSREG(3, 4, 12, 1, 1), MEMORY, 0x500, NEEDS(RAS)},
    {"VSESR_EL2", SYSREG(3, 4, 5, 2, 3), MEMORY, 0x508, NEEDS(RAS)},
    {"CNTPOFF_EL2", SYSREG(3, 4, 14, 0, 6), MEMORY, 0x1a8, NEEDS(ECV_POFF)},
    {"SCTLR_EL12", SYSREG(3, 5, 1, 0, 0), PAIR, 0x110, 0},
    {"CPACR_EL12", SYSREG(3, 5, 1, 0, 2), PAIR, 0x100, 0},
    {"TTBR0_EL12", SYSREG(3, 5, 2, 0, 0), PAIR, 0x200, 0},
    {"TTBR1_EL12", SYSREG(3, 5, 2, 0, 1), PAIR, 0x210, 0},
    {"TCR_EL12", SYSREG(3, 5, 2, 0, 2), PAIR, 0x120, 0},
    {"SPSR_EL12", SYSREG(3, 5, 4, 0, 0), PAIR, 0x160, 0},
    {"ELR_EL12", SYSREG(3, 5, 4, 0, 1), PAIR, 0x230, 0},
    {"AFSR0_EL12", SYSREG(3, 5, 5, 1, 0), PAIR, 0x128, 0},
    {"AFSR1_EL12", SYSREG(3, 5, 5, 1, 1), PAIR, 0x130, 0},
    {"ESR_EL12", SYSREG(3, 5, 5, 2, 0), PAIR, 0x138, 0},
    {"FAR_EL12", SYSREG(3, 5, 6, 0, 0), PAIR, 0x220, 0},
    {"MAIR_EL12", SYSREG(3, 5, 10, 2, 0), PAIR, 0x140, 0},
    {"AMAIR_EL12", SYSREG(3, 5, 10, 3, 0), PAIR, 0x148, 0},
    {"VBAR_EL12", SYSREG(3, 5, 12, 0, 0), PAIR, 0x250, 0},
    {"CONTEXTIDR_EL12", SYSREG(3, 5, 13, 0, 1), PAIR, 0x108, 0},
    {"CNTKCTL_EL12", SYSREG(3, 5, 14, 1, 0), TRAPS, 0, 0},
    {"CNTP_TVAL_EL02", SYSREG(3, 5, 14, 2, 0), TRAPS, 0, 0},
    {"CNTP_CTL_EL02", SYSREG(3, 5, 14, 2, 1), PAIR, 0x180, 0},
    {"CNTP_CVAL_EL02", SYSREG(3, 5, 14, 2, 2), PAIR, 0x178, 0},
    {"CNTV_TVAL_EL02", SYSREG(3, 5, 14, 3, 0), TRAPS, 0, 0},
    {"CNTV_CTL_EL02", SYSREG(3, 5, 14, 3, 1), PAIR, 0x170, 0},
    {"CNTV_CVAL_EL02", SYSREG(3, 5, 14, 3, 2), PAIR, 0x168, 0},
};

/* EL1's own names that NV1 sends to memory. */
static const struct row el1_names[] __attribute__((unused)) = {
    {"CPACR_EL1", SYSREG(3, 0, 1, 0, 2), MEMORY, 0x100, 0},
    {"CONTEXTIDR_EL1", SYSREG(3, 0, 13, 0, 1), MEMORY, 0x108, 0},
    {"SCTLR_EL1", SYSREG(3, 0, 1, 0, 0), MEMORY, 0x110, 0},
    {"TCR_EL1", SYSREG(3, 0, 2, 0, 2), MEMORY, 0x120, 0},
    {"AFSR0_EL1", SYSREG(3, 0, 5, 1, 0), MEMORY, 0x128, 0},
    {"AFSR1_EL1", SYSREG(3, 0, 5, 1, 1), MEMORY, 0x130, 0},
    {"ESR_EL1", SYSREG(3, 0, 5, 2, 0), MEMORY, 0x138, 0},
    {"MAIR_EL1", SYSREG(3, 0, 10, 2, 0), MEMORY, 0x140, 0},
    {"AMAIR_EL1", SYSREG(3, 0, 10, 3, 0), MEMORY, 0x148, 0},
    {"SPSR_EL1", SYSREG(3, 0, 4, 0, 0), MEMORY, 0x160, 0},
    {"CNTV_CVAL_EL0", SYSREG(3, 3, 14, 3, 2), MEMORY, 0x168, 0},
    {"CNTV_CTL_EL0", SYSREG(3, 3, 14, 3, 1), MEMORY, 0x170, 0},
    {"CNTP_CVAL_EL0", SYSREG(3, 3, 14, 2, 2), MEMORY, 0x178, 0},
    {"CNTP_CTL_EL0", SYSREG(3, 3, 14, 2, 1), MEMORY, 0x180, 0},
    {"TTBR0_EL1", SYSREG(3, 0, 2, 0, 0), MEMORY, 0x200, 0},
    {"TTBR1_EL1", SYSREG(3, 0, 2, 0, 1), MEMORY, 0x210, 0},
    {"FAR_EL1", SYSREG(3, 0, 6, 0, 0), MEMORY, 0x220, 0},
    {"ELR_EL1", SYSREG(3, 0, 4, 0, 1), MEMORY, 0x230, 0},
    {"VBAR_EL1", SYSREG(3, 0, 12, 0, 0), MEMORY, 0x250, 0},
};

/* In memory whatever NV1: names of EL1. */
static const struct row always_names[] __attribute__((unused)) = {
    {"ACTLR_EL1", SYSREG(3, 0, 1, 0, 1), MEMORY, 0x118, 0},
    {"MDSCR_EL1", SYSREG(2, 0, 0, 2, 2), MEMORY, 0x158, 0},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline int is_there(const struct row *r) { return !r->needs || have(r->needs - 1); }
#define FOR_EACH_ROW(r, rows) for (const struct row *r = rows; r < rows + COUNT(rows); r++)
#define FOR_NAMES_OF_EL2(r)                                                                                            \
    for (const struct row *r = el2_names; r < el2_names + COUNT(el2_names); r++)                                       \
        if (is_there(r))

static inline const struct exception *read(u32 mode, u32 reg) { return RUN(mode, EMIT(INSN_MRS(reg, 3))); }
static inline const struct exception *write(u32 mode, u32 reg, u64 value) { return RUN(mode, EMIT(INSN_MSR(reg, 4)), 0, 0, 0, 0, value); }

static inline void traps(const struct exception *e, u32 reg, u64 rt, int is_read)
{
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(reg, rt, is_read)));
    CHECK(e->elr, code_buffer);
    CHECK(e->spsr & 15, EL1H);
}

static inline void undefined(const struct exception *e, u64 vector)
{
    CHECK_TAKEN(e, 1, vector, ESR(EC_UNKNOWN, 0));
    CHECK(e->elr, code_buffer);
}

/* Each name that traps under `hcr`, both ways. */
static inline void names_trap(u64 hcr, int (*traps_then)(const struct row *))
{
    next.hcr |= hcr;
    FOR_NAMES_OF_EL2(r) {
        if (!traps_then(r))
            continue;
        at_row(r->name);
        traps(read(EL1H, r->reg), r->reg, 3, 1);
        const struct exception *e = write(EL1H, r->reg, 0);
        if (r->where == READ_ONLY)
            undefined(e, CURRENT_SYNC);
        else
            traps(e, r->reg, 4, 0);
    }
}

static inline int all(const struct row *r) { return r != 0; }
static inline int outside_memory(const struct row *r) { return r->where == TRAPS || r->where == READ_ONLY; }
static inline int pairs(const struct row *r) { return r->where == PAIR; }
