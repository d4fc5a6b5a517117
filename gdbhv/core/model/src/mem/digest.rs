//! A digest of memory, which costs what was written since the last one: the sum of the hashes of its pages, those that are zero left out.

use super::history::PAGE;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The hashes of pages as they were when the digest was last asked for; nothing before that.
#[derive(Default)]
pub struct Digest {
    /// By page.
    hashes: Vec<u64>,
    /// By page, 64 to a word: it is as it was then.
    clean: Vec<u64>,
    sum: u64,
}

impl Digest {
    /// Whether it wants to know which pages are written to.
    #[inline]
    pub fn watches(&self) -> bool {
        !self.clean.is_empty()
    }
    /// Whether [`Digest::written`] must be called before `page` is written to.
    #[inline]
    pub fn is_clean(&self, page: u64) -> bool {
        let word = self.clean.get(page as usize / 64);
        word.is_some_and(|w| w >> (page % 64) & 1 != 0)
    }
    /// `page` is written to.
    #[inline]
    pub fn written(&mut self, page: u64) {
        if let Some(word) = self.clean.get_mut(page as usize / 64) {
            *word &= !(1 << (page % 64));
        }
    }
    /// The digest of memory; `touched` are the chunks of `chunk` bytes that something may have been written to.
    pub fn of(&mut self, memory: &[u8], touched: &[bool], chunk: usize) -> u64 {
        let pages = memory.len().div_ceil(PAGE);
        self.hashes.resize(pages, 0);
        self.clean.resize(pages.div_ceil(64), 0);
        let chunks = memory.chunks(chunk).zip(touched).enumerate();
        for (n, (bytes, _)) in chunks.filter(|c| *c.1 .1) {
            for (page, bytes) in (n * (chunk / PAGE)..).zip(bytes.chunks(PAGE)) {
                if !self.is_clean(page as u64) {
                    let hash = match bytes.iter().any(|b| *b != 0) {
                        true => xxh3_64_with_seed(bytes, page as u64),
                        false => 0,
                    };
                    let before = std::mem::replace(&mut self.hashes[page], hash);
                    self.sum = self.sum.wrapping_add(hash).wrapping_sub(before);
                }
            }
        }
        self.clean.fill(u64::MAX);
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use crate::mem::ram::Ram;

    const BASE: u64 = 0x4000_0000;
    const SIZE: u64 = 8 << 20;

    #[test]
    fn it_says_what_memory_holds_however_it_came_there() {
        let mut ram = Ram::new(BASE, SIZE);
        assert_eq!(ram.digest(), 0);
        ram.write(BASE + 0x5000, 8, 7).expect("RAM");
        let one = ram.digest();
        assert!(one != 0 && ram.digest() == one);
        let before = ram.save();
        ram.write(BASE + 0x5000, 8, 0).expect("RAM");
        assert_eq!(ram.digest(), 0, "zero again");
        ram.write(BASE + 0x6000, 8, 7).expect("RAM");
        assert_ne!(ram.digest(), one, "the same elsewhere");
        ram.restore(before);
        assert_eq!(ram.digest(), one, "restored");
        ram.zero();
        assert_eq!(ram.digest(), 0);
        let mut other = Ram::new(BASE, SIZE);
        other.write(BASE + 0x5000, 1, 7).expect("RAM");
        assert_eq!(other.digest(), one);
    }

    #[test]
    fn a_page_that_was_counted_is_guarded_until_it_is_written_to() {
        let mut ram = Ram::new(BASE, SIZE);
        ram.write(BASE, 8, 1).expect("RAM");
        assert!(!ram.is_guarded(BASE));
        ram.digest();
        assert!(ram.is_guarded(BASE) && ram.is_guarded(BASE + SIZE - 1));
        ram.write(BASE, 8, 2).expect("RAM");
        assert!(!ram.is_guarded(BASE) && ram.is_guarded(BASE + 0x1000));
    }
}
