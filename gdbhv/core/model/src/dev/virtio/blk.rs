//! The block device (VIRTIO 1.2, 5.2): a request is a header, data, and a byte for the status.

use super::queue::{Broken, Chain};
use crate::mem::disk::SECTOR;
use crate::mem::Memory;
use virtio_bindings::virtio_blk as b;

/// Most bytes of data in one request; a longer one is answered with an I/O error.
const MOST: u64 = 64 << 20;
/// Most pieces of data in one request: QEMU's number for a queue of 256.
const SEG_MAX: u32 = 254;
/// Most sectors that are discarded, or zeroed, at once: QEMU's number.
const MOST_SECTORS: u32 = 0x3f_ffff;
/// Bytes that move at a time.
const PIECE: u64 = 1 << 16;
/// Bytes of the header: type, 0, sector.
const HEADER: u64 = 16;

/// What a driver is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, borsh::BorshSerialize, borsh::BorshDeserialize)]
pub struct Block {
    /// Sectors.
    pub sectors: u64,
    /// Nothing can be written.
    pub read_only: bool,
}

impl Block {
    /// Features, besides those of all devices.
    pub fn features(&self) -> u64 {
        let bits = [
            b::VIRTIO_BLK_F_SEG_MAX,
            b::VIRTIO_BLK_F_BLK_SIZE,
            b::VIRTIO_BLK_F_FLUSH,
            b::VIRTIO_BLK_F_DISCARD,
            b::VIRTIO_BLK_F_WRITE_ZEROES,
        ];
        let all = bits.iter().fold(0, |all, bit| all | 1 << bit);
        all | (self.read_only as u64) << b::VIRTIO_BLK_F_RO
    }
    /// The configuration space (5.2.4).
    pub fn config(&self) -> [u8; 60] {
        let mut c = [0; 60];
        c[..8].copy_from_slice(&self.sectors.to_le_bytes());
        for (at, word) in [
            (12, SEG_MAX),
            (20, SECTOR as u32),
            (36, MOST_SECTORS),
            (40, 1), // segments to discard, their alignment in sectors
            (44, 1),
            (48, MOST_SECTORS),
            (52, 1),
        ] {
            c[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        (c[32], c[34], c[56]) = (1, 1, 1); // a cache that is written back; one queue; zeroed sectors may be unmapped
        c
    }
    /// Do what a chain asks for; how many bytes of it were written.
    ///
    /// # Errors
    /// It has no header, or no place for the status; or no memory where it says.
    pub fn serve(&self, chain: &Chain, mem: &mut dyn Memory, disk: u8) -> Result<u32, Broken> {
        let mut header = [0; HEADER as usize];
        chain.read.get(mem, 0, &mut header)?;
        let place = chain.write.len().checked_sub(1).ok_or(Broken)?;
        let (kind, rest) = header.split_at(8);
        let kind = u32::from_le_bytes(std::array::from_fn(|n| kind[n]));
        let sector = u64::from_le_bytes(std::array::from_fn(|n| rest[n]));
        let given = chain.read.len() - HEADER;
        let status = match kind {
            b::VIRTIO_BLK_T_IN => self.transfer(sector, place, |at, piece| {
                let read = mem
                    .disk(disk)
                    .is_some_and(|d| d.read(sector * SECTOR + at, piece));
                chain.write.put(mem, at, piece).map(|()| read)
            })?,
            b::VIRTIO_BLK_T_OUT if self.read_only => b::VIRTIO_BLK_S_IOERR,
            b::VIRTIO_BLK_T_OUT => self.transfer(sector, given, |at, piece| {
                chain.read.get(mem, HEADER + at, piece)?;
                Ok(mem
                    .disk(disk)
                    .is_some_and(|d| d.write(sector * SECTOR + at, piece)))
            })?,
            b::VIRTIO_BLK_T_FLUSH => b::VIRTIO_BLK_S_OK,
            b::VIRTIO_BLK_T_GET_ID => {
                // Its serial number is empty.
                chain.write.put(mem, 0, &[0; 1][..place.min(1) as usize])?;
                b::VIRTIO_BLK_S_OK
            }
            b::VIRTIO_BLK_T_DISCARD | b::VIRTIO_BLK_T_WRITE_ZEROES => {
                let mut segment = [0; 16];
                if given != segment.len() as u64 {
                    b::VIRTIO_BLK_S_UNSUPP
                } else {
                    chain.read.get(mem, HEADER, &mut segment)?;
                    self.clear(kind, &segment, mem, disk)
                }
            }
            _ => b::VIRTIO_BLK_S_UNSUPP,
        };
        chain.write.put(mem, place, &[status as u8])?;
        Ok(u32::try_from(place + 1).unwrap_or(u32::MAX))
    }
    /// Move `len` bytes from or to `sector` on, piece by piece: `with` moves one, at so many bytes; false: it failed.
    fn transfer(
        &self,
        sector: u64,
        len: u64,
        mut with: impl FnMut(u64, &mut [u8]) -> Result<bool, Broken>,
    ) -> Result<u32, Broken> {
        if !len.is_multiple_of(SECTOR) || len > MOST || !self.has(sector, len / SECTOR) {
            return Ok(b::VIRTIO_BLK_S_IOERR);
        }
        let mut piece = vec![0; len.min(PIECE) as usize];
        for at in (0..len).step_by(PIECE as usize) {
            if !with(at, &mut piece[..(len - at).min(PIECE) as usize])? {
                return Ok(b::VIRTIO_BLK_S_IOERR);
            }
        }
        Ok(b::VIRTIO_BLK_S_OK)
    }
    /// Discard or zero what a segment says: sector, count, flags. What is discarded is zero.
    fn clear(&self, kind: u32, segment: &[u8; 16], mem: &mut dyn Memory, disk: u8) -> u32 {
        let field = |at: usize, n: usize| {
            let bytes = segment[at..at + n].iter().rev();
            bytes.fold(0u64, |v, b| v << 8 | *b as u64)
        };
        let (sector, count, flags) = (field(0, 8), field(8, 4), field(12, 4) as u32);
        let may_unmap = if kind == b::VIRTIO_BLK_T_WRITE_ZEROES {
            b::VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP
        } else {
            0
        };
        if flags & !may_unmap != 0 {
            return b::VIRTIO_BLK_S_UNSUPP;
        }
        let fits = count <= MOST_SECTORS as u64 && self.has(sector, count) && !self.read_only;
        let done = fits
            && mem
                .disk(disk)
                .is_some_and(|d| d.zero(sector * SECTOR, count * SECTOR));
        if done {
            b::VIRTIO_BLK_S_OK
        } else {
            b::VIRTIO_BLK_S_IOERR
        }
    }
    fn has(&self, sector: u64, count: u64) -> bool {
        sector <= self.sectors && count <= self.sectors - sector
    }
}
