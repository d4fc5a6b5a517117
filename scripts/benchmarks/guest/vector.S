/* NEON, and CRC32X. */
#include "layout.h"
        .text
        .globl  round
#if defined(ROW_daxpy)                  /* y += a * x, 1024 doubles, 8 times; then all of y, added up in 2 lanes */
        must_be 0x4054064390a0f142
        .globl  prepare
prepare:                                /* x[i] = 1 / (i + 1) */
        ldr     x1, =SPACE
        mov     x0, #1
        fmov    d1, #1.0
1:      ucvtf   d0, x0
        fdiv    d0, d1, d0
        str     d0, [x1], #8
        add     x0, x0, #1
        cmp     x0, #1025
        b.ne    1b
        ret
round:  ldr     x1, =SPACE
        add     x3, x1, #0x2000
        movi    v0.2d, #0
        mov     x0, #1024
1:      stp     q0, q0, [x3], #32       /* y = 0 */
        subs    x0, x0, #4
        b.ne    1b
        ldr     x0, =0x3ff5555555555555 /* a = 4 / 3 */
        dup     v0.2d, x0
        mov     x2, #8
2:      ldr     x1, =SPACE
        add     x3, x1, #0x2000
        mov     x0, #1024 / 4
3:      ldp     q1, q2, [x1], #32
        ldp     q3, q4, [x3]
        fmla    v3.2d, v1.2d, v0.2d
        fmla    v4.2d, v2.2d, v0.2d
        stp     q3, q4, [x3], #32
        subs    x0, x0, #1
        b.ne    3b
        subs    x2, x2, #1
        b.ne    2b
        ldr     x1, =SPACE + 0x2000
        mov     x0, #1024 / 2
        movi    v0.2d, #0
4:      ldr     q1, [x1], #16
        fadd    v0.2d, v0.2d, v1.2d
        subs    x0, x0, #1
        b.ne    4b
        faddp   d0, v0.2d
        fmov    x0, d0
        ret

#elif defined(ROW_simd)                 /* integers: 16 instructions, 13 of them on vectors */
        must_be 0xa0cce25e4ef81e3c
round:  constants
        ldr     x20, =page
        fill_page
        dup     v0.4s, w5
        dup     v1.8h, w6
        dup     v2.16b, w3
        movi    v3.4s, #9
        mov     x8, #4000
1:      ldr     q4, [x20, #16]
        add     v0.4s, v0.4s, v4.4s
        mul     v1.8h, v1.8h, v0.8h
        sub     v2.16b, v2.16b, v1.16b
        eor     v3.16b, v3.16b, v2.16b
        ushr    v5.4s, v3.4s, #3
        shl     v6.2d, v0.2d, #7
        orr     v5.16b, v5.16b, v6.16b
        smax    v1.8h, v1.8h, v5.8h
        uzp1    v6.8h, v5.8h, v3.8h
        addp    v0.4s, v0.4s, v6.4s
        cmhi    v5.16b, v2.16b, v1.16b
        bsl     v5.16b, v0.16b, v3.16b
        str     q5, [x20, #16]
        subs    x8, x8, #1
        b.ne    1b
        eor     v0.16b, v0.16b, v1.16b
        eor     v2.16b, v2.16b, v3.16b
        add     v0.2d, v0.2d, v2.2d
        addp    d0, v0.2d
        fmov    x0, d0
        ret
        .data
        .balign 4096
page:   .space  4096

#elif defined(ROW_crc32)                /* of 4 KiB, a doubleword at a time: the words 0, 1, 2, ... */
        .arch   armv8-a+crc
        must_be 0xf73820b6
        .globl  prepare
prepare:
        ldr     x1, =SPACE
        mov     x0, #0
1:      str     x0, [x1], #8
        add     x0, x0, #1
        cmp     x0, #512
        b.ne    1b
        ret
round:  ldr     x1, =SPACE
        mov     w0, #-1
        mov     x2, #512 / 4
1:      ldp     x3, x4, [x1], #16
        crc32x  w0, w0, x3
        crc32x  w0, w0, x4
        ldp     x3, x4, [x1], #16
        crc32x  w0, w0, x3
        crc32x  w0, w0, x4
        subs    x2, x2, #1
        b.ne    1b
        mvn     w0, w0
        ret
#else
#error which row?
#endif
