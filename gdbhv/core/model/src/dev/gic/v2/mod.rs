//! GICv2 (IHI 0048) as an option of the board: the same interrupts, priorities and list registers behind the older register files.
//!
//! | frame | what |
//! | --- | --- |
//! | `dist.rs` GICD | as GICv3's without affinity routing: private interrupts banked by the CPU that asks, targets as a mask, SGIs by source |
//! | `cpu.rs` GICC, GICV | the physical and the virtual CPU interface, in memory instead of ICC_* |
//! | `hyp.rs` GICH | the list registers, in memory instead of ICH_* |
//! | `msi.rs` V2M | GICv2m: a write is a message that makes an SPI pending |
//!
//! One Security state, both groups: an interrupt of group 0 is signalled as IRQ unless CTLR.FIQEn says FIQ. Up to 8 CPUs, 5 bits of priority.

mod cpu;
mod dist;
mod hyp;
mod msi;
#[cfg(test)]
mod tests;

use super::Gic;
use crate::bits::ones;
use crate::dev::Unseen;

/// The frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Distributor.
    Gicd,
    /// CPU interface.
    Gicc,
    /// Virtual interface control.
    Gich,
    /// Virtual CPU interface.
    Gicv,
    /// Messages.
    V2m,
}

/// IIDR of the CPU interfaces: GICv2 by Arm, of no product, as on QEMU's board.
const IIDR: u32 = 0x0002_043b;

impl Gic {
    /// Read `size` bytes at `offset` of a frame as `cpu` does. Reserved registers read as zero.
    pub fn v2_read(&mut self, frame: Frame, cpu: usize, offset: u64, size: u8) -> u64 {
        if size == 8 {
            let low = self.v2_read(frame, cpu, offset, 4);
            return low | self.v2_read(frame, cpu, offset + 4, 4) << 32;
        }
        if frame == Frame::Gicd {
            return self.v2_dist_read(cpu, offset, size);
        }
        let at = offset & !3;
        let v = match frame {
            Frame::Gich => self.gich_read(cpu, at),
            Frame::Gicv => self.gicv_read(cpu, at),
            Frame::V2m => msi::read(at),
            _ => self.gicc_read(cpu, at),
        };
        (v as u64) >> (offset % 4 * 8) & ones(size as u32 * 8)
    }
    /// The same for a debugger.
    pub fn v2_peek(
        &mut self,
        frame: Frame,
        cpu: usize,
        offset: u64,
        size: u8,
    ) -> Result<u64, Unseen> {
        const ACKNOWLEDGES: &str = "acknowledges the interrupt";
        let effect = match (frame, offset & !if size == 8 { 7 } else { 3 }) {
            (Frame::Gicc, cpu::IAR) => Some("GICC_IAR"),
            (Frame::Gicc, cpu::AIAR) => Some("GICC_AIAR"),
            (Frame::Gicv, cpu::IAR) => Some("GICV_IAR"),
            (Frame::Gicv, cpu::AIAR) => Some("GICV_AIAR"),
            _ => None,
        };
        match effect {
            Some(name) => Err(Unseen::Effect(name, ACKNOWLEDGES)),
            None => Ok(self.v2_read(frame, cpu, offset, size)),
        }
    }
    /// Write a frame as `cpu` does. Registers of the CPU interfaces are words: narrower writes are ignored (IHI 0048, 4.1.4).
    pub fn v2_write(&mut self, frame: Frame, cpu: usize, offset: u64, size: u8, value: u64) {
        if size == 8 {
            self.v2_write(frame, cpu, offset, 4, value & 0xffff_ffff);
            return self.v2_write(frame, cpu, offset + 4, 4, value >> 32);
        }
        let v = value as u32;
        match frame {
            Frame::Gicd => self.v2_dist_write(cpu, offset, size, value & ones(size as u32 * 8)),
            _ if size < 4 => {}
            Frame::Gich => self.gich_write(cpu, offset, v),
            Frame::Gicv => self.gicv_write(cpu, offset, v),
            Frame::V2m => self.v2m_write(offset, v),
            Frame::Gicc => self.gicc_write(cpu, offset, v),
        }
    }
}
