//! Single steps: a run of the machine that stops after one event of one CPU, an instruction or an exception.
//!
//! Stepping does not change the run. Turns begin and end where they would have without it, so that the other CPUs get the same turns,
//! exclusive monitors are kept, and stepping through a wait for another CPU takes as many instructions as running through it: a
//! machine that was stepped through N instructions is in the same state as one that ran N.
//!
//! An interrupt that is taken instead of the instruction completes the step, at the first instruction of its vector (Arm ARM H3.2
//! "active-not-pending", and as QEMU's stub does); one that becomes pending by the stepped instruction is the next step's event.

use super::{Machine, Stop};
use crate::raise::ExceptionKind;

/// A request for a single step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// CPU.
    pub cpu: usize,
    /// The step continues while `start <= pc < end`.
    pub range: Option<(u64, u64)>,
    /// The CPU's interrupts stay pending meanwhile (hosted: only those that the guest would take).
    pub hold: bool,
}

/// The progress of a step.
#[derive(Clone, Copy, Default)]
pub(super) struct Made {
    /// The last turn executed an instruction or took an exception.
    pub made: bool,
    /// An interrupt was held back.
    pub held: Option<ExceptionKind>,
}

impl Machine {
    /// The stop for a step, if the step is complete after the CPU's last turn.
    pub(super) fn made(&self, s: Step) -> Option<Stop> {
        let pc = self.cpus[s.cpu].pc;
        let on = s.range.is_some_and(|(start, end)| start <= pc && pc < end);
        (self.stepped.made && !on).then_some(Stop::Step {
            cpu: s.cpu,
            held: self.stepped.held,
        })
    }
}
