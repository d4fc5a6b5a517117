//! Floating-point immediate (Arm ARM C4.1.97).

use super::fp_lanes::*;
use super::lanes::*;
use crate::bits::field;
use crate::fp::format::expand_imm;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp FMOV_imm      "000111100t1iiiiiiii10000000ddddd" FP   fmov;
    Fp FMOV_imm_half "00011110111iiiiiiii10000000ddddd" FP16 fmov;
}

fn fmov(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    c.v[rd(i)] = expand_imm(field(i, 20, 13) as u64, ftype(i)) as u128;
    DONE
}
