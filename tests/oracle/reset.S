/*
 * Reads a list of registers as reset left them, at the level that the machine starts at (EL2, or EL1 without it), and records what
 * each holds. It is a guest like any other: the same bytes run on QEMU and on gdbhv (reset.py writes the list).
 *
 *   0x40200000  this program; it writes VBAR of its level, and besides only what the list asks for
 *   0x40400000  number of items (8 bytes), then the items, 16 bytes each: an instruction (4), padding (4), X3 before it (8)
 *   0x44000000  16 bytes for each: 0, or 1 and the syndrome << 8 if the instruction took an exception; X3 afterwards
 */
        .arch   armv8-a
        .equ    LIST,    0x40400000
        .equ    RESULTS, 0x44000000

        .text
        .globl  _start
_start: ldr     x20, =LIST
        ldr     x21, [x20], #8
        ldr     x22, =RESULTS
        adr     x2, vectors
        mrs     x23, CurrentEL
        cmp     x23, #8
        b.eq    1f
        msr     VBAR_EL1, x2
        b       next
1:      msr     VBAR_EL2, x2
next:   cbz     x21, done
        sub     x21, x21, #1
        ldr     w0, [x20]
        ldr     x3, [x20, #8]
        add     x20, x20, #16
        adr     x11, slot
        str     w0, [x11]
        dc      cvau, x11
        dsb     ish
        ic      ivau, x11
        dsb     ish
        isb
slot:   nop
        mov     x5, #0
store:  stp     x5, x3, [x22], #16
        b       next
done:   ldr     w0, =0x84000008                 /* SYSTEM_OFF */
        cmp     x23, #8
        b.eq    1f
        hvc     #0
1:      smc     #0
        b       .

        .balign 2048
vectors:
        .rept   16
        .balign 128
        b       taken
        .endr
taken:  cmp     x23, #8
        b.eq    1f
        mrs     x5, ESR_EL1
        b       2f
1:      mrs     x5, ESR_EL2
2:      lsl     x5, x5, #8
        orr     x5, x5, #1
        b       store
