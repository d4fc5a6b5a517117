//! Parts of walks that a PE remembers besides whole translations.

use super::context::{EMPTY, PAGE, PAGE_BITS};
use super::tables::{LastTable, Leaf, TableKey};
use super::tlb::{Op, What};

/// Entries of each half of [`WalkCache`].
const STAGE2: usize = 512;

/// The end of a stage 2 walk, for one 4 KiB page of IPAs.
#[derive(Clone, Copy)]
struct Stage2Entry {
    /// IPA page, or EMPTY.
    tag: u64,
    vmid: u16,
    leaf: Leaf,
}

/// Parts of walks: ends of stage 2 walks, so that the walk of stage 1 tables need not walk theirs each time (half of them for tables, so
/// that data does not drive them out), and tables of the last level of stage 1.
pub struct WalkCache {
    entries: Box<[Stage2Entry]>,
    filled: bool,
    tables: Box<[(TableKey, LastTable)]>,
    tables_filled: bool,
}

/// Tables of the last level that are cached.
const TABLES: usize = 256;

impl WalkCache {
    const NONE: Stage2Entry = Stage2Entry {
        tag: EMPTY,
        vmid: 0,
        leaf: Leaf::NONE,
    };
    pub(super) fn new() -> WalkCache {
        WalkCache {
            entries: vec![WalkCache::NONE; 2 * STAGE2].into_boxed_slice(),
            filled: false,
            tables: vec![Default::default(); TABLES].into_boxed_slice(),
            tables_filled: false,
        }
    }
    fn table_slot(key: &TableKey) -> usize {
        (key.block ^ key.block >> 9 ^ key.root >> PAGE_BITS) as usize % TABLES
    }
    /// The table of the last level for `key`, if known.
    #[inline]
    pub fn table(&self, key: &TableKey) -> Option<LastTable> {
        let e = &self.tables[WalkCache::table_slot(key)];
        (e.0 == *key).then_some(e.1)
    }
    /// Remember a table of the last level.
    pub fn put_table(&mut self, key: &TableKey, table: &LastTable) {
        self.tables_filled = true;
        self.tables[WalkCache::table_slot(key)] = (*key, *table);
    }
    fn slot(ipa: u64, table: bool) -> usize {
        (ipa >> PAGE_BITS ^ ipa >> 21) as usize % STAGE2 + if table { STAGE2 } else { 0 }
    }
    /// The leaf that maps `ipa`, if known; its output address is `ipa`'s.
    #[inline]
    pub fn get(&self, vmid: u16, ipa: u64, table: bool) -> Option<Leaf> {
        let e = &self.entries[WalkCache::slot(ipa, table)];
        (e.tag == ipa & PAGE && e.vmid == vmid).then_some(Leaf {
            oa: e.leaf.oa | ipa & !PAGE,
            ..e.leaf
        })
    }
    /// Remember a leaf.
    pub fn put(&mut self, vmid: u16, ipa: u64, table: bool, leaf: &Leaf) {
        self.filled = true;
        self.entries[WalkCache::slot(ipa, table)] = Stage2Entry {
            tag: ipa & PAGE,
            vmid,
            leaf: Leaf {
                oa: leaf.oa & PAGE,
                ..*leaf
            },
        };
    }
    pub(super) fn apply(&mut self, op: &Op) {
        let stale = match op {
            Op::Invalidate(t) => matches!(t.what, What::Both | What::Stage2),
            Op::All => true,
            Op::Protect(_) | Op::Data => false,
        };
        if stale && self.filled {
            self.entries.fill(WalkCache::NONE);
            self.filled = false;
        }
        // Tables go with everything but the invalidation of last-level entries by address.
        let only_last = match op {
            Op::Invalidate(t) => matches!(
                t.what,
                What::Va {
                    last_level: true,
                    ..
                }
            ),
            Op::All => false,
            Op::Protect(_) | Op::Data => true,
        };
        if !only_last && self.tables_filled {
            self.tables.fill(Default::default());
            self.tables_filled = false;
        }
    }
}
