//! Cached translations: one [`Context`] for each (regime, VMID, ASID, privilege) in use, so that a switch of world, process or
//! exception level changes a pointer and flushes nothing.
//!
//! # What is kept, for those who look for stale entries
//!
//! * For data, a context has 512 entries of 4 KiB, direct-mapped by VA\[20:12\]; behind them a PE has 16,384 more of any leaf size (4096 sets of 4
//!   ways, replaced in turn), shared by its contexts. For fetches, a context has 64, by VA\[17:12\]; decoded code that is known by VA may
//!   outlive its entry there.
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
//! empty. Operations for other PEs wait in `Shared::tlb_queue` until `pe::tlb::drain`.

use super::context::Common;
use super::regime::Regime;
use super::second::Second;
use super::walk::Translation;
use super::walk_cache::WalkCache;
use crate::mmu::entry::Fetch;
use crate::mmu::entry::CONTEXTS;
use crate::mmu::op::Op;
use std::collections::VecDeque;

pub use super::blocks::piece;
pub use super::context::Context;
pub use super::second::{READ, WRITE};
pub use crate::mmu::entry::{
    Entry, DEVICE, EMPTY, ENTRIES, IO, NOT_GLOBAL, PAGE, PAGE_BITS, SLOW, WATCH,
};
pub use crate::mmu::kind::Key;

/// Operations that the log keeps for contexts not in use.
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
    log: VecDeque<Op>,
    /// Number of the log's first operation.
    log_start: u64,
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
            log: VecDeque::with_capacity(LOG),
            log_start: 0,
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
        self.clock += 1;
        let now = self.log_start + self.log.len() as u64;
        let c = &mut self.contexts[i];
        c.used = self.clock;
        if c.seen != now {
            if c.seen < self.log_start {
                c.clear(&mut self.common);
            } else {
                for op in self.log.range((c.seen - self.log_start) as usize..) {
                    c.apply(op, &mut self.common);
                }
            }
            c.seen = now;
        }
        &mut **c
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
        c.clear_data();
        self.common.second.clear(&mut c.names);
        c.fetch.fill(Fetch::EMPTY);
        c.new_uid(&mut self.common);
        c.seen = self.log_start + self.log.len() as u64;
        i
    }
    /// Do `op` to the context in use now, to others when they are selected.
    pub fn apply(&mut self, op: Op, in_use: *mut Context) {
        // SAFETY: `in_use` is one of our boxes (`Pe::ctx`), and nothing else borrows it here.
        let c = unsafe { &mut *in_use };
        if self.log.len() == LOG {
            self.log.pop_front();
            self.log_start += 1;
        }
        self.log.push_back(op);
        self.walks.apply(&op);
        c.apply(&op, &mut self.common);
        c.seen = self.log_start + self.log.len() as u64;
    }
    /// What the second level knows of `va` in context `ctx`: its page's physical address, and flags.
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
        let second = &mut self.common.second;
        second.fill(&mut c.names, va, t.pa, size as u32, flags);
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
