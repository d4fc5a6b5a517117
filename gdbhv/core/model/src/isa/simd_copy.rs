//! Advanced SIMD copy: between elements, and between elements and general registers (Arm ARM C4.1.96, `AdvSIMD copy`). The lowest
//! set bit of imm5 is the element's size, the bits above it its index.

use super::lanes::q;
use super::ops::{Args, Ops, W};
use super::simd;
use crate::bits::field;
use crate::cpu::slot;
use crate::mem::size::Size;
use crate::pure_rows;

pure_rows! {
    Fp DUP_elem    "0q001110000ffsss000001nnnnnddddd" "qs" AdvSIMD vector_args, dup;
    Fp DUP_scalar  "01011110000ffsss000001nnnnnddddd" "s" AdvSIMD sized_args, dup_scalar;
    Fp DUP_general "0q001110000ffsss000011nnnnnddddd" "qs" AdvSIMD vector_args, dup_general;
    Fp SMOV        "0q001110000ffsss001011nnnnnddddd" "qs" AdvSIMD smov_args, smov;
    Fp UMOV        "0q001110000ffsss001111nnnnnddddd" "qs" AdvSIMD umov_args, umov;
    Fp INS_general "01001110000ffsss000111nnnnnddddd" "s" AdvSIMD sized_args, ins_general;
    Fp INS_elem    "01101110000ffsss0iiii1nnnnnddddd" "s" AdvSIMD sized_args, ins_elem;
}

/// Element size: of the lowest set bit, which is the D one if the three that are specialised are clear.
const fn size(i: u32) -> Size {
    match field(i, 18, 16) {
        0 => Size::X,
        low => Size::of(low.trailing_zeros()),
    }
}
/// `rn` is Vn, `rm` is Xn, `ra` is Xd; `aux` the index of the element of imm5, `imm` that of imm4.
fn sized_args(i: u32) -> Option<Args> {
    let log2 = size(i) as u32;
    (field(i, 19, 16) != 0).then_some(Args {
        rd: (i & 31) as u8,
        rn: (i >> 5 & 31) as u8,
        rm: slot::src(i >> 5),
        ra: slot::dst(i),
        aux: (field(i, 20, 16) >> (log2 + 1)) as u16,
        imm: (field(i, 14, 11) >> log2) as u64,
        ..Args::default()
    })
}
/// Not one 64-bit element.
fn vector_args(i: u32) -> Option<Args> {
    sized_args(i).filter(|_| q(i) || size(i) != Size::X)
}
/// Narrower than the register.
fn smov_args(i: u32) -> Option<Args> {
    sized_args(i).filter(|_| size(i).bits() < if q(i) { 64 } else { 32 })
}
/// An X register for 64 bits, else a W register.
fn umov_args(i: u32) -> Option<Args> {
    sized_args(i).filter(|_| q(i) == (size(i) == Size::X))
}

#[inline(always)]
fn element<B: Ops>(b: &mut B, a: &Args, size: Size) -> B::V {
    let n = b.q(a.rn);
    b.lane(size, n, a.aux as u32)
}

#[inline(always)]
fn dup<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let v = element(b, a, size(I));
    let r = b.splat(size(I), v);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
#[inline(always)]
fn dup_scalar<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let v = element(b, a, size(I));
    let r = b.wide(v);
    b.set_q(a.rd, r);
    Ok(())
}
#[inline(always)]
fn dup_general<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let v = b.x(a.rm);
    let r = b.splat(size(I), v);
    simd::set(b, simd::full(I), a.rd, r);
    Ok(())
}
#[inline(always)]
fn smov<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let v = element(b, a, size(I));
    let v = b.sext(W::of(I >> 30), v, size(I).bits());
    b.set_x(a.ra, v);
    Ok(())
}
#[inline(always)]
fn umov<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let v = element(b, a, size(I));
    b.set_x(a.ra, v);
    Ok(())
}
#[inline(always)]
fn ins_general<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (v, d) = (b.x(a.rm), b.q(a.rd));
    let r = b.with_lane(size(I), d, a.aux as u32, v);
    b.set_q(a.rd, r);
    Ok(())
}
#[inline(always)]
fn ins_elem<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (n, d) = (b.q(a.rn), b.q(a.rd));
    let v = b.lane(size(I), n, a.imm as u32);
    let r = b.with_lane(size(I), d, a.aux as u32, v);
    b.set_q(a.rd, r);
    Ok(())
}
