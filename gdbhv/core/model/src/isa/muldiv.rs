//! Multiply, multiply-add, high halves, and division (Arm ARM C4.1.95, data processing 3 source; UDIV and SDIV of 2 source).

use super::operands::d_n_m;
use super::ops::{Args, Ops, W};
use crate::cpu::slot;
use crate::pure_rows;

pure_rows! {
    Pure MADD   "z0011011000mmmmm0aaaaannnnnddddd" "z" base four, madd;
    Pure MSUB   "z0011011000mmmmm1aaaaannnnnddddd" "z" base four, madd;
    Pure SMADDL "10011011001mmmmm0aaaaannnnnddddd" "" base four, maddl;
    Pure SMSUBL "10011011001mmmmm1aaaaannnnnddddd" "" base four, maddl;
    Pure UMADDL "10011011101mmmmm0aaaaannnnnddddd" "" base four, maddl;
    Pure UMSUBL "10011011101mmmmm1aaaaannnnnddddd" "" base four, maddl;
    // Ra should be 31; with another value they are the same instruction (CONSTRAINED UNPREDICTABLE, as in QEMU).
    Pure SMULH  "10011011010mmmmm0-----nnnnnddddd" "" base d_n_m, mulh;
    Pure UMULH  "10011011110mmmmm0-----nnnnnddddd" "" base d_n_m, mulh;
    Pure UDIV   "z0011010110mmmmm000010nnnnnddddd" "z" base d_n_m, div;
    Pure SDIV   "z0011010110mmmmm000011nnnnnddddd" "z" base d_n_m, div;
}

fn four(i: u32) -> Option<Args> {
    Some(Args {
        ra: slot::src(i >> 10),
        ..d_n_m(i)?
    })
}

/// Ra plus or (bit 15) minus a product.
#[inline(always)]
fn accumulate<B: Ops, const I: u32>(b: &mut B, a: &Args, product: B::V) {
    let w = W::of(I >> 31);
    let acc = b.x(a.ra);
    let r = if I >> 15 & 1 == 0 {
        b.add(w, acc, product)
    } else {
        b.sub(w, acc, product)
    };
    b.set_x(a.rd, r);
}

#[inline(always)]
fn madd<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (x, y) = (b.x(a.rn), b.x(a.rm));
    let product = b.mul(W::of(I >> 31), x, y);
    accumulate::<B, I>(b, a, product);
    Ok(())
}

/// Bit 23: the 32-bit factors are unsigned.
#[inline(always)]
fn maddl<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (x, y) = (b.x(a.rn), b.x(a.rm));
    let (x, y) = if I >> 23 & 1 == 0 {
        (b.sext(W::X, x, 32), b.sext(W::X, y, 32))
    } else {
        (b.zext(x, 32), b.zext(y, 32))
    };
    let product = b.mul(W::X, x, y);
    accumulate::<B, I>(b, a, product);
    Ok(())
}

#[inline(always)]
fn mulh<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (x, y) = (b.x(a.rn), b.x(a.rm));
    let r = if I >> 23 & 1 == 0 {
        b.smulh(x, y)
    } else {
        b.umulh(x, y)
    };
    b.set_x(a.rd, r);
    Ok(())
}

#[inline(always)]
fn div<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (w, x, y) = (W::of(I >> 31), b.x(a.rn), b.x(a.rm));
    let r = if I >> 10 & 1 == 0 {
        b.udiv(w, x, y)
    } else {
        b.sdiv(w, x, y)
    };
    b.set_x(a.rd, r);
    Ok(())
}
