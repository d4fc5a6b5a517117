//! GICv2m, the frame of message-signalled interrupts beside a GICv2 (Arm Server Base System Architecture, DEN 0029, "GICv2m
//! Architecture"): a write of an SPI's INTID makes it pending. The same SPIs as on QEMU's board.

use super::Gic;

/// First INTID.
pub const FIRST: u32 = 80;
/// How many.
pub const COUNT: u32 = 64;

const MSI_TYPER: u64 = 0x008;
const MSI_SETSPI_NS: u64 = 0x040;
const MSI_IIDR: u64 = 0xfcc;

/// Read the register at `at`.
pub fn read(at: u64) -> u32 {
    match at {
        MSI_TYPER => FIRST << 16 | COUNT,
        MSI_IIDR => 0x51 << 20, // no implementer, and QEMU's product
        _ => 0,
    }
}

impl Gic {
    /// Write a register: a message, or nothing.
    pub(super) fn v2m_write(&mut self, at: u64, v: u32) {
        if at == MSI_SETSPI_NS && (FIRST..FIRST + COUNT).contains(&v) {
            self.set_level(v, None, true);
            self.set_level(v, None, false);
        }
    }
}
