//! Advanced SIMD three same, vector and scalar, integer (Arm ARM C4.1.96: `AdvSIMD three same`, `AdvSIMD scalar three same`).
//! One body serves the signed and the unsigned instruction, and both shapes.

use super::lanes::*;
use super::ops::{Args, Ops};
use super::simd::{self, d_n_m, size};
use super::vector::Lane;
use crate::mem::size::Size;
use crate::mixed_rows;
use crate::pe::Pe;
use crate::shared::Shared;

mixed_rows! {
    pure {
        Fp AND_vec      "0q001110001mmmmm000111nnnnnddddd" "q" AdvSIMD d_n_m, and;
        Fp BIC_vec      "0q001110011mmmmm000111nnnnnddddd" "q" AdvSIMD d_n_m, bic;
        Fp ORR_vec      "0q001110101mmmmm000111nnnnnddddd" "q" AdvSIMD d_n_m, orr;
        Fp ORN_vec      "0q001110111mmmmm000111nnnnnddddd" "q" AdvSIMD d_n_m, orn;
        Fp EOR_vec      "0q101110001mmmmm000111nnnnnddddd" "q" AdvSIMD d_n_m, eor;
        Fp BSL          "0q101110011mmmmm000111nnnnnddddd" "q" AdvSIMD d_n_m, bsl;
        Fp BIT          "0q101110101mmmmm000111nnnnnddddd" "q" AdvSIMD d_n_m, bit;
        Fp BIF          "0q101110111mmmmm000111nnnnnddddd" "q" AdvSIMD d_n_m, bif;
        Fp CMGT_vec     "0q001110ss1mmmmm001101nnnnnddddd" "qs" AdvSIMD not_1d_args, cmgt;
        Fp CMGT_scalar  "01011110111mmmmm001101nnnnnddddd" "" AdvSIMD d_n_m, cmgt;
        Fp CMHI_vec     "0q101110ss1mmmmm001101nnnnnddddd" "qs" AdvSIMD not_1d_args, cmhi;
        Fp CMHI_scalar  "01111110111mmmmm001101nnnnnddddd" "" AdvSIMD d_n_m, cmhi;
        Fp CMGE_vec     "0q001110ss1mmmmm001111nnnnnddddd" "qs" AdvSIMD not_1d_args, cmge;
        Fp CMGE_scalar  "01011110111mmmmm001111nnnnnddddd" "" AdvSIMD d_n_m, cmge;
        Fp CMHS_vec     "0q101110ss1mmmmm001111nnnnnddddd" "qs" AdvSIMD not_1d_args, cmhs;
        Fp CMHS_scalar  "01111110111mmmmm001111nnnnnddddd" "" AdvSIMD d_n_m, cmhs;
        Fp CMTST_vec    "0q001110ss1mmmmm100011nnnnnddddd" "qs" AdvSIMD not_1d_args, cmtst;
        Fp CMTST_scalar "01011110111mmmmm100011nnnnnddddd" "" AdvSIMD d_n_m, cmtst;
        Fp CMEQ_vec     "0q101110ss1mmmmm100011nnnnnddddd" "qs" AdvSIMD not_1d_args, cmeq;
        Fp CMEQ_scalar  "01111110111mmmmm100011nnnnnddddd" "" AdvSIMD d_n_m, cmeq;
        Fp SMAX         "0q001110ss1mmmmm011001nnnnnddddd" "qs" AdvSIMD no_d_args, smax;
        Fp UMAX         "0q101110ss1mmmmm011001nnnnnddddd" "qs" AdvSIMD no_d_args, umax;
        Fp SMIN         "0q001110ss1mmmmm011011nnnnnddddd" "qs" AdvSIMD no_d_args, smin;
        Fp UMIN         "0q101110ss1mmmmm011011nnnnnddddd" "qs" AdvSIMD no_d_args, umin;
        Fp SMAXP        "0q001110ss1mmmmm101001nnnnnddddd" "qs" AdvSIMD no_d_args, smaxp;
        Fp UMAXP        "0q101110ss1mmmmm101001nnnnnddddd" "qs" AdvSIMD no_d_args, umaxp;
        Fp SMINP        "0q001110ss1mmmmm101011nnnnnddddd" "qs" AdvSIMD no_d_args, sminp;
        Fp UMINP        "0q101110ss1mmmmm101011nnnnnddddd" "qs" AdvSIMD no_d_args, uminp;
        Fp ADD_vec      "0q001110ss1mmmmm100001nnnnnddddd" "qs" AdvSIMD not_1d_args, add;
        Fp ADD_scalar   "01011110111mmmmm100001nnnnnddddd" "" AdvSIMD d_n_m, add;
        Fp SUB_vec      "0q101110ss1mmmmm100001nnnnnddddd" "qs" AdvSIMD not_1d_args, sub;
        Fp SUB_scalar   "01111110111mmmmm100001nnnnnddddd" "" AdvSIMD d_n_m, sub;
        Fp ADDP_vec     "0q001110ss1mmmmm101111nnnnnddddd" "qs" AdvSIMD not_1d_args, addp;
        Fp MLA_vec      "0q001110ss1mmmmm100101nnnnnddddd" "qs" AdvSIMD no_d_args, mla;
        Fp MLS_vec      "0q101110ss1mmmmm100101nnnnnddddd" "qs" AdvSIMD no_d_args, mls;
        Fp MUL_vec      "0q001110ss1mmmmm100111nnnnnddddd" "qs" AdvSIMD no_d_args, mul;
    }
    helper {
        Fp SHADD  "0q001110ss1mmmmm000001nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a + b) >> 1);
        Fp UHADD  "0q101110ss1mmmmm000001nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a + b) >> 1);
        Fp SRHADD "0q001110ss1mmmmm000101nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a + b + 1) >> 1);
        Fp URHADD "0q101110ss1mmmmm000101nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a + b + 1) >> 1);
        Fp SHSUB  "0q001110ss1mmmmm001001nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a - b) >> 1);
        Fp UHSUB  "0q101110ss1mmmmm001001nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a - b) >> 1);
        Fp SQADD_vec    "0q001110ss1mmmmm000011nnnnnddddd" AdvSIMD where not_1d, qadd;
        Fp SQADD_scalar "01011110ss1mmmmm000011nnnnnddddd" AdvSIMD qadd;
        Fp UQADD_vec    "0q101110ss1mmmmm000011nnnnnddddd" AdvSIMD where not_1d, qadd;
        Fp UQADD_scalar "01111110ss1mmmmm000011nnnnnddddd" AdvSIMD qadd;
        Fp SQSUB_vec    "0q001110ss1mmmmm001011nnnnnddddd" AdvSIMD where not_1d, qsub;
        Fp SQSUB_scalar "01011110ss1mmmmm001011nnnnnddddd" AdvSIMD qsub;
        Fp UQSUB_vec    "0q101110ss1mmmmm001011nnnnnddddd" AdvSIMD where not_1d, qsub;
        Fp UQSUB_scalar "01111110ss1mmmmm001011nnnnnddddd" AdvSIMD qsub;
        Fp SSHL_vec      "0q001110ss1mmmmm010001nnnnnddddd" AdvSIMD where not_1d, shl;
        Fp SSHL_scalar   "01011110111mmmmm010001nnnnnddddd" AdvSIMD shl;
        Fp USHL_vec      "0q101110ss1mmmmm010001nnnnnddddd" AdvSIMD where not_1d, shl;
        Fp USHL_scalar   "01111110111mmmmm010001nnnnnddddd" AdvSIMD shl;
        Fp SQSHL_vec     "0q001110ss1mmmmm010011nnnnnddddd" AdvSIMD where not_1d, qshl;
        Fp SQSHL_scalar  "01011110ss1mmmmm010011nnnnnddddd" AdvSIMD qshl;
        Fp UQSHL_vec     "0q101110ss1mmmmm010011nnnnnddddd" AdvSIMD where not_1d, qshl;
        Fp UQSHL_scalar  "01111110ss1mmmmm010011nnnnnddddd" AdvSIMD qshl;
        Fp SRSHL_vec     "0q001110ss1mmmmm010101nnnnnddddd" AdvSIMD where not_1d, rshl;
        Fp SRSHL_scalar  "01011110111mmmmm010101nnnnnddddd" AdvSIMD rshl;
        Fp URSHL_vec     "0q101110ss1mmmmm010101nnnnnddddd" AdvSIMD where not_1d, rshl;
        Fp URSHL_scalar  "01111110111mmmmm010101nnnnnddddd" AdvSIMD rshl;
        Fp SQRSHL_vec    "0q001110ss1mmmmm010111nnnnnddddd" AdvSIMD where not_1d, qrshl;
        Fp SQRSHL_scalar "01011110ss1mmmmm010111nnnnnddddd" AdvSIMD qrshl;
        Fp UQRSHL_vec    "0q101110ss1mmmmm010111nnnnnddddd" AdvSIMD where not_1d, qrshl;
        Fp UQRSHL_scalar "01111110ss1mmmmm010111nnnnnddddd" AdvSIMD qrshl;
        Fp SABD  "0q001110ss1mmmmm011101nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a - b).abs());
        Fp UABD  "0q101110ss1mmmmm011101nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a - b).abs());
        Fp SABA  "0q001110ss1mmmmm011111nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip_acc(c, i, |d, a, b| d + (a - b).abs());
        Fp UABA  "0q101110ss1mmmmm011111nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip_acc(c, i, |d, a, b| d + (a - b).abs());
        Fp PMUL       "0q101110001mmmmm100111nnnnnddddd" AdvSIMD |c, _, i| zip(c, i, |a, b, _| polynomial(a as u64, b as u64) as i128);
        Fp SQDMULH_vec     "0q001110ss1mmmmm101101nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| zip_sat(c, i, false, |a, b, e| dmulh(a, b, e, false));
        Fp SQDMULH_scalar  "01011110ss1mmmmm101101nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| zip_sat(c, i, false, |a, b, e| dmulh(a, b, e, false));
        Fp SQRDMULH_vec    "0q101110ss1mmmmm101101nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| zip_sat(c, i, false, |a, b, e| dmulh(a, b, e, true));
        Fp SQRDMULH_scalar "01111110ss1mmmmm101101nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| zip_sat(c, i, false, |a, b, e| dmulh(a, b, e, true));
    }
}

fn not_1d_args(i: u32) -> Option<Args> {
    not_1d(i).then_some(d_n_m(i)?)
}
fn no_d_args(i: u32) -> Option<Args> {
    no_d(i).then_some(d_n_m(i)?)
}

macro_rules! lane_by_lane {
    ($($body:ident $form:ident $op:ident;)*) => {
        $(#[inline(always)]
        fn $body<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
            lane_by_lane!(@$form b a $op)
        })*
    };
    (@whole $b:ident $a:ident $op:ident) => { simd::zip::<B, I>($b, $a, Lane::$op, Size::X) };
    (@zip $b:ident $a:ident $op:ident) => { simd::zip::<B, I>($b, $a, Lane::$op, size(I)) };
    (@pairs $b:ident $a:ident $op:ident) => { simd::pairs::<B, I>($b, $a, Lane::$op) };
    (@acc $b:ident $a:ident $op:ident) => { accumulate::<B, I>($b, $a, Lane::$op) };
    (@bits $b:ident $a:ident $op:ident) => { choose::<B, I>($b, $a, Bits::$op) };
}
lane_by_lane! {
    and whole And;
    bic whole Bic;
    orr whole Or;
    eor whole Xor;
    bsl bits Bsl;
    bit bits Bit;
    bif bits Bif;
    add zip Add;
    sub zip Sub;
    mul zip Mul;
    mla acc Add;
    mls acc Sub;
    smax zip Smax;
    umax zip Umax;
    smin zip Smin;
    umin zip Umin;
    cmeq zip Eq;
    cmgt zip Gt;
    cmge zip Ge;
    cmhi zip Hi;
    cmhs zip Hs;
    addp pairs Add;
    smaxp pairs Smax;
    umaxp pairs Umax;
    sminp pairs Smin;
    uminp pairs Umin;
}

#[inline(always)]
fn orn<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (n, m) = (b.q(a.rn), b.q(a.rm));
    let m = simd::not(b, m);
    let r = b.lanes(Lane::Or, Size::X, n, m);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}

/// All ones where the operands have a bit in common.
#[inline(always)]
fn cmtst<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (n, m) = (b.q(a.rn), b.q(a.rm));
    let common = b.lanes(Lane::And, Size::X, n, m);
    let zero = simd::constant(b, 0);
    let none = b.lanes(Lane::Eq, size(I), common, zero);
    let r = simd::not(b, none);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}

/// `Vd[k] = op(Vd[k], Vn[k] * Vm[k])`.
#[inline(always)]
fn accumulate<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Lane) -> Result<(), B::E> {
    let (d, n, m) = (b.q(a.rd), b.q(a.rn), b.q(a.rm));
    let product = b.lanes(Lane::Mul, size(I), n, m);
    let r = b.lanes(op, size(I), d, product);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}

/// Which bits are chosen from which register.
#[derive(Clone, Copy)]
enum Bits {
    Bsl,
    Bit,
    Bif,
}

/// `x EOR ((x EOR y) AND mask)`: y where the mask is set, else x.
#[inline(always)]
fn choose<B: Ops, const I: u32>(b: &mut B, a: &Args, how: Bits) -> Result<(), B::E> {
    let (d, n, m) = (b.q(a.rd), b.q(a.rn), b.q(a.rm));
    let (x, y, op, mask) = match how {
        Bits::Bsl => (m, n, Lane::And, d),
        Bits::Bit => (d, n, Lane::And, m),
        Bits::Bif => (d, n, Lane::Bic, m),
    };
    let differ = b.lanes(Lane::Xor, Size::X, x, y);
    let differ = b.lanes(op, Size::X, differ, mask);
    let r = b.lanes(Lane::Xor, Size::X, x, differ);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}

fn qadd(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip_sat(c, i, u(i), |a, b, _| a + b)
}
fn qsub(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip_sat(c, i, u(i), |a, b, _| a - b)
}

// The shift amount is the signed low byte of the second element, whatever the element.
fn shl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip(c, i, |a, b, _| shift(a, b as i8 as i32, false))
}
fn rshl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip(c, i, |a, b, _| shift(a, b as i8 as i32, true))
}
fn qshl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip_sat(c, i, u(i), |a, b, _| shift(a, b as i8 as i32, false))
}
fn qrshl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip_sat(c, i, u(i), |a, b, _| shift(a, b as i8 as i32, true))
}

/// `SQDMULH`, `SQRDMULH`: the high half of twice the product.
#[inline(always)]
pub fn dmulh(a: i128, b: i128, e: u32, round: bool) -> i128 {
    shr(2 * a * b, e, round)
}

/// `PolynomialMult`: the product over GF(2).
pub fn polynomial(a: u64, b: u64) -> u128 {
    let (mut rest, mut r) = (b, 0);
    while rest != 0 {
        r ^= (a as u128) << rest.trailing_zeros();
        rest &= rest - 1;
    }
    r
}
