/*
 * Exits: what a guest does that needs us. The processor says what it was in ESR_EL2 (D24.2.40), and for aborts where: FAR_EL2
 * has the virtual address, HPFAR_EL2 the page's IPA. Each handler leaves the vCPU where the guest should go on. Begin at the
 * end: guest_exit() calls synchronous(), and that the handler of each kind. Next: stage2.c.
 */
#include "type1.h"

/* Register 31 is XZR here: reads as zero, writes are ignored. */
static u64 get_x(const struct vcpu *v, u64 n) { return n == 31 ? 0 : v->r.x[n]; }

static void set_x(struct vcpu *v, u64 n, u64 value)
{
    if (n != 31)
        v->r.x[n] = value;
}

static void skip_instruction(struct vcpu *v) { v->r.pc += 4; }

/*
 * Answer the guest with an exception at EL1, as the processor would take it (`AArch64.TakeException`). The guest's EL1
 * registers are in the processor while its vCPU is here: they are simply written.
 */
static void inject(struct vcpu *v, enum exception_class class, u64 iss, u64 far)
{
    const u64 from = v->r.pstate & 0xf;
    const u64 offset = from == PSTATE_EL0T ? 0x400 : from == PSTATE_EL1H ? 0x200 : 0x000; /* D1.3.1 */

    sysreg_write(esr_el1, (u64)class << 26 | ESR_IL | iss);
    sysreg_write(far_el1, far);
    sysreg_write(elr_el1, v->r.pc);
    sysreg_write(spsr_el1, v->r.pstate);
    v->r.pc = sysreg_read(vbar_el1) + offset;
    v->r.pstate = PSTATE_EL1H | PSTATE_DAIF;
}

static void inject_undefined(struct vcpu *v) { inject(v, EC_UNKNOWN, 0, 0); }

/* "Nobody answered at this address": a synchronous External abort, of the same kind of access. EL1's own has a class of its own. */
static void inject_abort(struct vcpu *v, u64 esr)
{
    const int at_el0 = (v->r.pstate & 0xf) == PSTATE_EL0T;
    const int data = ESR_EC(esr) == EC_DABT_LOWER;
    const enum exception_class class = data ? (at_el0 ? EC_DABT_LOWER : EC_DABT) : (at_el0 ? EC_IABT_LOWER : EC_IABT);

    inject(v, class, (data ? esr & ISS_WNR : 0) | FSC_EXTERNAL_ABORT, sysreg_read(far_el2));
}

/* ---- Stage 2 aborts: memory on demand, the emulated UART, and everything else. */

/* A load or store of the UART: ISS describes the instruction well enough to do it in the guest's stead. */
static void uart_access(struct vcpu *v, u64 esr, u64 offset)
{
    const u64 rt = ISS_SRT(esr), unused = 64 - (8ul << ISS_SAS(esr));
    u64 value;

    if (esr & ISS_WNR) {
        uart_write(v->vm, offset, (u32)get_x(v, rt));
    } else {
        value = (u64)uart_read(v->vm, offset) << unused;
        value = esr & ISS_SSE ? (u64)((long)value >> unused) : value >> unused;
        set_x(v, rt, esr & ISS_SF ? value : (u32)value);
    }
    skip_instruction(v);
}

static void stage2_abort(struct vcpu *v, u64 esr)
{
    /* FIPA, bits 47:12 of the IPA, is in HPFAR_EL2[39:4] (D24.2.72). It is not valid for a permission fault. */
    const u64 offset = sysreg_read(far_el2) & 0xfff, ipa = (sysreg_read(hpfar_el2) & ~0xful) << 8 | offset;
    const int nothing_mapped = FSC_TRANSLATION(ISS_FSC(esr));

    if (nothing_mapped && stage2_memory(v->vm, ipa))
        return; /* the guest does it again */
    if (nothing_mapped && ipa - IPA_UART < 0x1000 && esr & ISS_ISV && !(esr & ISS_S1PTW))
        uart_access(v, esr, offset);
    else
        inject_abort(v, esr);
}

/* ---- Trapped system registers. */

/* ISS of a trapped MRS or MSR: the register as op0, op2, op1, CRn, CRm; Rt in 9:5; 1 in bit 0 if it is read. */
#define ISS_REGISTER(op0, op1, crn, crm, op2) \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define ISS_REGISTER_MASK ISS_REGISTER(3ul, 7ul, 15ul, 15ul, 7ul)
#define ID_AA64PFR0_EL1 ISS_REGISTER(3ul, 0ul, 0ul, 4ul, 0ul)
#define ICC_SGI1R_EL1 ISS_REGISTER(3ul, 0ul, 12ul, 11ul, 5ul)
/* Group 3 of the ID registers (HCR_EL2.TID3): op0 = 3, op1 = 0, CRn = 0. */
#define IS_ID_REGISTER(reg) (((reg) & ISS_REGISTER(3ul, 7ul, 15ul, 0ul, 0ul)) == ISS_REGISTER(3ul, 0ul, 0ul, 0ul, 0ul))

/* What a guest may know of its processor: EL0 and EL1 in AArch64, GICv3's registers; neither FP (0xf) nor SIMD (0xf). */
#define GUESTS_PFR0 (1ul << 24 | 0xful << 20 | 0xful << 16 | 1ul << 4 | 1ul << 0)

static void send_sgi(struct vcpu *from, u64 targets)
{
    for (u64 n = 0; n < 16; n++) {
        struct vcpu *to = targets & BIT(n) ? vcpu_of(from->vm, n) : 0;

        if (to && to->state != OFF)
            vgic_post(to, VIRQ_SGI);
    }
}

static void system_register(struct vcpu *v, u64 esr)
{
    const u64 reg = esr & ISS_REGISTER_MASK, rt = FIELD(esr, 9, 5);
    const int read = esr & 1;

    if (reg == ID_AA64PFR0_EL1 && read)
        set_x(v, rt, GUESTS_PFR0);
    else if (IS_ID_REGISTER(reg) && read)
        set_x(v, rt, 0);                        /* nothing that is optional */
    else if (reg == ICC_SGI1R_EL1 && !read)     /* trapped by HCR_EL2.IMO: only we know where a vCPU is */
        send_sgi(v, get_x(v, rt) & 0xffff);     /* TargetList: bit n for the vCPU with Aff0 = n */
    else
        return inject_undefined(v);
    skip_instruction(v);
}

/* ---- Hypercalls. ELR_EL2 is behind the HVC already: it was executed. */

#define SUCCESS 0ul
#define NOT_SUPPORTED -1ul
#define INVALID_PARAMETERS -2ul
#define ALREADY_ON -4ul

static u64 cpu_on(struct vm *vm, u64 mpidr, u64 entry, u64 x0)
{
    struct vcpu *v = vcpu_of(vm, mpidr);

    if (!v)
        return INVALID_PARAMETERS;
    if (v->state != OFF)
        return ALREADY_ON;
    vcpu_on(v, entry, x0);
    return SUCCESS;
}

/* The VM is off. Its vCPUs stop when their CPUs next see them; with the last VM the board goes off. */
static u64 system_off(struct vm *vm)
{
    int left = 0;

    for (struct vcpu *v = vcpus; v < vcpus + VCPUS; v++) {
        if (v->vm == vm) {
            v->state = OFF;
            if (v->cpu != NOWHERE && v->cpu != (int)this_cpu())
                gic_kick(v->cpu);
        }
        left |= v->state != OFF;
    }
    if (!left) {
        uart_print("type1: both are off\n");
        SMCCC("smc", PSCI_SYSTEM_OFF, 0, 0, 0);
    }
    return SUCCESS;
}

static void hypercall(struct vcpu *v)
{
    switch ((u32)v->r.x[0]) {
    case PSCI_VERSION: v->r.x[0] = 2; break; /* 0.2 */
    case PSCI_CPU_ON: v->r.x[0] = cpu_on(v->vm, v->r.x[1], v->r.x[2], v->r.x[3]); break;
    case PSCI_SYSTEM_OFF: v->r.x[0] = system_off(v->vm); break;
    case RING:
        vgic_post(vcpu_of(&vms[v->vm == vms], 0), VIRQ_BELL);
        v->r.x[0] = SUCCESS;
        break;
    default: v->r.x[0] = NOT_SUPPORTED;
    }
}

/* ---- All of them. */

static void synchronous(struct vcpu *v, u64 esr)
{
    switch (ESR_EC(esr)) {
    case EC_IABT_LOWER:
    case EC_DABT_LOWER: return stage2_abort(v, esr);
    case EC_SYSREG: return system_register(v, esr);
    case EC_HVC: return hypercall(v);
    case EC_WFX: /* HCR_EL2.TWI: WFI */
        skip_instruction(v);
        if (!vgic_pending(v))
            v->state = WAITING;
        return;
    default: return inject_undefined(v); /* SMC, FP: this board has neither */
    }
}

/* Called by start.S, with the guest's registers in `v`. Returns the vCPU to run next on this CPU. */
struct vcpu *guest_exit(struct vcpu *v, int why)
{
    const u64 esr = sysreg_read(esr_el2);

    lock();
    check(v->cpu == (int)this_cpu());
    v->vm->exits[why == EXIT_IRQ ? EXIT_KINDS - 1 : ESR_EC(esr)]++;
    vgic_save(v);
    if (why == EXIT_IRQ)
        gic_interrupts(v);
    else if (v->state != OFF) /* another vCPU of the VM may have switched it off meanwhile */
        synchronous(v, esr);
    return vcpu_choose(v);
}
