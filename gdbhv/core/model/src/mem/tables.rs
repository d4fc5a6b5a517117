//! Pages of memory that hold translation tables, and what was written to them: for who checks what is done with tables.

use std::mem::take;

/// Most writes that wait to be taken: more come only from outside, in bulk.
const MOST: usize = 1 << 16;

/// Which pages are told of, and what has been written to them.
pub struct TablePages {
    /// By page, 64 to a word.
    pages: Vec<u64>,
    written: Vec<(u64, u64)>,
}

impl TablePages {
    /// For so many pages of memory.
    pub fn new(pages: usize) -> TablePages {
        TablePages {
            pages: vec![0; pages.div_ceil(64)],
            written: Vec::new(),
        }
    }
    /// Whether a page's writes are told of.
    #[inline]
    pub fn has(&self, page: u64) -> bool {
        self.pages[page as usize / 64] >> (page % 64) & 1 != 0
    }
    /// Tell of a page's writes, or no longer.
    pub fn set(&mut self, page: u64, on: bool) {
        let bit = 1 << (page % 64);
        let word = &mut self.pages[page as usize / 64];
        *word = if on { *word | bit } else { *word & !bit };
    }
    /// The words of 8 bytes of `page`, at `pa`, from `first` to `last` byte, are about to be written.
    pub(super) fn note(&mut self, pa: u64, page: &[u8], first: u64, last: u64) {
        for word in first / 8..=last / 8 {
            let at = word as usize * 8;
            if let (Some(bytes), true) = (page.get(at..at + 8), self.written.len() < MOST) {
                let before = u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
                self.written.push((pa + at as u64, before));
            }
        }
    }
    /// Whether something was written since [`TablePages::take`].
    #[inline]
    pub fn any(&self) -> bool {
        !self.written.is_empty()
    }
    /// What was written: the address of each word of 8 bytes, and what it was before.
    pub fn take(&mut self) -> Vec<(u64, u64)> {
        take(&mut self.written)
    }
}
