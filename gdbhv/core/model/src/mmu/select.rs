//! Which regime, VMID, ASID and privilege the PE is in now: what selects a context of cached translations.

use crate::cpu::Cpu;
use crate::hcr;
use crate::hcr::tables_of_nv1;
use crate::mmu::kind::Key;
use crate::mmu::kind::Mode;
use crate::mmu::kind::RegimeKind;
use crate::reg::field;
use crate::reg::names::*;

/// HCR_EL2.E2H and TGE are both 1: EL2 hosts the processes at EL0.
#[inline]
pub fn host(cpu: &Cpu) -> bool {
    hcr::is_host(cpu.get(HCR_EL2))
}

/// The regime that exception level `el` uses now.
#[inline]
pub fn kind(cpu: &Cpu, el: u8) -> RegimeKind {
    let hcr = cpu.get(HCR_EL2);
    match el {
        2 if hcr & hcr::E2H == 0 => RegimeKind::El2,
        2 => RegimeKind::El20,
        0 if hcr::is_host(hcr) => RegimeKind::El20,
        _ => RegimeKind::El10,
    }
}

/// SCTLR of a regime.
#[inline]
pub fn sctlr(cpu: &Cpu, kind: RegimeKind) -> u64 {
    match kind {
        RegimeKind::El10 => cpu.get(SCTLR_EL1),
        _ => cpu.get(SCTLR_EL2),
    }
}

/// Whether stage 1 of `kind` is on, and whether stage 2 is.
#[inline]
pub(super) fn stages(kind: RegimeKind, sctlr: u64, hcr: u64) -> (bool, bool) {
    let on = field!(SCTLR_EL1.M).is_set(sctlr);
    if kind != RegimeKind::El10 {
        return (on, false);
    }
    // TGE = 1 and DC = 1 make SCTLR_EL1.M 0 for all but reading it; DC = 1 makes VM 1; with E2H and TGE, VM and DC are 0
    // (D24.2.63 HCR_EL2; `AArch64.S1Enabled`, `AArch64.NSS2TTWParams`).
    let s1 = on && hcr & (hcr::DC | hcr::TGE) == 0;
    (s1, has_stage2(hcr))
}

/// Whether HCR_EL2 turns stage 2 of EL1&0 on.
#[inline]
pub const fn has_stage2(hcr: u64) -> bool {
    !hcr::is_host(hcr) && hcr & (hcr::VM | hcr::DC) != 0
}

/// HCR_EL2.DC counts: stage 1 of EL1&0 is off and its memory Normal.
pub(super) const fn dc(hcr: u64) -> bool {
    hcr & hcr::DC != 0 && !hcr::is_host(hcr)
}

/// VMID of EL1&0.
#[inline]
pub fn vmid(cpu: &Cpu) -> u16 {
    vmid_of(cpu.get(VTTBR_EL2), cpu.get(VTCR_EL2))
}

/// The VMID in VTTBR_EL2, of the width in VTCR_EL2.VS.
#[inline]
pub const fn vmid_of(vttbr: u64, vtcr: u64) -> u16 {
    let v = (vttbr >> 48) as u16;
    if field!(VTCR_EL2.VS).is_set(vtcr) {
        v
    } else {
        v & 0xff
    }
}

/// ASID that a regime uses now.
#[inline]
pub fn asid(cpu: &Cpu, kind: RegimeKind) -> u16 {
    let (tcr, ttbr) = match kind {
        RegimeKind::El10 => (cpu.get(TCR_EL1), [TTBR0_EL1, TTBR1_EL1]),
        RegimeKind::El20 => (cpu.get(TCR_EL2), [TTBR0_EL2, TTBR1_EL2]),
        RegimeKind::El2 => return 0,
    };
    asid_of(tcr, cpu.get(ttbr[field!(TCR_EL1.A1).of(tcr) as usize]))
}

/// The ASID in the TTBR that TCR.A1 selects, of the width in TCR.AS.
#[inline]
pub(super) const fn asid_of(tcr: u64, ttbr: u64) -> u16 {
    let v = (ttbr >> 48) as u16;
    if field!(TCR_EL1.AS).is_set(tcr) {
        v
    } else {
        v & 0xff
    }
}

/// What selects a set of cached translations for accesses with these privileges.
#[inline]
pub fn key(cpu: &Cpu, kind: RegimeKind, mode: Mode) -> Key {
    let (s1, s2) = stages(kind, sctlr(cpu, kind), cpu.get(HCR_EL2));
    let dc = kind == RegimeKind::El10 && dc(cpu.get(HCR_EL2));
    let nv1 = kind == RegimeKind::El10 && tables_of_nv1(cpu.get(HCR_EL2));
    Key {
        regime: kind as u8 | (s1 as u8) << 2 | (s2 as u8) << 3 | (dc as u8) << 4 | (nv1 as u8) << 5,
        vmid: if kind == RegimeKind::El10 {
            vmid(cpu)
        } else {
            0
        },
        asid: asid(cpu, kind),
        mode: mode as u8,
    }
}
