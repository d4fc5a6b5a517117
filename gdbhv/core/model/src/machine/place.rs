//! Places of a run: where something came from outside, so that the same run can be stopped exactly there again.
//!
//! Between two instructions a machine can take exceptions, begin turns and let time pass while everybody waits. Each of these has its
//! part of a [`Place`]. None of them depends on where a run was stopped and gone on with, so the same inputs at the same places make the
//! same run.

use super::Machine;

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Instructions that all CPUs together have executed.
    pub insns: u64,
    /// Virtual time in ticks.
    pub now: u64,
    /// Turns begun, exceptions taken and wake-ups reported.
    pub steps: u64,
    /// A step ended where its CPU would have looked for interrupts next: its turn is not over.
    pub midway: bool,
}

/// Where to stop besides: after so many instructions, or exactly at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// As soon as all CPUs together have executed so many.
    Insns(u64),
    /// There.
    At(Place),
}

impl Machine {
    /// Where the run is.
    pub fn place(&self) -> Place {
        Place {
            insns: self.insns.iter().sum(),
            now: self.sh.now,
            steps: self.steps,
            midway: self.midway,
        }
    }

    /// How many instructions may be executed before the pause is looked for again; None: it is reached, or missed.
    pub(super) fn before_pause(&mut self) -> Option<u64> {
        let here = self.place();
        match self.pause {
            None => Some(u64::MAX),
            Some(Pause::Insns(n)) => n.checked_sub(here.insns).filter(|&left| left != 0),
            Some(Pause::At(p)) => {
                if (p.insns, p.now, p.steps) == (here.insns, here.now, here.steps) {
                    // Whether a step ended here is no matter of this run but of the other one.
                    self.midway = p.midway;
                    return None;
                }
                let ahead = p.insns > here.insns
                    || (p.insns == here.insns && p.steps >= here.steps && p.now >= here.now);
                // At its last instruction there are exceptions, turns or time to come, of which another one takes none.
                ahead.then(|| (p.insns - here.insns).max(1))
            }
        }
    }

    /// The time and steps at which a turn that begins now reaches the pause.
    pub(super) fn pause_in_turn(&self) -> Option<(u64, u64)> {
        let Some(Pause::At(p)) = self.pause else {
            return None;
        };
        let here = self.place();
        let there = p.now.checked_sub(here.now) == p.insns.checked_sub(here.insns);
        there.then_some((p.now, p.steps))
    }

    /// How far time may jump before the pause.
    pub(super) fn pause_in_idle(&self) -> u64 {
        match self.pause {
            Some(Pause::At(p)) if p.insns == self.place().insns && p.now > self.sh.now => p.now,
            _ => u64::MAX,
        }
    }
}
