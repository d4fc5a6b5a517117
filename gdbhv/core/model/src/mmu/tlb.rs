//! Cached translations: one [`Context`] for each (regime, VMID, ASID, privilege) in use, so that a switch of world, process or
//! exception level changes a pointer and flushes nothing.
//!
//! An entry maps a 4 KiB page to host memory and holds the combined result of both stages. A tag that has [`SLOW`] set never
//! matches in the fast path: the page is a device's, or holds decoded code (for writes); the slow path finds the
//! translation here all the same and does not walk. RAM mapped as Device memory needs no SLOW: the fast path only serves aligned
//! accesses.
//!
//! An invalidation is an [`Op`]. It acts at once on the context in use and goes to a log, from which another context catches up
//! when it is next selected: the cost of a TLBI does not grow with the number of contexts. A context that is too far behind starts
//! empty. Operations for other PEs wait in `Shared::tlb_queue` until [`drain`].

use super::regime::{Kind, Regime};
use super::walk::{LastTable, Leaf, TableKey};
use crate::bits::ones;
use crate::cpu::Cpu;
use crate::shared::Shared;
use std::collections::VecDeque;

/// log2 of the entries in a context.
pub const ENTRY_BITS: u32 = 9;
/// Entries in a context.
pub const ENTRIES: usize = 1 << ENTRY_BITS;
/// Page offset bits.
pub const PAGE_BITS: u32 = 12;
/// Mask of the page number in an address.
pub const PAGE: u64 = !0xfff;
/// Tag flag: the access must take the slow path although the translation is known. Not among the low bits that an aligned access
/// of up to 8 bytes compares.
pub const SLOW: u64 = 0x800;
/// Tag flag: the debugger watches lines of this page ([`Context::watched`]); the other lines may take the fast path.
pub const WATCH: u64 = 0x400;
/// A tag that matches nothing.
pub const EMPTY: u64 = u64::MAX;

/// Contexts that a PE keeps.
const CONTEXTS: usize = 64;
/// Operations that the log keeps for contexts not in use.
const LOG: usize = 1024;
/// Operations that wait for another PE before they become one for everything.
const QUEUE: usize = 1024;
/// Entries on the fetch side of a context.
const FETCHES: usize = 64;

/// One page.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Page address if reads are allowed, perhaps with SLOW; or EMPTY.
    pub tag_r: u64,
    /// The same for writes.
    pub tag_w: u64,
    /// Host address of the byte at VA 0 of this mapping (wrapping), for RAM.
    pub host: usize,
    /// Physical page, and in the low bits [`DEVICE`], [`IO`], [`NOT_GLOBAL`] and the block size.
    pub pa: u64,
}

/// `Entry::pa` flag: memory of Device type: alignment is demanded.
pub const DEVICE: u64 = 1;
/// `Entry::pa` flag: not RAM.
pub const IO: u64 = 2;
/// `Entry::pa` flag: belongs to its context's ASID.
pub const NOT_GLOBAL: u64 = 8;
/// `Entry::pa` has at this position, in 6 bits, log2 of the bytes of the stage 1 block that the page is a piece of.
const BLOCK: u32 = 4;

/// The flags of `Entry::pa` and `Fetch::pa` for a piece of a stage 1 block of `1 << block` bytes.
pub const fn piece(block: u8, global: bool) -> u64 {
    (block as u64) << BLOCK | if global { 0 } else { NOT_GLOBAL }
}

const fn block_of(pa: u64) -> u32 {
    (pa >> BLOCK & 0x3f) as u32
}

impl Entry {
    /// Nothing.
    pub const EMPTY: Entry = Entry {
        tag_r: EMPTY,
        tag_w: EMPTY,
        host: 0,
        pa: 0,
    };
    /// The page that it maps, if it is not empty.
    #[inline]
    fn page(&self) -> Option<u64> {
        let tag = if self.tag_r != EMPTY {
            self.tag_r
        } else {
            self.tag_w
        };
        (tag != EMPTY).then_some(tag & PAGE)
    }
}

/// One page that may be fetched from.
#[derive(Clone, Copy, Debug)]
pub struct Fetch {
    /// Page address, or EMPTY.
    pub tag: u64,
    /// Physical page, and flags as in `Entry::pa`.
    pub pa: u64,
}

impl Fetch {
    const EMPTY: Fetch = Fetch { tag: EMPTY, pa: 0 };
}

/// What tells one context from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Key {
    /// Bits 1:0 the regime (`regime::Kind`), then: stage 1 on, stage 2 on, default cacheability.
    pub regime: u8,
    /// VMID, 0 where stage 2 does not apply.
    pub vmid: u16,
    /// ASID in use.
    pub asid: u16,
    /// Privilege: `regime::Mode`.
    pub mode: u8,
}

impl Key {
    fn slot(&self) -> usize {
        let h = (self.regime as u32) << 2
            ^ self.mode as u32
            ^ (self.asid as u32).wrapping_mul(0x9e5)
            ^ (self.vmid as u32) << 4;
        (h ^ h >> 6) as usize % CONTEXTS
    }
}

/// A set of address blocks that errs on the side of yes.
struct BlockSet {
    /// Bit n: some block of 1 << n bytes is in the set.
    sizes: u64,
    bits: [u64; 64],
}

impl BlockSet {
    const NONE: BlockSet = BlockSet {
        sizes: 0,
        bits: [0; 64],
    };
    fn bit(va: u64, size: u32) -> (usize, u64) {
        let n = (va & ones(56)) >> size;
        let n = n.wrapping_add(size as u64 * 67) as usize;
        (n >> 6 & 63, 1 << (n & 63))
    }
    fn insert(&mut self, va: u64, size: u32) {
        let (i, b) = BlockSet::bit(va, size);
        self.sizes |= 1 << size;
        self.bits[i] |= b;
    }
    fn clear(&mut self) {
        if self.sizes != 0 {
            *self = BlockSet::NONE;
        }
    }
    /// Whether a block with an address of `first ..= last` may be in the set.
    fn may_touch(&self, first: u64, last: u64) -> bool {
        let mut sizes = self.sizes;
        while sizes != 0 {
            let size = sizes.trailing_zeros();
            sizes &= sizes - 1;
            if last - first >= 64 << size {
                return true;
            }
            let mut va = first & !ones(size);
            while va <= last {
                let (i, b) = BlockSet::bit(va, size);
                if self.bits[i] & b != 0 {
                    return true;
                }
                va += 1 << size;
            }
        }
        false
    }
}

/// The translations of one key.
#[repr(C)]
pub struct Context {
    /// Data, direct-mapped by page number.
    pub entries: [Entry; ENTRIES],
    /// Instruction fetch.
    pub fetch: [Fetch; FETCHES],
    /// Whose.
    pub key: Key,
    /// Unique while the fetch side is unchanged: the jump cache is keyed by it.
    pub uid: u64,
    /// For replacement: when it was last selected.
    pub used: u64,
    /// Lines of 64 bytes that the debugger watches in some page with a WATCH tag.
    pub watched: u64,
    /// Operations of the log that it has seen.
    seen: u64,
    /// Some data entry has been filled since the last clearing.
    filled: bool,
    /// BlockSet larger than a page that data entries are pieces of.
    large: BlockSet,
    /// Pages and blocks that have been fetched from since `uid` is what it is (the jump cache may know them).
    fetched: BlockSet,
    /// Some fetch entry since then was not global.
    fetched_local: bool,
}

impl Context {
    fn new(key: Key, uid: u64) -> Box<Context> {
        Box::new(Context {
            entries: [Entry::EMPTY; ENTRIES],
            fetch: [Fetch::EMPTY; FETCHES],
            key,
            uid,
            used: 0,
            watched: 0,
            seen: 0,
            filled: false,
            large: BlockSet::NONE,
            fetched: BlockSet::NONE,
            fetched_local: false,
        })
    }
    /// The entry that `va`'s page would be in.
    #[inline(always)]
    pub fn entry(&mut self, va: u64) -> &mut Entry {
        &mut self.entries[(va >> PAGE_BITS) as usize & (ENTRIES - 1)]
    }
    /// Remember a data translation.
    pub fn fill(&mut self, va: u64, e: Entry) {
        let size = block_of(e.pa);
        if size > PAGE_BITS {
            self.large.insert(va, size);
        }
        *self.entry(va) = e;
        self.filled = true;
    }
    /// The physical address that `pc` is fetched from, if known.
    #[inline]
    pub fn fetch_pa(&self, pc: u64) -> Option<u64> {
        let f = &self.fetch[(pc >> PAGE_BITS) as usize & (FETCHES - 1)];
        (f.tag == pc & PAGE).then_some(f.pa & PAGE | pc & !PAGE)
    }
    /// Remember a fetch translation; `flags` as [`piece`] makes them.
    pub fn fill_fetch(&mut self, pc: u64, pa: u64, flags: u64) {
        self.fetched.insert(pc, block_of(flags).max(PAGE_BITS));
        self.fetched_local |= flags & NOT_GLOBAL != 0;
        self.fetch[(pc >> PAGE_BITS) as usize & (FETCHES - 1)] = Fetch {
            tag: pc & PAGE,
            pa: pa & PAGE | flags,
        };
    }
    fn clear_data(&mut self) {
        if self.filled {
            self.entries.fill(Entry::EMPTY);
            self.large.clear();
            self.watched = 0;
            self.filled = false;
        }
    }
    fn new_uid(&mut self, uid: &mut u64) {
        self.uid = *uid;
        *uid += 1;
        self.fetched.clear();
        self.fetched_local = false;
    }
    fn clear(&mut self, uid: &mut u64) {
        self.clear_data();
        if self.fetched.sizes != 0 {
            self.fetch.fill(Fetch::EMPTY);
            self.new_uid(uid);
        }
    }
    /// Forget the entries that are not global.
    fn clear_local(&mut self, uid: &mut u64) {
        for e in &mut self.entries {
            if e.pa & NOT_GLOBAL != 0 {
                *e = Entry::EMPTY;
            }
        }
        if self.fetched_local {
            for f in &mut self.fetch {
                if f.pa & NOT_GLOBAL != 0 {
                    *f = Fetch::EMPTY;
                }
            }
            self.refetch(uid);
        }
    }
    /// Forget what the jump cache knows, but not the fetch entries.
    fn refetch(&mut self, uid: &mut u64) {
        self.new_uid(uid);
        for f in self.fetch {
            if f.tag != EMPTY {
                self.fetched.insert(f.tag, block_of(f.pa).max(PAGE_BITS));
                self.fetched_local |= f.pa & NOT_GLOBAL != 0;
            }
        }
    }
    /// Forget the pages of `first ..= last` (bits 55:0 of the addresses of their first bytes), and all pieces of blocks that one of them
    /// is in. `local`: those that are not global, too.
    fn clear_range(&mut self, first: u64, last: u64, local: bool, uid: &mut u64) {
        let goes = |tag: u64, pa: u64| {
            let low = tag & ones(56) & !ones(block_of(pa).max(PAGE_BITS));
            let high = low | ones(block_of(pa).max(PAGE_BITS)) & PAGE;
            low <= last && high >= first && (local || pa & NOT_GLOBAL == 0)
        };
        if last - first >= 64 << PAGE_BITS || self.large.may_touch(first, last) {
            for e in &mut self.entries {
                if e.page().is_some_and(|p| goes(p, e.pa)) {
                    *e = Entry::EMPTY;
                }
            }
        } else {
            let mut va = first;
            while va <= last {
                let e = self.entry(va);
                if e.page().is_some_and(|p| goes(p, e.pa)) {
                    *e = Entry::EMPTY;
                }
                va += 1 << PAGE_BITS;
            }
        }
        if self.fetched.may_touch(first, last) {
            for f in &mut self.fetch {
                if f.tag != EMPTY && goes(f.tag, f.pa) {
                    *f = Fetch::EMPTY;
                }
            }
            self.refetch(uid);
        }
    }
    fn apply(&mut self, op: &Op, uid: &mut u64) {
        match *op {
            Op::Protect(pa) => {
                for e in &mut self.entries {
                    if e.pa & PAGE == pa && e.tag_w != EMPTY {
                        e.tag_w |= SLOW;
                    }
                }
            }
            Op::Data => self.clear_data(),
            Op::All => self.clear(uid),
            Op::Invalidate(t) => self.invalidate(&t, uid),
        }
    }
    fn invalidate(&mut self, t: &Tlbi, uid: &mut u64) {
        if self.key.regime & 3 != t.kind as u8 || t.vmid.is_some_and(|v| v != self.key.vmid) {
            return;
        }
        let own = |asid: u16| asid == self.key.asid || t.kind == Kind::El2;
        match t.what {
            What::All | What::Both => self.clear(uid),
            What::Asid(asid) => {
                if own(asid) {
                    self.clear_local(uid);
                }
            }
            What::Va {
                first, last, asid, ..
            } => {
                let local = asid.is_none_or(own);
                self.clear_range(first, last, local, uid);
            }
            What::Stage2 => {
                if self.key.regime & 8 != 0 {
                    self.clear(uid);
                }
            }
        }
    }
}

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
    pub kind: Kind,
    /// Only this VMID (EL1&0).
    pub vmid: Option<u16>,
    /// Which of its translations.
    pub what: What,
    /// On all PEs.
    pub broadcast: bool,
}

/// Which translations of a regime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// All, but not what stage 2 alone says.
    All,
    /// All, of both stages.
    Both,
    /// The ASID's own, not the global ones.
    Asid(u16),
    /// Pages: bits 55:0 of the first and the last one's address. With an ASID: its own and the global ones.
    Va {
        /// First page.
        first: u64,
        /// Last page, included.
        last: u64,
        /// Only of this ASID (and global).
        asid: Option<u16>,
        /// Not what tables above the last level say.
        last_level: bool,
    },
    /// All that went through stage 2 (more than a TLBI IPAS2E1 asks for: combined entries do not know their IPA).
    Stage2,
}

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
    fn new() -> WalkCache {
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
    fn apply(&mut self, op: &Op) {
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

/// All contexts of a PE. They are boxed, and a box is reused only when it is not the one in use.
pub struct Tlb {
    /// Unaligned accesses fault (SCTLR_ELx.A): kept by `context::refresh`.
    pub strict: bool,
    /// Parts of walks.
    pub walks: WalkCache,
    /// The regime in use, decoded; `context::refresh` forgets it.
    regime: Option<Regime>,
    contexts: Vec<Box<Context>>,
    /// By hash of the key: where it was last found.
    recent: [u8; CONTEXTS],
    next_uid: u64,
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
            next_uid: 2,
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
                c.clear(&mut self.next_uid);
            } else {
                for op in self.log.range((c.seen - self.log_start) as usize..) {
                    c.apply(op, &mut self.next_uid);
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
        c.fetch.fill(Fetch::EMPTY);
        c.new_uid(&mut self.next_uid);
        c.seen = self.log_start + self.log.len() as u64;
        i
    }
    /// Do `op` to the context in use now, to others when they are selected.
    pub fn apply(&mut self, op: Op, in_use: *mut Context) {
        // SAFETY: `in_use` is one of our boxes (`Cpu::ctx`), and nothing else borrows it here.
        let c = unsafe { &mut *in_use };
        if self.log.len() == LOG {
            self.log.pop_front();
            self.log_start += 1;
        }
        self.log.push_back(op);
        self.walks.apply(&op);
        c.apply(&op, &mut self.next_uid);
        c.seen = self.log_start + self.log.len() as u64;
    }
}

impl Default for Tlb {
    fn default() -> Tlb {
        Tlb::new()
    }
}

/// The regime of the PE's exception level, decoded at most once between two refreshes of the context; and the PE's parts of walks.
pub fn regime(cpu: &mut Cpu, kind: Kind) -> (&Regime, &mut WalkCache) {
    if cpu.tlb.regime.as_ref().is_none_or(|r| r.kind != kind) {
        cpu.tlb.regime = Some(Regime::of(cpu, kind));
    }
    let tlb = &mut cpu.tlb;
    (tlb.regime.as_ref().expect("just set"), &mut tlb.walks)
}

/// Registers that translation depends on may have changed.
pub fn forget_regime(cpu: &mut Cpu) {
    cpu.tlb.regime = None;
}

/// Do `op` to the translations of `cpu`.
pub fn apply(cpu: &mut Cpu, op: Op) {
    let ctx = cpu.ctx;
    cpu.tlb.apply(op, ctx);
}

/// Have every other PE do `op` before it next executes.
pub fn post(cpu: &Cpu, sh: &mut Shared, op: Op) {
    for (_, queue) in sh
        .tlb_queue
        .iter_mut()
        .enumerate()
        .filter(|q| q.0 != cpu.id)
    {
        if queue.len() >= QUEUE {
            queue.clear();
            queue.push(Op::All);
        }
        queue.push(op);
    }
}

/// Do what other PEs have posted. The machine calls this before `cpu` executes.
pub fn drain(cpu: &mut Cpu, sh: &mut Shared) {
    if sh.tlb_queue[cpu.id].is_empty() {
        return;
    }
    for op in std::mem::take(&mut sh.tlb_queue[cpu.id]) {
        apply(cpu, op);
    }
}

/// A TLBI instruction.
pub fn tlbi(cpu: &mut Cpu, sh: &mut Shared, t: Tlbi) {
    apply(cpu, Op::Invalidate(t));
    if t.broadcast {
        post(cpu, sh, Op::Invalidate(t));
    }
}
