/*
 * Executes a list of system instructions, each at the exception level and under the controls that it asks for, and records what
 * came of each. It is a guest like any other: the same bytes run on QEMU and on gdbhv, and then the results are compared
 * (registers.py writes the list).
 *
 *   0x40200000  this program                        EL2, MMU off at every level
 *   0x40400000  number of items (8 bytes), then the items, 48 bytes each:
 *                 level (4), an instruction to be executed before at EL2, for a value in X3, or 0 (4), four instructions (16),
 *                 X3 (8), HCR_EL2 (8), SCTLR_EL1 (8)
 *   0x44000000  16 bytes for each: 0 (executed), or 1 or 2 (taken to that level) with ESR << 8; X3 afterwards
 */
        .arch   armv8-a
        .equ    LIST,    0x40400000
        .equ    RESULTS, 0x44000000
        .equ    BASELINE_HCR, 0x80000000        /* RW */

        .macro  sync_code at
        dc      cvau, \at
        dsb     ish
        ic      ivau, \at
        dsb     ish
        isb
        .endm

        .text
        .globl  _start
_start: ldr     x20, =LIST
        ldr     x21, [x20], #8
        ldr     x22, =RESULTS
next:   cbz     x21, done
        sub     x21, x21, #1
        ldr     x2, =BASELINE_HCR
        msr     HCR_EL2, x2
        isb
        adr     x2, vectors_el2
        msr     VBAR_EL2, x2
        adr     x2, vectors_el1
        msr     VBAR_EL1, x2
        ldp     w0, w1, [x20]
        ldp     x6, x7, [x20, #8]
        ldp     x3, x8, [x20, #24]
        ldr     x9, [x20, #40]
        add     x20, x20, #48
        msr     SCTLR_EL1, x9

        mov     x10, #0                         /* phase: an exception here only means that there is no value */
        cbz     w1, ready
        adr     x11, before
        str     w1, [x11]
        sync_code x11
before: nop
ready:  mov     x10, #1
        adr     x11, slot
        stp     x6, x7, [x11]
        sync_code x11
        msr     HCR_EL2, x8
        isb
        tbnz    w0, #1, slot
        mov     x2, #0x3c0                      /* EL0t, DAIF */
        mov     x4, #0x3c5                      /* EL1h, DAIF */
        cmp     w0, #1
        csel    x2, x4, x2, eq
        msr     SPSR_EL2, x2
        msr     ELR_EL2, x11
        eret

        .balign 64
slot:   nop
        nop
        nop
        nop
        tbnz    w0, #1, executed
        cbz     w0, 1f
        hvc     #0
1:      svc     #0

executed:
        mov     x5, #0
store:  stp     x5, x3, [x22], #16
        b       next
done:   ldr     x0, =0x84000008                 /* SYSTEM_OFF */
        smc     #0
        b       .

        .balign 2048
vectors_el2:
        .rept   16
        .balign 128
        b       at_el2
        .endr
at_el2: cbnz    x10, 1f
        mov     x3, #0
        b       ready
1:      mrs     x5, ESR_EL2
        lsr     x6, x5, #26
        cmp     x6, #0x15                       /* SVC: EL0 under TGE has done it */
        b.eq    executed
        ldr     x6, =0x5a000000                 /* HVC #0: EL1 or EL0 has done it */
        cmp     x5, x6
        b.eq    executed
        add     x6, x6, #1                      /* HVC #1: EL1 has taken an exception, syndrome in X12 */
        cmp     x5, x6
        b.eq    2f
        lsl     x5, x5, #8
        orr     x5, x5, #2
        b       store
2:      lsl     x5, x12, #8
        orr     x5, x5, #1
        b       store

        .balign 2048
vectors_el1:
        .rept   16
        .balign 128
        b       at_el1
        .endr
at_el1: mrs     x12, ESR_EL1
        lsr     x11, x12, #26
        cmp     x11, #0x15
        b.eq    1f
        hvc     #1
1:      hvc     #0
