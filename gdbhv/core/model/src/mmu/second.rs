//! The second level of cached translations of data: for a PE, behind the [`Context`]s' own entries, which are direct-mapped and few.
//!
//! It is set-associative, and shared by all contexts: an entry has a number that belongs to one context's global or local
//! translations ([`Names`]). To take all of them away is to give the context a new number. An entry is of the size that both stages map in
//! one piece, so that an invalidation by address finds it at once, whatever else is there. Nothing in it depends on what the debugger
//! or decoded code need of an access: that is put on when a context's own entry is made of it.
//!
//! [`Context`]: super::context::Context

use super::extent::{covered, span_of, Addresses, BlockSet};
use crate::bits::ones;
use crate::mmu::entry::{NOT_GLOBAL, PAGE};
use crate::save::{put, take, Kept, Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};

/// Sets, of [`WAYS`] entries each.
const SETS: usize = 4096;
const WAYS: usize = 4;
/// Sets that are saved together.
const CHUNK: usize = 128;

/// `Second::pa` flag: reads are allowed.
pub const READ: u64 = 2;
/// `Second::pa` flag: writes are allowed.
pub const WRITE: u64 = 4;

/// One entry.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy)]
struct Slot {
    /// The first input address that it maps (bits 55:12), and log2 of the bytes.
    tag: u64,
    /// The context that it belongs to, as a number of [`Names`]; 0 if none.
    name: u64,
    /// The first output address, and flags as in `Entry::pa`, with [`READ`] and [`WRITE`].
    pa: u64,
}

const NONE: Slot = Slot {
    tag: 0,
    name: 0,
    pa: 0,
};

/// A context's summary of its entries.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct Names {
    global: u64,
    local: u64,
    /// Bit n: there may be an entry of `1 << n` bytes.
    sizes: u64,
    /// Leaves that entries are pieces of: those of which stage 2 maps only a part, and contiguous ones.
    split: BlockSet,
}

impl Names {
    pub(super) const NONE: Names = Names {
        global: 0,
        local: 0,
        sizes: 0,
        split: BlockSet::NONE,
    };
    fn has(&self, slot: &Slot) -> bool {
        slot.name == self.global || slot.name == self.local
    }
}

/// The second level of one PE.
pub(super) struct Second {
    slots: Box<[[Slot; WAYS]]>,
    /// By set: the way to be replaced next.
    victims: Box<[u8]>,
    next_name: u64,
    /// What is saved of each [`CHUNK`] sets.
    kept: [Kept; SETS / CHUNK],
}

impl Second {
    pub(super) fn new() -> Second {
        Second {
            slots: vec![[NONE; WAYS]; SETS].into_boxed_slice(),
            victims: vec![0; SETS].into_boxed_slice(),
            next_name: 1,
            kept: Default::default(),
        }
    }
    fn name(&mut self) -> u64 {
        self.next_name += 1;
        self.next_name - 1
    }
    /// Forget all translations of a context.
    pub(super) fn clear(&mut self, n: &mut Names) {
        if n.sizes != 0 {
            *n = Names::NONE;
        }
    }
    /// Forget those that are not global.
    pub(super) fn clear_local(&mut self, n: &mut Names) {
        if n.sizes != 0 {
            n.local = self.name();
        }
    }
    fn set(n: &Names, base: u64, size: u32) -> usize {
        // Contexts spread by their numbers; neighbouring pages are in neighbouring sets.
        ((base >> size) + n.global * 97) as usize % SETS
    }
    /// The entry for `va`: its page's output address, and flags.
    #[inline]
    pub(super) fn get(&self, n: &Names, va: u64) -> Option<u64> {
        // An address whose top byte is ignored may be cached without it; whether it is ignored is the walker's to say.
        if ((va << 8) as i64 >> 8) as u64 != va {
            return None;
        }
        let va = va & ones(56);
        let mut sizes = n.sizes;
        while sizes != 0 {
            let size = sizes.trailing_zeros();
            sizes &= sizes - 1;
            let base = va & !ones(size);
            let tag = base | size as u64;
            for slot in &self.slots[Second::set(n, base, size)] {
                if slot.tag == tag && n.has(slot) {
                    return Some(slot.pa | va & ones(size) & PAGE);
                }
            }
        }
        None
    }
    /// Remember that `va` goes to `pa`, in one piece of `1 << size` bytes; `flags` as [`super::extent::piece`] makes them, DEVICE,
    /// [`READ`] and [`WRITE`].
    pub(super) fn fill(&mut self, n: &mut Names, va: u64, pa: u64, size: u32, flags: u64) {
        if ((va << 8) as i64 >> 8) as u64 != va {
            return;
        }
        if n.sizes == 0 {
            (n.global, n.local) = (self.name(), self.name());
        }
        n.sizes |= 1 << size;
        let va = va & ones(56);
        let base = va & !ones(size);
        if span_of(flags) > size {
            n.split.insert(va, span_of(flags));
        }
        let tag = base | size as u64;
        let set = Second::set(n, base, size);
        let name = if flags & NOT_GLOBAL != 0 {
            n.local
        } else {
            n.global
        };
        let known = self.slots[set]
            .iter()
            .position(|s| s.tag == tag && n.has(s));
        let way = known.unwrap_or_else(|| {
            let victim = &mut self.victims[set];
            *victim = (*victim + 1) % WAYS as u8;
            *victim as usize
        });
        self.kept[set / CHUNK].forget();
        self.slots[set][way] = Slot {
            tag,
            name,
            pa: pa & !ones(size) | flags,
        };
    }
    /// Show all that is known: first address, log2 of the bytes, first output address with flags.
    pub(super) fn each(&self, n: &Names, mut see: impl FnMut(u64, u8, u64)) {
        if n.sizes != 0 {
            for s in self.slots.iter().flatten().filter(|s| n.has(s)) {
                see(s.tag & PAGE, (s.tag & 0x3f) as u8, s.pa);
            }
        }
    }
    /// Forget what an invalidation by address covers.
    pub(super) fn clear_range(&mut self, n: &Names, r: &Addresses) {
        let (first, last) = n.split.widened(r.first, r.last);
        let mut sizes = n.sizes;
        while sizes != 0 {
            let size = sizes.trailing_zeros();
            sizes &= sizes - 1;
            let goes = |s: &Slot| {
                s.tag & 0x3f == size as u64 && n.has(s) && covered(s.tag & PAGE, s.pa, r)
            };
            if (last - first) >> size >= SETS as u64 {
                for slot in self.slots.iter_mut().flatten().filter(|s| goes(s)) {
                    *slot = NONE;
                }
                self.kept.iter_mut().for_each(Kept::forget);
                continue;
            }
            let mut base = first & !ones(size);
            while base <= last {
                let set = Second::set(n, base, size);
                for slot in &mut self.slots[set] {
                    if slot.tag == base | size as u64 && goes(slot) {
                        *slot = NONE;
                        self.kept[set / CHUNK].forget();
                    }
                }
                base += 1 << size;
            }
        }
    }
}

/// The state of some sets for saving: the entries with their set and way, and the ways to be replaced next.
type Saved = (Vec<(u16, u8, Slot)>, Vec<u8>);

impl Save for Second {
    fn save(&self, to: &mut Vec<u8>) {
        put(to, &self.next_name);
        for (n, kept) in self.kept.iter().enumerate() {
            let sets = n * CHUNK..(n + 1) * CHUNK;
            kept.save(to, |to| {
                let ways = |set: usize| {
                    let ways = self.slots[set].iter().enumerate();
                    let used = ways.filter(|w| w.1.name != 0);
                    used.map(move |(way, slot)| (set as u16, way as u8, *slot))
                };
                let slots = sets.clone().flat_map(ways).collect();
                put::<Saved>(to, &(slots, self.victims[sets.clone()].to_vec()));
            });
        }
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.next_name = take(from)?;
        for n in 0..SETS / CHUNK {
            let sets = n * CHUNK..(n + 1) * CHUNK;
            let Some(own) = self.kept[n].load(from)? else {
                continue;
            };
            let mut rest = own;
            let (slots, victims) = take::<Saved>(&mut rest)?;
            if victims.len() != CHUNK || victims.iter().any(|v| *v as usize >= WAYS) {
                return Err(Unfit(format!("a TLB has {SETS} sets of {WAYS} ways")));
            }
            self.slots[sets.clone()].fill([NONE; WAYS]);
            self.victims[sets.clone()].copy_from_slice(&victims);
            for (set, way, slot) in slots {
                let (set, way) = (set as usize, way as usize);
                if !sets.contains(&set) || way >= WAYS {
                    return Err(Unfit(format!("a TLB has no way {way} of set {set} there")));
                }
                self.slots[set][way] = slot;
            }
            self.kept[n].is(own, rest)?;
        }
        Ok(())
    }
}
