//! What a PE's TLB holds, for a debugger: a look that changes nothing.
//!
//! Contexts that are not in use have not seen the newest invalidations, and those of other PEs may still wait to be seen at all:
//! what they take away is not shown, because no access will find it.

use super::context::Context;
use super::entry::{DEVICE, EMPTY, IO, NOT_GLOBAL, PAGE, PAGE_BITS};
use super::extent::{block_of, covered, CONTIGUOUS};
use super::kind::Key;
use super::op::{Op, Scope};
use super::second::{READ, WRITE};
use super::tlb::Tlb;
use super::walk_cache::HeldStage2;

/// A translation of both stages that accesses find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose.
    pub key: Key,
    /// Its context is the one in use.
    pub now: bool,
    /// How often another context has been selected since its own was last selected.
    pub idle: u64,
    /// The first virtual address; an IPA with stage 1 off.
    pub va: u64,
    /// log2 of the bytes.
    pub size: u8,
    /// The first physical address.
    pub pa: u64,
    /// Reads are allowed, by the privilege of the key.
    pub read: bool,
    /// The same of writes.
    pub write: bool,
    /// An entry for fetches.
    pub fetch: bool,
    /// Whether it is global, not only for its ASID.
    pub global: bool,
    /// Memory of Device type; of fetches it is not known.
    pub device: bool,
    /// log2 of the bytes of the leaf that it is a piece of: stage 1's, or stage 2's with stage 1 off.
    pub block: u8,
    /// That leaf is one of a contiguous row.
    pub contiguous: bool,
}

/// An address from bits 55:0 of it.
fn whole(va: u64) -> u64 {
    ((va << 8) as i64 >> 8) as u64
}

/// Whether `op` invalidates an entry of `key`.
fn takes(op: &Op, key: &Key, page: u64, flags: u64) -> bool {
    match op {
        Op::All => true,
        Op::Invalidate(t) => match t.scope(key) {
            Scope::Nothing => false,
            Scope::All => true,
            Scope::Local => flags & NOT_GLOBAL != 0,
            Scope::Range(r) => covered(page, flags, &r),
        },
    }
}

impl Tlb {
    /// All translations. `in_use`: the context of the PE; `waiting`: what others have posted for it.
    pub fn held(&self, in_use: *const Context, waiting: &[Op]) -> Vec<Held> {
        let mut all = Vec::new();
        for c in self.contexts() {
            let Some(missed) = self.missed(c) else {
                continue; // it will begin empty
            };
            let gone: Vec<&Op> = missed.chain(waiting).collect();
            let mut add = |va: u64, size: u8, pa: u64, flags: u64, may: [bool; 3]| {
                if gone.iter().any(|op| takes(op, &c.key, va & PAGE, flags)) {
                    return;
                }
                all.push(Held {
                    key: c.key,
                    now: std::ptr::eq(c, in_use),
                    idle: self.selections() - c.used,
                    va: whole(va),
                    size,
                    pa,
                    read: may[0],
                    write: may[1],
                    fetch: may[2],
                    global: flags & NOT_GLOBAL == 0,
                    device: flags & DEVICE != 0,
                    block: block_of(flags),
                    contiguous: flags & CONTIGUOUS != 0,
                });
            };
            self.each_second(c, |base, size, pa| {
                let may = [pa & READ != 0, pa & WRITE != 0, false];
                add(base, size, pa & PAGE, pa, may);
            });
            for e in &c.entries {
                if let Some(page) = e.page().filter(|p| !self.in_second(c, *p)) {
                    let may = [e.tag_r != EMPTY, e.tag_w != EMPTY, false];
                    add(page, PAGE_BITS as u8, e.pa & PAGE, e.pa & !IO, may);
                }
            }
            for (page, pa) in c.fetched_pages() {
                add(page, PAGE_BITS as u8, pa & PAGE, pa, [false, false, true]);
            }
        }
        all
    }
    /// Its entries of stage 2 only.
    pub fn held_stage2(&self, waiting: &[Op]) -> Vec<HeldStage2> {
        self.walks.stage2(waiting)
    }
}
