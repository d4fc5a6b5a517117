//! LPIs at the Redistributors: which are pending, and their configuration.
//!
//! An LPI has no active state and is always of group 1. What it is configured to (priority, enable) is a byte in a table in memory
//! (GICR_PROPBASER), which a Redistributor reads when an LPI first becomes pending and then keeps until it is told to forget
//! (INV, INVALL, GICR_INVLPIR, GICR_INVALLR): a guest that forgets to tell it sees here what it would see on hardware. Pending
//! bits are kept here; the table in memory (GICR_PENDBASER) is read when EnableLPIs becomes 1 and written when it becomes 0.
//!
//! Source: IHI 0069, 5.1 (LPIs), 12.11 (GICR_*).

use super::{Gic, Pending};
use crate::bits::{bit, bits};
use crate::mem::Memory;
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, BTreeSet};

/// INTIDs of LPIs begin here.
pub const FIRST: u32 = 8192;
/// Bits of an INTID (GICD_TYPER.IDbits + 1).
pub const ID_BITS: u32 = 16;
/// One after the last INTID.
pub const END: u32 = 1 << ID_BITS;

/// GICR_PROPBASER: IDbits, InnerCache, Shareability, PA, OuterCache.
const PROPBASER_MASK: u64 = 0x070f_ffff_ffff_ff9f;
/// GICR_PENDBASER: InnerCache, Shareability, PA, PTZ, OuterCache. PTZ reads as zero.
const PENDBASER_MASK: u64 = 0x470f_ffff_ffff_0f80;
const PTZ: u64 = 1 << 62;

/// What an access to a register has left to do in memory, served right after it by [`Gic::service`].
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// GICR_CTLR.EnableLPIs of a CPU became 1.
    Enable(usize),
    /// GICR_CTLR.EnableLPIs of a CPU became 0.
    Disable(usize),
    /// GICR_INVLPIR.
    Invalidate(u32),
    /// GICR_INVALLR.
    InvalidateAll,
    /// GITS_TRANSLATER: DeviceID and EventID.
    Translate(u32, u32),
    /// There may be commands in the ITS's queue.
    Commands,
}

/// A Redistributor's state of LPIs.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Lpis {
    /// GICR_CTLR.EnableLPIs.
    pub enabled: bool,
    /// GICR_PROPBASER.
    pub propbaser: u64,
    /// GICR_PENDBASER.
    pub pendbaser: u64,
    /// Those that are pending: from [`FIRST`], below [`END`].
    pending: BTreeSet<u32>,
}

impl Lpis {
    /// One after the last INTID that PROPBASER.IDbits allows; fewer than 14 bits are no LPIs (12.11.35).
    fn end(&self) -> u32 {
        match bits(self.propbaser, 4, 0) as u32 + 1 {
            n @ 14.. => 1 << n.min(ID_BITS),
            _ => 0,
        }
    }
    /// Where the configuration of `intid` is.
    fn config_at(&self, intid: u32) -> u64 {
        (self.propbaser & 0x000f_ffff_ffff_f000) + (intid - FIRST) as u64
    }
    fn table(&self) -> u64 {
        self.pendbaser & 0x000f_ffff_ffff_0000
    }
    /// Whether `intid` is pending.
    pub fn is_pending(&self, intid: u32) -> bool {
        self.pending.contains(&intid)
    }
    /// Those that are pending, in order.
    pub fn pending(&self) -> impl Iterator<Item = u32> + '_ {
        self.pending.iter().copied()
    }
    /// Write GICR_PROPBASER. With LPIs enabled UNPREDICTABLE; ignored here.
    pub fn set_propbaser(&mut self, v: u64) {
        if !self.enabled {
            self.propbaser = v & PROPBASER_MASK;
        }
    }
    /// Write GICR_PENDBASER. With LPIs enabled UNPREDICTABLE; ignored here.
    pub fn set_pendbaser(&mut self, v: u64) {
        if !self.enabled {
            self.pendbaser = v & PENDBASER_MASK;
        }
    }
    /// What GICR_PENDBASER reads.
    pub fn read_pendbaser(&self) -> u64 {
        self.pendbaser & !PTZ
    }
}

/// The configuration bytes that Redistributors have read, by INTID. GICR_TYPER.CommonLPIAff = 1: all of one Aff3, so all, share one table.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Configs(BTreeMap<u32, u8>);

impl Configs {
    /// The byte for `intid`, if it has been read.
    pub fn get(&self, intid: u32) -> Option<u8> {
        self.0.get(&intid).copied()
    }
}

impl Gic {
    /// The pending LPI of highest priority among those that are enabled.
    pub(super) fn best_lpi(&self, cpu: usize) -> Option<Pending> {
        let lpi = &self.state.pe[cpu].lpi;
        if lpi.pending.is_empty() || !lpi.enabled {
            return None;
        }
        let known = lpi.pending().map(|n| (n, self.state.configs.get(n)));
        known
            .filter_map(|(n, c)| c.filter(|c| c & 1 != 0).map(|c| (n, c)))
            .map(|(intid, c)| Pending {
                intid,
                priority: c & super::irq::PRIORITY,
                group1: true,
            })
            .min_by_key(|p| p.priority)
    }
    /// An LPI is acknowledged: it is no longer pending, and never active (5.1).
    pub(super) fn acknowledge_lpi(&mut self, cpu: usize, intid: u32) {
        self.state.pe[cpu].lpi.pending.remove(&intid);
        self.touch(cpu);
    }
    /// Whether an access has left something to do in memory.
    #[inline]
    pub fn has_work(&self) -> bool {
        !self.work.is_empty()
    }
    /// Do what accesses have left to do in memory.
    pub fn service(&mut self, mem: &mut dyn Memory) {
        for w in std::mem::take(&mut self.work) {
            match w {
                Work::Enable(cpu) => self.load_pending(cpu, mem),
                Work::Disable(cpu) => self.store_pending(cpu, mem),
                Work::Invalidate(intid) => self.invalidate_lpi(intid, mem),
                Work::InvalidateAll => {
                    self.forget_lpis();
                    self.refetch_lpis(mem);
                }
                Work::Translate(device, event) => self.its_translate(device, event, mem),
                Work::Commands => self.its_commands(mem),
            }
        }
    }

    /// An LPI becomes pending at `cpu`. Nothing if LPIs are off there, or the tables do not reach so far (5.1.1).
    pub(super) fn pend_lpi(&mut self, cpu: usize, intid: u32, mem: &dyn Memory) {
        let lpi = &mut self.state.pe[cpu].lpi;
        if lpi.enabled && (FIRST..lpi.end()).contains(&intid) {
            lpi.pending.insert(intid);
            self.fetch_config(cpu, intid, mem);
            self.touch(cpu);
        }
    }
    /// An LPI is not pending at `cpu`; whether it was.
    pub(super) fn clear_lpi(&mut self, cpu: usize, intid: u32) -> bool {
        self.touch(cpu);
        self.state.pe[cpu].lpi.pending.remove(&intid)
    }
    /// Everything pending at `from` is pending at `to` instead. (UNPREDICTABLE unless both have LPIs enabled; then nothing.)
    pub(super) fn move_lpis(&mut self, from: usize, to: usize) {
        if from == to || !self.state.pe[to].lpi.enabled {
            return;
        }
        let mut taken = std::mem::take(&mut self.state.pe[from].lpi.pending);
        self.state.pe[to].lpi.pending.append(&mut taken);
        self.touch(from);
        self.touch(to);
    }
    /// Forget the configuration of one LPI.
    pub(super) fn invalidate_lpi(&mut self, intid: u32, mem: &dyn Memory) {
        if !(FIRST..END).contains(&intid) {
            return;
        }
        self.state.configs.0.remove(&intid);
        let holder = (0..self.cpus()).find(|&c| self.state.pe[c].lpi.is_pending(intid));
        if let Some(holder) = holder {
            self.fetch_config(holder, intid, mem);
        }
        self.touch_all();
    }
    /// Forget all configurations. [`Gic::refetch_lpis`] is to follow.
    pub(super) fn forget_lpis(&mut self) {
        self.state.configs.0.clear();
    }
    /// Read the configuration of each pending LPI again, if it was invalidated.
    pub(super) fn refetch_lpis(&mut self, mem: &dyn Memory) {
        for cpu in 0..self.cpus() {
            let pending: Vec<u32> = self.state.pe[cpu].lpi.pending().collect();
            for intid in pending {
                self.fetch_config(cpu, intid, mem);
            }
        }
        self.touch_all();
    }

    /// Know the configuration of a pending LPI. One that is nowhere in memory is disabled.
    fn fetch_config(&mut self, cpu: usize, intid: u32, mem: &dyn Memory) {
        let at = self.state.pe[cpu].lpi.config_at(intid);
        let known = self.state.configs.0.entry(intid);
        known.or_insert_with(|| mem.read(at, 1).unwrap_or(0) as u8);
    }
    /// EnableLPIs becomes 1: what the pending table says is pending, unless PTZ tells that it is all zero (12.11.33).
    fn load_pending(&mut self, cpu: usize, mem: &dyn Memory) {
        let lpi = &mut self.state.pe[cpu].lpi;
        let end = lpi.end();
        lpi.pending.clear();
        if !bit(lpi.pendbaser, 62) {
            for n in (FIRST..end).step_by(64) {
                let word = mem.read(lpi.table() + n as u64 / 8, 8).unwrap_or(0);
                let set = (0..64).filter(|b| bit(word, *b)).map(|b| n + b);
                lpi.pending.extend(set);
            }
        }
        self.forget_lpis();
        self.refetch_lpis(mem);
    }
    /// EnableLPIs becomes 0: the pending table is memory's again.
    fn store_pending(&mut self, cpu: usize, mem: &mut dyn Memory) {
        let lpi = &mut self.state.pe[cpu].lpi;
        for n in (FIRST..lpi.end()).step_by(64) {
            let pending = lpi.pending.range(n..n + 64);
            let word = pending.fold(0, |word, intid| word | 1 << (intid - n));
            // A table outside memory keeps nothing, as on hardware.
            let _ = mem.write(lpi.table() + n as u64 / 8, 8, word);
        }
        lpi.pending.clear();
        self.touch(cpu);
    }
}
