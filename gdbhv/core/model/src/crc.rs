//! CRC-32 as the CRC32 and CRC32C instructions compute it (Arm ARM C6.2.88: bit-reflected polynomials 04C11DB7 and 1EDC6F41).

const fn table(poly: u32) -> [u32; 256] {
    let mut t = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut c, mut k) = (i as u32, 0);
        while k < 8 {
            c = if c & 1 != 0 { c >> 1 ^ poly } else { c >> 1 };
            k += 1;
        }
        t[i] = c;
        i += 1;
    }
    t
}

static IEEE: [u32; 256] = table(0x04c1_1db7u32.reverse_bits());
static CASTAGNOLI: [u32; 256] = table(0x1edc_6f41u32.reverse_bits());

/// Fold the low `bits` (8 to 64) of `x` into `acc`.
pub fn crc32(acc: u32, x: u64, bits: u32, castagnoli: bool) -> u32 {
    let t = if castagnoli { &CASTAGNOLI } else { &IEEE };
    x.to_le_bytes()[..bits as usize / 8]
        .iter()
        .fold(acc, |c, b| c >> 8 ^ t[(c as u8 ^ b) as usize])
}
