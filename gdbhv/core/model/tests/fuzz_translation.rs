//! Random translation registers, tables and accesses: whatever a guest writes, a translation ends in an address or a fault. What
//! was explained is what runs.

mod support;

use gdbhv_model::access;
use gdbhv_model::exec::refresh::refresh;
use gdbhv_model::mem::size::{Acc, Size};
use gdbhv_model::mmu::access::Access;
use gdbhv_model::mmu::fault::Purpose;
use gdbhv_model::mmu::kind::Mode;
use gdbhv_model::mmu::op::Op;
use gdbhv_model::mmu::regime::{self, Regime};
use gdbhv_model::mmu::tlbi;
use gdbhv_model::mmu::walk;
use gdbhv_model::pe;
use gdbhv_model::physical::ReadOnly;
use support::regs::*;
use support::{Bench, RAM, RAM_SIZE};

/// xorshift64*
struct Random(u64);
impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    /// Mostly plausible: few bits set, or an address in the tables.
    fn value(&mut self) -> u64 {
        match self.below(4) {
            0 => self.next(),
            1 => self.next() & self.next() & self.next(),
            2 => self.address(),
            _ => self.address() | self.next() & 0xfff,
        }
    }
    fn address(&mut self) -> u64 {
        RAM + self.below(16) * 0x1_0000
    }
    fn descriptor(&mut self) -> u64 {
        let low = match self.below(8) {
            0 => 0,
            1 => 1,
            _ => 3,
        };
        let attrs = self.next() & 0x00ff_0000_0000_0ffc | (self.below(4) != 0) as u64 * 0x7c0;
        match self.below(8) {
            0 => self.next(),
            _ => self.address() | attrs & !(self.below(2) * 0x0060_0000_0000_0000) | low,
        }
    }
}

/// The first 2 MiB of RAM full of descriptors that lead into each other.
fn fill(b: &mut Bench, r: &mut Random) {
    for pa in (RAM..RAM + (16 << 16) + 0x1_0000).step_by(8) {
        let d = r.descriptor();
        b.write64(pa, d);
    }
}

fn registers(b: &mut Bench, r: &mut Random) {
    // the last has FEAT_LPA2
    let ids = [0x10_1125, 0x1126, 0x10_1126, 0x1120, 0x1020_1126];
    b.cpu.set(ID_AA64MMFR0_EL1, ids[r.below(5) as usize]);
    let id1 = [0, 0x1021_2122, 0x1031_2122][r.below(3) as usize];
    b.cpu.set(ID_AA64MMFR1_EL1, id1);
    let id2 = [0, 0x1000_1011, 0x1000_1000_1001_1011][r.below(3) as usize];
    b.cpu.set(ID_AA64MMFR2_EL1, id2);
    for reg in [
        TTBR0_EL1, TTBR1_EL1, MAIR_EL1, TTBR0_EL2, TTBR1_EL2, VTTBR_EL2, MAIR_EL2,
    ] {
        b.cpu.set(reg, r.value());
    }
    for reg in [TCR_EL1, TCR_EL2, VTCR_EL2] {
        let v = r.next() & r.next() & !0x3f_003f;
        let size = |r: &mut Random| {
            if r.below(4) == 0 {
                r.below(64)
            } else {
                12 + r.below(37)
            }
        };
        b.cpu.set(reg, v | size(r) | size(r) << 16);
    }
    b.cpu.set(SCTLR_EL1, r.next() | (r.below(4) != 0) as u64);
    b.cpu.set(SCTLR_EL2, r.next() | (r.below(4) != 0) as u64);
    let hcr = r.next() & r.next() & (1 << 12 | 1 << 27 | 1 << 34 | 1 << 46 | 7) | r.below(2);
    b.cpu.set(HCR_EL2, hcr);
    b.cpu.pstate.el = r.below(3) as u8;
    b.cpu.pstate.pan = r.below(2) != 0;
    b.cpu.pstate.uao = r.below(2) != 0;
    refresh(&mut b.cpu, &mut b.sh);
}

#[test]
fn random_machines() {
    let mut r = Random(0x1234_5678);
    let mut b = Bench::new(1);
    let (mut good, mut faults) = (0, std::collections::BTreeSet::new());
    for round in 0..4000 {
        if round % 100 == 0 {
            fill(&mut b, &mut r);
        }
        registers(&mut b, &mut r);
        pe::tlb::apply(&mut b.cpu, Op::All);
        for _ in 0..20 {
            let va = match r.below(4) {
                0 => r.next(),
                1 => r.next() >> r.below(64),
                2 => !(r.next() >> r.below(64)),
                _ => r.address() + r.below(0x1000),
            };
            let kind = regime::kind(&b.cpu, b.cpu.pstate.el);
            let regime = Regime::of(&b.cpu, kind);
            let mode = Mode::of(&b.cpu, kind);
            let p = [Purpose::Read, Purpose::Write, Purpose::Fetch][r.below(3) as usize];
            let write = p == Purpose::Write;
            let fetch = p == Purpose::Fetch;
            let va = if fetch { va & !3 } else { va };
            let a = Access {
                aligned: va & 7 == 0 || fetch,
                ..Access::new(p, write, mode == Mode::User, mode == Mode::Pan && !fetch)
            };
            let mut steps = Vec::new();
            let said = walk::translate(&regime, &mut ReadOnly(&b.sh.ram), &mut steps, va, a);
            assert!(steps.len() <= 5 * 6 + 5, "{}", steps.len());
            if va & 0xfff > 0xff8 || b.cpu.tlb.strict && va & 7 != 0 {
                continue; // in two parts, or refused before translation
            }
            let done = match p {
                Purpose::Fetch => access::fetch(&mut b.cpu, &mut b.sh, va).map(|_| ()),
                Purpose::Read => {
                    access::load(&mut b.cpu, &mut b.sh, va, Size::X, Acc::PLAIN).map(|_| ())
                }
                _ => access::store(&mut b.cpu, &mut b.sh, va, Size::X, 0x55, Acc::PLAIN),
            };
            match (said, done) {
                (Ok(_), Ok(())) => good += 1,
                (Ok(t), Err(_)) => {
                    let e = b.cpu.raised.take().expect("an exception");
                    assert_eq!(e.iss & 0x3f, 0x10, "only a hole is left: {t:?}");
                    assert!(t.pa < RAM || t.pa >= RAM + RAM_SIZE);
                }
                (Err(f), Err(_)) => {
                    let e = b.cpu.raised.take().expect("an exception");
                    assert_eq!(e.iss & 0x3f, f.kind.fsc());
                    assert_eq!(e.iss >> 7 & 1, f.s1ptw as u32);
                    assert_eq!(e.ipa.map(|i| i.0), f.stage2.then_some(f.ipa));
                    faults.insert((f.kind.fsc(), f.stage2, f.s1ptw));
                }
                (Err(f), Ok(())) => panic!("{f:?} expected"),
            }
            let (op1, crm) = ([0, 4][r.below(2) as usize], r.below(8) as u32);
            if let Some(t) = tlbi::decode(&b.cpu, op1, crm, r.below(8) as u32, r.next()) {
                pe::tlb::tlbi(&mut b.cpu, &mut b.sh, t);
            }
        }
    }
    // The test is worth something only if it gets far.
    assert!(good > 1000, "{good}");
    assert!(faults.len() > 30, "{faults:x?}");
}
