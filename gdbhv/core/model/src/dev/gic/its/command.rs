//! The ITS's commands: 32 bytes each, in a queue in memory between GITS_CREADR and GITS_CWRITER (IHI 0069, 5.3).
//!
//! All commands up to CWRITER are done at once, so SYNC has nothing left to wait for. A command that is in error is counted, kept
//! for `monitor gic`, and ignored, the queue goes on: one of the choices of 5.3.2 (GITS_TYPER.SEIS = 0, so there is no SError).
//! A queue that is not in memory stalls: CREADR.Stalled, until CWRITER.Retry.

use super::table::{Device, Event};
use super::State;
use crate::bits::{bit, bits};
use crate::dev::gic::lpi::{END, FIRST, ID_BITS};
use crate::dev::gic::Gic;
use crate::mem::Memory;
use borsh::{BorshDeserialize, BorshSerialize};

/// Bytes of a command.
const SIZE: u64 = 32;

/// A command in error.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// Its first byte.
    pub code: u8,
    /// Where in memory it was.
    pub address: u64,
    /// The error.
    pub fault: Fault,
}

impl CommandError {
    /// The command's name; "?" for one that a GICv3 ITS does not have.
    pub fn name(&self) -> &'static str {
        row(self.code).1
    }
}

/// An error of a command, or of a translation.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No such command.
    Unknown,
    /// The DeviceID is out of range of the device table.
    DeviceRange,
    /// MAPD asks for more EventID bits than GITS_TYPER.ID_bits.
    SizeRange,
    /// The device is not mapped.
    Device,
    /// The EventID is out of range of the device's translation table.
    EventRange,
    /// The event is not mapped.
    Event,
    /// The INTID is no LPI.
    IntidRange,
    /// The ICID is out of range of the collection table.
    CollectionRange,
    /// The collection is not mapped.
    Collection,
    /// No Redistributor has that number.
    Processor,
    /// A table is not in memory.
    Memory,
}

impl Fault {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Fault::Unknown => "no such command",
            Fault::DeviceRange => "DeviceID out of range",
            Fault::SizeRange => "more EventID bits than GITS_TYPER.ID_bits",
            Fault::Device => "device not mapped",
            Fault::EventRange => "EventID out of range",
            Fault::Event => "event not mapped",
            Fault::IntidRange => "INTID is no LPI",
            Fault::CollectionRange => "ICID out of range",
            Fault::Collection => "collection not mapped",
            Fault::Processor => "no such Redistributor",
            Fault::Memory => "a table is not in memory",
        }
    }
}

type Done = Result<(), Fault>;
type Run = fn(&mut Gic, &Command, &mut dyn Memory) -> Done;

/// The commands of a GICv3 ITS (table 5-3).
#[rustfmt::skip]
const COMMANDS: [(u8, &str, Run); 13] = [
    (0x01, "MOVI",    movi),
    (0x03, "INT",     |g, c, m| { let (e, cpu) = g.target(c.device(), c.event(), m)?; g.pend_lpi(cpu, e.intid, m); Ok(()) }),
    (0x04, "CLEAR",   |g, c, m| { let (e, cpu) = g.target(c.device(), c.event(), m)?; g.clear_lpi(cpu, e.intid); Ok(()) }),
    (0x05, "SYNC",    |_, _, _| Ok(())),
    (0x08, "MAPD",    mapd),
    (0x09, "MAPC",    mapc),
    (0x0a, "MAPTI",   |g, c, m| map(g, c, bits(c.0[1], 63, 32) as u32, m)),
    (0x0b, "MAPI",    |g, c, m| map(g, c, c.event(), m)),
    (0x0c, "INV",     |g, c, m| { let (e, _) = g.target(c.device(), c.event(), m)?; g.invalidate_lpi(e.intid, m); Ok(()) }),
    (0x0d, "INVALL",  |g, c, m| { g.cpu_of(c.icid(), m)?; g.forget_lpis(); Ok(()) }),
    (0x0e, "MOVALL",  |g, c, _| { let (from, to) = (g.redistributor(c.0[2])?, g.redistributor(c.0[3])?); g.move_lpis(from, to); Ok(()) }),
    (0x0f, "DISCARD", discard),
    (0x00, "?",       |_, _, _| Err(Fault::Unknown)),
];

/// The row of a command; the last one for commands that do not exist.
fn row(code: u8) -> &'static (u8, &'static str, Run) {
    let last = &COMMANDS[COMMANDS.len() - 1];
    COMMANDS.iter().find(|r| r.0 == code).unwrap_or(last)
}

/// The four doublewords of a command.
struct Command([u64; 4]);

impl Command {
    fn device(&self) -> u32 {
        bits(self.0[0], 63, 32) as u32
    }
    fn event(&self) -> u32 {
        self.0[1] as u32
    }
    fn icid(&self) -> u32 {
        bits(self.0[2], 15, 0) as u32
    }
    fn valid(&self) -> bool {
        bit(self.0[2], 63)
    }
}

fn mapd(g: &mut Gic, c: &Command, mem: &mut dyn Memory) -> Done {
    let its = &g.state.its;
    let id = c.device();
    if !its.has_device(id, mem) {
        return Err(Fault::DeviceRange);
    }
    let size = bits(c.0[1], 4, 0) as u32 + 1;
    if c.valid() && size > ID_BITS {
        return Err(Fault::SizeRange);
    }
    let device = Device {
        id,
        itt: c.0[2],
        bits: size,
    };
    its.set_device(id, c.valid().then_some(device), mem)
        .ok_or(Fault::Memory)
}

fn mapc(g: &mut Gic, c: &Command, mem: &mut dyn Memory) -> Done {
    if !g.state.its.has_collection(c.icid(), mem) {
        return Err(Fault::CollectionRange);
    }
    let to = match c.valid() {
        true => Some(g.redistributor(c.0[2])?),
        false => None,
    };
    let its = &g.state.its;
    its.set_collection(c.icid(), to, mem).ok_or(Fault::Memory)
}

/// MAPTI, and MAPI, whose INTID is the EventID.
fn map(g: &mut Gic, c: &Command, intid: u32, mem: &mut dyn Memory) -> Done {
    let its = &g.state.its;
    let device = its.mapped(c.device(), c.event(), mem)?;
    if !its.has_collection(c.icid(), mem) {
        return Err(Fault::CollectionRange);
    }
    if !(FIRST..END).contains(&intid) {
        return Err(Fault::IntidRange);
    }
    let event = Event {
        intid,
        icid: c.icid(),
    };
    device
        .set_event(c.event(), Some(event), mem)
        .ok_or(Fault::Memory)
}

/// MOVI: another collection for an event; its pending state moves along.
fn movi(g: &mut Gic, c: &Command, mem: &mut dyn Memory) -> Done {
    if !g.state.its.has_collection(c.icid(), mem) {
        return Err(Fault::CollectionRange);
    }
    let (e, from) = g.target(c.device(), c.event(), mem)?;
    let to = g.cpu_of(c.icid(), mem)?;
    let device = g.state.its.mapped(c.device(), c.event(), mem)?;
    let moved = Event {
        icid: c.icid(),
        ..e
    };
    device
        .set_event(c.event(), Some(moved), mem)
        .ok_or(Fault::Memory)?;
    if from != to && g.clear_lpi(from, e.intid) {
        g.pend_lpi(to, e.intid, mem);
    }
    Ok(())
}

/// DISCARD: neither mapped nor pending any more.
fn discard(g: &mut Gic, c: &Command, mem: &mut dyn Memory) -> Done {
    let (e, cpu) = g.target(c.device(), c.event(), mem)?;
    let device = g.state.its.mapped(c.device(), c.event(), mem)?;
    g.clear_lpi(cpu, e.intid);
    device.set_event(c.event(), None, mem).ok_or(Fault::Memory)
}

impl State {
    /// Whether the queue can be worked on. (CWRITER may be left behind its end by a smaller CBASER.)
    fn has_commands(&self) -> bool {
        let on = self.enabled && bit(self.cbaser, 63) && !self.stalled;
        on && self.creadr != self.cwriter && self.cwriter < self.queue_size()
    }
    /// A device that is mapped and has room for the event.
    fn mapped(&self, device: u32, event: u32, mem: &dyn Memory) -> Result<Device, Fault> {
        if !self.has_device(device, mem) {
            return Err(Fault::DeviceRange);
        }
        let d = self.device(device, mem).ok_or(Fault::Device)?;
        if !d.has(event) {
            return Err(Fault::EventRange);
        }
        Ok(d)
    }
}

impl Gic {
    /// Where an event goes.
    fn target(&self, device: u32, event: u32, mem: &dyn Memory) -> Result<(Event, usize), Fault> {
        let d = self.state.its.mapped(device, event, mem)?;
        let e = d.event(event, mem).ok_or(Fault::Event)?;
        // The table is the guest's to write, against the rules.
        if !(FIRST..END).contains(&e.intid) {
            return Err(Fault::IntidRange);
        }
        Ok((e, self.cpu_of(e.icid, mem)?))
    }
    fn cpu_of(&self, icid: u32, mem: &dyn Memory) -> Result<usize, Fault> {
        let its = &self.state.its;
        if !its.has_collection(icid, mem) {
            return Err(Fault::CollectionRange);
        }
        let cpu = its.collection(icid, mem).ok_or(Fault::Collection)?;
        if cpu < self.cpus() {
            Ok(cpu)
        } else {
            Err(Fault::Processor)
        }
    }
    /// The CPU whose Redistributor an RDbase field (bits 50:16) names, by number: GITS_TYPER.PTA = 0.
    fn redistributor(&self, v: u64) -> Result<usize, Fault> {
        let n = bits(v, 50, 16) as usize;
        if n < self.cpus() {
            Ok(n)
        } else {
            Err(Fault::Processor)
        }
    }
    /// A message: an event of a device. One that is not mapped is ignored (5.2.6).
    pub(in crate::dev::gic) fn its_translate(
        &mut self,
        device: u32,
        event: u32,
        mem: &mut dyn Memory,
    ) {
        if self.state.its.enabled {
            if let Ok((e, cpu)) = self.target(device, event, mem) {
                self.pend_lpi(cpu, e.intid, mem);
            }
        }
    }
    /// Do the commands in the queue.
    pub(in crate::dev::gic) fn its_commands(&mut self, mem: &mut dyn Memory) {
        while self.state.its.has_commands() {
            let its = &mut self.state.its;
            let address = (its.cbaser & 0xf_ffff_ffff_f000) + its.creadr;
            let words = [0, 8, 16, 24].map(|n| mem.read(address + n, 8));
            let [Some(a), Some(b), Some(c), Some(d)] = words else {
                its.stalled = true;
                break;
            };
            its.creadr = (its.creadr + SIZE) % its.queue_size();
            self.its_command(&Command([a, b, c, d]), address, mem);
        }
        // Once for however many INVALLs there were.
        self.refetch_lpis(mem);
    }
    fn its_command(&mut self, c: &Command, address: u64, mem: &mut dyn Memory) {
        let code = c.0[0] as u8;
        let done = row(code).2(self, c, mem);
        let its = &mut self.state.its;
        its.commands += 1;
        if let Err(fault) = done {
            its.errors += 1;
            its.last_error = Some(CommandError {
                code,
                address,
                fault,
            });
        }
    }
}
