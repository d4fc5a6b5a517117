//! Decoded code: blocks by physical address, found by page, dropped when their bytes are written.

use super::block::{Block, Op, Owned};
use super::interp::{barrier, end_of_block, entry, undefined};
use super::jumps::{no_jumps, slot, Jumps};
use super::native::Tiering;
use super::page::CodePage;
use crate::bits::lines_of_page;
use crate::feature::Features;
use crate::isa::ops::Args;
use crate::isa::{decode, pattern, RowKind};
use crate::mem::ram::{Layout, Ram};
use crate::pe::{self, Pe};
use crate::shared::Shared;
use std::ops::Range;

/// Most instructions in a block.
pub const MAX_LEN: usize = crate::pmu::classes::MOST;

/// Predecode a block from `words`. It ends at a branch, at the end of `words`, where `cut` says so, or at [`MAX_LEN`]. `checked`:
/// report barriers to the TLB checker. `ops` is room to work in.
fn decode_block(
    pa: u64,
    words: impl Iterator<Item = u32>,
    cut: usize,
    features: Features,
    checked: bool,
    ops: &mut Vec<Op>,
) -> Owned {
    ops.clear();
    for (off, word) in words.take(cut.min(MAX_LEN)).enumerate() {
        let (mut op, last) = decode_op(word, off as u16, features);
        if checked && is_barrier(word) {
            op.run = barrier;
            op.args.imm = word as u64;
        }
        ops.push(op);
        if last {
            return Owned::new(pa, off as u16 + 1, ops);
        }
    }
    let len = ops.len() as u16;
    ops.push(end(len));
    Owned::new(pa, len, ops)
}

/// The op that ends a block of `len` instructions without a branch.
pub fn end(len: u16) -> Op {
    Op {
        run: end_of_block,
        args: Args {
            off: len,
            ..Args::default()
        },
    }
}

/// Whether a word is DSB or ISB.
fn is_barrier(word: u32) -> bool {
    matches!(word & 0xffff_f0ff, 0xd503_309f | 0xd503_30df)
}

/// Predecode one word; true if it ends a block.
fn decode_op(word: u32, off: u16, features: Features) -> (Op, bool) {
    let row = decode::numbered(word, features);
    match row.and_then(|(n, r)| (r.decode)(word).map(|a| (n, r, a))) {
        Some((n, r, args)) => {
            let run = entry(n, pattern::extract(word, r.spec)).run;
            (
                Op {
                    run,
                    args: Args { off, ..args },
                },
                !matches!(r.kind, RowKind::Pure | RowKind::Helper),
            )
        }
        None => (
            Op {
                run: undefined,
                args: Args {
                    off,
                    imm: word as u64,
                    ..Args::default()
                },
            },
            true,
        ),
    }
}

const PAGE_BYTES: u64 = 4096;

/// The count in [`Code::held`] of a split for the debugger, which is permanent. (All guests' breakpoints together are far fewer.)
const FOR_GOOD: u16 = u16::MAX;

/// All decoded code of a machine, and how its PEs find it.
pub struct Code {
    /// The jump cache of each PE.
    pub jumps: Vec<Jumps>,
    pub(super) tiering: Option<Tiering>,
    layout: Layout,
    features: Features,
    pages: Vec<Option<Box<CodePage>>>,
    /// The ops of the block that is being decoded, kept for their memory.
    ops: Vec<Op>,
    dead: Vec<Owned>,
    scratch: Owned,
    /// Barriers are reported to the TLB checker.
    checked: bool,
    /// Page offsets in words at which a block must begin, a bit each, because some page has or had a breakpoint there.
    splits: [u64; 16],
    /// By page offset in words: the number of guests' own breakpoints there, or [`FOR_GOOD`].
    held: Box<[u16; 1024]>,
}

impl Code {
    /// Make an empty cache for `ram` and `pes` PEs that implement `features`.
    pub fn new(ram: &Ram, features: Features, pes: usize) -> Code {
        let layout = ram.layout();
        let pages = (0..layout.pages()).map(|_| None).collect();
        Code {
            jumps: (0..pes).map(|_| no_jumps()).collect(),
            tiering: None,
            layout,
            features,
            pages,
            ops: Vec::new(),
            dead: Vec::new(),
            checked: false,
            scratch: Owned::new(0, 0, &[end(0)]),
            splits: [0; 16],
            held: Box::new([0; 1024]),
        }
    }
    /// The compiling tier, if there is one.
    pub fn tiering(&self) -> Option<&Tiering> {
        self.tiering.as_ref()
    }
    /// The compiling tier, mutably.
    pub fn tiering_mut(&mut self) -> Option<&mut Tiering> {
        self.tiering.as_mut()
    }
    /// Replace the compiling tier (None: use none). Returns the old one, which has discarded its code.
    pub fn set_tiering(&mut self, tiering: Option<Tiering>) -> Option<Tiering> {
        let mut before = std::mem::replace(&mut self.tiering, tiering);
        if let Some(t) = &mut before {
            t.compiler.clear();
        }
        before
    }
    /// Report barriers to the TLB checker, or no longer: all code is decoded anew. Native code would not report them.
    pub fn set_checked(&mut self, checked: bool) {
        self.checked = checked;
        for i in 0..self.pages.len() {
            self.kill(i, 0..1024, |_, _| true);
        }
    }
    /// The block at `pa`, if it is already decoded.
    pub fn get(&self, pa: u64) -> Option<*const Block> {
        let page = self.pages[self.layout.page(pa)?].as_ref()?;
        page.get((pa >> 2) as usize & 1023).map(std::ptr::from_ref)
    }
    /// The block at `pa`, decoded now if it is not yet.
    pub fn block_at(&mut self, cpu: &mut Pe, sh: &mut Shared, pa: u64) -> *const Block {
        if let Some(b) = self.get(pa) {
            return b;
        }
        let page = sh.ram.get(pa & !0xfff, 4096).expect("fetch found memory");
        let block = self.insert(pa, page);
        // SAFETY: it has just been made.
        let len = unsafe { (*block).len() } as u64 * 4;
        if sh.ram.decoded(pa, len) {
            pe::tlb::protect(cpu, sh, pa);
        }
        block
    }
    /// Decode the block at `pa` from the bytes of its page.
    fn insert(&mut self, pa: u64, page_bytes: &[u8]) -> *const Block {
        let first = (pa as usize & 0xfff) / 4;
        let words = page_bytes[first * 4..]
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes(b.try_into().expect("4 bytes")));
        let cut = self.next_split(first) - first;
        let ops = &mut self.ops;
        let code = decode_block(pa, words, cut, self.features, self.checked, ops);
        let i = self.layout.page(pa).expect("code is in memory");
        let page = self.pages[i].get_or_insert_with(CodePage::new);
        page.insert(first, code)
    }
    /// Discard what was decoded from bytes that have been written since. To be called before anything executes.
    #[inline]
    pub fn follow_writes(&mut self, ram: &mut Ram) {
        if ram.code_written() {
            for (pa, len) in ram.take_written() {
                let left = self.written(pa, len);
                ram.not_decoded(pa, len, left);
            }
        }
    }
    /// Discard what was decoded from `pa .. pa + len`, within one page. Returns those of the 64-byte lines touched that still hold code.
    fn written(&mut self, pa: u64, len: u64) -> u64 {
        let Some(i) = self.layout.page(pa) else {
            return 0;
        };
        let (from, to) = (pa & 0xfff, (pa & 0xfff) + len);
        let before = |byte: u64| (byte / 4).saturating_sub(MAX_LEN as u64 - 1) as usize;
        let words = before(from)..(to - 1) as usize / 4 + 1;
        self.kill(i, words, |first, len| (first + len) * 4 > from);
        let Some(page) = &self.pages[i] else { return 0 };
        let around = before(from & !63)..(((to - 1) | 63) as usize + 1) / 4;
        let (mut lines, mut word) = (0, around.start);
        while let Some(begin) = page.first_in(word..around.end) {
            let b = page.get(begin).expect("it begins there");
            let last = b.pa() + b.len() as u64 * 4 - 1;
            lines |= lines_of_page(pa & !(PAGE_BYTES - 1), b.pa(), last);
            word = begin + 1;
        }
        lines
    }
    /// Kill the blocks of page `i` that begin in `words` and for which `which` (first word, length) is true.
    fn kill(&mut self, i: usize, words: Range<usize>, which: impl Fn(u64, u64) -> bool) {
        let Some(page) = &mut self.pages[i] else {
            return;
        };
        let mut word = words.start;
        while let Some(begin) = page.first_in(word..words.end) {
            word = begin + 1;
            let goes = |b: &Block| which(begin as u64, b.len() as u64);
            if page.get(begin).is_some_and(goes) {
                let mut b = page.take(begin).expect("it begins there");
                if let Some(t) = &mut self.tiering {
                    t.compiler.killed(&b);
                }
                b.kill();
                self.dead.push(b);
            }
        }
    }
    /// The first word of a page behind `word` that must begin a block; 1024 if none must.
    fn next_split(&self, word: usize) -> usize {
        let behind = |w: usize| u64::MAX << (word + 1).saturating_sub(w * 64);
        let mut words = ((word + 1) / 64..16).map(|w| (w, self.splits[w] & behind(w)));
        let found = words.find(|(_, bits)| *bits != 0);
        found.map_or(1024, |(w, bits)| w * 64 + bits.trailing_zeros() as usize)
    }
    /// Begin a block at the page offset of `va`, from now on and for good.
    pub fn split(&mut self, va: u64) {
        self.held[(va & 0xfff) as usize / 4] = FOR_GOOD;
        self.cut(va);
    }
    fn cut(&mut self, va: u64) {
        let o = (va & 0xfff) as usize / 4;
        if self.splits[o / 64] >> (o % 64) & 1 != 0 {
            return;
        }
        self.splits[o / 64] |= 1 << (o % 64);
        for i in 0..self.pages.len() {
            let words = o.saturating_sub(MAX_LEN - 1)..o;
            self.kill(i, words, |first, len| first + len > o as u64);
        }
        if let Some(t) = &mut self.tiering {
            t.compiler.unlink();
        }
    }
    /// Whether no block needs to begin at `va` for a breakpoint, so that native code may jump there directly.
    pub fn unbroken(&self, va: u64) -> bool {
        let o = (va & 0xfff) as usize / 4;
        self.splits[o / 64] >> (o % 64) & 1 == 0
    }
    /// Begin a block at the page offset of `va` until [`Code::release_split`]: a guest's breakpoints come and go.
    pub fn hold_split(&mut self, va: u64) {
        let count = &mut self.held[(va & 0xfff) as usize / 4];
        *count = count.saturating_add(1);
        self.cut(va);
    }
    /// Undo one [`Code::hold_split`]: blocks that were cut for the breakpoint are decoded anew.
    pub fn release_split(&mut self, va: u64) {
        let o = (va & 0xfff) as usize / 4;
        if self.held[o] == FOR_GOOD {
            return;
        }
        self.held[o] -= 1;
        if self.held[o] != 0 {
            return;
        }
        self.splits[o / 64] &= !(1 << (o % 64));
        for i in 0..self.pages.len() {
            let words = o.saturating_sub(MAX_LEN)..o;
            self.kill(i, words, |first, len| first + len == o as u64);
        }
    }
    /// Free dead blocks if there are enough of them. Not to be called while a block executes.
    pub fn collect(&mut self) {
        if self.dead.len() > 4096 {
            for jumps in &mut self.jumps {
                *jumps = no_jumps();
            }
            self.dead.clear();
        }
    }
    /// Remove `pc` from the jump cache of a PE.
    pub fn forget(&mut self, pe: usize, pc: u64) {
        let jump = &mut self.jumps[pe][slot(pc)];
        (jump.block, jump.uid) = (std::ptr::null(), 0);
    }
    /// A copy of the first `len` instructions of `block`, valid until the next call.
    pub fn partial(&mut self, block: &Block, len: u16) -> *const Block {
        let mut ops = block.ops()[..len as usize].to_vec();
        ops.push(end(len));
        self.scratch = Owned::new(block.pa(), len, &ops);
        &raw const *self.scratch
    }
}
