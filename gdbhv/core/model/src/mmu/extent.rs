//! The blocks that cached translations are pieces of: what an invalidation by address covers.

use super::tables::contiguous_bits;
use crate::bits::ones;
use crate::mmu::entry::{NOT_GLOBAL, PAGE, PAGE_BITS};
use borsh::{BorshDeserialize, BorshSerialize};

/// Position in an entry's flags, in 6 bits, of log2 of the bytes of the block that it is a piece of.
const BLOCK: u32 = 4;

/// Flag: the block is one of a contiguous row.
pub(super) const CONTIGUOUS: u64 = 1 << 10;

/// The flags of an entry (`Entry::pa`, `Fetch::pa`) for a piece of a block of `1 << block` bytes. With stage 1 off the block is
/// stage 2's.
pub const fn piece(block: u8, contiguous: bool, global: bool) -> u64 {
    (block as u64) << BLOCK
        | if contiguous { CONTIGUOUS } else { 0 }
        | if global { 0 } else { NOT_GLOBAL }
}

pub(super) const fn block_of(flags: u64) -> u8 {
    (flags >> BLOCK & 0x3f) as u8
}

/// log2 of the bytes around a block that go with it: itself, or the contiguous row that it belongs to.
pub const fn span(block: u8, contiguous: bool) -> u32 {
    block as u32
        + if contiguous {
            contiguous_bits(block) as u32
        } else {
            0
        }
}

/// The same of an entry's flags; at least a page.
pub const fn span_of(flags: u64) -> u32 {
    let size = span(block_of(flags), flags & CONTIGUOUS != 0);
    if size > PAGE_BITS {
        size
    } else {
        PAGE_BITS
    }
}

/// What an invalidation by address covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Bits 55:0 of the first page's address.
    pub first: u64,
    /// Bits 55:0 of the last page's address, included.
    pub last: u64,
    /// Bit n: leaves of `1 << n` bytes.
    pub sizes: u64,
    /// Also what is not global.
    pub local: bool,
}

/// Whether `r` covers an entry that maps `page`, whose flags are `flags`: some part of its block is among the addresses.
pub fn covered(page: u64, flags: u64, r: &Addresses) -> bool {
    let low = page & ones(56) & !ones(span_of(flags));
    let high = low | ones(span_of(flags)) & PAGE;
    low <= r.last
        && high >= r.first
        && r.sizes >> block_of(flags) & 1 != 0
        && (r.local || flags & NOT_GLOBAL == 0)
}

/// A set of address blocks that errs on the side of yes.
#[derive(BorshSerialize, BorshDeserialize)]
pub struct BlockSet {
    /// Bit n: some block of 1 << n bytes is in the set.
    sizes: u64,
    bits: [u64; 64],
}

impl BlockSet {
    /// Nothing.
    pub const NONE: BlockSet = BlockSet {
        sizes: 0,
        bits: [0; 64],
    };
    fn bit(va: u64, size: u32) -> (usize, u64) {
        let n = (va & ones(56)) >> size;
        let n = n.wrapping_add(size as u64 * 67) as usize;
        (n >> 6 & 63, 1 << (n & 63))
    }
    /// Put in the block of `1 << size` bytes around `va`.
    pub fn insert(&mut self, va: u64, size: u32) {
        let (i, b) = BlockSet::bit(va, size);
        self.sizes |= 1 << size;
        self.bits[i] |= b;
    }
    /// Whether nothing has been put in.
    pub fn is_empty(&self) -> bool {
        self.sizes == 0
    }
    /// Take everything out.
    pub fn clear(&mut self) {
        if self.sizes != 0 {
            *self = BlockSet::NONE;
        }
    }
    /// Whether a block with an address of `first ..= last` may be in the set.
    pub fn may_touch(&self, first: u64, last: u64) -> bool {
        self.widened(first, last) != (first, last)
            || self.sizes != 0 && self.touched(first, last) != 0
    }
    /// `first ..= last` with all blocks that may be in the set and touch it.
    pub fn widened(&self, first: u64, last: u64) -> (u64, u64) {
        match self.touched(first, last) {
            0 => (first, last),
            sizes => {
                let largest = 63 - sizes.leading_zeros();
                (first & !ones(largest), last | ones(largest) & PAGE)
            }
        }
    }
    /// Bit n: a block of `1 << n` bytes with an address of `first ..= last` may be in the set.
    fn touched(&self, first: u64, last: u64) -> u64 {
        let (mut sizes, mut touched) = (self.sizes, 0);
        while sizes != 0 {
            let size = sizes.trailing_zeros();
            sizes &= sizes - 1;
            let mut va = first & !ones(size);
            let many = last - va >= 64 << size;
            while va <= last && touched >> size & 1 == 0 {
                let (i, b) = BlockSet::bit(va, size);
                if many || self.bits[i] & b != 0 {
                    touched |= 1 << size;
                }
                va += 1 << size;
            }
        }
        touched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_what_is_in_it() {
        let mut s = BlockSet::NONE;
        assert!(s.is_empty() && !s.may_touch(0, 0));
        s.insert(0x1234_5000, 21);
        assert!(s.may_touch(0x1220_0000, 0x1220_0000));
        assert!(s.may_touch(0x123f_f000, 0x1250_0000));
        assert!(!s.may_touch(0x1240_0000, 0x1240_0000));
        assert_eq!(
            s.widened(0x1230_0000, 0x1230_0000),
            (0x1220_0000, 0x123f_f000)
        );
        assert_eq!(
            s.widened(0x1200_0000, 0x1200_0000),
            (0x1200_0000, 0x1200_0000)
        );
        s.clear();
        assert!(s.is_empty());
    }

    #[test]
    fn pieces() {
        assert_eq!(span_of(piece(12, false, true)), 12);
        assert_eq!(span_of(piece(12, true, true)), 16);
        assert_eq!(span_of(piece(14, true, false)), 21);
        assert_eq!(span_of(piece(39, true, true)), 39, "RES0");
        let r = |first, last| Addresses {
            first,
            last,
            sizes: u64::MAX,
            local: true,
        };
        let block = piece(21, false, false);
        assert!(covered(0x40_3000, block, &r(0x5f_f000, 0x5f_f000)));
        assert!(!covered(0x40_3000, block, &r(0x60_0000, 0x60_0000)));
        let global = Addresses {
            local: false,
            ..r(0x40_0000, 0x40_0000)
        };
        assert!(!covered(0x40_3000, block, &global));
        let pages = Addresses {
            sizes: 1 << 12,
            ..r(0x40_0000, 0x40_0000)
        };
        assert!(!covered(0x40_3000, block, &pages), "another level");
    }
}
