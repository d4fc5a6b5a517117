//! What follows from the system registers and is kept beside them.

use crate::bits::bit;
use crate::cpu::Cpu;
use crate::mmu::regime::{self, Mode};
use crate::shared::Shared;

/// Recompute `Cpu::ctx`, `Cpu::fp_traps`, `Cpu::armed`, `Cpu::fgt` and `Tlb::strict` after a change of PSTATE or of a register that
/// translation, traps or debug depend on. Whoever writes such a register calls this before the PE executes.
pub fn refresh(cpu: &mut Cpu, sh: &mut Shared) {
    crate::mmu::tlb::forget_regime(cpu);
    cpu.fp_traps = crate::exception::fp_trap(cpu).is_some();
    cpu.fgt = crate::sysreg::fgt::in_use(cpu, &sh.config);
    let kind = regime::kind(cpu, cpu.pstate.el);
    cpu.tlb.strict = bit(regime::sctlr(cpu, kind), 1);
    let key = regime::key(cpu, kind, Mode::of(cpu, kind));
    // SAFETY: `ctx` points to a box of `cpu.tlb`, which nothing else borrows here.
    if unsafe { (*cpu.ctx).key } != key {
        let in_use = cpu.ctx;
        cpu.ctx = cpu.tlb.select(key, in_use);
    }
    crate::armed::refresh(cpu, sh);
    if cpu.pmu.on {
        crate::pmu::refresh(cpu, sh);
    }
}
