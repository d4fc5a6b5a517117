//! What vector instructions work on: how many lanes of which format, and operations of two of them.

use super::format::Format;

/// An operation of two operands (`FPAdd` and so on).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fp2 {
    /// x + y
    Add,
    /// x - y
    Sub,
    /// x * y
    Mul,
    /// x / y
    Div,
    /// The greater; a NaN if there is one.
    Max,
    /// The lesser; a NaN if there is one.
    Min,
    /// The greater; the number if the other one is a quiet NaN.
    MaxNum,
    /// The lesser; the number if the other one is a quiet NaN.
    MinNum,
}

/// The lanes that an operation works on: the lowest ones of a format. Those above become zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Of each lane.
    pub format: Format,
    /// How many.
    pub lanes: u32,
}

impl Shape {
    /// One lane.
    #[inline(always)]
    pub const fn scalar(format: Format) -> Shape {
        Shape { format, lanes: 1 }
    }
    /// Those of 128 or (not `full`) 64 bits.
    #[inline(always)]
    pub const fn vector(format: Format, full: bool) -> Shape {
        Shape {
            format,
            lanes: (64 << full as u32) / format.bits,
        }
    }
    /// `op` of each lane's number and of what [`Shape::get`] gives for it.
    pub fn each(self, mut op: impl FnMut(u32) -> u64) -> u128 {
        (0..self.lanes).fold(0, |r, k| r | (op(k) as u128) << (k * self.format.bits))
    }
    /// Lane k.
    pub fn get(self, x: u128, k: u32) -> u64 {
        (x >> (k * self.format.bits)) as u64 & self.format.all()
    }
}
