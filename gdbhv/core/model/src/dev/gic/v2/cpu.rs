//! The CPU interfaces of GICv2: GICC (IHI 0048, 4.4) and, for a guest, GICV (5.4). The registers are the same; interrupts come from the
//! Distributor or from list registers.

use super::super::cpuif::{Interface, SPURIOUS};
use super::super::irq::PRIORITY;
use super::super::{Gic, Pending};
use super::IIDR;

/// The highest pending interrupt is of group 1 and to be read by the aliased registers, as CTLR.AckCtl is 0.
const OTHER_GROUP: u32 = 1022;
pub(super) const IAR: u64 = 0x0c;
const EOIR: u64 = 0x10;
const HPPIR: u64 = 0x18;
pub(super) const AIAR: u64 = 0x20;
const AEOIR: u64 = 0x24;
const AHPPIR: u64 = 0x28;
const DIR: u64 = 0x1000;

/// INTID and source CPU of an IAR value.
const INTID: u32 = 0x3ff;
const ID: u32 = 0x1fff;

impl Interface {
    /// GICC_CTLR, GICV_CTLR: EnableGrp0, EnableGrp1, AckCtl, FIQEn, CBPR, EOImode. The bypass bits are RAZ/WI.
    fn ctlr(&self) -> u32 {
        self.enabled[0] as u32
            | (self.enabled[1] as u32) << 1
            | (self.ack_ctl as u32) << 2
            | (self.fiq_en as u32) << 3
            | (self.cbpr as u32) << 4
            | (self.eoi_mode as u32) << 9
    }
    fn set_ctlr(&mut self, v: u32) {
        let bit = |n: u32| v >> n & 1 != 0;
        self.enabled = [bit(0), bit(1)];
        self.ack_ctl = bit(2);
        self.fiq_en = bit(3);
        self.cbpr = bit(4);
        self.eoi_mode = bit(9);
    }
    /// One of the registers that need no interrupt source.
    fn v2_read(&self, at: u64) -> u32 {
        match at {
            0x00 => self.ctlr(),
            0x04 => self.pmr as u32,
            0x08 => self.bpr[0] as u32,
            0x14 => self.running() as u32,
            0x1c => self.bpr[1] as u32,
            0xfc => IIDR,
            _ => 0,
        }
    }
    fn v2_write(&mut self, at: u64, v: u32) {
        match at {
            0x00 => self.set_ctlr(v),
            0x04 => self.pmr = v as u8 & PRIORITY,
            0x08 => self.set_bpr(false, v as u8),
            0x1c => self.set_bpr(true, v as u8),
            _ => {}
        }
    }
    /// Whether a read of IAR or HPPIR (`alias`: AIAR or AHPPIR) returns `p`, and not the special INTID (4.4.4, 4.4.11).
    fn told(&self, p: Option<Pending>, alias: bool) -> Result<Pending, u32> {
        match p {
            None => Err(SPURIOUS),
            Some(p) if alias && !p.group1 => Err(SPURIOUS),
            Some(p) if !alias && p.group1 && !self.ack_ctl => Err(OTHER_GROUP),
            Some(p) => Ok(p),
        }
    }
}

impl Gic {
    pub(super) fn gicc_read(&mut self, cpu: usize, at: u64) -> u32 {
        let alias = matches!(at, AIAR | AHPPIR);
        match at {
            IAR | AIAR => {
                let p = self.signalled(cpu);
                match self.state.pe[cpu].icc.told(p, alias) {
                    Ok(p) => self.v2_acknowledge(cpu, &p),
                    Err(special) => special,
                }
            }
            HPPIR | AHPPIR => {
                let p = self.best(cpu);
                let told = self.state.pe[cpu].icc.told(p, alias);
                told.map_or_else(|special| special, |p| self.v2_id(cpu, p.intid))
            }
            0xd0 => self.state.pe[cpu].icc.apr[0],
            0xe0 => self.state.pe[cpu].icc.apr[1],
            _ => self.state.pe[cpu].icc.v2_read(at),
        }
    }
    pub(super) fn gicc_write(&mut self, cpu: usize, at: u64, v: u32) {
        let icc = &mut self.state.pe[cpu].icc;
        match at {
            EOIR | AEOIR if v & INTID < 1020 => {
                // AEOIR ends interrupts of group 1 only; else UNPREDICTABLE, ignored here.
                if icc.active_group1().is_some_and(|g1| g1 || at == EOIR) {
                    icc.drop_priority();
                    if !icc.eoi_mode {
                        self.deactivate(cpu, v & INTID);
                    }
                }
            }
            DIR if icc.eoi_mode && v & INTID < 1020 => self.deactivate(cpu, v & INTID),
            0xd0 => icc.apr[0] = v,
            0xe0 => icc.apr[1] = v,
            _ => icc.v2_write(at, v),
        }
        self.touch(cpu);
    }
    /// An INTID as in IAR: an SGI with its source, the lowest CPU that has it pending.
    fn v2_id(&self, cpu: usize, intid: u32) -> u32 {
        match self.state.pe[cpu].sources.get(intid as usize) {
            Some(&sources) if sources != 0 => intid | sources.trailing_zeros() << 10,
            _ => intid,
        }
    }
    fn v2_acknowledge(&mut self, cpu: usize, p: &Pending) -> u32 {
        let id = self.v2_id(cpu, p.intid);
        self.state.pe[cpu].icc.activate(p);
        if let Some(i) = self.irq_mut(cpu, p.intid) {
            i.acknowledge();
        }
        if let Some(sources) = self.state.pe[cpu].sources.get_mut(p.intid as usize) {
            *sources &= !(1 << (id >> 10));
            self.settle_sgis();
        }
        id
    }

    pub(super) fn gicv_read(&mut self, cpu: usize, at: u64) -> u32 {
        let alias = matches!(at, AIAR | AHPPIR);
        let h = &mut self.state.pe[cpu].hyp;
        match at {
            IAR | AIAR => {
                let signalled = h.signalled();
                let id = match h.icv.told(signalled.map(|(_, p)| p), alias) {
                    Ok(p) => {
                        let n = signalled.expect("told of").0;
                        h.take(n, &p);
                        h.v2_id(n)
                    }
                    Err(special) => special,
                };
                self.touch_hyp(cpu, true);
                id
            }
            HPPIR | AHPPIR => {
                let best = h.best();
                let told = h.icv.told(best.map(|(_, p)| p), alias);
                told.map_or_else(|special| special, |_| h.v2_id(best.expect("told of").0))
            }
            0xd0 => h.icv.apr[0] | h.icv.apr[1],
            _ => h.icv.v2_read(at),
        }
    }
    pub(super) fn gicv_write(&mut self, cpu: usize, at: u64, v: u32) {
        let h = &mut self.state.pe[cpu].hyp;
        let mut physical = None;
        match at {
            EOIR | AEOIR if v & INTID < 1020 => {
                if h.icv.active_group1().is_some_and(|g1| g1 || at == EOIR) {
                    h.icv.drop_priority();
                    if !h.icv.eoi_mode {
                        physical = h.v2_deactivate(v & ID);
                    }
                }
            }
            DIR if h.icv.eoi_mode && v & INTID < 1020 => physical = h.v2_deactivate(v & ID),
            0xd0 => h.icv.apr = [0, v],
            _ => h.icv.v2_write(at, v),
        }
        self.touch_hyp(cpu, true);
        if let Some(intid) = physical {
            self.deactivate(cpu, intid);
        }
    }
}
