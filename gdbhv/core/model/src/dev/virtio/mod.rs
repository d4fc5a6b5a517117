//! The 32 virtio-mmio transports of the board (Virtual I/O Device (VIRTIO) 1.2, 4.2 "Virtio Over MMIO"). A slot without a device has DeviceID 0,
//! which tells a driver to ignore it; version and vendor are those of QEMU's board, whose empty slots have the legacy interface (4.2.4).
//! One with a device has the present interface, version 2.
//!
//! Requests are served at once, by the instruction that tells of them; what is too much for that (16 MiB) goes on 100 microseconds later, so that a
//! guest's rings cannot hold anybody up for long. What a disk holds is memory's ([`Memory::disk`]), by the slot's number.

mod blk;
mod common;
mod console;
mod net;
mod queue;
mod rng;
mod slot;

pub use blk::Block;
pub use common::Common;
pub use slot::{Kind, Slot};

use super::net::tcp::{Connections, Told};
use super::net::Sender;
use super::{Console, DevCtx, Device, Unseen};
use crate::dev::regs;
use crate::mem::Memory;
use crate::save::{take, Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};
use slot::{MAGIC, VENDOR};
use std::collections::BTreeMap;

/// Bytes of one slot.
pub const SLOT: u64 = 0x200;
/// Slots.
pub const SLOTS: u8 = 32;
/// Bytes that are moved at once.
const BUDGET: u64 = 16 << 20;
/// Nanoseconds until it goes on.
const PAUSE: u64 = 100_000;

/// Everything that a snapshot keeps, but what disks hold.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    slots: BTreeMap<u8, Slot>,
    /// Something is to be done now.
    work: bool,
    /// When to go on.
    due: Option<u64>,
    /// Virtual time of the last access.
    now: u64,
}

/// How devices are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// By the registers of the slots.
    #[default]
    Mmio,
    /// By functions on PCI; numbers of slots begin with [`PCI_FIRST`], whose device is the host bridge.
    Pci,
}

/// The number of the slot that is device 0 of the bus.
pub const PCI_FIRST: u8 = 32;

/// All slots.
#[derive(Default)]
pub struct Virtio {
    /// Guest-visible state.
    pub state: State,
    transport: Transport,
}

impl Virtio {
    /// None, to be reached so.
    pub fn of(transport: Transport) -> Virtio {
        Virtio {
            transport,
            ..Virtio::default()
        }
    }
    /// Put a device into the highest slot that is free, or the lowest device on PCI, as QEMU does; its number. None: all have one.
    pub fn plug(&mut self, kind: Kind) -> Option<u8> {
        let free = |n: &u8| !self.state.slots.contains_key(n);
        let slot = match self.transport {
            Transport::Mmio => (0..SLOTS).rev().find(free)?,
            Transport::Pci => (PCI_FIRST + 1..PCI_FIRST + SLOTS).find(free)?,
        };
        self.state.slots.insert(slot, Slot::new(kind));
        Some(slot)
    }
    /// Make all devices what they were when they were put there.
    pub fn reset(&mut self) {
        for slot in self.state.slots.values_mut() {
            *slot = Slot::new(slot.kind);
        }
        (self.state.work, self.state.due) = (false, None);
    }
    /// The devices, by the numbers of their slots.
    pub fn kinds(&self) -> impl Iterator<Item = (u8, Kind)> + '_ {
        self.state.slots.iter().map(|(n, s)| (*n, s.kind))
    }
    /// The device in a slot that has one.
    pub fn slot(&mut self, n: u8) -> &mut Slot {
        self.state.slots.get_mut(&n).expect("plugged in")
    }
    /// The same, to look at.
    pub fn seen(&self, n: u8) -> &Slot {
        &self.state.slots[&n]
    }
    /// A device was written to at virtual time `now`: it may have something to do.
    pub fn notice(&mut self, now: u64) {
        let s = &mut self.state;
        s.now = now;
        s.work |= s.due.is_none() && s.slots.values().any(Slot::has_work);
    }
    /// Do something at the outer end of the network's wire, at virtual time `now`. None: there is no network.
    pub fn network<T>(
        &mut self,
        now: u64,
        with: impl FnOnce(&mut Connections, &mut Sender) -> T,
    ) -> Option<T> {
        let s = &mut self.state;
        s.now = now;
        for slot in s.slots.values_mut() {
            if let Some(gateway) = slot.gateway() {
                let done = gateway.outside(with);
                slot.answered();
                s.work |= slot.has_work() && s.due.is_none();
                return Some(done);
            }
        }
        None
    }
    /// What the guest has done to connections since the last call. None: there is no network.
    pub fn take_told(&mut self) -> Option<Vec<(u32, Told)>> {
        let mut gateways = self.state.slots.values_mut().filter_map(Slot::gateway);
        Some(gateways.next()?.tcp.take_told())
    }
    /// Bytes of a client's that the guest has not acknowledged, if there is its connection. None: there is no network.
    pub fn waiting_for(&mut self, client: u32) -> Option<Option<usize>> {
        let mut gateways = self.state.slots.values_mut().filter_map(Slot::gateway);
        Some(gateways.next()?.tcp.waiting(client))
    }
    /// What is in the slots, in the order in which it was put there.
    pub fn plugged(&self) -> impl Iterator<Item = Kind> + '_ {
        let up = self.state.slots.values().map(|s| s.kind);
        let (down, up): (Vec<_>, Vec<_>) = match self.transport {
            Transport::Mmio => (up.rev().collect(), Vec::new()),
            Transport::Pci => (Vec::new(), up.collect()),
        };
        down.into_iter().chain(up)
    }
}

/// A terminal in a slot. Nothing is typed line by line there: the driver has room for as much as it has given.
impl Console for Virtio {
    fn take_output(&mut self) -> Vec<u8> {
        let wires = self.state.slots.values_mut().filter_map(Slot::wire);
        wires.flat_map(|w| std::mem::take(&mut w.printed)).collect()
    }
    fn push_input(&mut self, data: &[u8], _: bool, now: u64) {
        let s = &mut self.state;
        s.now = now;
        let slot = s.slots.values_mut().find(|s| s.kind == Kind::Console);
        if let Some(slot) = slot {
            slot.wire().expect("a console").typed.extend(data);
            slot.typed();
            s.work |= slot.has_work() && s.due.is_none();
        }
    }
    fn waiting(&self) -> usize {
        self.state.slots.values().map(Slot::waiting).sum()
    }
    fn take_waiting(&mut self) -> (Vec<u8>, bool) {
        let wires = self.state.slots.values_mut().filter_map(Slot::wire);
        (wires.flat_map(|w| w.typed.drain(..)).collect(), false)
    }
    fn listens(&self) -> bool {
        let mut slots = self.state.slots.values();
        slots.any(|s| s.kind == Kind::Console && s.listens())
    }
}

impl Save for Virtio {
    fn save(&self, to: &mut Vec<u8>) {
        self.state.save(to);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        let new: State = take(from)?;
        let kinds = |s: &State| -> Vec<_> { s.slots.iter().map(|(n, s)| (*n, s.kind)).collect() };
        if kinds(&new) != kinds(&self.state) {
            let what = |s: &State| match s.slots.len() {
                0 => "none".to_string(),
                _ => format!("{:?}", kinds(s)),
            };
            let (there, here) = (what(&new), what(&self.state));
            return Err(Unfit(format!(
                "it has other devices: {there}, and this machine {here}"
            )));
        }
        if !new.slots.values().all(Slot::fits) {
            return Err(Unfit("damaged: a device has other queues".into()));
        }
        self.state = new;
        Ok(())
    }
}

impl Device for Virtio {
    fn name(&self) -> &'static str {
        "virtio-mmio"
    }
    fn read(&mut self, offset: u64, size: u8, ctx: DevCtx) -> Option<u64> {
        self.peek(offset, size, ctx).ok()
    }
    fn peek(&self, offset: u64, size: u8, _: DevCtx) -> Result<u64, Unseen> {
        if let Some(slot) = self.state.slots.get(&((offset / SLOT) as u8)) {
            return Ok(slot.read(offset % SLOT, size));
        }
        Ok(regs::read(offset, size, |r| match r % SLOT {
            0x000 => MAGIC,
            0x004 => 1, // Version
            0x00c => VENDOR,
            _ => 0,
        }))
    }
    fn write(&mut self, offset: u64, size: u8, value: u64, ctx: DevCtx) -> Option<()> {
        let s = &mut self.state;
        s.now = ctx.now;
        if let Some(slot) = s.slots.get_mut(&((offset / SLOT) as u8)) {
            slot.write(offset % SLOT, size, value);
            s.work |= slot.has_work() && s.due.is_none();
        }
        Some(())
    }
    fn irqs(&self, each: &mut dyn FnMut(u32, bool)) {
        for (n, slot) in &self.state.slots {
            each(*n as u32, slot.irq());
        }
    }
    fn deadline(&self) -> Option<u64> {
        let slots = self.state.slots.values();
        let own = slots.filter_map(Slot::deadline);
        own.chain(self.state.due).min()
    }
    fn event(&mut self, now: u64) {
        let s = &mut self.state;
        s.now = now;
        for slot in s.slots.values_mut() {
            if slot.deadline().is_some_and(|t| t <= now) {
                let gateway = slot.gateway().expect("it has a deadline");
                gateway.outside(|connections, to| connections.event(now, to));
                slot.answered();
            }
        }
        s.due = s.due.filter(|t| *t > now);
        s.work |= s.due.is_none();
    }
    fn has_work(&self) -> bool {
        self.state.work
    }
    fn service(&mut self, mem: &mut dyn Memory) {
        let s = &mut self.state;
        if !std::mem::take(&mut s.work) {
            return;
        }
        let mut budget = BUDGET;
        for (n, slot) in &mut s.slots {
            slot.serve(mem, (*n, s.now), &mut budget);
        }
        let more = s.slots.values().any(Slot::has_work);
        s.due = more.then_some(s.now.saturating_add(PAUSE));
    }
    fn virtio(&mut self) -> Option<&mut Virtio> {
        Some(self)
    }
    fn console(&mut self) -> Option<&mut dyn Console> {
        let mut slots = self.state.slots.values();
        let any = slots.any(|s| s.kind == Kind::Console);
        any.then_some(self as &mut dyn Console)
    }
}

#[cfg(test)]
mod tests;
