/*
 * stage2_syndrome: the ISS of stage 2 Data Aborts by each kind of load and store, of cache maintenance and of unaligned accesses.
 */
#include "common/system.h"

CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");

#define VA 0x800000000000ul
#define IPA 0x800000000ul       /* bit 35 */
#define LOAD_ISS (ISS_ISV | ISS_SAS(3) | ISS_SF | ISS_SRT(0))
#define HPFAR(ipa) ((ipa) >> 12 << 4)

#define INSN(name, text) CODE(insn_##name, text)
INSN(ldr_x3, "ldr x3, [x1]");
INSN(ldr_w30, "ldr w5, [x1, #4]");
INSN(ldrh, "ldrh w2, [x1]");
INSN(ldrb, "ldrb w2, [x1, #1]");
INSN(ldrsb_w, "ldrsb w2, [x1]");
INSN(ldrsb_x, "ldrsb x2, [x1]");
INSN(ldrsh_w, "ldrsh w2, [x1]");
INSN(ldrsh_x, "ldrsh x2, [x1]");
INSN(ldrsw, "ldrsw x2, [x1]");
INSN(str_xzr, "str xzr, [x1]");
INSN(strb_w7, "strb w7, [x1]");
INSN(strh_w7, "strh w7, [x1]");
INSN(ldr_reg, "ldr x9, [x1, x3, lsl #3]");
INSN(ldur, "ldur w9, [x1, #0]");
INSN(ldtr, "ldtr x9, [x1]");
INSN(sttrh, "sttrh w9, [x1]");
INSN(ldtrsb, "ldtrsb x9, [x1]");
INSN(ldar, "ldar x2, [x1]");
INSN(ldarb, "ldarb w2, [x1]");
INSN(stlr, "stlr w2, [x1]");
INSN(stlrh, "stlrh w2, [x1]");
INSN(ldp, "ldp x2, x3, [x1]");
INSN(stp, "stp w2, w3, [x1]");
INSN(ldpsw, "ldpsw x2, x3, [x1]");
INSN(ldnp, "ldnp x2, x3, [x1]");
INSN(ldr_post, "ldr x2, [x1], #8");
INSN(ldr_pre, "ldr x2, [x1, #0]!");
INSN(strb_post, "strb w2, [x1], #1");
INSN(ldxr, "ldxr x2, [x1]");
INSN(ldaxp, "ldaxp x2, x3, [x1]");
INSN(ldr_q, ".inst 0x3dc00020"); /* ldr q0, [x1] */
INSN(str_d, ".inst 0xfd000020"); /* str d0, [x1] */
INSN(ld1, ".inst 0x4c407020");   /* ld1 {v0.16b}, [x1] */
INSN(dc_zva, "dc zva, x1");

#define S(sas, sse, rt, sf, ar, wnr)                                                                                   \
    (ISS_ISV | ISS_SAS(sas) | (sse) * ISS_SSE | ISS_SRT(rt) | (sf) * ISS_SF | (ar) * ISS_AR | (wnr) * ISS_WNR)

struct syndrome_row {
    const char *name, *code;
    u64 iss, offset;
};

static void check_syndromes(const struct syndrome_row *row, u64 n)
{
    struct tables s2;

    sysreg_write(cpacr_el1, 3 << 20);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1 << 14 | 1 << 26);
    stage2_new(&s2, SHIFT_4K, 36, 1);
    descriptor(&s2, IPA, 3);
    for (; n--; row++) {
        at_row(row->name);
        for (int m = 0; m < 2; m++) {
            const struct exception *e = RUN(m ? EL0T : EL1H, row->code, 0, IPA, 0, 0);
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, row->iss | FSC_TRANSLATION(3)));
            CHECK(e->far, IPA + row->offset);
            CHECK(e->x[1], IPA); /* no write-back */
        }
    }
}

CASE(syndrome_of_each_load_and_store, "ESR_EL2.ISS of a Data Abort: ISV, SAS, SSE, SRT, SF, AR, WnR; ISV = 1 for one general-purpose register, no write-back")
{
#define R(name, iss) {#name, insn_##name, iss, 0}
    static const struct syndrome_row rows[] = {
        R(ldr_x3, S(3, 0, 3, 1, 0, 0)), {"ldr_w5", insn_ldr_w30, S(2, 0, 5, 0, 0, 0), 4}, R(ldrh, S(1, 0, 2, 0, 0, 0)),
        {"ldrb", insn_ldrb, S(0, 0, 2, 0, 0, 0), 1}, R(ldrsb_w, S(0, 1, 2, 0, 0, 0)), R(ldrsb_x, S(0, 1, 2, 1, 0, 0)),
        R(ldrsh_w, S(1, 1, 2, 0, 0, 0)), R(ldrsh_x, S(1, 1, 2, 1, 0, 0)), R(ldrsw, S(2, 1, 2, 1, 0, 0)),
        R(str_xzr, S(3, 0, 31, 1, 0, 1)), R(strb_w7, S(0, 0, 7, 0, 0, 1)), R(strh_w7, S(1, 0, 7, 0, 0, 1)),
        R(ldr_reg, S(3, 0, 9, 1, 0, 0)), R(ldur, S(2, 0, 9, 0, 0, 0)), R(ldtr, S(3, 0, 9, 1, 0, 0)),
        R(sttrh, S(1, 0, 9, 0, 0, 1)), R(ldtrsb, S(0, 1, 9, 1, 0, 0)), R(ldar, S(3, 0, 2, 1, 1, 0)),
        R(ldarb, S(0, 0, 2, 0, 1, 0)), R(stlr, S(2, 0, 2, 0, 1, 1)), R(stlrh, S(1, 0, 2, 0, 1, 1)),
    };
    check_syndromes(rows, sizeof rows / sizeof *rows);
}

CASE(no_syndrome_of_others, "ESR_EL2.ISS of a Data Abort: ISV = 0 for pairs, write-back, exclusives, FP and SIMD, DC ZVA; bits 23:14 are 0")
{
    static const struct syndrome_row rows[] = {
        R(ldp, 0), R(stp, ISS_WNR), R(ldpsw, 0), R(ldnp, 0), R(ldr_post, 0), R(ldr_pre, 0), R(strb_post, ISS_WNR),
        R(ldxr, 0), R(ldaxp, 0), R(ldr_q, 0), R(str_d, ISS_WNR), R(ld1, 0),
    };
    check_syndromes(rows, sizeof rows / sizeof *rows);
}

CASE(no_syndrome_of_zeroing, "ESR_EL2.ISS of a Data Abort: DC ZVA is a store: WnR = 1, CM = 0, ISV = 0; FAR_EL2 is an address in the block")
{
    static const struct syndrome_row rows[] = {R(dc_zva, ISS_WNR)};

    next.hcr |= 1ul << 12; /* DC: from Device memory of stage 1, DC ZVA is an alignment fault of stage 1 (C5.3, DC ZVA) */
    check_syndromes(rows, 1);
}

#define INSN_LDADD_X 0xf8230022u /* ldadd x3, x2, [x1] */
#define INSN_SWP_W 0xb8238022u   /* swp w3, w2, [x1] */
#define INSN_CAS_X 0xc8a27c23u   /* cas x2, x3, [x1] */
#define INSN_STADD_X 0xf823003fu /* stadd x3, [x1] */
#define INSN_LDAPR_X 0xf8bfc022u /* ldapr x2, [x1] */
#define INSN_LDAPUR_SB 0x19800022u /* ldapursb x2, [x1] */
#define INSN_STLUR_W 0x99000022u /* stlur w2, [x1] */
#define INSN_LDLAR_X 0xc8df7c22u /* ldlar x2, [x1] */
#define INSN_STLLR_B 0x089f7c22u /* stllrb w2, [x1] */

static void check_emitted(u32 insn, u64 iss)
{
    const struct exception *e = RUN(EL1H, EMIT(insn), 0, IPA, 0, 0);

    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, iss | FSC_TRANSLATION(1)));
    CHECK(e->far, IPA);
}

CASE(no_syndrome_of_atomics, "ESR_EL2.ISS of a Data Abort: ISV = 0; WnR = 0 where a read of the address would fault too")
{
    NEED(LSE);
    struct tables s2;
    static const u32 insns[] = {INSN_LDADD_X, INSN_SWP_W, INSN_CAS_X, INSN_STADD_X};

    stage2_new(&s2, SHIFT_4K, 36, 1);
    for (int i = 0; i < 4; i++)
        check_emitted(insns[i], 0);
    /* Readable, not writable: WnR = 1 */
    map(&s2, IPA, ARENA, 3, S2_RAM & ~S2_W);
    tlbi_all();
    for (int i = 0; i < 4; i++) {
        *(u64 *)ARENA = 0;
        const struct exception *e = RUN(EL1H, EMIT(insns[i]), 0, IPA, 0, 0);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_WNR | FSC_PERMISSION(3)));
        CHECK(e->far, IPA);
    }
}

CASE(syndrome_of_rcpc, "FEAT_LRCPC, FEAT_LRCPC2: one register with acquire or release semantics: ISV = 1, AR = 1")
{
    NEED(LRCPC2);
    struct tables s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    check_emitted(INSN_LDAPR_X, S(3, 0, 2, 1, 1, 0));
    check_emitted(INSN_LDAPUR_SB, S(0, 1, 2, 1, 1, 0));
    check_emitted(INSN_STLUR_W, S(2, 0, 2, 0, 1, 1));
}

CASE(syndrome_of_lor, "FEAT_LOR: LDLAR, STLLR: ISV = 1, AR = 1")
{
    NEED(LOR);
    struct tables s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    check_emitted(INSN_LDLAR_X, S(3, 0, 2, 1, 1, 0));
    check_emitted(INSN_STLLR_B, S(0, 0, 2, 0, 1, 1));
}

CODE(dc_civac, "dc civac, x1");
CODE(dc_ivac, "dc ivac, x1");
CODE(dc_cvac, "dc cvac, x1");

CASE(cache_maintenance, "ESR_EL2.ISS of a Data Abort: CM = 1, WnR = 1, ISV = 0; HPFAR_EL2")
{
    struct tables s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    const char *codes[] = {dc_civac, dc_ivac, dc_cvac};
    for (int i = 0; i < 3; i++) {
        const struct exception *e = RUN(EL1H, codes[i], 0, IPA + 8);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, ISS_CM | ISS_WNR | FSC_TRANSLATION(1)));
        CHECK(e->far, IPA + 8);
        CHECK(e->hpfar, HPFAR(IPA));
    }
}

CASE(alignment_by_stage2, "D8.15.9: memory that stage 2 makes Device: unaligned is an Alignment fault of stage 2, taken to EL2")
{
    struct tables s1, s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, IPA, 3, RAM_RW);
    map(&s2, IPA, ARENA, 3, S2_DEVICE | S2_R | S2_W | D_AF);
    CHECK_RETURNED(RUN(EL0T, load, 0, VA));
    const struct exception *e = RUN(EL0T, load, 0, VA + 1);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | FSC_ALIGNMENT));
    CHECK(e->far, VA + 1);
    /* Stage 1 makes it Device: EL1's */
    map(&s1, VA, IPA, 3, (RAM_RW & ~D_ATTR(7)) | DEVICE);
    map(&s2, IPA, ARENA, 3, S2_RAM);
    tlbi_all();
    e = RUN(EL0T, load, 0, VA + 1);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_ALIGNMENT));
    CHECK(e->far, VA + 1);
}

CASE(both_stages_make_device, "D8.15.9: stage 1 Device: the Alignment fault is stage 1's even if stage 2 is Device too")
{
    struct tables s1, s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    stage1_new(&s1, SHIFT_4K, 48);
    map(&s1, VA, IPA, 3, (RAM_RW & ~D_ATTR(7)) | DEVICE);
    map(&s2, IPA, ARENA, 3, S2_DEVICE | S2_R | S2_W | D_AF);
    const struct exception *e = RUN(EL1H, store, 0, VA + 2);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_ALIGNMENT));
    CHECK(e->far, VA + 2);
}

CASE(default_cacheable, "HCR_EL2.DC: stage 1 off is Normal memory: unaligned accesses work; HCR_EL2.VM behaves as 1")
{
    struct tables s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    map(&s2, IPA, ARENA, 3, S2_RAM);
    const struct exception *e = RUN(EL1H, load, 0, IPA + 1); /* stage 1 off: Device-nGnRnE */
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_ALIGNMENT));
    next.hcr = HCR_RW | 1ul << 12;
    tlbi_all();
    CHECK_RETURNED(RUN(EL1H, load, 0, IPA + 1));
    e = RUN(EL1H, load, 0, IPA + 0x10000000);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, LOAD_ISS | FSC_TRANSLATION(2)));
}

CASE(external_abort_on_stage2_walk, "D8.15.9: External abort on a stage 2 walk: taken to EL2, whatever HCR_EL2.TEA; ISV = 0")
{
    struct tables s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    *descriptor(&s2, IPA, 1) = NOWHERE | D_TABLE;
    const struct exception *e = RUN(EL1H, load, 0, IPA);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_EXTERNAL_WALK(2)));
    CHECK(e->far, IPA);
}
