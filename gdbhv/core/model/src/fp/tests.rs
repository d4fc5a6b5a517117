//! The arithmetic against the host's (round to nearest), against properties (directed rounding), and exhaustively for half precision.

use super::arith::{add, div, mul, mul_add, mulx, sqrt, sub};
use super::compare::{compare, max, max_num, min};
use super::convert::{convert, from_fixed, round_int, round_int_n, to_fixed, to_int_js};
use super::env::{Env, Rounding, DZC, IDC, IOC, IXC, OFC, UFC};
use super::estimate::{fp_recip, fp_rsqrt, unsigned_recip, unsigned_rsqrt};
use super::format::Format;
use std::cmp::Ordering;

const H: Format = Format::HALF;
const S: Format = Format::SINGLE;
const D: Format = Format::DOUBLE;
const FZ: u32 = 1 << 24;
const DN: u32 = 1 << 25;
const AHP: u32 = 1 << 26;
const FZ16: u32 = 1 << 19;

fn env(fpcr: u32) -> Env {
    Env { fpcr, fpsr: 0 }
}
fn rmode(mode: u32) -> Env {
    env(mode << 22)
}

/// A small generator of bit strings that likes edges (splitmix64).
struct Random(u64);
impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    /// An operand: any, near one, denormal, or with few bits set.
    fn operand(&mut self, f: Format) -> u64 {
        let (x, k) = (self.next(), self.next());
        let one = f.pack(false, 1 - f.min_exp(), 0);
        f.all()
            & match k % 8 {
                0 | 1 => x,
                2 => one.wrapping_add((x as i64 >> (66 - f.bits)) as u64),
                3 => x & (f.sign() | (1 << f.frac()) - 1),
                4 => x << (f.frac() - 3),
                5 => [0, one, f.inf(false), f.max_normal(true), 1, f.sign()][x as usize % 6],
                _ => {
                    let exp = 1 - f.min_exp() + (x as i32 % 70).clamp(-14, 14);
                    f.pack(x >> 63 != 0, exp, x >> (64 - f.frac()))
                }
            }
    }
}

#[track_caller]
fn same(f: Format, ours: u64, host: u64, what: &dyn Fn() -> String) {
    let nan = |x: u64| x & !f.sign() > f.inf(false);
    assert!(
        ours == host || nan(ours) && nan(host),
        "ours {ours:x} host {host:x}: {}",
        what()
    );
}

#[test]
fn single_precision_agrees_with_the_host() {
    let mut r = Random(1);
    let x = |v: u64| f32::from_bits(v as u32);
    for _ in 0..300_000 {
        let (a, b, c) = (r.operand(S), r.operand(S), r.operand(S));
        let e = &mut env(0);
        for (name, ours, host) in [
            ("add", add(e, S, a, b), x(a) + x(b)),
            ("sub", sub(e, S, a, b), x(a) - x(b)),
            ("mul", mul(e, S, a, b), x(a) * x(b)),
            ("div", div(e, S, a, b), x(a) / x(b)),
            ("sqrt", sqrt(e, S, a), x(a).sqrt()),
            ("fma", mul_add(e, S, c, a, b), x(a).mul_add(x(b), x(c))),
            (
                "floor",
                round_int(e, S, a, Rounding::Minus, false),
                x(a).floor(),
            ),
            (
                "ties",
                round_int(e, S, a, Rounding::TieAway, false),
                x(a).round(),
            ),
            (
                "int",
                from_fixed(e, S, b as i32 as i128, 0, Rounding::TieEven),
                b as i32 as f32,
            ),
        ] {
            same(S, ours, host.to_bits() as u64, &|| {
                format!("{name} {a:x} {b:x} {c:x}")
            });
        }
        let wide = convert(e, S, D, a, Rounding::TieEven);
        same(D, wide, (x(a) as f64).to_bits(), &|| {
            format!("{a:x} to double")
        });
        let int = to_fixed(e, S, a, 0, false, Rounding::Zero, 32);
        assert_eq!(int, x(a) as i32 as u32 as u64, "{a:x} to int");
        assert_eq!(compare(e, S, a, b, false), x(a).partial_cmp(&x(b)));
    }
}

#[test]
fn double_precision_agrees_with_the_host() {
    let mut r = Random(2);
    let x = f64::from_bits;
    for _ in 0..300_000 {
        let (a, b, c) = (r.operand(D), r.operand(D), r.operand(D));
        let e = &mut env(0);
        for (name, ours, host) in [
            ("add", add(e, D, a, b), x(a) + x(b)),
            ("sub", sub(e, D, a, b), x(a) - x(b)),
            ("mul", mul(e, D, a, b), x(a) * x(b)),
            ("div", div(e, D, a, b), x(a) / x(b)),
            ("sqrt", sqrt(e, D, a), x(a).sqrt()),
            ("fma", mul_add(e, D, c, a, b), x(a).mul_add(x(b), x(c))),
            (
                "ceil",
                round_int(e, D, a, Rounding::Plus, false),
                x(a).ceil(),
            ),
            (
                "uint",
                from_fixed(e, D, b as i128, 0, Rounding::TieEven),
                b as f64,
            ),
        ] {
            same(D, ours, host.to_bits(), &|| {
                format!("{name} {a:x} {b:x} {c:x}")
            });
        }
        let narrow = convert(e, D, S, a, Rounding::TieEven);
        let host = (x(a) as f32).to_bits() as u64;
        same(S, narrow, host, &|| format!("{a:x} to single"));
        let int = to_fixed(e, D, a, 0, true, Rounding::Zero, 64);
        assert_eq!(int, x(a) as u64, "{a:x} to int");
    }
}

/// What is exact is the same in all modes; what is not lies between neighbours, and nearest is one of them.
#[test]
fn rounding_modes_bracket_the_exact_result() {
    let mut r = Random(3);
    let key = |f: Format, x: u64| {
        let m = (x & !f.sign()) as i64;
        if x & f.sign() != 0 {
            -m
        } else {
            m
        }
    };
    for k in 0..300_000 {
        let f = [H, S, D][k % 3];
        let (a, b, c) = (r.operand(f), r.operand(f), r.operand(f));
        let op = |e: &mut Env| match k / 3 % 5 {
            0 => add(e, f, a, b),
            1 => mul(e, f, a, b),
            2 => div(e, f, a, b),
            3 => sqrt(e, f, a),
            _ => mul_add(e, f, c, a, b),
        };
        let mut e: [Env; 4] = std::array::from_fn(|m| rmode(m as u32));
        let [near, up, down, zero] = std::array::from_fn(|m| op(&mut e[m]));
        let [near_key, up_key, down_key] = [near, up, down].map(|x| key(f, x));
        if up_key == down_key {
            assert_eq!(near_key, up_key, "{f:?} {a:x} {b:x} {c:x}");
            assert!(e.iter().all(|e| e.fpsr & IXC == 0));
        } else {
            assert_eq!(up_key, down_key + 1, "{f:?} {a:x} {b:x} {c:x}");
            assert!(near == up || near == down);
            assert_eq!(zero, if up_key > 0 { down } else { up });
            assert!(e.iter().all(|e| e.fpsr & IXC != 0));
        }
    }
}

/// The host's arithmetic (taken once FPSR.IXC is set) and the exact core give the same result and the same exceptions.
#[test]
fn the_host_gives_what_the_core_gives() {
    let mut r = Random(5);
    for k in 0..400_000 {
        let f = [S, D][k % 2];
        let (a, b, c) = (r.operand(f), r.operand(f), r.operand(f));
        let op = |e: &mut Env| match k / 2 % 6 {
            0 => add(e, f, a, b),
            1 => sub(e, f, a, b),
            2 => mul(e, f, a, b),
            3 => div(e, f, a, b),
            4 => sqrt(e, f, a),
            _ => mul_add(e, f, c, a, b),
        };
        let fpcr = r.next() as u32 & (FZ | DN | 3 << 22);
        let (mut exact, mut fast) = (env(fpcr), Env { fpcr, fpsr: IXC });
        assert_eq!(
            op(&mut exact),
            op(&mut fast),
            "{f:?} {k} {fpcr:x} {a:x} {b:x} {c:x}"
        );
        assert_eq!(
            exact.fpsr | IXC,
            fast.fpsr,
            "{f:?} {k} {fpcr:x} {a:x} {b:x} {c:x}"
        );
    }
}

/// The value of a half-precision number, from its definition.
fn half_value(h: u64, alternative: bool) -> f64 {
    let (exp, frac) = ((h >> 10 & 31) as i32, (h & 0x3ff) as f64);
    let m = match exp {
        0 => frac * 2f64.powi(-24),
        31 if !alternative && frac == 0.0 => f64::INFINITY,
        31 if !alternative => f64::NAN,
        _ => (1.0 + frac / 1024.0) * 2f64.powi(exp - 15),
    };
    if h & H.sign() != 0 {
        -m
    } else {
        m
    }
}

#[test]
fn every_half_widens_to_its_value() {
    for (fpcr, alternative) in [(0, false), (AHP, true), (FZ16, false)] {
        for h in 0..=0xffff {
            let e = &mut env(fpcr);
            let v = half_value(h, alternative);
            let wide = convert(e, H, D, h, Rounding::TieEven);
            same(D, wide, v.to_bits(), &|| format!("{h:x}"));
            let single = convert(e, H, S, h, Rounding::TieEven);
            same(S, single, (v as f32).to_bits() as u64, &|| format!("{h:x}"));
            let signalling = !alternative && v.is_nan() && h & H.quiet() == 0;
            assert_eq!(e.fpsr, if signalling { IOC } else { 0 });
        }
    }
}

#[test]
fn every_half_and_all_between_narrow_as_told() {
    for h in 0..0x7bff_u64 {
        let (lo, hi) = (half_value(h, false), half_value(h + 1, false));
        let middle = (lo + hi) / 2.0;
        let even = if h & 1 == 0 { h } else { h + 1 };
        let above = f64::from_bits(middle.to_bits() + 1);
        let below = f64::from_bits(middle.to_bits() - 1);
        for (v, nearest) in [(middle, even), (above, h + 1), (below, h)] {
            for (mode, r) in [(0, nearest), (1, h + 1), (2, h), (3, h)] {
                for (sign, bits) in [(0, v.to_bits()), (H.sign(), (-v).to_bits())] {
                    let mode = Rounding::of(if sign != 0 {
                        [0, 2, 1, 3][mode]
                    } else {
                        mode as u32
                    });
                    let e = &mut env(0);
                    assert_eq!(convert(e, D, H, bits, mode), sign | r, "{v} {mode:?}");
                    let tiny = v < 2f64.powi(-14);
                    assert_eq!(e.fpsr, if tiny { IXC | UFC } else { IXC });
                }
            }
        }
        let e = &mut env(0);
        assert_eq!(convert(e, D, H, lo.to_bits(), Rounding::Plus), h);
        assert_eq!(e.fpsr, 0);
    }
}

#[test]
fn half_narrowing_at_the_top() {
    let to = |v: f64, mode, fpcr| {
        let e = &mut env(fpcr);
        (convert(e, D, H, v.to_bits(), mode), e.fpsr)
    };
    use Rounding::*;
    assert_eq!(to(65519.9, TieEven, 0), (0x7bff, IXC));
    assert_eq!(to(65520.0, TieEven, 0), (0x7c00, OFC | IXC));
    assert_eq!(to(1e9, Zero, 0), (0x7bff, OFC | IXC));
    assert_eq!(to(-1e9, Plus, 0), (0xfbff, OFC | IXC));
    assert_eq!(to(1e5, Odd, 0), (0x7bff, OFC | IXC));
    assert_eq!(to(65536.0, TieEven, AHP), (0x7c00, 0));
    assert_eq!(to(1e9, TieEven, AHP), (0x7fff, IOC));
    assert_eq!(to(f64::NEG_INFINITY, TieEven, AHP), (0xffff, IOC));
    assert_eq!(to(f64::NAN, TieEven, AHP), (0, IOC));
    assert_eq!(to(1.0 + 2f64.powi(-30), Odd, 0), (0x3c01, IXC));
}

#[test]
fn nans_propagate_by_kind_then_by_order() {
    let (q1, q2, s2, s3) = (0x7fc0_0001, 0xffc0_0002, 0xff80_0002, 0x7f80_0003);
    let e = &mut env(0);
    assert_eq!((add(e, S, q1, q2), e.fpsr), (q1, 0));
    assert_eq!((mul(e, S, q1, s2), e.fpsr), (0xffc0_0002, IOC));
    assert_eq!(
        mul_add(e, S, q1, s2, s3),
        0xffc0_0002,
        "the addend comes first"
    );
    assert_eq!(mul_add(e, S, s3, s2, q1), 0x7fc0_0003);
    assert_eq!(sub(e, S, 0, q2), q2, "the sign of a subtrahend stays");
    let e = &mut env(DN);
    assert_eq!((max(e, S, q1, 0), e.fpsr), (0x7fc0_0000, 0));
    // Infinity times zero beats a quiet addend (FPMulAdd).
    let e = &mut env(0);
    let r = mul_add(e, S, q2, S.inf(true), 0);
    assert_eq!((r, e.fpsr), (S.default_nan(), IOC));
}

#[test]
fn exceptions_and_special_results() {
    let at = |fpcr, f: &dyn Fn(&mut Env) -> u64| {
        let e = &mut env(fpcr);
        (f(e), e.fpsr)
    };
    let (one, denormal) = (1f64.to_bits(), 1u64);
    assert_eq!(at(0, &|e| div(e, D, one, D.sign())), (D.inf(true), DZC));
    assert_eq!(at(0, &|e| div(e, D, 0, 0)), (D.default_nan(), IOC));
    assert_eq!(
        at(0, &|e| sqrt(e, D, D.sign() | one)),
        (D.default_nan(), IOC)
    );
    assert_eq!(at(0, &|e| sqrt(e, D, D.sign())), (D.sign(), 0));
    assert_eq!(at(0, &|e| mulx(e, D, D.inf(true), 0)), (D.two(true), 0));
    assert_eq!(at(0, &|e| sub(e, D, one, one)), (0, 0));
    assert_eq!(at(2 << 22, &|e| sub(e, D, one, one)), (D.sign(), 0));
    assert_eq!(at(0, &|e| max(e, D, D.sign(), 0)), (0, 0));
    assert_eq!(at(0, &|e| min(e, D, 0, D.sign())), (D.sign(), 0));
    assert_eq!(at(0, &|e| max_num(e, D, D.default_nan(), one)), (one, 0));
    assert_eq!(at(FZ, &|e| add(e, D, denormal, one)), (one, IDC));
    assert_eq!(at(FZ16, &|e| add(e, H, denormal, 0x3c00)), (0x3c00, 0));
    // The smallest normal number times 1 - 2^-53 rounds up to normal again, but was tiny before.
    let (least, below_one) = (1u64 << 52, one - 1);
    assert_eq!(at(0, &|e| mul(e, D, least, below_one)), (least, UFC | IXC));
    assert_eq!(at(FZ, &|e| mul(e, D, least, below_one)), (0, UFC));
    // An exact denormal is no underflow.
    assert_eq!(
        at(0, &|e| mul(e, D, least, 0.5f64.to_bits())),
        (least >> 1, 0)
    );
}

#[test]
fn to_integers_saturate() {
    let to = |v: f64, unsigned, width| {
        let e = &mut env(0);
        let mode = Rounding::TieEven;
        (
            to_fixed(e, D, v.to_bits(), 0, unsigned, mode, width),
            e.fpsr,
        )
    };
    assert_eq!(to(2.5, false, 32), (2, IXC));
    assert_eq!(to(-0.4, true, 32), (0, IXC));
    assert_eq!(to(-1.0, true, 32), (0, IOC));
    assert_eq!(to(3e9, false, 32), (0x7fff_ffff, IOC));
    assert_eq!(to(f64::NEG_INFINITY, false, 64), (1 << 63, IOC));
    assert_eq!(to(f64::NAN, false, 64), (0, IOC));
    assert_eq!(to(-9223372036854775808.0, false, 64), (1 << 63, 0));
    let e = &mut env(0);
    let v = 1.5f32.to_bits() as u64;
    assert_eq!(to_fixed(e, S, v, 16, false, Rounding::Zero, 32), 0x1_8000);
    assert_eq!(from_fixed(e, S, 0x1_8000, 16, Rounding::Zero), v);
}

#[test]
fn integral_values_that_fit() {
    let to = |v: f64, width| {
        let e = &mut env(0);
        let r = round_int_n(e, D, v.to_bits(), Rounding::TieEven, width);
        (f64::from_bits(r), e.fpsr)
    };
    let least = -2147483648.0;
    assert_eq!(to(2147483647.0, 32), (2147483647.0, 0));
    assert_eq!(to(2147483647.5, 32), (least, IOC));
    assert_eq!(to(-2147483648.5, 32), (least, IXC));
    assert_eq!(to(-2147483649.0, 32), (least, IOC));
    assert_eq!(to(f64::NAN, 32), (least, IOC));
    assert_eq!(to(f64::INFINITY, 64), (-9223372036854775808.0, IOC));
    assert_eq!(to(0.5, 64), (0.0, IXC));
}

#[test]
fn javascript_conversion() {
    let to = |v: f64, fpcr| {
        let e = &mut env(fpcr);
        let (r, exact) = to_int_js(e, v.to_bits());
        (r as i32, exact, e.fpsr)
    };
    assert_eq!(to(-7.0, 0), (-7, true, 0));
    assert_eq!(to(-7.5, 0), (-7, false, IXC));
    assert_eq!(to(-0.0, 0), (0, false, 0));
    assert_eq!(to(4294967296.0 + 5.0, 0), (5, false, IOC));
    assert_eq!(to(2f64.powi(83) + 2f64.powi(31), 0), (i32::MIN, false, IOC));
    assert_eq!(to(f64::INFINITY, 0), (0, false, IOC));
    // A flushed denormal is zero, but not exactly so (FPToFixedJS looks at the operand's fraction).
    assert_eq!(to(f64::from_bits(5), FZ), (0, false, IDC));
}

#[test]
fn estimates() {
    let e = &mut env(0);
    let x = |v: f32| v.to_bits() as u64;
    assert_eq!(fp_recip(e, S, x(1.0)), 0x3f7f_8000);
    assert_eq!(fp_rsqrt(e, S, x(1.0)), 0x3f7f_8000);
    assert_eq!(fp_rsqrt(e, S, x(4.0)), 0x3eff_8000);
    assert_eq!(unsigned_recip(0x8000_0000), 0xff80_0000);
    assert_eq!(unsigned_recip(0x7fff_ffff), 0xffff_ffff);
    assert_eq!(unsigned_rsqrt(0x4000_0000), 0xff80_0000);
    assert_eq!((fp_recip(e, S, 0), e.fpsr), (S.inf(false), DZC));
    // Eight bits are right (table entries lie in the middle of their interval).
    let mut r = Random(4);
    for _ in 0..10_000 {
        let v = f64::from_bits((r.next() >> 12) | (1000 + r.next() % 48) << 52);
        let e = &mut env(0);
        let recip = f64::from_bits(fp_recip(e, D, v.to_bits()));
        let rsqrt = f64::from_bits(fp_rsqrt(e, D, v.to_bits()));
        assert!((recip * v - 1.0).abs() < 1.0 / 256.0, "{v}");
        assert!((rsqrt * rsqrt * v - 1.0).abs() < 1.0 / 128.0, "{v}");
    }
}

#[test]
fn comparison_of_quiet_nans_is_invalid_only_if_signalling() {
    for (nan, signal, fpsr) in [
        (0x7fc0_0000, false, 0),
        (0x7fc0_0000, true, IOC),
        (0x7f80_0001, false, IOC),
    ] {
        let e = &mut env(0);
        assert_eq!(compare(e, S, nan, 0, signal), None);
        assert_eq!(e.fpsr, fpsr);
    }
    let e = &mut env(0);
    assert_eq!(compare(e, S, S.sign(), 0, true), Some(Ordering::Equal));
}
