//! LD1 to LD4 and ST1 to ST4: multiple structures, one lane, and one structure to all lanes (Arm ARM C4.1.94, advanced SIMD
//! load/store). `p` (bit 23) is post-index: by Rm, or by the bytes transferred if m is 31; without it Rm is 0.

use super::operands::{base, x};
use super::ops::{Args, Ops, W};
use super::simd;
use crate::access;
use crate::bits::field;
use crate::bits::replicate as repeat;
use crate::cpu::slot;
use crate::mem::size::{Acc, Size};
use crate::mixed_rows;
use crate::pe::Pe;
use crate::raise::{Flow, Trap};
use crate::shared::Shared;

mixed_rows! {
    pure {
        Fp ST1_multiple_1 "01001100p00mmmmm0111ssnnnnnttttt" "ps" AdvSIMD multiple_args, store_1;
        Fp LD1_multiple_1 "01001100p10mmmmm0111ssnnnnnttttt" "ps" AdvSIMD multiple_args, load_1;
        Fp ST1_multiple_2 "01001100p00mmmmm1010ssnnnnnttttt" "ps" AdvSIMD multiple_args, store_2;
        Fp LD1_multiple_2 "01001100p10mmmmm1010ssnnnnnttttt" "ps" AdvSIMD multiple_args, load_2;
        Fp ST1_multiple_3 "01001100p00mmmmm0110ssnnnnnttttt" "ps" AdvSIMD multiple_args, store_3;
        Fp LD1_multiple_3 "01001100p10mmmmm0110ssnnnnnttttt" "ps" AdvSIMD multiple_args, load_3;
        Fp ST1_multiple_4 "01001100p00mmmmm0010ssnnnnnttttt" "ps" AdvSIMD multiple_args, store_4;
        Fp LD1_multiple_4 "01001100p10mmmmm0010ssnnnnnttttt" "ps" AdvSIMD multiple_args, load_4;
        Fp LD1R "0q001101p10mmmmm1100ssnnnnnttttt" "qps" AdvSIMD replicate_args, load_all;
    }
    helper {
        Fp ST4_multiple "0q001100p00mmmmm0000ssnnnnnttttt" AdvSIMD where whole, multiple;
        Fp LD4_multiple "0q001100p10mmmmm0000ssnnnnnttttt" AdvSIMD where whole, multiple;
        Fp ST3_multiple "0q001100p00mmmmm0100ssnnnnnttttt" AdvSIMD where whole, multiple;
        Fp LD3_multiple "0q001100p10mmmmm0100ssnnnnnttttt" AdvSIMD where whole, multiple;
        Fp ST2_multiple "0q001100p00mmmmm1000ssnnnnnttttt" AdvSIMD where whole, multiple;
        Fp LD2_multiple "0q001100p10mmmmm1000ssnnnnnttttt" AdvSIMD where whole, multiple;
        Fp ST1_multiple_1_half "00001100p00mmmmm0111ssnnnnnttttt" AdvSIMD where offset, multiple;
        Fp LD1_multiple_1_half "00001100p10mmmmm0111ssnnnnnttttt" AdvSIMD where offset, multiple;
        Fp ST1_multiple_2_half "00001100p00mmmmm1010ssnnnnnttttt" AdvSIMD where offset, multiple;
        Fp LD1_multiple_2_half "00001100p10mmmmm1010ssnnnnnttttt" AdvSIMD where offset, multiple;
        Fp ST1_multiple_3_half "00001100p00mmmmm0110ssnnnnnttttt" AdvSIMD where offset, multiple;
        Fp LD1_multiple_3_half "00001100p10mmmmm0110ssnnnnnttttt" AdvSIMD where offset, multiple;
        Fp ST1_multiple_4_half "00001100p00mmmmm0010ssnnnnnttttt" AdvSIMD where offset, multiple;
        Fp LD1_multiple_4_half "00001100p10mmmmm0010ssnnnnnttttt" AdvSIMD where offset, multiple;
        Fp ST1_lane_b "0q001101p00mmmmm000Sssnnnnnttttt" AdvSIMD where offset, lane;
        Fp ST1_lane_h "0q001101p00mmmmm010Ss0nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST1_lane_s "0q001101p00mmmmm100S00nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST1_lane_d "0q001101p00mmmmm100001nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD1_lane_b "0q001101p10mmmmm000Sssnnnnnttttt" AdvSIMD where offset, lane;
        Fp LD1_lane_h "0q001101p10mmmmm010Ss0nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD1_lane_s "0q001101p10mmmmm100S00nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD1_lane_d "0q001101p10mmmmm100001nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST2_lane_b "0q001101p01mmmmm000Sssnnnnnttttt" AdvSIMD where offset, lane;
        Fp ST2_lane_h "0q001101p01mmmmm010Ss0nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST2_lane_s "0q001101p01mmmmm100S00nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST2_lane_d "0q001101p01mmmmm100001nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD2_lane_b "0q001101p11mmmmm000Sssnnnnnttttt" AdvSIMD where offset, lane;
        Fp LD2_lane_h "0q001101p11mmmmm010Ss0nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD2_lane_s "0q001101p11mmmmm100S00nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD2_lane_d "0q001101p11mmmmm100001nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST3_lane_b "0q001101p00mmmmm001Sssnnnnnttttt" AdvSIMD where offset, lane;
        Fp ST3_lane_h "0q001101p00mmmmm011Ss0nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST3_lane_s "0q001101p00mmmmm101S00nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST3_lane_d "0q001101p00mmmmm101001nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD3_lane_b "0q001101p10mmmmm001Sssnnnnnttttt" AdvSIMD where offset, lane;
        Fp LD3_lane_h "0q001101p10mmmmm011Ss0nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD3_lane_s "0q001101p10mmmmm101S00nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD3_lane_d "0q001101p10mmmmm101001nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST4_lane_b "0q001101p01mmmmm001Sssnnnnnttttt" AdvSIMD where offset, lane;
        Fp ST4_lane_h "0q001101p01mmmmm011Ss0nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST4_lane_s "0q001101p01mmmmm101S00nnnnnttttt" AdvSIMD where offset, lane;
        Fp ST4_lane_d "0q001101p01mmmmm101001nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD4_lane_b "0q001101p11mmmmm001Sssnnnnnttttt" AdvSIMD where offset, lane;
        Fp LD4_lane_h "0q001101p11mmmmm011Ss0nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD4_lane_s "0q001101p11mmmmm101S00nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD4_lane_d "0q001101p11mmmmm101001nnnnnttttt" AdvSIMD where offset, lane;
        Fp LD2R "0q001101p11mmmmm1100ssnnnnnttttt" AdvSIMD where offset, replicate;
        Fp LD3R "0q001101p10mmmmm1110ssnnnnnttttt" AdvSIMD where offset, replicate;
        Fp LD4R "0q001101p11mmmmm1110ssnnnnnttttt" AdvSIMD where offset, replicate;
    }
}

/// `imm` is added to the base if `rm` is the register that reads as zero; else that is.
fn transfer(i: u32, bytes: u64) -> Option<Args> {
    let (rm, imm) = match field(i, 20, 16) {
        31 => (slot::ZR, bytes),
        m => (slot::src(m), 0),
    };
    offset(i).then_some(Args {
        rd: (i & 31) as u8,
        rn: slot::sp(i >> 5),
        rm,
        imm,
        ..Args::default()
    })
}
fn multiple_args(i: u32) -> Option<Args> {
    transfer(i, 16 * shape(field(i, 15, 12)).0 as u64)
}
fn replicate_args(i: u32) -> Option<Args> {
    transfer(i, Size::of(field(i, 11, 10)).bytes())
}

/// Post-index, if it is one.
#[inline(always)]
fn advance<B: Ops, const I: u32>(b: &mut B, a: &Args, base: B::V) {
    if I >> 23 & 1 != 0 {
        let (m, imm) = (b.x(a.rm), b.imm(a.imm));
        let by = b.add(W::X, m, imm);
        let new = b.add(W::X, base, by);
        b.set_x(a.rn, new);
    }
}

/// LD1 of `N` whole registers, of which t, t+1, ... wrap around. They are written when all loads are done.
#[inline(always)]
fn load_registers<B: Ops, const I: u32, const N: usize>(b: &mut B, a: &Args) -> Result<(), B::E> {
    b.check_sp(a.rn)?;
    let base = b.x(a.rn);
    let mut loaded = [None; N];
    for k in 0..N {
        let at = b.imm(16 * k as u64);
        let addr = b.add(W::X, base, at);
        loaded[k] = Some(b.load_q(addr, field(I, 11, 10))?);
    }
    for (k, v) in (0..).zip(loaded.into_iter().flatten()) {
        b.set_q((a.rd + k) & 31, v);
    }
    advance::<B, I>(b, a, base);
    Ok(())
}

/// ST1 of `N` whole registers.
#[inline(always)]
fn store_registers<B: Ops, const I: u32, const N: usize>(b: &mut B, a: &Args) -> Result<(), B::E> {
    b.check_sp(a.rn)?;
    let base = b.x(a.rn);
    for k in 0..N {
        let (at, v) = (b.imm(16 * k as u64), b.q((a.rd + k as u8) & 31));
        let addr = b.add(W::X, base, at);
        b.store_q(addr, field(I, 11, 10), v)?;
    }
    advance::<B, I>(b, a, base);
    Ok(())
}

macro_rules! registers {
    ($($load:ident $store:ident $n:literal;)*) => {
        $(#[inline(always)]
        fn $load<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
            load_registers::<B, I, $n>(b, a)
        }
        #[inline(always)]
        fn $store<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
            store_registers::<B, I, $n>(b, a)
        })*
    };
}
registers! {
    load_1 store_1 1;
    load_2 store_2 2;
    load_3 store_3 3;
    load_4 store_4 4;
}

/// LD1R.
#[inline(always)]
fn load_all<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let size = Size::of(field(I, 11, 10));
    b.check_sp(a.rn)?;
    let base = b.x(a.rn);
    let v = b.load(base, size, Acc::PLAIN)?;
    let v = b.splat(size, v);
    simd::set(b, simd::full(I), a.rd, v);
    advance::<B, I>(b, a, base);
    Ok(())
}

const fn q(i: u32) -> u32 {
    i >> 30 & 1
}
const fn is_load(i: u32) -> bool {
    i >> 22 & 1 != 0
}
/// Rm is used or zero.
const fn offset(i: u32) -> bool {
    i >> 23 & 1 != 0 || field(i, 20, 16) == 0
}
/// Structures of several elements have more than one of each (no 1D arrangement).
const fn whole(i: u32) -> bool {
    offset(i) && (field(i, 11, 10) != 3 || q(i) != 0)
}
/// Registers t, t+1, ... wrap around.
const fn vector(i: u32, k: u32) -> usize {
    ((i + k) & 31) as usize
}

fn write_back(cpu: &mut Pe, i: u32, base: u64, bytes: u64) {
    if i >> 23 & 1 != 0 {
        let by = match field(i, 20, 16) {
            31 => bytes,
            m => x(cpu, m),
        };
        cpu.x[slot::sp(i >> 5) as usize] = base.wrapping_add(by);
    }
}

/// Registers in all, and elements of a structure.
const fn shape(opcode: u32) -> (u32, u32) {
    match opcode {
        0b0000 => (4, 4),
        0b0010 => (4, 1),
        0b0100 => (3, 3),
        0b0110 => (3, 1),
        0b0111 => (1, 1),
        0b1000 => (2, 2),
        _ => (2, 1),
    }
}

/// The accesses of a transfer of up to 64 bytes: aligned ones go by eight bytes, others element by element, which is what their
/// alignment is checked by.
fn unit(va: u64, element: Size) -> Size {
    if va & 7 == 0 {
        Size::X
    } else {
        element
    }
}

/// The registers are written when all loads are done: a fault changes nothing.
fn multiple(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let va = base(cpu, i)?;
    let size = Size::of(field(i, 11, 10));
    let (registers, structure) = shape(field(i, 15, 12));
    let (ebytes, vbytes) = (size.bytes() as usize, 8 << q(i) as usize);
    let bytes = vbytes * registers as usize;
    let unit = unit(va, size);
    let units = (0..bytes).step_by(unit.bytes() as usize);
    // Where each element is: in memory order, structures of the registers k, k+1, ... or, of one element, register by register.
    let places = (0..bytes / ebytes).map(|n| {
        if structure == 1 {
            let per = vbytes / ebytes;
            (n / per, n % per * ebytes)
        } else {
            let s = structure as usize;
            (n % s, n / s * ebytes)
        }
    });
    let mut memory_bytes = [0u8; 64];
    let mut vectors = [[0u8; 16]; 4];
    if is_load(i) {
        for at in units {
            let v = access::load(cpu, sh, va.wrapping_add(at as u64), unit, Acc::PLAIN)?;
            let n = unit.bytes() as usize;
            memory_bytes[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
        }
        for ((k, at), element) in places.zip(memory_bytes.chunks_exact(ebytes)) {
            vectors[k][at..at + ebytes].copy_from_slice(element);
        }
        for k in 0..registers {
            cpu.v[vector(i, k)] = u128::from_le_bytes(vectors[k as usize]);
        }
    } else {
        for k in 0..registers {
            vectors[k as usize] = cpu.v[vector(i, k)].to_le_bytes();
        }
        for ((k, at), element) in places.zip(memory_bytes.chunks_exact_mut(ebytes)) {
            element.copy_from_slice(&vectors[k][at..at + ebytes]);
        }
        for at in units {
            let mut v = [0; 8];
            let n = unit.bytes() as usize;
            v[..n].copy_from_slice(&memory_bytes[at..at + n]);
            access::store(
                cpu,
                sh,
                va.wrapping_add(at as u64),
                unit,
                u64::from_le_bytes(v),
                Acc::PLAIN,
            )?;
        }
    }
    write_back(cpu, i, va, bytes as u64);
    Ok(Flow::Next)
}

/// Registers: bits 13 and 21.
const fn lanes(i: u32) -> u32 {
    ((i >> 13 & 1) << 1 | i >> 21 & 1) + 1
}

fn lane(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let va = base(cpu, i)?;
    // Q:S:size is the index of a byte; a wider element leaves the low bits out.
    let scale = match (field(i, 15, 14), i >> 10 & 1) {
        (2, 1) => 3,
        (scale, _) => scale,
    };
    let index = (q(i) << 3 | field(i, 12, 10)) >> scale;
    let size = Size::of(scale);
    let (n, at) = (lanes(i), index * size.bits());
    let mask = ((1u128 << size.bits()) - 1) << at;
    let mut loaded = [0u128; 4];
    for k in 0..n {
        let va = va.wrapping_add(k as u64 * size.bytes());
        let v = cpu.v[vector(i, k)];
        if is_load(i) {
            let e = access::load(cpu, sh, va, size, Acc::PLAIN)?;
            loaded[k as usize] = v & !mask | (e as u128) << at;
        } else {
            access::store(cpu, sh, va, size, (v >> at) as u64, Acc::PLAIN)?;
        }
    }
    if is_load(i) {
        for k in 0..n {
            cpu.v[vector(i, k)] = loaded[k as usize];
        }
    }
    write_back(cpu, i, va, n as u64 * size.bytes());
    Ok(Flow::Next)
}

fn replicate(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let va = base(cpu, i)?;
    let (n, size) = (lanes(i), Size::of(field(i, 11, 10)));
    let mut loaded = [0u128; 4];
    for k in 0..n {
        let va = va.wrapping_add(k as u64 * size.bytes());
        let e = access::load(cpu, sh, va, size, Acc::PLAIN)?;
        let half = repeat(e, size.bits()) as u128;
        loaded[k as usize] = half | (half * q(i) as u128) << 64;
    }
    for k in 0..n {
        cpu.v[vector(i, k)] = loaded[k as usize];
    }
    write_back(cpu, i, va, n as u64 * size.bytes());
    Ok(Flow::Next)
}
