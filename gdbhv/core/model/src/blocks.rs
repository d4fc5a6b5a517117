//! Decoded code: blocks by physical address, found by page, dropped when their bytes are written.

use crate::feature::Features;
use crate::interp::{end_of_block, entry, undefined, Op};
use crate::isa::ops::Args;
use crate::isa::{decode, pattern, RowKind};

/// Most instructions in a block.
pub const MAX_LEN: usize = 64;

/// A run of predecoded instructions inside one page: a head with the size of an op, and the ops right behind it, so that whoever comes to
/// a block finds both in one line of the host's cache. Owned as a slice of ops, [`Code`], of which the first is the head.
#[repr(transparent)]
pub struct Block(Op);

/// The storage of a block.
type Code = Box<[Op]>;

impl Block {
    /// A head for a block of `len` instructions at `pa`.
    fn head(pa: u64, len: u16) -> Op {
        Op {
            run: end_of_block,
            args: Args {
                imm: pa,
                off: len,
                rd: true as u8,
                ..Args::default()
            },
        }
    }
    /// False once its bytes have changed: no new entry.
    #[inline(always)]
    pub fn alive(&self) -> bool {
        self.0.args.rd != 0
    }
    /// Instructions in it.
    #[inline(always)]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u16 {
        self.0.args.off
    }
    /// Physical address of the first.
    #[inline(always)]
    pub fn pa(&self) -> u64 {
        self.0.args.imm
    }
    /// The first op.
    #[inline(always)]
    pub fn first(&self) -> &Op {
        // SAFETY: a head is the first of a slice of at least two ops ([`decode_block`], [`Blocks::partial`]).
        unsafe { &*std::ptr::from_ref(&self.0).add(1) }
    }
    /// The ops of its instructions.
    fn ops(&self) -> &[Op] {
        // SAFETY: as above; `len` of them follow.
        unsafe { std::slice::from_raw_parts(self.first(), self.len() as usize) }
    }
}

/// The block in `code`.
fn block(code: &Code) -> &Block {
    // SAFETY: transparent, and never empty.
    unsafe { &*code.as_ptr().cast() }
}

/// Predecode from `words`; the block ends at a branch, at the end of `words`, before `cut` instructions, or at [`MAX_LEN`].
pub fn decode_block(
    pa: u64,
    words: impl Iterator<Item = u32>,
    cut: usize,
    features: Features,
) -> Code {
    let mut ops: Vec<Op> = Vec::with_capacity(16);
    ops.push(Block::head(pa, 0));
    for (off, word) in words.take(cut.min(MAX_LEN)).enumerate() {
        let (op, last) = decode_op(word, off as u16, features);
        ops.push(op);
        ops[0].args.off = off as u16 + 1;
        if last {
            return ops.into();
        }
    }
    ops.push(end(ops[0].args.off));
    ops.into()
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

/// Predecode one word; true if it ends a block.
fn decode_op(word: u32, off: u16, features: Features) -> (Op, bool) {
    let row = decode::numbered(word, features);
    match row.and_then(|(n, r)| (r.decode)(word).map(|a| (n, r, a))) {
        Some((n, r, args)) => {
            let run = entry(n, pattern::extract(word, r.spec));
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

/// A page offset at which a debugger has asked for a split. (All guests' breakpoints together are far fewer.)
const FOR_GOOD: u16 = u16::MAX;

/// The blocks of one page.
struct CodePage {
    at: Box<[Option<Code>; 1024]>,
    /// Which 64-byte lines hold decoded code.
    lines: u64,
}

/// All blocks.
pub struct Blocks {
    base: u64,
    features: Features,
    pages: Vec<Option<CodePage>>,
    dead: Vec<Code>,
    scratch: Code,
    /// Page offsets (in words) that must begin a block, because a breakpoint is or was there in some page.
    splits: [u64; 16],
    /// By page offset in words: how many guests' breakpoints are there, or [`FOR_GOOD`].
    held: Box<[u16; 1024]>,
}

impl Blocks {
    /// For RAM of `size` bytes at `base`, decoding what a machine with `features` has.
    pub fn new(base: u64, size: u64, features: Features) -> Blocks {
        let pages = (0..size.div_ceil(PAGE_BYTES)).map(|_| None).collect();
        Blocks {
            base,
            features,
            pages,
            dead: Vec::new(),
            scratch: Box::new([Block::head(0, 0), end(0)]),
            splits: [0; 16],
            held: Box::new([0; 1024]),
        }
    }
    fn index(&self, pa: u64) -> Option<usize> {
        let i = pa.checked_sub(self.base)? / PAGE_BYTES;
        ((i as usize) < self.pages.len()).then_some(i as usize)
    }
    /// The block at `pa`, if it is there.
    pub fn get(&self, pa: u64) -> Option<*const Block> {
        let page = self.pages[self.index(pa)?].as_ref()?;
        let code = page.at[(pa >> 2) as usize & 1023].as_ref()?;
        Some(std::ptr::from_ref(block(code)))
    }
    /// Whether the page of `pa` holds code (a write to it must come to [`Blocks::written`]).
    pub fn is_code(&self, pa: u64) -> bool {
        self.index(pa).is_some_and(|i| self.pages[i].is_some())
    }
    /// Decode the block at `pa` from the bytes of its page. True if the page held no code before.
    pub fn insert(&mut self, pa: u64, page_bytes: &[u8]) -> (*const Block, bool) {
        let first = (pa as usize & 0xfff) / 4;
        let words = page_bytes[first * 4..]
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes(b.try_into().expect("4 bytes")));
        let cut = (first + 1..1024)
            .find(|&o| self.splits[o / 64] >> (o % 64) & 1 != 0)
            .unwrap_or(1024)
            - first;
        let code = decode_block(pa, words, cut, self.features);
        let i = self.index(pa).expect("code is in RAM");
        let new = self.pages[i].is_none();
        let page = self.pages[i].get_or_insert_with(|| CodePage {
            at: Box::new([const { None }; 1024]),
            lines: 0,
        });
        for line in first / 16..=(first + block(&code).len() as usize - 1) / 16 {
            page.lines |= 1 << line;
        }
        let slot = &mut page.at[first];
        let at = std::ptr::from_ref(block(slot.insert(code)));
        (at, new)
    }
    /// Forget what was decoded from `pa .. pa + len`, within one page. True if anything was.
    pub fn written(&mut self, pa: u64, len: u64) -> bool {
        let Some(page) = self.index(pa).and_then(|i| self.pages[i].as_mut()) else {
            return false;
        };
        let (from, to) = (pa & 0xfff, (pa & 0xfff) + len);
        let lines = (u64::MAX >> (63 - (to - 1) / 64)) & (u64::MAX << (from / 64));
        if page.lines & lines == 0 {
            return false;
        }
        let mut any = false;
        let lowest = (from / 4).saturating_sub(MAX_LEN as u64 - 1) as usize;
        for slot in &mut page.at[lowest..=((to - 1) / 4) as usize] {
            if slot
                .as_ref()
                .map(block)
                .is_some_and(|b| (b.pa() & 0xfff) + b.len() as u64 * 4 > from)
            {
                let mut b = slot.take().expect("some");
                b[0].args.rd = false as u8;
                self.dead.push(b);
                any = true;
            }
        }
        any
    }
    /// Blocks begin at this page offset from now on.
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
        for page in self.pages.iter_mut().flatten() {
            for slot in &mut page.at[o.saturating_sub(MAX_LEN - 1)..o] {
                if slot
                    .as_ref()
                    .map(block)
                    .is_some_and(|b| (b.pa() & 0xfff) / 4 + b.len() as u64 > o as u64)
                {
                    let mut b = slot.take().expect("some");
                    b[0].args.rd = false as u8;
                    self.dead.push(b);
                }
            }
        }
    }
    /// The same until [`Blocks::release_split`]: a guest's breakpoints come and go.
    pub fn hold_split(&mut self, va: u64) {
        let count = &mut self.held[(va & 0xfff) as usize / 4];
        *count = count.saturating_add(1);
        self.cut(va);
    }
    /// A breakpoint is gone: blocks that were cut for it are made anew.
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
        for page in self.pages.iter_mut().flatten() {
            for slot in &mut page.at[o.saturating_sub(MAX_LEN)..o] {
                if slot
                    .as_ref()
                    .map(block)
                    .is_some_and(|b| (b.pa() & 0xfff) / 4 + b.len() as u64 == o as u64)
                {
                    let mut b = slot.take().expect("some");
                    b[0].args.rd = false as u8;
                    self.dead.push(b);
                }
            }
        }
    }
    /// Whether enough dead blocks have gathered to be worth a collection.
    pub fn crowded(&self) -> bool {
        self.dead.len() > 4096
    }
    /// Free the dead. No jump cache may hold a block afterwards.
    pub fn collect(&mut self) {
        self.dead.clear();
    }
    /// The first `len` instructions of `block`, until the next call.
    pub fn partial(&mut self, block: &Block, len: u16) -> *const Block {
        let mut code = vec![Block::head(block.pa(), len)];
        code.extend_from_slice(&block.ops()[..len as usize]);
        code.push(end(len));
        self.scratch = code.into();
        self::block(&self.scratch)
    }
}
