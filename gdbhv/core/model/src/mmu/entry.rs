//! One cached translation, as the fast paths look at it.

/// log2 of the entries in a context.
pub const ENTRY_BITS: u32 = 9;
/// Entries in a context.
pub const ENTRIES: usize = 1 << ENTRY_BITS;
/// Page offset bits.
pub const PAGE_BITS: u32 = 12;
/// Mask of the page number in an address.
pub const PAGE: u64 = !0xfff;
/// Tag flag: the access must take the slow path although the translation is known, and looks there whether it still must. Not among
/// the low bits that an aligned access of up to 8 bytes compares.
pub const SLOW: u64 = 0x800;
/// Tag flag: the debugger watches lines of this page (`Context::watched`); the other lines may take the fast path.
pub const WATCH: u64 = 0x400;
/// A tag that matches nothing.
pub const EMPTY: u64 = u64::MAX;

/// Entries on the fetch side of a context.
pub(super) const FETCHES: usize = 64;

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
    /// Physical page, and in the low bits [`DEVICE`], [`IO`], [`NOT_GLOBAL`] and what [`piece`](super::extent::piece) tells.
    pub pa: u64,
}

/// `Entry::pa` flag: memory of Device type: alignment is demanded.
pub const DEVICE: u64 = 1;

/// `Entry::pa` flag: not RAM.
pub const IO: u64 = 2;

/// `Entry::pa` flag: belongs to its context's ASID.
pub const NOT_GLOBAL: u64 = 8;

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
    pub(super) fn page(&self) -> Option<u64> {
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

/// Contexts that a PE keeps.
pub(super) const CONTEXTS: usize = 64;
