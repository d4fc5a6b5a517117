/*
 * exceptions: entry and return: PSTATE, SPSR and ELR both ways, illegal returns, the illegal state, alignment of PC, SP and data.
 */
#include "common/system.h"

CODE(nothing, "nop");
CODE(svc, "svc #1");
CODE(hvc, "hvc #1");
CODE(load, "ldr x0, [x1]");
CODE(eret_el1, "msr spsr_el1, x0\n\tmsr elr_el1, x1\n\tisb\n\teret");

#define FLAGS (PSTATE_N | PSTATE_V)

/* ---- PSTATE on entry */

CASE(spsr_and_pstate_of_el1, "D1.3.1: SPSR_EL1 is PSTATE; the handler runs EL1h with DAIF masked, IL and SS clear, flags kept")
{
    static const u64 from[] = {EL0T, EL0T | PSTATE_DAIF, EL1T | PSTATE_I | FLAGS, EL1H | PSTATE_A | PSTATE_F, EL1H | PSTATE_D | PSTATE_Z | PSTATE_C};
    static const u64 vectors[] = {LOWER_SYNC, LOWER_SYNC, CURRENT_SP0_SYNC, CURRENT_SYNC, CURRENT_SYNC};

    for (int i = 0; i < 5; i++) {
        const struct exception *e = RUN(from[i], svc);
        CHECK_TAKEN(e, 1, vectors[i], ESR(EC_SVC, 1));
        CHECK(e->spsr, from[i]);
        CHECK(e->elr, svc + 4);
        CHECK(e->pstate & ~(PSTATE_PAN | PSTATE_SSBS), EL1H | PSTATE_DAIF | (from[i] & (15ul << 28)));
    }
}

CASE(spsr_and_pstate_of_el2, "D1.3.1: the same for EL2, from EL2t, EL2h, EL1")
{
    static const u64 from[] = {EL2T | FLAGS, EL2H | PSTATE_DAIF, EL1H | PSTATE_Z, EL1T | PSTATE_I};
    static const u64 vectors[] = {CURRENT_SP0_SYNC, CURRENT_SYNC, LOWER_SYNC, LOWER_SYNC};

    for (int i = 0; i < 4; i++) {
        const struct exception *e = RUN(from[i], hvc);
        CHECK_TAKEN(e, 2, vectors[i], ESR(EC_HVC, 1));
        CHECK(e->spsr, from[i]);
        CHECK(e->elr, hvc + 4);
        CHECK_MASKED(e->pstate, PSTATE_DAIF | 0x1f, EL2H | PSTATE_DAIF);
    }
}

CASE(pan_on_entry, "FEAT_PAN: entry to EL1 sets PSTATE.PAN if SCTLR_EL1.SPAN = 0, else keeps it; to EL2 with E2H = 0 keeps it")
{
    NEED(PAN);
    for (u64 pan = 0; pan < 2; pan++)
        for (u64 span = 0; span < 2; span++) {
            sysreg_write(sctlr_el1, (SCTLR_EL1_CLEAN & ~SCTLR_SPAN) | span << 23);
            const struct exception *e = RUN(EL1H | pan << 22, svc);
            CHECK(e->spsr, EL1H | pan << 22);
            CHECK_MASKED(e->pstate, PSTATE_PAN, span ? pan << 22 : PSTATE_PAN);
            if (HOME_EL == 1)
                continue;
            e = RUN(EL1H | pan << 22, hvc);
            CHECK_MASKED(e->pstate, PSTATE_PAN, pan << 22);
        }
}

CASE(pan_on_entry_of_host, "FEAT_PAN, FEAT_VHE: with {E2H, TGE} = {1, 1} SCTLR_EL2.SPAN = 0 sets PSTATE.PAN; with TGE = 0 it does not")
{
    NEED(VHE);
    for (u64 tge = 0; tge < 2; tge++)
        for (u64 span = 0; span < 2; span++) {
            next.hcr = HCR_RW | HCR_E2H | tge << 27;
            next.sctlr_el2 = (SCTLR_EL1_CLEAN & ~SCTLR_SPAN) | span << 23;
            const struct exception *e = RUN(EL2H, hvc);
            CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_HVC, 1));
            CHECK_MASKED(e->pstate, PSTATE_PAN, tge && !span ? PSTATE_PAN : 0);
        }
}

CASE(uao_on_entry, "FEAT_UAO: PSTATE.UAO is saved and cleared on entry, restored on return")
{
    NEED(UAO);
    const struct exception *e = RUN(EL1H | PSTATE_UAO, svc);
    CHECK(e->spsr, EL1H | PSTATE_UAO);
    CHECK_MASKED(e->pstate, PSTATE_UAO, 0);
    e = RUN(EL1H | PSTATE_UAO, hvc);
    CHECK_MASKED(e->pstate, PSTATE_UAO, 0);
}

CASE(dit_on_entry, "FEAT_DIT: PSTATE.DIT is saved and kept on entry")
{
    NEED(DIT);
    const struct exception *e = RUN(EL0T | PSTATE_DIT, svc);
    CHECK(e->spsr, EL0T | PSTATE_DIT);
    CHECK_MASKED(e->pstate, PSTATE_DIT, PSTATE_DIT);
}

CASE(ssbs_on_entry, "FEAT_SSBS: PSTATE.SSBS is saved, and on entry set to SCTLR_ELx.DSSBS")
{
    NEED(SSBS);
    for (u64 dssbs = 0; dssbs < 2; dssbs++)
        for (u64 ssbs = 0; ssbs < 2; ssbs++) {
            sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | dssbs << 44);
            const struct exception *e = RUN(EL0T | ssbs << 12, svc);
            CHECK(e->spsr, EL0T | ssbs << 12);
            CHECK_MASKED(e->pstate, PSTATE_SSBS, dssbs << 12);
        }
}

/* ---- illegal returns */

/* What an illegal return from EL2 to `code` leaves: an Illegal Execution state exception there, at EL2 */
static void check_illegal(u64 spsr)
{
    const struct exception *e = RUN(spsr | FLAGS | PSTATE_I | PSTATE_A, nothing);

    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_ILLEGAL, 0));
    CHECK(e->elr, nothing);
    CHECK_MASKED(e->spsr, 0xf01003dful, (EL2H | PSTATE_IL | FLAGS | PSTATE_I | PSTATE_A)); /* flags and masks are taken over, EL and SP not */
    CHECK_MASKED(e->pstate, PSTATE_IL, 0);
}

CASE(illegal_return_to_what_is_not, "D1.3.4 'Illegal exception returns': EL3, reserved M, M[1] = 1, EL0 with SP_ELx")
{
    static const u64 modes[] = {0x0c, 0x0d, 0x01, 0x02, 0x03, 0x06, 0x07, 0x0a, 0x0b, 0x0e, 0x0f};

    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        check_illegal(modes[i]);
}

CASE(illegal_return_to_aarch32, "D1.3.4: M[4] = 1 to EL1 with HCR_EL2.RW = 1; to a mode that AArch32 does not have")
{
    static const u64 modes[] = {0x11, 0x12, 0x13, 0x17, 0x1b, 0x1f, 0x1a, 0x14, 0x15, 0x18, 0x1c};

    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        check_illegal(modes[i]);
    if ((sysreg_read(id_aa64pfr0_el1) & 15) == 1) /* EL0 is AArch64 only */
        check_illegal(0x10);
}

CASE(illegal_return_with_tge, "D1.3.4: to EL1 with HCR_EL2.TGE = 1")
{
    next.hcr |= HCR_TGE;
    check_illegal(EL1H);
    check_illegal(EL1T);
    CHECK_TAKEN(RUN(EL0T, svc), 2, LOWER_SYNC, ESR(EC_SVC, 1));
}

CASE(illegal_return_from_el1, "D1.3.4: EL1 returns to EL2, EL3 or reserved M; the exception is EL1's, EL1 stays, flags and masks are taken over")
{
    static const u64 modes[] = {EL2H, EL2T, 0x0d, 0x01, 0x06, 0x13};

    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
        const struct exception *e = RUN(EL1H | PSTATE_F, eret_el1, modes[i] | FLAGS | PSTATE_D, (u64)nothing);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_ILLEGAL, 0));
        CHECK(e->elr, nothing);
        CHECK_MASKED(e->spsr, 0xf01003dful, (EL1H | PSTATE_IL | FLAGS | PSTATE_D));
    }
    /* EL1t keeps SP_EL0 */
    const struct exception *e = RUN(EL1T, eret_el1, EL2H, (u64)nothing);
    CHECK_TAKEN(e, 1, CURRENT_SP0_SYNC, ESR(EC_ILLEGAL, 0));
    CHECK_MASKED(e->spsr, 0x1f, EL1T);
}

CASE(legal_return_from_el1, "D1.3.2: EL1 to EL0 and to EL1t: PSTATE from SPSR_EL1")
{
    const struct exception *e = RUN(EL1H | PSTATE_F, eret_el1, EL0T | FLAGS, (u64)svc);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_SVC, 1));
    CHECK(e->spsr, EL0T | FLAGS);
    e = RUN(EL1H | PSTATE_F, eret_el1, EL1T | PSTATE_C, (u64)svc);
    CHECK_TAKEN(e, 1, CURRENT_SP0_SYNC, ESR(EC_SVC, 1));
    CHECK(e->spsr, EL1T | PSTATE_C);
}

CASE(illegal_state_by_spsr, "D1.3.4: SPSR.IL = 1 and a legal return: the Illegal Execution state exception at the target, to its EL1 or EL2")
{
    const struct exception *e = RUN(EL0T | PSTATE_IL, nothing);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_ILLEGAL, 0));
    CHECK(e->spsr, EL0T | PSTATE_IL);
    CHECK(e->elr, nothing);
    CHECK_MASKED(e->pstate, PSTATE_IL, 0);
    e = RUN(EL1H | PSTATE_IL, svc); /* before the SVC */
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_ILLEGAL, 0));
    CHECK(e->elr, svc);
    e = RUN(EL1H | PSTATE_IL, hvc);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_ILLEGAL, 0));
    e = RUN(EL2T | PSTATE_IL, nothing);
    CHECK_TAKEN(e, 2, CURRENT_SP0_SYNC, ESR(EC_ILLEGAL, 0));
    next.hcr |= HCR_TGE;
    e = RUN(EL0T | PSTATE_IL, nothing);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_ILLEGAL, 0));
}

CASE(illegal_state_priority, "D1.3.5.4 priorities: PC alignment fault, Instruction Abort, then Illegal Execution state")
{
    const struct exception *e = RUN(EL1H | PSTATE_IL, (u64)nothing + 2);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_PC_ALIGN, 0));
    CHECK(e->spsr, EL1H | PSTATE_IL);
    e = RUN(EL1H | PSTATE_IL, NOWHERE);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_IABT, FSC_EXTERNAL));
    CHECK(e->spsr, EL1H | PSTATE_IL);
}

/* ---- alignment */

CODE(branch, "br x0");

CASE(pc_alignment, "D1.3.5.3 'PC alignment checking': EC 0x22, FAR and ELR the PC; after the branch, not at it")
{
    for (u64 offset = 1; offset < 4; offset++) {
        const struct exception *e = RUN(EL1H, branch, (u64)nothing + offset);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_PC_ALIGN, 0));
        CHECK(e->far, (u64)nothing + offset);
        CHECK(e->elr, (u64)nothing + offset);
    }
    const struct exception *e = RUN(EL0T, (u64)nothing + 2);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_PC_ALIGN, 0));
    CHECK(e->elr, (u64)nothing + 2);
    e = RUN(EL2H, (u64)nothing + 2);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_PC_ALIGN, 0));
    next.hcr |= HCR_TGE;
    e = RUN(EL0T, branch, (u64)nothing + 2);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_PC_ALIGN, 0));
    CHECK(e->far, (u64)nothing + 2);
}

CODE(load_sp, "mov sp, x1\n\tldr x0, [sp]");
CODE(store_pair_sp, "mov sp, x1\n\tstp x2, x3, [sp, #-16]!");
CODE(add_sp, "mov sp, x1\n\tadd x0, sp, #1");
CODE(load_sp_nowhere, "mov sp, x1\n\tldr x0, [sp]");

CASE(sp_alignment, "D1.3.5.4 'SP alignment checking': SCTLR_ELx.SA for EL1 and EL2, SA0 for EL0; EC 0x26, before the access is translated")
{
    for (u64 sa = 0; sa < 4; sa++) {
        sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | (sa & 1 ? SCTLR_SA : 0) | (sa & 2 ? SCTLR_SA0 : 0));
        const char *codes[] = {load_sp, store_pair_sp};
        for (int i = 0; i < 2; i++) {
            const u64 sp = ARENA + 0x108;
            const struct exception *e = RUN(EL1H, codes[i], 0, sp);
            if (sa & 1) {
                CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_SP_ALIGN, 0));
                CHECK(e->elr, codes[i] + 4);
                CHECK(e->sp_el1, sp);
            } else {
                CHECK_RETURNED(e);
            }
            e = RUN(EL1T, codes[i], 0, sp);
            if (sa & 1) {
                CHECK_TAKEN(e, 1, CURRENT_SP0_SYNC, ESR(EC_SP_ALIGN, 0));
                CHECK(e->sp_el0, sp);
            } else {
                CHECK_RETURNED(e);
            }
            e = RUN(EL0T, codes[i], 0, sp);
            if (sa & 2)
                CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_SP_ALIGN, 0));
            else
                CHECK_RETURNED(e);
        }
        CHECK_RETURNED(RUN(EL1H, add_sp, 0, ARENA + 8));
    }
    const struct exception *e = RUN(EL1H, load_sp_nowhere, 0, NOWHERE + 8);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_SP_ALIGN, 0));
    next.sctlr_el2 |= SCTLR_SA;
    e = RUN(EL2H, load_sp, 0, ARENA + 8);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_SP_ALIGN, 0));
    CHECK(e->elr, load_sp + 4);
}

CODE(load_exclusive, "ldxr x0, [x1]");
CODE(load_acquire, "ldar x0, [x1]");
CODE(store, "str x0, [x1]");
CODE(load_pair, "ldp x0, x2, [x1]");
CODE(load_byte, "ldrb w0, [x1]");

CASE(data_alignment, "B2.8 'Alignment support': SCTLR_EL1.A; exclusives and acquires always; FAR is the address")
{
    struct tables s1;
    const struct exception *e;

    stage1_new(&s1, SHIFT_4K, 39);
    map(&s1, ARENA, ARENA, 3, RAM_RW);
    CHECK_RETURNED(RUN(EL0T, load, 0, ARENA + 1));
    CHECK_RETURNED(RUN(EL0T, store, 0, ARENA + 1));
    CHECK_RETURNED(RUN(EL0T, load_pair, 0, ARENA + 1));
    e = RUN(EL0T, load_exclusive, 0, ARENA + 12); /* crosses 16 bytes: faults with FEAT_LSE2 too */
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_ALIGNMENT));
    CHECK(e->far, ARENA + 12);
    e = RUN(EL0T, load_acquire, 0, ARENA + 12);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_ALIGNMENT));
    CHECK(e->far, ARENA + 12);
    sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | SCTLR_A);
    e = RUN(EL0T, load, 0, ARENA + 1);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_DABT_LOWER, FSC_ALIGNMENT));
    CHECK(e->far, ARENA + 1);
    e = RUN(EL1H, store, 0, ARENA + 4);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_ALIGNMENT));
    e = RUN(EL1H, load_pair, 0, ARENA + 4); /* of an element, not of the pair */
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_ALIGNMENT));
    CHECK_RETURNED(RUN(EL1H, load_pair, 0, ARENA + 8));
    CHECK_RETURNED(RUN(EL1H, load_byte, 0, ARENA + 3));
}

CASE(device_alignment, "B2.8.2: stage 1 off is Device: unaligned accesses fault, whatever SCTLR_EL1.A")
{
    const struct exception *e = RUN(EL1H, load, 0, ARENA + 1);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_DABT, FSC_ALIGNMENT));
    CHECK(e->far, ARENA + 1);
    e = RUN(EL2H, store, 0, ARENA + 2);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_DABT, ISS_WNR | FSC_ALIGNMENT));
    CHECK(e->far, ARENA + 2);
}
