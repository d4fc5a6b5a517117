//! Split virtqueues (VIRTIO 1.2, 2.7): chains of descriptors that a driver makes available, and the device uses.
//!
//! rust-vmm's `virtio-queue` reads the same rings, but wants guest memory as `vm-memory` has it: host addresses, written to and marked
//! afterwards. Here a page is kept for snapshots before it changes, decoded code is forgotten, and a hosted VM's memory is behind
//! Python; so [`Memory`] it is. The constants are `virtio-bindings`'.
//!
//! All that is read from memory is the guest's and may be anything: whatever follows the rules no more is [`Broken`].

use crate::mem::Memory;
use borsh::{BorshDeserialize, BorshSerialize};
use virtio_bindings::virtio_ring::{
    VRING_AVAIL_F_NO_INTERRUPT, VRING_DESC_F_INDIRECT, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE,
};

/// Most entries of a queue (QueueNumMax).
pub const MOST: u16 = 1024;
/// Bytes of a descriptor.
const DESCRIPTOR: u64 = 16;

/// What is in memory follows no rule that a device could go on by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Which of the features of rings a driver has taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// VIRTIO_RING_F_INDIRECT_DESC.
    pub indirect: bool,
    /// VIRTIO_RING_F_EVENT_IDX.
    pub event_idx: bool,
}

/// One queue.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Entries.
    pub size: u16,
    /// The driver has set it up.
    pub ready: bool,
    /// Where the descriptors, the driver's and the device's area are.
    pub areas: [u64; 3],
    /// The next entry of the available ring.
    next: u16,
    /// The next entry of the used ring.
    used: u16,
    /// What `used` was when the driver was told last, if it was.
    told: Option<u16>,
}

/// Pieces of memory that are one buffer: addresses and bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces(Vec<(u64, u32)>);

impl Pieces {
    /// Bytes.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|p| p.1 as u64).sum()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Fill `to` with what is from byte `from` on.
    ///
    /// # Errors
    /// They are shorter, or there is no memory.
    pub fn get(&self, mem: &dyn Memory, from: u64, to: &mut [u8]) -> Result<(), Broken> {
        let end = to.len();
        let done = self.each(from, end, |pa, part, n| {
            mem.read_bytes(pa, &mut to[part..part + n])
        });
        done.ok_or(Broken)
    }
    /// Write from byte `from` on.
    ///
    /// # Errors
    /// As above.
    pub fn put(&self, mem: &mut dyn Memory, from: u64, data: &[u8]) -> Result<(), Broken> {
        let done = self.each(from, data.len(), |pa, part, n| {
            mem.write_bytes(pa, &data[part..part + n])
        });
        done.ok_or(Broken)
    }
    /// Call `with` for each part of `len` bytes from `from` on: its address, how many bytes come before it, how many it has.
    fn each(
        &self,
        from: u64,
        len: usize,
        mut with: impl FnMut(u64, usize, usize) -> Option<()>,
    ) -> Option<()> {
        let (mut skip, mut done) = (from, 0);
        for &(pa, n) in &self.0 {
            if done == len {
                break;
            }
            if skip >= n as u64 {
                skip -= n as u64;
                continue;
            }
            let part = (n as u64 - skip).min((len - done) as u64) as usize;
            with(pa.checked_add(skip)?, done, part)?;
            done += part;
            skip = 0;
        }
        (done == len).then_some(())
    }
}

/// What a driver has made available: what the device may read, and behind it what it may write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    head: u16,
    /// Device-readable.
    pub read: Pieces,
    /// Device-writable.
    pub write: Pieces,
    /// Descriptors that it took.
    pub descriptors: u32,
}

fn half(mem: &dyn Memory, at: u64) -> Result<u16, Broken> {
    mem.read(at, 2).map(|v| v as u16).ok_or(Broken)
}

impl Queue {
    /// The place of entry `n` of an area whose entries of `bytes` begin 4 bytes into it.
    fn entry(&self, area: usize, n: u16, bytes: u64) -> u64 {
        self.areas[area].wrapping_add(4 + n as u64 * bytes)
    }
    /// The driver has set it up, or will do so anew.
    pub fn set_ready(&mut self, ready: bool) {
        self.ready = ready;
        (self.next, self.used, self.told) = (0, 0, None);
    }
    /// The next chain, if there is one.
    ///
    /// # Errors
    /// The rings or the chain break the rules.
    pub fn pop(&mut self, mem: &mut dyn Memory, taken: Taken) -> Result<Option<Chain>, Broken> {
        if !self.ready || self.size == 0 {
            return Ok(None);
        }
        let waiting = half(mem, self.areas[1].wrapping_add(2))?.wrapping_sub(self.next);
        if waiting > self.size {
            return Err(Broken);
        }
        if waiting == 0 {
            if taken.event_idx {
                // avail_event, behind the used ring: tell me of the next one.
                let at = self.entry(2, self.size, 8);
                mem.write(at, 2, self.next as u64).ok_or(Broken)?;
            }
            return Ok(None);
        }
        let head = half(mem, self.entry(1, self.next % self.size, 2))?;
        let chain = self.chain(mem, head, taken)?;
        self.next = self.next.wrapping_add(1);
        Ok(Some(chain))
    }
    /// The chain that begins at descriptor `head`.
    fn chain(&self, mem: &dyn Memory, head: u16, taken: Taken) -> Result<Chain, Broken> {
        let mut chain = Chain {
            head,
            ..Chain::default()
        };
        // Where the table is, how many it has; an indirect one takes the place of the queue's.
        let (mut table, mut size, mut inner) = (self.areas[0], self.size as u32, false);
        let mut next = head as u32;
        loop {
            if next >= size || chain.descriptors > size {
                return Err(Broken); // outside, or going round
            }
            chain.descriptors += 1;
            let mut raw = [0; DESCRIPTOR as usize];
            let at = table.wrapping_add(next as u64 * DESCRIPTOR);
            mem.read_bytes(at, &mut raw).ok_or(Broken)?;
            let field = |at: usize, n: usize| {
                raw[at..at + n]
                    .iter()
                    .rev()
                    .fold(0u64, |v, b| v << 8 | *b as u64)
            };
            let (pa, bytes, flags) = (field(0, 8), field(8, 4) as u32, field(12, 2) as u32);
            next = field(14, 2) as u32;
            if flags & VRING_DESC_F_INDIRECT != 0 {
                let entries = bytes / DESCRIPTOR as u32;
                let whole = bytes.is_multiple_of(DESCRIPTOR as u32) && entries != 0;
                let alone = flags & VRING_DESC_F_NEXT == 0 && !inner;
                if !taken.indirect || !alone || !whole || entries > MOST as u32 {
                    return Err(Broken);
                }
                (table, size, inner, next) = (pa, entries, true, 0);
                chain.descriptors = 0;
                continue;
            }
            let to_write = flags & VRING_DESC_F_WRITE != 0;
            // Nothing is to be read behind what is to be written (2.7.4.2), and nothing is empty.
            if bytes == 0 || !to_write && !chain.write.is_empty() {
                return Err(Broken);
            }
            let pieces = if to_write {
                &mut chain.write
            } else {
                &mut chain.read
            };
            pieces.0.push((pa, bytes));
            if flags & VRING_DESC_F_NEXT == 0 {
                return Ok(chain);
            }
        }
    }
    /// Give a chain back, `bytes` of which were written. True: the driver wants an interrupt.
    ///
    /// # Errors
    /// There is no memory where the rings are to be.
    pub fn push(
        &mut self,
        mem: &mut dyn Memory,
        chain: &Chain,
        bytes: u32,
        taken: Taken,
    ) -> Result<bool, Broken> {
        let at = self.entry(2, self.used % self.size, 8);
        let element = (bytes as u64) << 32 | chain.head as u64;
        mem.write(at, 8, element).ok_or(Broken)?;
        self.used = self.used.wrapping_add(1);
        let index = self.areas[2].wrapping_add(2);
        mem.write(index, 2, self.used as u64).ok_or(Broken)?;
        if !taken.event_idx {
            let flags = half(mem, self.areas[1])? as u32;
            return Ok(flags & VRING_AVAIL_F_NO_INTERRUPT == 0);
        }
        // used_event, behind the available ring: vring_need_event() of 2.7.7.2.
        let event = half(mem, self.entry(1, self.size, 2))?;
        let told = self.told.replace(self.used);
        Ok(told.is_none_or(|told| {
            let new = self.used.wrapping_sub(event).wrapping_sub(1);
            new < self.used.wrapping_sub(told)
        }))
    }
}
