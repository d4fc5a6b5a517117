//! Loads and stores of one SIMD and FP register and of a pair, in every mode (Arm ARM C4.1.94). Rows `_q` are the 128-bit ones.

use super::load_store::{address, base_offset, literal};
use super::ops::{Args, Ops, W};
use super::pair;
use crate::mem::size::{Acc, Size};
use crate::pure_rows;

pure_rows! {
    Fp STR_fp_imm   "zz11110100iiiiiiiiiiiinnnnnttttt" "z" FP operands, store;
    Fp STR_q_imm    "0011110110iiiiiiiiiiiinnnnnttttt" "" FP operands, store;
    Fp LDR_fp_imm   "zz11110101iiiiiiiiiiiinnnnnttttt" "z" FP operands, load;
    Fp LDR_q_imm    "0011110111iiiiiiiiiiiinnnnnttttt" "" FP operands, load;
    Fp STUR_fp      "zz111100000iiiiiiiii00nnnnnttttt" "z" FP operands, store;
    Fp STUR_q       "00111100100iiiiiiiii00nnnnnttttt" "" FP operands, store;
    Fp LDUR_fp      "zz111100010iiiiiiiii00nnnnnttttt" "z" FP operands, load;
    Fp LDUR_q       "00111100110iiiiiiiii00nnnnnttttt" "" FP operands, load;
    Fp STR_fp_post  "zz111100000iiiiiiiii01nnnnnttttt" "z" FP operands, store;
    Fp STR_q_post   "00111100100iiiiiiiii01nnnnnttttt" "" FP operands, store;
    Fp LDR_fp_post  "zz111100010iiiiiiiii01nnnnnttttt" "z" FP operands, load;
    Fp LDR_q_post   "00111100110iiiiiiiii01nnnnnttttt" "" FP operands, load;
    Fp STR_fp_pre   "zz111100000iiiiiiiii11nnnnnttttt" "z" FP operands, store;
    Fp STR_q_pre    "00111100100iiiiiiiii11nnnnnttttt" "" FP operands, store;
    Fp LDR_fp_pre   "zz111100010iiiiiiiii11nnnnnttttt" "z" FP operands, load;
    Fp LDR_q_pre    "00111100110iiiiiiiii11nnnnnttttt" "" FP operands, load;
    Fp STR_fp_reg   "zz111100001mmmmmo1oS10nnnnnttttt" "zo" FP operands, store;
    Fp STR_q_reg    "00111100101mmmmmo1oS10nnnnnttttt" "o" FP operands, store;
    Fp LDR_fp_reg   "zz111100011mmmmmo1oS10nnnnnttttt" "zo" FP operands, load;
    Fp LDR_q_reg    "00111100111mmmmmo1oS10nnnnnttttt" "o" FP operands, load;
    Fp LDR_fp_lit   "0z011100iiiiiiiiiiiiiiiiiiittttt" "z" FP literal_operands, load_literal;
    Fp LDR_q_lit    "10011100iiiiiiiiiiiiiiiiiiittttt" "" FP literal_operands, load_literal;
    Fp STNP_fp      "0z10110000iiiiiiiuuuuunnnnnttttt" "z" FP pair_operands, store_pair;
    Fp STNP_q       "1010110000iiiiiiiuuuuunnnnnttttt" "" FP pair_operands, store_pair;
    Fp LDNP_fp      "0z10110001iiiiiiiuuuuunnnnnttttt" "z" FP pair_operands, load_pair;
    Fp LDNP_q       "1010110001iiiiiiiuuuuunnnnnttttt" "" FP pair_operands, load_pair;
    Fp STP_fp_post  "0z10110010iiiiiiiuuuuunnnnnttttt" "z" FP pair_operands, store_pair;
    Fp STP_q_post   "1010110010iiiiiiiuuuuunnnnnttttt" "" FP pair_operands, store_pair;
    Fp LDP_fp_post  "0z10110011iiiiiiiuuuuunnnnnttttt" "z" FP pair_operands, load_pair;
    Fp LDP_q_post   "1010110011iiiiiiiuuuuunnnnnttttt" "" FP pair_operands, load_pair;
    Fp STP_fp       "0z10110100iiiiiiiuuuuunnnnnttttt" "z" FP pair_operands, store_pair;
    Fp STP_q        "1010110100iiiiiiiuuuuunnnnnttttt" "" FP pair_operands, store_pair;
    Fp LDP_fp       "0z10110101iiiiiiiuuuuunnnnnttttt" "z" FP pair_operands, load_pair;
    Fp LDP_q        "1010110101iiiiiiiuuuuunnnnnttttt" "" FP pair_operands, load_pair;
    Fp STP_fp_pre   "0z10110110iiiiiiiuuuuunnnnnttttt" "z" FP pair_operands, store_pair;
    Fp STP_q_pre    "1010110110iiiiiiiuuuuunnnnnttttt" "" FP pair_operands, store_pair;
    Fp LDP_fp_pre   "0z10110111iiiiiiiuuuuunnnnnttttt" "z" FP pair_operands, load_pair;
    Fp LDP_q_pre    "1010110111iiiiiiiuuuuunnnnnttttt" "" FP pair_operands, load_pair;
}

/// log2 of the bytes of a single register's access: opc<1>:size.
const fn log2(i: u32) -> u32 {
    (i >> 23 & 1) << 2 | i >> 30
}
/// The same for literals and pairs: opc.
const fn pair_log2(i: u32) -> u32 {
    2 + (i >> 30)
}
fn operands(i: u32) -> Option<Args> {
    Some(Args {
        rd: (i & 31) as u8,
        ..base_offset(i, log2(i))
    })
}
fn literal_operands(i: u32) -> Option<Args> {
    Some(Args {
        rd: (i & 31) as u8,
        ..literal(i)?
    })
}
fn pair_operands(i: u32) -> Option<Args> {
    Some(Args {
        rd: (i & 31) as u8,
        ra: (i >> 10 & 31) as u8,
        ..pair::base_offset(i, pair_log2(i))
    })
}

#[inline(always)]
fn load_v<B: Ops>(b: &mut B, addr: B::V, log2: u32) -> Result<B::Q, B::E> {
    if log2 == 4 {
        return b.load_q(addr, 4);
    }
    let v = b.load(addr, Size::of(log2), Acc::PLAIN)?;
    Ok(b.wide(v))
}

#[inline(always)]
fn store_v<B: Ops>(b: &mut B, addr: B::V, log2: u32, r: u8) -> Result<(), B::E> {
    let v = b.q(r);
    if log2 == 4 {
        return b.store_q(addr, 4, v);
    }
    let low = b.lane(Size::X, v, 0);
    b.store(addr, Size::of(log2), low, Acc::PLAIN)
}

#[inline(always)]
fn load<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (addr, new_base) = address::<B, I>(b, a)?;
    let v = load_v(b, addr, log2(I))?;
    b.set_q(a.rd, v);
    if let Some(n) = new_base {
        b.set_x(a.rn, n);
    }
    Ok(())
}

#[inline(always)]
fn store<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (addr, new_base) = address::<B, I>(b, a)?;
    store_v(b, addr, log2(I), a.rd)?;
    if let Some(n) = new_base {
        b.set_x(a.rn, n);
    }
    Ok(())
}

#[inline(always)]
fn load_literal<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let addr = b.pc((a.off as u64 * 4).wrapping_add(a.imm));
    let v = load_v(b, addr, pair_log2(I))?;
    b.set_q(a.rd, v);
    Ok(())
}

/// If both registers are the same one, it has the second value (CONSTRAINED UNPREDICTABLE K1.2.7, as in QEMU).
#[inline(always)]
fn load_pair<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (addr, new_base) = pair::address::<B, I>(b, a)?;
    let log2 = pair_log2(I);
    let x = load_v(b, addr, log2)?;
    let step = b.imm(1 << log2);
    let second = b.add(W::X, addr, step);
    let y = load_v(b, second, log2)?;
    b.set_q(a.rd, x);
    b.set_q(a.ra, y);
    if let Some(n) = new_base {
        b.set_x(a.rn, n);
    }
    Ok(())
}

#[inline(always)]
fn store_pair<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let (addr, new_base) = pair::address::<B, I>(b, a)?;
    let log2 = pair_log2(I);
    store_v(b, addr, log2, a.rd)?;
    let step = b.imm(1 << log2);
    let second = b.add(W::X, addr, step);
    store_v(b, second, log2, a.ra)?;
    if let Some(n) = new_base {
        b.set_x(a.rn, n);
    }
    Ok(())
}
