/*
 * Bare-metal loops for scripts/bench.py. Entered at EL2 or EL1 with the MMU off; runs at EL1 with 2 MiB pages of Normal memory (the upper 64 MiB: 4 KiB);
 * switches the machine off at the end. One LOOP_... macro chooses the body, ROUNDS how often (x19 counts down).
 */
        .equ    BLOCK, 0x701            /* valid block, AF, inner shareable, attribute 0 */

        .text
        .globl  _start
_start:
        mrs     x0, CurrentEL
        cmp     x0, #2 << 2
        b.ne    1f
        mov     x0, #1 << 31            /* HCR_EL2.RW */
        msr     hcr_el2, x0
        mov     x0, #0x3c5              /* EL1h, DAIF */
        msr     spsr_el2, x0
        adr     x0, 1f
        msr     elr_el2, x0
        isb
        eret
1:      mov     x0, #0xff
        msr     mair_el1, x0
        ldr     x0, =(25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23)
        msr     tcr_el1, x0
        adrp    x0, level1
        msr     ttbr0_el1, x0
        isb
        tlbi    vmalle1
        dsb     ish
        isb
        ldr     x0, =0x30d0181d         /* RES1, I, SA0, SA, C, M */
        msr     sctlr_el1, x0
        isb
        adrp    x20, page               /* a page of data */
        adrp    x0, page
        add     sp, x0, #0x10000
        ldr     x19, =ROUNDS
        mov     x0, #1
        mov     x1, #3
        mov     x2, #5
        mov     x3, #7
        mov     x4, #11
        mov     x5, #13
        mov     x6, #17
        mov     x7, #0

#if defined(LOOP_ALU)                   /* 16 instructions a round */
        .balign 64
loop:   add     x0, x0, x1
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
        subs    x19, x19, #1
        b.ne    loop
#elif defined(LOOP_MEMORY)              /* 16 instructions a round, 10 of them accesses in the first 1 KiB of the page */
        .balign 64
loop:   ldr     x0, [x20]
        ldp     x1, x2, [x20, #16]
        add     x0, x0, x1
        str     x0, [x20, #64]
        and     x7, x19, #0x7f
        ldr     x3, [x20, x7, lsl #3]
        ldrb    w4, [x20, x7]
        eor     x3, x3, x4
        str     x3, [x20, x7, lsl #3]
        ldr     w5, [x20, #128]
        add     x5, x5, #1
        str     w5, [x20, #128]
        stp     x0, x3, [x20, #256]
        ldrh    w6, [x20, #130]
        subs    x19, x19, #1
        b.ne    loop
#elif defined(LOOP_STRIDE)              /* 8 instructions a round, a load and a store a page (and a line) further each */
        mov     x24, #0x44000000
        mov     x21, x24
        mov     x22, #4160
        ldr     x23, =0x48000000 - 64
        .balign 64
loop:   ldr     x0, [x21]
        str     x1, [x21, #8]
        add     x1, x1, x0
        add     x21, x21, x22
        cmp     x21, x23
        csel    x21, x24, x21, hs
        subs    x19, x19, #1
        b.ne    loop
#elif defined(LOOP_CALLS)               /* fib(17): 60,300 instructions a round, calls and a stack */
loop:   mov     x0, #17
        bl      fib
        subs    x19, x19, #1
        b.ne    loop
        b       off
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
#elif defined(LOOP_LARGE)               /* 64k instructions in blocks of 6, in random order */
#include "large.inc"
#else
#error which loop?
#endif

off:    ldr     w0, =0x84000008         /* PSCI SYSTEM_OFF */
        smc     #0
        b       .
never:  mov     x0, x0                  /* on the page of the loop, never reached */
        .globl  never
        .ltorg

        .data
        .balign 4096
        .globl  page
page:   .fill   512, 8, 0x0123456789abcdef
        .balign 4096
level1: .quad   0, level2 + 3
        .balign 4096
level2: .set    at, 0x40000000
        .rept   32
        .quad   at + BLOCK
        .set    at, at + 0x200000
        .endr
        .set    at, level3 + 3
        .rept   32
        .quad   at
        .set    at, at + 0x1000
        .endr
        .balign 4096
level3: .set    at, 0x44000000
        .rept   32 * 512
        .quad   at + BLOCK + 2
        .set    at, at + 0x1000
        .endr
        .balign 0x10000
        .space  0x20000
