//! Conversion between floating point and integer, and moves between the register files (Arm ARM C4.1.97).

use super::fp_lanes::*;
use super::lanes::*;
use super::ops::{Args, Ops, W};
use crate::bits::{bit, field};
use crate::cpu::slot;
use crate::cpu::Cpu;
use crate::fp::convert::{from_fixed, to_fixed, to_int_js};
use crate::fp::env::Rounding;
use crate::mem::size::Size;
use crate::mixed_rows;
use crate::pe::Pe;
use crate::pstate::Flags;
use crate::shared::Shared;

mixed_rows! {
    pure {
        Fp FMOV_single_to_w "0001111000100110000000nnnnnddddd" "" FP x_v, w_from_s;
        Fp FMOV_w_to_single "0001111000100111000000nnnnnddddd" "" FP v_x, s_from_w;
        Fp FMOV_double_to_x "1001111001100110000000nnnnnddddd" "" FP x_v, x_from_d;
        Fp FMOV_x_to_double "1001111001100111000000nnnnnddddd" "" FP v_x, d_from_x;
        Fp FMOV_top_to_x    "1001111010101110000000nnnnnddddd" "" FP x_v, x_from_top;
        Fp FMOV_x_to_top    "1001111010101111000000nnnnnddddd" "" FP v_x, top_from_x;
        Fp FCVTZS_int       "z00111100t111000000000nnnnnddddd" "zt" FP x_v, towards_zero;
        Fp FCVTZU_int       "z00111100t111001000000nnnnnddddd" "zt" FP x_v, towards_zero;
        Fp SCVTF_int        "z00111100t100010000000nnnnnddddd" "zt" FP v_x, from_general_int;
        Fp UCVTF_int        "z00111100t100011000000nnnnnddddd" "zt" FP v_x, from_general_int;
    }
    helper {
        Fp FCVTNS_int      "z00111100t100000000000nnnnnddddd" FP   |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTNS_int_half "z001111011100000000000nnnnnddddd" FP16 |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTNU_int      "z00111100t100001000000nnnnnddddd" FP   |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTNU_int_half "z001111011100001000000nnnnnddddd" FP16 |c, _, i| to_int(c, i, Rounding::TieEven);
        Fp FCVTPS_int      "z00111100t101000000000nnnnnddddd" FP   |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTPS_int_half "z001111011101000000000nnnnnddddd" FP16 |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTPU_int      "z00111100t101001000000nnnnnddddd" FP   |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTPU_int_half "z001111011101001000000nnnnnddddd" FP16 |c, _, i| to_int(c, i, Rounding::Plus);
        Fp FCVTMS_int      "z00111100t110000000000nnnnnddddd" FP   |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTMS_int_half "z001111011110000000000nnnnnddddd" FP16 |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTMU_int      "z00111100t110001000000nnnnnddddd" FP   |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTMU_int_half "z001111011110001000000nnnnnddddd" FP16 |c, _, i| to_int(c, i, Rounding::Minus);
        Fp FCVTZS_int_half "z001111011111000000000nnnnnddddd" FP16 |c, _, i| to_int(c, i, Rounding::Zero);
        Fp FCVTZU_int_half "z001111011111001000000nnnnnddddd" FP16 |c, _, i| to_int(c, i, Rounding::Zero);
        Fp FCVTAS_int      "z00111100t100100000000nnnnnddddd" FP   |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp FCVTAS_int_half "z001111011100100000000nnnnnddddd" FP16 |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp FCVTAU_int      "z00111100t100101000000nnnnnddddd" FP   |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp FCVTAU_int_half "z001111011100101000000nnnnnddddd" FP16 |c, _, i| to_int(c, i, Rounding::TieAway);
        Fp SCVTF_int_half  "z001111011100010000000nnnnnddddd" FP16 from_int;
        Fp UCVTF_int_half  "z001111011100011000000nnnnnddddd" FP16 from_int;
        Fp FMOV_half_to_gen "z001111011100110000000nnnnnddddd" FP16 |c, _, i| to_general(c, i, elem(c.v[rn(i)], 0, 16));
        Fp FMOV_gen_to_half "z001111011100111000000nnnnnddddd" FP16 |c, _, i| from_general(c, i, 16);
        Fp FJCVTZS          "0001111001111110000000nnnnnddddd" JSCVT fjcvtzs;
    }
}

/// To a general register.
fn x_v(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        rn: (i >> 5 & 31) as u8,
        ..Args::default()
    })
}
/// From a general register.
fn v_x(i: u32) -> Option<Args> {
    Some(Args {
        rd: (i & 31) as u8,
        rn: slot::src(i >> 5),
        ..Args::default()
    })
}

#[inline(always)]
fn from_lane<B: Ops>(b: &mut B, a: &Args, size: Size, k: u32) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let v = b.lane(size, n, k);
    b.set_x(a.rd, v);
    Ok(())
}
#[inline(always)]
fn w_from_s<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    from_lane(b, a, Size::W, 0)
}
#[inline(always)]
fn x_from_d<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    from_lane(b, a, Size::X, 0)
}
#[inline(always)]
fn x_from_top<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    from_lane(b, a, Size::X, 1)
}
#[inline(always)]
fn s_from_w<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let x = b.x(a.rn);
    let x = b.zext(x, 32);
    let v = b.wide(x);
    b.set_q(a.rd, v);
    Ok(())
}
#[inline(always)]
fn d_from_x<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let x = b.x(a.rn);
    let v = b.wide(x);
    b.set_q(a.rd, v);
    Ok(())
}
#[inline(always)]
fn top_from_x<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (x, d) = (b.x(a.rn), b.q(a.rd));
    let v = b.with_lane(Size::X, d, 1, x);
    b.set_q(a.rd, v);
    Ok(())
}

/// FCVTZS, FCVTZU; bit 16 is unsigned.
#[inline(always)]
fn towards_zero<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.q(a.rn);
    let v = b.fp_to_int(ftype(I), W::of(I >> 31), !bit(I as u64, 16), n);
    b.set_x(a.rd, v);
    Ok(())
}
/// SCVTF, UCVTF; bit 16 is unsigned.
#[inline(always)]
fn from_general_int<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let n = b.x(a.rn);
    let v = b.fp_from_int(ftype(I), W::of(I >> 31), !bit(I as u64, 16), n);
    b.set_q(a.rd, v);
    Ok(())
}

/// 32 or 64, from `sf`.
const fn width(i: u32) -> u32 {
    32 << (i >> 31)
}
/// Bits behind the binary point: `64 - scale` in the fixed-point instructions (bit 21 clear).
const fn fbits(i: u32) -> u32 {
    if bit(i as u64, 21) {
        0
    } else {
        64 - field(i, 15, 10)
    }
}
fn general(c: &Cpu, i: u32) -> u64 {
    c.x[slot::src(i >> 5) as usize]
}
fn to_general(c: &mut Pe, i: u32, v: u64) -> Done {
    c.x[slot::dst(i) as usize] = v;
    DONE
}
fn from_general(c: &mut Cpu, i: u32, bits: u32) -> Done {
    c.v[rd(i)] = general(c, i) as u128 & mask(bits);
    DONE
}

/// FCVTxS, FCVTxU; bit 16 is unsigned.
pub fn to_int(c: &mut Pe, i: u32, mode: Rounding) -> Done {
    let f = ftype(i);
    let unsigned = bit(i as u64, 16);
    let r = with_env(c, |c, env| {
        to_fixed(
            env,
            f,
            low(c.v[rn(i)], f),
            fbits(i),
            unsigned,
            mode,
            width(i),
        )
    });
    to_general(c, i, r)
}
/// SCVTF, UCVTF.
pub fn from_int(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let f = ftype(i);
    let int = extend(general(c, i), width(i), bit(i as u64, 16));
    let r = with_env(c, |_, env| {
        let mode = env.rounding();
        from_fixed(env, f, int, fbits(i), mode)
    });
    c.v[rd(i)] = r as u128;
    DONE
}

fn fjcvtzs(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (r, exact) = with_env(c, |c, env| to_int_js(env, c.v[rn(i)] as u64));
    c.flags = Flags {
        z: exact as u8,
        ..Flags::default()
    };
    to_general(c, i, r as u64)
}
