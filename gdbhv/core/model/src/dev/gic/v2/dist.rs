//! The Distributor of GICv2 (GICD; IHI 0048, 4.3).

use super::super::{ids, irq, Gic, INTIDS, PRIVATE};

/// GICD_CTLR: EnableGrp0, EnableGrp1.
const CTLR_MASK: u32 = 3;
const ITARGETSR: std::ops::Range<u64> = 0x800..0xc00;
const SGIR: u64 = 0xf00;
const CPENDSGIR: std::ops::Range<u64> = 0xf10..0xf20;
const SPENDSGIR: std::ops::Range<u64> = 0xf20..0xf30;
/// End of the arrays that GICv3 has at the same offsets.
const BANKS_END: u64 = 0xd00;
/// PIDR4 to PIDR7, PIDR0 to PIDR3 (PIDR2.ArchRev = 2), CIDR0 to CIDR3, from 0xfd0.
const IDS: [u8; 12] = [4, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 5, 0xb1];
/// SGIs.
const SGIS: usize = 16;

impl Gic {
    pub(super) fn v2_dist_read(&mut self, cpu: usize, offset: u64, size: u8) -> u64 {
        let bytes = |f: &dyn Fn(u64) -> u8| {
            (0..size as u64).fold(0, |v, n| v | (f(offset + n) as u64) << (8 * n))
        };
        if ITARGETSR.contains(&offset) {
            return bytes(&|at| self.targets(cpu, (at - ITARGETSR.start) as usize));
        }
        if (CPENDSGIR.start..SPENDSGIR.end).contains(&offset) {
            return bytes(&|at| self.state.pe[cpu].sources[at as usize % SGIS]);
        }
        if offset < BANKS_END {
            let pe = &self.state.pe[cpu];
            let private = irq::read(offset, size, &pe.private, 0);
            let shared = irq::read(offset, size, &self.state.spi, PRIVATE);
            if let (Some(a), Some(b)) = (private, shared) {
                return a | b;
            }
        }
        let v = match offset & !3 {
            0x00 => self.state.ctlr,
            // ITLinesNumber, CPUNumber.
            0x04 => (INTIDS as u32 / 32 - 1) | (self.cpus() as u32 - 1) << 5,
            0x08 => ids::IIDR,
            at @ 0xfd0..=0xfff => IDS[(at - 0xfd0) as usize / 4] as u32,
            _ => 0,
        };
        (v as u64) >> (offset % 4 * 8) & crate::bits::ones(size as u32 * 8)
    }

    pub(super) fn v2_dist_write(&mut self, cpu: usize, offset: u64, size: u8, value: u64) {
        let byte = |n: u64| (value >> (8 * n)) as u8;
        if ITARGETSR.contains(&offset) {
            let there = (1u16 << self.cpus()) as u8;
            let there = there.wrapping_sub(1);
            for n in 0..size as u64 {
                let intid = (offset + n - ITARGETSR.start) as usize;
                let spi = intid.checked_sub(PRIVATE);
                if let Some(i) = spi.and_then(|n| self.state.spi.get_mut(n)) {
                    i.route = (byte(n) & there) as u64;
                }
            }
        } else if CPENDSGIR.contains(&offset) || SPENDSGIR.contains(&offset) {
            let there = ((1u16 << self.cpus()) - 1) as u8;
            for n in 0..size as u64 {
                let sources = &mut self.state.pe[cpu].sources[(offset + n) as usize % SGIS];
                if SPENDSGIR.contains(&offset) {
                    *sources |= byte(n) & there;
                } else {
                    *sources &= !byte(n);
                }
            }
        } else if offset < BANKS_END {
            irq::write(offset, size, value, &mut self.state.pe[cpu].private, 0);
            irq::write(offset, size, value, &mut self.state.spi, PRIVATE);
        } else if offset == SGIR && size == 4 {
            self.v2_send_sgi(cpu, value as u32);
        }
        if offset == 0 {
            self.state.ctlr = value as u32 & CTLR_MASK;
        }
        self.settle_sgis();
        self.touch_all();
    }

    /// GICD_ITARGETSR of an INTID: private interrupts have the CPU that asks. With one CPU all are RAZ/WI (4.3.12).
    fn targets(&self, cpu: usize, intid: usize) -> u8 {
        match intid.checked_sub(PRIVATE) {
            _ if self.cpus() == 1 => 0,
            None => 1 << cpu,
            Some(n) => self.state.spi.get(n).map_or(0, |i| i.route as u8),
        }
    }

    /// GICD_SGIR (4.3.15): to a list of CPUs, to all others, or to the one that asks. NSATT is reserved with one Security state.
    fn v2_send_sgi(&mut self, cpu: usize, v: u32) {
        let targets = match v >> 24 & 3 {
            0 => v >> 16 & 0xff,
            1 => !(1 << cpu),
            2 => 1 << cpu,
            _ => 0,
        };
        for (n, pe) in self.state.pe.iter_mut().enumerate() {
            if targets >> n & 1 != 0 {
                pe.sources[v as usize & 15] |= 1 << cpu;
            }
        }
    }

    /// SGIs are always enabled and edge-triggered (RAO/WI, as in a GIC-400), and pending while some source has them pending.
    pub(super) fn settle_sgis(&mut self) {
        for pe in &mut self.state.pe {
            for (i, &sources) in pe.private[..SGIS].iter_mut().zip(&pe.sources) {
                i.enabled = true;
                i.edge = true;
                i.latch = sources != 0;
            }
        }
    }
}
