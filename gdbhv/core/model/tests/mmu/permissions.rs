//! Who may do what, and what hardware writes into descriptors.

use crate::support::regs::*;
use crate::support::{d, fault, fsc, Bench, Tree};
use crate::PAGE;
use gdbhv_model::mem::size::Acc;
use gdbhv_model::mmu::fault::Purpose;

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
    // The update itself goes through stage 2: a read-only table page is an S1PTW permission fault, of an instruction that reads.
    let page = one & !0xfff;
    let s1_at = b.map(&s1, 0x3000, 3, PAGE | d::PAGE);
    assert_eq!(s1_at & !0xfff, page);
    let block = page & !0x1f_ffff;
    b.map(&s2, block, 2, block | d::BLOCK | d::S2_RW & !d::S2_W);
    b.flush();
    let e = b.load(0x3000).unwrap_err();
    assert_eq!((fsc(&e), e.target), (fault::PERMISSION + 2, 2));
    assert_eq!((e.iss >> 7 & 1, e.iss >> 6 & 1), (1, 0), "S1PTW, WnR");
    assert_eq!(e.ipa, Some((s1_at, true)));
    // a debugger changes nothing
    let (steps, done) = b.explain(0x3000, Purpose::Read);
    assert!(done.is_err_and(|f| f.s1ptw && !f.write) && !steps.is_empty());
    assert_eq!(b.read64(s1_at) & d::AF, 0);
}
