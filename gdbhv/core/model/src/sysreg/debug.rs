//! The registers of [`crate::reg::debug`] that are computed.

use super::behaviour::behaviours;
use super::el1::{ignore, zero};
use crate::cpu::Cpu;
use crate::platform::Platform;
use crate::reg::names as all;
use crate::reg::Reg;

crate::reg::debug::table!(behaviours);

fn own(cpu: &Cpu, _: &mut Platform, r: Reg, _: u8) -> u64 {
    cpu.get(r)
}

/// The fields of MDSCR_EL1 by which the external debugger's EDSCR is saved and restored: ERR, HDE, SC2, TDA, INTdis, TXU, RXO,
/// TXfull, RXfull.
const SAVED: u64 = 1 << 6 | 1 << 14 | 1 << 19 | 1 << 21 | 3 << 22 | 1 << 26 | 1 << 27 | 3 << 29;

/// Those fields can be written only under the OS lock (D24.3).
fn set_mdscr(cpu: &mut Cpu, _: &mut Platform, r: Reg, v: u64) {
    let fixed = if cpu.get(all::OSLSR_EL1) & 2 == 0 {
        SAVED
    } else {
        0
    };
    cpu.set(r, cpu.get(r) & fixed | v & !fixed);
}

/// The OS lock: OSLSR_EL1.OSLK follows the last write (D19.7).
fn set_oslar(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    let old = cpu.get(all::OSLSR_EL1);
    cpu.set(all::OSLSR_EL1, old & !2 | (v & 1) << 1);
}

/// DBGCLAIMSET_EL1 reads as the tags there are; the tags themselves are read from DBGCLAIMCLR_EL1.
fn claim_all(_: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    0xff
}
fn claim_set(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.set(all::DBGCLAIMCLR_EL1, cpu.get(all::DBGCLAIMCLR_EL1) | v);
}
fn claim(cpu: &Cpu, _: &mut Platform, r: Reg, _: u8) -> u64 {
    cpu.get(r)
}
fn claim_clear(cpu: &mut Cpu, _: &mut Platform, r: Reg, v: u64) {
    cpu.set(r, cpu.get(r) & !v);
}
