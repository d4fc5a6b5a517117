//! The registers of [`crate::reg::el0`] that are computed.

use super::behaviour::behaviours;
use crate::bits::bits;
use crate::cpu::Cpu;
use crate::hcr::nvx;
use crate::platform::Platform;
use crate::pstate::Flags;
use crate::reg::field;
use crate::reg::names::HCR_EL2;
use crate::reg::Reg;

crate::reg::el0::table!(behaviours);

fn nothing(_: &mut Cpu, _: &mut Platform, _: Reg, _: u64) {
    unreachable!("read-only: access::may_i refuses writes")
}

fn nzcv(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    cpu.flags.pack()
}
fn set_nzcv(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.flags = Flags::unpack(v);
}
fn daif(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    (cpu.pstate.daif as u64) << 6
}
fn set_daif(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.pstate.daif = bits(v, 9, 6) as u8;
    cpu.changed |= crate::selfhosted::sees_pstate(cpu);
}
fn dit(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    (cpu.pstate.dit as u64) << 24
}
fn set_dit(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.pstate.dit = field!(DIT.DIT).is_set(v);
}
fn ssbs(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    (cpu.pstate.ssbs as u64) << 12
}
fn set_ssbs(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.pstate.ssbs = field!(SSBS.SSBS).is_set(v);
}
fn fpcr(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    cpu.fpcr as u64
}
fn set_fpcr(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.fpcr = v as u32;
}
fn fpsr(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    cpu.fpsr as u64
}
fn set_fpsr(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.fpsr = v as u32;
}
/// A hypervisor at EL1 (HCR_EL2.NV) believes itself at EL2.
fn current_el(cpu: &Cpu, _: &mut Platform, _: Reg, el: u8) -> u64 {
    if el == 1 && nvx(cpu.get(HCR_EL2)) != 0 {
        return 2 << 2;
    }
    (cpu.pstate.el as u64) << 2
}
fn spsel(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    cpu.pstate.sp as u64
}
fn set_spsel(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    let mut p = cpu.pstate;
    p.sp = (v & 1) as u8;
    cpu.set_pstate(p);
}
fn pan(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    (cpu.pstate.pan as u64) << 22
}
fn set_pan(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.pstate.pan = field!(PAN.PAN).is_set(v);
}
fn uao(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    (cpu.pstate.uao as u64) << 23
}
fn set_uao(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.pstate.uao = field!(UAO.UAO).is_set(v);
}
fn sp_el0(cpu: &Cpu, _: &mut Platform, _: Reg, _: u8) -> u64 {
    cpu.sp_el(0)
}
fn set_sp_el0(cpu: &mut Cpu, _: &mut Platform, _: Reg, v: u64) {
    cpu.set_sp_el(0, v);
}
