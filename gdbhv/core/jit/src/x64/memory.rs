//! Memory for code: one piece, mapped twice, so that no page can be both written and executed (W^X).

use rustix::mm::{mmap_anonymous, mprotect, mremap, munmap};
use rustix::mm::{MapFlags, MprotectFlags, MremapFlags, ProtFlags};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Bytes of code before everything is thrown away and begins again.
pub const SIZE: usize = 64 << 20;

/// One of the two mappings.
struct Mapping(*mut c_void);

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it is ours, and nobody has a pointer into it any longer.
        let _ = unsafe { munmap(self.0, SIZE) };
    }
}

/// Code, written by one mapping and executed by the other.
pub struct Memory {
    write: Mapping,
    execute: Mapping,
    used: usize,
}

impl Memory {
    /// An empty one. It is anonymous memory, shared by the two mappings, since of such memory `perf` looks for a map ([`gdbhv_model::exec::perf`]).
    ///
    /// # Errors
    /// A sentence: the host refuses.
    pub fn new() -> Result<Memory, String> {
        let refused = |e: rustix::io::Errno| format!("no memory for native code: {e}");
        let readable = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, wherever the kernel puts it.
        let write = unsafe { mmap_anonymous(null_mut(), SIZE, readable, MapFlags::SHARED) };
        let write = Mapping(write.map_err(refused)?);
        // SAFETY: an old size of 0 makes one more mapping of a shared one (mremap(2)).
        let execute = unsafe { mremap(write.0, 0, SIZE, MremapFlags::MAYMOVE) };
        let execute = Mapping(execute.map_err(refused)?);
        // SAFETY: nobody has a reference into it yet.
        unsafe { mprotect(execute.0, SIZE, MprotectFlags::READ | MprotectFlags::EXEC) }
            .map_err(refused)?;
        Ok(Memory {
            write,
            execute,
            used: 0,
        })
    }
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: mapped as long as `self` lives, and written by nobody else; what executes there does not while it is written.
        unsafe { from_raw_parts_mut(self.write.0.cast(), SIZE) }
    }
    /// Append code; where it begins. None if it does not fit.
    pub fn put(&mut self, code: &[u8]) -> Option<u32> {
        let at = self.used.next_multiple_of(16);
        self.bytes()
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
        self.bytes()[at as usize..at as usize + 4].copy_from_slice(&rel.to_le_bytes());
    }
    /// Where code at an offset is executed.
    pub fn address(&self, at: u32) -> *const u8 {
        // SAFETY: as of `bytes`.
        let code: &[u8] = unsafe { from_raw_parts(self.execute.0.cast(), SIZE) };
        code[at as usize..].as_ptr()
    }
    /// Forget everything behind the first `used` bytes.
    pub fn truncate(&mut self, used: u32) {
        self.used = used as usize;
    }
}
