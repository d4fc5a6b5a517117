/* Into a case's code and back: from what the vectors saved to struct exception, and the watchdog. */
#include "../../common/gic.h"
#include "cpu.h"

int watchdog_on;

u64 this_cpu(void) { return sysreg_read(mpidr_el1) & 7; }
void isb(void) { asm volatile("isb" ::: "memory"); }

/* PSTATE at EL2's vector, read a little later: C code changes none of these, and the flags are not looked at. */
static u64 pstate_now(void)
{
    u64 pstate = EL2H | sysreg_read(daif);

    if (have(FEAT_PAN))
        pstate |= sysreg_read(S3_0_C4_C2_3);
    if (have(FEAT_UAO))
        pstate |= sysreg_read(S3_0_C4_C2_4);
    if (have(FEAT_DIT))
        pstate |= sysreg_read(S3_3_C4_C2_5);
    return pstate;
}

struct exception *record_exception(struct cpu *cpu)
{
    struct exception *e = &cpu->exception;
    const u64 tag = cpu->esr_el2 & 0xffff;
    const int from_el1 = cpu->vector == LOWER_SYNC && ESR_EC(cpu->esr_el2) == EC_HVC && (tag & 0xf87f) == FROM_EL1 &&
                         cpu->elr_el2 == (u64)el1_vectors + (tag & 0x780) + 4;

    for (int i = 0; i < 31; i++)
        e->x[i] = cpu->x[i];
    e->el = from_el1 ? 1 : 2;
    e->vector = from_el1 ? tag & 0x780 : cpu->vector;
    e->esr = from_el1 ? cpu->esr_el1 : cpu->esr_el2;
    e->far = from_el1 ? cpu->far_el1 : cpu->far_el2;
    e->hpfar = cpu->hpfar_el2;
    e->elr = from_el1 ? cpu->elr_el1 : cpu->elr_el2;
    e->spsr = from_el1 ? cpu->spsr_el1 : cpu->spsr_el2;
    e->pstate = from_el1 ? cpu->spsr_el2 : pstate_now();
    e->hcr = cpu->hcr;
    e->sp_el0 = cpu->sp_el0;
    e->sp_el1 = cpu->sp_el1;
    e->sp_el2 = cpu->sp_el2;
    return e;
}

const struct exception *run(u64 spsr, u64 pc, const u64 x[8])
{
    struct cpu *cpu = my_cpu();
    const unsigned mode = spsr & 15;
    u64 registers[9], hcr = next.hcr;

    for (int i = 0; i < 8; i++)
        registers[i] = x[i];
    registers[8] = mode ? (u64)return_by_hvc : (u64)return_by_svc;
    hcr |= watchdog_start(cpu);
    run_enter(cpu, spsr, pc, hcr, next.sctlr_el2, registers);
    return watchdog_stop(cpu, record_exception(cpu));
}

u64 *held_encoding(u32 sysreg) { (void)sysreg; return 0; } /* nothing of EL1's is C code's here */

/* ---- the watchdog: CNTHP's interrupt in group 0, half a second after the ERET */

#define INTID_HYPERVISOR_TIMER 26

void interrupts_init(void)
{
    if (!have(FEAT_GICv3))
        return;
    write32(GICD_CTLR, GICD_CTLR_ARE_AND_GROUPS);
    write32(GICR_BASE(0) + GICR_WAKER, read32(GICR_BASE(0) + GICR_WAKER) & ~WAKER_PROCESSOR_SLEEP);
    while (read32(GICR_BASE(0) + GICR_WAKER) & WAKER_CHILDREN_ASLEEP)
        ;
    write32(GICR_BASE(0) + GICR_IGROUPR0, ~(1u << INTID_HYPERVISOR_TIMER));
    gic_enable_private(0, INTID_HYPERVISOR_TIMER);
}

void no_watchdog(void) { watchdog_on = 0; }

u64 watchdog_start(struct cpu *cpu)
{
    if (!watchdog_on || cpu != cpus || !have(FEAT_GICv3))
        return 0;
    sysreg_write(icc_igrpen0_el1, 1);
    sysreg_write(cnthp_cval_el2, sysreg_read(cntpct_el0) + sysreg_read(cntfrq_el0) / 2);
    sysreg_write(cnthp_ctl_el2, 1);
    return HCR_FMO;
}

const struct exception *watchdog_stop(struct cpu *cpu, const struct exception *e)
{
    if (!watchdog_on || cpu != cpus || !have(FEAT_GICv3))
        return e;
    if (e->el == 2 && (e->vector & 0x180) == 0x100 && sysreg_read(icc_iar0_el1) == INTID_HYPERVISOR_TIMER) {
        sysreg_write(cnthp_ctl_el2, 0);
        sysreg_write(icc_eoir0_el1, INTID_HYPERVISOR_TIMER);
        hangs(e);
    }
    sysreg_write(cnthp_ctl_el2, 0);
    return e;
}

void gic_on(void)
{
    sysreg_write(icc_pmr_el1, 0xff);
    sysreg_write(icc_igrpen1_el1, 1);
}
