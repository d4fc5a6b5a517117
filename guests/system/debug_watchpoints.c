/*
 * debug_watchpoints: watchpoints: bytes, masks, levels, loads, stores and atomics, maintenance, FAR and WnR.
 */
#include "common/debug.h"

CODE(load_byte, "ldrb w0, [x1]");
CODE(load_half, "ldrh w0, [x1]");
CODE(load_pair, "ldp x2, x3, [x1]");
CODE(load_user, "ldtr x0, [x1]");
CODE(store_pair, "stp x2, x3, [x1]");
CODE(store_user, "sttr x0, [x1]");
CODE(load_exclusive, "ldxr x0, [x1]");
CODE(store_exclusive, "ldxr x0, [x1]\n\tstxr w2, x0, [x1]");
CODE(atomic_add, ".inst 0xf8200020"); /* ldadd x0, x0, [x1] */
CODE(compare_and_swap, ".inst 0xc8a07c20"); /* cas x0, x0, [x1] */
CODE(zero_line, "dc zva, x1");
CODE(invalidate_line, "dc ivac, x1");
CODE(clean_line, "dc cvac, x1\n\tdc civac, x1\n\tdc cvau, x1\n\tic ivau, x1\n\tprfm pldl1keep, [x1]");
CODE(mask, "msr daifset, #8\n\tnop\n\tnop");

CASE(levels_of_watchpoints, "D2.10, table of HMC, SSC and PAC")
{
    debug_off();
    mdscr(MDSCR_MDE | MDSCR_KDE);
    mdcr(MDCR_TDE);
    for (unsigned i = 0; i < sizeof level_rows / sizeof *level_rows; i++) {
        at_row(level_rows[i].text);
        watchpoint(3, ARENA, ENABLE | level_rows[i].control | BOTH | BAS(0xff));
        for (int el = 0; el < 3; el++) {
            const struct exception *e = RUN(mode_of(el), load, 0, ARENA);
            if (level_rows[i].levels >> el & 1)
                CHECK_TAKEN(e, 2, vector_of(2, el), ESR(el == 2 ? EC_WATCHPOINT : EC_WATCHPOINT_LOWER, DEBUG_EVENT));
            else
                CHECK_RETURNED(e);
        }
    }
}

CASE(watchpoint_linked_to_context_id, "D2.10: DBGWCR.WT")
{
    debug_off();
    mdscr(MDSCR_MDE);
    sysreg_write(contextidr_el1, 3);
    breakpoint(5, (const void *)3, ENABLE | PMC(3) | BT(3));
    watchpoint(0, ARENA, ENABLE | PMC(3) | BOTH | BAS(0xff) | WT | LBN(5));
    CHECK_TAKEN(RUN(EL0T, load, 0, ARENA), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
    sysreg_write(contextidr_el1, 4);
    CHECK_RETURNED(RUN(EL0T, load, 0, ARENA));
}

CASE(watchpoint_bytes, "D2.10: an access hits if it touches a byte that BAS selects")
{
    static const struct { const char *code; u64 size; } accesses[] = {{load_byte, 1}, {load_half, 2}, {load, 8}};
    static const u64 selections[] = {0x01, 0x80, 0x18, 0x0f, 0xf0, 0xff};

    debug_off();
    mdscr(MDSCR_MDE);
    for (unsigned s = 0; s < sizeof selections / sizeof *selections; s++) {
        const u64 bas = selections[s];
        watchpoint(1, ARENA + 8, ENABLE | PMC(3) | LOAD | BAS(bas));
        for (int a = 0; a < 3; a++) {
            for (u64 offset = 0; offset < 24; offset += accesses[a].size) {
                const u64 touched = ((1ul << accesses[a].size) - 1) << offset, hit = touched & bas << 8;
                const struct exception *e = RUN(EL0T, accesses[a].code, 0, ARENA + offset);
                if (!hit) {
                    CHECK_RETURNED(e);
                    continue;
                }
                CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
                /* D2.10: from the lowest address of the access to the highest watched one of it */
                CHECK(e->far >= ARENA + offset, 1);
                CHECK(e->far <= ARENA + 63 - (unsigned)__builtin_clzl(hit), 1);
                CHECK(e->elr, accesses[a].code);
            }
        }
    }
}

CASE(watchpoint_at_a_word, "DBGWVR: with bit 2 set BAS[3:0] select (deprecated)")
{
    debug_off();
    mdscr(MDSCR_MDE);
    watchpoint(0, ARENA + 4, ENABLE | PMC(3) | LOAD | BAS(0x0f));
    CHECK_RETURNED(RUN(EL0T, load_half, 0, ARENA + 2));
    CHECK_TAKEN(RUN(EL0T, load_byte, 0, ARENA + 4), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
    CHECK_TAKEN(RUN(EL0T, load_byte, 0, ARENA + 7), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
    CHECK_RETURNED(RUN(EL0T, load_byte, 0, ARENA + 8));
}

CASE(watchpoint_masks, "DBGWCR.MASK: 2^MASK bytes")
{
    debug_off();
    mdscr(MDSCR_MDE);
    for (u64 mask = 3; mask < 24; mask++) {
        const u64 size = 1ul << mask, start = ARENA + (mask < 23 ? size : 0);
        watchpoint(0, start, ENABLE | PMC(3) | LOAD | BAS(0xff) | MASK(mask));
        CHECK_RETURNED(RUN(EL0T, load_byte, 0, start - 1));
        CHECK_TAKEN(RUN(EL0T, load_byte, 0, start), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
        CHECK_TAKEN(RUN(EL0T, load_byte, 0, start + size / 2), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
        CHECK_TAKEN(RUN(EL0T, load_byte, 0, start + size - 1), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
        if (mask < 23)
            CHECK_RETURNED(RUN(EL0T, load_byte, 0, start + size));
    }
}

CASE(loads_and_stores, "DBGWCR.LSC; ESR_ELx, ISS encoding for an exception from a Watchpoint: WnR")
{
    debug_off();
    mdscr(MDSCR_MDE);
    for (u64 lsc = 0; lsc < 4; lsc++) {
        watchpoint(2, ARENA, ENABLE | PMC(3) | LSC(lsc) | BAS(0xff));
        const struct exception *e = RUN(EL0T, load, 0, ARENA);
        if (lsc & 1)
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
        else
            CHECK_RETURNED(e);
        *(u64 *)ARENA = 1;
        e = RUN(EL0T, store, 2, ARENA);
        if (lsc & 2)
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, ISS_WNR | DEBUG_EVENT));
        else
            CHECK_RETURNED(e);
        CHECK(*(volatile u64 *)ARENA, lsc & 2 ? 1 : 2);
    }
}

CASE(load_and_store_pairs, "D2.10: any byte of the pair")
{
    debug_off();
    mdscr(MDSCR_MDE);
    watchpoint(0, ARENA + 8, ENABLE | PMC(3) | BOTH | BAS(0x80));
    const struct exception *e = RUN(EL0T, load_pair, 0, ARENA);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
    CHECK(e->far >= ARENA && e->far <= ARENA + 15, 1);
    CHECK_TAKEN(RUN(EL0T, store_pair, 0, ARENA), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, ISS_WNR | DEBUG_EVENT));
    CHECK_RETURNED(RUN(EL0T, store_pair, 0, ARENA + 16));
}

CASE(unprivileged_accesses, "D2.10: LDTR and STTR at EL1 match as accesses of EL0")
{
    debug_off();
    mdscr(MDSCR_MDE | MDSCR_KDE);
    watchpoint(0, ARENA, ENABLE | PMC(2) | BOTH | BAS(0xff));
    CHECK_RETURNED(RUN(EL1H, load, 0, ARENA));
    CHECK_TAKEN(RUN(EL1H, load_user, 0, ARENA), 1, CURRENT_SYNC, ESR(EC_WATCHPOINT, DEBUG_EVENT));
    CHECK_TAKEN(RUN(EL1H, store_user, 0, ARENA), 1, CURRENT_SYNC, ESR(EC_WATCHPOINT, ISS_WNR | DEBUG_EVENT));
    watchpoint(0, ARENA, ENABLE | PMC(1) | BOTH | BAS(0xff));
    CHECK_TAKEN(RUN(EL1H, load, 0, ARENA), 1, CURRENT_SYNC, ESR(EC_WATCHPOINT, DEBUG_EVENT));
    CHECK_RETURNED(RUN(EL1H, load_user, 0, ARENA));
}

CASE(exclusives, "D2.10: a Load-Exclusive is a load, a Store-Exclusive a store")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW);
    mdscr(MDSCR_MDE);
    watchpoint(0, ARENA, ENABLE | PMC(3) | STORE | BAS(0xff));
    CHECK_RETURNED(RUN(EL0T, load_exclusive, 0, ARENA));
    const struct exception *e = RUN(EL0T, store_exclusive, 0, ARENA);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, ISS_WNR | DEBUG_EVENT));
    CHECK(e->elr, store_exclusive + 4);
    watchpoint(0, ARENA, ENABLE | PMC(3) | LOAD | BAS(0xff));
    CHECK_TAKEN(RUN(EL0T, load_exclusive, 0, ARENA), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, DEBUG_EVENT));
}

CASE(atomics, "ESR_ELx, WnR: 0 if a read of the location would have generated the exception, 1 otherwise")
{
    NEED(LSE);
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW);
    mdscr(MDSCR_MDE);
    *(u64 *)ARENA = 5;
    for (u64 lsc = 1; lsc < 4; lsc++) {
        const u64 iss = (lsc == 2 ? ISS_WNR : 0) | DEBUG_EVENT;
        watchpoint(0, ARENA, ENABLE | PMC(3) | LSC(lsc) | BAS(0xff));
        CHECK_TAKEN(RUN(EL0T, atomic_add, 1, ARENA), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, iss));
        CHECK_TAKEN(RUN(EL0T, compare_and_swap, 1, ARENA), 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, iss));
    }
    CHECK(*(volatile u64 *)ARENA, 5);
}

CASE(dc_zva, "D2.10: DC ZVA is a store to its block, and no cache maintenance (CM = 0)")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW);
    sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | 1ul << 14); /* DZE */
    mdscr(MDSCR_MDE);
    watchpoint(0, ARENA + 0x68, ENABLE | PMC(3) | STORE | BAS(0x10));
    CHECK_RETURNED(RUN(EL0T, zero_line, 0, ARENA + 0x80));
    const struct exception *e = RUN(EL0T, zero_line, 0, ARENA + 0x44);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, ISS_WNR | DEBUG_EVENT));
    CHECK(e->far >= ARENA + 0x40 && e->far <= ARENA + 0x6c, 1);
    watchpoint(0, ARENA + 0x68, ENABLE | PMC(3) | LOAD | BAS(0x10));
    CHECK_RETURNED(RUN(EL0T, zero_line, 0, ARENA + 0x44));
}

CASE(dc_ivac, "D2.10: whether DC IVAC generates watchpoint exceptions is IMPLEMENTATION DEFINED; CM = 1, WnR = 1, FAR as given")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW & ~D_USER);
    mdscr(MDSCR_MDE | MDSCR_KDE);
    watchpoint(0, ARENA + 0x40, ENABLE | PMC(3) | STORE | BAS(0xff));
    const struct exception *e = RUN(EL1H, invalidate_line, 0, ARENA + 0x78);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_WATCHPOINT, ISS_CM | ISS_WNR | DEBUG_EVENT));
    CHECK(e->far, ARENA + 0x78);
    CHECK_RETURNED(RUN(EL1H, invalidate_line, 0, ARENA + 0x80));
}

CASE(no_watchpoint_by_other_maintenance, "D2.10: cleaning, instruction cache maintenance and prefetches generate none")
{
    struct tables s1;

    debug_off();
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW & ~D_USER);
    mdscr(MDSCR_MDE | MDSCR_KDE);
    watchpoint(0, ARENA, ENABLE | PMC(3) | BOTH | BAS(0xff));
    CHECK_RETURNED(RUN(EL1H, clean_line, 0, ARENA));
}

CASE(watchpoints_do_not_watch_elsewhere, "D2.10: a page of which a line is watched is memory as any other")
{
    debug_off();
    mdscr(MDSCR_MDE);
    watchpoint(0, ARENA + 0x100, ENABLE | PMC(3) | BOTH | BAS(0xff));
    for (u64 offset = 0; offset < 0x400; offset += 8) {
        const struct exception *e = RUN(EL0T, store, offset, ARENA + offset);
        if (offset == 0x100)
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WATCHPOINT_LOWER, ISS_WNR | DEBUG_EVENT));
        else if (CHECK_RETURNED(e))
            CHECK(*(volatile u64 *)(ARENA + offset), offset);
    }
}
