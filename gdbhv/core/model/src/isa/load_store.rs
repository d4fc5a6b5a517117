//! Loads and stores of one general-purpose register (Arm ARM C4.1.94).

use super::ops::{reg, Args, Ops, W};
use crate::bits::field;
use crate::mem::access::{Acc, Size};
use crate::pure_rows;

pure_rows! {
    Pure STR_imm  "zz11100100iiiiiiiiiiiinnnnnttttt" "z" base uimm12_store, store_imm;
    Pure LDR_imm  "zz11100101iiiiiiiiiiiinnnnnttttt" "z" base uimm12_load, load_imm;
    Pure LDRS_imm "zz1110011siiiiiiiiiiiinnnnnttttt" "zs" base uimm12_loads, load_imm;
}

fn uimm12(i: u32) -> Args {
    Args {
        rn: reg::sp(i >> 5),
        imm: (field(i, 21, 10) as u64) << (i >> 30),
        ..Args::default()
    }
}
fn uimm12_store(i: u32) -> Option<Args> {
    Some(Args {
        rd: reg::src(i),
        ..uimm12(i)
    })
}
fn uimm12_load(i: u32) -> Option<Args> {
    Some(Args {
        rd: reg::dst(i),
        ..uimm12(i)
    })
}
fn uimm12_loads(i: u32) -> Option<Args> {
    if i >> 30 == 3 || (i >> 30 == 2 && field(i, 22, 22) == 1) {
        return None;
    }
    uimm12_load(i)
}

/// Extend what was loaded: bit 23 signed, bit 22 then chooses W (1) or X (0).
#[inline(always)]
fn extend<B: Ops, const I: u32>(b: &mut B, size: Size, v: B::V) -> B::V {
    if field(I, 23, 23) == 0 {
        return v;
    }
    b.sext(W::of(1 ^ field(I, 22, 22)), v, size.bits())
}

#[inline(always)]
fn store_imm<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    b.check_sp(a.rn)?;
    let (base, off, v) = (b.x(a.rn), b.imm(a.imm), b.x(a.rd));
    let addr = b.add(W::X, base, off);
    b.store(addr, Size::of(I >> 30), v, Acc::PLAIN)
}

#[inline(always)]
fn load_imm<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    b.check_sp(a.rn)?;
    let (base, off) = (b.x(a.rn), b.imm(a.imm));
    let addr = b.add(W::X, base, off);
    let size = Size::of(I >> 30);
    let v = b.load(addr, size, Acc::PLAIN)?;
    let v = extend::<B, I>(b, size, v);
    b.set_x(a.rd, v);
    Ok(())
}
