//! 128-bit values: the operations on their lanes that pure rows are made of.
//!
//! [`lanes`], [`shift`], [`permute`] and [`ext`] define the operations; the interpreter calls them with constants.

use crate::bits::ones;
use crate::mem::size::Size;

/// An operation on each pair of lanes. Comparisons make all ones or zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// x AND y
    And,
    /// x OR y
    Or,
    /// x EOR y
    Xor,
    /// x AND NOT y
    Bic,
    /// x + y
    Add,
    /// x - y
    Sub,
    /// x * y
    Mul,
    /// The greater, signed.
    Smax,
    /// The lesser, signed.
    Smin,
    /// The greater, unsigned.
    Umax,
    /// The lesser, unsigned.
    Umin,
    /// x == y
    Eq,
    /// x > y, signed
    Gt,
    /// x >= y, signed
    Ge,
    /// x > y, unsigned
    Hi,
    /// x >= y, unsigned
    Hs,
}

/// A shift of each lane by the same constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Left, by less than the lane's width.
    Left,
    /// Right, by at most the lane's width, filling with zeros.
    Logical,
    /// Right, by at most the lane's width, filling with the sign.
    Arithmetic,
}

/// An order of the lanes of two values (C7.2: the instructions of these names).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permute {
    /// The low halves, in turns.
    Zip1,
    /// The high halves, in turns.
    Zip2,
    /// The even lanes of x, then of y.
    Uzp1,
    /// The odd lanes.
    Uzp2,
    /// The even lanes, in turns.
    Trn1,
    /// The odd lanes, in turns.
    Trn2,
}

macro_rules! sizes {
    ($($module:ident $u:ty, $s:ty, $n:literal;)*) => {
        $(mod $module {
            use crate::isa::vector::{Lane, Permute, Shift};
            const BYTES: usize = 16 / $n;
            #[inline(always)]
            fn split(v: u128) -> [$u; $n] {
                let v = v.to_le_bytes();
                std::array::from_fn(|k| {
                    <$u>::from_le_bytes(v[k * BYTES..][..BYTES].try_into().expect("a lane"))
                })
            }
            #[inline(always)]
            fn join(v: [$u; $n]) -> u128 {
                let mut r = [0; 16];
                for k in 0..$n {
                    r[k * BYTES..][..BYTES].copy_from_slice(&v[k].to_le_bytes());
                }
                u128::from_le_bytes(r)
            }
            #[inline(always)]
            pub fn lanes(op: Lane, x: u128, y: u128) -> u128 {
                let (x, y) = (split(x), split(y));
                let all = |c: bool| (0 as $u).wrapping_sub(c as $u);
                join(std::array::from_fn(|k| {
                    let (x, y) = (x[k], y[k]);
                    match op {
                        Lane::And => x & y,
                        Lane::Or => x | y,
                        Lane::Xor => x ^ y,
                        Lane::Bic => x & !y,
                        Lane::Add => x.wrapping_add(y),
                        Lane::Sub => x.wrapping_sub(y),
                        Lane::Mul => x.wrapping_mul(y),
                        Lane::Smax => (x as $s).max(y as $s) as $u,
                        Lane::Smin => (x as $s).min(y as $s) as $u,
                        Lane::Umax => x.max(y),
                        Lane::Umin => x.min(y),
                        Lane::Eq => all(x == y),
                        Lane::Gt => all(x as $s > y as $s),
                        Lane::Ge => all(x as $s >= y as $s),
                        Lane::Hi => all(x > y),
                        Lane::Hs => all(x >= y),
                    }
                }))
            }
            #[inline(always)]
            pub fn shift(op: Shift, x: u128, by: u32) -> u128 {
                join(split(x).map(|x| match op {
                    Shift::Left => x << (by & (<$u>::BITS - 1)),
                    Shift::Logical => x.checked_shr(by).unwrap_or(0),
                    Shift::Arithmetic => (x as $s >> by.min(<$u>::BITS - 1)) as $u,
                }))
            }
            #[inline(always)]
            pub fn permute(op: Permute, x: u128, y: u128) -> u128 {
                let (x, y) = (split(x), split(y));
                join(std::array::from_fn(|k| {
                    let even = k & 1 == 0;
                    let from = match op {
                        Permute::Zip1 => k / 2,
                        Permute::Zip2 => $n / 2 + k / 2,
                        Permute::Uzp1 => 2 * k % $n,
                        Permute::Uzp2 => 2 * k % $n + 1,
                        Permute::Trn1 => k & !1,
                        Permute::Trn2 => k | 1,
                    };
                    let first = match op {
                        Permute::Uzp1 | Permute::Uzp2 => k < $n / 2,
                        _ => even,
                    };
                    if first { x[from] } else { y[from] }
                }))
            }
        })*
    };
}
sizes! {
    b u8, i8, 16;
    h u16, i16, 8;
    w u32, i32, 4;
    x u64, i64, 2;
}

macro_rules! of_size {
    ($f:ident $size:ident ($($arg:expr),*)) => {
        match $size {
            Size::B => b::$f($($arg),*),
            Size::H => h::$f($($arg),*),
            Size::W => w::$f($($arg),*),
            Size::X => x::$f($($arg),*),
        }
    };
}

/// `Ops::lanes`.
#[inline(always)]
pub fn lanes(op: Lane, size: Size, x: u128, y: u128) -> u128 {
    match op {
        Lane::And => x & y,
        Lane::Or => x | y,
        Lane::Xor => x ^ y,
        Lane::Bic => x & !y,
        _ => of_size!(lanes size(op, x, y)),
    }
}
/// `Ops::lanes_shift`.
#[inline(always)]
pub fn shift(op: Shift, size: Size, x: u128, by: u32) -> u128 {
    of_size!(shift size(op, x, by))
}
/// `Ops::permute`.
#[inline(always)]
pub fn permute(op: Permute, size: Size, x: u128, y: u128) -> u128 {
    of_size!(permute size(op, x, y))
}
/// `Ops::ext`.
#[inline(always)]
pub fn ext(x: u128, y: u128, by: u32) -> u128 {
    match by & 15 {
        0 => x,
        by => x >> (8 * by) | y << (128 - 8 * by),
    }
}
/// `Ops::lane`.
#[inline(always)]
pub fn lane(size: Size, x: u128, k: u32) -> u64 {
    (x >> (k * size.bits() & 127)) as u64 & ones(size.bits())
}
/// `Ops::with_lane`.
#[inline(always)]
pub fn with_lane(size: Size, x: u128, k: u32, v: u64) -> u128 {
    let (at, mask) = (k * size.bits() & 127, ones(size.bits()));
    x & !((mask as u128) << at) | ((v & mask) as u128) << at
}
/// `Ops::splat`.
#[inline(always)]
pub fn splat(size: Size, v: u64) -> u128 {
    let v = match size {
        Size::B => v as u8 as u64 * 0x0101_0101_0101_0101,
        Size::H => v as u16 as u64 * 0x0001_0001_0001_0001,
        Size::W => v as u32 as u64 * 0x0000_0001_0000_0001,
        Size::X => v,
    };
    (v as u128) << 64 | v as u128
}
