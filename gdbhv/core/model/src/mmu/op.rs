//! What cached translations must follow.

use super::kind::RegimeKind;

/// Something that cached translations must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A TLBI.
    Invalidate(Tlbi),
    /// This physical page now holds decoded code: writes take the slow path.
    Protect(u64),
    /// All data translations: what the debugger watches has changed, or which pages are shared with a snapshot.
    Data,
    /// Everything.
    All,
}

/// What one TLBI instruction covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlbi {
    /// Regime.
    pub kind: RegimeKind,
    /// Only this VMID (EL1&0).
    pub vmid: Option<u16>,
    /// Which of its translations.
    pub what: What,
    /// On all PEs.
    pub broadcast: bool,
}

/// Which translations of a regime. Addresses are bits 55:0 of the first and the last page's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// All, but not what stage 2 alone says.
    All,
    /// All, of both stages.
    Both,
    /// The ASID's own, not the global ones.
    Asid(u16),
    /// Pages. With an ASID: its own and the global ones.
    Va {
        /// First page.
        first: u64,
        /// Last page, included.
        last: u64,
        /// Only of this ASID (and global).
        asid: Option<u16>,
        /// Not what tables above the last level say.
        last_level: bool,
        /// Only leaves of these sizes: bit n for `1 << n` bytes (TTL, TG).
        sizes: u64,
    },
    /// What stage 2 alone says of IPAs.
    Ipa {
        /// First page.
        first: u64,
        /// Last page, included.
        last: u64,
        /// Only leaves of these sizes.
        sizes: u64,
    },
}
