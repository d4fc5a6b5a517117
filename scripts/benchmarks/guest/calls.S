/* Calls, and a jump in each few instructions. */
#include "layout.h"
        .text
        .globl  round
#if defined(ROW_calls)                  /* fib(17), recursively: 60,300 instructions */
        must_be 1597
round:  mov     x0, #17
fib:    cmp     x0, #2
        b.lo    1f
        stp     x21, x30, [sp, #-32]!
        str     x22, [sp, #16]
        mov     x21, x0
        sub     x0, x0, #1
        bl      fib
        mov     x22, x0
        sub     x0, x21, #2
        bl      fib
        add     x0, x0, x22
        ldr     x22, [sp, #16]
        ldp     x21, x30, [sp], #32
1:      ret

#elif defined(ROW_indirect)             /* 4000 calls through a table of 16, in no simple order */
        must_be 0x957d0079186c7754
round:  mov     x15, x30
        mov     x0, #0
        mov     x1, #1
        mov     x8, #4000
        ldr     x2, =table
        ldr     x3, =6364136223846793005
1:      mul     x1, x1, x3
        add     x1, x1, #1
        lsr     x4, x1, #60
        ldr     x4, [x2, x4, lsl #3]
        blr     x4
        subs    x8, x8, #1
        b.ne    1b
        ret     x15
        .macro  callee n
callee\n:
        add     x0, x0, #\n
        eor     x0, x0, x0, lsl #(\n + 1)
        ret
        .pushsection .rodata.table
        .quad   callee\n
        .popsection
        .endm
        .pushsection .rodata.table, "a"
        .balign 8
table:
        .popsection
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        callee  \n
        .endr

#elif defined(ROW_large)                /* 64k instructions in blocks of 6, in random order */
        must_be 0x7f3ada048a1e0920
round:  constants
        ldr     x20, =page
        fill_page
        b       block0
#include "large.inc"
last:   sum_registers
        ret
        .data
        .balign 4096
page:   .space  4096
#else
#error which row?
#endif
