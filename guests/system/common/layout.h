/* What start.S and the C code share. */
#pragma once

/* The level of C code */
#ifdef AT_EL1
#define HOME_EL 1
#else
#define HOME_EL 2
#endif

#define PSCI_SYSTEM_OFF 0x84000008

#define HCR_CLEAN 0x80000000       /* RW: EL1 is AArch64; everything else off */
#define SCTLR_EL2_OFF 0x30c50830   /* RES1 bits of SCTLR_EL2 (E2H = 0), MMU off */
#define SCTLR_EL1_OFF 0x30d00800   /* the same of SCTLR_EL1 (Armv8.0) */

#define FROM_EL1 0xe000            /* + vector offset: the HVC of EL1's vectors */
#define RETURNED 0xd07e            /* the SVC or HVC of a function that returned */

/* struct cpu: offsets; x0..x30 come first */
#define CPU_VECTOR 0x0f8
#define CPU_SP 0x100               /* SP_EL2 HCR | SP_EL0 SP_EL1 | ESR FAR | HPFAR ELR | SPSR ESR_EL1 | FAR_EL1 ELR_EL1 | SPSR_EL1 */
#define CPU_RUNNING 0x168
#define CPU_RUN_SP 0x170
#define CPU_CASE_SP 0x178
#define CPU_NZCV 0x180             /* at EL1, where no SPSR holds the flags of the handler */
