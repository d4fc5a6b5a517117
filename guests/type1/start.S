/*
 * The first instructions of a CPU at EL2, the vectors of EL2, and the way out of a guest and back into one.
 *
 * EL2 has a small stage 1 of its own: with the MMU off all memory would be Device memory, where exclusive accesses, and so a
 * lock, need not work (B2.8.2, "Device memory"). Next: exits.c, where guest_exit() is.
 */
#include "type1.h"

/* Stage 1 of EL2: level 1, one block of 1 GiB an entry, VA = PA (D8.3, "Translation table descriptor formats"). */
    .set BLOCK, 1 | 1 << 6 | 1 << 10        // AP[1], which is RES1 at EL2; AF
    .set DEVICE, BLOCK | 0 << 2 | 1 << 54   // AttrIndx 0; XN
    .set NORMAL, BLOCK | 1 << 2 | 3 << 8    // AttrIndx 1; inner shareable
    .set MAIR, 0xff04                       // AttrIndx 0: Device-nGnRE, 1: Normal, write-back

    .set TCR, 32 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 1 << 31 // T0SZ: 4 GiB; walks as NORMAL; RES1; PS = 0: 32 bits
    .set SCTLR, 0x30c50830 | 1 << 0 | 1 << 2 | 1 << 3 | 1 << 12   // RES1; M, C, SA, I

    .section .text.start, "ax"
function _start                             // CPU 0, by the loader: EL2, MMU off, interrupts masked
    bl      el2_on
    bl      main                            // returns the vCPU to run first
    b       guest_enter

function cpu_start                          // another CPU, by PSCI CPU_ON: the same
    bl      el2_on
    bl      main_of_another_cpu
    b       guest_enter

function el2_on
    msr     spsel, #1
    ldr     x1, =MAIR
    msr     mair_el2, x1
    ldr     x1, =TCR
    msr     tcr_el2, x1
    adrp    x1, el2_table
    msr     ttbr0_el2, x1
    adrp    x1, vectors
    add     x1, x1, #:lo12:vectors
    msr     vbar_el2, x1
    tlbi    alle2
    dsb     nsh
    isb
    ldr     x1, =SCTLR
    msr     sctlr_el2, x1
    isb
    mrs     x1, mpidr_el1
    and     x1, x1, #0xff
    add     x1, x1, #1                      // stacks grow downwards
    adrp    x2, stacks
    add     x1, x2, x1, lsl #14             // 16 KiB each
    mov     sp, x1
    ret

/*
 * Exceptions taken to EL2 (D1.3.1, "Exception entry"): 4 sources x 4 kinds, 0x80 bytes each. While a guest has the CPU,
 * SP_EL2 is the top of the CPU's stack and TPIDR_EL2 its struct vcpu, where the registers go.
 */
    .macro guests kind
    .balign 0x80
    stp     x0, x1, [sp, #-16]!
    mov     x1, #\kind
    b       guest_left
    .endm

    .text
    .balign 0x800
function vectors
    .rept 8                                 // from EL2: nothing that we do may cause an exception
    .balign 0x80
    b       unexpected
    .endr
    guests  EXIT_SYNC                       // from EL1 and EL0
    guests  EXIT_IRQ
    .rept 6                                 // FIQ, SError; AArch32, which no guest of ours enters
    .balign 0x80
    b       unexpected
    .endr

    .balign 0x80
function guest_left                         // x1: why; the guest's x0 and x1 are on the stack
    .cfi_startproc
    .cfi_undefined x30                      // a debugger's backtrace ends here
    mrs     x0, tpidr_el2
    x2_to_x30 str, stp, x0
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0]
    mrs     x2, elr_el2                     // where the guest was, and in which state
    mrs     x3, spsr_el2
    stp     x2, x3, [x0, #REGISTERS_PC]
    bl      guest_exit                      // handles it; returns the vCPU to run next: this one, or another
    .cfi_endproc

function guest_enter                        // x0: struct vcpu
    msr     tpidr_el2, x0
    ldp     x2, x3, [x0, #REGISTERS_PC]
    msr     elr_el2, x2
    msr     spsr_el2, x3
    x2_to_x30 ldr, ldp, x0
    ldp     x0, x1, [x0]
    eret

    .section .rodata
    .balign 4096
el2_table:
    .quad   0x00000000 | DEVICE
    .quad   0x40000000 | NORMAL             // RAM
    .quad   0, 0
