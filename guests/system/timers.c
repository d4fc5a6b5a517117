/*
 * timers: the generic timers of EL1 and EL2, with every control and offset: comparison, TVAL, masks, the interrupt as a level, CNTVOFF
 * and CNTPOFF, redirection by E2H, event streams, and who may touch what.
 */
#include "../common/gic.h"
#include "common/system.h"

#define ENABLE 1ul
#define IMASK 2ul
#define ISTATUS 4ul
#define FAR (1ul << 40) /* counts: hours */

#define CNTKCTL SYSREG(3, 0, 14, 1, 0)
#define CNTFRQ SYSREG(3, 3, 14, 0, 0)
#define CNTPCT SYSREG(3, 3, 14, 0, 1)
#define CNTVCT SYSREG(3, 3, 14, 0, 2)
#define CNTPCTSS SYSREG(3, 3, 14, 0, 5)
#define CNTVCTSS SYSREG(3, 3, 14, 0, 6)
#define CNTP_TVAL SYSREG(3, 3, 14, 2, 0)
#define CNTP_CTL SYSREG(3, 3, 14, 2, 1)
#define CNTP_CVAL SYSREG(3, 3, 14, 2, 2)
#define CNTV_TVAL SYSREG(3, 3, 14, 3, 0)
#define CNTV_CTL SYSREG(3, 3, 14, 3, 1)
#define CNTV_CVAL SYSREG(3, 3, 14, 3, 2)
#define CNTPOFF SYSREG(3, 4, 14, 0, 6)
#define CNTHP_TVAL SYSREG(3, 4, 14, 2, 0)
#define CNTHP_CTL SYSREG(3, 4, 14, 2, 1)
#define CNTHP_CVAL SYSREG(3, 4, 14, 2, 2)
#define CNTHV_TVAL SYSREG(3, 4, 14, 3, 0)
#define CNTHV_CTL SYSREG(3, 4, 14, 3, 1)
#define CNTHV_CVAL SYSREG(3, 4, 14, 3, 2)
#define CNTP_TVAL_EL02 SYSREG(3, 5, 14, 2, 0)
#define CNTP_CTL_EL02 SYSREG(3, 5, 14, 2, 1)
#define CNTP_CVAL_EL02 SYSREG(3, 5, 14, 2, 2)
#define CNTV_CVAL_EL02 SYSREG(3, 5, 14, 3, 2)
#define CNTKCTL_EL12 SYSREG(3, 5, 14, 1, 0)

static const struct timer {
    const char *name;
    u32 ctl, cval, tval, intid;
    int vhe;
} timers[] = {
    {"CNTP", CNTP_CTL, CNTP_CVAL, CNTP_TVAL, 30, 0},
    {"CNTV", CNTV_CTL, CNTV_CVAL, CNTV_TVAL, 27, 0},
    {"CNTHP", CNTHP_CTL, CNTHP_CVAL, CNTHP_TVAL, 26, 0},
    {"CNTHV", CNTHV_CTL, CNTHV_CVAL, CNTHV_TVAL, 28, 1},
};
/* `t`: each timer that this CPU has; the watchdog must be off for CNTHP. */
#define EACH_TIMER(t)                                                                                                  \
    for (const struct timer *t = timers; t < timers + 2 * HOME_EL; t++)                                                \
        if (at_row(t->name), !t->vhe || have(FEAT_VHE))

static u64 now(void) { return sysreg_read(cntpct_el0); }
static int near(u64 a, u64 b) { return a - b + FAR / 2 < FAR; }

/* ---- comparison */

CASE(condition, "D12.2.4 'Operation of the timers': CVAL; CNTP_CTL_EL0")
{
    no_watchdog();
    EACH_TIMER(t)
    {
        static const struct {
            long from_now;
            u64 status;
        } rows[] = {{-1, ISTATUS}, {FAR, 0}};
        for (int i = 0; i < 2; i++) {
            sysreg_set(t->cval, now() + rows[i].from_now);
            sysreg_set(t->ctl, ENABLE | IMASK);
            CHECK(sysreg_get(t->ctl), ENABLE | IMASK | rows[i].status); /* IMASK does not hide it */
            sysreg_set(t->ctl, 0);
            CHECK_MASKED(sysreg_get(t->ctl), ENABLE | IMASK, 0);
        }
        /* The comparison is unsigned, of 64 bits. */
        sysreg_set(t->cval, ~0ul);
        sysreg_set(t->ctl, ENABLE | IMASK);
        CHECK(sysreg_get(t->ctl), ENABLE | IMASK);
        sysreg_set(t->cval, 0);
        CHECK(sysreg_get(t->ctl), ENABLE | IMASK | ISTATUS);
        sysreg_set(t->ctl, ~0ul & ~ENABLE); /* ISTATUS is read-only, the rest RES0 */
        CHECK_MASKED(sysreg_get(t->ctl), ~ISTATUS, IMASK);
    }
}

CASE(timer_value, "D12.2.4 'Operation of the timers': TVAL, signed, 32 bits")
{
    no_watchdog();
    EACH_TIMER(t)
    {
        sysreg_set(t->ctl, ENABLE | IMASK);
        sysreg_set(t->tval, 0x7fffffff);
        u64 ahead = sysreg_get(t->cval) - now();
        CHECK(ahead <= 0x7fffffff && ahead > 0x7fffffff - 0x8000000, 1);
        CHECK(sysreg_get(t->ctl), ENABLE | IMASK);
        const u64 left = sysreg_get(t->tval);
        CHECK(left <= 0x7fffffff && left > 0x7fffffff - 0x8000000, 1);
        sysreg_set(t->tval, 0xfffffff0); /* 16 ago */
        ahead = now() - sysreg_get(t->cval);
        CHECK(ahead >= 16 && ahead < 0x8000000, 1);
        CHECK(sysreg_get(t->ctl), ENABLE | IMASK | ISTATUS);
        CHECK_MASKED(sysreg_get(t->tval), 0xfffffffff0000000, 0xf0000000); /* negative, and 63:32 RES0 */
        sysreg_set(t->cval, now() + FAR + 5); /* only its low half shows */
        CHECK(sysreg_get(t->tval) <= 5 || sysreg_get(t->tval) >> 28 == 15, 1);
        sysreg_set(t->ctl, 0);
    }
}

static u32 pending(u32 intid) { return read32(GICR_BASE(0) + 0x10200) >> intid & 1; }

CASE(interrupt_is_a_level, "D12.2.4; IHI 0069, GICR_ISPENDR0 of a level-sensitive interrupt")
{
    no_watchdog();
    EACH_TIMER(t)
    {
        CHECK(pending(t->intid), 0);
        sysreg_set(t->cval, now() - 1);
        sysreg_set(t->ctl, ENABLE);
        CHECK(pending(t->intid), 1);
        sysreg_set(t->ctl, ENABLE | IMASK);
        CHECK(pending(t->intid), 0);
        sysreg_set(t->ctl, ENABLE);
        CHECK(pending(t->intid), 1);
        sysreg_set(t->cval, now() + FAR);
        CHECK(pending(t->intid), 0);
        sysreg_set(t->tval, 0xffffffff);
        CHECK(pending(t->intid), 1);
        sysreg_set(t->ctl, 0);
        CHECK(pending(t->intid), 0);
    }
}

CASE(fires_in_time, "D12.2.4: not before the count")
{
    no_watchdog();
    EACH_TIMER(t)
    {
        const u64 at = now() + 20000;
        sysreg_set(t->cval, at);
        sysreg_set(t->ctl, ENABLE);
        while (!pending(t->intid) && now() < at + FAR / 1024)
            ;
        CHECK(pending(t->intid), 1);
        CHECK(now() >= at, 1);
        sysreg_set(t->ctl, 0);
    }
}

/* ---- CNTVOFF_EL2 */

CASE(virtual_offset, "D24.10 CNTVOFF_EL2, CNTVCT_EL0, CNTV_TVAL_EL0")
{
    sysreg_write(cntvoff_el2, -FAR);
    isb();
    CHECK(near(sysreg_read(cntvct_el0), now() + FAR), 1); /* EL2 without E2H too */
    const struct exception *e = RUN(EL1H, EMIT(INSN_MRS(CNTVCT, 3), INSN_MRS(CNTPCT, 4)));
    CHECK(near(e->x[3], now() + FAR), 1);
    CHECK(near(e->x[4], now()), 1);
    sysreg_write(cntv_cval_el0, now() + FAR / 2); /* passed, by the virtual count */
    sysreg_write(cntp_cval_el0, now() + FAR / 2); /* not by the physical one */
    sysreg_write(cntv_ctl_el0, ENABLE | IMASK);
    sysreg_write(cntp_ctl_el0, ENABLE | IMASK);
    isb();
    CHECK(sysreg_read(cntv_ctl_el0), ENABLE | IMASK | ISTATUS);
    CHECK(sysreg_read(cntp_ctl_el0), ENABLE | IMASK);
    sysreg_write(cntv_tval_el0, 100);
    CHECK(near(sysreg_read(cntv_cval_el0), now() + FAR), 1);
}

CASE(host_has_no_virtual_offset, "D24.10 CNTVCT_EL0 at EL2 with E2H, at EL0 with E2H and TGE")
{
    NEED(VHE);
    sysreg_write(cntvoff_el2, -FAR);
    next.hcr |= HCR_E2H;
    const struct exception *e = RUN(EL2H, EMIT(INSN_MRS(CNTVCT, 3)));
    CHECK_RETURNED(e);
    CHECK(near(e->x[3], now()), 1);
    e = RUN(EL1H, EMIT(INSN_MRS(CNTVCT, 3)));
    CHECK(near(e->x[3], now() + FAR), 1);
    next.hcr |= HCR_TGE;
    e = RUN(EL0T, EMIT(INSN_MRS(CNTVCT, 3)));
    CHECK_RETURNED(e);
    CHECK(near(e->x[3], now()), 1);
}

CASE(redirection_at_el2, "D24.10, CNTP_CVAL_EL0 and CNTV_CVAL_EL0 at EL2 with E2H; _EL02")
{
    NEED(VHE);
    no_watchdog();
    sysreg_write(cntp_cval_el0, 1);
    sysreg_write(cntv_cval_el0, 2);
    sysreg_set(CNTHP_CVAL, 3);
    sysreg_set(CNTHV_CVAL, 4);
    next.hcr |= HCR_E2H;
    const struct exception *e = RUN(EL2H, EMIT(INSN_MRS(CNTP_CVAL, 2), INSN_MRS(CNTV_CVAL, 3), INSN_MRS(CNTP_CVAL_EL02, 4),
                                               INSN_MRS(CNTV_CVAL_EL02, 5), INSN_MSR(CNTP_CVAL_EL02, 0)),
                                    0x11);
    CHECK_RETURNED(e);
    CHECK(e->x[2], 3);
    CHECK(e->x[3], 4);
    CHECK(e->x[4], 1);
    CHECK(e->x[5], 2);
    CHECK(sysreg_read(cntp_cval_el0), 0x11);
    e = RUN(EL1H, EMIT(INSN_MRS(CNTP_CVAL, 3)));
    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(CNTP_CVAL, 3, 1))); /* EL1PTEN is bit 11 now */
    sysreg_write(cnthctl_el2, 3 << 10);
    e = RUN(EL1H, EMIT(INSN_MRS(CNTP_CVAL, 3)));
    CHECK(e->x[3], 0x11);
    sysreg_write(cnthctl_el2, 3 << 8); /* EL0VTEN, EL0PTEN */
    next.hcr |= HCR_TGE;
    e = RUN(EL0T, EMIT(INSN_MRS(CNTP_CVAL, 2), INSN_MRS(CNTV_CVAL, 3)));
    CHECK_RETURNED(e);
    CHECK(e->x[2], 3);
    CHECK(e->x[3], 4);
}

CASE(control_of_el1_by_another_name, "D24.10 CNTKCTL_EL1 at EL2 with E2H; CNTKCTL_EL12")
{
    NEED(VHE);
    sysreg_write(cntkctl_el1, 0x201);
    sysreg_write(cnthctl_el2, 0x102);
    CHECK_TAKEN(RUN(EL2H, EMIT(INSN_MRS(CNTKCTL_EL12, 3))), 2, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
    next.hcr |= HCR_E2H;
    const struct exception *e = RUN(EL2H, EMIT(INSN_MRS(CNTKCTL, 2), INSN_MRS(CNTKCTL_EL12, 3)));
    CHECK(e->x[2], 0x102);
    CHECK(e->x[3], 0x201);
}

/* ---- who may */

static const struct {
    const char *name;
    u32 reg;
    unsigned el0, el1, el1_e2h; /* CNTKCTL_EL1's bit; CNTHCTL_EL2's, with E2H clear and set (64: none) */
} who[] = {
    {"CNTPCT_EL0", CNTPCT, 0, 0, 10},     {"CNTVCT_EL0", CNTVCT, 1, 64, 64},    {"CNTV_CTL_EL0", CNTV_CTL, 8, 64, 64},
    {"CNTV_TVAL_EL0", CNTV_TVAL, 8, 64, 64}, {"CNTV_CVAL_EL0", CNTV_CVAL, 8, 64, 64}, {"CNTP_CTL_EL0", CNTP_CTL, 9, 1, 11},
    {"CNTP_TVAL_EL0", CNTP_TVAL, 9, 1, 11}, {"CNTP_CVAL_EL0", CNTP_CVAL, 9, 1, 11},
};
#define EACH_REGISTER(i) for (unsigned i = 0; i < sizeof who / sizeof *who; i++)
#define IS_COUNT(i) (who[i].reg == CNTPCT || who[i].reg == CNTVCT)

CASE(el0_by_cntkctl, "D24.10 CNTKCTL_EL1: EL0PCTEN, EL0VCTEN, EL0VTEN, EL0PTEN")
{
    NO_WATCHDOG_BY_CNTP();
    EACH_REGISTER(i)
    for (int read = IS_COUNT(i); read < 2; read++) {
        const u64 code = EMIT(read ? INSN_MRS(who[i].reg, 3) : INSN_MSR(who[i].reg, 3));
        at_row(who[i].name);
        sysreg_write(cntkctl_el1, 0x303 & ~(1ul << who[i].el0));
        CHECK_TAKEN(RUN(EL0T, code), 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(who[i].reg, 3, read)));
        sysreg_write(cntkctl_el1, 1ul << who[i].el0);
        CHECK_RETURNED(RUN(EL0T, code));
    }
}

CASE(el0_trap_goes_to_el2_with_tge, "CNTVCT_EL0 accessibility: HCR_EL2.TGE without E2H")
{
    next.hcr |= HCR_TGE;
    CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(CNTVCT, 3))), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(CNTVCT, 3, 1)));
}

CASE(frequency, "D24.10 CNTFRQ_EL0")
{
    const u64 code = EMIT(INSN_MRS(CNTFRQ, 3));
    static const u64 enables[] = {0, 1, 2, 0x300};

    for (int i = 0; i < 4; i++) {
        sysreg_write(cntkctl_el1, enables[i]);
        const struct exception *e = RUN(EL0T, code);
        if (enables[i] & 3)
            CHECK_RETURNED(e);
        else
            CHECK_TAKEN(e, 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(CNTFRQ, 3, 1)));
    }
    if (HOME_EL == 2) /* the highest EL writes it: EL1 where there is no other */
        CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MSR(CNTFRQ, 3))), 1, CURRENT_SYNC, ESR(EC_UNKNOWN, 0));
}

CASE(el1_by_cnthctl, "D24.10 CNTHCTL_EL2: EL1PCTEN, EL1PCEN; a guest at EL1 sees no trap")
{
    NO_WATCHDOG_BY_CNTP();
    EACH_REGISTER(i)
    for (int read = IS_COUNT(i); read < 2; read++) {
        const u64 code = EMIT(read ? INSN_MRS(who[i].reg, 3) : INSN_MSR(who[i].reg, 3));
        at_row(who[i].name);
        sysreg_write(cntkctl_el1, 0x303);
        for (u64 controls = HOME_EL == 2 ? 0 : 3; controls < 4; controls++)
            for (int el1 = 0; el1 < 2; el1++) {
                if (HOME_EL == 2)
                    sysreg_write(cnthctl_el2, controls);
                const struct exception *e = RUN(el1 ? EL1H : EL0T, code);
                if (who[i].el1 == 64 || controls >> who[i].el1 & 1)
                    CHECK_RETURNED(e);
                else
                    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(who[i].reg, 3, read)));
            }
    }
}

CASE(el1_by_cnthctl_of_vhe, "D24.10 CNTHCTL_EL2 with E2H: EL1PCTEN, EL1PTEN")
{
    NEED(VHE);
    next.hcr |= HCR_E2H;
    EACH_REGISTER(i)
    for (int read = IS_COUNT(i); read < 2; read++) {
        const u64 code = EMIT(read ? INSN_MRS(who[i].reg, 3) : INSN_MSR(who[i].reg, 3));
        at_row(who[i].name);
        for (u64 controls = 0; controls < 4; controls++) {
            sysreg_write(cnthctl_el2, controls << 10);
            const struct exception *e = RUN(EL1H, code);
            if (who[i].el1_e2h == 64 || controls << 10 >> who[i].el1_e2h & 1)
                CHECK_RETURNED(e);
            else
                CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(who[i].reg, 3, read)));
        }
    }
}

CASE(host_el0_by_cnthctl, "D24.10 CNTHCTL_EL2 with E2H and TGE: EL0PCTEN, EL0VCTEN, EL0VTEN, EL0PTEN")
{
    NEED(VHE);
    no_watchdog(); /* the names lead to CNTHP */
    next.hcr |= HCR_E2H | HCR_TGE;
    EACH_REGISTER(i)
    for (int read = IS_COUNT(i); read < 2; read++) {
        const u64 code = EMIT(read ? INSN_MRS(who[i].reg, 3) : INSN_MSR(who[i].reg, 3));
        at_row(who[i].name);
        sysreg_write(cnthctl_el2, 0xf03 & ~(1ul << who[i].el0));
        CHECK_TAKEN(RUN(EL0T, code), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(who[i].reg, 3, read)));
        sysreg_write(cnthctl_el2, 1ul << who[i].el0); /* CNTKCTL_EL1 is 0, and EL1's traps are not asked */
        CHECK_RETURNED(RUN(EL0T, code));
    }
}

/* ---- waiting */

CODE(wait, "wfi\n mrs x1, cntvct_el0");
CODE(spin, "1: b 1b");

CASE(wfi_ends_when_a_timer_fires, "D1.7.3 'Wait for Interrupt'; PSTATE.I does not matter")
{
    gic_on();
    gic_enable_private(0, 27);
    sysreg_write(cntv_cval_el0, now() + 30000);
    sysreg_write(cntv_ctl_el0, ENABLE);
    const struct exception *e = RUN(EL1H | PSTATE_DAIF, wait);
    CHECK_RETURNED(e);
    CHECK(e->x[1] >= sysreg_read(cntv_cval_el0), 1);
}

CASE(timer_interrupts_el1_and_el0, "D12.2.4; D1.3.6, HCR_EL2.IMO")
{
    gic_on();
    gic_enable_private(0, 30);
    interrupts_home();
    NO_WATCHDOG_BY_CNTP();
    for (int el1 = 0; el1 < 2; el1++) {
        sysreg_write(cntp_cval_el0, now() + 10000);
        sysreg_write(cntp_ctl_el0, ENABLE);
        const struct exception *e = RUN(el1 ? EL1H : EL0T, spin);
        CHECK(e->el, HOME_EL);
        CHECK(e->vector, el1 ? HOME_IRQ : LOWER_IRQ);
        CHECK(now() >= sysreg_read(cntp_cval_el0), 1);
        CHECK(gic_acknowledge(), 30);
        sysreg_write(cntp_ctl_el0, 0);
        gic_end(30);
    }
}

CODE(wait_for_event, "sevl\n wfe\n mrs x1, cntpct_el0\n wfe\n wfe\n mrs x2, cntpct_el0");

CASE(event_stream_ends_wfe, "D12.2.5 'Event streams'; CNTKCTL_EL1.EVNTEN, EVNTI")
{
    sysreg_write(cntkctl_el1, 1 << 2 | 10 << 4);
    const struct exception *e = RUN(EL1H, wait_for_event);
    CHECK_RETURNED(e);
    if (HOME_EL == 1)
        return;
    sysreg_write(cntkctl_el1, 0);
    sysreg_write(cnthctl_el2, 3 | 1 << 2 | 10 << 4);
    e = RUN(EL1H, wait_for_event);
    CHECK_RETURNED(e);
}

CASE(event_stream_scale, "D24.10 CNTKCTL_EL1.EVNTIS, CNTHCTL_EL2.EVNTIS (FEAT_ECV)")
{
    NEED(ECV);
    for (int hyp = 0; hyp < HOME_EL; hyp++) {
        const u64 stream = 1ul << 17 | 1 << 2 | 2 << 4; /* bit 10 */
        sysreg_write(cntkctl_el1, hyp ? 0 : stream);
        if (HOME_EL == 2)
            sysreg_write(cnthctl_el2, 3 | (hyp ? stream : 0));
        const struct exception *e = RUN(EL1H, wait_for_event);
        CHECK_RETURNED(e);
        CHECK((e->x[1] ^ e->x[2]) >> 10 != 0, 1); /* two WFEs: at least one edge of bit 10 lies between */
    }
}

/* ---- FEAT_ECV */

CASE(self_synchronised_counts, "D24.10 CNTPCTSS_EL0, CNTVCTSS_EL0")
{
    NEED(ECV);
    if (HOME_EL == 2)
        sysreg_write(cntvoff_el2, FAR);
    const u64 behind = now() - sysreg_read(cntvct_el0);
    const struct exception *e = RUN(EL1H, EMIT(INSN_MRS(CNTPCTSS, 3), INSN_MRS(CNTVCTSS, 4)));
    CHECK_RETURNED(e);
    CHECK(near(e->x[3], now()), 1);
    CHECK(near(e->x[4], now() - behind), 1);
    if (HOME_EL == 2)
        CHECK(near(behind, FAR), 1);
    static const u32 registers[] = {CNTPCTSS, CNTVCTSS};
    for (int i = 0; i < 2; i++) {
        const u64 code = EMIT(INSN_MRS(registers[i], 3));
        sysreg_write(cntkctl_el1, 1ul << !i);
        CHECK_TAKEN(RUN(EL0T, code), 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(registers[i], 3, 1)));
        sysreg_write(cntkctl_el1, 3);
        CHECK_RETURNED(RUN(EL0T, code));
    }
    if (HOME_EL == 1)
        return;
    sysreg_write(cnthctl_el2, 2); /* EL1PCTEN = 0 */
    CHECK_TAKEN(RUN(EL1H, EMIT(INSN_MRS(CNTPCTSS, 3))), 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(CNTPCTSS, 3, 1)));
}

CASE(virtual_timer_and_count_trap, "D24.10 CNTHCTL_EL2.EL1TVT, EL1TVCT (FEAT_ECV)")
{
    NEED(ECV);
    static const u32 registers[] = {CNTV_CTL, CNTV_CVAL, CNTV_TVAL, CNTVCT, CNTVCTSS};

    sysreg_write(cntkctl_el1, 0x303);
    for (int i = 0; i < 5; i++)
        for (int other = 0; other < 2; other++)
            for (int el1 = 0; el1 < 2; el1++) {
                const u64 code = EMIT(INSN_MRS(registers[i], 3));
                sysreg_write(cnthctl_el2, 3 | 1ul << ((i >= 3) ^ other ? 14 : 13));
                const struct exception *e = RUN(el1 ? EL1H : EL0T, code);
                if (other)
                    CHECK_RETURNED(e);
                else
                    CHECK_TAKEN(e, 2, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(registers[i], 3, 1)));
            }
    sysreg_write(cntkctl_el1, 0); /* EL1's own trap comes first */
    sysreg_write(cnthctl_el2, 3 | 3 << 13);
    CHECK_TAKEN(RUN(EL0T, EMIT(INSN_MRS(CNTVCT, 3))), 1, LOWER_SYNC, ESR(EC_SYSREG, ISS_SYSREG(CNTVCT, 3, 1)));
}

#define ECV (1ul << 12)

CASE(physical_offset, "D24.10 CNTPOFF_EL2, CNTHCTL_EL2.ECV, CNTPCT_EL0, CNTP_TVAL_EL0 (FEAT_ECV_POFF)")
{
    NEED(ECV_POFF);
    sysreg_set(CNTPOFF, -FAR);
    const u64 read = EMIT(INSN_MRS(CNTPCT, 3), INSN_MRS(CNTPCTSS, 4), INSN_MSR(CNTP_TVAL, 0), INSN_MRS(CNTP_CVAL, 5));

    sysreg_write(cntkctl_el1, 0x303);
    for (int el1 = 0; el1 < 2; el1++)
        for (int on = 0; on < 2; on++) {
            const u64 offset = on ? FAR : 0;
            sysreg_write(cnthctl_el2, 3 | (on ? ECV : 0));
            const struct exception *e = RUN(el1 ? EL1H : EL0T, read, 1000);
            CHECK_RETURNED(e);
            CHECK(near(e->x[3], now() + offset), 1);
            CHECK(near(e->x[4], now() + offset), 1);
            CHECK(near(e->x[5], now() + offset), 1);
        }
    CHECK(near(sysreg_read(cntpct_el0), sysreg_read(cntvct_el0)), 1); /* not at EL2 */
    /* EL1's physical timer compares the count with its offset; EL2's does not. */
    sysreg_write(cntp_cval_el0, now() + FAR / 2);
    sysreg_write(cntp_ctl_el0, ENABLE | IMASK);
    isb();
    CHECK(sysreg_read(cntp_ctl_el0), ENABLE | IMASK | ISTATUS);
    sysreg_write(cnthctl_el2, 3);
    isb();
    CHECK(sysreg_read(cntp_ctl_el0), ENABLE | IMASK);
    sysreg_write(cnthctl_el2, 3 | ECV);
    isb();
    sysreg_write(cntp_tval_el0, 0); /* EL2: relative to its own count */
    CHECK(near(sysreg_read(cntp_cval_el0), now()), 1);
}

CASE(physical_offset_is_off_with_tge, "D24.10 CNTHCTL_EL2.ECV: HCR_EL2.TGE")
{
    NEED(ECV_POFF);
    sysreg_set(CNTPOFF, -FAR);
    sysreg_write(cnthctl_el2, 3 | ECV | 3 << 8);
    next.hcr |= HCR_E2H | HCR_TGE;
    const struct exception *e = RUN(EL0T, EMIT(INSN_MRS(CNTPCT, 3)));
    CHECK_RETURNED(e);
    CHECK(near(e->x[3], now()), 1);
}
