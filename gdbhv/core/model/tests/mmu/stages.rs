//! Both stages together, stage 1 off, the regimes of EL2, and the walk as it is shown.

use crate::support::regs::*;
use crate::support::{d, fault, fsc, Bench, RAM};
use crate::PAGE;
use gdbhv_model::mmu::fault::Purpose;
use gdbhv_model::mmu::kind::Granule;
use gdbhv_model::mmu::walk::Found;

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
            assert_eq!(e.iss >> 6 & 1, write as u32, "WnR is the instruction's");
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
