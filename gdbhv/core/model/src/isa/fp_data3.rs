//! Floating-point data-processing, three sources: fused multiply-add with the signs that o1 and o0 ask for (Arm ARM C4.1.97).

use super::fp_lanes::*;
use super::lanes::*;
use super::ops::{Args, Ops};
use super::simd::{self, d_n_m};
use crate::bits::bit;
use crate::fp::arith::mul_add;
use crate::fp::shape::Shape;
use crate::mixed_rows;
use crate::pe::Pe;
use crate::shared::Shared;

mixed_rows! {
    pure {
        Fp FMADD  "000111110t0mmmmm0aaaaannnnnddddd" "t" FP args, fused;
        Fp FMSUB  "000111110t0mmmmm1aaaaannnnnddddd" "t" FP args, fused;
        Fp FNMADD "000111110t1mmmmm0aaaaannnnnddddd" "t" FP args, fused;
        Fp FNMSUB "000111110t1mmmmm1aaaaannnnnddddd" "t" FP args, fused;
    }
    helper {
        Fp FMADD_half  "00011111110mmmmm0aaaaannnnnddddd" FP16 fused_half;
        Fp FMSUB_half  "00011111110mmmmm1aaaaannnnnddddd" FP16 fused_half;
        Fp FNMADD_half "00011111111mmmmm0aaaaannnnnddddd" FP16 fused_half;
        Fp FNMSUB_half "00011111111mmmmm1aaaaannnnnddddd" FP16 fused_half;
    }
}

/// `ra` is Ra.
fn args(i: u32) -> Option<Args> {
    let ra = (i >> 10 & 31) as u8;
    d_n_m(i).map(|a| Args { ra, ..a })
}

/// Whether the addend is negated, and whether Rn is.
const fn negations(i: u32) -> (bool, bool) {
    let (negate_all, subtract) = (bit(i as u64, 21), bit(i as u64, 15));
    (negate_all, negate_all != subtract)
}

#[inline(always)]
fn fused<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let shape = Shape::scalar(ftype(I));
    let (mut addend, mut n, m) = (b.q(a.ra), b.q(a.rn), b.q(a.rm));
    let (negate_addend, negate_n) = negations(I);
    if negate_addend {
        addend = simd::negated(b, shape, addend);
    }
    if negate_n {
        n = simd::negated(b, shape, n);
    }
    let v = b.fp_fused(shape, addend, n, m);
    b.set_q(a.rd, v);
    Ok(())
}

fn fused_half(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    by_ftype(c, i, |c, env, f| {
        let sign = |negate| if negate { f.sign() } else { 0 };
        let (negate_addend, negate_n) = negations(i);
        let a = low(c.v[ra(i)], f) ^ sign(negate_addend);
        let n = low(c.v[rn(i)], f) ^ sign(negate_n);
        mul_add(env, f, a, n, low(c.v[rm(i)], f))
    })
}
