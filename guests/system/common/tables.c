/* Translation tables of any granule and level, made at run time (Arm ARM D8.2, D8.3). See system.h. */
#include "system.h"

#define POOL 0x42000000ul
#define POOL_END 0x44000000ul

static u64 pool = POOL;

void tables_reset(void) { pool = POOL; } /* clean.c: at each case's start */

static u64 new_table(u64 bytes)
{
    u64 *table = (u64 *)((pool + bytes - 1) & ~(bytes - 1));

    pool = (u64)table + bytes;
    if (pool > POOL_END)
        give_up("no room for tables");
    for (u64 i = 0; i < bytes / 8; i++)
        table[i] = 0;
    return (u64)table;
}

u64 level_size(const struct tables *t, int level) { return 1ul << (t->shift + (3 - level) * (t->shift - 3)); }

void tables_new(struct tables *t, int stage, unsigned shift, unsigned bits, int level)
{
    t->stage = stage;
    t->shift = shift;
    t->bits = bits;
    t->level = stage == 2 ? level : 4 - (int)((bits - shift + shift - 4) / (shift - 3));
    /* The root may have more entries than a table (concatenated, stage 2) or fewer. */
    const u64 entries = (1ul << bits) / level_size(t, t->level);
    t->root = new_table(entries * 8 > 1ul << shift ? entries * 8 : 1ul << shift);
}

/* A table for where `block`, a descriptor of `level`, stands now: empty, or mapping the same in smaller pieces. */
static u64 split(const struct tables *t, u64 block, int level)
{
    u64 *table = (u64 *)new_table(1ul << t->shift);

    if (block & D_VALID)
        for (u64 i = 0; i < 1ul << (t->shift - 3); i++)
            table[i] = block + i * level_size(t, level + 1) + (level + 1 == 3 ? D_TABLE - D_VALID : 0);
    return (u64)table;
}

u64 *descriptor(struct tables *t, u64 address, int level)
{
    u64 table = t->root;
    u64 index_mask = (1ul << t->bits) / level_size(t, t->level) - 1;

    for (int l = t->level;; l++) {
        u64 *entry = (u64 *)table + ((address / level_size(t, l)) & index_mask);
        if (l == level)
            return entry;
        if ((*entry & D_TABLE) != D_TABLE)
            *entry = split(t, *entry, l) | D_TABLE;
        table = *entry & 0xfffffffff000ul & ~((1ul << t->shift) - 1);
        index_mask = (1ul << (t->shift - 3)) - 1;
    }
}

void map(struct tables *t, u64 input, u64 output, int level, u64 attributes)
{
    *descriptor(t, input, level) = output | attributes | (level == 3 ? D_TABLE : D_VALID);
}

static void map_range(struct tables *t, u64 start, u64 end, u64 attributes)
{
    const u64 page = 1ul << t->shift;

    for (u64 at = start & ~(page - 1); at < end; at += page)
        map(t, at, at, 3, attributes);
}

void map_image(struct tables *t)
{
    extern char text_start[], text_end[], data_start[], data_end[];
    const u64 all = NORMAL | D_INNER_SHAREABLE | D_AF;

    map_range(t, (u64)text_start, (u64)text_end, t->stage == 2 ? S2_RAM : all | D_USER | D_READ_ONLY);
    map_range(t, (u64)data_start, (u64)data_end, t->stage == 2 ? S2_RAM | S2_XN : all | D_USER | D_PXN | D_UXN);
}

u64 tcr_tg0(unsigned shift) { return (shift == SHIFT_4K ? 0ul : shift == SHIFT_64K ? 1ul : 2ul) << 14; }

u64 pa_range(void)
{
    const u64 range = sysreg_read(id_aa64mmfr0_el1) & 15;

    return range > 5 ? 5 : range;
}

/* Stage 2 of the tables themselves, for the walks of stage 1. */
static void map_pool(struct tables *t)
{
    const int level = t->shift == SHIFT_64K || t->level == 3 ? 3 : 2;

    for (u64 at = POOL; at < POOL_END; at += level_size(t, level))
        map(t, at, at, level, S2_RAM);
}

/* T0SZ, IRGN0, ORGN0 write-back, SH0 inner shareable: the same bits in TCR_EL1, TCR_EL2 and VTCR_EL2 */
static u64 tcr_common(const struct tables *t) { return (64 - t->bits) | 1 << 8 | 1 << 10 | 3 << 12 | tcr_tg0(t->shift); }

void stage1_new(struct tables *t, unsigned shift, unsigned bits)
{
    tables_new(t, 1, shift, bits, 0);
    map_image(t);
    sysreg_write(mair_el1, MAIR_VALUE);
    sysreg_write(tcr_el1, tcr_common(t) | 1ul << 23 | pa_range() << 32); /* EPD1, IPS */
    sysreg_write(ttbr0_el1, t->root);
    sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | SCTLR_M | SCTLR_C | SCTLR_I);
}

void stage2_new(struct tables *t, unsigned shift, unsigned bits, int level)
{
    /* SL0 of a start level (D8.2.8): with 4 KiB, 0 is level 2; with the others, level 3 */
    const u64 sl0 = shift == SHIFT_4K ? (level == 3 ? 3 : 2 - level) : 3 - level;

    tables_new(t, 2, shift, bits, level);
    map_image(t);
    map_pool(t);
    sysreg_write(vtcr_el2, 1ul << 31 | tcr_common(t) | sl0 << 6 | pa_range() << 16);
    sysreg_write(vttbr_el2, 1ul << 48 | t->root);
    next.hcr |= HCR_VM;
}

void stage1_el2_new(struct tables *t, unsigned shift, unsigned bits)
{
    tables_new(t, 1, shift, bits, 0);
    map_image(t);
    sysreg_write(mair_el2, MAIR_VALUE);
    sysreg_write(tcr_el2, 1ul << 31 | 1ul << 23 | tcr_common(t) | pa_range() << 16);
    sysreg_write(ttbr0_el2, t->root);
    next.sctlr_el2 |= SCTLR_M | SCTLR_C | SCTLR_I;
}
