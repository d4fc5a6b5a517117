//! What follows from the system registers and is kept beside them.
use crate::cpu::Cpu;
use crate::shared::Shared;

/// Recompute `Cpu::ctx` and `Cpu::fp_traps` after a change of PSTATE or of a register that translation or traps depend on.
pub fn refresh(cpu: &mut Cpu, _sh: &mut Shared) {
    cpu.fp_traps = crate::exception::fp_trap(cpu).is_some();
}
