/*
 * The first instructions at EL2, its one vector, and the way into the guest and back. MMU off at EL2 and at EL1: VA = IPA for the
 * guest, VA = PA for the hypervisor.
 */
    .cfi_sections .debug_frame
    .macro  function name
    .global \name
    .type   \name, %function
\name:
    .endm

    .section .text.start, "ax"
function _start                             // by the loader: EL2, interrupts masked
    msr     spsel, #1
    adrp    x1, stacks + 0x4000             // grows downwards; the guest's is the next one
    mov     sp, x1
    adrp    x1, vectors
    add     x1, x1, #:lo12:vectors
    msr     vbar_el2, x1
    bl      main                            // makes stage 2
    adrp    x1, stacks + 0x8000
    msr     sp_el1, x1
    adrp    x1, guest_main
    add     x1, x1, #:lo12:guest_main
    msr     elr_el2, x1
    mov     x1, #0x3c5                      // EL1h, interrupts masked
    msr     spsr_el2, x1
    eret

    .text
    .balign 0x800
function vectors
    .rept 8
    .balign 0x80
    b       .                               // nothing here may cause an exception at EL2
    .endr
    .balign 0x80
function guest_left                         // a guest's synchronous exception: HVC, with what is asked in x0 and a page in x1
    stp     x29, x30, [sp, #-16]!
    bl      guest_asks                      // x0: the answer; the guest expects no other register back (AAPCS64)
    ldp     x29, x30, [sp], #16
    eret
    .rept 7
    .balign 0x80
    b       .
    .endr

function hvc
    hvc     #0
    ret

function power_off
    ldr     w0, =0x84000008                 // PSCI SYSTEM_OFF
    smc     #0
    b       .
