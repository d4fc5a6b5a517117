/* What vectors.S hands to a guest's handlers, and the few fields of ESR_EL1 that they look at (Arm ARM, ESR_EL1). */
#pragma once
#include "types.h"

struct frame {
    u64 x[31];
    u64 elr, spsr, esr, far;
};

void el1_sync(struct frame *frame);
void el1_irq(struct frame *frame);
void el0_sync(struct frame *frame);
void unexpected(struct frame *frame);

enum exception_class {
    EC_UNKNOWN = 0x00,          /* an instruction that is UNDEFINED here */
    EC_SVC = 0x15,
    EC_SYSREG = 0x18,
    EC_INSTRUCTION_ABORT = 0x21, /* taken from EL1 itself */
    EC_DATA_ABORT = 0x25,
    EC_BRK = 0x3c,
};

static inline unsigned esr_class(u64 esr) { return esr >> 26 & 0x3f; }
static inline unsigned esr_fault_status(u64 esr) { return esr & 0x3f; }

#define SPSR_EL1H 5 /* EL1 with SP_EL1, interrupts enabled */

#define FAULT_EXTERNAL_ABORT 0x10 /* synchronous, not on a table walk: nobody answered at that address */

static inline void irq_enable(void) { asm volatile("msr daifclr, #2\n\tisb" ::: "memory"); }
static inline void irq_disable(void) { asm volatile("msr daifset, #2" ::: "memory"); }
