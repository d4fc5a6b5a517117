//! Advanced SIMD two-register miscellaneous, vector and scalar, integer (Arm ARM C4.1.96).

use super::lanes::*;
use super::ops::{Args, Ops};
use super::simd::{self, d_n_m, size};
use super::vector::{Lane, Permute};
use crate::cpu::Cpu;
use crate::fp::estimate::{unsigned_recip, unsigned_rsqrt};
use crate::mixed_rows;
use crate::pe::Pe;
use crate::shared::Shared;

mixed_rows! {
    pure {
        Fp NOT              "0q10111000100000010110nnnnnddddd" "q" AdvSIMD d_n_m, not;
        Fp ABS_vec          "0q001110ss100000101110nnnnnddddd" "qs" AdvSIMD not_1d_args, abs;
        Fp ABS_scalar       "0101111011100000101110nnnnnddddd" "" AdvSIMD d_n_m, abs;
        Fp NEG_vec          "0q101110ss100000101110nnnnnddddd" "qs" AdvSIMD not_1d_args, neg;
        Fp NEG_scalar       "0111111011100000101110nnnnnddddd" "" AdvSIMD d_n_m, neg;
        Fp CMGT_zero_vec    "0q001110ss100000100010nnnnnddddd" "qs" AdvSIMD not_1d_args, cmgt;
        Fp CMGT_zero_scalar "0101111011100000100010nnnnnddddd" "" AdvSIMD d_n_m, cmgt;
        Fp CMGE_zero_vec    "0q101110ss100000100010nnnnnddddd" "qs" AdvSIMD not_1d_args, cmge;
        Fp CMGE_zero_scalar "0111111011100000100010nnnnnddddd" "" AdvSIMD d_n_m, cmge;
        Fp CMEQ_zero_vec    "0q001110ss100000100110nnnnnddddd" "qs" AdvSIMD not_1d_args, cmeq;
        Fp CMEQ_zero_scalar "0101111011100000100110nnnnnddddd" "" AdvSIMD d_n_m, cmeq;
        Fp CMLE_zero_vec    "0q101110ss100000100110nnnnnddddd" "qs" AdvSIMD not_1d_args, cmle;
        Fp CMLE_zero_scalar "0111111011100000100110nnnnnddddd" "" AdvSIMD d_n_m, cmle;
        Fp CMLT_zero_vec    "0q001110ss100000101010nnnnnddddd" "qs" AdvSIMD not_1d_args, cmlt;
        Fp CMLT_zero_scalar "0101111011100000101010nnnnnddddd" "" AdvSIMD d_n_m, cmlt;
        Fp XTN              "0q001110ss100001001010nnnnnddddd" "qs" AdvSIMD no_d_args, xtn;
    }
    helper {
        Fp REV64_vec "0q001110ss100000000010nnnnnddddd" AdvSIMD where no_d, |c, _, i| reverse(c, i, 64);
        Fp REV32_vec "0q1011100s100000000010nnnnnddddd" AdvSIMD |c, _, i| reverse(c, i, 32);
        Fp REV16_vec "0q00111000100000000110nnnnnddddd" AdvSIMD |c, _, i| reverse(c, i, 16);
        Fp SADDLP   "0q001110ss100000001010nnnnnddddd" AdvSIMD where no_d, |c, _, i| add_pairs(c, i, false);
        Fp UADDLP   "0q101110ss100000001010nnnnnddddd" AdvSIMD where no_d, |c, _, i| add_pairs(c, i, false);
        Fp SADALP   "0q001110ss100000011010nnnnnddddd" AdvSIMD where no_d, |c, _, i| add_pairs(c, i, true);
        Fp UADALP   "0q101110ss100000011010nnnnnddddd" AdvSIMD where no_d, |c, _, i| add_pairs(c, i, true);
        Fp CLS_vec  "0q001110ss100000010010nnnnnddddd" AdvSIMD where no_d, |c, _, i| map(c, i, |x, e| (x ^ x >> 127).leading_zeros() as i128 - 129 + e as i128);
        Fp CLZ_vec  "0q101110ss100000010010nnnnnddddd" AdvSIMD where no_d, |c, _, i| map(c, i, |x, e| x.leading_zeros() as i128 - 128 + e as i128);
        Fp CNT      "0q00111000100000010110nnnnnddddd" AdvSIMD |c, _, i| map(c, i, |x, e| (x as u128 & mask(e)).count_ones() as i128);
        Fp RBIT_vec "0q10111001100000010110nnnnnddddd" AdvSIMD |c, _, i| map_e(c, i, 8, |x, _| (x as u8).reverse_bits() as i128);
        Fp SUQADD_vec    "0q001110ss100000001110nnnnnddddd" AdvSIMD where not_1d, add_other;
        Fp SUQADD_scalar "01011110ss100000001110nnnnnddddd" AdvSIMD add_other;
        Fp USQADD_vec    "0q101110ss100000001110nnnnnddddd" AdvSIMD where not_1d, add_other;
        Fp USQADD_scalar "01111110ss100000001110nnnnnddddd" AdvSIMD add_other;
        Fp SQABS_vec     "0q001110ss100000011110nnnnnddddd" AdvSIMD where not_1d, |c, _, i| saturate(c, i, i128::abs);
        Fp SQABS_scalar  "01011110ss100000011110nnnnnddddd" AdvSIMD |c, _, i| saturate(c, i, i128::abs);
        Fp SQNEG_vec     "0q101110ss100000011110nnnnnddddd" AdvSIMD where not_1d, |c, _, i| saturate(c, i, |x| -x);
        Fp SQNEG_scalar  "01111110ss100000011110nnnnnddddd" AdvSIMD |c, _, i| saturate(c, i, |x| -x);
        Fp SHLL           "0q101110ss100001001110nnnnnddddd" AdvSIMD where no_d, shll;
        Fp SQXTN_vec      "0q001110ss100001010010nnnnnddddd" AdvSIMD where no_d, |c, _, i| narrow(c, i, false, false);
        Fp SQXTN_scalar   "01011110ss100001010010nnnnnddddd" AdvSIMD where no_d, |c, _, i| narrow(c, i, false, false);
        Fp UQXTN_vec      "0q101110ss100001010010nnnnnddddd" AdvSIMD where no_d, |c, _, i| narrow(c, i, true, true);
        Fp UQXTN_scalar   "01111110ss100001010010nnnnnddddd" AdvSIMD where no_d, |c, _, i| narrow(c, i, true, true);
        Fp SQXTUN_vec     "0q101110ss100001001010nnnnnddddd" AdvSIMD where no_d, |c, _, i| narrow(c, i, false, true);
        Fp SQXTUN_scalar  "01111110ss100001001010nnnnnddddd" AdvSIMD where no_d, |c, _, i| narrow(c, i, false, true);
        Fp URECPE         "0q00111010100001110010nnnnnddddd" AdvSIMD |c, _, i| map_e(c, i, 32, |x, _| unsigned_recip(x as u32) as i128);
        Fp URSQRTE        "0q10111010100001110010nnnnnddddd" AdvSIMD |c, _, i| map_e(c, i, 32, |x, _| unsigned_rsqrt(x as u32) as i128);
    }
}

fn not_1d_args(i: u32) -> Option<Args> {
    not_1d(i).then_some(d_n_m(i)?)
}
fn no_d_args(i: u32) -> Option<Args> {
    no_d(i).then_some(d_n_m(i)?)
}

#[inline(always)]
fn not<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let r = simd::not(b, n);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
#[inline(always)]
fn neg<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (n, zero) = (b.q(a.rn), simd::constant(b, 0));
    let r = b.lanes(Lane::Sub, size(I), zero, n);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
/// The greater of x and -x; of the most negative number both are itself.
#[inline(always)]
fn abs<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (n, zero) = (b.q(a.rn), simd::constant(b, 0));
    let minus = b.lanes(Lane::Sub, size(I), zero, n);
    let r = b.lanes(Lane::Smax, size(I), n, minus);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
/// The low half of each lane twice as wide.
#[inline(always)]
fn xtn<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let r = b.permute(Permute::Uzp1, size(I), n, n);
    simd::set_narrow(b, simd::full(I), a.rd, r);
    Ok(())
}

/// Compare elements, as signed ones, with zero.
#[inline(always)]
fn compare<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Lane) -> Result<(), B::E> {
    let (n, zero) = (b.q(a.rn), simd::constant(b, 0));
    let r = b.lanes(op, size(I), n, zero);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
/// The same, the other way round.
#[inline(always)]
fn compare_zero<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Lane) -> Result<(), B::E> {
    let (n, zero) = (b.q(a.rn), simd::constant(b, 0));
    let r = b.lanes(op, size(I), zero, n);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
#[inline(always)]
fn cmgt<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    compare::<B, I>(b, a, Lane::Gt)
}
#[inline(always)]
fn cmge<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    compare::<B, I>(b, a, Lane::Ge)
}
#[inline(always)]
fn cmeq<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    compare::<B, I>(b, a, Lane::Eq)
}
#[inline(always)]
fn cmle<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    compare_zero::<B, I>(b, a, Lane::Ge)
}
#[inline(always)]
fn cmlt<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    compare_zero::<B, I>(b, a, Lane::Gt)
}

/// Reverse the elements in each container of `bits`.
fn reverse(c: &mut Cpu, i: u32, bits: u32) -> Done {
    let (n, e) = (c.v[rn(i)], esize(i));
    c.v[rd(i)] = build(span(i, e), e, |k, e| elem(n, k ^ (bits / e - 1), e) as i128);
    DONE
}
/// Sums of neighbours, twice as wide.
fn add_pairs(c: &mut Cpu, i: u32, accumulate: bool) -> Done {
    let (n, e) = (c.v[rn(i)], esize(i));
    let d = if accumulate { c.v[rd(i)] } else { 0 };
    c.v[rd(i)] = build(span(i, e), 2 * e, |k, w| {
        let sum = int(n, 2 * k, w / 2, u(i)) + int(n, 2 * k + 1, w / 2, u(i));
        int(d, k, w, u(i)) + sum
    });
    DONE
}
/// `SUQADD` adds unsigned elements to signed ones, `USQADD` signed elements to unsigned ones.
fn add_other(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (d, n, e) = (c.v[rd(i)], c.v[rn(i)], esize(i));
    let mut qc = 0;
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        sat(int(d, k, e, u(i)) + int(n, k, e, !u(i)), e, u(i), &mut qc)
    });
    c.fpsr |= qc;
    DONE
}
/// `Vd[k] = SignedSat(f(Vn[k]))`.
fn saturate(c: &mut Cpu, i: u32, f: fn(i128) -> i128) -> Done {
    let (n, e) = (c.v[rn(i)], esize(i));
    let mut qc = 0;
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        sat(f(int(n, k, e, false)), e, false, &mut qc)
    });
    c.fpsr |= qc;
    DONE
}

/// Narrow with saturation: from `unsigned` (or signed) elements to `to_unsigned` ones.
fn narrow(c: &mut Cpu, i: u32, unsigned: bool, to_unsigned: bool) -> Done {
    let (n, e) = (c.v[rn(i)], esize(i));
    let mut qc = 0;
    let r = build(if scalar(i) { e } else { 64 }, e, |k, e| {
        sat(int(n, k, 2 * e, unsigned), e, to_unsigned, &mut qc)
    });
    set_part(c, i, r);
    c.fpsr |= qc;
    DONE
}
fn shll(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let n = part(c.v[rn(i)], i);
    c.v[rd(i)] = build(128, 2 * esize(i), |k, e| int(n, k, e / 2, true) << (e / 2));
    DONE
}
