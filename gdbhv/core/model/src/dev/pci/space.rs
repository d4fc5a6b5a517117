//! Configuration space: bytes, and which of their bits can be written.

use borsh::{BorshDeserialize, BorshSerialize};

/// Bytes that there are; the extended space behind them is empty.
const BYTES: usize = 256;
/// "Red Hat", who has QEMU's bridge, and who has virtio devices; they are one company with two numbers.
const BRIDGE: (u16, u16) = (0x1b36, 0x0008);
/// Vendor of virtio devices, and of all subsystems.
pub const VIRTIO: u16 = 0x1af4;
/// What QEMU's bridge and devices tell as their subsystem.
const SUBSYSTEM: u16 = 0x1100;

/// One function's.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct Space {
    bytes: Vec<u8>,
    /// Bits that can be written.
    mask: Vec<u8>,
}

impl Space {
    /// Type 0 (PCI Local Bus Specification 3.0, 6.1): vendor and device, revision, class with subclass and interface.
    pub fn new(vendor: u16, device: u16, revision: u8, class: u32) -> Space {
        let mut s = Space {
            bytes: vec![0; BYTES],
            mask: vec![0; BYTES],
        };
        s.put(0x00, 2, vendor as u64, 0);
        s.put(0x02, 2, device as u64, 0);
        s.put(0x08, 4, (class << 8 | revision as u32) as u64, 0);
        s.put(0x2c, 2, VIRTIO as u64, 0);
        s.put(0x2e, 2, SUBSYSTEM as u64, 0);
        s
    }
    /// Set `size` bytes at `at`, and which of their bits can be written.
    pub fn put(&mut self, at: usize, size: usize, value: u64, mask: u64) {
        self.bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        self.mask[at..at + size].copy_from_slice(&mask.to_le_bytes()[..size]);
    }
    /// What is there; what is behind the end is 0.
    pub fn read(&self, at: u64, size: u8) -> u64 {
        let bytes = (at..at + size as u64).rev();
        bytes.fold(0, |v, n| {
            v << 8 | self.bytes.get(n as usize).copied().unwrap_or(0) as u64
        })
    }
    /// Write what can be.
    pub fn write(&mut self, at: u64, size: u8, value: u64) {
        for (n, new) in (at as usize..).zip(&value.to_le_bytes()[..size as usize]) {
            if let (Some(old), Some(mask)) = (self.bytes.get_mut(n), self.mask.get(n)) {
                *old = *old & !mask | new & mask;
            }
        }
    }
    /// Whether the same can be written.
    pub fn like(&self, other: &Space) -> bool {
        self.mask == other.mask && self.bytes.len() == BYTES
    }
}

/// The host bridge's.
pub fn bridge() -> Space {
    Space::new(BRIDGE.0, BRIDGE.1, 0, 0x06_0000)
}
