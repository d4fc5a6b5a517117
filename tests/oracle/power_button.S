/*
 * Waits for the power button (pin 3 of the PL061, SPI 7) at EL1, and records what the GPIO block and the interrupt controller have
 * when it is pressed and when it is let go. The same bytes run on QEMU, on gdbhv's board and in its VM; power_button.py presses.
 *
 *   0x40200000  this program; it says "r" on the UART once it waits, and switches the machine off after the second interrupt
 *   0x44000000  for each interrupt, 8 bytes each: INTID, GPIODATA, GPIORIS, GPIOMIS, GPIOMIS after GPIOIC, CNTVCT_EL0
 */
        .arch   armv8-a
        .equ    GICD,    0x08000000
        .equ    GICR,    0x080a0000
        .equ    UART,    0x09000000
        .equ    GPIO,    0x09030000
        .equ    RESULTS, 0x44000000
        .equ    BUTTON,  1 << 3
        .equ    INTID,   32 + 7

        .macro  put value, address
        ldr     x0, =\address
        mov     w1, #\value
        str     w1, [x0]
        .endm

        .text
        .globl  _start
_start: put     0x12, GICD                      /* GICD_CTLR: ARE, group 1 */
        put     1 << (INTID - 32), GICD + 0x84  /* GICD_IGROUPR1 */
        put     1 << (INTID - 32), GICD + 0x104 /* GICD_ISENABLER1 */
        ldr     x0, =GICD + 0x6000 + INTID * 8  /* GICD_IROUTER: CPU 0 */
        str     xzr, [x0]
        put     0, GICR + 0x14                  /* GICR_WAKER */
        mov     x0, #7
        msr     S3_0_C12_C12_5, x0              /* ICC_SRE_EL1 */
        isb
        mov     x0, #0xff
        msr     S3_0_C4_C6_0, x0                /* ICC_PMR_EL1 */
        mov     x0, #1
        msr     S3_0_C12_C12_7, x0              /* ICC_IGRPEN1_EL1 */
        isb
        put     BUTTON, GPIO + 0x408            /* GPIOIBE: both edges */
        put     BUTTON, GPIO + 0x410            /* GPIOIE */
        ldr     x20, =RESULTS
        ldr     x21, =GPIO
        mov     x22, #2
        put     'r', UART
next:   dsb     sy
        wfi
        mrs     x1, S3_0_C12_C12_0              /* ICC_IAR1_EL1 */
        cmp     x1, #1020
        b.hs    next
        ldr     w2, [x21, #0x3fc]
        ldr     w3, [x21, #0x414]
        ldr     w4, [x21, #0x418]
        mov     w0, #BUTTON
        str     w0, [x21, #0x41c]
        ldr     w5, [x21, #0x418]
        mrs     x6, CNTVCT_EL0
        stp     x1, x2, [x20], #16
        stp     x3, x4, [x20], #16
        stp     x5, x6, [x20], #16
        msr     S3_0_C12_C12_1, x1              /* ICC_EOIR1_EL1 */
        subs    x22, x22, #1
        b.ne    next
        ldr     w0, =0x84000008                 /* SYSTEM_OFF */
        hvc     #0
        b       .
