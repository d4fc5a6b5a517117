//! What a PE does with its cached translations.

use super::Pe;
use crate::mmu::entry::PAGE;
use crate::mmu::kind::RegimeKind;
use crate::mmu::op::{Note, Op, Tlbi};
use crate::mmu::regime::Regime;
use crate::mmu::walk_cache::WalkCache;
use crate::shared::Shared;

/// Operations that wait for another PE before they become one for everything.
const QUEUE: usize = 1024;

/// The regime of the PE's exception level, decoded at most once between two refreshes of the context; and the PE's parts of walks.
pub fn regime(cpu: &mut Pe, kind: RegimeKind) -> (&Regime, &mut WalkCache) {
    if cpu.tlb.regime.as_ref().is_none_or(|r| r.kind != kind) {
        cpu.tlb.regime = Some(Regime::of(cpu, kind));
    }
    let tlb = &mut cpu.tlb;
    (tlb.regime.as_ref().expect("just set"), &mut tlb.walks)
}

/// Registers that translation depends on may have changed.
pub fn forget_regime(cpu: &mut Pe) {
    cpu.tlb.regime = None;
}

/// Do `op` to the translations of `cpu`.
pub fn apply(cpu: &mut Pe, op: Op) {
    let ctx = cpu.ctx;
    cpu.tlb.apply(op, ctx);
}

/// The same for a note.
pub fn note(cpu: &mut Pe, note: Note) {
    let ctx = cpu.ctx;
    cpu.tlb.note(note, ctx);
}

/// Put `new` at the end of what waits for every PE but `cpu`; too many become `one`.
fn post<T: Copy>(cpu: &Pe, queues: &mut [Vec<T>], new: T, one: T) {
    for (_, queue) in queues.iter_mut().enumerate().filter(|q| q.0 != cpu.id) {
        if queue.len() >= QUEUE {
            queue.clear();
            queue.push(one);
        }
        queue.push(new);
    }
}

/// Do what other PEs have posted. The machine calls this before `cpu` executes.
pub fn drain(cpu: &mut Pe, sh: &mut Shared) {
    if !sh.tlb_queue[cpu.id].is_empty() {
        for op in std::mem::take(&mut sh.tlb_queue[cpu.id]) {
            apply(cpu, op);
        }
    }
    if !sh.tlb_notes[cpu.id].is_empty() {
        for n in std::mem::take(&mut sh.tlb_notes[cpu.id]) {
            note(cpu, n);
        }
    }
}

/// A TLBI instruction.
pub fn tlbi(cpu: &mut Pe, sh: &mut Shared, t: Tlbi) {
    apply(cpu, Op::Invalidate(t));
    if t.broadcast {
        post(cpu, &mut sh.tlb_queue, Op::Invalidate(t), Op::All);
    }
}

/// A page now holds decoded code: every PE's writes to it take the slow path.
pub fn protect(cpu: &mut Pe, sh: &mut Shared, pa: u64) {
    let code = Note::Code(pa & PAGE);
    note(cpu, code);
    post(cpu, &mut sh.tlb_notes, code, Note::Recheck);
}

/// Memory that could be read has become a device's registers: every PE's accesses look again.
pub fn recheck(cpu: &mut Pe, sh: &mut Shared) {
    look_again(cpu, sh, Note::Recheck);
}

/// Every PE's accesses look again, as `new` says.
pub fn look_again(cpu: &mut Pe, sh: &mut Shared, new: Note) {
    note(cpu, new);
    post(cpu, &mut sh.tlb_notes, new, new);
}
