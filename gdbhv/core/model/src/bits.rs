//! Bit fields as the Arm ARM's pseudocode names them.

/// Return bits `hi:lo` of `v` (`v<hi:lo>`).
#[inline(always)]
pub const fn bits(v: u64, hi: u32, lo: u32) -> u64 {
    (v >> lo) & (u64::MAX >> (63 - (hi - lo)))
}

/// Return bits `hi:lo` of an instruction word.
#[inline(always)]
pub const fn field(insn: u32, hi: u32, lo: u32) -> u32 {
    (insn >> lo) & (u32::MAX >> (31 - (hi - lo)))
}

/// Return bit `n` of `v`.
#[inline(always)]
pub const fn bit(v: u64, n: u32) -> bool {
    v >> n & 1 != 0
}

/// Return `v` with bits `hi:lo` replaced by the low bits of `with`.
#[inline(always)]
pub const fn insert(v: u64, hi: u32, lo: u32, with: u64) -> u64 {
    let mask = (u64::MAX >> (63 - (hi - lo))) << lo;
    (v & !mask) | ((with << lo) & mask)
}

/// Sign-extend the low `width` bits (1 to 64) of `v`.
#[inline(always)]
pub const fn sext(v: u64, width: u32) -> u64 {
    ((v << (64 - width)) as i64 >> (64 - width)) as u64
}

/// The low `width` bits set (0 to 64).
#[inline(always)]
pub const fn ones(width: u32) -> u64 {
    if width == 0 {
        0
    } else {
        u64::MAX >> (64 - width)
    }
}

/// Which lines of 64 bytes of the 4 KiB page at `page` the bytes `first` to `last` are in; bit 0 is the first line.
#[inline]
pub const fn lines_of_page(page: u64, first: u64, last: u64) -> u64 {
    let end = page | 0xfff;
    if first > end || last < page {
        return 0;
    }
    let from = first.saturating_sub(page) / 64;
    let to = if last < end { last - page } else { 0xfff } / 64;
    u64::MAX >> (63 - to) & u64::MAX << from
}

/// Repeat the low `width` bits (a power of two, 1 to 64) of `v` over 64 bits (`Replicate`).
pub const fn replicate(v: u64, width: u32) -> u64 {
    let mut r = v & ones(width);
    let mut w = width;
    while w < 64 {
        r |= r << w;
        w *= 2;
    }
    r
}

/// Rotate the low `width` bits of `v` right by `by` (`ROR`).
pub const fn ror(v: u64, width: u32, by: u32) -> u64 {
    let v = v & ones(width);
    let by = by % width;
    if by == 0 {
        v
    } else {
        (v >> by | v << (width - by)) & ones(width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        assert_eq!(bits(0xabcd, 15, 8), 0xab);
        assert_eq!(insert(0xabcd, 7, 4, 0x12), 0xab2d);
        assert_eq!(sext(0x80, 8), 0xffff_ffff_ffff_ff80);
        assert_eq!(replicate(0b01, 2), 0x5555_5555_5555_5555);
        assert_eq!(ror(0b0011, 4, 1), 0b1001);
        assert_eq!(ones(64), u64::MAX);
    }

    #[test]
    fn lines() {
        assert_eq!(lines_of_page(0x1000, 0x1000, 0x103f), 1);
        assert_eq!(lines_of_page(0x1000, 0x103f, 0x1040), 3);
        assert_eq!(lines_of_page(0x1000, 0x1fff, 0x5000), 1 << 63);
        assert_eq!(lines_of_page(0x1000, 0, u64::MAX), u64::MAX);
        assert_eq!(lines_of_page(0x1000, 0x2000, 0x2001), 0);
        assert_eq!(lines_of_page(0x1000, 0, 0xfff), 0);
    }
}
