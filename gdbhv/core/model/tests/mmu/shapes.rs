//! Where tables are and how an address is cut: granules, levels, sizes; faults of each level.

use crate::support::regs::*;
use crate::support::{d, fault, fsc, Bench};
use crate::PAGE;
use gdbhv_model::mmu::kind::Granule;

#[test]
fn stage1_pages() {
    let mut b = Bench::new(1);
    let t = b.stage1();
    let va = 0x1234_5678_9000;
    b.write64(PAGE, 77);
    b.map(&t, va, 3, PAGE | d::PAGE | d::AF);
    assert_eq!(b.load(va), Ok(77));
    assert_eq!(b.load(va | 0xffff << 48), Ok(77), "TTBR1's range");
    let e = b.load(va + 0x1000).unwrap_err();
    assert_eq!((fsc(&e), e.far, e.target), (0x07, Some(va + 0x1000), 1));
    assert_eq!(fsc(&b.load(va + 0x4000_0000).unwrap_err()), 0x05);
    let e = b.load(1 << 52).unwrap_err();
    assert_eq!(fsc(&e), 0x04, "between the ranges");
    // EPD0
    b.set(TCR_EL1, b.cpu.get(TCR_EL1) | 1 << 7);
    b.flush();
    assert_eq!(fsc(&b.load(va).unwrap_err()), 0x04);
    assert_eq!(b.load(va | 0xffff << 48), Ok(77));
}

#[test]
fn stage1_shapes() {
    for (granule, tg0) in [(Granule::K4, 0), (Granule::K16, 2), (Granule::K64, 1u64)] {
        let g = granule.bits();
        let shift = |l: i8| g + (3 - l) as u32 * (g - 3);
        for txsz in 16..=48u32 {
            let ia_bits = 64 - txsz;
            if txsz > if granule == Granule::K64 { 47 } else { 48 } {
                continue; // FEAT_TTST's limits
            }
            let mut b = Bench::new(1);
            // the level at which ia_bits - 1 is resolved
            let start = (0..=3)
                .rev()
                .find(|&l| ia_bits <= shift(l - 1))
                .expect("a level");
            let t = b.tree(granule, ia_bits, start);
            b.set(TTBR0_EL1, t.root);
            b.set(TCR_EL1, txsz as u64 | tg0 << 14 | 1 << 23 | 5 << 32);
            b.set(SCTLR_EL1, 1);
            let what = format!("{granule:?} T0SZ={txsz}");
            // the top of the range
            let va = (u64::MAX >> txsz) & !0xfff;
            for level in start..=3 {
                b.map(&t, va, level, 0);
                let e = b.load(va).unwrap_err();
                assert_eq!(fsc(&e), fault::TRANSLATION + level as u32, "{what}");
                let blocks = match granule {
                    Granule::K4 => level >= 1,
                    _ => level >= 2,
                };
                let kind = if level == 3 { d::PAGE } else { d::BLOCK };
                let size = 1u64 << shift(level);
                if !blocks {
                    // a reserved encoding: as invalid
                    let at = b.map(&t, va, level, d::BLOCK | d::AF);
                    let e = b.load(va).unwrap_err();
                    assert_eq!(fsc(&e), fault::TRANSLATION + level as u32, "{what}");
                    b.write64(at, 0);
                } else {
                    let oa = PAGE & !(size - 1);
                    let at = b.map(&t, va, level, oa | kind);
                    let e = b.load(va).unwrap_err();
                    assert_eq!(fsc(&e), fault::ACCESS + level as u32, "{what}");
                    let far = 1u64 << 47 & !(size - 1);
                    b.set(TCR_EL1, b.cpu.get(TCR_EL1) & !(7 << 32) | 2 << 32); // 40 bits
                    b.write64(at, far | kind | d::AF);
                    let e = b.load(va).unwrap_err();
                    assert_eq!(fsc(&e), fault::SIZE + level as u32, "{what}");
                    b.set(TCR_EL1, b.cpu.get(TCR_EL1) & !(7 << 32) | 5 << 32);
                    b.write64(at, oa | kind | d::AF);
                    if shift(level) < 32 {
                        let pa = oa | va & (size - 1);
                        let expect = b.sh.ram.read(pa, 8);
                        assert_eq!(b.load(va).ok(), expect, "{what} level {level}");
                        assert_eq!(b.fetch(va).ok(), expect.map(|_| pa));
                    }
                    b.write64(at, 0);
                    b.flush();
                }
            }
            // one past the range, and a TxSZ out of bounds
            if txsz > 16 {
                assert_eq!(fsc(&b.load(va + 0x1000).unwrap_err()), fault::TRANSLATION);
            }
        }
    }
    let mut b = Bench::new(1);
    b.stage1();
    for txsz in [15, 49] {
        b.set(TCR_EL1, txsz | 5 << 32);
        assert_eq!(
            fsc(&b.load(0).unwrap_err()),
            fault::TRANSLATION,
            "T0SZ={txsz}"
        );
    }
}

#[test]
fn stage2_shapes() {
    for (granule, tg0) in [(Granule::K4, 0u64), (Granule::K16, 2), (Granule::K64, 1)] {
        let g = granule.bits();
        let shift = |l: i8| g + (3 - l) as u32 * (g - 3);
        for t0sz in 16..=47u32 {
            for sl0 in 0..4u64 {
                let ia_bits = 64 - t0sz;
                let start: Option<i8> = match (granule, sl0) {
                    (Granule::K4, 3) => Some(3),
                    (Granule::K4, s) => Some(2 - s as i8),
                    (_, 3) => None,
                    (_, s) => Some(3 - s as i8),
                };
                // The start level resolves at least one bit and at most a table's and 16 tables' worth.
                let fits = start.filter(|&s| ia_bits > shift(s) && ia_bits <= shift(s - 1) + 4);
                let mut b = Bench::new(1);
                b.set(VTCR_EL2, t0sz as u64 | sl0 << 6 | tg0 << 14 | 5 << 16);
                b.set(HCR_EL2, 1);
                let ipa = (u64::MAX >> t0sz) & !0xfff;
                let what = format!("{granule:?} T0SZ={t0sz} SL0={sl0}");
                let Some(start) = fits else {
                    let e = b.load(ipa).unwrap_err();
                    assert_eq!((fsc(&e), e.target), (fault::TRANSLATION, 2), "{what}");
                    continue;
                };
                let t = b.tree(granule, ia_bits, start);
                b.set(VTTBR_EL2, t.root);
                for level in start..=3 {
                    let at = b.map(&t, ipa, level, 0);
                    let e = b.load(ipa).unwrap_err();
                    assert_eq!(fsc(&e), fault::TRANSLATION + level as u32, "{what}");
                    assert_eq!((e.target, e.ipa), (2, Some((ipa, true))), "{what}");
                    if level == 3 {
                        let oa = PAGE & !((1 << g) - 1);
                        b.write64(at, oa | d::PAGE | d::S2_RW & !d::AF);
                        let e = b.load(ipa).unwrap_err();
                        assert_eq!(fsc(&e), fault::ACCESS + 3, "{what}");
                        b.write64(at, oa | d::PAGE | d::S2_RW);
                        assert!(b.load(ipa).is_ok(), "{what}");
                    }
                }
                if t0sz > 16 {
                    let e = b.load(ipa + 0x1000).unwrap_err();
                    assert_eq!(fsc(&e), fault::TRANSLATION, "{what}");
                }
            }
        }
    }
}

#[test]
fn walks_into_a_hole() {
    for level in 0..4i8 {
        let mut b = Bench::new(1);
        let t = b.stage1();
        if level == 0 {
            b.set(TTBR0_EL1, 0x1000);
        } else {
            b.map(&t, 0, level - 1, 0x1000 | d::TABLE);
        }
        let e = b.load(0).unwrap_err();
        assert_eq!(
            (fsc(&e), e.target),
            (fault::EXTERNAL_WALK + level as u32, 1)
        );
    }
}

#[test]
fn tagged_addresses() {
    let mut b = Bench::new(1);
    let t = b.stage1();
    b.write64(PAGE, 3);
    b.map(&t, 0x1000, 3, PAGE | d::PAGE | d::AF);
    let tagged = 0xab00_0000_0000_1000;
    assert_eq!(fsc(&b.load(tagged).unwrap_err()), fault::TRANSLATION);
    b.set(TCR_EL1, b.cpu.get(TCR_EL1) | 1 << 37);
    assert_eq!(b.load(tagged), Ok(3));
    b.cpu.pc = tagged;
    assert_eq!(b.fetch(tagged), Ok(PAGE));
    assert_eq!(b.cpu.pc, 0x1000, "the PC has no tag");
    b.set(TCR_EL1, b.cpu.get(TCR_EL1) | 1 << 51);
    b.flush();
    assert_eq!(b.fetch(tagged), Ok(PAGE), "TBID0 is FEAT_PAuth's");
    b.cpu.set(ID_AA64ISAR1_EL1, 1 << 4);
    b.set(TCR_EL1, b.cpu.get(TCR_EL1));
    b.flush();
    assert_eq!(fsc(&b.fetch(tagged).unwrap_err()), fault::TRANSLATION);
    let e = b.load(tagged + 0x1000).unwrap_err();
    assert_eq!(e.far, Some(tagged + 0x1000), "FAR keeps the tag");
}
