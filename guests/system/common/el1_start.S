/*
 * The first instructions of a system program that runs at EL1, its vectors, and the way from C code into a case's code and back:
 * what start.S is at EL2. The vectors switch the MMU off before they touch memory; the case's tables must let EL1 execute this text.
 */
#include "layout.h"

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
    cmp     x1, #4
    b.ne    1f
    bl      set_up_cpu
    bl      system_main
    ldr     w0, =PSCI_SYSTEM_OFF
    hvc     #0
    b       .
1:  adrp    x1, stacks + 0x8000             // EL2: say so and leave
    mov     sp, x1
    bl      system_wrong_level
    ldr     w0, =PSCI_SYSTEM_OFF
    smc     #0
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
    ldr     x1, =SCTLR_EL1_OFF
    msr     sctlr_el1, x1
    adrp    x1, el1_vectors
    add     x1, x1, #:lo12:el1_vectors
    msr     vbar_el1, x1
    isb
    mrs     x1, mpidr_el1
    and     x1, x1, #7
    add     x1, x1, #1
    adrp    x2, stacks
    add     x1, x2, x1, lsl #15
    mov     sp, x1
    ret
    .size set_up_cpu, . - set_up_cpu

/* void run_enter(struct cpu *, u64 spsr, u64 pc, u64 sp, u64 sctlr, const u64 x[9]): x[0..7], and x[8] for the link register */
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
    msr     spsr_el1, x1
    msr     elr_el1, x2
    mov     x9, x3
    mov     x10, x4
    ldr     x30, [x5, #64]
    mov     x11, x5
    ldp     x0, x1, [x11]
    ldp     x2, x3, [x11, #16]
    ldp     x4, x5, [x11, #32]
    ldp     x6, x7, [x11, #48]
    mov     sp, x9
    msr     sctlr_el1, x10
    isb
    eret
    .size run_enter, . - run_enter

#include "case_enter.inc"

/* Where a function that run() entered returns to: the exception with this immediate says "returned" (see returned()). */
    .global return_by_svc
    .type return_by_svc, %function
return_by_svc:
    svc     #RETURNED
    .size return_by_svc, . - return_by_svc

    .balign 0x800
    .global el1_vectors
    .type el1_vectors, %object
el1_vectors:
    .set    offset, 0
    .rept   16
    .balign 0x80
    msr     tpidr_el1, x0
    mov     x0, #SCTLR_EL1_OFF & 0xffff
    movk    x0, #SCTLR_EL1_OFF >> 16, lsl #16
    msr     sctlr_el1, x0
    isb
    cpu_area x0
    str     x1, [x0, #8]
    mov     x1, #offset
    b       el1_common
    .set    offset, offset + 0x80
    .endr
    .size el1_vectors, . - el1_vectors

    .balign 0x80
    .type el1_common, %function
el1_common:
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
    mrs     x1, tpidr_el1
    str     x30, [x0, #0xf0]
    str     x1, [x0]
    mov     x1, sp
    mrs     x2, nzcv
    str     x2, [x0, #CPU_NZCV]
    mrs     x2, sp_el0
    stp     x2, x1, [x0, #CPU_SP + 0x10]
    mrs     x2, esr_el1
    str     x2, [x0, #CPU_SP + 0x48]
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
    .size el1_common, . - el1_common

#include "code_buffer.inc"
