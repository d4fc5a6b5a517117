//! Floating-point data-processing, two sources (Arm ARM C4.1.97).

use super::fp_bodies::*;
use super::fp_lanes::*;
use super::ops::{Args, Ops};
use super::simd::{self, d_n_m};
use crate::fp::arith::{add, div, mul, sub};
use crate::fp::compare::{max, max_num, min, min_num};
use crate::fp::shape::Fp2;
use crate::mixed_rows;

mixed_rows! {
    pure {
        Fp FMUL   "000111100t1mmmmm000010nnnnnddddd" "t" FP d_n_m, fmul;
        Fp FDIV   "000111100t1mmmmm000110nnnnnddddd" "t" FP d_n_m, fdiv;
        Fp FADD   "000111100t1mmmmm001010nnnnnddddd" "t" FP d_n_m, fadd;
        Fp FSUB   "000111100t1mmmmm001110nnnnnddddd" "t" FP d_n_m, fsub;
        Fp FMAX   "000111100t1mmmmm010010nnnnnddddd" "t" FP d_n_m, fmax;
        Fp FMIN   "000111100t1mmmmm010110nnnnnddddd" "t" FP d_n_m, fmin;
        Fp FMAXNM "000111100t1mmmmm011010nnnnnddddd" "t" FP d_n_m, fmaxnm;
        Fp FMINNM "000111100t1mmmmm011110nnnnnddddd" "t" FP d_n_m, fminnm;
        Fp FNMUL  "000111100t1mmmmm100010nnnnnddddd" "t" FP d_n_m, fnmul;
    }
    helper {
        Fp FMUL_half   "00011110111mmmmm000010nnnnnddddd" FP16 |c, _, i| scalar2(c, i, mul);
        Fp FDIV_half   "00011110111mmmmm000110nnnnnddddd" FP16 |c, _, i| scalar2(c, i, div);
        Fp FADD_half   "00011110111mmmmm001010nnnnnddddd" FP16 |c, _, i| scalar2(c, i, add);
        Fp FSUB_half   "00011110111mmmmm001110nnnnnddddd" FP16 |c, _, i| scalar2(c, i, sub);
        Fp FMAX_half   "00011110111mmmmm010010nnnnnddddd" FP16 |c, _, i| scalar2(c, i, max);
        Fp FMIN_half   "00011110111mmmmm010110nnnnnddddd" FP16 |c, _, i| scalar2(c, i, min);
        Fp FMAXNM_half "00011110111mmmmm011010nnnnnddddd" FP16 |c, _, i| scalar2(c, i, max_num);
        Fp FMINNM_half "00011110111mmmmm011110nnnnnddddd" FP16 |c, _, i| scalar2(c, i, min_num);
        Fp FNMUL_half  "00011110111mmmmm100010nnnnnddddd" FP16 |c, _, i| scalar2(c, i, |env, f, n, m| mul(env, f, n, m) ^ f.sign());
    }
}

#[inline(always)]
fn fnmul<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (n, m) = (b.q(a.rn), b.q(a.rm));
    let v = b.fp(Fp2::Mul, shape(I), n, m);
    let v = simd::negated(b, shape(I), v);
    b.set_q(a.rd, v);
    Ok(())
}
