//! CRC32 and CRC32C of 8, 16, 32 and 64 bits (Arm ARM C6.2.88, C6.2.89).

use super::operands::d_n_m;
use super::ops::{Args, Ops};
use crate::bits::field;
use crate::pure_rows;

pure_rows! {
    Pure CRC32B  "00011010110mmmmm010000nnnnnddddd" "" CRC32 d_n_m, crc;
    Pure CRC32H  "00011010110mmmmm010001nnnnnddddd" "" CRC32 d_n_m, crc;
    Pure CRC32W  "00011010110mmmmm010010nnnnnddddd" "" CRC32 d_n_m, crc;
    Pure CRC32X  "10011010110mmmmm010011nnnnnddddd" "" CRC32 d_n_m, crc;
    Pure CRC32CB "00011010110mmmmm010100nnnnnddddd" "" CRC32 d_n_m, crc;
    Pure CRC32CH "00011010110mmmmm010101nnnnnddddd" "" CRC32 d_n_m, crc;
    Pure CRC32CW "00011010110mmmmm010110nnnnnddddd" "" CRC32 d_n_m, crc;
    Pure CRC32CX "10011010110mmmmm010111nnnnnddddd" "" CRC32 d_n_m, crc;
}

#[inline(always)]
fn crc<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (acc, x) = (b.x(a.rn), b.x(a.rm));
    let r = b.crc32(acc, x, 8 << field(I, 11, 10), I >> 12 & 1 != 0);
    b.set_x(a.rd, r);
    Ok(())
}
