/*
 * What the files share: types, register bits by name, and what each file offers the others. Bits have the names of the Arm ARM
 * (DDI 0487, issue K), D24 "AArch64 System Register Descriptions". Sections that start with a letter are of that manual.
 */
#pragma once

#define EXIT_SYNC 0 /* why a guest was left, as the vectors of start.S tell guest_exit() */
#define EXIT_IRQ 1
#define REGISTERS_PC 248 /* offsets in struct registers, and its size */
#define REGISTERS_SIZE 272

#ifdef __ASSEMBLER__
    .cfi_sections .debug_frame
    .macro  function name
    .global \name
    .type   \name, %function
\name:
    .endm

/* X2 to X30 of the struct registers at `base`: stored or loaded, the first word of each instruction. */
    .macro  x2_to_x30 instruction, pair, base
    \pair   x2, x3, [\base, #0x10];     \pair   x4, x5, [\base, #0x20]
    \pair   x6, x7, [\base, #0x30];     \pair   x8, x9, [\base, #0x40]
    \pair   x10, x11, [\base, #0x50];   \pair   x12, x13, [\base, #0x60]
    \pair   x14, x15, [\base, #0x70];   \pair   x16, x17, [\base, #0x80]
    \pair   x18, x19, [\base, #0x90];   \pair   x20, x21, [\base, #0xa0]
    \pair   x22, x23, [\base, #0xb0];   \pair   x24, x25, [\base, #0xc0]
    \pair   x26, x27, [\base, #0xd0];   \pair   x28, x29, [\base, #0xe0]
    \instruction x30, [\base, #0xf0]
    .endm
#else
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

#define BIT(n) (1ul << (n))
#define FIELD(value, high, low) ((value) >> (low) & (BIT((high) - (low) + 1) - 1))

/* ISB: what is written is in force for the next instruction. */
#define sysreg_read(name) ({ u64 value_; asm volatile("mrs %0, " #name : "=r"(value_)); value_; })
#define sysreg_write(name, value) asm volatile("msr " #name ", %0\n\tisb" : : "r"((u64)(value)) : "memory")

/* A register of a device: one load or store of 32 bits, never merged, split or reordered by the compiler. */
static inline u32 read32(u64 address)
{
    u32 value;
    asm volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void write32(u64 address, u32 value)
{
    asm volatile("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

/*
 * A call of what is below us (SMC: the firmware; HVC: a guest's hypervisor), by the SMC calling convention (DEN 0028). The
 * functions are PSCI's (DEN 0022): firmware does them for us, and we for our guests.
 */
#define SMCCC(instruction, function, a1, a2, a3) ({                                                                          \
    register u64 x0_ asm("x0") = (function), x1_ asm("x1") = (a1), x2_ asm("x2") = (a2), x3_ asm("x3") = (a3);               \
    asm volatile(instruction " #0" : "+r"(x0_), "+r"(x1_), "+r"(x2_), "+r"(x3_) : : "x4", "x5", "x6", "x7", "x8", "x9",      \
                 "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");                                          \
    x0_;                                                                                                                     \
})
#define PSCI_VERSION 0x84000000u
#define PSCI_CPU_ON 0xc4000003u   /* MPIDR, where to begin, what is in x0 then */
#define PSCI_SYSTEM_OFF 0x84000008u
#define RING 0xc6000000u          /* our own, in the range for a hypervisor's vendor: ring the other guest's bell */

/* ESR_EL2 (D24.2.40): EC, the class of an exception, in 31:26; IL in 25; ISS, whose layout depends on the class, in 24:0. */
#define ESR_EC(esr) FIELD(esr, 31, 26)
#define ESR_IL BIT(25)            /* the instruction had 32 bits */
#define ISS_ISV BIT(24)           /* data abort: the fields below tell the whole instruction */
#define ISS_SAS(esr) FIELD(esr, 23, 22) /* 1 << SAS bytes */
#define ISS_SSE BIT(21)           /* sign-extended */
#define ISS_SRT(esr) FIELD(esr, 20, 16) /* the register */
#define ISS_SF BIT(15)            /* it is 64 bits wide */
#define ISS_S1PTW BIT(7)          /* it was the walk of the guest's own tables that faulted */
#define ISS_WNR BIT(6)            /* a write */
#define ISS_FSC(esr) FIELD(esr, 5, 0)
#define FSC_TRANSLATION(fsc) (((fsc) & 0x3c) == 0x04) /* of level 0 to 3 */
#define FSC_EXTERNAL_ABORT 0x10

enum exception_class {
    EC_UNKNOWN = 0x00, EC_WFX = 0x01, EC_SVC = 0x15, EC_HVC = 0x16, EC_SYSREG = 0x18,
    EC_IABT_LOWER = 0x20, EC_IABT = 0x21, EC_DABT_LOWER = 0x24, EC_DABT = 0x25,
};
#define EXIT_KINDS 65             /* the classes, and the interrupts behind them */

/* PSTATE, as SPSR_ELx has it. */
#define PSTATE_EL0T 0x0ul
#define PSTATE_EL1H 0x5ul
#define PSTATE_DAIF 0x3c0ul

/* CNTV_CTL_EL0, CNTHP_CTL_EL2 (D24.10). */
#define TIMER_ENABLE BIT(0)
#define TIMER_IMASK BIT(1)
#define TIMER_ISTATUS BIT(2)      /* its time has come; UNKNOWN while it is not enabled */
#define TIMER_BITS (TIMER_ENABLE | TIMER_IMASK | TIMER_ISTATUS)

/* The virtual interrupts; the number of each is that of its list register (vgic.c). */
enum virq { VIRQ_SGI, VIRQ_TIMER, VIRQ_UART, VIRQ_BELL, VIRQS };
#define INTID_SGI 0
#define INTID_HYP_TIMER 26        /* PPIs: BSA (DEN 0094), "PPI assignments" */
#define INTID_VIRTUAL_TIMER 27
#define INTID_UART 33             /* SPI 1 of this board */
#define INTID_BELL 40             /* of our guests' board only */
#define INTID_NONE 1020           /* from here on: no interrupt */

#define CPUS 2
#define VMS 2
#define VCPUS 3
#define NOWHERE (-1)

/* The guests' board, by intermediate physical address (IPA). */
#define IPA_UART 0x09000000ul
#define IPA_IMAGE 0x80000000ul    /* the program, one copy for all, not writable */
#define IPA_RAM 0x80100000ul      /* each VM its own, zeroed, there when it is touched first */
#define RAM_SIZE 0x100000ul

/* A PL011 (DDI 0183): as much as it takes to send. */
#define UARTDR 0x00               /* data */
#define UARTFR 0x18               /* flags */
#define UARTFR_TXFF BIT(5)        /* nothing more can be sent now */
#define UARTFR_TXFE BIT(7)        /* all is sent */
#define UARTIMSC 0x38             /* which interrupts are enabled */
#define UARTICR 0x44              /* write 1 to clear one */
#define UART_INT_TX BIT(5)        /* more can be sent */

/* An emulated one. */
struct uart {
    u32 enabled;                  /* UARTIMSC */
    int length, busy;             /* of the line that is gathered; whether one is on its way */
    char line[80];
};

struct vm {
    const char *name;
    u64 vmid;
    u64 *stage2;                  /* its level 1 table */
    struct uart uart;
    u64 exits[EXIT_KINDS];        /* by ESR_EL2.EC; the last one: interrupts */
};

/* A guest's registers that the vectors do not save: switched when another vCPU gets the CPU. */
#define SWITCHED_REGISTERS(X)                                                                                                \
    X(sctlr_el1) X(cpacr_el1) X(ttbr0_el1) X(ttbr1_el1) X(tcr_el1) X(mair_el1) X(amair_el1) X(vbar_el1) X(contextidr_el1)    \
    X(esr_el1) X(far_el1) X(afsr0_el1) X(afsr1_el1) X(par_el1) X(elr_el1) X(spsr_el1) X(sp_el1) X(sp_el0)                    \
    X(tpidr_el0) X(tpidrro_el0) X(tpidr_el1) X(csselr_el1) X(mdscr_el1) X(cntkctl_el1)                                       \
    X(cntv_cval_el0) X(cntv_ctl_el0) /* in this order: with CTL it counts */                                                 \
    X(ich_vmcr_el2) X(ich_ap1r0_el2)

enum vcpu_state { OFF, READY, WAITING }; /* switched off; running or able to; in WFI */

struct registers { u64 x[31], pc, pstate, unused; }; /* pc, pstate: ELR_ELx, SPSR_ELx. A multiple of 16 bytes, for stacks */
_Static_assert(__builtin_offsetof(struct registers, pc) == REGISTERS_PC && sizeof(struct registers) == REGISTERS_SIZE, "");

struct vcpu {
    struct registers r;           /* first: start.S */
    enum vcpu_state state;
    int cpu;                      /* that runs it, or NOWHERE */
    int last_cpu;
    u64 turns, moves;             /* how often it got a CPU, and another one than before */
    struct vm *vm;
    u64 number;                   /* in its VM: Aff0 of the MPIDR_EL1 that it reads */
    u64 pending;                  /* BIT(enum virq): to be put into a list register at the next entry */
    u64 lr[VIRQS];                /* ICH_LR<n>_EL2 while it is not in the guest */
#define MEMBER(name) u64 name;
    SWITCHED_REGISTERS(MEMBER)
#undef MEMBER
};

struct cpu {
    int slice_over, idle;
    struct vcpu *last_ran[VMS];   /* whose translations of that VM its TLB may hold */
};

/* type1.c */
extern struct vm vms[VMS];
extern struct vcpu vcpus[VCPUS];
extern struct cpu cpus[CPUS];
static inline u64 this_cpu(void) { return sysreg_read(mpidr_el1) & 0xff; } /* Aff0: enough on this board */
void lock(void);
void unlock(void);
void panic(const char *why) __attribute__((noreturn));
#define check(condition) do { if (!(condition)) panic(#condition); } while (0)

/* stage2.c */
void stage2_on(void);
u64 *stage2_new(void);
int stage2_memory(struct vm *vm, u64 ipa);

/* vcpu.c */
struct vcpu *vcpu_of(struct vm *vm, u64 number);
void vcpu_on(struct vcpu *v, u64 entry, u64 x0);
void vcpu_wake(struct vcpu *v);
struct vcpu *vcpu_choose(struct vcpu *v);

/* vgic.c */
void gic_on(void);
void gic_cpu_on(void);
void gic_kick(int cpu);
void gic_interrupts(struct vcpu *v);
void vgic_post(struct vcpu *v, enum virq irq);
int vgic_pending(const struct vcpu *v);
void vgic_save(struct vcpu *v);
void vgic_load(struct vcpu *v);

/* uart.c */
void uart_print(const char *text);
void uart_interrupt(void);
u32 uart_read(struct vm *vm, u64 offset);
void uart_write(struct vm *vm, u64 offset, u32 value);

#endif
