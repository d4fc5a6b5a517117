/* Invalidated translations, and switches between address spaces (ASID) and between virtual machines (VMID). */
#include "layout.h"
        .text
        .globl  round, prepare

prepare:                                /* the first doubleword of a page of SPACE is the page's number */
        ldr     x1, =SPACE
        mov     x0, #0
1:      str     x0, [x1]
        add     x1, x1, #0x1000
        add     x0, x0, #1
        cmp     x0, #512
        b.ne    1b
        ret

        .macro  touch n                 /* n pages from x1, added to x0 */
        .set    offset, 0
        .rept   \n / 4
        ldr     x4, [x1]
        ldr     x5, [x2]
        ldr     x6, [x3]
        ldr     x7, [x9]
        add     x0, x0, x4
        add     x0, x0, x5
        add     x0, x0, x6
        add     x0, x0, x7
        .if     \n > 4
        add     x1, x1, #0x4000
        add     x2, x2, #0x4000
        add     x3, x3, #0x4000
        add     x9, x9, #0x4000
        .endif
        .endr
        .endm
        .macro  pages                   /* the first four */
        add     x2, x1, #0x1000
        add     x3, x1, #0x2000
        add     x9, x1, #0x3000
        .endm

#if defined(ROW_tlbi_page) || defined(ROW_tlbi_all)     /* one page or all, then four pages */
        must_be 1000 * (0 + 1 + 2 + 3)
round:  mov     x0, #0
        ldr     x1, =SPACE
        pages
        lsr     x10, x1, #12
        mov     x8, #1000
1:
#if defined(ROW_tlbi_page)
        tlbi    vaae1is, x10
        dsb     ish
#else
        tlbi    vmalle1
        dsb     nsh
#endif
        isb
        touch   4
        subs    x8, x8, #1
        b.ne    1b
        ret

#elif defined(ROW_walks)                /* 512 pages, of which no translation is known */
        must_be 512 * 511 / 2
round:  tlbi    vmalle1
        dsb     nsh
        isb
        mov     x0, #0
        ldr     x1, =SPACE
        mov     x8, #512
1:      ldr     x4, [x1]
        add     x0, x0, x4
        add     x1, x1, #0x1000
        subs    x8, x8, #1
        b.ne    1b
        ret

#elif defined(ROW_asid) || defined(ROW_vmid)            /* 2 * 500 switches; the second space has the pages backwards */
        must_be 500 * (16 * 15 / 2 + 16 * 511 - 16 * 15 / 2)
round:  mov     x0, #0
        mov     x8, #500
#if defined(ROW_asid)
        ldr     x10, =stage1
        orr     x10, x10, #1 << 48
        ldr     x11, =other1
        orr     x11, x11, #2 << 48
#endif
1:
#if defined(ROW_asid)
        msr     ttbr0_el1, x11
        isb
#else
        hvc     #0
#endif
        ldr     x1, =SPACE
        pages
        touch   16
#if defined(ROW_asid)
        msr     ttbr0_el1, x10
        isb
#else
        hvc     #0
#endif
        ldr     x1, =SPACE
        pages
        touch   16
        subs    x8, x8, #1
        b.ne    1b
        ret
#if defined(ROW_vmid)
        .globl  el2_sync, el2_prepare
el2_prepare:
        mrs     x12, vttbr_el2          /* x14: the exclusive or of the two */
        ldr     x13, =other2
        orr     x13, x13, #2 << 48
        eor     x14, x12, x13
        ret
el2_sync:
        mrs     x12, vttbr_el2
        eor     x12, x12, x14
        msr     vttbr_el2, x12
        isb
        eret
#endif
#else
#error which row?
#endif
        .ltorg
