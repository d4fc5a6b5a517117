/*
 * Carries out a list of accesses to devices and system registers, and records what each returned. It is a guest like any other: the
 * same bytes run on QEMU and on gdbhv, and then the results are compared (interrupts.py writes the list).
 *
 *   0x40200000  this program                        EL2, MMU off; "virtual" accesses are made at EL1 with HCR_EL2.IMO and FMO
 *   0x40400000  number of accesses, then the accesses: kind (4 bytes), index (4), address or value (8), value (8)
 *   0x40c00000  a result of 8 bytes for each: what was read, or bit 63 and ESR_EL2 if it was refused
 *
 * Interrupts stay masked: what is pending is seen in ISR_EL1, read at EL2 (physical) and at EL1 (virtual).
 */
        .arch   armv8-a
        .equ    LIST,    0x40400000
        .equ    RESULTS, 0x40c00000

        /* The registers in the order of interrupts.py's REGISTERS. */
        .macro  registers with
        .irp r, s3_0_c4_c6_0, s3_0_c12_c8_0, s3_0_c12_c8_1, s3_0_c12_c8_2, s3_0_c12_c8_3, s3_0_c12_c8_4, s3_0_c12_c9_0, \
                s3_0_c12_c11_1, s3_0_c12_c11_3, s3_0_c12_c11_5, s3_0_c12_c11_6, s3_0_c12_c11_7, s3_0_c12_c12_0, \
                s3_0_c12_c12_1, s3_0_c12_c12_2, s3_0_c12_c12_3, s3_0_c12_c12_4, s3_0_c12_c12_6, s3_0_c12_c12_7, \
                s3_4_c12_c8_0, s3_4_c12_c9_0, s3_4_c12_c11_0, s3_4_c12_c11_1, s3_4_c12_c11_2, s3_4_c12_c11_3, \
                s3_4_c12_c11_5, s3_4_c12_c11_7, s3_4_c12_c12_0, s3_4_c12_c12_1, s3_4_c12_c12_2, s3_4_c12_c12_3, \
                s3_0_c12_c1_0
        \with   \r
        .endr
        .endm
        .macro  reader r
        mrs     x3, \r
        ret
        .endm
        .macro  writer r
        msr     \r, x3
        ret
        .endm

        .text
        .globl  _start
_start:
        adr     x0, vectors
        msr     VBAR_EL2, x0
        mov     x0, #0x18               /* RW, IMO, FMO */
        movk    x0, #0x8000, lsl #16
        msr     HCR_EL2, x0
        mov     x0, #0x0800             /* SCTLR_EL1 without M, C, I */
        movk    x0, #0x30d0, lsl #16
        msr     SCTLR_EL1, x0
        isb
        ldr     x20, =LIST
        ldr     x21, [x20], #8
        ldr     x22, =RESULTS
next:   cbz     x21, done
        sub     x21, x21, #1
        ldp     w0, w1, [x20]
        ldp     x2, x3, [x20, #8]
        add     x20, x20, #24
        cmp     w0, #4
        b.hs    registers_
        cbz     w0, mmio_read
        cmp     w0, #1
        b.eq    mmio_write
registers_:
        /* Kinds: 4 read at EL2, 5 write at EL2, 6 read at EL1, 7 write at EL1. */
        adr     x4, readers
        adr     x5, writers
        tst     w0, #1
        csel    x4, x5, x4, ne
        add     x4, x4, x1, lsl #3
        tbnz    w0, #1, at_el1
        blr     x4
        b       store
at_el1: mrs     x8, s3_0_c12_c12_6      /* physical interrupts cannot be masked at EL1: ICC_IGRPEN0, 1 */
        mrs     x9, s3_0_c12_c12_7
        msr     s3_0_c12_c12_6, xzr
        msr     s3_0_c12_c12_7, xzr
        adr     x5, el1
        msr     ELR_EL2, x5
        mov     x5, #0x3c5              /* EL1h, DAIF */
        msr     SPSR_EL2, x5
        isb
        eret
el1:    blr     x4
        hvc     #0
mmio_read:
        adr     x5, loads
        add     x5, x5, x1, lsl #3
        br      x5
loads:  ldrb    w3, [x2]
        b       store
        ldrh    w3, [x2]
        b       store
        ldr     w3, [x2]
        b       store
        ldr     x3, [x2]
        b       store
mmio_write:
        adr     x5, stores
        add     x5, x5, x1, lsl #3
        br      x5
stores: strb    w3, [x2]
        b       store
        strh    w3, [x2]
        b       store
        str     w3, [x2]
        b       store
        str     x3, [x2]
store:  dsb     sy
        isb
        str     x3, [x22], #8
        b       next
done:   ldr     x0, =0x84000008         /* SYSTEM_OFF */
        smc     #0
        b       .

        .balign 8
readers: registers reader
writers: registers writer

        .balign 2048
vectors:
        .rept   16
        .balign 128
        b       taken
        .endr
taken:  mrs     x5, ESR_EL2
        mrs     x6, SPSR_EL2
        tbnz    x6, #3, 1f              /* from EL2 */
        msr     s3_0_c12_c12_6, x8
        msr     s3_0_c12_c12_7, x9
1:      lsr     x6, x5, #26
        cmp     x6, #0x16               /* HVC: EL1 has done it */
        b.eq    store
        orr     x3, x5, #1 << 63
        b       store
