/*
 * Code that is larger than a cache of decoded or translated code likes: 4096 blocks of 16 instructions (256 KiB), each executed
 * once in a scattered order. Block i continues at block (1229 i + 1731) mod 4096, a linear congruential generator of full
 * period (1229 = 1 mod 4, 1731 odd), so from block 0 all are visited; the one that would come back to 0 returns.
 *
 * Built without line numbers: they would be larger than the code.
 */
    .set BLOCKS, 4096
    .set BLOCK_SIZE, 64

    .text
    .balign 4096
    .global cold
    .type cold, %function
cold:
    .set i, 0
    .rept BLOCKS
    .set next, (1229 * i + 1731) & (BLOCKS - 1)
    add     x1, x1, #(i & 0xfff)
    eor     x2, x2, x1, lsl #(i & 31)
    sub     x3, x3, x2
    ubfx    x5, x1, #(i & 15), #16
    add     x4, x4, x5, lsl #1
    orr     x6, x3, x4
    movz    x7, #i
    and     x6, x6, #0xffff0000
    add     x2, x2, x7
    eor     x1, x1, x6, lsr #(i & 7)
    cmp     x1, x2
    csel    x5, x3, x4, hi
    add     x3, x3, x5
    ror     x4, x4, #(1 + (i & 31))
    bic     x2, x2, x7, lsl #4
    .if next
    b       cold + next * BLOCK_SIZE
    .else
    ret
    .endif
    .set i, i + 1
    .endr
    .size cold, . - cold
