//! What Advanced SIMD bodies share: the shape of the operation (read from the word), elements in and out of vectors, and
//! loops over them.
//!
//! Elements travel as `i128`, zero- or sign-extended (`Int(element, unsigned)` in the Arm ARM), so that no sum, difference,
//! product or shift of theirs overflows; results are cut, or saturated, when they are written. The encodings are regular:
//! bit 30 is Q, bit 29 distinguishes unsigned from signed, bit 28 scalar from vector, 23:22 is the size.

use crate::bits::field;
use crate::cpu::Cpu;
use crate::raise::{Flow, Trap};

/// What a helper's body returns.
pub type Done = Result<Flow, Trap>;
/// On to the next instruction.
pub const DONE: Done = Ok(Flow::Next);
/// FPSR.QC: something saturated.
pub const QC: u32 = 1 << 27;

/// Rd.
#[inline(always)]
pub const fn rd(i: u32) -> usize {
    field(i, 4, 0) as usize
}
/// Rn.
#[inline(always)]
pub const fn rn(i: u32) -> usize {
    field(i, 9, 5) as usize
}
/// Rm.
#[inline(always)]
pub const fn rm(i: u32) -> usize {
    field(i, 20, 16) as usize
}
/// Ra.
#[inline(always)]
pub const fn ra(i: u32) -> usize {
    field(i, 14, 10) as usize
}
/// Q: 128-bit vectors, or the upper half of a narrow operand.
#[inline(always)]
pub const fn q(i: u32) -> bool {
    i >> 30 & 1 != 0
}
/// Bit 29: unsigned (in most groups).
#[inline(always)]
pub const fn u(i: u32) -> bool {
    i >> 29 & 1 != 0
}
/// Whether the word is of a scalar group.
#[inline(always)]
pub const fn scalar(i: u32) -> bool {
    i >> 28 & 1 != 0
}
/// Element width in bits, from `size`.
#[inline(always)]
pub const fn esize(i: u32) -> u32 {
    8 << field(i, 23, 22)
}
/// Bits worked on, for elements of `e` bits.
#[inline(always)]
pub const fn span(i: u32, e: u32) -> u32 {
    if scalar(i) {
        e
    } else {
        64 << (i >> 30 & 1)
    }
}

/// Valid unless it asks for one 64-bit element in a vector.
pub const fn not_1d(i: u32) -> bool {
    field(i, 23, 22) != 3 || q(i)
}
/// Valid for elements of 8 to 32 bits.
pub const fn no_d(i: u32) -> bool {
    field(i, 23, 22) != 3
}
/// Valid for elements of 16 and 32 bits.
pub const fn h_or_s(i: u32) -> bool {
    matches!(field(i, 23, 22), 1 | 2)
}

/// The low `e` bits set (1 to 128).
#[inline(always)]
pub const fn mask(e: u32) -> u128 {
    u128::MAX >> (128 - e)
}
/// `Elem[v, k, e]`, as a bit string.
#[inline(always)]
pub fn elem(v: u128, k: u32, e: u32) -> u64 {
    let (v, k) = (v.to_le_bytes(), k as usize & (128 / e as usize - 1));
    match e {
        8 => v[k] as u64,
        16 => u16::from_le_bytes(bytes(&v, 2 * k)) as u64,
        32 => u32::from_le_bytes(bytes(&v, 4 * k)) as u64,
        _ => u64::from_le_bytes(bytes(&v, 8 * k)),
    }
}
/// `N` bytes from `at`.
#[inline(always)]
fn bytes<const N: usize>(v: &[u8; 16], at: usize) -> [u8; N] {
    v[at..at + N].try_into().expect("N bytes")
}
/// `Int(Elem[v, k, e], unsigned)`.
#[inline(always)]
pub fn int(v: u128, k: u32, e: u32, unsigned: bool) -> i128 {
    extend(elem(v, k, e), e, unsigned)
}
/// `Int(v<e-1:0>, unsigned)`.
#[inline(always)]
pub const fn extend(v: u64, e: u32, unsigned: bool) -> i128 {
    let up = 64 - e;
    if unsigned {
        (v << up >> up) as i128
    } else {
        ((v << up) as i64 >> up) as i128
    }
}
/// `V` with element `k` replaced.
#[inline(always)]
pub fn with(v: u128, k: u32, e: u32, x: u64) -> u128 {
    v & !(mask(e) << (k * e)) | (x as u128 & mask(e)) << (k * e)
}
/// All ones or zero.
#[inline(always)]
pub fn flag(c: bool) -> i128 {
    -(c as i128)
}

/// `SatQ`: `x` in `e` bits; `qc` gathers FPSR.QC.
#[inline(always)]
pub fn sat(x: i128, e: u32, unsigned: bool, qc: &mut u32) -> i128 {
    let (lo, hi) = if unsigned {
        (0, (1i128 << e) - 1)
    } else {
        (-(1i128 << (e - 1)), (1i128 << (e - 1)) - 1)
    };
    let r = x.clamp(lo, hi);
    if r != x {
        *qc = QC;
    }
    r
}

/// `SSHL` and family: shift left by `by`, right if it is negative, rounding if asked. Exact, or at least too big to fit.
#[inline(always)]
pub fn shift(x: i128, by: i32, round: bool) -> i128 {
    if by >= 0 {
        if by < 64 {
            x << by
        } else {
            // Beyond all elements: what counts is that it saturates, or that the low bits are zero.
            x.signum() << 100
        }
    } else {
        shr(x, (-by) as u32, round)
    }
}
/// Shift right by `by`, rounding if asked.
#[inline(always)]
pub fn shr(x: i128, by: u32, round: bool) -> i128 {
    let by = by.min(100);
    if round && by > 0 {
        (x + (1 << (by - 1))) >> by
    } else {
        x >> by
    }
}

/// A vector of `bits` with elements `f(k, e)` of `e` bits; the width is a constant in each copy of the loop.
#[inline(always)]
pub fn build(bits: u32, e: u32, mut f: impl FnMut(u32, u32) -> i128) -> u128 {
    let mut r = [0; 16];
    match e {
        8 => (0..bits / 8).for_each(|k| store(&mut r, k, 8, f(k, 8))),
        16 => (0..bits / 16).for_each(|k| store(&mut r, k, 16, f(k, 16))),
        32 => (0..bits / 32).for_each(|k| store(&mut r, k, 32, f(k, 32))),
        _ => (0..bits / 64).for_each(|k| store(&mut r, k, 64, f(k, 64))),
    }
    u128::from_le_bytes(r)
}
/// Write element `k`.
#[inline(always)]
fn store(r: &mut [u8; 16], k: u32, e: u32, x: i128) {
    let k = k as usize & (128 / e as usize - 1);
    match e {
        8 => r[k] = x as u8,
        16 => r[2 * k..2 * k + 2].copy_from_slice(&(x as u16).to_le_bytes()),
        32 => r[4 * k..4 * k + 4].copy_from_slice(&(x as u32).to_le_bytes()),
        _ => r[8 * k..8 * k + 8].copy_from_slice(&(x as u64).to_le_bytes()),
    }
}

/// `Vd[k] = f(Vn[k])`.
#[inline(always)]
pub fn map(c: &mut Cpu, i: u32, f: impl Fn(i128, u32) -> i128) -> Done {
    map_e(c, i, esize(i), f)
}
/// The same, for elements of `e` bits.
#[inline(always)]
pub fn map_e(c: &mut Cpu, i: u32, e: u32, f: impl Fn(i128, u32) -> i128) -> Done {
    let n = c.v[rn(i)];
    c.v[rd(i)] = build(span(i, e), e, |k, e| f(int(n, k, e, u(i)), e));
    DONE
}
/// `Vd[k] = f(Vn[k], Vm[k])`.
#[inline(always)]
pub fn zip(c: &mut Cpu, i: u32, f: impl Fn(i128, i128, u32) -> i128) -> Done {
    let (n, m, e) = (c.v[rn(i)], c.v[rm(i)], esize(i));
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        f(int(n, k, e, u(i)), int(m, k, e, u(i)), e)
    });
    DONE
}
/// `Vd[k] = f(Vd[k], Vn[k], Vm[k])`.
#[inline(always)]
pub fn zip_acc(c: &mut Cpu, i: u32, f: impl Fn(i128, i128, i128) -> i128) -> Done {
    let (d, n, m, e) = (c.v[rd(i)], c.v[rn(i)], c.v[rm(i)], esize(i));
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        f(int(d, k, e, u(i)), int(n, k, e, u(i)), int(m, k, e, u(i)))
    });
    DONE
}
/// `Vd[k] = Sat(f(Vn[k], Vm[k]))`, elements extended and saturated as unsigned or signed values.
#[inline(always)]
pub fn zip_sat(c: &mut Cpu, i: u32, unsigned: bool, f: impl Fn(i128, i128, u32) -> i128) -> Done {
    let (n, m, e) = (c.v[rn(i)], c.v[rm(i)], esize(i));
    let mut qc = 0;
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        let x = f(int(n, k, e, unsigned), int(m, k, e, unsigned), e);
        sat(x, e, unsigned, &mut qc)
    });
    c.fpsr |= qc;
    DONE
}
/// Neighbours: `f` of elements 2k and 2k+1 of Vm:Vn.
#[inline(always)]
pub fn pairs(c: &mut Cpu, i: u32, f: impl Fn(i128, i128) -> i128) -> Done {
    let (n, m, e) = (c.v[rn(i)], c.v[rm(i)], esize(i));
    let half = span(i, e) / e / 2;
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        let (v, k) = if k < half { (n, k) } else { (m, k - half) };
        f(int(v, 2 * k, e, u(i)), int(v, 2 * k + 1, e, u(i)))
    });
    DONE
}
/// The half of `v` that a long or wide instruction works on: the upper one if Q.
#[inline(always)]
pub const fn part(v: u128, i: u32) -> u128 {
    if q(i) && !scalar(i) {
        v >> 64
    } else {
        v as u64 as u128
    }
}
/// Write a narrow result: into the lower half, clearing the upper one, or (Q) into the upper half only.
#[inline(always)]
pub fn set_part(c: &mut Cpu, i: u32, v: u128) {
    let d = &mut c.v[rd(i)];
    *d = if q(i) && !scalar(i) {
        *d as u64 as u128 | v << 64
    } else {
        v
    };
}
