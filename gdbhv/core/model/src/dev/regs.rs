//! Accesses of any width to devices made of 32-bit registers, defined once.
//!
//! A device says what a whole register reads and what writing one does; an access of 8 or 16 bits is to the lane of the register that
//! it addresses, and one of 64 bits is to two registers, the lower first. A narrow write supplies zero for the rest of its register:
//! the peripheral bus has no byte strobes.

use crate::bits::ones;

/// Read `size` bytes at `offset` of a device; `read` returns its registers by offset.
pub fn read(offset: u64, size: u8, mut read: impl FnMut(u64) -> u32) -> u64 {
    let reg = offset & !3;
    if size == 8 {
        let low = read(reg) as u64;
        return low | (read(reg + 4) as u64) << 32;
    }
    (read(reg) as u64) >> ((offset & 3) * 8) & ones(size as u32 * 8)
}

/// Write `size` bytes at `offset` of a device; `write` sets its registers.
pub fn write(offset: u64, size: u8, value: u64, mut write: impl FnMut(u64, u32)) {
    let reg = offset & !3;
    if size == 8 {
        write(reg, value as u32);
        return write(reg + 4, (value >> 32) as u32);
    }
    write(
        reg,
        ((value & ones(size as u32 * 8)) << ((offset & 3) * 8)) as u32,
    );
}

/// PeriphID0-3 (from `part`, their 32 bits together) and PCellID0-3 of an Arm PrimeCell, at the end of its 4 KiB; zero elsewhere.
pub fn primecell(offset: u64, part: u32) -> u32 {
    const CELL: u32 = 0xb105_f00d;
    match offset {
        0xfe0..=0xfef => part >> ((offset - 0xfe0) * 2) & 0xff,
        0xff0..=0xfff => CELL >> ((offset - 0xff0) * 2) & 0xff,
        _ => 0,
    }
}
