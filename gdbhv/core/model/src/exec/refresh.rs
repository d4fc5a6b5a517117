//! Updates of what is derived from system registers. Whoever writes such a register marks the PE (`Cpu::changed`), and the dispatcher
//! calls [`follow`] before the PE executes again.

use super::code::Code;
use crate::bits::bit;
use crate::mmu::kind::Mode;
use crate::mmu::op::Note;
use crate::mmu::regime;
use crate::pe::{self, Derived, Pe};
use crate::selfhosted::{sees_pstate, Armed, NOWHERE};
use crate::shared::Shared;

/// Update what is derived if `Cpu::changed` or `Cpu::moved` is set.
#[inline]
pub fn follow(cpu: &mut Pe, sh: &mut Shared, code: &mut Code) {
    if cpu.changed | cpu.moved {
        if cpu.changed {
            refresh(cpu, sh);
        } else {
            go_back(cpu, sh);
        }
        (cpu.changed, cpu.moved) = (false, false);
        if cpu.armed.any || sees_pstate(cpu) {
            rearm(cpu, code);
        }
    }
}

/// The index in `Pe::derived` for now.
fn place(cpu: &Pe) -> usize {
    (cpu.pstate.el << 1 | cpu.pstate.pan as u8) as usize
}

/// Recompute `Pe::ctx`, `Pe::fp_traps`, `Pe::fgt` and `Tlb::strict` after a change of a register that translation or traps
/// depend on, and what the performance monitors count.
pub fn refresh(cpu: &mut Pe, sh: &mut Shared) {
    crate::pe::tlb::forget_regime(cpu);
    cpu.grant_nothing();
    cpu.derived = [Derived::NOTHING; 6];
    derive(cpu, sh);
}

/// The same after a change of PSTATE alone: exception entries and returns are frequent.
#[inline]
fn go_back(cpu: &mut Pe, sh: &mut Shared) {
    let known = cpu.derived[place(cpu)];
    // SAFETY: a context is freed only by a load, which sets `Cpu::changed`; so `ctx` is null or points to a box of `cpu.tlb`.
    if known.ctx.is_null() || unsafe { (*known.ctx).key } != known.key {
        derive(cpu, sh);
        return;
    }
    cpu.fp_traps = known.fp_traps;
    cpu.fgt = known.fgt;
    cpu.tlb.strict = known.strict;
    if !std::ptr::eq(cpu.ctx, known.ctx) {
        cpu.ctx = cpu.tlb.again(known.ctx);
    }
    if cpu.pmu.on {
        crate::pmu::refresh(cpu, sh);
    }
}

fn derive(cpu: &mut Pe, sh: &mut Shared) {
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
    cpu.derived[place(cpu)] = Derived {
        ctx: cpu.ctx,
        key,
        fp_traps: cpu.fp_traps,
        fgt: cpu.fgt,
        strict: cpu.tlb.strict,
    };
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
