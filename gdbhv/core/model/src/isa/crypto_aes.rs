//! Cryptographic AES (Arm ARM C4.1.96): one round's halves. The S-box is computed from its definition (FIPS 197, 5.1.1).

use super::lanes::*;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp AESE   "0100111000101000010010nnnnnddddd" AES aese;
    Fp AESD   "0100111000101000010110nnnnnddddd" AES aesd;
    Fp AESMC  "0100111000101000011010nnnnnddddd" AES |c, _, i| { c.v[rd(i)] = mix(c.v[rn(i)]); DONE };
    Fp AESIMC "0100111000101000011110nnnnnddddd" AES |c, _, i| { c.v[rd(i)] = unmix(c.v[rn(i)]); DONE };
}

/// The product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1.
const fn times(a: u8, b: u8) -> u8 {
    let (mut a, mut b, mut r) = (a, b, 0);
    while b != 0 {
        if b & 1 != 0 {
            r ^= a;
        }
        a = a << 1 ^ (a >> 7) * 0x1b;
        b >>= 1;
    }
    r
}
/// `x^254`, the inverse (and zero for zero).
const fn inverse(x: u8) -> u8 {
    let (mut r, mut k) = (1, 0);
    while k < 254 {
        r = times(r, x);
        k += 1;
    }
    r
}
const SBOX: [u8; 256] = {
    let mut s = [0; 256];
    let mut k = 0;
    while k < 256 {
        let x = inverse(k as u8);
        s[k] = x ^ x.rotate_left(1) ^ x.rotate_left(2) ^ x.rotate_left(3) ^ x.rotate_left(4) ^ 0x63;
        k += 1;
    }
    s
};
const INVERSE_SBOX: [u8; 256] = {
    let mut s = [0; 256];
    let mut k = 0;
    while k < 256 {
        s[SBOX[k] as usize] = k as u8;
        k += 1;
    }
    s
};

/// The state is in columns of four bytes; row r moves left (or, to invert, right) by r columns.
fn aese(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let s = (c.v[rd(i)] ^ c.v[rn(i)]).to_le_bytes();
    let r = std::array::from_fn(|k| SBOX[s[(k + 4 * (k % 4)) % 16] as usize]);
    c.v[rd(i)] = u128::from_le_bytes(r);
    DONE
}
fn aesd(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let s = (c.v[rd(i)] ^ c.v[rn(i)]).to_le_bytes();
    let r = std::array::from_fn(|k| INVERSE_SBOX[s[(k + 12 * (k % 4)) % 16] as usize]);
    c.v[rd(i)] = u128::from_le_bytes(r);
    DONE
}
/// Twice each byte, in GF(2^8).
fn double(s: u128) -> u128 {
    let ones = u128::MAX / 0xff; // 1 in each byte
    (s & (ones * 0x7f)) << 1 ^ (s >> 7 & ones) * 0x1b
}
/// Byte k + `by` of each column, in place of byte k.
fn turn(s: u128, by: u32) -> u128 {
    let low = u128::MAX / 0xffff_ffff * (0xffff_ffff >> (8 * by));
    s >> (8 * by) & low | s << (32 - 8 * by) & !low
}
/// MixColumns: bytes k to k+3 times 2, 3, 1, 1.
fn mix(s: u128) -> u128 {
    let d = double(s);
    d ^ turn(d ^ s, 1) ^ turn(s, 2) ^ turn(s, 3)
}
/// InvMixColumns: times 14, 11, 13, 9, which is times 5, 0, 4, 0 and then MixColumns.
fn unmix(s: u128) -> u128 {
    mix(s ^ double(double(s ^ turn(s, 2))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_those_of_fips_197() {
        assert_eq!(SBOX[..4], [0x63, 0x7c, 0x77, 0x7b]);
        assert_eq!(SBOX[0x53], 0xed);
        assert_eq!(INVERSE_SBOX[0xed], 0x53);
        assert_eq!(times(0x57, 0x83), 0xc1);
    }

    #[test]
    fn columns_are_mixed_by_their_matrices() {
        let s = 0xdb13_5345_f20a_225c_0101_0101_c6c6_c6d4u128.swap_bytes();
        let by = |row: [u8; 4]| {
            let s = s.to_le_bytes();
            u128::from_le_bytes(std::array::from_fn(|k| {
                (0..4).fold(0, |r, j| r ^ times(s[k / 4 * 4 + (k + j) % 4], row[j]))
            }))
        };
        assert_eq!(mix(s), by([2, 3, 1, 1]));
        assert_eq!(unmix(s), by([14, 11, 13, 9]));
        assert_eq!(mix(s).to_le_bytes()[..4], [0x8e, 0x4d, 0xa1, 0xbc]);
    }
}
