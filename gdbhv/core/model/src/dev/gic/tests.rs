//! Source of expectations: IHI 0069 (GICv3), sections cited at each test.

use super::*;

const PHYS: View = View::PHYSICAL;
const VIRT: View = View {
    virtual_g0: true,
    virtual_g1: true,
};

/// Two CPUs, everything on: both groups, no masking, SPIs to CPU 0.
fn gic() -> Gic {
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
fn rd(g: &mut Gic, r: Reg) -> u64 {
    g.sysreg_read(0, r, PHYS)
}
fn wr(g: &mut Gic, r: Reg, v: u64) {
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
