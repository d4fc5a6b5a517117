//! The three IEEE 754 binary formats of AArch64, and their notable values.

/// A binary interchange format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Format {
    /// Width in bits.
    pub bits: u32,
    /// Width of the exponent field.
    pub exp: u32,
}

impl Format {
    /// Half precision.
    pub const HALF: Format = Format { bits: 16, exp: 5 };
    /// Single precision.
    pub const SINGLE: Format = Format { bits: 32, exp: 8 };
    /// Double precision.
    pub const DOUBLE: Format = Format { bits: 64, exp: 11 };

    /// Width of the fraction field.
    #[inline(always)]
    pub const fn frac(self) -> u32 {
        self.bits - 1 - self.exp
    }
    /// The least exponent of normal numbers.
    #[inline(always)]
    pub const fn min_exp(self) -> i32 {
        2 - (1 << (self.exp - 1))
    }
    /// The exponent field of infinities and NaNs.
    #[inline(always)]
    pub const fn max_biased(self) -> i32 {
        (1 << self.exp) - 1
    }
    /// The sign bit.
    #[inline(always)]
    pub const fn sign(self) -> u64 {
        1 << (self.bits - 1)
    }
    /// The fraction's top bit, which makes a NaN quiet.
    #[inline(always)]
    pub const fn quiet(self) -> u64 {
        1 << (self.frac() - 1)
    }
    /// All bits of the format.
    #[inline(always)]
    pub const fn all(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }
    /// Combine sign, exponent field and fraction (whose overflow carries into the exponent).
    #[inline(always)]
    pub const fn pack(self, sign: bool, biased: i32, frac: u64) -> u64 {
        ((sign as u64) << (self.bits - 1)) | (((biased as u64) << self.frac()) + frac)
    }
    /// `FPZero`.
    #[inline(always)]
    pub const fn zero(self, sign: bool) -> u64 {
        self.pack(sign, 0, 0)
    }
    /// `FPInfinity`.
    #[inline(always)]
    pub const fn inf(self, sign: bool) -> u64 {
        self.pack(sign, self.max_biased(), 0)
    }
    /// `FPMaxNormal`.
    #[inline(always)]
    pub const fn max_normal(self, sign: bool) -> u64 {
        self.inf(sign) - 1
    }
    /// `FPTwo`.
    pub const fn two(self, sign: bool) -> u64 {
        self.pack(sign, 2 - self.min_exp(), 0)
    }
    /// `FPOnePointFive`.
    pub const fn one_point_five(self, sign: bool) -> u64 {
        self.pack(sign, 1 - self.min_exp(), self.quiet())
    }
    /// `FPDefaultNaN`.
    #[inline(always)]
    pub const fn default_nan(self) -> u64 {
        self.inf(false) | self.quiet()
    }
}

/// `VFPExpandImm`: the eight-bit immediate of FMOV.
pub const fn expand_imm(imm8: u64, f: Format) -> u64 {
    let b6 = imm8 >> 6 & 1;
    let copies = if b6 == 1 { (1 << (f.exp - 3)) - 1 } else { 0 };
    let exp = (b6 ^ 1) << (f.exp - 1) | copies << 2 | (imm8 >> 4 & 3);
    f.pack(
        imm8 >> 7 & 1 != 0,
        exp as i32,
        (imm8 & 15) << (f.frac() - 4),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notable_values() {
        assert_eq!(Format::SINGLE.two(true), (-2f32).to_bits() as u64);
        assert_eq!(Format::DOUBLE.one_point_five(false), 1.5f64.to_bits());
        assert_eq!(Format::DOUBLE.max_normal(false), f64::MAX.to_bits());
        assert_eq!(Format::HALF.default_nan(), 0x7e00);
        assert_eq!(Format::HALF.min_exp(), -14);
    }

    #[test]
    fn immediates() {
        // C2.2.3: ±n/16 × 2^r with 16 <= n <= 31, -3 <= r <= 4.
        for imm in 0..256u64 {
            let r = [1, 2, 3, 4, -3, -2, -1, 0][(imm >> 4 & 7) as usize];
            let v = (16 + (imm & 15)) as f64 / 16.0 * 2f64.powi(r);
            let v = if imm >> 7 != 0 { -v } else { v };
            assert_eq!(expand_imm(imm, Format::DOUBLE), v.to_bits(), "{imm}");
            assert_eq!(expand_imm(imm, Format::SINGLE), (v as f32).to_bits() as u64);
        }
    }
}
