//! The address map outside RAM: typed ranges, each with its device.

use crate::dev::fw_cfg::FwCfg;
use crate::dev::gic::its::TRANSLATER;
use crate::dev::gic::v2::Frame;
use crate::dev::gic::Gic;
use crate::dev::net::tcp::Connections;
use crate::dev::net::Sender;
use crate::dev::pci::{Pci, WINDOW};
use crate::dev::virtio::{Kind, Virtio};
use crate::dev::{Console, DevCtx, Device, Message, Unseen};
use crate::mem::Memory;
use crate::save::{put, put_part, take, take_part, Save, Unfit};

/// What answers in a range.
pub enum Target {
    /// The Distributor's frame.
    Gicd,
    /// The Redistributors' frames.
    Gicr,
    /// The ITS's frames. What it leaves to do in memory is the caller's to do (`Gic::service`).
    Its,
    /// A frame of a GICv2.
    GicV2(Frame),
    /// What the device at this address answers: a window of a host bridge's.
    Window(u64),
    /// A device, with the INTID of its interrupt line (the first, if it has several), if it has one.
    Device(Box<dyn Device>, Option<u32>),
}

struct Range {
    base: u64,
    size: u64,
    target: Target,
}

/// Two ranges overlap, or one does not fit in the address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRange {
    /// First address of the range that was refused.
    pub base: u64,
    /// Bytes.
    pub size: u64,
}

impl std::fmt::Display for BadRange {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(
            f,
            "range {:#x} of {:#x} bytes overlaps another or does not fit",
            self.base, self.size
        )
    }
}

impl std::error::Error for BadRange {}

/// The address map. RAM is not in it: memory accesses look there first.
#[derive(Default)]
pub struct Bus {
    /// By base, disjoint.
    ranges: Vec<Range>,
    /// The range that was found last.
    last: usize,
    /// A device has something left to do in memory.
    work: bool,
}

impl Bus {
    /// Put a device at `base`. Overlap with a range already there is an error.
    pub fn add(&mut self, base: u64, size: u64, target: Target) -> Result<(), BadRange> {
        let bad = BadRange { base, size };
        let last = size
            .checked_sub(1)
            .and_then(|n| base.checked_add(n))
            .ok_or(bad.clone())?;
        let at = self.ranges.partition_point(|r| r.base < base);
        let hits_next = self.ranges.get(at).is_some_and(|r| r.base <= last);
        let hits_previous = at > 0 && base - self.ranges[at - 1].base < self.ranges[at - 1].size;
        if hits_next || hits_previous {
            return Err(bad);
        }
        self.ranges.insert(at, Range { base, size, target });
        Ok(())
    }

    /// Read `size` bytes (1, 2, 4 or 8, aligned) at `pa`. None: nothing answers, an external abort.
    pub fn read(&mut self, pa: u64, size: u8, ctx: DevCtx, gic: &mut Gic) -> Option<u64> {
        let (target, offset) = self.find(pa, size)?;
        match target {
            Target::Gicd => Some(gic.dist_read(offset, size)),
            Target::Gicr => gic.redist_read(offset, size),
            Target::Its => Some(gic.its_read(offset, size)),
            Target::GicV2(frame) => Some(gic.v2_read(*frame, ctx.cpu, offset, size)),
            Target::Window(_) => None,
            Target::Device(d, intid) => {
                let v = d.read(offset, size, ctx);
                raise(&**d, *intid, gic);
                v
            }
        }
    }
    /// What a read would give, without its effects: a debugger's view.
    pub fn peek(&mut self, pa: u64, size: u8, ctx: DevCtx, gic: &mut Gic) -> Result<u64, Unseen> {
        let (target, offset) = self.find(pa, size).ok_or(Unseen::Nothing)?;
        match target {
            Target::Gicd => Ok(gic.dist_read(offset, size)),
            Target::Gicr => gic.redist_read(offset, size).ok_or(Unseen::Nothing),
            Target::Its => Ok(gic.its_read(offset, size)),
            Target::GicV2(frame) => gic.v2_peek(*frame, ctx.cpu, offset, size),
            Target::Window(_) => Err(Unseen::Nothing),
            Target::Device(d, _) => d.peek(offset, size, ctx),
        }
    }
    /// Write the low `size` bytes of `value` at `pa`. None: nothing answers, an external abort.
    pub fn write(
        &mut self,
        pa: u64,
        size: u8,
        value: u64,
        ctx: DevCtx,
        gic: &mut Gic,
    ) -> Option<()> {
        let (target, offset) = self.find(pa, size)?;
        match target {
            Target::Gicd => {
                gic.dist_write(offset, size, value);
                Some(())
            }
            Target::Gicr => gic.redist_write(offset, size, value),
            Target::Its => {
                gic.its_write(offset, size, value);
                Some(())
            }
            Target::GicV2(frame) => {
                gic.v2_write(*frame, ctx.cpu, offset, size, value);
                Some(())
            }
            Target::Window(_) => None,
            Target::Device(d, intid) => {
                let done = d.write(offset, size, value, ctx);
                raise(&**d, *intid, gic);
                let work = d.has_work();
                self.work |= work;
                done
            }
        }
    }
    /// Whether a write has left something to do in memory.
    #[inline]
    pub fn has_work(&self) -> bool {
        self.work
    }
    /// Do it.
    pub fn service(&mut self, mem: &mut dyn Memory, gic: &mut Gic) {
        self.work = false;
        let mut messages = Vec::new();
        for r in &mut self.ranges {
            if let Target::Device(d, intid) = &mut r.target {
                d.service(mem);
                messages.append(&mut d.messages());
                raise(&**d, *intid, gic);
            }
        }
        for m in messages {
            self.deliver(m, mem, gic);
        }
    }
    /// Write a device's message: to the ITS, with whose it is; to a GICv2m; or to memory, where it is no interrupt.
    fn deliver(&mut self, m: Message, mem: &mut dyn Memory, gic: &mut Gic) {
        match self.find(m.address, 4) {
            Some((Target::Its, TRANSLATER)) => gic.its_message(m.device, m.data),
            Some((Target::GicV2(frame), at)) => gic.v2_write(*frame, 0, at, 4, m.data as u64),
            Some(_) => {}
            None => drop(mem.write(m.address, 4, m.data as u64)),
        }
    }
    /// Put a device where devices go: its slot. None: there is no room.
    pub fn plug(&mut self, kind: Kind) -> Option<u8> {
        match self.pci().filter(|p| p.present) {
            Some(pci) => pci.plug(kind),
            None => self.virtio()?.plug(kind),
        }
    }
    /// The earliest time at which a device wants [`Bus::events`].
    pub fn deadline(&self) -> Option<u64> {
        self.devices().filter_map(|(_, d)| d.deadline()).min()
    }
    /// Virtual time has reached `now`: devices whose deadline has passed act.
    pub fn events(&mut self, now: u64, gic: &mut Gic) {
        for r in &mut self.ranges {
            if let Target::Device(d, intid) = &mut r.target {
                if d.deadline().is_some_and(|t| t <= now) {
                    d.event(now);
                    raise(&**d, *intid, gic);
                    self.work |= d.has_work();
                }
            }
        }
    }
    /// The devices with their base addresses, in order of address. (The GIC is none of them.)
    pub fn devices(&self) -> impl Iterator<Item = (u64, &dyn Device)> {
        self.ranges.iter().filter_map(|r| match &r.target {
            Target::Device(d, _) => Some((r.base, &**d)),
            _ => None,
        })
    }
    /// What the board's UARTs have sent since the last call.
    pub fn take_output(&mut self) -> Vec<u8> {
        let devices = self.ranges.iter_mut().filter_map(|r| match &mut r.target {
            Target::Device(d, _) => d.console(),
            _ => None,
        });
        devices.flat_map(|c| c.take_output()).collect()
    }
    /// Where what is typed goes: the virtio console if there is one, else the UART. (It is behind that in the address map.)
    fn terminal(&mut self) -> Option<&mut dyn Console> {
        let mut consoles = self
            .ranges
            .iter_mut()
            .rev()
            .filter_map(|r| match &mut r.target {
                Target::Device(d, _) => d.console(),
                _ => None,
            });
        consoles.next()
    }
    /// What was typed and waits for room in the terminal's FIFO, which forgets it.
    pub fn take_waiting(&mut self) -> (Vec<u8>, bool) {
        self.terminal()
            .map_or_else(Default::default, |c| c.take_waiting())
    }
    /// Bytes that were typed on the board's terminal, and that the guest has not read.
    pub fn input_waiting(&mut self) -> usize {
        self.terminal().map_or(0, |c| c.waiting())
    }
    /// Whether the guest would see what is typed on the board's terminal.
    pub fn listens(&mut self) -> bool {
        self.terminal().is_some_and(|c| c.listens())
    }
    /// Type on the board's terminal at virtual time `now`. False: there is none.
    pub fn push_input(&mut self, data: &[u8], paced: bool, now: u64, gic: &mut Gic) -> bool {
        for r in self.ranges.iter_mut().rev() {
            if let Target::Device(d, intid) = &mut r.target {
                if let Some(c) = d.console() {
                    c.push_input(data, paced, now);
                    raise(&**d, *intid, gic);
                    self.work |= d.has_work();
                    return true;
                }
            }
        }
        false
    }

    /// Press the board's power button at virtual time `now`.
    pub fn press_power_button(&mut self, now: u64, gic: &mut Gic) {
        for r in &mut self.ranges {
            if let Target::Device(d, intid) = &mut r.target {
                if let Some(gpio) = d.gpio() {
                    gpio.press_power_button(now);
                    raise(&**d, *intid, gic);
                }
            }
        }
    }

    /// The board's fw_cfg, if it has one.
    pub fn fw_cfg(&mut self) -> Option<&mut FwCfg> {
        self.ranges.iter_mut().find_map(|r| match &mut r.target {
            Target::Device(d, _) => d.fw_cfg(),
            _ => None,
        })
    }

    /// The board's virtio devices: those on PCI, if it has that, else those in the slots.
    pub fn virtio(&mut self) -> Option<&mut Virtio> {
        self.ranges
            .iter_mut()
            .rev()
            .find_map(|r| match &mut r.target {
                Target::Device(d, _) => d.virtio(),
                _ => None,
            })
    }

    /// The board's host bridge of PCI, if it has one.
    pub fn pci(&mut self) -> Option<&mut Pci> {
        self.ranges.iter_mut().find_map(|r| match &mut r.target {
            Target::Device(d, _) => d.pci(),
            _ => None,
        })
    }

    /// Do something at the outer end of the network's wire, at virtual time `now`. None: there is no network.
    pub fn network<T>(
        &mut self,
        now: u64,
        with: impl FnOnce(&mut Connections, &mut Sender) -> T,
    ) -> Option<T> {
        let slots = self.virtio()?;
        let done = slots.network(now, with)?;
        let work = slots.has_work();
        self.work |= work;
        Some(done)
    }

    /// The range that holds all of the access, and the offset in it.
    fn find(&mut self, pa: u64, size: u8) -> Option<(&mut Target, u64)> {
        let here = |r: &Range| pa.wrapping_sub(r.base) < r.size;
        if !self.ranges.get(self.last).is_some_and(here) {
            let behind = self.ranges.partition_point(|r| r.base <= pa);
            self.last = behind.checked_sub(1)?;
        }
        let at = self.last;
        let r = &self.ranges[at];
        let offset = pa - r.base;
        if offset >= r.size || r.size - offset < size as u64 {
            return None;
        }
        if let Target::Window(base) = r.target {
            let at = self.ranges.partition_point(|r| r.base < base);
            return Some((&mut self.ranges.get_mut(at)?.target, WINDOW | pa));
        }
        Some((&mut self.ranges[at].target, offset))
    }
}

fn raise(d: &dyn Device, intid: Option<u32>, gic: &mut Gic) {
    if let Some(intid) = intid {
        d.irqs(&mut |n, level| gic.set_level(intid + n, None, level));
    }
}

/// The devices but the interrupt controller.
impl Save for Bus {
    fn save(&self, to: &mut Vec<u8>) {
        put(to, &self.work);
        for r in &self.ranges {
            if let Target::Device(d, _) = &r.target {
                put_part(to, &part(&**d, r.base), &**d);
            }
        }
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.work = take(from)?;
        for r in &mut self.ranges {
            if let Target::Device(d, _) = &mut r.target {
                take_part(from, &part(&**d, r.base), &mut **d)?;
            }
        }
        Ok(())
    }
}

fn part(d: &dyn Device, base: u64) -> String {
    format!("{} at {base:#x}", d.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers reads with its offset; its interrupt is bit 0 of what was last written.
    #[derive(borsh::BorshSerialize, borsh::BorshDeserialize)]
    struct Probe(u64);
    impl Device for Probe {
        fn name(&self) -> &'static str {
            "probe"
        }
        fn read(&mut self, offset: u64, _: u8, _: DevCtx) -> Option<u64> {
            Some(offset)
        }
        fn write(&mut self, _: u64, _: u8, value: u64, _: DevCtx) -> Option<()> {
            self.0 = value;
            Some(())
        }
        fn irq(&self) -> bool {
            self.0 & 1 != 0
        }
    }
    const CTX: DevCtx = DevCtx { now: 0, cpu: 0 };

    fn probe() -> Target {
        Target::Device(Box::new(Probe(0)), Some(40))
    }

    #[test]
    fn ranges_are_disjoint() {
        let mut bus = Bus::default();
        assert_eq!(bus.add(0x2000, 0x1000, probe()), Ok(()));
        for (base, size) in [
            (0x2000, 0x1000),
            (0x1fff, 2),
            (0x2fff, 1),
            (0, 0x10000),
            (0x5000, 0),
            (u64::MAX, 2),
        ] {
            assert_eq!(bus.add(base, size, probe()), Err(BadRange { base, size }));
        }
        assert_eq!(bus.add(0x3000, 0x1000, probe()), Ok(()));
        assert_eq!(bus.add(0x1000, 0x1000, probe()), Ok(()));
        assert_eq!(bus.add(u64::MAX, 1, probe()), Ok(()));
    }

    #[test]
    fn routes_and_raises() {
        let mut bus = Bus::default();
        let mut gic = Gic::new(1);
        bus.add(0x2000, 0x1000, probe()).expect("free");
        assert_eq!(bus.read(0x2ffc, 4, CTX, &mut gic), Some(0xffc));
        assert_eq!(bus.read(0x2ffc, 8, CTX, &mut gic), None, "beyond the end");
        assert_eq!(bus.read(0x1fff, 1, CTX, &mut gic), None);
        assert_eq!(bus.read(0x3000, 1, CTX, &mut gic), None);
        assert_eq!(bus.write(0x2000, 4, 1, CTX, &mut gic), Some(()));
        assert!(gic.state().spi[40 - 32].pending());
        bus.write(0x2000, 4, 0, CTX, &mut gic);
        assert!(!gic.state().spi[40 - 32].pending());
    }
}
