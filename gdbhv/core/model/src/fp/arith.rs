//! Add, multiply, divide, square root, fused multiply-add and the reciprocal steps: exact first, then rounded once.

use super::env::{Env, Rounding, DZC};
use super::format::Format;
use super::host;
use super::num::{invalid, nans, unpack, Class, Num};
use super::round::{round, Exact};

/// Shift right; what falls off stays visible in the lowest bit.
#[inline(always)]
fn jam(v: u128, by: u32) -> u128 {
    if by == 0 {
        v
    } else if by > 127 {
        (v != 0) as u128
    } else {
        v >> by | (v << (128 - by) != 0) as u128
    }
}

/// The value of a finite number, a bit below the top so that sums do not overflow.
fn exact(n: &Num) -> Exact {
    Exact {
        sign: n.sign,
        exp: n.exp + 1,
        sig: (n.man as u128) << 63,
    }
}
/// The exact product of two finite numbers, below the top.
fn product(a: &Num, b: &Num) -> Exact {
    Exact {
        sign: a.sign ^ b.sign,
        exp: a.exp + b.exp + 2,
        // Both have at least 11 zero bits at the end, so that nothing is lost.
        sig: (a.man as u128 * b.man as u128) >> 1,
    }
}
/// The sum of two values whose top bits are clear; None if it is zero.
fn sum(a: Exact, b: Exact) -> Option<Exact> {
    let (a, b) = if (a.exp, a.sig) >= (b.exp, b.sig) {
        (a, b)
    } else {
        (b, a)
    };
    let low = jam(b.sig, (a.exp - b.exp).min(128) as u32);
    let sig = if a.sign == b.sign {
        a.sig + low
    } else {
        a.sig.abs_diff(low)
    };
    let sign = a.sign ^ (a.sign != b.sign && low > a.sig);
    (sig != 0).then_some(Exact { sign, sig, ..a })
}
/// Round a sum; an exact zero is negative only when rounding down.
fn round_sum(env: &mut Env, f: Format, x: Option<Exact>) -> u64 {
    match x {
        Some(x) => round(env, f, x),
        None => f.zero(env.rounding() == Rounding::Minus),
    }
}

/// `FPAdd`.
#[inline(always)]
pub fn add(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    match host::add(env, f, a, b) {
        Some(r) => r,
        None => add_or_sub(env, f, a, b, false),
    }
}
/// `FPSub`.
#[inline(always)]
pub fn sub(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    match host::sub(env, f, a, b) {
        Some(r) => r,
        None => add_or_sub(env, f, a, b, true),
    }
}
fn add_or_sub(env: &mut Env, f: Format, a: u64, b: u64, negate: bool) -> u64 {
    let (a, b) = (unpack(env, f, a), unpack(env, f, b));
    if let Some(r) = nans(env, f, &[&a, &b]) {
        return r;
    }
    add_nums(env, f, &a, &b.negated(negate))
}
fn add_nums(env: &mut Env, f: Format, a: &Num, b: &Num) -> u64 {
    match (a.is_inf(), b.is_inf()) {
        (true, true) if a.sign != b.sign => return invalid(env, f),
        (true, _) => return f.inf(a.sign),
        (_, true) => return f.inf(b.sign),
        _ => {}
    }
    match (a.is_zero(), b.is_zero()) {
        (true, true) if a.sign == b.sign => f.zero(a.sign),
        (true, true) => round_sum(env, f, None),
        (true, _) => round(env, f, exact(b)),
        (_, true) => round(env, f, exact(a)),
        _ => round_sum(env, f, sum(exact(a), exact(b))),
    }
}

/// `FPMul`.
#[inline(always)]
pub fn mul(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    match host::mul(env, f, a, b) {
        Some(r) => r,
        None => exact_mul(env, f, a, b),
    }
}
fn exact_mul(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    mul_or(env, f, a, b, |env, _| invalid(env, f))
}
/// `FPMulX`: infinity times zero is two.
pub fn mulx(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    mul_or(env, f, a, b, |_, sign| f.two(sign))
}
#[inline(always)]
fn mul_or(
    env: &mut Env,
    f: Format,
    a: u64,
    b: u64,
    inf_zero: impl Fn(&mut Env, bool) -> u64,
) -> u64 {
    let (a, b) = (unpack(env, f, a), unpack(env, f, b));
    if let Some(r) = nans(env, f, &[&a, &b]) {
        return r;
    }
    let sign = a.sign ^ b.sign;
    let (inf, zero) = (a.is_inf() || b.is_inf(), a.is_zero() || b.is_zero());
    match (inf, zero) {
        (true, true) => inf_zero(env, sign),
        (true, _) => f.inf(sign),
        (_, true) => f.zero(sign),
        _ => round(env, f, product(&a, &b)),
    }
}

/// `FPDiv`.
#[inline(always)]
pub fn div(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    match host::div(env, f, a, b) {
        Some(r) => r,
        None => exact_div(env, f, a, b),
    }
}
fn exact_div(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    let (a, b) = (unpack(env, f, a), unpack(env, f, b));
    if let Some(r) = nans(env, f, &[&a, &b]) {
        return r;
    }
    let sign = a.sign ^ b.sign;
    if a.is_inf() && b.is_inf() || a.is_zero() && b.is_zero() {
        return invalid(env, f);
    }
    if a.is_inf() || b.is_zero() {
        if !a.is_inf() {
            env.raise(DZC);
        }
        return f.inf(sign);
    }
    if a.is_zero() || b.is_inf() {
        return f.zero(sign);
    }
    let (n, d) = ((a.man as u128) << 63, b.man as u128);
    let quotient = n / d; // of 63 or 64 bits
    let sig = quotient << 1 | (quotient * d != n) as u128;
    let exp = a.exp - b.exp + 63;
    round(env, f, Exact { sign, exp, sig })
}

/// `FPSqrt`.
#[inline(always)]
pub fn sqrt(env: &mut Env, f: Format, a: u64) -> u64 {
    match host::sqrt(env, f, a) {
        Some(r) => r,
        None => exact_sqrt(env, f, a),
    }
}
fn exact_sqrt(env: &mut Env, f: Format, a: u64) -> u64 {
    let a = unpack(env, f, a);
    if let Some(r) = nans(env, f, &[&a]) {
        return r;
    }
    if a.is_zero() {
        return f.zero(a.sign);
    }
    if a.sign {
        return invalid(env, f);
    }
    if a.is_inf() {
        return f.inf(false);
    }
    // An even power of two outside, so that the root has 64 bits.
    let odd = a.exp & 1;
    let n = (a.man as u128) << (63 + odd);
    let root = n.isqrt();
    let sig = root << 1 | (root * root != n) as u128;
    let exp = (a.exp - odd) / 2 + 63;
    round(
        env,
        f,
        Exact {
            sign: false,
            exp,
            sig,
        },
    )
}

/// `FPMulAdd`: `addend + a * b` with one rounding.
#[inline(always)]
pub fn mul_add(env: &mut Env, f: Format, addend: u64, a: u64, b: u64) -> u64 {
    match host::mul_add(env, f, addend, a, b) {
        Some(r) => r,
        None => exact_mul_add(env, f, addend, a, b),
    }
}
fn exact_mul_add(env: &mut Env, f: Format, addend: u64, a: u64, b: u64) -> u64 {
    let c = unpack(env, f, addend);
    let (a, b) = (unpack(env, f, a), unpack(env, f, b));
    let inf_zero = a.is_inf() && b.is_zero() || a.is_zero() && b.is_inf();
    if let Some(r) = nans(env, f, &[&c, &a, &b]) {
        return if inf_zero && c.class == Class::Quiet {
            invalid(env, f)
        } else {
            r
        };
    }
    let sign = a.sign ^ b.sign;
    let inf = a.is_inf() || b.is_inf();
    if inf_zero || c.is_inf() && inf && c.sign != sign {
        return invalid(env, f);
    }
    if c.is_inf() || inf {
        return f.inf(if inf { sign } else { c.sign });
    }
    match (c.is_zero(), a.is_zero() || b.is_zero()) {
        (true, true) if c.sign == sign => f.zero(sign),
        (true, true) => round_sum(env, f, None),
        (true, _) => round(env, f, product(&a, &b)),
        (_, true) => round(env, f, exact(&c)),
        _ => round_sum(env, f, sum(exact(&c), product(&a, &b))),
    }
}

/// `FPRecipStepFused`: `2 - a * b`, and two if that is infinity times zero.
pub fn recip_step(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    step(env, f, a, b, 1, 1 << 63, f.two(false), 0)
}
/// `FPRSqrtStepFused`: `(3 - a * b) / 2`, and three halves if that is infinity times zero.
pub fn rsqrt_step(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    step(env, f, a, b, 1, 3 << 62, f.one_point_five(false), 1)
}
/// `(man * 2^(exp - 63) - a * b) / 2^halvings`.
fn step(
    env: &mut Env,
    f: Format,
    a: u64,
    b: u64,
    exp: i32,
    man: u64,
    inf_zero: u64,
    halvings: i32,
) -> u64 {
    let a = unpack(env, f, a ^ f.sign());
    let b = unpack(env, f, b);
    if let Some(r) = nans(env, f, &[&a, &b]) {
        return r;
    }
    let (inf, zero) = (a.is_inf() || b.is_inf(), a.is_zero() || b.is_zero());
    if inf {
        return if zero {
            inf_zero
        } else {
            f.inf(a.sign ^ b.sign)
        };
    }
    let constant = Exact {
        sign: false,
        exp: exp + 1,
        sig: (man as u128) << 63,
    };
    let value = if zero {
        Some(constant)
    } else {
        sum(constant, product(&a, &b))
    };
    let halved = value.map(|x| Exact {
        exp: x.exp - halvings,
        ..x
    });
    round_sum(env, f, halved)
}
