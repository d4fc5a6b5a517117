//! Add and subtract: immediate, shifted register, extended register, with carry (Arm ARM C4.1.92, C4.1.95).

use super::operands::d_n_m;
use super::ops::{Args, Ops, W};
use crate::bits::field;
use crate::cpu::slot;
use crate::pure_rows;

pure_rows! {
    Pure ADD_imm  "z00100010hiiiiiiiiiiiinnnnnddddd" "z" base imm12, add_sub;
    Pure ADDS_imm "z01100010hiiiiiiiiiiiinnnnnddddd" "z" base imm12s, add_sub;
    Pure SUB_imm  "z10100010hiiiiiiiiiiiinnnnnddddd" "z" base imm12, add_sub;
    Pure SUBS_imm "z11100010hiiiiiiiiiiiinnnnnddddd" "z" base imm12s, add_sub;
    Pure ADD_shift  "z0001011tt0mmmmmiiiiiinnnnnddddd" "ztt" base shifted, add_sub_shifted;
    Pure ADDS_shift "z0101011tt0mmmmmiiiiiinnnnnddddd" "ztt" base shifted, add_sub_shifted;
    Pure SUB_shift  "z1001011tt0mmmmmiiiiiinnnnnddddd" "ztt" base shifted, add_sub_shifted;
    Pure SUBS_shift "z1101011tt0mmmmmiiiiiinnnnnddddd" "ztt" base shifted, add_sub_shifted;
    Pure ADD_ext  "z0001011001mmmmmooosssnnnnnddddd" "zo" base extended, add_sub_extended;
    Pure ADDS_ext "z0101011001mmmmmooosssnnnnnddddd" "zo" base extended_s, add_sub_extended;
    Pure SUB_ext  "z1001011001mmmmmooosssnnnnnddddd" "zo" base extended, add_sub_extended;
    Pure SUBS_ext "z1101011001mmmmmooosssnnnnnddddd" "zo" base extended_s, add_sub_extended;
    Pure ADC  "z0011010000mmmmm000000nnnnnddddd" "z" base d_n_m, adc;
    Pure ADCS "z0111010000mmmmm000000nnnnnddddd" "z" base d_n_m, adc;
    Pure SBC  "z1011010000mmmmm000000nnnnnddddd" "z" base d_n_m, adc;
    Pure SBCS "z1111010000mmmmm000000nnnnnddddd" "z" base d_n_m, adc;
}

fn imm(i: u32) -> u64 {
    (field(i, 21, 10) as u64) << (12 * field(i, 22, 22))
}
fn imm12(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::sp(i),
        rn: slot::sp(i >> 5),
        imm: imm(i),
        ..Args::default()
    })
}
fn imm12s(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        rn: slot::sp(i >> 5),
        imm: imm(i),
        ..Args::default()
    })
}
fn shifted(i: u32) -> Option<Args> {
    let amount = field(i, 15, 10);
    if field(i, 23, 22) == 3 || (i >> 31 == 0 && amount > 31) {
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
fn extended(i: u32) -> Option<Args> {
    let amount = field(i, 12, 10);
    if amount > 4 {
        return None;
    }
    Some(Args {
        rd: slot::sp(i),
        rn: slot::sp(i >> 5),
        rm: slot::src(i >> 16),
        imm: amount as u64,
        ..Args::default()
    })
}
fn extended_s(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        ..extended(i)?
    })
}

/// The common end: bit 30 subtracts, bit 29 sets flags.
#[inline(always)]
fn finish<B: Ops, const I: u32>(b: &mut B, rd: u8, x: B::V, y: B::V) -> Result<(), B::E> {
    let w = W::of(I >> 31);
    let r = match (field(I, 30, 30), field(I, 29, 29)) {
        (0, 0) => b.add(w, x, y),
        (0, _) => b.adds(w, x, y),
        (_, 0) => b.sub(w, x, y),
        _ => b.subs(w, x, y),
    };
    b.set_x(rd, r);
    Ok(())
}

#[inline(always)]
fn add_sub<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (x, y) = (b.x(a.rn), b.imm(a.imm));
    finish::<B, I>(b, a.rd, x, y)
}

#[inline(always)]
fn add_sub_shifted<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (x, y) = (b.x(a.rn), b.x(a.rm));
    let y = shift::<B>(b, W::of(I >> 31), y, field(I, 23, 22), a.imm);
    finish::<B, I>(b, a.rd, x, y)
}

/// `ShiftReg`: LSL, LSR, ASR, ROR by a constant.
#[inline(always)]
pub fn shift<B: Ops>(b: &mut B, w: W, v: B::V, kind: u32, by: u64) -> B::V {
    let by = b.imm(by);
    match kind {
        0 => b.shl(w, v, by),
        1 => b.shr(w, v, by),
        2 => b.sar(w, v, by),
        _ => b.ror(w, v, by),
    }
}

#[inline(always)]
fn add_sub_extended<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (x, y) = (b.x(a.rn), b.x(a.rm));
    let y = extend::<B>(b, y, field(I, 15, 13));
    let by = b.imm(a.imm);
    let y = b.shl(W::of(I >> 31), y, by);
    finish::<B, I>(b, a.rd, x, y)
}

/// `ExtendReg` before its shift: UXTB, UXTH, UXTW, UXTX, SXTB, SXTH, SXTW, SXTX.
#[inline(always)]
pub fn extend<B: Ops>(b: &mut B, v: B::V, option: u32) -> B::V {
    let bits = 8 << (option & 3);
    match option >> 2 {
        0 => b.zext(v, bits),
        _ => b.sext(W::X, v, bits),
    }
}

/// x - y with borrow is x + NOT(y) with carry.
#[inline(always)]
fn adc<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let w = W::of(I >> 31);
    let (x, mut y) = (b.x(a.rn), b.x(a.rm));
    if I >> 30 & 1 != 0 {
        y = b.not(w, y);
    }
    let r = if I >> 29 & 1 != 0 {
        b.adcs(w, x, y)
    } else {
        b.adc(w, x, y)
    };
    b.set_x(a.rd, r);
    Ok(())
}
