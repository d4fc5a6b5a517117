/* Integer instructions: arithmetic, loads and stores, a walk over memory, a copy; one ROW_... macro chooses. */
#include "layout.h"
        .text
        .balign 4096                    /* `never` is on the page of the loop */
        .globl  round

#if defined(ROW_alu)
        must_be 0x876356393c2cdc75
round:  constants
        mov     x8, #4000
        .balign 64
1:      add     x0, x0, x1
        eor     x1, x1, x0, lsl #3
        sub     x2, x2, x1
        and     x3, x3, x2, ror #7
        orr     x3, x3, #1
        add     x4, x4, x3, lsr #2
        ubfx    x5, x4, #5, #20
        mul     x6, x5, x4
        cmp     x6, x0
        csel    x5, x5, x6, hi
        add     w2, w2, w5
        ror     x1, x1, #11
        adc     x4, x4, x0
        eor     w3, w3, w2
        subs    x8, x8, #1
        b.ne    1b
        sum_registers
        ret

#elif defined(ROW_memory)               /* 10 accesses in 16 instructions, in the first KiB of the page */
        must_be 0x33c02b976bfcad90
round:  constants
        ldr     x20, =page
        fill_page
        mov     x8, #4000
        .balign 64
1:      ldr     x0, [x20]
        ldp     x1, x2, [x20, #16]
        add     x0, x0, x1
        str     x0, [x20, #64]
        and     x7, x8, #0x7f
        ldr     x3, [x20, x7, lsl #3]
        ldrb    w4, [x20, x7]
        eor     x3, x3, x4
        str     x3, [x20, x7, lsl #3]
        ldr     w5, [x20, #128]
        add     x5, x5, #1
        str     w5, [x20, #128]
        stp     x0, x3, [x20, #256]
        ldrh    w6, [x20, #130]
        subs    x8, x8, #1
        b.ne    1b
        sum_registers
        ret

#elif defined(ROW_stride)               /* a load and a store a page and a line further each, over 64 MiB; each place tells its address */
        must_be 16132 * SPACE + 4160 * 16132 * 16131 / 2
        .macro  walk_with how
        ldr     x1, =SPACE
        ldr     x2, =SPACE_END - 64
        mov     x3, #4160
        mov     x0, #0
        .balign 64
1:      \how
        add     x1, x1, x3
        cmp     x1, x2
        b.lo    1b
        .endm
        .macro  set_up
        str     x1, [x1]
        .endm
        .macro  use
        ldr     x4, [x1]
        str     x0, [x1, #8]
        add     x0, x0, x4
        .endm
        .globl  prepare
prepare:
        walk_with set_up
        ret
round:  walk_with use
        ret

#elif defined(ROW_copy)                 /* 32 KiB, by pairs of registers; then the end of the copy is looked at */
        must_be 8 * 4095 + 8 * 4094
        .globl  prepare
prepare:
        ldr     x1, =SPACE
        mov     x0, #0
1:      str     x0, [x1], #8
        add     x0, x0, #8
        cmp     x0, #0x8000
        b.ne    1b
        ret
round:  mov     x9, #4
0:      ldr     x1, =SPACE
        add     x2, x1, #0x8000
        add     x3, x1, #0x10000
        .balign 64
1:      ldp     x4, x5, [x1]
        ldp     x6, x7, [x1, #16]
        ldp     x10, x11, [x1, #32]
        ldp     x12, x13, [x1, #48]
        add     x1, x1, #64
        stp     x4, x5, [x3]
        stp     x6, x7, [x3, #16]
        stp     x10, x11, [x3, #32]
        stp     x12, x13, [x3, #48]
        add     x3, x3, #64
        cmp     x1, x2
        b.ne    1b
        subs    x9, x9, #1
        b.ne    0b
        ldp     x4, x5, [x3, #-16]
        add     x0, x4, x5
        stp     xzr, xzr, [x3, #-16]
        ret
#else
#error which row?
#endif

never:  mov     x0, x0                  /* never reached */
        .globl  never
        .ltorg

        .data
        .balign 4096
        .globl  page
page:   .space  4096
