//! The virtual interface control of GICv2 (GICH; IHI 0048, 5.3). Its list registers hold what GICv3's hold, in 32 bits:
//!
//! ```text
//! GICH_LR  31 HW | 30 Grp1 | 29:28 State | 27:23 Priority | 19:10 PhysicalID, or (HW = 0) 19 EOI, 12:10 CPUID | 9:0 VirtualID
//! ICH_LR   61    | 60      | 63:62       | 55:51          | 41:32                                             | 9:0
//! ```

use super::super::hyp::{Hyp, LRS};
use super::super::Gic;
use crate::bits::{bit, bits};

/// GICH_VTR: PRIbits and PREbits 5, 4 list registers.
const VTR: u32 = 0x9000_0003;
/// GICH_HCR: En, the seven interrupt enables, EOICount.
const HCR_MASK: u64 = 0xf800_00ff;
const LR0: u64 = 0x100;

fn from_v2(v: u32) -> u64 {
    let v = v as u64;
    bits(v, 9, 0)
        | bits(v, 19, 10) << 32
        | bits(v, 27, 23) << 51
        | bits(v, 29, 28) << 62
        | bits(v, 30, 30) << 60
        | bits(v, 31, 31) << 61
}
fn to_v2(lr: u64) -> u32 {
    let v = bits(lr, 9, 0)
        | bits(lr, 41, 32) << 10
        | bits(lr, 55, 51) << 23
        | bits(lr, 63, 62) << 28
        | bits(lr, 60, 60) << 30
        | bits(lr, 61, 61) << 31;
    v as u32
}

impl Hyp {
    /// The value of GICV_IAR for a list register: a virtual SGI that software sent has its source CPU too.
    pub(super) fn v2_id(&self, n: usize) -> u32 {
        let lr = self.lr[n];
        let id = bits(lr, 9, 0) as u32;
        match id < 16 && !bit(lr, 61) {
            true => id | (bits(lr, 34, 32) as u32) << 10,
            false => id,
        }
    }
    /// Make the interrupt that GICV_EOIR or GICV_DIR names inactive; the physical one to deactivate with it.
    pub(super) fn v2_deactivate(&mut self, id: u32) -> Option<u32> {
        match (0..LRS).find(|&n| bit(self.lr[n], 63) && self.v2_id(n) == id) {
            Some(n) => self.deactivate(n),
            None => {
                self.count_eoi(id);
                None
            }
        }
    }
}

impl Gic {
    pub(super) fn gich_read(&mut self, cpu: usize, at: u64) -> u32 {
        let h = &self.state.pe[cpu].hyp;
        match at {
            0x00 => h.hcr as u32,
            0x04 => VTR,
            0x08 => h.vmcr() as u32,
            0x10 => h.misr() as u32,
            0x20 => h.eisr() as u32,
            0x30 => h.elrsr() as u32,
            0xf0 => h.icv.apr[0] | h.icv.apr[1],
            _ => lr_index(at).map_or(0, |n| to_v2(h.lr[n])),
        }
    }
    pub(super) fn gich_write(&mut self, cpu: usize, at: u64, v: u32) {
        let h = &mut self.state.pe[cpu].hyp;
        match at {
            0x00 => h.hcr = v as u64 & HCR_MASK,
            0x08 => {
                h.set_vmcr(v as u64);
                h.icv.ack_ctl = v >> 2 & 1 != 0;
                h.icv.fiq_en = v >> 3 & 1 != 0;
            }
            // One register for both groups: the group of an active priority does not matter.
            0xf0 => h.icv.apr = [0, v],
            _ => {
                if let Some(n) = lr_index(at) {
                    h.lr[n] = from_v2(v);
                }
            }
        }
        self.touch_hyp(cpu, false);
    }
}

fn lr_index(at: u64) -> Option<usize> {
    let n = at.checked_sub(LR0)? as usize / 4;
    (n < LRS).then_some(n)
}
