/*
 * type1: a type-1 hypervisor to read in an evening. It owns EL2 of a board like QEMU's `virt` and runs two guests at EL1.
 *
 *     alpha   1 vCPU     handles its own exceptions and interrupts, then does one thing after the other that must exit
 *     beta    2 vCPUs    share a counter under a lock and send each other interrupts
 *
 * Three vCPUs share one CPU or two, in time slices. What a guest does alone the hypervisor never sees: system calls, faults
 * of its own tables, undefined instructions, the acknowledgement and end of its interrupts. What it sees, an exit, is an
 * exception taken to EL2 (Arm ARM D1.3, "Exceptions"). Read in this order:
 *
 *     type1.h     the words: register bits by name, a VM, a vCPU, a CPU
 *     type1.c     this file: from the first C instruction to the first guest; the lock
 *     start.S     from reset to here; how a guest is left and entered
 *     exits.c     each kind of exit and what is done about it: the heart
 *     stage2.c    memory on demand
 *     vcpu.c      which vCPU runs where, and for how long; what is switched
 *     vgic.c      physical interrupts, and virtual ones by list registers
 *     uart.c      one UART for two guests who have one each
 *     guest.c     the guests, with guest.S: their first instructions and vectors
 *
 * What it lacks is left as an exercise: FP registers (CPTR_EL2.TFP says when to switch them), PSCI CPU_OFF, typing into the
 * UART, a Distributor for the guests, memory given back by a VM that is off, debug and performance registers (MDCR_EL2).
 *
 *     scripts/sessions/type1_tour.py                          (stock gdb, stopped at each kind of exit)
 *     gdbhv run --el 2 --smp 2 guests/prebuilt/type1.elf
 *     qemu-system-aarch64 -M virt,virtualization=on,gic-version=3 -cpu max -nic none -nographic -kernel guests/prebuilt/type1.elf
 */
#include "type1.h"

struct vm vms[VMS] = {{.name = "alpha", .vmid = 1}, {.name = "beta", .vmid = 2}};
struct vcpu vcpus[VCPUS] = {{.vm = &vms[0]}, {.vm = &vms[1]}, {.vm = &vms[1], .number = 1}};
struct cpu cpus[CPUS];

/*
 * One lock for the whole hypervisor: a CPU holds it from a guest's exit to the next entry, except while it idles (vcpu.c). So
 * all that follows can be read as if there were one CPU.
 */
static int lock_word;

void lock(void)
{
    while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE))
        asm volatile("yield");
}

void unlock(void) { __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE); }

void panic(const char *why)
{
    uart_print("type1: ");
    uart_print(why);
    uart_print("\n");
    SMCCC("smc", PSCI_SYSTEM_OFF, 0, 0, 0);
    for (;;)
        asm volatile("wfi");
}

/* An exception from EL2 itself, or one that no guest of ours can cause: ESR_EL2 and ELR_EL2 say more. */
void unexpected(void) { panic("an exception that should not be"); }

/* HCR_EL2 (D24.2.63): what a guest may do alone, and what comes to us. */
#define HCR_VM BIT(0)             /* stage 2 is on */
#define HCR_FMO BIT(3)            /* physical FIQ, IRQ and SError are taken to EL2, and EL1 has virtual ones instead */
#define HCR_IMO BIT(4)
#define HCR_AMO BIT(5)
#define HCR_FB BIT(9)             /* a guest's TLBI is for all CPUs: its vCPU may have run on another */
#define HCR_BSU_INNER (1ul << 10) /* and so are its barriers */
#define HCR_TWI BIT(13)           /* WFI exits */
#define HCR_TID3 BIT(18)          /* reads of the ID registers exit */
#define HCR_TSC BIT(19)           /* SMC exits: the firmware is ours */
#define HCR_RW BIT(31)            /* EL1 is AArch64 */

#define CPTR_RES1 0x33fful
#define CPTR_TFP BIT(10)          /* FP and SIMD exit: their registers are not switched, guests have none */

/* What every CPU does once: what a guest may do, and who gets its exceptions and interrupts. */
static void cpu_on(void)
{
    sysreg_write(hcr_el2, HCR_VM | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_INNER | HCR_TWI | HCR_TID3 | HCR_TSC | HCR_RW);
    sysreg_write(cptr_el2, CPTR_RES1 | CPTR_TFP);
    sysreg_write(hstr_el2, 0);
    sysreg_write(mdcr_el2, FIELD(sysreg_read(pmcr_el0), 15, 11)); /* HPMN: all counters are EL1's; no traps */
    sysreg_write(cnthctl_el2, 0);   /* the physical timer is not for guests */
    sysreg_write(cntvoff_el2, 0);   /* virtual time = physical time */
    sysreg_write(cntv_ctl_el0, 0);
    sysreg_write(vpidr_el2, sysreg_read(midr_el1));
    stage2_on();
    gic_cpu_on();
}

/* Returns what to run first, for start.S. */
struct vcpu *main(void)
{
    extern const char guest_start[], cpu_start[];

    lock();
    uart_print("type1: two guests at EL1\n");
    gic_on();
    cpu_on();
    for (int i = 0; i < VCPUS; i++)
        vcpus[i].cpu = vcpus[i].last_cpu = NOWHERE;
    for (int i = 0; i < VMS; i++)
        vms[i].stage2 = stage2_new();
    vcpu_on(&vcpus[0], (u64)guest_start, 0); /* x0, the argument: which guest it is */
    vcpu_on(&vcpus[1], (u64)guest_start, 1);
    SMCCC("smc", PSCI_CPU_ON, 1, (u64)cpu_start, 0); /* refused where there is one CPU */
    return vcpu_choose(0);
}

struct vcpu *main_of_another_cpu(void)
{
    lock();
    cpu_on();
    return vcpu_choose(0);
}
