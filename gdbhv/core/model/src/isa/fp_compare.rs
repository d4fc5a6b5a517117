//! Floating-point compare and conditional compare (Arm ARM C4.1.97).

use super::fp_lanes::*;
use super::lanes::*;
use crate::bits::{bit, field};
use crate::cpu::Cpu;
use crate::fp::compare::compare;
use crate::helper_rows;
use crate::pe::Pe;
use crate::pstate::Flags;
use crate::shared::Shared;
use std::cmp::Ordering;

helper_rows! {
    Fp FCMP            "000111100t1mmmmm001000nnnnn00000" FP   fcmp;
    Fp FCMP_half       "00011110111mmmmm001000nnnnn00000" FP16 fcmp;
    Fp FCMPE           "000111100t1mmmmm001000nnnnn10000" FP   fcmp;
    Fp FCMPE_half      "00011110111mmmmm001000nnnnn10000" FP16 fcmp;
    Fp FCMP_zero       "000111100t1-----001000nnnnn01000" FP   fcmp_zero;
    Fp FCMP_zero_half  "00011110111-----001000nnnnn01000" FP16 fcmp_zero;
    Fp FCMPE_zero      "000111100t1-----001000nnnnn11000" FP   fcmp_zero;
    Fp FCMPE_zero_half "00011110111-----001000nnnnn11000" FP16 fcmp_zero;
    Fp FCCMP           "000111100t1mmmmmcccc01nnnnn0ffff" FP   fccmp;
    Fp FCCMP_half      "00011110111mmmmmcccc01nnnnn0ffff" FP16 fccmp;
    Fp FCCMPE          "000111100t1mmmmmcccc01nnnnn1ffff" FP   fccmp;
    Fp FCCMPE_half     "00011110111mmmmmcccc01nnnnn1ffff" FP16 fccmp;
}

/// Set NZCV from Rn and `m`.
fn flags(c: &mut Pe, i: u32, m: u128, signal: bool) -> Done {
    let f = ftype(i);
    let order = with_env(c, |c, env| {
        compare(env, f, low(c.v[rn(i)], f), low(m, f), signal)
    });
    set_flags(
        c,
        match order {
            None => 0b0011,
            Some(Ordering::Equal) => 0b0110,
            Some(Ordering::Less) => 0b1000,
            Some(Ordering::Greater) => 0b0010,
        },
    )
}
fn set_flags(c: &mut Cpu, nzcv: u32) -> Done {
    c.flags = Flags::unpack((nzcv as u64) << 28);
    DONE
}

fn fcmp(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    flags(c, i, c.v[rm(i)], bit(i as u64, 4))
}
fn fcmp_zero(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    flags(c, i, 0, bit(i as u64, 4))
}
fn fccmp(c: &mut Pe, sh: &mut Shared, i: u32) -> Done {
    if c.flags.holds(field(i, 15, 12)) {
        fcmp(c, sh, i)
    } else {
        set_flags(c, field(i, 3, 0))
    }
}
