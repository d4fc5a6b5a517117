//! What several groups share: decoders of the usual register fields for pure rows, and register access for helpers.

use super::ops::{Args, Ops, W};
use crate::cpu::{slot, Cpu};
use crate::pe::Pe;
use crate::raise::Trap;

/// Rd, Rn, Rm, none of them SP.
pub fn d_n_m(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        rn: slot::src(i >> 5),
        rm: slot::src(i >> 16),
        ..Args::default()
    })
}

/// Rd and Rn, neither of them SP.
pub fn d_n(i: u32) -> Option<Args> {
    Some(Args {
        rd: slot::dst(i),
        rn: slot::src(i >> 5),
        ..Args::default()
    })
}

/// Two W registers as 8 bytes of memory have them.
#[inline(always)]
pub fn two_words<B: Ops>(b: &mut B, low: u8, high: u8) -> B::V {
    let (low, high, by) = (b.x(low), b.x(high), b.imm(32));
    let (low, high) = (b.zext(low, 32), b.shl(W::X, high, by));
    b.or(low, high)
}

/// For helpers: Xn, or zero.
#[inline]
pub fn x(cpu: &Cpu, n: u32) -> u64 {
    cpu.x[slot::src(n) as usize]
}

/// For helpers: write Xn, or nothing.
#[inline]
pub fn set_x(cpu: &mut Pe, n: u32, v: u64) {
    cpu.x[slot::dst(n) as usize] = v;
}

/// For helpers: the base register in bits 9:5, aligned if it is SP (`CheckSPAlignment`).
#[inline]
pub fn base(cpu: &mut Pe, i: u32) -> Result<u64, Trap> {
    if i >> 5 & 31 == 31 {
        crate::exception::check_sp(cpu)?;
    }
    Ok(cpu.x[slot::sp(i >> 5) as usize])
}
