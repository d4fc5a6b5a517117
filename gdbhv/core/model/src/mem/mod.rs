//! Memory as devices and CPUs see it.

mod digest;
mod history;
pub mod ram;
pub mod size;

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
}
