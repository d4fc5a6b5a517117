//! LSE atomics: read-modify-write, swap, compare and swap (Arm ARM C4.1.94, atomic memory operations; C3.2.12).
//!
//! The load comes first, so that a fault that a read would have had is reported as a read's (ESR.WnR = 0) and any other as a write's.
//! Acquire (bit 23 or 22) and release need nothing more: PEs take turns.

use super::operands::two_words;
use super::ops::{Args, Cmp, Ops, W};
use crate::bits::field;
use crate::cpu::slot;
use crate::mem::size::{Acc, Size};
use crate::pure_rows;

pure_rows! {
    Pure LDADD  "zz111000ar1sssss000000nnnnnttttt" "z" LSE args, modify;
    Pure LDCLR  "zz111000ar1sssss000100nnnnnttttt" "z" LSE args, modify;
    Pure LDEOR  "zz111000ar1sssss001000nnnnnttttt" "z" LSE args, modify;
    Pure LDSET  "zz111000ar1sssss001100nnnnnttttt" "z" LSE args, modify;
    Pure LDSMAX "zz111000ar1sssss010000nnnnnttttt" "z" LSE args, modify;
    Pure LDSMIN "zz111000ar1sssss010100nnnnnttttt" "z" LSE args, modify;
    Pure LDUMAX "zz111000ar1sssss011000nnnnnttttt" "z" LSE args, modify;
    Pure LDUMIN "zz111000ar1sssss011100nnnnnttttt" "z" LSE args, modify;
    Pure SWP    "zz111000ar1sssss100000nnnnnttttt" "z" LSE args, modify;
    Pure CAS    "zz0010001a1sssssr11111nnnnnttttt" "z" LSE cas_args, cas;
    Pure CASP   "0z0010000a1ssss0r11111nnnnntttt0" "z" LSE casp_args, casp;
}

/// `rm` is Rs.
fn args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        rn: slot::sp(i >> 5),
        rm: slot::src(i >> 16),
        ..Args::default()
    })
}
/// `rd` is Rt, `rm` Rs to read and `ra` Rs to write.
fn cas_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::src(i),
        rn: slot::sp(i >> 5),
        rm: slot::src(i >> 16),
        ra: slot::dst(i >> 16),
        ..Args::default()
    })
}
/// Rs and Rt are even (an odd one is UNDEFINED).
fn casp_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::src(i),
        rn: slot::sp(i >> 5),
        rm: slot::src(i >> 16),
        ..Args::default()
    })
}

/// What bits 15:12 make of the old value and Rs, both zero-extended.
#[inline(always)]
fn operate<B: Ops>(b: &mut B, op: u32, size: Size, old: B::V, s: B::V) -> B::V {
    let (how, greater) = match op {
        0 => return b.add(W::X, old, s),
        1 => {
            let kept = b.not(W::X, s);
            return b.and(old, kept);
        }
        2 => return b.xor(old, s),
        3 => return b.or(old, s),
        4 => (Cmp::Lt, true),
        5 => (Cmp::Lt, false),
        6 => (Cmp::Lo, true),
        7 => (Cmp::Lo, false),
        _ => return s,
    };
    let (x, y) = match how {
        Cmp::Lt => (b.sext(W::X, old, size.bits()), b.sext(W::X, s, size.bits())),
        _ => (old, b.zext(s, size.bits())),
    };
    let less = b.compare(how, W::X, x, y);
    if greater {
        b.select(less, s, old)
    } else {
        b.select(less, old, s)
    }
}

#[inline(always)]
fn modify<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let size = Size::of(I >> 30);
    b.check_sp(a.rn)?;
    let (addr, s) = (b.x(a.rn), b.x(a.rm));
    let old = b.load(addr, size, Acc::ATOMIC)?;
    let new = operate(b, field(I, 15, 12), size, old, s);
    b.store(addr, size, new, Acc::ATOMIC)?;
    b.set_x(a.rd, old);
    Ok(())
}

/// If the comparison is not equal, the architecture permits writing the value that was read (Arm ARM C6.2, CAS): it is written, and so such a
/// one needs permission to write, and is a write to watchpoints, as any other.
#[inline(always)]
fn cas<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let size = Size::of(I >> 30);
    b.check_sp(a.rn)?;
    let (addr, expected, new) = (b.x(a.rn), b.x(a.rm), b.x(a.rd));
    let old = b.load(addr, size, Acc::ATOMIC)?;
    let expected = b.zext(expected, size.bits());
    let equal = b.compare(Cmp::Eq, W::X, old, expected);
    let v = b.select(equal, new, old);
    b.store(addr, size, v, Acc::ATOMIC)?;
    b.set_x(a.ra, old);
    Ok(())
}

/// Both halves of a 16-byte access must be aligned as a whole, of which the first checks it.
const BOTH: Acc = Acc {
    align: 4,
    ..Acc::ATOMIC
};

/// Bit 30: a pair of 64-bit registers, in two accesses; else one access of 8 bytes.
#[inline(always)]
fn casp<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    b.check_sp(a.rn)?;
    let addr = b.x(a.rn);
    if I >> 30 & 1 == 0 {
        let (expected, new) = (
            two_words(b, a.rm, second(a.rm)),
            two_words(b, a.rd, second(a.rd)),
        );
        let old = b.load(addr, Size::X, Acc::ATOMIC)?;
        let equal = b.compare(Cmp::Eq, W::X, old, expected);
        let v = b.select(equal, new, old);
        b.store(addr, Size::X, v, Acc::ATOMIC)?;
        let (low, by) = (b.zext(old, 32), b.imm(32));
        let high = b.shr(W::X, old, by);
        b.set_x(a.rm, low);
        b.set_x(second_to(a.rm), high);
        return Ok(());
    }
    let (s, t) = (
        (b.x(a.rm), b.x(second(a.rm))),
        (b.x(a.rd), b.x(second(a.rd))),
    );
    let eight = b.imm(8);
    let upper = b.add(W::X, addr, eight);
    let low = b.load(addr, Size::X, BOTH)?;
    let high = b.load(upper, Size::X, Acc::ATOMIC)?;
    let (x, y) = (b.xor(low, s.0), b.xor(high, s.1));
    let differ = b.or(x, y);
    let equal = b.is_zero(W::X, differ);
    let new_low = b.select(equal, t.0, low);
    let new_high = b.select(equal, t.1, high);
    b.store(addr, Size::X, new_low, BOTH)?;
    b.store(upper, Size::X, new_high, Acc::ATOMIC)?;
    b.set_x(a.rm, low);
    b.set_x(second_to(a.rm), high);
    Ok(())
}
/// The register behind an even one, to read.
fn second(r: u8) -> u8 {
    slot::src(r as u32 + 1)
}
/// The same, to write.
fn second_to(r: u8) -> u8 {
    slot::dst(r as u32 + 1)
}
