/*
 * ras: virtual SErrors and their syndrome, ESB and the deferred ones, which level sees what; external aborts and where they go; error
 * records that are not there.
 */
#include "common/system.h"

#define DISR_EL1 SYSREG(3, 0, 12, 1, 1)
#define VDISR_EL2 SYSREG(3, 4, 12, 1, 1)
#define VSESR_EL2 SYSREG(3, 4, 5, 2, 3)
#define ERRIDR_EL1 SYSREG(3, 0, 5, 3, 0)
#define ERRSELR_EL1 SYSREG(3, 0, 5, 3, 1)

#define VIRTUAL (HCR_AMO | HCR_VSE)
#define HCR_TWI (1ul << 13)
#define HCR_TERR (1ul << 36)
#define HCR_TEA (1ul << 37)
#define DISR_A (1ul << 31)
#define SCTLR_IESB (1ul << 21)

#define UER 0xc11ul           /* AET: recoverable; DFSC: asynchronous SError */
#define IDS (1ul << 24)

CODE(nothing, "nop");
CODE(esb, "hint #16");
CODE(esb_and_disr, "hint #16\n\tmrs x0, S3_0_C12_C1_1");
CODE(read_disr, "mrs x0, S3_0_C12_C1_1");
CODE(write_disr, "msr S3_0_C12_C1_1, x0");
CODE(read_isr, "mrs x0, isr_el1");
CODE(wait, "wfi");
CODE(load, "ldr x0, [x1]");
CODE(store, "str x0, [x1]");

static void syndrome(u64 iss)
{
    if (have(FEAT_RAS))
        sysreg_set(VSESR_EL2, iss);
}

CASE(a_virtual_one_at_el1, "HCR_EL2.VSE; VSESR_EL2; AArch64.TakeVirtualSErrorException")
{
    NEED(RAS);
    for (int i = 0; i < 2; i++) {
        const u64 iss = i ? IDS | 0xabcdef : UER;
        syndrome(iss);
        next.hcr = HCR_RW | VIRTUAL;
        const struct exception *e = RUN(EL1H, nothing);
        CHECK_TAKEN(e, 1, CURRENT_SERROR, ESR(EC_SERROR, iss));
        CHECK(e->elr, nothing);
        CHECK(e->spsr, EL1H);
        CHECK_MASKED(e->hcr, VIRTUAL, HCR_AMO); /* taken, it is not pending any more */
    }
}

CASE(a_virtual_one_at_el0, "HCR_EL2.VSE; VSESR_EL2; AArch64.TakeVirtualSErrorException")
{
    NEED(RAS);
    syndrome(UER);
    next.hcr |= VIRTUAL;
    const struct exception *e = RUN(EL0T, nothing);
    CHECK_TAKEN(e, 1, LOWER_SERROR, ESR(EC_SERROR, UER));
    CHECK_MASKED(e->hcr, VIRTUAL, HCR_AMO);
}

CASE(without_ras_the_syndrome_is_its_own, "HCR_EL2.VSE; AArch64.TakeVirtualSErrorException: IMPLEMENTATION DEFINED")
{
    if (have(FEAT_RAS)) {
        skip("FEAT_RAS");
        return;
    }
    next.hcr |= VIRTUAL;
    const struct exception *e = RUN(EL1H, nothing);
    CHECK_MASKED(e->esr, ~0x1fffffful, ESR(EC_SERROR, 0));
    CHECK(e->vector, CURRENT_SERROR);
    CHECK_MASKED(e->hcr, VIRTUAL, HCR_AMO);
}

CASE(masked_it_waits, "D1.3.6 'Asynchronous exception masking'; ISR_EL1")
{
    next.hcr |= VIRTUAL;
    const struct exception *e = RUN(EL1H | PSTATE_A, read_isr);
    CHECK_RETURNED(e);
    CHECK_MASKED(e->x[0], 1ul << 8, 1ul << 8); /* ISR_EL1.A, whatever PSTATE.A */
    CHECK_MASKED(e->hcr, VIRTUAL, VIRTUAL);
    CHECK_MASKED(sysreg_read(isr_el1), 1ul << 8, 0); /* EL2 sees physical ones */
}

CASE(without_amo_or_with_tge_there_is_none, "HCR_EL2.VSE: enabled only when TGE == 0 and AMO == 1")
{
    next.hcr = HCR_RW | HCR_VSE;
    const struct exception *e = RUN(EL1H, read_isr);
    CHECK_RETURNED(e);
    CHECK_MASKED(e->x[0], 1ul << 8, 0);
    CHECK_RETURNED(RUN(EL0T, nothing));
    next.hcr = HCR_RW | VIRTUAL | HCR_TGE;
    CHECK_RETURNED(RUN(EL0T, nothing));
    next.hcr = HCR_RW | VIRTUAL;
    CHECK_RETURNED(RUN(EL2H, nothing));
}

CASE(esb_defers_a_masked_one, "ESB; AArch64.vESBOperation; VDISR_EL2; DISR_EL1 at EL1")
{
    NEED(RAS);
    syndrome(IDS | 0x123456);
    sysreg_set(DISR_EL1, 0);
    next.hcr |= VIRTUAL;
    const struct exception *e = RUN(EL1H | PSTATE_A, esb_and_disr);
    CHECK_RETURNED(e);
    CHECK(e->x[0], DISR_A | IDS | 0x123456);
    CHECK_MASKED(e->hcr, VIRTUAL, HCR_AMO);
    CHECK(sysreg_get(VDISR_EL2), DISR_A | IDS | 0x123456);
    CHECK(sysreg_get(DISR_EL1), 0);
}

CASE(esb_defers_at_el0, "ESB; AArch64.vESBOperation")
{
    NEED(RAS);
    syndrome(UER);
    next.hcr |= VIRTUAL;
    const struct exception *e = RUN(EL0T | PSTATE_A, esb);
    CHECK_RETURNED(e);
    CHECK(sysreg_get(VDISR_EL2), DISR_A | UER);
    CHECK_MASKED(e->hcr, VIRTUAL, HCR_AMO);
}

CASE(esb_leaves_alone_what_is_not_enabled, "ESB; AArch64.vESBOperation")
{
    NEED(RAS);
    syndrome(UER);
    next.hcr = HCR_RW | HCR_VSE; /* without AMO */
    CHECK_RETURNED(RUN(EL1H | PSTATE_A, esb));
    next.hcr = HCR_RW | VIRTUAL; /* not EL2's */
    CHECK_RETURNED(RUN(EL2H | PSTATE_A, esb));
    CHECK(sysreg_get(VDISR_EL2), 0);
    CHECK(sysreg_get(DISR_EL1), 0);
}

CASE(esb_without_ras_is_a_nop, "ESB: hint space")
{
    if (have(FEAT_RAS)) {
        skip("FEAT_RAS");
        return;
    }
    next.hcr |= VIRTUAL;
    const struct exception *e = RUN(EL1H | PSTATE_A, esb);
    CHECK_RETURNED(e);
    CHECK_MASKED(e->hcr, VIRTUAL, VIRTUAL);
}

CASE(disr_at_el1_is_vdisr_under_amo, "DISR_EL1, accessibility pseudocode")
{
    NEED(RAS);
    sysreg_set(DISR_EL1, DISR_A | UER);
    sysreg_set(VDISR_EL2, DISR_A | IDS | 7);
    next.hcr = HCR_RW | HCR_AMO;
    CHECK(RUN(EL1H, read_disr)->x[0], DISR_A | IDS | 7);
    CHECK_RETURNED(RUN(EL1H, write_disr, 0));
    CHECK(sysreg_get(VDISR_EL2), 0);
    CHECK(sysreg_get(DISR_EL1), DISR_A | UER);
    next.hcr = HCR_RW;
    CHECK(RUN(EL1H, read_disr)->x[0], DISR_A | UER);
    CHECK_RETURNED(RUN(EL1H, write_disr, 0));
    CHECK(sysreg_get(DISR_EL1), 0);
    CHECK_TAKEN(RUN(EL0T, read_disr), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
}

CASE(it_ends_a_wfi, "D1.6.2 'Wait For Interrupt': a virtual SError, masked or not")
{
    next.hcr |= VIRTUAL | HCR_TWI;
    CHECK_RETURNED(RUN(EL1H | PSTATE_A, wait)); /* no trap either: WFI does not wait */
}

CASE(iesb_bits, "SCTLR_EL1.IESB, SCTLR_EL2.IESB")
{
    NEED(IESB);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | SCTLR_IESB);
    CHECK_MASKED(sysreg_read(sctlr_el1), SCTLR_IESB, SCTLR_IESB);
    next.sctlr_el2 |= SCTLR_IESB;
    syndrome(UER);
    next.hcr |= VIRTUAL;
    CHECK_TAKEN(RUN(EL1H, nothing), 1, CURRENT_SERROR, ESR(EC_SERROR, UER));
}

CASE(error_records, "ERRIDR_EL1; HCR_EL2.TERR")
{
    NEED(RAS);
    const u32 erridr = ERRIDR_EL1;
    CHECK(RUN(EL1H, EMIT(INSN_MRS(erridr, 0)))->x[0], 0); /* none */
    CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MSR(ERRSELR_EL1, 0))), 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    next.hcr |= HCR_TERR;
    CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MRS(erridr, 3))), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(erridr, 3, 1)));
}

CASE(error_records_trapped, "ERRSELR_EL1, ERX<x>_EL1; HCR_EL2.TERR")
{
    NEED(RAS);
    static const u32 rows[] = {
        ERRSELR_EL1, SYSREG(3, 0, 5, 4, 0), SYSREG(3, 0, 5, 4, 1), SYSREG(3, 0, 5, 4, 2), SYSREG(3, 0, 5, 4, 3),
        SYSREG(3, 0, 5, 5, 0), SYSREG(3, 0, 5, 5, 1),
    };
    next.hcr |= HCR_TERR;
    for (int i = 0; i < 7; i++) {
        const u64 iss = ISS_SYSREG(rows[i], 4, 0);
        CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MRS(rows[i], 4))), 2, LOWER_SYNC, ESR(EC_SYSREG, iss | 1));
        if (i != 1) /* ERXFR_EL1 is read-only */
            CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MSR(rows[i], 4))), 2, LOWER_SYNC, ESR(EC_SYSREG, iss));
    }
}

CASE(external_abort_at_el1, "AArch64.DataAbort; AArch64.InstructionAbort")
{
    const struct exception *e = RUN(EL1H, load, 0, NOWHERE);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_EXTERNAL));
    CHECK(e->far, NOWHERE);
    e = RUN(EL0T, store, 0, NOWHERE);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_EXTERNAL | ISS_WNR));
    e = RUN(EL1H, NOWHERE);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_IABT, FSC_EXTERNAL));
    CHECK(e->far, NOWHERE);
    CHECK(e->elr, NOWHERE);
}

CASE(external_abort_to_el2, "HCR_EL2.TEA; AArch64.DataAbort; AArch64.InstructionAbort")
{
    NEED(RAS);
    next.hcr |= HCR_TEA;
    const struct exception *e = RUN(EL1H, load, 0, NOWHERE);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_EXTERNAL)); /* ISV = 0: no fault of stage 2 */
    CHECK(e->far, NOWHERE);
    e = RUN(EL0T, store, 0, NOWHERE + 8);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_EXTERNAL | ISS_WNR));
    CHECK(e->far, NOWHERE + 8);
    e = RUN(EL1H, NOWHERE);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_EXTERNAL));
}

CASE(external_abort_of_el2, "AArch64.DataAbort: HCR_EL2.TEA is about EL1 and EL0")
{
    const struct exception *e = RUN(EL2H, load, 0, NOWHERE);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_DABT, FSC_EXTERNAL));
}

CASE(external_abort_on_a_table, "D8.15.8 'External abort on a translation table walk'; HCR_EL2.TEA")
{
    NEED(RAS);
    struct tables s1;
    stage1_new(&s1, SHIFT_4K, 39);
    *descriptor(&s1, 0x80000000, 1) = NOWHERE | D_TABLE;
    const struct exception *e = RUN(EL0T, load, 0, 0x80000000);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_EXTERNAL_WALK(2)));
    next.hcr |= HCR_TEA;
    e = RUN(EL0T, load, 0, 0x80000000);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_EXTERNAL_WALK(2)));
    CHECK(e->far, 0x80000000);
}
