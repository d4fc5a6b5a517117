//! AT, cache maintenance by VA, and what an access is made of: alignment, pages, decoded code, watchpoints.

use crate::support::regs::*;
use crate::support::{d, fault, fsc, Bench, RAM};
use crate::PAGE;
use gdbhv_model::access;
use gdbhv_model::exec::code::Code;
use gdbhv_model::mem::size::{Acc, Size};
use gdbhv_model::mmu::op::Note;
use gdbhv_model::pe;

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
    let e = b.load_as(0x100c, Acc::ORDERED).unwrap_err();
    assert_eq!(
        fsc(&e),
        fault::ALIGNMENT,
        "acquire over 16 bytes, whatever SCTLR_EL1.A says"
    );
}

#[test]
fn stores_into_code() {
    let mut b = Bench::new(1);
    let t = b.stage1();
    b.map(&t, 0x1000, 3, PAGE | d::PAGE | d::AF);
    b.write64(PAGE, 0xd503_201f_d503_201f); // NOP; NOP
    b.write64(PAGE + 8, 0xd65f_03c0);
    b.store(0x1800, 1).expect("writable");
    let pa = b.fetch(0x1000).expect("executable");
    let mut code = Code::new(&b.sh.ram, b.sh.config.features, 1);
    // SAFETY: the block lives until a collection.
    let alive = |p: *const gdbhv_model::exec::block::Block| unsafe { (*p).alive() };
    let block = code.block_at(&mut b.cpu, &mut b.sh, pa);
    b.store(0x1800, 2).expect("writable");
    code.follow_writes(&mut b.sh.ram);
    assert!(alive(block) && !b.sh.leave, "another line of the page");
    b.store(0x1004, 0).expect("writable");
    code.follow_writes(&mut b.sh.ram);
    assert!(!alive(block) && b.sh.leave);
    b.sh.leave = false;
    b.store(0x1008, 0).expect("writable");
    assert!(!b.sh.leave, "nothing is decoded there any more");
    // the other PEs' write entries
    let posted = gdbhv_model::mmu::op::Note::Code(PAGE);
    assert!(b.sh.tlb_notes[1].contains(&posted) && b.sh.tlb_notes[0].is_empty());
}

#[test]
fn maintenance_by_va() {
    let mut b = Bench::new(1);
    let t = b.stage1();
    b.map(&t, 0x1000, 3, PAGE | d::PAGE | d::AF | d::RO);
    b.map(&t, 0x2000, 3, PAGE | d::PAGE | d::AF | d::DEVICE);
    b.map(&t, 0x3000, 3, PAGE | d::PAGE | d::AF);
    let go = |b: &mut Bench, va, invalidates| {
        access::cache_maintenance(&mut b.cpu, &mut b.sh, va, invalidates)
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
    access::dc_zva(&mut b.cpu, &mut b.sh, 0x3077).expect("writable");
    assert_eq!((b.load(0x3040), b.load(0x3080)), (Ok(0), Ok(u64::MAX)));
    assert!(access::dc_zva(&mut b.cpu, &mut b.sh, 0x1077).is_err());
    let e = b.cpu.raised.take().expect("an exception");
    assert_eq!(
        (fsc(&e), e.far, e.iss >> 6 & 1, e.iss >> 8 & 1),
        (0x0f, Some(0x1077), 1, 0)
    );
    assert!(access::dc_zva(&mut b.cpu, &mut b.sh, 0x2000).is_err());
    assert_eq!(
        fsc(&b.cpu.raised.take().expect("an exception")),
        fault::ALIGNMENT
    );
}

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
    let half = access::load(&mut b.cpu, &mut b.sh, 0x1002, Size::H, Acc::PLAIN);
    assert!(half.is_ok());
}

#[test]
fn watchpoints() {
    use gdbhv_model::exec::interp::{execute, Leave};
    use gdbhv_model::stops::{Scope, Space, Watchpoint};
    let mut b = Bench::new(1);
    let mut code = Code::new(&b.sh.ram, b.sh.config.features, 1);
    // LDR X1, [X20]; STR X1, [X20, #64]; B .-8
    for (i, word) in [0xf940_0281u64, 0xf900_2281, 0x17ff_fffe]
        .iter()
        .enumerate()
    {
        b.sh.ram.write(RAM + 4 * i as u64, 4, *word).expect("RAM");
    }
    b.cpu.pc = RAM;
    b.cpu.x[20] = PAGE + 0x100;
    b.cpu.until = 30;
    assert_eq!(execute(&mut b.cpu, &mut b.sh, &mut code), Leave::Time);
    let watch = |b: &mut Bench, va, read, write| {
        let w = Watchpoint {
            space: Space::Va,
            at: va,
            len: 8,
            read,
            write,
            scope: Scope::All,
        };
        b.sh.debug.insert_watchpoint(w);
        pe::tlb::note(&mut b.cpu, Note::Recheck);
        w
    };
    let w = watch(&mut b, PAGE + 0x3c0, true, true);
    b.cpu.until = 60;
    assert_eq!(
        execute(&mut b.cpu, &mut b.sh, &mut code),
        Leave::Time,
        "elsewhere"
    );
    b.sh.debug.remove_watchpoint(w);
    // the same line, other bytes; then reads of what is only written
    let w = watch(&mut b, PAGE + 0x148, true, true);
    watch(&mut b, PAGE + 0x140, true, false);
    b.cpu.until = 90;
    assert_eq!(execute(&mut b.cpu, &mut b.sh, &mut code), Leave::Time);
    b.sh.debug.remove_watchpoint(w);
    watch(&mut b, PAGE + 0x144, false, true);
    b.cpu.until = 120;
    assert_eq!(execute(&mut b.cpu, &mut b.sh, &mut code), Leave::Debug);
    assert_eq!((b.cpu.pc, b.cpu.raised.is_none()), (RAM + 4, true));
    assert_eq!(b.sh.now, 91, "the store has not been counted");
}
