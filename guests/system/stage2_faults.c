/*
 * stage2_faults: aborts of stage 2 at every level and granule, on data, fetches and the walks of stage 1; HPFAR_EL2 and the whole ISS.
 */
#include "common/system.h"

CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");
CODE(nothing, "nop");

static const unsigned shifts[] = {SHIFT_4K, SHIFT_16K, SHIFT_64K};
static const char *const shift_names[] = {"4K", "16K", "64K"};
#define EACH_GRANULE(i) for (int i = 0; i < 3; i++) if (have_granule(shifts[i]) && (at_row(shift_names[i]), fresh(), 1))

#define IPA 0x800000000ul       /* bit 35 */
#define LOAD_ISS (ISS_ISV | ISS_SAS(3) | ISS_SF | ISS_SRT(0))
#define HPFAR(ipa) ((ipa) >> 12 << 4)

static void fresh(void)
{
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
    next.hcr = HCR_RW;
    tlbi_all();
}

static int start_level(unsigned shift, unsigned bits)
{
    return 4 - (int)((bits - shift + shift - 4) / (shift - 3));
}

/* Loads, stores and fetches at EL1 and EL0 (stage 1 off: VA = IPA) fault in stage 2. */
static void every_access_faults(u64 ipa, u64 fsc, int hpfar)
{
    static const u64 modes[] = {EL1H, EL0T};

    for (int m = 0; m < 2; m++) {
        const struct exception *e = RUN(modes[m], load, 0, ipa + 0x18);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | fsc));
        CHECK(e->far, ipa + 0x18);
        CHECK(e->elr, load);
        if (hpfar)
            CHECK(e->hpfar, HPFAR(ipa));
        e = RUN(modes[m], store, 0, ipa + 0x828);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | ISS_WNR | fsc));
        CHECK(e->far, ipa + 0x828);
        if (hpfar)
            CHECK(e->hpfar, HPFAR(ipa));
        e = RUN(modes[m], ipa + 0x40);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, fsc));
        CHECK(e->far, ipa + 0x40);
        CHECK(e->elr, ipa + 0x40);
        if (hpfar)
            CHECK(e->hpfar, HPFAR(ipa));
    }
}

CASE(translation_fault_at_each_level, "D8.15.9, stage 2 Translation fault; HPFAR_EL2; ESR_EL2.ISS of a Data Abort")
{
    EACH_GRANULE(i) {
        struct tables s2;
        const unsigned bits = pa_range() >= 4 ? 44 : 39; /* with 44, 4 KiB from level 0, 16 and 64 KiB from level 1 */
        const u64 ipa = 1ul << (bits - 1);
        stage2_new(&s2, shifts[i], bits, start_level(shifts[i], bits));
        for (int level = s2.level; level <= 3; level++) {
            CHECK(*descriptor(&s2, ipa, level), 0);
            every_access_faults(ipa, FSC_TRANSLATION(level), 1);
        }
    }
}

CASE(ipa_too_large, "D8.2.1: an IPA that VTCR_EL2.T0SZ does not cover: stage 2 Translation fault, level 0")
{
    EACH_GRANULE(i) {
        struct tables s2;
        stage2_new(&s2, shifts[i], 36, start_level(shifts[i], 36));
        every_access_faults(1ul << 36, FSC_TRANSLATION(0), 1);
    }
}

CASE(start_level_inconsistent, "VTCR_EL2.SL0: not consistent with T0SZ, or reserved: stage 2 level 0 Translation fault")
{
    static const struct {
        unsigned shift, bits;
        u64 sl0;
    } rows[] = {
        {SHIFT_4K, 36, 2}, {SHIFT_4K, 40, 0}, {SHIFT_64K, 40, 0}, {SHIFT_64K, 29, 1}, {SHIFT_64K, 36, 3},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tables s2;
        if (!have_granule(rows[i].shift))
            continue;
        fresh();
        stage2_new(&s2, rows[i].shift, 36, start_level(rows[i].shift, 36));
        u64 vtcr = sysreg_read(vtcr_el2) & ~0xfful;
        sysreg_write(vtcr_el2, vtcr | (64 - rows[i].bits) | rows[i].sl0 << 6);
        tlbi_all();
        const struct exception *e = RUN(EL1H, (u64)nothing);
        at_row(rows[i].shift == SHIFT_4K ? "4K" : "64K");
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_TRANSLATION(0)));
        CHECK(e->hpfar, HPFAR((u64)nothing));
    }
}

CASE(concatenated_tables, "D8.2.8 'Concatenated translation tables': up to 16 at the start level")
{
    static const struct {
        unsigned shift, bits;
        int level;
    } rows[] = {
        {SHIFT_4K, 43, 1},  {SHIFT_4K, 40, 1},  {SHIFT_4K, 34, 2},  {SHIFT_4K, 32, 2},
        {SHIFT_16K, 40, 2}, {SHIFT_16K, 37, 2}, {SHIFT_64K, 46, 2}, {SHIFT_64K, 43, 2}, {SHIFT_64K, 33, 3},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tables s2;
        static const char *const names[] = {"4K 43", "4K 40", "4K 34", "4K 32", "16K 40", "16K 37", "64K 46", "64K 43", "64K 33"};
        static const u64 range_bits[] = {32, 36, 40, 42, 44, 48};
        if (!have_granule(rows[i].shift) || rows[i].bits > range_bits[pa_range()])
            continue;
        fresh();
        at_row(names[i]);
        stage2_new(&s2, rows[i].shift, rows[i].bits, rows[i].level);
        const u64 ipa = 1ul << (rows[i].bits - 1);
        map(&s2, ipa, ARENA, 3, S2_RAM);
        *(u64 *)(ARENA + 0x18) = 0x77770000 + i;
        const struct exception *e = RUN(EL0T, load, 0, ipa + 0x18);
        CHECK_RETURNED(e);
        CHECK(e->x[0], 0x77770000 + i);
        e = RUN(EL0T, load, 0, (1ul << rows[i].bits) - 8);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | FSC_TRANSLATION(rows[i].level)));
    }
}

CASE(access_flag_fault_at_each_level, "D8.15.9, stage 2 Access flag fault")
{
    EACH_GRANULE(i) {
        struct tables s2;
        stage2_new(&s2, shifts[i], 36, start_level(shifts[i], 36));
        for (int level = shifts[i] == SHIFT_4K ? 1 : 2; level <= 3; level++) {
            const u64 ipa = IPA + ((u64)level << 32);
            map(&s2, ipa, 0, level, S2_RAM & ~D_AF);
            every_access_faults(ipa, FSC_ACCESS_FLAG(level), 1);
        }
    }
}

CASE(address_size_fault_at_each_level, "D8.15.9, stage 2 Address size fault; VTCR_EL2.PS")
{
    EACH_GRANULE(i) {
        struct tables s2;
        stage2_new(&s2, shifts[i], 36, start_level(shifts[i], 36));
        sysreg_write(vtcr_el2, (sysreg_read(vtcr_el2) & ~(7ul << 16)) | 1ul << 16); /* 36 bits */
        tlbi_all();
        for (int level = s2.level; level <= 2; level++) {
            const u64 ipa = IPA + ((u64)level << 32);
            *descriptor(&s2, ipa, level) = 1ul << 36 | D_TABLE;
            every_access_faults(ipa, FSC_ADDRESS_SIZE(level), 1);
            *descriptor(&s2, ipa, level) = 0;
        }
        tlbi_all();
        for (int level = shifts[i] == SHIFT_4K ? 1 : 2; level <= 3; level++) {
            const u64 ipa = IPA + ((u64)(level + 4) << 32);
            map(&s2, ipa, 1ul << 36, level, S2_RAM & ~D_AF);
            every_access_faults(ipa, FSC_ADDRESS_SIZE(level), 1);
        }
        /* VTTBR_EL2 itself: level 0 */
        sysreg_write(vttbr_el2, sysreg_read(vttbr_el2) | 1ul << 36);
        tlbi_all();
        const struct exception *e = RUN(EL1H, nothing);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_ADDRESS_SIZE(0)));
        CHECK(e->hpfar, HPFAR((u64)nothing));
    }
}

CASE(permission_fault_at_each_level, "D8.4.3 'Stage 2 permissions': S2AP, XN; FAR_EL2 valid")
{
    EACH_GRANULE(i) {
        struct tables s2;
        stage2_new(&s2, shifts[i], 36, start_level(shifts[i], 36));
        for (int level = shifts[i] == SHIFT_4K ? 1 : 2; level <= 3; level++)
            for (u64 n = 0; n < 8; n++) {
                static const u64 modes[] = {EL1H, EL0T};
                const u64 page = S2_NORMAL | D_AF | (n & 3) << 6 | (n & 4 ? S2_XN : 0);
                const u64 ipa = IPA + ((u64)level << 32) + ARENA % level_size(&s2, level), fsc = FSC_PERMISSION(level);
                const u64 block = ~(level_size(&s2, level) - 1);
                *(u32 *)ARENA = INSN_RET;
                map(&s2, ipa & block, ARENA & block, level, page);
                tlbi_all();
                asm volatile("ic iallu\n\tdsb ish\n\tisb");
                for (int m = 0; m < 2; m++) {
                    const struct exception *e = RUN(modes[m], load, 0, ipa);
                    if (n & 1) {
                        CHECK_RETURNED(e);
                    } else {
                        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | fsc));
                        CHECK(e->far, ipa);
                    }
                    e = RUN(modes[m], store, INSN_RET, ipa);
                    if (n & 2) {
                        CHECK_RETURNED(e);
                    } else {
                        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | ISS_WNR | fsc));
                        CHECK(e->far, ipa);
                    }
                    e = RUN(modes[m], ipa);
                    if (n & 4) { /* S2AP says nothing about fetches */
                        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, fsc));
                        CHECK(e->far, ipa);
                    } else {
                        CHECK_RETURNED(e);
                    }
                }
            }
    }
}

CASE(execute_never_by_el, "FEAT_XNX: XN[1:0] 00 both, 01 EL0 only, 10 neither, 11 EL1 only")
{
    NEED(XNX);
    struct tables s2;
    static const struct {
        int el0, el1;
    } may[4] = {{1, 1}, {1, 0}, {0, 0}, {0, 1}};

    stage2_new(&s2, SHIFT_4K, 36, 1);
    *(u32 *)ARENA = INSN_RET;
    for (u64 xn = 0; xn < 4; xn++) {
        map(&s2, IPA, ARENA, 3, (S2_RAM & ~S2_XN) | xn << 53);
        tlbi_all();
        const struct exception *e = RUN(EL0T, IPA);
        if (may[xn].el0)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_PERMISSION(3)));
        e = RUN(EL1H, IPA);
        if (may[xn].el1)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_PERMISSION(3)));
    }
}

/* ---- the walk of stage 1 */

#define VA 0x800000000000ul

CASE(stage1_walk_unmapped, "D8.15.9: stage 2 fault on a stage 1 walk: S1PTW = 1, ISV = 0, FAR the VA, HPFAR the table's IPA")
{
    EACH_GRANULE(i) {
        struct tables s1, s2;
        stage2_new(&s2, shifts[i], 36, start_level(shifts[i], 36));
        stage1_new(&s1, shifts[i], 48);
        for (int level = s1.level; level <= 2; level++) {
            const u64 va = VA + ((u64)level << 42);
            *descriptor(&s1, va, level) = IPA | D_TABLE; /* the next table is nowhere in stage 2 */
            const struct exception *e = RUN(EL0T, load, 0, va + 8);
            /* no entry of IPA's part of stage 2 was made: the fault is at its start level */
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_S1PTW | FSC_TRANSLATION(s2.level)));
            CHECK(e->far, va + 8);
            CHECK(e->hpfar, HPFAR(IPA));
            e = RUN(EL1H, va + 8);
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, ISS_S1PTW | FSC_TRANSLATION(s2.level)));
            CHECK(e->far, va + 8);
            CHECK(e->hpfar, HPFAR(IPA));
            *descriptor(&s1, va, level) = 0;
            tlbi_all();
        }
    }
}

CASE(stage1_walk_of_root, "TTBR0_EL1 holds an IPA: stage 2 faults at each level, on the walk's first fetch")
{
    EACH_GRANULE(i) {
        struct tables s1, s2;
        stage2_new(&s2, shifts[i], 36, start_level(shifts[i], 36));
        stage1_new(&s1, shifts[i], 39);
        sysreg_write(ttbr0_el1, IPA);
        for (int level = s2.level; level <= 3; level++) {
            CHECK(*descriptor(&s2, IPA, level), 0);
            tlbi_all();
            const struct exception *e = RUN(EL1H, nothing);
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, ISS_S1PTW | FSC_TRANSLATION(level)));
            CHECK(e->far, nothing);
            CHECK_MASKED(e->hpfar, ~(0xful << 4), HPFAR(IPA));
        }
        map(&s2, IPA, s1.root, 3, S2_NORMAL | S2_W | D_AF); /* tables need to be readable */
        tlbi_all();
        const struct exception *e = RUN(EL1H, nothing);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, ISS_S1PTW | FSC_PERMISSION(3)));
        CHECK(e->far, nothing);
        map(&s2, IPA, s1.root, 3, S2_RAM & ~D_AF);
        tlbi_all();
        e = RUN(EL1H, nothing);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, ISS_S1PTW | FSC_ACCESS_FLAG(3)));
        map(&s2, IPA, s1.root, 3, S2_RAM & ~S2_W);
        tlbi_all();
        CHECK_RETURNED(RUN(EL1H, nothing));
    }
}

CASE(protected_table_walk, "HCR_EL2.PTW: a stage 1 walk of stage 2 Device memory: Permission fault, S1PTW")
{
    EACH_GRANULE(i) {
        struct tables s1, s2;
        stage2_new(&s2, shifts[i], 36, start_level(shifts[i], 36));
        stage1_new(&s1, shifts[i], 39);
        map(&s2, IPA, s1.root, 3, S2_DEVICE | S2_R | S2_W | D_AF);
        sysreg_write(ttbr0_el1, IPA);
        CHECK_RETURNED(RUN(EL0T, nothing));
        next.hcr |= 1ul << 2;
        tlbi_all();
        const struct exception *e = RUN(EL0T, nothing);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, ISS_S1PTW | FSC_PERMISSION(3)));
        CHECK(e->far, nothing);
        CHECK_MASKED(e->hpfar, ~(0xful << 4), HPFAR(IPA));
        /* stage 1 makes data Device, stage 2 does not: no fault */
        sysreg_write(ttbr0_el1, s1.root);
        tlbi_all();
        CHECK_RETURNED(RUN(EL0T, nothing));
    }
}

CASE(stage1_before_stage2, "D8.15 'Prioritization': stage 1 faults before stage 2 of the access; stage 2 of the walk before stage 1")
{
    struct tables s1, s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, IPA, 3, NORMAL | D_AF | D_READ_ONLY);
    const struct exception *e = RUN(EL1H, store, 0, VA);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
    e = RUN(EL1H, load, 0, VA);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | FSC_TRANSLATION(1)));
    CHECK(e->far, VA);
    CHECK(e->hpfar, HPFAR(IPA));
    /* output of stage 1 beyond VTCR's input range, within TCR_EL1.IPS */
    map(&s1, VA, 1ul << 36, 3, NORMAL | D_AF);
    tlbi_all();
    e = RUN(EL1H, load, 0, VA + 0x10);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | FSC_TRANSLATION(0)));
    CHECK(e->far, VA + 0x10);
    CHECK(e->hpfar, HPFAR(1ul << 36));
}
