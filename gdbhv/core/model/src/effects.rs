//! Back end 2: which registers, flags and memory an instruction reads and writes, without executing it.

use crate::cpu::slot;
use crate::feature::Features;
use crate::isa::ops::{Args, Ops, W};
use crate::isa::{decode, pattern};
use crate::mem::access::{Acc, Size};

/// What one instruction touches. Register sets are masks of `Cpu::x` indexes (bit 31 is SP; ZR is left out).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// General-purpose registers and SP read.
    pub reads: u32,
    /// General-purpose registers and SP written.
    pub writes: u32,
    /// SIMD registers read.
    pub v_reads: u32,
    /// SIMD registers written.
    pub v_writes: u32,
    /// Reads NZCV.
    pub reads_flags: bool,
    /// Writes NZCV.
    pub writes_flags: bool,
    /// Bytes loaded, each access.
    pub loads: Vec<u8>,
    /// Bytes stored, each access.
    pub stores: Vec<u8>,
    /// Reads the PC.
    pub reads_pc: bool,
    /// May go elsewhere than to the next instruction.
    pub branches: bool,
}

/// The effects of a word of a pure row; None for helpers and for what is not allocated.
pub fn of(insn: u32) -> Option<Effects> {
    let row = decode::row(insn, Features::ALL)?;
    let args: Args = (row.decode)(insn)?;
    let mut e = Effects::default();
    row.effects?[pattern::extract(insn, row.spec) as usize](&args, &mut e);
    Some(e)
}

macro_rules! nothing {
    ($($name:ident($($arg:ident: $t:ty),*);)*) => { $(fn $name(&mut self, $($arg: $t),*) { $(let _ = $arg;)* })* };
}

impl Ops for Effects {
    type V = ();
    type C = ();
    type E = ();

    fn x(&mut self, r: u8) {
        if r <= slot::SP {
            self.reads |= 1 << r;
        }
    }
    fn set_x(&mut self, r: u8, _: ()) {
        if r <= slot::SP {
            self.writes |= 1 << r;
        }
    }
    fn v(&mut self, r: u8, _: bool) {
        self.v_reads |= 1 << r;
    }
    fn set_v(&mut self, r: u8, _: (), _: ()) {
        self.v_writes |= 1 << r;
    }
    fn pc(&mut self, _: u64) {
        self.reads_pc = true;
    }
    nothing! {
        imm(v: u64); add(w: W, x: (), y: ()); sub(w: W, x: (), y: ()); mul(w: W, x: (), y: ()); umulh(x: (), y: ());
        smulh(x: (), y: ()); udiv(w: W, x: (), y: ()); sdiv(w: W, x: (), y: ()); and(x: (), y: ()); or(x: (), y: ());
        xor(x: (), y: ()); not(w: W, x: ()); shl(w: W, x: (), y: ()); shr(w: W, x: (), y: ()); sar(w: W, x: (), y: ());
        ror(w: W, x: (), y: ()); zext(x: (), n: u32); sext(w: W, x: (), n: u32); clz(w: W, x: ()); cls(w: W, x: ());
        rbit(w: W, x: ()); rev(w: W, x: (), n: u32); crc32(a: (), x: (), n: u32, c: bool); is_zero(w: W, x: ());
        bit_clear(x: (), n: u32); select(c: (), x: (), y: ());
        c_is(c: (), want: bool);
    }
    fn adds(&mut self, _: W, _: (), _: ()) {
        self.writes_flags = true;
    }
    fn subs(&mut self, _: W, _: (), _: ()) {
        self.writes_flags = true;
    }
    fn adc(&mut self, _: W, _: (), _: ()) {
        self.reads_flags = true;
    }
    fn adcs(&mut self, _: W, _: (), _: ()) {
        self.reads_flags = true;
        self.writes_flags = true;
    }
    fn set_nz(&mut self, _: W, _: ()) {
        self.writes_flags = true;
    }
    fn set_nzcv(&mut self, _: u32) {
        self.writes_flags = true;
    }
    fn nzcv(&mut self) {
        self.reads_flags = true;
    }
    fn set_nzcv_from(&mut self, _: ()) {
        self.writes_flags = true;
    }
    fn ccmp(&mut self, _: W, _: (), _: (), _: (), _: bool, _: u32) {
        self.writes_flags = true;
    }
    fn cond(&mut self, cond: u32) {
        self.reads_flags |= cond < 14;
    }
    fn check_sp(&mut self, _: u8) -> Result<(), ()> {
        Ok(())
    }
    fn load(&mut self, _: (), size: Size, _: Acc) -> Result<(), ()> {
        self.loads.push(size.bytes() as u8);
        Ok(())
    }
    fn store(&mut self, _: (), size: Size, _: (), _: Acc) -> Result<(), ()> {
        self.stores.push(size.bytes() as u8);
        Ok(())
    }
    fn jump(&mut self, _: ()) {
        self.branches = true;
    }
    fn jump_if(&mut self, _: (), _: u64, _: u64) {
        self.branches = true;
    }
}
