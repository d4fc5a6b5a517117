//! Common parts of the bodies of pure SIMD rows: operands, shapes, and the usual ways to write a result.

use super::ops::{Args, Ops};
use super::vector::{Lane, Permute};
use crate::bits::field;
use crate::fp::shape::Shape;
use crate::mem::size::Size;

/// Rd, Rn, Rm, all SIMD registers.
pub fn d_n_m(i: u32) -> Option<Args> {
    Some(Args {
        rd: (i & 31) as u8,
        rn: (i >> 5 & 31) as u8,
        rm: (i >> 16 & 31) as u8,
        ..Args::default()
    })
}

/// Element size, from bits 23:22.
#[inline(always)]
pub const fn size(i: u32) -> Size {
    Size::of(field(i, 23, 22))
}

/// Whether the operation is on 128 bits: a vector, and Q. (Scalars of pure rows have 64.)
#[inline(always)]
pub const fn full(i: u32) -> bool {
    i >> 30 & 1 != 0 && i >> 28 & 1 == 0
}

/// The low half, zero-extended.
#[inline(always)]
pub fn low<B: Ops>(b: &mut B, v: B::Q) -> B::Q {
    let v = b.lane(Size::X, v, 0);
    b.wide(v)
}

/// The low halves of x and y in one value.
#[inline(always)]
pub fn both_low<B: Ops>(b: &mut B, x: B::Q, y: B::Q) -> B::Q {
    let y = b.lane(Size::X, y, 0);
    b.with_lane(Size::X, x, 1, y)
}

/// Write the result of an operation of 128 or 64 bits.
#[inline(always)]
pub fn set<B: Ops>(b: &mut B, full: bool, rd: u8, v: B::Q) {
    let v = if full { v } else { low(b, v) };
    b.set_q(rd, v);
}

/// Write a narrow result: as [`set`] its low half or, if `upper`, into the upper half of the register only.
#[inline(always)]
pub fn set_narrow<B: Ops>(b: &mut B, upper: bool, rd: u8, v: B::Q) {
    if upper {
        let d = b.q(rd);
        let v = both_low(b, d, v);
        b.set_q(rd, v);
    } else {
        set(b, false, rd, v);
    }
}

/// A constant, twice.
#[inline(always)]
pub fn constant<B: Ops>(b: &mut B, v: u64) -> B::Q {
    let v = b.imm(v);
    b.splat(Size::X, v)
}

/// NOT x.
#[inline(always)]
pub fn not<B: Ops>(b: &mut B, x: B::Q) -> B::Q {
    let ones = constant(b, u64::MAX);
    b.lanes(Lane::Xor, Size::X, x, ones)
}

/// `Vd[k] = op(Vn[k], Vm[k])`.
#[inline(always)]
pub fn zip<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Lane, size: Size) -> Result<(), B::E> {
    let (n, m) = (b.q(a.rn), b.q(a.rm));
    let r = b.lanes(op, size, n, m);
    set(b, full(I), a.rd, r);
    Ok(())
}

/// Neighbours: `op` of elements 2k and 2k+1 of Vm:Vn.
#[inline(always)]
pub fn pairs<B: Ops, const I: u32>(b: &mut B, a: &Args, op: Lane) -> Result<(), B::E> {
    let (mut n, mut m) = (b.q(a.rn), b.q(a.rm));
    if !full(I) {
        n = both_low(b, n, m);
        m = n;
    }
    let even = b.permute(Permute::Uzp1, size(I), n, m);
    let odd = b.permute(Permute::Uzp2, size(I), n, m);
    let r = b.lanes(op, size(I), even, odd);
    set(b, full(I), a.rd, r);
    Ok(())
}

/// The sign of each lane inverted (`FPNeg`).
#[inline(always)]
pub fn negated<B: Ops>(b: &mut B, shape: Shape, x: B::Q) -> B::Q {
    let sign = signs(b, shape);
    b.lanes(Lane::Xor, Size::X, x, sign)
}

/// Clear the sign of each lane (`FPAbs`), and the bits above the lanes.
#[inline(always)]
pub fn absolute<B: Ops>(b: &mut B, shape: Shape, x: B::Q) -> B::Q {
    let sign = signs(b, shape);
    let v = b.lanes(Lane::Bic, Size::X, x, sign);
    within(b, shape, v)
}

/// The lanes of the shape; zero above.
#[inline(always)]
pub fn within<B: Ops>(b: &mut B, shape: Shape, x: B::Q) -> B::Q {
    match shape.lanes * shape.format.bits {
        32 => b.first(Size::W, x),
        64 => b.first(Size::X, x),
        _ => x,
    }
}

/// The sign bits of a shape's lanes.
#[inline(always)]
fn signs<B: Ops>(b: &mut B, shape: Shape) -> B::Q {
    let sign = b.imm(shape.format.sign());
    match (shape.lanes, shape.format.bits) {
        (1, _) => b.wide(sign),
        (2, 32) => {
            let sign = b.imm(0x8000_0000_8000_0000);
            b.wide(sign)
        }
        (_, 32) => b.splat(Size::W, sign),
        _ => b.splat(Size::X, sign),
    }
}
