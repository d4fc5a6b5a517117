/*
 * What every guest of scripts/bench.py begins and ends with. Entered at EL2; runs at EL1 with both stages of translation on:
 *
 *      0x00000000  devices       stage 2 has those of 0x08000000 (GIC) and 0x09000000 (PL011) only
 *      0x40000000  64 MiB        2 MiB pages: code, read-only, EL0 may execute it
 *      0x44000000  66 MiB        4 KiB pages, not global: data; SPACE begins at 0x44200000
 *
 * A guest supplies
 *
 *      round           what is timed, called at EL1 as often as the word `rounds` says; leaves x19 and x28 alone; returns a sum in x0
 *      expected        a doubleword, which the sum must be
 *      prepare         called once at EL1 (may be left out, like all that follows)
 *      finish          called once at the end; returns a sum in x0 and what it must be in x1
 *      el2_prepare     called once at EL2
 *      el2_sync, el1_sync, el1_irq, el0_sync     handlers: EL2's from EL1, EL1's from itself and from EL0
 *
 * and ends with `ok` on the console and PSCI SYSTEM_OFF, or with what is wrong. With CPUS=2, both CPUs call `round`.
 */
#include "layout.h"

        .section .text.start, "ax"
        .globl  _start
_start:
        mrs     x0, mpidr_el1
        and     x0, x0, #0xff
        msr     tpidr_el1, x0                   /* the CPU's number */
        msr     vmpidr_el2, x0
        ldr     x1, =stacks + 0x4000
        add     x1, x1, x0, lsl #14
        mov     sp, x1                          /* EL2 has no use for it after the start */
        msr     sp_el1, x1
        cbnz    x0, 1f
        bl      make_tables
#if CPUS > 1
        ldr     x0, =0xc4000003                 /* PSCI CPU_ON */
        mov     x1, #1
        adr     x2, _start
        mov     x3, #0
        smc     #0
#endif
1:      ldr     x0, =0x30c51830
        msr     sctlr_el2, x0
        mov     x0, #0x33ff                     /* nothing of FP traps */
        msr     cptr_el2, x0
        mov     x0, #3
        msr     cnthctl_el2, x0
        msr     cntvoff_el2, xzr
        ldr     x0, =vectors2
        msr     vbar_el2, x0
        ldr     x0, =25 | 1 << 6 | 1 << 8 | 1 << 10 | 3 << 12 | 2 << 16 | 1 << 31
        msr     vtcr_el2, x0                    /* 39 bits of IPA, from level 1 */
        ldr     x0, =stage2
        orr     x0, x0, #1 << 48
        msr     vttbr_el2, x0
        ldr     x0, =HCR_RW | HCR_VM
        msr     hcr_el2, x0
        bl      el2_prepare

        ldr     x0, =0x00ff
        msr     mair_el1, x0                    /* attribute 0: Normal, 1: Device-nGnRnE */
        ldr     x0, =25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23
        msr     tcr_el1, x0
        ldr     x0, =stage1
        orr     x0, x0, #1 << 48
        msr     ttbr0_el1, x0
        ldr     x0, =vectors1
        msr     vbar_el1, x0
        mov     x0, #3 << 20
        msr     cpacr_el1, x0
        isb
        tlbi    alle1
        dsb     ish
        isb
        ldr     x0, =0x30d0181d                 /* RES1, I, SA0, SA, C, M */
        msr     sctlr_el1, x0
        mov     x0, #0x3c5                      /* EL1h, DAIF */
        msr     spsr_el2, x0
        adr     x0, 2f
        msr     elr_el2, x0
        isb
        eret

2:      bl      prepare
#if CPUS > 1
        ldr     x0, =arrived
        bl      count_up
3:      ldr     w1, [x0]
        cmp     w1, #CPUS
        b.ne    3b
#endif
        ldr     x0, =rounds
        ldr     x19, [x0]
        ldr     x0, =expected
        ldr     x28, [x0]
4:      bl      round
        cmp     x0, x28
        b.ne    wrong_sum
        subs    x19, x19, #1
        b.ne    4b

#if CPUS > 1
        ldr     x0, =left
        bl      count_up
        mrs     x1, tpidr_el1
        cbz     x1, 5f
        ldr     w0, =0x84000002                 /* PSCI CPU_OFF */
        smc     #0
5:      ldr     w1, [x0]
        cmp     w1, #CPUS
        b.ne    5b
#endif
        bl      finish
        mov     x28, x1
        cmp     x0, x1
        b.ne    wrong_sum
        adr     x0, ok
        bl      print
off:    ldr     w0, =0x84000008                 /* PSCI SYSTEM_OFF */
        smc     #0
        b       .

count_up:                                       /* of the word at x0, and all CPUs see it */
        ldaxr   w1, [x0]
        add     w1, w1, #1
        stlxr   w2, w1, [x0]
        cbnz    w2, count_up
        ret

wrong_sum:
        mov     x21, x0
        adr     x0, sum_is
        bl      print
        mov     x0, x21
        bl      print_number
        adr     x0, instead_of
        bl      print
        mov     x0, x28
        bl      print_number
        b       off

wrong_exception:                                /* x0: the syndrome, x1: where */
        mov     x21, x0
        mov     x22, x1
        adr     x0, exception
        bl      print
        mov     x0, x21
        bl      print_number
        adr     x0, at
        bl      print
        mov     x0, x22
        bl      print_number
        b       off

print:                                          /* the text at x0 */
        mov     x1, #0x09000000
1:      ldrb    w2, [x0], #1
        cbz     w2, 2f
        str     w2, [x1]
        b       1b
2:      ret
print_number:                                   /* x0, as 16 digits */
        mov     x1, #0x09000000
        mov     x3, #16
1:      ror     x0, x0, #60
        and     w2, w0, #15
        cmp     w2, #10
        add     w4, w2, #'0'
        add     w5, w2, #'a' - 10
        csel    w2, w4, w5, lo
        str     w2, [x1]
        subs    x3, x3, #1
        b.ne    1b
        ret
ok:             .asciz  "ok\n"
sum_is:         .asciz  "wrong: the sum is "
instead_of:     .asciz  " instead of "
exception:      .asciz  "wrong: an exception: "
at:             .asciz  " at "
        .balign 4

        .weak   prepare, finish, el2_prepare, el2_sync, el1_sync, el1_irq, el0_sync
finish: mov     x0, #0
        mov     x1, #0
prepare:
el2_prepare:
        ret
el2_sync:
        mrs     x0, esr_el2
        mrs     x1, elr_el2
        b       wrong_exception
el1_sync:
el1_irq:
el0_sync:
        mrs     x0, esr_el1
        mrs     x1, elr_el1
        b       wrong_exception
        .ltorg

        .macro  vector target
        .balign 0x80
        b       \target
        .endm
        .macro  vectors_of current_sync, current_irq, lower_sync, other
        .balign 0x800
        .irp    to, \other, \other, \other, \other, \current_sync, \current_irq, \other, \other
        vector  \to
        .endr
        .irp    to, \lower_sync, \other, \other, \other, \other, \other, \other, \other
        vector  \to
        .endr
        .endm
        .balign 0x800
vectors2:
        vectors_of wrong_at_el2, wrong_at_el2, el2_sync, wrong_at_el2
        .balign 0x800
vectors1:
        vectors_of el1_sync, el1_irq, el0_sync, wrong_at_el1
wrong_at_el2:
        mrs     x0, esr_el2
        mrs     x1, elr_el2
        b       wrong_exception
wrong_at_el1:
        mrs     x0, esr_el1
        mrs     x1, elr_el1
        b       wrong_exception

/* Tables of both stages. A second set (other1, other2) has the 2 MiB of SPACE backwards, page by page, and is the same elsewhere. */
make_tables:
        mov     x15, x30
        ldr     x0, =stage1                     /* stage 1 */
        ldr     x1, =0x0060000000000000 | 0x405 /* one block of devices, never executed */
        str     x1, [x0]
        ldr     x1, =stage1_2 + 3
        str     x1, [x0, #8]
        ldr     x5, =0x7c1                      /* code: read-only at EL1 and EL0 */
        ldr     x6, =0xf03                      /* data: EL1's, not global */
        ldr     x7, =stage1_2
        ldr     x8, =stage1_3
        bl      make_memory
        ldr     x0, =other1
        ldr     x9, =stage1
        ldr     x10, =other1_2
        ldr     x11, =other1_3
        bl      make_other

        ldr     x0, =stage2                     /* stage 2 */
        ldr     x1, =stage2_devices + 3
        str     x1, [x0]
        ldr     x1, =stage2_2 + 3
        str     x1, [x0, #8]
        ldr     x0, =stage2_devices
        ldr     x1, =0x08000000 | 0x4c1
        str     x1, [x0, #8 * 64]
        ldr     x1, =0x09000000 | 0x4c1
        str     x1, [x0, #8 * 72]
        ldr     x5, =0x7fd
        ldr     x6, =0x7ff
        ldr     x7, =stage2_2
        ldr     x8, =stage2_3
        bl      make_memory
        ldr     x0, =other2
        ldr     x9, =stage2
        ldr     x10, =other2_2
        ldr     x11, =other2_3
        bl      make_other
        dsb     sy
        ret     x15

make_memory:                                    /* blocks x5 and pages x6 into the tables x7 (level 2) and x8 (level 3) */
        mov     x0, #0x40000000
        mov     x1, #32
        mov     x3, x7
1:      orr     x2, x0, x5
        str     x2, [x3], #8
        add     x0, x0, #0x200000
        subs    x1, x1, #1
        b.ne    1b
        mov     x1, #SMALL
        mov     x4, x8
2:      orr     x2, x4, #3
        str     x2, [x3], #8
        add     x4, x4, #0x1000
        subs    x1, x1, #1
        b.ne    2b
        mov     x1, #SMALL * 512
        mov     x4, x8
3:      orr     x2, x0, x6
        str     x2, [x4], #8
        add     x0, x0, #0x1000
        subs    x1, x1, #1
        b.ne    3b
        ret

make_other:                                     /* tables x0, x10, x11 after x9, x7, and SPACE's table of x8, which is the second */
        ldr     x1, [x9]
        str     x1, [x0]
        orr     x1, x10, #3
        str     x1, [x0, #8]
        mov     x1, #0
1:      ldr     x2, [x7, x1]
        str     x2, [x10, x1]
        add     x1, x1, #8
        cmp     x1, #0x1000
        b.ne    1b
        orr     x2, x11, #3
        str     x2, [x10, #8 * 33]
        add     x3, x8, #0x1000
        mov     x1, #0
        mov     x4, #0xff8
2:      ldr     x2, [x3, x1]
        str     x2, [x11, x4]
        add     x1, x1, #8
        subs    x4, x4, #8
        b.pl    2b
        ret
        .ltorg

        .data
        .balign 8
        .globl  rounds
rounds: .quad   1

        .bss
        .balign 4096
        .globl  stage1, stage2, other1, other2
stage1:         .space  4096
stage1_2:       .space  4096
stage1_3:       .space  4096 * SMALL
other1:         .space  4096
other1_2:       .space  4096
other1_3:       .space  4096
stage2:         .space  4096
stage2_devices: .space  4096
stage2_2:       .space  4096
stage2_3:       .space  4096 * SMALL
other2:         .space  4096
other2_2:       .space  4096
other2_3:       .space  4096
stacks:         .space  0x4000 * 2
arrived:        .word   0
left:           .word   0
