//! The cached translations of one (regime, VMID, ASID, privilege): entries for data and for fetching, and their invalidation.

use super::extent::{covered, span_of, Addresses, BlockSet};
use super::second::{Names, Second};
use crate::mmu::entry::Entry;
use crate::mmu::entry::Fetch;
use crate::mmu::entry::EMPTY;
use crate::mmu::entry::ENTRIES;
use crate::mmu::entry::FETCHES;
use crate::mmu::entry::NOT_GLOBAL;
use crate::mmu::entry::PAGE;
use crate::mmu::entry::PAGE_BITS;
use crate::mmu::entry::SLOW;
use crate::mmu::kind::Key;
use crate::mmu::op::{Note, Op, Scope, Tlbi};
use crate::save::{put, take, Kept, Save, Unfit};
use std::collections::BTreeMap;

/// Most pages to fetch from that a context knows.
const PAGES: usize = 4096;

/// The translations of one key.
#[repr(C)]
pub struct Context {
    /// Data, direct-mapped by page number.
    pub entries: [Entry; ENTRIES],
    /// Instruction fetch, direct-mapped by page number: those of `pages` that were used last.
    fetch: [Fetch; FETCHES],
    /// Whose.
    pub key: Key,
    /// Unique while the fetch side is unchanged: the jump cache is keyed by it.
    pub uid: u64,
    /// For replacement: when it was last selected.
    pub used: u64,
    /// Lines of 64 bytes that the debugger watches in some page with a WATCH tag.
    pub watched: u64,
    /// Operations of the log that it has seen.
    pub(super) seen: u64,
    /// The same of notes.
    pub(super) noted: u64,
    /// Some data entry has been filled since the last clearing.
    filled: bool,
    /// BlockSet larger than a page that data entries are pieces of.
    large: BlockSet,
    /// All pages that have been fetched from since `uid` is what it is, and so all that the jump cache may know: physical page and flags,
    /// by page.
    pages: BTreeMap<u64, u64>,
    /// The blocks that they are pieces of.
    fetched: BlockSet,
    /// Its entries of the second level.
    pub(super) names: Names,
    /// What is saved of its translations and names.
    pub(super) kept: Kept,
}

/// State that the contexts of a PE share.
pub(super) struct Common {
    pub(super) next_uid: u64,
    pub(super) second: Second,
}

impl Context {
    pub(super) fn new(key: Key, uid: u64) -> Box<Context> {
        Box::new(Context {
            entries: [Entry::EMPTY; ENTRIES],
            fetch: [Fetch::EMPTY; FETCHES],
            key,
            uid,
            used: 0,
            watched: 0,
            seen: 0,
            noted: 0,
            filled: false,
            large: BlockSet::NONE,
            pages: BTreeMap::new(),
            fetched: BlockSet::NONE,
            names: Names::NONE,
            kept: Kept::default(),
        })
    }
    /// The entry that `va`'s page would be in.
    #[inline(always)]
    pub fn entry(&mut self, va: u64) -> &mut Entry {
        &mut self.entries[(va >> PAGE_BITS) as usize & (ENTRIES - 1)]
    }
    /// Remember a data translation.
    pub fn fill(&mut self, va: u64, e: Entry) {
        if saved(self.entry(va)) != saved(&e) {
            self.kept.forget();
        }
        let size = span_of(e.pa);
        if size > PAGE_BITS {
            self.large.insert(va, size);
        }
        *self.entry(va) = e;
        self.filled = true;
    }
    /// The physical address that `pc` is fetched from, if known.
    #[inline]
    pub fn fetch_pa(&mut self, pc: u64) -> Option<u64> {
        let f = &mut self.fetch[(pc >> PAGE_BITS) as usize & (FETCHES - 1)];
        if f.tag != pc & PAGE {
            let pa = *self.pages.get(&(pc & PAGE))?;
            *f = Fetch { tag: pc & PAGE, pa };
        }
        Some(f.pa & PAGE | pc & !PAGE)
    }
    /// Remember a fetch translation; `flags` as [`piece`](super::extent::piece) makes them.
    pub(super) fn fill_fetch(&mut self, pc: u64, pa: u64, flags: u64, common: &mut Common) {
        if self.pages.len() >= PAGES {
            self.clear_fetch(common);
        }
        self.kept.forget();
        self.fetched.insert(pc, span_of(flags));
        let pa = pa & PAGE | flags;
        self.pages.insert(pc & PAGE, pa);
        self.fetch[(pc >> PAGE_BITS) as usize & (FETCHES - 1)] = Fetch { tag: pc & PAGE, pa };
    }
    pub(super) fn clear_data(&mut self) {
        if self.filled {
            self.kept.forget();
            self.entries.fill(Entry::EMPTY);
            self.large.clear();
            self.watched = 0;
            self.filled = false;
        }
    }
    pub(super) fn new_uid(&mut self, common: &mut Common) {
        self.uid = common.next_uid;
        common.next_uid += 1;
    }
    pub(super) fn clear(&mut self, common: &mut Common) {
        self.kept.forget();
        self.clear_data();
        common.second.clear(&mut self.names);
        if !self.pages.is_empty() {
            self.clear_fetch(common);
        }
    }
    pub(super) fn clear_fetch(&mut self, common: &mut Common) {
        self.kept.forget();
        self.fetch.fill(Fetch::EMPTY);
        self.pages.clear();
        self.fetched.clear();
        self.new_uid(common);
    }
    /// Forget the entries that are not global.
    fn clear_local(&mut self, common: &mut Common) {
        common.second.clear_local(&mut self.names);
        for e in &mut self.entries {
            if e.pa & NOT_GLOBAL != 0 {
                *e = Entry::EMPTY;
            }
        }
        self.refetch(common, |_, pa| pa & NOT_GLOBAL == 0);
    }
    /// Keep the pages to fetch from of which `stays` says so; if all of them do, the jump cache does not notice.
    fn refetch(&mut self, common: &mut Common, stays: impl Fn(u64, u64) -> bool) {
        let before = self.pages.len();
        self.pages.retain(|page, pa| stays(*page, *pa));
        if self.pages.len() == before {
            return;
        }
        self.fetch.fill(Fetch::EMPTY);
        self.new_uid(common);
        self.fetched.clear();
        for (page, pa) in &self.pages {
            self.fetched.insert(*page, span_of(*pa));
        }
    }
    /// Forget what an invalidation by address covers: pages, and all pieces of blocks that one of them is in.
    fn clear_range(&mut self, r: &Addresses, common: &mut Common) {
        common.second.clear_range(&self.names, r);
        let goes = |e: &Entry| e.page().is_some_and(|p| covered(p, e.pa, r));
        if r.last - r.first >= 64 << PAGE_BITS || self.large.may_touch(r.first, r.last) {
            for e in self.entries.iter_mut().filter(|e| goes(e)) {
                *e = Entry::EMPTY;
            }
        } else {
            for va in (r.first..=r.last).step_by(1 << PAGE_BITS) {
                let e = self.entry(va);
                if goes(e) {
                    *e = Entry::EMPTY;
                }
            }
        }
        if self.fetched.may_touch(r.first, r.last) {
            self.refetch(common, |page, pa| !covered(page, pa, r));
        }
    }
    pub(super) fn note(&mut self, note: &Note, common: &mut Common) {
        match *note {
            Note::Code(pa) => {
                for e in &mut self.entries {
                    if e.pa & PAGE == pa && e.tag_w != EMPTY {
                        e.tag_w |= SLOW;
                    }
                }
            }
            Note::Recheck => self.recheck(),
            Note::Refetch => {
                self.recheck();
                self.new_uid(common);
            }
        }
    }
    /// Have all data accesses look again.
    pub(super) fn recheck(&mut self) {
        if !self.filled {
            return;
        }
        self.watched = 0;
        for tag in self
            .entries
            .iter_mut()
            .flat_map(|e| [&mut e.tag_r, &mut e.tag_w])
        {
            if *tag != EMPTY {
                *tag |= SLOW;
            }
        }
    }
    pub(super) fn apply(&mut self, op: &Op, common: &mut Common) {
        match *op {
            Op::All => self.clear(common),
            Op::Invalidate(t) => self.invalidate(&t, common),
        }
    }
    fn invalidate(&mut self, t: &Tlbi, common: &mut Common) {
        match t.scope(&self.key) {
            Scope::Nothing => return,
            Scope::All => self.clear(common),
            Scope::Local => self.clear_local(common),
            Scope::Range(r) => self.clear_range(&r, common),
        }
        self.kept.forget();
    }
    /// All pages that it knows for fetches: page, physical page and flags.
    pub(super) fn fetched_pages(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.pages.iter().map(|(page, pa)| (*page, *pa))
    }
}

/// Its data entries for saving: whether reads and writes are allowed, page, physical page and flags.
type SavedEntry = (bool, bool, u64, u64);

fn saved(e: &Entry) -> Option<SavedEntry> {
    Some((e.tag_r != EMPTY, e.tag_w != EMPTY, e.page()?, e.pa))
}

impl Save for Context {
    fn save(&self, to: &mut Vec<u8>) {
        put(to, &(self.key, self.used, self.seen));
        self.kept.save(to, |to| {
            put(
                to,
                &self.entries.iter().filter_map(saved).collect::<Vec<_>>(),
            );
            put(to, &self.pages);
            put(to, &self.names);
        });
    }
    /// All accesses look again: where RAM is in the host's memory, and what the debugger watches, is not saved.
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        (self.key, self.used, self.seen) = take(from)?;
        let Some(own) = self.kept.load(from)? else {
            self.recheck();
            return Ok(());
        };
        let mut rest = own;
        let from = &mut rest;
        self.filled = false;
        self.entries.fill(Entry::EMPTY);
        self.large.clear();
        self.watched = 0;
        for (r, w, page, pa) in take::<Vec<SavedEntry>>(from)? {
            let tag = |ok: bool| if ok { page & PAGE | SLOW } else { EMPTY };
            let e = Entry {
                tag_r: tag(r),
                tag_w: tag(w),
                host: 0,
                pa,
            };
            self.fill(page, e);
        }
        self.pages = take(from)?;
        self.fetch.fill(Fetch::EMPTY);
        self.fetched.clear();
        for (page, pa) in &self.pages {
            self.fetched.insert(*page, span_of(*pa));
        }
        self.names = take(from)?;
        self.uid = 0; // for its owner to give it another one
        self.kept.is(own, rest)
    }
}
