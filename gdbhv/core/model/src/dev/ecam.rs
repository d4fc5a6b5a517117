//! The configuration space of a PCIe bus with no functions on it: reads give all ones, writes go nowhere.
//!
//! The board's own tree has no PCIe, but trees made for QEMU's board do, and a kernel that probes the bus must find it empty.

use super::{DevCtx, Device, Unseen};
use crate::bits::ones;
use crate::save::{Save, Unfit};

/// An empty bus.
pub struct Ecam;

impl Save for Ecam {
    fn save(&self, _: &mut Vec<u8>) {}
    fn load(&mut self, _: &mut &[u8]) -> Result<(), Unfit> {
        Ok(())
    }
}

impl Device for Ecam {
    fn name(&self) -> &'static str {
        "pcie-ecam"
    }
    fn read(&mut self, offset: u64, size: u8, ctx: DevCtx) -> Option<u64> {
        self.peek(offset, size, ctx).ok()
    }
    fn peek(&self, _: u64, size: u8, _: DevCtx) -> Result<u64, Unseen> {
        Ok(ones(size as u32 * 8))
    }
    fn write(&mut self, _: u64, _: u8, _: u64, _: DevCtx) -> Option<()> {
        Some(())
    }
}
