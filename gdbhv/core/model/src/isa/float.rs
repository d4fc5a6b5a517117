//! Floating-point values in 128 bits: the operations of pure rows, controlled by FPCR and with their exceptions in FPSR.
//!
//! What an operation means is in [`crate::fp`]; here it meets the registers.

use super::fp_lanes::with_env;
use super::ops::W;
use crate::bits::sext;
use crate::cpu::Cpu;
use crate::fp::arith::{add, div, mul, mul_add, sqrt, sub};
use crate::fp::compare::{compare, max, max_num, min, min_num};
use crate::fp::convert::{convert, from_fixed, to_fixed};
use crate::fp::env::{Env, Rounding};
use crate::fp::format::Format;
use crate::fp::shape::{Fp2, Shape};
use crate::pstate::Flags;
use std::cmp::Ordering;

/// `op` of each pair of lanes.
#[inline(never)]
pub fn two(c: &mut Cpu, op: Fp2, s: Shape, x: u128, y: u128) -> u128 {
    let op: fn(&mut Env, Format, u64, u64) -> u64 = match op {
        Fp2::Add => add,
        Fp2::Sub => sub,
        Fp2::Mul => mul,
        Fp2::Div => div,
        Fp2::Max => max,
        Fp2::Min => min,
        Fp2::MaxNum => max_num,
        Fp2::MinNum => min_num,
    };
    with_env(c, |_, env| {
        s.each(|k| op(env, s.format, s.get(x, k), s.get(y, k)))
    })
}

/// a + n * m in each lane, rounded once (`FPMulAdd`).
#[inline(never)]
pub fn fused(c: &mut Cpu, s: Shape, a: u128, n: u128, m: u128) -> u128 {
    with_env(c, |_, env| {
        s.each(|k| mul_add(env, s.format, s.get(a, k), s.get(n, k), s.get(m, k)))
    })
}

/// The square root of each lane (`FPSqrt`).
#[inline(never)]
pub fn root(c: &mut Cpu, s: Shape, x: u128) -> u128 {
    with_env(c, |_, env| s.each(|k| sqrt(env, s.format, s.get(x, k))))
}

/// NZCV of a comparison of the lowest lanes (`FPCompare`); `signal`: a quiet NaN is invalid too.
#[inline(never)]
pub fn flags(c: &mut Cpu, f: Format, x: u128, y: u128, signal: bool) {
    let s = Shape::scalar(f);
    let order = with_env(c, |_, env| {
        compare(env, f, s.get(x, 0), s.get(y, 0), signal)
    });
    c.flags = Flags::unpack(match order {
        None => 0b0011 << 28,
        Some(Ordering::Equal) => 0b0110 << 28,
        Some(Ordering::Less) => 0b1000 << 28,
        Some(Ordering::Greater) => 0b0010 << 28,
    });
}

/// The lowest lane in another format, rounded as FPCR says (`FPConvert`).
#[inline(never)]
pub fn converted(c: &mut Cpu, from: Format, to: Format, x: u128) -> u128 {
    with_env(c, |_, env| {
        let mode = env.rounding();
        convert(env, from, to, Shape::scalar(from).get(x, 0), mode) as u128
    })
}

/// An integer as a number, rounded as FPCR says (`FixedToFP`).
#[inline(never)]
pub fn from_int(c: &mut Cpu, f: Format, w: W, signed: bool, x: u64) -> u128 {
    let int = match (w, signed) {
        (_, true) => sext(x, w.bits()) as i64 as i128,
        (W::W, false) => x as u32 as i128,
        (W::X, false) => x as i128,
    };
    with_env(c, |_, env| {
        let mode = env.rounding();
        from_fixed(env, f, int, 0, mode) as u128
    })
}

/// The lowest lane as an integer, towards zero, saturated (`FPToFixed`).
#[inline(never)]
pub fn to_int(c: &mut Cpu, f: Format, w: W, signed: bool, x: u128) -> u64 {
    let x = Shape::scalar(f).get(x, 0);
    with_env(c, |_, env| {
        to_fixed(env, f, x, 0, !signed, Rounding::Zero, w.bits())
    })
}
