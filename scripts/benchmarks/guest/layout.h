/* Where things are: see start.S. */
#define SPACE           0x44200000      /* memory that nobody else uses, in 4 KiB pages */
#define SPACE_END       0x48200000
#define SMALL           33              /* tables of 4 KiB pages: of 66 MiB */
#define HCR_VM          (1 << 0)
#define HCR_TID3        (1 << 18)
#define HCR_RW          (1 << 31)

        .macro  constants                       /* what a round begins with in x0 to x7 */
        mov     x0, #1
        mov     x1, #3
        mov     x2, #5
        mov     x3, #7
        mov     x4, #11
        mov     x5, #13
        mov     x6, #17
        mov     x7, #0
        .endm

        .macro  sum_registers                   /* x0 = x0 ^ x1 ^ ... ^ x7, each turned another way */
        .irp    n, 1, 2, 3, 4, 5, 6, 7
        eor     x0, x0, x\n, ror #(\n * 9)
        .endr
        .endm

        .macro  fill_page                       /* the first KiB at x20 with the same number; x21 to x23 */
        ldr     x21, =0x0123456789abcdef
        mov     x22, x20
        add     x23, x20, #1024
77771:  stp     x21, x21, [x22], #16
        cmp     x22, x23
        b.ne    77771b
        .endm

        .macro  must_be value                   /* the sum of each round */
        .section .rodata
        .balign 8
        .globl  expected
expected:
        .quad   \value
        .text
        .endm
