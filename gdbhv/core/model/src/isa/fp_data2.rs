//! Floating-point data-processing, two sources (Arm ARM C4.1.97).

use super::fp_lanes::*;
use crate::fp::arith::{add, div, mul, sub};
use crate::fp::compare::{max, max_num, min, min_num};
use crate::helper_rows;

helper_rows! {
    Fp FMUL        "000111100t1mmmmm000010nnnnnddddd" FP   |c, _, i| scalar2(c, i, mul);
    Fp FMUL_half   "00011110111mmmmm000010nnnnnddddd" FP16 |c, _, i| scalar2(c, i, mul);
    Fp FDIV        "000111100t1mmmmm000110nnnnnddddd" FP   |c, _, i| scalar2(c, i, div);
    Fp FDIV_half   "00011110111mmmmm000110nnnnnddddd" FP16 |c, _, i| scalar2(c, i, div);
    Fp FADD        "000111100t1mmmmm001010nnnnnddddd" FP   |c, _, i| scalar2(c, i, add);
    Fp FADD_half   "00011110111mmmmm001010nnnnnddddd" FP16 |c, _, i| scalar2(c, i, add);
    Fp FSUB        "000111100t1mmmmm001110nnnnnddddd" FP   |c, _, i| scalar2(c, i, sub);
    Fp FSUB_half   "00011110111mmmmm001110nnnnnddddd" FP16 |c, _, i| scalar2(c, i, sub);
    Fp FMAX        "000111100t1mmmmm010010nnnnnddddd" FP   |c, _, i| scalar2(c, i, max);
    Fp FMAX_half   "00011110111mmmmm010010nnnnnddddd" FP16 |c, _, i| scalar2(c, i, max);
    Fp FMIN        "000111100t1mmmmm010110nnnnnddddd" FP   |c, _, i| scalar2(c, i, min);
    Fp FMIN_half   "00011110111mmmmm010110nnnnnddddd" FP16 |c, _, i| scalar2(c, i, min);
    Fp FMAXNM      "000111100t1mmmmm011010nnnnnddddd" FP   |c, _, i| scalar2(c, i, max_num);
    Fp FMAXNM_half "00011110111mmmmm011010nnnnnddddd" FP16 |c, _, i| scalar2(c, i, max_num);
    Fp FMINNM      "000111100t1mmmmm011110nnnnnddddd" FP   |c, _, i| scalar2(c, i, min_num);
    Fp FMINNM_half "00011110111mmmmm011110nnnnnddddd" FP16 |c, _, i| scalar2(c, i, min_num);
    Fp FNMUL       "000111100t1mmmmm100010nnnnnddddd" FP   |c, _, i| scalar2(c, i, |env, f, n, m| mul(env, f, n, m) ^ f.sign());
    Fp FNMUL_half  "00011110111mmmmm100010nnnnnddddd" FP16 |c, _, i| scalar2(c, i, |env, f, n, m| mul(env, f, n, m) ^ f.sign());
}
