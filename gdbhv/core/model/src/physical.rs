//! Physical memory as PEs see it: RAM, devices behind the bus, descriptors for the walker.

use crate::mem::disk::Disk;
use crate::mem::ram::Ram;
use crate::mem::{Cells, Memory};
use crate::mmu::walk::{LastTable, Leaf, TableKey, Tables};
use crate::mmu::walk_cache::WalkCache;
use crate::platform::Platform;

/// The walker's view of RAM and flash for one PE. A walk to anywhere else is an external abort.
pub struct Descriptors<'a> {
    ram: &'a mut Ram,
    leave: &'a mut bool,
    walks: &'a mut WalkCache,
}

impl Tables for Descriptors<'_> {
    #[inline]
    fn read(&mut self, pa: u64) -> Option<u64> {
        let bytes = self.ram.get(pa, 8)?;
        Some(u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
    }
    fn update(&mut self, pa: u64, desc: u64) {
        // In RAM: flash takes no such write, and stays as it is.
        let _ = self.ram.write(pa, 8, desc);
        *self.leave |= self.ram.to_follow();
    }
    #[inline]
    fn known(&self, vmid: u16, ipa: u64, table: bool) -> Option<Leaf> {
        self.walks.get(vmid, ipa, table)
    }
    #[inline]
    fn last_table(&self, key: &TableKey) -> Option<LastTable> {
        self.walks.table(key)
    }
    #[inline]
    fn learn_table(&mut self, key: &TableKey, table: &LastTable) {
        self.walks.put_table(key, table);
    }
    #[inline]
    fn learn(&mut self, vmid: u16, ipa: u64, table: bool, leaf: &Leaf) {
        self.walks.put(vmid, ipa, table, leaf);
    }
}

/// A debugger's view of descriptors: nothing is ever written.
pub struct ReadOnly<'a>(pub &'a Ram);

impl Tables for ReadOnly<'_> {
    fn read(&mut self, pa: u64) -> Option<u64> {
        self.0.read(pa, 8)
    }
    fn update(&mut self, _: u64, _: u64) {}
}

impl Platform {
    /// Descriptors for a walk on behalf of the guest; `walks` is its PE's.
    pub fn tables<'a>(&'a mut self, walks: &'a mut WalkCache) -> Descriptors<'a> {
        Descriptors {
            ram: &mut self.ram,
            leave: &mut self.leave,
            walks,
        }
    }
}

impl Memory for Ram {
    fn read(&self, pa: u64, bytes: u64) -> Option<u64> {
        Ram::read(self, pa, bytes)
    }
    fn write(&mut self, pa: u64, bytes: u64, v: u64) -> Option<()> {
        Ram::write(self, pa, bytes, v)
    }
    fn read_bytes(&self, pa: u64, to: &mut [u8]) -> Option<()> {
        to.copy_from_slice(self.get(pa, to.len() as u64)?);
        Some(())
    }
    fn write_bytes(&mut self, pa: u64, from: &[u8]) -> Option<()> {
        self.get_mut(pa, from.len() as u64)?.copy_from_slice(from);
        Some(())
    }
    fn cells(&mut self) -> Option<&mut dyn Cells> {
        self.has_flash().then_some(self)
    }
    fn disk(&mut self, number: u8) -> Option<&mut Disk> {
        self.disks.get_mut(&number)
    }
}

impl Cells for Ram {
    fn show(&mut self, bank: usize, shown: bool) {
        Ram::show(self, bank, shown);
    }
    fn clear_bits(&mut self, at: u64, bytes: &[u8]) {
        self.program(at, bytes.len() as u64, |cells| {
            cells.iter_mut().zip(bytes).for_each(|(c, b)| *c &= b);
        });
    }
    fn set_bits(&mut self, at: u64, len: u64) {
        self.program(at, len, |cells| cells.fill(0xff));
    }
}
