/*
 * The guests' first instructions and their vectors, at EL1. Both guests are this one program (type1.ld): the hypervisor maps
 * one copy of it into both, which they cannot write; what they write is each one's own.
 *
 * A guest's stage 1: level 1, one block of 1 GiB an entry. VA = IPA, but for an alias of the program where EL0 may execute it.
 *
 *     VA 0x00000000   devices
 *     VA 0x40000000   nothing: an access is a fault of stage 1
 *     VA 0x80000000   program and RAM, for EL1
 *     VA 0xc0000000   the same, for EL0 to read and execute
 */
#include "type1.h"

    .set BLOCK, 1 | 1 << 10                 // AF
    .set DEVICE, BLOCK | 0 << 2 | 3 << 53   // AttrIndx 0; PXN, UXN
    .set NORMAL, BLOCK | 1 << 2 | 3 << 8
    .set USER, NORMAL | 3 << 6 | 1 << 53    // AP: read-only, EL0 too; PXN
    .set ALIAS, 0x40000000
    .set MAIR, 0xff04
    .set TCR, 32 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 // as EL2's in start.S; EPD1: no TTBR1
    .set SCTLR, 0x30d00800 | 1 << 0 | 1 << 2 | 1 << 12  // RES1; M, C, I

    .section .guest.start, "ax"
function guest_start                        // x0: which guest this is
    .cfi_startproc
    .cfi_undefined x30                      // nobody has called it: a debugger's backtrace ends here
    ldr     x1, =MAIR
    msr     mair_el1, x1
    ldr     x1, =TCR
    msr     tcr_el1, x1
    adrp    x1, guest_table
    msr     ttbr0_el1, x1
    adrp    x1, guest_vectors
    add     x1, x1, #:lo12:guest_vectors
    msr     vbar_el1, x1
    isb
    ldr     x1, =SCTLR
    msr     sctlr_el1, x1
    isb
    mrs     x1, mpidr_el1                   // gives VMPIDR_EL2
    and     x1, x1, #0xff
    add     x2, x1, #1
    adrp    x3, guest_stacks
    add     x2, x3, x2, lsl #12             // one page each
    mov     sp, x2
    bl      guest_main                      // guest_main(which guest, which vCPU)
    .cfi_endproc

/* u64 user_add(u64, u64): a program at EL0 has it done by system calls: SVC #1 adds, SVC #0 returns to EL1's caller. */
function user_add
    msr     daifset, #2
    adr     x2, user_program
    orr     x2, x2, #ALIAS
    msr     elr_el1, x2
    mov     x2, #1 << 7                     // EL0t, interrupts masked
    msr     spsr_el1, x2
    eret
user_program:
    svc     #1
    svc     #0

    .macro enter handler
    .balign 0x80
    sub     sp, sp, #REGISTERS_SIZE
    stp     x0, x1, [sp]
    adrp    x0, \handler
    add     x0, x0, #:lo12:\handler
    b       save_call_restore
    .endm

    .balign 0x800
function guest_vectors
    .rept 4
    enter   guest_failed                    // EL1 with SP_EL0
    .endr
    enter   guest_synchronous               // EL1 with SP_EL1
    enter   guest_interrupt
    enter   guest_failed
    enter   guest_failed
    enter   guest_synchronous               // EL0
    .rept 7
    enter   guest_failed
    .endr

    .balign 0x80
function save_call_restore
    x2_to_x30 str, stp, sp
    mrs     x1, elr_el1
    mrs     x2, spsr_el1
    stp     x1, x2, [sp, #REGISTERS_PC]
    mov     x1, x0
    mov     x0, sp
    blr     x1                              // handler(struct registers *)
    ldp     x1, x2, [sp, #REGISTERS_PC]
    msr     elr_el1, x1
    msr     spsr_el1, x2
    x2_to_x30 ldr, ldp, sp
    ldp     x0, x1, [sp]
    add     sp, sp, #REGISTERS_SIZE
    eret

    .ltorg
    .balign 4096
guest_table:
    .quad   0x00000000 | DEVICE
    .quad   0
    .quad   0x80000000 | NORMAL
    .quad   0x80000000 | USER
