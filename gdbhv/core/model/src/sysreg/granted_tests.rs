//! Oracle: the rules of [`crate::sysreg::trap`] themselves, asked again.

use super::*;
use crate::exec::code::Code;
use crate::exec::refresh::{follow, refresh};
use crate::mmu::tlb::Key;
use crate::pe::Pe;
use crate::pstate::Pstate;
use crate::reg::Access;
use crate::sysreg::access::debug_write;
use crate::sysreg::behaviour::Store;
use crate::sysreg::tests::{at, Bench};
use crate::sysreg::ROWS;

const DC_ZVA_X5: u32 = 0xd50b_7425;

/// Xorshift.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// Make all accesses: which are granted.
fn tried(b: &mut Bench) -> u32 {
    b.cpu.grant_nothing();
    for (n, r) in READ.into_iter().enumerate() {
        let read = b.read(r);
        if b.cpu.granted >> n & 1 != 0 {
            let held = if r == SP_EL0 {
                b.cpu.sp[0]
            } else {
                b.cpu.get(r)
            };
            assert_eq!(read, Ok(held), "{r:?}");
        }
    }
    let _ = b.run(DC_ZVA_X5); // it may fault after it was allowed
    b.cpu.granted
}

#[test]
fn they_are_plain() {
    for r in READ.into_iter().filter(|r| *r != SP_EL0) {
        let row = ROWS.iter().find(|row| row.reg == r).expect("a row");
        assert!(matches!(row.store, Store::Plain), "{}", row.name);
    }
}

/// No register decides on them whose writer does not set `Cpu::changed`.
#[test]
fn what_was_granted_is_granted_until_something_has_changed() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let (mut seen, mut refused, mut silent) = (0, 0, 0);
    for round in 0..300 {
        let mut b = at(round as u8 % 3);
        for row in ROWS.iter().filter(|r| r.access.write != Access::NEVER) {
            let masks = [0, next(&mut seed), next(&mut seed) & next(&mut seed)];
            b.cpu.set(row.reg, next(&mut seed) & masks[round / 3 % 3]);
        }
        refresh(&mut b.cpu, &mut b.sh);
        (b.cpu.changed, b.cpu.moved) = (false, false);
        assert_eq!(b.cpu.granted, 0);
        let mut granted = tried(&mut b);
        seen |= granted;
        refused |= !granted;
        for row in ROWS.iter() {
            let v = next(&mut seed);
            if debug_write(&mut b.cpu, &mut b.sh, row.reg, v).is_err() {
                continue;
            }
            let again = tried(&mut b);
            let moved = std::mem::take(&mut b.cpu.moved); // SPSel
            if !std::mem::take(&mut b.cpu.changed) && !moved {
                assert_eq!(again, granted, "{} of {v:#x}", row.name);
                silent += 1;
            }
            granted = again;
        }
    }
    let all = 2 * ZVA - 1;
    assert_eq!((seen & all, refused & all), (all, all));
    assert!(silent > 10_000, "{silent}");
}

/// What `refresh` is about.
fn derived(cpu: &Pe) -> (bool, bool, bool, Key) {
    // SAFETY: `ctx` is that of a box of the TLB.
    let key = unsafe { (*cpu.ctx).key };
    (cpu.fp_traps, cpu.fgt, cpu.tlb.strict, key)
}

/// PSTATE changes, now and then a register: what is derived, and what is granted, is what it would be if nothing were kept.
#[test]
fn what_was_derived_at_a_level_is_true_there_again() {
    let mut seed = 0x2545_f491_4f6c_dd1d;
    let (mut kept, mut found) = (0, 0);
    for _ in 0..100 {
        let mut b = at(2);
        let mut code = Code::new(&b.sh.ram, b.sh.config.features, 1);
        for row in ROWS.iter().filter(|r| r.access.write != Access::NEVER) {
            let v = next(&mut seed) & next(&mut seed) & next(&mut seed);
            let _ = debug_write(&mut b.cpu, &mut b.sh, row.reg, v);
        }
        for _ in 0..100 {
            let r = next(&mut seed);
            if r >> 8 & 7 == 0 {
                let row = &ROWS[(r >> 16) as usize % ROWS.len()];
                let _ = debug_write(&mut b.cpu, &mut b.sh, row.reg, next(&mut seed));
            }
            let p = Pstate {
                el: (r % 3) as u8,
                sp: (r % 3 != 0 && r & 16 != 0) as u8,
                pan: r & 32 != 0,
                ..b.cpu.pstate
            };
            b.cpu.set_pstate(p);
            let (before, there) = (b.cpu.granted, b.cpu.derived);
            follow(&mut b.cpu, &mut b.sh, &mut code);
            found += (there == b.cpu.derived) as u32;
            let all = derived(&b.cpu);
            let (granted, others) = (b.cpu.granted, b.cpu.granted_there);
            assert!([0, before].contains(&granted));
            let asked = tried(&mut b);
            assert_eq!(granted & !asked, 0, "{granted:#x} {asked:#x}");
            kept += (granted != 0) as u32;
            let there = b.cpu.derived;
            refresh(&mut b.cpu, &mut b.sh);
            assert_eq!(all, derived(&b.cpu));
            (b.cpu.derived, b.cpu.granted_there) = (there, others);
            b.cpu.granted = asked;
        }
    }
    assert!(kept > 1000 && found > 1000, "{kept} {found}");
}
