//! Source of expectations: IHI 0048 (GICv2), sections cited at each test.

use super::Frame::{Gicc, Gicd, Gich, Gicv, V2m};
use crate::dev::gic::{Gic, Version, MAINTENANCE};
use crate::raise::Lines;

const CTLR: u64 = 0;
const PMR: u64 = 4;
const BPR: u64 = 8;
const IAR: u64 = 0xc;
const EOIR: u64 = 0x10;
const RPR: u64 = 0x14;
const HPPIR: u64 = 0x18;
const AIAR: u64 = 0x20;
const AEOIR: u64 = 0x24;
const DIR: u64 = 0x1000;

fn gic(cpus: usize) -> Gic {
    let mut g = Gic::of(Version::V2, cpus);
    g.v2_write(Gicd, 0, CTLR, 4, 3);
    for cpu in 0..cpus {
        g.v2_write(Gicc, cpu, CTLR, 4, 3);
        g.v2_write(Gicc, cpu, PMR, 4, 0xff);
    }
    g
}
fn spi(g: &mut Gic, intid: u64, priority: u64, targets: u64) {
    g.v2_write(Gicd, 0, 0x100 + intid / 32 * 4, 4, 1 << (intid % 32));
    g.v2_write(Gicd, 0, 0x400 + intid, 1, priority);
    g.v2_write(Gicd, 0, 0x800 + intid, 1, targets);
}
fn pend(g: &mut Gic, intid: u64) {
    g.v2_write(Gicd, 0, 0x200 + intid / 32 * 4, 4, 1 << (intid % 32));
}
fn rd(g: &mut Gic, cpu: usize, at: u64) -> u64 {
    g.v2_read(Gicc, cpu, at, 4)
}
fn wr(g: &mut Gic, cpu: usize, at: u64, v: u64) {
    g.v2_write(Gicc, cpu, at, 4, v);
}

/// 4.3.2 GICD_TYPER, 4.3.17 ICPIDR2, 4.4.14 GICC_IIDR.
#[test]
fn identification() {
    let mut g = gic(3);
    assert_eq!(g.v2_read(Gicd, 0, 4, 4), 0x48);
    assert_eq!(g.v2_read(Gicd, 0, 0xfe8, 4) >> 4, 2);
    assert_eq!(g.v2_read(Gicc, 0, 0xfc, 4) >> 16 & 15, 2);
    assert_eq!(g.v2_read(Gicc, 0, 0xfe, 1), 2);
    assert_eq!(g.v2_read(Gich, 0, 4, 4), 0x9000_0003);
    g.v2_write(Gicc, 0, CTLR, 4, u64::MAX);
    assert_eq!(rd(&mut g, 0, CTLR), 0x21f);
    g.v2_write(Gicc, 0, BPR, 4, 0);
    assert_eq!(rd(&mut g, 0, BPR), 2, "5 bits of priority");
}

/// 4.3.12 GICD_ITARGETSR: a mask of CPUs that are there; private ones read as the CPU that asks.
#[test]
fn targets() {
    let mut g = gic(3);
    g.v2_write(Gicd, 0, 0x820, 4, 0xff_05_02_01);
    assert_eq!(g.v2_read(Gicd, 0, 0x820, 4), 0x07_05_02_01);
    assert_eq!(g.v2_read(Gicd, 0, 0x823, 1), 7);
    assert_eq!(g.v2_read(Gicd, 2, 0x800, 4), 0x0404_0404);
    g.v2_write(Gicd, 2, 0x800, 4, 0);
    assert_eq!(g.v2_read(Gicd, 1, 0x81c, 4), 0x0202_0202);
    let mut one = gic(1);
    assert_eq!(one.v2_read(Gicd, 0, 0x800, 4), 0);
    one.v2_write(Gicd, 0, 0x820, 1, 1);
    assert_eq!(one.v2_read(Gicd, 0, 0x820, 1), 0);
    spi(&mut one, 40, 0, 0);
    pend(&mut one, 40);
    assert_eq!(rd(&mut one, 0, IAR), 40, "one CPU has all");
}

/// 1.4.3: of several targets one takes it (the 1-N model).
#[test]
fn several_targets() {
    let mut g = gic(3);
    spi(&mut g, 40, 0x80, 6);
    pend(&mut g, 40);
    assert!(!g.lines(0).irq && g.lines(1).irq && g.lines(2).irq);
    assert_eq!(rd(&mut g, 2, IAR), 40);
    assert!(!g.lines(1).irq);
    assert_eq!(rd(&mut g, 1, IAR), 1023);
    wr(&mut g, 2, EOIR, 40);
    assert_eq!(g.v2_read(Gicd, 0, 0x304, 4), 0);
}

/// 4.3.15 GICD_SGIR, 4.3.16 GICD_CPENDSGIR and GICD_SPENDSGIR, 4.4.4 GICC_IAR.CPUID.
#[test]
fn sgis_by_source() {
    let mut g = gic(3);
    g.v2_write(Gicd, 1, 0xf00, 4, 0b101 << 16 | 3);
    g.v2_write(Gicd, 2, 0xf00, 4, 1 << 24 | 3);
    assert_eq!(g.v2_read(Gicd, 0, 0xf20, 4), 0b110 << 24);
    assert_eq!(g.v2_read(Gicd, 1, 0xf23, 1), 0b100);
    assert_eq!(g.v2_read(Gicd, 2, 0xf13, 1), 0b010);
    assert_eq!(g.v2_read(Gicd, 0, 0x200, 4), 8);
    assert_eq!(rd(&mut g, 0, HPPIR), 3 | 1 << 10);
    assert_eq!(rd(&mut g, 0, IAR), 3 | 1 << 10);
    assert_eq!(rd(&mut g, 0, IAR), 1023, "active");
    wr(&mut g, 0, EOIR, 3 | 1 << 10);
    assert_eq!(rd(&mut g, 0, IAR), 3 | 2 << 10);
    wr(&mut g, 0, EOIR, 3 | 2 << 10);
    assert_eq!(rd(&mut g, 0, IAR), 1023);
    g.v2_write(Gicd, 1, 0xf13, 1, 0b100);
    assert!(!g.lines(1).irq, "cleared");
    g.v2_write(Gicd, 1, 0xf23, 1, 0b1001);
    assert_eq!(rd(&mut g, 1, IAR), 3, "from CPU 0; there is no CPU 3");
    g.v2_write(Gicd, 0, 0xf00, 4, 2 << 24 | 5);
    assert_eq!(rd(&mut g, 0, IAR), 5, "itself");
    g.v2_write(Gicd, 0, 0x200, 4, 0xff);
    g.v2_write(Gicd, 0, 0x180, 4, 0xffff);
    assert_eq!(
        g.v2_read(Gicd, 0, 0x200, 4),
        0,
        "ISPENDR is read-only for SGIs"
    );
    assert_eq!(g.v2_read(Gicd, 0, 0x100, 4), 0xffff, "always enabled");
}

/// 4.4.1 GICC_CTLR: FIQEn, AckCtl; 4.4.4 GICC_IAR and its alias.
#[test]
fn groups() {
    let mut g = gic(2);
    spi(&mut g, 40, 0x80, 1);
    pend(&mut g, 40);
    assert!(g.lines(0).irq && !g.lines(0).fiq, "group 0 as IRQ");
    wr(&mut g, 0, CTLR, 3 | 8);
    assert!(!g.lines(0).irq && g.lines(0).fiq, "FIQEn");
    assert_eq!(rd(&mut g, 0, AIAR), 1023);
    assert_eq!(rd(&mut g, 0, IAR), 40);
    wr(&mut g, 0, AEOIR, 40);
    assert_eq!(rd(&mut g, 0, RPR), 0x80, "not by the alias");
    wr(&mut g, 0, EOIR, 40);
    g.v2_write(Gicd, 0, 0x84, 4, 1 << 8);
    pend(&mut g, 40);
    assert!(g.lines(0).irq, "group 1 as IRQ always");
    assert_eq!(rd(&mut g, 0, HPPIR), 1022);
    assert_eq!(rd(&mut g, 0, IAR), 1022);
    assert_eq!(rd(&mut g, 0, 0x28), 40);
    assert_eq!(rd(&mut g, 0, AIAR), 40);
    assert_eq!(rd(&mut g, 0, 0xe0), 1 << 16);
    wr(&mut g, 0, AEOIR, 40);
    pend(&mut g, 40);
    wr(&mut g, 0, CTLR, 3 | 4);
    assert_eq!(rd(&mut g, 0, IAR), 40, "AckCtl");
    wr(&mut g, 0, EOIR, 40);
    pend(&mut g, 40);
    wr(&mut g, 0, CTLR, 1);
    assert_eq!(g.lines(0), Lines::default(), "EnableGrp1");
}

/// 3.2.1 EOImode, 4.4.15 GICC_DIR; 3.3 preemption.
#[test]
fn priority_drop_and_deactivation() {
    let mut g = gic(1);
    wr(&mut g, 0, CTLR, 3 | 1 << 9);
    spi(&mut g, 40, 0x80, 1);
    spi(&mut g, 41, 0x40, 1);
    pend(&mut g, 40);
    assert_eq!(rd(&mut g, 0, IAR), 40);
    pend(&mut g, 41);
    assert!(g.lines(0).irq, "preempts");
    assert_eq!(rd(&mut g, 0, IAR), 41);
    assert_eq!(rd(&mut g, 0, 0xd0), 1 << 8 | 1 << 16);
    wr(&mut g, 0, EOIR, 41);
    assert_eq!(rd(&mut g, 0, RPR), 0x80);
    wr(&mut g, 0, EOIR, 40);
    assert_eq!(g.v2_read(Gicd, 0, 0x304, 4), 3 << 8);
    wr(&mut g, 0, DIR, 40);
    wr(&mut g, 0, DIR, 41);
    assert_eq!(g.v2_read(Gicd, 0, 0x304, 4), 0);
}

/// 5.3 GICH and 5.4 GICV.
#[test]
fn the_virtual_interface() {
    let mut g = gic(1);
    let mut h = |at, v| g.v2_write(Gich, 0, at, 4, v);
    h(8, 0x1f << 27 | 3 | 4);
    h(0, 1);
    // Pending, group 1, priority 0x80, hardware interrupt 40 as 77; and SGI 2 from CPU 3, higher.
    h(
        0x100,
        1 << 31 | 1 << 30 | 1 << 28 | 0x10 << 23 | 40 << 10 | 77,
    );
    h(0x104, 1 << 28 | 0x8 << 23 | 3 << 10 | 2);
    assert_eq!(g.v2_read(Gich, 0, 0x104, 4), 0x1400_0c02);
    assert_eq!(g.v2_read(Gich, 0, 0x30, 4), 0xc);
    spi(&mut g, 40, 0, 1);
    g.v2_write(Gicd, 0, 0x304, 4, 1 << 8);
    assert!(g.lines(0).virq && !g.lines(0).vfiq && !g.lines(0).irq);
    assert_eq!(g.v2_read(Gicv, 0, HPPIR, 4), 2 | 3 << 10);
    assert_eq!(g.v2_read(Gicv, 0, IAR, 4), 2 | 3 << 10);
    assert_eq!(g.v2_read(Gicv, 0, RPR, 4), 0x40);
    assert_eq!(g.v2_read(Gich, 0, 0xf0, 4), 1 << 8);
    g.v2_write(Gicv, 0, EOIR, 4, 2 | 3 << 10);
    assert_eq!(g.v2_read(Gich, 0, 0x104, 4) >> 28, 0);
    assert_eq!(g.v2_read(Gicv, 0, IAR, 4), 77);
    assert_eq!(g.v2_read(Gicd, 0, 0x304, 4), 1 << 8);
    g.v2_write(Gicv, 0, EOIR, 4, 77);
    assert_eq!(g.v2_read(Gicd, 0, 0x304, 4), 0, "the physical one with it");
    assert_eq!(g.v2_read(Gicv, 0, IAR, 4), 1023);
    g.v2_write(Gicv, 0, CTLR, 4, 1 << 9 | 8 | 1);
    assert_eq!(
        g.v2_read(Gich, 0, 8, 4) & 0xfff,
        0x209,
        "the guest's control is in VMCR"
    );
    g.v2_write(Gich, 0, 0x100, 4, 1 << 28 | 40);
    assert!(g.lines(0).vfiq && !g.lines(0).virq, "VMFIQEn");
    // NPIE: the maintenance interrupt is a level.
    g.v2_write(Gich, 0, 0, 4, 1 | 8);
    let line = |g: &Gic| g.state().pe[0].private[MAINTENANCE as usize].line;
    assert!(!line(&g));
    assert_eq!(g.v2_read(Gicv, 0, IAR, 4), 40);
    assert!(line(&g));
    assert_eq!(g.v2_read(Gich, 0, 0x10, 4), 8);
    g.v2_write(Gicv, 0, EOIR, 4, 40);
    g.v2_write(Gicv, 0, DIR, 4, 99);
    assert_eq!(g.v2_read(Gich, 0, 0, 4) >> 27, 1, "EOICount");
    // EOI of a list register without HW.
    g.v2_write(Gich, 0, 0x100, 4, 1 << 19 | 50);
    assert_eq!(g.v2_read(Gich, 0, 0x20, 4), 1, "EISR0");
}

/// DEN 0029, GICv2m: MSI_TYPER tells the SPIs; a message makes one of them pending as an edge does, and nothing else.
#[test]
fn messages() {
    let mut g = gic(1);
    assert_eq!(g.v2_read(V2m, 0, 8, 4), 80 << 16 | 64);
    for intid in [80, 143] {
        spi(&mut g, intid, 0x40, 1);
        g.v2_write(Gicd, 0, 0xc00 + intid / 16 * 4, 4, 0xaaaa_aaaa);
        g.v2_write(V2m, 0, 0x40, 4, intid);
        assert_eq!(rd(&mut g, 0, IAR), intid);
        assert_eq!(rd(&mut g, 0, IAR), 1023, "once");
        wr(&mut g, 0, EOIR, intid);
    }
    for other in [79, 144, u32::MAX as u64] {
        g.v2_write(V2m, 0, 0x40, 4, other);
        assert_eq!(rd(&mut g, 0, IAR), 1023);
    }
}
