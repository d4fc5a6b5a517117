//! 52-bit addresses: FEAT_LPA and FEAT_LVA with 64 KiB granules, FEAT_LPA2 with 4 and 16 KiB (D8.2, D8.3), in all regimes; and the
//! bounds that TxSZ, SL and PS have with and without them.

use crate::support::regs::*;
use crate::support::{d, fault, fsc, Bench, Tree, ON, RAM};
use crate::PAGE;
use gdbhv_model::mmu::fault::Purpose;
use gdbhv_model::mmu::kind::Granule;

/// ID_AA64MMFR0_EL1: 52-bit PA, 16-bit ASID; with FEAT_LPA2 or only all granules.
const LPA2: u64 = 0x26 | 1 << 28 | 2 << 20;
const LPA: u64 = 0x26 | 1 << 20;
/// ID_AA64MMFR2_EL1: FEAT_TTST, FEAT_LVA, FEAT_UAO.
const LVA: u64 = 0x1000_0000 | 1 << 16 | 1 << 4;

const GRANULES: [(Granule, u64, u64); 3] = [
    (Granule::K4, 0, 2),
    (Granule::K16, 2, 1),
    (Granule::K64, 1, 3),
];

/// A descriptor of 52 bits: the address `pa` where the granule puts it.
fn wide(granule: Granule, pa: u64) -> u64 {
    let high = pa >> 48 & 15;
    pa & 0x0000_ffff_ffff_ffff
        | match granule {
            Granule::K64 => high << 12,
            _ => (high & 3) << 48 | (high >> 2) << 8,
        }
}

fn shift(granule: Granule, level: i8) -> u32 {
    let g = granule.bits();
    g + (3 - level) as u32 * (g - 3)
}

fn bench() -> Bench {
    let mut b = Bench::new(1);
    b.set(ID_AA64MMFR0_EL1, LPA2);
    b.set(ID_AA64MMFR2_EL1, LVA);
    b
}

/// Stage 1 of both ranges: every T0SZ from 12, each level's faults with FSC 0x29 and 0x2B for level -1, blocks at the levels that have them, and
/// an output address above 48 bits, which is a hole here.
#[test]
fn stage1() {
    for (granule, tg0, tg1) in GRANULES {
        for txsz in [12u32, 13, 15, 16, 20, 25, 36, 47] {
            let ia_bits = 64 - txsz;
            let start = (-1..=3)
                .rev()
                .find(|&l| ia_bits <= shift(granule, l - 1))
                .expect("a level");
            let mut b = bench();
            let t = b.tree(granule, ia_bits, start);
            b.set(TTBR0_EL1, t.root);
            b.set(TTBR1_EL1, t.root);
            let tcr = txsz as u64 * 0x1_0001 | tg0 << 14 | tg1 << 30 | 6 << 32 | 1 << 59;
            b.set(TCR_EL1, tcr);
            b.set(SCTLR_EL1, ON);
            let low = (u64::MAX >> txsz) & !0xffff;
            let high = u64::MAX << ia_bits | low;
            for va in [low, high] {
                let what = format!("{granule:?} TxSZ={txsz} {va:#x}");
                for level in start..=3 {
                    let code = |kind: u32| match level {
                        -1 => 0x2b,
                        l => kind + l as u32,
                    };
                    let at = b.map(&t, va, level, 0);
                    let e = b.load(va).unwrap_err();
                    assert_eq!(fsc(&e), code(fault::TRANSLATION), "{what}");
                    let first = match granule {
                        Granule::K4 => 0,
                        _ => 1,
                    };
                    let size = 1u64 << shift(granule, level);
                    if level < first {
                        // no block there
                        b.write64(at, d::BLOCK | d::AF);
                        let e = b.load(va).unwrap_err();
                        assert_eq!(fsc(&e), code(fault::TRANSLATION), "{what}");
                        // a next table beyond IPS
                        b.set(TCR_EL1, tcr & !(7 << 32) | 5 << 32);
                        b.write64(at, wide(granule, 1 << 50) | d::TABLE);
                        let e = b.load(va).unwrap_err();
                        let size = if level < 0 { 0x29 } else { level as u32 };
                        assert_eq!(fsc(&e), size, "{what}");
                        b.set(TCR_EL1, tcr);
                    } else {
                        let kind = if level == 3 { d::PAGE } else { d::BLOCK };
                        let far = 5u64 << 49 & !(size - 1);
                        b.write64(at, wide(granule, far) | kind | d::AF);
                        let t = b.explain(va, Purpose::Read).1;
                        if va == low {
                            let pa = far | va & (size - 1);
                            assert_eq!(t.map(|t| t.pa), Ok(pa), "{what}");
                        }
                        assert_eq!(fsc(&b.load(va).unwrap_err()), 0x10, "a hole: {what}");
                        b.set(TCR_EL1, tcr & !(7 << 32) | 5 << 32);
                        b.flush();
                        let e = b.load(va).unwrap_err();
                        assert_eq!(fsc(&e), fault::SIZE + level as u32, "IPS: {what}");
                        b.set(TCR_EL1, tcr);
                    }
                    b.write64(at, 0);
                    b.flush();
                }
                let page = PAGE & !0xffff;
                b.map(&t, va, 3, page | d::PAGE | d::AF);
                assert_eq!(
                    b.fetch(va),
                    Ok(page | va & (granule_mask(granule))),
                    "{what}"
                );
            }
            if txsz > 12 {
                let e = b.load(low + 0x1_0000).unwrap_err();
                assert_eq!(fsc(&e), fault::TRANSLATION, "beyond");
            }
            b.set(TCR_EL1, tcr & !0x3f | 11);
            b.flush();
            assert_eq!(fsc(&b.load(0).unwrap_err()), fault::TRANSLATION);
        }
    }
}

fn granule_mask(granule: Granule) -> u64 {
    (1 << granule.bits()) - 1
}

/// Below 16, TxSZ needs DS = 1 with 4 and 16 KiB (and FEAT_LPA2 for that granule), FEAT_LVA with 64 KiB; each range by itself.
#[test]
fn least_txsz() {
    for (mmfr0, mmfr2, ds, granule, ok) in [
        (LPA2, LVA, 1, 0, true),
        (LPA2, LVA, 0, 0, false),
        (LPA, LVA, 1, 0, false),
        (LPA2, LVA, 1, 2, true),
        (0x26 | 1 << 28 | 1 << 20, LVA, 1, 2, false), // FEAT_LPA2 for 4 KiB only
        (LPA, LVA, 0, 1, true),
        (LPA, LVA & !(1 << 16), 1, 1, false),
    ] {
        for txsz in [12u64, 15, 16] {
            let mut b = bench();
            b.set(ID_AA64MMFR0_EL1, mmfr0);
            b.set(ID_AA64MMFR2_EL1, mmfr2);
            let root = b.table(0x1_0000);
            b.set(TTBR0_EL1, root);
            b.set(TCR_EL1, txsz | granule << 14 | 6 << 32 | ds << 59 | 1 << 23);
            b.set(SCTLR_EL1, ON);
            let level0 = fsc(&b.load(0x40_0000_0000).unwrap_err()) == fault::TRANSLATION;
            let start = b.explain(0x40_0000_0000, Purpose::Read).0.len();
            let fits = ok || txsz == 16;
            assert_eq!(
                start == 1,
                fits,
                "{mmfr0:#x} {mmfr2:#x} {ds} {granule} {txsz}"
            );
            assert!(fits || level0);
        }
    }
    // TG1 and DS of one range do not reach the other
    let mut b = bench();
    b.set(ID_AA64MMFR0_EL1, 0x26 | 1 << 28 | 1 << 20);
    let t = b.tree(Granule::K16, 48, 0);
    b.set(TTBR1_EL1, t.root);
    b.set(TCR_EL1, 12 | 16 << 16 | 1 << 30 | 6 << 32 | 1 << 59);
    b.set(SCTLR_EL1, ON);
    let va = 0xffff << 48 | 0x4000;
    b.map(&t, va, 3, PAGE | d::PAGE | d::AF | 3 << 8);
    assert_eq!(b.load(va), Ok(0), "bits 9:8 are the shareability of 16 KiB");
}

/// Tables above 48 bits: TTBR[5:2], aligned to 64 bytes at least; which layout counts, and address size faults on the base (level 0).
#[test]
fn table_base() {
    for (granule, tg0, _) in GRANULES {
        let mut b = bench();
        let tcr = 16 | tg0 << 14 | 1 << 23 | 1 << 59;
        b.set(SCTLR_EL1, ON);
        let hole = |b: &mut Bench, ttbr, ps: u64| {
            b.set(TCR_EL1, tcr | ps << 32);
            b.set(TTBR0_EL1, ttbr);
            fsc(&b.load(0x40_0000_0000).unwrap_err())
        };
        let base = RAM & !0xffff;
        let start = if granule == Granule::K64 { 1 } else { 0 };
        assert_eq!(
            hole(&mut b, base | 4 << 2, 6),
            0x14 + start,
            "{granule:?}: bit 50"
        );
        // with PS below 52 bits: 64 KiB takes the 48-bit layout, DS the 52-bit one and finds it too large
        let expect = if granule == Granule::K64 {
            fault::TRANSLATION + start
        } else {
            fault::SIZE
        };
        assert_eq!(hole(&mut b, base | 4 << 2, 5), expect, "{granule:?}");
        assert_eq!(
            hole(&mut b, base | 4 << 2, 7),
            0x14 + start,
            "{granule:?}: reserved PS"
        );
        // the least T0SZ: tables of 128 (4 KiB), 32 and 16 bytes
        let next = if granule == Granule::K4 { 128 } else { 64 };
        b.set(
            TCR_EL1,
            (if granule == Granule::K64 { 47 } else { 48 })
                | tg0 << 14
                | 1 << 23
                | 1 << 59
                | 6 << 32,
        );
        let small = b.table(0x1000);
        b.write64(small, PAGE & !0xffff | d::PAGE | d::AF);
        b.write64(small + next, 0);
        b.set(TTBR0_EL1, small);
        b.flush();
        assert!(b.load(0).is_ok(), "{granule:?}");
        b.set(TTBR0_EL1, small + next);
        b.flush();
        assert_eq!(
            fsc(&b.load(0).unwrap_err()),
            fault::TRANSLATION + 3,
            "{granule:?}"
        );
    }
}

/// Stage 2 with DS: SL2:SL0, start level -1, T0SZ from 12, the IPA in HPFAR up to bit 51, shareability from VTCR_EL2.SH0.
#[test]
fn stage2() {
    for (granule, tg0, _) in GRANULES {
        for t0sz in [12u32, 13, 16, 20, 24, 30] {
            for sl in 0..8u64 {
                let ia_bits = 64 - t0sz;
                let start: Option<i8> = match (granule, sl) {
                    (Granule::K4, 4) => Some(-1),
                    (Granule::K4, 3) => Some(3),
                    (Granule::K4, s) if s < 3 => Some(2 - s as i8),
                    (Granule::K4, _) => None,
                    // SL2 does not count
                    (Granule::K16, s) => Some(3 - (s & 3) as i8),
                    (Granule::K64, s) if s & 3 < 3 => Some(3 - (s & 3) as i8),
                    (Granule::K64, _) => None,
                };
                let fits = start.filter(|&s| {
                    ia_bits > shift(granule, s) && ia_bits <= shift(granule, s - 1) + 4
                });
                let mut b = bench();
                let vtcr = t0sz as u64
                    | (sl & 3) << 6
                    | (sl >> 2) << 33
                    | tg0 << 14
                    | 6 << 16
                    | 3 << 12
                    | 1 << 32;
                b.set(VTCR_EL2, vtcr);
                b.set(HCR_EL2, 1);
                let ipa = (u64::MAX >> t0sz) & !0xffff;
                let what = format!("{granule:?} T0SZ={t0sz} SL={sl}");
                let Some(start) = fits else {
                    let e = b.load(ipa).unwrap_err();
                    assert_eq!((fsc(&e), e.target), (fault::TRANSLATION, 2), "{what}");
                    continue;
                };
                let t = b.tree(granule, ia_bits, start);
                b.set(VTTBR_EL2, t.root);
                for level in start..=3 {
                    b.map(&t, ipa, level, 0);
                    let e = b.load(ipa + 8).unwrap_err();
                    let code = match level {
                        -1 => 0x2b,
                        l => fault::TRANSLATION + l as u32,
                    };
                    assert_eq!((fsc(&e), e.ipa), (code, Some((ipa + 8, true))), "{what}");
                }
                let far = 9u64 << 48;
                let at = b.map(&t, ipa, 3, wide(granule, far) | d::PAGE | d::S2_RW);
                let said = b.explain(ipa, Purpose::Read).1.expect("mapped");
                assert_eq!(said.pa, far, "{what}");
                b.write64(at, PAGE & !0xffff | d::PAGE | d::S2_RW);
                b.set(HCR_EL2, 1 << 12);
                let said = b.explain(ipa, Purpose::Read).1.expect("mapped");
                let sh = if granule == Granule::K64 { 0 } else { 3 };
                assert_eq!(said.mem.sh, sh, "{what}");
            }
        }
    }
}

/// T0SZ of stage 2 may not ask for more than the PE has (`AArch64.S2MinTxSZ`).
#[test]
fn ipa_is_no_larger_than_pa() {
    for (pa_range, bits) in [(2u64, 40u64), (4, 44), (5, 48), (6, 48)] {
        let mut b = Bench::new(1);
        b.set(ID_AA64MMFR0_EL1, 0x20 | pa_range);
        for t0sz in [64 - bits, 63 - bits] {
            let start = if 64 - t0sz > 43 { 0 } else { 1 };
            let t = b.tree(Granule::K4, 64 - t0sz as u32, start);
            b.set(VTTBR_EL2, t.root);
            b.set(VTCR_EL2, t0sz | (2 - start as u64) << 6 | pa_range << 16);
            b.set(HCR_EL2, 1);
            b.map(&t, PAGE, 3, PAGE | d::PAGE | d::S2_RW);
            b.flush();
            assert_eq!(
                b.load(PAGE).is_ok(),
                t0sz == 64 - bits,
                "{bits} T0SZ={t0sz}"
            );
        }
    }
}

/// EL2 and EL2&0 have DS at their own places.
#[test]
fn regimes_of_el2() {
    for e2h in [false, true] {
        let mut b = bench();
        b.el(2);
        let t = b.tree(Granule::K4, 52, -1);
        let (hcr, tcr) = if e2h {
            (1 << 34, 12 | 12 << 16 | 2 << 30 | 6 << 32 | 1 << 59)
        } else {
            (0, 12 | 6 << 16 | 1 << 32)
        };
        b.set(HCR_EL2, hcr);
        b.set(TCR_EL2, tcr);
        b.set(TTBR0_EL2, t.root);
        b.set(TTBR1_EL2, t.root);
        b.set(SCTLR_EL2, ON);
        let va = 0x000f_8000_0000_1000;
        assert_eq!(fsc(&b.load(va).unwrap_err()), 0x2b);
        b.map(&t, va, 3, PAGE | d::PAGE | d::AF);
        assert_eq!(b.load(va), Ok(0));
        assert_eq!(b.load(va | 0xfff << 52).is_ok(), e2h);
    }
}

/// Granules: reserved encodings, and 16 KiB where there is none, act as 4 KiB.
#[test]
fn absent_granules() {
    for (mmfr0, tg0, tg1) in [(0x10_0025u64, 3u64, 0u64), (0x25, 2, 1), (0x25, 3, 0)] {
        let mut b = Bench::new(1);
        b.set(ID_AA64MMFR0_EL1, mmfr0);
        let t = b.stage1();
        b.map(&t, 0x1000, 3, PAGE | d::PAGE | d::AF);
        b.set(TCR_EL1, 0x15_0010_0010 | tg0 << 14 | tg1 << 30);
        assert!(b.load(0x1000).is_ok() && b.load(0xffff << 48 | 0x1000).is_ok());
        let s2 = b.stage2(1);
        b.map_tables(&s2);
        b.map(&s2, PAGE, 3, PAGE | d::PAGE | d::S2_RW);
        b.set(VTCR_EL2, b.cpu.get(VTCR_EL2) | tg0 << 14);
        b.flush();
        assert!(b.load(0x1000).is_ok());
    }
}

/// PAR_EL1 and HPFAR_EL2 hold 52 bits; the shareability of a DS range is TCR's.
#[test]
fn at() {
    let mut b = bench();
    let t: Tree = b.tree(Granule::K4, 52, -1);
    b.set(TTBR0_EL1, t.root);
    b.set(TCR_EL1, 12 | 3 << 12 | 6 << 32 | 1 << 59 | 1 << 23);
    b.set(SCTLR_EL1, ON);
    b.map(
        &t,
        0x1000,
        3,
        wide(Granule::K4, 0xf_1234_5678_9000) | d::PAGE | d::AF,
    );
    let par = b.at(0, 8, 0, 0x1234).expect("S1E1R");
    assert_eq!(par & 0x000f_ffff_ffff_f001, 0xf_1234_5678_9000);
    assert_eq!(par >> 7 & 3, 3, "SH0");
    let par = b.at(0, 8, 0, 0x000f_0000_0000_0000).expect("S1E1R");
    assert_eq!((par & 1, par >> 1 & 0x3f), (1, 0x2b));
}
