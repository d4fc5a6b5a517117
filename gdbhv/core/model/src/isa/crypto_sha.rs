//! Cryptographic SHA-1 and SHA-256 (Arm ARM C4.1.96, FIPS 180-4): four rounds, and the message schedule.

use super::lanes::*;
use crate::cpu::Cpu;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp SHA1C     "01011110000mmmmm000000nnnnnddddd" SHA1 |c, _, i| sha1(c, i, choose);
    Fp SHA1P     "01011110000mmmmm000100nnnnnddddd" SHA1 |c, _, i| sha1(c, i, parity);
    Fp SHA1M     "01011110000mmmmm001000nnnnnddddd" SHA1 |c, _, i| sha1(c, i, majority);
    Fp SHA1SU0   "01011110000mmmmm001100nnnnnddddd" SHA1 sha1su0;
    Fp SHA1H     "0101111000101000000010nnnnnddddd" SHA1 sha1h;
    Fp SHA1SU1   "0101111000101000000110nnnnnddddd" SHA1 sha1su1;
    Fp SHA256H   "01011110000mmmmm010000nnnnnddddd" SHA256 |c, _, i| { c.v[rd(i)] = sha256(c.v[rd(i)], c.v[rn(i)], c.v[rm(i)]).0; DONE };
    Fp SHA256H2  "01011110000mmmmm010100nnnnnddddd" SHA256 |c, _, i| { c.v[rd(i)] = sha256(c.v[rn(i)], c.v[rd(i)], c.v[rm(i)]).1; DONE };
    Fp SHA256SU1 "01011110000mmmmm011000nnnnnddddd" SHA256 sha256su1;
    Fp SHA256SU0 "0101111000101000001010nnnnnddddd" SHA256 sha256su0;
}

type Words = [u32; 4];

fn words(v: u128) -> Words {
    std::array::from_fn(|k| elem(v, k as u32, 32) as u32)
}
fn vector(w: Words) -> u128 {
    w.iter().rev().fold(0, |v, &x| v << 32 | x as u128)
}
fn choose(x: u32, y: u32, z: u32) -> u32 {
    (y ^ z) & x ^ z
}
fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}
fn majority(x: u32, y: u32, z: u32) -> u32 {
    x & y | (x | y) & z
}

fn sha1(c: &mut Cpu, i: u32, f: fn(u32, u32, u32) -> u32) -> Done {
    let mut x = words(c.v[rd(i)]);
    let mut y = c.v[rn(i)] as u32;
    for w in words(c.v[rm(i)]) {
        let t = y
            .wrapping_add(x[0].rotate_left(5))
            .wrapping_add(f(x[1], x[2], x[3]))
            .wrapping_add(w);
        y = x[3];
        x = [t, x[0], x[1].rotate_left(30), x[2]];
    }
    c.v[rd(i)] = vector(x);
    DONE
}
fn sha1h(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    c.v[rd(i)] = (c.v[rn(i)] as u32).rotate_left(30) as u128;
    DONE
}
fn sha1su0(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (d, n, m) = (c.v[rd(i)], c.v[rn(i)], c.v[rm(i)]);
    c.v[rd(i)] = (n << 64 | d >> 64) ^ d ^ m;
    DONE
}
fn sha1su1(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let t = words(c.v[rd(i)] ^ c.v[rn(i)] >> 32);
    let mut r = t.map(|x| x.rotate_left(1));
    r[3] ^= t[0].rotate_left(2);
    c.v[rd(i)] = vector(r);
    DONE
}

/// Exclusive or of three rotations to the right.
fn rotations(x: u32, a: u32, b: u32, c: u32) -> u32 {
    x.rotate_right(a) ^ x.rotate_right(b) ^ x.rotate_right(c)
}
/// `SHA256hash`: both halves of the state after four rounds.
fn sha256(x: u128, y: u128, w: u128) -> (u128, u128) {
    let (mut x, mut y) = (words(x), words(y));
    for w in words(w) {
        let t = y[3]
            .wrapping_add(rotations(y[0], 6, 11, 25))
            .wrapping_add(choose(y[0], y[1], y[2]))
            .wrapping_add(w);
        let e = x[3].wrapping_add(t);
        let a = t
            .wrapping_add(rotations(x[0], 2, 13, 22))
            .wrapping_add(majority(x[0], x[1], x[2]));
        x = [a, x[0], x[1], x[2]];
        y = [e, y[0], y[1], y[2]];
    }
    (vector(x), vector(y))
}
fn sha256su0(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (d, n) = (words(c.v[rd(i)]), words(c.v[rn(i)]));
    let next = [d[1], d[2], d[3], n[0]];
    let r = std::array::from_fn(|k| {
        let x = next[k];
        (x.rotate_right(7) ^ x.rotate_right(18) ^ x >> 3).wrapping_add(d[k])
    });
    c.v[rd(i)] = vector(r);
    DONE
}
fn sha256su1(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (d, n, m) = (words(c.v[rd(i)]), words(c.v[rn(i)]), words(c.v[rm(i)]));
    let next = [n[1], n[2], n[3], m[0]];
    let mut r = [0; 4];
    for k in 0..4 {
        let x: u32 = if k < 2 { m[k + 2] } else { r[k - 2] };
        r[k] = (x.rotate_right(17) ^ x.rotate_right(19) ^ x >> 10)
            .wrapping_add(d[k])
            .wrapping_add(next[k]);
    }
    c.v[rd(i)] = vector(r);
    DONE
}
