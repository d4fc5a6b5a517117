//! The system registers that shape a translation of EL1&0, as plain values: those of the PE now, or those of a moment that is past.
//!
//! A hypervisor puts its own values there when its guest has exited (a VHE host has HCR_EL2 of its own; one at EL1 has all of them of
//! its own): what was in force for the guest is kept at each exit and entry, so that a debugger can translate as the guest does.

use super::select;
use crate::cpu::Cpu;
use crate::mmu::kind::RegimeKind;
use crate::reg::names::*;
use borsh::{BorshDeserialize, BorshSerialize};

/// The registers of a regime.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Controls {
    /// HCR_EL2.
    pub hcr: u64,
    /// VTCR_EL2.
    pub vtcr: u64,
    /// VTTBR_EL2.
    pub vttbr: u64,
    /// SCTLR of the regime.
    pub sctlr: u64,
    /// TCR of the regime.
    pub tcr: u64,
    /// TTBR0 and TTBR1 of the regime.
    pub ttbr: [u64; 2],
    /// MAIR of the regime.
    pub mair: u64,
}

impl Controls {
    /// Those of `kind` that the PE has now.
    pub fn of(cpu: &Cpu, kind: RegimeKind) -> Controls {
        let (tcr, ttbr, mair) = match kind {
            RegimeKind::El10 => (TCR_EL1, [TTBR0_EL1, TTBR1_EL1], MAIR_EL1),
            _ => (TCR_EL2, [TTBR0_EL2, TTBR1_EL2], MAIR_EL2),
        };
        Controls {
            hcr: cpu.get(HCR_EL2),
            vtcr: cpu.get(VTCR_EL2),
            vttbr: cpu.get(VTTBR_EL2),
            sctlr: select::sctlr(cpu, kind),
            tcr: cpu.get(tcr),
            ttbr: ttbr.map(|r| cpu.get(r)),
            mair: cpu.get(mair),
        }
    }
}
