//! Advanced SIMD shift by immediate, vector and scalar (Arm ARM C4.1.96). The highest set bit of immh is the element's size;
//! immh:immb is 2 * size - shift for right shifts, size + shift for left shifts.

use super::lanes::*;
use super::ops::{Args, Ops};
use super::simd;
use super::vector::{Lane, Permute, Shift};
use crate::bits::field;
use crate::cpu::Cpu;
use crate::mem::size::Size;
use crate::mixed_rows;
use crate::pe::Pe;
use crate::shared::Shared;

mixed_rows! {
    pure {
        Fp SSHR_vec    "0q0011110++++bbb000001nnnnnddddd" "+" AdvSIMD right_args, sshr;
        Fp SSHR_scalar "0101111101hhhbbb000001nnnnnddddd" "" AdvSIMD right_args, sshr;
        Fp USHR_vec    "0q1011110++++bbb000001nnnnnddddd" "+" AdvSIMD right_args, ushr;
        Fp USHR_scalar "0111111101hhhbbb000001nnnnnddddd" "" AdvSIMD right_args, ushr;
        Fp SSRA_vec    "0q0011110++++bbb000101nnnnnddddd" "+" AdvSIMD right_args, ssra;
        Fp SSRA_scalar "0101111101hhhbbb000101nnnnnddddd" "" AdvSIMD right_args, ssra;
        Fp USRA_vec    "0q1011110++++bbb000101nnnnnddddd" "+" AdvSIMD right_args, usra;
        Fp USRA_scalar "0111111101hhhbbb000101nnnnnddddd" "" AdvSIMD right_args, usra;
        Fp SHL_vec     "0q0011110++++bbb010101nnnnnddddd" "+" AdvSIMD left_args, shl;
        Fp SHL_scalar  "0101111101hhhbbb010101nnnnnddddd" "" AdvSIMD left_args, shl;
        Fp SHRN        "0q00111100+++bbb100001nnnnnddddd" "+" AdvSIMD right_args, shrn;
        Fp SSHLL       "0q00111100+++bbb101001nnnnnddddd" "+" AdvSIMD left_args, sshll;
        Fp USHLL       "0q10111100+++bbb101001nnnnnddddd" "+" AdvSIMD left_args, ushll;
    }
    helper {
        Fp SRSHR_vec        "0q0011110++++bbb001001nnnnnddddd" AdvSIMD where vector, rshr_imm;
        Fp SRSHR_scalar     "0101111101hhhbbb001001nnnnnddddd" AdvSIMD rshr_imm;
        Fp URSHR_vec        "0q1011110++++bbb001001nnnnnddddd" AdvSIMD where vector, rshr_imm;
        Fp URSHR_scalar     "0111111101hhhbbb001001nnnnnddddd" AdvSIMD rshr_imm;
        Fp SRSRA_vec        "0q0011110++++bbb001101nnnnnddddd" AdvSIMD where vector, rsra_imm;
        Fp SRSRA_scalar     "0101111101hhhbbb001101nnnnnddddd" AdvSIMD rsra_imm;
        Fp URSRA_vec        "0q1011110++++bbb001101nnnnnddddd" AdvSIMD where vector, rsra_imm;
        Fp URSRA_scalar     "0111111101hhhbbb001101nnnnnddddd" AdvSIMD rsra_imm;
        Fp SRI_vec          "0q1011110++++bbb010001nnnnnddddd" AdvSIMD where vector, sri;
        Fp SRI_scalar       "0111111101hhhbbb010001nnnnnddddd" AdvSIMD sri;
        Fp SLI_vec          "0q1011110++++bbb010101nnnnnddddd" AdvSIMD where vector, sli;
        Fp SLI_scalar       "0111111101hhhbbb010101nnnnnddddd" AdvSIMD sli;
        Fp SQSHLU_vec       "0q1011110++++bbb011001nnnnnddddd" AdvSIMD where vector, qshlu_imm;
        Fp SQSHLU_scalar    "011111110++++bbb011001nnnnnddddd" AdvSIMD qshlu_imm;
        Fp SQSHL_imm_vec    "0q0011110++++bbb011101nnnnnddddd" AdvSIMD where vector, qshl_imm;
        Fp SQSHL_imm_scalar "010111110++++bbb011101nnnnnddddd" AdvSIMD qshl_imm;
        Fp UQSHL_imm_vec    "0q1011110++++bbb011101nnnnnddddd" AdvSIMD where vector, qshl_imm;
        Fp UQSHL_imm_scalar "011111110++++bbb011101nnnnnddddd" AdvSIMD qshl_imm;
        Fp RSHRN            "0q00111100+++bbb100011nnnnnddddd" AdvSIMD rshrn;
        Fp SQSHRUN_vec      "0q10111100+++bbb100001nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, true, false);
        Fp SQSHRUN_scalar   "0111111100+++bbb100001nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, true, false);
        Fp SQRSHRUN_vec     "0q10111100+++bbb100011nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, true, true);
        Fp SQRSHRUN_scalar  "0111111100+++bbb100011nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, true, true);
        Fp SQSHRN_vec       "0q00111100+++bbb100101nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, false, false);
        Fp SQSHRN_scalar    "0101111100+++bbb100101nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, false, false);
        Fp SQRSHRN_vec      "0q00111100+++bbb100111nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, false, true);
        Fp SQRSHRN_scalar   "0101111100+++bbb100111nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, false, true);
        Fp UQSHRN_vec       "0q10111100+++bbb100101nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, true, true, false);
        Fp UQSHRN_scalar    "0111111100+++bbb100101nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, true, true, false);
        Fp UQRSHRN_vec      "0q10111100+++bbb100111nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, true, true, true);
        Fp UQRSHRN_scalar   "0111111100+++bbb100111nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, true, true, true);
    }
}

/// Element width.
const fn size(i: u32) -> u32 {
    8 << field(i, 22, 19).ilog2()
}
/// Amount of a right shift.
const fn right(i: u32) -> u32 {
    2 * size(i) - field(i, 22, 16)
}
/// Amount of a left shift.
const fn left(i: u32) -> u32 {
    field(i, 22, 16) - size(i)
}
/// Not one 64-bit element.
const fn vector(i: u32) -> bool {
    field(i, 22, 22) == 0 || q(i)
}

/// `imm` is the amount; `aux` whether the result has 128 bits (whether a long or narrow operand is the upper half).
fn args(i: u32, amount: u32) -> Option<Args> {
    vector(i).then_some(Args {
        rd: (i & 31) as u8,
        rn: (i >> 5 & 31) as u8,
        imm: amount as u64,
        aux: simd::full(i) as u16,
        ..Args::default()
    })
}
fn right_args(i: u32) -> Option<Args> {
    args(i, right(i))
}
fn left_args(i: u32) -> Option<Args> {
    args(i, left(i))
}
/// Element size; any where the field is zero, which is another group's.
const fn element(i: u32) -> Size {
    match field(i, 22, 19) {
        0 => Size::B,
        immh => Size::of(immh.ilog2()),
    }
}

#[inline(always)]
fn shl<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    by_lane::<B, I>(b, a, Shift::Left)
}
#[inline(always)]
fn sshr<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    by_lane::<B, I>(b, a, Shift::Arithmetic)
}
#[inline(always)]
fn ushr<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    by_lane::<B, I>(b, a, Shift::Logical)
}
#[inline(always)]
fn ssra<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    add_shifted::<B, I>(b, a, Shift::Arithmetic)
}
#[inline(always)]
fn usra<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    add_shifted::<B, I>(b, a, Shift::Logical)
}
#[inline(always)]
fn sshll<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    long::<B, I>(b, a, Shift::Arithmetic)
}
#[inline(always)]
fn ushll<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    long::<B, I>(b, a, Shift::Logical)
}

#[inline(always)]
fn by_lane<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Shift) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let r = b.lanes_shift(op, element(I), n, a.imm as u32);
    simd::set(b, a.aux != 0, a.rd, r);
    Ok(())
}
#[inline(always)]
fn add_shifted<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Shift) -> Result<(), B::E> {
    let (d, n) = (b.q(a.rd), b.q(a.rn));
    let shifted = b.lanes_shift(op, element(I), n, a.imm as u32);
    let r = b.lanes(Lane::Add, element(I), d, shifted);
    simd::set(b, a.aux != 0, a.rd, r);
    Ok(())
}
/// Shift lanes twice as wide right, and take the low half of each.
#[inline(always)]
fn shrn<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let wide = Size::of(element(I) as u32 + 1);
    let shifted = b.lanes_shift(Shift::Logical, wide, n, a.imm as u32);
    let r = b.permute(Permute::Uzp1, element(I), shifted, shifted);
    simd::set_narrow(b, a.aux != 0, a.rd, r);
    Ok(())
}
/// Elements as the upper halves of lanes twice as wide, shifted right by less than that.
#[inline(always)]
fn long<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Shift) -> Result<(), B::E> {
    let (zero, n) = (simd::constant(b, 0), b.q(a.rn));
    let half = if a.aux != 0 {
        Permute::Zip2
    } else {
        Permute::Zip1
    };
    let upper = b.permute(half, element(I), zero, n);
    let wide = Size::of(element(I) as u32 + 1);
    let r = b.lanes_shift(op, wide, upper, element(I).bits() - a.imm as u32);
    b.set_q(a.rd, r);
    Ok(())
}

fn rshr_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    map_e(c, i, size(i), |x, _| shr(x, right(i), true))
}
fn rsra_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    accumulate(c, i, |d, x| d + shr(x, right(i), true))
}
fn sri(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let kept = (mask(size(i)) & !(mask(size(i)) >> right(i))) as i128;
    accumulate(c, i, |d, x| d & kept | x >> right(i))
}
fn sli(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let kept = (1 << left(i)) - 1;
    accumulate(c, i, |d, x| d & kept | x << left(i))
}
fn qshl_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    shl_saturated(c, i, u(i))
}
fn qshlu_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    shl_saturated(c, i, false)
}

fn rshrn(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    narrow(c, i, true)
}
/// Shift right and narrow with saturation: from `unsigned` (or signed) elements to `to_unsigned` ones.
fn qshrn(c: &mut Cpu, i: u32, unsigned: bool, to_unsigned: bool, round: bool) -> Done {
    let n = c.v[rn(i)];
    let mut qc = 0;
    let bits = if scalar(i) { size(i) } else { 64 };
    let r = build(bits, size(i), |k, e| {
        let x = shr(int(n, k, 2 * e, unsigned), right(i), round);
        sat(x, e, to_unsigned, &mut qc)
    });
    set_part(c, i, r);
    c.fpsr |= qc;
    DONE
}

/// `Vd[k] = f(Vd[k], Vn[k])`.
#[inline(always)]
fn accumulate(c: &mut Cpu, i: u32, f: impl Fn(i128, i128) -> i128) -> Done {
    let (d, n, e) = (c.v[rd(i)], c.v[rn(i)], size(i));
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        f(int(d, k, e, u(i)), int(n, k, e, u(i)))
    });
    DONE
}
/// Shift elements left; the result saturates as bit 29 says (`SQSHLU` has signed elements and unsigned results).
fn shl_saturated(c: &mut Cpu, i: u32, unsigned: bool) -> Done {
    let (n, e) = (c.v[rn(i)], size(i));
    let mut qc = 0;
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        sat(int(n, k, e, unsigned) << left(i), e, u(i), &mut qc)
    });
    c.fpsr |= qc;
    DONE
}
/// Shift right and narrow.
fn narrow(c: &mut Cpu, i: u32, round: bool) -> Done {
    let n = c.v[rn(i)];
    let r = build(64, size(i), |k, e| {
        shr(int(n, k, 2 * e, false), right(i), round)
    });
    set_part(c, i, r);
    DONE
}
