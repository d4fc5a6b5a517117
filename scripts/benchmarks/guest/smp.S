/* Two CPUs that count one word up, a thousand times a round each. */
#include "layout.h"
        .arch   armv8-a+lse
        .text
        .globl  round, finish
        must_be 0

finish: ldr     x1, =word
        ldr     x0, [x1]
        ldr     x1, =rounds
        ldr     x1, [x1]
        mov     x2, #2000
        mul     x1, x1, x2
        ret

round:  ldr     x1, =word
        ldr     x2, =lock
        mov     x8, #1000
        mov     x4, #1
1:
#if defined(ROW_exclusive)              /* LDXR and STXR */
        ldxr    x0, [x1]
        add     x0, x0, #1
        stxr    w3, x0, [x1]
        cbnz    w3, 1b
#elif defined(ROW_lse)
        ldaddal x4, x0, [x1]
#elif defined(ROW_lock)                 /* a spin lock around an increment */
        ldaxr   w0, [x2]
        cbnz    w0, 1b
        stxr    w3, w4, [x2]
        cbnz    w3, 1b
        ldr     x0, [x1]
        add     x0, x0, #1
        str     x0, [x1]
        stlr    wzr, [x2]
#else
#error which row?
#endif
        subs    x8, x8, #1
        b.ne    1b
        mov     x0, #0
        ret
        .ltorg

        .data
        .balign 64
word:   .quad   0
        .balign 64
lock:   .word   0
