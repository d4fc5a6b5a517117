//! Floating-point conditional select (Arm ARM C4.1.97).

use super::fp_lanes::*;
use super::lanes::*;
use crate::bits::field;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp FCSEL      "000111100t1mmmmmcccc11nnnnnddddd" FP   fcsel;
    Fp FCSEL_half "00011110111mmmmmcccc11nnnnnddddd" FP16 fcsel;
}

fn fcsel(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let from = if c.flags.holds(field(i, 15, 12)) {
        rn(i)
    } else {
        rm(i)
    };
    c.v[rd(i)] = low(c.v[from], ftype(i)) as u128;
    DONE
}
