/*
 * interrupts: physical and virtual IRQ and FIQ: where they are taken, what masks them, what comes first; waiting for them and for events.
 */
#include "../common/gic.h"
#include "common/system.h"

CODE(nothing, "nop");
CODE(svc, "svc #1");

/* ---- an interrupt for EL1 */

#define SGI 5

static void pend(int group0)
{
    if (group0)
        write32(GICR_BASE(0) + GICR_IGROUPR0, read32(GICR_BASE(0) + GICR_IGROUPR0) & ~(1u << SGI));
    else
        write32(GICR_BASE(0) + GICR_IGROUPR0, read32(GICR_BASE(0) + GICR_IGROUPR0) | 1u << SGI);
    gic_enable_private(0, SGI);
    sysreg_write(icc_pmr_el1, 0xff);
    sysreg_write(icc_igrpen0_el1, 1);
    sysreg_write(icc_igrpen1_el1, 1);
    write32(GICR_BASE(0) + 0x10200, 1u << SGI); /* GICR_ISPENDR0 */
}

static void unpend(void)
{
    write32(GICR_BASE(0) + 0x10280, 1u << SGI);
    write32(GICR_BASE(0) + GICR_IGROUPR0, read32(GICR_BASE(0) + GICR_IGROUPR0) | 1u << SGI);
}

/* One that stays: at EL2 a virtual one by HCR_EL2, at EL1 an SGI. */
static void irq_for_el1(void)
{
    if (HOME_EL == 2)
        next.hcr |= HCR_IMO | HCR_VI;
    else
        pend(0);
}

static void fiq_for_el1(void)
{
    no_watchdog();
    if (HOME_EL == 2)
        next.hcr |= HCR_FMO | HCR_VF;
    else
        pend(1);
}

CODE(isr, "mrs x0, isr_el1");
CODE(unmask_irq, "msr daifclr, #2\n\tnop\n\tnop");

CASE(virtual_irq, "HCR_EL2.VI with IMO, or at EL1 an IRQ: taken to EL1 from EL0 and EL1 before the first instruction, unless PSTATE.I")
{
    irq_for_el1();
    const struct exception *e = RUN(EL1H, nothing);
    CHECK(e->el, 1);
    CHECK(e->vector, CURRENT_IRQ);
    CHECK(e->elr, nothing);
    CHECK(e->spsr, EL1H);
    e = RUN(EL1T, nothing);
    CHECK(e->vector, 0x080);
    e = RUN(EL0T, nothing);
    CHECK(e->el, 1);
    CHECK(e->vector, LOWER_IRQ);
    CHECK_RETURNED(RUN(EL1H | PSTATE_I, nothing));
    CHECK_TAKEN(RUN(EL0T | PSTATE_I, svc), 1, LOWER_SYNC, ESR(EC_SVC, 1));
    e = RUN(EL1H | PSTATE_I, isr);
    CHECK_MASKED(e->x[0], 0x1c0, 1 << 7);
    e = RUN(EL1H | PSTATE_I, unmask_irq);
    CHECK(e->vector, CURRENT_IRQ);
    if (HOME_EL == 1) {
        unpend();
        CHECK_RETURNED(RUN(EL1H, nothing));
        return;
    }
    CHECK_RETURNED(RUN(EL2H, nothing)); /* never at EL2 */
    next.hcr &= ~HCR_IMO; /* VI needs IMO */
    CHECK_RETURNED(RUN(EL1H, nothing));
    e = RUN(EL1H, isr);
    CHECK_MASKED(e->x[0], 1 << 7, 0);
    next.hcr |= HCR_IMO | HCR_TGE; /* no virtual interrupts with TGE */
    CHECK_TAKEN(RUN(EL0T, svc), 2, LOWER_SYNC, ESR(EC_SVC, 1));
}

CASE(virtual_fiq, "HCR_EL2.VF with FMO, or at EL1 an FIQ: as VI")
{
    fiq_for_el1();
    const struct exception *e = RUN(EL1H, nothing);
    CHECK(e->el, 1);
    CHECK(e->vector, CURRENT_FIQ);
    CHECK(e->elr, nothing);
    e = RUN(EL0T | PSTATE_I, nothing);
    CHECK(e->vector, LOWER_FIQ);
    CHECK_RETURNED(RUN(EL1H | PSTATE_F, nothing));
    e = RUN(EL1H | PSTATE_F, isr);
    CHECK_MASKED(e->x[0], 0x1c0, 1 << 6);
    if (HOME_EL == 1)
        unpend();
    else
        next.hcr &= ~HCR_FMO;
    CHECK_RETURNED(RUN(EL1H, nothing));
}

CASE(several_virtual, "D1.3.6: several virtual interrupts: each is taken once the others are masked or gone")
{
    next.hcr |= HCR_AMO | HCR_VSE | HCR_IMO | HCR_VI | HCR_FMO | HCR_VF;
    CHECK(RUN(EL1H | PSTATE_A | PSTATE_F, nothing)->vector, CURRENT_IRQ);
    CHECK(RUN(EL1H | PSTATE_A | PSTATE_I, nothing)->vector, CURRENT_FIQ);
    CHECK(RUN(EL1H | PSTATE_F | PSTATE_I, nothing)->vector, CURRENT_SERROR);
    const struct exception *e = RUN(EL1H | PSTATE_F | PSTATE_I | PSTATE_A, isr);
    CHECK_RETURNED(e);
    CHECK_MASKED(e->x[0], 0x1c0, 0x1c0);
}

/* ---- physical interrupts */

/* Where a physical interrupt goes (Table D1-14, no EL3): 0 not taken, 1, 2. PSTATE masks the host's EL0 ({E2H, TGE} = {1, 1}; D1.3.6). */
static u64 target(u64 el, int masked, int routed, int tge, int e2h)
{
    if (el == 0 && e2h && tge)
        return masked ? 0 : 2;
    if (el == 2)
        return (routed || tge) && !masked ? 2 : 0;
    if (routed || tge)
        return 2;
    return masked ? 0 : 1;
}

static void check_routing(int group0, u64 mask, u64 route, u64 vector)
{
    static const u64 modes[] = {EL0T, EL1H, EL2H};

    no_watchdog();
    pend(group0);
    for (u64 e2h = 0; e2h <= (u64)have(FEAT_VHE); e2h++)
        for (int tge = 0; tge < 2; tge++)
            for (int routed = 0; routed < 2; routed++)
                for (u64 el = 0; el < 3; el++)
                    for (int masked = 0; masked < 2; masked++) {
                        if ((tge && el == 1) || (HOME_EL == 1 && (e2h || tge || routed || el == 2)))
                            continue;
                        next.hcr = HCR_RW | e2h << 34 | (u64)tge << 27 | (routed ? route : 0);
                        next.sctlr_el2 = e2h ? SCTLR_EL1_CLEAN : SCTLR_EL2_OFF;
                        const struct exception *e = RUN(modes[el] | (masked ? mask : 0), nothing);
                        const u64 to = target(el, masked, routed, tge, e2h);
                        static char name[] = "E2H x TGE x routed x EL x masked x";
                        name[4] = '0' + e2h, name[10] = '0' + tge, name[19] = '0' + routed, name[24] = '0' + el, name[33] = '0' + masked;
                        at_row(name);
                        if (!to) {
                            CHECK_RETURNED(e);
                            continue;
                        }
                        CHECK(e->el, to);
                        CHECK(e->vector, vector | (el == to ? 0x200 : 0x400));
                        CHECK(e->elr, nothing);
                    }
    unpend();
}

CASE(irq_routing, "Table D1-14: physical IRQ by HCR_EL2.{E2H, TGE, IMO}, EL and PSTATE.I") { check_routing(0, PSTATE_I, HCR_IMO, 0x80); }
CASE(fiq_routing, "Table D1-14: physical FIQ by HCR_EL2.{E2H, TGE, FMO}, EL and PSTATE.F") { check_routing(1, PSTATE_F, HCR_FMO, 0x100); }

CASE(isr_physical, "ISR_EL1: at EL2 physical pending; at EL1 physical unless HCR_EL2.IMO routes it to EL2")
{
    const u64 home = (HOME_EL == 2 ? EL2H : EL1H) | PSTATE_I;

    pend(0);
    CHECK_MASKED(RUN(home, isr)->x[0], 1 << 7, 1 << 7);
    CHECK_MASKED(RUN(EL1H | PSTATE_I, isr)->x[0], 1 << 7, 1 << 7);
    unpend();
    CHECK_MASKED(RUN(home, isr)->x[0], 1 << 7, 0);
}

/* ---- waiting */

CODE(wfi, "wfi");
CODE(wfe_twice, "wfe\n\twfe");
CODE(wfe_after_sev, "wfe\n\tsev\n\twfe\n\twfe");

CASE(wfi_wakes, "D1.6.2: WFI ends at a pending interrupt, masked or not; virtual ones count at EL1")
{
    pend(0);
    CHECK_RETURNED(RUN(EL1H | PSTATE_I, wfi));
    if (HOME_EL == 1)
        return;
    CHECK_RETURNED(RUN(EL2H | PSTATE_I, wfi));
    unpend();
    next.hcr |= HCR_IMO | HCR_VI;
    CHECK_RETURNED(RUN(EL1H | PSTATE_I, wfi));
}

CASE(event_register, "D1.6.1: set by SEV, SEVL and an exception return, cleared by WFE; seen by HCR_EL2.TWE")
{
    next.hcr |= 1ul << 14;
    const struct exception *e = RUN(EL1H, wfe_twice); /* RUN() enters by ERET */
    CHECK(ESR_EC(e->esr), EC_WFX);
    CHECK(e->elr, wfe_twice + 4);
    e = RUN(EL1H, wfe_after_sev);
    CHECK(ESR_EC(e->esr), EC_WFX);
    CHECK(e->elr, wfe_after_sev + 12);
}

CASE(interrupt_before_faults, "D1.3.6: an interrupt pending at a context synchronization event is taken before what the next instruction raises")
{
    irq_for_el1();
    const struct exception *e = RUN(EL1H, NOWHERE); /* the fetch would abort */
    CHECK(e->el, 1);
    CHECK(e->vector, CURRENT_IRQ);
    CHECK(e->elr, NOWHERE);
    e = RUN(EL1H, (u64)nothing + 2);
    CHECK(e->vector, CURRENT_IRQ);
    CHECK(e->elr, (u64)nothing + 2);
    e = RUN(EL1H | PSTATE_IL, nothing);
    CHECK(e->vector, CURRENT_IRQ);
    CHECK(e->spsr, EL1H | PSTATE_IL);
    e = RUN(EL0T, svc);
    CHECK(e->vector, LOWER_IRQ);
    CHECK(e->elr, svc);
}

CODE(svc_then_isb, "msr daifclr, #2\n\tsvc #1");

CASE(interrupt_after_unmasking, "D1.3.6: MSR DAIFClr: the interrupt is taken at the latest at the next context synchronization event, an exception entry masks it")
{
    irq_for_el1();
    const struct exception *e = RUN(EL1H | PSTATE_I, svc_then_isb);
    /* before the SVC, or after it had masked interrupts again: both are allowed; nothing is lost or doubled */
    CHECK(e->el, 1);
    if (e->vector == CURRENT_IRQ)
        CHECK(e->elr, svc_then_isb + 4);
    else
        CHECK_TAKEN(e, 1, CURRENT_SYNC, ESR(EC_SVC, 1));
    CHECK_MASKED(e->spsr, PSTATE_I, 0);
}
