//! AND, ORR, EOR and their negated and flag-setting kin: bitmask immediate and shifted register (Arm ARM C4.1.92, C4.1.95).

use super::addsub::shift;
use super::ops::{Args, Ops, W};
use crate::bits::{field, ones, replicate, ror};
use crate::cpu::slot;
use crate::pure_rows;

pure_rows! {
    Pure AND_imm  "z00100100Nrrrrrrssssssnnnnnddddd" "z" base bitmask, logical_imm;
    Pure ORR_imm  "z01100100Nrrrrrrssssssnnnnnddddd" "z" base bitmask, logical_imm;
    Pure EOR_imm  "z10100100Nrrrrrrssssssnnnnnddddd" "z" base bitmask, logical_imm;
    Pure ANDS_imm "z11100100Nrrrrrrssssssnnnnnddddd" "z" base bitmask_s, logical_imm;
    Pure AND_shift  "z0001010tt0mmmmmiiiiiinnnnnddddd" "zt" base shifted, logical_shifted;
    Pure BIC_shift  "z0001010tt1mmmmmiiiiiinnnnnddddd" "zt" base shifted, logical_shifted;
    Pure ORR_shift  "z0101010tt0mmmmmiiiiiinnnnnddddd" "zt" base shifted, logical_shifted;
    Pure ORN_shift  "z0101010tt1mmmmmiiiiiinnnnnddddd" "zt" base shifted, logical_shifted;
    Pure EOR_shift  "z1001010tt0mmmmmiiiiiinnnnnddddd" "zt" base shifted, logical_shifted;
    Pure EON_shift  "z1001010tt1mmmmmiiiiiinnnnnddddd" "zt" base shifted, logical_shifted;
    Pure ANDS_shift "z1101010tt0mmmmmiiiiiinnnnnddddd" "zt" base shifted, logical_shifted;
    Pure BICS_shift "z1101010tt1mmmmmiiiiiinnnnnddddd" "zt" base shifted, logical_shifted;
}

/// `DecodeBitMasks` for an immediate: S+1 ones in an element of 2 to 64 bits, rotated right by R and repeated.
/// None for the reserved ones: an element of 1 bit, all ones, or wider than the register.
pub fn bitmask_imm(n: u32, imms: u32, immr: u32) -> Option<u64> {
    let len = (n << 6 | (!imms & 0x3f)).checked_ilog2()?;
    let size = 1 << len;
    let (s, r) = (imms & (size - 1), immr & (size - 1));
    if len == 0 || s == size - 1 {
        return None;
    }
    Some(replicate(ror(ones(s + 1), size, r), size))
}

fn bitmask(i: u32) -> Option<Args> {
    let (sf, n) = (i >> 31, field(i, 22, 22));
    if sf == 0 && n != 0 {
        return None;
    }
    let imm = bitmask_imm(n, field(i, 15, 10), field(i, 21, 16))?;
    Some(Args {
        rd: slot::sp(i),
        rn: slot::src(i >> 5),
        imm: imm & ones(W::of(sf).bits()),
        ..Args::default()
    })
}
fn bitmask_s(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        ..bitmask(i)?
    })
}
fn shifted(i: u32) -> Option<Args> {
    let amount = field(i, 15, 10);
    if i >> 31 == 0 && amount > 31 {
        return None;
    }
    Some(Args {
        rd: slot::dst(i),
        rn: slot::src(i >> 5),
        rm: slot::src(i >> 16),
        imm: amount as u64,
        ..Args::default()
    })
}

/// The common end: bits 30:29 are AND, ORR, EOR, ANDS.
#[inline(always)]
fn finish<B: Ops, const I: u32>(b: &mut B, rd: u8, x: B::V, y: B::V) -> Result<(), B::E> {
    let w = W::of(I >> 31);
    let r = match field(I, 30, 29) {
        1 => b.or(x, y),
        2 => b.xor(x, y),
        _ => b.and(x, y),
    };
    let r = b.zext(r, w.bits());
    if field(I, 30, 29) == 3 {
        b.set_nz(w, r);
    }
    b.set_x(rd, r);
    Ok(())
}

#[inline(always)]
fn logical_imm<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (x, y) = (b.x(a.rn), b.imm(a.imm));
    finish::<B, I>(b, a.rd, x, y)
}

#[inline(always)]
fn logical_shifted<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let w = W::of(I >> 31);
    let (x, y) = (b.x(a.rn), b.x(a.rm));
    let mut y = shift::<B>(b, w, y, field(I, 23, 22), a.imm);
    if I >> 21 & 1 != 0 {
        y = b.not(w, y);
    }
    finish::<B, I>(b, a.rd, x, y)
}

#[cfg(test)]
mod tests {
    use super::bitmask_imm;

    #[test]
    fn bitmasks() {
        assert_eq!(bitmask_imm(1, 0, 0), Some(1));
        assert_eq!(bitmask_imm(1, 0x3e, 0), Some(u64::MAX >> 1));
        assert_eq!(bitmask_imm(1, 0x3f, 0), None);
        assert_eq!(bitmask_imm(0, 0b111100, 0), Some(0x5555_5555_5555_5555));
        assert_eq!(bitmask_imm(0, 0b111100, 1), Some(0xaaaa_aaaa_aaaa_aaaa));
        assert_eq!(bitmask_imm(0, 0b111101, 0), None);
        assert_eq!(bitmask_imm(0, 0b111110, 0), None);
        assert_eq!(bitmask_imm(0, 0b111111, 0), None);
        assert_eq!(bitmask_imm(0, 0b000111, 4), Some(0xf000_000f_f000_000f));
        let valid =
            (0..0x2000).filter(|&k| bitmask_imm(k >> 12, k & 0x3f, k >> 6 & 0x3f).is_some());
        // Each element of size e has (e - 1) lengths; the rotation field is 6 bits wide for all of them.
        assert_eq!(valid.count(), 64 * (63 + 31 + 15 + 7 + 3 + 1));
    }
}
