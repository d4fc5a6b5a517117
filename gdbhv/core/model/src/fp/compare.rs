//! Compare, minimum and maximum.

use super::env::{Env, IOC};
use super::format::Format;
use super::num::{nans, unpack, Class, Num};
use super::round::{round, Exact};
use std::cmp::Ordering;

/// `FPCompare`: None if unordered. Quiet NaNs are invalid too if `signal`.
pub fn compare(env: &mut Env, f: Format, a: u64, b: u64, signal: bool) -> Option<Ordering> {
    let (a, b) = (unpack(env, f, a), unpack(env, f, b));
    if a.is_nan() || b.is_nan() {
        if signal || a.class == Class::Signalling || b.class == Class::Signalling {
            env.raise(IOC);
        }
        return None;
    }
    Some(a.order(&b))
}
/// `FPCompareEQ`.
pub fn eq(env: &mut Env, f: Format, a: u64, b: u64) -> bool {
    compare(env, f, a, b, false) == Some(Ordering::Equal)
}
/// `FPCompareGE`.
pub fn ge(env: &mut Env, f: Format, a: u64, b: u64) -> bool {
    compare(env, f, a, b, true).is_some_and(Ordering::is_ge)
}
/// `FPCompareGT`.
pub fn gt(env: &mut Env, f: Format, a: u64, b: u64) -> bool {
    compare(env, f, a, b, true).is_some_and(Ordering::is_gt)
}

/// `FPMax`.
pub fn max(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    choose(env, f, a, b, Ordering::Greater)
}
/// `FPMin`.
pub fn min(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    choose(env, f, a, b, Ordering::Less)
}
/// `FPMaxNum`: a quiet NaN yields to a number.
pub fn max_num(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    let (a, b) = numbers(f, a, b, f.inf(true));
    max(env, f, a, b)
}
/// `FPMinNum`.
pub fn min_num(env: &mut Env, f: Format, a: u64, b: u64) -> u64 {
    let (a, b) = numbers(f, a, b, f.inf(false));
    min(env, f, a, b)
}

/// Replace the one quiet NaN, if there is just one, by `instead`.
fn numbers(f: Format, a: u64, b: u64, instead: u64) -> (u64, u64) {
    let quiet = |x: u64| x & (f.default_nan()) == f.default_nan();
    match (quiet(a), quiet(b)) {
        (true, false) => (instead, b),
        (false, true) => (a, instead),
        _ => (a, b),
    }
}
/// The operand that has the relation `wanted` to the other.
fn choose(env: &mut Env, f: Format, a: u64, b: u64, wanted: Ordering) -> u64 {
    let (a, b) = (unpack(env, f, a), unpack(env, f, b));
    if let Some(r) = nans(env, f, &[&a, &b]) {
        return r;
    }
    let n = if a.order(&b) == wanted { &a } else { &b };
    match n.class {
        Class::Inf => f.inf(n.sign),
        // -0 is less than +0.
        Class::Zero if both_zero(&a, &b) && wanted == Ordering::Greater => f.zero(a.sign && b.sign),
        Class::Zero if both_zero(&a, &b) => f.zero(a.sign || b.sign),
        Class::Zero => f.zero(n.sign),
        _ => round(
            env,
            f,
            Exact {
                sign: n.sign,
                exp: n.exp,
                sig: (n.man as u128) << 64,
            },
        ),
    }
}
fn both_zero(a: &Num, b: &Num) -> bool {
    a.is_zero() && b.is_zero()
}
