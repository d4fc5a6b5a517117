//! Source of expectations: IHI 0069 (GICv3), sections cited at each test.

use super::*;

const PHYS: View = View::PHYSICAL;
pub const VIRT: View = View {
    virtual_g0: true,
    virtual_g1: true,
};

/// Two CPUs, everything on: both groups, no masking, SPIs to CPU 0.
pub fn gic() -> Gic {
    let mut g = Gic::new(2);
    g.dist_write(0, 4, 3);
    for cpu in 0..2 {
        g.sysreg_write(cpu, ICC_PMR_EL1, 0xff, PHYS);
        g.sysreg_write(cpu, ICC_IGRPEN0_EL1, 1, PHYS);
        g.sysreg_write(cpu, ICC_IGRPEN1_EL1, 1, PHYS);
    }
    g
}
/// Enable an SPI in group 1.
fn spi(g: &mut Gic, intid: u64, priority: u64) {
    let v = g.dist_read(0x80 + intid / 32 * 4, 4) | 1 << (intid % 32);
    g.dist_write(0x80 + intid / 32 * 4, 4, v);
    g.dist_write(0x100 + intid / 32 * 4, 4, 1 << (intid % 32));
    g.dist_write(0x400 + intid, 1, priority);
}
pub fn rd(g: &mut Gic, r: Reg) -> u64 {
    g.sysreg_read(0, r, PHYS)
}
pub fn wr(g: &mut Gic, r: Reg, v: u64) {
    g.sysreg_write(0, r, v, PHYS);
}

#[test]
fn level_interrupt_from_line_to_deactivation() {
    let mut g = gic();
    spi(&mut g, 33, 0xa0);
    assert_eq!(g.lines(0), Lines::default());
    g.set_level(33, None, true);
    assert!(g.lines(0).irq && !g.lines(0).fiq && !g.lines(1).irq);
    assert_eq!(g.acknowledge_peek(0), Some(33));
    assert_eq!(rd(&mut g, ICC_IAR1_EL1), 33);
    assert_eq!(rd(&mut g, ICC_RPR_EL1), 0xa0);
    assert!(!g.lines(0).irq, "active");
    g.set_level(33, None, false);
    wr(&mut g, ICC_EOIR1_EL1, 33);
    assert_eq!(rd(&mut g, ICC_RPR_EL1), 0xff);
    assert!(!g.lines(0).irq);
    assert_eq!(rd(&mut g, ICC_IAR1_EL1), 1023);
}

/// Enable an edge-triggered SPI of group 1 for CPU 0 and give it an edge.
fn pulse(g: &mut Gic, intid: u64, priority: u64) {
    let at = 0xc00 + intid / 16 * 4;
    let v = g.dist_read(at, 4) | 2 << (intid % 16 * 2);
    g.dist_write(at, 4, v);
    spi(g, intid, priority);
    g.set_level(intid as u32, None, true);
    g.set_level(intid as u32, None, false);
}

#[test]
fn edges_are_latched_once_and_while_active() {
    let mut g = gic();
    pulse(&mut g, 40, 0x80);
    assert_eq!(rd(&mut g, ICC_IAR1_EL1), 40);
    assert_eq!(rd(&mut g, ICC_IAR1_EL1), 1023, "no longer pending");
    g.set_level(40, None, true);
    assert_eq!(g.dist_read(0x204, 4), 1 << 8, "active and pending");
    assert!(!g.lines(0).irq);
    wr(&mut g, ICC_EOIR1_EL1, 40);
    assert_eq!(rd(&mut g, ICC_IAR1_EL1), 40);
}

#[test]
fn a_line_that_stays_high_is_pending_again_after_eoi() {
    let mut g = gic();
    spi(&mut g, 33, 0);
    g.set_level(33, None, true);
    for _ in 0..3 {
        assert_eq!(rd(&mut g, ICC_IAR1_EL1), 33);
        assert!(!g.lines(0).irq);
        wr(&mut g, ICC_EOIR1_EL1, 33);
        assert!(g.lines(0).irq);
    }
    g.dist_write(0x284, 4, 2);
    assert!(g.lines(0).irq, "ICPENDR does not touch the line (4.3.2)");
    g.set_level(33, None, false);
    g.dist_write(0x204, 4, 2);
    assert_eq!(rd(&mut g, ICC_IAR1_EL1), 33, "ISPENDR pends without a line");
    wr(&mut g, ICC_EOIR1_EL1, 33);
    assert!(!g.lines(0).irq);
}

#[test]
fn highest_priority_first_then_lowest_intid() {
    let mut g = gic();
    for (id, p) in [(50, 0x40), (45, 0x80), (44, 0x80), (60, 0x18)] {
        pulse(&mut g, id, p);
    }
    assert_eq!(rd(&mut g, ICC_HPPIR1_EL1), 60);
    let mut order = Vec::new();
    for _ in 0..4 {
        let id = rd(&mut g, ICC_IAR1_EL1);
        wr(&mut g, ICC_EOIR1_EL1, id);
        order.push(id);
    }
    assert_eq!(order, [60, 50, 44, 45]);
}

/// 4.8.6: an interrupt is signalled if its priority is higher than PMR's.
#[test]
fn priority_mask() {
    let mut g = gic();
    pulse(&mut g, 40, 0x80);
    for (pmr, signalled) in [
        (0x80, false),
        (0x88, true),
        (0x87, false),
        (0, false),
        (0xf8, true),
    ] {
        wr(&mut g, ICC_PMR_EL1, pmr);
        assert_eq!(g.lines(0).irq, signalled, "{pmr:#x}");
        assert_eq!(rd(&mut g, ICC_HPPIR1_EL1), 40, "HPPIR does not ask PMR");
    }
    assert_eq!(rd(&mut g, ICC_PMR_EL1), 0xf8);
}

/// 4.8.2 and 4.8.3: preemption by group priority, which BPR1 (BPR0 for group 0) cuts out.
#[test]
fn preemption_by_group_priority() {
    // Binary point, running priority, new priority, preempts.
    for (bpr, running, new, preempts) in [
        (3, 0x80, 0x78, true),
        (3, 0x80, 0x80, false),
        (4, 0x88, 0x80, false),
        (4, 0x80, 0x78, true),
        (7, 0x80, 0x78, true),
        (7, 0xf0, 0x80, false),
        (0, 0x80, 0x78, true),
    ] {
        let mut g = gic();
        wr(&mut g, ICC_BPR1_EL1, bpr);
        pulse(&mut g, 40, running);
        assert_eq!(rd(&mut g, ICC_IAR1_EL1), 40);
        pulse(&mut g, 41, new);
        assert_eq!(
            g.lines(0).irq,
            preempts,
            "BPR {bpr}: {running:#x}, {new:#x}"
        );
        let next = rd(&mut g, ICC_IAR1_EL1);
        assert_eq!(next, if preempts { 41 } else { 1023 });
    }
}

#[test]
fn nested_interrupts_end_in_order() {
    let mut g = gic();
    for (id, p) in [(40, 0xa0), (41, 0x60), (42, 0x20)] {
        pulse(&mut g, id, p);
        assert_eq!(rd(&mut g, ICC_IAR1_EL1), id);
        assert_eq!(rd(&mut g, ICC_RPR_EL1), p);
    }
    assert_eq!(rd(&mut g, ICC_AP1R0_EL1), 1 << 20 | 1 << 12 | 1 << 4);
    for (id, then) in [(42, 0x60), (41, 0xa0), (40, 0xff)] {
        wr(&mut g, ICC_EOIR1_EL1, id);
        assert_eq!(rd(&mut g, ICC_RPR_EL1), then);
    }
    assert_eq!(g.dist_read(0x304, 4), 0, "none is active");
}

/// 4.6: group 0 is signalled as FIQ, group 1 as IRQ; each is acknowledged by its own register and ended by its own.
#[test]
fn groups() {
    let mut g = gic();
    pulse(&mut g, 40, 0x80);
    g.dist_write(0x84, 4, 0);
    assert_eq!(
        g.lines(0),
        Lines {
            fiq: true,
            ..Lines::default()
        }
    );
    assert_eq!(rd(&mut g, ICC_HPPIR1_EL1), 1023);
    assert_eq!(rd(&mut g, ICC_IAR1_EL1), 1023);
    assert_eq!(rd(&mut g, ICC_HPPIR0_EL1), 40);
    assert_eq!(rd(&mut g, ICC_IAR0_EL1), 40);
    assert_eq!(rd(&mut g, ICC_AP0R0_EL1), 1 << 16);
    wr(&mut g, ICC_EOIR1_EL1, 40);
    assert_eq!(rd(&mut g, ICC_RPR_EL1), 0x80, "EOIR1 does not end group 0");
    wr(&mut g, ICC_EOIR0_EL1, 40);
    assert_eq!(rd(&mut g, ICC_RPR_EL1), 0xff);
}

#[test]
fn each_enable_gates() {
    let disable: [(&str, fn(&mut Gic)); 4] = [
        ("GICD_CTLR", |g| g.dist_write(0, 4, 1)),
        ("ICC_IGRPEN1", |g| wr(g, ICC_IGRPEN1_EL1, 0)),
        ("ICENABLER", |g| g.dist_write(0x184, 4, 1 << 8)),
        ("IROUTER", |g| g.dist_write(0x6000 + 8 * 40, 8, 1)),
    ];
    for (name, off) in disable {
        let mut g = gic();
        pulse(&mut g, 40, 0);
        assert!(g.lines(0).irq);
        off(&mut g);
        assert!(!g.lines(0).irq, "{name}");
        assert_eq!(rd(&mut g, ICC_IAR1_EL1), 1023, "{name}");
        assert_eq!(g.lines(1).irq, name == "IROUTER");
    }
}

/// 4.4: with EOImode 1, EOIR drops the priority and DIR deactivates.
#[test]
fn eoi_mode() {
    let mut g = gic();
    wr(&mut g, ICC_CTLR_EL1, 2);
    assert_eq!(rd(&mut g, ICC_CTLR_EL1), 0x8c02);
    spi(&mut g, 33, 0x80);
    g.set_level(33, None, true);
    assert_eq!(rd(&mut g, ICC_IAR1_EL1), 33);
    wr(&mut g, ICC_EOIR1_EL1, 33);
    assert_eq!(rd(&mut g, ICC_RPR_EL1), 0xff);
    assert_eq!(g.dist_read(0x304, 4), 2, "still active");
    assert!(!g.lines(0).irq);
    wr(&mut g, ICC_DIR_EL1, 33);
    assert_eq!(g.dist_read(0x304, 4), 0);
    assert!(g.lines(0).irq);
    wr(&mut g, ICC_CTLR_EL1, 0);
    rd(&mut g, ICC_IAR1_EL1);
    wr(&mut g, ICC_DIR_EL1, 33);
    assert_eq!(g.dist_read(0x304, 4), 2, "DIR needs EOImode");
}

#[test]
fn special_intids_are_ignored() {
    let mut g = gic();
    pulse(&mut g, 40, 0x80);
    rd(&mut g, ICC_IAR1_EL1);
    for id in [1020, 1021, 1022, 1023] {
        wr(&mut g, ICC_EOIR1_EL1, id);
        assert_eq!(rd(&mut g, ICC_RPR_EL1), 0x80);
    }
    for id in [500, 1019, 8192, 0xff_ffff] {
        wr(&mut g, ICC_DIR_EL1, id); // no such interrupt
    }
}

/// 12.2.5: CBPR makes BPR0 serve both groups; BPR1 then reads as one more and ignores writes. Minima: 2 and 3.
#[test]
fn binary_points() {
    let mut g = gic();
    for v in 0..8 {
        wr(&mut g, ICC_BPR0_EL1, v);
        wr(&mut g, ICC_BPR1_EL1, v);
        assert_eq!(rd(&mut g, ICC_BPR0_EL1), v.max(2));
        assert_eq!(rd(&mut g, ICC_BPR1_EL1), v.max(3));
    }
    wr(&mut g, ICC_CTLR_EL1, 1);
    for (v, bpr1) in [(2, 3), (6, 7), (7, 7)] {
        wr(&mut g, ICC_BPR0_EL1, v);
        wr(&mut g, ICC_BPR1_EL1, 4);
        assert_eq!(rd(&mut g, ICC_BPR1_EL1), bpr1);
    }
    wr(&mut g, ICC_CTLR_EL1, 0);
    assert_eq!(rd(&mut g, ICC_BPR1_EL1), 7, "as it was");
}

/// 12.1.10 and following: target lists, all but self, groups.
#[test]
fn sgis() {
    // Register, value, configured group, CPUs that get SGI 5.
    const ID: u64 = 5 << 24;
    for (r, v, group1, to) in [
        (ICC_SGI1R_EL1, ID | 0b01, true, [true, false]),
        (ICC_SGI1R_EL1, ID | 0b10, true, [false, true]),
        (ICC_SGI1R_EL1, ID | 0xffff, true, [true, true]),
        (ICC_SGI1R_EL1, ID | 1 << 40, true, [false, true]),
        (ICC_SGI1R_EL1, ID | 1 << 40 | 1, true, [false, true]),
        (ICC_SGI1R_EL1, ID | 1 << 16 | 3, true, [false, false]),
        (ICC_SGI1R_EL1, ID | 1 << 32 | 3, true, [false, false]),
        (ICC_SGI1R_EL1, ID | 1 << 48 | 3, true, [false, false]),
        (ICC_SGI1R_EL1, ID | 1 << 44 | 3, true, [false, false]),
        (ICC_SGI1R_EL1, ID | 3, false, [true, true]),
        (ICC_SGI0R_EL1, ID | 3, true, [false, false]),
        (ICC_SGI0R_EL1, ID | 3, false, [true, true]),
        (ICC_ASGI1R_EL1, ID | 3, true, [false, false]),
        (ICC_ASGI1R_EL1, ID | 3, false, [true, true]),
    ] {
        let mut g = gic();
        for cpu in 0..2 {
            let sgi = cpu * REDIST_STRIDE + 0x10000;
            g.redist_write(sgi + 0x80, 4, if group1 { 1 << 5 } else { 0 });
            g.redist_write(sgi + 0x100, 4, 1 << 5);
        }
        wr(&mut g, r, v);
        for cpu in 0..2 {
            let l = g.lines(cpu);
            assert_eq!(
                if group1 { l.irq } else { l.fiq },
                to[cpu],
                "{v:#x} CPU {cpu}"
            );
            let iar = if group1 { ICC_IAR1_EL1 } else { ICC_IAR0_EL1 };
            let id = g.sysreg_read(cpu, iar, PHYS);
            assert_eq!(id, if to[cpu] { 5 } else { 1023 });
        }
    }
}

/// 12.8, 12.10: the same fields through every width.
#[test]
fn widths() {
    let mut g = gic();
    g.dist_write(0x420, 8, 0x0123_4567_89ab_cdef);
    assert_eq!(
        g.dist_read(0x420, 8),
        0x0020_4060_88a8_c8e8,
        "5 bits of priority"
    );
    assert_eq!(g.dist_read(0x420, 4), 0x88a8_c8e8);
    assert_eq!(g.dist_read(0x422, 2), 0x88a8);
    assert_eq!(g.dist_read(0x427, 1), 0);
    g.dist_write(0x423, 1, 0x10);
    assert_eq!(g.dist_read(0x420, 4), 0x10a8_c8e8);
    g.dist_write(0x6000 + 8 * 40, 8, 0xffff_ffff_ffff_ffff);
    assert_eq!(g.dist_read(0x6140, 8), 0xff_80ff_ffff);
    g.dist_write(0x6140, 4, 1);
    assert_eq!(g.dist_read(0x6140, 8), 0xff_0000_0001);
    assert_eq!(g.dist_read(0x6144, 4), 0xff);
    g.dist_write(0x105, 1, 0x81);
    assert_eq!(g.dist_read(0x104, 8), 0x8100);
    assert_eq!(g.dist_read(0x186, 1), 0);
    g.dist_write(0x184, 8, 0x0100);
    assert_eq!(g.dist_read(0x104, 4), 0x8000);
    // SPIs begin at 32; private interrupts are the Redistributor's.
    g.dist_write(0x100, 4, 0xffff_ffff);
    assert_eq!(g.dist_read(0x100, 4), 0);
    assert_eq!(g.redist_write(0x10100, 4, 0xffff_ffff), Some(()));
    assert_eq!(g.redist_read(0x10180, 4), Some(0xffff_ffff));
    assert_eq!(g.redist_read(0x10104, 4), Some(0));
    assert_eq!(g.redist_write(0x10c00, 8, 0), Some(()));
    assert_eq!(
        g.redist_read(0x10c00, 8),
        Some(0xaaaa_aaaa),
        "SGIs are edges"
    );
}

#[test]
fn identification() {
    let mut g = gic();
    assert_eq!(g.dist_read(0, 4), 0x53);
    g.dist_write(0, 4, u64::MAX);
    assert_eq!(
        g.dist_read(0, 4),
        0xd3,
        "ARE and DS are fixed, E1NWF is there, the rest is RES0"
    );
    assert_eq!(g.dist_read(4, 4), 0x017a_0008);
    assert_eq!(g.dist_read(8, 8), 0x43b);
    assert_eq!(g.dist_read(0xffe8, 4), 0x3b);
    assert_eq!(g.redist_read(8, 8), Some(0x100_0021));
    assert_eq!(
        g.redist_read(0x20008, 8),
        Some(1 << 32 | 1 << 24 | 1 << 8 | 1 << 4 | 0x21)
    );
    assert_eq!(g.redist_read(0x14, 4), Some(6));
    g.redist_write(0x14, 4, 0);
    assert_eq!(g.redist_read(0x14, 4), Some(0));
    assert_eq!(g.redist_read(0x2ffe8, 4), Some(0x3b));
}

#[test]
fn private_lines_are_each_cpus_own() {
    let mut g = gic();
    for cpu in 0..2 {
        let sgi = cpu * REDIST_STRIDE + 0x10000;
        g.redist_write(sgi + 0x80, 4, 0xffff_ffff);
        g.redist_write(sgi + 0x100, 4, 1 << 27);
    }
    g.set_level(27, Some(1), true);
    assert!(!g.lines(0).irq && g.lines(1).irq);
    g.set_level(27, Some(0), true);
    g.set_level(27, Some(1), false);
    assert!(g.lines(0).irq && !g.lines(1).irq);
    // Lines that are not there.
    g.set_level(5, Some(0), true);
    g.set_level(27, None, true);
    g.set_level(40, Some(0), true);
    g.set_level(256, None, true);
    g.set_level(27, Some(7), true);
    assert_eq!(g.acknowledge_peek(0), Some(27));
}

#[test]
fn reset_keeps_input_lines() {
    let mut g = gic();
    spi(&mut g, 33, 0);
    g.set_level(33, None, true);
    g.reset();
    assert_eq!(g.lines(0), Lines::default());
    assert_eq!(g.dist_read(0x204, 4), 2);
    let saved = g.state().clone();
    g.set_level(33, None, false);
    g.set_state(saved);
    assert_eq!(g.dist_read(0x204, 4), 2);
}

/// 3.3.2: an interrupt for any PE goes to one of those that are awake and have its group enabled.
#[test]
fn one_of_n() {
    let mut g = gic();
    pulse(&mut g, 40, 0x80);
    g.dist_write(0x6000 + 8 * 40, 8, 1 << 31 | 1);
    assert_eq!(g.dist_read(0x6000 + 8 * 40, 8), 1 << 31 | 1);
    let who = |g: &mut Gic| [0, 1].map(|cpu| g.lines(cpu).irq);
    assert_eq!(who(&mut g), [false, false], "both sleep");
    for cpu in 0..2 {
        g.redist_write(cpu * REDIST_STRIDE + 0x14, 4, 0);
    }
    assert_eq!(who(&mut g), [true, false]);
    g.sysreg_write(0, ICC_PMR_EL1, 0x80, PHYS);
    assert_eq!(who(&mut g), [false, true], "CPU 0 would not be signalled");
    g.sysreg_write(1, ICC_IGRPEN1_EL1, 0, PHYS);
    assert_eq!(who(&mut g), [false, false], "waits at CPU 0");
    assert_eq!(rd(&mut g, ICC_HPPIR1_EL1), 40);
    g.sysreg_write(1, ICC_IGRPEN1_EL1, 1, PHYS);
    g.sysreg_write(0, ICC_PMR_EL1, 0xff, PHYS);
    g.redist_write(0, 4, 1 << 25);
    assert_eq!(g.redist_read(0, 4).expect("GICR_CTLR") >> 24, 2, "DPG1NS");
    assert_eq!(who(&mut g), [false, true], "CPU 0 is spared");
    g.redist_write(REDIST_STRIDE, 4, 1 << 25);
    assert_eq!(who(&mut g), [false, false]);
    g.redist_write(0, 4, 1 << 24);
    assert_eq!(who(&mut g), [true, false], "DPG0 is about group 0");
    g.redist_write(0x14, 4, 2);
    assert_eq!(who(&mut g), [false, false], "CPU 0 sleeps");
    g.dist_write(0, 4, 3 | 1 << 7);
    assert_eq!(who(&mut g), [true, false], "E1NWF");
    assert_eq!(rd(&mut g, ICC_IAR1_EL1), 40);
    assert_eq!(who(&mut g), [false, false]);
    wr(&mut g, ICC_EOIR1_EL1, 40);
    assert_eq!(g.dist_read(0x304, 4), 0);
}

#[test]
fn a_reset_of_a_pe_resets_its_interfaces_alone() {
    let mut g = gic();
    pulse(&mut g, 40, 0x80);
    wr(&mut g, ICH_HCR_EL2, 1 | 1 << 3);
    assert!(g.lines(0).irq);
    assert!(g.state().pe[0].private[MAINTENANCE as usize].line);
    g.reset_interface(0);
    assert!(!g.lines(0).irq);
    assert_eq!(rd(&mut g, ICC_PMR_EL1), 0);
    assert!(!g.state().pe[0].private[MAINTENANCE as usize].line);
    assert_eq!(g.dist_read(0x204, 4), 1 << 8, "still pending");
}
