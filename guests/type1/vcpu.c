/*
 * Which vCPU runs where, and for how long.
 *
 * A vCPU that is READY runs on some CPU or waits for one. Its turn is a slice of time: then the timer of EL2 (CNTHP)
 * interrupts it, and the next one has its turn, on whichever CPU. One in WFI is WAITING, and takes no CPU's time until an
 * interrupt is posted to it. The timers: D12, "The Generic Timer in AArch64 state". Next: vgic.c, where interrupts come from.
 */
#include "type1.h"

struct vcpu *vcpu_of(struct vm *vm, u64 number)
{
    for (int i = 0; i < VCPUS; i++)
        if (vcpus[i].vm == vm && vcpus[i].number == number)
            return &vcpus[i];
    return 0;
}

/* A vCPU as after reset: EL1, MMU off, interrupts masked (DEN 0022, "CPU_ON"). */
void vcpu_on(struct vcpu *v, u64 entry, u64 x0)
{
    v->r.x[0] = x0;
    v->r.pc = entry;
    v->r.pstate = PSTATE_EL1H | PSTATE_DAIF;
    v->sctlr_el1 = 0x30d00800; /* RES1 */
    vcpu_wake(v);
}

/* It can run: a CPU that idles is told. */
void vcpu_wake(struct vcpu *v)
{
    v->state = READY;
    for (int i = 0; i < CPUS; i++)
        if (cpus[i].idle)
            return gic_kick(i);
}

/*
 * The timer of a vCPU that no CPU runs cannot interrupt: its registers are in struct vcpu. For those in WFI we look
 * ourselves, at least once a slice. Returns when the next of them is due.
 */
static u64 wake_by_timers(void)
{
    u64 next = ~0ul;

    for (struct vcpu *v = vcpus; v < vcpus + VCPUS; v++) {
        if (v->state != WAITING || (v->cntv_ctl_el0 & (TIMER_ENABLE | TIMER_IMASK)) != TIMER_ENABLE)
            continue;
        if (v->cntv_cval_el0 <= sysreg_read(cntpct_el0)) {
            v->cntv_ctl_el0 |= TIMER_IMASK; /* as in gic_interrupts() */
            vgic_post(v, VIRQ_TIMER);
        } else if (v->cntv_cval_el0 < next) {
            next = v->cntv_cval_el0;
        }
    }
    return next;
}

/* Nothing to run: wait for an interrupt, at the latest until `time`. WFI ends though interrupts are masked (D1.6.2). */
static void idle(u64 time)
{
    struct cpu *cpu = &cpus[this_cpu()];

    sysreg_write(cnthp_cval_el2, time);
    sysreg_write(cnthp_ctl_el2, TIMER_ENABLE);
    cpu->idle = 1;
    unlock();
    asm volatile("dsb sy\n\twfi");
    lock();
    cpu->idle = 0;
    gic_interrupts(0);
}

/* Round robin: whose turn it is. */
static struct vcpu *next(void)
{
    static int last = VCPUS - 1;

    for (;;) {
        const u64 time = wake_by_timers();

        for (int i = 0; i < VCPUS; i++) {
            last = (last + 1) % VCPUS;
            if (vcpus[last].state == READY && vcpus[last].cpu == NOWHERE)
                return &vcpus[last];
        }
        idle(time);
    }
}

/* Take the CPU away from a vCPU. */
static void leave(struct vcpu *v)
{
#define SAVE(name) v->name = sysreg_read(name);
    SWITCHED_REGISTERS(SAVE)
    sysreg_write(cntv_ctl_el0, 0); /* its timer is not the next one's */
    v->cpu = NOWHERE;
}

/* Give this CPU to a vCPU. */
static void enter(struct vcpu *v)
{
    struct cpu *cpu = &cpus[this_cpu()];
    struct vcpu **last_ran = &cpu->last_ran[v->vm - vms];

    check(v->cpu == NOWHERE); /* never on two at once */
    v->cpu = (int)this_cpu();
    v->turns++;
    v->moves += v->last_cpu != NOWHERE && v->last_cpu != v->cpu;
    v->last_cpu = v->cpu;

    sysreg_write(vttbr_el2, v->vm->vmid << 48 | (u64)v->vm->stage2);
    sysreg_write(vmpidr_el2, BIT(31) | v->number); /* what the guest reads as MPIDR_EL1; RES1 */
#define LOAD(name) sysreg_write(name, v->name);
    SWITCHED_REGISTERS(LOAD)
    /*
     * The TLB's entries are tagged with VMID and ASID, and two vCPUs of a VM may have different tables under one ASID, as two
     * CPUs may: what another one has left in this TLB is not for this one. VMALLE1: all of the VMID in VTTBR_EL2.
     */
    if (*last_ran && *last_ran != v)
        asm volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
    *last_ran = v;

    cpu->slice_over = 0;
    sysreg_write(cnthp_tval_el2, sysreg_read(cntfrq_el0) / 1000); /* a slice: 1 ms */
    sysreg_write(cnthp_ctl_el2, TIMER_ENABLE);
}

/* Who goes on here: `v`, which has exited, unless it cannot or its slice is over. Gives the lock back. */
struct vcpu *vcpu_choose(struct vcpu *v)
{
    if (!v || v->state != READY || cpus[this_cpu()].slice_over) {
        if (v)
            leave(v);
        v = next();
        enter(v);
    }
    vgic_load(v);
    unlock();
    return v;
}
