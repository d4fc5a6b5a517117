//! Cached translations: one [`Context`] for each (regime, VMID, ASID, privilege) in use, so that a switch of world, process or
//! exception level changes a pointer and flushes nothing.
//!
//! # What is kept, for developers who look for stale entries
//!
//! * For data, a context has 512 entries of 4 KiB, direct-mapped by VA\[20:12\]; behind them a PE has 16,384 more of any leaf size (4096 sets of 4
//!   ways, replaced in turn), shared by its contexts. For fetches, a context has up to 4,096 pages, and begins anew
//!   when they are full.
//! * A PE keeps 64 contexts; the one used least recently gives way.
//! * Of walks a PE keeps 256 tables of stage 1's last level, and 1,024 ends of stage 2 walks (half of them for stage 1's tables).
//! * Only what was used is there: nothing is fetched ahead. What faulted is not there. What does not grant an access is walked again.
//! * An invalidation takes what the architecture says that it covers, and nothing else (C5.5, D8.14): TLBI by IPA takes entries of stage 2 alone,
//!   not those that combine both stages (they go with VMALLE1 or VMALLS12E1); a TTL or TG that is not that of the leaf takes nothing;
//!   the last-level forms leave tables; an address in a block or in a row of contiguous leaves takes all of it. It takes effect
//!   at the instruction, on the other PEs too if it is broadcast, so that a missing DSB is not seen.
//!
//! # How
//!
//! An entry maps a 4 KiB page to host memory and holds the combined result of both stages. A tag that has [`SLOW`] set never
//! matches in the fast path: the page is a device's, or holds decoded code (for writes); the slow path finds the
//! translation here all the same and does not walk. RAM mapped as Device memory needs no SLOW: the fast path only serves aligned
//! accesses.
//!
//! An invalidation is an [`Op`]. It acts at once on the context in use and goes to a log, from which another context catches up
//! when it is next selected: the cost of a TLBI does not grow with the number of contexts. A context that is too far behind starts
//! empty. [`Note`]s have a log of their own, and after too many of them all accesses look again. What is for other PEs waits in
//! `Shared::tlb_queue` until `pe::tlb::drain`.

use super::context::Common;
use super::regime::Regime;
use super::second::Second;
use super::walk::Translation;
use super::walk_cache::WalkCache;
use crate::mmu::entry::CONTEXTS;
use crate::mmu::op::{Note, Op};
use crate::save::{put, take, Kept, Save, Unfit};
use std::collections::VecDeque;

pub use super::context::Context;
pub use super::extent::piece;
pub use super::second::{READ, WRITE};
pub use crate::mmu::entry::{
    Entry, DEVICE, EMPTY, ENTRIES, IO, NOT_GLOBAL, PAGE, PAGE_BITS, SLOW, WATCH,
};
pub use crate::mmu::kind::Key;

/// Operations, and notes, that the logs keep for contexts not in use.
const LOG: usize = 1024;

/// All contexts of a PE. They are boxed, and a box is reused only when it is not the one in use.
pub struct Tlb {
    /// Unaligned accesses fault (SCTLR_ELx.A): kept by `exec::refresh`.
    pub strict: bool,
    /// Parts of walks.
    pub walks: WalkCache,
    /// The regime in use, decoded; `exec::refresh` forgets it.
    pub regime: Option<Regime>,
    contexts: Vec<Box<Context>>,
    /// By hash of the key: where it was last found.
    recent: [u8; CONTEXTS],
    common: Common,
    clock: u64,
    ops: Log<Op>,
    notes: Log<Note>,
    /// What is saved of `ops`.
    kept_ops: Kept,
}

/// The last [`LOG`] things that happened, numbered from 0 for the first of all.
struct Log<T> {
    start: u64,
    last: VecDeque<T>,
}

impl<T> Log<T> {
    fn new() -> Log<T> {
        Log {
            start: 0,
            last: VecDeque::new(),
        }
    }
    /// The number of the next one.
    fn next(&self) -> u64 {
        self.start + self.last.len() as u64
    }
    fn push(&mut self, t: T) {
        if self.last.len() == LOG {
            self.last.pop_front();
            self.start += 1;
        }
        self.last.push_back(t);
    }
    /// Those from number `seen` on; None if that is not known any more.
    fn since(&self, seen: u64) -> Option<impl Iterator<Item = &T>> {
        let skipped = seen.checked_sub(self.start)?;
        Some(self.last.range(skipped as usize..))
    }
}

impl Tlb {
    /// Only the initial context.
    pub fn new() -> Tlb {
        Tlb {
            strict: false,
            walks: WalkCache::new(),
            regime: None,
            contexts: vec![Context::new(Key::default(), 1)],
            recent: [0; CONTEXTS],
            common: Common {
                next_uid: 2,
                second: Second::new(),
            },
            clock: 0,
            ops: Log::new(),
            notes: Log::new(),
            kept_ops: Kept::default(),
        }
    }
    /// The context of a PE before its first refresh.
    pub fn initial(&mut self) -> *mut Context {
        &mut *self.contexts[0]
    }
    /// The context of `key`, up to date. `in_use` is not replaced.
    pub fn select(&mut self, key: Key, in_use: *const Context) -> *mut Context {
        let slot = key.slot();
        let guess = self.recent[slot] as usize;
        let i = if self.contexts[guess].key == key {
            guess
        } else {
            let i = self.find(key, in_use);
            self.recent[slot] = i as u8;
            i
        };
        let c = &raw mut *self.contexts[i];
        self.again(c)
    }
    /// Select a context that [`Tlb::select`] has returned for a key that it still has.
    #[inline]
    pub fn again(&mut self, context: *mut Context) -> *mut Context {
        // SAFETY: it is one of our boxes (`exec::refresh`), and nothing else borrows it here.
        let c = unsafe { &mut *context };
        self.clock += 1;
        c.used = self.clock;
        if c.seen != self.ops.next() {
            match self.ops.since(c.seen) {
                Some(ops) => ops.for_each(|op| c.apply(op, &mut self.common)),
                None => c.clear(&mut self.common),
            }
            c.seen = self.ops.next();
        }
        if c.noted != self.notes.next() {
            match self.notes.since(c.noted) {
                Some(notes) => notes.for_each(|note| c.note(note, &mut self.common)),
                None => c.note(&Note::Refetch, &mut self.common),
            }
            c.noted = self.notes.next();
        }
        context
    }
    #[cold]
    fn find(&mut self, key: Key, in_use: *const Context) -> usize {
        if let Some(i) = self.contexts.iter().position(|c| c.key == key) {
            return i;
        }
        let i = if self.contexts.len() < CONTEXTS {
            self.contexts.push(Context::new(key, 0));
            self.contexts.len() - 1
        } else {
            let oldest = |(_, c): &(usize, &Box<Context>)| c.used;
            let free = |(_, c): &(usize, &Box<Context>)| !std::ptr::eq(&***c, in_use);
            let i = self
                .contexts
                .iter()
                .enumerate()
                .filter(free)
                .min_by_key(oldest);
            i.expect("more than one").0
        };
        let c = &mut self.contexts[i];
        c.key = key;
        c.kept.forget();
        c.clear_data();
        self.common.second.clear(&mut c.names);
        c.clear_fetch(&mut self.common);
        c.seen = self.ops.next();
        c.noted = self.notes.next();
        i
    }
    /// Do `op` to the context in use now, to others when they are selected.
    pub fn apply(&mut self, op: Op, in_use: *mut Context) {
        // SAFETY: `in_use` is one of our boxes (`Pe::ctx`), and nothing else borrows it here.
        let c = unsafe { &mut *in_use };
        self.ops.push(op);
        self.kept_ops.forget();
        self.walks.apply(&op);
        c.apply(&op, &mut self.common);
        c.seen = self.ops.next();
    }
    /// The same for a note.
    pub fn note(&mut self, note: Note, in_use: *mut Context) {
        // SAFETY: as in `apply`.
        let c = unsafe { &mut *in_use };
        self.notes.push(note);
        c.note(&note, &mut self.common);
        c.noted = self.notes.next();
    }
    /// Remember that `pc` is fetched from `pa` in context `ctx`; `flags` as [`piece`] makes them.
    pub fn fill_fetch(&mut self, ctx: *mut Context, pc: u64, pa: u64, flags: u64) {
        // SAFETY: as in `second`.
        let c = unsafe { &mut *ctx };
        c.fill_fetch(pc, pa, flags, &mut self.common);
    }
    /// The second level's entry for `va` in context `ctx`: its page's physical address, and flags.
    #[inline]
    pub fn second(&mut self, ctx: *mut Context, va: u64) -> Option<u64> {
        // SAFETY: `ctx` points to a box of our boxes, which nothing else borrows here.
        let c = unsafe { &*ctx };
        self.common.second.get(&c.names, va)
    }
    /// Put a translation into the second level: `flags` as [`piece`] makes them, [`DEVICE`], [`READ`] and [`WRITE`].
    pub fn fill_second(&mut self, ctx: *mut Context, va: u64, t: &Translation, flags: u64) {
        // SAFETY: as in `second`.
        let c = unsafe { &mut *ctx };
        let (s1, s2) = (c.key.regime & 4 != 0, c.key.regime & 8 != 0);
        let size = match (s1, s2) {
            (true, false) => t.block,
            (false, true) => t.s2_block,
            (true, true) => t.block.min(t.s2_block),
            (false, false) => PAGE_BITS as u8,
        };
        c.kept.forget();
        let second = &mut self.common.second;
        second.fill(&mut c.names, va, t.pa, size as u32, flags);
    }
}

/// For [`held`](super::held).
impl Tlb {
    pub(super) fn contexts(&self) -> impl Iterator<Item = &Context> {
        self.contexts.iter().map(|c| &**c)
    }
    /// How often a context has been selected.
    pub(super) fn selections(&self) -> u64 {
        self.clock
    }
    /// What a context has not seen; None: it will begin empty.
    pub(super) fn missed(&self, c: &Context) -> Option<impl Iterator<Item = &Op>> {
        self.ops.since(c.seen)
    }
    pub(super) fn each_second(&self, c: &Context, see: impl FnMut(u64, u8, u64)) {
        self.common.second.each(&c.names, see);
    }
    pub(super) fn in_second(&self, c: &Context, page: u64) -> bool {
        self.common.second.get(&c.names, page).is_some()
    }
}

impl Tlb {
    /// Which of the contexts `ctx` is.
    pub fn number(&self, ctx: *const Context) -> usize {
        let found = self.contexts.iter().position(|c| std::ptr::eq(&**c, ctx));
        found.expect("one of ours")
    }
    /// A context by its number.
    pub fn numbered(&mut self, n: usize) -> Option<*mut Context> {
        let context = self.contexts.get_mut(n)?;
        Some(&mut **context)
    }
}

/// Notes are not saved: all accesses look again.
impl Save for Tlb {
    fn save(&self, to: &mut Vec<u8>) {
        put(to, &self.clock);
        self.kept_ops
            .save(to, |to| put(to, &(self.ops.start, &self.ops.last)));
        self.common.second.save(to);
        self.walks.save(to);
        put(to, &(self.contexts.len() as u32));
        self.contexts.iter().for_each(|c| c.save(to));
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.clock = take(from)?;
        if let Some(own) = self.kept_ops.load(from)? {
            let mut rest = own;
            (self.ops.start, self.ops.last) = take(&mut rest)?;
            self.kept_ops.is(own, rest)?;
        }
        self.common.second.load(from)?;
        self.walks.load(from)?;
        let count = take::<u32>(from)? as usize;
        if !(1..=CONTEXTS).contains(&count) || self.ops.last.len() > LOG {
            return Err(Unfit(format!(
                "a PE has 1 to {CONTEXTS} contexts of translations, not {count}"
            )));
        }
        self.contexts.truncate(count);
        while self.contexts.len() < count {
            self.contexts.push(Context::new(Key::default(), 0));
        }
        for c in &mut self.contexts {
            c.load(from)?;
            if c.seen > self.ops.next() {
                return Err(Unfit("a context is ahead of its TLB".into()));
            }
            if c.uid == 0 {
                c.new_uid(&mut self.common); // the jump cache has no entries for it
            }
            c.noted = self.notes.next();
        }
        self.recent = [0; CONTEXTS];
        self.regime = None;
        Ok(())
    }
}

/// The flags of an entry for `t` in context `ctx`. With stage 1 off the leaf is stage 2's.
pub fn flags(ctx: *const Context, t: &Translation) -> u64 {
    // SAFETY: as in `second`.
    let regime = unsafe { (*ctx).key.regime };
    if regime & 12 == 8 {
        piece(t.s2_block, t.s2_contiguous, true)
    } else {
        piece(t.block, t.contiguous, t.global)
    }
}

impl Default for Tlb {
    fn default() -> Tlb {
        Tlb::new()
    }
}
