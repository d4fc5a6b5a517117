//! Advanced SIMD three same, vector and scalar, integer (Arm ARM C4.1.96: `AdvSIMD three same`, `AdvSIMD scalar three same`).
//! One body serves the signed and the unsigned instruction, and both shapes.

use super::lanes::*;
use crate::cpu::Cpu;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp SHADD  "0q001110ss1mmmmm000001nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a + b) >> 1);
    Fp UHADD  "0q101110ss1mmmmm000001nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a + b) >> 1);
    Fp SRHADD "0q001110ss1mmmmm000101nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a + b + 1) >> 1);
    Fp URHADD "0q101110ss1mmmmm000101nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a + b + 1) >> 1);
    Fp SHSUB  "0q001110ss1mmmmm001001nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a - b) >> 1);
    Fp UHSUB  "0q101110ss1mmmmm001001nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a - b) >> 1);

    Fp SQADD_vec    "0q001110ss1mmmmm000011nnnnnddddd" AdvSIMD where not_1d, qadd;
    Fp SQADD_scalar "01011110ss1mmmmm000011nnnnnddddd" AdvSIMD qadd;
    Fp UQADD_vec    "0q101110ss1mmmmm000011nnnnnddddd" AdvSIMD where not_1d, qadd;
    Fp UQADD_scalar "01111110ss1mmmmm000011nnnnnddddd" AdvSIMD qadd;
    Fp SQSUB_vec    "0q001110ss1mmmmm001011nnnnnddddd" AdvSIMD where not_1d, qsub;
    Fp SQSUB_scalar "01011110ss1mmmmm001011nnnnnddddd" AdvSIMD qsub;
    Fp UQSUB_vec    "0q101110ss1mmmmm001011nnnnnddddd" AdvSIMD where not_1d, qsub;
    Fp UQSUB_scalar "01111110ss1mmmmm001011nnnnnddddd" AdvSIMD qsub;

    Fp AND_vec "0q001110001mmmmm000111nnnnnddddd" AdvSIMD |c, _, i| whole(c, i, |_, n, m| n & m);
    Fp BIC_vec "0q001110011mmmmm000111nnnnnddddd" AdvSIMD |c, _, i| whole(c, i, |_, n, m| n & !m);
    Fp ORR_vec "0q001110101mmmmm000111nnnnnddddd" AdvSIMD |c, _, i| whole(c, i, |_, n, m| n | m);
    Fp ORN_vec "0q001110111mmmmm000111nnnnnddddd" AdvSIMD |c, _, i| whole(c, i, |_, n, m| n | !m);
    Fp EOR_vec "0q101110001mmmmm000111nnnnnddddd" AdvSIMD |c, _, i| whole(c, i, |_, n, m| n ^ m);
    Fp BSL     "0q101110011mmmmm000111nnnnnddddd" AdvSIMD |c, _, i| whole(c, i, |d, n, m| m ^ ((m ^ n) & d));
    Fp BIT     "0q101110101mmmmm000111nnnnnddddd" AdvSIMD |c, _, i| whole(c, i, |d, n, m| d ^ ((d ^ n) & m));
    Fp BIF     "0q101110111mmmmm000111nnnnnddddd" AdvSIMD |c, _, i| whole(c, i, |d, n, m| d ^ ((d ^ n) & !m));

    Fp CMGT_vec     "0q001110ss1mmmmm001101nnnnnddddd" AdvSIMD where not_1d, cmgt;
    Fp CMGT_scalar  "01011110111mmmmm001101nnnnnddddd" AdvSIMD cmgt;
    Fp CMHI_vec     "0q101110ss1mmmmm001101nnnnnddddd" AdvSIMD where not_1d, cmgt;
    Fp CMHI_scalar  "01111110111mmmmm001101nnnnnddddd" AdvSIMD cmgt;
    Fp CMGE_vec     "0q001110ss1mmmmm001111nnnnnddddd" AdvSIMD where not_1d, cmge;
    Fp CMGE_scalar  "01011110111mmmmm001111nnnnnddddd" AdvSIMD cmge;
    Fp CMHS_vec     "0q101110ss1mmmmm001111nnnnnddddd" AdvSIMD where not_1d, cmge;
    Fp CMHS_scalar  "01111110111mmmmm001111nnnnnddddd" AdvSIMD cmge;
    Fp CMTST_vec    "0q001110ss1mmmmm100011nnnnnddddd" AdvSIMD where not_1d, cmtst;
    Fp CMTST_scalar "01011110111mmmmm100011nnnnnddddd" AdvSIMD cmtst;
    Fp CMEQ_vec     "0q101110ss1mmmmm100011nnnnnddddd" AdvSIMD where not_1d, cmeq;
    Fp CMEQ_scalar  "01111110111mmmmm100011nnnnnddddd" AdvSIMD cmeq;

    Fp SSHL_vec      "0q001110ss1mmmmm010001nnnnnddddd" AdvSIMD where not_1d, shl;
    Fp SSHL_scalar   "01011110111mmmmm010001nnnnnddddd" AdvSIMD shl;
    Fp USHL_vec      "0q101110ss1mmmmm010001nnnnnddddd" AdvSIMD where not_1d, shl;
    Fp USHL_scalar   "01111110111mmmmm010001nnnnnddddd" AdvSIMD shl;
    Fp SQSHL_vec     "0q001110ss1mmmmm010011nnnnnddddd" AdvSIMD where not_1d, qshl;
    Fp SQSHL_scalar  "01011110ss1mmmmm010011nnnnnddddd" AdvSIMD qshl;
    Fp UQSHL_vec     "0q101110ss1mmmmm010011nnnnnddddd" AdvSIMD where not_1d, qshl;
    Fp UQSHL_scalar  "01111110ss1mmmmm010011nnnnnddddd" AdvSIMD qshl;
    Fp SRSHL_vec     "0q001110ss1mmmmm010101nnnnnddddd" AdvSIMD where not_1d, rshl;
    Fp SRSHL_scalar  "01011110111mmmmm010101nnnnnddddd" AdvSIMD rshl;
    Fp URSHL_vec     "0q101110ss1mmmmm010101nnnnnddddd" AdvSIMD where not_1d, rshl;
    Fp URSHL_scalar  "01111110111mmmmm010101nnnnnddddd" AdvSIMD rshl;
    Fp SQRSHL_vec    "0q001110ss1mmmmm010111nnnnnddddd" AdvSIMD where not_1d, qrshl;
    Fp SQRSHL_scalar "01011110ss1mmmmm010111nnnnnddddd" AdvSIMD qrshl;
    Fp UQRSHL_vec    "0q101110ss1mmmmm010111nnnnnddddd" AdvSIMD where not_1d, qrshl;
    Fp UQRSHL_scalar "01111110ss1mmmmm010111nnnnnddddd" AdvSIMD qrshl;

    Fp SMAX  "0q001110ss1mmmmm011001nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| a.max(b));
    Fp UMAX  "0q101110ss1mmmmm011001nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| a.max(b));
    Fp SMIN  "0q001110ss1mmmmm011011nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| a.min(b));
    Fp UMIN  "0q101110ss1mmmmm011011nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| a.min(b));
    Fp SMAXP "0q001110ss1mmmmm101001nnnnnddddd" AdvSIMD where no_d, |c, _, i| pairs(c, i, i128::max);
    Fp UMAXP "0q101110ss1mmmmm101001nnnnnddddd" AdvSIMD where no_d, |c, _, i| pairs(c, i, i128::max);
    Fp SMINP "0q001110ss1mmmmm101011nnnnnddddd" AdvSIMD where no_d, |c, _, i| pairs(c, i, i128::min);
    Fp UMINP "0q101110ss1mmmmm101011nnnnnddddd" AdvSIMD where no_d, |c, _, i| pairs(c, i, i128::min);
    Fp SABD  "0q001110ss1mmmmm011101nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a - b).abs());
    Fp UABD  "0q101110ss1mmmmm011101nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| (a - b).abs());
    Fp SABA  "0q001110ss1mmmmm011111nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip_acc(c, i, |d, a, b| d + (a - b).abs());
    Fp UABA  "0q101110ss1mmmmm011111nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip_acc(c, i, |d, a, b| d + (a - b).abs());

    Fp ADD_vec    "0q001110ss1mmmmm100001nnnnnddddd" AdvSIMD where not_1d, |c, _, i| zip(c, i, |a, b, _| a + b);
    Fp ADD_scalar "01011110111mmmmm100001nnnnnddddd" AdvSIMD |c, _, i| zip(c, i, |a, b, _| a + b);
    Fp SUB_vec    "0q101110ss1mmmmm100001nnnnnddddd" AdvSIMD where not_1d, |c, _, i| zip(c, i, |a, b, _| a - b);
    Fp SUB_scalar "01111110111mmmmm100001nnnnnddddd" AdvSIMD |c, _, i| zip(c, i, |a, b, _| a - b);
    Fp ADDP_vec   "0q001110ss1mmmmm101111nnnnnddddd" AdvSIMD where not_1d, |c, _, i| pairs(c, i, |a, b| a + b);
    Fp MLA_vec    "0q001110ss1mmmmm100101nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip_acc(c, i, |d, a, b| d + a * b);
    Fp MLS_vec    "0q101110ss1mmmmm100101nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip_acc(c, i, |d, a, b| d - a * b);
    Fp MUL_vec    "0q001110ss1mmmmm100111nnnnnddddd" AdvSIMD where no_d, |c, _, i| zip(c, i, |a, b, _| a * b);
    Fp PMUL       "0q101110001mmmmm100111nnnnnddddd" AdvSIMD |c, _, i| zip(c, i, |a, b, _| polynomial(a as u64, b as u64) as i128);

    Fp SQDMULH_vec     "0q001110ss1mmmmm101101nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| zip_sat(c, i, false, |a, b, e| dmulh(a, b, e, false));
    Fp SQDMULH_scalar  "01011110ss1mmmmm101101nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| zip_sat(c, i, false, |a, b, e| dmulh(a, b, e, false));
    Fp SQRDMULH_vec    "0q101110ss1mmmmm101101nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| zip_sat(c, i, false, |a, b, e| dmulh(a, b, e, true));
    Fp SQRDMULH_scalar "01111110ss1mmmmm101101nnnnnddddd" AdvSIMD where h_or_s, |c, _, i| zip_sat(c, i, false, |a, b, e| dmulh(a, b, e, true));
}

fn qadd(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip_sat(c, i, u(i), |a, b, _| a + b)
}
fn qsub(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip_sat(c, i, u(i), |a, b, _| a - b)
}
fn cmgt(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip(c, i, |a, b, _| flag(a > b))
}
fn cmge(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip(c, i, |a, b, _| flag(a >= b))
}
fn cmtst(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip(c, i, |a, b, _| flag(a & b != 0))
}
fn cmeq(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip(c, i, |a, b, _| flag(a == b))
}

// The shift amount is the signed low byte of the second element, whatever the element.
fn shl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip(c, i, |a, b, _| shift(a, b as i8 as i32, false))
}
fn rshl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip(c, i, |a, b, _| shift(a, b as i8 as i32, true))
}
fn qshl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip_sat(c, i, u(i), |a, b, _| shift(a, b as i8 as i32, false))
}
fn qrshl(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    zip_sat(c, i, u(i), |a, b, _| shift(a, b as i8 as i32, true))
}

/// The logical instructions, on the register as a whole.
#[inline(always)]
fn whole(c: &mut Cpu, i: u32, f: impl Fn(u128, u128, u128) -> u128) -> Done {
    let r = f(c.v[rd(i)], c.v[rn(i)], c.v[rm(i)]);
    c.v[rd(i)] = r & mask(span(i, 0));
    DONE
}

/// `SQDMULH`, `SQRDMULH`: the high half of twice the product.
#[inline(always)]
pub fn dmulh(a: i128, b: i128, e: u32, round: bool) -> i128 {
    shr(2 * a * b, e, round)
}

/// `PolynomialMult`: the product over GF(2).
pub fn polynomial(a: u64, b: u64) -> u128 {
    let (mut rest, mut r) = (b, 0);
    while rest != 0 {
        r ^= (a as u128) << rest.trailing_zeros();
        rest &= rest - 1;
    }
    r
}
