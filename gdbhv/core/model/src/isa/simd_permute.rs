//! Advanced SIMD permute, extract and table look-up (Arm ARM C4.1.96).

use super::lanes::*;
use super::ops::{Args, Ops};
use super::simd::{self, d_n_m, size};
use super::vector::Permute;
use crate::bits::field;
use crate::cpu::Cpu;
use crate::mixed_rows;

mixed_rows! {
    pure {
        Fp UZP1 "0q001110ss0mmmmm000110nnnnnddddd" "qs" AdvSIMD args, uzp1;
        Fp UZP2 "0q001110ss0mmmmm010110nnnnnddddd" "qs" AdvSIMD args, uzp2;
        Fp TRN1 "0q001110ss0mmmmm001010nnnnnddddd" "qs" AdvSIMD args, trn1;
        Fp TRN2 "0q001110ss0mmmmm011010nnnnnddddd" "qs" AdvSIMD args, trn2;
        Fp ZIP1 "0q001110ss0mmmmm001110nnnnnddddd" "qs" AdvSIMD args, zip1;
        Fp ZIP2 "0q001110ss0mmmmm011110nnnnnddddd" "qs" AdvSIMD args, zip2;
        Fp EXT  "0q101110000mmmmm0iiii0nnnnnddddd" "q" AdvSIMD ext_args, ext;
    }
    helper {
        Fp TBL  "0q001110000mmmmm0ll000nnnnnddddd" AdvSIMD |c, _, i| table(c, i, 0);
        Fp TBX  "0q001110000mmmmm0ll100nnnnnddddd" AdvSIMD |c, _, i| { let d = c.v[rd(i)]; table(c, i, d) };
    }
}

fn args(i: u32) -> Option<Args> {
    not_1d(i).then_some(d_n_m(i)?)
}
/// `aux`: the first byte.
fn ext_args(i: u32) -> Option<Args> {
    (q(i) || field(i, 14, 14) == 0).then_some(Args {
        aux: field(i, 14, 11) as u16,
        ..d_n_m(i)?
    })
}

macro_rules! permutations {
    ($($body:ident $op:ident;)*) => {
        $(#[inline(always)]
        fn $body<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
            permute::<B, I>(b, a, Permute::$op)
        })*
    };
}
permutations! {
    uzp1 Uzp1;
    uzp2 Uzp2;
    trn1 Trn1;
    trn2 Trn2;
    zip1 Zip1;
    zip2 Zip2;
}

/// Of 64-bit vectors, UZP takes lanes of both in one register, and the upper half of what ZIP1 makes of whole registers is ZIP2's.
#[inline(always)]
fn permute<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Permute) -> Result<(), B::E> {
    let (n, m) = (b.q(a.rn), b.q(a.rm));
    let r = match op {
        _ if simd::full(I) => b.permute(op, size(I), n, m),
        Permute::Uzp1 | Permute::Uzp2 => {
            let both = simd::both_low(b, n, m);
            b.permute(op, size(I), both, both)
        }
        Permute::Zip2 => {
            let r = b.permute(Permute::Zip1, size(I), n, m);
            b.ext(r, r, 8)
        }
        _ => b.permute(op, size(I), n, m),
    };
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
#[inline(always)]
fn ext<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (mut n, mut m) = (b.q(a.rn), b.q(a.rm));
    if !simd::full(I) {
        n = simd::both_low(b, n, m);
        m = n;
    }
    let r = b.ext(n, m, a.aux as u32);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
/// Bytes of one to four registers by index; `other` where the index is beyond them.
fn table(c: &mut Cpu, i: u32, other: u128) -> Done {
    let (m, size) = (c.v[rm(i)], 16 * (field(i, 14, 13) + 1));
    let r = build(span(i, 0), 8, |k, e| {
        let at = elem(m, k, e) as u32;
        let v = if at < size {
            elem(c.v[(rn(i) + at as usize / 16) & 31], at % 16, 8)
        } else {
            elem(other, k, 8)
        };
        v as i128
    });
    c.v[rd(i)] = r;
    DONE
}
