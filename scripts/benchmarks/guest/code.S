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

#elif defined(ROW_cold)                 /* 1 MiB, all of it written anew before it runs; twice a round */
        must_be 0x3aa2baeb0fa22b02
round:  mov     x15, x30
        constants
        ldr     x20, =SPACE
        mov     w21, #1
        bl      pass
        mov     w21, #2
        bl      pass
        sum_registers
        ret     x15
pass:   mov     x16, x30                /* copies of `piece`, which begins with ADD W0, W0, #w21; the last ends with RET */
        adr     x9, piece
        ldp     x22, x23, [x9]
        ldp     x24, x25, [x9, #16]
        ldp     x26, x27, [x9, #32]
        ldp     x10, x11, [x9, #48]
        add     x22, x22, x21, lsl #10
        mov     x12, x20
        add     x13, x20, #0x100000
1:      stp     x22, x23, [x12]
        stp     x24, x25, [x12, #16]
        stp     x26, x27, [x12, #32]
        stp     x10, x11, [x12, #48]
        dc      cvau, x12
        add     x12, x12, #64
        cmp     x12, x13
        b.ne    1b
        ldr     w9, =0xd65f03c0
        str     w9, [x12, #-4]
        dsb     ish
        ic      ialluis
        dsb     ish
        isb
        blr     x20
        ret     x16
        .balign 8
piece:  add     w0, w0, #0
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
