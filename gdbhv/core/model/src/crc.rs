//! CRC-32 as the CRC32 and CRC32C instructions compute it (Arm ARM C6.2.88: bit-reflected polynomials 04C11DB7 and 1EDC6F41).

/// Table n has the CRC of each byte followed by n zero bytes.
pub type Tables = [[u32; 256]; 8];

const fn tables(poly: u32) -> Tables {
    let mut t = [[0; 256]; 8];
    let mut i = 0;
    while i < 256 {
        let (mut c, mut k) = (i as u32, 0);
        while k < 8 {
            c = if c & 1 != 0 { c >> 1 ^ poly } else { c >> 1 };
            k += 1;
        }
        t[0][i] = c;
        i += 1;
    }
    let mut n = 1;
    while n < 8 {
        let mut i = 0;
        while i < 256 {
            let c = t[n - 1][i];
            t[n][i] = c >> 8 ^ t[0][c as usize & 0xff];
            i += 1;
        }
        n += 1;
    }
    t
}

/// Of polynomial 04C11DB7, CRC32.
pub static IEEE: Tables = tables(0x04c1_1db7u32.reverse_bits());
/// Of polynomial 1EDC6F41, CRC32C.
pub static CASTAGNOLI: Tables = tables(0x1edc_6f41u32.reverse_bits());

/// Fold the low `bits` (8, 16, 32 or 64) of `x` into `acc`.
pub fn crc32(acc: u32, x: u64, bits: u32, castagnoli: bool) -> u32 {
    let t = if castagnoli { &CASTAGNOLI } else { &IEEE };
    let n = bits as usize / 8;
    let bytes = (x ^ acc as u64).to_le_bytes();
    let rest = if n < 4 { acc >> bits } else { 0 };
    let each = bytes[..n].iter().rev().zip(t);
    each.fold(rest, |c, (b, t)| c ^ t[*b as usize])
}
