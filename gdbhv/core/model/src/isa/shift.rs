//! Shifts by a register, and the instructions of one source: reverse and count (Arm ARM C4.1.95, data processing 1 and 2 source).

use super::operands::{d_n, d_n_m};
use super::ops::{Args, Ops, W};
use crate::bits::field;
use crate::pure_rows;

pure_rows! {
    Pure LSLV "z0011010110mmmmm001000nnnnnddddd" "z" base d_n_m, shift;
    Pure LSRV "z0011010110mmmmm001001nnnnnddddd" "z" base d_n_m, shift;
    Pure ASRV "z0011010110mmmmm001010nnnnnddddd" "z" base d_n_m, shift;
    Pure RORV "z0011010110mmmmm001011nnnnnddddd" "z" base d_n_m, shift;
    Pure RBIT  "z101101011000000000000nnnnnddddd" "z" base d_n, rbit;
    Pure REV16 "z101101011000000000001nnnnnddddd" "z" base d_n, rev;
    Pure REV_w "0101101011000000000010nnnnnddddd" "" base d_n, rev;
    Pure REV32 "1101101011000000000010nnnnnddddd" "" base d_n, rev;
    Pure REV_x "1101101011000000000011nnnnnddddd" "" base d_n, rev;
    Pure CLZ   "z101101011000000000100nnnnnddddd" "z" base d_n, count;
    Pure CLS   "z101101011000000000101nnnnnddddd" "z" base d_n, count;
}

#[inline(always)]
fn shift<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let w = W::of(I >> 31);
    let (x, by) = (b.x(a.rn), b.x(a.rm));
    let r = match field(I, 11, 10) {
        0 => b.shl(w, x, by),
        1 => b.shr(w, x, by),
        2 => b.sar(w, x, by),
        _ => b.ror(w, x, by),
    };
    b.set_x(a.rd, r);
    Ok(())
}

#[inline(always)]
fn rbit<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let x = b.x(a.rn);
    let r = b.rbit(W::of(I >> 31), x);
    b.set_x(a.rd, r);
    Ok(())
}

/// Bits 11:10 are log2 of the bytes that are reversed together.
#[inline(always)]
fn rev<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let x = b.x(a.rn);
    let r = b.rev(W::of(I >> 31), x, 1 << field(I, 11, 10));
    b.set_x(a.rd, r);
    Ok(())
}

#[inline(always)]
fn count<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (w, x) = (W::of(I >> 31), b.x(a.rn));
    let r = if I >> 10 & 1 == 0 {
        b.clz(w, x)
    } else {
        b.cls(w, x)
    };
    b.set_x(a.rd, r);
    Ok(())
}
