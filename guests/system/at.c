/*
 * at: address translation instructions in every form, and PAR_EL1 after success and after each fault.
 */
#include "common/system.h"

#define AT(name, op) static void name(u64 va) { asm volatile(op "\n\tisb" : : "r"(va) : "memory"); }
AT(at_s1e1r, "at s1e1r, %0")
AT(at_s1e1w, "at s1e1w, %0")
AT(at_s1e0r, "at s1e0r, %0")
AT(at_s1e0w, "at s1e0w, %0")
AT(at_s1e2r, "at s1e2r, %0")
AT(at_s1e1rp, "sys #0, c7, c9, #0, %0")
AT(at_s1e1wp, "sys #0, c7, c9, #1, %0")

/* The same at EL1, where stage 2 (next.hcr) takes part */
CODE(el1_s1e1r, "at s1e1r, x0\n\tisb\n\tmrs x0, par_el1");
CODE(el1_s1e1w, "at s1e1w, x0\n\tisb\n\tmrs x0, par_el1");
CODE(el1_s1e0r, "at s1e0r, x0\n\tisb\n\tmrs x0, par_el1");
CODE(el1_s1e0w, "at s1e0w, x0\n\tisb\n\tmrs x0, par_el1");
/* At EL2 with HCR_EL2 as next.hcr says */
CODE(el2_s1e1r, "at s1e1r, x0\n\tisb\n\tmrs x0, par_el1");
CODE(el2_s1e0r, "at s1e0r, x0\n\tisb\n\tmrs x0, par_el1");
CODE(el2_s1e2r, "at s1e2r, x0\n\tisb\n\tmrs x0, par_el1");
CODE(el2_s1e2w, "at s1e2w, x0\n\tisb\n\tmrs x0, par_el1");
CODE(el2_s12e1r, "at s12e1r, x0\n\tisb\n\tmrs x0, par_el1");
CODE(el2_s12e1w, "at s12e1w, x0\n\tisb\n\tmrs x0, par_el1");
CODE(el2_s12e0r, "at s12e0r, x0\n\tisb\n\tmrs x0, par_el1");
CODE(el2_s12e0w, "at s12e0w, x0\n\tisb\n\tmrs x0, par_el1");

/* PAR_EL1 (D19.2.114): F = 0: ATTR 63:56, PA 51:12, [11] RES1, NS 9, SH 8:7; F = 1: RES1 11, S 9, PTW 8, FST 6:1 */
#define PAR_OK(pa, attr, sh) ((u64)(attr) << 56 | (pa) | 1 << 11 | 1 << 9 | (u64)(sh) << 7)
#define PAR_FAULT(fst) (1ul << 11 | (u64)(fst) << 1 | 1)
#define PAR_S2 (1ul << 9)
#define PAR_PTW (1ul << 8)
#define NS_UNKNOWN (~(1ul << 9)) /* NS: UNKNOWN for Non-secure state */

static u64 par(void (*at)(u64), u64 va)
{
    if (HOME_EL == 2)
        at(va);
    else /* with the MMU and PSTATE.PAN as the case has them */
        CHECK_RETURNED(RUN(EL1H | (have(FEAT_PAN) ? sysreg_read(S3_0_C4_C2_3) : 0), at, va));
    return sysreg_read(par_el1);
}

/* HCR_EL2 must be right while EL2 itself executes AT S1E1*, S12*. */
static u64 par_of(u64 mode, const char *code, u64 va)
{
    const struct exception *e = RUN(mode, code, va);

    CHECK_RETURNED(e);
    return e->x[0];
}

#define VA 0x800000000000ul
#define IPA 0x800000000ul

CASE(success, "PAR_EL1 after success: PA, ATTR as MAIR, SH; Device is outer shareable")
{
    struct tables s1;

    stage1_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, 0x12345000, 3, RAM_RW);
    map(&s1, VA + 0x1000, 0x12346000, 3, NORMAL | D_AF | D_USER);            /* non-shareable */
    map(&s1, VA + 0x2000, 0x12347000, 3, NORMAL | D_AF | D_USER | 2ul << 8); /* outer shareable */
    map(&s1, VA + 0x3000, 0x12348000, 3, DEVICE | D_AF | D_USER);
    map(&s1, VA + 0x4000, 0x12349000, 3, NON_CACHEABLE | D_AF | D_USER);
    map(&s1, VA + 0x200000, 0x12200000, 2, RAM_RW);
    map(&s1, VA + 0x40000000, 0x40000000, 1, RAM_RW);
    CHECK(par(at_s1e1r, VA) & NS_UNKNOWN, PAR_OK(0x12345000ul, 0xff, 3) & NS_UNKNOWN);
    CHECK(par(at_s1e1w, VA + 0xabc) & NS_UNKNOWN, PAR_OK(0x12345000ul, 0xff, 3) & NS_UNKNOWN);
    CHECK(par(at_s1e0r, VA) & NS_UNKNOWN, PAR_OK(0x12345000ul, 0xff, 3) & NS_UNKNOWN);
    CHECK(par(at_s1e0w, VA) & NS_UNKNOWN, PAR_OK(0x12345000ul, 0xff, 3) & NS_UNKNOWN);
    CHECK(par(at_s1e1r, VA + 0x1000) & NS_UNKNOWN, PAR_OK(0x12346000ul, 0xff, 0) & NS_UNKNOWN);
    CHECK(par(at_s1e1r, VA + 0x2000) & NS_UNKNOWN, PAR_OK(0x12347000ul, 0xff, 2) & NS_UNKNOWN);
    CHECK(par(at_s1e1r, VA + 0x3000) & NS_UNKNOWN, PAR_OK(0x12348000ul, 0x04, 2) & NS_UNKNOWN);
    CHECK(par(at_s1e1r, VA + 0x4000) & NS_UNKNOWN, PAR_OK(0x12349000ul, 0x44, 2) & NS_UNKNOWN);
    CHECK(par(at_s1e1r, VA + 0x212345) & NS_UNKNOWN, PAR_OK(0x12212000ul, 0xff, 3) & NS_UNKNOWN);
    CHECK(par(at_s1e0r, VA + 0x52345678) & NS_UNKNOWN, PAR_OK(0x52345000ul, 0xff, 3) & NS_UNKNOWN);
}

CASE(stage1_off, "PAR_EL1 with stage 1 off: Device-nGnRnE, outer shareable; HCR_EL2.DC: Normal write-back, non-shareable")
{
    CHECK(par(at_s1e1r, 0x12345678) & NS_UNKNOWN, PAR_OK(0x12345000ul, 0, 2) & NS_UNKNOWN);
    CHECK(par(at_s1e0w, 0x12345678) & NS_UNKNOWN, PAR_OK(0x12345000ul, 0, 2) & NS_UNKNOWN);
    CHECK(par(at_s1e1r, 1ul << 52) & NS_UNKNOWN, PAR_FAULT(FSC_ADDRESS_SIZE(0)) & NS_UNKNOWN);
    struct tables s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    next.hcr |= 1ul << 12;
    CHECK(par_of(EL2H, el2_s1e1r, 0x12345678) & NS_UNKNOWN, PAR_OK(0x12345000ul, 0xff, 0) & NS_UNKNOWN);
}

CASE(stage1_faults, "PAR_EL1 after a fault of stage 1: FST, PTW = 0, S = 0")
{
    static const unsigned shifts[] = {SHIFT_4K, SHIFT_16K, SHIFT_64K};

    for (int i = 0; i < 3; i++) {
        struct tables s1;
        if (!have_granule(shifts[i]))
            continue;
        stage1_new(&s1, shifts[i], 48);
        tlbi_all();
        for (int level = s1.level; level <= 3; level++) {
            descriptor(&s1, VA, level);
            CHECK(par(at_s1e1r, VA), PAR_FAULT(FSC_TRANSLATION(level)));
            CHECK(par(at_s1e0w, VA), PAR_FAULT(FSC_TRANSLATION(level)));
        }
        map(&s1, VA, ARENA, 3, RAM_RW & ~D_AF);
        CHECK(par(at_s1e1w, VA), PAR_FAULT(FSC_ACCESS_FLAG(3)));
        map(&s1, VA, ARENA, 3, NORMAL | D_AF | D_READ_ONLY);
        tlbi_all();
        CHECK(par(at_s1e1r, VA) & 1, 0);
        CHECK(par(at_s1e1w, VA), PAR_FAULT(FSC_PERMISSION(3)));
        CHECK(par(at_s1e0r, VA), PAR_FAULT(FSC_PERMISSION(3)));
        CHECK(par(at_s1e0w, VA), PAR_FAULT(FSC_PERMISSION(3)));
        CHECK(par(at_s1e1r, 0xffff000000000000ul), PAR_FAULT(FSC_TRANSLATION(0))); /* EPD1 */
        CHECK(par(at_s1e1r, 0x0100000000000000ul), PAR_FAULT(FSC_TRANSLATION(0)));
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
    }
}

CASE(instructions_do_not_raise, "AT: a fault of stage 1 goes to PAR_EL1, at EL1 too; PSTATE and ESR_EL1 stay")
{
    struct tables s1;

    stage1_new(&s1, SHIFT_4K, 48);
    CHECK(par_of(EL1H, el1_s1e1r, VA), PAR_FAULT(FSC_TRANSLATION(0)));
    CHECK(par_of(EL1H, el1_s1e1w, VA), PAR_FAULT(FSC_TRANSLATION(0)));
    CHECK(par_of(EL1H, el1_s1e0w, VA), PAR_FAULT(FSC_TRANSLATION(0)));
    if (HOME_EL == 2) { /* else the code's return is the last exception */
        CHECK(sysreg_read(esr_el1), 0);
        CHECK(sysreg_read(far_el1), 0);
    }
}

CASE(both_stages, "AT S12E*: PA of both stages; attributes combined; AT S1E1* at EL2 stops at the IPA")
{
    struct tables s1, s2;

    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, IPA, 3, RAM_RW);
    map(&s2, IPA, ARENA, 3, S2_RAM);
    CHECK(par_of(EL2H, el2_s12e1r, VA) & NS_UNKNOWN, PAR_OK(ARENA, 0xff, 3) & NS_UNKNOWN);
    CHECK(par_of(EL2H, el2_s12e1w, VA) & NS_UNKNOWN, PAR_OK(ARENA, 0xff, 3) & NS_UNKNOWN);
    CHECK(par_of(EL2H, el2_s12e0r, VA) & NS_UNKNOWN, PAR_OK(ARENA, 0xff, 3) & NS_UNKNOWN);
    CHECK(par_of(EL2H, el2_s12e0w, VA) & NS_UNKNOWN, PAR_OK(ARENA, 0xff, 3) & NS_UNKNOWN);
    CHECK(par_of(EL2H, el2_s1e1r, VA) & NS_UNKNOWN, PAR_OK(IPA, 0xff, 3) & NS_UNKNOWN);
    CHECK(par_of(EL1H, el1_s1e1r, VA) & NS_UNKNOWN, PAR_OK(IPA, 0xff, 3) & NS_UNKNOWN);
    CHECK(par_of(EL1H, el1_s1e0r, VA) & NS_UNKNOWN, PAR_OK(IPA, 0xff, 3) & NS_UNKNOWN);
    /* stage 2 Device: Device; stage 2 non-cacheable: non-cacheable, outer shareable */
    map(&s2, IPA, ARENA, 3, S2_DEVICE | S2_R | S2_W | D_AF);
    tlbi_all();
    CHECK(par_of(EL2H, el2_s12e1r, VA) & NS_UNKNOWN, PAR_OK(ARENA, 0x04, 2) & NS_UNKNOWN);
    map(&s2, IPA, ARENA, 3, 5ul << 2 | S2_R | S2_W | D_AF);
    tlbi_all();
    CHECK(par_of(EL2H, el2_s12e1r, VA) & NS_UNKNOWN, PAR_OK(ARENA, 0x44, 2) & NS_UNKNOWN);
    map(&s2, IPA, ARENA, 3, 10ul << 2 | S2_R | S2_W | D_AF); /* write-through */
    tlbi_all();
    CHECK_MASKED(par_of(EL2H, el2_s12e1r, VA) >> 56, 0xcc, 0x88); /* write-through; allocation hints are stage 1's */
    CHECK_MASKED(par_of(EL2H, el2_s12e1r, VA), 0xfffffffff000ul, ARENA);
    /* without HCR_EL2.VM, S12 is S1 */
    next.hcr &= ~HCR_VM;
    tlbi_all();
    CHECK(par_of(EL2H, el2_s12e1r, VA) & NS_UNKNOWN, PAR_OK(IPA, 0xff, 3) & NS_UNKNOWN);
}

CASE(stage2_faults, "PAR_EL1 after a fault of stage 2: S = 1; no exception")
{
    struct tables s1, s2;

    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, IPA, 3, RAM_RW);
    CHECK(par_of(EL2H, el2_s12e1r, VA), PAR_FAULT(FSC_TRANSLATION(1)) | PAR_S2);
    map(&s2, IPA, ARENA, 3, S2_RAM & ~D_AF);
    CHECK(par_of(EL2H, el2_s12e1r, VA), PAR_FAULT(FSC_ACCESS_FLAG(3)) | PAR_S2);
    map(&s2, IPA, ARENA, 3, S2_RAM & ~S2_W);
    tlbi_all();
    CHECK(par_of(EL2H, el2_s12e1r, VA) & 1, 0);
    CHECK(par_of(EL2H, el2_s12e1w, VA), PAR_FAULT(FSC_PERMISSION(3)) | PAR_S2);
    CHECK(par_of(EL2H, el2_s12e0w, VA), PAR_FAULT(FSC_PERMISSION(3)) | PAR_S2);
    map(&s2, IPA, ARENA, 3, S2_RAM & ~S2_R);
    tlbi_all();
    CHECK(par_of(EL2H, el2_s12e0r, VA), PAR_FAULT(FSC_PERMISSION(3)) | PAR_S2);
    /* stage 1's own fault: S = 0 */
    CHECK(par_of(EL2H, el2_s12e0r, VA + 0x1000), PAR_FAULT(FSC_TRANSLATION(3)));
    CHECK(sysreg_read(hpfar_el2), 0);
}

CASE(stage2_fault_on_walk, "PAR_EL1: S12E*: stage 2 fault on a stage 1 walk: PTW = 1, S = 1")
{
    struct tables s1, s2;

    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 48);
    *descriptor(&s1, VA, 0) = IPA | D_TABLE;
    CHECK(par_of(EL2H, el2_s12e1r, VA), PAR_FAULT(FSC_TRANSLATION(1)) | PAR_S2 | PAR_PTW);
    CHECK(par_of(EL2H, el2_s12e0w, VA), PAR_FAULT(FSC_TRANSLATION(1)) | PAR_S2 | PAR_PTW);
    CHECK(par_of(EL2H, el2_s1e1r, VA), PAR_FAULT(FSC_TRANSLATION(1)) | PAR_S2 | PAR_PTW);
}

CASE(stage2_fault_at_el1, "AT S1E1*, S1E0* at EL1: a stage 2 fault on the walk is a Data Abort to EL2: CM = 1, WnR = 1, S1PTW = 1")
{
    struct tables s1, s2;

    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 48);
    *descriptor(&s1, VA, 0) = IPA | D_TABLE;
    const char *codes[] = {el1_s1e1r, el1_s1e1w, el1_s1e0r, el1_s1e0w};
    for (int i = 0; i < 4; i++) {
        const struct exception *e = RUN(EL1H, codes[i], VA + 0x18);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_CM | ISS_WNR | ISS_S1PTW | FSC_TRANSLATION(1)));
        CHECK(e->far, VA + 0x18);
        CHECK(e->hpfar, IPA >> 12 << 4);
        CHECK(e->elr, codes[i]);
    }
}

CASE(external_abort_on_walk, "AT: an external abort on the walk is a Data Abort exception; at EL2 taken to EL2: CM = 1, WnR = 1")
{
    struct tables s1;

    stage1_new(&s1, SHIFT_4K, 48);
    *descriptor(&s1, VA, 0) = NOWHERE | D_TABLE;
    const struct exception *e = RUN(EL1H, el1_s1e1r, VA);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_CM | ISS_WNR | FSC_EXTERNAL_WALK(1)));
    CHECK(e->far, VA);
    e = RUN(EL2H, el2_s1e1r, VA);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_DABT, ISS_CM | ISS_WNR | FSC_EXTERNAL_WALK(1)));
    CHECK(e->far, VA);
}

CASE(el2_regime, "AT S1E2R, S1E2W: the regime of EL2")
{
    struct tables s1;

    NEED_EL2();
    CHECK(par(at_s1e2r, 0x12345678) & NS_UNKNOWN, PAR_OK(0x12345000ul, 0, 2) & NS_UNKNOWN); /* MMU off */
    stage1_el2_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, 0x12345000, 3, NORMAL | D_INNER_SHAREABLE | D_AF | D_READ_ONLY | D_USER);
    CHECK(par_of(EL2H, el2_s1e2r, VA) & NS_UNKNOWN, PAR_OK(0x12345000ul, 0xff, 3) & NS_UNKNOWN);
    CHECK(par_of(EL2H, el2_s1e2w, VA), PAR_FAULT(FSC_PERMISSION(3)));
    CHECK(par_of(EL2H, el2_s1e2r, VA + 0x1000), PAR_FAULT(FSC_TRANSLATION(3)));
    CHECK(par_of(EL2H, el2_s1e2r, 0xffff000000000000ul), PAR_FAULT(FSC_TRANSLATION(0)));
}

CASE(pan_forms, "AT S1E1RP, S1E1WP (FEAT_PAN2): PSTATE.PAN counts; S1E1R, S1E1W: it does not")
{
    NEED(PAN2);
    struct tables s1;

    stage1_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, ARENA, 3, RAM_RW);
    map(&s1, VA + 0x1000, ARENA, 3, RAM_RW & ~D_USER);
    asm volatile(".inst 0xd500419f"); /* MSR PAN, #1 */
    CHECK(par(at_s1e1rp, VA), PAR_FAULT(FSC_PERMISSION(3)));
    CHECK(par(at_s1e1wp, VA), PAR_FAULT(FSC_PERMISSION(3)));
    CHECK(par(at_s1e1rp, VA + 0x1000) & 1, 0);
    CHECK(par(at_s1e1r, VA) & 1, 0);
    CHECK(par(at_s1e1w, VA) & 1, 0);
    asm volatile(".inst 0xd500409f");
    CHECK(par(at_s1e1rp, VA) & 1, 0);
    CHECK(par(at_s1e1wp, VA) & 1, 0);
}

CODE(nothing, "nop");

CASE(undefined_at_el1, "AT S12E*, AT S1E2* at EL1, all AT at EL0: UNDEFINED")
{
    CHECK_TAKEN(RUN(EL1H, el2_s12e1r), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_TAKEN(RUN(EL1H, el2_s12e0w), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_TAKEN(RUN(EL1H, el2_s1e2r), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_TAKEN(RUN(EL0T, el1_s1e1r), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_TAKEN(RUN(EL0T, el1_s1e0r), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK_RETURNED(RUN(EL1H, nothing));
}

CASE(host_regime, "AT S1E1*, S1E0* with HCR_EL2.{E2H, TGE} = {1, 1}: the EL2&0 regime; with TGE = 0: EL1&0")
{
    NEED(VHE);
    struct tables host, guest;

    stage1_new(&guest, SHIFT_4K, 39);
    map(&guest, 0x80000000, 0x11111000, 3, RAM_RW);
    tables_new(&host, 1, SHIFT_4K, 39, 0);
    map_image(&host);
    map(&host, 0x80000000, 0x22222000, 3, RAM_RW);
    sysreg_write(ttbr0_el2, host.root);
    sysreg_write(mair_el2, MAIR_VALUE);
    sysreg_write(tcr_el2, sysreg_read(tcr_el1)); /* E2H = 1: laid out as TCR_EL1 */
    next.sctlr_el2 = SCTLR_EL1_CLEAN | SCTLR_M | SCTLR_C | SCTLR_I;
    next.hcr = HCR_RW | HCR_E2H | HCR_TGE;
    CHECK_MASKED(par_of(EL2H, el2_s1e1r, 0x80000000), 0xfffffffff001ul, 0x22222000);
    CHECK_MASKED(par_of(EL2H, el2_s1e0r, 0x80000000), 0xfffffffff001ul, 0x22222000);
    CHECK_MASKED(par_of(EL2H, el2_s1e2r, 0x80000000), 0xfffffffff001ul, 0x22222000);
    next.hcr = HCR_RW | HCR_E2H;
    tlbi_all();
    CHECK_MASKED(par_of(EL2H, el2_s1e1r, 0x80000000), 0xfffffffff001ul, 0x11111000);
    CHECK_MASKED(par_of(EL2H, el2_s1e0r, 0x80000000), 0xfffffffff001ul, 0x11111000);
    CHECK_MASKED(par_of(EL2H, el2_s1e2r, 0x80000000), 0xfffffffff001ul, 0x22222000);
    CHECK_MASKED(par_of(EL2H, el2_s12e1r, 0x80000000), 0xfffffffff001ul, 0x11111000);
}
