//! A debugger's access to the registers of a CPU, by name, without side effects except those of a write itself.

use crate::cpu::{slot, Cpu};
use crate::pe::Pe;
use crate::pstate::Pstate;
use crate::reg::Reg;
use crate::shared::Shared;
use crate::sysreg;

/// A register as a debugger names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// x0 to x30.
    X(u8),
    /// The stack pointer in use.
    Sp,
    /// The address of the next instruction.
    Pc,
    /// PSTATE in the layout of SPSR_ELx.
    Cpsr,
    /// v0 to v31.
    V(u8),
    /// FPSR.
    Fpsr,
    /// FPCR.
    Fpcr,
    /// A system register.
    System(Reg),
}

impl Register {
    /// Find a register by its GDB name or a system register by the Arm ARM's, in any case.
    pub fn parse(name: &str) -> Option<Register> {
        let lower = name.to_ascii_lowercase();
        let numbered = |prefix: &str, max: u8| {
            let n: u8 = lower.strip_prefix(prefix)?.parse().ok()?;
            (n <= max).then_some(n)
        };
        if let Some(n) = numbered("x", 30) {
            return Some(Register::X(n));
        }
        if let Some(n) = numbered("v", 31) {
            return Some(Register::V(n));
        }
        Some(match lower.as_str() {
            "sp" => Register::Sp,
            "pc" => Register::Pc,
            "cpsr" => Register::Cpsr,
            "fpsr" => Register::Fpsr,
            "fpcr" => Register::Fpcr,
            _ => Register::System(crate::reg::by_name(&name.to_ascii_uppercase())?.reg),
        })
    }
}

/// Read a register. An error says why that is impossible.
pub fn read(cpu: &Cpu, sh: &mut Shared, r: Register) -> Result<u128, String> {
    Ok(match r {
        Register::X(n) => cpu.x[n as usize] as u128,
        Register::Sp => cpu.x[slot::SP as usize] as u128,
        Register::Pc => cpu.pc as u128,
        Register::Cpsr => cpu.spsr() as u128,
        Register::V(n) => cpu.v[n as usize],
        Register::Fpsr => cpu.fpsr as u128,
        Register::Fpcr => cpu.fpcr as u128,
        Register::System(r) => sysreg::access::debug_read(cpu, sh, r)? as u128,
    })
}

/// The controls that make a register of the CPU interface read and write here as one of the virtual CPU interface; None: they do not.
pub fn virtual_by(cpu: &Cpu, sh: &Shared, r: Register) -> Option<&'static str> {
    match r {
        Register::System(r) => sysreg::access::virtual_by(cpu, sh, r),
        _ => None,
    }
}

/// Write a register. An error says why that is impossible; nothing is changed then.
pub fn write(cpu: &mut Pe, sh: &mut Shared, r: Register, v: u128) -> Result<(), String> {
    match r {
        Register::X(n) => cpu.x[n as usize] = v as u64,
        Register::Sp => cpu.x[slot::SP as usize] = v as u64,
        Register::Pc => cpu.pc = v as u64,
        Register::Cpsr => return write_cpsr(cpu, sh, v as u64),
        Register::V(n) => cpu.v[n as usize] = v,
        Register::Fpsr => cpu.fpsr = v as u32,
        Register::Fpcr => cpu.fpcr = v as u32,
        Register::System(r) => sysreg::access::debug_write(cpu, sh, r, v as u64)?,
    }
    Ok(())
}

/// PSTATE as a debugger may set it: any exception level that the machine has, AArch64 only.
fn write_cpsr(cpu: &mut Pe, sh: &mut Shared, v: u64) -> Result<(), String> {
    let el = v >> 2 & 3;
    if v & 0x12 != 0 || el == 3 || (el == 2 && !sh.config.has_el2) || (el == 0 && v & 1 != 0) {
        let there = if sh.config.has_el2 {
            "EL0t, EL1t, EL1h, EL2t and EL2h do"
        } else {
            "EL0t, EL1t and EL1h do"
        };
        return Err(format!(
            "mode {:#x} does not exist on this machine ({there})",
            v & 0x1f
        ));
    }
    let (p, flags) = Pstate::from_spsr(v);
    cpu.flags = flags;
    cpu.set_pstate(p);
    Ok(())
}

/// x0-x30, sp, pc and cpsr in the layout of the `g` packet: 268 bytes, little endian.
pub fn core(cpu: &Cpu) -> [u8; 268] {
    let mut out = [0; 268];
    for (i, v) in cpu.x[..32].iter().chain([&cpu.pc]).enumerate() {
        out[8 * i..8 * i + 8].copy_from_slice(&v.to_le_bytes());
    }
    out[264..].copy_from_slice(&(cpu.spsr() as u32).to_le_bytes());
    out
}
