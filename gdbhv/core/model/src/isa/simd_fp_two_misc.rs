//! Advanced SIMD two-register miscellaneous, vector and scalar, floating point; and the fixed-point conversions of the
//! shift-by-immediate group (Arm ARM C4.1.96).

use super::fp_bodies::{fabs, fneg, fsqrt, vector_args};
use super::fp_data1::{abs, frint, frinti, frintx, frintx_n, neg};
use super::fp_lanes::*;
use super::lanes::*;
use crate::bits::field;
use crate::cpu::Cpu;
use crate::fp::arith::sqrt;
use crate::fp::compare::{eq, ge, gt};
use crate::fp::convert::{convert, from_fixed, round_int_n, to_fixed};
use crate::fp::env::{Env, Rounding};
use crate::fp::estimate::{fp_recip, fp_recpx, fp_rsqrt};
use crate::fp::format::Format;
use crate::mixed_rows;
use crate::pe::Pe;
use crate::shared::Shared;

mixed_rows! {
    pure {
        Fp FABS_vec  "0q0011101s100000111110nnnnnddddd" "qs" AdvSIMD vector_args, fabs;
        Fp FNEG_vec  "0q1011101s100000111110nnnnnddddd" "qs" AdvSIMD vector_args, fneg;
        Fp FSQRT_vec "0q1011101s100001111110nnnnnddddd" "qs" AdvSIMD vector_args, fsqrt;
    }
    helper {
        Fp FABS_vec_half            "0q00111011111000111110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), abs);
        Fp FNEG_vec_half            "0q10111011111000111110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), neg);
        Fp FSQRT_vec_half           "0q10111011111001111110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), sqrt);
        Fp FRINTN_vec               "0q0011100s100001100010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), |env, f, n| frint(env, f, n, Rounding::TieEven));
        Fp FRINTN_vec_half          "0q00111001111001100010nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), |env, f, n| frint(env, f, n, Rounding::TieEven));
        Fp FRINTA_vec               "0q1011100s100001100010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), |env, f, n| frint(env, f, n, Rounding::TieAway));
        Fp FRINTA_vec_half          "0q10111001111001100010nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), |env, f, n| frint(env, f, n, Rounding::TieAway));
        Fp FRINTP_vec               "0q0011101s100001100010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), |env, f, n| frint(env, f, n, Rounding::Plus));
        Fp FRINTP_vec_half          "0q00111011111001100010nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), |env, f, n| frint(env, f, n, Rounding::Plus));
        Fp FRINTM_vec               "0q0011100s100001100110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), |env, f, n| frint(env, f, n, Rounding::Minus));
        Fp FRINTM_vec_half          "0q00111001111001100110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), |env, f, n| frint(env, f, n, Rounding::Minus));
        Fp FRINTZ_vec               "0q0011101s100001100110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), |env, f, n| frint(env, f, n, Rounding::Zero));
        Fp FRINTZ_vec_half          "0q00111011111001100110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), |env, f, n| frint(env, f, n, Rounding::Zero));
        Fp FRINTX_vec               "0q1011100s100001100110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), frintx);
        Fp FRINTX_vec_half          "0q10111001111001100110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), frintx);
        Fp FRINTI_vec               "0q1011101s100001100110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), frinti);
        Fp FRINTI_vec_half          "0q10111011111001100110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), frinti);
        Fp FCVTNS_vec               "0q0011100s100001101010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTNS_vec_half          "0q00111001111001101010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTNS_scalar            "010111100s100001101010nnnnnddddd" AdvSIMD                  |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTNS_scalar_half       "0101111001111001101010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTNU_vec               "0q1011100s100001101010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTNU_vec_half          "0q10111001111001101010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTNU_scalar            "011111100s100001101010nnnnnddddd" AdvSIMD                  |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTNU_scalar_half       "0111111001111001101010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTPS_vec               "0q0011101s100001101010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTPS_vec_half          "0q00111011111001101010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTPS_scalar            "010111101s100001101010nnnnnddddd" AdvSIMD                  |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTPS_scalar_half       "0101111011111001101010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTPU_vec               "0q1011101s100001101010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTPU_vec_half          "0q10111011111001101010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTPU_scalar            "011111101s100001101010nnnnnddddd" AdvSIMD                  |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTPU_scalar_half       "0111111011111001101010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTMS_vec               "0q0011100s100001101110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTMS_vec_half          "0q00111001111001101110nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTMS_scalar            "010111100s100001101110nnnnnddddd" AdvSIMD                  |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTMS_scalar_half       "0101111001111001101110nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTMU_vec               "0q1011100s100001101110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTMU_vec_half          "0q10111001111001101110nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTMU_scalar            "011111100s100001101110nnnnnddddd" AdvSIMD                  |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTMU_scalar_half       "0111111001111001101110nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTZS_vec               "0q0011101s100001101110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| to_int(c, i, Rounding::Zero);
        Fp FCVTZS_vec_half          "0q00111011111001101110nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Zero);
        Fp FCVTZS_scalar            "010111101s100001101110nnnnnddddd" AdvSIMD                  |c, _, i| to_int(c, i, Rounding::Zero);
        Fp FCVTZS_scalar_half       "0101111011111001101110nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Zero);
        Fp FCVTZU_vec               "0q1011101s100001101110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| to_int(c, i, Rounding::Zero);
        Fp FCVTZU_vec_half          "0q10111011111001101110nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Zero);
        Fp FCVTZU_scalar            "011111101s100001101110nnnnnddddd" AdvSIMD                  |c, _, i| to_int(c, i, Rounding::Zero);
        Fp FCVTZU_scalar_half       "0111111011111001101110nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::Zero);
        Fp FCVTAS_vec               "0q0011100s100001110010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp FCVTAS_vec_half          "0q00111001111001110010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp FCVTAS_scalar            "010111100s100001110010nnnnnddddd" AdvSIMD                  |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp FCVTAS_scalar_half       "0101111001111001110010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp FCVTAU_vec               "0q1011100s100001110010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp FCVTAU_vec_half          "0q10111001111001110010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp FCVTAU_scalar            "011111100s100001110010nnnnnddddd" AdvSIMD                  |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp FCVTAU_scalar_half       "0111111001111001110010nnnnnddddd" FP16                     |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp SCVTF_vec                "0q0011100s100001110110nnnnnddddd" AdvSIMD where not_1d_sz, from_int;
        Fp SCVTF_vec_half           "0q00111001111001110110nnnnnddddd" FP16                     from_int;
        Fp SCVTF_scalar             "010111100s100001110110nnnnnddddd" AdvSIMD                  from_int;
        Fp SCVTF_scalar_half        "0101111001111001110110nnnnnddddd" FP16                     from_int;
        Fp UCVTF_vec                "0q1011100s100001110110nnnnnddddd" AdvSIMD where not_1d_sz, from_int;
        Fp UCVTF_vec_half           "0q10111001111001110110nnnnnddddd" FP16                     from_int;
        Fp UCVTF_scalar             "011111100s100001110110nnnnnddddd" AdvSIMD                  from_int;
        Fp UCVTF_scalar_half        "0111111001111001110110nnnnnddddd" FP16                     from_int;
        Fp FRECPE_vec               "0q0011101s100001110110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), fp_recip);
        Fp FRECPE_vec_half          "0q00111011111001110110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), fp_recip);
        Fp FRECPE_scalar            "010111101s100001110110nnnnnddddd" AdvSIMD                  |c, _, i| map_fp(c, i, misc(i), fp_recip);
        Fp FRECPE_scalar_half       "0101111011111001110110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), fp_recip);
        Fp FRSQRTE_vec              "0q1011101s100001110110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), fp_rsqrt);
        Fp FRSQRTE_vec_half         "0q10111011111001110110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), fp_rsqrt);
        Fp FRSQRTE_scalar           "011111101s100001110110nnnnnddddd" AdvSIMD                  |c, _, i| map_fp(c, i, misc(i), fp_rsqrt);
        Fp FRSQRTE_scalar_half      "0111111011111001110110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), fp_rsqrt);
        Fp FCMGT_zero_vec           "0q0011101s100000110010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| zero(c, i, |env, f, a| gt(env, f, a, 0));
        Fp FCMGT_zero_vec_half      "0q00111011111000110010nnnnnddddd" FP16                     |c, _, i| zero(c, i, |env, f, a| gt(env, f, a, 0));
        Fp FCMGT_zero_scalar        "010111101s100000110010nnnnnddddd" AdvSIMD                  |c, _, i| zero(c, i, |env, f, a| gt(env, f, a, 0));
        Fp FCMGT_zero_scalar_half   "0101111011111000110010nnnnnddddd" FP16                     |c, _, i| zero(c, i, |env, f, a| gt(env, f, a, 0));
        Fp FCMGE_zero_vec           "0q1011101s100000110010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| zero(c, i, |env, f, a| ge(env, f, a, 0));
        Fp FCMGE_zero_vec_half      "0q10111011111000110010nnnnnddddd" FP16                     |c, _, i| zero(c, i, |env, f, a| ge(env, f, a, 0));
        Fp FCMGE_zero_scalar        "011111101s100000110010nnnnnddddd" AdvSIMD                  |c, _, i| zero(c, i, |env, f, a| ge(env, f, a, 0));
        Fp FCMGE_zero_scalar_half   "0111111011111000110010nnnnnddddd" FP16                     |c, _, i| zero(c, i, |env, f, a| ge(env, f, a, 0));
        Fp FCMEQ_zero_vec           "0q0011101s100000110110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| zero(c, i, |env, f, a| eq(env, f, a, 0));
        Fp FCMEQ_zero_vec_half      "0q00111011111000110110nnnnnddddd" FP16                     |c, _, i| zero(c, i, |env, f, a| eq(env, f, a, 0));
        Fp FCMEQ_zero_scalar        "010111101s100000110110nnnnnddddd" AdvSIMD                  |c, _, i| zero(c, i, |env, f, a| eq(env, f, a, 0));
        Fp FCMEQ_zero_scalar_half   "0101111011111000110110nnnnnddddd" FP16                     |c, _, i| zero(c, i, |env, f, a| eq(env, f, a, 0));
        Fp FCMLE_zero_vec           "0q1011101s100000110110nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| zero(c, i, |env, f, a| ge(env, f, 0, a));
        Fp FCMLE_zero_vec_half      "0q10111011111000110110nnnnnddddd" FP16                     |c, _, i| zero(c, i, |env, f, a| ge(env, f, 0, a));
        Fp FCMLE_zero_scalar        "011111101s100000110110nnnnnddddd" AdvSIMD                  |c, _, i| zero(c, i, |env, f, a| ge(env, f, 0, a));
        Fp FCMLE_zero_scalar_half   "0111111011111000110110nnnnnddddd" FP16                     |c, _, i| zero(c, i, |env, f, a| ge(env, f, 0, a));
        Fp FCMLT_zero_vec           "0q0011101s100000111010nnnnnddddd" AdvSIMD where not_1d_sz, |c, _, i| zero(c, i, |env, f, a| gt(env, f, 0, a));
        Fp FCMLT_zero_vec_half      "0q00111011111000111010nnnnnddddd" FP16                     |c, _, i| zero(c, i, |env, f, a| gt(env, f, 0, a));
        Fp FCMLT_zero_scalar        "010111101s100000111010nnnnnddddd" AdvSIMD                  |c, _, i| zero(c, i, |env, f, a| gt(env, f, 0, a));
        Fp FCMLT_zero_scalar_half   "0101111011111000111010nnnnnddddd" FP16                     |c, _, i| zero(c, i, |env, f, a| gt(env, f, 0, a));
        Fp FRECPX_scalar            "010111101s100001111110nnnnnddddd" AdvSIMD                  |c, _, i| map_fp(c, i, misc(i), fp_recpx);
        Fp FRECPX_scalar_half       "0101111011111001111110nnnnnddddd" FP16                     |c, _, i| map_fp(c, i, misc(i), fp_recpx);
        Fp FCVTL                    "0q0011100s100001011110nnnnnddddd" AdvSIMD                  fcvtl;
        Fp FCVTN                    "0q0011100s100001011010nnnnnddddd" AdvSIMD                  |c, _, i| fcvtn(c, i, None);
        Fp FCVTXN_vec               "0q10111001100001011010nnnnnddddd" AdvSIMD                  |c, _, i| fcvtn(c, i, Some(Rounding::Odd));
        Fp FCVTXN_scalar            "0111111001100001011010nnnnnddddd" AdvSIMD                  |c, _, i| fcvtn(c, i, Some(Rounding::Odd));
        Fp SCVTF_fixed_vec_half     "0q0011110001hbbb111001nnnnnddddd" FP16                     from_fixed_point;
        Fp SCVTF_fixed_scalar_half  "010111110001hbbb111001nnnnnddddd" FP16                     from_fixed_point;
        Fp UCVTF_fixed_vec_half     "0q1011110001hbbb111001nnnnnddddd" FP16                     from_fixed_point;
        Fp UCVTF_fixed_scalar_half  "011111110001hbbb111001nnnnnddddd" FP16                     from_fixed_point;
        Fp FCVTZS_fixed_vec_half    "0q0011110001hbbb111111nnnnnddddd" FP16                     to_fixed_point;
        Fp FCVTZS_fixed_scalar_half "010111110001hbbb111111nnnnnddddd" FP16                     to_fixed_point;
        Fp FCVTZU_fixed_vec_half    "0q1011110001hbbb111111nnnnnddddd" FP16                     to_fixed_point;
        Fp FCVTZU_fixed_scalar_half "011111110001hbbb111111nnnnnddddd" FP16                     to_fixed_point;
        Fp SCVTF_fixed_vec          "0q0011110++hhbbb111001nnnnnddddd" AdvSIMD where not_1d_sz, from_fixed_point;
        Fp SCVTF_fixed_scalar       "010111110++hhbbb111001nnnnnddddd" AdvSIMD                  from_fixed_point;
        Fp UCVTF_fixed_vec          "0q1011110++hhbbb111001nnnnnddddd" AdvSIMD where not_1d_sz, from_fixed_point;
        Fp UCVTF_fixed_scalar       "011111110++hhbbb111001nnnnnddddd" AdvSIMD                  from_fixed_point;
        Fp FCVTZS_fixed_vec         "0q0011110++hhbbb111111nnnnnddddd" AdvSIMD where not_1d_sz, to_fixed_point;
        Fp FCVTZS_fixed_scalar      "010111110++hhbbb111111nnnnnddddd" AdvSIMD                  to_fixed_point;
        Fp FCVTZU_fixed_vec         "0q1011110++hhbbb111111nnnnnddddd" AdvSIMD where not_1d_sz, to_fixed_point;
        Fp FCVTZU_fixed_scalar      "011111110++hhbbb111111nnnnnddddd" AdvSIMD                  to_fixed_point;
        Fp FRINT32Z_vec               "0q0011100s100001111010nnnnnddddd" FRINTTS where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), |env, f, n| round_int_n(env, f, n, Rounding::Zero, 32));
        Fp FRINT32X_vec               "0q1011100s100001111010nnnnnddddd" FRINTTS where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), |env, f, n| frintx_n(env, f, n, 32));
        Fp FRINT64Z_vec               "0q0011100s100001111110nnnnnddddd" FRINTTS where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), |env, f, n| round_int_n(env, f, n, Rounding::Zero, 64));
        Fp FRINT64X_vec               "0q1011100s100001111110nnnnnddddd" FRINTTS where not_1d_sz, |c, _, i| map_fp(c, i, misc(i), |env, f, n| frintx_n(env, f, n, 64));
    }
}

/// Compare elements with zero; all ones where it holds.
#[inline(always)]
fn zero(c: &mut Cpu, i: u32, op: impl Fn(&mut Env, Format, u64) -> bool) -> Done {
    map_fp(c, i, misc(i), |env, f, a| {
        (op(env, f, a) as u64).wrapping_neg()
    })
}
/// FCVTxS, FCVTxU: elements to integers of their size.
fn to_int(c: &mut Cpu, i: u32, mode: Rounding) -> Done {
    map_fp(c, i, misc(i), |env, f, a| {
        to_fixed(env, f, a, 0, u(i), mode, f.bits)
    })
}
fn from_int(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    map_fp(c, i, misc(i), |env, f, a| int_to_fp(env, f, a, i, 0))
}
fn int_to_fp(env: &mut Env, f: Format, a: u64, i: u32, fbits: u32) -> u64 {
    let mode = env.rounding();
    from_fixed(env, f, extend(a, f.bits, u(i)), fbits, mode)
}

/// The format of a fixed-point conversion: the highest set bit of immh.
fn fixed_format(i: u32) -> Format {
    match field(i, 22, 19) {
        8.. => Format::DOUBLE,
        4.. => Format::SINGLE,
        _ => Format::HALF,
    }
}
fn fixed_bits(i: u32) -> u32 {
    2 * fixed_format(i).bits - field(i, 22, 16)
}
fn to_fixed_point(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    map_fp(c, i, fixed_format(i), |env, f, a| {
        to_fixed(env, f, a, fixed_bits(i), u(i), Rounding::Zero, f.bits)
    })
}
fn from_fixed_point(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    map_fp(c, i, fixed_format(i), |env, f, a| {
        int_to_fp(env, f, a, i, fixed_bits(i))
    })
}

/// The formats of FCVTL, FCVTN and FCVTXN: half and single, or single and double.
fn narrow_and_wide(i: u32) -> (Format, Format) {
    if field(i, 22, 22) == 0 {
        (Format::HALF, Format::SINGLE)
    } else {
        (Format::SINGLE, Format::DOUBLE)
    }
}
fn fcvtl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (narrow, wide) = narrow_and_wide(i);
    let r = with_env(c, |c, env| {
        let (n, mode) = (part(c.v[rn(i)], i), env.rounding());
        build(128, wide.bits, |k, e| {
            convert(env, narrow, wide, elem(n, k, e / 2), mode) as i128
        })
    });
    c.v[rd(i)] = r;
    DONE
}
/// Narrow, with the given rounding mode or that of FPCR.
fn fcvtn(c: &mut Cpu, i: u32, mode: Option<Rounding>) -> Done {
    let (narrow, wide) = narrow_and_wide(i);
    let r = with_env(c, |c, env| {
        let (n, mode) = (c.v[rn(i)], mode.unwrap_or(env.rounding()));
        let bits = if scalar(i) { narrow.bits } else { 64 };
        build(bits, narrow.bits, |k, e| {
            convert(env, wide, narrow, elem(n, k, 2 * e), mode) as i128
        })
    });
    set_part(c, i, r);
    DONE
}
