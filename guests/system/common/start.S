/*
 * The first instructions of a system program, its vectors, and the way from C code into a case's code and back, for both levels that
 * C code runs at: EL2, or EL1 in an image compiled with AT_EL1 (el1.c). HOME(reg) is that level's own register.
 *
 * C code runs with the MMU off and interrupts masked, at EL2 with HCR_EL2.E2H = 0. run_enter() leaves it by ERET; whichever exception
 * comes first ends the run: the vectors write everything into the CPU's struct cpu (cpu.h) and run_enter() returns. They trust neither
 * the stack pointer nor the case's tables: they switch the MMU off before they touch memory. The home level's TPIDR is theirs.
 *
 * At EL2, an exception taken to EL1 is passed on: each vector of EL1 is one HVC, which touches neither memory nor registers, and which
 * works wherever the case's tables let EL1 execute this text. PSTATE at EL1's vector is then SPSR_EL2.
 * At EL1, the case's tables must let EL1 execute this text.
 */
#include "layout.h"

#if HOME_EL == 2
#define HOME(reg) reg##_el2
#define SCTLR_OFF SCTLR_EL2_OFF
#define FIRMWARE smc
#define OTHER_FIRMWARE hvc
#else
#define HOME(reg) reg##_el1
#define SCTLR_OFF SCTLR_EL1_OFF
#define FIRMWARE hvc
#define OTHER_FIRMWARE smc
#endif

    .macro cpu_area reg                     // one register is all there is
    mrs     \reg, mpidr_el1
    and     \reg, \reg, #7
    lsl     \reg, \reg, #12
    orr     \reg, \reg, #0x40000000
    orr     \reg, \reg, #0x00400000
    .endm

    .section .text.start, "ax"
    .global _start
    .type _start, %function
_start:
    mrs     x1, CurrentEL
    cmp     x1, #HOME_EL << 2
    b.ne    1f
    bl      set_up_cpu
    bl      system_main
    ldr     w0, =PSCI_SYSTEM_OFF
    FIRMWARE #0
    b       .
1:  adrp    x1, stacks + 0x8000             // the other level: say so and leave
    mov     sp, x1
    bl      system_wrong_level
    ldr     w0, =PSCI_SYSTEM_OFF
    OTHER_FIRMWARE #0
    b       .
    .size _start, . - _start

    .global cpu_start
    .type cpu_start, %function
cpu_start:                                  // PSCI CPU_ON enters here
    bl      set_up_cpu
    bl      system_secondary
    b       .
    .size cpu_start, . - cpu_start

    .type set_up_cpu, %function
set_up_cpu:
    msr     spsel, #1
    msr     daifset, #15
    ldr     x1, =SCTLR_OFF
    msr     HOME(sctlr), x1
#if HOME_EL == 2
    mov     x1, #HCR_CLEAN
    msr     hcr_el2, x1
#endif
    adrp    x1, home_vectors
    add     x1, x1, #:lo12:home_vectors
    msr     HOME(vbar), x1
    isb
    mrs     x1, mpidr_el1
    and     x1, x1, #7
    add     x1, x1, #1
    adrp    x2, stacks
    add     x1, x2, x1, lsl #15
    mov     sp, x1
    ret
    .size set_up_cpu, . - set_up_cpu

/*
 * void run_enter(struct cpu *, u64 spsr, u64 pc, u64 hcr_or_sp, u64 sctlr, const u64 x[9]): x[0..7], and x[8] for the link register.
 * hcr_or_sp: HCR_EL2, or at EL1 SP_EL1.
 */
    .text
    .global run_enter
    .type run_enter, %function
run_enter:
    stp     x19, x20, [sp, #-96]!
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    mov     x9, sp
    str     x9, [x0, #CPU_RUN_SP]
    mov     x9, #1
    str     x9, [x0, #CPU_RUNNING]
    msr     HOME(spsr), x1
    msr     HOME(elr), x2
    mov     x9, x3
    mov     x10, x4
    ldr     x30, [x5, #64]
    mov     x11, x5
    ldp     x0, x1, [x11]
    ldp     x2, x3, [x11, #16]
    ldp     x4, x5, [x11, #32]
    ldp     x6, x7, [x11, #48]
#if HOME_EL == 2
    msr     hcr_el2, x9
    isb
#else
    mov     sp, x9
#endif
    msr     HOME(sctlr), x10
    isb
    eret
    .size run_enter, . - run_enter

/* void case_enter(struct cpu *, void (*function)(u64), u64 argument): call it; case_abandon() returns from here too. */
    .global case_enter
    .type case_enter, %function
case_enter:
    stp     x19, x20, [sp, #-96]!
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    mov     x9, sp
    str     x9, [x0, #CPU_CASE_SP]
    mov     x0, x2
    blr     x1
    b       restore_and_return
    .size case_enter, . - case_enter

/* void case_abandon(struct cpu *) */
    .global case_abandon
    .type case_abandon, %function
case_abandon:
    ldr     x9, [x0, #CPU_CASE_SP]
    mov     sp, x9
restore_and_return:
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    ldp     x19, x20, [sp], #96
    ret
    .size case_abandon, . - case_abandon

/* Where a function that run() entered returns to: the exception with this immediate says "returned" (see returned()). */
    .global return_by_svc
    .type return_by_svc, %function
return_by_svc:
    svc     #RETURNED
    .size return_by_svc, . - return_by_svc
#if HOME_EL == 2
    .global return_by_hvc
    .type return_by_hvc, %function
return_by_hvc:
    hvc     #RETURNED
    .size return_by_hvc, . - return_by_hvc

    .balign 0x800
    .global el1_vectors
    .type el1_vectors, %object
el1_vectors:
    .set    offset, 0
    .rept   16
    .balign 0x80
    hvc     #FROM_EL1 + offset
    b       .                               // nobody returns here
    .set    offset, offset + 0x80
    .endr
    .balign 0x80
    .size el1_vectors, . - el1_vectors
#endif

    .balign 0x800
    .type home_vectors, %object
home_vectors:
    .set    offset, 0
    .rept   16
    .balign 0x80
    msr     HOME(tpidr), x0
    mov     x0, #SCTLR_OFF & 0xffff
    movk    x0, #SCTLR_OFF >> 16, lsl #16
    msr     HOME(sctlr), x0
    isb
    cpu_area x0
    str     x1, [x0, #8]
    mov     x1, #offset
    b       home_common
    .set    offset, offset + 0x80
    .endr
    .size home_vectors, . - home_vectors

    .balign 0x80
    .type home_common, %function
home_common:
    str     x1, [x0, #CPU_VECTOR]
    stp     x2, x3, [x0, #0x10]
    stp     x4, x5, [x0, #0x20]
    stp     x6, x7, [x0, #0x30]
    stp     x8, x9, [x0, #0x40]
    stp     x10, x11, [x0, #0x50]
    stp     x12, x13, [x0, #0x60]
    stp     x14, x15, [x0, #0x70]
    stp     x16, x17, [x0, #0x80]
    stp     x18, x19, [x0, #0x90]
    stp     x20, x21, [x0, #0xa0]
    stp     x22, x23, [x0, #0xb0]
    stp     x24, x25, [x0, #0xc0]
    stp     x26, x27, [x0, #0xd0]
    stp     x28, x29, [x0, #0xe0]
    mrs     x1, HOME(tpidr)
    str     x30, [x0, #0xf0]
    str     x1, [x0]
#if HOME_EL == 2
    mrs     x2, hcr_el2
    mov     x1, #HCR_CLEAN                  // EL1's registers are EL1's only with E2H = 0
    msr     hcr_el2, x1
    isb
    mov     x1, sp
    stp     x1, x2, [x0, #CPU_SP]           // SP_EL2, HCR_EL2
    mrs     x2, sp_el1
    mrs     x3, esr_el2
    mrs     x4, far_el2
    stp     x3, x4, [x0, #CPU_SP + 0x20]
    mrs     x3, hpfar_el2
    mrs     x4, elr_el2
    stp     x3, x4, [x0, #CPU_SP + 0x30]
    mrs     x3, spsr_el2
    str     x3, [x0, #CPU_SP + 0x40]
#else
    mov     x2, sp
    mrs     x3, nzcv
    str     x3, [x0, #CPU_NZCV]
#endif
    mrs     x1, sp_el0
    stp     x1, x2, [x0, #CPU_SP + 0x10]    // SP_EL0, SP_EL1
    mrs     x1, esr_el1
    str     x1, [x0, #CPU_SP + 0x48]
    mrs     x1, far_el1
    mrs     x2, elr_el1
    stp     x1, x2, [x0, #CPU_SP + 0x50]
    mrs     x1, spsr_el1
    str     x1, [x0, #CPU_SP + 0x60]
    ldr     x1, [x0, #CPU_RUNNING]
    cbz     x1, 1f
    str     xzr, [x0, #CPU_RUNNING]
    ldr     x9, [x0, #CPU_RUN_SP]
    mov     sp, x9
    b       restore_and_return
1:  ldr     x9, [x0, #CPU_CASE_SP]          // an exception in C code: give the case up
    mov     sp, x9
    b       system_wild
    .size home_common, . - home_common

/* Instructions that cases make at run time (emit() in system.c): part of the text, so that tables map it executable. */
    .balign 0x1000
    .global code_buffer
    .type code_buffer, %object
code_buffer:
    .fill   0x400, 4, 0
    .size code_buffer, . - code_buffer

    .section .cpus, "aw"
    .global cpus
    .type cpus, %object
cpus:
    .skip   8 * 0x1000
    .size cpus, . - cpus
