//! Operations on the cached translations of PEs.

use super::Pe;
use crate::mmu::entry::PAGE;
use crate::mmu::kind::RegimeKind;
use crate::mmu::op::{Note, Op, Tlbi};
use crate::mmu::regime::Regime;
use crate::mmu::walk_cache::WalkCache;
use crate::shared::Shared;

/// Most operations that wait for another PE; more are replaced by one that covers everything.
const QUEUE: usize = 1024;

/// The decoded translation regime of the PE, cached until the next refresh of the context, and the PE's walk cache.
pub fn regime(cpu: &mut Pe, kind: RegimeKind) -> (&Regime, &mut WalkCache) {
    if cpu.tlb.regime.as_ref().is_none_or(|r| r.kind != kind) {
        cpu.tlb.regime = Some(Regime::of(cpu, kind));
    }
    let tlb = &mut cpu.tlb;
    (tlb.regime.as_ref().expect("just set"), &mut tlb.walks)
}

/// Discard the decoded regime, because registers that translation depends on may have changed.
pub fn forget_regime(cpu: &mut Pe) {
    cpu.tlb.regime = None;
}

/// Apply `op` to the cached translations of `cpu`.
pub fn apply(cpu: &mut Pe, op: Op) {
    let ctx = cpu.ctx;
    cpu.tlb.apply(op, ctx);
}

/// Apply a note to the cached translations of `cpu`.
pub fn note(cpu: &mut Pe, note: Note) {
    let ctx = cpu.ctx;
    cpu.tlb.note(note, ctx);
}

/// Append `new` to the queue of every PE except `cpu`; a queue that is full becomes the single entry `one`.
fn post<T: Copy>(cpu: &Pe, queues: &mut [Vec<T>], new: T, one: T) {
    for (_, queue) in queues.iter_mut().enumerate().filter(|q| q.0 != cpu.id) {
        if queue.len() >= QUEUE {
            queue.clear();
            queue.push(one);
        }
        queue.push(new);
    }
}

/// Apply what other PEs have posted. The machine calls this before `cpu` executes.
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

/// Execute a TLBI instruction.
pub fn tlbi(cpu: &mut Pe, sh: &mut Shared, t: Tlbi) {
    apply(cpu, Op::Invalidate(t));
    if t.broadcast {
        post(cpu, &mut sh.tlb_queue, Op::Invalidate(t), Op::All);
    }
}

/// Make every PE's writes to a page take the slow path, because the page now holds decoded code.
pub fn protect(cpu: &mut Pe, sh: &mut Shared, pa: u64) {
    let code = Note::Code(pa & PAGE);
    note(cpu, code);
    post(cpu, &mut sh.tlb_notes, code, Note::Recheck);
}

/// Make every PE's accesses look up their page again, because readable memory has become registers of a device.
pub fn recheck(cpu: &mut Pe, sh: &mut Shared) {
    look_again(cpu, sh, Note::Recheck);
}

/// Post `new` to every PE, this one included.
pub fn look_again(cpu: &mut Pe, sh: &mut Shared, new: Note) {
    note(cpu, new);
    post(cpu, &mut sh.tlb_notes, new, new);
}
