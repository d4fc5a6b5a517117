//! Advanced SIMD modified immediate (Arm ARM C4.1.96; `AdvSIMDExpandImm`).

use super::lanes::{q, u};
use super::ops::{Args, Ops};
use super::simd;
use super::vector::Lane;
use crate::bits::{field, replicate};
use crate::fp::format::{expand_imm, Format};
use crate::mem::size::Size;
use crate::pure_rows;

pure_rows! {
    Fp MOVI_shift_32     "0q00111100000aaa0ss001bbbbbddddd" "q" AdvSIMD args, mov;
    Fp MOVI_shift_16     "0q00111100000aaa10s001bbbbbddddd" "q" AdvSIMD args, mov;
    Fp MOVI_ones         "0q00111100000aaa110s01bbbbbddddd" "q" AdvSIMD args, mov;
    Fp MOVI_8_or_64      "0qo0111100000aaa111001bbbbbddddd" "q" AdvSIMD args, mov;
    Fp MVNI_shift_32     "0q10111100000aaa0ss001bbbbbddddd" "q" AdvSIMD not_args, mov;
    Fp MVNI_shift_16     "0q10111100000aaa10s001bbbbbddddd" "q" AdvSIMD not_args, mov;
    Fp MVNI_ones         "0q10111100000aaa110s01bbbbbddddd" "q" AdvSIMD not_args, mov;
    Fp ORR_imm_32        "0q00111100000aaa0ss101bbbbbddddd" "q" AdvSIMD args, orr;
    Fp ORR_imm_16        "0q00111100000aaa10s101bbbbbddddd" "q" AdvSIMD args, orr;
    Fp BIC_imm_32        "0q10111100000aaa0ss101bbbbbddddd" "q" AdvSIMD args, bic;
    Fp BIC_imm_16        "0q10111100000aaa10s101bbbbbddddd" "q" AdvSIMD args, bic;
    Fp FMOV_vec_imm      "0qo0111100000aaa111101bbbbbddddd" "q" AdvSIMD whole_args, mov;
    Fp FMOV_vec_imm_half "0q00111100000aaa111111bbbbbddddd" "q" FP16 half_args, mov;
}

/// `imm` is either half of the constant.
fn args(i: u32) -> Option<Args> {
    constant(i, imm(i))
}
fn not_args(i: u32) -> Option<Args> {
    constant(i, !imm(i))
}
/// FMOV of doubles needs two of them.
fn whole_args(i: u32) -> Option<Args> {
    args(i).filter(|_| !u(i) || q(i))
}
fn half_args(i: u32) -> Option<Args> {
    constant(i, replicate(expand_imm(imm8(i), Format::HALF), 16))
}
fn constant(i: u32, imm: u64) -> Option<Args> {
    Some(Args {
        rd: (i & 31) as u8,
        imm,
        ..Args::default()
    })
}

#[inline(always)]
fn mov<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let r = simd::constant(b, a.imm);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
#[inline(always)]
fn orr<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    with_old::<B, I>(b, a, Lane::Or)
}
#[inline(always)]
fn bic<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    with_old::<B, I>(b, a, Lane::Bic)
}
#[inline(always)]
fn with_old<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Lane) -> Result<(), B::E> {
    let (d, imm) = (b.q(a.rd), simd::constant(b, a.imm));
    let r = b.lanes(op, Size::X, d, imm);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
const fn imm8(i: u32) -> u64 {
    (field(i, 18, 16) << 5 | field(i, 9, 5)) as u64
}

/// `AdvSIMDExpandImm(op, cmode, imm8)`.
fn imm(i: u32) -> u64 {
    let (cmode, op, v) = (field(i, 15, 12), u(i), imm8(i));
    match (cmode >> 1, cmode & 1, op) {
        (0..=3, _, _) => replicate(v << (8 * (cmode >> 1)), 32),
        (4 | 5, _, _) => replicate(v << (8 * (cmode >> 1 & 1)), 16),
        (6, 0, _) => replicate(v << 8 | 0xff, 32),
        (6, _, _) => replicate(v << 16 | 0xffff, 32),
        (_, 0, false) => replicate(v, 8),
        (_, 0, true) => (0..8).map(|k| ((v >> k & 1) * 0xff) << (8 * k)).sum(),
        (_, _, false) => replicate(expand_imm(v, Format::SINGLE), 32),
        (_, _, true) => expand_imm(v, Format::DOUBLE),
    }
}
