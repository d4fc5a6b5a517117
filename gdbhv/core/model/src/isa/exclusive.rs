//! Exclusives: load and mark, store if still marked (Arm ARM B2.9, C4.1.94 load/store exclusive).
//!
//! The monitor is [`crate::cpu::Cpu::monitor`]: a physical range. PEs take turns, and a turn's end clears the monitor, so nobody else can
//! have written in between: what is left to compare is the range itself.

use super::operands::{base, set_x, x};
use crate::access;
use crate::bits::{bits, field};
use crate::cpu::Monitor;
use crate::helper_rows;
use crate::mem::size::{Acc, Size};
use crate::pe::Pe;
use crate::raise::{Flow, Trap};
use crate::shared::Shared;

helper_rows! {
    // Rs and Rt2 should be 31 where they name nothing, and are not looked at (CONSTRAINED UNPREDICTABLE, as in QEMU).
    Helper STXR  "zz001000000sssss0-----nnnnnttttt" base store;
    Helper STLXR "zz001000000sssss1-----nnnnnttttt" base store;
    Helper LDXR  "zz001000010-----0-----nnnnnttttt" base load;
    Helper LDAXR "zz001000010-----1-----nnnnnttttt" base load;
    Helper STXP  "1z001000001sssss0uuuuunnnnnttttt" base store;
    Helper STLXP "1z001000001sssss1uuuuunnnnnttttt" base store;
    Helper LDXP  "1z001000011-----0uuuuunnnnnttttt" base load;
    Helper LDAXP "1z001000011-----1uuuuunnnnnttttt" base load;
    Helper CLREX "11010101000000110011----01011111" base clear;
}

/// Size of one register, whether there are two, and how the access is made. It must be aligned to the whole of it.
fn access(i: u32) -> (Size, bool, Acc) {
    let (size, pair) = (i >> 30, i >> 21 & 1);
    let acc = Acc {
        ordered: i >> 15 & 1 != 0,
        align: (size + pair) as u8,
        ..Acc::ATOMIC
    };
    (Size::of(size), pair != 0, acc)
}

/// LDXP of one register twice keeps the second value (CONSTRAINED UNPREDICTABLE K1.2.7, as in QEMU).
fn load(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let va = base(cpu, i)?;
    let (size, pair, acc) = access(i);
    let bytes = size.bytes() << pair as u32;
    let pa = access::translate_data(cpu, sh, va, bytes, false, acc)?;
    let (lo, hi) = match (pair, size) {
        (false, _) => (access::load(cpu, sh, va, size, acc)?, None),
        (true, Size::X) => {
            let lo = access::load(cpu, sh, va, size, acc)?;
            let hi = access::load(cpu, sh, va.wrapping_add(8), size, Acc { align: 3, ..acc })?;
            (lo, Some(hi))
        }
        (true, _) => {
            let both = access::load(cpu, sh, va, Size::X, acc)?;
            (bits(both, 31, 0), Some(both >> 32))
        }
    };
    cpu.monitor = Some(Monitor {
        pa,
        bytes: bytes as u8,
    });
    set_x(cpu, i, lo);
    if let Some(hi) = hi {
        set_x(cpu, i >> 10, hi);
    }
    Ok(Flow::Next)
}

/// Without a mark the store fails before anything can fault (IMPLEMENTATION DEFINED, C6.2.372 STXR: aborts and alignment; as in
/// QEMU). Only the address and size that were marked pass. The monitor is cleared when nothing can fault any more.
fn store(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let va = base(cpu, i)?;
    let (size, pair, acc) = access(i);
    let bytes = size.bytes() << pair as u32;
    let mut pass = false;
    if cpu.monitor.is_some() {
        let pa = access::translate_data(cpu, sh, va, bytes, true, acc)?;
        let here = Monitor {
            pa,
            bytes: bytes as u8,
        };
        pass = cpu.monitor == Some(here);
    }
    if pass {
        let (lo, hi) = (x(cpu, i), x(cpu, i >> 10));
        match (pair, size) {
            (false, _) => access::store(cpu, sh, va, size, lo, acc)?,
            (true, Size::X) => {
                access::store(cpu, sh, va, size, lo, acc)?;
                access::store(
                    cpu,
                    sh,
                    va.wrapping_add(8),
                    size,
                    hi,
                    Acc { align: 3, ..acc },
                )?;
            }
            (true, _) => {
                let both = bits(lo, 31, 0) | hi << 32;
                access::store(cpu, sh, va, Size::X, both, acc)?;
            }
        }
    }
    cpu.monitor = None;
    set_x(cpu, field(i, 20, 16), !pass as u64);
    Ok(Flow::Next)
}

fn clear(cpu: &mut Pe, _: &mut Shared, _: u32) -> Result<Flow, Trap> {
    cpu.monitor = None;
    Ok(Flow::Next)
}
