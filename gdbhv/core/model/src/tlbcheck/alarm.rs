//! What an alarm says: which CPU did what, to which descriptor.

use super::change::{Kind, Narrow, Reach};
use crate::mmu::op::Tlbi;

/// Which CPU executed something, where and when.
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
    /// Number of exits before.
    pub exits: u64,
    /// Stage 1 of its regime was on.
    pub on: bool,
}

/// A store to a descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// Physical address of the descriptor.
    pub pa: u64,
    /// Its value before.
    pub old: u64,
    /// Its value after.
    pub new: u64,
    /// What the change means for TLBs.
    pub kind: Kind,
    /// The descriptor's position in the tables.
    pub reach: Reach,
    /// The instruction.
    pub by: By,
    /// If it makes the descriptor valid again: the break before it.
    pub broken: Option<Broken>,
    /// The table is in use.
    pub(super) live: bool,
    /// Number of TLBIs before it.
    pub(super) tlbis: u64,
    /// The PE has executed a DSB since: 1 non-shareable, 2 for other PEs too.
    pub(super) dsb: u8,
    /// Number of context synchronization events of the PE before that DSB.
    pub(super) synced: u64,
    /// The PE has used the descriptor since.
    pub(super) used: bool,
}

/// A break: a valid descriptor was made invalid.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    /// Its value before.
    pub old: u64,
    /// The instruction.
    pub by: By,
    /// Number of TLBIs before it.
    pub(super) tlbis: u64,
}

/// A use of a translation.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// The instruction.
    pub by: By,
    /// The virtual address.
    pub va: u64,
    /// "read", "write" or "fetch".
    pub purpose: &'static str,
}

/// A TLBI that was executed.
#[derive(Clone, Copy, Debug)]
pub struct Executed {
    /// What it covers.
    pub tlbi: Tlbi,
    /// The instruction.
    pub by: By,
    /// A DSB has completed it.
    pub complete: bool,
}

/// The kind of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// A valid descriptor became another valid one.
    BreakBeforeMake,
    /// A descriptor was broken and made valid again without a TLBI in between.
    MadeBeforeTlbi,
    /// A descriptor was made valid again before the TLBI was complete.
    MadeBeforeDsb,
    /// A stale translation was used.
    Stale,
    /// No DSB came between a store and the TLBI for it.
    TlbiBeforeDsb,
    /// An exception return came before the DSB that completes a TLBI.
    ReturnBeforeDsb,
    /// A descriptor was used before a DSB.
    UsedBeforeDsb,
    /// A descriptor was used before an ISB.
    UsedBeforeIsb,
}

/// An alarm, with the details of its first occurrence.
#[derive(Clone, Copy, Debug)]
pub struct Alarm {
    /// Its kind.
    pub wrong: Wrong,
    /// The change that it is about.
    pub change: Option<Change>,
    /// The use that shows it.
    pub usage: Option<Use>,
    /// The TLBI that is incomplete, too early, or does not cover the change, and in the last case why not.
    pub tlbi: Option<(Executed, Option<Narrow>)>,
    /// A covering TLBI that came too late.
    pub late: Option<Executed>,
    /// Number of occurrences at the same instructions.
    pub count: u64,
}

/// The TLB maintenance after a change.
pub(super) enum Answer {
    /// A TLBI covers the change and is complete.
    Complete,
    /// A TLBI covers the change but is not complete.
    Incomplete(Executed),
    /// No TLBI covers the change; the one that comes closest.
    No(Option<(Executed, Narrow)>),
    /// Not known: the change is too long ago.
    Unknown,
}
