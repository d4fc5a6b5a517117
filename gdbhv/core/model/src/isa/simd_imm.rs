//! Advanced SIMD modified immediate (Arm ARM C4.1.96; `AdvSIMDExpandImm`).

use super::lanes::*;
use crate::bits::{field, replicate};
use crate::fp::format::{expand_imm, Format};
use crate::helper_rows;
use crate::pe::Pe;

helper_rows! {
    Fp MOVI_shift_32 "0q00111100000aaa0ss001bbbbbddddd" AdvSIMD |c, _, i| set(c, i, imm(i));
    Fp MOVI_shift_16 "0q00111100000aaa10s001bbbbbddddd" AdvSIMD |c, _, i| set(c, i, imm(i));
    Fp MOVI_ones     "0q00111100000aaa110s01bbbbbddddd" AdvSIMD |c, _, i| set(c, i, imm(i));
    Fp MOVI_8_or_64  "0qo0111100000aaa111001bbbbbddddd" AdvSIMD |c, _, i| set(c, i, imm(i));
    Fp MVNI_shift_32 "0q10111100000aaa0ss001bbbbbddddd" AdvSIMD |c, _, i| set(c, i, !imm(i));
    Fp MVNI_shift_16 "0q10111100000aaa10s001bbbbbddddd" AdvSIMD |c, _, i| set(c, i, !imm(i));
    Fp MVNI_ones     "0q10111100000aaa110s01bbbbbddddd" AdvSIMD |c, _, i| set(c, i, !imm(i));
    Fp ORR_imm_32    "0q00111100000aaa0ss101bbbbbddddd" AdvSIMD |c, _, i| set(c, i, c.v[rd(i)] | imm(i));
    Fp ORR_imm_16    "0q00111100000aaa10s101bbbbbddddd" AdvSIMD |c, _, i| set(c, i, c.v[rd(i)] | imm(i));
    Fp BIC_imm_32    "0q10111100000aaa0ss101bbbbbddddd" AdvSIMD |c, _, i| set(c, i, c.v[rd(i)] & !imm(i));
    Fp BIC_imm_16    "0q10111100000aaa10s101bbbbbddddd" AdvSIMD |c, _, i| set(c, i, c.v[rd(i)] & !imm(i));
    Fp FMOV_vec_imm  "0qo0111100000aaa111101bbbbbddddd" AdvSIMD where |i| !u(i) || q(i), |c, _, i| set(c, i, imm(i));
    Fp FMOV_vec_imm_half "0q00111100000aaa111111bbbbbddddd" FP16 |c, _, i| set(c, i, both(replicate(expand_imm(imm8(i), Format::HALF), 16)));
}

fn set(c: &mut Pe, i: u32, v: u128) -> Done {
    c.v[rd(i)] = v & mask(span(i, 0));
    DONE
}
const fn imm8(i: u32) -> u64 {
    (field(i, 18, 16) << 5 | field(i, 9, 5)) as u64
}
const fn both(v: u64) -> u128 {
    (v as u128) << 64 | v as u128
}

/// `AdvSIMDExpandImm(op, cmode, imm8)`.
fn imm(i: u32) -> u128 {
    let (cmode, op, v) = (field(i, 15, 12), u(i), imm8(i));
    both(match (cmode >> 1, cmode & 1, op) {
        (0..=3, _, _) => replicate(v << (8 * (cmode >> 1)), 32),
        (4 | 5, _, _) => replicate(v << (8 * (cmode >> 1 & 1)), 16),
        (6, 0, _) => replicate(v << 8 | 0xff, 32),
        (6, _, _) => replicate(v << 16 | 0xffff, 32),
        (_, 0, false) => replicate(v, 8),
        (_, 0, true) => (0..8).map(|k| ((v >> k & 1) * 0xff) << (8 * k)).sum(),
        (_, _, false) => replicate(expand_imm(v, Format::SINGLE), 32),
        (_, _, true) => expand_imm(v, Format::DOUBLE),
    })
}
