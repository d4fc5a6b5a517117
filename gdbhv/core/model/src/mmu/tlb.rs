//! Cached translations: one [`Context`] for each (regime, VMID, ASID, privilege) in use, so that a switch of world, process or
//! exception level changes a pointer and flushes nothing.
//!
//! An entry maps a 4 KiB page to host memory and holds the combined result of both stages. A tag that has [`SLOW`] set never
//! matches in the fast path: the page is a device, holds decoded code (for writes) or is watched.

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
/// A tag that matches nothing.
pub const EMPTY: u64 = u64::MAX;

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
    /// Physical page and what it is (low bits: `DEVICE`).
    pub pa: u64,
}

/// `Entry::pa` flag: not RAM, or memory of Device type: alignment is demanded.
pub const DEVICE: u64 = 1;

impl Entry {
    /// Nothing.
    pub const EMPTY: Entry = Entry {
        tag_r: EMPTY,
        tag_w: EMPTY,
        host: 0,
        pa: 0,
    };
}

/// One page that may be fetched from.
#[derive(Clone, Copy, Debug)]
pub struct Fetch {
    /// Page address, or EMPTY.
    pub tag: u64,
    /// Physical page.
    pub pa: u64,
}

/// What tells one context from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Key {
    /// The translation regime and what else selects a different view (see `mmu::regime`).
    pub regime: u8,
    /// VMID, 0 where stage 2 does not apply.
    pub vmid: u16,
    /// ASID in use.
    pub asid: u16,
    /// Privilege: EL0, EL1, EL1 with PAN, ...
    pub mode: u8,
}

/// The translations of one key.
#[repr(C)]
pub struct Context {
    /// Data, direct-mapped by page number.
    pub entries: [Entry; ENTRIES],
    /// Instruction fetch.
    pub fetch: [Fetch; 64],
    /// Whose.
    pub key: Key,
    /// Unique while the fetch side is unchanged: the jump cache is keyed by it.
    pub uid: u64,
    /// For replacement: when it was last selected.
    pub used: u64,
}

impl Context {
    fn new(key: Key, uid: u64) -> Box<Context> {
        Box::new(Context {
            entries: [Entry::EMPTY; ENTRIES],
            fetch: [Fetch { tag: EMPTY, pa: 0 }; 64],
            key,
            uid,
            used: 0,
        })
    }
    /// The entry that `va`'s page would be in.
    #[inline(always)]
    pub fn entry(&mut self, va: u64) -> &mut Entry {
        &mut self.entries[(va >> PAGE_BITS) as usize & (ENTRIES - 1)]
    }
}

/// All contexts of a PE. They are boxed, and a box is dropped only when it is not the one in use.
pub struct Tlb {
    contexts: Vec<Box<Context>>,
    next_uid: u64,
}

impl Tlb {
    /// Only the initial context.
    pub fn new() -> Tlb {
        Tlb {
            contexts: vec![Context::new(Key::default(), 1)],
            next_uid: 2,
        }
    }
    /// The context of a PE before its first refresh.
    pub fn initial(&mut self) -> *mut Context {
        &mut *self.contexts[0]
    }
}

impl Default for Tlb {
    fn default() -> Tlb {
        Tlb::new()
    }
}

impl Tlb {
    /// The page of `pa` now holds code: writes to it take the slow path.
    pub fn protect(&mut self, pa: u64) {
        for e in self.contexts.iter_mut().flat_map(|c| c.entries.iter_mut()) {
            if e.pa & PAGE == pa & PAGE && e.tag_w != EMPTY {
                e.tag_w |= SLOW;
            }
        }
    }
}
