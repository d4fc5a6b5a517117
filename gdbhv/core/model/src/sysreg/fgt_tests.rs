//! Oracle: the Arm ARM's descriptions of the five registers (D24.2): their RES0 bits, and that every bit traps what it names, in its
//! direction, from EL1 and EL0, and nothing else.

use super::super::access;
use super::super::tests::{at, pe, sys, undefined, word, Bench};
use super::*;
use crate::feature::Features;
use crate::reg::fgt::{Bit, BITS};
use crate::reg::find as row_of;
use crate::reg::{field, number, Reg, INFOS};
use std::collections::BTreeSet;

const TGE: u64 = 1 << 27;
const E2H: u64 = 1 << 34;

/// Every access: register or instruction, and direction.
fn accesses() -> Vec<(&'static str, u16, bool)> {
    let registers = INFOS
        .iter()
        .flat_map(|r| [(r.name, r.reg.0, false), (r.name, r.reg.0, true)]);
    let instructions = crate::reg::sysop::INFOS
        .iter()
        .map(|r| (r.name, r.code, true));
    registers.chain(instructions).collect()
}

/// A PE at `el` whose other controls refuse as little as they can.
fn permissive(el: u8, control: Reg, value: u64) -> Bench {
    let mut p = at(el);
    p.cpu
        .set(SCTLR_EL1, 1 << 9 | 1 << 10 | 1 << 14 | 1 << 15 | 1 << 26);
    p.cpu.set(CNTKCTL_EL1, 0x303);
    p.cpu.set(PMUSERENR_EL0, 0xf);
    p.cpu.set(CPACR_EL1, 3 << 20);
    p.cpu.set(CPTR_EL2, 0);
    p.cpu.set(HCR_EL2, 1 << 31 | 3 << 40 | 1 << 53 | 1 << 56);
    p.set(control, value);
    p
}

/// The accesses that trap to EL2 by `control`, with what they told.
fn trapped(el: u8, control: Reg, value: u64) -> BTreeSet<(&'static str, bool)> {
    let mut p = permissive(el, control, value);
    let mut hit = BTreeSet::new();
    for (name, code, write) in accesses() {
        let value = access::debug_read(&p.cpu, &mut p.sh, Reg(code | 0x8000)).unwrap_or(0);
        p.cpu.x[5] = if code >> 15 == 0 { 0x4000_0000 } else { value };
        if let Err(e) = p.run(word(Reg(code), write)) {
            let by: Vec<_> = e.cause.iter().filter(|c| c.starts_with("H")).collect();
            if e.target == 2
                && by
                    .iter()
                    .any(|c| c.starts_with("HFG") || c.starts_with("HDFG"))
            {
                assert_eq!((e.ec, e.next), (ec::SYSREG, false), "{name}");
                assert_eq!(e.iss, Reg(code).iss(5, !write), "{name}");
                hit.insert((name, write));
            }
        }
    }
    hit
}

/// A bit of a feature that can be there, with something to trap.
fn there(b: &Bit) -> bool {
    !b.targets.is_empty() && Feature::ALL.iter().any(|f| f.name() == b.feature)
}

#[test]
fn every_bit_traps_what_it_names_and_nothing_else() {
    for el in [1, 0] {
        // What an access without fine-grained traps may do at all.
        let mut p = permissive(el, HFGRTR_EL2, 0);
        let mut may = BTreeSet::new();
        for (name, code, write) in accesses() {
            p.cpu.x[5] = 0x4000_0000;
            let done = p.run(word(Reg(code), write));
            // (DC ZVA with the MMU off is an alignment fault, behind the trap.)
            if done.is_ok() || done.is_err_and(|e| e.ec == ec::DATA_ABORT) {
                may.insert((name, write));
            }
            p = permissive(el, HFGRTR_EL2, 0);
        }
        for b in BITS.iter().filter(|b| there(b)) {
            for (write, control) in b.control.iter().enumerate() {
                let Some((control, _)) = control else {
                    continue;
                };
                let want: BTreeSet<_> = may
                    .iter()
                    .filter(|(name, w)| *w == (write == 1) && b.covers(name))
                    .copied()
                    .collect();
                assert!(el == 0 || !want.is_empty(), "{}", b.name);
                let got = trapped(el, *control, 1 << b.bit);
                assert_eq!(got, want, "EL{el} {}", b.name);
            }
        }
    }
}

#[test]
fn targets_are_rows_and_each_has_one_bit() {
    let names: Vec<_> = accesses().iter().map(|a| a.0).collect();
    for b in BITS {
        for t in b.targets.split_whitespace() {
            let one = Bit {
                targets: t,
                control: [None, None],
                ..*b
            };
            assert!(names.iter().any(|n| one.covers(n)), "{t} is no row");
        }
    }
    for n in names {
        assert!(BITS.iter().filter(|b| b.covers(n)).count() <= 1, "{n}");
    }
}

#[test]
fn reserved_bits() {
    let reserved: [(Reg, &[u32]); 5] = [
        (HFGRTR_EL2, &[51]),
        (
            HFGWTR_EL2,
            &[2, 9, 10, 14, 15, 18, 21, 25, 26, 28, 40, 42, 46, 51],
        ),
        (HFGITR_EL2, &[61]),
        (HDFGRTR_EL2, &[8, 20, 21, 38, 39, 42, 49]),
        (
            HDFGWTR_EL2,
            &[6, 9, 22, 30, 34, 38, 39, 40, 43, 47, 51, 58, 59, 63],
        ),
    ];
    for (reg, bits) in reserved {
        let row = row_of(reg).expect("row");
        let mask = field::parse(row.fields).iter().fold(0, |m, f| m | f.mask());
        assert_eq!(
            mask,
            !bits.iter().fold(0, |m, b| m | 1u64 << b),
            "{}",
            row.name
        );
    }
}

/// `Pe::fgt` need not look at bits that trap when clear, nor at a reset value.
#[test]
fn bits_that_trap_when_clear_belong_to_absent_features() {
    for b in BITS.iter().filter(|b| b.when_clear) {
        assert!(b.name.starts_with('n'));
        assert!(
            Feature::ALL.iter().all(|f| f.name() != b.feature),
            "{}",
            b.name
        );
    }
}

#[test]
fn fields_of_absent_features_are_res0() {
    let p = pe(2, true, Features::of(&[Feature::FGT]));
    let mask = |r: Reg| p.sh.registers.rows[number(r).expect("row")].mask;
    assert_eq!(mask(HFGRTR_EL2) >> 40, 0);
    assert_eq!(mask(HFGRTR_EL2) >> 4 & 0x1f, 0); // no keys
    assert_eq!(mask(HFGITR_EL2) >> 48 & 7, 0); // no CFP RCTX
    assert_eq!(mask(HDFGRTR_EL2) >> 12, 0); // no PMU, SPE, trace
    let absent = pe(2, true, Features::of(&[]));
    assert!(!absent.sh.registers.rows[number(HFGRTR_EL2).expect("row")].present);
}

#[test]
fn gating() {
    // EL2 is not trapped, nor is the host's EL0; EL0 under TGE without E2H is.
    let mut p = permissive(2, HFGRTR_EL2, u64::MAX);
    assert!(p.read(MIDR_EL1).is_ok());
    let mut p = permissive(0, HFGRTR_EL2, 1 << 35);
    p.set(HCR_EL2, E2H | TGE);
    assert!(p.read(TPIDR_EL0).is_ok());
    p.set(HCR_EL2, TGE);
    assert_eq!(
        p.read(TPIDR_EL0).expect_err("trapped").cause,
        ["HFGRTR_EL2.TPIDR_EL0"]
    );
}

#[test]
fn el1_comes_first_and_causes_add_up() {
    let mut p = permissive(0, HFGRTR_EL2, 1 << 14);
    p.set(SCTLR_EL1, 0); // UCT
    assert_eq!(p.read(CTR_EL0).expect_err("trapped").target, 1);
    let mut p = permissive(1, HFGWTR_EL2, 1 << 29);
    p.set(HCR_EL2, 1 << 26); // TVM
    let e = p.write(SCTLR_EL1, 0).expect_err("trapped");
    assert_eq!(e.cause, ["HCR_EL2.TVM", "HFGWTR_EL2.SCTLR_EL1"]);
    // An ID register is not EL0's to read (FEAT_IDST), whatever EL2 traps.
    let mut p = permissive(0, HFGRTR_EL2, 1 << 25);
    assert_eq!(p.read(MIDR_EL1).expect_err("trapped").target, 1);
    // DC CSW is UNDEFINED at EL0.
    let mut p = permissive(0, HFGITR_EL2, 1 << 5);
    assert_eq!(p.run(sys(0, 7, 10, 2)), Err(undefined()));
}
