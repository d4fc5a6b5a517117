/*
 * traps_instructions: WFI, WFE, SVC, HVC, SMC and FP: who takes them, by which control, with which syndrome and return address.
 */
#include "common/system.h"


CODE(wfi, "wfi");
CODE(wfe, "clrex\n\tsevl\n\twfe\n\twfe"); /* the first WFE clears the event register */
CODE(wfe_with_event, "sevl\n\twfe");
#define WFX_ISS(ti) (1ul << 24 | 14ul << 20 | (ti))

CASE(wfi_traps, "HCR_EL2.TWI, SCTLR_EL1.nTWI: WFI; EL1's control first; ISS: CV = 1, COND = 0xe, TI = 0")
{
    next.hcr = HCR_RW | 1ul << 13;
    const struct exception *e = RUN(EL1H, wfi);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(0)));
    CHECK(e->elr, wfi);
    e = RUN(EL0T, wfi); /* SCTLR_EL1.nTWI = 0 */
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(0)));
    CHECK(e->elr, wfi);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1 << 16);
    e = RUN(EL0T, wfi);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(0)));
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN);
    next.hcr = HCR_RW | HCR_TGE;
    CHECK_TAKEN(RUN(EL0T, wfi), 2, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(0)));
}

CASE(wfe_traps, "HCR_EL2.TWE, SCTLR_EL1.nTWE: WFE, if the event register is clear; ISS: TI = 1")
{
    next.hcr = HCR_RW | 1ul << 14;
    const struct exception *e = RUN(EL1H, wfe);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(1)));
    CHECK(e->elr, wfe + 12);
    CHECK_RETURNED(RUN(EL1H, wfe_with_event));
    e = RUN(EL0T, wfe);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(1)));
    CHECK(e->elr, wfe + 12);
    sysreg_write(sctlr_el1, SCTLR_EL1_CLEAN | 1 << 18);
    e = RUN(EL0T, wfe);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_WFX, WFX_ISS(1)));
}

CODE(svc_ffff, "svc #0xffff");
CODE(hvc_1234, "hvc #0x1234");
CODE(smc_1234, "smc #0x1234");

CASE(svc, "SVC: EC 0x15, ELR after it; from EL1 to EL1, from EL2 to EL2, from EL0 to EL1 or, with TGE, EL2")
{
    const struct exception *e = RUN(EL1H, svc_ffff);
    CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_SVC, 0xffff));
    CHECK(e->elr, svc_ffff + 4);
    e = RUN(EL1T, svc_ffff);
    CHECK_TAKEN(e, 1, CURRENT_SP0_SYNC, ESR(EC_SVC, 0xffff));
    CHECK(e->spsr, EL1T);
    e = RUN(EL2H, svc_ffff);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_SVC, 0xffff));
    e = RUN(EL2T | PSTATE_V, svc_ffff);
    CHECK_TAKEN(e, 2, CURRENT_SP0_SYNC, ESR(EC_SVC, 0xffff));
    CHECK(e->spsr, EL2T | PSTATE_V);
    next.hcr |= HCR_TGE;
    e = RUN(EL0T, svc_ffff);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SVC, 0xffff));
    CHECK(e->elr, svc_ffff + 4);
}

CASE(hvc, "HVC: EC 0x16, ELR after it; UNDEFINED at EL0; HCR_EL2.HCD makes it UNDEFINED at EL1 and EL2")
{
    const struct exception *e = RUN(EL1H, hvc_1234);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_HVC, 0x1234));
    CHECK(e->elr, hvc_1234 + 4);
    e = RUN(EL2H, hvc_1234);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_HVC, 0x1234));
    CHECK(e->elr, hvc_1234 + 4);
    e = RUN(EL0T, hvc_1234);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK(e->elr, hvc_1234);
    next.hcr |= 1ul << 29;
    e = RUN(EL2H, hvc_1234);
    CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK(e->elr, hvc_1234);
    /* EL1's vectors, an HVC each, do not work now: let stage 2 report where EL1 went */
    struct tables s2;
    stage2_new(&s2, SHIFT_4K, 36, 1);
    sysreg_write(vbar_el1, 0x800000000);
    e = RUN(EL1H, hvc_1234);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_IABT_LOWER, FSC_TRANSLATION(1)));
    CHECK(e->elr, 0x800000200);
    CHECK(sysreg_read(esr_el1), ESR(EC_UNKNOWN, 0));
    CHECK(sysreg_read(elr_el1), hvc_1234);
}

CASE(smc_traps, "HCR_EL2.TSC: SMC from EL1: EC 0x17, ELR at it; UNDEFINED at EL0")
{
    next.hcr |= 1ul << 19;
    const struct exception *e = RUN(EL1H, smc_1234);
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SMC, 0x1234));
    CHECK(e->elr, smc_1234);
    e = RUN(EL0T, smc_1234);
    CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    CHECK(e->elr, smc_1234);
}

/* ---- FP */

CODE(fmov, ".inst 0x9e670000");     /* fmov d0, x0 */
CODE(fpcr_read, "mrs x0, fpcr");
CODE(ldr_q0, ".inst 0x3dc00020");   /* ldr q0, [x1] */
#define FP_ISS (1ul << 24 | 14ul << 20)

CASE(fp_el1_traps, "CPACR_EL1.FPEN: 00 and 10 trap EL1 and EL0, 01 EL0 only; EC 7, CV = 1, COND = 0xe")
{
    const char *codes[] = {fmov, fpcr_read, ldr_q0};
    for (u64 fpen = 0; fpen < 4; fpen++)
        for (int i = 0; i < 3; i++) {
            sysreg_write(cpacr_el1, fpen << 20);
            const struct exception *e = RUN(EL1H, codes[i], 0, ARENA);
            if (fpen & 1)
                CHECK_RETURNED(e);
            else
                CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_FP, FP_ISS));
            e = RUN(EL0T, codes[i], 0, ARENA);
            if (fpen == 3)
                CHECK_RETURNED(e);
            else
                CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_FP, FP_ISS));
        }
}

CASE(fp_el2_traps, "CPTR_EL2.TFP (E2H = 0): EL2, EL1, EL0; after CPACR_EL1; EC 7")
{
    sysreg_write(cptr_el2, 0x33ff | 1 << 10);
    sysreg_write(cpacr_el1, 3 << 20);
    CHECK_TAKEN(RUN(EL0T, fmov), 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
    CHECK_TAKEN(RUN(EL1H, fmov), 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
    CHECK_TAKEN(RUN(EL2H, fmov), 2, CURRENT_SYNC, ESR(EC_FP, FP_ISS));
    CHECK_TAKEN(RUN(EL1H, fpcr_read), 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
    sysreg_write(cpacr_el1, 0);
    CHECK_TAKEN(RUN(EL0T, fmov), 1, LOWER_SYNC, ESR(EC_FP, FP_ISS));
    CHECK_TAKEN(RUN(EL1H, fmov), 1, CURRENT_SYNC, ESR(EC_FP, FP_ISS));
}

CASE(fp_tge, "AArch64.AdvSIMDFPAccessTrap: CPACR_EL1's trap of EL0 under HCR_EL2.TGE is taken to EL2 with EC 0")
{
    next.hcr |= HCR_TGE;
    CHECK_TAKEN(RUN(EL0T, fmov), 2, LOWER_SYNC, ESR(EC_UNKNOWN, 0));
    sysreg_write(cpacr_el1, 3 << 20);
    CHECK_RETURNED(RUN(EL0T, fmov));
}

CASE(fp_e2h, "CPTR_EL2.FPEN (E2H = 1): EL2; EL1 and EL0 (TGE = 0) for 00 and 10; host's EL0 (TGE = 1) for 01 too")
{
    NEED(VHE);
    sysreg_write(cpacr_el1, 3 << 20);
    for (u64 fpen = 0; fpen < 4; fpen++) {
        sysreg_write(cptr_el2, fpen << 20);
        next.hcr = HCR_RW | HCR_E2H;
        const struct exception *e = RUN(EL2H, fmov);
        if (fpen & 1)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, CURRENT_SYNC, ESR(EC_FP, FP_ISS));
        e = RUN(EL1H, fmov);
        if (fpen & 1)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
        e = RUN(EL0T, fmov);
        if (fpen & 1)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
        next.hcr |= HCR_TGE;
        sysreg_write(cpacr_el1, 0); /* not asked */
        e = RUN(EL0T, fmov);
        if (fpen == 3)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_FP, FP_ISS));
        sysreg_write(cpacr_el1, 3 << 20);
    }
}
