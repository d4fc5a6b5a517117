//! SBFM, BFM, UBFM (the shifts by a constant, the extensions, the bit-field moves) and EXTR (Arm ARM C4.1.92).

use super::ops::{Args, Ops, W};
use crate::bits::{field, ones};
use crate::cpu::slot;
use crate::pure_rows;

pure_rows! {
    Pure SBFM "z00100110Nrrrrrrssssssnnnnnddddd" "z" base signed, sbfm;
    Pure BFM  "z01100110Nrrrrrrssssssnnnnnddddd" "z" base masked, bfm;
    Pure UBFM "z10100110Nrrrrrrssssssnnnnnddddd" "z" base masked, ubfm;
    Pure EXTR "z00100111N0mmmmmssssssnnnnnddddd" "z" base extract, extr;
}

/// Width, immr and imms, unless N differs from sf or one of them is outside the width.
fn fields(i: u32) -> Option<(u32, u32, u32)> {
    let (r, s) = (field(i, 21, 16), field(i, 15, 10));
    let w = W::of(i >> 31).bits();
    (field(i, 22, 22) == i >> 31 && r < w && s < w).then_some((w, r, s))
}
/// `aux`: rotate right by this; `imm`: the bits of the result that come from the source.
fn masked(i: u32) -> Option<Args> {
    let (w, r, s) = fields(i)?;
    Some(Args {
        rd: slot::dst(i),
        rn: slot::src(i >> 5),
        ra: slot::src(i),
        imm: if s >= r {
            ones(s - r + 1)
        } else {
            ones(s + 1) << (w - r)
        },
        aux: r as u16,
        ..Args::default()
    })
}
/// `aux`: shift left by this, which brings bit S to the top; `imm`: then shift right, arithmetically, by this.
fn signed(i: u32) -> Option<Args> {
    let (w, r, s) = fields(i)?;
    let left = w - 1 - s;
    Some(Args {
        rd: slot::dst(i),
        rn: slot::src(i >> 5),
        imm: if s >= r { left + r } else { r - 1 - s } as u64,
        aux: left as u16,
        ..Args::default()
    })
}
fn extract(i: u32) -> Option<Args> {
    let (w, lsb) = (W::of(i >> 31).bits(), field(i, 15, 10));
    if field(i, 22, 22) != i >> 31 || lsb >= w {
        return None;
    }
    Some(Args {
        rd: slot::dst(i),
        rn: slot::src(i >> 5),
        rm: slot::src(i >> 16),
        imm: lsb as u64,
        aux: (w - 1 - lsb) as u16,
        ..Args::default()
    })
}

#[inline(always)]
fn sbfm<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let w = W::of(I >> 31);
    let (x, left, right) = (b.x(a.rn), b.imm(a.aux as u64), b.imm(a.imm));
    let x = b.shl(w, x, left);
    let r = b.sar(w, x, right);
    b.set_x(a.rd, r);
    Ok(())
}

#[inline(always)]
fn ubfm<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (x, by, mask) = (b.x(a.rn), b.imm(a.aux as u64), b.imm(a.imm));
    let x = b.ror(W::of(I >> 31), x, by);
    let r = b.and(x, mask);
    b.set_x(a.rd, r);
    Ok(())
}

#[inline(always)]
fn bfm<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let w = W::of(I >> 31);
    let (x, by, mask) = (b.x(a.rn), b.imm(a.aux as u64), b.imm(a.imm));
    let keep = b.imm(!a.imm & ones(w.bits()));
    let x = b.ror(w, x, by);
    let x = b.and(x, mask);
    let old = b.x(a.ra);
    let old = b.and(old, keep);
    let r = b.or(x, old);
    b.set_x(a.rd, r);
    Ok(())
}

/// Bits of Rn:Rm from `lsb` up. The high part moves in two steps, so that `lsb` 0 needs no case of its own.
#[inline(always)]
fn extr<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let w = W::of(I >> 31);
    let (hi, lo) = (b.x(a.rn), b.x(a.rm));
    let (one, up, down) = (b.imm(1), b.imm(a.aux as u64), b.imm(a.imm));
    let lo = b.shr(w, lo, down);
    let hi = b.shl(w, hi, one);
    let hi = b.shl(w, hi, up);
    let r = b.or(lo, hi);
    b.set_x(a.rd, r);
    Ok(())
}
