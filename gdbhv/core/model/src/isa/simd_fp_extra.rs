//! Advanced SIMD three same (extra) and by-element forms, floating point: complex numbers, and half-precision products added to
//! single precision (Arm ARM C4.1.96).

use super::fp_lanes::*;
use super::lanes::*;
use crate::bits::field;
use crate::cpu::Cpu;
use crate::fp::arith::{add, mul_add};
use crate::fp::convert::widen_half;
use crate::fp::format::Format;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp FCADD      "0q101110ss0mmmmm111r01nnnnnddddd" FCMA where complex, fcadd;
    Fp FCMLA_vec  "0q101110ss0mmmmm110rr1nnnnnddddd" FCMA where complex, |c, _, i| fcmla(c, i, field(i, 12, 11), None);
    Fp FCMLA_elem_half "0q10111101lmmmmm0rr1h0nnnnnddddd" FCMA where |i| q(i) || field(i, 11, 11) == 0, |c, _, i| fcmla(c, i, field(i, 14, 13), Some(field(i, 11, 11) << 1 | field(i, 21, 21)));
    Fp FCMLA_elem      "01101111100mmmmm0rr1h0nnnnnddddd" FCMA |c, _, i| fcmla(c, i, field(i, 14, 13), Some(field(i, 11, 11)));

    Fp FMLAL_vec   "0q001110001mmmmm111011nnnnnddddd" FHM |c, _, i| widening(c, i, 0, false, None);
    Fp FMLSL_vec   "0q001110101mmmmm111011nnnnnddddd" FHM |c, _, i| widening(c, i, 0, true, None);
    Fp FMLAL2_vec  "0q101110001mmmmm110011nnnnnddddd" FHM |c, _, i| widening(c, i, 1, false, None);
    Fp FMLSL2_vec  "0q101110101mmmmm110011nnnnnddddd" FHM |c, _, i| widening(c, i, 1, true, None);
    Fp FMLAL_elem  "0q00111110lmmmmm0000h0nnnnnddddd" FHM |c, _, i| widening(c, i, 0, false, Some(index(i)));
    Fp FMLSL_elem  "0q00111110lmmmmm0100h0nnnnnddddd" FHM |c, _, i| widening(c, i, 0, true, Some(index(i)));
    Fp FMLAL2_elem "0q10111110lmmmmm1000h0nnnnnddddd" FHM |c, _, i| widening(c, i, 1, false, Some(index(i)));
    Fp FMLSL2_elem "0q10111110lmmmmm1100h0nnnnnddddd" FHM |c, _, i| widening(c, i, 1, true, Some(index(i)));
}

const fn complex(i: u32) -> bool {
    field(i, 23, 22) != 0 && not_1d(i)
}
/// The format named by `size`.
fn size(i: u32) -> Format {
    match field(i, 23, 22) {
        1 => Format::HALF,
        2 => Format::SINGLE,
        _ => Format::DOUBLE,
    }
}

/// Add Vm turned by 90 or 270 degrees: even elements are real, odd ones imaginary parts.
fn fcadd(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (f, turn) = (size(i), field(i, 12, 12));
    let r = with_env(c, |c, env| {
        let (n, m) = (c.v[rn(i)], c.v[rm(i)]);
        build(span(i, 0), f.bits, |k, e| {
            let negate = if k & 1 == turn { f.sign() } else { 0 };
            add(env, f, elem(n, k, e), elem(m, k ^ 1, e) ^ negate) as i128
        })
    });
    c.v[rd(i)] = r;
    DONE
}
/// Add one half of the complex product: the real part of Vn (turns of 0 and 180 degrees) or its imaginary part (90 and 270)
/// times Vm turned; Vm is taken by pairs, or all from pair `at`.
fn fcmla(c: &mut Cpu, i: u32, turn: u32, at: Option<u32>) -> Done {
    let f = size(i);
    let r = with_env(c, |c, env| {
        let (d, n, m) = (c.v[rd(i)], c.v[rn(i)], c.v[rm(i)]);
        build(span(i, 0), f.bits, |k, e| {
            let imaginary = k & 1;
            let from = 2 * at.unwrap_or(k / 2) + (imaginary ^ turn & 1);
            let negate = if imaginary == 0 {
                matches!(turn, 1 | 2)
            } else {
                turn >= 2
            };
            let a = elem(n, k & !1 | turn & 1, e);
            let b = elem(m, from, e) ^ if negate { f.sign() } else { 0 };
            mul_add(env, f, elem(d, k, e), a, b) as i128
        })
    });
    c.v[rd(i)] = r;
    DONE
}

/// H:L:M.
const fn index(i: u32) -> u32 {
    field(i, 11, 11) << 2 | field(i, 21, 21) << 1 | field(i, 20, 20)
}
/// Half-precision elements of the lower or upper half of the operands, multiplied and added to single-precision ones.
fn widening(c: &mut Cpu, i: u32, part: u32, subtract: bool, at: Option<u32>) -> Done {
    let f = Format::SINGLE;
    let r = with_env(c, |c, env| {
        let rm = if at.is_some() { rm(i) & 15 } else { rm(i) };
        let (d, n, m) = (c.v[rd(i)], c.v[rn(i)], c.v[rm]);
        let first = part * span(i, 0) / f.bits;
        build(span(i, 0), f.bits, |k, e| {
            let negate = if subtract { Format::HALF.sign() } else { 0 };
            let a = widen_half(env, elem(n, first + k, 16) ^ negate);
            let b = widen_half(env, elem(m, at.unwrap_or(first + k), 16));
            mul_add(env, f, elem(d, k, e), a, b) as i128
        })
    });
    c.v[rd(i)] = r;
    DONE
}
