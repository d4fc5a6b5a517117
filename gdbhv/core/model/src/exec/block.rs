//! Blocks of decoded code: a head, and right behind it, in one piece of memory, the ops.

use crate::isa::ops::Args;
use crate::pe::Pe;
use crate::shared::Shared;
use std::alloc::{alloc, dealloc, handle_alloc_error, Layout};
use std::cell::Cell;
use std::mem::offset_of;
use std::ops::Deref;
use std::ptr::NonNull;

/// One predecoded instruction.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Op {
    /// What executes it and goes on with the next.
    pub run: Run,
    /// Its operands.
    pub args: Args,
}

/// Executes an instruction and those that follow it to the end of the block, or until something needs the dispatcher.
pub type Run = fn(&mut Pe, &Op, &mut Shared) -> Exit;

/// Why the dispatcher has control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The whole block has executed; `Cpu::pc` is the next address.
    Block,
    /// The instruction at `Cpu::off` has executed and was the last; `Cpu::pc` is the next address.
    Early,
    /// The instruction at `Cpu::off` has not executed: `Cpu::raised` has an exception, or the debugger stops before it.
    Trap,
}

/// A compiling tier's data about a block.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Tier {
    /// Entry point of the native code; null if there is none.
    pub native: *const u8,
    /// For the tier's own use.
    pub index: u32,
}

impl Tier {
    /// A block that the tier has not seen.
    pub const COLD: Tier = Tier {
        native: std::ptr::null(),
        index: 0,
    };
}

/// The head of a block: a run of predecoded instructions inside one page. Its ops follow without a gap, and the fields that the
/// dispatcher reads are the last ones of the head, so that these and the first ops share one cache line of the host.
#[repr(C)]
pub struct Block {
    /// The compiling tier's data.
    pub tier: Cell<Tier>,
    /// Entries, as counted for the compiling tier.
    pub heat: Cell<u32>,
    len: u16,
    alive: bool,
    /// The block does not end with a branch: one more op, which is no instruction, ends it.
    cut: bool,
    pa: u64,
    ops: [Op; 0],
}

impl Block {
    /// Whether the block may be entered: not once its bytes have changed.
    #[inline(always)]
    pub fn alive(&self) -> bool {
        self.alive
    }
    /// Number of instructions.
    #[inline(always)]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u16 {
        self.len
    }
    /// Physical address of the first instruction.
    #[inline(always)]
    pub fn pa(&self) -> u64 {
        self.pa
    }
    /// The first op.
    #[inline(always)]
    pub fn first(&self) -> &Op {
        // SAFETY: a block is owned by an [`Owned`], which has put at least one op there.
        unsafe { &*self.ops.as_ptr() }
    }
    /// The ops of its instructions.
    pub fn ops(&self) -> &[Op] {
        // SAFETY: as above; there are `len` of them.
        unsafe { std::slice::from_raw_parts(self.ops.as_ptr(), self.len as usize) }
    }
}

/// Bytes of a cache line of the host: the end of the head and the first op share one.
const LINE: usize = 64;
const _: () = assert!(offset_of!(Block, ops) + size_of::<Op>() <= LINE);

/// A block that owns its memory.
pub struct Owned(NonNull<Block>);

impl Owned {
    /// Make a block of `len` instructions at `pa`; `ops` has one more than `len` if the block does not end with a branch.
    pub fn new(pa: u64, len: u16, ops: &[Op]) -> Owned {
        assert!(!ops.is_empty());
        let layout = Owned::layout(ops.len());
        // SAFETY: the layout is not of size zero.
        let p = unsafe { alloc(layout) }.cast::<Block>();
        let Some(block) = NonNull::new(p) else {
            handle_alloc_error(layout);
        };
        let head = Block {
            tier: Cell::new(Tier::COLD),
            heat: Cell::new(0),
            len,
            alive: true,
            cut: ops.len() > len as usize,
            pa,
            ops: [],
        };
        // SAFETY: the layout has room for the head and, from its `ops` on, for all ops.
        unsafe {
            block.write(head);
            let to = (*block.as_ptr()).ops.as_mut_ptr();
            to.copy_from_nonoverlapping(ops.as_ptr(), ops.len());
        }
        Owned(block)
    }
    /// The memory layout, aligned so that what the dispatcher reads and the first op share a cache line of the host.
    fn layout(ops: usize) -> Layout {
        let bytes = offset_of!(Block, ops) + ops * size_of::<Op>();
        Layout::from_size_align(bytes, LINE).expect("a block is small")
    }
    /// Allow no further entry, nor a jump into its native code.
    pub fn kill(&mut self) {
        // SAFETY: owned; others only read through pointers, and not now.
        let block = unsafe { self.0.as_mut() };
        block.alive = false;
        block.tier.set(Tier::COLD);
    }
}

impl Deref for Owned {
    type Target = Block;
    fn deref(&self) -> &Block {
        // SAFETY: owned.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let layout = Owned::layout(self.len as usize + self.cut as usize);
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) };
    }
}

// SAFETY: a block is plain memory of its own.
unsafe impl Send for Owned {}
