/*
 * nested: a hypervisor at EL1 with HCR_EL2.NV: which registers and instructions trap, and what EL1 is told of itself.
 */
#include "common/nested.h"

CASE(names_of_el2_trap, "HCR_EL2.NV; accessibility of each register: `xx1` of EffectiveHCR_EL2_NVx()")
{
    NEED(NV);
    names_trap(HCR_NV, all);
}

CASE(names_of_el2_trap_with_nv1, "HCR_EL2.NV; accessibility of each register: `xx1` of EffectiveHCR_EL2_NVx()")
{
    NEED(NV);
    names_trap(HCR_NV | HCR_NV1, all);
}

CASE(names_of_el2_are_undefined_without_nv, "accessibility of each register at EL1; HCR_EL2.NV1 and NV2 do nothing with NV = 0")
{
    NEED(NV);
    static const u64 hcr[] = {0, HCR_NV2};
    sysreg_set(VNCR_EL2, ARENA);
    for (u64 h = 0; h < COUNT(hcr); h++) {
        next.hcr = HCR_RW | hcr[h];
        FOR_NAMES_OF_EL2(r) {
            at_row(r->name);
            undefined(read(EL1H, r->reg), CURRENT_SYNC);
            undefined(write(EL1H, r->reg, 0), CURRENT_SYNC);
        }
    }
}

CASE(names_of_el2_are_undefined_at_el0, "accessibility of each register at EL0")
{
    NEED(NV2);
    static const u64 hcr[] = {HCR_NV, HCR_NV | HCR_NV2, HCR_NV | HCR_NV1 | HCR_NV2};
    sysreg_set(VNCR_EL2, ARENA);
    for (u64 h = 0; h < COUNT(hcr); h++) {
        next.hcr = HCR_RW | hcr[h];
        FOR_NAMES_OF_EL2(r) {
            at_row(r->name);
            undefined(read(EL0T, r->reg), LOWER_SYNC);
            undefined(write(EL0T, r->reg, 0), LOWER_SYNC);
        }
    }
}

CASE(sp_el2_is_not_among_them, "HCR_EL2.NV: registers of EL2 'except SP_EL2'; SP_EL2 is UNDEFINED below EL3")
{
    NEED(NV);
    next.hcr |= HCR_NV;
    undefined(read(EL1H, SYSREG(3, 6, 4, 1, 0)), CURRENT_SYNC);
    undefined(write(EL1H, SYSREG(3, 6, 4, 1, 0), 0), CURRENT_SYNC);
}

/* ---- instructions */

static const struct row instructions[] = {
    {"AT S1E2R", SYSREG(1, 4, 7, 8, 0), TRAPS, 0, 0},
    {"AT S1E2W", SYSREG(1, 4, 7, 8, 1), TRAPS, 0, 0},
    {"AT S12E1R", SYSREG(1, 4, 7, 8, 4), TRAPS, 0, 0},
    {"AT S12E1W", SYSREG(1, 4, 7, 8, 5), TRAPS, 0, 0},
    {"AT S12E0R", SYSREG(1, 4, 7, 8, 6), TRAPS, 0, 0},
    {"AT S12E0W", SYSREG(1, 4, 7, 8, 7), TRAPS, 0, 0},
    {"TLBI IPAS2E1IS", SYSREG(1, 4, 8, 0, 1), TRAPS, 0, 0},
    {"TLBI RIPAS2E1IS", SYSREG(1, 4, 8, 0, 2), TRAPS, 0, 0},
    {"TLBI IPAS2LE1IS", SYSREG(1, 4, 8, 0, 5), TRAPS, 0, 0},
    {"TLBI ALLE2OS", SYSREG(1, 4, 8, 1, 0), TRAPS, 0, 0},
    {"TLBI VMALLS12E1OS", SYSREG(1, 4, 8, 1, 6), TRAPS, 0, 0},
    {"TLBI RVAE2IS", SYSREG(1, 4, 8, 2, 1), TRAPS, 0, 0},
    {"TLBI ALLE2IS", SYSREG(1, 4, 8, 3, 0), TRAPS, 0, 0},
    {"TLBI VAE2IS", SYSREG(1, 4, 8, 3, 1), TRAPS, 0, 0},
    {"TLBI ALLE1IS", SYSREG(1, 4, 8, 3, 4), TRAPS, 0, 0},
    {"TLBI VALE2IS", SYSREG(1, 4, 8, 3, 5), TRAPS, 0, 0},
    {"TLBI VMALLS12E1IS", SYSREG(1, 4, 8, 3, 6), TRAPS, 0, 0},
    {"TLBI IPAS2E1", SYSREG(1, 4, 8, 4, 1), TRAPS, 0, 0},
    {"TLBI IPAS2LE1", SYSREG(1, 4, 8, 4, 5), TRAPS, 0, 0},
    {"TLBI RVALE2", SYSREG(1, 4, 8, 6, 5), TRAPS, 0, 0},
    {"TLBI ALLE2", SYSREG(1, 4, 8, 7, 0), TRAPS, 0, 0},
    {"TLBI VAE2", SYSREG(1, 4, 8, 7, 1), TRAPS, 0, 0},
    {"TLBI ALLE1", SYSREG(1, 4, 8, 7, 4), TRAPS, 0, 0},
    {"TLBI VALE2", SYSREG(1, 4, 8, 7, 5), TRAPS, 0, 0},
    {"TLBI VMALLS12E1", SYSREG(1, 4, 8, 7, 6), TRAPS, 0, 0},
};

CASE(instructions_of_el2_trap, "HCR_EL2.NV; accessibility of AT S1E2R and the others: `xx1` of EffectiveHCR_EL2_NVx()")
{
    NEED(NV2);
    NEED(TLBIRANGE);
    static const u64 hcr[] = {HCR_NV, HCR_NV | HCR_NV2, HCR_NV | HCR_NV1 | HCR_NV2};
    for (u64 h = 0; h < COUNT(hcr); h++) {
        next.hcr = HCR_RW | hcr[h];
        for (u64 i = 0; i < COUNT(instructions); i++) {
            at_row(instructions[i].name);
            traps(write(EL1H, instructions[i].reg, 0), instructions[i].reg, 4, 0);
        }
    }
}

CASE(instructions_of_el2_are_undefined_without_nv, "accessibility of AT S1E2R and the others at EL1 and EL0")
{
    NEED(NV);
    for (u64 i = 0; i < COUNT(instructions); i++) {
        at_row(instructions[i].name);
        next.hcr = HCR_RW;
        undefined(write(EL1H, instructions[i].reg, 0), CURRENT_SYNC);
        next.hcr = HCR_RW | HCR_NV;
        undefined(write(EL0T, instructions[i].reg, 0), LOWER_SYNC);
    }
}

CASE(instructions_of_el1_do_not_trap, "TLBI VMALLE1 and AT S1E1R at EL1: HCR_EL2.NV has no part in them")
{
    NEED(NV);
    next.hcr |= HCR_NV;
    CHECK_RETURNED(write(EL1H, SYSREG(1, 0, 8, 7, 0), 0));
    CHECK_RETURNED(write(EL1H, SYSREG(1, 0, 7, 8, 0), ARENA));
    CHECK_MASKED(sysreg_get(SYSREG(3, 0, 7, 4, 0)), 0xfffffffff001, ARENA);
}

CASE(at_of_el1_traps_by_at, "HCR_EL2.AT; AT S1E1R, S1E1W, S1E0R, S1E0W, S1E1RP, S1E1WP at EL1, with and without NV")
{
    NEED(NV);
    static const struct row at[] = {
        {"AT S1E1R", SYSREG(1, 0, 7, 8, 0), TRAPS, 0, 0},  {"AT S1E1W", SYSREG(1, 0, 7, 8, 1), TRAPS, 0, 0},
        {"AT S1E0R", SYSREG(1, 0, 7, 8, 2), TRAPS, 0, 0},  {"AT S1E0W", SYSREG(1, 0, 7, 8, 3), TRAPS, 0, 0},
        {"AT S1E1RP", SYSREG(1, 0, 7, 9, 0), TRAPS, 0, 0}, {"AT S1E1WP", SYSREG(1, 0, 7, 9, 1), TRAPS, 0, 0},
    };
    for (u64 i = 0; i < COUNT(at); i++) {
        at_row(at[i].name);
        next.hcr = HCR_RW | HCR_AT;
        traps(write(EL1H, at[i].reg, ARENA), at[i].reg, 4, 0);
        next.hcr = HCR_RW | HCR_AT | HCR_NV;
        traps(write(EL1H, at[i].reg, ARENA), at[i].reg, 4, 0);
        next.hcr = HCR_RW;
        CHECK_RETURNED(write(EL1H, at[i].reg, ARENA));
    }
}

CODE(at_el2, ".inst 0xd69f03e0"); /* ERET */

CASE(eret_traps, "HCR_EL2.NV; AArch64.CheckForERetTrap(); ISS encoding for an exception from ERET: 0 without pointer authentication")
{
    NEED(NV2);
    static const u64 hcr[] = {HCR_NV, HCR_NV | HCR_NV1, HCR_NV | HCR_NV2, HCR_NV | HCR_NV1 | HCR_NV2};
    for (u64 h = 0; h < COUNT(hcr); h++) {
        next.hcr = HCR_RW | hcr[h];
        const struct exception *e = RUN(EL1H | PSTATE_C, at_el2);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_ERET, 0));
        CHECK(e->elr, at_el2);
        CHECK(e->spsr, EL1H | PSTATE_C);
    }
}

CODE(eret_to_x0, "msr elr_el1, x0\n\tmov x1, #5\n\tmsr spsr_el1, x1\n\teret");
CODE(after_eret, "mov x2, #77");

CASE(eret_without_nv_returns, "HCR_EL2.NV1 and NV2 do nothing with NV = 0; ERET at EL0 is UNDEFINED with NV = 1 too")
{
    NEED(NV2);
    next.hcr |= HCR_NV2;
    const struct exception *e = RUN(EL1H, eret_to_x0, (u64)after_eret);
    CHECK_RETURNED(e);
    CHECK(e->x[2], 77);
    next.hcr |= HCR_NV;
    e = RUN(EL0T, at_el2);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
}

CASE(eret_traps_by_both, "AArch64.CheckForERetTrap(): HCR_EL2.NV or HFGITR_EL2.ERET")
{
    NEED(NV);
    NEED(FGT);
    sysreg_set(SYSREG(3, 4, 1, 1, 6), 1ul << 51); /* HFGITR_EL2.ERET */
    static const u64 hcr[] = {0, HCR_NV};
    for (u64 h = 0; h < COUNT(hcr); h++) {
        next.hcr = HCR_RW | hcr[h];
        const struct exception *e = RUN(EL1H, at_el2);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_ERET, 0));
        CHECK(e->elr, at_el2);
    }
}

CODE(smc_3, "smc #3");
CODE(hvc_4, "hvc #4");

CASE(smc_and_hvc_reach_el2, "HCR_EL2.TSC with NV = 1: EC 0x17, to the SMC itself; HVC as ever")
{
    NEED(NV);
    next.hcr |= HCR_NV | HCR_TSC;
    const struct exception *e = RUN(EL1H, smc_3);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SMC, 3));
    CHECK(e->elr, smc_3);
    e = RUN(EL1H, hvc_4);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_HVC, 4));
    CHECK(e->elr, hvc_4 + 4);
}

/* ---- what EL1 is told of itself */

CASE(current_el, "CurrentEL: EL2 at EL1 with `xx1` of EffectiveHCR_EL2_NVx()")
{
    NEED(NV2);
    static const struct { u64 hcr, el; } rows[] = {
        {0, 4},      {HCR_NV2, 4},
        {HCR_NV, 8}, {HCR_NV | HCR_NV1, 8}, {HCR_NV | HCR_NV2, 8}, {HCR_NV | HCR_NV1 | HCR_NV2, 8},
    };
    for (u64 i = 0; i < COUNT(rows); i++) {
        next.hcr = HCR_RW | rows[i].hcr;
        const struct exception *e = read(EL1H, CURRENT_EL);
        CHECK_RETURNED(e);
        CHECK(e->x[3], rows[i].el);
        undefined(read(EL0T, CURRENT_EL), LOWER_SYNC);
    }
    next.hcr = HCR_RW | HCR_NV;
    const struct exception *e = read(EL2H, CURRENT_EL);
    CHECK(e->x[3], 8);
}

CODE(svc_9, "svc #9");

CASE(spsr_of_an_exception_from_el1_to_el1, "AArch64.TakeException(): M[3:2] is 0b10 with EffectiveHCR_EL2_NVx() 'x01' or '111'")
{
    NEED(NV2);
    static const struct { u64 hcr; int el2; } rows[] = {
        {0, 0},      {HCR_NV2, 0},
        {HCR_NV, 1}, {HCR_NV | HCR_NV1, 0}, {HCR_NV | HCR_NV2, 1}, {HCR_NV | HCR_NV1 | HCR_NV2, 1},
    };
    for (u64 i = 0; i < COUNT(rows); i++) {
        next.hcr = HCR_RW | rows[i].hcr;
        const struct exception *e = RUN(EL1H | PSTATE_Z, svc_9);
        CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_SVC, 9));
        CHECK(e->spsr, (rows[i].el2 ? EL2H : EL1H) | PSTATE_Z);
        CHECK_MASKED(e->pstate, 15, EL1H);
        e = RUN(EL1T | PSTATE_V, svc_9);
        CHECK_TAKEN(e, 1, CURRENT_SP0_SYNC, ESR(EC_SVC, 9));
        CHECK(e->spsr, (rows[i].el2 ? EL2T : EL1T) | PSTATE_V);
        e = RUN(EL0T | PSTATE_N, svc_9); /* from EL0, and to EL2: as ever */
        CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_SVC, 9));
        CHECK(e->spsr, EL0T | PSTATE_N);
        e = RUN(EL1H | PSTATE_C, hvc_4);
        CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_HVC, 4));
        CHECK(e->spsr, EL1H | PSTATE_C);
    }
}

/* ---- NV1: EL1's names are those of the guest */

CASE(nv1_traps_vbar_elr_spsr, "HCR_EL2.NV1: VBAR_EL1, ELR_EL1, SPSR_EL1 with EffectiveHCR_EL2_NVx() '011'; the others do not trap")
{
    NEED(NV);
    next.hcr |= HCR_NV | HCR_NV1;
    for (u64 i = 0; i < COUNT(el1_names); i++) {
        const struct row *r = &el1_names[i];
        const int traps_by_nv1 = r->offset == 0x160 || r->offset == 0x230 || r->offset == 0x250;
        at_row(r->name);
        const struct exception *e = read(EL1H, r->reg);
        if (traps_by_nv1)
            traps(e, r->reg, 3, 1);
        else
            CHECK_RETURNED(e);
        e = write(EL1H, r->reg, sysreg_get(r->reg));
        if (traps_by_nv1)
            traps(e, r->reg, 4, 0);
        else
            CHECK_RETURNED(e);
    }
}

CASE(without_nv1_they_do_not_trap, "HCR_EL2.NV1 = 0, or NV = 0 with NV2 = 1: VBAR_EL1, ELR_EL1 and SPSR_EL1 are EL1's")
{
    NEED(NV2);
    static const u64 hcr[] = {0, HCR_NV, HCR_NV | HCR_NV2, HCR_NV2};
    sysreg_set(VNCR_EL2, ARENA);
    for (u64 h = 0; h < COUNT(hcr); h++) {
        next.hcr = HCR_RW | hcr[h];
        for (u64 i = 0; i < COUNT(el1_names); i++) {
            const struct row *r = &el1_names[i];
            const u64 old = sysreg_get(r->reg);
            at_row(r->name);
            *(volatile u64 *)(ARENA + r->offset) = ~0ul;
            const struct exception *e = read(EL1H, r->reg);
            CHECK_RETURNED(e);
            if (r->offset != 0x170 && r->offset != 0x180) /* ISTATUS is UNKNOWN */
                CHECK(e->x[3], old);
            CHECK_RETURNED(write(EL1H, r->reg, old));
            CHECK(*(volatile u64 *)(ARENA + r->offset), ~0ul);
        }
    }
}
