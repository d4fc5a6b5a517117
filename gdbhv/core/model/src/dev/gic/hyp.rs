//! The virtual CPU interface: ICH_* with four list registers, ICV_* as the guest sees them, the maintenance interrupt.

use super::cpuif::{intid, Interface, MIN_BPR, SPURIOUS};
use super::irq::PRIORITY;
use super::lpi::FIRST as LPI;
use super::Gic;
use super::Pending;
use crate::bits::{bit, bits};
use crate::reg::names::*;
use crate::reg::Reg;
use borsh::{BorshDeserialize, BorshSerialize};

/// List registers.
pub const LRS: usize = 4;
/// ICH_VTR_EL2: PRIbits and PREbits 5, IDbits 24, A3V, nV4, TDS, 4 list registers.
const VTR: u64 = 0x90b8_0003;
/// ICH_HCR_EL2 bits that are writable: En, the seven interrupt enables, TC, TALL0, TALL1, TDIR, EOIcount. (TSEI is RES0 as
/// ICH_VTR_EL2.SEIS is 0.)
const HCR_MASK: u64 = 0xf800_5cff;
const HCR_EN: u32 = 0;
const HCR_EOICOUNT: u32 = 27;
/// ICH_LR<n>_EL2: vINTID (24 bits), pINTID, priority (5 bits), group, HW, state.
const LR_MASK: u64 = 0xf0f8_1fff_00ff_ffff;
const LR_PENDING: u64 = 1 << 62;
const LR_ACTIVE: u64 = 1 << 63;

/// State of one virtual CPU interface.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Hyp {
    /// ICH_HCR_EL2.
    pub hcr: u64,
    /// The guest's interface: ICH_VMCR_EL2 and ICH_AP*R0_EL2.
    pub icv: Interface,
    /// ICH_LR<n>_EL2.
    pub lr: [u64; LRS],
}

fn lr_intid(lr: u64) -> u32 {
    lr as u32
}
fn lr_state(lr: u64) -> u64 {
    lr >> 62
}
fn lr_pending(lr: u64) -> Pending {
    Pending {
        intid: lr_intid(lr),
        priority: bits(lr, 55, 48) as u8,
        group1: bit(lr, 60),
    }
}
/// HW = 0 and EOI = 1: the hypervisor wants to know when it becomes inactive.
fn lr_eoi(lr: u64) -> bool {
    !bit(lr, 61) && bit(lr, 41)
}

impl Hyp {
    fn which(&self, f: impl Fn(u64) -> bool) -> u64 {
        (0..LRS).fold(0, |v, n| v | (f(self.lr[n]) as u64) << n)
    }
    /// ICH_EISR_EL2: list registers whose interrupt ended and asked to tell.
    pub(super) fn eisr(&self) -> u64 {
        self.which(|lr| lr_state(lr) == 0 && lr_eoi(lr))
    }
    /// ICH_ELRSR_EL2: list registers free for use.
    pub(super) fn elrsr(&self) -> u64 {
        self.which(|lr| lr_state(lr) == 0 && !lr_eoi(lr))
    }
    /// ICH_MISR_EL2: why the maintenance interrupt is (or would be) asserted.
    pub fn misr(&self) -> u64 {
        let valid = self.which(|lr| lr_state(lr) != 0).count_ones();
        let pending = self.which(|lr| lr_state(lr) == 1) != 0;
        let [g0, g1] = self.icv.enabled;
        let causes = [
            self.eisr() != 0,
            bit(self.hcr, 1) && valid <= 1,
            bit(self.hcr, 2) && self.hcr >> HCR_EOICOUNT != 0,
            bit(self.hcr, 3) && !pending,
            bit(self.hcr, 4) && g0,
            bit(self.hcr, 5) && !g0,
            bit(self.hcr, 6) && g1,
            bit(self.hcr, 7) && !g1,
        ];
        (0..8).fold(0, |v, n| v | (causes[n] as u64) << n)
    }
    /// Level of the maintenance interrupt.
    pub fn maintenance(&self) -> bool {
        bit(self.hcr, HCR_EN) && self.misr() != 0
    }
    /// The pending list register of highest priority among the enabled groups (the lowest-numbered of equals).
    pub(super) fn best(&self) -> Option<(usize, Pending)> {
        (0..LRS)
            .filter(|&n| lr_state(self.lr[n]) == 1)
            .map(|n| (n, lr_pending(self.lr[n])))
            .filter(|(_, p)| self.icv.enabled[p.group1 as usize])
            .min_by_key(|(_, p)| p.priority)
    }
    /// What is signalled to the PE as vIRQ or vFIQ: nothing without ICH_HCR_EL2.En (HPPIR does not ask it).
    pub fn signalled(&self) -> Option<(usize, Pending)> {
        let on = bit(self.hcr, HCR_EN);
        self.best().filter(|(_, p)| on && self.icv.signals(p))
    }
    fn find_active(&self, intid: u32) -> Option<usize> {
        (0..LRS).find(|&n| self.lr[n] & LR_ACTIVE != 0 && lr_intid(self.lr[n]) == intid)
    }
    fn acknowledge(&mut self, group1: bool) -> u32 {
        let Some((n, p)) = self.signalled().filter(|(_, p)| p.group1 == group1) else {
            return SPURIOUS;
        };
        self.take(n, &p);
        p.intid
    }
    /// Pending becomes active.
    pub(super) fn take(&mut self, n: usize, p: &Pending) {
        self.lr[n] &= !LR_PENDING;
        if p.intid < LPI {
            self.lr[n] |= LR_ACTIVE;
        }
        self.icv.activate(p);
    }
    /// A deactivation that found no list register (ICH_HCR_EL2.EOIcount; not for LPIs).
    pub(super) fn count_eoi(&mut self, intid: u32) {
        if intid < LPI {
            let n = (self.hcr >> HCR_EOICOUNT) + 1 & 0x1f;
            self.hcr = self.hcr & !(0x1f << HCR_EOICOUNT) | n << HCR_EOICOUNT;
        }
    }
    /// Active becomes inactive; the physical interrupt to deactivate with it.
    pub(super) fn deactivate(&mut self, n: usize) -> Option<u32> {
        let lr = self.lr[n];
        self.lr[n] &= !LR_ACTIVE;
        bit(lr, 61).then(|| bits(lr, 44, 32) as u32)
    }
    /// ICV_EOIR0 and ICV_EOIR1 (IHI 0069, 12.4.5, and ICH_HCR_EL2.EOIcount).
    fn end_of_interrupt(&mut self, group1: bool, intid: u32) -> Option<u32> {
        let (dropped, _) = self.icv.drop_priority()?;
        if self.icv.eoi_mode && intid < LPI {
            return None;
        }
        let Some(n) = self.find_active(intid) else {
            self.count_eoi(intid);
            return None;
        };
        let p = lr_pending(self.lr[n]);
        if p.group1 != group1 || self.icv.group_priority(&p) != dropped {
            return None;
        }
        self.deactivate(n)
    }
    /// ICV_DIR: only when EOImode is 1 (else UNPREDICTABLE, ignored here).
    fn deactivate_intid(&mut self, intid: u32) -> Option<u32> {
        if !self.icv.eoi_mode {
            return None;
        }
        match self.find_active(intid) {
            Some(n) => self.deactivate(n),
            None => {
                self.count_eoi(intid);
                None
            }
        }
    }
    /// ICH_VMCR_EL2, GICH_VMCR. With system registers VAckCtl is 0 and VFIQEn 1.
    pub(super) fn vmcr(&self) -> u64 {
        let i = &self.icv;
        i.enabled[0] as u64
            | (i.enabled[1] as u64) << 1
            | (i.ack_ctl as u64) << 2
            | (i.fiq_en as u64) << 3
            | (i.cbpr as u64) << 4
            | (i.eoi_mode as u64) << 9
            | (i.bpr[1] as u64) << 18
            | (i.bpr[0] as u64) << 21
            | (i.pmr as u64) << 24
    }
    pub(super) fn set_vmcr(&mut self, v: u64) {
        let i = &mut self.icv;
        i.enabled = [bit(v, 0), bit(v, 1)];
        i.cbpr = bit(v, 4);
        i.eoi_mode = bit(v, 9);
        i.bpr = [
            (bits(v, 23, 21) as u8).max(MIN_BPR[0]),
            (bits(v, 20, 18) as u8).max(MIN_BPR[1]),
        ];
        i.pmr = bits(v, 31, 24) as u8 & PRIORITY;
    }
    /// The list register that `r` names.
    fn lr_index(r: Reg) -> Option<usize> {
        [ICH_LR0_EL2, ICH_LR1_EL2, ICH_LR2_EL2, ICH_LR3_EL2]
            .iter()
            .position(|&x| x == r)
    }
}

impl Gic {
    /// ICH_* read.
    pub(super) fn ich_read(&self, cpu: usize, r: Reg) -> u64 {
        let h = &self.state.pe[cpu].hyp;
        match r {
            ICH_HCR_EL2 => h.hcr,
            ICH_VTR_EL2 => VTR,
            ICH_MISR_EL2 => h.misr(),
            ICH_EISR_EL2 => h.eisr(),
            ICH_ELRSR_EL2 => h.elrsr(),
            ICH_VMCR_EL2 => h.vmcr(),
            ICH_AP0R0_EL2 => h.icv.apr[0] as u64,
            ICH_AP1R0_EL2 => h.icv.apr[1] as u64,
            _ => Hyp::lr_index(r).map_or(0, |n| h.lr[n]),
        }
    }
    /// ICH_* write.
    pub(super) fn ich_write(&mut self, cpu: usize, r: Reg, v: u64) {
        let h = &mut self.state.pe[cpu].hyp;
        match r {
            ICH_HCR_EL2 => h.hcr = v & HCR_MASK,
            ICH_VMCR_EL2 => h.set_vmcr(v),
            ICH_AP0R0_EL2 => h.icv.apr[0] = v as u32,
            ICH_AP1R0_EL2 => h.icv.apr[1] = v as u32,
            _ => {
                if let Some(n) = Hyp::lr_index(r) {
                    h.lr[n] = v & LR_MASK;
                }
            }
        }
        self.touch_hyp(cpu, false);
    }
    /// ICV_* read: ICC_* by a guest.
    pub(super) fn icv_read(&mut self, cpu: usize, r: Reg) -> u64 {
        let h = &mut self.state.pe[cpu].hyp;
        let highest = |h: &Hyp, group1| {
            h.best()
                .filter(|(_, p)| p.group1 == group1)
                .map_or(SPURIOUS, |(_, p)| p.intid) as u64
        };
        match r {
            ICC_IAR0_EL1 | ICC_IAR1_EL1 => {
                let id = h.acknowledge(r == ICC_IAR1_EL1);
                self.touch_hyp(cpu, true);
                id as u64
            }
            ICC_HPPIR0_EL1 => highest(h, false),
            ICC_HPPIR1_EL1 => highest(h, true),
            _ => h.icv.read(r).unwrap_or(0),
        }
    }
    /// ICV_* write: ICC_* by a guest. (Its SGIs are trapped and do not come here.)
    pub(super) fn icv_write(&mut self, cpu: usize, r: Reg, v: u64) {
        let h = &mut self.state.pe[cpu].hyp;
        let physical = match r {
            ICC_EOIR0_EL1 => intid(v).and_then(|id| h.end_of_interrupt(false, id)),
            ICC_EOIR1_EL1 => intid(v).and_then(|id| h.end_of_interrupt(true, id)),
            ICC_DIR_EL1 => intid(v).and_then(|id| h.deactivate_intid(id)),
            _ => {
                h.icv.write(r, v);
                None
            }
        };
        self.touch_hyp(cpu, true);
        if let Some(id) = physical {
            self.deactivate(cpu, id);
        }
    }
}
