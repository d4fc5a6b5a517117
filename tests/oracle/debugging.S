/*
 * Executes a list of short programs, each at the exception level and with the breakpoints, watchpoints and software step that it asks
 * for, and records the exceptions that they cause. It is a guest like any other: the same bytes run on QEMU and on gdbhv, and then the
 * results are compared (debugging.py writes the list).
 *
 *   0x40200000  this program                        EL2, MMU off at every level
 *   0x40400000  number of items (8 bytes), then the items, 256 bytes each (see `item`)
 *   0x44000000  for each 648 bytes: number of events, then up to 16 events: level and vector, ESR, FAR, ELR - slot, SPSR
 *
 * EL1 only forwards its exceptions. A breakpoint or watchpoint exception skips the instruction; where that would disturb this program
 * itself everything is disarmed. SPSR.SS is set or cleared on every return, as the item asks for.
 */
        .arch   armv8.1-a
        .equ    LIST,    0x40400000
        .equ    RESULTS, 0x44000000
        .equ    DATA,    0x43ff0000
        .equ    MOST,    16
        .equ    BASELINE_HCR, 0x80000000        /* RW */
        .equ    FINISH, 0x55
        .equ    FORWARD, 0x77

        .equ    item_spsr, 0
        .equ    item_hcr, 8
        .equ    item_mdcr, 16
        .equ    item_mdscr, 24
        .equ    item_oslar, 32
        .equ    item_contextidr1, 40
        .equ    item_contextidr2, 48
        .equ    item_vttbr, 56
        .equ    item_ss, 64                     /* 0 or 1 << 21 */
        .equ    item_words, 72                  /* 10 instructions */
        .equ    item_bvr, 112                   /* breakpoints 0, 1, 4, 5: value, control */
        .equ    item_wvr, 176                   /* watchpoints 0, 3: value, control */
        .equ    item_size, 256

        .text
        .globl  _start
_start: ldr     x0, =stack
        mov     sp, x0
        ldr     x20, =LIST
        ldr     x21, [x20], #8
        ldr     x22, =RESULTS
next:   cbz     x21, done
        sub     x21, x21, #1
        mov     x23, #0                         /* events */
        ldr     x0, =BASELINE_HCR
        msr     HCR_EL2, x0
        isb
        msr     MDSCR_EL1, xzr
        isb
        adr     x0, vectors_el2
        msr     VBAR_EL2, x0
        adr     x0, vectors_el1
        msr     VBAR_EL1, x0
        ldr     x0, =0x30d00b80                 /* UMA; RES1 bits */
        msr     SCTLR_EL1, x0
        ldr     x0, [x20, #item_oslar]
        msr     OSLAR_EL1, x0
        ldr     x0, [x20, #item_mdcr]
        msr     MDCR_EL2, x0
        ldr     x0, [x20, #item_contextidr1]
        msr     CONTEXTIDR_EL1, x0
        ldr     x0, [x20, #item_contextidr2]
        mrs     x1, ID_AA64MMFR1_EL1
        tst     x1, #0xf00
        b.eq    1f                              /* no FEAT_VHE */
        msr     S3_4_C13_C0_1, x0               /* CONTEXTIDR_EL2 */
1:
        ldr     x0, [x20, #item_vttbr]
        msr     VTTBR_EL2, x0
        .irp    n, 0, 1, 4, 5
        .if     \n > 1
        .equ    at, item_bvr + 16 * (\n - 2)
        .else
        .equ    at, item_bvr + 16 * \n
        .endif
        ldp     x0, x1, [x20, #at]
        msr     DBGBVR\n\()_EL1, x0
        msr     DBGBCR\n\()_EL1, x1
        .endr
        ldp     x0, x1, [x20, #item_wvr]
        msr     DBGWVR0_EL1, x0
        msr     DBGWCR0_EL1, x1
        ldp     x0, x1, [x20, #item_wvr + 16]
        msr     DBGWVR3_EL1, x0
        msr     DBGWCR3_EL1, x1

        adr     x1, slot
        add     x2, x20, #item_words
        mov     x3, #5
1:      ldr     x0, [x2], #8
        str     x0, [x1], #8
        sub     x3, x3, #1
        cbnz    x3, 1b
        adr     x1, slot
        dc      cvau, x1
        dsb     ish
        ic      ivau, x1
        dsb     ish
        isb

        ldr     x0, [x20, #item_mdscr]
        msr     MDSCR_EL1, x0
        ldr     x0, [x20, #item_spsr]
        msr     SPSR_EL2, x0
        adr     x0, slot
        msr     ELR_EL2, x0
        clrex
        ldr     x10, =DATA
        mov     x11, #0
        mov     x12, #0
        mov     x3, #1
        mov     x4, #2
        mov     x5, #3
        ldr     x0, [x20, #item_hcr]
        msr     HCR_EL2, x0
        isb
        eret

        .balign 64
slot:   .rept   16
        nop
        .endr
slot_end:

finish: str     x23, [x22]
        add     x22, x22, #8 + 40 * MOST
        add     x20, x20, #item_size
        b       next
done:   ldr     x0, =0x84000008                 /* SYSTEM_OFF */
        smc     #0
        b       .

        .balign 2048
vectors_el2:
        .equ    vector, 0
        .rept   16
        .balign 128
        stp     x0, x1, [sp, #-64]!
        mov     x1, #vector
        b       at_el2
        .equ    vector, vector + 0x80
        .endr

at_el2: stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        ldr     x0, =BASELINE_HCR
        msr     HCR_EL2, x0
        isb
        mov     x5, #2
        mrs     x0, ESR_EL2
        mrs     x2, FAR_EL2
        mrs     x3, ELR_EL2
        mrs     x4, SPSR_EL2
        ldr     w12, =0x5a000000 | FORWARD
        cmp     w0, w12
        b.ne    1f
        mov     x5, #1
        mrs     x1, TPIDR_EL1                   /* vector */
        mrs     x0, ESR_EL1
        mrs     x2, FAR_EL1
        mrs     x3, ELR_EL1
        mrs     x4, SPSR_EL1
1:      lsr     w11, w0, #26                    /* EC */
        and     w12, w0, #0xffff
        cmp     w12, #FINISH
        b.ne    2f
        cmp     w11, #0x15
        b.eq    over
        cmp     w11, #0x16
        b.eq    over
2:      orr     x1, x5, x1, lsl #8
        mov     x12, #40
        madd    x12, x23, x12, x22
        stp     x1, x0, [x12, #8]
        adr     x1, slot
        sub     x0, x3, x1
        stp     x2, x0, [x12, #24]
        str     x4, [x12, #40]
        add     x23, x23, #1
        cmp     x23, #MOST
        b.eq    over
        /* Which exceptions return to their own instruction? All but steps, SVC and HVC. */
        mov     x2, #4
        cmp     w11, #0x15
        b.eq    3f
        cmp     w11, #0x16
        b.eq    3f
        and     w12, w11, #0x3e
        cmp     w12, #0x32
        b.eq    3f
        cmp     x0, #slot_end - slot
        b.lo    4f
        msr     MDSCR_EL1, xzr                  /* not in what is tested */
3:      mov     x2, #0
4:      add     x3, x3, x2
        bic     x4, x4, #1 << 21
        ldr     x12, [x20, #item_ss]
        orr     x4, x4, x12
        cmp     x5, #1
        b.eq    5f
        msr     ELR_EL2, x3
        msr     SPSR_EL2, x4
        b       6f
5:      msr     ELR_EL1, x3
        msr     SPSR_EL1, x4
6:      ldr     x0, [x20, #item_hcr]
        mov     x11, #0
        mov     x12, #0
        ldp     x2, x3, [sp, #16]
        ldp     x4, x5, [sp, #32]
        msr     HCR_EL2, x0
        isb
        ldp     x0, x1, [sp], #64
        eret
over:   add     sp, sp, #64
        b       finish

        .balign 2048
vectors_el1:
        .equ    vector, 0
        .rept   16
        .balign 128
        mov     x11, #vector
        msr     TPIDR_EL1, x11
        hvc     #FORWARD
        eret
        .equ    vector, vector + 0x80
        .endr

        .balign 16
        .space  1024
stack:
