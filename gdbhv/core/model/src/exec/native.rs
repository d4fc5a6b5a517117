//! The seam for a compiling tier: what the dispatcher and decoded code ask of it, and what its code leaves with.
//!
//! A compiler makes native code of one [`Block`]: it is entered with as many instructions left as the block has, does exactly what the
//! interpreter would do, and goes on in other blocks as long as instructions are left. It stops where the interpreter would stop, with the
//! state in the PE and [`Platform::now`](crate::platform::Platform::now) as the interpreter would have left them.

use super::block::{Block, Tier};
use super::jumps::Jump;
use super::perf::Map;
use crate::pe::Pe;
use crate::shared::Shared;
use std::time::{Duration, Instant};

/// Native code left between two blocks: `Cpu::pc` is the next one, and time is settled.
pub const DISPATCH: u64 = 0;
/// As [`Exit::Early`](super::block::Exit::Early): the time is that of the block's start.
pub const EARLY: u64 = 1;
/// As [`Exit::Trap`](super::block::Exit::Trap): the time is that of the block's start.
pub const TRAP: u64 = 2;
/// As [`DISPATCH`], by a jump that may be made a direct one: the other bits are its site ([`Compiler::link`]).
pub const LINK: u64 = 3;

/// A panic ended it: [`Compiler::go_on_panicking`]. (No unwinding goes through native code.)
pub const PANIC: u64 = 4 | EARLY;

/// Enter native code: PE, what PEs share, the entry, instructions left (at least the block's), the first entry of the PE's jump cache. Returns one of the
/// numbers above.
pub type Enter = unsafe extern "C" fn(*mut Pe, *mut Shared, *const u8, u64, *const Jump) -> u64;

/// A compiling tier.
pub trait Compiler: Send {
    /// How its code is entered.
    fn enter(&self) -> Enter;
    /// Make native code of a block, whose instructions are `words`, and keep its entry in the block; its bytes, 0 if it cannot be had.
    fn compile(&mut self, block: &Block, words: &[u32]) -> usize;
    /// Make the jump of a [`LINK`] go to a block of the same page directly. A site that is no more is ignored.
    fn link(&mut self, site: u64, to: &Block);
    /// A block goes out of use: nothing is to jump to it.
    fn killed(&mut self, block: &Block);
    /// All jumps go to the dispatcher again, which looks for breakpoints.
    fn unlink(&mut self);
    /// Go on with the panic after which native code has left with [`PANIC`].
    fn go_on_panicking(&mut self) -> !;
    /// Forget all that was compiled: blocks are as if nobody had looked at them ([`forget`]).
    fn clear(&mut self);
}

/// A compiler, and when it is asked.
pub struct Tiering {
    /// The compiler.
    pub compiler: Box<dyn Compiler>,
    /// Entries of a block after which it is compiled, at least 1.
    pub threshold: u32,
    /// What it has done so far.
    pub stats: Stats,
    /// Where code is told of.
    pub map: Option<Map>,
    pub(super) enter: Enter,
}

/// What a compiling tier has done. Nothing of it is seen by a guest.
#[derive(Clone, Copy, Default)]
pub struct Stats {
    /// Blocks that native code was made of, also those that are out of use.
    pub blocks: u64,
    /// Guest instructions in them.
    pub instructions: u64,
    /// Bytes of native code.
    pub bytes: u64,
    /// Time on the host's clock that it took.
    pub time: Duration,
    /// Instructions that native code has executed, and those that it has called the interpreter for.
    pub executed: u64,
}

impl Tiering {
    /// Ask `compiler` for blocks that were entered `threshold` times.
    pub fn new(compiler: Box<dyn Compiler>, threshold: u32) -> Tiering {
        Tiering {
            enter: compiler.enter(),
            compiler,
            threshold: threshold.max(1),
            stats: Stats::default(),
            map: None,
        }
    }
    /// Count an entry of a block at VA `va` that has no native code; compile it if it was the last one to wait for.
    pub(super) fn entered(&mut self, block: &Block, sh: &Shared, va: u64) {
        let heat = block.heat.get() + 1;
        block.heat.set(heat);
        if heat != self.threshold {
            return;
        }
        let bytes = sh.ram.get(block.pa(), block.len() as u64 * 4);
        let Some(bytes) = bytes.filter(|_| block.alive()) else {
            return;
        };
        let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        let words: Vec<u32> = bytes.chunks_exact(4).map(word).collect();
        let begin = Instant::now();
        let bytes = self.compiler.compile(block, &words);
        let s = &mut self.stats;
        s.time += begin.elapsed();
        if bytes == 0 {
            return;
        }
        s.blocks += 1;
        s.instructions += words.len() as u64;
        s.bytes += bytes as u64;
        if let Some(map) = &mut self.map {
            map.add(block.tier.get().native, bytes, va);
        }
    }
}

/// Take what a compiler knows of a block away.
pub fn forget(block: &Block) {
    block.tier.set(Tier::COLD);
    block.heat.set(0);
}
