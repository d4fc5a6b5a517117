//! Conditional select, conditional compare, and the instructions that work on the flags themselves (Arm ARM C4.1.95).
//!
//! The three bits that name a pair of opposite conditions are specialised; which of the two is meant is an operand.

use super::operands::d_n_m;
use super::ops::{Args, Ops, W};
use crate::bits::field;
use crate::cpu::slot;
use crate::pure_rows;

pure_rows! {
    Pure CSEL  "z0011010100mmmmmCCCc00nnnnnddddd" "zC" base select, csel;
    Pure CSINC "z0011010100mmmmmCCCc01nnnnnddddd" "zC" base select, csel;
    Pure CSINV "z1011010100mmmmmCCCc00nnnnnddddd" "zC" base select, csel;
    Pure CSNEG "z1011010100mmmmmCCCc01nnnnnddddd" "zC" base select, csel;
    Pure CCMN_reg "z0111010010mmmmmCCCc00nnnnn0vvvv" "zC" base compare, ccmp;
    Pure CCMP_reg "z1111010010mmmmmCCCc00nnnnn0vvvv" "zC" base compare, ccmp;
    Pure CCMN_imm "z0111010010iiiiiCCCc10nnnnn0vvvv" "zC" base compare_imm, ccmp;
    Pure CCMP_imm "z1111010010iiiiiCCCc10nnnnn0vvvv" "zC" base compare_imm, ccmp;
    Pure RMIF   "10111010000iiiiii00001nnnnn0vvvv" "" FlagM rotated, rmif;
    Pure SETF8  "0011101000000000000010nnnnn01101" "" FlagM tested, setf;
    Pure SETF16 "0011101000000000010010nnnnn01101" "" FlagM tested, setf;
    Pure CFINV  "11010101000000000100000000011111" "" FlagM none, cfinv;
    Pure XAFLAG "11010101000000000100000000111111" "" FlagM2 none, xaflag;
    Pure AXFLAG "11010101000000000100000001011111" "" FlagM2 none, axflag;
}

/// Whether the condition is the opposite of the one that its upper bits name; never for 15, which is "always" like 14.
fn opposite(i: u32) -> bool {
    i >> 12 & 1 != 0 && field(i, 15, 12) != 15
}
fn select(i: u32) -> Option<Args> {
    Some(Args {
        aux: opposite(i) as u16,
        ..d_n_m(i)?
    })
}
/// `aux`: NZCV if the condition fails, and bit 4 for the opposite condition.
fn compare(i: u32) -> Option<Args> {
    Some(Args {
        rn: slot::src(i >> 5),
        rm: slot::src(i >> 16),
        aux: (field(i, 3, 0) | (opposite(i) as u32) << 4) as u16,
        ..Args::default()
    })
}
fn compare_imm(i: u32) -> Option<Args> {
    Some(Args {
        imm: field(i, 20, 16) as u64,
        ..compare(i)?
    })
}
/// `imm`: rotate right by this to bring the bits to 31:28; `aux`: which flags.
fn rotated(i: u32) -> Option<Args> {
    Some(Args {
        rn: slot::src(i >> 5),
        imm: (field(i, 20, 15) as u64 + 36) & 63,
        aux: field(i, 3, 0) as u16,
        ..Args::default()
    })
}
fn tested(i: u32) -> Option<Args> {
    Some(Args {
        rn: slot::src(i >> 5),
        ..Args::default()
    })
}
fn none(_: u32) -> Option<Args> {
    Some(Args::default())
}

/// Bit 30 inverts, bit 10 increments what is selected if the condition fails.
#[inline(always)]
fn csel<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let w = W::of(I >> 31);
    let c = b.cond(field(I, 15, 13) << 1);
    let c = b.c_is(c, a.aux == 0);
    let (x, y) = (b.x(a.rn), b.x(a.rm));
    let x = b.zext(x, w.bits());
    let y = match (field(I, 30, 30), field(I, 10, 10)) {
        (0, 0) => b.zext(y, w.bits()),
        (0, _) => {
            let one = b.imm(1);
            b.add(w, y, one)
        }
        (_, 0) => b.not(w, y),
        _ => {
            let zero = b.imm(0);
            b.sub(w, zero, y)
        }
    };
    let r = b.select(c, x, y);
    b.set_x(a.rd, r);
    Ok(())
}

/// Bit 30 compares (else compares negative), bit 11 takes an immediate.
#[inline(always)]
fn ccmp<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let c = b.cond(field(I, 15, 13) << 1);
    let c = b.c_is(c, a.aux & 16 == 0);
    let x = b.x(a.rn);
    let y = if I >> 11 & 1 != 0 {
        b.imm(a.imm)
    } else {
        b.x(a.rm)
    };
    b.ccmp(W::of(I >> 31), c, x, y, I >> 30 & 1 != 0, a.aux as u32 & 15);
    Ok(())
}

/// Replace the flags in `mask` (NZCV as bits 31:28) by those of `v`.
#[inline(always)]
fn replace<B: Ops>(b: &mut B, v: B::V, mask: u64) {
    let old = b.nzcv();
    let (m, keep) = (b.imm(mask), b.imm(!mask));
    let (v, old) = (b.and(v, m), b.and(old, keep));
    let v = b.or(v, old);
    b.set_nzcv_from(v);
}

#[inline(always)]
fn rmif<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (x, by) = (b.x(a.rn), b.imm(a.imm));
    let v = b.ror(W::X, x, by);
    replace(b, v, (a.aux as u64) << 28);
    Ok(())
}

/// N and Z as of an 8-bit (bit 14: 16-bit) result, V if its sign bit differs from the bit above; C stays.
#[inline(always)]
fn setf<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let width = 8 << (I >> 14 & 1);
    let x = b.x(a.rn);
    let (to_n, to_v, z) = (
        b.imm(32 - width as u64),
        b.imm(28 - width as u64),
        b.imm(1 << 30),
    );
    let (n_bit, zero) = (b.imm(1 << 31), b.imm(0));
    let up = b.shl(W::X, x, to_n);
    let n = b.and(up, n_bit);
    let low = b.zext(x, width);
    let is_zero = b.is_zero(W::X, low);
    let z = b.select(is_zero, z, zero);
    // Bit `width` to bit 28, and bit `width - 1` beside it: their difference is V.
    let above = b.shl(W::X, x, to_v);
    let one = b.imm(1);
    let sign = b.shl(W::X, above, one);
    let v = b.xor(above, sign);
    let v_bit = b.imm(1 << 28);
    let v = b.and(v, v_bit);
    let nz = b.or(n, z);
    let nzv = b.or(nz, v);
    replace(b, nzv, 0xd << 28);
    Ok(())
}

#[inline(always)]
fn cfinv<B: Ops, const I: u32>(b: &mut B, _: &Args) -> Result<(), B::E> {
    let (f, c) = (b.nzcv(), b.imm(1 << 29));
    let f = b.xor(f, c);
    b.set_nzcv_from(f);
    Ok(())
}

/// One flag of NZCV, by its bit there, moved to bit 0.
#[inline(always)]
fn flag<B: Ops>(b: &mut B, bit: u64) -> B::V {
    let (f, by, one) = (b.nzcv(), b.imm(bit), b.imm(1));
    let f = b.shr(W::X, f, by);
    b.and(f, one)
}

/// Put flags at bit 0 together.
#[inline(always)]
fn set_flags<B: Ops>(b: &mut B, flags: [B::V; 4]) {
    let mut r = b.imm(0);
    for (v, bit) in flags.into_iter().zip([31, 30, 29, 28]) {
        let by = b.imm(bit);
        let v = b.shl(W::X, v, by);
        r = b.or(r, v);
    }
    b.set_nzcv_from(r);
}

/// From Arm's floating-point comparison to the alternative one: Z |= V, C &= !V.
#[inline(always)]
fn axflag<B: Ops, const I: u32>(b: &mut B, _: &Args) -> Result<(), B::E> {
    let (z, c, v) = (flag(b, 30), flag(b, 29), flag(b, 28));
    let (zero, one) = (b.imm(0), b.imm(1));
    let z = b.or(z, v);
    let not_v = b.xor(v, one);
    let c = b.and(c, not_v);
    set_flags(b, [zero, z, c, zero]);
    Ok(())
}

/// And back: N = !C & !Z, Z = Z & C, C = C | Z, V = !C & Z.
#[inline(always)]
fn xaflag<B: Ops, const I: u32>(b: &mut B, _: &Args) -> Result<(), B::E> {
    let (z, c, one) = (flag(b, 30), flag(b, 29), b.imm(1));
    let (not_c, not_z) = (b.xor(c, one), b.xor(z, one));
    let flags = [
        b.and(not_c, not_z),
        b.and(z, c),
        b.or(c, z),
        b.and(not_c, z),
    ];
    set_flags(b, flags);
    Ok(())
}
