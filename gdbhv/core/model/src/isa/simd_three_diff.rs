//! Advanced SIMD three different, vector and scalar (Arm ARM C4.1.96): long, wide and narrowing arithmetic. With Q, the second
//! half of the narrow vector is meant (the `2` mnemonics).

use super::lanes::*;
use super::simd_three_same::polynomial;
use crate::cpu::Cpu;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp SADDL "0q001110ss1mmmmm000000nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |_, a, b| a + b);
    Fp UADDL "0q101110ss1mmmmm000000nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |_, a, b| a + b);
    Fp SADDW "0q001110ss1mmmmm000100nnnnnddddd" AdvSIMD where no_d, |c, _, i| wide(c, i, |a, b| a + b);
    Fp UADDW "0q101110ss1mmmmm000100nnnnnddddd" AdvSIMD where no_d, |c, _, i| wide(c, i, |a, b| a + b);
    Fp SSUBL "0q001110ss1mmmmm001000nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |_, a, b| a - b);
    Fp USUBL "0q101110ss1mmmmm001000nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |_, a, b| a - b);
    Fp SSUBW "0q001110ss1mmmmm001100nnnnnddddd" AdvSIMD where no_d, |c, _, i| wide(c, i, |a, b| a - b);
    Fp USUBW "0q101110ss1mmmmm001100nnnnnddddd" AdvSIMD where no_d, |c, _, i| wide(c, i, |a, b| a - b);

    Fp ADDHN  "0q001110ss1mmmmm010000nnnnnddddd" AdvSIMD where no_d, |c, _, i| high(c, i, false, |a, b| a + b);
    Fp RADDHN "0q101110ss1mmmmm010000nnnnnddddd" AdvSIMD where no_d, |c, _, i| high(c, i, true, |a, b| a + b);
    Fp SUBHN  "0q001110ss1mmmmm011000nnnnnddddd" AdvSIMD where no_d, |c, _, i| high(c, i, false, |a, b| a - b);
    Fp RSUBHN "0q101110ss1mmmmm011000nnnnnddddd" AdvSIMD where no_d, |c, _, i| high(c, i, true, |a, b| a - b);

    Fp SABAL "0q001110ss1mmmmm010100nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |d, a, b| d + (a - b).abs());
    Fp UABAL "0q101110ss1mmmmm010100nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |d, a, b| d + (a - b).abs());
    Fp SABDL "0q001110ss1mmmmm011100nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |_, a, b| (a - b).abs());
    Fp UABDL "0q101110ss1mmmmm011100nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |_, a, b| (a - b).abs());

    Fp SMLAL_vec "0q001110ss1mmmmm100000nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |d, a, b| d + a * b);
    Fp UMLAL_vec "0q101110ss1mmmmm100000nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |d, a, b| d + a * b);
    Fp SMLSL_vec "0q001110ss1mmmmm101000nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |d, a, b| d - a * b);
    Fp UMLSL_vec "0q101110ss1mmmmm101000nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |d, a, b| d - a * b);
    Fp SMULL_vec "0q001110ss1mmmmm110000nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |_, a, b| a * b);
    Fp UMULL_vec "0q101110ss1mmmmm110000nnnnnddddd" AdvSIMD where no_d, |c, _, i| long(c, i, |_, a, b| a * b);

    Fp SQDMLAL_vec    "0q001110ss1mmmmm100100nnnnnddddd" AdvSIMD where h_or_s, qdmlal;
    Fp SQDMLAL_scalar "01011110ss1mmmmm100100nnnnnddddd" AdvSIMD where h_or_s, qdmlal;
    Fp SQDMLSL_vec    "0q001110ss1mmmmm101100nnnnnddddd" AdvSIMD where h_or_s, qdmlsl;
    Fp SQDMLSL_scalar "01011110ss1mmmmm101100nnnnnddddd" AdvSIMD where h_or_s, qdmlsl;
    Fp SQDMULL_vec    "0q001110ss1mmmmm110100nnnnnddddd" AdvSIMD where h_or_s, qdmull;
    Fp SQDMULL_scalar "01011110ss1mmmmm110100nnnnnddddd" AdvSIMD where h_or_s, qdmull;

    Fp PMULL_8  "0q001110001mmmmm111000nnnnnddddd" AdvSIMD |c, _, i| long(c, i, |_, a, b| polynomial(a as u8 as u64, b as u8 as u64) as i128);
    Fp PMULL_64 "0q001110111mmmmm111000nnnnnddddd" PMULL pmull64;
}

/// `Vd[k] = f(Vd[k], Vn[k], Vm[k])` with Vd's elements twice as wide.
#[inline(always)]
fn long(c: &mut Cpu, i: u32, f: impl Fn(i128, i128, i128) -> i128) -> Done {
    let (d, n, m) = (c.v[rd(i)], part(c.v[rn(i)], i), part(c.v[rm(i)], i));
    c.v[rd(i)] = build(128, 2 * esize(i), |k, e| {
        f(
            int(d, k, e, u(i)),
            int(n, k, e / 2, u(i)),
            int(m, k, e / 2, u(i)),
        )
    });
    DONE
}
/// `Vd[k] = f(Vn[k], Vm[k])` with Vd's and Vn's elements twice as wide as Vm's.
#[inline(always)]
fn wide(c: &mut Cpu, i: u32, f: impl Fn(i128, i128) -> i128) -> Done {
    let (n, m) = (c.v[rn(i)], part(c.v[rm(i)], i));
    c.v[rd(i)] = build(128, 2 * esize(i), |k, e| {
        f(int(n, k, e, u(i)), int(m, k, e / 2, u(i)))
    });
    DONE
}
/// The high halves of the results, narrowed.
#[inline(always)]
fn high(c: &mut Cpu, i: u32, round: bool, f: impl Fn(i128, i128) -> i128) -> Done {
    let (n, m) = (c.v[rn(i)], c.v[rm(i)]);
    let r = build(64, esize(i), |k, e| {
        shr(
            f(int(n, k, 2 * e, false), int(m, k, 2 * e, false)),
            e,
            round,
        )
    });
    set_part(c, i, r);
    DONE
}

/// `SQDMULL` and family on elements of `e` bits, signed: `2 * a * b` saturates, and so does `f(Vd[k], that)`.
#[inline(always)]
pub fn qd_long(
    c: &mut Cpu,
    i: u32,
    n: u128,
    m: impl Fn(u32) -> i128,
    f: fn(i128, i128) -> i128,
) -> Done {
    let (d, e) = (c.v[rd(i)], esize(i));
    let mut qc = 0;
    let bits = if scalar(i) { 2 * e } else { 128 };
    c.v[rd(i)] = build(bits, 2 * e, |k, w| {
        let product = sat(2 * int(n, k, w / 2, false) * m(k), w, false, &mut qc);
        sat(f(int(d, k, w, false), product), w, false, &mut qc)
    });
    c.fpsr |= qc;
    DONE
}
#[inline(always)]
fn qd_vectors(c: &mut Cpu, i: u32, f: fn(i128, i128) -> i128) -> Done {
    let (n, m, e) = (part(c.v[rn(i)], i), part(c.v[rm(i)], i), esize(i));
    qd_long(c, i, n, |k| int(m, k, e, false), f)
}
fn qdmlal(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    qd_vectors(c, i, |d, p| d + p)
}
fn qdmlsl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    qd_vectors(c, i, |d, p| d - p)
}
fn qdmull(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    qd_vectors(c, i, |_, p| p)
}

fn pmull64(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (n, m) = (part(c.v[rn(i)], i), part(c.v[rm(i)], i));
    c.v[rd(i)] = polynomial(n as u64, m as u64);
    DONE
}
