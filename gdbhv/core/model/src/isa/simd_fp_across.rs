//! Advanced SIMD across lanes and scalar pairwise, floating point (Arm ARM C4.1.96).

use super::fp_lanes::*;
use super::lanes::*;
use crate::cpu::Cpu;
use crate::fp::arith::add;
use crate::fp::compare::{max, max_num, min, min_num};
use crate::fp::env::Env;
use crate::fp::format::Format;
use crate::helper_rows;

helper_rows! {
    Fp FMAXNMV             "0110111000110000110010nnnnnddddd" AdvSIMD |c, _, i| across(c, i, max_num);
    Fp FMAXNMV_half        "0q00111000110000110010nnnnnddddd" FP16    |c, _, i| across(c, i, max_num);
    Fp FMINNMV             "0110111010110000110010nnnnnddddd" AdvSIMD |c, _, i| across(c, i, min_num);
    Fp FMINNMV_half        "0q00111010110000110010nnnnnddddd" FP16    |c, _, i| across(c, i, min_num);
    Fp FMAXV               "0110111000110000111110nnnnnddddd" AdvSIMD |c, _, i| across(c, i, max);
    Fp FMAXV_half          "0q00111000110000111110nnnnnddddd" FP16    |c, _, i| across(c, i, max);
    Fp FMINV               "0110111010110000111110nnnnnddddd" AdvSIMD |c, _, i| across(c, i, min);
    Fp FMINV_half          "0q00111010110000111110nnnnnddddd" FP16    |c, _, i| across(c, i, min);
    Fp FADDP_scalar        "011111100s110000110110nnnnnddddd" AdvSIMD |c, _, i| across(c, i, add);
    Fp FADDP_scalar_half   "0101111000110000110110nnnnnddddd" FP16    |c, _, i| across(c, i, add);
    Fp FMAXNMP_scalar      "011111100s110000110010nnnnnddddd" AdvSIMD |c, _, i| across(c, i, max_num);
    Fp FMAXNMP_scalar_half "0101111000110000110010nnnnnddddd" FP16    |c, _, i| across(c, i, max_num);
    Fp FMINNMP_scalar      "011111101s110000110010nnnnnddddd" AdvSIMD |c, _, i| across(c, i, min_num);
    Fp FMINNMP_scalar_half "0101111010110000110010nnnnnddddd" FP16    |c, _, i| across(c, i, min_num);
    Fp FMAXP_scalar        "011111100s110000111110nnnnnddddd" AdvSIMD |c, _, i| across(c, i, max);
    Fp FMAXP_scalar_half   "0101111000110000111110nnnnnddddd" FP16    |c, _, i| across(c, i, max);
    Fp FMINP_scalar        "011111101s110000111110nnnnnddddd" AdvSIMD |c, _, i| across(c, i, min);
    Fp FMINP_scalar_half   "0101111010110000111110nnnnnddddd" FP16    |c, _, i| across(c, i, min);
}

/// `Reduce`: the lower half, the upper half, then both.
fn reduce(env: &mut Env, f: Format, v: u128, bits: u32, op: Op2) -> u64 {
    if bits == f.bits {
        return low(v, f);
    }
    let half = bits / 2;
    let (a, b) = (
        reduce(env, f, v, half, op),
        reduce(env, f, v >> half, half, op),
    );
    op(env, f, a, b)
}
/// All elements of the vector. Half precision has U clear.
fn across(c: &mut Cpu, i: u32, op: Op2) -> Done {
    let f = if u(i) { sz(i) } else { Format::HALF };
    let bits = if scalar(i) { 2 * f.bits } else { span(i, 0) };
    let r = with_env(c, |c, env| reduce(env, f, c.v[rn(i)], bits, op));
    c.v[rd(i)] = r as u128;
    DONE
}
