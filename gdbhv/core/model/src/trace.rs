//! The last things that happened between hypervisors and guests: exits, entries and virtual interrupts, in a ring.

use crate::account::Who;
use crate::dev::gic::lives::Happened;
use std::collections::VecDeque;
use std::sync::Arc;

/// Events that are kept, unless it is said.
pub const USUAL: usize = 8192;

/// Events of a part that is full.
const PART: usize = 512;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An exception from a guest to EL2.
    Exit,
    /// An exception return from EL2 to a guest.
    Entry,
    /// A virtual interrupt or SError that a guest took at EL1.
    Virtual,
    /// An interrupt that gdbhv's hypervisor has for a guest.
    Pended,
    /// What has happened to a virtual interrupt in the list registers.
    Lived(Happened),
}

/// One event: a line of the host's cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Event {
    /// What.
    pub what: What,
    /// CPU.
    pub cpu: u8,
    /// Exception level that it came from or went to.
    pub el: u8,
    /// Whose.
    pub who: Who,
    /// VMID.
    pub vmid: u16,
    /// Class of an exit; of a virtual interrupt that of the physical one.
    pub class: u16,
    /// What tells an exit's sub-reasons apart; the INTID of a virtual interrupt (of the maintenance interrupt, its own).
    pub key: u32,
    /// Virtual time in nanoseconds.
    pub now: u64,
    /// Instructions of the CPU.
    pub insns: u64,
    /// PC: of the exit's instruction, of the first one of the guest after an entry, or where the interrupt came.
    pub pc: u64,
    /// IPA of an abort, function identifier of a hypercall, number of a list register, ICH_MISR_EL2 of the maintenance interrupt;
    /// [`Event::NONE`]: there is none.
    pub value: u64,
    /// Controls that provoked an exit.
    pub cause: &'static [&'static str],
}

impl Event {
    /// No value: no IPA is that large.
    pub const NONE: u64 = u64::MAX;
}

const _: () = assert!(size_of::<Event>() == 64);

/// The ring, in parts. Those that are full are shared with its copies.
#[derive(Clone)]
pub struct Trace {
    full: VecDeque<Arc<Vec<Event>>>,
    open: Vec<Event>,
    size: usize,
    /// How many events there have been.
    pub total: u64,
}

impl Default for Trace {
    fn default() -> Trace {
        Trace {
            full: VecDeque::new(),
            open: Vec::new(),
            size: USUAL,
            total: 0,
        }
    }
}

impl Trace {
    /// Add an event; the oldest makes room.
    #[inline]
    pub fn add(&mut self, e: Event) {
        self.open.push(e);
        self.total += 1;
        if self.open.len() == PART {
            self.seal();
        }
    }
    #[cold]
    fn seal(&mut self) {
        let part = std::mem::replace(&mut self.open, Vec::with_capacity(PART));
        self.full.push_back(Arc::new(part));
        while (self.full.len() - 1) * PART >= self.size {
            self.full.pop_front();
        }
    }
    /// How many events there are, those that have made room and are not freed yet too.
    fn held(&self) -> usize {
        self.full.len() * PART + self.open.len()
    }
    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.held() * size_of::<Event>()
    }
    /// The last `n` events with their numbers from 0, the oldest first.
    pub fn last(&self, n: usize) -> Vec<(u64, Event)> {
        let n = n.min(self.size).min(self.held());
        let parts = self.full.iter().map(|p| &**p).chain([&self.open]);
        let last = parts.flatten().skip(self.held() - n);
        (self.total - n as u64..).zip(last.copied()).collect()
    }
    /// Be what a copy was; as many are kept as before.
    pub fn restore(&mut self, kept: &Trace) {
        *self = Trace {
            size: self.size,
            ..kept.clone()
        };
    }
    /// How many are kept at most.
    pub fn size(&self) -> usize {
        self.size
    }
    /// Keep so many; what there is is forgotten.
    pub fn resize(&mut self, size: usize) {
        self.size = size.max(1);
        self.clear();
    }
    /// Forget all.
    pub fn clear(&mut self) {
        self.full.clear();
        self.open = Vec::new();
        self.total = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept_in_order() {
        let mut t = Trace::default();
        t.resize(3);
        let e = |now| Event {
            what: What::Entry,
            cpu: 0,
            el: 1,
            who: (0, 0),
            vmid: 0,
            class: 0,
            key: 0,
            now,
            insns: 0,
            pc: 0,
            value: Event::NONE,
            cause: &[],
        };
        (0..5).for_each(|n| t.add(e(n)));
        let got: Vec<_> = t.last(9).iter().map(|(seq, e)| (*seq, e.now)).collect();
        assert_eq!(got, [(2, 2), (3, 3), (4, 4)]);
        assert_eq!(t.last(1).len(), 1);
    }
}
