//! Numbers taken apart, and what happens to NaNs.

use super::env::{Env, IDC, IOC};
use super::format::Format;
use std::cmp::Ordering;

/// `FPType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Zero, or a denormal that was flushed.
    Zero,
    /// Finite and not zero.
    Finite,
    /// Infinity.
    Inf,
    /// Quiet NaN.
    Quiet,
    /// Signalling NaN.
    Signalling,
}

/// A number taken apart. If finite, its magnitude is `man * 2^(exp - 63)` and the top bit of `man` is set.
#[derive(Clone, Copy, Debug)]
pub struct Num {
    /// What it is.
    pub class: Class,
    /// Negative.
    pub sign: bool,
    /// Exponent.
    pub exp: i32,
    /// Significand.
    pub man: u64,
    /// The operand itself.
    pub bits: u64,
}

impl Num {
    /// A NaN of either kind.
    #[inline(always)]
    pub fn is_nan(&self) -> bool {
        matches!(self.class, Class::Quiet | Class::Signalling)
    }
    /// Zero.
    #[inline(always)]
    pub fn is_zero(&self) -> bool {
        self.class == Class::Zero
    }
    /// Infinite.
    #[inline(always)]
    pub fn is_inf(&self) -> bool {
        self.class == Class::Inf
    }
    /// The same with its sign changed (a NaN's `bits` keep theirs).
    #[inline(always)]
    pub fn negated(self, negate: bool) -> Num {
        Num {
            sign: self.sign ^ negate,
            ..self
        }
    }
    /// Order of two numbers that are not NaNs; zeros are equal.
    pub fn order(&self, other: &Num) -> Ordering {
        let key = |n: &Num| match n.class {
            Class::Zero => (0, 0, 0),
            Class::Inf => (1, i32::MAX, 0),
            _ => (1, n.exp, n.man),
        };
        let (a, b) = (key(self), key(other));
        match (self.sign && a.0 != 0, other.sign && b.0 != 0) {
            (false, false) => a.cmp(&b),
            (true, true) => b.cmp(&a),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

/// `FPUnpackBase`, with the flushing of denormals and the alternative half precision as told.
#[inline]
fn unpack_base(env: &mut Env, f: Format, bits: u64, flush: bool, alternative: bool) -> Num {
    let bits = bits & f.all();
    let sign = bits & f.sign() != 0;
    let biased = (bits >> f.frac()) as i32 & f.max_biased();
    let frac = bits << (64 - f.frac());
    let num = |class, exp, man| Num {
        class,
        sign,
        exp,
        man,
        bits,
    };
    if biased == 0 {
        if frac == 0 {
            return num(Class::Zero, 0, 0);
        }
        if flush {
            if f.bits != 16 {
                env.raise(IDC);
            }
            return num(Class::Zero, 0, 0);
        }
        let up = frac.leading_zeros();
        return num(Class::Finite, f.min_exp() - 1 - up as i32, frac << up);
    }
    if biased == f.max_biased() && !alternative {
        return match frac {
            0 => num(Class::Inf, 0, 0),
            _ if bits & f.quiet() != 0 => num(Class::Quiet, 0, 0),
            _ => num(Class::Signalling, 0, 0),
        };
    }
    num(Class::Finite, biased + f.min_exp() - 1, 1 << 63 | frac >> 1)
}

/// `FPUnpack`: an operand of arithmetic.
#[inline]
pub fn unpack(env: &mut Env, f: Format, bits: u64) -> Num {
    let flush = env.flush(f);
    unpack_base(env, f, bits, flush, false)
}

/// `FPUnpackCV`: the operand of a conversion between formats.
pub fn unpack_cv(env: &mut Env, f: Format, bits: u64) -> Num {
    let half = f.bits == 16;
    let (flush, alternative) = (env.flush(f) && !half, env.alternative_half() && half);
    unpack_base(env, f, bits, flush, alternative)
}

/// `FPProcessNaN`: quieten, complain about signalling ones, or give the default NaN.
pub fn nan(env: &mut Env, f: Format, n: &Num) -> u64 {
    if n.class == Class::Signalling {
        env.raise(IOC);
    }
    if env.default_nan() {
        f.default_nan()
    } else {
        n.bits | f.quiet()
    }
}

/// `FPProcessNaNs`, `FPProcessNaNs3`: the first signalling NaN, else the first quiet one, decides.
#[inline(always)]
pub fn nans(env: &mut Env, f: Format, operands: &[&Num]) -> Option<u64> {
    let first = |class| operands.iter().find(|n| n.class == class);
    let n = first(Class::Signalling).or_else(|| first(Class::Quiet))?;
    Some(nan(env, f, n))
}

/// An invalid operation: its exception and the default NaN.
pub fn invalid(env: &mut Env, f: Format) -> u64 {
    env.raise(IOC);
    f.default_nan()
}
