//! What a seed decides ([`crate::chaos`]), where the machine lets it.

use super::{Machine, QUANTUM};
use crate::chaos::Chaos;
use crate::cpu::Power;
use crate::mmu::op::Op;
use crate::pe;

impl Machine {
    /// Have a seed decide what the architecture leaves open, from where the machine is; None: no longer.
    pub fn set_chaos(&mut self, chaos: Option<Chaos>) {
        self.chaos = chaos;
    }

    /// What a seed decides, if one does.
    pub fn chaos(&self) -> Option<&Chaos> {
        self.chaos.as_ref()
    }

    /// Who of `mask` has the next turn; `usual`: the one that would have it.
    pub(super) fn pick(&mut self, mask: u32, usual: usize) -> usize {
        if self.chaos.is_none() {
            return usual;
        }
        let n = self.cpus.len();
        let others = (usual + 1..usual + n).map(|k| k % n);
        let mut able = vec![usual];
        able.extend(others.filter(|&i| mask >> i & 1 != 0 && self.ready(i)));
        let chaos = self.chaos.as_mut().expect("just seen");
        able[chaos.pick(able.len())]
    }

    /// A turn of CPU `i` begins now: when it ends at the latest.
    pub(super) fn begin_turn(&mut self, i: usize) -> u64 {
        let Some(chaos) = &mut self.chaos else {
            return self.sh.now.saturating_add(QUANTUM);
        };
        let (cpu, now) = (&mut *self.cpus[i], self.sh.now);
        let end = now.saturating_add(chaos.quantum(QUANTUM));
        // The monitor may be cleared at any time, and that is an event for WFE (B2.17).
        if chaos.clears() && cpu.monitor.take().is_some() {
            cpu.event = true;
        }
        if chaos.drops() {
            pe::tlb::apply(cpu, Op::All);
        }
        chaos.hold(i, now, self.sh.ns_per_insn);
        if chaos.serror() {
            self.inject_serror(i, None);
        }
        end
    }

    /// The tick until which CPU `i` takes no interrupt.
    pub(super) fn late(&self, i: usize) -> u64 {
        self.chaos.as_ref().map_or(0, |c| c.late[i])
    }

    /// CPU `i` waits from now on, in WFI or WFE: it may wake up without a reason (D1.6.1, D1.6.2).
    pub(super) fn begin_wait(&mut self, i: usize) {
        let cpu = &mut *self.cpus[i];
        if !matches!(cpu.power, Power::Wfi | Power::Wfe) || cpu.twed.is_some() {
            return;
        }
        if let Some(early) = self.chaos.as_mut().and_then(|c| c.early(self.sh.now)) {
            cpu.timeout = cpu.timeout.min(early);
        }
    }

    /// Hosted: a vCPU begins to wait, until `until` (in ns) at most: until when it does at most.
    pub fn wait_until(&mut self, until: Option<u64>) -> Option<u64> {
        let early = self.chaos.as_mut().and_then(|c| c.early(self.sh.now));
        let early = early.map(|t| t.saturating_mul(self.sh.ns_per_insn));
        until.into_iter().chain(early).min()
    }
}
