//! Exclusives: load and mark, store if still marked (Arm ARM B2.9, C4.1.94 load/store exclusive).
//!
//! The monitor is [`crate::cpu::Cpu::monitor`]: a physical range. PEs take turns, and a turn's end clears the monitor, so nobody else can
//! have written in between: what is left to compare is the range itself.

use super::operands::{base, set_x, two_words, x};
use super::ops::{Args, Ops, W};
use crate::access;
use crate::bits::field;
use crate::cpu::{slot, Monitor};
use crate::mem::size::{Acc, Size};
use crate::mixed_rows;
use crate::pe::Pe;
use crate::raise::{Flow, Trap};
use crate::shared::Shared;

mixed_rows! {
    pure {
        // Rs and Rt2 should be 31 where they name nothing, and are not looked at (CONSTRAINED UNPREDICTABLE, as in QEMU).
        Pure STXR    "zz001000000sssss0-----nnnnnttttt" "z" base store_args, store;
        Pure STLXR   "zz001000000sssss1-----nnnnnttttt" "z" base store_args, store;
        Pure LDXR    "zz001000010-----0-----nnnnnttttt" "z" base load_args, load;
        Pure LDAXR   "zz001000010-----1-----nnnnnttttt" "z" base load_args, load;
        Pure STXP_w  "10001000001sssss0uuuuunnnnnttttt" "" base store_args, store_pair;
        Pure STLXP_w "10001000001sssss1uuuuunnnnnttttt" "" base store_args, store_pair;
        Pure LDXP_w  "10001000011-----0uuuuunnnnnttttt" "" base load_args, load_pair;
        Pure LDAXP_w "10001000011-----1uuuuunnnnnttttt" "" base load_args, load_pair;
        Pure CLREX   "11010101000000110011----01011111" "" base none, clear;
    }
    helper {
        // Pairs of X registers are the only exclusives of 16 bytes.
        Helper STXP  "11001000001sssss0uuuuunnnnnttttt" base store_16;
        Helper STLXP "11001000001sssss1uuuuunnnnnttttt" base store_16;
        Helper LDXP  "11001000011-----0uuuuunnnnnttttt" base load_16;
        Helper LDAXP "11001000011-----1uuuuunnnnnttttt" base load_16;
    }
}

/// `rm` is the status register.
fn store_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::src(i),
        rn: slot::sp(i >> 5),
        ra: slot::src(i >> 10),
        rm: slot::dst(i >> 16),
        ..Args::default()
    })
}
fn load_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        rn: slot::sp(i >> 5),
        ra: slot::dst(i >> 10),
        ..Args::default()
    })
}
fn none(_: u32) -> Option<Args> {
    Some(Args::default())
}

/// How the access is made: bit 15 orders it.
const fn acc(i: u32) -> Acc {
    Acc {
        ordered: i >> 15 & 1 != 0,
        ..Acc::ATOMIC
    }
}

#[inline(always)]
fn load<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    b.check_sp(a.rn)?;
    let addr = b.x(a.rn);
    let v = b.load_exclusive(addr, Size::of(I >> 30), acc(I))?;
    b.set_x(a.rd, v);
    Ok(())
}

/// One access of 8 bytes. A register loaded twice keeps the second value (CONSTRAINED UNPREDICTABLE K1.2.7, as in QEMU).
#[inline(always)]
fn load_pair<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    b.check_sp(a.rn)?;
    let addr = b.x(a.rn);
    let both = b.load_exclusive(addr, Size::X, acc(I))?;
    let (low, by) = (b.zext(both, 32), b.imm(32));
    let high = b.shr(W::X, both, by);
    b.set_x(a.rd, low);
    b.set_x(a.ra, high);
    Ok(())
}

/// Without a mark the store fails before anything can fault (IMPLEMENTATION DEFINED, C6.2.372 STXR: aborts and alignment; as in
/// QEMU). Only the address and size that were marked pass.
#[inline(always)]
fn store<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    b.check_sp(a.rn)?;
    let (addr, v) = (b.x(a.rn), b.x(a.rd));
    let failed = b.store_exclusive(addr, Size::of(I >> 30), v, acc(I))?;
    b.set_x(a.rm, failed);
    Ok(())
}

#[inline(always)]
fn store_pair<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    b.check_sp(a.rn)?;
    let addr = b.x(a.rn);
    let both = two_words(b, a.rd, a.ra);
    let failed = b.store_exclusive(addr, Size::X, both, acc(I))?;
    b.set_x(a.rm, failed);
    Ok(())
}

#[inline(always)]
fn clear<B: Ops, const I: u32>(b: &mut B, _: &Args) -> Result<(), B::E> {
    b.clear_exclusive();
    Ok(())
}

/// How the 16-byte ones are made: both halves must be aligned as a whole, of which the first access checks it.
fn whole(i: u32) -> Acc {
    Acc { align: 4, ..acc(i) }
}

fn load_16(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let va = base(cpu, i)?;
    let pa = access::translate_data(cpu, sh, va, 16, false, whole(i))?;
    let lo = access::load(cpu, sh, va, Size::X, whole(i))?;
    let hi = access::load(cpu, sh, va.wrapping_add(8), Size::X, acc(i))?;
    cpu.monitor = Some(Monitor::new(pa, 16));
    set_x(cpu, i, lo);
    set_x(cpu, i >> 10, hi);
    Ok(Flow::Next)
}

/// The monitor is cleared when nothing can fault any more.
fn store_16(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let va = base(cpu, i)?;
    let mut pass = false;
    if cpu.monitor.is_some() {
        let pa = access::translate_data(cpu, sh, va, 16, true, whole(i))?;
        pass = cpu.monitor == Some(Monitor::new(pa, 16));
    }
    if pass {
        let (lo, hi) = (x(cpu, i), x(cpu, i >> 10));
        access::store(cpu, sh, va, Size::X, lo, whole(i))?;
        access::store(cpu, sh, va.wrapping_add(8), Size::X, hi, acc(i))?;
    }
    cpu.monitor = None;
    set_x(cpu, field(i, 20, 16), !pass as u64);
    Ok(Flow::Next)
}
