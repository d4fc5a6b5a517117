/*
 * gic: GICv3 with one Security state (IHI 0069): life of an interrupt, priorities and groups, routing, SGIs. Interrupts stay masked; what
 * is signalled is read in ISR_EL1 and ICC_HPPIR. The virtual interface is gic_virtual's.
 */
#include "common/gicv3.h"

/* ---- the life of an interrupt */

CASE(identification, "12.9 'GICD_TYPER', 'GICD_CTLR', 'GICD_PIDR2'; 12.11 'GICR_TYPER'")
{
    CHECK_MASKED(read32(GICD), 1u << 4 | 1u << 6, 1u << 4 | 1u << 6); /* ARE, DS */
    CHECK_MASKED(read32(GICD + 4), 1u << 10, 0); /* SecurityExtn */
    CHECK_MASKED(read32(GICD + 4) >> 5, 7, 0); /* CPUNumber: PEs without affinity routing */
    CHECK(read32(GICD + 0xffe8) >> 4 & 15, 3);
    CHECK(read32(GICR(0) + 0xffe8) >> 4 & 15, 3);
    CHECK(read64(GICR(0) + 8) >> 32, 0);
    CHECK(read64(GICR(1) + 8) >> 32, 1); /* affinity */
    CHECK(read64(GICR(1) + 8) >> 4 & 1, 1); /* Last */
    CHECK(read32(GICD + 0x800), 0); /* GICD_ITARGETSR0 with affinity routing */
    CHECK(read32(GICD + ISENABLER), 0); /* private interrupts are the Redistributors' */
}

CASE(edge_from_pending_to_inactive, "4.1.2 'Interrupt handling state machine'")
{
    gic_clean();
    ready(SPI_A, 0xa0);
    CHECK(signalled(), 0);
    set(SPI_A, ISPENDR);
    CHECK(signalled(), PSTATE_I);
    CHECK(sysreg_read(icc_hppir1_el1), SPI_A);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    CHECK(get(SPI_A, ISACTIVER), 1);
    CHECK(get(SPI_A, ISPENDR), 0);
    CHECK(signalled(), 0);
    set(SPI_A, ISPENDR); /* active and pending: not signalled */
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    sysreg_write(icc_eoir1_el1, SPI_A);
    CHECK(get(SPI_A, ISACTIVER), 0);
    CHECK(take(), SPI_A);
    CHECK(take(), NONE);
    CHECK(get(SPI_A, ISPENDR), 0);
}

CASE(level_follows_the_line, "4.1.2, level-sensitive; 12.9 'GICD_ICPENDR<n>', 'GICD_ISPENDR<n>'")
{
    const u64 clock = 0x09010000;

    gic_clean();
    edge(ALARM, 0);
    ready(ALARM, 0xa0);
    write32(clock + 0x1c, 1);
    write32(clock + 8, 5000); /* load and match alike: the alarm rings */
    write32(clock + 4, 5000);
    write32(clock + 0x10, 1);
    for (u64 start = sysreg_read(cntpct_el0); !signalled() && sysreg_read(cntpct_el0) - start < sysreg_read(cntfrq_el0);)
        ;
    CHECK(signalled(), PSTATE_I);
    set(ALARM, ICPENDR);
    CHECK(get(ALARM, ISPENDR), 1); /* the line is high */
    CHECK(sysreg_read(icc_iar1_el1), ALARM);
    CHECK(get(ALARM, ISPENDR), 1); /* active and pending */
    sysreg_write(icc_eoir1_el1, ALARM);
    CHECK(signalled(), PSTATE_I); /* again */
    write32(clock + 0x1c, 1);
    CHECK(signalled(), 0);
    CHECK(get(ALARM, ISPENDR), 0);
    set(ALARM, ISPENDR); /* pending without the line, until it is acknowledged */
    CHECK(take(), ALARM);
    CHECK(take(), NONE);
    write32(clock + 0x10, 0);
}

CASE(active_is_not_signalled, "12.9 'GICD_ISACTIVER<n>', 'GICD_ICACTIVER<n>'")
{
    gic_clean();
    ready(SPI_A, 0xa0);
    set(SPI_A, ISACTIVER);
    CHECK(get(SPI_A, ICACTIVER), 1);
    set(SPI_A, ISPENDR);
    CHECK(signalled(), 0);
    CHECK(take(), NONE);
    CHECK(sysreg_read(icc_rpr_el1), 0xff); /* nothing was acknowledged */
    set(SPI_A, ICACTIVER);
    CHECK(get(SPI_A, ISACTIVER), 0);
    CHECK(take(), SPI_A);
    /* Acknowledged, made inactive there and not ended here: its priority stays. */
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    set(SPI_A, ICACTIVER);
    CHECK(sysreg_read(icc_rpr_el1), 0xa0);
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    sysreg_write(icc_eoir1_el1, SPI_A);
    CHECK(take(), SPI_A);
}

CASE(private_interrupts_have_the_same_states, "12.11 'GICR_ISACTIVER0', 'GICR_ISPENDR0'")
{
    gic_clean();
    ready(27, 0xa0);
    set(27, ISACTIVER);
    set(27, ISPENDR);
    CHECK(take(), NONE);
    set(27, ICACTIVER);
    CHECK(take(), 27);
    ready(3, 0xa0);
    set(3, ISPENDR); /* an SGI too */
    CHECK(get(3, ISPENDR), 1);
    CHECK(take(), 3);
    CHECK(read32(SGI_BASE(0) + ICFGR), 0xaaaaaaaa); /* SGIs are edge-triggered */
}

CASE(disabled_stays_pending, "12.9 'GICD_ICENABLER<n>': disabling does not make it less pending")
{
    gic_clean();
    ready(SPI_A, 0xa0);
    set(SPI_A, ISPENDR);
    set(SPI_A, ICENABLER);
    CHECK(signalled(), 0);
    CHECK(get(SPI_A, ISPENDR), 1);
    set(SPI_A, ISENABLER);
    CHECK(take(), SPI_A);
}

CASE(priority_bytes, "12.9 'GICD_IPRIORITYR<n>': bytes; 4.8 'Interrupt prioritization': unimplemented bits are RAZ/WI")
{
    const u64 at = GICD + IPRIORITYR + SPI_A;

    gic_clean();
    write32(at, 0x10203040);
    CHECK(read8(at), 0x40);
    CHECK(read8(at + 3), 0x10);
    write8(at + 1, 0xc8);
    CHECK(read32(at), 0x1020c840);
    write8(at, 0xff);
    /* As many bits as ICC_CTLR_EL1.PRIbits says. */
    CHECK(read8(at), 0xffu << (7 - (sysreg_read(icc_ctlr_el1) >> 8 & 7)) & 0xff);
}

/* ---- priorities and groups */

CASE(highest_priority_first, "4.8 'Interrupt prioritization'; 12.2 'ICC_HPPIR1_EL1', 'ICC_RPR_EL1'")
{
    gic_clean();
    ready(SPI_A, 0x80);
    ready(SPI_B, 0x40);
    ready(3, 0xc0);
    set(3, ISPENDR);
    set(SPI_A, ISPENDR);
    set(SPI_B, ISPENDR);
    CHECK(take(), SPI_B);
    CHECK(take(), SPI_A);
    CHECK(take(), 3);
    CHECK(sysreg_read(icc_rpr_el1), 0xff);
}

CASE(priority_mask, "12.2 'ICC_PMR_EL1': only higher priorities than the mask")
{
    gic_clean();
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    sysreg_write(icc_pmr_el1, 0x80);
    CHECK(signalled(), 0);
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    CHECK(sysreg_read(icc_hppir1_el1), SPI_A); /* pending all the same */
    sysreg_write(icc_pmr_el1, 0x88);
    CHECK(take(), SPI_A);
}

CASE(preemption, "4.8.5 'Preemption'; 12.2 'ICC_BPR1_EL1', 'ICC_AP1R0_EL1'")
{
    gic_clean();
    ready(SPI_A, 0x80);
    ready(SPI_B, 0x60);
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    CHECK(sysreg_read(icc_ap1r0_el1), 1ul << (0x80 >> 3));
    sysreg_write(icc_bpr1_el1, 7); /* the group priority is bit 7 */
    set(SPI_B, ISPENDR);
    CHECK(signalled(), PSTATE_I); /* 0x00 before 0x80 */
    sysreg_write(icc_eoir1_el1, SPI_A);
    CHECK(take(), SPI_B);
    priority(SPI_A, 0x60);
    priority(SPI_B, 0x40);
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    CHECK(sysreg_read(icc_rpr_el1), 0);
    set(SPI_B, ISPENDR);
    CHECK(signalled(), 0); /* of the same group priority */
    sysreg_write(icc_eoir1_el1, SPI_A);
    sysreg_write(icc_bpr1_el1, 0); /* as low as there is: more of the priority counts */
    CHECK(sysreg_read(icc_bpr1_el1), 8 - (sysreg_read(icc_ctlr_el1) >> 8 & 7) - 1);
    CHECK(take(), SPI_B);
}

CASE(group_0_is_an_fiq, "4.6 'Interrupt grouping', one Security state: group 0 as FIQ, group 1 as IRQ")
{
    no_watchdog();
    gic_clean();
    group(SPI_A, 0);
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    CHECK(signalled(), PSTATE_F);
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    CHECK(sysreg_read(icc_hppir1_el1), NONE);
    CHECK(sysreg_read(icc_hppir0_el1), SPI_A);
    CHECK(sysreg_read(icc_iar0_el1), SPI_A);
    CHECK(sysreg_read(icc_ap0r0_el1), 1ul << (0x80 >> 3));
    sysreg_write(icc_eoir0_el1, SPI_A);
    CHECK(sysreg_read(icc_ap0r0_el1), 0);
    CHECK(get(SPI_A, ISACTIVER), 0);
    set(SPI_A, ISPENDR);
    write32(GICD, 2); /* group 0 is not forwarded */
    CHECK(signalled(), 0);
    write32(GICD, 3);
    CHECK(signalled(), PSTATE_F);
    sysreg_write(icc_igrpen0_el1, 0);
    CHECK(signalled(), 0);
    set(SPI_A, ICPENDR);
}

CASE(common_binary_point, "12.2 'ICC_CTLR_EL1', CBPR; 'ICC_BPR1_EL1'")
{
    gic_clean();
    sysreg_write(icc_bpr0_el1, 5);
    sysreg_write(icc_bpr1_el1, 3);
    sysreg_write(icc_ctlr_el1, 1);
    CHECK(sysreg_read(icc_bpr1_el1), 6); /* BPR0 + 1 */
    sysreg_write(icc_bpr1_el1, 4); /* ignored */
    CHECK(sysreg_read(icc_bpr1_el1), 6);
    sysreg_write(icc_bpr0_el1, 7);
    CHECK(sysreg_read(icc_bpr1_el1), 7); /* saturated */
    sysreg_write(icc_ctlr_el1, 0);
    CHECK(sysreg_read(icc_bpr1_el1), 3);
}

CASE(eoi_mode_1, "4.1.2; 12.2 'ICC_DIR_EL1', 'ICC_EOIR1_EL1' with EOImode = 1")
{
    gic_clean();
    sysreg_write(icc_ctlr_el1, 2);
    ready(SPI_A, 0x80);
    ready(SPI_B, 0x80);
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    set(SPI_B, ISPENDR);
    CHECK(signalled(), 0);
    sysreg_write(icc_eoir1_el1, SPI_A); /* drops the priority alone */
    CHECK(sysreg_read(icc_rpr_el1), 0xff);
    CHECK(get(SPI_A, ISACTIVER), 1);
    CHECK(signalled(), PSTATE_I);
    CHECK(sysreg_read(icc_iar1_el1), SPI_B);
    sysreg_write(icc_eoir1_el1, SPI_B);
    sysreg_write(icc_dir_el1, SPI_A); /* in any order */
    CHECK(get(SPI_A, ISACTIVER), 0);
    CHECK(get(SPI_B, ISACTIVER), 1);
    sysreg_write(icc_dir_el1, SPI_B);
    CHECK(get(SPI_B, ISACTIVER), 0);
}

CASE(special_intids, "2.2.1 'Special INTIDs'; 12.2 'ICC_EOIR1_EL1'")
{
    gic_clean();
    CHECK(sysreg_read(icc_iar1_el1), NONE);
    CHECK(sysreg_read(icc_iar0_el1), NONE);
    CHECK(sysreg_read(icc_hppir0_el1), NONE);
    ready(SPI_A, 0x80);
    set(SPI_A, ISPENDR);
    CHECK(sysreg_read(icc_iar1_el1), SPI_A);
    sysreg_write(icc_eoir1_el1, 1023);
    CHECK(sysreg_read(icc_rpr_el1), 0x80); /* ignored */
    sysreg_write(icc_eoir1_el1, SPI_A);
    CHECK(sysreg_read(icc_rpr_el1), 0xff);
}

/* ---- routing and SGIs */

CASE(routed_by_affinity, "12.9 'GICD_IROUTER<n>'")
{
    NEED_TWO_CPUS();
    gic_clean();
    ready(SPI_A, 0x80);
    route(SPI_A, 1);
    set(SPI_A, ISPENDR);
    CHECK(take(), NONE);
    CHECK(take_on_second(), SPI_A);
    route(SPI_A, 0x55); /* nobody */
    set(SPI_A, ISPENDR);
    CHECK(take(), NONE);
    CHECK(take_on_second(), NONE);
    route(SPI_A, 0);
    CHECK(take(), SPI_A);
}

CASE(one_of_n, "3.3.2 'The 1 of N interrupt distribution model'; 12.9 'GICD_IROUTER<n>', IRM; 12.11 'GICR_CTLR', DPG1NS")
{
    NEED_TWO_CPUS();
    if (read32(GICD + 4) >> 25 & 1) { /* GICD_TYPER.No1N */
        skip("No1N");
        return;
    }
    gic_clean();
    ready(SPI_A, 0x80);
    route(SPI_A, 1ul << 31);
    CHECK(read64(GICD + IROUTER + 8 * SPI_A), 1ul << 31);
    set(SPI_A, ISPENDR);
    const u64 first = take(); /* exactly one PE, the second only after the first did not */
    const u64 second = take_on_second();
    CHECK(first == SPI_A || second == SPI_A, 1);
    CHECK(first == NONE || second == NONE, 1);
    sysreg_write(icc_igrpen1_el1, 0);
    set(SPI_A, ISPENDR);
    CHECK(take_on_second(), SPI_A);
    sysreg_write(icc_igrpen1_el1, 1);
    if (read64(GICR(0) + 8) >> 5 & 1) { /* GICR_TYPER.DPGS */
        write32(GICR(0), 1u << 25);
        set(SPI_A, ISPENDR);
        CHECK(take(), NONE);
        CHECK(take_on_second(), SPI_A);
        write32(GICR(0), 0);
    }
    route(SPI_A, 0);
}

CASE(sgi_to_a_list, "12.2 'ICC_SGI1R_EL1'")
{
    NEED_TWO_CPUS();
    gic_clean();
    ready(1, 0x80);
    write32(SGI_BASE(1) + IGROUPR, read32(SGI_BASE(1) + IGROUPR) | 2);
    write32(SGI_BASE(1) + ISENABLER, 2);
    sysreg_write(icc_sgi1r_el1, 1ul << 24 | 2);
    CHECK(take(), NONE);
    CHECK(take_on_second(), 1);
    sysreg_write(icc_sgi1r_el1, 1ul << 24 | 3);
    CHECK(take(), 1);
    CHECK(take_on_second(), 1);
    sysreg_write(icc_sgi1r_el1, 1ul << 40 | 1ul << 24); /* IRM: all but this one */
    CHECK(take(), NONE);
    CHECK(take_on_second(), 1);
    sysreg_write(icc_sgi1r_el1, 1ul << 24 | 1ul << 16 | 3); /* another cluster */
    CHECK(take(), NONE);
    CHECK(take_on_second(), NONE);
}

CASE(sgi_groups, "12.2 'ICC_SGI0R_EL1', 'ICC_SGI1R_EL1'; table of forwarded SGIs, one Security state")
{
    no_watchdog();
    gic_clean();
    ready(1, 0x80);
    group(2, 0);
    ready(2, 0x80);
    sysreg_write(icc_sgi0r_el1, 2ul << 24 | 1);
    CHECK(signalled(), PSTATE_F);
    CHECK(sysreg_read(icc_iar0_el1), 2);
    sysreg_write(icc_eoir0_el1, 2);
    sysreg_write(icc_sgi0r_el1, 1ul << 24 | 1); /* one of group 1: not by SGI0R */
    CHECK(signalled(), 0);
    sysreg_write(icc_sgi1r_el1, 1ul << 24 | 1);
    CHECK(take(), 1);
    sysreg_write(icc_sgi1r_el1, 2ul << 24 | 1); /* one of group 0: by SGI1R too */
    CHECK(signalled(), PSTATE_F);
    set(2, ICPENDR);
}
