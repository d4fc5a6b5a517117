//! The interface of a compiling tier: what the dispatcher and decoded code ask of it, and how its code returns.
//!
//! A compiler makes native code of one [`Block`]. The code is entered only if at least as many instructions are left as the block has, does
//! exactly what the interpreter would do, and continues in other blocks while enough instructions are left. It stops where the interpreter
//! would stop, with the PE and [`Platform::now`](crate::platform::Platform::now) as the interpreter would have left them.

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
/// As [`DISPATCH`], from a jump that may be linked directly: the other bits are its site ([`Compiler::link`]).
pub const LINK: u64 = 3;

/// A panic ended it; [`Compiler::go_on_panicking`] continues the panic. (Unwinding does not pass through native code.)
pub const PANIC: u64 = 4 | EARLY;

/// Enters native code: the PE, what PEs share, the entry point, the instructions left (at least as many as the block has), and the first
/// entry of the PE's jump cache. Returns one of the numbers above.
pub type Enter = unsafe extern "C" fn(*mut Pe, *mut Shared, *const u8, u64, *const Jump) -> u64;

/// A compiling tier.
pub trait Compiler: Send {
    /// The function by which its code is entered.
    fn enter(&self) -> Enter;
    /// Compile a block, whose instructions are `words`, and store the entry point in the block. Returns the size in bytes; 0: not compiled.
    fn compile(&mut self, block: &Block, words: &[u32]) -> usize;
    /// Make the jump of a [`LINK`] go directly to a block of the same page. A site that no longer exists is ignored.
    fn link(&mut self, site: u64, to: &Block);
    /// Redirect all jumps to a block, which is about to be discarded.
    fn killed(&mut self, block: &Block);
    /// Redirect all direct jumps to the dispatcher, which looks for breakpoints.
    fn unlink(&mut self);
    /// Continue the panic after which native code returned [`PANIC`].
    fn go_on_panicking(&mut self) -> !;
    /// Discard all native code; the caller resets the blocks with [`forget`].
    fn clear(&mut self);
}

/// A compiler, and when it is used.
pub struct Tiering {
    /// The compiler.
    pub compiler: Box<dyn Compiler>,
    /// Number of entries after which a block is compiled, at least 1.
    pub threshold: u32,
    /// Its statistics.
    pub stats: Stats,
    /// The map for `perf`, if one is written.
    pub map: Option<Map>,
    pub(super) enter: Enter,
}

/// Statistics of a compiling tier. A guest sees none of it.
#[derive(Clone, Copy, Default)]
pub struct Stats {
    /// Blocks compiled, including those discarded since.
    pub blocks: u64,
    /// Guest instructions in them.
    pub instructions: u64,
    /// Bytes of native code.
    pub bytes: u64,
    /// Time spent compiling, by the host's clock.
    pub time: Duration,
    /// Instructions executed by native code, including those for which it called the interpreter.
    pub executed: u64,
}

impl Tiering {
    /// Use `compiler` for blocks that were entered `threshold` times.
    pub fn new(compiler: Box<dyn Compiler>, threshold: u32) -> Tiering {
        Tiering {
            enter: compiler.enter(),
            compiler,
            threshold: threshold.max(1),
            stats: Stats::default(),
            map: None,
        }
    }
    /// Count an entry of a block at VA `va` that has no native code, and compile it when the threshold is reached.
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

/// Reset a block's compiler data.
pub fn forget(block: &Block) {
    block.tier.set(Tier::COLD);
    block.heat.set(0);
}
