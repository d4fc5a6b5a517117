//! What is told of what is wrong: who did what, to which descriptor.

use super::change::{Kind, Narrow, Reach};
use crate::mmu::op::Tlbi;

/// Who has executed something, and when.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// CPU.
    pub cpu: usize,
    /// Exception level.
    pub el: u8,
    /// Address of the instruction.
    pub pc: u64,
    /// Virtual time in ticks.
    pub now: u64,
    /// How many exits there had been.
    pub exits: u64,
    /// Stage 1 of its regime is on.
    pub on: bool,
}

/// A store to a descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// Physical address of the descriptor.
    pub pa: u64,
    /// What it was.
    pub old: u64,
    /// What it is.
    pub new: u64,
    /// What that means.
    pub kind: Kind,
    /// Where it is in the tables.
    pub reach: Reach,
    /// Who.
    pub by: By,
    /// The break before it, if it is made again.
    pub broken: Option<Broken>,
    /// Its table is one of those in use.
    pub(super) live: bool,
    /// TLBIs before it.
    pub(super) tlbis: u64,
    /// Its PE has executed a DSB since: 1 for its own sake, 2 for all.
    pub(super) dsb: u8,
    /// Context synchronizations of its PE before that DSB.
    pub(super) synced: u64,
    /// Its PE has used it.
    pub(super) used: bool,
}

/// What was valid before a descriptor was broken.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    /// What it was.
    pub old: u64,
    /// Who has broken it.
    pub by: By,
    /// TLBIs before that.
    pub(super) tlbis: u64,
}

/// A use of a translation.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// Who.
    pub by: By,
    /// The address.
    pub va: u64,
    /// For what: "read", "write" or "fetch".
    pub purpose: &'static str,
}

/// A TLBI that was executed.
#[derive(Clone, Copy, Debug)]
pub struct Executed {
    /// What it covers.
    pub tlbi: Tlbi,
    /// Who.
    pub by: By,
    /// A DSB has completed it.
    pub complete: bool,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// A valid descriptor became another valid one.
    BreakBeforeMake,
    /// Broken and made again without a TLBI between.
    MadeBeforeTlbi,
    /// Made again before the TLBI is complete.
    MadeBeforeDsb,
    /// A stale translation is used.
    Stale,
    /// No DSB between a store and the TLBI for it.
    TlbiBeforeDsb,
    /// An exception return before the DSB that completes a TLBI.
    ReturnBeforeDsb,
    /// A descriptor is used before a DSB.
    UsedBeforeDsb,
    /// A descriptor is used before an ISB.
    UsedBeforeIsb,
}

/// Something that is wrong, as it was the first time.
#[derive(Clone, Copy, Debug)]
pub struct Alarm {
    /// What.
    pub wrong: Wrong,
    /// The change that it is about.
    pub change: Option<Change>,
    /// The use that shows it.
    pub usage: Option<Use>,
    /// The TLBI that is incomplete, or too early, or that does not cover it, and why not.
    pub tlbi: Option<(Executed, Option<Narrow>)>,
    /// A TLBI that came too late.
    pub late: Option<Executed>,
    /// How often, at the same instructions.
    pub count: u64,
}

/// What came of a change.
pub(super) enum Answer {
    /// A TLBI covers it, and is complete.
    Complete,
    /// It is not complete.
    Incomplete(Executed),
    /// None covers it; the nearest to do so.
    No(Option<(Executed, Narrow)>),
    /// Too long ago.
    Unknown,
}
