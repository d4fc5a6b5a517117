//! The Interrupt Translation Service: turns (DeviceID, EventID) into an LPI at a CPU, by tables in the guest's memory.
//!
//! ```text
//! device table [DeviceID] -> interrupt translation table [EventID] -> LPI, collection;  collection table [ICID] -> Redistributor
//! ```
//!
//! The guest tells where the device and the collection table are (GITS_BASER0, GITS_BASER1), and everything else by commands in a
//! queue (`command.rs`). Nothing is cached: the tables in memory (`table.rs`) are always looked at. Devices on PCI send messages with
//! their own DeviceIDs; a PE that writes GITS_TRANSLATER does so with DeviceID 0.
//!
//! Source: IHI 0069, 5.2 to 5.3 (the ITS and its commands), 12.18 (GITS_*).

mod command;
mod table;
#[cfg(test)]
mod tests;

use super::lpi::{Work, ID_BITS};
use super::{ids, Gic};
use crate::bits::{bit, bits, insert, ones};
use borsh::{BorshDeserialize, BorshSerialize};
pub use command::CommandError;
pub use table::{Device, Event};

/// Bits of a DeviceID.
pub const DEVICE_BITS: u32 = 16;
/// Bits of an ICID: all 16 that it may have, said explicitly (GITS_TYPER.CIL = 1) as on QEMU's board.
const COLLECTION_BITS: u64 = 16;
/// Collections, all of them in memory (HCC = 0).
pub const COLLECTIONS: u32 = 1 << COLLECTION_BITS;
/// Bytes of an entry of each table.
pub const ENTRY: u64 = 8;

/// GITS_TYPER: Physical, ITT_entry_size, ID_bits, Devbits, CIDbits, CIL. PTA = 0: an RDbase is a GICR_TYPER.Processor_Number. SEIS = 0.
const TYPER: u64 = 1
    | (ENTRY - 1) << 4
    | (ID_BITS as u64 - 1) << 8
    | (DEVICE_BITS as u64 - 1) << 13
    | (COLLECTION_BITS - 1) << 32
    | 1 << 36;
/// Type (BASER0: devices, BASER1: collections) and Entry_Size: read-only.
const BASER_FIXED: [u64; 2] = [1 << 56 | (ENTRY - 1) << 48, 4 << 56 | (ENTRY - 1) << 48];
/// GITS_BASER<n>.Page_Size.
const PAGE_64K: u64 = 2 << 8;
/// Valid, Indirect, InnerCache, OuterCache, PA, Shareability, Page_Size, Size.
const BASER_MASK: u64 = 0xf8e0_ffff_ffff_ffff;
/// Valid, InnerCache, OuterCache, PA, Shareability, Size.
const CBASER_MASK: u64 = 0xb8ef_ffff_ffff_fcff;
/// The Offset of CWRITER and CREADR.
const OFFSET: u64 = 0xf_ffe0;

const CTLR: u64 = 0x0000;
const IIDR: u64 = 0x0004;
const TYPER_AT: u64 = 0x0008;
const CBASER: u64 = 0x0080;
const CWRITER: u64 = 0x0088;
const CREADR: u64 = 0x0090;
const BASER0: u64 = 0x0100;
const BASER1: u64 = 0x0108;
/// GITS_TRANSLATER: messages are written there.
pub const TRANSLATER: u64 = 0x1_0040;

/// State of the ITS.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// GITS_CTLR.Enabled.
    pub enabled: bool,
    /// GITS_CBASER.
    pub cbaser: u64,
    /// GITS_CWRITER.Offset.
    pub cwriter: u64,
    /// GITS_CREADR.Offset.
    pub creadr: u64,
    /// GITS_CREADR.Stalled.
    pub stalled: bool,
    /// GITS_BASER0 (devices) and GITS_BASER1 (collections), without their read-only fields.
    pub baser: [u64; 2],
    /// Commands done.
    pub commands: u64,
    /// Commands that were in error, and ignored.
    pub errors: u64,
    /// The last of them.
    pub last_error: Option<CommandError>,
}

impl Default for State {
    /// At reset. GITS_BASER<n>.Page_Size is UNKNOWN there: 64 KiB, as on QEMU's board.
    fn default() -> State {
        State {
            enabled: false,
            cbaser: 0,
            cwriter: 0,
            creadr: 0,
            stalled: false,
            baser: [PAGE_64K; 2],
            commands: 0,
            errors: 0,
            last_error: None,
        }
    }
}

impl State {
    /// Bytes of the command queue.
    fn queue_size(&self) -> u64 {
        (bits(self.cbaser, 7, 0) + 1) << 12
    }
    /// The 64-bit register at `at`, if there is one.
    fn read(&self, at: u64) -> u64 {
        match at {
            // Quiescent: nothing is in progress; all is done at once.
            CTLR => (self.enabled as u64) | 1 << 31 | (ids::IIDR as u64) << 32,
            TYPER_AT => TYPER,
            CBASER => self.cbaser,
            CWRITER => self.cwriter,
            CREADR => self.creadr | self.stalled as u64,
            BASER0 => self.baser[0] | BASER_FIXED[0],
            BASER1 => self.baser[1] | BASER_FIXED[1],
            at => {
                let id = |at| ids::read(at, ids::ITS_PART) as u64;
                id(at) | id(at + 4) << 32
            }
        }
    }
    /// Set the 64-bit register at `at`. CBASER and BASER<n> are UNPREDICTABLE to write while the ITS is enabled; ignored here.
    fn write(&mut self, at: u64, v: u64) {
        match at {
            CTLR => self.enabled = bit(v, 0),
            CBASER if !self.enabled => {
                self.cbaser = v & CBASER_MASK;
                self.creadr = 0;
                self.stalled = false;
            }
            CWRITER => {
                // Retry: go on with the command that stalled. An offset beyond the queue is UNPREDICTABLE; ignored here.
                if bit(v, 0) {
                    self.stalled = false;
                }
                if v & OFFSET < self.queue_size() {
                    self.cwriter = v & OFFSET;
                }
            }
            BASER0 if !self.enabled => self.baser[0] = baser(v),
            BASER1 if !self.enabled => self.baser[1] = baser(v),
            _ => {}
        }
    }
}

/// What GITS_BASER<n> takes of a value. Page_Size 0b11 is reserved and becomes 64 KiB.
fn baser(v: u64) -> u64 {
    let page = bits(v, 9, 8).min(2);
    insert(v & BASER_MASK & !BASER_FIXED_MASK, 9, 8, page)
}
const BASER_FIXED_MASK: u64 = 7 << 56 | 0x1f << 48;

impl Gic {
    /// Read the ITS's two frames. Reserved and write-only registers read as zero.
    pub fn its_read(&self, offset: u64, size: u8) -> u64 {
        if offset >= 0x1_0000 {
            return 0;
        }
        let v = self.state.its.read(offset & !7);
        v >> (offset % 8 * 8) & ones(size as u32 * 8)
    }
    /// A message of device `device` to the ITS: GITS_TRANSLATER is written. What that does in memory is to be done then (`Gic::service`).
    pub fn its_message(&mut self, device: u32, event: u32) {
        self.work.push(Work::Translate(device, event));
    }
    /// Write the ITS's two frames. An access narrower than a register leaves the rest of it as it is.
    pub fn its_write(&mut self, offset: u64, size: u8, value: u64) {
        if offset == TRANSLATER && matches!(size, 2 | 4) {
            let event = (value & ones(size as u32 * 8)) as u32;
            self.work.push(Work::Translate(PE_DEVICE, event));
            return;
        }
        if offset >= 0x1_0000 || size < 4 {
            return;
        }
        let at = offset & !7;
        if (at == CTLR && offset == IIDR) || (at == CWRITER && offset != at) {
            return;
        }
        let from = (offset % 8 * 8) as u32;
        let old = match at {
            CWRITER => 0,
            _ => self.state.its.read(at),
        };
        let new = insert(old, from + size as u32 * 8 - 1, from, value);
        self.state.its.write(at, new);
        self.work.push(Work::Commands);
    }
}

/// The DeviceID of a PE's own write to GITS_TRANSLATER: IMPLEMENTATION DEFINED (IHI 0069, 12.18 GITS_TRANSLATER).
pub const PE_DEVICE: u32 = 0;
