//! A CPU, some RAM and page tables to try translations on.
#![allow(dead_code)]

use gdbhv_model::access;
use gdbhv_model::config::Config;
use gdbhv_model::exec::refresh::refresh;
use gdbhv_model::feature::Features;
use gdbhv_model::isa::at;
use gdbhv_model::mem::size::{Acc, Size};
use gdbhv_model::mmu::access::Access;
use gdbhv_model::mmu::fault::{Fault, Purpose};
use gdbhv_model::mmu::kind::Granule;
use gdbhv_model::mmu::op::Op;
use gdbhv_model::mmu::regime::{self, Regime};
use gdbhv_model::mmu::tlbi;
use gdbhv_model::mmu::walk::{self, Step, Translation};
use gdbhv_model::pe;
use gdbhv_model::pe::Pe;
use gdbhv_model::physical::ReadOnly;
use gdbhv_model::raise::{Exception, Trap};
use gdbhv_model::reg::Reg;
use gdbhv_model::shared::Shared;

pub const RAM: u64 = 0x4000_0000;
pub const RAM_SIZE: u64 = 256 << 20;

/// Registers of translation, by their encoding.
pub mod regs {
    use gdbhv_model::reg::Reg;
    pub const ID_AA64MMFR0_EL1: Reg = Reg::new(3, 0, 0, 7, 0);
    pub const ID_AA64ISAR1_EL1: Reg = Reg::new(3, 0, 0, 6, 1);
    pub const ID_AA64MMFR1_EL1: Reg = Reg::new(3, 0, 0, 7, 1);
    pub const ID_AA64MMFR2_EL1: Reg = Reg::new(3, 0, 0, 7, 2);
    pub const SCTLR_EL1: Reg = Reg::new(3, 0, 1, 0, 0);
    pub const TTBR0_EL1: Reg = Reg::new(3, 0, 2, 0, 0);
    pub const TTBR1_EL1: Reg = Reg::new(3, 0, 2, 0, 1);
    pub const TCR_EL1: Reg = Reg::new(3, 0, 2, 0, 2);
    pub const MAIR_EL1: Reg = Reg::new(3, 0, 10, 2, 0);
    pub const PAR_EL1: Reg = Reg::new(3, 0, 7, 4, 0);
    pub const SCTLR_EL2: Reg = Reg::new(3, 4, 1, 0, 0);
    pub const HCR_EL2: Reg = Reg::new(3, 4, 1, 1, 0);
    pub const TTBR0_EL2: Reg = Reg::new(3, 4, 2, 0, 0);
    pub const TTBR1_EL2: Reg = Reg::new(3, 4, 2, 0, 1);
    pub const TCR_EL2: Reg = Reg::new(3, 4, 2, 0, 2);
    pub const VTTBR_EL2: Reg = Reg::new(3, 4, 2, 1, 0);
    pub const VTCR_EL2: Reg = Reg::new(3, 4, 2, 1, 2);
    pub const MAIR_EL2: Reg = Reg::new(3, 4, 10, 2, 0);
}
use regs::*;

/// Descriptor bits.
pub mod d {
    pub const VALID: u64 = 1;
    pub const TABLE: u64 = 3;
    pub const PAGE: u64 = 3;
    pub const BLOCK: u64 = 1;
    pub const AF: u64 = 1 << 10;
    pub const NG: u64 = 1 << 11;
    pub const USER: u64 = 1 << 6;
    pub const RO: u64 = 1 << 7;
    pub const PXN: u64 = 1 << 53;
    pub const UXN: u64 = 1 << 54;
    pub const DBM: u64 = 1 << 51;
    /// AttrIndx 1: Device in [`super::Bench`]'s MAIR.
    pub const DEVICE: u64 = 1 << 2;
    /// Stage 2: Normal write-back memory.
    pub const S2_NORMAL: u64 = 0xf << 2;
    pub const S2_R: u64 = 1 << 6;
    pub const S2_W: u64 = 1 << 7;
    pub const S2_RW: u64 = S2_R | S2_W | S2_NORMAL | AF;
}

/// SCTLR_ELx: MMU and caches.
pub const ON: u64 = 1 | 1 << 2 | 1 << 12;

/// One CPU and its memory. Tables are taken from the top of RAM.
pub struct Bench {
    pub cpu: Pe,
    pub sh: Box<Shared>,
    next_table: u64,
}

impl Bench {
    /// At `el`, all features of the ID registers `mmfr0..2` below, MMU off.
    pub fn new(el: u8) -> Bench {
        let config = Config {
            has_el2: true,
            hosted: false,
            features: Features::ALL,
            core: &gdbhv_model::cores::MAX,
        };
        let mut b = Bench {
            cpu: Pe::new(0, el),
            sh: Box::new(Shared::new(config, RAM, RAM_SIZE)),
            next_table: RAM + RAM_SIZE,
        };
        // 48-bit PA, 16-bit ASID, all granules; HAFDBS 2, VMID16, VHE, HPDS, PAN2, XNX; UAO, TTST
        b.set(ID_AA64MMFR0_EL1, 0x10_1125);
        b.set(ID_AA64MMFR1_EL1, 0x1021_2122);
        b.set(ID_AA64MMFR2_EL1, 0x1000_1011);
        b.set(MAIR_EL1, 0x44_04ff);
        b.set(MAIR_EL2, 0x44_04ff);
        b
    }
    /// Write a system register as MSR would: the context follows.
    pub fn set(&mut self, r: Reg, v: u64) {
        self.cpu.set(r, v);
        refresh(&mut self.cpu, &mut self.sh);
    }
    /// Go to an exception level.
    pub fn el(&mut self, el: u8) {
        let p = gdbhv_model::pstate::Pstate {
            el,
            ..self.cpu.pstate
        };
        self.cpu.set_pstate(p);
        refresh(&mut self.cpu, &mut self.sh);
    }
    pub fn pan(&mut self, on: bool) {
        self.cpu.pstate.pan = on;
        refresh(&mut self.cpu, &mut self.sh);
    }
    /// Zeroed memory for a table, aligned to its size.
    pub fn table(&mut self, bytes: u64) -> u64 {
        self.next_table = (self.next_table - bytes) & !(bytes - 1);
        self.next_table
    }
    pub fn write64(&mut self, pa: u64, v: u64) {
        self.sh.ram.write(pa, 8, v).expect("RAM");
    }
    pub fn read64(&self, pa: u64) -> u64 {
        self.sh.ram.read(pa, 8).expect("RAM")
    }
    /// Put a leaf of `level` for `ia` into the tables at `root`, which begin at `start` and have `ia_bits`. Returns the leaf's address.
    pub fn map(&mut self, t: &Tree, ia: u64, level: i8, desc: u64) -> u64 {
        let g = t.granule.bits();
        let shift = |l: i8| g + (3 - l) as u32 * (g - 3);
        let ia = ia & (u64::MAX >> (64 - t.ia_bits));
        let mut table = t.root;
        for l in t.start..=level {
            let index = if l == t.start {
                ia >> shift(l)
            } else {
                ia >> shift(l) & ((1 << (g - 3)) - 1)
            };
            let at = table + 8 * index;
            if l == level {
                self.write64(at, desc);
                return at;
            }
            let next = self.read64(at);
            let old = next & 0x0000_ffff_ffff_f000;
            table = if next & 3 == 3 && old >= self.next_table && old < RAM + RAM_SIZE {
                old
            } else {
                let new = self.table(1 << g);
                self.write64(at, new | t.table_attrs | d::TABLE);
                new
            };
        }
        unreachable!("start <= level");
    }
    /// An empty tree.
    pub fn tree(&mut self, granule: Granule, ia_bits: u32, start: i8) -> Tree {
        let g = granule.bits();
        let shift = g + (3 - start) as u32 * (g - 3);
        let bytes = 8u64 << (ia_bits - shift);
        Tree {
            root: self.table(bytes.max(64)),
            granule,
            ia_bits,
            start,
            table_attrs: 0,
        }
    }
    /// Stage 1 of EL1&0 on, 4 KiB, 48 bits in both ranges, one tree for both.
    pub fn stage1(&mut self) -> Tree {
        let t = self.tree(Granule::K4, 48, 0);
        self.set(TTBR0_EL1, t.root);
        self.set(TTBR1_EL1, t.root);
        // T0SZ = T1SZ = 16, TG1 = 4 KiB, IPS = 48 bits, AS = 1
        self.set(TCR_EL1, 0x15_8010_0010);
        self.set(SCTLR_EL1, ON);
        t
    }
    /// Map the memory that tables come from one to one in stage 2, by blocks of 2 MiB.
    pub fn map_tables(&mut self, s2: &Tree) {
        for at in (RAM + RAM_SIZE - (16 << 20)..RAM + RAM_SIZE).step_by(2 << 20) {
            self.map(s2, at, 2, at | d::BLOCK | d::S2_RW);
        }
    }
    /// Stage 2 on, 4 KiB, 40 bits from level 1 (two concatenated tables).
    pub fn stage2(&mut self, vmid: u64) -> Tree {
        let t = self.tree(Granule::K4, 40, 1);
        self.set(VTTBR_EL2, t.root | vmid << 48);
        // T0SZ = 24, SL0 = 1, PS = 48 bits, VS
        self.set(VTCR_EL2, 24 | 1 << 6 | 5 << 16 | 1 << 19);
        self.set(HCR_EL2, 1);
        t
    }
}

impl Bench {
    /// Go to EL1 and load 8 bytes.
    pub fn load_at_el1(&mut self, va: u64) -> Result<u64, Exception> {
        self.el(1);
        self.load(va)
    }
    /// Load 8 bytes.
    pub fn load(&mut self, va: u64) -> Result<u64, Exception> {
        self.load_as(va, Acc::PLAIN)
    }
    /// Load 8 bytes.
    pub fn load_as(&mut self, va: u64, acc: Acc) -> Result<u64, Exception> {
        let got = access::load(&mut self.cpu, &mut self.sh, va, Size::X, acc);
        self.outcome(got)
    }
    /// Store 8 bytes.
    pub fn store(&mut self, va: u64, v: u64) -> Result<(), Exception> {
        let got = access::store(&mut self.cpu, &mut self.sh, va, Size::X, v, Acc::PLAIN);
        self.outcome(got)
    }
    /// Where `va` is fetched from.
    pub fn fetch(&mut self, va: u64) -> Result<u64, Exception> {
        let got = access::fetch(&mut self.cpu, &mut self.sh, va);
        self.outcome(got)
    }
    fn outcome<T>(&mut self, got: Result<T, Trap>) -> Result<T, Exception> {
        got.map_err(|Trap| self.cpu.raised.take().expect("an exception"))
    }
    /// Execute an AT; PAR_EL1.
    pub fn at(&mut self, op1: u32, crm: u32, op2: u32, va: u64) -> Result<u64, Exception> {
        let got = at::at(&mut self.cpu, &mut self.sh, op1, crm, op2, va);
        self.outcome(got).map(|()| self.cpu.get(PAR_EL1))
    }
    /// Walk for `va` as EL1, showing each step.
    pub fn explain(&self, va: u64, p: Purpose) -> (Vec<Step>, Result<Translation, Fault>) {
        let r = Regime::of(&self.cpu, regime::kind(&self.cpu, 1));
        let mut steps = Vec::new();
        let mut tables = ReadOnly(&self.sh.ram);
        let a = Access::new(p, false, false, false);
        let done = walk::translate(&r, &mut tables, &mut steps, va, a);
        (steps, done)
    }
    /// Execute a TLBI.
    pub fn tlbi(&mut self, op1: u32, crm: u32, op2: u32, xt: u64) {
        let t = tlbi::decode(&self.cpu, op1, crm, op2, xt).expect("a TLBI");
        pe::tlb::tlbi(&mut self.cpu, &mut self.sh, t);
    }
    /// Forget every cached translation.
    pub fn flush(&mut self) {
        pe::tlb::apply(&mut self.cpu, Op::All);
    }
}

/// Fault status code of an abort.
pub fn fsc(e: &Exception) -> u32 {
    e.iss & 0x3f
}
/// Fault status codes: kind, to which the level is added.
pub mod fault {
    pub const SIZE: u32 = 0x00;
    pub const TRANSLATION: u32 = 0x04;
    pub const ACCESS: u32 = 0x08;
    pub const PERMISSION: u32 = 0x0c;
    pub const EXTERNAL_WALK: u32 = 0x14;
    pub const ALIGNMENT: u32 = 0x21;
}

/// Tables of one stage.
#[derive(Clone, Copy)]
pub struct Tree {
    pub root: u64,
    pub granule: Granule,
    pub ia_bits: u32,
    pub start: i8,
    /// Put into table descriptors that `Bench::map` makes.
    pub table_attrs: u64,
}
