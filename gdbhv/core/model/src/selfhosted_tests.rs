use super::*;

const KDE: u32 = 13; // of MDSCR_EL1
const TDE: u32 = 8; // of MDCR_EL2

/// D2.9, the table of HMC, SSC and PMC for a PE with EL2, without EL3 and Secure state: which levels each combination selects.
#[test]
fn levels_by_the_table() {
    let of = |hmc: u64, ssc: u64, pmc: u64| levels(hmc << 13 | ssc << 14 | pmc << 1);
    let (el0, el1, el2) = (1, 2, 4);
    assert_eq!(of(0, 0, 1), el1);
    assert_eq!(of(0, 0, 2), el0);
    assert_eq!(of(0, 0, 3), el0 | el1);
    assert_eq!(of(1, 0, 1), el1 | el2);
    assert_eq!(of(1, 0, 3), el0 | el1 | el2);
    assert_eq!(of(1, 3, 0), el2);
    for (hmc, pmc) in [(0, 1), (0, 3), (1, 0), (1, 3)] {
        assert_eq!(of(hmc, 2, pmc), 0, "Secure state only");
    }
    assert_eq!(of(0, 3, 0), 0, "Secure EL2 only");
}

#[test]
fn load_exclusives() {
    // ldxr x0, [x1]; ldaxr w0, [x1]; ldxp x0, x1, [x2]; ldaxp x0, x1, [x2]; ldxrb w0, [x1]
    for word in [
        0xc85f_7c20,
        0x885f_fc20,
        0xc87f_0440,
        0xc87f_8440,
        0x085f_7c20,
    ] {
        assert!(load_exclusive(word), "{word:#x}");
    }
    // stxr w0, x1, [x2]; ldar x0, [x1]; cas x0, x1, [x2]; ldr x0, [x1]; casp x0, x1, x2, x3, [x4]
    for word in [
        0xc800_7c41,
        0xc8df_fc20,
        0xc8a0_7c41,
        0xf940_0020,
        0x4820_7c82,
    ] {
        assert!(!load_exclusive(word), "{word:#x}");
    }
}

fn pe() -> Cpu {
    let mut cpu = Cpu::new(0, 1);
    cpu.set(MDSCR_EL1, MDE | 1 << KDE);
    cpu.pstate.daif = 0;
    cpu
}

/// The bytes that BAS and MASK select (D24.3, DBGWCR).
#[test]
fn watched_bytes() {
    let mut cpu = pe();
    let mut of = |va: u64, bas: u64, mask: u64| {
        cpu.set(DBGWVR1_EL1, va);
        cpu.set(DBGWCR1_EL1, 1 | 3 << 3 | bas << 5 | mask << 24);
        watched(&cpu, 1)
    };
    assert_eq!(of(0x1000, 0xff, 0), Some((0x1000, 0x1007)));
    assert_eq!(of(0x1000, 0x0c, 0), Some((0x1002, 0x1003)));
    assert_eq!(of(0x1004, 0x0f, 0), Some((0x1004, 0x1007)));
    assert_eq!(of(0x1004, 0xf0, 0), None); // BAS[7:4] is RES0
    assert_eq!(of(0x1000, 0, 0), None);
    assert_eq!(of(0x1000, 0xff, 12), Some((0x1000, 0x1fff)));
    assert_eq!(of(0x8000_0000, 0xff, 31), Some((0x8000_0000, 0xffff_ffff)));
    assert_eq!(of(0x1000, 0xff, 2), None);
}

/// Where debug exceptions may come from (D2.4, table of what is enabled from the current Exception level).
#[test]
fn enabled_by_level() {
    // (MDCR_EL2.TDE, KDE, D, EL): enabled
    let rows = [
        (false, false, false, 0, true),
        (false, false, true, 0, true),
        (false, false, false, 1, false),
        (false, true, false, 1, true),
        (false, true, true, 1, false),
        (false, true, false, 2, false),
        (true, false, true, 0, true),
        (true, false, true, 1, true),
        (true, false, false, 2, false),
        (true, true, true, 2, false),
        (true, true, false, 2, true),
    ];
    for (tde, kde, d, el, on) in rows {
        let mut cpu = pe();
        cpu.set(MDCR_EL2, (tde as u64) << TDE);
        cpu.set(MDSCR_EL1, (kde as u64) << KDE);
        cpu.pstate.daif = if d { D } else { 0 };
        cpu.pstate.el = el;
        assert_eq!(enabled(&cpu), on, "{:?}", (tde, kde, d, el));
        cpu.set(OSLSR_EL1, 2);
        assert!(!enabled(&cpu), "the OS lock");
    }
}
