/*
 * The vector table of EL1 (Arm ARM, "Exception vectors"): 4 sources x 4 kinds, 0x80 bytes each. Every entry saves the interrupted
 * state in a frame on the stack (struct frame of exception.h), calls one C function, and returns.
 *
 *     source            synchronous     IRQ           FIQ, SError
 *     EL1 with SP_EL1   el1_sync()      el1_irq()     unexpected()
 *     EL0               el0_sync()      unexpected()
 *     any other         unexpected()
 *
 *     frame:  0x000 x0 .. x30   0x0f8 ELR_EL1   0x100 SPSR_EL1   0x108 ESR_EL1   0x110 FAR_EL1   (0x120 bytes)
 */
    .macro entry handler
    .balign 0x80
    sub     sp, sp, #0x120
    stp     x0, x1, [sp, #0x00]
    adrp    x0, \handler
    add     x0, x0, #:lo12:\handler
    b       save_call_restore
    .endm

    .text
    .balign 0x800
    .global vectors
    .type vectors, %object
vectors:
    .rept 4
    entry unexpected                        // current EL with SP_EL0
    .endr
    entry el1_sync                          // current EL with SP_EL1
    entry el1_irq
    entry unexpected
    entry unexpected
    entry el0_sync                          // EL0, AArch64
    .rept 7
    entry unexpected
    .endr
    .size vectors, . - vectors

/* The .cfi lines let a debugger's backtrace go on from the handler to the interrupted code. */
    .cfi_sections .debug_frame
    .balign 0x80
    .type save_call_restore, %function
save_call_restore:
    .cfi_startproc
    .cfi_signal_frame
    .cfi_def_cfa sp, 0x120
    .cfi_return_column 32                   // PC, in GDB's numbering
    .cfi_offset 32, 0x0f8 - 0x120
    .irp    n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
    .cfi_offset \n, \n * 8 - 0x120
    .endr
    stp     x2, x3, [sp, #0x10]
    stp     x4, x5, [sp, #0x20]
    stp     x6, x7, [sp, #0x30]
    stp     x8, x9, [sp, #0x40]
    stp     x10, x11, [sp, #0x50]
    stp     x12, x13, [sp, #0x60]
    stp     x14, x15, [sp, #0x70]
    stp     x16, x17, [sp, #0x80]
    stp     x18, x19, [sp, #0x90]
    stp     x20, x21, [sp, #0xa0]
    stp     x22, x23, [sp, #0xb0]
    stp     x24, x25, [sp, #0xc0]
    stp     x26, x27, [sp, #0xd0]
    stp     x28, x29, [sp, #0xe0]
    mrs     x1, elr_el1
    stp     x30, x1, [sp, #0xf0]
    mrs     x1, spsr_el1
    mrs     x2, esr_el1
    stp     x1, x2, [sp, #0x100]
    mrs     x1, far_el1
    str     x1, [sp, #0x110]

    mov     x1, x0
    mov     x0, sp
    blr     x1                              // handler(struct frame *)

    ldr     x1, [sp, #0x100]
    msr     spsr_el1, x1
    ldp     x30, x1, [sp, #0xf0]
    msr     elr_el1, x1                     // the handler may have moved it
    ldp     x28, x29, [sp, #0xe0]
    ldp     x26, x27, [sp, #0xd0]
    ldp     x24, x25, [sp, #0xc0]
    ldp     x22, x23, [sp, #0xb0]
    ldp     x20, x21, [sp, #0xa0]
    ldp     x18, x19, [sp, #0x90]
    ldp     x16, x17, [sp, #0x80]
    ldp     x14, x15, [sp, #0x70]
    ldp     x12, x13, [sp, #0x60]
    ldp     x10, x11, [sp, #0x50]
    ldp     x8, x9, [sp, #0x40]
    ldp     x6, x7, [sp, #0x30]
    ldp     x4, x5, [sp, #0x20]
    ldp     x2, x3, [sp, #0x10]
    ldp     x0, x1, [sp, #0x00]
    add     sp, sp, #0x120
    eret
    .cfi_endproc
    .size save_call_restore, . - save_call_restore
