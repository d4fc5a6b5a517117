/* Code that changes. */
#include "layout.h"
        .text
        .globl  round, prepare

#if defined(ROW_rewritten)              /* MOV W0, #N and RET, N from 1 to 1000, each made and called */
        must_be 1000 * 1001 / 2
prepare:
        ldr     x1, =SPACE
        ldr     w0, =0xd65f03c0         /* RET */
        str     w0, [x1, #4]
        ret
round:  mov     x15, x30
        ldr     x1, =SPACE
        ldr     w9, =0x52800000         /* MOV W0, #0 */
        mov     x10, #0
        mov     x8, #1000
1:      orr     w2, w9, w8, lsl #5
        str     w2, [x1]
        dc      cvau, x1
        dsb     ish
        ic      ivau, x1
        dsb     ish
        isb
        blr     x1
        add     x10, x10, x0
        subs    x8, x8, #1
        b.ne    1b
        mov     x0, x10
        ret     x15

#elif defined(ROW_cold)                 /* 1 MiB, of which each page changes; twice a round */
        must_be 0x40a6381fdde1267e
prepare:                                /* copies of `piece`, the last ends with RET */
        ldr     x1, =SPACE
        ldr     x2, =SPACE + 0x100000
1:      adr     x3, piece
        mov     x4, #64
2:      ldr     x5, [x3], #8
        str     x5, [x1], #8
        subs    x4, x4, #8
        b.ne    2b
        cmp     x1, x2
        b.ne    1b
        ldr     w5, =0xd65f03c0
        str     w5, [x1, #-4]
        b       changed
round:  mov     x15, x30
        constants
        ldr     x20, =SPACE
        mov     w9, #0x11000000         /* ADD W0, W0, #0 */
        orr     w10, w9, #1 << 10
        bl      pass
        orr     w10, w9, #2 << 10
        bl      pass
        sum_registers
        ret     x15
pass:   mov     x16, x30
        mov     x11, #0x100000 / 0x1000
        mov     x12, x20
1:      str     w10, [x12]
        dc      cvau, x12
        add     x12, x12, #0x1000
        subs    x11, x11, #1
        b.ne    1b
        bl      changed
        blr     x20
        ret     x16
changed:                                /* the instruction caches have nothing any more */
        dsb     ish
        ic      ialluis
        dsb     ish
        isb
        ret
        .balign 8
piece:  nop                             /* the first of a page is written over */
        add     x0, x0, x1
        eor     x1, x1, x0, lsl #3
        sub     w2, w2, w1
        ubfx    x3, x0, #5, #20
        ldr     x4, [x20, #0x80]
        cmp     x3, x4
        b.ne    1f
        add     x4, x4, #1
1:      csel    x5, x3, x4, hi
        orr     x6, x6, x5
        and     x7, x7, x6, ror #7
        mul     x5, x5, x3
        ror     x1, x1, #11
        add     w2, w2, w5
        b       2f
2:
#else
#error which row?
#endif
        .ltorg
