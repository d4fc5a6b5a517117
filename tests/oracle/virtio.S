/*
 * Carries out a list of accesses to memory and devices, and records what was read. It is a guest like any other: the same bytes run on
 * QEMU and on gdbhv (virtio.py writes the list). It begins at EL1, with the MMU off.
 *
 *   0x40200000  this program
 *   0x40400000  number of steps (8 bytes), then the steps, 32 bytes each: what (8), bytes (8), address (8), value (8)
 *   0x44000000  8 bytes for each: what was read
 *
 *   what: 0 read; 1 write; 2 read until it is the value, or 1,000,000 times
 */
        .arch   armv8-a
        .equ    LIST,    0x40400000
        .equ    RESULTS, 0x44000000

        .text
        .globl  _start
_start: ldr     x20, =LIST
        ldr     x21, [x20], #8
        ldr     x22, =RESULTS
next:   cbz     x21, done
        sub     x21, x21, #1
        ldp     x0, x1, [x20], #16
        ldp     x2, x3, [x20], #16
        ldr     x4, =1000000
        dsb     sy
        cmp     x0, #1
        b.eq    write
again:  sub     x4, x4, #1
        bl      read
        cbz     x0, store
        cbz     x4, store
        cmp     x5, x3
        b.ne    again
store:  str     x5, [x22], #8
        b       next

read:   cmp     x1, #2
        b.eq    2f
        b.lo    1f
        cmp     x1, #8
        b.eq    8f
        ldr     w5, [x2]
        ret
1:      ldrb    w5, [x2]
        ret
2:      ldrh    w5, [x2]
        ret
8:      ldr     x5, [x2]
        ret

write:  mov     x5, #0
        cmp     x1, #2
        b.eq    2f
        b.lo    1f
        cmp     x1, #8
        b.eq    8f
        str     w3, [x2]
        b       store
1:      strb    w3, [x2]
        b       store
2:      strh    w3, [x2]
        b       store
8:      str     x3, [x2]
        b       store

done:   ldr     w0, =0x84000008                 /* SYSTEM_OFF */
        hvc     #0
        b       .
