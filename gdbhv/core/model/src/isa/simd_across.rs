//! Advanced SIMD across lanes and scalar pairwise, integer (Arm ARM C4.1.96).

use super::lanes::*;
use crate::cpu::Cpu;
use crate::helper_rows;

helper_rows! {
    Fp SADDLV "0q001110ss110000001110nnnnnddddd" AdvSIMD where lanes, |c, _, i| reduce(c, i, 2, |a, b| a + b);
    Fp UADDLV "0q101110ss110000001110nnnnnddddd" AdvSIMD where lanes, |c, _, i| reduce(c, i, 2, |a, b| a + b);
    Fp SMAXV  "0q001110ss110000101010nnnnnddddd" AdvSIMD where lanes, |c, _, i| reduce(c, i, 1, i128::max);
    Fp UMAXV  "0q101110ss110000101010nnnnnddddd" AdvSIMD where lanes, |c, _, i| reduce(c, i, 1, i128::max);
    Fp SMINV  "0q001110ss110001101010nnnnnddddd" AdvSIMD where lanes, |c, _, i| reduce(c, i, 1, i128::min);
    Fp UMINV  "0q101110ss110001101010nnnnnddddd" AdvSIMD where lanes, |c, _, i| reduce(c, i, 1, i128::min);
    Fp ADDV   "0q001110ss110001101110nnnnnddddd" AdvSIMD where lanes, |c, _, i| reduce(c, i, 1, |a, b| a + b);
    Fp ADDP_scalar "0101111011110001101110nnnnnddddd" AdvSIMD |c, _, i| { c.v[rd(i)] = int(c.v[rn(i)], 0, 64, true).wrapping_add(int(c.v[rn(i)], 1, 64, true)) as u64 as u128; DONE };
}

/// More than two elements.
const fn lanes(i: u32) -> bool {
    esize(i) < 32 || esize(i) == 32 && q(i)
}

/// `f` over all elements, into a scalar of `widen` times their width.
fn reduce(c: &mut Cpu, i: u32, widen: u32, f: fn(i128, i128) -> i128) -> Done {
    let (n, e) = (c.v[rn(i)], esize(i));
    let first = int(n, 0, e, u(i));
    let r = (1..span(i, e) / e).fold(first, |r, k| f(r, int(n, k, e, u(i))));
    c.v[rd(i)] = r as u128 & mask(widen * e);
    DONE
}
