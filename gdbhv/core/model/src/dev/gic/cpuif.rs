//! The CPU interface: priorities, preemption, acknowledge and end of interrupt.
//!
//! [`Interface`] is what a physical interface (ICC_*) and a virtual one (ICV_*, which the hypervisor sees packed in ICH_VMCR_EL2 and
//! ICH_AP*R0_EL2) have in common; they differ in where interrupts come from: the Redistributor, or list registers (`hyp.rs`).

use super::irq::PRIORITY;
use super::lpi;
use super::Gic;
use super::Pending;
use super::PES;
use super::PRIVATE;
use crate::reg::names::*;
use crate::reg::Reg;
use borsh::{BorshDeserialize, BorshSerialize};

/// INTID read when there is nothing to acknowledge.
pub const SPURIOUS: u32 = 1023;
/// INTIDs from here to 1023 are special: EOIR and DIR ignore them.
const SPECIAL: u32 = 1020;
/// Lowest values of BPR0 and BPR1 with 5 bits of preemption (IHI 0069, 4.8.2).
pub const MIN_BPR: [u8; 2] = [2, 3];
/// ICC_CTLR_EL1 and ICV_CTLR_EL1: PRIbits = 4 (5 bits), IDbits = 1 (24 bits), A3V.
const CTLR_FIXED: u64 = 4 << 8 | 1 << 11 | 1 << 15;

/// Registers that a physical and a virtual CPU interface both have.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Only interrupts of higher priority (lower value) are signalled.
    pub pmr: u8,
    /// Binary points of group 0 and 1.
    pub bpr: [u8; 2],
    /// Active priorities of group 0 and 1, one bit for each group priority.
    pub apr: [u32; 2],
    /// CTLR.CBPR: BPR0 serves both groups.
    pub cbpr: bool,
    /// CTLR.EOImode: EOIR only drops the priority, DIR deactivates.
    pub eoi_mode: bool,
    /// IGRPEN0 and 1.
    pub enabled: [bool; 2],
    /// Group 0 is signalled as FIQ: always, but for GICv2's CTLR.FIQEn.
    pub fiq_en: bool,
    /// GICv2's CTLR.AckCtl: IAR acknowledges group 1 too.
    pub ack_ctl: bool,
}

impl Default for Interface {
    fn default() -> Interface {
        Interface {
            pmr: 0,
            bpr: MIN_BPR,
            apr: [0; 2],
            cbpr: false,
            eoi_mode: false,
            enabled: [false; 2],
            fiq_en: true,
            ack_ctl: false,
        }
    }
}

impl Interface {
    /// Bits of a priority that take part in preemption (the group priority).
    fn mask(&self, group1: bool) -> u8 {
        let from = if group1 && !self.cbpr {
            self.bpr[1] as u32
        } else {
            self.bpr[0] as u32 + 1
        };
        (0xffu32 << from) as u8
    }
    /// Priority of the highest active interrupt, 0xff if none (RPR).
    pub fn running(&self) -> u8 {
        match self.apr[0] | self.apr[1] {
            0 => 0xff,
            apr => (apr.trailing_zeros() << 3) as u8,
        }
    }
    /// Whether `p` is signalled to the PE now (4.8.6): its priority is higher than the mask, and its group priority higher than
    /// that of the running priority, both cut by the binary point of `p`.
    pub fn signals(&self, p: &Pending) -> bool {
        let mask = self.mask(p.group1);
        self.enabled[p.group1 as usize]
            && p.priority < self.pmr
            && (self.apr == [0, 0] || p.priority & mask < self.running() & mask)
    }
    /// Note the priority of an interrupt that is acknowledged.
    pub fn activate(&mut self, p: &Pending) {
        let level = (p.priority & self.mask(p.group1) & PRIORITY) >> 3;
        self.apr[p.group1 as usize] |= 1 << level;
    }
    /// Group of the highest active priority.
    pub(super) fn active_group1(&self) -> Option<bool> {
        if self.apr == [0, 0] {
            return None;
        }
        Some(self.apr[1].trailing_zeros() < self.apr[0].trailing_zeros())
    }
    /// End the highest active priority; which it was, with its group.
    pub fn drop_priority(&mut self) -> Option<(u8, bool)> {
        let group1 = self.active_group1()?;
        let running = self.running();
        self.apr[group1 as usize] &= self.apr[group1 as usize] - 1;
        Some((running, group1))
    }
    /// The group priority that `p` has when it is active.
    pub fn group_priority(&self, p: &Pending) -> u8 {
        p.priority & self.mask(p.group1) & PRIORITY
    }
    /// Set a binary point, no lower than the implemented minimum.
    pub fn set_bpr(&mut self, group1: bool, v: u8) {
        let g = group1 as usize;
        self.bpr[g] = (v & 7).max(MIN_BPR[g]);
    }

    /// Read one of the registers that need no interrupt source. None if it is another register.
    pub fn read(&self, r: Reg) -> Option<u64> {
        Some(match r {
            ICC_PMR_EL1 => self.pmr as u64,
            ICC_BPR0_EL1 => self.bpr[0] as u64,
            ICC_BPR1_EL1 if self.cbpr => (self.bpr[0] as u64 + 1).min(7),
            ICC_BPR1_EL1 => self.bpr[1] as u64,
            ICC_AP0R0_EL1 => self.apr[0] as u64,
            ICC_AP1R0_EL1 => self.apr[1] as u64,
            ICC_RPR_EL1 => self.running() as u64,
            ICC_CTLR_EL1 => CTLR_FIXED | self.cbpr as u64 | (self.eoi_mode as u64) << 1,
            ICC_IGRPEN0_EL1 => self.enabled[0] as u64,
            ICC_IGRPEN1_EL1 => self.enabled[1] as u64,
            _ => return None,
        })
    }
    /// Write one of the registers that need no interrupt source. None if it is another register.
    pub fn write(&mut self, r: Reg, v: u64) -> Option<()> {
        match r {
            ICC_PMR_EL1 => self.pmr = v as u8 & PRIORITY,
            ICC_BPR0_EL1 => self.set_bpr(false, v as u8),
            ICC_BPR1_EL1 if self.cbpr => {}
            ICC_BPR1_EL1 => self.set_bpr(true, v as u8),
            ICC_AP0R0_EL1 => self.apr[0] = v as u32,
            ICC_AP1R0_EL1 => self.apr[1] = v as u32,
            ICC_CTLR_EL1 => {
                self.cbpr = v & 1 != 0;
                self.eoi_mode = v & 2 != 0;
            }
            ICC_IGRPEN0_EL1 => self.enabled[0] = v & 1 != 0,
            ICC_IGRPEN1_EL1 => self.enabled[1] = v & 1 != 0,
            _ => return None,
        }
        Some(())
    }
}

/// The INTID of an EOIR or DIR write, unless special.
pub fn intid(v: u64) -> Option<u32> {
    let id = v as u32 & 0xff_ffff;
    (!(SPECIAL..=SPURIOUS).contains(&id)).then_some(id)
}

impl Gic {
    /// Physical ICC_* read.
    pub(super) fn icc_read(&mut self, cpu: usize, r: Reg) -> u64 {
        match r {
            ICC_IAR0_EL1 => self.acknowledge(cpu, false) as u64,
            ICC_IAR1_EL1 => self.acknowledge(cpu, true) as u64,
            ICC_HPPIR0_EL1 => self.highest_pending(cpu, false) as u64,
            ICC_HPPIR1_EL1 => self.highest_pending(cpu, true) as u64,
            _ => self.state.pe[cpu].icc.read(r).unwrap_or(0),
        }
    }
    /// Physical ICC_* write.
    pub(super) fn icc_write(&mut self, cpu: usize, r: Reg, v: u64) {
        match r {
            ICC_EOIR0_EL1 => self.end_of_interrupt(cpu, false, v),
            ICC_EOIR1_EL1 => self.end_of_interrupt(cpu, true, v),
            ICC_DIR_EL1 => {
                // Without EOImode, UNPREDICTABLE; ignored here.
                if let (Some(id), true) = (intid(v), self.state.pe[cpu].icc.eoi_mode) {
                    self.deactivate(cpu, id);
                }
            }
            ICC_SGI0R_EL1 => self.send_sgi(cpu, v, false),
            ICC_SGI1R_EL1 => self.send_sgi(cpu, v, true),
            // With one Security state it generates SGIs of group 0 only (IHI 0069, 12.1.10).
            ICC_ASGI1R_EL1 => self.send_sgi(cpu, v, false),
            _ => {
                self.state.pe[cpu].icc.write(r, v);
                self.touch(cpu);
            }
        }
    }

    fn acknowledge(&mut self, cpu: usize, group1: bool) -> u32 {
        let Some(p) = self.signalled(cpu).filter(|p| p.group1 == group1) else {
            return SPURIOUS;
        };
        self.state.pe[cpu].icc.activate(&p);
        if p.intid >= lpi::FIRST {
            self.acknowledge_lpi(cpu, p.intid);
        } else if let Some(i) = self.irq_mut(cpu, p.intid) {
            i.acknowledge();
        }
        p.intid
    }
    fn highest_pending(&mut self, cpu: usize, group1: bool) -> u32 {
        self.best(cpu)
            .filter(|p| p.group1 == group1)
            .map_or(SPURIOUS, |p| p.intid)
    }
    fn end_of_interrupt(&mut self, cpu: usize, group1: bool, v: u64) {
        let Some(id) = intid(v) else { return };
        let icc = &mut self.state.pe[cpu].icc;
        // EOIR0 and EOIR1 end only interrupts of their own group; else UNPREDICTABLE, ignored here.
        if icc.active_group1() != Some(group1) {
            return;
        }
        icc.drop_priority();
        let split = icc.eoi_mode;
        self.touch(cpu);
        if !split {
            self.deactivate(cpu, id);
        }
    }
    /// Make an interrupt inactive.
    pub(super) fn deactivate(&mut self, cpu: usize, intid: u32) {
        if let Some(i) = self.irq_mut(cpu, intid) {
            i.active = false;
        }
    }
    /// ICC_SGI0R, ICC_SGI1R, ICC_ASGI1R (IHI 0069, 12.1.10). An SGI goes out if its group at the target allows: group 0 always, group 1
    /// only through ICC_SGI1R.
    fn send_sgi(&mut self, cpu: usize, v: u64, any_group: bool) {
        let id = (v >> 24 & 0xf) as usize;
        for target in 0..self.state.pe.len() {
            let hit = if v >> 40 & 1 != 0 {
                target != cpu
            } else {
                // Aff3.Aff2.Aff1 of all CPUs is 0; RS selects 16 values of Aff0.
                let cluster = v & 0xff_00ff_00ff_0000;
                let aff0 = target.wrapping_sub((v >> 44 & 0xf) as usize * 16);
                cluster == 0 && aff0 < 16 && v >> aff0 & 1 != 0
            };
            let irq = &mut self.state.pe[target].private[id];
            if hit && (any_group || !irq.group1) {
                irq.latch = true;
                self.touch(target);
            }
        }
    }
}

const _: () = assert!(PES <= 16 && PRIVATE == 32);
