//! Advanced SIMD vector x indexed element, and the scalar forms, floating point (Arm ARM C4.1.96). The index is H:L:M for half,
//! H:L for single, H for double precision.

use super::fp_lanes::*;
use super::lanes::*;
use crate::bits::field;
use crate::cpu::Cpu;
use crate::fp::arith::{mul, mul_add, mulx};
use crate::fp::format::Format;
use crate::helper_rows;

helper_rows! {
    Fp FMUL_elem              "0q0011111slmmmmm1001h0nnnnnddddd" AdvSIMD where valid, |c, _, i| product(c, i, mul);
    Fp FMUL_elem_half         "0q00111100lmmmmm1001h0nnnnnddddd" FP16                 |c, _, i| product(c, i, mul);
    Fp FMUL_elem_scalar       "010111111slmmmmm1001h0nnnnnddddd" AdvSIMD where valid, |c, _, i| product(c, i, mul);
    Fp FMUL_elem_scalar_half  "0101111100lmmmmm1001h0nnnnnddddd" FP16                 |c, _, i| product(c, i, mul);
    Fp FMULX_elem             "0q1011111slmmmmm1001h0nnnnnddddd" AdvSIMD where valid, |c, _, i| product(c, i, mulx);
    Fp FMULX_elem_half        "0q10111100lmmmmm1001h0nnnnnddddd" FP16                 |c, _, i| product(c, i, mulx);
    Fp FMULX_elem_scalar      "011111111slmmmmm1001h0nnnnnddddd" AdvSIMD where valid, |c, _, i| product(c, i, mulx);
    Fp FMULX_elem_scalar_half "0111111100lmmmmm1001h0nnnnnddddd" FP16                 |c, _, i| product(c, i, mulx);
    Fp FMLA_elem              "0q0011111slmmmmm0001h0nnnnnddddd" AdvSIMD where valid, |c, _, i| fmla(c, i, false);
    Fp FMLA_elem_half         "0q00111100lmmmmm0001h0nnnnnddddd" FP16                 |c, _, i| fmla(c, i, false);
    Fp FMLA_elem_scalar       "010111111slmmmmm0001h0nnnnnddddd" AdvSIMD where valid, |c, _, i| fmla(c, i, false);
    Fp FMLA_elem_scalar_half  "0101111100lmmmmm0001h0nnnnnddddd" FP16                 |c, _, i| fmla(c, i, false);
    Fp FMLS_elem              "0q0011111slmmmmm0101h0nnnnnddddd" AdvSIMD where valid, |c, _, i| fmla(c, i, true);
    Fp FMLS_elem_half         "0q00111100lmmmmm0101h0nnnnnddddd" FP16                 |c, _, i| fmla(c, i, true);
    Fp FMLS_elem_scalar       "010111111slmmmmm0101h0nnnnnddddd" AdvSIMD where valid, |c, _, i| fmla(c, i, true);
    Fp FMLS_elem_scalar_half  "0101111100lmmmmm0101h0nnnnnddddd" FP16                 |c, _, i| fmla(c, i, true);
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
fn fmla(c: &mut Cpu, i: u32, subtract: bool) -> Done {
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
