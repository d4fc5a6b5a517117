//! Floating-point conditional select (Arm ARM C4.1.97).

use super::fp_lanes::*;
use super::ops::{Args, Ops};
use super::simd::{self, d_n_m};
use crate::bits::field;
use crate::fp::shape::Shape;
use crate::mem::size::Size;
use crate::pure_rows;

pure_rows! {
    Fp FCSEL      "000111100t1mmmmmcccc11nnnnnddddd" "t" FP args, fcsel;
    Fp FCSEL_half "00011110111mmmmmcccc11nnnnnddddd" "" FP16 args, fcsel_half;
}

/// `aux` is the condition.
fn args(i: u32) -> Option<Args> {
    let aux = field(i, 15, 12) as u16;
    d_n_m(i).map(|a| Args { aux, ..a })
}

#[inline(always)]
fn fcsel<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (n, m) = (b.q(a.rn), b.q(a.rm));
    let c = b.cond(a.aux as u32);
    let v = b.select_q(c, n, m);
    let v = simd::within(b, Shape::scalar(ftype(I)), v);
    b.set_q(a.rd, v);
    Ok(())
}
#[inline(always)]
fn fcsel_half<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (n, m) = (b.q(a.rn), b.q(a.rm));
    let c = b.cond(a.aux as u32);
    let v = b.select_q(c, n, m);
    let v = b.first(Size::H, v);
    b.set_q(a.rd, v);
    Ok(())
}
