/*
 * The loops that are measured: u64 loop_x(u64 work), a checksum. Each is entered with its amount of work in x0. Instructions
 * for each unit of work are in brackets; entry and exit add a few.
 */
    .text
    .macro kernel name
    .balign 64
    .global \name
    .type \name, %function
\name:
    .endm

/* 16 ALU instructions with short dependency chains, one counter, one branch. [18] */
kernel loop_int
    mov     x1, #1
    mov     x2, #2
    mov     x3, #3
    mov     x4, #4
    .balign 64
1:  add     x1, x1, x2
    eor     x2, x2, x3, lsl #3
    sub     x3, x3, x4
    orr     x4, x4, #1
    add     x1, x1, #5
    and     x2, x2, #0xffffffff
    lsr     x5, x1, #7
    add     x3, x3, x5, lsl #1
    mul     x4, x4, x5
    eor     x1, x1, x4
    bic     x2, x2, x5
    add     x3, x3, #0x123
    ror     x4, x4, #13
    ubfx    x6, x3, #4, #20
    add     x2, x2, x6
    csel    x5, x5, x6, ne
    subs    x0, x0, #1
    b.ne    1b
    eor     x0, x1, x2
    eor     x3, x3, x4
    eor     x0, x0, x3
    ret
    .size loop_int, . - loop_int

/* Once over 64 KiB, 32 bytes a turn: 4 loads, 4 stores, 4 additions, pointer, compare, branch. [2 + 2048 * 15 + 2] */
kernel loop_mem
    adrp    x7, buffer
    add     x7, x7, #:lo12:buffer
    mov     x6, xzr
1:  mov     x1, x7
    add     x8, x7, #0x10000
2:  ldr     x2, [x1]
    ldr     x3, [x1, #8]
    ldr     w4, [x1, #16]
    ldrb    w5, [x1, #24]
    add     x2, x2, #1
    add     x3, x3, x2
    add     x4, x4, x3
    add     x6, x6, x4
    str     x2, [x1]
    str     x3, [x1, #8]
    str     w4, [x1, #16]
    strb    w6, [x1, #24]
    add     x1, x1, #32
    cmp     x1, x8
    b.ne    2b
    subs    x0, x0, #1
    b.ne    1b
    mov     x0, x6
    ret
    .size loop_mem, . - loop_mem

/* Two nested calls, one of them through a register, with a frame each as a compiler makes it. [23 or 24] */
kernel loop_call
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x20, #0
1:  mov     x0, x20
    bl      call_outer
    add     x20, x20, x0
    subs    x19, x19, #1
    b.ne    1b
    mov     x0, x20
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret
    .size loop_call, . - loop_call

    .type call_outer, %function
call_outer:
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    str     x19, [sp, #16]
    add     x19, x0, #3
    adrp    x1, call_inner
    add     x1, x1, #:lo12:call_inner
    mov     x0, x19
    blr     x1
    eor     x0, x0, x19
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret
    .size call_outer, . - call_outer

    .type call_inner, %function
call_inner:
    add     x0, x0, x0, lsl #2
    lsr     x1, x0, #9
    eor     x0, x0, x1
    tst     x0, #1
    b.eq    1f
    add     x0, x0, #1
1:  ret
    .size call_inner, . - call_inner

/* Once through the 65,536 instructions of cold.S. [65,536 + 3] */
kernel loop_cold
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x9, x0
    mov     x1, #1
    mov     x2, #2
    mov     x3, #3
    mov     x4, #4
1:  bl      cold
    subs    x9, x9, #1
    b.ne    1b
    eor     x0, x1, x2
    eor     x3, x3, x4
    eor     x0, x0, x3
    ldp     x29, x30, [sp], #16
    ret
    .size loop_cold, . - loop_cold

    .bss
    .balign 4096
    .type buffer, %object
buffer:
    .skip 0x10000
    .size buffer, . - buffer
