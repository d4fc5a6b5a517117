//! Loads and stores of a pair of general-purpose registers (Arm ARM C4.1.94). Bits 24:23 are the mode: no allocate (as offset),
//! post-index, offset, pre-index.

use super::load_store::Address;
use super::ops::{Args, Ops, W};
use crate::bits::{field, sext};
use crate::cpu::slot;
use crate::mem::size::{Acc, Size};
use crate::pure_rows;

pure_rows! {
    Pure STNP     "z010100000iiiiiiiuuuuunnnnnttttt" "z" base store_args, store;
    Pure LDNP     "z010100001iiiiiiiuuuuunnnnnttttt" "z" base load_args, load;
    Pure STP_post "z010100010iiiiiiiuuuuunnnnnttttt" "z" base store_args, store;
    Pure LDP_post "z010100011iiiiiiiuuuuunnnnnttttt" "z" base load_args, load;
    Pure STP      "z010100100iiiiiiiuuuuunnnnnttttt" "z" base store_args, store;
    Pure LDP      "z010100101iiiiiiiuuuuunnnnnttttt" "z" base load_args, load;
    Pure STP_pre  "z010100110iiiiiiiuuuuunnnnnttttt" "z" base store_args, store;
    Pure LDP_pre  "z010100111iiiiiiiuuuuunnnnnttttt" "z" base load_args, load;
    Pure LDPSW_post "0110100011iiiiiiiuuuuunnnnnttttt" "" base load_args, load;
    Pure LDPSW      "0110100101iiiiiiiuuuuunnnnnttttt" "" base load_args, load;
    Pure LDPSW_pre  "0110100111iiiiiiiuuuuunnnnnttttt" "" base load_args, load;
}

/// Base and offset of a pair of accesses of `1 << log2` bytes.
pub fn base_offset(i: u32, log2: u32) -> Args {
    Args {
        rn: slot::sp(i >> 5),
        imm: sext(field(i, 21, 15) as u64, 7) << log2,
        ..Args::default()
    }
}
fn log2(i: u32) -> u32 {
    2 + (i >> 31)
}
fn store_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::src(i),
        ra: slot::src(i >> 10),
        ..base_offset(i, log2(i))
    })
}
fn load_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        ra: slot::dst(i >> 10),
        ..base_offset(i, log2(i))
    })
}

/// See [`Address`]. Refuses a misaligned SP.
#[inline(always)]
pub fn address<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<Address<B>, B::E> {
    b.check_sp(a.rn)?;
    let (base, off) = (b.x(a.rn), b.imm(a.imm));
    let sum = b.add(W::X, base, off);
    Ok(match field(I, 24, 23) {
        1 => (base, Some(sum)),
        3 => (sum, Some(sum)),
        _ => (sum, None),
    })
}

#[inline(always)]
fn store<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (addr, new_base) = address::<B, I>(b, a)?;
    let size = Size::of(2 + (I >> 31));
    let (x, y, step) = (b.x(a.rd), b.x(a.ra), b.imm(size.bytes()));
    b.store(addr, size, x, Acc::PLAIN)?;
    let second = b.add(W::X, addr, step);
    b.store(second, size, y, Acc::PLAIN)?;
    if let Some(n) = new_base {
        b.set_x(a.rn, n);
    }
    Ok(())
}

/// CONSTRAINED UNPREDICTABLE (K1.2.7), as in QEMU: if Rt is Rt2 it has what the lower address holds; a base that is also
/// loaded has the address. Bit 30 (LDPSW) sign-extends.
#[inline(always)]
fn load<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (addr, new_base) = address::<B, I>(b, a)?;
    let size = Size::of(2 + (I >> 31));
    let step = b.imm(size.bytes());
    let mut x = b.load(addr, size, Acc::PLAIN)?;
    let second = b.add(W::X, addr, step);
    let mut y = b.load(second, size, Acc::PLAIN)?;
    if I >> 30 & 1 != 0 {
        (x, y) = (b.sext(W::X, x, 32), b.sext(W::X, y, 32));
    }
    b.set_x(a.ra, y);
    b.set_x(a.rd, x);
    if let Some(n) = new_base {
        b.set_x(a.rn, n);
    }
    Ok(())
}
