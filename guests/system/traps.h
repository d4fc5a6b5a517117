/* What the topics about traps share: names of registers and instructions, an access from a chosen level, the syndrome of its trap. */
#pragma once
#include "common/system.h"

#define READ 1
#define WRITE 0

#define REG_SCTLR_EL1 SYSREG(3, 0, 1, 0, 0)
#define REG_ACTLR_EL1 SYSREG(3, 0, 1, 0, 1)
#define REG_CPACR_EL1 SYSREG(3, 0, 1, 0, 2)
#define REG_TTBR0_EL1 SYSREG(3, 0, 2, 0, 0)
#define REG_TTBR1_EL1 SYSREG(3, 0, 2, 0, 1)
#define REG_TCR_EL1 SYSREG(3, 0, 2, 0, 2)
#define REG_AFSR0_EL1 SYSREG(3, 0, 5, 1, 0)
#define REG_AFSR1_EL1 SYSREG(3, 0, 5, 1, 1)
#define REG_ESR_EL1 SYSREG(3, 0, 5, 2, 0)
#define REG_FAR_EL1 SYSREG(3, 0, 6, 0, 0)
#define REG_MAIR_EL1 SYSREG(3, 0, 10, 2, 0)
#define REG_AMAIR_EL1 SYSREG(3, 0, 10, 3, 0)
#define REG_CONTEXTIDR_EL1 SYSREG(3, 0, 13, 0, 1)
#define REG_CTR_EL0 SYSREG(3, 3, 0, 0, 1)
#define REG_CCSIDR_EL1 SYSREG(3, 1, 0, 0, 0)
#define REG_CLIDR_EL1 SYSREG(3, 1, 0, 0, 1)
#define REG_CSSELR_EL1 SYSREG(3, 2, 0, 0, 0)
#define REG_REVIDR_EL1 SYSREG(3, 0, 0, 0, 6)
#define REG_AIDR_EL1 SYSREG(3, 1, 0, 0, 7)
#define OP_DC_ISW SYSREG(1, 0, 7, 6, 2)
#define OP_DC_CSW SYSREG(1, 0, 7, 10, 2)
#define OP_DC_CISW SYSREG(1, 0, 7, 14, 2)
#define OP_DC_IVAC SYSREG(1, 0, 7, 6, 1)
#define OP_DC_CVAC SYSREG(1, 3, 7, 10, 1)
#define OP_DC_CIVAC SYSREG(1, 3, 7, 14, 1)
#define OP_DC_CVAP SYSREG(1, 3, 7, 12, 1)
#define OP_DC_CVADP SYSREG(1, 3, 7, 13, 1)
#define OP_DC_CVAU SYSREG(1, 3, 7, 11, 1)
#define OP_IC_IVAU SYSREG(1, 3, 7, 5, 1)
#define OP_IC_IALLU SYSREG(1, 0, 7, 5, 0)
#define OP_IC_IALLUIS SYSREG(1, 0, 7, 1, 0)
#define OP_DC_ZVA SYSREG(1, 3, 7, 4, 1)
#define OP_TLBI(crm, op2) SYSREG(1, 0, 8, crm, op2)
#define REG_LORSA_EL1 SYSREG(3, 0, 10, 4, 0)
#define REG_LORID_EL1 SYSREG(3, 0, 10, 4, 7)
#define REG_ICC_SGI1R_EL1 SYSREG(3, 0, 12, 11, 5)
#define REG_ICC_ASGI1R_EL1 SYSREG(3, 0, 12, 11, 6)
#define REG_ICC_SGI0R_EL1 SYSREG(3, 0, 12, 11, 7)
#define REG_ICC_SRE_EL1 SYSREG(3, 0, 12, 12, 5)

#define REG_CNTPCT_EL0 SYSREG(3, 3, 14, 0, 1)
#define REG_CNTVCT_EL0 SYSREG(3, 3, 14, 0, 2)
#define REG_CNTFRQ_EL0 SYSREG(3, 3, 14, 0, 0)
#define REG_CNTP_TVAL_EL0 SYSREG(3, 3, 14, 2, 0)
#define REG_CNTP_CTL_EL0 SYSREG(3, 3, 14, 2, 1)
#define REG_CNTP_CVAL_EL0 SYSREG(3, 3, 14, 2, 2)
#define REG_CNTV_TVAL_EL0 SYSREG(3, 3, 14, 3, 0)
#define REG_CNTV_CTL_EL0 SYSREG(3, 3, 14, 3, 1)
#define REG_CNTV_CVAL_EL0 SYSREG(3, 3, 14, 3, 2)

/* An address or a register's own value: what a write may carry without harm. */
static inline u64 harmless(u32 code, int read)
{
    const u32 op0 = code >> 19 & 3, crn = code >> 12 & 15;

    if (op0 == 1)
        return crn == 7 && (code >> 16 & 7) == 0 && (code >> 5 & 7) == 2 ? 0 : ARENA; /* set and way 0 */
    if (read || (crn == 12 && (code >> 8 & 15) == 11))
        return 0; /* an SGI to nobody */
    return sysreg_get(code);
}

#define RT_READ 9
#define RT_WRITE 5

static inline const struct exception *access(u64 mode, u32 code, int read)
{
    const u64 value = harmless(code, read);

    return RUN(mode, EMIT(read ? INSN_MRS(code, RT_READ) : INSN_MSR(code, RT_WRITE)), 0, 0, 0, 0, 0, value);
}

static inline u64 trap_esr(u32 code, int read) { return ESR(EC_SYSREG, ISS_SYSREG(code, read ? RT_READ : RT_WRITE, read)); }
