//! What kind of memory access an instruction makes.

/// Size of one access, as log2 of the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Size {
    /// 1 byte.
    B = 0,
    /// 2 bytes.
    H = 1,
    /// 4 bytes.
    W = 2,
    /// 8 bytes.
    X = 3,
}

impl Size {
    /// From log2 of the bytes, 0 to 3.
    #[inline(always)]
    pub const fn of(log2: u32) -> Size {
        match log2 & 3 {
            0 => Size::B,
            1 => Size::H,
            2 => Size::W,
            _ => Size::X,
        }
    }
    /// Bytes.
    #[inline(always)]
    pub const fn bytes(self) -> u64 {
        1 << self as u32
    }
    /// Bits.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        8 << self as u32
    }
}

/// How an access differs from a plain one (`AccessDescriptor` in the Arm ARM's pseudocode).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Acc {
    /// LDTR and STTR: with EL0's permissions when executed at EL1 (or EL2 with E2H and TGE).
    pub unpriv: bool,
    /// Acquire or release: must be aligned whatever SCTLR_ELx.A says (with FEAT_LSE2, inside 16 bytes, or SCTLR_ELx.nAA is set).
    pub ordered: bool,
    /// Exclusive or atomic: must be aligned (with FEAT_LSE2, inside 16 bytes), and faults on Device memory that does not support it.
    pub atomic: bool,
    /// log2 of the alignment that SCTLR_ELx.A demands where it is not the size of the part (a 16-byte SIMD access is made of two of 8).
    pub align: u8,
}

impl Acc {
    /// A plain access.
    pub const PLAIN: Acc = Acc {
        unpriv: false,
        ordered: false,
        atomic: false,
        align: 0,
    };
    /// LDTR, STTR.
    pub const UNPRIV: Acc = Acc {
        unpriv: true,
        ..Acc::PLAIN
    };
    /// LDAR, STLR.
    pub const ORDERED: Acc = Acc {
        ordered: true,
        ..Acc::PLAIN
    };
    /// Exclusives and atomics.
    pub const ATOMIC: Acc = Acc {
        atomic: true,
        ..Acc::PLAIN
    };
}
