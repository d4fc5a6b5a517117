//! Identification registers, the same in every frame but for the part number.

/// GICD_IIDR, GICR_IIDR: implemented by Arm.
pub const IIDR: u32 = 0x43b;
/// Low byte of the Distributor's part number (PIDR0).
pub const DIST_PART: u8 = 0x92;
/// Low byte of a Redistributor's part number.
pub const REDIST_PART: u8 = 0x93;
/// Low byte of the ITS's part number.
pub const ITS_PART: u8 = 0x94;

/// PIDR4 to PIDR7, PIDR0 to PIDR3 (PIDR2.ArchRev = 3: GICv3), CIDR0 to CIDR3 at the end of a 64 KiB frame; zero elsewhere.
pub fn read(offset: u64, part: u8) -> u32 {
    let ids = [0x44, 0, 0, 0, part, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1u8];
    offset
        .checked_sub(0xffd0)
        .and_then(|at| ids.get(at as usize / 4))
        .map_or(0, |&b| b as u32)
}
