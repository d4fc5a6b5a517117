//! FPCR as arithmetic sees it, and the exceptions it raises in FPSR (Arm ARM C5.2.8, C5.2.9). Trap enables are RES0: none is
//! implemented.

use super::format::Format;

/// FPSR.IOC: invalid operation.
pub const IOC: u32 = 1 << 0;
/// FPSR.DZC: division by zero.
pub const DZC: u32 = 1 << 1;
/// FPSR.OFC: overflow.
pub const OFC: u32 = 1 << 2;
/// FPSR.UFC: underflow.
pub const UFC: u32 = 1 << 3;
/// FPSR.IXC: inexact.
pub const IXC: u32 = 1 << 4;
/// FPSR.IDC: a denormal operand was flushed.
pub const IDC: u32 = 1 << 7;

/// How a result is rounded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rounding {
    /// To nearest, ties to even.
    TieEven,
    /// Towards plus infinity.
    Plus,
    /// Towards minus infinity.
    Minus,
    /// Towards zero.
    Zero,
    /// To nearest, ties away from zero.
    TieAway,
    /// To odd: truncate and set the last bit if inexact.
    Odd,
}

impl Rounding {
    /// `FPDecodeRounding` of a two-bit field.
    #[inline(always)]
    pub const fn of(rmode: u32) -> Rounding {
        match rmode & 3 {
            0 => Rounding::TieEven,
            1 => Rounding::Plus,
            2 => Rounding::Minus,
            _ => Rounding::Zero,
        }
    }
}

/// FPCR going in, FPSR coming out.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    /// FPCR.
    pub fpcr: u32,
    /// FPSR, to which exceptions are added.
    pub fpsr: u32,
}

impl Env {
    /// Note an exception (`FPProcessException`).
    #[inline(always)]
    pub fn raise(&mut self, exception: u32) {
        self.fpsr |= exception;
    }
    /// FPCR.RMode.
    #[inline(always)]
    pub const fn rounding(&self) -> Rounding {
        Rounding::of(self.fpcr >> 22)
    }
    /// FPCR.FZ, or FPCR.FZ16 for half precision.
    #[inline(always)]
    pub const fn flush(&self, f: Format) -> bool {
        let bit = if f.bits == 16 { 19 } else { 24 };
        self.fpcr >> bit & 1 != 0
    }
    /// FPCR.DN.
    #[inline(always)]
    pub const fn default_nan(&self) -> bool {
        self.fpcr >> 25 & 1 != 0
    }
    /// FPCR.AHP.
    #[inline(always)]
    pub const fn alternative_half(&self) -> bool {
        self.fpcr >> 26 & 1 != 0
    }
}
