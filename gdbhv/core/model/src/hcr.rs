//! HCR_EL2: its fields that several parts of the architecture use, and the meaning of some combinations (Arm ARM D24.2.63).

use crate::reg::field;

/// Stage 2 is on.
pub const VM: u64 = field!(HCR_EL2.VM).mask();
/// Protected table walk: a stage 1 walk through stage 2 Device memory is a permission fault.
pub const PTW: u64 = field!(HCR_EL2.PTW).mask();
/// Force broadcast of the guest's TLBI.
pub const FB: u64 = field!(HCR_EL2.FB).mask();
/// Default cacheability: stage 1 off is Normal memory.
pub const DC: u64 = field!(HCR_EL2.DC).mask();
/// Exceptions of EL0 go to EL2.
pub const TGE: u64 = field!(HCR_EL2.TGE).mask();
/// EL2 hosts an operating system.
pub const E2H: u64 = field!(HCR_EL2.E2H).mask();
/// Stage 2 data is non-cacheable.
pub const CD: u64 = field!(HCR_EL2.CD).mask();
/// Stage 2 instructions are non-cacheable.
pub const ID: u64 = field!(HCR_EL2.ID).mask();
/// Stage 2 forces write-back.
pub const FWB: u64 = field!(HCR_EL2.FWB).mask();

/// What makes virtual exceptions pending: VF, VI and VSE.
pub const PENDING: u64 =
    field!(HCR_EL2.VF).mask() | field!(HCR_EL2.VI).mask() | field!(HCR_EL2.VSE).mask();

/// Whether EL2 hosts the processes at EL0: E2H and TGE are both 1 (`ELIsInHost(EL0)`).
#[inline]
pub const fn is_host(hcr: u64) -> bool {
    hcr & (E2H | TGE) == E2H | TGE
}

/// HCR_EL2.{NV2, NV1, NV} as they take effect (`EffectiveHCR_EL2_NVx`): none of them with NV = 0 (of the CONSTRAINED UNPREDICTABLE
/// choices for NV1 = 1 the one that is the least surprise).
#[inline]
pub const fn nvx(hcr: u64) -> u8 {
    if !field!(HCR_EL2.NV).is_set(hcr) {
        return 0;
    }
    1 | (field!(HCR_EL2.NV1).of(hcr) as u8) << 1 | (field!(HCR_EL2.NV2).of(hcr) as u8) << 2
}

/// Whether EL1&0 has the table format of NV1, PSTATE.PAN counts as 0 at EL1, and LDTR and STTR are LDR and STR
/// (D24.2.63 HCR_EL2, NV1).
#[inline]
pub const fn tables_of_nv1(hcr: u64) -> bool {
    nvx(hcr) & 0b011 == 0b011
}

/// Whether an exception from EL1 to EL1 says in SPSR_EL1 that it came from EL2 (`AArch64.TakeException`).
#[inline]
pub const fn spsr_of_el2(hcr: u64) -> bool {
    matches!(nvx(hcr), 0b001 | 0b101 | 0b111)
}
