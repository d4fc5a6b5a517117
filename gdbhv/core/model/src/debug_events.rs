//! The exceptions of self-hosted debug: a breakpoint before an instruction, a watchpoint on an access. The rules are in
//! [`crate::selfhosted`].

use crate::cpu::Cpu;
use crate::pe::Pe;
use crate::raise::{Exception, Trap};
use crate::selfhosted as rules;
use crate::selfhosted::key;
use crate::syndrome::ec;

/// "Debug exception" in IFSC and DFSC.
const DEBUG_EVENT: u32 = 0x22;

/// A debug exception but BRK's (`AArch64.BreakpointException` and its kind). To EL2 it goes by MDCR_EL2.TDE (or HCR_EL2.TGE, and
/// then is no exit).
pub fn event(cpu: &Cpu, class: u8, iss: u32) -> Exception {
    let target = rules::target(cpu);
    Exception {
        cause: if target == 2 { &["MDCR_EL2.TDE"] } else { &[] },
        ..Exception::sync(target, class, iss | DEBUG_EVENT)
    }
}

/// Raise a breakpoint exception before the instruction at `Cpu::pc`, which would be fetched from `pa`, if one comes there by an address.
pub fn break_at(cpu: &mut Pe, pc: u64, pa: u64) -> Result<(), Trap> {
    if cpu.armed.breaks(pc) && rules::breaks_at(cpu, pc) {
        return Err(breakpoint(cpu, pa));
    }
    Ok(())
}

/// The breakpoint exception, for an instruction at physical address `pa`.
pub fn breakpoint(cpu: &mut Pe, pa: u64) -> Trap {
    (cpu.block_pa, cpu.off) = (pa, 0); // the instruction that the exit record tells
    let e = event(cpu, ec::BREAKPOINT, 0);
    cpu.raise(e)
}

/// An access that has been translated.
#[derive(Clone, Copy)]
pub struct Touch {
    /// First byte.
    pub va: u64,
    /// Bytes.
    pub bytes: u64,
    /// Stores, DC ZVA, DC IVAC.
    pub write: bool,
    /// As from which exception level: 0 for LDTR and STTR where they act as EL0's, 2 for what HCR_EL2.NV2 makes of a register.
    pub el: u8,
    /// By DC IVAC with this operand: cache maintenance.
    pub maintenance: Option<u64>,
}

/// Raise a watchpoint exception if an access touches what a guest watches. FAR is the first watched byte of the access, or what
/// cache maintenance was given (D2.10, determining the memory location that caused a watchpoint exception).
#[cold]
pub fn watch(cpu: &mut Pe, t: Touch) -> Result<(), Trap> {
    let first = key(t.va);
    let last = first.saturating_add(t.bytes - 1);
    let touched = |w: &(usize, (u64, u64))| w.1 .0 <= last && w.1 .1 >= first;
    let hit = cpu
        .armed
        .watches
        .into_iter()
        .enumerate()
        .filter(touched)
        .filter(|w| rules::watch_matches(cpu, w.0, t.el, t.write))
        .map(|w| w.1 .0.max(first))
        .min();
    let Some(at) = hit else { return Ok(()) };
    let cm = t.maintenance.is_some() as u32;
    let e = Exception {
        far: Some(t.maintenance.unwrap_or(t.va.wrapping_add(at - first))),
        ..event(cpu, ec::WATCHPOINT, cm << 8 | (t.write as u32) << 6)
    };
    Err(cpu.raise(e))
}
