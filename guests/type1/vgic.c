/*
 * Interrupts, physical and virtual (GICv3: IHI 0069).
 *
 * HCR_EL2.IMO takes every physical interrupt to EL2, whatever the guest masks: it is acknowledged and ended here. With that
 * bit the guest's ICC_* registers are those of a second, virtual CPU interface, whose interrupts come from list registers
 * (ICH_LR<n>_EL2): one that we write there as pending is taken by the guest as soon as it unmasks it, and acknowledged and
 * ended without an exit (chapter 6).
 *
 * A guest has four interrupts, and each has a list register of its own, always the same. More would need a queue, and the
 * maintenance interrupt, which tells when a list register is free. The guests' board has no Distributor and no Redistributor:
 * what would be enabled there always is. Next: uart.c.
 */
#include "type1.h"

#define GICD 0x08000000ul                 /* Distributor: SPIs */
#define GICD_CTLR (GICD + 0x0000)
#define GICD_IGROUPR1 (GICD + 0x0084)
#define GICD_ISENABLER1 (GICD + 0x0104)
#define GICD_IROUTER(intid) (GICD + 0x6000 + 8ul * (intid))
#define CTLR_ENABLE_GROUP1 (1u << 1)
#define CTLR_ARE (1u << 4)                /* affinity routing: GICv3 as such */

#define GICR(cpu) (0x080a0000ul + 0x20000ul * (cpu)) /* Redistributor: a CPU's SGIs and PPIs */
#define GICR_WAKER 0x0014
#define GICR_IGROUPR0 0x10080
#define GICR_ISENABLER0 0x10100
#define WAKER_PROCESSOR_SLEEP (1u << 1)
#define WAKER_CHILDREN_ASLEEP (1u << 2)

#define SRE_SRE BIT(0)
#define SRE_ENABLE BIT(3)                 /* EL1 may use ICC_SRE_EL1 */
#define ICH_HCR_EN BIT(0)

/* ICH_LR<n>_EL2 (chapter 12): INTID in 31:0. */
#define LR_PENDING BIT(62)
#define LR_ACTIVE BIT(63)
#define LR_GROUP1 BIT(60)

static const u32 intids[VIRQS] = {INTID_SGI, INTID_VIRTUAL_TIMER, INTID_UART, INTID_BELL};

void gic_on(void)
{
    if (!FIELD(sysreg_read(id_aa64pfr0_el1), 27, 24)) /* GIC: by system registers */
        panic("no GICv3 here: -M virt,gic-version=3 for QEMU, --gic 3 for gdbhv");
    write32(GICD_CTLR, CTLR_ENABLE_GROUP1 | CTLR_ARE);
    write32(GICD_IGROUPR1, ~0u);
    *(volatile u64 *)GICD_IROUTER(INTID_UART) = 0; /* to CPU 0 */
    write32(GICD_ISENABLER1, 1u << INTID_UART % 32);
}

void gic_cpu_on(void)
{
    const u64 gicr = GICR(this_cpu());

    write32(gicr + GICR_WAKER, read32(gicr + GICR_WAKER) & ~WAKER_PROCESSOR_SLEEP);
    while (read32(gicr + GICR_WAKER) & WAKER_CHILDREN_ASLEEP)
        ;
    write32(gicr + GICR_IGROUPR0, ~0u);
    write32(gicr + GICR_ISENABLER0, 1u << INTID_SGI | 1u << INTID_HYP_TIMER | 1u << INTID_VIRTUAL_TIMER);
    sysreg_write(icc_sre_el2, SRE_SRE | SRE_ENABLE);
    sysreg_write(icc_sre_el1, SRE_SRE);
    sysreg_write(icc_pmr_el1, 0xff);    /* every priority */
    sysreg_write(icc_igrpen1_el1, 1);
    check(FIELD(sysreg_read(ich_vtr_el2), 4, 0) + 1 >= VIRQS); /* ListRegs: how many there are, less one */
    sysreg_write(ich_hcr_el2, ICH_HCR_EN);
}

/* Make another CPU look again: at what is posted to its vCPU, or whether there is one for it to run. */
void gic_kick(int cpu)
{
    asm volatile("dsb ishst" ::: "memory");
    sysreg_write(icc_sgi1r_el1, (u64)INTID_SGI << 24 | 1ul << cpu);
}

/* The physical interrupts that wait for this CPU. `v`: the vCPU that they interrupted, or none. */
void gic_interrupts(struct vcpu *v)
{
    u32 intid;

    while ((intid = sysreg_read(icc_iar1_el1) & 0xffffff) < INTID_NONE) {
        switch (intid) {
        case INTID_HYP_TIMER:
            sysreg_write(cnthp_ctl_el2, 0);
            cpus[this_cpu()].slice_over = 1;
            break;
        case INTID_VIRTUAL_TIMER:
            /*
             * Its interrupt stays asserted until the guest's handler has set it anew: masked, it is quiet until then. (The
             * other way is a list register with HW = 1: the interrupt is left active here, and ends with the virtual one. But
             * a PPI is active on one CPU, and the guest may end it on another: its state would have to move with the vCPU.)
             */
            if ((sysreg_read(cntv_ctl_el0) & TIMER_BITS) == (TIMER_ENABLE | TIMER_ISTATUS)) { /* not of a vCPU that left */
                sysreg_write(cntv_ctl_el0, TIMER_ENABLE | TIMER_IMASK);
                vgic_post(v, VIRQ_TIMER);
            }
            break;
        case INTID_UART:
            uart_interrupt();
            break;
        case INTID_SGI: break; /* gic_kick(): that it has come is all */
        }
        asm volatile("dsb sy"); /* the device has heard what it was told, before its interrupt ends */
        sysreg_write(icc_eoir1_el1, intid);
    }
}

/* A virtual interrupt for a vCPU, wherever that is. */
void vgic_post(struct vcpu *v, enum virq irq)
{
    v->pending |= BIT(irq);
    if (v->state == WAITING)
        vcpu_wake(v);
    else if (v->cpu != NOWHERE && v->cpu != (int)this_cpu())
        gic_kick(v->cpu); /* only that CPU reaches its list registers */
}

/* Whether an interrupt waits for the guest: then WFI does not wait. */
int vgic_pending(const struct vcpu *v)
{
    return v->pending || (v->lr[0] | v->lr[1] | v->lr[2] | v->lr[3]) & LR_PENDING;
}

/* After an exit: what the guest has made of its interrupts. */
void vgic_save(struct vcpu *v)
{
    v->lr[VIRQ_SGI] = sysreg_read(ich_lr0_el2);
    v->lr[VIRQ_TIMER] = sysreg_read(ich_lr1_el2);
    v->lr[VIRQ_UART] = sysreg_read(ich_lr2_el2);
    v->lr[VIRQ_BELL] = sysreg_read(ich_lr3_el2);
}

/* Before an entry: what is posted is pending now. One that the guest is handling, active, comes once more after that. */
void vgic_load(struct vcpu *v)
{
    for (int i = 0; i < VIRQS; i++)
        if (v->pending & BIT(i))
            v->lr[i] = (v->lr[i] & LR_ACTIVE) | LR_PENDING | LR_GROUP1 | intids[i];
    v->pending = 0;
    sysreg_write(ich_lr0_el2, v->lr[VIRQ_SGI]);
    sysreg_write(ich_lr1_el2, v->lr[VIRQ_TIMER]);
    sysreg_write(ich_lr2_el2, v->lr[VIRQ_UART]);
    sysreg_write(ich_lr3_el2, v->lr[VIRQ_BELL]);
}
