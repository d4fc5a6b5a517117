//! What the PEs of a machine share: RAM, devices, decoded code, time, and what the debugger wants.

use crate::blocks::{Block, Blocks};
use crate::cpu::Cpu;
use crate::debug::Debug;
use crate::mem::ram::Ram;

/// Everything but the PEs.
pub struct Shared {
    /// Guest RAM.
    pub ram: Ram,
    /// Decoded code.
    pub blocks: Blocks,
    /// Virtual time: instructions executed and nanoseconds idled, at the start of the block that executes.
    pub now: u64,
    /// Set by an access whose effects the dispatcher must look at after the instruction (an interrupt line, code written).
    pub leave: bool,
    /// Breakpoints, watchpoints, and why the debugger stopped.
    pub debug: Debug,
}

impl Shared {
    /// The block at `pa` (in RAM), decoded if need be.
    pub fn block_at(&mut self, cpu: &mut Cpu, pa: u64) -> *const Block {
        if let Some(b) = self.blocks.get(pa) {
            return b;
        }
        let page = self.ram.get(pa & !0xfff, 4096).expect("fetch found RAM");
        let (block, new) = self.blocks.insert(pa, page);
        if new {
            cpu.tlb.protect(pa);
        }
        block
    }
    /// The first `len` instructions of `block`.
    pub fn partial(&mut self, block: &Block, len: u16) -> *const Block {
        self.blocks.partial(block, len)
    }
    /// Remember an encoding that is not implemented, for the user.
    pub fn note_undefined(&mut self, _cpu: &Cpu, _insn: u32) {}
}
