/*
 * nested_tables: the stage 1 table format of HCR_EL2.{NV, NV1} = {1, 1}, and what else EL1 has not then: PAN, unprivileged accesses.
 */
#include "common/nested.h"

/* A page of code: MOV X0, #7; RET. */
static void put_code(u64 at)
{
    ((volatile u32 *)at)[0] = 0xd28000e0;
    ((volatile u32 *)at)[1] = INSN_RET;
    asm volatile("dc cvau, %0\n\tdsb ish\n\tic iallu\n\tdsb ish\n\tisb" : : "r"(at) : "memory");
}

/* The page at VA with `attributes`; the same case with HCR_EL2.NV1 = 0 and 1 by `hcr`. */
static void page(struct tables *s1, u64 attributes, u64 hcr)
{
    next.hcr = HCR_RW | hcr;
    map(s1, VA, ARENA, 3, attributes);
    tlbi_all();
}

static void executes(const struct exception *e)
{
    CHECK_RETURNED(e);
    CHECK(e->x[0], 7);
}

static void cannot_execute(const struct exception *e, u64 vector, u64 ec)
{
    CHECK_TAKEN(e, 1, vector, ESR(ec, FSC_PERMISSION(3)));
    CHECK(e->far, VA);
    CHECK(e->elr, VA);
}

static const u64 formats[] = {0, HCR_NV, HCR_NV | HCR_NV1, HCR_NV | HCR_NV1 | HCR_NV2};
#define NV1_FORMAT(hcr) (((hcr) & (HCR_NV | HCR_NV1)) == (HCR_NV | HCR_NV1))

CASE(nv1_format_has_pxn_in_bit_54, "HCR_EL2.NV1: descriptor bit 54 is PXN, bit 53 is RES0; AArch64.S1ApplyOutputPerms()")
{
    NEED(NV2);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    put_code(ARENA);
    for (u64 f = 0; f < COUNT(formats); f++) {
        const int nv1 = NV1_FORMAT(formats[f]);
        at_row("bit 54");
        page(&s1, KERNEL_RW | D_UXN, formats[f]);
        if (nv1)
            cannot_execute(RUN(EL1H, VA), CURRENT_SYNC, EC_IABT);
        else
            executes(RUN(EL1H, VA));
        at_row("bit 53");
        page(&s1, KERNEL_RW | D_PXN, formats[f]);
        if (nv1)
            executes(RUN(EL1H, VA));
        else
            cannot_execute(RUN(EL1H, VA), CURRENT_SYNC, EC_IABT);
    }
}

CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");
CODE(load_unprivileged, "ldtr x0, [x1]");
CODE(store_unprivileged, "sttr x0, [x1]");

CASE(nv1_format_has_no_el0, "HCR_EL2.NV1: AP[1] is treated as 0, and nothing is UXN")
{
    NEED(NV2);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    put_code(ARENA);
    for (u64 f = 0; f < COUNT(formats); f++) {
        const int nv1 = NV1_FORMAT(formats[f]);
        const struct exception *e;
        at_row("what EL0 writes EL1 does not execute, but with NV1");
        page(&s1, KERNEL_RW | D_USER, formats[f]);
        if (nv1)
            executes(RUN(EL1H, VA));
        else
            cannot_execute(RUN(EL1H, VA), CURRENT_SYNC, EC_IABT);
        at_row("data of EL0");
        e = RUN(EL0T, load, 0, VA);
        if (nv1)
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_PERMISSION(3)));
        else
            CHECK_RETURNED(e);
        at_row("code of EL0");
        page(&s1, KERNEL_RW | D_UXN, formats[f]);
        if (nv1)
            executes(RUN(EL0T, VA));
        else
            cannot_execute(RUN(EL0T, VA), LOWER_SYNC, EC_IABT_LOWER);
    }
}

#define TABLE_RO (1ul << 62)
#define TABLE_NO_USER (1ul << 61)
#define TABLE_UXN (1ul << 60)
#define TABLE_PXN (1ul << 59)

CASE(nv1_format_of_table_descriptors, "HCR_EL2.NV1: bit 60 is PXNTable, bit 59 is RES0, APTable[0] is treated as 0; AArch64.S1ApplyTablePerms()")
{
    NEED(NV2);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    put_code(ARENA);
    map(&s1, VA, ARENA, 3, KERNEL_RW);
    u64 *table = descriptor(&s1, VA, 2);
    const u64 plain = *table;
    for (u64 f = 0; f < COUNT(formats); f++) {
        const int nv1 = NV1_FORMAT(formats[f]);
        at_row("bit 60");
        *table = plain | TABLE_UXN;
        page(&s1, KERNEL_RW, formats[f]);
        if (nv1)
            cannot_execute(RUN(EL1H, VA), CURRENT_SYNC, EC_IABT);
        else
            executes(RUN(EL1H, VA));
        at_row("bit 59");
        *table = plain | TABLE_PXN;
        page(&s1, KERNEL_RW, formats[f]);
        if (nv1)
            executes(RUN(EL1H, VA));
        else
            cannot_execute(RUN(EL1H, VA), CURRENT_SYNC, EC_IABT);
        at_row("bit 61");
        *table = plain | TABLE_NO_USER;
        page(&s1, KERNEL_RW, formats[f]);
        CHECK_RETURNED(RUN(EL1H, store, 1, VA + 8));
        at_row("bit 62");
        *table = plain | TABLE_RO;
        page(&s1, KERNEL_RW, formats[f]);
        const struct exception *e = RUN(EL1H, store, 0, VA + 8);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
    }
}

CASE(nv1_has_no_pan, "HCR_EL2.NV1: PSTATE.PAN is treated as 0 but for reading it")
{
    NEED(NV2);
    NEED(PAN);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    for (u64 f = 0; f < COUNT(formats); f++) {
        page(&s1, RAM_RW | D_UXN | D_PXN, formats[f]);
        const struct exception *e = RUN(EL1H | PSTATE_PAN, load, 0, VA);
        if (NV1_FORMAT(formats[f]))
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_PERMISSION(3)));
        e = read(EL1H | PSTATE_PAN, SYSREG(3, 0, 4, 2, 3));
        CHECK_RETURNED(e);
        CHECK(e->x[3], PSTATE_PAN);
    }
}

CASE(nv1_makes_ldtr_and_sttr_privileged, "HCR_EL2.NV1; AArch64.IsUnprivAccessPriv()")
{
    NEED(NV2);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    *(u64 *)ARENA = 0x123456789;
    for (u64 f = 0; f < COUNT(formats); f++) {
        page(&s1, KERNEL_RW | D_PXN | D_UXN, formats[f]);
        const struct exception *e = RUN(EL1H, load_unprivileged, 0, VA);
        if (NV1_FORMAT(formats[f])) {
            CHECK_RETURNED(e);
            CHECK(e->x[0], 0x123456789);
            CHECK_RETURNED(RUN(EL1H, store_unprivileged, 1, VA + 8));
        } else {
            CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_PERMISSION(3)));
            e = RUN(EL1H, store_unprivileged, 1, VA + 8);
            CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_PERMISSION(3)));
        }
    }
}

CASE(nv1_format_is_what_at_looks_at, "HCR_EL2.NV1; AT S1E0R, S1E1RP at EL1 and AT S12E0R at EL2")
{
    NEED(NV2);
    NEED(PAN2);
    const u32 par_el1 = SYSREG(3, 0, 7, 4, 0);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    for (u64 f = 0; f < COUNT(formats); f++) {
        const int nv1 = NV1_FORMAT(formats[f]);
        page(&s1, RAM_RW | D_UXN | D_PXN, formats[f]);
        at_row("S1E0R");
        CHECK_RETURNED(write(EL1H, SYSREG(1, 0, 7, 8, 2), VA));
        CHECK_MASKED(sysreg_get(par_el1), 0x7f, nv1 ? FSC_PERMISSION(3) << 1 | 1 : 0);
        at_row("S1E1RP");
        CHECK_RETURNED(write(EL1H | PSTATE_PAN, SYSREG(1, 0, 7, 9, 0), VA));
        CHECK_MASKED(sysreg_get(par_el1), 0x7f, nv1 ? 0 : FSC_PERMISSION(3) << 1 | 1);
        at_row("S12E0R");
        CHECK_RETURNED(write(EL2H, SYSREG(1, 4, 7, 8, 6), VA));
        CHECK_MASKED(sysreg_get(par_el1), 0x7f, nv1 ? FSC_PERMISSION(3) << 1 | 1 : 0);
    }
}
