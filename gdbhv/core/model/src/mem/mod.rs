//! Memory as devices and CPUs see it.

mod digest;
pub mod disk;
mod history;
pub mod image;
pub mod ram;
pub mod size;
pub mod tables;

/// Memory as a device reaches it. None: no memory there.
pub trait Memory {
    /// 1 to 8 bytes, little endian.
    fn read(&self, pa: u64, bytes: u64) -> Option<u64>;
    /// 1 to 8 bytes, little endian.
    fn write(&mut self, pa: u64, bytes: u64, v: u64) -> Option<()>;
    /// Any number of bytes.
    fn read_bytes(&self, pa: u64, to: &mut [u8]) -> Option<()>;
    /// Any number of bytes. What lies before one that is refused may be written.
    fn write_bytes(&mut self, pa: u64, from: &[u8]) -> Option<()>;
    /// The cells of its flash, for the flash's device.
    fn cells(&mut self) -> Option<&mut dyn Cells> {
        None
    }
    /// The disk of this number, for its device.
    fn disk(&mut self, _number: u8) -> Option<&mut disk::Disk> {
        None
    }
}

/// The cells of two banks of flash; addresses are from the start of the first.
pub trait Cells {
    /// Let loads see the cells of a bank, or its device.
    fn show(&mut self, bank: usize, shown: bool);
    /// Program: clear the bits that are 0 in `bytes`.
    fn clear_bits(&mut self, at: u64, bytes: &[u8]);
    /// Erase: set all bits of `len` bytes.
    fn set_bits(&mut self, at: u64, len: u64);
}
