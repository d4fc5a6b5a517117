/* Changes of the exception level, a thousand a round, and what leaves the fast path: a device, the counter, an interrupt. */
#include "layout.h"
        .equ    TIMES, 1000
        .text
        .globl  round

        .macro  thousand_times          /* x20 counts what the handlers did */
round:  mov     x20, #0
        mov     x8, #TIMES
        .endm
        .macro  again to
        subs    x8, x8, #1
        b.ne    \to
        mov     x0, x20
        .endm

#if defined(ROW_svc)                    /* EL0 -> EL1 -> EL0 */
        must_be TIMES
        .globl  el0_sync
round:  mov     x20, #0
        mov     x8, #TIMES
        mov     x15, x30
        msr     spsr_el1, xzr           /* EL0t */
        adr     x0, at_el0
        msr     elr_el1, x0
        eret
at_el0: svc     #0
        subs    x8, x8, #1
        b.ne    at_el0
        svc     #1
el0_sync:
        mrs     x10, esr_el1
        tst     x10, #0xffff            /* the number */
        b.ne    1f
        add     x20, x20, #1
        eret
1:      mov     x0, x20
        ret     x15

#elif defined(ROW_hvc)                  /* EL1 -> EL2 -> EL1 */
        must_be TIMES
        .globl  el2_sync
        thousand_times
1:      hvc     #0
        again   1b
        ret
el2_sync:
        mrs     x10, esr_el2
        add     x20, x20, x10, lsr #26
        sub     x20, x20, #0x15         /* EC of HVC, less one */
        eret

#elif defined(ROW_mmio)                 /* a store where stage 2 has nothing, passed over by EL2 */
        must_be TIMES
        .globl  el2_sync
        thousand_times
        mov     x1, #0x0b000000
1:      str     w8, [x1, #16]
        again   1b
        ret
el2_sync:
        mrs     x10, esr_el2
        mrs     x11, hpfar_el2
        mrs     x12, far_el2
        mrs     x13, elr_el2
        add     x13, x13, #4
        msr     elr_el2, x13
        lsr     x10, x10, #26
        add     x10, x10, x11, lsl #8
        add     x20, x20, x10
        and     x12, x12, #0xfff
        ldr     x10, =0x0b000000 + 0x24 + 15    /* IPA, EC, and the offset less one */
        add     x20, x20, x12
        sub     x20, x20, x10
        eret
        .ltorg

#elif defined(ROW_trapped)              /* a read of an ID register that EL2 traps (HCR_EL2.TID3) and answers */
        must_be TIMES
        .globl  el2_prepare, el2_sync
el2_prepare:
        ldr     x0, =HCR_RW | HCR_VM | HCR_TID3
        msr     hcr_el2, x0
        ret
        thousand_times
1:      mrs     x1, id_aa64isar0_el1
        add     x20, x20, x1
        again   1b
        ret
el2_sync:
        mrs     x10, esr_el2
        mrs     x13, elr_el2
        add     x13, x13, #4
        msr     elr_el2, x13
        lsr     x10, x10, #26
        sub     x1, x10, #0x17          /* EC of a trapped MRS, less one */
        eret
        .ltorg

#elif defined(ROW_counter)              /* CNTVCT_EL0 never goes back */
        must_be TIMES
        thousand_times
        mov     x2, #0
1:      mrs     x1, cntvct_el0
        cmp     x1, x2
        cinc    x20, x20, hs
        mov     x2, x1
        again   1b
        ret

#elif defined(ROW_device)               /* the PL011's peripheral ID: 0x11 */
        must_be TIMES * 0x11
        thousand_times
        ldr     x2, =0x09000fe0
1:      ldr     w1, [x2]
        add     x20, x20, x1
        again   1b
        ret
        .ltorg

#elif defined(ROW_sgi)                  /* an interrupt to itself, taken, acknowledged and ended (GICv3) */
        must_be TIMES
        .globl  el2_prepare, prepare, el1_irq
        .equ    GICD, 0x08000000
        .equ    GICR, 0x080a0000
el2_prepare:
        mov     x0, #0xf                /* ICC_SRE_EL2: system registers, at EL1 too */
        msr     s3_4_c12_c9_5, x0
        isb
        ret
prepare:
        ldr     x0, =GICD
        mov     w1, #0x12               /* ARE, group 1 */
        str     w1, [x0]
        ldr     x0, =GICR
        str     wzr, [x0, #0x14]        /* WAKER */
1:      ldr     w1, [x0, #0x14]
        tbnz    w1, #2, 1b
        add     x0, x0, #0x10000
        mov     w1, #-1
        str     w1, [x0, #0x80]         /* IGROUPR0: all of group 1 */
        mov     w1, #1 << 1
        str     w1, [x0, #0x100]        /* ISENABLER0: number 1 */
        mov     x1, #1
        msr     s3_0_c12_c12_5, x1      /* ICC_SRE_EL1 */
        isb
        mov     x1, #0xff
        msr     s3_0_c4_c6_0, x1        /* ICC_PMR_EL1 */
        mov     x1, #1
        msr     s3_0_c12_c12_7, x1      /* ICC_IGRPEN1_EL1 */
        isb
        msr     daifclr, #2
        ret
        thousand_times
        ldr     x1, =1 << 24 | 1        /* number 1, to CPU 0 */
1:      mov     x2, x20
        msr     s3_0_c12_c11_5, x1      /* ICC_SGI1R_EL1 */
        isb
2:      cmp     x20, x2
        b.eq    2b
        again   1b
        ret
el1_irq:
        mrs     x10, s3_0_c12_c12_0     /* ICC_IAR1_EL1 */
        msr     s3_0_c12_c12_1, x10     /* ICC_EOIR1_EL1 */
        add     x20, x20, x10
        eret
        .ltorg
#else
#error which row?
#endif
