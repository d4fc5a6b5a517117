/*
 * Makes a list of firmware calls (PSCI, SMCCC), and records what each returns. It is a guest like any other: the same bytes run on
 * QEMU, on gdbhv's board and in its VM (psci.py writes the list). At EL2 the conduit is SMC, at EL1 HVC.
 *
 *   0x40200000  this program. An interrupt is pending all the time, so that a CPU that is suspended goes on at once
 *   0x40400000  number of items (8 bytes), then the items, 40 bytes each: number of the CPU that makes the call (0 or another one
 *               that is on), X0, X1, X2, X3
 *   0x40800000  64 bytes for each CPU but the first: 1 once it has begun, MPIDR_EL1, X0 it began with, CurrentEL, the call it is
 *               to make, what that has returned, 1 once it has
 *   0x44000000  16 bytes for each item: 1 if the call has returned, | 2 if it has changed X1, X2 or X3; X0 afterwards
 */
        .arch   armv8-a
        .equ    GICD,    0x08000000
        .equ    GICR,    0x080a0000
        .equ    LIST,    0x40400000
        .equ    MAIL,    0x40800000
        .equ    RESULTS, 0x44000000
        .equ    TIMER,   27                     /* the virtual timer's INTID */

        .macro  put value, address
        ldr     x0, =\address
        mov     w1, #\value
        str     w1, [x0]
        .endm

        .macro  firmware                        /* the call in X0 to X3 */
        cbnz    x23, .Lsmc\@
        hvc     #0
        b       .Ldone\@
.Lsmc\@: smc     #0
.Ldone\@:
        .endm

        .text
        .globl  _start, secondary
_start: put     0x12, GICD                      /* GICD_CTLR: ARE, group 1 */
        put     0, GICR + 0x14                  /* GICR_WAKER */
        put     1 << TIMER, GICR + 0x10080      /* GICR_IGROUPR0 */
        put     1 << TIMER, GICR + 0x10100      /* GICR_ISENABLER0 */
        bl      conduit
        cbz     x23, 1f
        mov     x0, #0xf
        msr     S3_4_C12_C9_5, x0               /* ICC_SRE_EL2 */
        isb
1:      mov     x0, #7
        msr     S3_0_C12_C12_5, x0              /* ICC_SRE_EL1 */
        isb
        mov     x0, #0xff
        msr     S3_0_C4_C6_0, x0                /* ICC_PMR_EL1 */
        mov     x0, #1
        msr     S3_0_C12_C12_7, x0              /* ICC_IGRPEN1_EL1 */
        msr     CNTV_CVAL_EL0, xzr
        msr     CNTV_CTL_EL0, x0
        isb
        ldr     x20, =LIST
        ldr     x21, [x20], #8
        ldr     x22, =RESULTS
        adr     x28, secondary
next:   cbz     x21, done
        sub     x21, x21, #1
        ldr     x19, [x20], #8
        ldp     x24, x25, [x20], #16
        ldp     x26, x27, [x20], #16
        ldr     x16, =MAIL
        cbnz    x19, other
        mov     x0, x24
        mov     x1, x25
        mov     x2, x26
        mov     x3, x27
        firmware
        mov     x5, #1
        cmp     x1, x25
        ccmp    x2, x26, #0, eq
        ccmp    x3, x27, #0, eq
        b.eq    1f
        orr     x5, x5, #2
1:      stp     x5, x0, [x22], #16
        and     w6, w24, #0x1f                  /* has CPU_ON started a CPU here? then wait for that */
        cmp     w6, #3
        ccmp    x26, x28, #0, eq
        ccmp    x0, #0, #0, eq
        b.ne    next
        and     x6, x25, #7
        add     x16, x16, x6, lsl #6
1:      yield
        ldr     x0, [x16]
        cbz     x0, 1b
        str     xzr, [x16]
        b       next

other:  add     x16, x16, x19, lsl #6           /* another CPU is to call: wait until that has returned, or the CPU is off */
        str     x24, [x16, #32]
1:      yield
        ldr     x5, [x16, #48]
        ldr     x6, [x16, #40]
        cbnz    x5, 2f
        ldr     w0, =0xc4000004                 /* AFFINITY_INFO */
        mov     x1, x19
        mov     x2, #0
        firmware
        cbz     x0, 1b
2:      str     xzr, [x16, #48]
        stp     x5, x6, [x22], #16
        b       next

done:   ldr     w0, =0x84000008                 /* SYSTEM_OFF */
        firmware
        b       .

secondary:
        mov     x9, x0
        bl      conduit
        mrs     x10, MPIDR_EL1
        and     x11, x10, #7
        ldr     x16, =MAIL
        add     x16, x16, x11, lsl #6
        mrs     x12, CurrentEL
        stp     x10, x9, [x16, #8]
        str     x12, [x16, #24]
        mov     x0, #1
        str     x0, [x16]
1:      yield
        ldr     x0, [x16, #32]
        cbz     x0, 1b
        str     xzr, [x16, #32]
        firmware
        str     x0, [x16, #40]
        mov     x0, #1
        str     x0, [x16, #48]
        b       1b

conduit:
        mrs     x23, CurrentEL                  /* X23: not 0 at EL2 */
        and     x23, x23, #8
        ret
