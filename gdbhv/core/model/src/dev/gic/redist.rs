//! The Redistributors' frames (GICR): for each CPU RD_base and SGI_base, 64 KiB each.

use super::lpi::Work;
use super::{ids, irq, Gic, PRIVATE};
use crate::dev::regs;

/// Bytes of one CPU's two frames.
pub const STRIDE: u64 = 0x20000;
const SGI_BASE: u64 = 0x10000;
/// End of the banks in SGI_base (only the Distributor has IROUTER).
const BANKS_END: u64 = 0xd00;
/// GICR_ICFGR0: SGIs are edge-triggered, read-only.
const ICFGR0: std::ops::Range<u64> = 0xc00..0xc04;
const PROCESSOR_SLEEP: u32 = 1 << 1;
/// GICR_CTLR.DPG0; DPG1NS is the next bit.
const DPG0: u32 = 24;
/// GICR_CTLR: IR (INVLPIR, INVALLR, SYNCR exist) and CES (EnableLPIs can be cleared), fixed.
const CTLR_FIXED: u32 = 1 << 2 | 1 << 1;

impl Gic {
    /// GICR_TYPER of a CPU: affinity, CommonLPIAff (those of one Aff3, so all, share the LPIs' table), processor number, Last, DPGS, PLPIS.
    /// DirectLPI = 0: LPIs come from the ITS.
    fn redist_typer(&self, cpu: usize) -> u64 {
        let last = cpu + 1 == self.state.pe.len();
        (cpu as u64) << 32 | 1 << 24 | (cpu as u64) << 8 | (last as u64) << 4 | 1 << 5 | 1
    }
    /// Read the Redistributors' frames. None: no CPU has one there.
    pub fn redist_read(&self, offset: u64, size: u8) -> Option<u64> {
        let cpu = (offset / STRIDE) as usize;
        if cpu >= self.state.pe.len() {
            return None;
        }
        let pe = &self.state.pe[cpu];
        let at = offset % STRIDE;
        if at >= SGI_BASE {
            let at = at - SGI_BASE;
            let banked = (at < BANKS_END)
                .then(|| irq::read(at, size, &pe.private, 0))
                .flatten();
            return Some(banked.unwrap_or(0));
        }
        let typer = self.redist_typer(cpu);
        // A redistributor asleep shows its CPU interface as quiescent at once (ChildrenAsleep). It still signals: the wake request
        // that an interrupt then makes is granted at once, as this board has no power controller to ask.
        let waker = pe.waker | pe.waker << 1;
        let lpi = &pe.lpi;
        let spared = (pe.spared[0] as u32) << DPG0 | (pe.spared[1] as u32) << (DPG0 + 1);
        let (prop, pend) = (lpi.propbaser, lpi.read_pendbaser());
        Some(regs::read(at, size, |r| match r {
            0x00 => CTLR_FIXED | spared | lpi.enabled as u32,
            0x04 => ids::IIDR,
            0x08 => typer as u32,
            0x0c => (typer >> 32) as u32,
            0x14 => waker,
            0x70 => prop as u32,
            0x74 => (prop >> 32) as u32,
            0x78 => pend as u32,
            0x7c => (pend >> 32) as u32,
            _ => ids::read(r, ids::REDIST_PART),
        }))
    }
    /// Write the Redistributors' frames. None: no CPU has one there.
    pub fn redist_write(&mut self, offset: u64, size: u8, value: u64) -> Option<()> {
        let cpu = (offset / STRIDE) as usize;
        let pe = self.state.pe.get_mut(cpu)?;
        let at = offset % STRIDE;
        if at >= SGI_BASE {
            let at = at - SGI_BASE;
            if at < BANKS_END {
                let edges = at < ICFGR0.end && at + size as u64 > ICFGR0.start;
                irq::write(at, size, value, &mut pe.private, 0);
                if edges {
                    pe.private[..PRIVATE / 2]
                        .iter_mut()
                        .for_each(|i| i.edge = true);
                }
            }
        } else {
            let (work, lpi, waker) = (&mut self.work, &mut pe.lpi, &mut pe.waker);
            let spared = &mut pe.spared;
            regs::write(at, size, value, |r, v| {
                let low = |old: u64| old & !0xffff_ffff | v as u64;
                let high = |old: u64| old & 0xffff_ffff | (v as u64) << 32;
                match r {
                    0x00 => {
                        *spared = [v >> DPG0 & 1 != 0, v >> (DPG0 + 1) & 1 != 0];
                        let enabled = v & 1 != 0;
                        if enabled != lpi.enabled {
                            lpi.enabled = enabled;
                            work.push(match enabled {
                                true => Work::Enable(cpu),
                                false => Work::Disable(cpu),
                            });
                        }
                    }
                    0x14 => *waker = v & PROCESSOR_SLEEP,
                    0x70 => lpi.set_propbaser(low(lpi.propbaser)),
                    0x74 => lpi.set_propbaser(high(lpi.propbaser)),
                    0x78 => lpi.set_pendbaser(low(lpi.pendbaser)),
                    0x7c => lpi.set_pendbaser(high(lpi.pendbaser)),
                    // Without LPIs enabled they do nothing; nor does SYNCR (0xc0), as all is done at once.
                    0xa0 if lpi.enabled => work.push(Work::Invalidate(v)),
                    0xb0 if lpi.enabled => work.push(Work::InvalidateAll),
                    _ => {}
                }
            });
        }
        self.touch(cpu);
        Some(())
    }
}
