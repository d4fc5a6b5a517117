//! The registers of [`crate::reg::id`] that are computed.

use super::behaviour::behaviours;
use crate::cpu::Cpu;
use crate::hcr;
use crate::platform::Platform;
use crate::reg::field;
use crate::reg::names::{CSSELR_EL1, HCR_EL2, SCTLR_EL1, SCTLR_EL2, VMPIDR_EL2, VPIDR_EL2};
use crate::reg::Reg;

crate::reg::id::table!(behaviours);

fn ro(_: &mut Cpu, _: &mut Platform, _: Reg, _: u64) {
    unreachable!("read-only: access::may_i refuses writes")
}

/// EL1 sees what the hypervisor wrote to VPIDR_EL2.
fn midr(cpu: &Cpu, sh: &mut Platform, r: Reg, el: u8) -> u64 {
    if el < 2 && sh.config.has_el2 {
        cpu.get(VPIDR_EL2)
    } else {
        cpu.get(r)
    }
}

/// EL1 sees what the hypervisor wrote to VMPIDR_EL2.
fn mpidr(cpu: &Cpu, sh: &mut Platform, r: Reg, el: u8) -> u64 {
    if el < 2 && sh.config.has_el2 {
        cpu.get(VMPIDR_EL2)
    } else {
        cpu.get(r)
    }
}

fn ccsidr(cpu: &Cpu, sh: &mut Platform, _: Reg, _: u8) -> u64 {
    let caches = &sh.config.core.ccsidr;
    caches
        .get(cpu.get(CSSELR_EL1) as usize)
        .copied()
        .unwrap_or(0) // UNKNOWN for a cache that is not there
}

/// Without AArch32 at EL1 it may be UNDEFINED or read as UNKNOWN; QEMU has the value that it has with it.
fn ccsidr2(cpu: &Cpu, sh: &mut Platform, r: Reg, el: u8) -> u64 {
    ccsidr(cpu, sh, r, el) >> 32
}

/// DZP shows whether DC ZVA would be refused where this is read.
fn dczid(cpu: &Cpu, sh: &mut Platform, r: Reg, el: u8) -> u64 {
    let hcr = if sh.config.has_el2 {
        cpu.get(HCR_EL2)
    } else {
        0
    };
    let host = hcr::is_host(hcr);
    let sctlr = if host { SCTLR_EL2 } else { SCTLR_EL1 };
    let refused = el == 0 && !field!(SCTLR_EL1.DZE).is_set(cpu.get(sctlr))
        || el < 2 && !(el == 0 && host) && field!(HCR_EL2.TDZ).is_set(hcr);
    cpu.get(r) | field!(DCZID_EL0.DZP).put(refused as u64)
}
