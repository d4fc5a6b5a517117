//! The map by which Linux's `perf` finds names for native code: `/tmp/perf-PID.map`, a line for each piece of code
//! (tools/perf/Documentation/jit-interface.txt).

use std::fs::File;
use std::io::{LineWriter, Write};
use std::path::Path;

/// The map of one process, and the guest's symbols.
pub struct Map {
    to: LineWriter<File>,
    /// By address.
    symbols: Vec<(u64, String)>,
}

/// Furthest that an address may be behind the symbol that it is told by.
const REACH: u64 = 1 << 20;

impl Map {
    /// Begin a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path, mut symbols: Vec<(u64, String)>) -> std::io::Result<Map> {
        symbols.sort();
        let to = LineWriter::new(File::create(path)?);
        Ok(Map { to, symbols })
    }
    /// `bytes` of code at `native` are the guest's code at VA `va`. An error is for the user of `perf` to see: the map ends there.
    pub fn add(&mut self, native: *const u8, bytes: usize, va: u64) {
        let name = self.name(va);
        let _ = writeln!(self.to, "{:x} {bytes:x} {name}", native as usize);
    }
    /// The last symbol at or before `va`, and how far behind it; or the address.
    fn name(&self, va: u64) -> String {
        let n = self.symbols.partition_point(|s| s.0 <= va);
        match n.checked_sub(1).map(|n| &self.symbols[n]) {
            Some((at, name)) if *at == va => name.clone(),
            Some((at, name)) if va - at < REACH => format!("{name}+{:#x}", va - at),
            _ => format!("guest {va:#x}"),
        }
    }
}
