//! Jump caches: blocks by VA and context, for the dispatcher and for native code.

use super::block::Block;

/// Entries of a jump cache.
pub const JUMPS: usize = 16384;

/// The number of the entry for a block at `pc`.
#[inline(always)]
pub fn slot(pc: u64) -> usize {
    (pc >> 2) as usize & (JUMPS - 1)
}

/// One entry of a jump cache: a block by VA and context.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Jump {
    /// VA of the block.
    pub pc: u64,
    /// `Context::uid` of the translation context.
    pub uid: u64,
    /// The block.
    pub block: *const Block,
}

/// A jump cache, indexed by low bits of the VA.
pub type Jumps = Box<[Jump; JUMPS]>;

/// Make an empty jump cache.
pub fn no_jumps() -> Jumps {
    let nothing = Jump {
        pc: 0,
        uid: 0,
        block: std::ptr::null(),
    };
    let all = vec![nothing; JUMPS].into_boxed_slice();
    all.try_into().ok().expect("length")
}
