/* What of the runner is EL2's: entering a case's code, what the vectors saved as struct exception, EL2's registers clean. */
#include "cpu.h"

#define SET(name, value) asm volatile("msr " #name ", %0" : : "r"((u64)(value)))

u64 *held_encoding(u32 sysreg) { (void)sysreg; return 0; } /* nothing of EL1's is C code's here */

const struct exception *run(u64 spsr, u64 pc, const u64 x[8])
{
    struct cpu *cpu = my_cpu();
    u64 registers[9], hcr = next.hcr;

    for (int i = 0; i < 8; i++)
        registers[i] = x[i];
    registers[8] = spsr & 15 ? (u64)return_by_hvc : (u64)return_by_svc;
    hcr |= watchdog_start(cpu);
    run_enter(cpu, spsr, pc, hcr, next.sctlr_el2, registers);
    return watchdog_stop(cpu, record_exception(cpu));
}

void record_level(const struct cpu *cpu, struct exception *e)
{
    const u64 tag = cpu->esr_el2 & 0xffff;
    const int from_el1 = cpu->vector == LOWER_SYNC && ESR_EC(cpu->esr_el2) == EC_HVC && (tag & 0xf87f) == FROM_EL1 &&
                         cpu->elr_el2 == (u64)el1_vectors + (tag & 0x780) + 4;

    e->hpfar = cpu->hpfar_el2;
    e->hcr = cpu->hcr;
    e->sp_el2 = cpu->sp_el2;
    if (from_el1) {
        e->vector = tag & 0x780;
        e->pstate = cpu->spsr_el2;
        return;
    }
    e->el = 2;
    e->esr = cpu->esr_el2;
    e->far = cpu->far_el2;
    e->elr = cpu->elr_el2;
    e->spsr = cpu->spsr_el2;
    e->pstate = EL2H | pstate_now();
}

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
        SET(S3_4_C12_C1_1, 0); /* VDISR_EL2 */
        SET(S3_4_C5_C2_3, 0);  /* VSESR_EL2 */
    }
    /* HPMN = all counters */
    SET(mdcr_el2, have(FEAT_PMUv3) ? sysreg_read(S3_3_C9_C12_0) >> 11 & 31 : 0);
    if (have(FEAT_GICv3)) {
        SET(S3_4_C12_C9_5, 0xf); /* ICC_SRE_EL2: SRE, DFB, DIB, Enable */
        isb();
        SET(S3_4_C12_C11_0, 0); /* ICH_HCR_EL2 */
        SET(S3_4_C12_C11_7, 0); /* ICH_VMCR_EL2 */
        SET(S3_4_C12_C8_0, 0);  /* ICH_AP0R0_EL2 */
        SET(S3_4_C12_C9_0, 0);  /* ICH_AP1R0_EL2 */
        SET(S3_4_C12_C12_0, 0); /* ICH_LR0..3_EL2 */
        SET(S3_4_C12_C12_1, 0);
        SET(S3_4_C12_C12_2, 0);
        SET(S3_4_C12_C12_3, 0);
    }
}

void clean_el2(void)
{
    SET(vbar_el1, el1_vectors);
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
}
