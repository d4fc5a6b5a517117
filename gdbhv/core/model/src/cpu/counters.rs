//! The state of a PE's performance monitors besides their registers; [`crate::pmu`] says what it means.

use crate::reg::pmu::COUNTERS;
use borsh::{BorshDeserialize, BorshSerialize};

/// How an event comes about.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Never: not one of ours.
    Nothing,
    /// It is the growth of a total.
    Total(Total),
    /// Somebody says so.
    Pulse(u16),
}

/// The totals that counters follow.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// One for each instruction, whatever became of it.
    Cycles,
    /// Instructions that did not end in an exception of their own.
    Retired,
    /// Loads.
    Loads,
    /// Stores.
    Stores,
    /// Loads and stores.
    Accesses,
    /// Branches, taken or not.
    Branches,
    /// Immediate branches, taken or not.
    Immediate,
    /// Returns.
    Returns,
}

/// How many totals.
pub const TOTALS: usize = Total::Returns as usize + 1;

/// One PE's monitors: what its registers do not hold.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug)]
pub struct Pmu {
    /// Some counter counts at some exception level; otherwise nothing needs to be checked.
    pub on: bool,
    /// A counter that counts now follows a class of instructions.
    pub classes: bool,
    /// The counters that count now, by their bits in PMCNTENSET_EL0.
    pub(crate) running: u32,
    /// What each event counter counts.
    pub(crate) what: [What; COUNTERS],
    /// Each total but Cycles and Retired; in the place of Retired the instructions that were not.
    pub(crate) totals: [u64; TOTALS],
    /// The totals when [`crate::pmu::settle`] last ran.
    pub(crate) settled: [u64; TOTALS],
    /// Cycles at which a counter may overflow.
    pub(crate) due: u64,
    /// Cycles when the turn began, and the virtual time when it did; None between turns.
    pub(crate) cycles: u64,
    pub(crate) turn: Option<u64>,
}

impl Default for Pmu {
    fn default() -> Pmu {
        Pmu {
            on: false,
            classes: false,
            running: 0,
            what: [What::Nothing; COUNTERS],
            totals: [0; TOTALS],
            settled: [0; TOTALS],
            due: u64::MAX,
            cycles: 0,
            turn: None,
        }
    }
}

impl Pmu {
    /// The PE's turn begins at virtual time `now`.
    #[inline]
    pub fn enter(&mut self, now: u64) {
        self.turn = Some(now);
    }
    /// The PE's turn ends.
    #[inline]
    pub fn leave(&mut self, now: u64) {
        self.cycles = self.cycles(now);
        self.turn = None;
    }
    /// Cycles so far.
    pub(crate) fn cycles(&self, now: u64) -> u64 {
        self.cycles + self.turn.map_or(0, |t| now - t)
    }
    /// The virtual time in this turn at which [`crate::pmu::settle`] must be called, if there is one.
    #[inline]
    pub fn due(&self) -> u64 {
        match (self.on, self.turn) {
            (true, Some(t)) => self.due.saturating_sub(self.cycles).saturating_add(t),
            _ => u64::MAX,
        }
    }
    /// The last instruction ended in an exception that is not its purpose.
    #[inline]
    pub fn not_retired(&mut self) {
        self.totals[Total::Retired as usize] += 1;
    }
    /// All totals at virtual time `now`.
    pub(crate) fn all(&self, now: u64) -> [u64; TOTALS] {
        let mut t = self.totals;
        t[Total::Cycles as usize] = self.cycles(now);
        t[Total::Retired as usize] =
            t[Total::Cycles as usize] - self.totals[Total::Retired as usize];
        t
    }
}
