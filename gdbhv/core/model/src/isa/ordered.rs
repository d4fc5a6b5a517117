//! Loads with acquire and stores with release semantics that are not exclusive (Arm ARM C4.1.94). PEs take turns, so the order is
//! always strong enough; what is left of the semantics is that the address must be aligned.

use super::load_store::extend;
use super::ops::{Args, Ops, W};
use crate::bits::{field, sext};
use crate::cpu::slot;
use crate::mem::size::{Acc, Size};
use crate::pure_rows;

pure_rows! {
    // Rs and Rt2 should be 31 and are not looked at (CONSTRAINED UNPREDICTABLE, as in QEMU); LDAPR's Rs is, there and here.
    Pure STLR  "zz001000100-----1-----nnnnnttttt" "z" base store_args, store;
    Pure LDAR  "zz001000110-----1-----nnnnnttttt" "z" base load_args, load;
    Pure STLLR "zz001000100-----0-----nnnnnttttt" "z" LOR store_args, store;
    Pure LDLAR "zz001000110-----0-----nnnnnttttt" "z" LOR load_args, load;
    Pure LDAPR "zz11100010111111110000nnnnnttttt" "z" LRCPC rcpc_args, load_rcpc;
    Pure STLUR    "zz011001000iiiiiiiii00nnnnnttttt" "z" LRCPC2 store_args, store;
    Pure LDAPUR   "zz011001010iiiiiiiii00nnnnnttttt" "z" LRCPC2 load_args, load;
    Pure LDAPURSB "000110011s0iiiiiiiii00nnnnnttttt" "s" LRCPC2 load_args, load;
    Pure LDAPURSH "010110011s0iiiiiiiii00nnnnnttttt" "s" LRCPC2 load_args, load;
    Pure LDAPURSW "10011001100iiiiiiiii00nnnnnttttt" "" LRCPC2 load_args, load;
}

/// Bit 24 distinguishes those with an offset.
const fn has_offset(i: u32) -> bool {
    i >> 24 & 1 != 0
}
fn args(i: u32) -> Args {
    Args {
        rn: slot::sp(i >> 5),
        imm: if has_offset(i) {
            sext(field(i, 20, 12) as u64, 9)
        } else {
            0
        },
        ..Args::default()
    }
}
fn store_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::src(i),
        ..args(i)
    })
}
fn load_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        ..args(i)
    })
}
fn rcpc_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        rn: slot::sp(i >> 5),
        ..Args::default()
    })
}

#[inline(always)]
fn address<B: Ops>(b: &mut B, a: &Args) -> Result<B::V, B::E> {
    b.check_sp(a.rn)?;
    let (base, off) = (b.x(a.rn), b.imm(a.imm));
    Ok(b.add(W::X, base, off))
}

#[inline(always)]
fn store<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let addr = address(b, a)?;
    let v = b.x(a.rd);
    b.store(addr, Size::of(I >> 30), v, Acc::ORDERED)
}

/// Without an offset bit 23 belongs to the encoding and does not extend.
#[inline(always)]
fn load<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let addr = address(b, a)?;
    let size = Size::of(I >> 30);
    let mut v = b.load(addr, size, Acc::ORDERED)?;
    if has_offset(I) {
        v = extend::<B, I>(b, size, v);
    }
    b.set_x(a.rd, v);
    Ok(())
}

#[inline(always)]
fn load_rcpc<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let addr = address(b, a)?;
    let v = b.load(addr, Size::of(I >> 30), Acc::ORDERED)?;
    b.set_x(a.rd, v);
    Ok(())
}
