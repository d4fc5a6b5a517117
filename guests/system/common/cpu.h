/* What the files of common/ share among themselves; cases need system.h alone. */
#pragma once
#include "../../common/uart.h"
#include "system.h"

/* One page for each CPU; start.S knows the offsets up to nzcv (layout.h). */
struct cpu {
    u64 x[31], vector;
    u64 sp_el2, hcr, sp_el0, sp_el1;
    u64 esr_el2, far_el2, hpfar_el2, elr_el2, spsr_el2;
    u64 esr_el1, far_el1, elr_el1, spsr_el1;
    u64 running, run_sp, case_sp, nzcv;
    struct exception exception;
    volatile u64 alive, job, argument, wild;
} __attribute__((aligned(4096)));

_Static_assert(__builtin_offsetof(struct cpu, vector) == CPU_VECTOR, "layout.h");
_Static_assert(__builtin_offsetof(struct cpu, sp_el2) == CPU_SP, "layout.h");
_Static_assert(__builtin_offsetof(struct cpu, running) == CPU_RUNNING, "layout.h");
_Static_assert(__builtin_offsetof(struct cpu, case_sp) == CPU_CASE_SP, "layout.h");
_Static_assert(__builtin_offsetof(struct cpu, nzcv) == CPU_NZCV, "layout.h");

extern struct cpu cpus[8];
extern const char return_by_svc[], return_by_hvc[], el1_vectors[], cpu_start[];

static inline struct cpu *my_cpu(void) { return &cpus[this_cpu()]; }

void run_enter(struct cpu *cpu, u64 spsr, u64 pc, u64 hcr_or_sp, u64 sctlr, const u64 x[9]);
void case_enter(struct cpu *cpu, void (*function)(u64), u64 argument);
void case_abandon(struct cpu *cpu) __attribute__((noreturn));
struct exception *record_exception(struct cpu *cpu);
void record_level(const struct cpu *cpu, struct exception *e); /* what is not EL1's, or known at one level only */
u64 pstate_now(void);
u64 *held_encoding(u32 sysreg); /* where a register is held for RUN(), as held_register() of at_el1.h; or 0 */

void interrupts_init(void);
void watchdog_for_case(void);
u64 watchdog_start(struct cpu *cpu); /* the bits that HCR_EL2 needs for it */
const struct exception *watchdog_stop(struct cpu *cpu, const struct exception *e);

void hangs(const struct exception *e) __attribute__((noreturn)); /* give the case up */

void clean_state(void);
void clean_el2(void); /* and what EL2 owns of EL1; nothing at EL1 */
void tables_reset(void);
