//! Updates of what is derived from system registers. Whoever writes such a register marks the PE (`Cpu::changed`), and the dispatcher
//! calls [`follow`] before the PE executes again.

use super::code::Code;
use crate::bits::bit;
use crate::mmu::kind::Mode;
use crate::mmu::op::Note;
use crate::mmu::regime;
use crate::pe::{self, Pe};
use crate::selfhosted::{sees_pstate, Armed, NOWHERE};
use crate::shared::Shared;

/// Update what is derived if `Cpu::changed` is set.
#[inline]
pub fn follow(cpu: &mut Pe, sh: &mut Shared, code: &mut Code) {
    if std::mem::take(&mut cpu.changed) {
        refresh(cpu, sh);
        if cpu.armed.any || sees_pstate(cpu) {
            rearm(cpu, code);
        }
    }
}

/// Recompute `Pe::ctx`, `Pe::fp_traps`, `Pe::fgt` and `Tlb::strict` after a change of PSTATE or of a register that translation or traps
/// depend on, and what the performance monitors count.
pub fn refresh(cpu: &mut Pe, sh: &mut Shared) {
    crate::pe::tlb::forget_regime(cpu);
    cpu.granted = 0;
    cpu.fp_traps = crate::fpen::fp_trap(cpu).is_some();
    cpu.fgt = crate::sysreg::fgt::in_use(cpu, &sh.config);
    let kind = regime::kind(cpu, cpu.pstate.el);
    cpu.tlb.strict = bit(regime::sctlr(cpu, kind), 1);
    let key = regime::key(cpu, kind, Mode::of(cpu, kind));
    // SAFETY: `ctx` points to a box of `cpu.tlb`, which nothing else borrows here.
    if unsafe { (*cpu.ctx).key } != key {
        let in_use = cpu.ctx;
        cpu.ctx = cpu.tlb.select(key, in_use);
    }
    if cpu.pmu.on {
        crate::pmu::refresh(cpu, sh);
    }
}

#[cold]
fn rearm(cpu: &mut Pe, code: &mut Code) {
    let new = Armed::of(cpu);
    let old = std::mem::replace(&mut cpu.armed, new);
    if !new.single {
        cpu.stepped = None;
    }
    if new.breaks != old.breaks {
        for pc in new.breaks.into_iter().filter(|pc| *pc != NOWHERE) {
            code.hold_split(pc);
            code.forget(cpu.id, pc);
        }
        for pc in old.breaks.into_iter().filter(|pc| *pc != NOWHERE) {
            code.release_split(pc);
        }
    }
    if new.watches != old.watches {
        pe::tlb::note(cpu, Note::Recheck);
    }
}
