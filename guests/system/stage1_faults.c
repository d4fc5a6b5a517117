/*
 * stage1_faults: aborts of stage 1 of EL1&0 at every level and granule: which fault, its level, ESR, FAR, and where they are taken.
 */
#include "common/system.h"

CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");
CODE(clean_invalidate, "dc civac, x1");
CODE(zero_block, "dc zva, x1");
CODE(exclusive, "ldxr x2, [x1]\n\tstxr w3, x0, [x1]");
CODE(return_, "nop");

static const unsigned shifts[] = {SHIFT_4K, SHIFT_16K, SHIFT_64K};
static const char *const shift_names[] = {"4K", "16K", "64K"};
#define EACH_GRANULE(i) for (int i = 0; i < 3; i++) if (have_granule(shifts[i]) && (at_row(shift_names[i]), fresh(), 1))

#define VA 0x800000000000ul /* bit 47: of no table that the image needs */

static void fresh(void)
{
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1 << 26 | 1 << 14 | 1 << 15); /* UCI, DZE, UCT: EL0 may use DC */
    tlbi_all();
}

/* All accesses to `va` from EL1 and EL0 fault with `fsc`; `va` must be unreachable for reads too. */
static void every_access_faults(u64 va, u64 fsc)
{
    static const struct {
        const char *code;
        u64 iss;
    } accesses[] = {
        {load, 0}, {store, ISS_WNR}, {zero_block, ISS_WNR}, {exclusive, 0},
    };
    const struct exception *e;

    for (unsigned i = 0; i < sizeof accesses / sizeof *accesses; i++) {
        e = RUN(EL1H, accesses[i].code, 0, va + 8 * i);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, accesses[i].iss | fsc));
        CHECK(e->far, va + 8 * i);
        CHECK(e->elr, accesses[i].code);
        e = RUN(EL0T, accesses[i].code, 0, va + 8 * i);
        CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, accesses[i].iss | fsc));
        CHECK(e->far, va + 8 * i);
        CHECK(e->elr, accesses[i].code);
    }
    e = RUN(EL1H, va + 0x40);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_IABT, fsc));
    CHECK(e->far, va + 0x40);
    CHECK(e->elr, va + 0x40);
    e = RUN(EL0T, va + 0x40);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_IABT_LOWER, fsc));
    CHECK(e->far, va + 0x40);
    CHECK(e->elr, va + 0x40);
}

CASE(translation_fault_at_each_level, "D8.15.9 'MMU fault types', Translation fault; ESR_ELx, ISS encoding for an exception from a Data Abort")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 48);
        for (int level = s1.level; level <= 3; level++) {
            CHECK(*descriptor(&s1, VA, level), 0);
            every_access_faults(VA, FSC_TRANSLATION(level));
        }
    }
}

CASE(cache_maintenance_faults, "ESR_ELx, ISS encoding for an exception from a Data Abort: CM, WnR = 1")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 48);
        for (int level = s1.level; level <= 3; level++) {
            CHECK(*descriptor(&s1, VA, level), 0);
            const struct exception *e = RUN(EL1H, clean_invalidate, 0, VA + 8);
            CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_CM | ISS_WNR | FSC_TRANSLATION(level)));
            CHECK(e->far, VA + 8);
            e = RUN(EL0T, clean_invalidate, 0, VA + 8);
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_CM | ISS_WNR | FSC_TRANSLATION(level)));
            CHECK(e->far, VA + 8);
            CHECK(e->elr, clean_invalidate);
        }
        /* Permission: at EL0 it needs to read; at EL1 nothing (no FEAT_CMOW here) */
        map(&s1, VA, ARENA, 3, NORMAL | D_AF | D_READ_ONLY);
        CHECK_RETURNED(RUN(EL1H, clean_invalidate, 0, VA + 8));
        const struct exception *e = RUN(EL0T, clean_invalidate, 0, VA + 8);
        CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_CM | ISS_WNR | FSC_PERMISSION(3)));
    }
}

CASE(reserved_descriptors, "D8.3 'Translation table descriptor formats': a block where there is none is invalid")
{
    static const int bad[3][2] = {{0, 3}, {1, 3}, {1, 3}};

    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 48);
        /* 64 KiB: a block of level 1 needs FEAT_LPA; 16 KiB: FEAT_LPA2; 4 KiB at level 0: FEAT_LPA2 with TCR.DS */
        for (int n = shifts[i] == SHIFT_64K && have(FEAT_LPA); n < 2; n++) {
            u64 *entry = descriptor(&s1, VA + ((u64)n << 46), bad[i][n]);
            *entry = RAM_RW | D_VALID;
            const struct exception *e = RUN(EL0T, load, 0, VA + ((u64)n << 46));
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_TRANSLATION(bad[i][n])));
            CHECK(e->far, VA + ((u64)n << 46));
        }
    }
}

CASE(input_address_too_large, "D8.2.1: an input address that TCR_EL1.T0SZ does not cover, level 0 Translation fault")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 39);
        every_access_faults(1ul << 39, FSC_TRANSLATION(0));
        every_access_faults(1ul << 54, FSC_TRANSLATION(0));
        every_access_faults(0x0100000000000000ul, FSC_TRANSLATION(0)); /* no TBI: bit 56 counts */
    }
}

CASE(ttbr1_disabled_or_too_large, "TCR_EL1.EPD1: level 0 Translation fault; D8.2.1")
{
    EACH_GRANULE(i) {
        struct tables s1, high;
        stage1_new(&s1, shifts[i], 48);
        every_access_faults(0xffff800000000000ul, FSC_TRANSLATION(0)); /* EPD1 = 1 */
        /* TTBR1 in use with T1SZ = 25; TG1: 2 = 4 KiB, 1 = 16 KiB, 3 = 64 KiB */
        tables_new(&high, 1, shifts[i], 39, 0);
        const u64 tg1 = shifts[i] == SHIFT_4K ? 2 : shifts[i] == SHIFT_16K ? 1 : 3;
        sysreg_write(tcr_el1, (sysreg_read(tcr_el1) & ~(1ul << 23)) | 25 << 16 | tg1 << 30);
        sysreg_write(ttbr1_el1, high.root);
        tlbi_all();
        every_access_faults(0xffffff7ffffff000ul, FSC_TRANSLATION(0)); /* bit 39 = 0 */
        every_access_faults(0xfeffff8000000000ul, FSC_TRANSLATION(0)); /* bit 56 = 0 */
        every_access_faults(0xffffff8000000000ul, FSC_TRANSLATION(high.level));
        map(&high, 0, ARENA, 3, RAM_RW);
        *(u64 *)ARENA = 77;
        const struct exception *e = RUN(EL0T, load, 0, 0xffffff8000000000ul);
        CHECK_RETURNED(e);
        CHECK(e->x[0], 77);
    }
}

CASE(access_flag_fault_at_each_level, "D8.15.9, Access flag fault; descriptor bit AF")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 48);
        for (int level = shifts[i] == SHIFT_4K ? 1 : 2; level <= 3; level++) {
            const u64 va = VA + ((u64)level << 42);
            map(&s1, va, 0, level, RAM_RW & ~D_AF);
            every_access_faults(va, FSC_ACCESS_FLAG(level));
        }
    }
}

CASE(address_size_fault_at_each_level, "D8.15.9, Address size fault; TCR_EL1.IPS")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 48);
        sysreg_write(tcr_el1, (sysreg_read(tcr_el1) & ~(7ul << 32)) | 2ul << 32); /* IPS: 40 bits */
        tlbi_all();
        for (int level = s1.level; level <= 3; level++) { /* tables */
            const u64 va = VA + ((u64)level << 42);
            if (level == 3)
                continue;
            *descriptor(&s1, va, level) = 1ul << 40 | D_TABLE;
            every_access_faults(va, FSC_ADDRESS_SIZE(level));
            *descriptor(&s1, va, level) = 0;
        }
        tlbi_all();
        for (int level = shifts[i] == SHIFT_4K ? 1 : 2; level <= 3; level++) { /* blocks and pages; before the access flag */
            const u64 va = VA + ((u64)(level + 4) << 42);
            map(&s1, va, 1ul << 40, level, RAM_RW & ~D_AF);
            every_access_faults(va, FSC_ADDRESS_SIZE(level));
        }
    }
}

CASE(ttbr_address_too_large, "D8.15.9: an address in TTBR0_EL1 beyond TCR_EL1.IPS is an Address size fault of level 0")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 39);
        sysreg_write(tcr_el1, (sysreg_read(tcr_el1) & ~(7ul << 32) & ~(1ul << 23)) | 2ul << 32 | 25 << 16 | (i == 0 ? 2ul : i == 1 ? 1ul : 3ul) << 30);
        sysreg_write(ttbr1_el1, 1ul << 41);
        tlbi_all();
        every_access_faults(0xffffff8000000000ul, FSC_ADDRESS_SIZE(0));
    }
}

/* AP, PXN, UXN against what each EL may do: D8.4.1 'Direct permissions', Tables D8-42 and D8-43 */
static void check_permissions(u64 va, int level, u64 page)
{
    const int user = !!(page & D_USER), writable = !(page & D_READ_ONLY);
    const int pxn = page & D_PXN || (user && writable), uxn = !!(page & D_UXN);
    const u64 fsc = FSC_PERMISSION(level);
    const struct exception *e;

#define EXPECT(allowed, el, vector, ec, iss)                                                                           \
    do {                                                                                                               \
        if (allowed) {                                                                                                 \
            CHECK_RETURNED(e);                                                                                         \
        } else {                                                                                                       \
            CHECK_TAKEN(e, el, vector, ESR(ec, (iss) | fsc));                                                          \
            CHECK(e->far, va);                                                                                         \
        }                                                                                                              \
    } while (0)
    e = RUN(EL1H, load, 0, va);
    EXPECT(1, 1, CURRENT_SYNC, EC_DABT, 0);
    e = RUN(EL0T, load, 0, va);
    EXPECT(user, 1, LOWER_SYNC, EC_DABT_LOWER, 0);
    e = RUN(EL1H, store, 0xd65f03c0, va); /* RET, should it be executed below */
    EXPECT(writable, 1, CURRENT_SYNC, EC_DABT, ISS_WNR);
    e = RUN(EL0T, store, 0xd65f03c0, va);
    EXPECT(writable && user, 1, LOWER_SYNC, EC_DABT_LOWER, ISS_WNR);
    e = RUN(EL1H, va);
    EXPECT(!pxn, 1, CURRENT_SYNC, EC_IABT, 0);
    e = RUN(EL0T, va);
    EXPECT(!uxn, 1, LOWER_SYNC, EC_IABT_LOWER, 0);
}

CASE(permissions_at_each_level, "D8.4.1 'Direct permissions': AP, PXN, UXN for EL1 and EL0")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 48);
        for (int level = shifts[i] == SHIFT_4K ? 1 : 2; level <= 3; level++)
            for (u64 n = 0; n < 16; n++) {
                const u64 page = NORMAL | D_AF | D_INNER_SHAREABLE | (n & 1 ? D_USER : 0) | (n & 2 ? D_READ_ONLY : 0) |
                                 (n & 4 ? D_PXN : 0) | (n & 8 ? D_UXN : 0);
                const u64 block = level_size(&s1, level), va = VA + ((u64)level << 42) + ARENA % block;
                *(u32 *)ARENA = INSN_RET;
                map(&s1, va - ARENA % block, ARENA - ARENA % block, level, page);
                tlbi_all();
                asm volatile("ic iallu\n\tdsb ish\n\tisb");
                check_permissions(va, level, page);
            }
    }
}

CASE(hierarchical_permissions, "D8.4.2 'Hierarchical permissions': APTable, PXNTable, UXNTable restrict what lies below")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 48);
        for (int level = s1.level; level <= 2; level++)
            for (u64 n = 0; n < 16; n++) {
                *(u32 *)ARENA = INSN_RET;
                map(&s1, VA, ARENA, 3, RAM_RW | (n & 2 ? 0 : D_READ_ONLY)); /* below is RW or RO for both */
                u64 *table = descriptor(&s1, VA, level);
                /* APTable[0] = 61: no access from EL0; APTable[1] = 62: no writes; PXNTable 59, UXNTable 60 */
                *table = (*table & ~(15ul << 59)) | (n & 1) << 61 | (n >> 1 & 1) << 62 | (n >> 2 & 1) << 59 | (n >> 3 & 1) << 60;
                tlbi_all();
                asm volatile("ic iallu\n\tdsb ish\n\tisb");
                check_permissions(VA, 3, (n & 1 ? 0 : D_USER) | D_READ_ONLY | (n & 4 ? D_PXN : 0) | (n & 8 ? D_UXN : 0));
                *table &= ~(15ul << 59);
            }
    }
}

CASE(hierarchical_permissions_disabled, "FEAT_HPDS: TCR_EL1.HPD0 = 1: APTable, PXNTable, UXNTable are ignored")
{
    NEED(HPDS);
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 48);
        sysreg_write(tcr_el1, sysreg_read(tcr_el1) | 1ul << 41);
        *(u32 *)ARENA = INSN_RET;
        map(&s1, VA, ARENA, 3, RAM_RW);
        for (int level = s1.level; level <= 2; level++)
            *descriptor(&s1, VA, level) |= 15ul << 59;
        tlbi_all();
        check_permissions(VA, 3, RAM_RW);
    }
}

CASE(write_implies_execute_never, "SCTLR_EL1.WXN: writable at EL1 or EL0 is XN there; D8.4.1")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 48);
        sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | SCTLR_WXN);
        for (u64 n = 0; n < 4; n++) {
            const u64 page = NORMAL | D_AF | (n & 1 ? D_USER : 0) | (n & 2 ? D_READ_ONLY : 0);
            *(u32 *)ARENA = INSN_RET;
            map(&s1, VA, ARENA, 3, page);
            tlbi_all();
            /* WXN: for EL1 what EL1 writes, for EL0 what EL0 writes */
            check_permissions(VA, 3, page | (n & 2 ? 0 : D_PXN) | (n == 1 ? D_UXN : 0));
        }
    }
}

CASE(fault_priority, "D8.15 'Prioritization of faults': translation, address size, access flag, alignment, permission")
{
    struct tables s1;
    const struct exception *e;

    stage1_new(&s1, SHIFT_4K, 48);
    sysreg_write(tcr_el1, (sysreg_read(tcr_el1) & ~(7ul << 32)) | 2ul << 32);
    map(&s1, VA, 1ul << 40, 3, DEVICE | D_READ_ONLY);       /* address size before access flag */
    e = RUN(EL1H, store, 0, VA + 1);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_ADDRESS_SIZE(3)));
    map(&s1, VA, ARENA, 3, DEVICE | D_READ_ONLY);           /* access flag before alignment */
    tlbi_all();
    e = RUN(EL1H, store, 0, VA + 1);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_ACCESS_FLAG(3)));
    map(&s1, VA, ARENA, 3, DEVICE | D_READ_ONLY | D_AF);    /* alignment to Device memory before permission */
    tlbi_all();
    e = RUN(EL1H, store, 0, VA + 1);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_ALIGNMENT));
    CHECK(e->far, VA + 1);
    e = RUN(EL1H, store, 0, VA);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
    /* SCTLR_EL1.A: before all of the MMU */
    sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | SCTLR_A);
    e = RUN(EL1H, load, 0, VA + 0x100001);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_ALIGNMENT));
}

CASE(fault_on_second_page, "FAR_EL1: the first byte that faults; B2.5 'Alignment support'")
{
    struct tables s1;
    const struct exception *e;

    stage1_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, ARENA, 3, RAM_RW);
    e = RUN(EL1H, load, 0, VA + 0xffc);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_TRANSLATION(3)));
    CHECK(e->far, VA + 0x1000);
    *(u64 *)(ARENA + 0xff8) = 0x1122334455667788;
    e = RUN(EL1H, store, 0, VA + 0xffc);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_TRANSLATION(3)));
    CHECK(e->far, VA + 0x1000);
}

CASE(external_abort_on_walk, "D8.15.9, Synchronous external abort on a translation table walk: FSC 0b0101LL")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_new(&s1, shifts[i], 48);
        for (int level = s1.level; level <= 2; level++) {
            u64 *table = descriptor(&s1, VA, level);
            *table = NOWHERE | D_TABLE;
            if (shifts[i] == SHIFT_64K)
                *table = 0x0b010000ul | D_TABLE;
            tlbi_all();
            const struct exception *e = RUN(EL0T, load, 0, VA);
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_EXTERNAL_WALK(level + 1)));
            CHECK(e->far, VA);
            e = RUN(EL1H, VA);
            CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_IABT, FSC_EXTERNAL_WALK(level + 1)));
            *table = 0;
        }
    }
}

CASE(external_abort, "D8.15.9, Synchronous external abort; FAR_EL1 and FnV")
{
    struct tables s1;
    const struct exception *e;

    stage1_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, NOWHERE, 3, NORMAL | D_AF);
    e = RUN(EL1H, load, 0, VA + 0x10);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_EXTERNAL));
    CHECK(e->far, VA + 0x10);
    e = RUN(EL1H, store, 0, VA + 0x10);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_EXTERNAL));
    e = RUN(EL1H, VA + 0x10);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_IABT, FSC_EXTERNAL));
    CHECK(e->far, VA + 0x10);
}

CASE(stage1_off_external_abort, "D8.2.12 'Stage 1 address translation disabled'; D8.15.9")
{
    const struct exception *e = RUN(EL1H, load, 0, NOWHERE);

    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_EXTERNAL));
    CHECK(e->far, NOWHERE);
    e = RUN(EL0T, return_);
    CHECK_RETURNED(e);
    /* with the MMU off, addresses beyond the PA size: level 0 address size fault */
    e = RUN(EL1H, load, 0, 1ul << 52);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_ADDRESS_SIZE(0)));
    CHECK(e->far, 1ul << 52);
    e = RUN(EL1H, 1ul << 52);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_IABT, FSC_ADDRESS_SIZE(0)));
}
