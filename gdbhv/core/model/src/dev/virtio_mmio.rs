//! The 32 virtio-mmio transports of the board, without devices: DeviceID 0 tells a driver to ignore the slot (Virtual I/O Device
//! (VIRTIO) 1.2, 4.2.2 "MMIO Device Register Layout"). Version and vendor are those of QEMU's board: the legacy interface (4.2.4).

use super::{DevCtx, Device, Unseen};
use crate::dev::regs;
use crate::save::{Save, Unfit};

/// Bytes of one slot.
pub const SLOT: u64 = 0x200;
/// MagicValue, "virt".
const MAGIC: u32 = 0x7472_6976;
/// VendorID, "QEMU".
const VENDOR: u32 = 0x554d_4551;

/// All slots.
pub struct VirtioMmio;

impl Save for VirtioMmio {
    fn save(&self, _: &mut Vec<u8>) {}
    fn load(&mut self, _: &mut &[u8]) -> Result<(), Unfit> {
        Ok(())
    }
}

impl Device for VirtioMmio {
    fn name(&self) -> &'static str {
        "virtio-mmio"
    }
    fn read(&mut self, offset: u64, size: u8, ctx: DevCtx) -> Option<u64> {
        self.peek(offset, size, ctx).ok()
    }
    fn peek(&self, offset: u64, size: u8, _: DevCtx) -> Result<u64, Unseen> {
        Ok(regs::read(offset, size, |r| match r % SLOT {
            0x000 => MAGIC,
            0x004 => 1, // Version
            0x00c => VENDOR,
            _ => 0,
        }))
    }
    fn write(&mut self, _: u64, _: u8, _: u64, _: DevCtx) -> Option<()> {
        Some(())
    }
}
