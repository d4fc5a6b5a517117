//! Bodies of pure floating-point rows of single and double precision: one serves the scalar instruction and the vector.

use super::fp_lanes::{not_1d_sz, sz};
use super::lanes::{q, scalar};
use super::ops::{Args, Ops};
use super::simd::{self, d_n_m};
use crate::fp::shape::{Fp2, Shape};

/// The format that the word selects. (Bit 22 of a scalar's `ftype` is a vector's `sz`.)
#[inline(always)]
pub const fn shape(i: u32) -> Shape {
    if scalar(i) {
        Shape::scalar(sz(i))
    } else {
        Shape::vector(sz(i), q(i))
    }
}

/// Rd, Rn, Rm; not one double-precision element in a vector.
pub fn vector_args(i: u32) -> Option<Args> {
    not_1d_sz(i).then(|| d_n_m(i)).flatten()
}

/// `Rd = op(Rn, Rm)`, in each lane.
#[inline(always)]
fn each<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Fp2) -> Result<(), B::E> {
    let (n, m) = (b.q(a.rn), b.q(a.rm));
    let v = b.fp(op, shape(I), n, m);
    b.set_q(a.rd, v);
    Ok(())
}

macro_rules! each {
    ($($body:ident $op:ident;)*) => {
        $(
            #[doc = concat!("`Rd = ", stringify!($op), "(Rn, Rm)`, in each lane.")]
            #[inline(always)]
            pub fn $body<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
                each::<B, I>(b, a, Fp2::$op)
            }
        )*
    };
}
each! {
    fadd   Add;
    fsub   Sub;
    fmul   Mul;
    fdiv   Div;
    fmax   Max;
    fmin   Min;
    fmaxnm MaxNum;
    fminnm MinNum;
}

/// `FPAbs` of each lane.
#[inline(always)]
pub fn fabs<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let v = simd::absolute(b, shape(I), n);
    b.set_q(a.rd, v);
    Ok(())
}

/// `FPNeg` of each lane.
#[inline(always)]
pub fn fneg<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let n = simd::within(b, shape(I), n);
    let v = simd::negated(b, shape(I), n);
    b.set_q(a.rd, v);
    Ok(())
}

/// `FPSqrt` of each lane.
#[inline(always)]
pub fn fsqrt<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let v = b.fp_sqrt(shape(I), n);
    b.set_q(a.rd, v);
    Ok(())
}
