//! The map by which Linux's `perf` finds names for native code: `/tmp/perf-PID.map`, a line for each piece of code
//! (tools/perf/Documentation/jit-interface.txt).

use std::fs::File;
use std::io::{LineWriter, Write};
use std::path::Path;

/// The map of one process, and the guest's symbols.
pub struct Map {
    to: LineWriter<File>,
    /// Symbols, sorted by address.
    symbols: Vec<(u64, String)>,
}

/// Largest offset of an address from the symbol that it is named after.
const REACH: u64 = 1 << 20;

impl Map {
    /// Create the map's file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path, mut symbols: Vec<(u64, String)>) -> std::io::Result<Map> {
        symbols.sort();
        let to = LineWriter::new(File::create(path)?);
        Ok(Map { to, symbols })
    }
    /// Add a line: `bytes` of code at `native` are the guest's code at VA `va`. Write errors are ignored; the map just ends there.
    pub fn add(&mut self, native: *const u8, bytes: usize, va: u64) {
        let name = self.name(va);
        let _ = writeln!(self.to, "{:x} {bytes:x} {name}", native as usize);
    }
    /// The last symbol at or before `va` and the offset from it; or the address if there is none.
    fn name(&self, va: u64) -> String {
        let n = self.symbols.partition_point(|s| s.0 <= va);
        match n.checked_sub(1).map(|n| &self.symbols[n]) {
            Some((at, name)) if *at == va => name.clone(),
            Some((at, name)) if va - at < REACH => format!("{name}+{:#x}", va - at),
            _ => format!("guest {va:#x}"),
        }
    }
}
