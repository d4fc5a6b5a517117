//! Cryptographic SHA-512 and SHA-3 (Arm ARM C4.1.96: three-register, four-register, XAR).

use super::lanes::*;
use crate::bits::field;
use crate::cpu::Cpu;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp SHA512H   "11001110011mmmmm100000nnnnnddddd" SHA512 sha512h;
    Fp SHA512H2  "11001110011mmmmm100001nnnnnddddd" SHA512 sha512h2;
    Fp SHA512SU1 "11001110011mmmmm100010nnnnnddddd" SHA512 sha512su1;
    Fp SHA512SU0 "1100111011000000100000nnnnnddddd" SHA512 sha512su0;
    Fp RAX1      "11001110011mmmmm100011nnnnnddddd" SHA3 |c, _, i| zip64(c, i, |n, m| n ^ m.rotate_left(1));
    Fp XAR       "11001110100mmmmmrrrrrrnnnnnddddd" SHA3 |c, _, i| zip64(c, i, |n, m| (n ^ m).rotate_right(field(i, 15, 10)));
    Fp EOR3      "11001110000mmmmm0aaaaannnnnddddd" SHA3 |c, _, i| { c.v[rd(i)] = c.v[rn(i)] ^ c.v[rm(i)] ^ c.v[ra(i)]; DONE };
    Fp BCAX      "11001110001mmmmm0aaaaannnnnddddd" SHA3 |c, _, i| { c.v[rd(i)] = c.v[rn(i)] ^ c.v[rm(i)] & !c.v[ra(i)]; DONE };
}

/// Low and high.
fn halves(v: u128) -> (u64, u64) {
    (v as u64, (v >> 64) as u64)
}
fn whole(lo: u64, hi: u64) -> u128 {
    (hi as u128) << 64 | lo as u128
}
fn zip64(c: &mut Cpu, i: u32, f: impl Fn(u64, u64) -> u64) -> Done {
    let (n, m) = (halves(c.v[rn(i)]), halves(c.v[rm(i)]));
    c.v[rd(i)] = whole(f(n.0, m.0), f(n.1, m.1));
    DONE
}

/// Exclusive or of three rotations to the right.
fn rotations(x: u64, a: u32, b: u32, c: u32) -> u64 {
    x.rotate_right(a) ^ x.rotate_right(b) ^ x.rotate_right(c)
}
fn sha512h(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (w, x, y) = (halves(c.v[rd(i)]), halves(c.v[rn(i)]), halves(c.v[rm(i)]));
    let round = |e: u64, f: u64, g: u64, w: u64| {
        ((f ^ g) & e ^ g)
            .wrapping_add(rotations(e, 14, 18, 41))
            .wrapping_add(w)
    };
    let hi = round(y.1, x.0, x.1, w.1);
    let lo = round(hi.wrapping_add(y.0), y.1, x.0, w.0);
    c.v[rd(i)] = whole(lo, hi);
    DONE
}
fn sha512h2(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (w, x, y) = (halves(c.v[rd(i)]), halves(c.v[rn(i)]), halves(c.v[rm(i)]));
    let round = |a: u64, b: u64, c: u64, w: u64| {
        (a & b ^ a & c ^ b & c)
            .wrapping_add(rotations(a, 28, 34, 39))
            .wrapping_add(w)
    };
    let hi = round(y.0, y.1, x.0, w.1);
    let lo = round(hi, y.0, y.1, w.0);
    c.v[rd(i)] = whole(lo, hi);
    DONE
}
fn sha512su0(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (w, x) = (halves(c.v[rd(i)]), halves(c.v[rn(i)]));
    let next = |x: u64| x.rotate_right(1) ^ x.rotate_right(8) ^ x >> 7;
    c.v[rd(i)] = whole(w.0.wrapping_add(next(w.1)), w.1.wrapping_add(next(x.0)));
    DONE
}
fn sha512su1(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (w, x, y) = (halves(c.v[rd(i)]), halves(c.v[rn(i)]), halves(c.v[rm(i)]));
    let next = |x: u64, y: u64, w: u64| {
        (x.rotate_right(19) ^ x.rotate_right(61) ^ x >> 6)
            .wrapping_add(y)
            .wrapping_add(w)
    };
    c.v[rd(i)] = whole(next(x.0, y.0, w.0), next(x.1, y.1, w.1));
    DONE
}
