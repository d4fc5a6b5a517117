//! Registers that EL0 can reach, and the fields of PSTATE that have a register view (Arm ARM C5.2).

use super::names::HCR_EL2;
use super::nv::nvx;
use super::Reg;
use crate::bits::{bit, bits};
use crate::cpu::Cpu;
use crate::pstate::Flags;
use crate::shared::Shared;
use crate::sysreg_rows;

sysreg_rows! { El0;
    // name           op0 1 n m 2  access reset  rules        store
    NZCV              3 3 4 2 0    R0W0   0      []           func(nzcv, set_nzcv)         base "Condition flags" "V:28 C:29 Z:30 N:31";
    DAIF              3 3 4 2 1    R0W0   0      [UMA]        funclook(daif, set_daif)     base "Interrupt mask bits" "F:6 I:7 A:8 D:9";
    DIT               3 3 4 2 5    R0W0   0      []           func(dit, set_dit)           DIT "Data-independent timing" "DIT:24";
    SSBS              3 3 4 2 6    R0W0   0      []           func(ssbs, set_ssbs)         SSBS2 "Speculative store bypass safe" "SSBS:12";
    TCO               3 3 4 2 7    R0W0   0      []           plain MTE "Tag check override" "TCO:25";
    FPCR              3 3 4 4 0    R0W0   0      [FP]         func(fpcr, set_fpcr)         base "Floating-point control"
        "FIZ:0@AFP AH:1@AFP NEP:2@AFP FZ16:19@FP16 RMode:23-22=nearest,plus_inf,minus_inf,zero FZ:24 DN:25 AHP:26";
    FPSR              3 3 4 4 1    R0W0   0      [FP]         func(fpsr, set_fpsr)         base "Floating-point status"
        "IOC:0 DZC:1 OFC:2 UFC:3 IXC:4 IDC:7 QC:27";
    TPIDR_EL0         3 3 13 0 2   R0W0   0      []           plain base "Thread ID of EL0" "";
    TPIDRRO_EL0       3 3 13 0 3   R0W1   0      []           plain base "Thread ID that EL0 reads" "";
    TPIDR2_EL0        3 3 13 0 5   R0W0   0      []           plain SME "Second thread ID of EL0" "";
    SCXTNUM_EL0       3 3 13 0 7   R0W0   0      [TSCXT ENSCXT] plain CSV2_2 "Software context number of EL0" "";
    RNDR              3 3 2 4 0    R0     0      []           plain RNG "Random number" "";
    RNDRRS            3 3 2 4 1    R0     0      []           plain RNG "Reseeded random number" "";
    CurrentEL         3 0 4 2 2    R1     0      []           func(current_el, nothing)    base "Current exception level" "EL:3-2=EL0,EL1,EL2,EL3";
    SPSel             3 0 4 2 0    R1W1   0      []           func(spsel, set_spsel)       base "Stack pointer selection" "SP:0=SP_EL0,SP_ELx";
    PAN               3 0 4 2 3    R1W1   0      []           funcctl(pan, set_pan)        PAN "Privileged access never" "PAN:22";
    UAO               3 0 4 2 4    R1W1   0      []           funcctl(uao, set_uao)        UAO "User access override" "UAO:23";
    SP_EL0            3 0 4 1 0    R1W1   0      [SP_EL0_IN_USE] func(sp_el0, set_sp_el0)  base "Stack pointer of EL0" "";
}

fn nothing(_: &mut Cpu, _: &mut Shared, _: Reg, _: u64) {
    unreachable!("read-only: access::may_i refuses writes")
}

fn nzcv(cpu: &Cpu, _: &mut Shared, _: Reg, _: u8) -> u64 {
    cpu.flags.pack()
}
fn set_nzcv(cpu: &mut Cpu, _: &mut Shared, _: Reg, v: u64) {
    cpu.flags = Flags::unpack(v);
}
fn daif(cpu: &Cpu, _: &mut Shared, _: Reg, _: u8) -> u64 {
    (cpu.pstate.daif as u64) << 6
}
fn set_daif(cpu: &mut Cpu, sh: &mut Shared, _: Reg, v: u64) {
    cpu.pstate.daif = bits(v, 9, 6) as u8;
    crate::armed::refresh(cpu, sh);
}
fn dit(cpu: &Cpu, _: &mut Shared, _: Reg, _: u8) -> u64 {
    (cpu.pstate.dit as u64) << 24
}
fn set_dit(cpu: &mut Cpu, _: &mut Shared, _: Reg, v: u64) {
    cpu.pstate.dit = bit(v, 24);
}
fn ssbs(cpu: &Cpu, _: &mut Shared, _: Reg, _: u8) -> u64 {
    (cpu.pstate.ssbs as u64) << 12
}
fn set_ssbs(cpu: &mut Cpu, _: &mut Shared, _: Reg, v: u64) {
    cpu.pstate.ssbs = bit(v, 12);
}
fn fpcr(cpu: &Cpu, _: &mut Shared, _: Reg, _: u8) -> u64 {
    cpu.fpcr as u64
}
fn set_fpcr(cpu: &mut Cpu, _: &mut Shared, _: Reg, v: u64) {
    cpu.fpcr = v as u32;
}
fn fpsr(cpu: &Cpu, _: &mut Shared, _: Reg, _: u8) -> u64 {
    cpu.fpsr as u64
}
fn set_fpsr(cpu: &mut Cpu, _: &mut Shared, _: Reg, v: u64) {
    cpu.fpsr = v as u32;
}
/// A hypervisor at EL1 (HCR_EL2.NV) believes itself at EL2.
fn current_el(cpu: &Cpu, _: &mut Shared, _: Reg, el: u8) -> u64 {
    if el == 1 && nvx(cpu.get(HCR_EL2)) != 0 {
        return 2 << 2;
    }
    (cpu.pstate.el as u64) << 2
}
fn spsel(cpu: &Cpu, _: &mut Shared, _: Reg, _: u8) -> u64 {
    cpu.pstate.sp as u64
}
fn set_spsel(cpu: &mut Cpu, _: &mut Shared, _: Reg, v: u64) {
    let mut p = cpu.pstate;
    p.sp = (v & 1) as u8;
    cpu.set_pstate(p);
}
fn pan(cpu: &Cpu, _: &mut Shared, _: Reg, _: u8) -> u64 {
    (cpu.pstate.pan as u64) << 22
}
fn set_pan(cpu: &mut Cpu, _: &mut Shared, _: Reg, v: u64) {
    cpu.pstate.pan = bit(v, 22);
}
fn uao(cpu: &Cpu, _: &mut Shared, _: Reg, _: u8) -> u64 {
    (cpu.pstate.uao as u64) << 23
}
fn set_uao(cpu: &mut Cpu, _: &mut Shared, _: Reg, v: u64) {
    cpu.pstate.uao = bit(v, 23);
}
fn sp_el0(cpu: &Cpu, _: &mut Shared, _: Reg, _: u8) -> u64 {
    cpu.sp_el(0)
}
fn set_sp_el0(cpu: &mut Cpu, _: &mut Shared, _: Reg, v: u64) {
    cpu.set_sp_el(0, v);
}
