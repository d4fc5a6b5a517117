//! Exact places in a run, at which input came from outside, so that a replay can stop there again.
//!
//! Between two instructions a machine can take exceptions, begin turns, and let time pass while every CPU waits; a [`Place`] has a part
//! for each of these. None depends on where the run was interrupted and resumed, so the same inputs at the same places make the same
//! run.

use super::Machine;

/// A place in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Instructions executed by all CPUs together.
    pub insns: u64,
    /// Virtual time in ticks.
    pub now: u64,
    /// Number of turns begun, exceptions taken and wake-ups reported.
    pub steps: u64,
    /// A step ended just before its CPU would have looked for interrupts: its turn is not over.
    pub midway: bool,
}

/// A place to pause at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// As soon as all CPUs together have executed so many instructions.
    Insns(u64),
    /// Exactly at a place.
    At(Place),
}

impl Machine {
    /// The present place of the run.
    pub fn place(&self) -> Place {
        Place {
            insns: self.insns.iter().sum(),
            now: self.sh.now,
            steps: self.steps,
            midway: self.midway,
        }
    }

    /// How many instructions may execute before the next call; None: the pause is reached or missed.
    pub(super) fn before_pause(&mut self) -> Option<u64> {
        let here = self.place();
        match self.pause {
            None => Some(u64::MAX),
            Some(Pause::Insns(n)) => n.checked_sub(here.insns).filter(|&left| left != 0),
            Some(Pause::At(p)) => {
                if (p.insns, p.now, p.steps) == (here.insns, here.now, here.steps) {
                    // Whether a step ended here is a property of the recorded run, not of this one.
                    self.midway = p.midway;
                    return None;
                }
                let ahead = p.insns > here.insns
                    || (p.insns == here.insns && p.steps >= here.steps && p.now >= here.now);
                // At the place's last instruction there may be exceptions, turns or time still to come before the place.
                ahead.then(|| (p.insns - here.insns).max(1))
            }
        }
    }

    /// The time and the count of steps at which a turn that begins now reaches the pause.
    pub(super) fn pause_in_turn(&self) -> Option<(u64, u64)> {
        let Some(Pause::At(p)) = self.pause else {
            return None;
        };
        let here = self.place();
        let there = p.now.checked_sub(here.now) == p.insns.checked_sub(here.insns);
        there.then_some((p.now, p.steps))
    }

    /// How far time may jump without passing the pause.
    pub(super) fn pause_in_idle(&self) -> u64 {
        match self.pause {
            Some(Pause::At(p)) if p.insns == self.place().insns && p.now > self.sh.now => p.now,
            _ => u64::MAX,
        }
    }
}
