//! Encodings as the Arm ARM's tables print them: 32 characters, most significant first; `0` and `1` are fixed, a letter names
//! the field that the bit belongs to, `-` is a bit that no body looks at, and `+` are the bits of a field that is not all zeros
//! (what the tables write as `immh != 0000`). All of it is constant evaluation.

/// The fixed part of an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The 32 characters.
    pub text: &'static str,
    /// Bits that are fixed.
    pub mask: u32,
    /// Their values.
    pub value: u32,
    /// Bits of which at least one is set; none if there is no such field.
    pub some: u32,
}

impl Pattern {
    /// Read a pattern; a wrong one does not compile.
    pub const fn new(text: &'static str) -> Pattern {
        let s = text.as_bytes();
        assert!(s.len() == 32, "a pattern has 32 characters");
        let (mut mask, mut value, mut some, mut i) = (0u32, 0u32, 0u32, 0);
        while i < 32 {
            let c = s[i];
            assert!(
                c == b'0'
                    || c == b'1'
                    || c == b'-'
                    || c == b'+'
                    || c.is_ascii_lowercase()
                    || c.is_ascii_uppercase()
            );
            if c == b'0' || c == b'1' {
                mask |= 1 << (31 - i);
                if c == b'1' {
                    value |= 1 << (31 - i);
                }
            } else if c == b'+' {
                some |= 1 << (31 - i);
            }
            i += 1;
        }
        Pattern {
            text,
            mask,
            value,
            some,
        }
    }

    /// The bits that carry one of `letters`.
    pub const fn letters(&self, letters: &str) -> u32 {
        let (s, l) = (self.text.as_bytes(), letters.as_bytes());
        let (mut mask, mut i) = (0u32, 0);
        while i < 32 {
            let mut k = 0;
            while k < l.len() {
                if s[i] == l[k] {
                    mask |= 1 << (31 - i);
                }
                k += 1;
            }
            i += 1;
        }
        mask
    }

    /// Whether `insn` is an instance.
    #[inline]
    pub const fn matches(&self, insn: u32) -> bool {
        insn & self.mask == self.value && (self.some == 0 || insn & self.some != 0)
    }

    /// Whether some word is an instance of both.
    pub const fn overlaps(&self, other: &Pattern) -> bool {
        (self.value ^ other.value) & self.mask & other.mask == 0
            && !self.refuses(other)
            && !other.refuses(self)
    }

    /// Whether the field that must not be zero is zero in all instances of `other`.
    const fn refuses(&self, other: &Pattern) -> bool {
        self.some != 0 && other.mask & self.some == self.some && other.value & self.some == 0
    }
}

/// Spread the low bits of `v` over the set bits of `mask` (the parallel deposit of the bit-twiddling books).
pub const fn deposit(v: u32, mask: u32) -> u32 {
    let (mut r, mut from, mut to) = (0, 0, 0);
    while to < 32 {
        if mask >> to & 1 != 0 {
            r |= (v >> from & 1) << to;
            from += 1;
        }
        to += 1;
    }
    r
}

/// Gather the bits of `v` under `mask` to the low end: the inverse of [`deposit`].
pub const fn extract(v: u32, mask: u32) -> u32 {
    let (mut r, mut from, mut to) = (0, 0, 0);
    while from < 32 {
        if mask >> from & 1 != 0 {
            r |= (v >> from & 1) << to;
            to += 1;
        }
        from += 1;
    }
    r
}
