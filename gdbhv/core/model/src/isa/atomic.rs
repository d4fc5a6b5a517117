//! LSE atomics: read-modify-write, swap, compare and swap (Arm ARM C4.1.94, atomic memory operations; C3.2.12).
//!
//! The load comes first, so that a fault that a read would have had is reported as a read's (ESR.WnR = 0) and any other as a write's.
//! Acquire (bit 23 or 22) and release need nothing more: PEs take turns.

use super::operands::{base, set_x, x};
use crate::access;
use crate::bits::{field, sext};
use crate::helper_rows;
use crate::mem::size::{Acc, Size};
use crate::pe::Pe;
use crate::raise::{Flow, Trap};
use crate::shared::Shared;

helper_rows! {
    Helper LDADD  "zz111000ar1sssss000000nnnnnttttt" LSE modify;
    Helper LDCLR  "zz111000ar1sssss000100nnnnnttttt" LSE modify;
    Helper LDEOR  "zz111000ar1sssss001000nnnnnttttt" LSE modify;
    Helper LDSET  "zz111000ar1sssss001100nnnnnttttt" LSE modify;
    Helper LDSMAX "zz111000ar1sssss010000nnnnnttttt" LSE modify;
    Helper LDSMIN "zz111000ar1sssss010100nnnnnttttt" LSE modify;
    Helper LDUMAX "zz111000ar1sssss011000nnnnnttttt" LSE modify;
    Helper LDUMIN "zz111000ar1sssss011100nnnnnttttt" LSE modify;
    Helper SWP    "zz111000ar1sssss100000nnnnnttttt" LSE modify;
    Helper CAS    "zz0010001a1sssssr11111nnnnnttttt" LSE cas;
    Helper CASP   "0z0010000a1ssss0r11111nnnnntttt0" LSE casp;
}

/// What bits 15:12 make of the old value and Rs.
fn operate(op: u32, size: Size, old: u64, s: u64) -> u64 {
    let signed = |v| sext(v, size.bits()) as i64;
    let low = s & (u64::MAX >> (64 - size.bits()));
    match op {
        0 => old.wrapping_add(s),
        1 => old & !s,
        2 => old ^ s,
        3 => old | s,
        4 => signed(old).max(signed(s)) as u64,
        5 => signed(old).min(signed(s)) as u64,
        6 => old.max(low),
        7 => old.min(low),
        _ => s,
    }
}

fn modify(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let (va, size) = (base(cpu, i)?, Size::of(i >> 30));
    let old = access::load(cpu, sh, va, size, Acc::ATOMIC)?;
    let new = operate(field(i, 15, 12), size, old, x(cpu, i >> 16));
    access::store(cpu, sh, va, size, new, Acc::ATOMIC)?;
    set_x(cpu, i, old);
    Ok(Flow::Next)
}

/// A comparison that fails still needs permission to write (`MemAtomicCompareAndSwap` translates once, for both).
fn cas(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let (va, size) = (base(cpu, i)?, Size::of(i >> 30));
    let old = access::load(cpu, sh, va, size, Acc::ATOMIC)?;
    let (expected, new) = (x(cpu, i >> 16), x(cpu, i));
    if (old ^ expected) << (64 - size.bits()) == 0 {
        access::store(cpu, sh, va, size, new, Acc::ATOMIC)?;
    } else {
        access::translate_data(cpu, sh, va, size.bytes(), true, Acc::ATOMIC)?;
    }
    set_x(cpu, i >> 16, old);
    Ok(Flow::Next)
}

/// Rs and Rt are even (an odd one is UNDEFINED). Bit 30: a pair of 64-bit registers, in two accesses of which the first checks the alignment of both.
fn casp(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let (s, t) = (field(i, 20, 16), field(i, 4, 0));
    let va = base(cpu, i)?;
    if i >> 30 & 1 == 0 {
        let old = access::load(cpu, sh, va, Size::X, Acc::ATOMIC)?;
        let pair = |cpu: &Pe, n| x(cpu, n) as u32 as u64 | x(cpu, n + 1) << 32;
        if old == pair(cpu, s) {
            let new = pair(cpu, t);
            access::store(cpu, sh, va, Size::X, new, Acc::ATOMIC)?;
        } else {
            access::translate_data(cpu, sh, va, 8, true, Acc::ATOMIC)?;
        }
        set_x(cpu, s, old as u32 as u64);
        set_x(cpu, s + 1, old >> 32);
        return Ok(Flow::Next);
    }
    let both = Acc {
        align: 4,
        ..Acc::ATOMIC
    };
    let high = va.wrapping_add(8);
    let lo = access::load(cpu, sh, va, Size::X, both)?;
    let hi = access::load(cpu, sh, high, Size::X, Acc::ATOMIC)?;
    if (lo, hi) == (x(cpu, s), x(cpu, s + 1)) {
        let (new_lo, new_hi) = (x(cpu, t), x(cpu, t + 1));
        access::store(cpu, sh, va, Size::X, new_lo, both)?;
        access::store(cpu, sh, high, Size::X, new_hi, Acc::ATOMIC)?;
    } else {
        access::translate_data(cpu, sh, va, 16, true, both)?;
    }
    set_x(cpu, s, lo);
    set_x(cpu, s + 1, hi);
    Ok(Flow::Next)
}
