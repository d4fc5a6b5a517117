//! What FP bodies share: the format that a word asks for, and loops that carry FPCR in and FPSR out.

use super::lanes::*;
use crate::bits::field;
use crate::cpu::Cpu;
use crate::fp::env::Env;
use crate::fp::format::Format;

/// One operand.
pub type Op1 = fn(&mut Env, Format, u64) -> u64;
/// Two operands.
pub type Op2 = fn(&mut Env, Format, u64, u64) -> u64;
/// An addend and two factors.
pub type Op3 = fn(&mut Env, Format, u64, u64, u64) -> u64;

/// The format named by `ftype`, bits 23:22 of a scalar instruction.
#[inline(always)]
pub const fn ftype(i: u32) -> Format {
    match field(i, 23, 22) {
        0 => Format::SINGLE,
        1 => Format::DOUBLE,
        _ => Format::HALF,
    }
}
/// The format named by `sz`, bit 22.
#[inline(always)]
pub const fn sz(i: u32) -> Format {
    if i >> 22 & 1 != 0 {
        Format::DOUBLE
    } else {
        Format::SINGLE
    }
}
/// The format of a three-same instruction: bit 21 is clear in the half-precision group.
#[inline(always)]
pub const fn three(i: u32) -> Format {
    if i >> 21 & 1 == 0 {
        Format::HALF
    } else {
        sz(i)
    }
}
/// The format of a two-register instruction: bit 20 is set in the half-precision group.
#[inline(always)]
pub const fn misc(i: u32) -> Format {
    if i >> 20 & 1 != 0 {
        Format::HALF
    } else {
        sz(i)
    }
}
/// Not one double-precision element in a vector (`sz` and not Q).
pub const fn not_1d_sz(i: u32) -> bool {
    field(i, 22, 22) == 0 || q(i)
}

/// Run `f` with the CPU's FPCR and FPSR.
#[inline(always)]
pub fn with_env<R>(c: &mut Cpu, f: impl FnOnce(&Cpu, &mut Env) -> R) -> R {
    let mut env = Env {
        fpcr: c.fpcr,
        fpsr: c.fpsr,
    };
    let r = f(c, &mut env);
    if env.fpsr != c.fpsr {
        c.fpsr = env.fpsr;
    }
    r
}
/// `Elem[v, 0]` in format `f`.
#[inline(always)]
pub const fn low(v: u128, f: Format) -> u64 {
    v as u64 & f.all()
}

/// Run `op` with the format named by `ftype`, a constant in each of its copies.
#[inline(always)]
pub fn by_ftype(c: &mut Cpu, i: u32, op: impl Fn(&Cpu, &mut Env, Format) -> u64) -> Done {
    let r = with_env(c, |c, env| match ftype(i) {
        Format::SINGLE => op(c, env, Format::SINGLE),
        Format::DOUBLE => op(c, env, Format::DOUBLE),
        _ => op(c, env, Format::HALF),
    });
    c.v[rd(i)] = r as u128;
    DONE
}
/// Scalar `Rd = op(Rn)`.
#[inline(always)]
pub fn scalar1(c: &mut Cpu, i: u32, op: impl Fn(&mut Env, Format, u64) -> u64) -> Done {
    by_ftype(c, i, |c, env, f| op(env, f, low(c.v[rn(i)], f)))
}
/// Scalar `Rd = op(Rn, Rm)`.
#[inline(always)]
pub fn scalar2(c: &mut Cpu, i: u32, op: impl Fn(&mut Env, Format, u64, u64) -> u64) -> Done {
    by_ftype(c, i, |c, env, f| {
        op(env, f, low(c.v[rn(i)], f), low(c.v[rm(i)], f))
    })
}

/// `Vd[k] = op(Vn[k])`.
#[inline(always)]
pub fn map_fp(c: &mut Cpu, i: u32, f: Format, op: impl Fn(&mut Env, Format, u64) -> u64) -> Done {
    let r = with_env(c, |c, env| {
        let n = c.v[rn(i)];
        build(span(i, f.bits), f.bits, |k, e| {
            op(env, f, elem(n, k, e)) as i128
        })
    });
    c.v[rd(i)] = r;
    DONE
}
/// `Vd[k] = op(Vn[k], Vm[k])`.
#[inline(always)]
pub fn zip_fp(c: &mut Cpu, i: u32, op: impl Fn(&mut Env, Format, u64, u64) -> u64) -> Done {
    let r = with_env(c, |c, env| {
        let (n, m) = (c.v[rn(i)], c.v[rm(i)]);
        let mut all = |f: Format| {
            build(span(i, f.bits), f.bits, |k, _| {
                op(env, f, elem(n, k, f.bits), elem(m, k, f.bits)) as i128
            })
        };
        match three(i) {
            Format::SINGLE => all(Format::SINGLE),
            Format::DOUBLE => all(Format::DOUBLE),
            _ => all(Format::HALF),
        }
    });
    c.v[rd(i)] = r;
    DONE
}
/// A comparison of elements: all ones where it holds.
#[inline(always)]
pub fn test_fp(c: &mut Cpu, i: u32, op: impl Fn(&mut Env, Format, u64, u64) -> bool) -> Done {
    zip_fp(c, i, |env, f, a, b| {
        (op(env, f, a, b) as u64).wrapping_neg()
    })
}
/// Neighbours: `op` of elements 2k and 2k+1 of Vm:Vn.
#[inline(always)]
pub fn pairs_fp(c: &mut Cpu, i: u32, op: Op2) -> Done {
    let f = three(i);
    let r = with_env(c, |c, env| {
        let (n, m) = (c.v[rn(i)], c.v[rm(i)]);
        let half = span(i, 0) / f.bits / 2;
        build(span(i, 0), f.bits, |k, e| {
            let (v, k) = if k < half { (n, k) } else { (m, k - half) };
            op(env, f, elem(v, 2 * k, e), elem(v, 2 * k + 1, e)) as i128
        })
    });
    c.v[rd(i)] = r;
    DONE
}
