//! The decoded blocks of one page of memory.

use super::block::{Block, Owned};
use std::ops::Range;

/// Words of a page.
pub const WORDS: usize = 1024;

/// The blocks of one page, by the number of their first word in it.
pub struct CodePage {
    blocks: [Option<Owned>; WORDS],
    /// A bit for each word at which one begins: a write asks which are near, and hardly any word begins one.
    begun: [u64; WORDS / 64],
}

impl CodePage {
    /// Make an empty page.
    pub fn new() -> Box<CodePage> {
        Box::new(CodePage {
            blocks: [const { None }; WORDS],
            begun: [0; WORDS / 64],
        })
    }
    /// The block that begins at `word`.
    pub fn get(&self, word: usize) -> Option<&Block> {
        self.blocks[word].as_deref()
    }
    /// Put a block at `word`, in place of what was there.
    pub fn insert(&mut self, word: usize, block: Owned) -> &Block {
        self.begun[word / 64] |= 1 << (word % 64);
        self.blocks[word].insert(block)
    }
    /// Take the block at `word` away.
    pub fn take(&mut self, word: usize) -> Option<Owned> {
        self.begun[word / 64] &= !(1 << (word % 64));
        self.blocks[word].take()
    }
    /// The first of `words` at which a block begins.
    pub fn first_in(&self, words: Range<usize>) -> Option<usize> {
        let mut word = words.start;
        while word < words.end {
            let behind = self.begun[word / 64] >> (word % 64);
            if behind != 0 {
                let found = word + behind.trailing_zeros() as usize;
                return (found < words.end).then_some(found);
            }
            word = (word | 63) + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::code::end;

    /// Oracle: a look at every word.
    #[test]
    fn the_first_block_of_a_range_is_found() {
        let mut page = CodePage::new();
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        for round in 0..20_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let word = seed as usize % WORDS;
            if round % 400 < 200 {
                page.insert(word, Owned::new(word as u64 * 4, 0, &[end(0)]));
            } else {
                page.take(word);
            }
            let from = (seed >> 16) as usize % (WORDS + 1);
            let to = (from + (seed >> 32) as usize % 200).min(WORDS);
            let found = (from..to).find(|w| page.get(*w).is_some());
            assert_eq!(page.first_in(from..to), found, "{from}..{to}");
        }
        assert_eq!(page.first_in(7..7), None);
    }
}
