//! Conversions: between formats, to and from integers and fixed point, to integral values.

use super::env::{Env, Rounding, IOC, IXC};
use super::format::Format;
use super::num::{nan, unpack, unpack_cv, Class};
use super::round::{cut, round_cv, round_to, up, Exact};

/// `FPConvert`.
pub fn convert(env: &mut Env, from: Format, to: Format, bits: u64, mode: Rounding) -> u64 {
    let n = unpack_cv(env, from, bits);
    let alternative = to.bits == 16 && env.alternative_half();
    match n.class {
        Class::Quiet | Class::Signalling => {
            if alternative || n.class == Class::Signalling {
                env.raise(IOC);
            }
            if alternative {
                to.zero(n.sign)
            } else if env.default_nan() {
                to.default_nan()
            } else {
                convert_nan(from, to, n.bits)
            }
        }
        Class::Inf if alternative => {
            env.raise(IOC);
            to.zero(n.sign) | (to.sign() - 1)
        }
        Class::Inf => to.inf(n.sign),
        Class::Zero => to.zero(n.sign),
        Class::Finite => round_cv(env, to, exact(n.sign, n.exp, n.man), mode),
    }
}

/// `FPConvertNaN`: the top of the fraction survives, and it is quiet.
fn convert_nan(from: Format, to: Format, bits: u64) -> u64 {
    let top = bits << (64 - from.frac());
    to.inf(bits & from.sign() != 0) | to.quiet() | top >> (64 - to.frac())
}

fn exact(sign: bool, exp: i32, man: u64) -> Exact {
    Exact {
        sign,
        exp,
        sig: (man as u128) << 64,
    }
}

/// `FPToFixed`: to an integer of `width` bits after multiplication by `2^fbits`; saturating.
pub fn to_fixed(
    env: &mut Env,
    f: Format,
    bits: u64,
    fbits: u32,
    unsigned: bool,
    mode: Rounding,
    width: u32,
) -> u64 {
    let n = unpack(env, f, bits);
    let mask = u64::MAX >> (64 - width);
    let (int, rest) = match n.class {
        Class::Quiet | Class::Signalling => {
            env.raise(IOC);
            return 0;
        }
        Class::Zero => (0, false),
        Class::Inf => (1 << 100, false),
        // Beyond 2^100 everything saturates; the value is man * 2^(exp - 63), and 63 - exp bits are cut.
        Class::Finite => {
            let exp = n.exp + fbits as i32;
            if exp > 100 {
                (1 << 100, false)
            } else if exp > 63 {
                ((n.man as u128) << (exp - 63), false)
            } else {
                let (int, half, rest) = cut(n.man as u128, (63 - exp).min(200) as u32);
                (int + up(mode, n.sign, int, half, rest) as u128, rest)
            }
        }
    };
    let int = if n.sign { -(int as i128) } else { int as i128 };
    let (lo, hi) = if unsigned {
        (0, mask as i128)
    } else {
        (-1 - (mask >> 1) as i128, (mask >> 1) as i128)
    };
    let r = int.clamp(lo, hi);
    if r != int {
        env.raise(IOC);
    } else if rest {
        env.raise(IXC);
    }
    r as u64 & mask
}

/// `FixedToFP`: from an integer divided by `2^fbits`.
pub fn from_fixed(env: &mut Env, f: Format, int: i128, fbits: u32, mode: Rounding) -> u64 {
    if int == 0 {
        return f.zero(false);
    }
    let x = Exact {
        sign: int < 0,
        exp: 127 - fbits as i32,
        sig: int.unsigned_abs(),
    };
    round_to(env, f, x, mode)
}

/// `FPRoundInt`: to an integral value; inexact is reported only if `exact`.
pub fn round_int(env: &mut Env, f: Format, bits: u64, mode: Rounding, report: bool) -> u64 {
    let n = unpack(env, f, bits);
    match n.class {
        Class::Quiet | Class::Signalling => return nan(env, f, &n),
        Class::Inf => return f.inf(n.sign),
        Class::Zero => return f.zero(n.sign),
        Class::Finite if n.exp >= 63 => return bits & f.all(),
        Class::Finite => {}
    }
    let (int, half, rest) = cut(n.man as u128, (63 - n.exp) as u32);
    let int = int + up(mode, n.sign, int, half, rest) as u128;
    if rest && report {
        env.raise(IXC);
    }
    if int == 0 {
        return f.zero(n.sign);
    }
    let x = Exact {
        sign: n.sign,
        exp: 127,
        sig: int,
    };
    round_to(env, f, x, Rounding::Zero)
}

/// `FPRoundIntN`: to an integral value that fits in `width` bits; what does not is the least integer of that width.
pub fn round_int_n(env: &mut Env, f: Format, bits: u64, mode: Rounding, width: u32) -> u64 {
    let n = unpack(env, f, bits);
    let least = f.pack(true, width as i32 - f.min_exp(), 0);
    let before = env.fpsr;
    let r = if n.is_nan() || n.is_inf() {
        None
    } else {
        let r = round_int(env, f, bits, mode, true);
        let fits = unpack(env, f, r).exp < width as i32 - 1 || r == least;
        fits.then_some(r)
    };
    r.unwrap_or_else(|| {
        env.fpsr = before | IOC;
        least
    })
}

/// A half-precision operand of a single-precision operation: exact, and a NaN of either kind stays one.
pub fn widen_half(env: &mut Env, bits: u64) -> u64 {
    let (n, to) = (unpack(env, Format::HALF, bits), Format::SINGLE);
    match n.class {
        Class::Zero => to.zero(n.sign),
        Class::Finite => to.pack(n.sign, n.exp - to.min_exp() + 1, n.man << 1 >> 41),
        _ => to.inf(n.sign) | (bits & 0x3ff) << 13,
    }
}

/// `FPToFixedJS`: to 32 bits, modulo 2^32, towards zero; true if the conversion is exact (FJCVTZS's Z flag).
pub fn to_int_js(env: &mut Env, bits: u64) -> (u32, bool) {
    let f = Format::DOUBLE;
    let n = unpack(env, f, bits);
    let flushed = n.is_zero() && bits << 1 != 0;
    let (int, rest) = match n.class {
        Class::Zero => return (0, !flushed && !n.sign),
        Class::Finite if n.exp > 63 + 32 => (0, false),
        Class::Finite if n.exp > 63 => ((n.man as u128) << (n.exp - 63), false),
        Class::Finite => {
            let (int, _, rest) = cut(n.man as u128, (63 - n.exp).min(200) as u32);
            (int, rest)
        }
        _ => {
            env.raise(IOC);
            return (0, false);
        }
    };
    let value = if n.sign {
        (int as u32).wrapping_neg()
    } else {
        int as u32
    };
    let fits = n.exp <= 63
        && if n.sign {
            int <= 1 << 31
        } else {
            int < 1 << 31
        };
    if !fits {
        env.raise(IOC);
    } else if rest {
        env.raise(IXC);
    }
    (value, fits && !rest)
}
