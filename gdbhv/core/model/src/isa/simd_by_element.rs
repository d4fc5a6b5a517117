//! Advanced SIMD vector x indexed element, and the scalar forms, integer (Arm ARM C4.1.96). For 16-bit elements the index is
//! H:L:M and Rm has four bits; for 32-bit elements it is H:L.

use super::lanes::*;
use super::simd_three_diff::qd_long;
use super::simd_three_same::dmulh;
use crate::bits::field;
use crate::cpu::Cpu;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp MLA_elem   "0q101111sslmmmmm0000h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| same(c, i, |d, a, b| d + a * b);
    Fp MLS_elem   "0q101111sslmmmmm0100h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| same(c, i, |d, a, b| d - a * b);
    Fp MUL_elem   "0q001111sslmmmmm1000h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| same(c, i, |_, a, b| a * b);
    Fp SMLAL_elem "0q001111sslmmmmm0010h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| long(c, i, |d, a, b| d + a * b);
    Fp UMLAL_elem "0q101111sslmmmmm0010h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| long(c, i, |d, a, b| d + a * b);
    Fp SMLSL_elem "0q001111sslmmmmm0110h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| long(c, i, |d, a, b| d - a * b);
    Fp UMLSL_elem "0q101111sslmmmmm0110h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| long(c, i, |d, a, b| d - a * b);
    Fp SMULL_elem "0q001111sslmmmmm1010h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| long(c, i, |_, a, b| a * b);
    Fp UMULL_elem "0q101111sslmmmmm1010h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| long(c, i, |_, a, b| a * b);

    Fp SQDMLAL_elem         "0q001111sslmmmmm0011h0nnnnnddddd" AdvSIMD where h_or_s, qdmlal;
    Fp SQDMLAL_elem_scalar  "01011111sslmmmmm0011h0nnnnnddddd" AdvSIMD where h_or_s, qdmlal;
    Fp SQDMLSL_elem         "0q001111sslmmmmm0111h0nnnnnddddd" AdvSIMD where h_or_s, qdmlsl;
    Fp SQDMLSL_elem_scalar  "01011111sslmmmmm0111h0nnnnnddddd" AdvSIMD where h_or_s, qdmlsl;
    Fp SQDMULL_elem         "0q001111sslmmmmm1011h0nnnnnddddd" AdvSIMD where h_or_s, qdmull;
    Fp SQDMULL_elem_scalar  "01011111sslmmmmm1011h0nnnnnddddd" AdvSIMD where h_or_s, qdmull;
    Fp SQDMULH_elem         "0q001111sslmmmmm1100h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| high(c, i, false);
    Fp SQDMULH_elem_scalar  "01011111sslmmmmm1100h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| high(c, i, false);
    Fp SQRDMULH_elem        "0q001111sslmmmmm1101h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| high(c, i, true);
    Fp SQRDMULH_elem_scalar "01011111sslmmmmm1101h0nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| high(c, i, true);
}

/// The element that all others meet.
pub fn element(c: &Cpu, i: u32, unsigned: bool) -> i128 {
    let (h, l, m) = (field(i, 11, 11), field(i, 21, 21), field(i, 20, 20));
    if esize(i) == 16 {
        int(c.v[rm(i) & 15], h << 2 | l << 1 | m, 16, unsigned)
    } else {
        int(c.v[rm(i)], h << 1 | l, 32, unsigned)
    }
}

#[inline(always)]
fn same(c: &mut Cpu, i: u32, f: impl Fn(i128, i128, i128) -> i128) -> Done {
    let (d, n, m, e) = (c.v[rd(i)], c.v[rn(i)], element(c, i, u(i)), esize(i));
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        f(int(d, k, e, u(i)), int(n, k, e, u(i)), m)
    });
    DONE
}
#[inline(always)]
fn long(c: &mut Cpu, i: u32, f: impl Fn(i128, i128, i128) -> i128) -> Done {
    let (d, n, m) = (c.v[rd(i)], part(c.v[rn(i)], i), element(c, i, u(i)));
    c.v[rd(i)] = build(128, 2 * esize(i), |k, e| {
        f(int(d, k, e, u(i)), int(n, k, e / 2, u(i)), m)
    });
    DONE
}
fn high(c: &mut Cpu, i: u32, round: bool) -> Done {
    let (n, m, e) = (c.v[rn(i)], element(c, i, false), esize(i));
    let mut qc = 0;
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        let x = dmulh(int(n, k, e, false), m, e, round);
        sat(x, e, false, &mut qc)
    });
    c.fpsr |= qc;
    DONE
}

#[inline(always)]
fn qd(c: &mut Cpu, i: u32, f: fn(i128, i128) -> i128) -> Done {
    let (n, m) = (part(c.v[rn(i)], i), element(c, i, false));
    qd_long(c, i, n, |_| m, f)
}
fn qdmlal(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    qd(c, i, |d, p| d + p)
}
fn qdmlsl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    qd(c, i, |d, p| d - p)
}
fn qdmull(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    qd(c, i, |_, p| p)
}
