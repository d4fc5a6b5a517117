//! The host's own arithmetic, where it must give the same: rounding to nearest, operands normal or zero, a result that is
//! normal and not at the edge (so that neither tininess nor overflow is in question), and FPSR.IXC set already (so that nobody has to know
//! whether it was exact). Anything else is left to the exact core. Denormals never get here: a library in this process
//! may have told the host to flush them.

use super::env::{Env, IXC};
use super::format::Format;

const RMODE: u32 = 3 << 22;

#[inline(always)]
fn usable(env: &Env, f: Format, operands: &[u64]) -> bool {
    let plain = |x: u64| x & f.inf(false) != 0 || x & !f.sign() == 0;
    env.fpcr & RMODE == 0 && env.fpsr & IXC != 0 && operands.iter().all(|&x| plain(x))
}

/// `r`, if its exponent field is neither of the two at each end.
#[inline(always)]
fn normal(f: Format, r: u64) -> Option<u64> {
    let biased = (r >> f.frac()) as i32 & f.max_biased();
    (biased > 1 && biased < f.max_biased() - 1).then_some(r)
}

macro_rules! on_host {
    ($($(#[$doc:meta])* $name:ident($($x:ident),+) $op:expr;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name(env: &Env, f: Format, $($x: u64),+) -> Option<u64> {
            if !usable(env, f, &[$($x),+]) {
                return None;
            }
            match f.bits {
                32 => {
                    $(let $x = f32::from_bits($x as u32);)+
                    normal(f, $op.to_bits() as u64)
                }
                64 => {
                    $(let $x = f64::from_bits($x);)+
                    normal(f, $op.to_bits())
                }
                _ => None,
            }
        }
    )*};
}

on_host! {
    /// `a + b`.
    add(a, b) (a + b);
    /// `a - b`.
    sub(a, b) (a - b);
    /// `a * b`.
    mul(a, b) (a * b);
    /// `a / b`.
    div(a, b) (a / b);
    /// The square root.
    sqrt(a) (a.sqrt());
    /// `c + a * b`, rounded once.
    mul_add(c, a, b) (a.mul_add(b, c));
}
