/*
 * Carries out a list of semihosting calls, and records what each returned. It is a guest like any other: the same bytes run on QEMU and on
 * gdbhv (semihosting.py writes the list, whose last call ends it). It begins at EL1, with the MMU off.
 *
 *   0x40200000  this program
 *   0x40210000  the calls, 24 bytes each: X0, X1, and where the result is stored too (0: nowhere)
 *   0x40220000  8 bytes for each: the result
 */
        .arch   armv8-a
        .text
        .globl  _start
_start: ldr     x20, =0x40210000
        ldr     x21, =0x40220000
next:   ldp     x0, x1, [x20]
        ldr     x22, [x20, #16]
        add     x20, x20, #24
        hlt     #0xf000
        str     x0, [x21], #8
        cbz     x22, next
        str     x0, [x22]
        b       next
