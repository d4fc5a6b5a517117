//! One slot with a device in it: the registers of VIRTIO 1.2, 4.2.2, and the queues behind them.
//!
//! As on QEMU's board registers are words: other accesses read as 0 and write nothing. Stricter than there, and as 3.1.1 wants it, is that
//! features which were not offered, or a driver without VIRTIO_F_VERSION_1, are refused (FEATURES_OK stays 0).

use super::blk::Block;
use super::console::{self, Wire, RECEIVE};
use super::net;
use super::queue::{Broken, Chain, Queue, Taken, MOST};
use super::rng;
use crate::dev::net::{Gateway, Mac};
use crate::mem::Memory;
use borsh::{BorshDeserialize, BorshSerialize};
use virtio_bindings::virtio_config::{
    VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_NEEDS_RESET,
    VIRTIO_F_VERSION_1,
};
use virtio_bindings::virtio_ids::{
    VIRTIO_ID_BLOCK, VIRTIO_ID_CONSOLE, VIRTIO_ID_NET, VIRTIO_ID_RNG,
};
use virtio_bindings::virtio_mmio as r;
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};

/// MagicValue, "virt".
pub const MAGIC: u32 = 0x7472_6976;
/// VendorID, "QEMU".
pub const VENDOR: u32 = 0x554d_4551;
/// Version of the interface: not the legacy one.
const VERSION: u32 = 2;
const DRIVER_OK: u8 = VIRTIO_CONFIG_S_DRIVER_OK as u8;
const FEATURES_OK: u8 = VIRTIO_CONFIG_S_FEATURES_OK as u8;
const NEEDS_RESET: u8 = VIRTIO_CONFIG_S_NEEDS_RESET as u8;
/// Features of all devices.
const COMMON: u64 =
    1 << VIRTIO_F_VERSION_1 | 1 << VIRTIO_RING_F_INDIRECT_DESC | 1 << VIRTIO_RING_F_EVENT_IDX;
/// What a request costs besides its bytes, and each of its descriptors, in bytes.
const COST: u64 = 512;

/// What is in a slot.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A disk.
    Block(Block),
    /// Random numbers, from this seed.
    Entropy(u64),
    /// A terminal.
    Console,
    /// A network, with this address of the guest's.
    Net(Mac),
}

impl Kind {
    /// DeviceID.
    pub fn id(&self) -> u32 {
        match self {
            Kind::Block(_) => VIRTIO_ID_BLOCK,
            Kind::Entropy(_) => VIRTIO_ID_RNG,
            Kind::Console => VIRTIO_ID_CONSOLE,
            Kind::Net(_) => VIRTIO_ID_NET,
        }
    }
    /// How many queues.
    pub fn queues(&self) -> usize {
        match self {
            Kind::Block(_) | Kind::Entropy(_) => 1,
            Kind::Console | Kind::Net(_) => 2,
        }
    }
    pub(super) fn features(&self) -> u64 {
        COMMON
            | match self {
                Kind::Block(b) => b.features(),
                Kind::Entropy(_) | Kind::Console => 0,
                Kind::Net(_) => net::FEATURES,
            }
    }
    fn config(&self) -> Vec<u8> {
        match self {
            Kind::Block(b) => b.config().to_vec(),
            Kind::Entropy(_) => Vec::new(),
            Kind::Console => vec![0; 12], // 5.3.4: size, ports; there is no feature by which they count
            Kind::Net(mac) => net::config(*mac),
        }
    }
}

/// A slot with a device.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What it is.
    pub kind: Kind,
    pub(super) status: u8,
    /// The driver has broken the rules, and must reset the device.
    broken: bool,
    pub(super) device_features_high: bool,
    pub(super) driver_features_high: bool,
    pub(super) driver_features: u64,
    pub(super) queue: u32,
    pub(super) queues: Vec<Queue>,
    /// Queues, by bit, that the driver has told of something in.
    kicked: u32,
    interrupt: u8,
    /// What was to be told since the last call of [`Slot::take_news`]: of queues, by bit, and of the configuration.
    news: (u32, bool),
    own: Own,
}

/// What devices keep besides.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
struct Own {
    /// Random numbers so far.
    drawn: u64,
    wire: Wire,
    /// The other end of a network's wire.
    gateway: Option<Gateway>,
}

impl Own {
    fn new(kind: Kind) -> Own {
        Own {
            gateway: match kind {
                Kind::Net(mac) => Some(Gateway::new(mac)),
                _ => None,
            },
            ..Own::default()
        }
    }
    /// Whether there is nothing for the driver in the queue that the device fills of itself.
    fn has_nothing(&self, kind: Kind, queue: usize) -> bool {
        match kind {
            Kind::Console => queue == RECEIVE && self.wire.typed.is_empty(),
            Kind::Net(_) => queue == net::RECEIVE && self.has_no_frame(),
            _ => false,
        }
    }
    fn has_no_frame(&self) -> bool {
        let frame = self.gateway.as_ref().and_then(Gateway::front);
        frame.is_none()
    }
    fn serve(
        &mut self,
        kind: Kind,
        queue: usize,
        chain: &Chain,
        mem: &mut dyn Memory,
        (slot, now): (u8, u64),
    ) -> Result<u32, Broken> {
        match kind {
            Kind::Block(b) => b.serve(chain, mem, slot),
            Kind::Entropy(seed) => rng::serve(seed, &mut self.drawn, chain, mem),
            Kind::Console => self.wire.serve(queue, chain, mem),
            Kind::Net(_) => {
                let gateway = self.gateway.as_mut().expect("a network");
                net::serve(gateway, queue, chain, mem, now)
            }
        }
    }
}

impl Slot {
    /// A device after a reset.
    pub fn new(kind: Kind) -> Slot {
        Slot {
            kind,
            status: 0,
            broken: false,
            device_features_high: false,
            driver_features_high: false,
            driver_features: 0,
            queue: 0,
            queues: vec![Queue::default(); kind.queues()],
            kicked: 0,
            interrupt: 0,
            news: (0, false),
            own: Own::new(kind),
        }
    }
    /// What is typed and printed, if it is a terminal.
    pub fn wire(&mut self) -> Option<&mut Wire> {
        (self.kind == Kind::Console).then_some(&mut self.own.wire)
    }
    /// The other end of the wire, if it is a network.
    pub fn gateway(&mut self) -> Option<&mut Gateway> {
        self.own.gateway.as_mut()
    }
    /// When that has something to do of itself.
    pub fn deadline(&self) -> Option<u64> {
        self.own.gateway.as_ref()?.tcp.deadline()
    }
    /// There may be frames for the driver: they go where it has room.
    pub fn answered(&mut self) {
        if !self.own.has_no_frame() {
            self.kicked |= 1 << net::RECEIVE;
        }
    }
    /// Bytes that were typed and are not with the driver.
    pub fn waiting(&self) -> usize {
        self.own.wire.typed.len()
    }
    /// Something was typed: it goes where the driver has room.
    pub fn typed(&mut self) {
        self.kicked |= 1 << RECEIVE;
    }
    /// Whether the driver has room for what is typed, or had.
    pub fn listens(&self) -> bool {
        self.status & DRIVER_OK != 0 && self.queues[RECEIVE].ready
    }
    /// Level of the interrupt line.
    pub fn irq(&self) -> bool {
        self.interrupt != 0
    }
    /// Whether there is something to do.
    pub fn has_work(&self) -> bool {
        self.kicked != 0 && self.status & DRIVER_OK != 0 && !self.broken
    }
    /// Whether it is a state that the device can be in.
    pub fn fits(&self) -> bool {
        let small = |q: &Queue| q.size <= MOST;
        let wired = self.own.gateway.is_some() == matches!(self.kind, Kind::Net(_));
        self.queues.len() == self.kind.queues() && self.queues.iter().all(small) && wired
    }
    fn taken(&self) -> Taken {
        let has = |bit: u32| self.driver_features >> bit & 1 != 0;
        Taken {
            indirect: has(VIRTIO_RING_F_INDIRECT_DESC),
            event_idx: has(VIRTIO_RING_F_EVENT_IDX),
        }
    }
    /// Read of the device's own configuration. Behind the end all bits are set, as on QEMU's board.
    pub fn own_config(&self, at: u64, size: u8) -> u64 {
        let all = self.kind.config();
        let bytes = all.get(at as usize..at as usize + size as usize);
        let value = |b: &[u8]| b.iter().rev().fold(0, |v, b| v << 8 | *b as u64);
        bytes.map_or(crate::bits::ones(size as u32 * 8), value)
    }
    /// What interrupts are pending, and why.
    pub fn isr(&self) -> u8 {
        self.interrupt
    }
    /// These are not any more.
    pub fn acknowledge(&mut self, bits: u8) {
        self.interrupt &= !bits;
    }
    /// The driver tells of something in a queue.
    pub fn notify(&mut self, queue: u32) {
        if (queue as usize) < self.queues.len() {
            self.kicked |= 1 << queue;
        }
    }
    /// What was to be told since the last call: of queues, by bit, and of the configuration.
    pub fn take_news(&mut self) -> (u32, bool) {
        std::mem::take(&mut self.news)
    }
    /// The driver takes the half of the features that is selected, unless it is through with that.
    pub(super) fn take_features(&mut self, word: u32) {
        if self.status & FEATURES_OK == 0 {
            let shift = 32 * self.driver_features_high as u32;
            let kept = self.driver_features & !(0xffff_ffff << shift);
            self.driver_features = kept | (word as u64) << shift;
        }
    }
    /// Read a register, or of the configuration space.
    pub fn read(&self, offset: u64, size: u8) -> u64 {
        if size == 8 {
            return self.read(offset, 4) | self.read(offset + 4, 4) << 32;
        }
        if let Some(at) = offset.checked_sub(r::VIRTIO_MMIO_CONFIG as u64) {
            return self.own_config(at, size);
        }
        if size != 4 {
            return 0;
        }
        let queue = self.queues.get(self.queue as usize);
        let value = match offset as u32 {
            r::VIRTIO_MMIO_MAGIC_VALUE => MAGIC,
            r::VIRTIO_MMIO_VERSION => VERSION,
            r::VIRTIO_MMIO_DEVICE_ID => self.kind.id(),
            r::VIRTIO_MMIO_VENDOR_ID => VENDOR,
            r::VIRTIO_MMIO_DEVICE_FEATURES => {
                (self.kind.features() >> (32 * self.device_features_high as u32)) as u32
            }
            r::VIRTIO_MMIO_QUEUE_NUM_MAX => queue.map_or(0, |_| MOST as u32),
            r::VIRTIO_MMIO_QUEUE_READY => queue.is_some_and(|q| q.ready) as u32,
            r::VIRTIO_MMIO_INTERRUPT_STATUS => self.interrupt as u32,
            r::VIRTIO_MMIO_STATUS => self.status as u32,
            r::VIRTIO_MMIO_SHM_LEN_LOW | r::VIRTIO_MMIO_SHM_LEN_HIGH => u32::MAX, // no such memory
            _ => 0,
        };
        value as u64
    }
    /// Write a register. Nothing in the configuration space can be written.
    pub fn write(&mut self, offset: u64, size: u8, value: u64) {
        if size == 8 {
            self.write(offset, 4, value & u32::MAX as u64);
            return self.write(offset + 4, 4, value >> 32);
        }
        if size != 4 {
            return;
        }
        let word = value as u32;
        let half = |old: u64, high: bool| {
            let shift = 32 * high as u32;
            old & !(0xffff_ffff << shift) | (word as u64) << shift
        };
        match offset as u32 {
            r::VIRTIO_MMIO_DEVICE_FEATURES_SEL => self.device_features_high = word != 0,
            r::VIRTIO_MMIO_DRIVER_FEATURES_SEL => self.driver_features_high = word != 0,
            r::VIRTIO_MMIO_DRIVER_FEATURES => self.take_features(word),
            r::VIRTIO_MMIO_QUEUE_SEL => self.queue = word,
            r::VIRTIO_MMIO_QUEUE_NOTIFY => self.notify(word),
            r::VIRTIO_MMIO_INTERRUPT_ACK => self.acknowledge(word as u8),
            r::VIRTIO_MMIO_STATUS => self.set_status(word as u8),
            _ => self.write_queue(offset as u32, word, half),
        }
    }
    /// A register of the queue that is selected. While it is ready only that can be changed.
    fn write_queue(&mut self, offset: u32, word: u32, half: impl Fn(u64, bool) -> u64) {
        let Some(q) = self.queues.get_mut(self.queue as usize) else {
            return;
        };
        let area = match offset {
            r::VIRTIO_MMIO_QUEUE_READY => {
                if q.ready != (word & 1 != 0) {
                    q.set_ready(!q.ready);
                }
                return;
            }
            r::VIRTIO_MMIO_QUEUE_NUM if !q.ready && (1..=MOST as u32).contains(&word) => {
                q.size = word as u16;
                return;
            }
            r::VIRTIO_MMIO_QUEUE_DESC_LOW | r::VIRTIO_MMIO_QUEUE_DESC_HIGH => 0,
            r::VIRTIO_MMIO_QUEUE_AVAIL_LOW | r::VIRTIO_MMIO_QUEUE_AVAIL_HIGH => 1,
            r::VIRTIO_MMIO_QUEUE_USED_LOW | r::VIRTIO_MMIO_QUEUE_USED_HIGH => 2,
            _ => return,
        };
        if !q.ready {
            q.areas[area] = half(q.areas[area], offset & 4 != 0);
        }
    }
    pub(super) fn set_status(&mut self, value: u8) {
        if value == 0 {
            let own = std::mem::take(&mut self.own); // typed before, and numbers go on
            *self = Slot::new(self.kind);
            self.own = own;
            return;
        }
        let known = self.driver_features & !self.kind.features() == 0;
        let right = known && self.driver_features >> VIRTIO_F_VERSION_1 & 1 != 0;
        let refused = self.status & FEATURES_OK == 0 && !right;
        self.status = value & !(FEATURES_OK * refused as u8) | self.status & NEEDS_RESET;
    }
    /// Serve what the driver has told of, as long as `budget` lasts: bytes. `place`: the slot's number, and virtual time.
    pub fn serve(&mut self, mem: &mut dyn Memory, place: (u8, u64), budget: &mut u64) {
        if self.has_work() && self.serve_queues(mem, place, budget).is_err() {
            self.broken = true;
            self.status |= NEEDS_RESET;
            self.interrupt |= r::VIRTIO_MMIO_INT_CONFIG as u8; // 2.1.2: it is told
            self.news.1 = true;
        }
    }
    fn serve_queues(
        &mut self,
        mem: &mut dyn Memory,
        place: (u8, u64),
        budget: &mut u64,
    ) -> Result<(), Broken> {
        let taken = self.taken();
        let took = self.kicked & !(1 << net::RECEIVE) != 0;
        for (n, q) in self.queues.iter_mut().enumerate() {
            while self.kicked >> n & 1 != 0 {
                if *budget == 0 {
                    return Ok(());
                }
                if self.own.has_nothing(self.kind, n) {
                    self.kicked &= !(1 << n);
                    break;
                }
                let Some(chain) = q.pop(mem, taken)? else {
                    self.kicked &= !(1 << n);
                    break;
                };
                let bytes = self.own.serve(self.kind, n, &chain, mem, place)?;
                if q.push(mem, &chain, bytes, taken)? {
                    self.interrupt |= r::VIRTIO_MMIO_INT_VRING as u8;
                    self.news.0 |= 1 << n;
                }
                let each = if self.kind == Kind::Console {
                    console::COST
                } else {
                    1
                };
                let moved = (chain.read.len() + chain.write.len()).saturating_mul(each);
                *budget = budget
                    .saturating_sub(moved.saturating_add(COST * (1 + chain.descriptors as u64)));
            }
        }
        if took {
            self.answered();
        }
        Ok(())
    }
}
