//! `FPRound`: from an exact value to the nearest representable one, with all its exceptions.

use super::env::{Env, Rounding, IOC, IXC, OFC, UFC};
use super::format::Format;
use std::cmp::Ordering;

/// A magnitude that is not zero: `sig * 2^(exp - 127)`. The lowest bit may stand for all that is below it ("sticky").
#[derive(Clone, Copy, Debug)]
pub struct Exact {
    /// Negative.
    pub sign: bool,
    /// Exponent.
    pub exp: i32,
    /// Significand.
    pub sig: u128,
}

/// Cut `sig` below bit `drop`: what is left, how the rest compares with a half, and whether there is a rest.
#[inline(always)]
pub fn cut(sig: u128, drop: u32) -> (u128, Ordering, bool) {
    match drop {
        0 => (sig, Ordering::Less, false),
        1..=127 => {
            let rest = sig << (128 - drop);
            (sig >> drop, rest.cmp(&(1 << 127)), rest != 0)
        }
        128 => (0, sig.cmp(&(1 << 127)), sig != 0),
        _ => (0, Ordering::Less, sig != 0),
    }
}

/// Whether rounding adds one to the magnitude `int`, given what `cut` says of the rest.
#[inline(always)]
pub fn up(mode: Rounding, sign: bool, int: u128, half: Ordering, rest: bool) -> bool {
    match mode {
        Rounding::TieEven => half == Ordering::Greater || half == Ordering::Equal && int & 1 != 0,
        Rounding::TieAway => half != Ordering::Less,
        Rounding::Plus => rest && !sign,
        Rounding::Minus => rest && sign,
        Rounding::Zero | Rounding::Odd => false,
    }
}

/// `FPRoundBase`.
fn round_base(
    env: &mut Env,
    f: Format,
    x: Exact,
    mode: Rounding,
    flush: bool,
    alternative: bool,
) -> u64 {
    let Exact { sign, mut exp, sig } = x;
    let lead = sig.leading_zeros();
    let sig = sig << lead;
    exp -= lead as i32;
    if flush && exp < f.min_exp() {
        env.raise(UFC);
        return f.zero(sign);
    }
    let below = (f.min_exp() - exp).clamp(0, 200) as u32;
    let (mut int, half, mut rest) = cut(sig, 127 - f.frac() + below);
    if below > 0 && rest {
        env.raise(UFC);
    }
    if up(mode, sign, int, half, rest) {
        int += 1;
    }
    if mode == Rounding::Odd && rest {
        int |= 1;
    }
    // The leading one of a normal number, or a denormal's carry into the exponent field, adds to `biased`.
    let biased = (exp - f.min_exp()).max(0);
    let mut r = f.pack(sign, biased.min(f.max_biased()), int as u64);
    let carried = biased as i64 + (int >> f.frac()) as i64;
    if alternative {
        if carried > f.max_biased() as i64 {
            r = f.pack(sign, 0, f.sign() - 1);
            env.raise(IOC);
            rest = false;
        }
    } else if carried >= f.max_biased() as i64 {
        let to_inf = match mode {
            Rounding::TieEven | Rounding::TieAway => true,
            Rounding::Plus => !sign,
            Rounding::Minus => sign,
            Rounding::Zero | Rounding::Odd => false,
        };
        r = if to_inf {
            f.inf(sign)
        } else {
            f.max_normal(sign)
        };
        env.raise(OFC);
        rest = true;
    }
    if rest {
        env.raise(IXC);
    }
    r
}

/// `FPRound` with an explicit rounding mode: the result of arithmetic.
pub fn round_to(env: &mut Env, f: Format, x: Exact, mode: Rounding) -> u64 {
    let flush = env.flush(f);
    round_base(env, f, x, mode, flush, false)
}

/// `FPRound` as FPCR says.
pub fn round(env: &mut Env, f: Format, x: Exact) -> u64 {
    let mode = env.rounding();
    round_to(env, f, x, mode)
}

/// `FPRoundCV`: the result of a conversion between formats.
pub fn round_cv(env: &mut Env, f: Format, x: Exact, mode: Rounding) -> u64 {
    let half = f.bits == 16;
    let (flush, alternative) = (env.flush(f) && !half, env.alternative_half() && half);
    round_base(env, f, x, mode, flush, alternative)
}
