//! Reciprocal and reciprocal square root estimates: eight bits, by the pseudocode's integer formulas, and FRECPX.

use super::env::{Env, Rounding, DZC, IXC, OFC, UFC};
use super::format::Format;
use super::num::{invalid, nan, unpack, Class};

/// `RecipEstimate`: from 256..512 to 256..512.
fn recip(a: u32) -> u32 {
    let b = (1 << 19) / (2 * a + 1);
    b.div_ceil(2)
}
/// `RecipSqrtEstimate`: from 128..512 to 256..512.
fn rsqrt(a: u32) -> u32 {
    let a = if a < 256 { 2 * a + 1 } else { (a | 1) * 2 };
    let mut b = 512;
    while a * (b + 1) * (b + 1) < 1 << 28 {
        b += 1;
    }
    b.div_ceil(2)
}

/// `UnsignedRecipEstimate`.
pub fn unsigned_recip(x: u32) -> u32 {
    if x >> 31 == 0 {
        u32::MAX
    } else {
        recip(x >> 23) << 23
    }
}
/// `UnsignedRSqrtEstimate`.
pub fn unsigned_rsqrt(x: u32) -> u32 {
    if x >> 30 == 0 {
        u32::MAX
    } else {
        rsqrt(x >> 23) << 23
    }
}

/// `FPRecipEstimate`.
pub fn fp_recip(env: &mut Env, f: Format, bits: u64) -> u64 {
    let n = unpack(env, f, bits);
    match n.class {
        Class::Quiet | Class::Signalling => return nan(env, f, &n),
        Class::Inf => return f.zero(n.sign),
        Class::Zero => {
            env.raise(DZC);
            return f.inf(n.sign);
        }
        Class::Finite => {}
    }
    if n.exp < f.min_exp() - 2 {
        env.raise(OFC | IXC);
        let to_inf = match env.rounding() {
            Rounding::Plus => !n.sign,
            Rounding::Minus => n.sign,
            Rounding::Zero => false,
            _ => true,
        };
        return if to_inf {
            f.inf(n.sign)
        } else {
            f.max_normal(n.sign)
        };
    }
    if env.flush(f) && n.exp >= -f.min_exp() {
        env.raise(UFC);
        return f.zero(n.sign);
    }
    let estimate = recip((n.man >> 55) as u32) as u64; // 1.eight bits
    let biased = -n.exp - f.min_exp(); // the result is estimate * 2^(-1 - exp - 8), its exponent field this
    let frac = estimate << (f.frac() - 8);
    if biased > 0 {
        f.pack(n.sign, biased - 1, frac)
    } else {
        f.pack(n.sign, 0, frac >> (1 - biased))
    }
}

/// `FPRSqrtEstimate`.
pub fn fp_rsqrt(env: &mut Env, f: Format, bits: u64) -> u64 {
    let n = unpack(env, f, bits);
    match n.class {
        Class::Quiet | Class::Signalling => return nan(env, f, &n),
        Class::Zero => {
            env.raise(DZC);
            return f.inf(n.sign);
        }
        _ if n.sign => return invalid(env, f),
        Class::Inf => return f.zero(false),
        Class::Finite => {}
    }
    // Odd exponents take the operand from 1/4..1/2, even ones from 1/2..1: an exponent field is odd where the exponent is even.
    let estimate = if n.exp & 1 == 0 {
        rsqrt((n.man >> 56) as u32)
    } else {
        rsqrt((n.man >> 55) as u32)
    };
    // sqrt(x) for x in 2^exp..2^(exp+1); the result's exponent is that of 1/sqrt, rounded down.
    let exp = (-n.exp - 1).div_euclid(2);
    let frac = (estimate as u64 & 0xff) << (f.frac() - 8);
    f.pack(false, exp - f.min_exp() + 1, frac)
}

/// `FPRecpX`: the exponent's complement, for scaling.
pub fn fp_recpx(env: &mut Env, f: Format, bits: u64) -> u64 {
    let n = unpack(env, f, bits);
    if n.is_nan() {
        return nan(env, f, &n);
    }
    let biased = (bits >> f.frac()) as i32 & f.max_biased();
    let exp = if biased == 0 {
        f.max_biased() - 1
    } else {
        !biased & f.max_biased()
    };
    f.pack(n.sign, exp, 0)
}
