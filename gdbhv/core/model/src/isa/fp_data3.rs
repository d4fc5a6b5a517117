//! Floating-point data-processing, three sources: fused multiply-add with the signs that o1 and o0 ask for (Arm ARM C4.1.97).

use super::fp_lanes::*;
use super::lanes::*;
use crate::bits::bit;
use crate::fp::arith::mul_add;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp FMADD       "000111110t0mmmmm0aaaaannnnnddddd" FP   fused;
    Fp FMADD_half  "00011111110mmmmm0aaaaannnnnddddd" FP16 fused;
    Fp FMSUB       "000111110t0mmmmm1aaaaannnnnddddd" FP   fused;
    Fp FMSUB_half  "00011111110mmmmm1aaaaannnnnddddd" FP16 fused;
    Fp FNMADD      "000111110t1mmmmm0aaaaannnnnddddd" FP   fused;
    Fp FNMADD_half "00011111111mmmmm0aaaaannnnnddddd" FP16 fused;
    Fp FNMSUB      "000111110t1mmmmm1aaaaannnnnddddd" FP   fused;
    Fp FNMSUB_half "00011111111mmmmm1aaaaannnnnddddd" FP16 fused;
}

fn fused(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (negate_all, subtract) = (bit(i as u64, 21), bit(i as u64, 15));
    by_ftype(c, i, |c, env, f| {
        let sign = |negate| if negate { f.sign() } else { 0 };
        let a = low(c.v[ra(i)], f) ^ sign(negate_all);
        let n = low(c.v[rn(i)], f) ^ sign(negate_all != subtract);
        mul_add(env, f, a, n, low(c.v[rm(i)], f))
    })
}
