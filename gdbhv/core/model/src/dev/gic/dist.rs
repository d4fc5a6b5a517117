//! The Distributor's frame (GICD): 64 KiB, one Security state, affinity routing always on.

use super::{ids, irq, Gic, PRIVATE};
use crate::dev::regs;

/// GICD_CTLR: ARE and DS, fixed.
const CTLR_FIXED: u32 = 1 << 4 | 1 << 6;
/// GICD_CTLR: EnableGrp0, EnableGrp1, E1NWF.
const CTLR_MASK: u32 = 1 | 1 << 1 | E1NWF;
/// An interrupt for any PE may wake one that sleeps.
pub const E1NWF: u32 = 1 << 7;
/// GICD_TYPER: 288 INTIDs (ITLinesNumber = 8), LPIs, 16 ID bits, A3V. No message-based SPIs, no extended range.
const TYPER: u32 = 0x017a_0008;

impl Gic {
    /// Read the Distributor's frame. Reserved registers read as zero.
    pub fn dist_read(&self, offset: u64, size: u8) -> u64 {
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
    /// Write the Distributor's frame. Reserved and read-only registers ignore it.
    pub fn dist_write(&mut self, offset: u64, size: u8, value: u64) {
        if irq::write(offset, size, value, &mut self.state.spi, PRIVATE).is_none() {
            regs::write(offset, size, value, |r, v| {
                if r == 0 {
                    self.state.ctlr = v & CTLR_MASK;
                }
            });
        }
        self.one_of_n = self.state.spi.iter().any(|i| i.route & irq::ANY != 0);
        self.touch_all();
    }
}
