/*
 * tables52: addresses of 52 bits. FEAT_LPA2 with granules of 4 and 16 KiB (descriptors with DS = 1, level -1), FEAT_LVA and FEAT_LPA
 * with 64 KiB: what is mapped, the faults of each level, the base address, stage 2 from level -1, PAR_EL1 and HPFAR_EL2.
 */
#include "common/system.h"

CODE(load, "ldr x0, [x1]");
CODE(at_read, "at s1e1r, x1\n\tisb\n\tmrs x0, par_el1");

#define TCR_DS (1ul << 59)
#define VTCR_DS (1ul << 32)
#define VTCR_SL2 (1ul << 33)
#define FSC_ADDRESS_SIZE_MINUS_1 0x29ul
#define FSC_TRANSLATION_MINUS_1 0x2bul
#define FAR_AWAY (5ul << 49) /* a physical address above 48 bits: nothing is there */
#define VALUE 0x1122334455667788ul

/* The bits of an address where a descriptor of this granule has them (D8.3.1). */
static u64 wide(unsigned shift, u64 address)
{
    const u64 low = address & 0xfffffffffffful, high = address >> 48;

    return shift == SHIFT_64K ? low | high << 12 : low | (high & 3) << 48 | high >> 2 << 8;
}

/* Descriptors of 52 bits have no shareability: what map() has put there would be address bits. */
static void no_shareability(u64 table, u64 entries, unsigned shift, int level)
{
    u64 *t = (u64 *)table;

    for (u64 i = 0; i < entries; i++) {
        if (!(t[i] & D_VALID))
            continue;
        if (level < 3 && (t[i] & D_TABLE) == D_TABLE)
            no_shareability(t[i] & 0xfffffffff000ul, 1ul << (shift - 3), shift, level + 1);
        else
            t[i] &= ~(3ul << 8);
    }
}

static void ready(struct tables *t)
{
    if (t->shift != SHIFT_64K)
        no_shareability(t->root, (1ul << t->bits) / level_size(t, t->level), t->shift, t->level);
    tlbi_all();
}

/* Stage 1 of EL1&0 with VAs and output addresses of 52 bits. */
static void stage1_52(struct tables *s1, unsigned shift)
{
    stage1_new(s1, shift, 52);
    const u64 tcr = sysreg_read(tcr_el1) & ~(7ul << 32);
    sysreg_write(tcr_el1, tcr | 6ul << 32 | (shift == SHIFT_64K ? 0 : TCR_DS));
}

static void ips(u64 size)
{
    sysreg_write(tcr_el1, (sysreg_read(tcr_el1) & ~(7ul << 32)) | size << 32);
    tlbi_all();
}

/* What AT S1E1R, executed at EL2, says is wrong with an address of EL1; all ones if nothing. (EL1 itself cannot run there.) */
static u64 at_faults(u64 va)
{
    const struct exception *e = RUN(EL2H, at_read, 0, va);

    CHECK_RETURNED(e);
    return e->x[0] & 1 ? e->x[0] >> 1 & 0x3f : ~0ul;
}

#define DABT(fsc) ESR(EC_DABT_LOWER, fsc)
#define DABT1(fsc) ESR(EC_DABT, fsc)
#define TOP 0xf800080000000ul /* a VA with bit 51 set */
#define LOW_ATTRIBUTES (NORMAL | D_AF | D_USER)

static void maps_52(unsigned shift)
{
    struct tables s1;

    stage1_52(&s1, shift);
    *(volatile u64 *)ARENA = VALUE;
    map(&s1, TOP, ARENA, 3, LOW_ATTRIBUTES);
    ready(&s1);
    const struct exception *e = RUN(EL0T, load, 0, TOP);
    CHECK_RETURNED(e);
    CHECK(e->x[0], VALUE);
    /* each level's translation fault */
    for (int level = s1.level; level <= 3; level++) {
        u64 *d = descriptor(&s1, TOP, level), old = *d;
        *d = 0;
        tlbi_all();
        e = RUN(EL0T, load, 0, TOP);
        CHECK_TAKEN(e, 1, LOWER_SYNC, DABT(level < 0 ? FSC_TRANSLATION_MINUS_1 : FSC_TRANSLATION(level)));
        CHECK(e->far, TOP);
        *d = old;
    }
}

CASE(lpa2_4k_maps_52_bits_from_level_minus_1, "D8.2.6 'VMSAv8-64 translation using the 4KB granule'; ESR_EL1.DFSC 0b101011")
{
    NEED(LPA2_4K);
    maps_52(SHIFT_4K);
}

CASE(lpa2_16k_maps_52_bits_from_level_0, "D8.2.7 'VMSAv8-64 translation using the 16KB granule'")
{
    NEED(LPA2_16K);
    maps_52(SHIFT_16K);
}

CASE(lva_64k_maps_52_bits_from_level_1, "D8.2.8 'VMSAv8-64 translation using the 64KB granule'; FEAT_LVA")
{
    NEED(LVA);
    maps_52(SHIFT_64K);
}

static const unsigned granules[] = {SHIFT_4K, SHIFT_16K, SHIFT_64K};
static const char *const names[] = {"4 KiB", "16 KiB", "64 KiB"};

static int wide_granule(int i)
{
    at_row(names[i]);
    return i == 0 ? have(FEAT_LPA2_4K) : i == 1 ? have(FEAT_LPA2_16K) : have(FEAT_LVA) && have(FEAT_LPA);
}

CASE(outputs_have_52_bits, "D8.3.1 'VMSAv8-64 descriptor formats': output address bits 51:48; PAR_EL1.PA[51:48]")
{
    NEED(LPA);
    for (int i = 0; i < 3; i++) {
        struct tables s1;
        if (!wide_granule(i))
            continue;
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
        stage1_52(&s1, granules[i]);
        ready(&s1);
        map(&s1, TOP, wide(granules[i], FAR_AWAY), 3, LOW_ATTRIBUTES);
        const struct exception *e = RUN(EL1H, at_read, 0, TOP + 0x128);
        CHECK_RETURNED(e);
        CHECK_MASKED(e->x[0], 0x000ffffffffff001ul, FAR_AWAY);
        e = RUN(EL1H, load, 0, TOP);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, DABT1(FSC_EXTERNAL));
        /* beyond IPS: level 3 */
        ips(5);
        e = RUN(EL1H, load, 0, TOP);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, DABT1(FSC_ADDRESS_SIZE(3)));
    }
    at_row(0);
}

CASE(next_table_beyond_ips, "D8.2.3 'Address size fault': next-level table address; ESR_EL1.DFSC 0b101001 at level -1")
{
    NEED(LPA);
    for (int i = 0; i < 3; i++) {
        struct tables s1;
        if (!wide_granule(i))
            continue;
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
        stage1_52(&s1, granules[i]);
        ready(&s1);
        ips(5);
        *descriptor(&s1, TOP, s1.level) = wide(granules[i], 1ul << 50) | D_TABLE;
        tlbi_all();
        const struct exception *e = RUN(EL1H, load, 0, TOP);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, DABT1(s1.level < 0 ? FSC_ADDRESS_SIZE_MINUS_1 : FSC_ADDRESS_SIZE(s1.level)));
    }
    at_row(0);
}

CASE(blocks_that_only_52_bits_have, "D8.3.1.1: blocks of 512 GiB (4 KiB, level 0), 64 GiB (16 KiB, level 1), 4 TiB (64 KiB, level 1)")
{
    NEED(LPA);
    for (int i = 0; i < 3; i++) {
        struct tables s1;
        const int level = i == 0 ? 0 : 1;
        if (!wide_granule(i))
            continue;
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
        stage1_52(&s1, granules[i]);
        *(volatile u64 *)ARENA = VALUE;
        map(&s1, 0x8000000000000ul, 0, level, LOW_ATTRIBUTES);
        ready(&s1);
        const struct exception *e = RUN(EL0T, load, 0, 0x8000000000000ul + ARENA);
        CHECK_RETURNED(e);
        CHECK(e->x[0], VALUE);
    }
    at_row(0);
}

CASE(shareability_is_of_tcr_with_ds, "D8.6.2: with TCR_ELx.DS = 1 shareability is TCR_ELx.SHn; PAR_EL1.SH")
{
    NEED(LPA2_4K);
    struct tables s1;

    stage1_52(&s1, SHIFT_4K);
    ready(&s1);
    map(&s1, TOP, ARENA, 3, LOW_ATTRIBUTES);
    static const u64 shareability[] = {0, 2, 3};
    for (int i = 0; i < 3; i++) {
        sysreg_write(tcr_el1, (sysreg_read(tcr_el1) & ~(3ul << 12)) | shareability[i] << 12);
        tlbi_all();
        const struct exception *e = RUN(EL1H, at_read, 0, TOP);
        CHECK_RETURNED(e);
        CHECK(e->x[0] >> 7 & 3, shareability[i]);
    }
}

CASE(table_base_above_48_bits, "TTBR0_EL1.BADDR: bits 51:48 in [5:2]; D8.2.3 'Address size fault' on the base is of level 0")
{
    NEED(LPA);
    for (int i = 0; i < 3; i++) {
        struct tables s1;
        if (!wide_granule(i))
            continue;
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
        stage1_52(&s1, granules[i]);
        ready(&s1);
        ips(5);
        if (i < 2) { /* with 64 KiB, IPS below 52 bits means the layout of 48 bits */
            sysreg_write(ttbr0_el1, s1.root | 4 << 2);
            tlbi_all();
            CHECK(at_faults(TOP), FSC_ADDRESS_SIZE(0));
        }
    }
    at_row(0);
}

CASE(t0sz_below_16_needs_52_bits, "D8.2.2, TxSZ limits: below the minimum is a translation fault of level 0 (FEAT_LVA)")
{
    NEED(LVA);
    struct tables s1;

    stage1_new(&s1, SHIFT_4K, 48);
    sysreg_write(tcr_el1, sysreg_read(tcr_el1) - 1);
    CHECK(at_faults(ARENA), FSC_TRANSLATION(0));
}

/* Stage 2 of 52 bits, stage 1 off or of 52 bits. */
static void stage2_52(struct tables *s2, unsigned shift)
{
    const int level = shift == SHIFT_4K ? -1 : shift == SHIFT_16K ? 0 : 1;

    stage2_new(s2, shift, 52, level);
    const u64 vtcr = sysreg_read(vtcr_el2) & ~(3ul << 6 | 7ul << 16);
    const u64 sl = shift == SHIFT_4K ? VTCR_SL2 : shift == SHIFT_16K ? 3ul << 6 : 2ul << 6;
    sysreg_write(vtcr_el2, vtcr | sl | 6ul << 16 | (shift == SHIFT_64K ? 0 : VTCR_DS));
}

CASE(stage2_of_52_bits, "VTCR_EL2.{DS, SL2, SL0}; ESR_EL2.DFSC 0b101011; HPFAR_EL2.FIPA[51:48]")
{
    NEED(LPA);
    for (int i = 0; i < 3; i++) {
        struct tables s1, s2;
        const u64 ipa = 0xa000000000000ul + ARENA;
        if (!wide_granule(i))
            continue;
        next.hcr = HCR_RW;
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
        stage1_52(&s1, granules[i]);
        ready(&s1);
        map(&s1, TOP, wide(granules[i], ipa), 3, LOW_ATTRIBUTES);
        stage2_52(&s2, granules[i]);
        map(&s2, ipa, ARENA, 3, S2_RAM);
        ready(&s2);
        *(volatile u64 *)ARENA = VALUE;
        const struct exception *e = RUN(EL1H, load, 0, TOP);
        CHECK_RETURNED(e);
        CHECK(e->x[0], VALUE);
        for (int level = s2.level; level <= 3; level++) {
            u64 *d = descriptor(&s2, ipa, level), old = *d;
            *d = 0;
            tlbi_all();
            e = RUN(EL1H, load, 0, TOP + 0x18);
            CHECK(e->el, 2);
            CHECK_MASKED(e->esr, 0xfc00003f,
                         ESR_IL0(EC_DABT_LOWER, level < 0 ? FSC_TRANSLATION_MINUS_1 : FSC_TRANSLATION(level)));
            CHECK(e->hpfar, ipa >> 12 << 4);
            CHECK(e->far, TOP + 0x18);
            *d = old;
        }
    }
    at_row(0);
}

CASE(stage2_output_of_52_bits, "D8.3.1; AT S12E1R and PAR_EL1")
{
    NEED(LPA);
    for (int i = 0; i < 3; i++) {
        struct tables s1, s2;
        const u64 ipa = 0xa000000000000ul + ARENA;
        if (!wide_granule(i))
            continue;
        next.hcr = HCR_RW;
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
        stage1_52(&s1, granules[i]);
        ready(&s1);
        map(&s1, TOP, wide(granules[i], ipa), 3, LOW_ATTRIBUTES);
        stage2_52(&s2, granules[i]);
        ready(&s2);
        map(&s2, ipa, wide(granules[i], FAR_AWAY), 3, i == 2 ? S2_RAM : S2_RAM & ~(3ul << 8));
        tlbi_all();
        const struct exception *e = RUN(EL1H, load, 0, TOP);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, DABT1(FSC_EXTERNAL));
    }
    at_row(0);
}

CASE(stage2_start_level_minus_1_needs_ds, "`AArch64.S2InvalidSL`: SL2:SL0 of 4 KiB; SL2 without DS is 0")
{
    NEED(LPA2_4K);
    struct tables s2;
    /* SL2, SL0, DS, T0SZ: all are translation faults of level 0, but the first */
    static const u64 rows[][4] = {
        {1, 0, 1, 12}, {1, 1, 1, 12}, {1, 2, 1, 12}, {1, 3, 1, 12}, {1, 0, 0, 12}, {0, 0, 1, 12}, {1, 0, 1, 16}, {0, 1, 1, 12},
    };

    stage2_52(&s2, SHIFT_4K);
    map(&s2, ARENA, ARENA, 3, S2_RAM);
    ready(&s2);
    const u64 vtcr = sysreg_read(vtcr_el2) & ~(3ul << 6 | VTCR_DS | VTCR_SL2 | 0x3f);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const u64 *r = rows[i];
        sysreg_write(vtcr_el2, vtcr | r[0] << 33 | r[1] << 6 | r[2] << 32 | r[3]);
        tlbi_all();
        const struct exception *e = RUN(EL1H, load, 0, ARENA);
        if (i == 0)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_TRANSLATION(0)));
    }
}
