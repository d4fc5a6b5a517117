//! Floating-point data-processing, one source (Arm ARM C4.1.97).

use super::fp_bodies::{fabs, fneg, fsqrt, shape};
use super::fp_lanes::*;
use super::lanes::*;
use super::ops::{Args, Ops};
use super::simd::{self, d_n_m};
use crate::cpu::Cpu;
use crate::fp::arith::sqrt;
use crate::fp::convert::{convert, round_int, round_int_n};
use crate::fp::env::{Env, Rounding};
use crate::fp::format::Format;
use crate::mixed_rows;

mixed_rows! {
    pure {
        Fp FMOV_reg              "000111100t100000010000nnnnnddddd" "t" FP d_n_m, fmov;
        Fp FABS                  "000111100t100000110000nnnnnddddd" "t" FP d_n_m, fabs;
        Fp FNEG                  "000111100t100001010000nnnnnddddd" "t" FP d_n_m, fneg;
        Fp FSQRT                 "000111100t100001110000nnnnnddddd" "t" FP d_n_m, fsqrt;
        Fp FCVT_single_to_double "0001111000100010110000nnnnnddddd" "" FP d_n_m, fcvt_d;
        Fp FCVT_double_to_single "0001111001100010010000nnnnnddddd" "" FP d_n_m, fcvt_s;
    }
    helper {
        Fp FMOV_reg_half "0001111011100000010000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, |_, _, n| n);
        Fp FABS_half     "0001111011100000110000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, abs);
        Fp FNEG_half     "0001111011100001010000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, neg);
        Fp FSQRT_half    "0001111011100001110000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, sqrt);
        Fp FRINTN        "000111100t100100010000nnnnnddddd" FP   |c, _, i| scalar1(c, i, |env, f, n| frint(env, f, n, Rounding::TieEven));
        Fp FRINTN_half   "0001111011100100010000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, |env, f, n| frint(env, f, n, Rounding::TieEven));
        Fp FRINTP        "000111100t100100110000nnnnnddddd" FP   |c, _, i| scalar1(c, i, |env, f, n| frint(env, f, n, Rounding::Plus));
        Fp FRINTP_half   "0001111011100100110000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, |env, f, n| frint(env, f, n, Rounding::Plus));
        Fp FRINTM        "000111100t100101010000nnnnnddddd" FP   |c, _, i| scalar1(c, i, |env, f, n| frint(env, f, n, Rounding::Minus));
        Fp FRINTM_half   "0001111011100101010000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, |env, f, n| frint(env, f, n, Rounding::Minus));
        Fp FRINTZ        "000111100t100101110000nnnnnddddd" FP   |c, _, i| scalar1(c, i, |env, f, n| frint(env, f, n, Rounding::Zero));
        Fp FRINTZ_half   "0001111011100101110000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, |env, f, n| frint(env, f, n, Rounding::Zero));
        Fp FRINTA        "000111100t100110010000nnnnnddddd" FP   |c, _, i| scalar1(c, i, |env, f, n| frint(env, f, n, Rounding::TieAway));
        Fp FRINTA_half   "0001111011100110010000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, |env, f, n| frint(env, f, n, Rounding::TieAway));
        Fp FRINTX        "000111100t100111010000nnnnnddddd" FP   |c, _, i| scalar1(c, i, frintx);
        Fp FRINTX_half   "0001111011100111010000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, frintx);
        Fp FRINTI        "000111100t100111110000nnnnnddddd" FP   |c, _, i| scalar1(c, i, frinti);
        Fp FRINTI_half   "0001111011100111110000nnnnnddddd" FP16 |c, _, i| scalar1(c, i, frinti);
        Fp FRINT32Z    "000111100t101000010000nnnnnddddd" FRINTTS |c, _, i| scalar1(c, i, |env, f, n| round_int_n(env, f, n, Rounding::Zero, 32));
        Fp FRINT32X    "000111100t101000110000nnnnnddddd" FRINTTS |c, _, i| scalar1(c, i, |env, f, n| frintx_n(env, f, n, 32));
        Fp FRINT64Z    "000111100t101001010000nnnnnddddd" FRINTTS |c, _, i| scalar1(c, i, |env, f, n| round_int_n(env, f, n, Rounding::Zero, 64));
        Fp FRINT64X    "000111100t101001110000nnnnnddddd" FRINTTS |c, _, i| scalar1(c, i, |env, f, n| frintx_n(env, f, n, 64));
        Fp FCVT_single_to_half   "0001111000100011110000nnnnnddddd" FP |c, _, i| fcvt(c, i, Format::HALF);
        Fp FCVT_double_to_half   "0001111001100011110000nnnnnddddd" FP |c, _, i| fcvt(c, i, Format::HALF);
        Fp FCVT_half_to_single   "0001111011100010010000nnnnnddddd" FP |c, _, i| fcvt(c, i, Format::SINGLE);
        Fp FCVT_half_to_double   "0001111011100010110000nnnnnddddd" FP |c, _, i| fcvt(c, i, Format::DOUBLE);
    }
}

/// `FPAbs`.
pub fn abs(_: &mut Env, f: Format, n: u64) -> u64 {
    n & !f.sign()
}
/// `FPNeg`.
pub fn neg(_: &mut Env, f: Format, n: u64) -> u64 {
    n ^ f.sign()
}
/// FRINTx with its own rounding mode.
pub fn frint(env: &mut Env, f: Format, n: u64, mode: Rounding) -> u64 {
    round_int(env, f, n, mode, false)
}
/// FRINTI: as FPCR says.
pub fn frinti(env: &mut Env, f: Format, n: u64) -> u64 {
    let mode = env.rounding();
    round_int(env, f, n, mode, false)
}
/// FRINTX: as FPCR says, and inexact is reported.
pub fn frintx(env: &mut Env, f: Format, n: u64) -> u64 {
    let mode = env.rounding();
    round_int(env, f, n, mode, true)
}
/// FRINT32X, FRINT64X: as FPCR says.
pub fn frintx_n(env: &mut Env, f: Format, n: u64, width: u32) -> u64 {
    let mode = env.rounding();
    round_int_n(env, f, n, mode, width)
}
fn fcvt(c: &mut Cpu, i: u32, to: Format) -> Done {
    scalar1(c, i, |env, from, n| {
        let mode = env.rounding();
        convert(env, from, to, n, mode)
    })
}

#[inline(always)]
fn fmov<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let v = simd::within(b, shape(I), n);
    b.set_q(a.rd, v);
    Ok(())
}
#[inline(always)]
fn fcvt_d<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let v = b.fp_convert(Format::SINGLE, Format::DOUBLE, n);
    b.set_q(a.rd, v);
    Ok(())
}
#[inline(always)]
fn fcvt_s<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let v = b.fp_convert(Format::DOUBLE, Format::SINGLE, n);
    b.set_q(a.rd, v);
    Ok(())
}
