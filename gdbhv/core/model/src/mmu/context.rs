//! The cached translations of one (regime, VMID, ASID, privilege): entries for data and for fetching, and what an invalidation takes away.

use super::regime::Kind;
use super::tlb::{Op, Tlbi, What, CONTEXTS};
use crate::bits::ones;

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
    pub(super) const EMPTY: Fetch = Fetch { tag: EMPTY, pa: 0 };
}

/// What tells one context from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Key {
    /// Bits 1:0 the regime (`regime::Kind`), then: stage 1 on, stage 2 on, default cacheability, tables of NV1.
    pub regime: u8,
    /// VMID, 0 where stage 2 does not apply.
    pub vmid: u16,
    /// ASID in use.
    pub asid: u16,
    /// Privilege: `regime::Mode`.
    pub mode: u8,
}

impl Key {
    pub(super) fn slot(&self) -> usize {
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
    pub(super) seen: u64,
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
    pub(super) fn new(key: Key, uid: u64) -> Box<Context> {
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
    pub(super) fn clear_data(&mut self) {
        if self.filled {
            self.entries.fill(Entry::EMPTY);
            self.large.clear();
            self.watched = 0;
            self.filled = false;
        }
    }
    pub(super) fn new_uid(&mut self, uid: &mut u64) {
        self.uid = *uid;
        *uid += 1;
        self.fetched.clear();
        self.fetched_local = false;
    }
    pub(super) fn clear(&mut self, uid: &mut u64) {
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
    pub(super) fn apply(&mut self, op: &Op, uid: &mut u64) {
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
