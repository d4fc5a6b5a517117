/*
 * Stage 2: from a VM's intermediate physical addresses (IPA), which its stage 1 gives, to physical ones (PA). The guest can
 * neither see nor change it.
 *
 * Tables begin empty. The first touch of a page of memory faults, and the page is put there: memory on demand. An IPA that is
 * no memory stays unmapped for ever, so that every access to it exits: that is how a device is emulated. Next: vcpu.c.
 *
 *     IPA 31:30        29:21            20:12            11:0
 *         level 1 ---> level 2 -------> level 3 -------> offset in the page of 4 KiB       (D8.2)
 */
#include "type1.h"

/* VTCR_EL2. PS = 0: 32 bits of PA are enough for this board. */
#define VTCR_T0SZ 32ul              /* 64 - 32: 4 GiB of IPA */
#define VTCR_SL0_LEVEL_1 (1ul << 6) /* the walk begins at level 1 */
#define VTCR_IRGN0_WB (1ul << 8)    /* walks are cached and coherent, as our writes of the tables */
#define VTCR_ORGN0_WB (1ul << 10)
#define VTCR_SH0_INNER (3ul << 12)
#define VTCR_RES1 BIT(31)

/* Descriptors (D8.3). */
#define DESC_TABLE 3ul /* and a page, at level 3 */
#define DESC_MEMATTR_NORMAL_WB (0xful << 2)
#define DESC_S2AP_READ (1ul << 6)
#define DESC_S2AP_WRITE (2ul << 6)
#define DESC_SH_INNER (3ul << 8)
#define DESC_AF BIT(10)
#define DESC_XN BIT(54)
#define DESC_ADDRESS 0xfffffffff000ul

#define PAGE 4096ul
#define ENTRIES 512

extern const char guest_image[], guest_image_end[]; /* where the linker put the guests' program */

/* Pages for tables and for guests' memory, each given away once, zeroed by the loader. */
static u8 pool[96][PAGE] __attribute__((aligned(PAGE)));
static unsigned used;

static void *page_new(void)
{
    check(used < sizeof pool / PAGE);
    return pool[used++];
}

void stage2_on(void)
{
    sysreg_write(vtcr_el2, VTCR_T0SZ | VTCR_SL0_LEVEL_1 | VTCR_IRGN0_WB | VTCR_ORGN0_WB | VTCR_SH0_INNER | VTCR_RES1);
    sysreg_write(vttbr_el2, 0);
    asm volatile("tlbi alle1\n\tdsb nsh\n\tisb" ::: "memory"); /* whatever was in the TLB before us */
}

u64 *stage2_new(void) { return page_new(); }

/* The descriptor of the page at `ipa`, with the tables that lead to it. */
static u64 *descriptor(u64 *table, u64 ipa)
{
    for (int shift = 30; shift > 12; shift -= 9) {
        u64 *entry = &table[ipa >> shift & (ENTRIES - 1)];

        if (!*entry)
            *entry = (u64)page_new() | DESC_TABLE;
        table = (u64 *)(*entry & DESC_ADDRESS);
    }
    return &table[ipa >> 12 & (ENTRIES - 1)];
}

/*
 * A guest with its MMU off goes past the caches, and its instruction fetches past the data cache: what we have written must
 * be in memory before it looks.
 */
static void clean(u64 page)
{
    for (u64 line = page; line < page + PAGE; line += 16) /* 16 bytes: no cache line is shorter */
        asm volatile("dc civac, %0" : : "r"(line) : "memory");
    asm volatile("dsb ish\n\tic ialluis\n\tdsb ish\n\tisb" ::: "memory");
}

/* Put the page of memory at `ipa` there, if memory is what belongs there: 1, else 0. */
int stage2_memory(struct vm *vm, u64 ipa)
{
    const u64 offset = (ipa & ~(PAGE - 1)) - IPA_IMAGE;
    u64 attributes = DESC_TABLE | DESC_MEMATTR_NORMAL_WB | DESC_SH_INNER | DESC_AF | DESC_S2AP_READ;
    u64 *entry, page;

    if (ipa >= IPA_IMAGE && offset < (u64)(guest_image_end - guest_image))
        page = (u64)guest_image + offset;
    else if (ipa >= IPA_RAM && ipa < IPA_RAM + RAM_SIZE)
        page = 0; /* a fresh one */
    else
        return 0;
    entry = descriptor(vm->stage2, ipa);
    if (*entry) /* another vCPU of the VM has touched it meanwhile */
        return 1;
    if (!page) {
        page = (u64)page_new();
        attributes |= DESC_S2AP_WRITE | DESC_XN;
    }
    clean(page);
    /* Nothing invalid is kept in a TLB (D8.13): a new entry needs no TLBI, only that the tables' walker sees it. */
    *(volatile u64 *)entry = page | attributes;
    asm volatile("dsb ishst" ::: "memory");
    return 1;
}
