//! Single steps: a run of the machine that stops when one CPU has had one event, an instruction or an exception.
//!
//! A step does not change the run. Turns begin and end where they would have, so that the other CPUs get the turns that they would have
//! got, exclusive monitors stay as they are, and stepping through a wait for another CPU ends after as many instructions as
//! running through it: a machine that was stepped through N instructions is the one that ran N.
//!
//! An interrupt that is taken instead of the instruction completes the step, at the first instruction of its vector (Arm ARM H3.2
//! "active-not-pending", and as QEMU's stub does); one that becomes pending by the stepped instruction is the next step's event.

use super::{Machine, Stop};
use crate::raise::ExceptionKind;

/// What a debugger steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// CPU.
    pub cpu: usize,
    /// The step continues while `start <= pc < end`.
    pub range: Option<(u64, u64)>,
    /// The CPU's interrupts stay pending meanwhile (hosted: those that the guest takes, and not the host side's).
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
    /// The stop of a step whose CPU has just had its turn, if the step is complete.
    pub(super) fn made(&self, s: Step) -> Option<Stop> {
        let pc = self.cpus[s.cpu].pc;
        let on = s.range.is_some_and(|(start, end)| start <= pc && pc < end);
        (self.stepped.made && !on).then_some(Stop::Step {
            cpu: s.cpu,
            held: self.stepped.held,
        })
    }
}
