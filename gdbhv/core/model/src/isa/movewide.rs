//! MOVN, MOVZ, MOVK: 16 bits at a multiple of 16 (Arm ARM C4.1.92, move wide immediate).

use super::ops::{Args, Ops, W};
use crate::bits::{field, ones};
use crate::cpu::slot;
use crate::pure_rows;

pure_rows! {
    Pure MOVN "z00100101hhiiiiiiiiiiiiiiiiddddd" "" base movn, set;
    Pure MOVZ "z10100101hhiiiiiiiiiiiiiiiiddddd" "" base movz, set;
    Pure MOVK "z11100101hhiiiiiiiiiiiiiiiiddddd" "zh" base movz, movk;
}

fn movz(i: u32) -> Option<Args> {
    if i >> 31 == 0 && field(i, 22, 22) != 0 {
        return None;
    }
    Some(Args {
        rd: slot::dst(i),
        rn: slot::src(i),
        imm: (field(i, 20, 5) as u64) << (16 * field(i, 22, 21)),
        ..Args::default()
    })
}
fn movn(i: u32) -> Option<Args> {
    let a = movz(i)?;
    Some(Args {
        imm: !a.imm & ones(W::of(i >> 31).bits()),
        ..a
    })
}

#[inline(always)]
fn set<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let v = b.imm(a.imm);
    b.set_x(a.rd, v);
    Ok(())
}

#[inline(always)]
fn movk<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let keep = ones(W::of(I >> 31).bits()) & !(0xffff << (16 * field(I, 22, 21)));
    let (x, keep, v) = (b.x(a.rn), b.imm(keep), b.imm(a.imm));
    let x = b.and(x, keep);
    let r = b.or(x, v);
    b.set_x(a.rd, r);
    Ok(())
}
