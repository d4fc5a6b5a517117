//! Translation as instructions see it: loads, stores and fetches through both stages, with the faults they end in. The oracle is
//! the Arm ARM (D8 and the pseudocode J1.1.5; section cited where a rule is not obvious).

mod support;

use gdbhv_model::mem::access::{Acc, Size};
use gdbhv_model::memory;
use gdbhv_model::mmu::fault::Purpose;
use gdbhv_model::mmu::regime::Granule;
use gdbhv_model::mmu::walk::Found;
use support::regs::*;
use support::{d, fault, fsc, Bench, Tree, RAM};

const PAGE: u64 = RAM + 0x10_0000;

#[test]
fn off_is_flat() {
    let mut b = Bench::new(1);
    b.store(PAGE + 8, 0x1234).expect("RAM");
    assert_eq!(b.load(PAGE + 8), Ok(0x1234));
    assert_eq!(b.fetch(PAGE), Ok(PAGE));
    // Device memory: alignment fault, also after the page is cached
    assert_eq!(fsc(&b.load(PAGE + 1).unwrap_err()), fault::ALIGNMENT);
    // beyond the PA size: address size fault, level 0
    assert_eq!(fsc(&b.load(1 << 48).unwrap_err()), fault::SIZE);
    // a hole: synchronous external abort
    assert_eq!(fsc(&b.load(0x1_0000_0000).unwrap_err()), 0x10);
    // HCR_EL2.DC: Normal memory
    b.set(VTCR_EL2, 24 | 1 << 6 | 5 << 16);
    let t = b.tree(Granule::K4, 40, 1);
    b.set(VTTBR_EL2, t.root);
    b.map(&t, PAGE, 2, RAM | d::BLOCK | d::S2_RW);
    b.set(HCR_EL2, 1 << 12);
    assert_eq!(b.load(PAGE + 9), Ok(0x12));
}

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

/// Every granule, start level and leaf level of stage 1; the fault of each level on the way.
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

/// Every granule, SL0 and T0SZ of stage 2: which are consistent, what concatenates, the level of each fault.
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
fn both_stages() {
    let mut b = Bench::new(1);
    let s1 = b.stage1();
    let s2 = b.stage2(3);
    b.map_tables(&s2);
    let (va, ipa) = (0x5000, 0x8_0000_3000);
    b.map(&s1, va, 3, ipa | d::PAGE | d::AF);
    let e = b.load(va + 8).unwrap_err();
    assert_eq!((fsc(&e), e.target, e.ipa), (0x05, 2, Some((ipa + 8, true))));
    b.map(&s2, ipa, 3, PAGE | d::PAGE | d::S2_RW & !d::S2_W);
    b.write64(PAGE + 8, 99);
    assert_eq!(b.load(va + 8), Ok(99));
    let e = b.store(va + 8, 1).unwrap_err();
    assert_eq!((fsc(&e), e.target, e.iss >> 6 & 1), (0x0f, 2, 1));
    assert_eq!(e.ipa, Some((ipa + 8, false)), "HPFAR is not valid");
    assert_eq!(b.fetch(va), Ok(PAGE));
    // Stage 1 refuses first (D8.15: stage 1 faults come before stage 2's)
    b.map(&s1, va, 3, ipa | d::PAGE | d::AF | d::RO);
    b.flush();
    let e = b.store(va + 8, 1).unwrap_err();
    assert_eq!((fsc(&e), e.target), (0x0f, 1));
    // Stage 2 makes it Device: an unaligned access is stage 2's alignment fault
    b.map(&s2, ipa, 3, PAGE | d::PAGE | d::S2_R | d::S2_W | d::AF);
    b.flush();
    assert_eq!(b.load(va + 8), Ok(99));
    let e = b.load(va + 9).unwrap_err();
    assert_eq!((fsc(&e), e.target), (fault::ALIGNMENT, 2));
}

/// A stage 2 fault on the fetch of a stage 1 descriptor, at each level: S1PTW, and HPFAR has the descriptor's IPA.
#[test]
fn stage1_walks_fault_in_stage2() {
    let mut b = Bench::new(1);
    let s1 = b.stage1();
    let va = 0x8080_8080_8000;
    let leaf = b.map(&s1, va, 3, PAGE | d::PAGE | d::AF);
    let s2 = b.stage2(3);
    // the tables that the walk reads, from the top
    let mut tables = vec![s1.root];
    for level in 0..3 {
        let index = va >> (39 - 9 * level) & 511;
        let entry = b.read64(tables[level] + 8 * index);
        tables.push(entry & 0xffff_ffff_f000);
    }
    assert_eq!(leaf & !0xfff, tables[3]);
    for (level, &table) in tables.iter().enumerate() {
        let index = va >> (39 - 9 * level) & 511;
        let at = table + 8 * index;
        for write in [false, true] {
            let e = if write {
                b.store(va, 1)
            } else {
                b.load(va).map(|_| ())
            }
            .unwrap_err();
            assert_eq!((e.target, fsc(&e) & !3), (2, fault::TRANSLATION));
            assert_eq!(e.iss >> 7 & 1, 1, "S1PTW");
            assert_eq!(e.iss >> 6 & 1, 0, "WnR is the walk's");
            assert_eq!(e.iss >> 24, 0, "ISV");
            assert_eq!((e.far, e.ipa), (Some(va), Some((at, true))));
        }
        // no permission to read it: HPFAR is valid all the same
        b.map(&s2, table, 3, table | d::PAGE | d::S2_RW & !d::S2_R);
        let e = b.load(va).unwrap_err();
        assert_eq!((fsc(&e), e.iss >> 7 & 1), (fault::PERMISSION + 3, 1));
        assert_eq!(e.ipa, Some((at, true)));
        // Device, with HCR_EL2.PTW and without
        b.map(&s2, table, 3, table | d::PAGE | d::S2_R | d::AF);
        b.set(HCR_EL2, 1 | 1 << 2);
        b.flush();
        let e = b.load(va).unwrap_err();
        assert_eq!((fsc(&e), e.ipa), (fault::PERMISSION + 3, Some((at, true))));
        b.set(HCR_EL2, 1);
        b.map(&s2, table, 3, table | d::PAGE | d::S2_RW);
        b.flush();
    }
    let e = b.load(va).unwrap_err();
    assert_eq!(
        (e.iss >> 7 & 1, e.ipa),
        (0, Some((PAGE, true))),
        "the access itself"
    );
    b.map(&s2, PAGE, 3, PAGE | d::PAGE | d::S2_RW);
    b.load(va).expect("mapped");
}

/// A table outside RAM is a synchronous external abort on the walk, at its level.
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

/// Table D8-42 and its neighbours: AP, UXN and PXN for EL0 and EL1, with WXN and PAN (D8.4).
#[test]
fn stage1_permissions() {
    for ap in 0..4u64 {
        for xn in 0..4u64 {
            for wxn in [false, true] {
                let mut b = Bench::new(1);
                let t = b.stage1();
                b.set(SCTLR_EL1, 1 | (wxn as u64) << 19);
                let desc = PAGE | d::PAGE | d::AF | ap << 6 | xn << 53;
                b.map(&t, 0x1000, 3, desc);
                let (user, ro) = (ap & 1 != 0, ap & 2 != 0);
                let (pxn, uxn) = (xn & 1 != 0, xn & 2 != 0);
                let what = format!("AP={ap} XN={xn} WXN={wxn}");
                for el in [1, 0] {
                    b.el(el);
                    let (r, w) = (el == 1 || user, (el == 1 || user) && !ro);
                    let user_writes = user && !ro;
                    let x = match el {
                        0 => !uxn && !(wxn && user_writes),
                        // what EL0 may write is never executable at EL1
                        _ => !pxn && !user_writes && !(wxn && !ro),
                    };
                    assert_eq!(b.load(0x1000).is_ok(), r, "{what} EL{el} read");
                    assert_eq!(b.store(0x1000, 0).is_ok(), w, "{what} EL{el} write");
                    assert_eq!(b.fetch(0x1000).is_ok(), x, "{what} EL{el} execute");
                    if !w {
                        let e = b.store(0x1000, 0).unwrap_err();
                        assert_eq!((fsc(&e), e.iss >> 6 & 1), (0x0f, 1), "{what}");
                    }
                    if !x {
                        assert_eq!(fsc(&b.fetch(0x1000).unwrap_err()), 0x0f, "{what}");
                    }
                }
                b.el(1);
                b.pan(true);
                assert_eq!(b.load(0x1000).is_ok(), !user, "{what} PAN");
                assert_eq!(b.store(0x1000, 0).is_ok(), !user && !ro, "{what} PAN");
                // LDTR: as EL0, PAN or not
                assert_eq!(b.load_as(0x1000, Acc::UNPRIV).is_ok(), user, "{what} LDTR");
                // with UAO: as EL1, so that PAN counts
                b.cpu.pstate.uao = true;
                assert_eq!(b.load_as(0x1000, Acc::UNPRIV).is_ok(), !user, "{what} UAO");
            }
        }
    }
}

/// APTable, UXNTable and PXNTable limit what is below, unless TCR_EL1.HPD0 says otherwise.
#[test]
fn hierarchical_permissions() {
    for (attrs, hpd) in [
        (61, false),
        (62, false),
        (59, false),
        (60, false),
        (61, true),
        (60, true),
    ] {
        let mut b = Bench::new(1);
        let t = Tree {
            table_attrs: 1 << attrs,
            ..b.stage1()
        };
        b.set(TCR_EL1, b.cpu.get(TCR_EL1) | (hpd as u64) << 41);
        b.map(&t, 0x1000, 3, PAGE | d::PAGE | d::AF | d::USER);
        b.map(&t, 0x2000, 3, PAGE | d::PAGE | d::AF);
        let on = |bit| attrs == bit && !hpd;
        assert_eq!(b.store(0x1000, 0).is_ok(), !on(62));
        assert_eq!(b.fetch(0x2000).is_ok(), !on(59));
        b.el(0);
        assert_eq!(b.load(0x1000).is_ok(), !on(61), "APTable[0]");
        assert_eq!(b.store(0x1000, 0).is_ok(), !on(61) && !on(62));
        assert_eq!(b.fetch(0x1000).is_ok(), !on(60));
    }
}

/// S2AP, and XN of EL0 and EL1 (FEAT_XNX, Table D8-71).
#[test]
fn stage2_permissions() {
    for s2ap in 0..4u64 {
        for xn in 0..4u64 {
            let mut b = Bench::new(1);
            let s1 = b.stage1();
            // executable at both levels, writable at EL1
            b.map(&s1, 0x1000, 3, PAGE | d::PAGE | d::AF | d::USER | d::RO);
            b.map(&s1, 0x2000, 3, PAGE | d::PAGE | d::AF);
            let s2 = b.stage2(1);
            b.map_tables(&s2);
            b.map(
                &s2,
                PAGE,
                3,
                PAGE | d::PAGE | d::AF | d::S2_NORMAL | s2ap << 6 | xn << 53,
            );
            let what = format!("S2AP={s2ap} XN={xn}");
            assert_eq!(b.load(0x1000).is_ok(), s2ap & 1 != 0, "{what}");
            assert_eq!(b.store(0x2000, 0).is_ok(), s2ap & 2 != 0, "{what}");
            assert_eq!(b.fetch(0x1000).is_ok(), xn == 0 || xn == 3, "{what}");
            b.el(0);
            assert_eq!(b.load(0x1000).is_ok(), s2ap & 1 != 0, "{what}");
            assert_eq!(b.fetch(0x1000).is_ok(), xn < 2, "{what} EL0");
        }
    }
}

/// Hardware access flag and dirty state, both stages (FEAT_HAFDBS, D8.4.6).
#[test]
fn hardware_updates_descriptors() {
    let mut b = Bench::new(1);
    let s1 = b.stage1();
    b.set(TCR_EL1, b.cpu.get(TCR_EL1) | 3 << 39);
    let s2 = b.stage2(1);
    b.set(VTCR_EL2, b.cpu.get(VTCR_EL2) | 3 << 21);
    b.map_tables(&s2);
    let one = b.map(&s1, 0x1000, 3, PAGE | d::PAGE | d::RO | d::DBM);
    let two = b.map(
        &s2,
        PAGE,
        3,
        PAGE | d::PAGE | d::S2_NORMAL | d::S2_R | d::DBM,
    );
    b.load(0x1000).expect("readable");
    assert_eq!(
        b.read64(one) & (d::AF | d::RO),
        d::AF | d::RO,
        "read: AF only"
    );
    assert_eq!(b.read64(two) & (d::AF | d::S2_W), d::AF);
    b.store(0x1000, 5).expect("dirty");
    assert_eq!(b.read64(one) & d::RO, 0, "AP[2] is clear when dirty");
    assert_eq!(b.read64(two) & d::S2_W, d::S2_W);
    // The update itself goes through stage 2: a read-only table page is an S1PTW permission fault that writes.
    let page = one & !0xfff;
    let s1_at = b.map(&s1, 0x3000, 3, PAGE | d::PAGE);
    assert_eq!(s1_at & !0xfff, page);
    let block = page & !0x1f_ffff;
    b.map(&s2, block, 2, block | d::BLOCK | d::S2_RW & !d::S2_W);
    b.flush();
    let e = b.load(0x3000).unwrap_err();
    assert_eq!((fsc(&e), e.target), (fault::PERMISSION + 2, 2));
    assert_eq!((e.iss >> 7 & 1, e.iss >> 6 & 1), (1, 1), "S1PTW, WnR");
    assert_eq!(e.ipa, Some((s1_at, true)));
    // a debugger changes nothing
    let (steps, done) = b.explain(0x3000, Purpose::Read);
    assert!(done.is_err_and(|f| f.s1ptw && f.write) && !steps.is_empty());
    assert_eq!(b.read64(s1_at) & d::AF, 0);
}

/// The top byte is ignored where TCR says so, for data (TBI0) and for instructions (unless TBID0).
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
    assert_eq!(fsc(&b.fetch(tagged).unwrap_err()), fault::TRANSLATION);
    let e = b.load(tagged + 0x1000).unwrap_err();
    assert_eq!(e.far, Some(tagged + 0x1000), "FAR keeps the tag");
}

/// An access over a page boundary: right when both pages are there; without effect, and FAR in the second, when one is not.
#[test]
fn across_pages() {
    let mut b = Bench::new(1);
    let t = b.stage1();
    b.map(&t, 0x1000, 3, PAGE | d::PAGE | d::AF);
    let second = b.map(&t, 0x2000, 3, (PAGE + 0x5000) | d::PAGE | d::AF);
    b.store(0x1ffd, 0x8877_6655_4433_2211).expect("both");
    assert_eq!(b.load(0x1ffd), Ok(0x8877_6655_4433_2211));
    assert_eq!(b.read64(PAGE + 0xff8) >> 40, 0x33_2211);
    assert_eq!(b.read64(PAGE + 0x5000), 0x88_7766_5544);
    b.write64(second, 0);
    b.flush();
    let e = b.store(0x1ffd, 0).unwrap_err();
    assert_eq!((fsc(&e), e.far), (0x07, Some(0x2000)));
    assert_eq!(
        b.read64(PAGE + 0xff8) >> 40,
        0x33_2211,
        "nothing is written"
    );
    // SCTLR_EL1.A: the alignment fault comes before the translation
    b.set(SCTLR_EL1, 3);
    let e = b.store(0x1ffd, 0).unwrap_err();
    assert_eq!((fsc(&e), e.far), (fault::ALIGNMENT, Some(0x1ffd)));
    b.set(SCTLR_EL1, 1);
    let e = b.load_as(0x1004, Acc::ORDERED).unwrap_err();
    assert_eq!(
        fsc(&e),
        fault::ALIGNMENT,
        "acquire, whatever SCTLR_EL1.A says"
    );
}

/// EL2 without E2H: TTBR0_EL2 alone, XN and AP[2] only. With E2H: two ranges and two privileges.
#[test]
fn regimes_of_el2() {
    let mut b = Bench::new(2);
    let t = b.tree(Granule::K4, 48, 0);
    b.set(TTBR0_EL2, t.root);
    b.set(TCR_EL2, 16 | 5 << 16);
    b.set(SCTLR_EL2, 1);
    b.map(&t, 0x1000, 3, PAGE | d::PAGE | d::AF | d::UXN);
    b.map(&t, 0x2000, 3, PAGE | d::PAGE | d::AF | d::PXN | d::RO);
    assert!(b.store(0x1000, 1).is_ok() && b.load(0x1000).is_ok());
    let e = b.fetch(0x1000).unwrap_err();
    assert_eq!((fsc(&e), e.target.max(2)), (0x0f, 2));
    assert!(b.fetch(0x2000).is_ok(), "bit 53 is no XN here");
    assert!(b.store(0x2000, 1).is_err());
    assert_eq!(
        fsc(&b.load(0xffff << 48 | 0x1000).unwrap_err()),
        fault::TRANSLATION
    );
    // E2H: TCR_EL2 has the layout of TCR_EL1
    b.set(TTBR1_EL2, t.root);
    b.set(TCR_EL2, 0x15_8010_0010);
    b.set(HCR_EL2, 1 << 34 | 1 << 27);
    b.map(&t, 0x3000, 3, PAGE | d::PAGE | d::AF | d::USER);
    assert!(b.load(0xffff << 48 | 0x1000).is_ok());
    assert!(b.fetch(0x2000).is_err(), "PXN");
    b.pan(true);
    assert!(b.load(0x3000).is_err() && b.load(0x1000).is_ok());
    b.el(0);
    assert!(
        b.load(0x3000).is_ok() && b.load(0x1000).is_err(),
        "EL0 of EL2&0"
    );
}

/// AT: PAR_EL1 of results and faults; a stage 2 fault on a walk is taken at EL1 (D24.2.126, C5.4).
#[test]
fn address_translation_instructions() {
    let mut b = Bench::new(1);
    let s1 = b.stage1();
    let s2 = b.stage2(1);
    b.map_tables(&s2);
    let ipa = 0x8_0000_3000;
    b.map(&s1, 0x1000, 3, ipa | d::PAGE | d::AF | 3 << 8);
    b.map(
        &s1,
        0x2000,
        3,
        ipa | d::PAGE | d::AF | d::USER | d::RO | d::DEVICE,
    );
    b.map(&s2, ipa, 3, PAGE | d::PAGE | d::S2_RW | 3 << 8);
    let par = b.at(0, 8, 0, 0x1234).expect("S1E1R");
    assert_eq!(par & 0xffff_ffff_f001, ipa, "stage 1 gives the IPA");
    assert_eq!((par >> 56, par >> 7 & 3, par >> 11 & 1), (0xff, 3, 1));
    assert_eq!(
        b.at(0, 8, 0, 0x2000).expect("S1E1R") >> 56,
        0x04,
        "Device-nGnRE"
    );
    // a write to a read-only page: permission fault of stage 1, level 3
    let par = b.at(0, 8, 1, 0x2000).expect("S1E1W");
    assert_eq!((par & 1, par >> 1 & 0x3f, par >> 8 & 3), (1, 0x0f, 0));
    assert_eq!(b.at(0, 8, 2, 0x1000).expect("S1E0R") & 1, 1);
    assert_eq!(b.at(0, 8, 2, 0x2000).expect("S1E0R") & 1, 0);
    // PAN counts for the P forms alone
    b.pan(true);
    assert_eq!(b.at(0, 8, 0, 0x2000).expect("S1E1R") & 1, 0);
    assert_eq!(b.at(0, 9, 0, 0x2000).expect("S1E1RP") & 1, 1);
    b.pan(false);
    // both stages, from EL2
    b.el(2);
    assert_eq!(
        b.at(4, 8, 4, 0x1008).expect("S12E1R") & 0xffff_ffff_f001,
        PAGE
    );
    b.map(&s1, 0x4000, 3, 0x9_0000_0000 | d::PAGE | d::AF);
    let par = b.at(4, 8, 4, 0x4000).expect("S12E1R");
    assert_eq!(
        (par & 1, par >> 1 & 0x3f, par >> 8 & 3),
        (1, 0x05, 2),
        "S, not PTW"
    );
    // a hole in stage 2 under a stage 1 table
    let before = b.cpu.get(PAR_EL1);
    b.map(&s1, 1 << 39, 0, 0x9_0000_0000 | d::TABLE);
    let par = b.at(4, 8, 4, 1 << 39).expect("S12E1R");
    assert_eq!(
        (par & 1, par >> 1 & 0x3f, par >> 8 & 3),
        (1, 0x05, 3),
        "S and PTW"
    );
    b.cpu.set(PAR_EL1, before);
    b.el(1);
    let e = b.at(0, 8, 0, 1 << 39).unwrap_err();
    assert_eq!(
        (e.target, e.iss >> 7 & 1, e.iss >> 8 & 1),
        (2, 1, 1),
        "S1PTW, CM"
    );
    assert_eq!(b.cpu.get(PAR_EL1), before);
}

/// A store into a page that holds decoded code drops the blocks that it touches, on the PE that executes and on others.
#[test]
fn stores_into_code() {
    let mut b = Bench::new(1);
    let t = b.stage1();
    b.map(&t, 0x1000, 3, PAGE | d::PAGE | d::AF);
    b.write64(PAGE, 0xd503_201f_d503_201f); // NOP; NOP
    b.write64(PAGE + 8, 0xd65f_03c0);
    b.store(0x1800, 1).expect("writable");
    let pa = b.fetch(0x1000).expect("executable");
    // SAFETY: the block lives until a collection.
    let alive = |p: *const gdbhv_model::blocks::Block| unsafe { (*p).alive() };
    let block = b.sh.block_at(&mut b.cpu, pa);
    b.store(0x1800, 2).expect("writable");
    assert!(alive(block) && !b.sh.leave, "another line of the page");
    b.store(0x1004, 0).expect("writable");
    assert!(!alive(block) && b.sh.leave);
    b.sh.leave = false;
    // the other PEs' write entries
    let posted = gdbhv_model::mmu::tlb::Op::Protect(PAGE);
    assert!(b.sh.tlb_queue[1].contains(&posted) && b.sh.tlb_queue[0].is_empty());
}

/// Cache maintenance by VA faults as it should, with CM and WnR; DC ZVA is a store.
#[test]
fn maintenance_by_va() {
    let mut b = Bench::new(1);
    let t = b.stage1();
    b.map(&t, 0x1000, 3, PAGE | d::PAGE | d::AF | d::RO);
    b.map(&t, 0x2000, 3, PAGE | d::PAGE | d::AF | d::DEVICE);
    b.map(&t, 0x3000, 3, PAGE | d::PAGE | d::AF);
    let go = |b: &mut Bench, va, invalidates| {
        memory::cache_maintenance(&mut b.cpu, &mut b.sh, va, invalidates)
            .map_err(|_| b.cpu.raised.take().expect("an exception"))
    };
    assert_eq!(go(&mut b, 0x1000, false), Ok(()));
    let e = go(&mut b, 0x1000, true).unwrap_err();
    assert_eq!(
        (fsc(&e), e.iss >> 6 & 1, e.iss >> 8 & 1),
        (0x0f, 1, 1),
        "IVAC"
    );
    let e = go(&mut b, 0x9000, false).unwrap_err();
    assert_eq!((fsc(&e), e.iss >> 6 & 1, e.iss >> 8 & 1), (0x07, 1, 1));
    b.el(0);
    assert_eq!(
        fsc(&go(&mut b, 0x1000, false).unwrap_err()),
        0x0f,
        "EL0 must be able to read"
    );
    b.el(1);
    b.store(0x3040, u64::MAX).expect("writable");
    b.store(0x3080, u64::MAX).expect("writable");
    memory::dc_zva(&mut b.cpu, &mut b.sh, 0x3077).expect("writable");
    assert_eq!((b.load(0x3040), b.load(0x3080)), (Ok(0), Ok(u64::MAX)));
    assert!(memory::dc_zva(&mut b.cpu, &mut b.sh, 0x1077).is_err());
    let e = b.cpu.raised.take().expect("an exception");
    assert_eq!(
        (fsc(&e), e.far, e.iss >> 6 & 1, e.iss >> 8 & 1),
        (0x0f, Some(0x1077), 1, 0)
    );
    assert!(memory::dc_zva(&mut b.cpu, &mut b.sh, 0x2000).is_err());
    assert_eq!(
        fsc(&b.cpu.raised.take().expect("an exception")),
        fault::ALIGNMENT
    );
}

/// What `monitor walk` shows is what runs: every descriptor, those of stage 2 under stage 1 included, and the same result.
#[test]
fn explained_walk() {
    let mut b = Bench::new(1);
    let s1 = b.stage1();
    let s2 = b.stage2(1);
    b.map_tables(&s2);
    let leaf = b.map(&s1, 0x1000, 3, 0x8_0000_3000 | d::PAGE | d::AF);
    b.map(&s2, 0x8_0000_3000, 3, PAGE | d::PAGE | d::S2_RW);
    let (steps, done) = b.explain(0x1008, Purpose::Read);
    // four stage 1 descriptors with two of stage 2 before each (a 2 MiB block from level 1), then three for the page
    assert_eq!(steps.len(), 4 * 3 + 3);
    let pa = done.expect("mapped").pa;
    assert_eq!(Ok(pa), b.fetch(0x1008));
    let last = steps[11];
    assert_eq!(
        (last.stage, last.level, last.address, last.found),
        (1, 3, leaf, Found::Page)
    );
    assert_eq!(steps[9].for_s1, Some(3));
    assert_eq!((steps[14].for_s1, steps[14].output), (None, PAGE + 8));
    // with everything cached, the same steps
    assert_eq!(b.explain(0x1008, Purpose::Read).0, steps);
}

/// Pairs and SIMD registers: what SCTLR_ELx.A demands is not the size of the part.
#[test]
fn alignment_of_parts() {
    let mut b = Bench::new(1);
    let t = b.stage1();
    b.map(&t, 0x1000, 3, PAGE | d::PAGE | d::AF);
    let wide = Acc {
        align: 4,
        ..Acc::PLAIN
    };
    assert!(b.load_as(0x1008, wide).is_ok());
    b.set(SCTLR_EL1, 3);
    assert_eq!(fsc(&b.load_as(0x1008, wide).unwrap_err()), fault::ALIGNMENT);
    assert!(b.load_as(0x1010, wide).is_ok());
    let half = memory::load(&mut b.cpu, &mut b.sh, 0x1002, Size::H, Acc::PLAIN);
    assert!(half.is_ok());
}

/// A watchpoint stops before the access, also when the page is cached; other lines of the page, and other pages, go on.
#[test]
fn watchpoints() {
    use gdbhv_model::debug::{Scope, Watchpoint};
    use gdbhv_model::interp::{execute, Leave};
    use gdbhv_model::mmu::tlb;
    let mut b = Bench::new(1);
    // LDR X1, [X20]; STR X1, [X20, #64]; B .-8
    for (i, word) in [0xf940_0281u64, 0xf900_2281, 0x17ff_fffe]
        .iter()
        .enumerate()
    {
        b.sh.ram.write(RAM + 4 * i as u64, 4, *word).expect("RAM");
    }
    b.cpu.pc = RAM;
    b.cpu.x[20] = PAGE + 0x100;
    assert_eq!(execute(&mut b.cpu, &mut b.sh, 30), Leave::Time);
    let watch = |b: &mut Bench, va, read, write| {
        let w = Watchpoint {
            va,
            len: 8,
            read,
            write,
            scope: Scope::All,
        };
        b.sh.debug.insert_watchpoint(w);
        tlb::apply(&mut b.cpu, tlb::Op::Data);
        w
    };
    let w = watch(&mut b, PAGE + 0x3c0, true, true);
    assert_eq!(execute(&mut b.cpu, &mut b.sh, 60), Leave::Time, "elsewhere");
    b.sh.debug.remove_watchpoint(w);
    // the same line, other bytes; then reads of what is only written
    let w = watch(&mut b, PAGE + 0x148, true, true);
    watch(&mut b, PAGE + 0x140, true, false);
    assert_eq!(execute(&mut b.cpu, &mut b.sh, 90), Leave::Time);
    b.sh.debug.remove_watchpoint(w);
    watch(&mut b, PAGE + 0x144, false, true);
    assert_eq!(execute(&mut b.cpu, &mut b.sh, 120), Leave::Debug);
    assert_eq!((b.cpu.pc, b.cpu.raised.is_none()), (RAM + 4, true));
    assert_eq!(b.sh.now, 91, "the store has not been counted");
}
