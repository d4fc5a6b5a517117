//! System instructions that were allowed and are allowed still.
//!
//! What decides on an access to a system register is the Exception level, SPSel, and registers whose writers set `Cpu::changed`. So one that
//! was allowed may be made again without a question until then: compiled code looks at its bit of `Cpu::granted`.
//! [`refresh`](crate::exec::refresh::refresh) clears them all; [`Cpu::set_pstate`](crate::cpu::Cpu::set_pstate) exchanges those of one Exception
//! level and SPSel for those of another.

use crate::cpu::Cpu;
use crate::reg::names::*;
use crate::reg::Reg;

/// Registers that an MRS finds as they lie in the PE (`Cpu::sys`, and SP_EL0 in `Cpu::sp`), and that kernels and hypervisors read all the time.
pub const READ: [Reg; 15] = [
    SP_EL0,
    TPIDR_EL0,
    TPIDRRO_EL0,
    TPIDR_EL1,
    TPIDR_EL2,
    CTR_EL0,
    ESR_EL1,
    FAR_EL1,
    ELR_EL1,
    SPSR_EL1,
    ESR_EL2,
    FAR_EL2,
    HPFAR_EL2,
    ELR_EL2,
    SPSR_EL2,
];

/// The bit of DC ZVA.
pub const ZVA: u32 = 1 << READ.len();

/// The bit of an MRS of `reg`, if it has one.
#[inline]
pub fn of_read(reg: Reg) -> Option<u32> {
    let n = READ.iter().position(|r| *r == reg)?;
    Some(1 << n)
}

/// An MRS has been allowed that names a register and reads the row of register `found`.
#[inline]
pub fn grant_read(cpu: &mut Cpu, named: Reg, found: Reg) {
    if named == found {
        cpu.granted |= of_read(named).unwrap_or(0);
    }
}

#[cfg(test)]
#[path = "granted_tests.rs"]
mod tests;
