//! What a TLBI covers, exactly (Arm ARM D8.14, C5.5): a stale translation survives one that does not cover it, and no other; and
//! what the contexts of cached translations must keep apart.

mod scope;
#[path = "../support/mod.rs"]
mod support;

use gdbhv_model::mem::size::Acc;
use gdbhv_model::mmu::op::Op;
use gdbhv_model::pe;
use support::regs::*;
use support::{d, Bench, Tree, RAM};

const OLD: u64 = RAM + 0x10_0000;
const NEW: u64 = RAM + 0x20_0000;

/// A page of each kind, cached, then changed in the tables: what `load` gives tells whether the translation is stale.
struct Stale {
    b: Bench,
    s1: Tree,
}

const GLOBAL: u64 = 0x1000;
const LOCAL: u64 = 0x2000;
/// In a block of 2 MiB, not its first page.
const BLOCK: u64 = 0x4000_5000;

impl Stale {
    /// Everything cached for (VMID 1, ASID 1) at EL1, then changed.
    fn new() -> Stale {
        let mut b = Bench::new(1);
        let s1 = b.stage1();
        let s2 = b.stage2(1);
        b.map_tables(&s2);
        for block in [OLD, NEW] {
            let at = block & !0x1f_ffff;
            b.map(&s2, at, 2, at | d::BLOCK | d::S2_RW);
        }
        for offset in (0..0x10_0000).step_by(0x1000) {
            b.write64(OLD + offset, 1);
            b.write64(NEW + offset, 2);
        }
        b.set(TTBR0_EL1, s1.root | 1 << 48);
        let mut s = Stale { b, s1 };
        s.remap(OLD);
        s.touch();
        s.remap(NEW);
        assert_eq!(s.stale(), [true; 3]);
        s
    }
    fn remap(&mut self, to: u64) {
        let attrs = d::AF | d::PAGE;
        self.b.map(&self.s1, GLOBAL, 3, to | attrs);
        self.b.map(&self.s1, LOCAL, 3, to | attrs | d::NG);
        // a block maps 2 MiB: OLD and NEW are in different ones
        let block = to & !0x1f_ffff;
        self.b
            .map(&self.s1, BLOCK, 2, block | d::AF | d::BLOCK | d::NG);
        self.b
            .write64(block | BLOCK & 0x1f_ffff, if to == OLD { 1 } else { 2 });
    }
    fn touch(&mut self) {
        for va in [GLOBAL, LOCAL, BLOCK] {
            self.b.load(va).expect("mapped");
            self.b.fetch(va).expect("mapped");
        }
    }
    /// Which of GLOBAL, LOCAL, BLOCK still go where they went; loads and fetches must agree.
    fn stale(&mut self) -> [bool; 3] {
        [GLOBAL, LOCAL, BLOCK].map(|va| {
            let old = self.b.load(va).expect("mapped") == 1;
            let pa = self.b.fetch(va).expect("mapped");
            assert_eq!(pa & !0x1f_ffff == OLD & !0x1f_ffff, old, "{va:#x}");
            old
        })
    }
    fn asid(&mut self, asid: u64) {
        self.b.set(TTBR0_EL1, self.s1.root | asid << 48);
    }
    /// Execute a TLBI at EL2 or EL1, then come back.
    fn tlbi_at(&mut self, el: u8, op1: u32, crm: u32, op2: u32, xt: u64) {
        self.b.el(el);
        self.b.tlbi(op1, crm, op2, xt);
        self.b.el(1);
    }
    fn tlbi(&mut self, op1: u32, crm: u32, op2: u32, xt: u64) {
        self.tlbi_at(if op1 == 4 { 2 } else { 1 }, op1, crm, op2, xt);
    }
}

const fn operand(va: u64, asid: u64) -> u64 {
    va >> 12 | asid << 48
}

#[test]
fn by_address_and_asid() {
    const ALL: [bool; 3] = [true, true, true];
    // (op2, address, ASID, what is stale afterwards): VAE1 1, VALE1 5, VAAE1 3, VAALE1 7
    for op2 in [1, 5] {
        for (va, asid, expect) in [
            (GLOBAL, 1, [false, true, true]),
            (GLOBAL, 2, [false, true, true]), // global: any ASID
            (LOCAL, 1, [true, false, true]),
            (LOCAL, 2, ALL),
            (BLOCK, 1, [true, true, false]),
            (BLOCK + 0x1f_0000 - 0x5000, 1, [true, true, false]), // anywhere in the block
            (BLOCK + 0x20_0000, 1, ALL),
            (0x3000, 1, ALL),
        ] {
            for crm in [7, 3, 1] {
                let mut s = Stale::new();
                s.tlbi(0, crm, op2, operand(va, asid));
                assert_eq!(s.stale(), expect, "{op2} {crm} {va:#x} {asid}");
            }
        }
    }
    for op2 in [3, 7] {
        for (va, expect) in [
            (GLOBAL, [false, true, true]),
            (LOCAL, [true, false, true]),
            (BLOCK + 0x8000, [true, true, false]),
        ] {
            let mut s = Stale::new();
            s.tlbi(0, 7, op2, operand(va, 77));
            assert_eq!(s.stale(), expect);
        }
    }
}

#[test]
fn by_asid_and_all() {
    let mut s = Stale::new();
    s.tlbi(0, 7, 2, 2 << 48);
    assert_eq!(s.stale(), [true; 3], "ASIDE1 of another");
    s.tlbi(0, 7, 2, 1 << 48);
    assert_eq!(s.stale(), [true, false, false], "ASIDE1 leaves global ones");
    // the 8 upper bits of an ASID do not count without TCR_EL1.AS
    let mut s = Stale::new();
    s.b.set(TCR_EL1, s.b.cpu.get(TCR_EL1) & !(1 << 36));
    s.tlbi(0, 7, 2, 0x301 << 48);
    assert_eq!(s.stale(), [true, false, false]);
    let mut s = Stale::new();
    s.tlbi(0, 7, 0, 0);
    assert_eq!(s.stale(), [false; 3], "VMALLE1");
    for op2 in [4, 6] {
        let mut s = Stale::new();
        s.tlbi(4, 7, op2, 0);
        assert_eq!(s.stale(), [false; 3], "ALLE1, VMALLS12E1");
    }
    let mut s = Stale::new();
    s.tlbi(4, 7, 0, 0);
    s.tlbi(4, 7, 1, operand(GLOBAL, 0));
    assert_eq!(s.stale(), [true; 3], "ALLE2 and VAE2 are EL2's");
}

#[test]
fn by_vmid() {
    let other = |s: &mut Stale| {
        let v = s.b.cpu.get(VTTBR_EL2);
        s.b.set(VTTBR_EL2, v & !(0xffff << 48) | 2 << 48);
    };
    let own = |s: &mut Stale| {
        let v = s.b.cpu.get(VTTBR_EL2);
        s.b.set(VTTBR_EL2, v & !(0xffff << 48) | 1 << 48);
    };
    // VMALLE1, VAE1, VMALLS12E1 act on the current VMID; ALLE1 on all
    for (op1, op2, expect) in [(0, 0, true), (0, 1, true), (4, 6, true), (4, 4, false)] {
        let mut s = Stale::new();
        other(&mut s);
        assert_eq!(s.b.load(GLOBAL), Ok(2), "another VMID has its own");
        s.tlbi(op1, 7, op2, operand(GLOBAL, 1));
        own(&mut s);
        assert_eq!(s.stale()[0], expect, "{op1} {op2}");
    }
}

#[test]
fn by_range() {
    // (NUM + 1) << (5 * SCALE + 1) pages of 4 KiB from the page of X[36:0]
    let range =
        |va: u64, num: u64, scale: u64| va >> 12 | num << 39 | scale << 44 | 1 << 46 | 1 << 48;
    for (va, num, scale, expect) in [
        (GLOBAL, 0, 0, [false, false, true]), // two pages
        (LOCAL, 0, 0, [true, false, true]),
        (0x3000, 31, 0, [true, true, true]),
        (0, 0, 3, [false, false, true]), // 64 K pages: 256 MiB
        (0x4000_0000, 0, 2, [true, true, false]), // 2 K pages
        (0x4000_5000, 0, 0, [true, true, false]),
    ] {
        let mut s = Stale::new();
        s.tlbi(0, 6, 1, range(va, num, scale));
        assert_eq!(s.stale(), expect, "RVAE1 {va:#x} {num} {scale}");
    }
}

/// IPAS2E1 takes what stage 2 alone says of the IPA: with stage 1 on, what combines both stages stays until a TLBI of stage 1 (C5.5
/// TLBI IPAS2E1), and is made anew of what is left. Other IPAs, VMIDs, levels and granules are not touched.
#[test]
fn by_ipa() {
    // (CRm, op2, operand, whether the new output of a page is seen at last)
    let range = |ipa: u64, num: u64, scale: u64| ipa >> 12 | num << 39 | scale << 44 | 1 << 46;
    let ipa = 0x8_0000_0000u64;
    for (crm, op2, xt, seen) in [
        (4, 1, ipa >> 12, true),                               // IPAS2E1
        (4, 5, ipa >> 12, true),                               // IPAS2LE1
        (0, 1, ipa >> 12, true),                               // IPAS2E1IS
        (4, 0, ipa >> 12, true),                               // IPAS2E1OS
        (4, 1, ipa >> 12 | 7 << 44, true),                     // TTL: 4 KiB, level 3
        (4, 1, ipa >> 12 | 6 << 44, false),                    // TTL: level 2
        (4, 1, ipa >> 12 | 15 << 44, false),                   // TTL: 64 KiB, level 3
        (4, 1, (ipa >> 12) + 1, false),                        // the next page
        (4, 2, range(ipa, 0, 0), true),                        // RIPAS2E1: two pages
        (4, 2, range(ipa - 0x1000, 0, 0), true),               // ending there
        (4, 2, range(ipa - 0x2000, 0, 0), false),              // before it
        (4, 2, range(ipa, 0, 0) & !(3 << 46), false),          // TG = 0 is reserved
        (4, 2, range(ipa >> 2, 0, 0) ^ 3 << 46, false),        // 16 KiB
        (4, 2, range(ipa, 0, 0) | 2 << 37, false),             // TTL: level 2
        (4, 3, range(ipa, 0, 0) | 3 << 37, true),              // RIPAS2E1OS, level 3
        (0, 6, range(0x8_0000_0000 - (1 << 30), 31, 3), true), // RIPAS2LE1IS, 8 GiB
    ] {
        for stage1 in [false, true] {
            let mut b = Bench::new(1);
            let va = if stage1 { 0x1000 } else { ipa };
            if stage1 {
                let s1 = b.stage1();
                b.map(&s1, va, 3, ipa | d::PAGE | d::AF);
            }
            let s2 = b.stage2(1);
            b.map_tables(&s2);
            b.map(&s2, ipa, 3, OLD | d::PAGE | d::S2_RW);
            b.write64(OLD, 1);
            b.write64(NEW, 2);
            assert_eq!((b.load(va), b.fetch(va)), (Ok(1), Ok(OLD)));
            b.map(&s2, ipa, 3, NEW | d::PAGE | d::S2_RW);
            b.set(VTTBR_EL2, b.cpu.get(VTTBR_EL2) ^ 3 << 48);
            b.el(2);
            b.tlbi(4, crm, op2, xt);
            b.set(VTTBR_EL2, b.cpu.get(VTTBR_EL2) ^ 3 << 48);
            assert_eq!(b.load_at_el1(va), Ok(1), "another VMID's");
            b.el(2);
            b.tlbi(4, crm, op2, xt);
            let what = format!("CRm={crm} op2={op2} {xt:#x} {stage1}");
            if stage1 {
                assert_eq!(b.load_at_el1(va), Ok(1), "combined: {what}");
                b.tlbi(0, 7, 0, 0); // VMALLE1
            }
            let at = if seen { (2, NEW) } else { (1, OLD) };
            assert_eq!(
                (b.load_at_el1(va), b.fetch(va)),
                (Ok(at.0), Ok(at.1)),
                "{what}"
            );
        }
    }
}

/// A page of a block of stage 2: any address in the block takes it.
#[test]
fn blocks_by_ipa() {
    for (ipa, seen) in [
        (0x5f_f000, true),
        (0x40_0000, true),
        (0x60_0000, false),
        (0x3f_f000, false),
    ] {
        let mut b = Bench::new(1);
        let s2 = b.stage2(1);
        b.map(&s2, 0x40_0000, 2, RAM | d::BLOCK | d::S2_RW);
        b.write64(RAM + 0x1000, 1);
        b.write64(RAM + 0x20_1000, 2);
        assert_eq!(b.load(0x40_1000), Ok(1));
        b.map(&s2, 0x40_0000, 2, RAM + 0x20_0000 | d::BLOCK | d::S2_RW);
        b.tlbi(4, 4, 1, ipa >> 12);
        assert_eq!(b.load(0x40_1000), Ok(if seen { 2 } else { 1 }), "{ipa:#x}");
    }
}

/// A change of stage 2 alone: seen after the TLBI of stage 2 (and stays unseen until then), the walk's own cache included.
#[test]
fn stage2_changes() {
    for (op1, crm, op2, seen) in [
        (4, 4, 1, false), // IPAS2E1: combined entries need not go
        (4, 7, 6, true),  // VMALLS12E1
        (4, 7, 4, true),  // ALLE1
        (0, 7, 0, false), // VMALLE1: stage 2's own results may stay
    ] {
        let mut b = Bench::new(1);
        let s1 = b.stage1();
        let s2 = b.stage2(1);
        b.map_tables(&s2);
        let ipa = 0x8_0000_0000;
        b.map(&s1, 0x1000, 3, ipa | d::PAGE | d::AF);
        b.map(&s2, ipa, 3, OLD | d::PAGE | d::S2_RW);
        b.write64(OLD, 1);
        b.write64(NEW, 2);
        assert_eq!(b.load(0x1000), Ok(1));
        b.map(&s2, ipa, 3, NEW | d::PAGE | d::S2_RW);
        assert_eq!(b.load(0x1000), Ok(1), "stale");
        b.el(2);
        b.tlbi(op1, crm, op2, ipa >> 12);
        b.el(1);
        assert_eq!(
            b.load(0x1000),
            Ok(if seen { 2 } else { 1 }),
            "{op1} {crm} {op2}"
        );
    }
}

#[test]
fn el2_entries() {
    for (op2, va, expect) in [
        (0, 0, 2),
        (1, 0x1000, 2),
        (5, 0x1000, 2),
        (1, 0x2000, 1),
        (4, 0, 1),
    ] {
        let mut b = Bench::new(2);
        let t = b.tree(gdbhv_model::mmu::kind::Granule::K4, 48, 0);
        b.set(TTBR0_EL2, t.root);
        b.set(TCR_EL2, 16 | 5 << 16);
        b.set(SCTLR_EL2, 1);
        b.write64(OLD, 1);
        b.write64(NEW, 2);
        b.map(&t, 0x1000, 3, OLD | d::PAGE | d::AF);
        assert_eq!(b.load(0x1000), Ok(1));
        b.map(&t, 0x1000, 3, NEW | d::PAGE | d::AF);
        b.tlbi(4, 7, op2, va >> 12);
        assert_eq!(b.load(0x1000), Ok(expect), "TLBI op2={op2} {va:#x}");
    }
}

/// Inner shareable forms, and local ones under HCR_EL2.FB, reach the other PEs before they next execute.
#[test]
fn broadcast() {
    let mut s = Stale::new();
    let mut other = Bench::new(1);
    s.tlbi(0, 7, 0, 0);
    assert!(s.b.sh.tlb_queue.iter().all(Vec::is_empty), "local");
    s.b.set(HCR_EL2, 1 | 1 << 9);
    s.tlbi(0, 7, 0, 0);
    s.tlbi(0, 3, 1, operand(GLOBAL, 1));
    assert_eq!(s.b.sh.tlb_queue[0].len(), 0);
    assert_eq!(s.b.sh.tlb_queue[1].len(), 2);
    // PE 1 with a stale entry of its own
    let mut s = Stale::new();
    s.b.sh.tlb_queue[0] = vec![];
    s.b.sh.tlb_queue[0].push(Op::All);
    pe::tlb::drain(&mut s.b.cpu, &mut s.b.sh);
    assert_eq!(s.stale(), [false; 3]);
    assert!(s.b.sh.tlb_queue[0].is_empty());
    // a PE that does not run for long does not gather work without bound
    for _ in 0..100_000 {
        s.tlbi(0, 3, 1, operand(GLOBAL, 1));
    }
    assert!(s.b.sh.tlb_queue[1].len() <= 1024);
    other.flush();
}

/// An operation reaches contexts that are not in use when they are selected: by the log, or wholesale when it is too long ago.
#[test]
fn contexts_catch_up() {
    for times in [1, 1000, 5000] {
        let mut s = Stale::new();
        s.asid(2);
        s.tlbi(0, 7, 1, operand(LOCAL, 1));
        for _ in 1..times {
            s.tlbi(0, 7, 1, operand(0x7000, 9));
        }
        s.asid(1);
        let stale = s.stale();
        assert!(!stale[1], "{times}");
        if times == 1 {
            assert_eq!(stale, [true, false, true]);
        }
    }
}

/// What an ASID, a VMID or a privilege has cached is not seen by another; more contexts than a PE keeps work too.
#[test]
fn contexts_are_apart() {
    let mut b = Bench::new(1);
    let trees: Vec<Tree> = (0..200)
        .map(|i| {
            let t = b.stage1();
            let pa = RAM + 0x10_0000 + 0x1000 * i;
            b.write64(pa, i);
            b.map(&t, 0x1000, 3, pa | d::PAGE | d::AF | d::NG | d::USER);
            t
        })
        .collect();
    for round in 0..3 {
        for (i, t) in trees.iter().enumerate() {
            b.set(TTBR0_EL1, t.root | (i as u64) << 48);
            assert_eq!(b.load(0x1000), Ok(i as u64), "{round}");
            b.el(0);
            assert_eq!(b.load(0x1000), Ok(i as u64), "{round}");
            b.el(1);
            b.pan(true);
            assert!(b.load(0x1000).is_err());
            assert_eq!(b.load_as(0x1000, Acc::UNPRIV), Ok(i as u64));
            b.pan(false);
        }
    }
}

/// The jump cache is keyed by `uid`: it changes when a page that was fetched from goes, and not for one that was not.
#[test]
fn uid_follows_the_fetch_side() {
    let mut s = Stale::new();
    // SAFETY: the CPU's context is a box of its TLB.
    let uid = |s: &Stale| unsafe { (*s.b.cpu.ctx).uid };
    let before = uid(&s);
    for va in (0x10_0000..0x20_0000).step_by(0x1000) {
        s.tlbi(0, 7, 7, operand(va, 0));
    }
    assert_eq!(uid(&s), before, "not fetched from");
    s.tlbi(0, 7, 7, operand(LOCAL, 0));
    assert_ne!(uid(&s), before);
    let before = uid(&s);
    s.tlbi(0, 7, 7, operand(BLOCK + 0x9000, 0));
    assert_ne!(
        uid(&s),
        before,
        "another page of a block that was fetched from"
    );
}

/// A table descriptor is changed (another table, or none): VAE1, VAAE1, ASIDE1 and VMALLE1 make that seen, whatever is cached of walks;
/// VALE1 need not.
#[test]
fn tables_above_the_last_level() {
    for (op2, seen) in [
        (0, true),
        (1, true),
        (2, true),
        (3, true),
        (5, false),
        (7, false),
    ] {
        for two in [false, true] {
            let mut b = Bench::new(1);
            let s1 = b.stage1();
            if two {
                let s2 = b.stage2(1);
                b.map_tables(&s2);
                b.map(&s2, OLD, 2, RAM | d::BLOCK | d::S2_RW);
                b.map(&s2, NEW, 2, RAM + 0x20_0000 | d::BLOCK | d::S2_RW);
            }
            b.write64(OLD, 1);
            b.write64(NEW, 2);
            for va in [0x1000, 0x2000] {
                b.map(&s1, va, 3, OLD | d::PAGE | d::AF | d::NG);
            }
            assert_eq!(b.load(0x1000), Ok(1));
            // another table for the same 2 MiB
            let at = b.map(&s1, 0x1000, 2, 0);
            let other = b.table(4096);
            for i in 0..8 {
                b.write64(other + 8 * i, NEW | d::PAGE | d::AF | d::NG);
            }
            b.write64(at, other | d::TABLE);
            b.tlbi(0, 7, op2, operand(0x1000, 0));
            let now = (b.load(0x1000), b.load(0x2000));
            // what is not seen is what this model may keep and keeps
            let expect = if seen { 2 } else { 1 };
            assert_eq!(now, (Ok(expect), Ok(expect)), "{op2} {two}");
            if seen {
                b.write64(at, 0);
                b.tlbi(0, 7, op2, operand(0x1000, 0));
                assert_eq!(support::fsc(&b.load(0x1000).unwrap_err()), 0x06);
            }
        }
    }
}
