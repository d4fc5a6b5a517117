/* What the vectors saved as struct exception, and the watchdog: both levels' (what is one's alone is in el2.c and el1.c). */
#include "../../common/gic.h"
#include "cpu.h"

u64 this_cpu(void) { return sysreg_read(mpidr_el1) & 7; }
void isb(void) { asm volatile("isb" ::: "memory"); }

/* PSTATE at this level's vector, read a little later: C code changes none of these. */
u64 pstate_now(void)
{
    u64 pstate = sysreg_read(daif);

    if (have(FEAT_PAN))
        pstate |= sysreg_read(S3_0_C4_C2_3);
    if (have(FEAT_UAO))
        pstate |= sysreg_read(S3_0_C4_C2_4);
    if (have(FEAT_DIT))
        pstate |= sysreg_read(S3_3_C4_C2_5);
    if (have(FEAT_SSBS))
        pstate |= sysreg_read(S3_3_C4_C2_6);
    return pstate;
}

struct exception *record_exception(struct cpu *cpu)
{
    struct exception *e = &cpu->exception;

    for (int i = 0; i < 31; i++)
        e->x[i] = cpu->x[i];
    e->el = 1;
    e->vector = cpu->vector;
    e->esr = cpu->esr_el1;
    e->far = cpu->far_el1;
    e->elr = cpu->elr_el1;
    e->spsr = cpu->spsr_el1;
    e->sp_el0 = cpu->sp_el0;
    e->sp_el1 = cpu->sp_el1;
    record_level(cpu, e);
    return e;
}

/*
 * ---- the watchdog: a timer's interrupt in group 0, half a second after the ERET: CNTHP's, or at EL1 CNTP's, which code that masks
 * FIQs keeps away
 */

#if HOME_EL == 2
#define INTID_WATCHDOG 26
#define watchdog_cval cnthp_cval_el2
#define watchdog_ctl cnthp_ctl_el2
#else
#define INTID_WATCHDOG 30
#define watchdog_cval cntp_cval_el0
#define watchdog_ctl cntp_ctl_el0
#endif
/* The names are arguments of macros that stringify: let them be replaced first. */
#define WRITE_(name, value) sysreg_write(name, value)

static int watchdog_on;

void interrupts_init(void)
{
    if (!have(FEAT_GICv3))
        return;
    write32(GICD_CTLR, GICD_CTLR_ARE_AND_GROUPS);
    write32(GICR_BASE(0) + GICR_WAKER, read32(GICR_BASE(0) + GICR_WAKER) & ~WAKER_PROCESSOR_SLEEP);
    while (read32(GICR_BASE(0) + GICR_WAKER) & WAKER_CHILDREN_ASLEEP)
        ;
}

void watchdog_for_case(void)
{
    watchdog_on = have(FEAT_GICv3);
    if (!watchdog_on)
        return;
    write32(GICR_BASE(0) + GICR_IGROUPR0, ~(1u << INTID_WATCHDOG));
    gic_enable_private(0, INTID_WATCHDOG);
}

void no_watchdog(void)
{
    if (watchdog_on)
        write32(GICR_BASE(0) + GICR_IGROUPR0, ~0u); /* the timer is the case's */
    watchdog_on = 0;
}

u64 watchdog_start(struct cpu *cpu)
{
    if (!watchdog_on || cpu != cpus)
        return 0;
    sysreg_write(icc_igrpen0_el1, 1);
    WRITE_(watchdog_cval, sysreg_read(cntpct_el0) + sysreg_read(cntfrq_el0) / 2);
    WRITE_(watchdog_ctl, 1);
    return HCR_FMO;
}

const struct exception *watchdog_stop(struct cpu *cpu, const struct exception *e)
{
    if (!watchdog_on || cpu != cpus)
        return e;
    const int fiq = e->el == HOME_EL && (e->vector & 0x180) == 0x100;
    const int fired = fiq && sysreg_read(icc_iar0_el1) == INTID_WATCHDOG;
    WRITE_(watchdog_ctl, 0);
    if (fired) {
        sysreg_write(icc_eoir0_el1, INTID_WATCHDOG);
        hangs(e);
    }
    return e;
}

void gic_on(void)
{
    sysreg_write(icc_pmr_el1, 0xff);
    sysreg_write(icc_igrpen1_el1, 1);
    isb();
}
