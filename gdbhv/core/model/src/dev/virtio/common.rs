//! What a device on PCI shows of itself: the common configuration (VIRTIO 1.2, 4.1.4.3), which is the same state as the registers of a
//! slot, in other places.

use super::queue::MOST;
use super::slot::Slot;

/// What a write asks of whoever has the vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Common {
    /// Nothing.
    Done,
    /// To have none: the device was reset.
    Reset,
    /// To set one: 0 is the configuration's, those of the queues are behind it.
    Vector(usize),
}

/// The registers as bytes.
pub struct Registers([u8; 56]);

impl Registers {
    /// Read some. Behind the end there is nothing.
    pub fn read(&self, at: u64, size: u8) -> u64 {
        let bytes = (at..at + size as u64).rev();
        let byte = |n: u64| self.0.get(n as usize).copied().unwrap_or(0) as u64;
        bytes.fold(0, |v, n| v << 8 | byte(n))
    }
}

// Where they are; between STATUS and SELECT is the configuration's generation, which never changes.
const FEATURE_SELECT: u32 = 0x00;
const FEATURES: u32 = 0x04;
const DRIVER_SELECT: u32 = 0x08;
const DRIVER_FEATURES: u32 = 0x0c;
const CONFIG_VECTOR: u32 = 0x10;
const QUEUES: u32 = 0x12;
const STATUS: u32 = 0x14;
const SELECT: u32 = 0x16;
const SIZE: u32 = 0x18;
const VECTOR: u32 = 0x1a;
const ENABLE: u32 = 0x1c;
const NOTIFY: u32 = 0x1e;
const AREAS: u32 = 0x20;
const END: u32 = 0x38;

impl Slot {
    /// The registers, with the vectors that the function has.
    pub fn common(&self, vectors: &[u16]) -> Registers {
        let mut all = [0; END as usize];
        let mut put = |at: u32, bytes: &[u8]| {
            all[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
        };
        let half = |word: u64, high: bool| (word >> (32 * high as u32)) as u32;
        put(
            FEATURE_SELECT,
            &(self.device_features_high as u32).to_le_bytes(),
        );
        let features = half(self.kind.features(), self.device_features_high);
        put(FEATURES, &features.to_le_bytes());
        put(
            DRIVER_SELECT,
            &(self.driver_features_high as u32).to_le_bytes(),
        );
        let features = half(self.driver_features, self.driver_features_high);
        put(DRIVER_FEATURES, &features.to_le_bytes());
        put(CONFIG_VECTOR, &vectors[0].to_le_bytes());
        put(QUEUES, &(self.queues.len() as u16).to_le_bytes());
        put(STATUS, &[self.status]);
        put(SELECT, &(self.queue as u16).to_le_bytes());
        if let Some(q) = self.queues.get(self.queue as usize) {
            let size = if q.size == 0 { MOST } else { q.size };
            put(SIZE, &size.to_le_bytes());
            put(VECTOR, &vectors[self.queue as usize + 1].to_le_bytes());
            put(ENABLE, &(q.ready as u16).to_le_bytes());
            put(NOTIFY, &(self.queue as u16).to_le_bytes());
            for (n, area) in (0..).zip(q.areas) {
                put(AREAS + 8 * n, &area.to_le_bytes());
            }
        }
        Registers(all)
    }
    /// Write one: at its place and with its size, areas of a queue in halves.
    pub fn write_common(&mut self, at: u64, size: u8, value: u64) -> Common {
        let word = value as u32;
        match (at as u32, size) {
            (FEATURE_SELECT, 4) => self.device_features_high = word != 0,
            (DRIVER_SELECT, 4) => self.driver_features_high = word != 0,
            (DRIVER_FEATURES, 4) => self.take_features(word),
            (CONFIG_VECTOR, 2) => return Common::Vector(0),
            (STATUS, 1) => {
                self.set_status(word as u8);
                return if word == 0 {
                    Common::Reset
                } else {
                    Common::Done
                };
            }
            (SELECT, 2) => self.queue = word,
            (VECTOR, 2) => return Common::Vector(self.queue as usize + 1),
            _ => self.write_common_queue(at as u32, size, word),
        }
        Common::Done
    }
    /// A register of the queue that is selected. While it is ready nothing of it can be changed.
    fn write_common_queue(&mut self, at: u32, size: u8, word: u32) {
        let Some(q) = self.queues.get_mut(self.queue as usize) else {
            return;
        };
        match (at, size) {
            (ENABLE, 2) if word == 1 && !q.ready => {
                if q.size == 0 {
                    q.size = MOST;
                }
                q.set_ready(true);
            }
            (SIZE, 2) if !q.ready && (1..=MOST as u32).contains(&word) => q.size = word as u16,
            (AREAS..END, 4) if !q.ready => {
                let (area, shift) = (((at - AREAS) / 8) as usize, (at - AREAS) % 8 * 8);
                q.areas[area] = q.areas[area] & !(0xffff_ffff << shift) | (word as u64) << shift;
            }
            _ => {}
        }
    }
}
