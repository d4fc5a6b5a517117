/*
 * el2_regime: stage 1 of EL2 itself (E2H = 0): faults, permissions, alignment; unprivileged accesses at EL2; the guest under E2H = 1.
 */
#include "common/system.h"

CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");
CODE(load_user, "ldtr x0, [x1]");
CODE(store_user, "sttr x0, [x1]");
CODE(nothing, "nop");

#define VA 0x80000000ul
#define IPA 0x800000000ul
#define LOAD_ISS (ISS_ISV | ISS_SAS(3) | ISS_SF | ISS_SRT(0))

static const unsigned shifts[] = {SHIFT_4K, SHIFT_16K, SHIFT_64K};
static const char *const shift_names[] = {"4K", "16K", "64K"};
#define EACH_GRANULE(i) for (int i = 0; i < 3; i++) if (have_granule(shifts[i]) && (at_row(shift_names[i]), fresh(), 1))

static void fresh(void)
{
    next.hcr = HCR_RW;
    next.sctlr_el2 = SCTLR_EL2_OFF;
    tlbi_all();
}

static void every_access_faults(u64 va, u64 fsc)
{
    const struct exception *e = RUN(EL2H, load, 0, va + 8);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_DABT, fsc));
    CHECK(e->far, va + 8);
    CHECK(e->elr, load);
    e = RUN(EL2H, store, 0, va + 8);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | fsc));
    CHECK(e->far, va + 8);
    e = RUN(EL2H, va + 8);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_IABT, fsc));
    CHECK(e->far, va + 8);
    CHECK(e->elr, va + 8);
    CHECK(sysreg_read(hpfar_el2), 0); /* of stage 2 alone */
}

CASE(translation_fault_at_each_level, "D8.15.9: Translation faults of the EL2 regime")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_el2_new(&s1, shifts[i], 48);
        const u64 va = 0x800000000000ul;
        for (int level = s1.level; level <= 3; level++) {
            descriptor(&s1, va, level);
            every_access_faults(va, FSC_TRANSLATION(level));
        }
        every_access_faults(0xffff000000000000ul, FSC_TRANSLATION(0)); /* one range only */
        every_access_faults(1ul << 48, FSC_TRANSLATION(0));
    }
}

CASE(access_flag_and_address_size, "D8.15.9: Access flag and Address size faults of the EL2 regime; TCR_EL2.PS")
{
    EACH_GRANULE(i) {
        struct tables s1;
        stage1_el2_new(&s1, shifts[i], 48);
        sysreg_write(tcr_el2, (sysreg_read(tcr_el2) & ~(7ul << 16)) | 2ul << 16); /* 40 bits */
        for (int level = shifts[i] == SHIFT_4K ? 1 : 2; level <= 3; level++) {
            const u64 va = 0x800000000000ul + ((u64)level << 42);
            map(&s1, va, 0, level, RAM_RW & ~D_AF);
            every_access_faults(va, FSC_ACCESS_FLAG(level));
            map(&s1, va + (1ul << 46), 1ul << 40, level, RAM_RW);
            every_access_faults(va + (1ul << 46), FSC_ADDRESS_SIZE(level));
        }
    }
}

CASE(permissions, "D8.4.1: EL2 regime: AP[2] and XN; AP[1] and PXN say nothing; no PAN")
{
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    for (u64 n = 0; n < 16; n++) {
        const u64 page = NORMAL | D_AF | D_INNER_SHAREABLE | (n & 1 ? D_USER : 0) | (n & 2 ? D_READ_ONLY : 0) | (n & 4 ? D_PXN : 0) | (n & 8 ? D_UXN : 0);
        static char name[] = "AP1 x RO x PXN x XN x";
        name[4] = '0' + (n & 1), name[9] = '0' + (n >> 1 & 1), name[15] = '0' + (n >> 2 & 1), name[20] = '0' + (n >> 3);
        at_row(name);
        *(u32 *)ARENA = INSN_RET;
        map(&s1, VA, ARENA, 3, page);
        tlbi_all();
        CHECK_RETURNED(RUN(EL2H | (have(FEAT_PAN) ? PSTATE_PAN : 0), load, 0, VA));
        const struct exception *e = RUN(EL2H, store, INSN_RET, VA);
        if (n & 2)
            CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
        else
            CHECK_RETURNED(e);
        e = RUN(EL2H, VA);
        if (n & 8)
            CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_IABT, FSC_PERMISSION(3)));
        else
            CHECK_RETURNED(e);
    }
}

CASE(write_implies_execute_never, "SCTLR_EL2.WXN")
{
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    next.sctlr_el2 |= SCTLR_WXN;
    *(u32 *)ARENA = INSN_RET;
    map(&s1, VA, ARENA, 3, RAM_RW);
    CHECK_TAKEN(RUN(EL2H, VA), 2, CURRENT_SYNC, ESR(EC_IABT, FSC_PERMISSION(3)));
    map(&s1, VA, ARENA, 3, RAM_RW | D_READ_ONLY);
    tlbi_all();
    CHECK_RETURNED(RUN(EL2H, VA));
}

CASE(unprivileged_at_el2, "C6.2 LDTR, STTR at EL2 with E2H = 0 or TGE = 0: as LDR, STR; with {1, 1}: EL0's permissions")
{
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW & ~D_USER);
    CHECK_RETURNED(RUN(EL2H, load_user, 0, VA));
    CHECK_RETURNED(RUN(EL2H, store_user, 0, VA));
    if (!have(FEAT_VHE))
        return;
    next.hcr = HCR_RW | HCR_E2H;
    next.sctlr_el2 = SCTLR_EL1_CLEAN;
    const u64 tcr = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1ul << 23 | pa_range() << 32;
    CHECK_RETURNED(RUN(EL2H, EMIT(INSN_MSR(SYSREG(3, 4, 2, 0, 2), 1)), 0, tcr));
    next.sctlr_el2 = SCTLR_EL1_CLEAN | SCTLR_M | SCTLR_C | SCTLR_I;
    tlbi_all();
    CHECK_RETURNED(RUN(EL2H, load_user, 0, VA));
    CHECK_RETURNED(RUN(EL2H, store_user, 0, VA));
    next.hcr = HCR_RW | HCR_E2H | HCR_TGE;
    CHECK_TAKEN(RUN(EL2H, load_user, 0, VA), 2, CURRENT_SYNC, ESR(EC_DABT, FSC_PERMISSION(3)));
    CHECK_TAKEN(RUN(EL2H, store_user, 0, VA), 2, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
    if (have(FEAT_UAO))
        CHECK_RETURNED(RUN(EL2H | PSTATE_UAO, load_user, 0, VA));
}

CASE(external_aborts, "D8.15.9: external aborts of EL2's accesses and of its walks, taken to EL2")
{
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, NOWHERE, 3, RAM_RW);
    every_access_faults(VA, FSC_EXTERNAL);
    *descriptor(&s1, VA + 0x40000000, 1) = NOWHERE | D_TABLE;
    every_access_faults(VA + 0x40000000, FSC_EXTERNAL_WALK(2));
}

CASE(tagged, "TCR_EL2.TBI (E2H = 0)")
{
    struct tables s1;
    const u64 tag = 0xa5ul << 56;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW);
    CHECK_TAKEN(RUN(EL2H, load, 0, VA | tag), 2, CURRENT_SYNC, ESR(EC_DABT, FSC_TRANSLATION(0)));
    sysreg_write(tcr_el2, sysreg_read(tcr_el2) | 1 << 20);
    CHECK_RETURNED(RUN(EL2H, load, 0, VA | tag));
    CHECK_RETURNED(RUN(EL2H, (u64)nothing | tag));
}

CASE(flags_by_hardware, "FEAT_HAFDBS: TCR_EL2.HA, HD (bits 21, 22; E2H = 0)")
{
    NEED(HAFDBS);
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    sysreg_write(tcr_el2, sysreg_read(tcr_el2) | 3 << 21);
    map(&s1, VA, ARENA, 3, (RAM_RW & ~D_AF) | D_READ_ONLY | D_DBM);
    CHECK_RETURNED(RUN(EL2H, load, 0, VA));
    CHECK_MASKED(*descriptor(&s1, VA, 3), D_AF | D_READ_ONLY, D_AF | D_READ_ONLY);
    CHECK_RETURNED(RUN(EL2H, store, 0, VA));
    CHECK_MASKED(*descriptor(&s1, VA, 3), D_AF | D_READ_ONLY, D_AF);
}

CASE(hierarchical_permissions, "D8.4.2: EL2 regime: APTable[1], XNTable; TCR_EL2.HPD ignores them")
{
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    *(u32 *)ARENA = INSN_RET;
    map(&s1, VA, ARENA, 3, RAM_RW);
    *descriptor(&s1, VA, 2) |= 1ul << 62 | 1ul << 60; /* APTable[1], XNTable */
    CHECK_TAKEN(RUN(EL2H, store, INSN_RET, VA), 2, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
    CHECK_TAKEN(RUN(EL2H, VA), 2, CURRENT_SYNC, ESR(EC_IABT, FSC_PERMISSION(3)));
    *descriptor(&s1, VA, 2) ^= 1ul << 62 | 1ul << 60 | 1ul << 59 | 1ul << 61; /* PXNTable, APTable[0]: nothing */
    tlbi_all();
    CHECK_RETURNED(RUN(EL2H, store, INSN_RET, VA));
    CHECK_RETURNED(RUN(EL2H, VA));
    if (!have(FEAT_HPDS))
        return;
    *descriptor(&s1, VA, 2) |= 1ul << 62 | 1ul << 60;
    sysreg_write(tcr_el2, sysreg_read(tcr_el2) | 1 << 24);
    tlbi_all();
    CHECK_RETURNED(RUN(EL2H, store, INSN_RET, VA));
    CHECK_RETURNED(RUN(EL2H, VA));
}

CASE(guest_under_e2h, "HCR_EL2.{E2H, TGE} = {1, 0}: EL1 and EL0 are EL1&0 with stage 2; exceptions go where they went")
{
    NEED(VHE);
    struct tables s1, s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, IPA, 3, RAM_RW);
    next.hcr |= HCR_E2H;
    next.sctlr_el2 = SCTLR_EL1_CLEAN;
    static const u64 modes[] = {EL1H, EL0T};
    for (int i = 0; i < 2; i++) {
        const struct exception *e = RUN(modes[i], load, 0, VA + 8);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | FSC_TRANSLATION(1)));
        CHECK(e->far, VA + 8);
        CHECK(e->hpfar, IPA >> 12 << 4);
        e = RUN(modes[i], load, 0, VA + 0x1008);
        CHECK_TAKEN(e, 1, i ? LOWER_SYNC : CURRENT_SYNC, ESR(i ? EC_DABT_LOWER : EC_DABT, FSC_TRANSLATION(3)));
    }
    map(&s2, IPA, ARENA, 3, S2_RAM);
    *(u64 *)ARENA = 0x99;
    CHECK(RUN(EL0T, load, 0, VA)->x[0], 0x99);
}

/* ---- what is invalidated and what survives (D8.13.5): the model keeps what it has walked until a TLBI that covers it */

CODE(tlbi_e2h_alle2, "tlbi alle2is\n\tdsb ish\n\tisb");

CASE(alle2_by_e2h, "TLBI ALLE2IS is about EL2 with E2H = 0, EL2&0 with E2H = 1: the covered one is gone")
{
    NEED(VHE);
    struct tables s1;
    stage1_el2_new(&s1, SHIFT_4K, 39);
    map(&s1, VA, ARENA, 3, RAM_RW);
    *(u64 *)ARENA = 1, *(u64 *)(ARENA + 0x1000) = 2;
    CHECK(RUN(EL2H, load, 0, VA)->x[0], 1);
    map(&s1, VA, ARENA + 0x1000, 3, RAM_RW);
    CHECK_RETURNED(RUN(EL2H, tlbi_e2h_alle2));
    CHECK(RUN(EL2H, load, 0, VA)->x[0], 2);
}
