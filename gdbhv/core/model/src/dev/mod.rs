//! Devices of the board.

#[cfg(test)]
mod contract;
pub mod flash;
pub mod fw_cfg;
pub mod gic;
pub mod net;
pub mod pci;
pub mod pl011;
pub mod pl031;
pub mod pl061;
pub mod regs;
pub mod virtio;

use crate::mem::Memory;
use crate::save::Save;

/// What a device may know while it is accessed.
#[derive(Clone, Copy, Debug)]
pub struct DevCtx {
    /// Virtual time in nanoseconds (instructions).
    pub now: u64,
    /// Index of the CPU that accesses it.
    pub cpu: usize,
}

/// A message-signalled interrupt on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whose it is: bus, device and function, as the ITS's DeviceID.
    pub device: u32,
    /// Where it is written to.
    pub address: u64,
    /// What.
    pub data: u32,
}

/// Why a debugger does not see a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// Nothing answers at the address.
    Nothing,
    /// The device of this name does not say which of its reads have no effect.
    Unsaid(&'static str),
    /// A read of this register does something: its name, and what.
    Effect(&'static str, &'static str),
}

/// A memory-mapped device. Offsets are from its base; sizes are 1, 2, 4 or 8 bytes, naturally aligned.
///
/// What a guest may find again is saved ([`Save`]); what came out of a device, and what was told to it from outside, is not.
///
/// After each access and each event the bus asks for [`Device::irq`] and hands the level to the interrupt controller.
pub trait Device: Save + Send {
    /// Name in the board's table.
    fn name(&self) -> &'static str;
    /// Read a register; may have side effects. None: nothing there, an external abort.
    fn read(&mut self, offset: u64, size: u8, ctx: DevCtx) -> Option<u64>;
    /// What a read would give, if it had no effect: a debugger's view. A device that has such registers says so.
    fn peek(&self, _offset: u64, _size: u8, _ctx: DevCtx) -> Result<u64, Unseen> {
        Err(Unseen::Unsaid(self.name()))
    }
    /// Write a register. None: nothing there.
    fn write(&mut self, offset: u64, size: u8, value: u64, ctx: DevCtx) -> Option<()>;
    /// Level of the device's interrupt line.
    fn irq(&self) -> bool {
        false
    }
    /// Levels of all its lines, for one that has several: `each` gets how many INTIDs a line is behind the first, and its level.
    fn irqs(&self, each: &mut dyn FnMut(u32, bool)) {
        each(0, self.irq());
    }
    /// When the device wants [`Device::event`] called (virtual time), if ever.
    fn deadline(&self) -> Option<u64> {
        None
    }
    /// Virtual time has reached [`Device::deadline`].
    fn event(&mut self, _now: u64) {}
    /// Whether the last write or event has left something to do in memory.
    fn has_work(&self) -> bool {
        false
    }
    /// Do it.
    fn service(&mut self, _mem: &mut dyn Memory) {}
    /// What [`Device::service`] has left to be written as interrupts.
    fn messages(&mut self) -> Vec<Message> {
        Vec::new()
    }
    /// What fw_cfg has besides: items to be given.
    fn fw_cfg(&mut self) -> Option<&mut fw_cfg::FwCfg> {
        None
    }
    /// What the virtio slots have besides: devices in them.
    fn virtio(&mut self) -> Option<&mut virtio::Virtio> {
        None
    }
    /// What a host bridge has besides: devices behind it.
    fn pci(&mut self) -> Option<&mut pci::Pci> {
        None
    }
    /// What the GPIO block has besides: a power button.
    fn gpio(&mut self) -> Option<&mut pl061::Pl061> {
        None
    }
    /// What a UART has besides.
    fn console(&mut self) -> Option<&mut dyn Console> {
        None
    }
}

/// The outer end of a UART's wire.
pub trait Console {
    /// What was sent since the last call.
    fn take_output(&mut self) -> Vec<u8>;
    /// Type at virtual time `now`. Nothing is lost: what the FIFO cannot hold waits, and so does all before the guest listens.
    /// `paced`: line by line, each after a second in which the guest neither sent nor took anything.
    fn push_input(&mut self, data: &[u8], paced: bool, now: u64);
    /// Bytes that were typed and are not read.
    fn waiting(&self) -> usize;
    /// What was typed and waits for room in the FIFO; it is forgotten here.
    fn take_waiting(&mut self) -> (Vec<u8>, bool);
    /// Whether the guest would see what is typed: it has the interrupt on, or polls.
    fn listens(&self) -> bool;
}
