//! The Distributor's frame (GICD): 64 KiB, one Security state, affinity routing always on.

use super::{ids, irq, Gic, PRIVATE};
use crate::dev::regs;

/// GICD_CTLR: ARE and DS, fixed.
const CTLR_FIXED: u32 = 1 << 4 | 1 << 6;
/// GICD_CTLR: EnableGrp0, EnableGrp1. (E1NWF is about 1 of N routing, which TYPER.No1N denies.)
const CTLR_MASK: u32 = 1 | 1 << 1;
/// GICD_TYPER: 256 INTIDs (ITLinesNumber = 7), LPIs, 16 ID bits, A3V, No1N. No message-based SPIs, no extended range.
const TYPER: u32 = 0x037a_0007;

impl Gic {
    /// Read the Distributor's frame. What is reserved reads as zero.
    pub fn dist_read(&mut self, offset: u64, size: u8) -> u64 {
        if let Some(v) = irq::read(offset, size, &self.state.spi, PRIVATE) {
            return v;
        }
        regs::read(offset, size, |r| match r {
            0x00 => CTLR_FIXED | self.state.ctlr,
            0x04 => TYPER,
            0x08 => ids::IIDR,
            _ => ids::read(r, ids::DIST_PART),
        })
    }
    /// Write the Distributor's frame. What is reserved or read-only ignores it.
    pub fn dist_write(&mut self, offset: u64, size: u8, value: u64) {
        if irq::write(offset, size, value, &mut self.state.spi, PRIVATE).is_none() {
            regs::write(offset, size, value, |r, v| {
                if r == 0 {
                    self.state.ctlr = v & CTLR_MASK;
                }
            });
        }
        self.touch_all();
    }
}
