//! The virtual CPU interface. Source of expectations: IHI 0069, chapter 6 and 12.4, 12.5.

use super::tests::{gic, rd, wr, VIRT};
use super::*;

const PENDING: u64 = 1 << 62;
const ACTIVE: u64 = 1 << 63;
const HW: u64 = 1 << 61;
const GROUP1: u64 = 1 << 60;
const EOI: u64 = 1 << 41;

/// A guest with both groups enabled and nothing masked.
fn guest() -> Gic {
    let mut g = gic();
    wr(&mut g, ICH_HCR_EL2, 1);
    wr(&mut g, ICH_VMCR_EL2, 0xff << 24 | 3);
    g
}
fn lr(intid: u64, priority: u64) -> u64 {
    PENDING | GROUP1 | priority << 48 | intid
}
fn vrd(g: &mut Gic, r: Reg) -> u64 {
    g.sysreg_read(0, r, VIRT)
}
fn vwr(g: &mut Gic, r: Reg, v: u64) {
    g.sysreg_write(0, r, v, VIRT);
}

#[test]
fn list_register_life_cycle() {
    let mut g = guest();
    wr(&mut g, ICH_LR1_EL2, lr(27, 0xa0));
    assert_eq!(
        g.lines(0),
        Lines {
            virq: true,
            ..Lines::default()
        }
    );
    assert_eq!(rd(&mut g, ICH_ELRSR_EL2), 0b1101);
    assert_eq!(vrd(&mut g, ICC_HPPIR1_EL1), 27);
    assert_eq!(vrd(&mut g, ICC_IAR1_EL1), 27);
    assert_eq!(rd(&mut g, ICH_LR1_EL2), lr(27, 0xa0) & !PENDING | ACTIVE);
    assert_eq!(rd(&mut g, ICH_AP1R0_EL2), 1 << 20);
    assert_eq!(vrd(&mut g, ICC_RPR_EL1), 0xa0);
    assert_eq!(g.lines(0), Lines::default());
    // Pending again while active: signalled after the end.
    wr(&mut g, ICH_LR1_EL2, lr(27, 0xa0) | ACTIVE);
    assert!(!g.lines(0).virq);
    vwr(&mut g, ICC_EOIR1_EL1, 27);
    assert_eq!(rd(&mut g, ICH_LR1_EL2), lr(27, 0xa0));
    assert!(g.lines(0).virq);
    assert_eq!(vrd(&mut g, ICC_IAR1_EL1), 27);
    vwr(&mut g, ICC_EOIR1_EL1, 27);
    assert_eq!(rd(&mut g, ICH_LR1_EL2) >> 62, 0);
    assert_eq!(rd(&mut g, ICH_ELRSR_EL2), 0b1111);
    assert_eq!(rd(&mut g, ICH_HCR_EL2), 1, "EOIcount is 0");
}

#[test]
fn views_are_apart() {
    let mut g = guest();
    vwr(&mut g, ICC_PMR_EL1, 0x50);
    assert_eq!(rd(&mut g, ICC_PMR_EL1), 0xf8);
    assert_eq!(rd(&mut g, ICH_VMCR_EL2) >> 24, 0x50);
    let imo = View {
        virtual_g0: false,
        virtual_g1: true,
    };
    g.sysreg_write(0, ICC_IGRPEN0_EL1, 0, imo);
    g.sysreg_write(0, ICC_IGRPEN1_EL1, 0, imo);
    assert_eq!(rd(&mut g, ICC_IGRPEN0_EL1), 0);
    assert_eq!(rd(&mut g, ICC_IGRPEN1_EL1), 1);
    assert_eq!(rd(&mut g, ICH_VMCR_EL2) & 3, 1);
    assert_eq!(
        g.sysreg_read(0, ICC_PMR_EL1, imo),
        0x50,
        "common registers are virtual if either is"
    );
}

#[test]
fn virtual_groups_and_enables() {
    let mut g = guest();
    wr(&mut g, ICH_LR0_EL2, lr(40, 0x80) & !GROUP1);
    assert_eq!(
        g.lines(0),
        Lines {
            vfiq: true,
            ..Lines::default()
        }
    );
    assert_eq!(vrd(&mut g, ICC_IAR1_EL1), 1023);
    wr(&mut g, ICH_VMCR_EL2, 0xff << 24 | 2);
    assert_eq!(g.lines(0), Lines::default());
    assert_eq!(vrd(&mut g, ICC_HPPIR0_EL1), 1023);
    wr(&mut g, ICH_VMCR_EL2, 0xff << 24 | 1);
    wr(&mut g, ICH_HCR_EL2, 0);
    assert_eq!(g.lines(0), Lines::default());
    assert_eq!(vrd(&mut g, ICC_IAR0_EL1), 1023);
    wr(&mut g, ICH_HCR_EL2, 1);
    assert_eq!(vrd(&mut g, ICC_IAR0_EL1), 40);
    assert_eq!(rd(&mut g, ICH_AP0R0_EL2), 1 << 16);
    vwr(&mut g, ICC_EOIR0_EL1, 40);
    assert_eq!(rd(&mut g, ICH_LR0_EL2) >> 62, 0);
}

#[test]
fn virtual_priorities() {
    let mut g = guest();
    wr(&mut g, ICH_LR0_EL2, lr(40, 0x80));
    wr(&mut g, ICH_LR1_EL2, lr(41, 0x40));
    wr(&mut g, ICH_LR2_EL2, lr(42, 0x40));
    vwr(&mut g, ICC_PMR_EL1, 0x40);
    assert!(!g.lines(0).virq);
    vwr(&mut g, ICC_PMR_EL1, 0xf8);
    assert_eq!(vrd(&mut g, ICC_IAR1_EL1), 41);
    assert_eq!(vrd(&mut g, ICC_IAR1_EL1), 1023, "no preemption by an equal");
    wr(&mut g, ICH_LR3_EL2, lr(43, 0x38));
    vwr(&mut g, ICC_BPR1_EL1, 7);
    assert!(!g.lines(0).virq, "the same group priority");
    vwr(&mut g, ICC_BPR1_EL1, 0);
    assert_eq!(vrd(&mut g, ICC_BPR1_EL1), 3);
    assert_eq!(vrd(&mut g, ICC_IAR1_EL1), 43);
    assert_eq!(rd(&mut g, ICH_AP1R0_EL2), 1 << 8 | 1 << 7);
    for (eoi, next) in [(43, 1023), (41, 42)] {
        vwr(&mut g, ICC_EOIR1_EL1, eoi);
        assert_eq!(vrd(&mut g, ICC_IAR1_EL1), next);
    }
    vwr(&mut g, ICC_EOIR1_EL1, 42);
    assert_eq!(vrd(&mut g, ICC_IAR1_EL1), 40);
}

/// HW = 1: the end of the virtual interrupt is the end of the physical one.
#[test]
fn hardware_interrupts_are_deactivated_with_the_virtual() {
    for split in [false, true] {
        let mut g = guest();
        wr(&mut g, ICC_CTLR_EL1, 2);
        g.redist_write(0x10080, 4, 1 << 27);
        g.redist_write(0x10100, 4, 1 << 27);
        g.set_level(27, Some(0), true);
        assert_eq!(rd(&mut g, ICC_IAR1_EL1), 27);
        wr(&mut g, ICC_EOIR1_EL1, 27);
        wr(&mut g, ICH_LR0_EL2, lr(30, 0x80) | HW | 27 << 32);
        vwr(&mut g, ICC_CTLR_EL1, if split { 2 } else { 0 });
        assert_eq!(vrd(&mut g, ICC_IAR1_EL1), 30);
        assert!(!g.lines(0).irq, "physically active");
        g.set_level(27, Some(0), false);
        vwr(&mut g, ICC_EOIR1_EL1, 30);
        if split {
            assert_eq!(g.redist_read(0x10300, 4), Some(1 << 27));
            vwr(&mut g, ICC_DIR_EL1, 30);
        }
        assert_eq!(g.redist_read(0x10300, 4), Some(0));
        assert_eq!(rd(&mut g, ICH_LR0_EL2) >> 62, 0);
    }
}

/// ICH_MISR_EL2, cause by cause: (what is written, MISR).
#[test]
fn maintenance_causes() {
    let causes: [(&str, fn(&mut Gic), u64); 12] = [
        ("nothing", |_| (), 0),
        ("EOI", |g| wr(g, ICH_LR2_EL2, EOI | 40), 1),
        (
            "EOI, but still pending",
            |g| wr(g, ICH_LR2_EL2, EOI | lr(40, 0)),
            0,
        ),
        (
            "EOI means nothing with HW",
            |g| wr(g, ICH_LR2_EL2, HW | EOI | 40),
            0,
        ),
        ("underflow with none valid", |g| wr(g, ICH_HCR_EL2, 3), 2),
        (
            "underflow with one valid",
            |g| {
                wr(g, ICH_HCR_EL2, 3);
                wr(g, ICH_LR0_EL2, ACTIVE | 40)
            },
            2,
        ),
        (
            "no underflow with two valid",
            |g| {
                wr(g, ICH_HCR_EL2, 3);
                wr(g, ICH_LR0_EL2, lr(40, 0));
                wr(g, ICH_LR1_EL2, lr(41, 0))
            },
            0,
        ),
        (
            "list register entry not present",
            |g| wr(g, ICH_HCR_EL2, 5 | 1 << 27),
            4,
        ),
        (
            "no pending",
            |g| {
                wr(g, ICH_HCR_EL2, 9);
                wr(g, ICH_LR0_EL2, ACTIVE | PENDING | 40)
            },
            8,
        ),
        (
            "one pending",
            |g| {
                wr(g, ICH_HCR_EL2, 9);
                wr(g, ICH_LR0_EL2, lr(40, 0))
            },
            0,
        ),
        ("groups enabled", |g| wr(g, ICH_HCR_EL2, 0xf1), 0x50),
        (
            "groups disabled",
            |g| {
                wr(g, ICH_HCR_EL2, 0xf1);
                wr(g, ICH_VMCR_EL2, 0)
            },
            0xa0,
        ),
    ];
    for (name, make, misr) in causes {
        let mut g = guest();
        g.redist_write(0x10080, 4, 1 << MAINTENANCE);
        g.redist_write(0x10100, 4, 1 << MAINTENANCE);
        make(&mut g);
        assert_eq!(rd(&mut g, ICH_MISR_EL2), misr, "{name}");
        assert_eq!(
            rd(&mut g, ICH_EISR_EL2),
            if misr & 1 != 0 { 4 } else { 0 },
            "{name}"
        );
        assert_eq!(g.lines(0).irq, misr != 0, "{name}");
        assert_eq!(
            g.acknowledge_peek(0),
            (misr != 0).then_some(MAINTENANCE),
            "{name}"
        );
        let hcr = rd(&mut g, ICH_HCR_EL2);
        wr(&mut g, ICH_HCR_EL2, hcr & !1);
        assert!(!g.lines(0).irq, "{name}: not without ICH_HCR_EL2.En");
    }
}

#[test]
fn eoi_without_a_list_register_is_counted() {
    let mut g = guest();
    let count = |g: &mut Gic| rd(g, ICH_HCR_EL2) >> 27;
    vwr(&mut g, ICC_EOIR1_EL1, 40);
    assert_eq!(count(&mut g), 0, "nothing was active");
    wr(&mut g, ICH_AP1R0_EL2, 1 << 20 | 1 << 10);
    vwr(&mut g, ICC_EOIR1_EL1, 40);
    assert_eq!((count(&mut g), rd(&mut g, ICH_AP1R0_EL2)), (1, 1 << 20));
    vwr(&mut g, ICC_EOIR1_EL1, 1023);
    assert_eq!(count(&mut g), 1, "special");
    vwr(&mut g, ICC_EOIR1_EL1, 8200);
    assert_eq!(
        (count(&mut g), rd(&mut g, ICH_AP1R0_EL2)),
        (1, 0),
        "LPIs have no active state"
    );
    vwr(&mut g, ICC_DIR_EL1, 40);
    assert_eq!(count(&mut g), 1, "DIR without EOImode");
    vwr(&mut g, ICC_CTLR_EL1, 2);
    wr(&mut g, ICH_AP1R0_EL2, 1);
    vwr(&mut g, ICC_EOIR1_EL1, 40);
    assert_eq!(count(&mut g), 1, "with EOImode it is DIR that counts");
    vwr(&mut g, ICC_DIR_EL1, 40);
    assert_eq!(count(&mut g), 2);
}

#[test]
fn ich_registers_keep_what_is_implemented() {
    let mut g = gic();
    assert_eq!(rd(&mut g, ICH_VTR_EL2), 0x90b8_0003);
    assert_eq!(rd(&mut g, ICH_VMCR_EL2), 0x4c_0008);
    wr(&mut g, ICH_VMCR_EL2, 0);
    assert_eq!(
        rd(&mut g, ICH_VMCR_EL2),
        0x4c_0008,
        "minimum binary points, VFIQEn"
    );
    wr(&mut g, ICH_VMCR_EL2, u64::MAX);
    assert_eq!(rd(&mut g, ICH_VMCR_EL2), 0xf8fc_021b);
    wr(&mut g, ICH_LR3_EL2, u64::MAX);
    assert_eq!(rd(&mut g, ICH_LR3_EL2), 0xf0f8_1fff_00ff_ffff);
    wr(&mut g, ICH_HCR_EL2, u64::MAX);
    assert_eq!(rd(&mut g, ICH_HCR_EL2), 0xf800_5cff);
    assert_eq!(vrd(&mut g, ICC_CTLR_EL1), 0x8c03);
}
