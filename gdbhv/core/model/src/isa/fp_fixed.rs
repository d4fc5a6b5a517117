//! Conversion between floating point and fixed point (Arm ARM C4.1.97). 32-bit registers have 1 to 32 fraction bits.

use super::fp_int::{from_int, to_int};
use crate::bits::field;
use crate::fp::env::Rounding;
use crate::helper_rows;

helper_rows! {
    Fp FCVTZS_fixed      "z00111100t011000ssssssnnnnnddddd" FP where fits,   |c, _, i| to_int(c, i, Rounding::Zero);
    Fp FCVTZS_fixed_half "z001111011011000ssssssnnnnnddddd" FP16 where fits, |c, _, i| to_int(c, i, Rounding::Zero);
    Fp FCVTZU_fixed      "z00111100t011001ssssssnnnnnddddd" FP where fits,   |c, _, i| to_int(c, i, Rounding::Zero);
    Fp FCVTZU_fixed_half "z001111011011001ssssssnnnnnddddd" FP16 where fits, |c, _, i| to_int(c, i, Rounding::Zero);
    Fp SCVTF_fixed       "z00111100t000010ssssssnnnnnddddd" FP where fits,   from_int;
    Fp SCVTF_fixed_half  "z001111011000010ssssssnnnnnddddd" FP16 where fits, from_int;
    Fp UCVTF_fixed       "z00111100t000011ssssssnnnnnddddd" FP where fits,   from_int;
    Fp UCVTF_fixed_half  "z001111011000011ssssssnnnnnddddd" FP16 where fits, from_int;
}

const fn fits(i: u32) -> bool {
    i >> 31 != 0 || field(i, 15, 15) != 0
}
