//! Advanced SIMD vector x indexed element, and the scalar forms, floating point (Arm ARM C4.1.96). The index is H:L:M for half,
//! H:L for single, H for double precision.

use super::fp_bodies::shape;
use super::fp_lanes::*;
use super::lanes::*;
use super::ops::{Args, Ops};
use super::simd::{self, d_n_m};
use crate::bits::field;
use crate::cpu::Cpu;
use crate::fp::arith::{mul, mul_add, mulx};
use crate::fp::format::Format;
use crate::fp::shape::Fp2;
use crate::mem::size::Size;
use crate::mixed_rows;

mixed_rows! {
    pure {
        Fp FMUL_elem        "0q0011111slmmmmm1001h0nnnnnddddd" "qs" AdvSIMD args, fmul;
        Fp FMUL_elem_scalar "010111111slmmmmm1001h0nnnnnddddd" "s" AdvSIMD args, fmul;
        Fp FMLA_elem        "0q0011111slmmmmm0001h0nnnnnddddd" "qs" AdvSIMD args, fmla;
        Fp FMLA_elem_scalar "010111111slmmmmm0001h0nnnnnddddd" "s" AdvSIMD args, fmla;
        Fp FMLS_elem        "0q0011111slmmmmm0101h0nnnnnddddd" "qs" AdvSIMD args, fmls;
        Fp FMLS_elem_scalar "010111111slmmmmm0101h0nnnnnddddd" "s" AdvSIMD args, fmls;
    }
    helper {
        Fp FMUL_elem_half         "0q00111100lmmmmm1001h0nnnnnddddd" FP16                 |c, _, i| product(c, i, mul);
        Fp FMUL_elem_scalar_half  "0101111100lmmmmm1001h0nnnnnddddd" FP16                 |c, _, i| product(c, i, mul);
        Fp FMULX_elem             "0q1011111slmmmmm1001h0nnnnnddddd" AdvSIMD where valid, |c, _, i| product(c, i, mulx);
        Fp FMULX_elem_half        "0q10111100lmmmmm1001h0nnnnnddddd" FP16                 |c, _, i| product(c, i, mulx);
        Fp FMULX_elem_scalar      "011111111slmmmmm1001h0nnnnnddddd" AdvSIMD where valid, |c, _, i| product(c, i, mulx);
        Fp FMULX_elem_scalar_half "0111111100lmmmmm1001h0nnnnnddddd" FP16                 |c, _, i| product(c, i, mulx);
        Fp FMLA_elem_half         "0q00111100lmmmmm0001h0nnnnnddddd" FP16                 |c, _, i| fmla_half(c, i, false);
        Fp FMLA_elem_scalar_half  "0101111100lmmmmm0001h0nnnnnddddd" FP16                 |c, _, i| fmla_half(c, i, false);
        Fp FMLS_elem_half         "0q00111100lmmmmm0101h0nnnnnddddd" FP16                 |c, _, i| fmla_half(c, i, true);
        Fp FMLS_elem_scalar_half  "0101111100lmmmmm0101h0nnnnnddddd" FP16                 |c, _, i| fmla_half(c, i, true);
    }
}

/// Rd, Rn, Rm; `aux` is the element's number.
fn args(i: u32) -> Option<Args> {
    let (h, l) = (field(i, 11, 11), field(i, 21, 21));
    let index = if sz(i).bits == 32 { h << 1 | l } else { h };
    let operands = d_n_m(i).filter(|_| valid(i));
    operands.map(|a| Args {
        aux: index as u16,
        ..a
    })
}
/// The element that all others meet, in all lanes.
#[inline(always)]
fn splat<B: Ops, const I: u32>(b: &mut B, a: &Args) -> B::Q {
    let size = Size::of(2 + field(I, 22, 22));
    let m = b.q(a.rm);
    let m = b.lane(size, m, a.aux as u32);
    b.splat(size, m)
}
#[inline(always)]
fn fmul<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let m = splat::<B, I>(b, a);
    let n = b.q(a.rn);
    let v = b.fp(Fp2::Mul, shape(I), n, m);
    b.set_q(a.rd, v);
    Ok(())
}
#[inline(always)]
fn fmla<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let m = splat::<B, I>(b, a);
    let (d, n) = (b.q(a.rd), b.q(a.rn));
    let v = b.fp_fused(shape(I), d, n, m);
    b.set_q(a.rd, v);
    Ok(())
}
#[inline(always)]
fn fmls<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let m = splat::<B, I>(b, a);
    let (d, n) = (b.q(a.rd), b.q(a.rn));
    let n = simd::negated(b, shape(I), n);
    let v = b.fp_fused(shape(I), d, n, m);
    b.set_q(a.rd, v);
    Ok(())
}

const fn valid(i: u32) -> bool {
    field(i, 22, 22) == 0 || field(i, 21, 21) == 0 && (q(i) || scalar(i))
}
const fn format(i: u32) -> Format {
    if field(i, 23, 23) == 0 {
        Format::HALF
    } else {
        sz(i)
    }
}
/// The element that all others meet.
fn element(c: &Cpu, i: u32) -> u64 {
    let (h, l, m) = (field(i, 11, 11), field(i, 21, 21), field(i, 20, 20));
    match format(i).bits {
        16 => elem(c.v[rm(i) & 15], h << 2 | l << 1 | m, 16),
        32 => elem(c.v[rm(i)], h << 1 | l, 32),
        _ => elem(c.v[rm(i)], h, 64),
    }
}
fn product(c: &mut Cpu, i: u32, op: Op2) -> Done {
    let m = element(c, i);
    map_fp(c, i, format(i), |env, f, a| op(env, f, a, m))
}
fn fmla_half(c: &mut Cpu, i: u32, subtract: bool) -> Done {
    let (f, m) = (format(i), element(c, i));
    let r = with_env(c, |c, env| {
        let (d, n) = (c.v[rd(i)], c.v[rn(i)]);
        build(span(i, f.bits), f.bits, |k, e| {
            let n = elem(n, k, e) ^ if subtract { f.sign() } else { 0 };
            mul_add(env, f, elem(d, k, e), n, m) as i128
        })
    });
    c.v[rd(i)] = r;
    DONE
}
