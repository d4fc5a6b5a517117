//! Disks: what a file holds, which is never written to, and over it the blocks that a guest wrote.
//!
//! What was written is the machine's: snapshots share its blocks, and a reset leaves them, as it leaves a disk.

use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Bytes of a sector.
pub const SECTOR: u64 = 512;
/// Bytes that are kept together.
pub const BLOCK: u64 = 16 << 10;
/// Most bytes that a guest can write to one disk, zeros not counted; the host's memory has them.
pub const MOST: u64 = 4 << 30;

/// What a disk holds before anything is written.
pub trait Base: Send + Sync {
    /// Bytes, a multiple of [`SECTOR`].
    fn size(&self) -> u64;
    /// Fill `to` with what is at byte `at`.
    ///
    /// # Errors
    /// The host cannot read it.
    fn read(&self, at: u64, to: &mut [u8]) -> io::Result<()>;
}

/// Blocks by number; None: zeros. The last one of a disk may be longer than the disk.
#[derive(Clone, Default)]
pub struct Written(BTreeMap<u64, Option<Arc<[u8]>>>);

impl Written {
    /// The blocks and what they hold; None: zeros.
    pub fn blocks(&self) -> impl Iterator<Item = (u64, Option<&[u8]>)> {
        self.0.iter().map(|(n, b)| (*n, b.as_deref()))
    }
    /// Add a block. False: it is no block.
    pub fn put(&mut self, number: u64, data: Option<&[u8]>) -> bool {
        let fits = data.is_none_or(|d| d.len() as u64 == BLOCK);
        if fits {
            self.0.insert(number, data.map(Arc::from));
        }
        fits
    }
}

impl BorshSerialize for Written {
    fn serialize<W: io::Write>(&self, to: &mut W) -> io::Result<()> {
        (self.0.len() as u64).serialize(to)?;
        self.blocks().try_for_each(|block| block.serialize(to))
    }
}

impl BorshDeserialize for Written {
    fn deserialize_reader<R: io::Read>(from: &mut R) -> io::Result<Written> {
        let mut made = Written::default();
        for _ in 0..u64::deserialize_reader(from)? {
            let (number, data) = <(u64, Option<Vec<u8>>)>::deserialize_reader(from)?;
            if !made.put(number, data.as_deref()) {
                return Err(io::Error::other("a block of another size"));
            }
        }
        Ok(made)
    }
}

/// A disk.
pub struct Disk {
    base: Box<dyn Base>,
    /// What differs from the base.
    pub written: Written,
    /// Why the host could not do what a guest asked for, the first time.
    problem: Option<String>,
}

impl Disk {
    /// One that nobody has written to.
    pub fn new(base: Box<dyn Base>) -> Disk {
        Disk {
            base,
            written: Written::default(),
            problem: None,
        }
    }
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.base.size()
    }
    /// Whether all of `at .. at + len` is on it.
    pub fn has(&self, at: u64, len: u64) -> bool {
        at <= self.size() && len <= self.size() - at
    }
    /// Read what [`Disk::has`]. False: the host could not.
    pub fn read(&mut self, at: u64, to: &mut [u8]) -> bool {
        let mut done = 0;
        while done < to.len() {
            let (block, offset) = ((at + done as u64) / BLOCK, (at + done as u64) % BLOCK);
            let n = (to.len() - done).min((BLOCK - offset) as usize);
            let part = &mut to[done..done + n];
            match self.written.0.get(&block) {
                Some(Some(data)) => part.copy_from_slice(&data[offset as usize..][..n]),
                Some(None) => part.fill(0),
                None => {
                    if let Err(e) = self.base.read(at + done as u64, part) {
                        return self.fail(format!("it cannot be read: {e}"));
                    }
                }
            }
            done += n;
        }
        true
    }
    /// Write to what [`Disk::has`]. False: the host could not, or it is too much ([`MOST`]); some of it may be written.
    pub fn write(&mut self, at: u64, from: &[u8]) -> bool {
        self.change(at, from.len() as u64, |part, done| {
            let n = part.len();
            part.copy_from_slice(&from[done..done + n]);
        })
    }
    /// Make zero what [`Disk::has`]. False: as above.
    pub fn zero(&mut self, at: u64, len: u64) -> bool {
        let first = at.next_multiple_of(BLOCK).min(at + len);
        let end = at + len;
        let behind = if end == self.size() {
            end.next_multiple_of(BLOCK)
        } else {
            end / BLOCK * BLOCK
        };
        let last = behind.max(first).min(end);
        for block in first / BLOCK..behind.max(first) / BLOCK {
            self.written.0.insert(block, None);
        }
        self.change(at, first - at, |part, _| part.fill(0))
            && self.change(last, end - last, |part, _| part.fill(0))
    }
    /// Change `len` bytes from `at` on, part by part: `with` gets each, and how many came before.
    fn change(&mut self, at: u64, len: u64, with: impl Fn(&mut [u8], usize)) -> bool {
        let mut done = 0;
        while done < len {
            let (number, offset) = ((at + done) / BLOCK, (at + done) % BLOCK);
            let n = (len - done).min(BLOCK - offset);
            if !matches!(self.written.0.get(&number), Some(Some(_))) {
                if self.written.0.len() as u64 * BLOCK >= MOST {
                    let most = MOST >> 30;
                    return self.fail(format!("more than {most} GiB were written to it"));
                }
                let mut whole = vec![0; BLOCK as usize];
                let there = (self.size() - number * BLOCK).min(BLOCK);
                let all = offset == 0 && n == there;
                if !all && !self.read(number * BLOCK, &mut whole[..there as usize]) {
                    return false;
                }
                self.written.0.insert(number, Some(whole.into()));
            }
            let Some(Some(data)) = self.written.0.get_mut(&number) else {
                unreachable!("it is there")
            };
            with(
                &mut Arc::make_mut(data)[offset as usize..][..n as usize],
                done as usize,
            );
            done += n;
        }
        true
    }
    fn fail(&mut self, why: String) -> bool {
        self.problem.get_or_insert(why);
        false
    }
    /// What the user must know since the last call.
    pub fn take_problem(&mut self) -> Option<String> {
        self.problem.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes in memory; those behind `broken` cannot be read.
    struct Bytes {
        bytes: Vec<u8>,
        broken: usize,
    }

    impl Base for Bytes {
        fn size(&self) -> u64 {
            self.bytes.len() as u64
        }
        fn read(&self, at: u64, to: &mut [u8]) -> io::Result<()> {
            let end = at as usize + to.len();
            if end > self.broken {
                return Err(io::Error::other("scratched"));
            }
            to.copy_from_slice(&self.bytes[at as usize..end]);
            Ok(())
        }
    }

    /// A disk of so many bytes, each its number's remainder by 251.
    fn disk(size: usize) -> Disk {
        let bytes = (0..size).map(|n| (n % 251) as u8).collect();
        Disk::new(Box::new(Bytes {
            bytes,
            broken: size,
        }))
    }

    #[test]
    fn what_is_written_lies_over_the_base() {
        let size = 5 * BLOCK as usize + SECTOR as usize;
        let mut d = disk(size);
        let mut model: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        let mut seed = 7u64;
        for _ in 0..500 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
            let at = (seed >> 20) as usize % size;
            let n = (seed >> 40) as usize % (size - at).min(3 * BLOCK as usize) + 1;
            if seed >> 60 == 0 {
                assert!(d.zero(at as u64, n as u64));
                model[at..at + n].fill(0);
            } else {
                assert!(d.write(at as u64, &vec![seed as u8; n]));
                model[at..at + n].fill(seed as u8);
            }
            let mut all = vec![1; size];
            assert!(d.read(0, &mut all) && all == model);
        }
        let saved = borsh::to_vec(&d.written).expect("memory");
        d = disk(size);
        d.written = borsh::from_slice(&saved).expect("saved");
        let mut all = vec![1; size];
        assert!(d.read(0, &mut all) && all == model);
    }

    #[test]
    fn whole_blocks_of_zeros_take_no_memory() {
        let mut d = disk(4 * BLOCK as usize + SECTOR as usize);
        assert!(d.zero(100, d.size() - 100));
        let zeros: Vec<bool> = d.written.blocks().map(|b| b.1.is_none()).collect();
        assert_eq!(zeros, [false, true, true, true, true]);
    }

    #[test]
    fn what_the_host_cannot_read_is_told_once() {
        let mut d = Disk::new(Box::new(Bytes {
            bytes: vec![0; 2 * BLOCK as usize],
            broken: BLOCK as usize,
        }));
        assert!(d.read(0, &mut [0; 512]) && !d.read(BLOCK, &mut [0; 512]));
        assert!(
            !d.write(BLOCK, &[0; 512]),
            "the rest of the block is not known"
        );
        assert!(d.write(BLOCK, &[0; BLOCK as usize]), "and not needed");
        assert_eq!(
            d.take_problem().as_deref(),
            Some("it cannot be read: scratched")
        );
        assert_eq!(d.take_problem(), None);
    }
}
