//! Exception generation and return (Arm ARM C4.1.93, "Exception generation"; ERET among the branches).

use crate::access::checking;
use crate::bits;
use crate::exception;
use crate::hcr::nvx;
use crate::helper_rows;
use crate::pe::Pe;
use crate::platform::Request;
use crate::raise::{Exception, Flow, Trap};
use crate::reg::field;
use crate::reg::names::HCR_EL2;
use crate::shared::Shared;
use crate::syndrome::ec;
use crate::sysreg::fgt;

helper_rows! {
    HelperEnd SVC   "11010100000iiiiiiiiiiiiiiii00001" base svc;
    HelperEnd HVC   "11010100000iiiiiiiiiiiiiiii00010" base hvc;
    HelperEnd SMC   "11010100000iiiiiiiiiiiiiiii00011" base smc;
    HelperEnd BRK   "11010100001iiiiiiiiiiiiiiii00000" base brk;
    HelperEnd ERET  "11010110100111110000001111100000" base eret;
    HelperEnd HLT   "11010100010iiiiiiiiiiiiiiii00000" base hlt;
    // The PE is never in Debug state.
    Undefined DCPS1 "11010100101iiiiiiiiiiiiiiii00001" base undefined;
    Undefined DCPS2 "11010100101iiiiiiiiiiiiiiii00010" base undefined;
    Undefined DCPS3 "11010100101iiiiiiiiiiiiiiii00011" base undefined;
    Undefined DRPS  "11010110101111110000001111100000" base undefined;
}

fn imm16(i: u32) -> u32 {
    bits::field(i, 20, 5)
}

/// To EL1, or to the EL that it is executed at (C6.2.411). Trapped to EL2, it returns to the SVC itself.
fn svc(cpu: &mut Pe, _: &mut Shared, i: u32) -> Result<Flow, Trap> {
    if let Some(cause) = fgt::svc(cpu) {
        return Err(cpu.raise(Exception {
            cause,
            ..Exception::sync(2, ec::SVC, imm16(i))
        }));
    }
    Err(cpu.raise(Exception {
        next: true,
        ..Exception::sync(1, ec::SVC, imm16(i))
    }))
}

/// To EL2 (C6.2.142). Where EL2 is not there, the board's firmware takes PSCI calls by it.
fn hvc(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    if cpu.pstate.el == 0 {
        return Err(exception::undefined(cpu));
    }
    if !sh.config.has_el2 {
        return Ok(firmware(cpu, sh, i));
    }
    if cpu.is_set(field!(HCR_EL2.HCD)) {
        return Err(exception::undefined(cpu));
    }
    Err(cpu.raise(Exception {
        next: true,
        ..Exception::sync(2, ec::HVC, imm16(i))
    }))
}

/// To the board's firmware, as if there were an EL3 (C6.2.371); HCR_EL2.TSC traps it before that. A machine without EL2
/// has PSCI by HVC, and SMC is UNDEFINED.
fn smc(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    if cpu.pstate.el == 0 || !sh.config.has_el2 {
        return Err(exception::undefined(cpu));
    }
    if cpu.pstate.el == 1 && cpu.is_set(field!(HCR_EL2.TSC)) {
        return Err(cpu.raise(Exception {
            cause: &["HCR_EL2.TSC"],
            ..Exception::sync(2, ec::SMC, imm16(i))
        }));
    }
    Ok(firmware(cpu, sh, i))
}

/// A call of the firmware, which answers in X0 to X3.
fn firmware(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Flow {
    if sh.exits.others {
        sh.exits.called(cpu, i, sh.platform.ns(cpu.off));
        sh.leave = true;
    }
    crate::psci::call(cpu, sh);
    cpu.pc = cpu.here().wrapping_add(4);
    Flow::Jump
}

/// A semihosting call (Arm's "Semihosting for AArch32 and AArch64"), where there is a host for it, above EL0 as on QEMU; the host lets the CPU
/// go on behind it. Else it is UNDEFINED: no external debugger can halt the PE (EDSCR.HDE = 0).
fn hlt(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    const SEMIHOSTING: u32 = 0xf000;
    if sh.semihosting && imm16(i) == SEMIHOSTING && cpu.pstate.el != 0 {
        sh.requests.push(Request::Semihosting);
        sh.leave = true;
        cpu.pc = cpu.here();
        return Ok(Flow::Jump);
    }
    sh.note_undefined(cpu, i);
    Err(exception::undefined(cpu))
}

/// To EL1, or to EL2 by MDCR_EL2.TDE or HCR_EL2.TGE (`AArch64.SoftwareBreakpoint`).
fn brk(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    let tde = sh.config.has_el2
        && cpu.pstate.el < 2
        && (cpu.is_set(field!(MDCR_EL2.TDE)) || cpu.is_set(field!(HCR_EL2.TGE)));
    Err(cpu.raise(Exception {
        cause: if tde { &["MDCR_EL2.TDE"] } else { &[] },
        ..Exception::sync(if tde { 2 } else { 1 }, ec::BRK, imm16(i))
    }))
}

/// A hypervisor at EL1 (HCR_EL2.NV) returns to where EL2 says (`AArch64.CheckForERetTrap`; ISS 0: no pointer authentication).
fn eret(cpu: &mut Pe, sh: &mut Shared, _: u32) -> Result<Flow, Trap> {
    if cpu.pstate.el == 0 {
        return Err(exception::undefined(cpu));
    }
    let nv = cpu.pstate.el == 1 && nvx(cpu.get(HCR_EL2)) != 0;
    let cause: Option<&[&str]> = match (nv, fgt::eret(cpu)) {
        (true, None) => Some(&["HCR_EL2.NV"]),
        (true, Some(_)) => Some(&["HCR_EL2.NV", "HFGITR_EL2.ERET"]),
        (false, fine) => fine,
    };
    if let Some(cause) = cause {
        return Err(cpu.raise(Exception {
            cause,
            ..Exception::sync(2, ec::ERET, 0)
        }));
    }
    if cpu.pmu.on {
        crate::pmu::exception_return(cpu, sh);
    }
    let by = sh
        .check
        .is_some()
        .then(|| checking::by(cpu, sh, cpu.here()));
    exception::eret(cpu, sh);
    if let (Some(check), Some(by)) = (&mut sh.check, by) {
        check.returned(by, cpu.pstate.el);
    }
    Ok(Flow::Jump)
}
