//! Floating-point compare and conditional compare (Arm ARM C4.1.97).

use super::float;
use super::fp_lanes::*;
use super::lanes::*;
use super::ops::{Args, Ops};
use super::simd::d_n_m;
use crate::bits::{bit, field};
use crate::mixed_rows;
use crate::pe::Pe;
use crate::pstate::Flags;
use crate::shared::Shared;

mixed_rows! {
    pure {
        Fp FCMP       "000111100t1mmmmm001000nnnnn00000" "t" FP d_n_m, both;
        Fp FCMPE      "000111100t1mmmmm001000nnnnn10000" "t" FP d_n_m, both;
        Fp FCMP_zero  "000111100t1-----001000nnnnn01000" "t" FP d_n_m, with_zero;
        Fp FCMPE_zero "000111100t1-----001000nnnnn11000" "t" FP d_n_m, with_zero;
    }
    helper {
        Fp FCMP_half       "00011110111mmmmm001000nnnnn00000" FP16 fcmp;
        Fp FCMPE_half      "00011110111mmmmm001000nnnnn10000" FP16 fcmp;
        Fp FCMP_zero_half  "00011110111-----001000nnnnn01000" FP16 fcmp_zero;
        Fp FCMPE_zero_half "00011110111-----001000nnnnn11000" FP16 fcmp_zero;
        Fp FCCMP           "000111100t1mmmmmcccc01nnnnn0ffff" FP   fccmp;
        Fp FCCMP_half      "00011110111mmmmmcccc01nnnnn0ffff" FP16 fccmp;
        Fp FCCMPE          "000111100t1mmmmmcccc01nnnnn1ffff" FP   fccmp;
        Fp FCCMPE_half     "00011110111mmmmmcccc01nnnnn1ffff" FP16 fccmp;
    }
}

#[inline(always)]
fn both<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (n, m) = (b.q(a.rn), b.q(a.rm));
    b.fp_compare(ftype(I), n, m, bit(I as u64, 4));
    Ok(())
}
#[inline(always)]
fn with_zero<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (n, zero) = (b.q(a.rn), b.imm(0));
    let zero = b.wide(zero);
    b.fp_compare(ftype(I), n, zero, bit(I as u64, 4));
    Ok(())
}

fn fcmp(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (n, m) = (c.v[rn(i)], c.v[rm(i)]);
    float::flags(c, ftype(i), n, m, bit(i as u64, 4));
    DONE
}
fn fcmp_zero(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let n = c.v[rn(i)];
    float::flags(c, ftype(i), n, 0, bit(i as u64, 4));
    DONE
}
fn fccmp(c: &mut Pe, sh: &mut Shared, i: u32) -> Done {
    if c.flags.holds(field(i, 15, 12)) {
        return fcmp(c, sh, i);
    }
    c.flags = Flags::unpack((field(i, 3, 0) as u64) << 28);
    DONE
}
