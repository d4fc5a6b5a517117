//! Memory for code: one piece, mapped twice, so that no page can be both written and executed (W^X).

use memmap2::{Mmap, MmapMut, MmapOptions};
use rustix::fs::{ftruncate, memfd_create, MemfdFlags};
use std::fs::File;

/// Bytes of code before everything is thrown away and begins again.
pub const SIZE: usize = 64 << 20;

/// Code, written by one mapping and executed by the other.
pub struct Memory {
    write: MmapMut,
    execute: Mmap,
    used: usize,
}

impl Memory {
    /// An empty one.
    ///
    /// # Errors
    /// A sentence: the host refuses.
    pub fn new() -> Result<Memory, String> {
        let refused = |e: &dyn std::fmt::Display| format!("no memory for native code: {e}");
        let fd = memfd_create("gdbhv-code", MemfdFlags::CLOEXEC).map_err(|e| refused(&e))?;
        ftruncate(&fd, SIZE as u64).map_err(|e| refused(&e))?;
        let file = File::from(fd);
        let map = || {
            let mut o = MmapOptions::new();
            o.len(SIZE);
            o
        };
        // SAFETY: the file is nobody else's.
        let write = unsafe { map().map_mut(&file) }.map_err(|e| refused(&e))?;
        // SAFETY: as above; its bytes change through `write` alone, and never while they execute.
        let execute = unsafe { map().map_exec(&file) }.map_err(|e| refused(&e))?;
        Ok(Memory {
            write,
            execute,
            used: 0,
        })
    }
    /// Append code; where it begins. None if it does not fit.
    pub fn put(&mut self, code: &[u8]) -> Option<u32> {
        let at = self.used.next_multiple_of(16);
        self.write
            .get_mut(at..at + code.len())?
            .copy_from_slice(code);
        self.used = at + code.len();
        Some(at as u32)
    }
    /// Where the next code would begin.
    pub fn next(&self) -> u32 {
        self.used.next_multiple_of(16) as u32
    }
    /// Let the `jmp rel32` whose displacement is at `at` go to `to`.
    pub fn patch(&mut self, at: u32, to: u32) {
        let rel = to.wrapping_sub(at + 4);
        self.write[at as usize..at as usize + 4].copy_from_slice(&rel.to_le_bytes());
    }
    /// Where code at an offset is executed.
    pub fn address(&self, at: u32) -> *const u8 {
        self.execute[at as usize..].as_ptr()
    }
    /// Forget everything behind the first `used` bytes.
    pub fn truncate(&mut self, used: u32) {
        self.used = used as usize;
    }
}
