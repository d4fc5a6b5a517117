/* The state in which each case begins: what is written here, nothing else is expected to be as after a reset. */
#include "../../common/gic.h"
#include "cpu.h"

#define SET(name, value) asm volatile("msr " #name ", %0" : : "r"((u64)(value)))

/* TLBI ALLE2 is about the regime that HCR_EL2.E2H says: EL2 or EL2&0. */
void tlbi_all(void)
{
    asm volatile("dsb ish\n\ttlbi alle1is\n\ttlbi alle2is\n\tdsb ish\n\tisb" ::: "memory");
    if (have(FEAT_VHE)) {
        SET(hcr_el2, HCR_CLEAN | HCR_E2H);
        asm volatile("isb\n\ttlbi alle2is\n\tdsb ish" ::: "memory");
        SET(hcr_el2, HCR_CLEAN);
        isb();
    }
}

/* Registers that a feature brings, off. */
static void clean_features(void)
{
    if (have(FEAT_VHE)) {
        SET(S3_4_C2_C0_1, 0);  /* TTBR1_EL2 */
        SET(S3_4_C13_C0_1, 0); /* CONTEXTIDR_EL2 */
        SET(S3_4_C14_C3_1, 0); /* CNTHV_CTL_EL2 */
    }
    if (have(FEAT_HCX))
        SET(S3_4_C1_C2_2, 0); /* HCRX_EL2 */
    if (have(FEAT_FGT)) {
        SET(S3_4_C1_C1_4, 0); /* HFGRTR_EL2 */
        SET(S3_4_C1_C1_5, 0); /* HFGWTR_EL2 */
        SET(S3_4_C1_C1_6, 0); /* HFGITR_EL2 */
        SET(S3_4_C3_C1_4, 0); /* HDFGRTR_EL2 */
        SET(S3_4_C3_C1_5, 0); /* HDFGWTR_EL2 */
    }
    if (have(FEAT_ECV_POFF))
        SET(S3_4_C14_C0_6, 0); /* CNTPOFF_EL2 */
    if (have(FEAT_RAS)) {
        SET(S3_0_C12_C1_1, 0); /* DISR_EL1 */
        SET(S3_4_C12_C1_1, 0); /* VDISR_EL2 */
        SET(S3_4_C5_C2_3, 0);  /* VSESR_EL2 */
    }
    if (have(FEAT_PMUv3)) {
        SET(S3_3_C9_C12_0, 6);       /* PMCR_EL0: counters off and zero */
        SET(S3_3_C9_C12_2, ~0u);     /* PMCNTENCLR_EL0 */
        SET(S3_0_C9_C14_2, ~0u);     /* PMINTENCLR_EL1 */
        SET(S3_3_C9_C12_3, ~0u);     /* PMOVSCLR_EL0 */
        SET(S3_3_C9_C14_0, 0);       /* PMUSERENR_EL0 */
        SET(mdcr_el2, sysreg_read(S3_3_C9_C12_0) >> 11 & 31); /* HPMN = all counters */
    } else {
        SET(mdcr_el2, 0);
    }
    if (have(FEAT_PAN))
        asm volatile(".inst 0xd500409f"); /* MSR PAN, #0 */
    if (have(FEAT_UAO))
        asm volatile(".inst 0xd500407f"); /* MSR UAO, #0 */
}

static void clean_gic(void)
{
    SET(S3_4_C12_C9_5, 0xf); /* ICC_SRE_EL2: SRE, DFB, DIB, Enable */
    isb();
    SET(icc_sre_el1, 7);
    SET(icc_pmr_el1, 0xff);
    SET(icc_bpr0_el1, 0);
    SET(icc_bpr1_el1, 0);
    SET(icc_ctlr_el1, 0);
    SET(icc_igrpen0_el1, 0);
    SET(icc_igrpen1_el1, 0);
    SET(S3_4_C12_C11_0, 0); /* ICH_HCR_EL2 */
    SET(S3_4_C12_C11_7, 0); /* ICH_VMCR_EL2 */
    SET(S3_4_C12_C8_0, 0);  /* ICH_AP0R0_EL2 */
    SET(S3_4_C12_C9_0, 0);  /* ICH_AP1R0_EL2 */
    SET(S3_4_C12_C12_0, 0); /* ICH_LR0..3_EL2 */
    SET(S3_4_C12_C12_1, 0);
    SET(S3_4_C12_C12_2, 0);
    SET(S3_4_C12_C12_3, 0);
}

void clean_state(void)
{
    const u64 stack = 0x8000 * (this_cpu() + 1);
    extern char stacks[];

    asm volatile("msr daifset, #15");
    SET(vbar_el1, el1_vectors);
    SET(sp_el1, (u64)stacks + stack - 0x4000);
    SET(sp_el0, (u64)stacks + stack - 0x6000);
    /* EL1 and EL0 */
    SET(sctlr_el1, SCTLR_EL1_CLEAN);
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
    /* EL2 */
    SET(esr_el2, 0);
    SET(far_el2, 0);
    SET(hpfar_el2, 0);
    SET(tcr_el2, 1ul << 31 | 1ul << 23);
    SET(ttbr0_el2, 0);
    SET(mair_el2, 0);
    SET(vtcr_el2, 1ul << 31);
    SET(vttbr_el2, 0);
    SET(cptr_el2, 0x33ff); /* RES1 bits; FP not trapped */
    SET(hstr_el2, 0);
    SET(cnthctl_el2, 3);   /* EL1PCTEN, EL1PCEN: not trapped */
    SET(cntvoff_el2, 0);
    SET(cnthp_ctl_el2, 0);
    SET(vpidr_el2, sysreg_read(midr_el1));
    SET(vmpidr_el2, sysreg_read(mpidr_el1));
    clean_features();
    if (have(FEAT_GICv3))
        clean_gic();
    isb();
    asm volatile("clrex\n\tic iallu" ::: "memory");
    tlbi_all();
}
