//! SYS and SYSL: cache, TLB and translation instructions (Arm ARM C5.3 to C5.5, C4.1.94 "System instructions"), one row each.
//!
//! Caches are coherent and decoded code follows the bytes it was made from, so cache maintenance has nothing to do but to fault where the
//! architecture does.

use crate::cpu::slot;
use crate::exception;
use crate::hcr::nvx;
use crate::pe::Pe;
use crate::raise::{Flow, Trap};
use crate::reg::names::HCR_EL2;
use crate::reg::sysop::{number, table, Info, INFOS};
use crate::reg::Reg;
use crate::shared::Shared;
use crate::syndrome::ec;
use crate::sysreg::access::{implementation_defined, refuse};
use crate::sysreg::fgt;
use crate::sysreg::granted;
use crate::sysreg::trap::{self, judge, Rule, Verdict, Who};

/// What a row does with the value of Xt.
type Body = fn(&mut Pe, &mut Shared, &'static Info, u64) -> Result<Flow, Trap>;

/// op1, CRm, op2.
fn operation(info: &Info) -> (u32, u32, u32) {
    let (_, op1, _, crm, op2) = Reg(info.code).fields();
    (op1 as u32, crm as u32, op2 as u32)
}

/// The second half of each row of [`crate::reg::sysop`].
macro_rules! rows {
    ($($name:ident $op1:literal $n:literal $m:literal $op2:literal EL $el:literal [$($rule:ident)*] $feature:ident $body:ident;)*) => {
        static BODIES: &[(&[&Rule], Body)] = &[$((&[$(&trap::$rule),*], $body)),*];
    };
}

table!(rows);

/// SYS.
pub fn sys(cpu: &mut Pe, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
    let code = (insn >> 5) as u16;
    let there = |n: &usize| sh.config.features.has(INFOS[*n].feature);
    let Some(n) = number(code).filter(there) else {
        return unallocated(cpu, sh, insn, true);
    };
    let verdict = may(cpu, sh, n);
    if verdict != Verdict::Allowed {
        return Err(refuse(cpu, sh, insn, true, verdict));
    }
    let v = cpu.x[slot::src(insn) as usize];
    BODIES[n].1(cpu, sh, &INFOS[n], v)
}

/// Whether row `n` may be executed.
#[inline]
pub fn may(cpu: &Pe, sh: &Shared, n: usize) -> Verdict {
    let (row, traps) = (&INFOS[n], BODIES[n].0);
    if cpu.pstate.el < row.el {
        // EL2's own, by a hypervisor at EL1 (HCR_EL2.NV): no instruction leads to memory.
        let nested = (cpu.pstate.el, row.el) == (1, 2) && nvx(cpu.get(HCR_EL2)) != 0;
        return match nested {
            true => Verdict::Trap(2, ec::SYSREG, &["HCR_EL2.NV"]),
            false => Verdict::Undefined,
        };
    }
    if traps.is_empty() && !cpu.fgt {
        return Verdict::Allowed;
    }
    let verdict = judge(&Who::new(cpu, &sh.config, true), traps);
    fgt::judge(cpu, row.code, true, verdict)
}

/// SYSL: no such instruction is implemented.
pub fn sysl(cpu: &mut Pe, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
    unallocated(cpu, sh, insn, false)
}

/// SCTLR_ELx.TIDCP (EL0) and HCR_EL2.TIDCP (EL1) trap the IMPLEMENTATION DEFINED space; everything else is UNDEFINED.
#[cold]
fn unallocated(cpu: &mut Pe, sh: &mut Shared, insn: u32, write: bool) -> Result<Flow, Trap> {
    if implementation_defined(Reg::of_insn(insn).fields().2) {
        let verdict = judge(
            &Who::new(cpu, &sh.config, write),
            &[&trap::EL0_TIDCP, &trap::TIDCP],
        );
        if verdict != Verdict::Allowed {
            return Err(refuse(cpu, sh, insn, write, verdict));
        }
    }
    sh.note_undefined(cpu, insn);
    Err(exception::undefined(cpu))
}

fn nothing(_: &mut Pe, _: &mut Shared, _: &'static Info, _: u64) -> Result<Flow, Trap> {
    Ok(Flow::Next)
}

/// Maintenance by VA can fault like an access.
fn by_va(cpu: &mut Pe, sh: &mut Shared, _: &'static Info, va: u64) -> Result<Flow, Trap> {
    crate::access::cache_maintenance(cpu, sh, va, false)?;
    Ok(Flow::Next)
}

/// DC IVAC loses data, so it needs permission to write.
fn invalidate(cpu: &mut Pe, sh: &mut Shared, _: &'static Info, va: u64) -> Result<Flow, Trap> {
    crate::access::cache_maintenance(cpu, sh, va, true)?;
    Ok(Flow::Next)
}

fn zva(cpu: &mut Pe, sh: &mut Shared, _: &'static Info, va: u64) -> Result<Flow, Trap> {
    cpu.granted |= granted::ZVA;
    crate::access::dc_zva(cpu, sh, va)?;
    Ok(Flow::Next)
}

fn at(cpu: &mut Pe, sh: &mut Shared, row: &'static Info, va: u64) -> Result<Flow, Trap> {
    let (op1, crm, op2) = operation(row);
    crate::isa::at::at(cpu, sh, op1, crm, op2, va)?;
    Ok(Flow::Next)
}

/// The next instructions are fetched again, through the remaining translations.
fn tlbi(cpu: &mut Pe, sh: &mut Shared, row: &'static Info, v: u64) -> Result<Flow, Trap> {
    let (op1, crm, op2) = operation(row);
    let what = crate::mmu::tlbi::decode(cpu, op1, crm, op2, v);
    let what = what.expect("has a row");
    if sh.check.is_some() {
        let by = crate::access::checking::by(cpu, sh, cpu.here());
        if let Some(check) = &mut sh.check {
            check.tlbi(by, what);
        }
    }
    crate::pe::tlb::tlbi(cpu, sh, what);
    Ok(Flow::Sync)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mmu;

    /// The rows of AT and TLBI and their decoders have the same instructions.
    #[test]
    fn every_row_has_a_meaning() {
        let cpu = crate::cpu::Cpu::new(0, 2);
        for row in INFOS.iter().filter(|r| r.name.starts_with("TLBI")) {
            let (op1, crm, op2) = operation(row);
            let t = mmu::tlbi::decode(&cpu, op1, crm, op2, 0).expect(row.name);
            let shared = row.name.ends_with("IS") || row.name.ends_with("OS");
            assert_eq!(t.broadcast, shared, "{}", row.name);
        }
        for row in INFOS.iter().filter(|r| r.name.starts_with("AT_")) {
            let (op1, crm, op2) = operation(row);
            assert!(super::super::at::exists(op1, crm, op2), "{}", row.name);
        }
    }
}
