//! Advanced SIMD three same, vector and scalar, floating point (Arm ARM C4.1.96).

use super::fp_bodies::*;
use super::fp_lanes::*;
use super::lanes::*;
use super::ops::{Args, Ops};
use super::simd;
use crate::cpu::Cpu;
use crate::fp::arith::{add, div, mul, mul_add, mulx, recip_step, rsqrt_step, sub};
use crate::fp::compare::{eq, ge, gt, max, max_num, min, min_num};
use crate::fp::env::Env;
use crate::fp::format::Format;
use crate::mixed_rows;

mixed_rows! {
    pure {
        Fp FADD_vec   "0q0011100s1mmmmm110101nnnnnddddd" "qs" AdvSIMD vector_args, fadd;
        Fp FSUB_vec   "0q0011101s1mmmmm110101nnnnnddddd" "qs" AdvSIMD vector_args, fsub;
        Fp FMUL_vec   "0q1011100s1mmmmm110111nnnnnddddd" "qs" AdvSIMD vector_args, fmul;
        Fp FDIV_vec   "0q1011100s1mmmmm111111nnnnnddddd" "qs" AdvSIMD vector_args, fdiv;
        Fp FMLA_vec   "0q0011100s1mmmmm110011nnnnnddddd" "qs" AdvSIMD vector_args, fmla;
        Fp FMLS_vec   "0q0011101s1mmmmm110011nnnnnddddd" "qs" AdvSIMD vector_args, fmls;
        Fp FMAX_vec   "0q0011100s1mmmmm111101nnnnnddddd" "qs" AdvSIMD vector_args, fmax;
        Fp FMIN_vec   "0q0011101s1mmmmm111101nnnnnddddd" "qs" AdvSIMD vector_args, fmin;
        Fp FMAXNM_vec "0q0011100s1mmmmm110001nnnnnddddd" "qs" AdvSIMD vector_args, fmaxnm;
        Fp FMINNM_vec "0q0011101s1mmmmm110001nnnnnddddd" "qs" AdvSIMD vector_args, fminnm;
    }
    helper {
        Fp FADD_vec_half       "0q001110010mmmmm000101nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, add);
        Fp FSUB_vec_half       "0q001110110mmmmm000101nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, sub);
        Fp FMUL_vec_half       "0q101110010mmmmm000111nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, mul);
        Fp FMULX_vec           "0q0011100s1mmmmm110111nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| zip_fp(c, i, mulx);
        Fp FMULX_vec_half      "0q001110010mmmmm000111nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, mulx);
        Fp FMULX_scalar        "010111100s1mmmmm110111nnnnnddddd" AdvSIMD                  |c, _, i| zip_fp(c, i, mulx);
        Fp FMULX_scalar_half   "01011110010mmmmm000111nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, mulx);
        Fp FDIV_vec_half       "0q101110010mmmmm001111nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, div);
        Fp FABD_vec            "0q1011101s1mmmmm110101nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| zip_fp(c, i, distance);
        Fp FABD_vec_half       "0q101110110mmmmm000101nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, distance);
        Fp FABD_scalar         "011111101s1mmmmm110101nnnnnddddd" AdvSIMD                  |c, _, i| zip_fp(c, i, distance);
        Fp FABD_scalar_half    "01111110110mmmmm000101nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, distance);
        Fp FMLA_vec_half       "0q001110010mmmmm000011nnnnnddddd" FP16                     |c, _, i| fmla_half(c, i, false);
        Fp FMLS_vec_half       "0q001110110mmmmm000011nnnnnddddd" FP16                     |c, _, i| fmla_half(c, i, true);
        Fp FMAX_vec_half       "0q001110010mmmmm001101nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, max);
        Fp FMIN_vec_half       "0q001110110mmmmm001101nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, min);
        Fp FMAXNM_vec_half     "0q001110010mmmmm000001nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, max_num);
        Fp FMINNM_vec_half     "0q001110110mmmmm000001nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, min_num);
        Fp FADDP_vec           "0q1011100s1mmmmm110101nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| pairs_fp(c, i, add);
        Fp FADDP_vec_half      "0q101110010mmmmm000101nnnnnddddd" FP16                     |c, _, i| pairs_fp(c, i, add);
        Fp FMAXP_vec           "0q1011100s1mmmmm111101nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| pairs_fp(c, i, max);
        Fp FMAXP_vec_half      "0q101110010mmmmm001101nnnnnddddd" FP16                     |c, _, i| pairs_fp(c, i, max);
        Fp FMINP_vec           "0q1011101s1mmmmm111101nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| pairs_fp(c, i, min);
        Fp FMINP_vec_half      "0q101110110mmmmm001101nnnnnddddd" FP16                     |c, _, i| pairs_fp(c, i, min);
        Fp FMAXNMP_vec         "0q1011100s1mmmmm110001nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| pairs_fp(c, i, max_num);
        Fp FMAXNMP_vec_half    "0q101110010mmmmm000001nnnnnddddd" FP16                     |c, _, i| pairs_fp(c, i, max_num);
        Fp FMINNMP_vec         "0q1011101s1mmmmm110001nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| pairs_fp(c, i, min_num);
        Fp FMINNMP_vec_half    "0q101110110mmmmm000001nnnnnddddd" FP16                     |c, _, i| pairs_fp(c, i, min_num);
        Fp FCMEQ_vec           "0q0011100s1mmmmm111001nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| test_fp(c, i, eq);
        Fp FCMEQ_vec_half      "0q001110010mmmmm001001nnnnnddddd" FP16                     |c, _, i| test_fp(c, i, eq);
        Fp FCMEQ_scalar        "010111100s1mmmmm111001nnnnnddddd" AdvSIMD                  |c, _, i| test_fp(c, i, eq);
        Fp FCMEQ_scalar_half   "01011110010mmmmm001001nnnnnddddd" FP16                     |c, _, i| test_fp(c, i, eq);
        Fp FCMGE_vec           "0q1011100s1mmmmm111001nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| test_fp(c, i, ge);
        Fp FCMGE_vec_half      "0q101110010mmmmm001001nnnnnddddd" FP16                     |c, _, i| test_fp(c, i, ge);
        Fp FCMGE_scalar        "011111100s1mmmmm111001nnnnnddddd" AdvSIMD                  |c, _, i| test_fp(c, i, ge);
        Fp FCMGE_scalar_half   "01111110010mmmmm001001nnnnnddddd" FP16                     |c, _, i| test_fp(c, i, ge);
        Fp FCMGT_vec           "0q1011101s1mmmmm111001nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| test_fp(c, i, gt);
        Fp FCMGT_vec_half      "0q101110110mmmmm001001nnnnnddddd" FP16                     |c, _, i| test_fp(c, i, gt);
        Fp FCMGT_scalar        "011111101s1mmmmm111001nnnnnddddd" AdvSIMD                  |c, _, i| test_fp(c, i, gt);
        Fp FCMGT_scalar_half   "01111110110mmmmm001001nnnnnddddd" FP16                     |c, _, i| test_fp(c, i, gt);
        Fp FACGE_vec           "0q1011100s1mmmmm111011nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| test_fp(c, i, abs_ge);
        Fp FACGE_vec_half      "0q101110010mmmmm001011nnnnnddddd" FP16                     |c, _, i| test_fp(c, i, abs_ge);
        Fp FACGE_scalar        "011111100s1mmmmm111011nnnnnddddd" AdvSIMD                  |c, _, i| test_fp(c, i, abs_ge);
        Fp FACGE_scalar_half   "01111110010mmmmm001011nnnnnddddd" FP16                     |c, _, i| test_fp(c, i, abs_ge);
        Fp FACGT_vec           "0q1011101s1mmmmm111011nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| test_fp(c, i, abs_gt);
        Fp FACGT_vec_half      "0q101110110mmmmm001011nnnnnddddd" FP16                     |c, _, i| test_fp(c, i, abs_gt);
        Fp FACGT_scalar        "011111101s1mmmmm111011nnnnnddddd" AdvSIMD                  |c, _, i| test_fp(c, i, abs_gt);
        Fp FACGT_scalar_half   "01111110110mmmmm001011nnnnnddddd" FP16                     |c, _, i| test_fp(c, i, abs_gt);
        Fp FRECPS_vec          "0q0011100s1mmmmm111111nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| zip_fp(c, i, recip_step);
        Fp FRECPS_vec_half     "0q001110010mmmmm001111nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, recip_step);
        Fp FRECPS_scalar       "010111100s1mmmmm111111nnnnnddddd" AdvSIMD                  |c, _, i| zip_fp(c, i, recip_step);
        Fp FRECPS_scalar_half  "01011110010mmmmm001111nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, recip_step);
        Fp FRSQRTS_vec         "0q0011101s1mmmmm111111nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| zip_fp(c, i, rsqrt_step);
        Fp FRSQRTS_vec_half    "0q001110110mmmmm001111nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, rsqrt_step);
        Fp FRSQRTS_scalar      "010111101s1mmmmm111111nnnnnddddd" AdvSIMD                  |c, _, i| zip_fp(c, i, rsqrt_step);
        Fp FRSQRTS_scalar_half "01011110110mmmmm001111nnnnnddddd" FP16                     |c, _, i| zip_fp(c, i, rsqrt_step);
    }
}

#[inline(always)]
fn fmla<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (d, n, m) = (b.q(a.rd), b.q(a.rn), b.q(a.rm));
    let v = b.fp_fused(shape(I), d, n, m);
    b.set_q(a.rd, v);
    Ok(())
}
#[inline(always)]
fn fmls<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (d, n, m) = (b.q(a.rd), b.q(a.rn), b.q(a.rm));
    let n = simd::negated(b, shape(I), n);
    let v = b.fp_fused(shape(I), d, n, m);
    b.set_q(a.rd, v);
    Ok(())
}

/// `Vd[k] += Vn[k] * Vm[k]`, or `-=`.
fn fmla_half(c: &mut Cpu, i: u32, subtract: bool) -> Done {
    let f = three(i);
    let r = with_env(c, |c, env| {
        let (d, n, m) = (c.v[rd(i)], c.v[rn(i)], c.v[rm(i)]);
        build(span(i, f.bits), f.bits, |k, e| {
            let n = elem(n, k, e) ^ if subtract { f.sign() } else { 0 };
            mul_add(env, f, elem(d, k, e), n, elem(m, k, e)) as i128
        })
    });
    c.v[rd(i)] = r;
    DONE
}
/// FABD.
fn distance(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    sub(env, f, a, b) & !f.sign()
}
/// FACGE.
fn abs_ge(env: &mut Env, f: Format, a: u64, b: u64) -> bool {
    ge(env, f, a & !f.sign(), b & !f.sign())
}
/// FACGT.
fn abs_gt(env: &mut Env, f: Format, a: u64, b: u64) -> bool {
    gt(env, f, a & !f.sign(), b & !f.sign())
}
