//! The ITS's tables in memory, 8 bytes an entry. Their layout is the ITS's own (IHI 0069, 5.2.1): software only gives the memory.
//!
//! | table | bits |
//! | --- | --- |
//! | device | 63 valid, 51:8 the translation table's address, 4:0 bits of its EventIDs, less one |
//! | interrupt translation | 63 valid, 47:32 ICID, 31:0 INTID |
//! | collection | 63 valid, 15:0 the Redistributor's number |

use super::{State, COLLECTIONS, DEVICE_BITS, ENTRY};
use crate::bits::{bit, bits};
use crate::dev::gic::lpi::FIRST;
use crate::dev::gic::Gic;
use crate::mem::Memory;

const VALID: u64 = 1 << 63;
const DEVICES: usize = 0;
const TARGETS: usize = 1;

/// A device: where its translation table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its DeviceID.
    pub id: u32,
    /// Address of its interrupt translation table.
    pub itt: u64,
    /// Bits of its EventIDs, 1 to 32.
    pub bits: u32,
}

/// An event: the interrupt that it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The LPI.
    pub intid: u32,
    /// The collection.
    pub icid: u32,
}

impl State {
    /// Address of entry `index` of a table. None: the table is not there or does not reach so far.
    fn entry(&self, table: usize, index: u32, mem: &dyn Memory) -> Option<u64> {
        let baser = self.baser[table];
        if !bit(baser, 63) {
            return None;
        }
        let page = 0x1000u64 << (2 * bits(baser, 9, 8));
        // With pages of 64 KiB, bits 15:12 are bits 51:48 of the address.
        let base = match page {
            0x1_0000 => (baser & 0xffff_ffff_0000) | bits(baser, 15, 12) << 48,
            _ => baser & 0xffff_ffff_f000 & !(page - 1),
        };
        let size = (bits(baser, 7, 0) + 1) * page;
        let index = index as u64;
        if !bit(baser, 62) {
            return (index * ENTRY < size).then_some(base + index * ENTRY);
        }
        let per_page = page / ENTRY;
        let first = index / per_page * 8;
        if first >= size {
            return None;
        }
        let level1 = mem.read(base + first, 8)?;
        let level2 = level1 & 0xf_ffff_ffff_f000 & !(page - 1);
        bit(level1, 63).then_some(level2 + index % per_page * ENTRY)
    }
    /// Whether the device table has room for a DeviceID.
    pub(super) fn has_device(&self, id: u32, mem: &dyn Memory) -> bool {
        id < 1 << DEVICE_BITS && self.entry(DEVICES, id, mem).is_some()
    }
    /// A device that is mapped.
    pub(super) fn device(&self, id: u32, mem: &dyn Memory) -> Option<Device> {
        if id >= 1 << DEVICE_BITS {
            return None;
        }
        let v = mem.read(self.entry(DEVICES, id, mem)?, 8)?;
        bit(v, 63).then_some(Device {
            id,
            itt: v & 0xf_ffff_ffff_ff00,
            bits: bits(v, 4, 0) as u32 + 1,
        })
    }
    /// Map or unmap a device. None: there is no entry for it in memory.
    pub(super) fn set_device(
        &self,
        id: u32,
        to: Option<Device>,
        mem: &mut dyn Memory,
    ) -> Option<()> {
        let v = to.map_or(0, |d| {
            VALID | d.itt & 0xf_ffff_ffff_ff00 | (d.bits as u64 - 1)
        });
        mem.write(self.entry(DEVICES, id, mem)?, 8, v)
    }
    /// Whether the collection table has room for an ICID.
    pub(super) fn has_collection(&self, icid: u32, mem: &dyn Memory) -> bool {
        icid < COLLECTIONS && self.entry(TARGETS, icid, mem).is_some()
    }
    /// The CPU of a collection that is mapped.
    pub(super) fn collection(&self, icid: u32, mem: &dyn Memory) -> Option<usize> {
        if icid >= COLLECTIONS {
            return None;
        }
        let v = mem.read(self.entry(TARGETS, icid, mem)?, 8)?;
        bit(v, 63).then_some(bits(v, 15, 0) as usize)
    }
    /// Map or unmap a collection. None: there is no entry for it in memory.
    pub(super) fn set_collection(
        &self,
        icid: u32,
        to: Option<usize>,
        mem: &mut dyn Memory,
    ) -> Option<()> {
        let v = to.map_or(0, |cpu| VALID | cpu as u64);
        mem.write(self.entry(TARGETS, icid, mem)?, 8, v)
    }
}

impl Device {
    /// Whether the translation table has room for an EventID.
    pub(super) fn has(&self, event: u32) -> bool {
        (event as u64) < 1 << self.bits
    }
    /// An event that is mapped.
    pub(super) fn event(&self, event: u32, mem: &dyn Memory) -> Option<Event> {
        let v = mem.read(self.itt + event as u64 * ENTRY, 8)?;
        (self.has(event) && bit(v, 63)).then_some(Event {
            intid: v as u32,
            icid: bits(v, 47, 32) as u32,
        })
    }
    /// Map or unmap an event. None: there is no entry for it in memory.
    pub(super) fn set_event(
        &self,
        event: u32,
        to: Option<Event>,
        mem: &mut dyn Memory,
    ) -> Option<()> {
        let v = to.map_or(0, |e| VALID | (e.icid as u64) << 32 | e.intid as u64);
        mem.write(self.itt + event as u64 * ENTRY, 8, v)
    }
}

/// The most entries that are read to show the tables: a guest may claim 2^32 of them.
const SHOWN: u64 = 1 << 20;

impl Gic {
    /// The mapped devices with their mapped events, and the mapped collections with their CPUs, as memory has them. Of very
    /// large tables the beginning, and how many entries were not looked at.
    #[allow(clippy::type_complexity)]
    pub fn its_tables(
        &self,
        mem: &dyn Memory,
    ) -> (Vec<(Device, Vec<(u32, Event)>)>, Vec<(u32, usize)>, u64) {
        let its = &self.state.its;
        let mut left = SHOWN;
        let mut devices = Vec::new();
        let mut unread = 0;
        for d in (0..1 << DEVICE_BITS).filter_map(|id| its.device(id, mem)) {
            let last = (1u64 << d.bits).min(left);
            left -= last;
            unread += (1 << d.bits) - last;
            let events = (0..last as u32).filter_map(|n| Some((n, d.event(n, mem)?)));
            devices.push((d, events.filter(|e| e.1.intid >= FIRST).collect()));
        }
        let collections = (0..COLLECTIONS).filter_map(|n| Some((n, its.collection(n, mem)?)));
        (devices, collections.collect(), unread)
    }
}
