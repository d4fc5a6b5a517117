//! The last events between hypervisors and guests (exits, entries, virtual interrupts), in a ring buffer.

use crate::account::Who;
use crate::dev::gic::lives::Happened;
use std::collections::VecDeque;
use std::sync::Arc;

/// Default number of events kept.
pub const USUAL: usize = 8192;

/// Events of a part that is full.
const PART: usize = 512;

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An exception from a guest to EL2.
    Exit,
    /// An exception return from EL2 to a guest.
    Entry,
    /// A virtual interrupt or SError taken by a guest at EL1.
    Virtual,
    /// An interrupt that gdbhv's hypervisor made pending for a guest.
    Pended,
    /// A change of a virtual interrupt in the list registers.
    Lived(Happened),
}

/// One event, the size of a cache line of the host.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Event {
    /// Its kind.
    pub what: What,
    /// CPU.
    pub cpu: u8,
    /// Exception level that it came from or went to.
    pub el: u8,
    /// The vCPU.
    pub who: Who,
    /// VMID.
    pub vmid: u16,
    /// Class of an exit; for a virtual interrupt, the class that a physical one would have.
    pub class: u16,
    /// Key of an exit's sub-reason; INTID of a virtual interrupt or of the maintenance interrupt.
    pub key: u32,
    /// Virtual time in nanoseconds.
    pub now: u64,
    /// Instructions executed by the CPU.
    pub insns: u64,
    /// PC of the instruction that exits, of the guest's first instruction after an entry, or of the interrupted one.
    pub pc: u64,
    /// IPA of an abort, function identifier of a hypercall, number of a list register, or ICH_MISR_EL2 of the maintenance interrupt;
    /// else [`Event::NONE`].
    pub value: u64,
    /// Controls that caused an exit.
    pub cause: &'static [&'static str],
}

impl Event {
    /// No value. No IPA is that large.
    pub const NONE: u64 = u64::MAX;
}

const _: () = assert!(size_of::<Event>() == 64);

/// The ring, in parts. Those that are full are shared with its copies.
#[derive(Clone)]
pub struct Trace {
    full: VecDeque<Arc<Vec<Event>>>,
    open: Vec<Event>,
    size: usize,
    /// Number of events since the last [`Trace::clear`].
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
    /// Add an event. It replaces the oldest if the buffer is full.
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
    /// The last `n` events with their numbers (from 0), the oldest first.
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
    /// Capacity in events.
    pub fn size(&self) -> usize {
        self.size
    }
    /// Set the capacity in events, and forget all events.
    pub fn resize(&mut self, size: usize) {
        self.size = size.max(1);
        self.clear();
    }
    /// Forget all events.
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
