//! What a PE does with its cached translations.

use super::Pe;
use crate::mmu::entry::PAGE;
use crate::mmu::kind::RegimeKind;
use crate::mmu::op::{Op, Tlbi};
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

/// Have every other PE do `op` before it next executes.
pub fn post(cpu: &Pe, sh: &mut Shared, op: Op) {
    for (_, queue) in sh
        .tlb_queue
        .iter_mut()
        .enumerate()
        .filter(|q| q.0 != cpu.id)
    {
        if queue.len() >= QUEUE {
            queue.clear();
            queue.push(Op::All);
        }
        queue.push(op);
    }
}

/// Do what other PEs have posted. The machine calls this before `cpu` executes.
pub fn drain(cpu: &mut Pe, sh: &mut Shared) {
    if sh.tlb_queue[cpu.id].is_empty() {
        return;
    }
    for op in std::mem::take(&mut sh.tlb_queue[cpu.id]) {
        apply(cpu, op);
    }
}

/// A TLBI instruction.
pub fn tlbi(cpu: &mut Pe, sh: &mut Shared, t: Tlbi) {
    apply(cpu, Op::Invalidate(t));
    if t.broadcast {
        post(cpu, sh, Op::Invalidate(t));
    }
}

/// A page now holds decoded code: every PE's writes to it take the slow path.
pub fn protect(cpu: &mut Pe, sh: &mut Shared, pa: u64) {
    let op = Op::Protect(pa & PAGE);
    apply(cpu, op);
    post(cpu, sh, op);
}
