//! PSTATE, and SPSR_ELx both ways (Arm ARM D1.4, C5.2.18 SPSR_EL1).

use crate::bits::bits;
use crate::hcr;
use crate::reg::field;
use borsh::{BorshDeserialize, BorshSerialize};

/// NZCV, a byte each (0 or 1): the interpreter writes them with one host instruction each.
#[repr(C)]
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Negative.
    pub n: u8,
    /// Zero.
    pub z: u8,
    /// Carry.
    pub c: u8,
    /// Overflow.
    pub v: u8,
}

impl Flags {
    /// As PSTATE has them: bits 31:28.
    #[inline]
    pub const fn pack(self) -> u64 {
        (self.n as u64) << 31
            | (self.z as u64) << 30
            | (self.c as u64) << 29
            | (self.v as u64) << 28
    }
    /// Whether a condition holds (`ConditionHolds`); 14 and 15 always do.
    #[inline(always)]
    pub const fn holds(&self, cond: u32) -> bool {
        let f = self; // a byte at a time, as they were written: a load of all four would wait for the stores
        let holds = match cond >> 1 & 7 {
            0 => f.z != 0,
            1 => f.c != 0,
            2 => f.n != 0,
            3 => f.v != 0,
            4 => f.c != 0 && f.z == 0,
            5 => f.n == f.v,
            6 => f.n == f.v && f.z == 0,
            _ => return true,
        };
        holds != (cond & 1 != 0)
    }
    /// From bits 31:28.
    #[inline]
    pub const fn unpack(v: u64) -> Flags {
        Flags {
            n: (v >> 31 & 1) as u8,
            z: (v >> 30 & 1) as u8,
            c: (v >> 29 & 1) as u8,
            v: (v >> 28 & 1) as u8,
        }
    }
}

/// The fields of PSTATE other than NZCV.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pstate {
    /// Exception level, 0 to 2.
    pub el: u8,
    /// SPSel: 1 uses SP_ELx, 0 SP_EL0.
    pub sp: u8,
    /// D, A, I, F masks as bits 3:0 (D is bit 3).
    pub daif: u8,
    /// Software step.
    pub ss: bool,
    /// Illegal execution state.
    pub il: bool,
    /// Privileged access never.
    pub pan: bool,
    /// User access override.
    pub uao: bool,
    /// Data-independent timing.
    pub dit: bool,
    /// Tag check override.
    pub tco: bool,
    /// Speculative store bypass safe.
    pub ssbs: bool,
    /// Branch type (FEAT_BTI).
    pub btype: u8,
}

impl Pstate {
    /// Whether a physical interrupt to EL2 (else to EL1) with bit `mask` of DAIF is not taken now: EL2 and the host's EL0 mask what EL2
    /// takes, EL1 and the guest's EL0 do not; what EL1 takes waits while EL2 executes (Arm ARM D1.3.6, table of interrupt masking).
    pub const fn masks(&self, hcr: u64, to_el2: bool, mask: u8) -> bool {
        let host = hcr::is_host(hcr);
        let set = self.daif & mask != 0;
        match (to_el2, self.el) {
            (true, 2) => set,
            (true, 0) => host && set,
            (true, _) => false,
            (false, 2) => true,
            (false, _) => set,
        }
    }
    /// After reset at exception level `el`: DAIF set, SP_ELx (R_RBRFN, `AArch64.TakeReset`).
    pub const fn reset(el: u8) -> Pstate {
        Pstate {
            el,
            sp: 1,
            daif: 0xf,
            ss: false,
            il: false,
            pan: false,
            uao: false,
            dit: false,
            tco: false,
            ssbs: false,
            btype: 0,
        }
    }

    /// The layout of SPSR_ELx for AArch64, with `flags` in 31:28 (`GetPSRFromPSTATE`).
    pub const fn to_spsr(self, flags: Flags) -> u64 {
        flags.pack()
            | field!(SPSR_EL1.TCO).put(self.tco as u64)
            | field!(SPSR_EL1.DIT).put(self.dit as u64)
            | field!(SPSR_EL1.UAO).put(self.uao as u64)
            | field!(SPSR_EL1.PAN).put(self.pan as u64)
            | field!(SPSR_EL1.SS).put(self.ss as u64)
            | field!(SPSR_EL1.IL).put(self.il as u64)
            | field!(SPSR_EL1.SSBS).put(self.ssbs as u64)
            | field!(SPSR_EL1.BTYPE).put(self.btype as u64)
            | (self.daif as u64) << 6
            | (self.el as u64) << 2
            | self.sp as u64
    }

    /// PSTATE from an SPSR whose mode field is legal, which the caller has checked (`SetPSTATEFromPSR`).
    pub const fn from_spsr(v: u64) -> (Pstate, Flags) {
        let p = Pstate {
            el: bits(v, 3, 2) as u8,
            sp: (v & 1) as u8,
            daif: bits(v, 9, 6) as u8,
            ss: field!(SPSR_EL1.SS).is_set(v),
            il: field!(SPSR_EL1.IL).is_set(v),
            pan: field!(SPSR_EL1.PAN).is_set(v),
            uao: field!(SPSR_EL1.UAO).is_set(v),
            dit: field!(SPSR_EL1.DIT).is_set(v),
            tco: field!(SPSR_EL1.TCO).is_set(v),
            ssbs: field!(SPSR_EL1.SSBS).is_set(v),
            btype: field!(SPSR_EL1.BTYPE).of(v) as u8,
        };
        (p, Flags::unpack(v))
    }
}
