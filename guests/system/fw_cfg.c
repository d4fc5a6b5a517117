/*
 * fw_cfg: QEMU's firmware configuration device: the data register and its byte order, items and their ends, the directory, commands by DMA
 * and how they fail. The rules are those of QEMU's specification of the device.
 */
#include "common/system.h"

#define FW_CFG 0x09020000ul
#define DATA FW_CFG
#define SELECTOR (FW_CFG + 8)
#define DMA (FW_CFG + 0x10)

#define SIGNATURE 0x00
#define ID 0x01
#define CPUS 0x05
#define DIRECTORY 0x19
#define NO_ITEM 0x3fff

#define DMA_ERROR 1u
#define DMA_READ 2u
#define DMA_SKIP 4u
#define DMA_SELECT 8u
#define DMA_WRITE 16u
#define OF(key) ((u32)(key) << 16 | DMA_SELECT)

#define QEMU 0x554d4551u /* "QEMU", the first byte in the lowest */

struct command {
    u32 control, length;
    u64 address;
};

static u64 read_as(u64 size, u64 at)
{
    u64 v;

    switch (size) {
    case 1: return *(volatile u8 *)at;
    case 2: asm volatile("ldrh %w0, [%1]" : "=r"(v) : "r"(at) : "memory"); return v;
    case 4: return *(volatile u32 *)at;
    default: return *(volatile u64 *)at;
    }
}

static void select_item(u16 key) { asm volatile("strh %w0, [%1]" : : "r"(__builtin_bswap16(key)), "r"(SELECTOR) : "memory"); }

/* Carry out a command, and return its control word. */
static u32 dma(u32 control, u32 length, u64 address)
{
    static volatile struct command c;

    c.control = __builtin_bswap32(control);
    c.length = __builtin_bswap32(length);
    c.address = __builtin_bswap64(address);
    asm volatile("dsb sy" ::: "memory");
    *(volatile u64 *)DMA = __builtin_bswap64((u64)&c);
    asm volatile("dsb sy" ::: "memory");
    return __builtin_bswap32(c.control);
}

CASE(data_register_keeps_the_order_of_bytes, "Data Register: string-preserving, 1 to 8 bytes")
{
    for (u64 size = 1; size <= 8; size *= 2) {
        select_item(SIGNATURE);
        CHECK(read_as(size, DATA), QEMU & (size < 4 ? (1ul << 8 * size) - 1 : 0xffffffff));
        CHECK(read_as(4, DATA), size < 4 ? QEMU >> 8 * size : 0);
    }
}

CASE(zeros_follow_an_item, "Data Register: reads past the end")
{
    select_item(SIGNATURE);
    for (int n = 0; n < 4; n++)
        read_as(1, DATA);
    CHECK(read_as(8, DATA), 0);
    select_item(NO_ITEM);
    CHECK(read_as(8, DATA), 0);
}

CASE(both_interfaces, "Revision / feature bitmap: bits 0 and 1")
{
    select_item(ID);
    CHECK(read_as(4, DATA), 3);
    CHECK(read_as(8, DMA), 0x4746432000000000ul | QEMU); /* "QEMU CFG" */
    CHECK(read_as(4, DMA), QEMU);
    CHECK(read_as(4, DMA + 4), 0x47464320);
}

CASE(cpus_are_counted, "FW_CFG_NB_CPUS, 16 bits little-endian")
{
    select_item(CPUS);
    CHECK(read_as(2, DATA), 1);
    CHECK(read_as(2, DATA), 0);
}

CASE(directory_is_consistent, "File Directory: big-endian count, then size, key, 0 and name of each")
{
    select_item(DIRECTORY);
    const u32 count = __builtin_bswap32(read_as(4, DATA));
    for (u32 n = 0; n < count && n < 100; n++) {
        read_as(4, DATA);
        const u32 key = __builtin_bswap32(read_as(4, DATA));
        CHECK(key >> 16 >= 0x20, 1);
        CHECK(key & 0xffff, 0);
        CHECK(read_as(1, DATA) != 0, 1);
        u8 last = 1;
        for (int at = 1; at < 56; at++)
            last = read_as(1, DATA);
        CHECK(last, 0);
    }
    CHECK(read_as(8, DATA), 0);
}

CASE(read_by_dma, "DMA: select, read, skip; zeros behind the end")
{
    static volatile u8 to[16];

    for (int n = 0; n < 16; n++)
        to[n] = 0xee;
    CHECK(dma(OF(SIGNATURE) | DMA_READ, 3, (u64)to), 0);
    CHECK(to[0], 'Q');
    CHECK(to[2], 'M');
    CHECK(to[3], 0xee);
    CHECK(dma(DMA_READ, 3, (u64)to + 8), 0); /* goes on */
    CHECK(to[8], 'U');
    CHECK(to[9] | to[10], 0);
    CHECK(to[11], 0xee);
    CHECK(dma(OF(SIGNATURE), 0, 0), 0);
    CHECK(dma(DMA_SKIP, 2, 0), 0);
    CHECK(read_as(2, DATA), QEMU >> 16); /* both interfaces have one position */
}

CASE(dma_in_two_halves, "DMA Address Register: the low half starts the command")
{
    static volatile struct command c;
    static volatile u32 to;

    to = 0;
    c.control = __builtin_bswap32(OF(SIGNATURE) | DMA_READ);
    c.length = __builtin_bswap32(4);
    c.address = __builtin_bswap64((u64)&to);
    asm volatile("dsb sy" ::: "memory");
    *(volatile u32 *)DMA = __builtin_bswap32((u64)&c >> 32);
    CHECK(to, 0);
    *(volatile u32 *)(DMA + 4) = __builtin_bswap32((u32)(u64)&c);
    CHECK(to, QEMU);
    CHECK(c.control, 0);
}

CASE(dma_fails_and_says_so, "DMA: bit 0 of the control word")
{
    static volatile u64 word;

    word = 0;
    CHECK(dma(OF(SIGNATURE) | DMA_WRITE, 4, (u64)&word), DMA_ERROR);
    select_item(SIGNATURE);
    CHECK(read_as(4, DATA), QEMU);
    CHECK(dma(OF(NO_ITEM) | DMA_READ, 4, (u64)&word), 0); /* zeros, as the data register has it */
    CHECK(dma(OF(SIGNATURE) | DMA_READ, 4, NOWHERE), DMA_ERROR);
    CHECK(dma(OF(SIGNATURE), 0, 0), 0);
}
