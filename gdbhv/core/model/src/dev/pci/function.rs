//! A virtio device on PCI (VIRTIO 1.2, 4.1), with the present interface alone: BAR 1 has the table of MSI-X, BAR 4 the registers, where
//! QEMU's devices have theirs.

use super::space::{Space, VIRTIO};
use crate::bits::ones;
use crate::dev::virtio::{Common, Kind, Slot};
use crate::dev::{Message, Unseen};
use borsh::{BorshDeserialize, BorshSerialize};

/// What is added to virtio's number of a kind of device.
const DEVICE: u16 = 0x1040;
const COMMAND: u64 = 0x04;
const STATUS: u64 = 0x06;
/// Status: the interrupt that is no message is pending; there are capabilities.
const STATUS_INTERRUPT: u64 = 1 << 3;
const STATUS_LIST: u64 = 1 << 4;
/// Command: decode memory, do DMA, keep the interrupt line low.
const MEMORY: u64 = 1 << 1;
const MASTER: u64 = 1 << 2;
const NO_LINE: u64 = 1 << 10;
/// BARs: 1 and 4.
const BAR1: usize = 0x14;
const BAR4: usize = 0x20;
const BAR1_SIZE: u64 = 0x1000;
const BAR4_SIZE: u64 = 0x4000;
/// 64 bits, prefetchable.
const BAR4_KIND: u64 = 0xc;
/// Where capabilities are: MSI-X, and virtio's for common registers, ISR, the device's own, notification, and access by this space.
const MSIX: usize = 0x40;
const CAPABILITIES: [(usize, u8, u32); 4] = [
    (0x50, 1, 0x0000),
    (0x60, 3, 0x1000),
    (0x70, 4, 0x2000),
    (0x80, 2, 0x3000),
];
const BY_SPACE: usize = 0x98;
/// Of MSI-X: enabled, and all masked.
const ENABLE: u64 = 1 << 15;
const MASK_ALL: u64 = 1 << 14;
/// Where in BAR 1 pending bits are.
const PENDING: u64 = 0x800;
/// Bytes of a part of BAR 4, and of a queue's place in that for notification.
const PART: u64 = 0x1000;
const NOTIFY: u64 = 4;
/// No vector.
pub const NONE: u16 = 0xffff;

/// One function.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct Function {
    space: Space,
    /// MSI-X: address, address above, data, whether it is masked.
    table: Vec<[u32; 4]>,
    /// Messages that wait for their vector to be unmasked, by bit.
    pending: u64,
    /// Which vectors the driver wants for the configuration and for each queue.
    vectors: Vec<u16>,
}

impl Function {
    /// One after a reset.
    pub fn new(kind: Kind) -> Function {
        let (queues, class) = (kind.queues(), class(kind));
        let mut s = Space::new(VIRTIO, DEVICE + kind.id() as u16, 1, class);
        s.put(COMMAND as usize, 2, 0, 0x0407);
        s.put(STATUS as usize, 2, STATUS_LIST, 0);
        s.put(0x0c, 1, 0, 0xff); // cache line
        s.put(BAR1, 4, 0, ones(32) & !(BAR1_SIZE - 1));
        s.put(BAR4, 8, BAR4_KIND, !(BAR4_SIZE - 1));
        s.put(0x34, 1, MSIX as u64, 0);
        s.put(0x3c, 2, 0x0100, 0xff); // line, for software; pin A
        let vectors = queues + 1;
        s.put(MSIX, 2, 0x11 | (CAPABILITIES[0].0 as u64) << 8, 0);
        s.put(MSIX + 2, 2, vectors as u64 - 1, ENABLE | MASK_ALL);
        s.put(MSIX + 4, 4, 1, 0); // in BAR 1, from 0
        s.put(MSIX + 8, 4, PENDING | 1, 0);
        for (n, (at, kind, offset)) in CAPABILITIES.into_iter().enumerate() {
            let next = CAPABILITIES.get(n + 1).map_or(BY_SPACE, |c| c.0) as u64;
            let len = if kind == 2 { 20 } else { 16 };
            s.put(at, 4, 0x09 | next << 8 | len << 16 | (kind as u64) << 24, 0);
            s.put(at + 4, 4, 4, 0);
            s.put(at + 8, 4, offset as u64, 0);
            s.put(at + 12, 4, PART, 0);
            if kind == 2 {
                s.put(at + 16, 4, NOTIFY, 0);
            }
        }
        s.put(BY_SPACE, 4, 0x09 | 20 << 16 | 5 << 24, 0);
        s.put(BY_SPACE + 4, 1, 0, 0xff);
        s.put(BY_SPACE + 8, 8, 0, u64::MAX);
        Function {
            space: s,
            table: vec![[0, 0, 0, 1]; vectors],
            pending: 0,
            vectors: vec![NONE; vectors],
        }
    }
    /// Whether it can be the state of a function like this.
    pub fn like(&self, other: &Function) -> bool {
        let lengths = |f: &Function| (f.table.len(), f.vectors.len());
        self.space.like(&other.space) && lengths(self) == lengths(other)
    }
    fn commands(&self, bits: u64) -> bool {
        self.space.read(COMMAND, 2) & bits == bits
    }
    fn msix(&self) -> u64 {
        self.space.read(MSIX as u64 + 2, 2)
    }
    /// The BAR that `pa` is in, and the offset.
    pub fn decode(&self, pa: u64) -> Option<(u32, u64)> {
        let bars = [
            (1, self.space.read(BAR1 as u64, 4), BAR1_SIZE),
            (4, self.space.read(BAR4 as u64, 8) & !0xf, BAR4_SIZE),
        ];
        let hit = |&(_, base, size): &(u32, u64, u64)| base != 0 && pa.wrapping_sub(base) < size;
        let bar = bars.into_iter().find(hit).filter(|_| self.commands(MEMORY));
        bar.map(|(n, base, _)| (n, pa - base))
    }
    /// Level of its line.
    pub fn line(&self, slot: &Slot) -> bool {
        slot.irq() && !self.commands(NO_LINE) && self.msix() & ENABLE == 0
    }
    /// Where an access by this space goes: BAR, offset, bytes.
    fn by_space(&self) -> (u32, u64, u8) {
        let field = |at: usize, n: u8| self.space.read((BY_SPACE + at) as u64, n);
        (field(4, 1) as u32, field(8, 4), field(12, 4).min(255) as u8)
    }
    /// Whether an access to this space is one by it.
    fn is_window(at: u64) -> bool {
        at == BY_SPACE as u64 + 16
    }
    /// Read this space.
    pub fn read(&self, at: u64, size: u8, slot: &mut Slot) -> u64 {
        let (bar, offset, bytes) = self.by_space();
        if Function::is_window(at) && matches!(bytes, 1 | 2 | 4) && bar == 4 {
            return self.read_memory(bar, offset, bytes, slot);
        }
        self.peek(at, size, slot)
    }
    /// The same without an effect.
    pub fn peek(&self, at: u64, size: u8, slot: &Slot) -> u64 {
        let value = self.space.read(at, size);
        let shift = (STATUS - at.min(STATUS)) * 8;
        let covers = at <= STATUS && STATUS < at + size as u64;
        let pending = covers && slot.irq() && self.msix() & ENABLE == 0;
        value | (pending as u64 * STATUS_INTERRUPT) << shift
    }
    /// Write this space.
    pub fn write(&mut self, at: u64, size: u8, value: u64, slot: &mut Slot) {
        let (bar, offset, bytes) = self.by_space();
        if Function::is_window(at) {
            if matches!(bytes, 1 | 2 | 4) && bar == 4 {
                self.write_memory(bar, offset, bytes, value & ones(bytes as u32 * 8), slot);
            }
            return;
        }
        self.space.write(at, size, value);
    }
    /// Read a register by a BAR. The ISR is cleared by it.
    pub fn read_memory(&self, bar: u32, at: u64, size: u8, slot: &mut Slot) -> u64 {
        self.peek_memory(bar, at, size, slot).unwrap_or_else(|_| {
            let isr = slot.isr();
            slot.acknowledge(isr);
            isr as u64
        })
    }
    /// What it would give.
    ///
    /// # Errors
    /// A read has an effect.
    pub fn peek_memory(&self, bar: u32, at: u64, size: u8, slot: &Slot) -> Result<u64, Unseen> {
        if bar == 1 {
            let word = |at: u64| match at {
                PENDING.. => {
                    let bit = (at - PENDING & !3).min(8) as u32 * 8;
                    self.pending.checked_shr(bit).unwrap_or(0) as u32
                }
                _ => {
                    let entry = self.table.get(at as usize / 16);
                    entry.map_or(0, |e| e[at as usize / 4 % 4])
                }
            };
            let low = word(at) as u64 | (word(at + 4) as u64) << 32;
            return Ok(low >> (at % 4 * 8) & ones(size as u32 * 8));
        }
        match at / PART {
            0 => Ok(slot.common(&self.vectors).read(at, size)),
            1 if at == PART => Err(Unseen::Effect("ISR", "reading it clears it")),
            2 => Ok(slot.own_config(at % PART, size)),
            _ => Ok(0),
        }
    }
    /// Write a register by a BAR.
    pub fn write_memory(&mut self, bar: u32, at: u64, size: u8, value: u64, slot: &mut Slot) {
        if size == 8 {
            self.write_memory(bar, at, 4, value & ones(32), slot);
            return self.write_memory(bar, at + 4, 4, value >> 32, slot);
        }
        match (bar, at / PART) {
            (1, _) if size == 4 => {
                if let Some(entry) = self.table.get_mut(at as usize / 16) {
                    let word = at as usize / 4 % 4;
                    entry[word] = value as u32 & [!3, u32::MAX, u32::MAX, 1][word];
                }
            }
            (4, 0) => {
                let most = self.table.len() as u16;
                match slot.write_common(at, size, value) {
                    Common::Done => {}
                    Common::Reset => self.vectors.fill(NONE),
                    Common::Vector(n) => {
                        let vector = value as u16;
                        if let Some(v) = self.vectors.get_mut(n) {
                            *v = if vector < most { vector } else { NONE };
                        }
                    }
                }
            }
            // Without leave to do DMA it can do nothing about it.
            (4, 3) if self.commands(MASTER) => slot.notify((at % PART / NOTIFY) as u32),
            _ => {}
        }
    }
    /// Send what the device has to say as messages, if it is to.
    pub fn tell(&mut self, id: u32, slot: &mut Slot, messages: &mut Vec<Message>) {
        let (queues, configuration) = slot.take_news();
        if self.msix() & ENABLE == 0 {
            return;
        }
        let mut wanted = self.pending;
        for (n, vector) in self.vectors.iter().enumerate() {
            let news = if n == 0 {
                configuration
            } else {
                queues >> (n - 1) & 1 != 0
            };
            if news && *vector != NONE {
                wanted |= 1 << vector;
            }
        }
        let held = self.msix() & MASK_ALL != 0 || !self.commands(MASTER);
        self.pending = 0;
        for (n, [low, high, data, masked]) in self.table.iter().copied().enumerate() {
            if wanted >> n & 1 == 0 {
                continue;
            }
            if held || masked & 1 != 0 {
                self.pending |= 1 << n;
                continue;
            }
            messages.push(Message {
                device: id,
                address: (high as u64) << 32 | low as u64,
                data,
            });
        }
    }
}

/// Class, subclass and interface, as QEMU's devices have them.
fn class(kind: Kind) -> u32 {
    match kind {
        Kind::Block(_) => 0x01_0000,
        Kind::Net(_) => 0x02_0000,
        Kind::Console => 0x07_8000,
        Kind::Entropy(_) => 0x00_ff00,
    }
}
