//! The registers of [`crate::reg::el2`] that are computed.

use super::behaviour::behaviours;
use super::el1::{ignore, zero};
use crate::cpu::Cpu;
use crate::platform::Platform;
use crate::reg::Reg;

crate::reg::el2::table!(behaviours);

fn sp_el1(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    cpu.sp_el(1)
}
fn set_sp_el1(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.set_sp_el(1, v);
}
