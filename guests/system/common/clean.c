/* The state in which each case begins: what is written here, nothing else is expected to be as after a reset. EL2's part is in el2.c. */
#include "../../common/gic.h"
#include "cpu.h"

#define SET(name, value) asm volatile("msr " #name ", %0" : : "r"((u64)(value)))

/* Registers that a feature brings, off. */
static void clean_features(void)
{
    if (have(FEAT_RAS))
        SET(S3_0_C12_C1_1, 0); /* DISR_EL1 */
    if (have(FEAT_PMUv3)) {
        SET(S3_3_C9_C12_0, 6);   /* PMCR_EL0: counters off and zero */
        SET(S3_3_C9_C12_2, ~0u); /* PMCNTENCLR_EL0 */
        SET(S3_0_C9_C14_2, ~0u); /* PMINTENCLR_EL1 */
        SET(S3_3_C9_C12_3, ~0u); /* PMOVSCLR_EL0 */
        SET(S3_3_C9_C14_0, 0);   /* PMUSERENR_EL0 */
    }
    if (have(FEAT_PAN))
        asm volatile(".inst 0xd500409f"); /* MSR PAN, #0 */
    if (have(FEAT_UAO))
        asm volatile(".inst 0xd500407f"); /* MSR UAO, #0 */
    if (have(FEAT_GICv3)) {
        SET(icc_sre_el1, 7);
        isb();
        SET(icc_pmr_el1, 0xff);
        SET(icc_bpr0_el1, 0);
        SET(icc_bpr1_el1, 0);
        SET(icc_ctlr_el1, 0);
        SET(icc_igrpen0_el1, 0);
        SET(icc_igrpen1_el1, 0);
    }
}

void clean_state(void)
{
    const u64 stack = 0x8000 * (this_cpu() + 1);
    extern char stacks[];

    asm volatile("msr daifset, #15");
    clean_el2();
    sysreg_write(sp_el1, (u64)stacks + stack - 0x4000);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
    SET(sp_el0, (u64)stacks + stack - 0x6000);
    SET(actlr_el1, 0);
    SET(cpacr_el1, 0);
    SET(ttbr0_el1, 0);
    SET(ttbr1_el1, 0);
    SET(tcr_el1, 0);
    SET(mair_el1, 0);
    SET(amair_el1, 0);
    SET(contextidr_el1, 0);
    SET(esr_el1, 0);
    SET(far_el1, 0);
    SET(elr_el1, 0);
    SET(spsr_el1, 0);
    SET(afsr0_el1, 0);
    SET(afsr1_el1, 0);
    SET(par_el1, 0);
    SET(csselr_el1, 0);
    SET(tpidr_el1, 0);
    SET(tpidr_el0, 0);
    SET(tpidrro_el0, 0);
    SET(mdscr_el1, 0);
    SET(oslar_el1, 0);
    SET(cntkctl_el1, 0);
    SET(cntp_ctl_el0, 0);
    SET(cntv_ctl_el0, 0);
    clean_features();
    isb();
    asm volatile("clrex\n\tic iallu" ::: "memory");
    tlbi_all();
}
