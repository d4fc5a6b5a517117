/*
 * translation: what features add to it: PAN, UAO, E0PD, tagged addresses, small tables, hardware management of flags, forced
 * write-back, ASID and VMID, the contiguous bit.
 */
#include "common/system.h"

CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");
CODE(load_user, "ldtr x0, [x1]");
CODE(store_user, "sttr x0, [x1]");
CODE(at_s12e1r, "at s12e1r, x0\n\tisb\n\tmrs x0, par_el1");
CODE(branch, "br x0");
CODE(svc, "svc #3");

#define VA 0x80000000ul
#define IPA 0x800000000ul
#define LOAD_ISS (ISS_ISV | ISS_SAS(3) | ISS_SF | ISS_SRT(0))
#define TCR_HA (1ul << 39)
#define TCR_HD (1ul << 40)

static void tcr_set(u64 bits) { sysreg_write(tcr_el1, sysreg_read(tcr_el1) | bits); }
static void remap(struct tables *t, u64 input, u64 output, u64 attributes)
{
    map(t, input, output, 3, attributes);
    tlbi_all();
}

CASE(pan, "FEAT_PAN: PSTATE.PAN = 1: EL1's data accesses to what EL0 may access are Permission faults; LDTR, STTR and fetches are not")
{
    NEED(PAN);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW);
    map(&s1, VA + 0x1000, ARENA, 3, RAM_RW & ~D_USER);
    map(&s1, VA + 0x2000, ARENA, 3, RAM_RW | D_READ_ONLY);
    CHECK_TAKEN(RUN(EL1H | PSTATE_PAN, load, 0, VA), 1, CURRENT_SYNC, ESR(EC_DABT, FSC_PERMISSION(3)));
    CHECK_TAKEN(RUN(EL1H | PSTATE_PAN, store, 0, VA), 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
    CHECK_TAKEN(RUN(EL1H | PSTATE_PAN, load, 0, VA + 0x2000), 1, CURRENT_SYNC, ESR(EC_DABT, FSC_PERMISSION(3)));
    CHECK_RETURNED(RUN(EL1H | PSTATE_PAN, load, 0, VA + 0x1000));
    CHECK_RETURNED(RUN(EL1H | PSTATE_PAN, load_user, 0, VA));
    CHECK_RETURNED(RUN(EL1H | PSTATE_PAN, store_user, 0, VA));
    CHECK_RETURNED(RUN(EL1H, load, 0, VA));
    CHECK_RETURNED(RUN(EL0T | PSTATE_PAN, load, 0, VA));
    *(u32 *)ARENA = INSN_RET;
    CHECK_RETURNED(RUN(EL1H | PSTATE_PAN, VA + 0x2000)); /* read-only for EL0, executed at EL1 */
}

CASE(epan, "FEAT_PAN3, SCTLR_EL1.EPAN: what EL0 may only execute counts too")
{
    NEED(PAN3);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, NORMAL | D_AF | D_INNER_SHAREABLE | D_READ_ONLY | D_PXN);         /* EL0: execute only */
    map(&s1, VA + 0x1000, ARENA, 3, NORMAL | D_AF | D_INNER_SHAREABLE | D_READ_ONLY | D_UXN); /* EL0: nothing */
    CHECK_RETURNED(RUN(EL1H | PSTATE_PAN, load, 0, VA));
    sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | 1ul << 57);
    tlbi_all();
    CHECK_TAKEN(RUN(EL1H | PSTATE_PAN, load, 0, VA), 1, CURRENT_SYNC, ESR(EC_DABT, FSC_PERMISSION(3)));
    CHECK_RETURNED(RUN(EL1H | PSTATE_PAN, load, 0, VA + 0x1000));
    CHECK_RETURNED(RUN(EL1H, load, 0, VA));
}

CASE(unprivileged, "C6.2, LDTR and STTR at EL1 use EL0's permissions; the fault is EL1's own")
{
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW & ~D_USER);
    map(&s1, VA + 0x1000, ARENA, 3, RAM_RW | D_READ_ONLY);
    CHECK_TAKEN(RUN(EL1H, load_user, 0, VA), 1, CURRENT_SYNC, ESR(EC_DABT, FSC_PERMISSION(3)));
    CHECK_TAKEN(RUN(EL1H, store_user, 0, VA), 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
    CHECK_RETURNED(RUN(EL1H, load_user, 0, VA + 0x1000));
    CHECK_TAKEN(RUN(EL1H, store_user, 0, VA + 0x1000), 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
}

CASE(uao, "FEAT_UAO: PSTATE.UAO = 1: LDTR and STTR at EL1 use EL1's permissions")
{
    NEED(UAO);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW & ~D_USER);
    map(&s1, VA + 0x1000, ARENA, 3, RAM_RW);
    CHECK_RETURNED(RUN(EL1H | PSTATE_UAO, load_user, 0, VA));
    CHECK_RETURNED(RUN(EL1H | PSTATE_UAO, store_user, 0, VA));
    /* and then PAN holds for them */
    CHECK_TAKEN(RUN(EL1H | PSTATE_UAO | PSTATE_PAN, load_user, 0, VA + 0x1000), 1, CURRENT_SYNC, ESR(EC_DABT, FSC_PERMISSION(3)));
}

CASE(e0pd, "FEAT_E0PD: TCR_EL1.E0PD0, E0PD1: EL0's accesses to that half are level 0 Translation faults; EL1's are not")
{
    NEED(E0PD);
    struct tables s1, high;
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW);
    tables_new(&high, 1, SHIFT_4K, 39, 0);
    map(&high, VA, ARENA, 3, RAM_RW);
    sysreg_write(ttbr1_el1, high.root);
    sysreg_write(tcr_el1, (sysreg_read(tcr_el1) & ~(1ul << 23)) | 25ul << 16 | 2ul << 30);
    const u64 tcr = sysreg_read(tcr_el1), high_va = 0xffffff8000000000ul + VA;
    tlbi_all();
    CHECK_RETURNED(RUN(EL0T, load, 0, high_va));
    sysreg_write(tcr_el1, tcr | 1ul << 56);
    tlbi_all();
    const struct exception *e = RUN(EL0T, load, 0, high_va);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_TRANSLATION(0)));
    CHECK(e->far, high_va);
    CHECK_RETURNED(RUN(EL1H, load, 0, high_va));
    CHECK_RETURNED(RUN(EL0T, load, 0, VA));
    CHECK_TAKEN(RUN(EL0T, high_va), 1, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_TRANSLATION(0)));
    sysreg_write(tcr_el1, tcr | 1ul << 55);
    tlbi_all();
    CHECK_TAKEN(RUN(EL0T, load, 0, VA), 1, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_TRANSLATION(0))); /* its own text */
    CHECK_RETURNED(RUN(EL1H, load, 0, VA));
    CHECK_RETURNED(RUN(EL1H, load, 0, high_va));
}

CASE(tagged_addresses, "D8.8 'Address tagging', TCR_EL1.TBI0: bits 63:56 of a data address are ignored, of a branch dropped")
{
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW);
    *(u64 *)ARENA = 0x5151;
    const u64 tag = 0x5aul << 56;
    CHECK_TAKEN(RUN(EL0T, load, 0, VA | tag), 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_TRANSLATION(0)));
    tcr_set(1ul << 37);
    tlbi_all();
    const struct exception *e = RUN(EL0T, load, 0, VA | tag);
    CHECK_RETURNED(e);
    CHECK(e->x[0], 0x5151);
    e = RUN(EL1H, load, 0, VA | tag);
    CHECK_RETURNED(e);
    e = RUN(EL0T, branch, (u64)svc | tag);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_SVC, 3));
    CHECK(e->elr, svc + 4);
    e = RUN(EL1H, (u64)svc | tag); /* ERET */
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_SVC, 3));
    CHECK(e->elr, svc + 4);
    e = RUN(EL0T, load, 0, (VA + 0x1000) | tag);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_TRANSLATION(3)));
    CHECK_MASKED(e->far, ~(0xfful << 56), VA + 0x1000);
}

CASE(small_tables, "FEAT_TTST: TCR_EL1.T1SZ up to 48 (47 with 64 KiB): VA ranges down to 16 bits, tables from level 3")
{
    NEED(TTST);
    static const struct {
        unsigned shift, bits, tg1;
        int level;
    } rows[] = {{SHIFT_4K, 16, 2, 3}, {SHIFT_4K, 21, 2, 3}, {SHIFT_4K, 22, 2, 2}, {SHIFT_16K, 16, 1, 3}, {SHIFT_64K, 17, 3, 3}, {SHIFT_16K, 25, 1, 3}};
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    const u64 tcr = sysreg_read(tcr_el1) & ~(1ul << 23);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tables high;
        static const char *const names[] = {"4K 16", "4K 21", "4K 22", "16K 16", "64K 17", "16K 25"};
        if (!have_granule(rows[i].shift))
            continue;
        at_row(names[i]);
        tables_new(&high, 1, rows[i].shift, rows[i].bits, 0);
        CHECK(high.level, rows[i].level);
        sysreg_write(tcr_el1, tcr | (64ul - rows[i].bits) << 16 | (u64)rows[i].tg1 << 30);
        sysreg_write(ttbr1_el1, high.root);
        const u64 va = 0 - (1ul << rows[i].bits), last = (1ul << rows[i].bits) - (1ul << rows[i].shift);
        map(&high, 0, ARENA, 3, RAM_RW);
        tlbi_all();
        *(u64 *)ARENA = 0x6000 + i;
        const struct exception *e = RUN(EL1H, load, 0, va);
        CHECK_RETURNED(e);
        CHECK(e->x[0], 0x6000 + i);
        CHECK_TAKEN(RUN(EL1H, load, 0, va + last), 1, CURRENT_SYNC, ESR(EC_DABT, FSC_TRANSLATION(rows[i].level)));
        CHECK_TAKEN(RUN(EL1H, load, 0, va - 8), 1, CURRENT_SYNC, ESR(EC_DABT, FSC_TRANSLATION(0)));
    }
}

/* ---- FEAT_HAFDBS */

CASE(access_flag_by_hardware, "FEAT_HAFDBS, TCR_EL1.HA: AF = 0 is no fault: hardware sets it; nothing else of the descriptor changes")
{
    NEED(HAFDBS_AF);
    static const unsigned shifts[] = {SHIFT_4K, SHIFT_16K, SHIFT_64K};
    for (int i = 0; i < 3; i++) {
        struct tables s1;
        if (!have_granule(shifts[i]))
            continue;
        stage1_new(&s1, shifts[i], 39);
        tcr_set(TCR_HA);
        remap(&s1, VA, ARENA, RAM_RW & ~D_AF);
        u64 *entry = descriptor(&s1, VA, 3);
        const u64 before = *entry;
        CHECK_RETURNED(RUN(EL0T, load, 0, VA));
        CHECK(*entry, before | D_AF);
        remap(&s1, VA, ARENA, (RAM_RW & ~D_AF) | D_READ_ONLY | D_DBM); /* DBM alone does nothing without HD */
        CHECK_TAKEN(RUN(EL0T, store, 0, VA), 1, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_WNR | FSC_PERMISSION(3)));
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
    }
    /* a block */
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    tcr_set(TCR_HA);
    map(&s1, 0xc0000000, ARENA, 2, RAM_RW & ~D_AF);
    tlbi_all();
    CHECK_RETURNED(RUN(EL1H, load, 0, 0xc0000000));
    CHECK_MASKED(*descriptor(&s1, 0xc0000000, 2), D_AF, D_AF);
    /* a fetch sets it too */
    *(u32 *)ARENA = INSN_RET;
    remap(&s1, VA, ARENA, (RAM_RW & ~D_AF) | D_READ_ONLY);
    CHECK_RETURNED(RUN(EL0T, VA));
    CHECK_MASKED(*descriptor(&s1, VA, 3), D_AF, D_AF);
}

CASE(dirty_state_by_hardware, "FEAT_HAFDBS, TCR_EL1.HD: DBM = 1: a write clears AP[2]; a read does not; without DBM it is a Permission fault")
{
    NEED(HAFDBS);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    tcr_set(TCR_HA | TCR_HD);
    u64 *entry = descriptor(&s1, VA, 3);
    remap(&s1, VA, ARENA, RAM_RW | D_READ_ONLY | D_DBM);
    const u64 before = *entry;
    CHECK_RETURNED(RUN(EL0T, load, 0, VA));
    CHECK(*entry, before);
    CHECK_RETURNED(RUN(EL0T, store, 0x77, VA));
    CHECK(*entry, before & ~D_READ_ONLY);
    CHECK(*(u64 *)ARENA, 0x77);
    remap(&s1, VA, ARENA, RAM_RW | D_READ_ONLY);
    CHECK_TAKEN(RUN(EL0T, store, 0, VA), 1, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_WNR | FSC_PERMISSION(3)));
    /* EL0 may not, whatever DBM */
    remap(&s1, VA, ARENA, (RAM_RW & ~D_USER) | D_READ_ONLY | D_DBM);
    CHECK_TAKEN(RUN(EL0T, store, 0, VA), 1, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_WNR | FSC_PERMISSION(3)));
    CHECK_MASKED(*entry, D_READ_ONLY, D_READ_ONLY);
    CHECK_RETURNED(RUN(EL1H, store, 0, VA));
    CHECK_MASKED(*entry, D_READ_ONLY, 0);
    /* both at once */
    remap(&s1, VA, ARENA, (RAM_RW & ~D_AF) | D_READ_ONLY | D_DBM);
    CHECK_RETURNED(RUN(EL0T, store, 0, VA));
    CHECK_MASKED(*entry, D_AF | D_READ_ONLY, D_AF);
}

CASE(stage2_flags_by_hardware, "FEAT_HAFDBS, VTCR_EL2.HA, HD: AF, and S2AP[1] where DBM = 1")
{
    NEED(HAFDBS);
    struct tables s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    u64 *entry = descriptor(&s2, IPA, 3);
    const u64 vtcr = sysreg_read(vtcr_el2);
    sysreg_write(vtcr_el2, vtcr | 1ul << 21);
    remap(&s2, IPA, ARENA, S2_RAM & ~D_AF);
    u64 before = *entry;
    CHECK_RETURNED(RUN(EL0T, load, 0, IPA));
    CHECK(*entry, before | D_AF);
    remap(&s2, IPA, ARENA, (S2_RAM & ~S2_W) | D_DBM);
    CHECK_TAKEN(RUN(EL0T, store, 0, IPA), 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | ISS_WNR | FSC_PERMISSION(3)));
    sysreg_write(vtcr_el2, vtcr | 3ul << 21);
    tlbi_all();
    before = *entry;
    CHECK_RETURNED(RUN(EL0T, load, 0, IPA));
    CHECK(*entry, before);
    CHECK_RETURNED(RUN(EL0T, store, 0, IPA));
    CHECK(*entry, before | S2_W);
    remap(&s2, IPA, ARENA, S2_RAM & ~S2_W);
    CHECK_TAKEN(RUN(EL0T, store, 0, IPA), 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | ISS_WNR | FSC_PERMISSION(3)));
}

CASE(stage1_update_in_stage2, "D8.5: a stage 1 hardware update needs stage 2 to permit writes of the table: S1PTW, WnR of the instruction; with stage 2 HD it becomes dirty")
{
    NEED(HAFDBS);
    struct tables s1, s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 39);
    tcr_set(TCR_HA);
    map(&s1, VA, ARENA, 3, RAM_RW & ~D_AF);
    map(&s2, ARENA, ARENA, 3, S2_RAM);
    u64 *entry = descriptor(&s1, VA, 3);
    const u64 table = (u64)entry & ~0xffful;
    remap(&s2, table, table, S2_RAM & ~S2_W);
    const struct exception *e = RUN(EL0T, load, 0, VA);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_S1PTW | FSC_PERMISSION(3)));
    CHECK(e->far, VA);
    CHECK(e->hpfar, table >> 12 << 4);
    CHECK_MASKED(*entry, D_AF, 0);
    remap(&s2, table, table, (S2_RAM & ~S2_W) | D_DBM);
    sysreg_write(vtcr_el2, sysreg_read(vtcr_el2) | 3ul << 21);
    tlbi_all();
    CHECK_RETURNED(RUN(EL0T, load, 0, VA));
    CHECK_MASKED(*entry, D_AF, D_AF);
    CHECK_MASKED(*descriptor(&s2, table, 3), S2_W, S2_W);
}

/* ---- memory attributes of both stages */

static u64 combined(struct tables *s1, struct tables *s2, u64 attr1, u64 attr2)
{
    map(s1, VA, IPA, 3, attr1 | D_AF | D_USER | D_INNER_SHAREABLE);
    remap(s2, IPA, ARENA, attr2 << 2 | S2_R | S2_W | D_AF | D_INNER_SHAREABLE);
    const struct exception *e = RUN(EL2H, at_s12e1r, VA);
    CHECK_RETURNED(e);
    return e->x[0] >> 56;
}

CASE(forced_write_back, "FEAT_S2FWB, HCR_EL2.FWB: MemAttr 0b0110 Normal write-back whatever stage 1; 0b0101 non-cacheable; 0b0111 stage 1's; 0b00xx Device")
{
    NEED(S2FWB);
    struct tables s1, s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 39);
    /* without it: the weaker of both */
    CHECK(combined(&s1, &s2, NORMAL, 15), 0xff);
    CHECK(combined(&s1, &s2, NON_CACHEABLE, 15), 0x44);
    CHECK(combined(&s1, &s2, DEVICE, 15), 0x04);
    CHECK(combined(&s1, &s2, NORMAL, 5), 0x44);
    CHECK(combined(&s1, &s2, NORMAL, 0), 0x00);
    next.hcr |= 1ul << 46;
    CHECK(combined(&s1, &s2, NORMAL, 6), 0xff);
    CHECK(combined(&s1, &s2, NON_CACHEABLE, 6), 0xff);
    CHECK(combined(&s1, &s2, DEVICE, 6), 0xff);
    CHECK(combined(&s1, &s2, NORMAL, 5), 0x44);
    CHECK(combined(&s1, &s2, DEVICE, 5), 0x04);
    CHECK(combined(&s1, &s2, NORMAL, 7), 0xff);
    CHECK(combined(&s1, &s2, NON_CACHEABLE, 7), 0x44);
    CHECK(combined(&s1, &s2, DEVICE, 7), 0x04);
    CHECK(combined(&s1, &s2, NORMAL, 1), 0x04);
}

/* ---- ASID, VMID, global pages */

CASE(asid, "D8.13 'TLBs': entries of nG pages are of an ASID, others of all; TTBR0_EL1.ASID, TCR_EL1.A1, AS")
{
    struct tables one, two;
    stage1_new(&two, SHIFT_4K, 39);
    map(&two, VA, ARENA + 0x1000, 3, RAM_RW | D_NG);
    stage1_new(&one, SHIFT_4K, 39);
    map(&one, VA, ARENA, 3, RAM_RW | D_NG);
    *(u64 *)ARENA = 1, *(u64 *)(ARENA + 0x1000) = 2;
    sysreg_write(ttbr0_el1, one.root | 1ul << 48);
    tlbi_all();
    CHECK(RUN(EL0T, load, 0, VA)->x[0], 1);
    sysreg_write(ttbr0_el1, two.root | 2ul << 48);
    CHECK(RUN(EL0T, load, 0, VA)->x[0], 2);
    sysreg_write(ttbr0_el1, one.root | 1ul << 48);
    CHECK(RUN(EL0T, load, 0, VA)->x[0], 1);
    /* A1: TTBR1's ASID counts */
    tcr_set(1ul << 22);
    sysreg_write(ttbr1_el1, 2ul << 48);
    sysreg_write(ttbr0_el1, two.root | 1ul << 48);
    CHECK(RUN(EL0T, load, 0, VA)->x[0], 2);
}

CASE(vmid, "D8.13: entries of EL1&0 are of a VMID; VTTBR_EL2.VMID")
{
    struct tables one, two;
    stage2_new(&one, SHIFT_4K, 36, 1);
    map(&one, IPA, ARENA, 3, S2_RAM);
    stage2_new(&two, SHIFT_4K, 36, 1);
    map(&two, IPA, ARENA + 0x1000, 3, S2_RAM);
    *(u64 *)ARENA = 1, *(u64 *)(ARENA + 0x1000) = 2;
    sysreg_write(vttbr_el2, one.root | 1ul << 48);
    CHECK(RUN(EL0T, load, 0, IPA)->x[0], 1);
    sysreg_write(vttbr_el2, two.root | 2ul << 48);
    CHECK(RUN(EL0T, load, 0, IPA)->x[0], 2);
    sysreg_write(vttbr_el2, one.root | 1ul << 48);
    CHECK(RUN(EL0T, load, 0, IPA)->x[0], 1);
    if (have(FEAT_VMID16)) {
        sysreg_write(vtcr_el2, sysreg_read(vtcr_el2) | 1ul << 19);
        sysreg_write(vttbr_el2, two.root | 0x101ul << 48);
        CHECK(RUN(EL0T, load, 0, IPA)->x[0], 2);
    }
}

CASE(common_not_private, "FEAT_TTCNP: TTBR0_EL1.CnP and VTTBR_EL2.CnP are no part of the address")
{
    NEED(TTCNP);
    struct tables s1, s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, IPA, 3, RAM_RW);
    map(&s2, IPA, ARENA, 3, S2_RAM);
    sysreg_write(ttbr0_el1, s1.root | 1);
    sysreg_write(vttbr_el2, sysreg_read(vttbr_el2) | 1);
    *(u64 *)ARENA = 9;
    const struct exception *e = RUN(EL0T, load, 0, VA);
    CHECK_RETURNED(e);
    CHECK(e->x[0], 9);
    CHECK_MASKED(sysreg_read(ttbr0_el1), 1, 1);
}

CASE(contiguous, "D8.7: the contiguous bit: 16 pages (4 KiB), 128 (16 KiB), 32 (64 KiB) map as without it")
{
    static const unsigned shifts[] = {SHIFT_4K, SHIFT_16K, SHIFT_64K}, pages[] = {16, 128, 32};
    for (int i = 0; i < 3; i++) {
        struct tables s1;
        if (!have_granule(shifts[i]))
            continue;
        stage1_new(&s1, shifts[i], 39);
        for (u64 n = 0; n < pages[i]; n++) {
            map(&s1, VA + (n << shifts[i]), ARENA + (n << shifts[i]), 3, RAM_RW | D_CONTIGUOUS);
            *(u64 *)(ARENA + (n << shifts[i])) = n;
        }
        tlbi_all();
        for (u64 n = 0; n < pages[i]; n += 5)
            CHECK(RUN(EL0T, load, 0, VA + (n << shifts[i]))->x[0], n);
        CHECK_TAKEN(RUN(EL0T, load, 0, VA + ((u64)pages[i] << shifts[i])), 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_TRANSLATION(3)));
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
    }
}
