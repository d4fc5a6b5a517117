//! A PE to try instructions on, and random states of it.

use crate::support::{d, regs, Bench, ON, RAM};
use gdbhv_model::cpu::{slot, Monitor};
use gdbhv_model::exec::interp;
use gdbhv_model::feature::Features;
use gdbhv_model::ir::Place;
use gdbhv_model::isa::ops::Args;
use gdbhv_model::isa::{decode, pattern, Row};
use gdbhv_model::pe::Pe;
use gdbhv_model::pstate::Flags;
use gdbhv_model::raise::{Flow, Trap};
use gdbhv_model::reg::names::{CPACR_EL1, SCTLR_EL1};
use gdbhv_model::shared::Shared;

/// A generator of random numbers (splitmix64).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    /// A value of a register: anything, or one near an edge.
    fn value(&mut self) -> u64 {
        let x = self.next();
        match self.below(8) {
            0 => x & 0xff,
            1 => (x & 3).wrapping_sub(2),
            2 => 1 << (x & 63),
            3 => (1u64 << (x & 63)).wrapping_sub(1),
            4 => x as i32 as u64,
            5 => x >> 32,
            _ => x,
        }
    }
}

/// Words of a row, none of which another row has.
pub fn instances(rng: &mut Rng, row: &'static Row, n: usize) -> Vec<u32> {
    (0..n)
        .map(|_| row.pattern.value | rng.next() as u32 & !row.pattern.mask)
        .filter(|w| decode::row(*w, Features::ALL).is_some_and(|r| r.name == row.name))
        .collect()
}

/// VA of six pages in a row: memory, read-only memory, nothing, memory, Device memory (in RAM), memory.
pub const WINDOW: u64 = 0x10_0000;
const PAGES: u64 = 6;
/// Where the window begins in memory.
pub const PA: u64 = RAM + 0x10_0000;

/// VA of a page of code, behind the window.
pub const CODE: u64 = WINDOW + 8 * 0x1000;

/// What an instruction without special effects works on.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub x: [u64; 34],
    pub v: [u128; 32],
    pub flags: Flags,
    pub pc: u64,
    pub fpcr: u32,
    pub fpsr: u32,
    pub monitor: Option<Monitor>,
}

impl State {
    pub fn random(rng: &mut Rng) -> State {
        let mut x = [0; 34];
        x[..32].fill_with(|| rng.value());
        x[slot::SINK as usize] = rng.next();
        let mut v = [0; 32];
        v.fill_with(|| (rng.value() as u128) << 64 | rng.value() as u128);
        State {
            x,
            v,
            flags: Flags::unpack(rng.next()),
            pc: rng.next() & !3,
            fpcr: 0,
            fpsr: 0,
            monitor: None,
        }
    }
    /// Let base and index (or the literal at `literal` from the block's start) lead to the window, mostly aligned.
    pub fn aim(&mut self, rng: &mut Rng, a: &Args, literal: Option<u64>) {
        let page = [0, 0, 0, 0, 3, 3, 5, 1, 2, 4][rng.below(10) as usize];
        let byte = match rng.below(8) {
            0 => 0xff0 + rng.below(16),
            1 => rng.below(0x1000),
            2 => rng.below(0x1000) & !7,
            _ => rng.below(0x1000) & !15,
        };
        let target = WINDOW + page * 0x1000 + byte;
        if let Some(disp) = literal {
            self.pc = target.wrapping_sub(disp);
            return;
        }
        if rng.below(4) != 0 {
            self.x[a.rm as usize & 31] = rng.below(8) * 16;
        }
        if rng.below(4) != 0 {
            // What an exclusive has marked: this place, or its neighbour.
            self.monitor = Some(Monitor::new(
                target - WINDOW + PA + rng.below(5) / 4 * 8,
                1 << rng.below(4),
            ));
        }
        let base = match rng.below(2) {
            0 => target.wrapping_sub(a.imm),
            _ => target,
        };
        self.x[a.rn as usize & 31] = base;
    }
    /// The same with these places from `other`.
    pub fn with(mut self, other: &State, places: &[Place]) -> State {
        for place in places {
            match *place {
                Place::X(r) => self.x[r as usize] = other.x[r as usize],
                Place::V(r) => self.v[r as usize] = other.v[r as usize],
                Place::Flags => self.flags = other.flags,
                Place::Fpsr => self.fpsr = other.fpsr,
                Place::Pc => self.pc = other.pc,
                Place::Monitor => self.monitor = other.monitor,
                Place::Memory => {}
            }
        }
        self.x[slot::ZR as usize] = 0;
        self
    }
    pub fn differences(&self, other: &State) -> Vec<Place> {
        let x = (0..34)
            .filter(|&r| self.x[r] != other.x[r])
            .map(|r| Place::X(r as u8));
        let v = (0..32)
            .filter(|&r| self.v[r] != other.v[r])
            .map(|r| Place::V(r as u8));
        let mut all: Vec<_> = x.chain(v).collect();
        all.extend((self.flags != other.flags).then_some(Place::Flags));
        all.extend((self.fpsr != other.fpsr).then_some(Place::Fpsr));
        all.extend((self.pc != other.pc).then_some(Place::Pc));
        all.extend((self.monitor != other.monitor).then_some(Place::Monitor));
        all
    }
}

/// A machine of one PE at EL1.
pub struct Machine(Bench);

impl Machine {
    pub fn new() -> Machine {
        let mut b = Bench::new(1);
        let t = b.stage1();
        let page = d::PAGE | d::AF;
        for (n, attributes) in [(0, 0), (1, d::RO), (3, 0), (4, d::DEVICE), (5, 0), (8, 0)] {
            b.map(
                &t,
                WINDOW + n * 0x1000,
                3,
                (PA + n * 0x1000) | page | attributes,
            );
        }
        let mut rng = Rng(11);
        for at in (PA..PA + PAGES * 0x1000).step_by(8) {
            b.write64(at, rng.next());
        }
        b.set(SCTLR_EL1, ON | 1 << 3); // SA: SP must be aligned
        b.set(regs::HCR_EL2, 1 << 31);
        b.set(CPACR_EL1, 3 << 20);
        Machine(b)
    }
    /// Write instructions to the page of code, from word `at` on.
    pub fn put_code(&mut self, at: u64, words: &[u32]) {
        for (i, w) in (at..).zip(words) {
            let pa = CODE - WINDOW + PA + 4 * i;
            self.0.sh.ram.write(pa, 4, *w as u64).expect("RAM");
        }
    }
    pub fn trap_fp(&mut self) {
        self.0.set(CPACR_EL1, 0);
    }
    pub fn pe(&mut self) -> &mut Pe {
        &mut self.0.cpu
    }
    pub fn parts(&mut self) -> (&mut Pe, &mut Shared) {
        (&mut self.0.cpu, &mut self.0.sh)
    }
    pub fn state(&self) -> State {
        let c = &self.0.cpu;
        State {
            x: c.x,
            v: c.v,
            flags: c.flags,
            pc: c.pc,
            fpcr: c.fpcr,
            fpsr: c.fpsr,
            monitor: c.monitor,
        }
    }
    pub fn set(&mut self, s: &State) {
        let c = &mut self.0.cpu;
        (c.x, c.v, c.flags, c.pc) = (s.x, s.v, s.flags, s.pc);
        (c.fpcr, c.fpsr) = (s.fpcr, s.fpsr);
        c.monitor = s.monitor;
    }
    pub fn set_memory(&mut self, bytes: &[u8]) {
        for (at, b) in (PA..).zip(bytes) {
            self.0.sh.ram.write(at, 1, *b as u64).expect("RAM");
        }
    }
    pub fn memory(&self) -> Vec<u8> {
        self.0.sh.ram.get(PA, PAGES * 0x1000).expect("RAM").to_vec()
    }
}

/// Execute one instruction, alone.
pub fn one(m: &mut Machine, word: u32, off: u16) -> Result<Flow, Trap> {
    let (n, row) = decode::numbered(word, Features::ALL).expect("a row");
    let args = (row.decode)(word).expect("allocated");
    let entry = interp::entry(n, pattern::extract(word, row.spec));
    let (cpu, sh) = m.parts();
    (entry.one)(cpu, &Args { off, ..args }, sh)
}
