//! Parts of walks that a PE remembers besides whole translations: what `TLBI` calls entries of stage 2 alone, and entries from levels
//! above the last.

use super::extent::{span, BlockSet};
use super::tables::{LastTable, Leaf, TableKey};
use crate::bits::ones;
use crate::mmu::entry::{EMPTY, PAGE, PAGE_BITS};
use crate::mmu::kind::RegimeKind;
use crate::mmu::op::{Op, Tlbi, What};
use crate::save::{put, take, Kept, Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};

/// Entries of each half of the stage 2 part.
const STAGE2: usize = 512;

/// The end of a stage 2 walk, for one 4 KiB page of IPAs.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy)]
struct Stage2Entry {
    /// IPA page, or EMPTY.
    tag: u64,
    vmid: u16,
    leaf: Leaf,
}

impl Stage2Entry {
    const NONE: Stage2Entry = Stage2Entry {
        tag: EMPTY,
        vmid: 0,
        leaf: Leaf::NONE,
    };
    /// Whether an invalidation by IPA covers it: its leaf, or a contiguous one, maps one of `first ..= last`.
    fn covered(&self, first: u64, last: u64, sizes: u64) -> bool {
        let low = self.tag & !ones(span(self.leaf.block, self.leaf.contiguous));
        let high = low | ones(span(self.leaf.block, self.leaf.contiguous));
        low <= last && high >= first && sizes >> self.leaf.block & 1 != 0
    }
    /// Whether an operation invalidates it.
    fn taken(&self, op: &Op) -> bool {
        let Op::Invalidate(t) = op else { return true };
        t.vmid.is_none_or(|v| v == self.vmid)
            && match t.what {
                What::Both => true,
                What::Ipa { first, last, sizes } => self.covered(first, last, sizes),
                What::All | What::Asid(_) | What::Va { .. } => false,
            }
    }
}

/// An end of a stage 2 walk that walks of stage 1 find.
#[derive(Clone, Copy, Debug)]
pub struct HeldStage2 {
    /// Whose.
    pub vmid: u16,
    /// Its page of IPAs.
    pub ipa: u64,
    /// The leaf; its output address is the page's.
    pub leaf: Leaf,
    /// It was for a table of stage 1.
    pub table: bool,
}

/// Parts of walks: ends of stage 2 walks, so that the walk of stage 1 tables need not walk theirs each time (half of them for tables, so
/// that data does not drive them out), and tables of the last level of stage 1.
pub struct WalkCache {
    entries: Box<[Stage2Entry]>,
    filled: bool,
    /// Leaves larger than a page that entries are pieces of.
    large: BlockSet,
    tables: Box<[Option<(TableKey, LastTable)>]>,
    tables_filled: bool,
    /// What is saved of it.
    kept: Kept,
}

/// Tables of the last level that are cached.
const TABLES: usize = 256;

impl WalkCache {
    pub(super) fn new() -> WalkCache {
        WalkCache {
            entries: vec![Stage2Entry::NONE; 2 * STAGE2].into_boxed_slice(),
            filled: false,
            large: BlockSet::NONE,
            tables: vec![None; TABLES].into_boxed_slice(),
            tables_filled: false,
            kept: Kept::default(),
        }
    }
    fn table_slot(key: &TableKey) -> usize {
        let block = key.first >> key.size;
        (block ^ block >> 9 ^ key.root >> PAGE_BITS ^ key.asid as u64) as usize % TABLES
    }
    /// The table of the last level for `key`, if known.
    #[inline]
    pub fn table(&self, key: &TableKey) -> Option<LastTable> {
        match &self.tables[WalkCache::table_slot(key)] {
            Some((k, table)) if k == key => Some(*table),
            _ => None,
        }
    }
    /// Remember a table of the last level.
    pub fn put_table(&mut self, key: &TableKey, table: &LastTable) {
        self.kept.forget();
        self.tables_filled = true;
        self.tables[WalkCache::table_slot(key)] = Some((*key, *table));
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
        self.kept.forget();
        self.filled = true;
        let size = span(leaf.block, leaf.contiguous);
        if size > PAGE_BITS {
            self.large.insert(ipa, size);
        }
        self.entries[WalkCache::slot(ipa, table)] = Stage2Entry {
            tag: ipa & PAGE,
            vmid,
            leaf: Leaf {
                oa: leaf.oa & PAGE,
                ..*leaf
            },
        };
    }
    /// The ends of stage 2 walks, without those that `waiting` will invalidate.
    pub(super) fn stage2(&self, waiting: &[Op]) -> Vec<HeldStage2> {
        let taken = |e: &Stage2Entry| waiting.iter().any(|op| e.taken(op));
        let entries = self.entries.iter().enumerate();
        let entries = entries.filter(|(_, e)| e.tag != EMPTY && !taken(e));
        let held = |(at, e): (usize, &Stage2Entry)| HeldStage2 {
            vmid: e.vmid,
            ipa: e.tag,
            leaf: e.leaf,
            table: at >= STAGE2,
        };
        entries.map(held).collect()
    }
    pub(super) fn apply(&mut self, op: &Op) {
        self.kept.forget();
        match op {
            Op::Invalidate(t) => {
                self.invalidate_stage2(t);
                self.invalidate_tables(t);
            }
            Op::All => {
                self.entries.fill(Stage2Entry::NONE);
                self.filled = false;
                self.large.clear();
                self.tables.fill(None);
                self.tables_filled = false;
            }
        }
    }
    /// Entries of stage 2 only are invalidated by IPA, and by VMALLS12E1 and ALLE1.
    fn invalidate_stage2(&mut self, t: &Tlbi) {
        if !self.filled {
            return;
        }
        let ours = |e: &Stage2Entry| t.vmid.is_none_or(|v| v == e.vmid);
        match t.what {
            What::Both => {
                for e in self.entries.iter_mut().filter(|e| ours(e)) {
                    *e = Stage2Entry::NONE;
                }
            }
            What::Ipa { first, last, sizes } => {
                let goes =
                    |e: &Stage2Entry| e.tag != EMPTY && ours(e) && e.covered(first, last, sizes);
                if last - first >= 16 << PAGE_BITS || self.large.may_touch(first, last) {
                    for e in self.entries.iter_mut().filter(|e| goes(e)) {
                        *e = Stage2Entry::NONE;
                    }
                } else {
                    for ipa in (first..=last).step_by(1 << PAGE_BITS) {
                        for table in [false, true] {
                            let e = &mut self.entries[WalkCache::slot(ipa, table)];
                            if goes(e) {
                                *e = Stage2Entry::NONE;
                            }
                        }
                    }
                }
            }
            What::All | What::Asid(_) | What::Va { .. } => {}
        }
    }
    /// Tables go with everything but the last-level forms and what is by IPA. With an ASID, those of that ASID: an entry from a level
    /// above the last is never global (C5.5 TLBI VAE1, ASIDE1).
    fn invalidate_tables(&mut self, t: &Tlbi) {
        if !self.tables_filled {
            return;
        }
        let own = |k: &TableKey, asid: u16| k.asid == asid || k.kind == RegimeKind::El2;
        for e in self.tables.iter_mut() {
            let Some((k, _)) = e else { continue };
            if k.kind != t.kind || t.vmid.is_some_and(|v| v != k.vmid) {
                continue;
            }
            let goes = match t.what {
                What::All | What::Both => true,
                What::Asid(asid) => own(k, asid),
                What::Va {
                    first,
                    last,
                    asid,
                    last_level,
                    ..
                } => {
                    !last_level
                        && k.first <= last
                        && k.first + ones(k.size as u32) >= first
                        && asid.is_none_or(|a| own(k, a))
                }
                What::Ipa { .. } => false,
            };
            if goes {
                *e = None;
            }
        }
    }
}

/// Its state for saving: the two kinds of entries with their places, and the large leaves.
type Saved = (
    Vec<(u16, Stage2Entry)>,
    Vec<(u16, TableKey, LastTable)>,
    BlockSet,
);

impl Save for WalkCache {
    fn save(&self, to: &mut Vec<u8>) {
        self.kept.save(to, |to| {
            let entries = self.entries.iter().zip(0u16..);
            let entries = entries.filter(|e| e.0.tag != EMPTY);
            put(to, &entries.map(|(e, at)| (at, *e)).collect::<Vec<_>>());
            let tables = self.tables.iter().zip(0u16..);
            let tables = tables.filter_map(|(t, at)| t.map(|(k, t)| (at, k, t)));
            put(to, &tables.collect::<Vec<_>>());
            put(to, &self.large);
        });
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        let Some(own) = self.kept.load(from)? else {
            return Ok(());
        };
        let mut rest = own;
        let (entries, tables, large) = take::<Saved>(&mut rest)?;
        *self = WalkCache::new();
        let unfit = |at: u16| Unfit(format!("a PE has no cached part {at} of walks"));
        self.filled = !entries.is_empty();
        for (at, e) in entries {
            *self.entries.get_mut(at as usize).ok_or_else(|| unfit(at))? = e;
        }
        self.tables_filled = !tables.is_empty();
        for (at, key, table) in tables {
            *self.tables.get_mut(at as usize).ok_or_else(|| unfit(at))? = Some((key, table));
        }
        self.large = large;
        self.kept.is(own, rest)
    }
}
