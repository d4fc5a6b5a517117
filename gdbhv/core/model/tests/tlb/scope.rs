//! What a TLBI leaves: levels and granules of TTL and TG, contiguous leaves, tables by address and ASID, the regimes of EL2; and
//! the second level, which must follow all of it.

use crate::support::regs::*;
use crate::support::{d, Bench, Tree, ON, RAM};
use gdbhv_model::mmu::kind::Granule;

const OLD: u64 = RAM + 0x40_0000;
const NEW: u64 = RAM + 0x80_0000;
const CONTIGUOUS: u64 = 1 << 52;

/// Stage 1 of EL1&0 with one granule in both ranges.
fn stage1(b: &mut Bench, granule: Granule, tg0: u64) -> Tree {
    let start = if granule == Granule::K64 { 1 } else { 0 };
    let t = b.tree(granule, 48, start);
    b.set(TTBR0_EL1, t.root);
    b.set(TCR_EL1, 16 | tg0 << 14 | 1 << 23 | 5 << 32);
    b.set(SCTLR_EL1, ON);
    t
}

/// A leaf is cached from OLD, then goes to NEW; whether `tlbi` shows that, for data (both levels of what is cached) and for fetches.
fn seen(
    granule: Granule,
    tg0: u64,
    level: i8,
    attrs: u64,
    touched: u64,
    tlbi: (u32, u32, u32, u64),
) -> bool {
    let mut b = Bench::new(1);
    let t = stage1(&mut b, granule, tg0);
    let shift = granule.bits() + (3 - level) as u32 * (granule.bits() - 3);
    let kind = if level == 3 { d::PAGE } else { d::BLOCK };
    let va = 0x1_0000_0000 + touched;
    let leaf =
        |to: u64| (to & !((1 << shift) - 1)) + (touched >> shift << shift) | kind | d::AF | attrs;
    let at = |to: u64| (leaf(to) & 0xffff_ffff_f000) + (touched & ((1 << shift) - 1));
    // blocks of 32 and 512 MiB: OLD and NEW are the same, so permissions tell
    let big = at(OLD) == at(NEW);
    b.map(&t, va, level, leaf(OLD));
    if !big {
        b.write64(at(OLD), 1);
        b.write64(at(NEW), 2);
        assert_eq!((b.load(va), b.fetch(va)), (Ok(1), Ok(at(OLD))));
    } else {
        b.store(va, 1).expect("writable");
        b.fetch(va).expect("executable");
    }
    b.map(
        &t,
        va,
        level,
        leaf(NEW) | if big { d::RO | d::PXN } else { 0 },
    );
    let (op1, crm, op2, xt) = tlbi;
    b.tlbi(op1, crm, op2, xt);
    if !big {
        let value = b.load(va).expect("mapped");
        assert_eq!(b.fetch(va), Ok(at(if value == 1 { OLD } else { NEW })));
        value == 2
    } else {
        let refused = b.store(va, 1).is_err();
        assert_eq!(b.fetch(va).is_err(), refused);
        refused
    }
}

const BASE: u64 = 0x1_0000_0000 >> 12;

/// TTL: granule and level of the leaf, or no hint. A wrong one takes nothing (C5.5).
#[test]
fn ttl() {
    for (granule, tg0, code) in [
        (Granule::K4, 0, 1u64),
        (Granule::K16, 2, 2),
        (Granule::K64, 1, 3),
    ] {
        for level in 1..=3i8 {
            if level == 1 {
                continue; // blocks of 1 GiB and more do not fit into this RAM
            }
            for ttl in 0..16u64 {
                let says = match ttl {
                    // no hint, and the reserved ones: level 0, level 1 of 16 KiB (without FEAT_LPA2)
                    0..=4 | 8 | 9 | 12 => true,
                    t => (t >> 2, t & 3) == (code, level as u64),
                };
                let tlbi = (0, 7, 1, BASE | ttl << 44);
                let what = format!("{granule:?} level {level} TTL {ttl}");
                assert_eq!(seen(granule, tg0, level, 0, 0, tlbi), says, "{what}");
            }
        }
    }
}

/// By range: the granule of the leaf in TG, and its level in TTL if that is not 0. TG = 0 does nothing.
#[test]
fn range_granule() {
    for (granule, tg0, code) in [
        (Granule::K4, 0, 1u64),
        (Granule::K16, 2, 2),
        (Granule::K64, 1, 3),
    ] {
        for level in 2..=3i8 {
            for tg in 0..4u64 {
                for ttl in 0..4u64 {
                    let says = tg == code && (ttl == 0 || ttl == level as u64);
                    let base = 0x1_0000_0000u64 >> (10 + 2 * tg.max(1));
                    let xt = base | ttl << 37 | tg << 46;
                    let what = format!("{granule:?} level {level} TG {tg} TTL {ttl}");
                    assert_eq!(
                        seen(granule, tg0, level, 0, 0, (0, 6, 1, xt)),
                        says,
                        "{what}"
                    );
                }
            }
        }
    }
}

/// A row of contiguous leaves goes as one, whichever of its addresses is named; and only if the bit is set.
#[test]
fn contiguous() {
    for (granule, tg0, log2) in [
        (Granule::K4, 0, 4u32),
        (Granule::K16, 2, 7),
        (Granule::K64, 1, 5),
    ] {
        let row = 1u64 << (granule.bits() + log2);
        let page = 1u64 << granule.bits();
        for (attrs, named, says) in [
            (CONTIGUOUS, 0, true),
            (CONTIGUOUS, row - page, true),
            (CONTIGUOUS, row, false),
            (0, 0, false),
            (0, page, true),
        ] {
            let tlbi = (0, 7, 7, BASE + (named >> 12));
            let what = format!("{granule:?} {attrs:#x} {named:#x}");
            assert_eq!(seen(granule, tg0, 3, attrs, page, tlbi), says, "{what}");
        }
    }
}

/// Tables above the last level are nobody's but an ASID's: another ASID's TLBI leaves them, and so does another address's.
#[test]
fn tables_by_address_and_asid() {
    // (op2, operand, seen): VAE1 1, ASIDE1 2, VAAE1 3
    for (op2, va, asid, says) in [
        (1, 0x1000u64, 1u64, true),
        (1, 0x1f_f000, 1, true), // the same table
        (1, 0x20_0000, 1, false),
        (1, 0x1000, 2, false),
        (2, 0, 1, true),
        (2, 0, 2, false),
        (3, 0x1000, 2, true),
        (3, 0x20_0000, 1, false),
    ] {
        let mut b = Bench::new(1);
        let t = b.stage1();
        b.set(TTBR0_EL1, t.root | 1 << 48);
        b.map(&t, 0x1000, 3, OLD | d::PAGE | d::AF | d::NG);
        b.map(&t, 0x2000, 3, OLD | d::PAGE | d::AF | d::NG);
        b.write64(OLD, 1);
        b.write64(NEW, 2);
        assert_eq!(b.load(0x1000), Ok(1));
        let other = b.table(4096);
        b.write64(other + 16, NEW | d::PAGE | d::AF | d::NG);
        b.map(&t, 0, 2, other | d::TABLE);
        b.tlbi(0, 7, op2, va >> 12 | asid << 48);
        // a page that is not cached, through the table that is or is not
        let expect = if says { 2 } else { 1 };
        assert_eq!(b.load(0x2000), Ok(expect), "op2={op2} {va:#x} ASID {asid}");
    }
}

/// EL2&0: VAE2 and, with TGE, the forms of EL1 name it, with ASIDs; EL1&0 and EL2 are left.
#[test]
fn host_regime() {
    const HOST: u64 = 1 << 34 | 1 << 27;
    // (HCR at the TLBI, op1, op2, ASID, seen)
    for (hcr, op1, op2, asid, says) in [
        (HOST, 4, 1, 1, true),
        (HOST, 4, 1, 2, false),
        (HOST, 4, 0, 0, true),  // ALLE2
        (HOST, 4, 4, 0, false), // ALLE1
        (HOST, 4, 6, 0, false), // VMALLS12E1
        (HOST, 0, 1, 1, true),  // VAE1
        (HOST, 0, 1, 2, false),
        (HOST, 0, 2, 1, true),     // ASIDE1
        (HOST, 0, 3, 9, true),     // VAAE1
        (HOST, 0, 0, 0, true),     // VMALLE1
        (1 << 34, 0, 1, 1, false), // without TGE: EL1&0's
        (1 << 34, 0, 0, 0, false),
        (1 << 34, 4, 1, 1, true),
        (1 << 34, 4, 5, 1, true), // VALE2
        (0, 4, 1, 1, false),      // EL2's
        (0, 4, 0, 0, false),
    ] {
        let mut b = Bench::new(2);
        b.set(HCR_EL2, HOST);
        let t = b.tree(Granule::K4, 48, 0);
        b.set(TTBR0_EL2, t.root | 1 << 48);
        b.set(TCR_EL2, 0x15_8010_0010);
        b.set(SCTLR_EL2, ON);
        b.map(&t, 0x1000, 3, OLD | d::PAGE | d::AF | d::NG);
        b.write64(OLD, 1);
        b.write64(NEW, 2);
        assert_eq!((b.load(0x1000), b.fetch(0x1000)), (Ok(1), Ok(OLD)));
        b.map(&t, 0x1000, 3, NEW | d::PAGE | d::AF | d::NG);
        b.set(HCR_EL2, hcr);
        b.tlbi(op1, 7, op2, 1 | asid << 48);
        b.set(HCR_EL2, HOST);
        let what = format!("{hcr:#x} op1={op1} op2={op2} ASID {asid}");
        let expect = if says { (2, NEW) } else { (1, OLD) };
        assert_eq!(
            (b.load(0x1000), b.fetch(0x1000)),
            (Ok(expect.0), Ok(expect.1)),
            "{what}"
        );
    }
}

/// With E2H = 0 and TGE = 1 EL0 is in EL1&0 with stage 1 off, and stage 2 as HCR_EL2.VM says (`AArch64.S1Enabled`, `NSS2TTWParams`).
#[test]
fn el0_under_tge() {
    let mut b = Bench::new(0);
    b.stage1();
    let s2 = b.stage2(1);
    b.set(HCR_EL2, 1 | 1 << 27);
    b.map(&s2, 0x1000, 3, OLD | d::PAGE | d::S2_RW);
    b.write64(OLD, 7);
    assert_eq!(b.load(0x1000), Ok(7));
    assert_eq!(b.load(0x2000).unwrap_err().target, 2);
    b.set(HCR_EL2, 1 << 27);
    assert_eq!(support_fsc(&mut b), 0x10, "flat: a hole");
}

fn support_fsc(b: &mut Bench) -> u32 {
    crate::support::fsc(&b.load(0x1000).unwrap_err())
}

/// The bits of DS in the range forms: BaseADDR counts 64 KiB (`HasLargeAddress`).
#[test]
fn range_of_52_bits() {
    for (ds, base, says) in [
        (0u64, 0x10_0000u64 >> 12, true),
        (1, 0x10_0000 >> 16, true),
        (1, 0x10_0000 >> 12, false),
    ] {
        let mut b = Bench::new(1);
        b.set(ID_AA64MMFR0_EL1, 0x26 | 1 << 28 | 2 << 20);
        let t = b.stage1();
        b.set(TCR_EL1, b.cpu.get(TCR_EL1) | ds << 59);
        b.map(&t, 0x10_0000, 3, OLD | d::PAGE | d::AF);
        b.write64(OLD, 1);
        b.write64(NEW, 2);
        assert_eq!(b.load(0x10_0000), Ok(1));
        b.map(&t, 0x10_0000, 3, NEW | d::PAGE | d::AF);
        b.tlbi(0, 6, 3, base | 1 << 46);
        assert_eq!(
            b.load(0x10_0000),
            Ok(if says { 2 } else { 1 }),
            "DS={ds} {base:#x}"
        );
    }
}

/// What the first level has lost is still known, until a TLBI covers it: 16 MiB of pages, twice the reach of a context eight times over.
#[test]
fn second_level() {
    const PAGES: u64 = 4096;
    let va = |i: u64| 0x1_0000_0000 + (i << 12);
    for (tlbi, stale) in [
        (None, true),
        (Some((0, 7, 1, (va(77) >> 12) + (1 << 20) | 1 << 48)), true), // VAE1 of another page
        (Some((0, 7, 1, va(77) >> 12 | 1 << 48)), false),
        (Some((0, 7, 2, 2 << 48)), true), // ASIDE1
        (Some((0, 7, 2, 1 << 48)), false),
        (Some((0, 7, 0, 0)), false), // VMALLE1
        (
            Some((0, 6, 1, va(0) >> 12 | 1 << 39 | 2 << 44 | 1 << 46 | 1 << 48)),
            false,
        ), // RVAE1, 4096 pages
        (
            Some((
                0,
                6,
                1,
                va(78) >> 12 | 1 << 39 | 2 << 44 | 1 << 46 | 1 << 48,
            )),
            true,
        ),
    ] {
        let mut b = Bench::new(1);
        let t = b.stage1();
        b.set(TTBR0_EL1, t.root | 1 << 48);
        for i in 0..PAGES {
            b.map(
                &t,
                va(i),
                3,
                RAM + 0x100_0000 + (i << 12) | d::PAGE | d::AF | d::NG,
            );
            b.write64(RAM + 0x100_0000 + (i << 12), i);
        }
        for i in 0..PAGES {
            assert_eq!(b.load(va(i)), Ok(i));
        }
        b.write64(NEW, 99);
        b.map(&t, va(77), 3, NEW | d::PAGE | d::AF | d::NG);
        if let Some((op1, crm, op2, xt)) = tlbi {
            b.tlbi(op1, crm, op2, xt);
        }
        assert_eq!(b.load(va(77)), Ok(if stale { 77 } else { 99 }), "{tlbi:x?}");
        assert_eq!(b.load(va(80)), Ok(80));
        // permissions and watchpoints are not lost on the way
        b.map(
            &t,
            va(200),
            3,
            RAM + 0x100_0000 + (200 << 12) | d::PAGE | d::AF | d::NG | d::RO,
        );
        b.tlbi(0, 7, 1, va(200) >> 12 | 1 << 48);
        assert_eq!(b.load(va(200)), Ok(200));
        assert_eq!(b.load(va(200 + 512)), Ok(712), "drives it out");
        assert_eq!(b.load(va(200)), Ok(200));
        assert!(b.store(va(200), 1).is_err());
    }
}

/// A context that gives way to others loses what it had in the second level too; one that stays keeps it through switches.
#[test]
fn second_level_by_context() {
    let mut b = Bench::new(1);
    let t = b.stage1();
    let map = |b: &mut Bench, to: u64| b.map(&t, 0x1000, 3, to | d::PAGE | d::AF | d::NG);
    b.write64(OLD, 1);
    b.write64(NEW, 2);
    for (others, stale) in [(10u64, true), (70, false)] {
        map(&mut b, OLD);
        b.flush();
        b.set(TTBR0_EL1, t.root);
        assert_eq!(b.load(0x1000), Ok(1));
        map(&mut b, NEW);
        for asid in 1..=others {
            b.set(TTBR0_EL1, t.root | asid << 48);
            assert_eq!(b.load(0x1000), Ok(2), "its own");
        }
        b.set(TTBR0_EL1, t.root);
        assert_eq!(b.load(0x1000), Ok(if stale { 1 } else { 2 }), "{others}");
    }
}
