/*
 * Runs many small cases and records what each did to the machine. It is a guest like any other: the same bytes run on QEMU and
 * on gdbhv, and then the records are compared (batch.py lays out the memory and knows the records' fields).
 *
 *   0x40200000  this program and its tables         EL1 only
 *   0x40400000  the zone, 4 MiB of BRK instructions, read-only, executable at EL0 and EL1; the cases' own
 *               instructions are in the middle of it, so that wherever a case goes, an exception ends it
 *   0x40800000  nothing, but for one page at 0x40900000, read-write at EL0 and EL1: its last 256 bytes are the window
 *   0x41000000  a record for each case: what to load (IN)
 *   0x41800000  the same when it is over (OUT)
 *
 * Identity-mapped Normal memory, 39-bit VA; everything else faults. A case is entered by ERET, with all registers, flags and the
 * window as in its record. No register is ours while it runs; TPIDRRO_EL0 holds the record's address.
 */
        .equ    OUT,    0x800000        /* OUT record - IN record */
        .equ    WINDOW, 0x40900f00

        .equ    SP_,    0x0f8           /* fields of a record; x0..x30 come first */
        .equ    PC_,    0x100
        .equ    SPSR_,  0x108
        .equ    FPCR_,  0x110
        .equ    FPSR_,  0x118
        .equ    ESR_,   0x120
        .equ    FAR_,   0x128
        .equ    SPEL1_, 0x138
        .equ    V_,     0x140
        .equ    WIN_,   0x340
        .equ    SIZE_,  0x440

        .equ    DESC,   0x701           /* block, AF, inner shareable, attribute 0 */
        .equ    RO_ANY, 3 << 6
        .equ    RW_ANY, 1 << 6
        .equ    XN,     3 << 53
        .equ    UXN,    1 << 54

        .macro  load_x n, m
        ldp     x\n, x\m, [x30, #\n * 8]
        .endm
        .macro  store_x n, m
        stp     x\n, x\m, [x30, #\n * 8]
        .endm
        .macro  load_q n, m
        ldp     q\n, q\m, [x30, #V_ + \n * 16]
        .endm
        .macro  store_q n, m
        stp     q\n, q\m, [x30, #V_ + \n * 16]
        .endm

        .text
        .globl  _start
_start:
        b       begin
        .balign 8
count:  .quad   0                       /* how many cases, patched in by batch.py */

begin:
        mrs     x0, CurrentEL
        cmp     x0, #2 << 2
        b.ne    at_el1
        ldr     x0, =(1 << 31 | 3 << 40) /* HCR_EL2: RW; APK, API: pointer authentication is not trapped */
        msr     hcr_el2, x0
        mov     x0, #0x33ff             /* CPTR_EL2: no traps */
        msr     cptr_el2, x0
        mov     x0, #0x3c5              /* EL1h, DAIF */
        msr     spsr_el2, x0
        adr     x0, at_el1
        msr     elr_el2, x0
        isb
        eret

at_el1:
        adr     x0, vectors
        msr     vbar_el1, x0
        mov     x0, #3 << 20            /* CPACR_EL1.FPEN */
        msr     cpacr_el1, x0
        mov     x0, #0xff
        msr     mair_el1, x0
        ldr     x0, =(25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23)
        msr     tcr_el1, x0
        adr     x0, level1
        msr     ttbr0_el1, x0
        isb
        tlbi    vmalle1
        dsb     ish
        isb
        ldr     x0, =0x30d0199d         /* RES1 and SPAN; I, C, M; SA0, SA; no traps opened for EL0 */
        msr     sctlr_el1, x0
        isb
        mov     x0, #0x41000000
        msr     tpidrro_el0, x0

enter:  /* ---------------------------------------------------------------- load IN, go */
        mrs     x30, tpidrro_el0
        ldr     x1, =WINDOW
        add     x2, x30, #WIN_
        .irp    i, 0, 32, 64, 96, 128, 160, 192, 224
        ldp     q0, q1, [x2, #\i]
        stp     q0, q1, [x1, #\i]
        .endr
        ldp     x0, x1, [x30, #FPCR_]
        msr     fpcr, x0
        msr     fpsr, x1
        ldp     x0, x1, [x30, #PC_]
        msr     elr_el1, x0
        msr     spsr_el1, x1
        ldr     x0, [x30, #SP_]
        msr     sp_el0, x0
        mov     sp, x0
        load_q  0, 1
        load_q  2, 3
        load_q  4, 5
        load_q  6, 7
        load_q  8, 9
        load_q  10, 11
        load_q  12, 13
        load_q  14, 15
        load_q  16, 17
        load_q  18, 19
        load_q  20, 21
        load_q  22, 23
        load_q  24, 25
        load_q  26, 27
        load_q  28, 29
        load_q  30, 31
        load_x  0, 1
        load_x  2, 3
        load_x  4, 5
        load_x  6, 7
        load_x  8, 9
        load_x  10, 11
        load_x  12, 13
        load_x  14, 15
        load_x  16, 17
        load_x  18, 19
        load_x  20, 21
        load_x  22, 23
        load_x  24, 25
        load_x  26, 27
        load_x  28, 29
        ldr     x30, [x30, #240]
        eret

leave:  /* ---------------------------------------------------------------- any exception: store OUT */
        msr     tpidr_el1, x30
        mrs     x30, tpidrro_el0
        add     x30, x30, #OUT
        store_x 0, 1
        store_x 2, 3
        store_x 4, 5
        store_x 6, 7
        store_x 8, 9
        store_x 10, 11
        store_x 12, 13
        store_x 14, 15
        store_x 16, 17
        store_x 18, 19
        store_x 20, 21
        store_x 22, 23
        store_x 24, 25
        store_x 26, 27
        store_x 28, 29
        store_q 0, 1
        store_q 2, 3
        store_q 4, 5
        store_q 6, 7
        store_q 8, 9
        store_q 10, 11
        store_q 12, 13
        store_q 14, 15
        store_q 16, 17
        store_q 18, 19
        store_q 20, 21
        store_q 22, 23
        store_q 24, 25
        store_q 26, 27
        store_q 28, 29
        store_q 30, 31
        mrs     x0, tpidr_el1
        mrs     x1, sp_el0
        stp     x0, x1, [x30, #240]
        mrs     x0, elr_el1
        mrs     x1, spsr_el1
        stp     x0, x1, [x30, #PC_]
        mrs     x0, fpcr
        mrs     x1, fpsr
        stp     x0, x1, [x30, #FPCR_]
        mrs     x0, esr_el1
        mrs     x1, far_el1
        stp     x0, x1, [x30, #ESR_]
        mov     x0, sp
        str     x0, [x30, #SPEL1_]
        ldr     x1, =WINDOW
        add     x2, x30, #WIN_
        .irp    i, 0, 32, 64, 96, 128, 160, 192, 224
        ldp     q0, q1, [x1, #\i]
        stp     q0, q1, [x2, #\i]
        .endr

        mrs     x0, tpidrro_el0
        add     x0, x0, #SIZE_
        msr     tpidrro_el0, x0
        adr     x1, count
        ldr     x2, [x1]
        subs    x2, x2, #1
        str     x2, [x1]
        b.ne    enter
        ldr     w0, =0x84000008         /* PSCI SYSTEM_OFF */
        smc     #0
        b       .

        .ltorg
        .balign 0x800
vectors:
        .rept   16
        b       leave
        .balign 0x80
        .endr

        .balign 4096
level1: .quad   0, level2 + 3
        .balign 4096
level2: .quad   0
        .quad   0x40200000 + DESC + UXN
        .quad   0x40400000 + DESC + RO_ANY
        .quad   0x40600000 + DESC + RO_ANY
        .quad   level3 + 3
        .quad   0, 0, 0
        .set    at, 0x41000000
        .rept   8
        .quad   at + DESC + XN
        .set    at, at + 0x200000
        .endr
        .balign 4096
level3: .fill   256, 8, 0
        .quad   0x40900000 + DESC + 2 + RW_ANY + XN
        .balign 4096
