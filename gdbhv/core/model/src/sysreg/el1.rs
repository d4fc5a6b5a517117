//! The registers of [`crate::reg::el1`] that are computed.

use super::behaviour::behaviours;
use crate::cpu::Cpu;
use crate::platform::Platform;
use crate::reg::field;
use crate::reg::names::HCR_EL2;
use crate::reg::Reg;

crate::reg::el1::table!(behaviours);

/// A register that holds nothing.
pub fn zero(_: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    0
}
/// Its write.
pub fn ignore(_: &mut Cpu, _: &mut Platform, _: Reg, _: u64) {}

/// ISR_EL1 (D24.2.77): what is pending, whatever PSTATE masks. EL1 sees the virtual interrupts where HCR_EL2 routes
/// the physical ones to EL2.
fn isr(cpu: &Cpu, sh: &mut Platform, _: Reg, el: u8) -> u64 {
    let lines = sh.gic.lines(cpu.id);
    let virt = el < 2 && sh.config.has_el2;
    let hcr = if virt { cpu.get(HCR_EL2) } else { 0 };
    let i = if field!(HCR_EL2.IMO).is_set(hcr) {
        lines.virq || field!(HCR_EL2.VI).is_set(hcr)
    } else {
        lines.irq
    };
    let f = if field!(HCR_EL2.FMO).is_set(hcr) {
        lines.vfiq || field!(HCR_EL2.VF).is_set(hcr)
    } else {
        lines.fiq
    };
    let a = crate::serror::is_pending(cpu, sh.config.has_el2, el);
    (a as u64) << 8 | (i as u64) << 7 | (f as u64) << 6
}
