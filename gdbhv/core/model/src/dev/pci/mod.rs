//! PCI Express: a host bridge with ECAM (PCI Express Base Specification, 7.2.2), as QEMU's board has it, and on its one bus the bridge
//! itself (device 0) and virtio devices (1 and up).
//!
//! A machine that was not given PCIe has the configuration space alone, and nothing is found there: its tree does not tell of it, but
//! trees made for QEMU's board do, and a kernel that probes the bus must find it empty. With PCIe the windows for memory and I/O are
//! there too; where no device has put a register, reads give all ones and writes go nowhere, as on QEMU's board.

mod function;
mod space;

use super::virtio::{Transport, Virtio, PCI_FIRST};
use super::{Console, DevCtx, Device, Message, Unseen};
use crate::bits::ones;
use crate::mem::Memory;
use crate::save::{put, take, Save, Unfit};
use function::Function;
use std::collections::BTreeMap;

/// First address and bytes of what a bridge passes on: memory below 4 GiB, I/O, memory above.
pub const WINDOWS: [(u64, u64); 3] = [
    (0x1000_0000, 0x2eff_0000),
    (0x3eff_0000, 0x1_0000),
    (0x80_0000_0000, 0x80_0000_0000),
];
/// Set in the offset of an access by a window, whose other bits are the address.
pub const WINDOW: u64 = 1 << 63;
/// Lines of the interrupts that are no messages.
pub const LINES: u32 = 4;

/// The bridge, and what is behind it.
pub struct Pci {
    /// It was given to the machine.
    pub present: bool,
    functions: BTreeMap<u8, Function>,
    virtio: Virtio,
    messages: Vec<Message>,
}

impl Default for Pci {
    fn default() -> Pci {
        Pci {
            present: false,
            functions: BTreeMap::new(),
            virtio: Virtio::of(Transport::Pci),
            messages: Vec::new(),
        }
    }
}

/// What an access reaches.
enum Place {
    /// The bridge's configuration space, or a function's, at an offset.
    Bridge(u64),
    Function(u8, u64),
    /// A register by a function's BAR.
    Memory(u8, u32, u64),
    Nothing,
}

impl Pci {
    /// Functions are those of the devices that were plugged in.
    fn follow(&mut self) {
        for (n, kind) in self.virtio.kinds() {
            let made = || Function::new(kind);
            self.functions.entry(n - PCI_FIRST).or_insert_with(made);
        }
    }
    fn place(&self, offset: u64) -> Place {
        if offset & WINDOW != 0 {
            let pa = offset & !WINDOW;
            for (n, f) in &self.functions {
                if let Some((bar, at)) = f.decode(pa) {
                    return Place::Memory(*n, bar, at);
                }
            }
            return Place::Nothing;
        }
        let (bus, device, function) = (offset >> 20, (offset >> 15 & 31) as u8, offset >> 12 & 7);
        match (bus, function) {
            (0, 0) if self.present && device == 0 => Place::Bridge(offset & 0xfff),
            (0, 0) if self.functions.contains_key(&device) => {
                Place::Function(device, offset & 0xfff)
            }
            _ => Place::Nothing,
        }
    }
    /// Pass on what devices have to say.
    fn tell(&mut self) {
        for (n, f) in &mut self.functions {
            let slot = self.virtio.slot(n + PCI_FIRST);
            f.tell((*n as u32) << 3, slot, &mut self.messages);
        }
    }
}

impl Device for Pci {
    fn name(&self) -> &'static str {
        "pcie-ecam"
    }
    fn read(&mut self, offset: u64, size: u8, _: DevCtx) -> Option<u64> {
        Some(match self.place(offset) {
            Place::Function(n, at) => {
                let slot = self.virtio.slot(n + PCI_FIRST);
                self.functions[&n].read(at, size, slot)
            }
            Place::Memory(n, bar, at) => {
                let slot = self.virtio.slot(n + PCI_FIRST);
                self.functions[&n].read_memory(bar, at, size, slot)
            }
            Place::Bridge(at) => space::bridge().read(at, size),
            Place::Nothing => ones(size as u32 * 8),
        })
    }
    fn peek(&self, offset: u64, size: u8, _: DevCtx) -> Result<u64, Unseen> {
        match self.place(offset) {
            Place::Bridge(at) => Ok(space::bridge().read(at, size)),
            Place::Function(n, at) => {
                let slot = self.virtio.seen(n + PCI_FIRST);
                Ok(self.functions[&n].peek(at, size, slot))
            }
            Place::Memory(n, bar, at) => {
                let slot = self.virtio.seen(n + PCI_FIRST);
                self.functions[&n].peek_memory(bar, at, size, slot)
            }
            Place::Nothing => Ok(ones(size as u32 * 8)),
        }
    }
    fn write(&mut self, offset: u64, size: u8, value: u64, ctx: DevCtx) -> Option<()> {
        match self.place(offset) {
            Place::Function(n, at) => {
                let slot = self.virtio.slot(n + PCI_FIRST);
                let f = self.functions.get_mut(&n).expect("found");
                f.write(at, size, value, slot);
            }
            Place::Memory(n, bar, at) => {
                let slot = self.virtio.slot(n + PCI_FIRST);
                let f = self.functions.get_mut(&n).expect("found");
                f.write_memory(bar, at, size, value, slot);
            }
            Place::Bridge(_) | Place::Nothing => return Some(()),
        }
        self.virtio.notice(ctx.now);
        self.tell();
        Some(())
    }
    fn irqs(&self, each: &mut dyn FnMut(u32, bool)) {
        let mut lines = [false; LINES as usize];
        for (n, f) in &self.functions {
            // Pin A of each: pins go round by the device's number, as the tree says.
            lines[*n as usize % lines.len()] |= f.line(self.virtio.seen(n + PCI_FIRST));
        }
        for (n, level) in (0..).zip(lines) {
            each(n, level);
        }
    }
    fn deadline(&self) -> Option<u64> {
        self.virtio.deadline()
    }
    fn event(&mut self, now: u64) {
        self.virtio.event(now);
        self.tell();
    }
    fn has_work(&self) -> bool {
        self.virtio.has_work() || !self.messages.is_empty()
    }
    fn service(&mut self, mem: &mut dyn Memory) {
        self.virtio.service(mem);
        self.tell();
    }
    fn messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }
    fn virtio(&mut self) -> Option<&mut Virtio> {
        self.present.then_some(&mut self.virtio)
    }
    fn pci(&mut self) -> Option<&mut Pci> {
        Some(self)
    }
    fn console(&mut self) -> Option<&mut dyn Console> {
        self.virtio.console()
    }
}

impl Pci {
    /// Put a device into the lowest number that is free; the number of its slot. None: all have one.
    pub fn plug(&mut self, kind: super::virtio::Kind) -> Option<u8> {
        let slot = self.virtio.plug(kind)?;
        self.follow();
        Some(slot)
    }
}

impl Save for Pci {
    fn save(&self, to: &mut Vec<u8>) {
        put(to, &(self.present, &self.functions));
        self.virtio.save(to);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        let (present, functions): (bool, BTreeMap<u8, Function>) = take(from)?;
        let fit = functions.keys().eq(self.functions.keys()) && present == self.present;
        if !fit
            || !functions
                .values()
                .zip(self.functions.values())
                .all(|(a, b)| a.like(b))
        {
            return Err(Unfit("it has other devices on PCIe".into()));
        }
        self.virtio.load(from)?;
        self.functions = functions;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
