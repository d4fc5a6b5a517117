//! Translation as instructions see it: loads, stores and fetches through both stages, with the faults they end in. The oracle is
//! the Arm ARM (D8; section cited where a rule is not obvious).

mod support;

use gdbhv_model::cpu::Trap;
use gdbhv_model::exception::Exception;
use gdbhv_model::mem::access::{Acc, Size};
use gdbhv_model::memory;
use support::{d, Bench, RAM};

const PAGE: u64 = RAM + 0x10_0000;

fn load(b: &mut Bench, va: u64) -> Result<u64, Exception> {
    let got = memory::load(&mut b.cpu, &mut b.sh, va, Size::X, Acc::PLAIN);
    got.map_err(|Trap| b.cpu.raised.take().expect("an exception"))
}
fn store(b: &mut Bench, va: u64, v: u64) -> Result<(), Exception> {
    let got = memory::store(&mut b.cpu, &mut b.sh, va, Size::X, v, Acc::PLAIN);
    got.map_err(|Trap| b.cpu.raised.take().expect("an exception"))
}
fn fetch(b: &mut Bench, va: u64) -> Result<u64, Exception> {
    let got = memory::fetch(&mut b.cpu, &mut b.sh, va);
    got.map_err(|Trap| b.cpu.raised.take().expect("an exception"))
}
/// Fault status code of an abort.
fn fsc(e: &Exception) -> u32 {
    e.iss & 0x3f
}

#[test]
fn off_is_flat() {
    let mut b = Bench::new(1);
    store(&mut b, PAGE + 8, 0x1234).expect("RAM");
    assert_eq!(load(&mut b, PAGE + 8), Ok(0x1234));
    assert_eq!(fetch(&mut b, PAGE), Ok(PAGE));
    // Device memory: alignment fault
    assert_eq!(fsc(&load(&mut b, PAGE + 1).unwrap_err()), 0x21);
    // beyond the PA size: address size fault, level 0
    assert_eq!(fsc(&load(&mut b, 1 << 48).unwrap_err()), 0x00);
    // a hole: synchronous external abort
    assert_eq!(fsc(&load(&mut b, 0x1_0000_0000).unwrap_err()), 0x10);
}

#[test]
fn stage1_pages() {
    let mut b = Bench::new(1);
    let t = b.stage1();
    let va = 0x1234_5678_9000;
    b.write64(PAGE, 77);
    b.map(&t, va, 3, PAGE | d::PAGE | d::AF);
    assert_eq!(load(&mut b, va), Ok(77));
    assert_eq!(load(&mut b, va | 0xffff << 48), Ok(77), "TTBR1's range");
    let e = load(&mut b, va + 0x1000).unwrap_err();
    assert_eq!((fsc(&e), e.far, e.target), (0x07, Some(va + 0x1000), 1));
    assert_eq!(fsc(&load(&mut b, va + 0x4000_0000).unwrap_err()), 0x05);
    assert_eq!(
        fsc(&load(&mut b, 1 << 52).unwrap_err()),
        0x04,
        "between the ranges"
    );
}

#[test]
fn both_stages() {
    let mut b = Bench::new(1);
    let s1 = b.stage1();
    let s2 = b.stage2(3);
    // stage 1 tables are at their own IPAs: map them one to one
    let first = s1.root & !0x1f_ffff;
    for at in [first, first - 0x20_0000] {
        b.map(&s2, at, 2, at | d::BLOCK | d::S2_RW);
    }
    let (va, ipa) = (0x5000, 0x8_0000_3000);
    b.map(&s1, va, 3, ipa | d::PAGE | d::AF);
    let e = load(&mut b, va + 8).unwrap_err();
    assert_eq!((fsc(&e), e.target, e.ipa), (0x05, 2, Some((ipa + 8, true))));
    b.map(&s2, ipa, 3, PAGE | d::PAGE | d::S2_RW & !d::S2_W);
    b.write64(PAGE + 8, 99);
    assert_eq!(load(&mut b, va + 8), Ok(99));
    let e = store(&mut b, va + 8, 1).unwrap_err();
    assert_eq!((fsc(&e), e.target, e.iss >> 6 & 1), (0x0f, 2, 1));
    assert_eq!(e.ipa, Some((ipa + 8, false)), "HPFAR is not valid");
    assert_eq!(fetch(&mut b, va), Ok(PAGE));
}
