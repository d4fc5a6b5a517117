//! Nested virtualization (FEAT_NV, FEAT_NV2; Arm ARM D8.11): what EL1 finds at the names of EL2 when HCR_EL2.NV says that a
//! hypervisor runs there.
//!
//! With NV alone each such access traps. With NV2 most of them are loads and stores in the page at VNCR_EL2.BADDR, a few lead to
//! the EL1 register that does the work of EL2's, and the rest traps. HCR_EL2.NV1 says which of EL1's own names are meant: 0, a
//! hypervisor that uses E2H, whose EL1 names are its own registers; 1, one that does not, whose EL1 names are its guest's. What
//! else follows from NV is where it happens: ERET in `isa::exception_gen`, SPSR_EL1 in `exception`, stage 1 in `mmu::permission`.

use super::trap::{Verdict, Who};
use crate::bits::{bit, sext};
use crate::cpu::Cpu;
use crate::hcr::nvx;
use crate::reg::names::*;
use crate::reg::{number, Reg, REG_SPACE};
use crate::syndrome::ec;

/// Registers in memory whatever NV1 is: offset, name. (Offsets: table "VNCR_EL2 offsets", R_CSRPQ.)
#[rustfmt::skip]
const ALWAYS: &[(u16, Reg)] = &[
    (0x020, VTTBR_EL2),
    (0x040, VTCR_EL2),
    (0x050, VMPIDR_EL2),
    (0x060, CNTVOFF_EL2),
    (0x078, HCR_EL2),
    (0x080, HSTR_EL2),
    (0x088, VPIDR_EL2),
    (0x090, TPIDR_EL2),
    (0x0a0, HCRX_EL2),
    (0x0b0, VNCR_EL2),
    (0x118, ACTLR_EL1),
    (0x158, MDSCR_EL1),
    (0x1a8, CNTPOFF_EL2),
    (0x1b8, HFGRTR_EL2),
    (0x1c0, HFGWTR_EL2),
    (0x1c8, HFGITR_EL2),
    (0x1d0, HDFGRTR_EL2),
    (0x1d8, HDFGWTR_EL2),
    (0x1e8, HAFGRTR_EL2),
    (0x1f8, SMPRIMAP_EL2),
    (0x240, SP_EL1),
    (0x400, ICH_LR0_EL2),
    (0x408, ICH_LR1_EL2),
    (0x410, ICH_LR2_EL2),
    (0x418, ICH_LR3_EL2),
    (0x480, ICH_AP0R0_EL2),
    (0x4a0, ICH_AP1R0_EL2),
    (0x4c0, ICH_HCR_EL2),
    (0x4c8, ICH_VMCR_EL2),
    (0x500, VDISR_EL2),
    (0x508, VSESR_EL2),
];

/// Registers in memory under one of two names: offset, EL1's own (NV1 = 1), the one for EL2 with E2H (NV1 = 0).
#[rustfmt::skip]
const PAIRS: &[(u16, Reg, Reg)] = &[
    (0x100, CPACR_EL1,      CPACR_EL12),
    (0x108, CONTEXTIDR_EL1, CONTEXTIDR_EL12),
    (0x110, SCTLR_EL1,      SCTLR_EL12),
    (0x120, TCR_EL1,        TCR_EL12),
    (0x128, AFSR0_EL1,      AFSR0_EL12),
    (0x130, AFSR1_EL1,      AFSR1_EL12),
    (0x138, ESR_EL1,        ESR_EL12),
    (0x140, MAIR_EL1,       MAIR_EL12),
    (0x148, AMAIR_EL1,      AMAIR_EL12),
    (0x160, SPSR_EL1,       SPSR_EL12),
    (0x168, CNTV_CVAL_EL0,  CNTV_CVAL_EL02),
    (0x170, CNTV_CTL_EL0,   CNTV_CTL_EL02),
    (0x178, CNTP_CVAL_EL0,  CNTP_CVAL_EL02),
    (0x180, CNTP_CTL_EL0,   CNTP_CTL_EL02),
    (0x1e0, ZCR_EL1,        ZCR_EL12),
    (0x200, TTBR0_EL1,      TTBR0_EL12),
    (0x210, TTBR1_EL1,      TTBR1_EL12),
    (0x220, FAR_EL1,        FAR_EL12),
    (0x230, ELR_EL1,        ELR_EL12),
    (0x250, VBAR_EL1,       VBAR_EL12),
];

/// With NV2 these names of EL2 are those of EL1: exceptions of a hypervisor at EL1 are taken to EL1 (R_CSRPQ).
#[rustfmt::skip]
const REDIRECTED: &[(Reg, Reg)] = &[
    (SPSR_EL2, SPSR_EL1),
    (ELR_EL2,  ELR_EL1),
    (ESR_EL2,  ESR_EL1),
    (FAR_EL2,  FAR_EL1),
    (TFSR_EL2, TFSR_EL1),
];

/// Where an access leads that its rules allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The register of this row.
    Row(usize),
    /// Memory, at this offset from VNCR_EL2.BADDR.
    Memory(u16),
}

/// In the low bits of an offset: with which NV1 the register is there.
const NV1_CLEAR: u16 = 1;
const NV1_SET: u16 = 2;

/// Offset and [`NV1_CLEAR`], [`NV1_SET`] by encoding; 0 for a register that is not in memory.
static OFFSETS: [u16; REG_SPACE] = {
    let mut t = [0; REG_SPACE];
    let mut i = 0;
    while i < ALWAYS.len() {
        t[ALWAYS[i].1.index()] = ALWAYS[i].0 | NV1_CLEAR | NV1_SET;
        i += 1;
    }
    let mut i = 0;
    while i < PAIRS.len() {
        t[PAIRS[i].1.index()] = PAIRS[i].0 | NV1_SET;
        t[PAIRS[i].2.index()] = PAIRS[i].0 | NV1_CLEAR;
        i += 1;
    }
    t
};

/// The offset of `r` in memory, if that is where EL1 finds it now.
fn offset(hcr: u64, r: Reg) -> Option<u16> {
    let there = match nvx(hcr) {
        0b101 => NV1_CLEAR,
        0b111 => NV1_SET,
        _ => return None,
    };
    let o = OFFSETS[r.index()];
    (o & there != 0).then_some(o & !7)
}

/// Where EL1 gets by the name `r`, which EL2 alone has: `Err` says why nowhere. The rules of the row do not ask: all of them are
/// about EL1's registers.
#[cold]
pub fn of_el2(who: &Who, r: Reg) -> Result<Reach, Verdict> {
    let nvx = nvx(who.hcr);
    if nvx == 0 {
        return Err(Verdict::Undefined);
    }
    if let Some(o) = offset(who.hcr, r) {
        return match timer_trap(who.cpu, r) {
            Some(cause) => Err(Verdict::Trap(2, ec::SYSREG, cause)),
            None => Ok(Reach::Memory(o)),
        };
    }
    match REDIRECTED.iter().find(|x| nvx & 4 != 0 && x.0 == r) {
        Some(x) => Ok(Reach::Row(number(x.1).expect("a row"))),
        None => Err(Verdict::Trap(2, ec::SYSREG, &["HCR_EL2.NV"])),
    }
}

/// The control that traps a timer of EL1 by its `_EL02` name instead of its access in memory (FEAT_ECV, D24.10.2 CNTHCTL_EL2).
fn timer_trap(cpu: &Cpu, r: Reg) -> Option<&'static [&'static str]> {
    let (control, cause): (u32, &[&str]) = match r {
        CNTP_CTL_EL02 | CNTP_CVAL_EL02 => (15, &["CNTHCTL_EL2.EL1NVPCT"]),
        CNTV_CTL_EL02 | CNTV_CVAL_EL02 => (16, &["CNTHCTL_EL2.EL1NVVCT"]),
        _ => return None,
    };
    bit(cpu.get(CNTHCTL_EL2), control).then_some(cause)
}

/// Where EL1 gets by a name `r` of its own, in row `n`, that its rules allow.
#[cold]
pub fn of_el1(hcr: u64, r: Reg, n: usize) -> Reach {
    offset(hcr, r).map_or(Reach::Row(n), Reach::Memory)
}

/// The address of `offset`: VNCR_EL2.BADDR is bits 56:12, and what is above it is its sign.
pub fn address(cpu: &Cpu, offset: u16) -> u64 {
    sext(cpu.get(VNCR_EL2) & !0xfff, 57) | offset as u64
}

#[cfg(test)]
#[path = "nv_tests.rs"]
mod tests;
