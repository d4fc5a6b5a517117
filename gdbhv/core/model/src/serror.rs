//! SError: errors that are reported asynchronously, and how FEAT_RAS defers them (Arm ARM D1.3.6, D17.2; `AArch64.ESBOperation`,
//! `AArch64.vESBOperation`, `AArch64.TakeVirtualSErrorException`).
//!
//! The machine's memory reports its errors synchronously, so that a physical SError comes only from outside: a user makes one pending
//! (`Machine::inject_serror`). A hypervisor makes a virtual one pending (HCR_EL2.VSE). One of each can be pending on a PE.
//!
//! Every pending SError is synchronised at each instruction, so that the implicit barrier of SCTLR_ELx.IESB has nothing left to find, at
//! exception entry and at ERET alike: what could be taken has been taken before (entry never unmasks it), and ESR_ELx.IESB stays 0.
//! FEAT_DoubleFault is about EL3 (SCR_EL3.NMEA), which is not there. There are no error records (ERRIDR_EL1.NUM is 0).

use crate::cpu::Cpu;
use crate::raise::{Exception, ExceptionKind, Flow, Trap};
use crate::reg::field;

use crate::feature::Feature;
use crate::platform::Platform;
use crate::reg::names::*;
use crate::reg::Reg;
use crate::syndrome::ec;

/// ISS of an SError without further information: uncontainable (AET 0), DFSC "asynchronous SError" (Arm ARM D24.2.40).
pub const UNCONTAINABLE: u32 = 0x11;

/// The valid bits of an SError's ISS: IDS and 24 more.
pub const ISS: u32 = 0x1ff_ffff;

/// The effective value of HCR_EL2: 0 without EL2.
fn hcr(cpu: &Cpu, has_el2: bool) -> u64 {
    match has_el2 {
        true => cpu.get(HCR_EL2),
        false => 0,
    }
}

/// The physical SError, if it is pending and not masked.
pub fn physical(cpu: &Cpu, has_el2: bool) -> Option<Exception> {
    let hcr = hcr(cpu, has_el2);
    let iss = cpu.serror?;
    let to_el2 = field!(HCR_EL2.TGE).is_set(hcr) || field!(HCR_EL2.AMO).is_set(hcr);
    (!cpu.pstate.masks(hcr, to_el2, 4)).then(|| Exception {
        kind: ExceptionKind::SError,
        cause: if to_el2 { &["HCR_EL2.AMO"] } else { &[] },
        ..Exception::sync(1 + to_el2 as u8, ec::SERROR, iss)
    })
}

/// Whether a virtual SError is pending for EL1 and EL0.
pub const fn is_virtual_pending(hcr: u64) -> bool {
    field!(HCR_EL2.VSE).is_set(hcr)
        && field!(HCR_EL2.AMO).is_set(hcr)
        && !field!(HCR_EL2.TGE).is_set(hcr)
}

/// The virtual SError, if it is pending and not masked. Its syndrome is VSESR_EL2's (0 without FEAT_RAS).
pub fn virtual_(cpu: &Cpu, hcr: u64) -> Option<Exception> {
    let taken = is_virtual_pending(hcr) && cpu.pstate.el < 2 && cpu.pstate.daif & 4 == 0;
    taken.then(|| Exception {
        kind: ExceptionKind::SError,
        ..Exception::sync(1, ec::SERROR, cpu.get(VSESR_EL2) as u32 & ISS)
    })
}

/// Clear the pending state of the SError `e`, which is being taken.
pub fn taken(cpu: &mut Cpu, has_el2: bool, e: &Exception) {
    let hcr = hcr(cpu, has_el2);
    // With AMO set a physical one goes to EL2.
    if e.target == 1 && field!(HCR_EL2.AMO).is_set(hcr) {
        cpu.set(HCR_EL2, hcr & !field!(HCR_EL2.VSE).mask());
    } else {
        cpu.serror = None;
    }
}

/// ESB (C6.2.113): a pending SError that is masked is deferred to DISR_EL1, a virtual one to VDISR_EL2. A NOP without FEAT_RAS.
pub fn esb(cpu: &mut Cpu, sh: &mut Platform, _: u32) -> Result<Flow, Trap> {
    if !sh.config.features.has(Feature::RAS) {
        return Ok(Flow::Next);
    }
    let hcr = hcr(cpu, sh.config.has_el2);
    let to_el2 = field!(HCR_EL2.TGE).is_set(hcr) || field!(HCR_EL2.AMO).is_set(hcr);
    if cpu.pstate.masks(hcr, to_el2, 4) {
        if let Some(iss) = cpu.serror.take() {
            cpu.set(DISR_EL1, deferred(iss as u64));
        }
    }
    if cpu.pstate.el < 2 && is_virtual_pending(hcr) && cpu.pstate.daif & 4 != 0 {
        cpu.set(VDISR_EL2, deferred(cpu.get(VSESR_EL2)));
        cpu.set(HCR_EL2, hcr & !field!(HCR_EL2.VSE).mask());
    }
    Ok(Flow::Next)
}

/// A syndrome in the layout of DISR_EL1 (`AArch64.ReportDeferredSError`).
const fn deferred(iss: u64) -> u64 {
    1 << 31 | iss & ISS as u64
}

/// DISR_EL1 is VDISR_EL2 at EL1 where SErrors are virtual (the accessibility pseudocode of DISR_EL1).
pub fn disr(r: Reg, el: u8, hcr: u64) -> Option<Reg> {
    (r == DISR_EL1 && el == 1 && field!(HCR_EL2.AMO).is_set(hcr)).then_some(VDISR_EL2)
}

/// ISR_EL1.A as `el` sees it.
pub fn is_pending(cpu: &Cpu, has_el2: bool, el: u8) -> bool {
    let hcr = hcr(cpu, has_el2);
    match el < 2 && field!(HCR_EL2.AMO).is_set(hcr) {
        true => is_virtual_pending(hcr),
        false => cpu.serror.is_some(),
    }
}

#[cfg(test)]
#[path = "serror_tests.rs"]
mod tests;
