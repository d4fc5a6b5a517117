//! Changes to cached translations: an [`Op`] invalidates some, a [`Note`] only makes accesses take the slow path once.
//!
//! They are apart because what the TLB holds is the guest's to see, if it has forgotten a TLBI: it must not depend on notes, which come
//! from decoded code, the debugger and snapshots.

use super::extent::Addresses;
use super::kind::{Key, RegimeKind};
use borsh::{BorshDeserialize, BorshSerialize};

/// Translations to be forgotten.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A TLBI.
    Invalidate(Tlbi),
    /// Everything.
    All,
}

/// Translations that stay, but whose accesses take the slow path once, to find anew what it is that they may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// This physical page now holds decoded code: writes.
    Code(u64),
    /// All data translations: the watched addresses have changed, or the pages that a snapshot shares.
    Recheck,
    /// All translations, of fetches too: tables have changed, and somebody checks who uses what they were.
    Refetch,
}

/// What one TLBI instruction covers.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// All except entries of stage 2 only.
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
        /// Except entries from levels above the last.
        last_level: bool,
        /// Only leaves of these sizes: bit n for `1 << n` bytes (TTL, TG).
        sizes: u64,
    },
    /// Entries of stage 2 only, by IPA.
    Ipa {
        /// First page.
        first: u64,
        /// Last page, included.
        last: u64,
        /// Only leaves of these sizes.
        sizes: u64,
    },
}

/// Which translations of one context a TLBI covers.
pub(super) enum Scope {
    /// None.
    Nothing,
    /// All.
    All,
    /// Those that are not global.
    Local,
    /// Those of addresses.
    Range(Addresses),
}

impl Tlbi {
    /// The part of the context of `key` that it covers.
    pub(super) fn scope(&self, key: &Key) -> Scope {
        if key.regime & 3 != self.kind as u8 || self.vmid.is_some_and(|v| v != key.vmid) {
            return Scope::Nothing;
        }
        let own = |asid: u16| asid == key.asid || self.kind == RegimeKind::El2;
        match self.what {
            What::All | What::Both => Scope::All,
            What::Asid(asid) if own(asid) => Scope::Local,
            What::Asid(_) => Scope::Nothing,
            What::Va {
                first,
                last,
                asid,
                sizes,
                ..
            } => Scope::Range(Addresses {
                first,
                last,
                sizes,
                local: asid.is_none_or(own),
            }),
            // With stage 1 off these are entries of stage 2 alone, by IPA. What combines both stages stays (C5.5 TLBI IPAS2E1).
            What::Ipa { first, last, sizes } if key.regime & 12 == 8 => Scope::Range(Addresses {
                first,
                last,
                sizes,
                local: true,
            }),
            What::Ipa { .. } => Scope::Nothing,
        }
    }
}
