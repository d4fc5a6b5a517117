//! Loads and stores of one general-purpose register in every mode, and prefetches (Arm ARM C4.1.94).
//!
//! Bits 31:30 are log2 of the size; bit 23 loads with sign extension, to 64 bits or (bit 22) 32. Bit 24 marks the unsigned offset; without
//! it bits 11:10 are the mode: unscaled, post-index, unprivileged or (bit 21) register offset, pre-index.

use super::addsub;
use super::ops::{Args, Ops, W};
use crate::bits::{field, sext};
use crate::cpu::slot;
use crate::mem::size::{Acc, Size};
use crate::pure_rows;

pure_rows! {
    Pure STR_imm   "zz11100100iiiiiiiiiiiinnnnnttttt" "z" base store_args, store;
    Pure LDR_imm   "zz11100101iiiiiiiiiiiinnnnnttttt" "z" base load_args, load;
    Pure LDRSB_imm "001110011siiiiiiiiiiiinnnnnttttt" "s" base load_args, load;
    Pure LDRSH_imm "011110011siiiiiiiiiiiinnnnnttttt" "s" base load_args, load;
    Pure LDRSW_imm "1011100110iiiiiiiiiiiinnnnnttttt" "" base load_args, load;
    Pure STUR      "zz111000000iiiiiiiii00nnnnnttttt" "z" base store_args, store;
    Pure LDUR      "zz111000010iiiiiiiii00nnnnnttttt" "z" base load_args, load;
    Pure LDURSB    "001110001s0iiiiiiiii00nnnnnttttt" "s" base load_args, load;
    Pure LDURSH    "011110001s0iiiiiiiii00nnnnnttttt" "s" base load_args, load;
    Pure LDURSW    "10111000100iiiiiiiii00nnnnnttttt" "" base load_args, load;
    Pure STR_post   "zz111000000iiiiiiiii01nnnnnttttt" "z" base store_args, store;
    Pure LDR_post   "zz111000010iiiiiiiii01nnnnnttttt" "z" base load_args, load;
    Pure LDRSB_post "001110001s0iiiiiiiii01nnnnnttttt" "s" base load_args, load;
    Pure LDRSH_post "011110001s0iiiiiiiii01nnnnnttttt" "s" base load_args, load;
    Pure LDRSW_post "10111000100iiiiiiiii01nnnnnttttt" "" base load_args, load;
    Pure STTR      "zz111000000iiiiiiiii10nnnnnttttt" "z" base store_args, store;
    Pure LDTR      "zz111000010iiiiiiiii10nnnnnttttt" "z" base load_args, load;
    Pure LDTRSB    "001110001s0iiiiiiiii10nnnnnttttt" "s" base load_args, load;
    Pure LDTRSH    "011110001s0iiiiiiiii10nnnnnttttt" "s" base load_args, load;
    Pure LDTRSW    "10111000100iiiiiiiii10nnnnnttttt" "" base load_args, load;
    Pure STR_pre   "zz111000000iiiiiiiii11nnnnnttttt" "z" base store_args, store;
    Pure LDR_pre   "zz111000010iiiiiiiii11nnnnnttttt" "z" base load_args, load;
    Pure LDRSB_pre "001110001s0iiiiiiiii11nnnnnttttt" "s" base load_args, load;
    Pure LDRSH_pre "011110001s0iiiiiiiii11nnnnnttttt" "s" base load_args, load;
    Pure LDRSW_pre "10111000100iiiiiiiii11nnnnnttttt" "" base load_args, load;
    Pure STR_reg   "zz111000001mmmmmo1oS10nnnnnttttt" "zo" base store_args, store;
    Pure LDR_reg   "zz111000011mmmmmo1oS10nnnnnttttt" "zo" base load_args, load;
    Pure LDRSB_reg "001110001s1mmmmmo1oS10nnnnnttttt" "so" base load_args, load;
    Pure LDRSH_reg "011110001s1mmmmmo1oS10nnnnnttttt" "so" base load_args, load;
    Pure LDRSW_reg "10111000101mmmmmo1oS10nnnnnttttt" "o" base load_args, load;
    Pure LDR_lit   "0z011000iiiiiiiiiiiiiiiiiiittttt" "z" base literal, load_literal;
    Pure LDRSW_lit "10011000iiiiiiiiiiiiiiiiiiittttt" "" base literal, load_literal;
    Pure PRFM_imm  "1111100110iiiiiiiiiiiinnnnnttttt" "" base hint, prefetch;
    Pure PRFUM     "11111000100iiiiiiiii00nnnnnttttt" "" base hint, prefetch;
    Pure PRFM_reg  "11111000101mmmmmo1oS10nnnnnttttt" "" base hint, prefetch;
    Pure PRFM_lit  "11011000iiiiiiiiiiiiiiiiiiittttt" "" base hint, prefetch;
}

/// Base and offset of an access of `1 << log2` bytes, in any mode but literal. `aux` shifts an offset register.
pub fn base_offset(i: u32, log2: u32) -> Args {
    let a = Args {
        rn: slot::sp(i >> 5),
        ..Args::default()
    };
    if i >> 24 & 1 != 0 {
        return Args {
            imm: (field(i, 21, 10) as u64) << log2,
            ..a
        };
    }
    if is_reg(i) {
        return Args {
            rm: slot::src(i >> 16),
            aux: ((i >> 12 & 1) * log2) as u16,
            ..a
        };
    }
    Args {
        imm: sext(field(i, 20, 12) as u64, 9),
        ..a
    }
}
fn store_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::src(i),
        ..base_offset(i, i >> 30)
    })
}
fn load_args(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        ..base_offset(i, i >> 30)
    })
}
/// `imm` is relative to the instruction.
pub fn literal(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        imm: sext(field(i, 23, 5) as u64, 19) << 2,
        ..Args::default()
    })
}
fn hint(_: u32) -> Option<Args> {
    Some(Args::default())
}

const fn is_reg(i: u32) -> bool {
    i >> 24 & 1 == 0 && i >> 21 & 1 != 0
}

/// Where an access goes, and the new base for the two modes that write it back.
pub type Address<B> = (<B as Ops>::V, Option<<B as Ops>::V>);

/// See [`Address`]. Refuses a misaligned SP.
#[inline(always)]
pub fn address<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<Address<B>, B::E> {
    b.check_sp(a.rn)?;
    let base = b.x(a.rn);
    if is_reg(I) {
        let m = b.x(a.rm);
        let m = addsub::extend(b, m, field(I, 15, 13));
        let by = b.imm(a.aux as u64);
        let m = b.shl(W::X, m, by);
        return Ok((b.add(W::X, base, m), None));
    }
    let off = b.imm(a.imm);
    let sum = b.add(W::X, base, off);
    Ok(match (I >> 24 & 1, field(I, 11, 10)) {
        (0, 1) => (base, Some(sum)),
        (0, 3) => (sum, Some(sum)),
        _ => (sum, None),
    })
}

/// Bits 11:10 = 2 without bits 24 and 21: LDTR and STTR.
const fn acc(i: u32) -> Acc {
    if i >> 24 & 1 == 0 && !is_reg(i) && field(i, 11, 10) == 2 {
        Acc::UNPRIV
    } else {
        Acc::PLAIN
    }
}

/// Extend the loaded value: bit 23 means signed, bit 22 then chooses W (1) or X (0).
#[inline(always)]
pub fn extend<B: Ops, const I: u32>(b: &mut B, size: Size, v: B::V) -> B::V {
    if field(I, 23, 23) == 0 {
        return v;
    }
    b.sext(W::of(1 ^ field(I, 22, 22)), v, size.bits())
}

/// Write-back comes last: if Rt is Rn the base register wins in a load, and a store writes the old base (CONSTRAINED
/// UNPREDICTABLE K1.2.7, as in QEMU).
#[inline(always)]
fn store<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (addr, new_base) = address::<B, I>(b, a)?;
    let v = b.x(a.rd);
    b.store(addr, Size::of(I >> 30), v, acc(I))?;
    if let Some(n) = new_base {
        b.set_x(a.rn, n);
    }
    Ok(())
}

#[inline(always)]
fn load<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (addr, new_base) = address::<B, I>(b, a)?;
    let size = Size::of(I >> 30);
    let v = b.load(addr, size, acc(I))?;
    let v = extend::<B, I>(b, size, v);
    b.set_x(a.rd, v);
    if let Some(n) = new_base {
        b.set_x(a.rn, n);
    }
    Ok(())
}

/// Bits 31:30: LDR W, LDR X, LDRSW.
#[inline(always)]
fn load_literal<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let addr = b.pc((a.off as u64 * 4).wrapping_add(a.imm));
    let v = match I >> 30 {
        0 => b.load(addr, Size::W, Acc::PLAIN)?,
        1 => b.load(addr, Size::X, Acc::PLAIN)?,
        _ => {
            let v = b.load(addr, Size::W, Acc::PLAIN)?;
            b.sext(W::X, v, 32)
        }
    };
    b.set_x(a.rd, v);
    Ok(())
}

/// Caches are not modelled, and a prefetch never faults.
#[inline(always)]
fn prefetch<B: Ops, const I: u32>(_: &mut B, _: &Args) -> Result<(), B::E> {
    Ok(())
}
