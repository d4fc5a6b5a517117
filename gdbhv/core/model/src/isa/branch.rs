//! Branches: conditional, compare and branch, test and branch, unconditional immediate and register (Arm ARM C4.1.93).

use super::ops::{Args, Ops, W};
use crate::bits::{field, sext};
use crate::cpu::slot;
use crate::pure_rows;

pure_rows! {
    Branch B_cond "01010100iiiiiiiiiiiiiiiiiii0cccc" "c" base imm19_cond, b_cond;
    Branch CBZ    "z0110100iiiiiiiiiiiiiiiiiiittttt" "z" base imm19, cbz;
    Branch CBNZ   "z0110101iiiiiiiiiiiiiiiiiiittttt" "z" base imm19, cbz;
    Branch TBZ    "b0110110bbbbbiiiiiiiiiiiiiittttt" "" base imm14, tbz;
    Branch TBNZ   "b0110111bbbbbiiiiiiiiiiiiiittttt" "" base imm14, tbz;
    Branch B      "000101iiiiiiiiiiiiiiiiiiiiiiiiii" "" base imm26, b;
    Branch BL     "100101iiiiiiiiiiiiiiiiiiiiiiiiii" "" base imm26, b;
    Branch BR     "1101011000011111000000nnnnn00000" "" base target, br;
    Branch BLR    "1101011000111111000000nnnnn00000" "" base target, br;
    Branch RET    "1101011001011111000000nnnnn00000" "" base target, br;
}

fn imm19(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::src(i),
        imm: sext(field(i, 23, 5) as u64, 19) << 2,
        ..Args::default()
    })
}
fn imm19_cond(i: u32) -> Option<Args> {
    Some(Args {
        imm: sext(field(i, 23, 5) as u64, 19) << 2,
        ..Args::default()
    })
}
fn imm14(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::src(i),
        imm: sext(field(i, 18, 5) as u64, 14) << 2,
        aux: (i >> 31 << 5 | field(i, 23, 19)) as u16,
        ..Args::default()
    })
}
fn imm26(i: u32) -> Option<Args> {
    Some(Args {
        imm: sext(field(i, 25, 0) as u64, 26) << 2,
        ..Args::default()
    })
}
fn target(i: u32) -> Option<Args> {
    Some(Args {
        rn: slot::src(i >> 5),
        ..Args::default()
    })
}

/// Byte offset of this instruction in its block.
#[inline(always)]
fn here(a: &Args) -> u64 {
    a.off as u64 * 4
}

#[inline(always)]
fn b_cond<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let c = b.cond(I & 15);
    b.jump_if(c, here(a).wrapping_add(a.imm), here(a) + 4);
    Ok(())
}

#[inline(always)]
fn cbz<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let v = b.x(a.rd);
    let zero = b.is_zero(W::of(I >> 31), v);
    let (to, next) = (here(a).wrapping_add(a.imm), here(a) + 4);
    if I >> 24 & 1 == 0 {
        b.jump_if(zero, to, next);
    } else {
        b.jump_if(zero, next, to);
    }
    Ok(())
}

#[inline(always)]
fn tbz<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let v = b.x(a.rd);
    let clear = b.bit_clear(v, a.aux as u32);
    let (to, next) = (here(a).wrapping_add(a.imm), here(a) + 4);
    if I >> 24 & 1 == 0 {
        b.jump_if(clear, to, next);
    } else {
        b.jump_if(clear, next, to);
    }
    Ok(())
}

#[inline(always)]
fn b<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    if I >> 31 != 0 {
        let lr = b.pc(here(a) + 4);
        b.set_x(30, lr);
    }
    let to = b.pc(here(a).wrapping_add(a.imm));
    b.jump(to);
    Ok(())
}

#[inline(always)]
fn br<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let to = b.x(a.rn);
    if field(I, 22, 21) == 1 {
        let lr = b.pc(here(a) + 4);
        b.set_x(30, lr);
    }
    b.jump(to);
    Ok(())
}
