//! Advanced SIMD three same (extra) and its by-element forms, integer: rounding doubling multiply-accumulate, dot products and
//! 8-bit matrices (Arm ARM C4.1.96).

use super::lanes::*;
use super::simd_by_element::element;
use crate::bits::field;
use crate::cpu::Cpu;
use crate::helper_rows;

helper_rows! {
    Fp SQRDMLAH_vec         "0q101110ss0mmmmm100001nnnnnddddd" RDM where h_or_s, |c, _, i| vectors(c, i, 1);
    Fp SQRDMLAH_scalar      "01111110ss0mmmmm100001nnnnnddddd" RDM where h_or_s, |c, _, i| vectors(c, i, 1);
    Fp SQRDMLSH_vec         "0q101110ss0mmmmm100011nnnnnddddd" RDM where h_or_s, |c, _, i| vectors(c, i, -1);
    Fp SQRDMLSH_scalar      "01111110ss0mmmmm100011nnnnnddddd" RDM where h_or_s, |c, _, i| vectors(c, i, -1);
    Fp SQRDMLAH_elem        "0q101111sslmmmmm1101h0nnnnnddddd" RDM where h_or_s, |c, _, i| by_element(c, i, 1);
    Fp SQRDMLAH_elem_scalar "01111111sslmmmmm1101h0nnnnnddddd" RDM where h_or_s, |c, _, i| by_element(c, i, 1);
    Fp SQRDMLSH_elem        "0q101111sslmmmmm1111h0nnnnnddddd" RDM where h_or_s, |c, _, i| by_element(c, i, -1);
    Fp SQRDMLSH_elem_scalar "01111111sslmmmmm1111h0nnnnnddddd" RDM where h_or_s, |c, _, i| by_element(c, i, -1);

    Fp SDOT_vec   "0q001110100mmmmm100101nnnnnddddd" DotProd |c, _, i| dot(c, i, false, false, None);
    Fp UDOT_vec   "0q101110100mmmmm100101nnnnnddddd" DotProd |c, _, i| dot(c, i, true, true, None);
    Fp SDOT_elem  "0q00111110lmmmmm1110h0nnnnnddddd" DotProd |c, _, i| dot(c, i, false, false, Some(index(i)));
    Fp UDOT_elem  "0q10111110lmmmmm1110h0nnnnnddddd" DotProd |c, _, i| dot(c, i, true, true, Some(index(i)));
    Fp USDOT_vec  "0q001110100mmmmm100111nnnnnddddd" I8MM |c, _, i| dot(c, i, true, false, None);
    Fp USDOT_elem "0q00111110lmmmmm1111h0nnnnnddddd" I8MM |c, _, i| dot(c, i, true, false, Some(index(i)));
    Fp SUDOT_elem "0q00111100lmmmmm1111h0nnnnnddddd" I8MM |c, _, i| dot(c, i, false, true, Some(index(i)));
    Fp SMMLA      "01001110100mmmmm101001nnnnnddddd" I8MM |c, _, i| matrix(c, i, false, false);
    Fp UMMLA      "01101110100mmmmm101001nnnnnddddd" I8MM |c, _, i| matrix(c, i, true, true);
    Fp USMMLA     "01001110100mmmmm101011nnnnnddddd" I8MM |c, _, i| matrix(c, i, true, false);
}

/// `SQRDMLAH`, `SQRDMLSH`: add `sign` times twice the product, high half, rounded once, saturated.
fn accumulate(c: &mut Cpu, i: u32, sign: i128, m: impl Fn(u32) -> i128) -> Done {
    let (d, n, e) = (c.v[rd(i)], c.v[rn(i)], esize(i));
    let mut qc = 0;
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        let sum = (int(d, k, e, false) << e) + sign * 2 * int(n, k, e, false) * m(k);
        sat(shr(sum, e, true), e, false, &mut qc)
    });
    c.fpsr |= qc;
    DONE
}
fn vectors(c: &mut Cpu, i: u32, sign: i128) -> Done {
    let (m, e) = (c.v[rm(i)], esize(i));
    accumulate(c, i, sign, |k| int(m, k, e, false))
}
fn by_element(c: &mut Cpu, i: u32, sign: i128) -> Done {
    let m = element(c, i, false);
    accumulate(c, i, sign, |_| m)
}

/// H:L.
const fn index(i: u32) -> u32 {
    field(i, 11, 11) << 1 | field(i, 21, 21)
}
/// The sum of `count` products of bytes, from byte `a` of `n` and byte `b` of `m`.
fn products(n: u128, a: u32, m: u128, b: u32, count: u32, signs: (bool, bool)) -> i128 {
    (0..count)
        .map(|k| int(n, a + k, 8, signs.0) * int(m, b + k, 8, signs.1))
        .sum()
}
/// Dot products of four bytes, all of Vm or the four at `at`.
fn dot(c: &mut Cpu, i: u32, n_unsigned: bool, m_unsigned: bool, at: Option<u32>) -> Done {
    let (d, n, m) = (c.v[rd(i)], c.v[rn(i)], c.v[rm(i)]);
    c.v[rd(i)] = build(span(i, 32), 32, |k, e| {
        let b = 4 * at.unwrap_or(k);
        int(d, k, e, false) + products(n, 4 * k, m, b, 4, (n_unsigned, m_unsigned))
    });
    DONE
}
/// Rows of Vn times rows of Vm, two of eight bytes each.
fn matrix(c: &mut Cpu, i: u32, n_unsigned: bool, m_unsigned: bool) -> Done {
    let (d, n, m) = (c.v[rd(i)], c.v[rn(i)], c.v[rm(i)]);
    c.v[rd(i)] = build(128, 32, |k, e| {
        let (row, column) = (8 * (k / 2), 8 * (k % 2));
        int(d, k, e, false) + products(n, row, m, column, 8, (n_unsigned, m_unsigned))
    });
    DONE
}
