//! System instructions: MRS and MSR, SYS and SYSL, PSTATE immediates, and the hints that do something (Arm ARM C4.1.94).

use super::sysop;
use crate::access::nv2;
use crate::bits::{bit, bits, field};
use crate::cpu::{slot, Cpu, Power};
use crate::exception;
use crate::hcr;
use crate::helper_rows;
use crate::pe::Pe;
use crate::raise::{Exception, Flow, Trap};
use crate::reg::names::HCR_EL2;
use crate::reg::Reg;
use crate::selfhosted::sees_pstate;
use crate::shared::Shared;
use crate::syndrome::ec;
use crate::sysreg::access;
use crate::sysreg::granted;
use crate::sysreg::nv::{self, Reach};
use crate::sysreg::trap::{judge, Verdict, Who, UMA};

helper_rows! {
    Helper MSR_reg     "110101010001ooooooooooooooottttt" base msr;
    Helper MRS         "110101010011ooooooooooooooottttt" base mrs;
    Helper SYS         "1101010100001oooooooooooooottttt" base sysop::sys;
    Helper SYSL        "1101010100101oooooooooooooottttt" base sysop::sysl;
    Helper MSR_SPSel   "11010101000000000100iiii10111111" base spsel;
    Helper MSR_DAIFSet "11010101000000110100iiii11011111" base daifset;
    Helper MSR_DAIFClr "11010101000000110100iiii11111111" base daifclr;
    Helper MSR_UAO     "11010101000000000100iiii01111111" UAO  uao;
    Helper MSR_PAN     "11010101000000000100iiii10011111" PAN  pan;
    Helper MSR_SSBS    "11010101000000110100iiii00111111" SSBS2 ssbs;
    Helper MSR_DIT     "11010101000000110100iiii01011111" DIT  dit;
    Helper YIELD       "11010101000000110010000000111111" base yield_;
    Helper WFE         "11010101000000110010000001011111" base wfe;
    Helper ESB         "11010101000000110010001000011111" base |c, sh, i| crate::serror::esb(c, sh, i);
    Helper WFI         "11010101000000110010000001111111" base wfi;
    Helper WFET        "110101010000001100010000000ttttt" WFxT wfet;
    Helper WFIT        "110101010000001100010000001ttttt" WFxT wfit;
    Helper SEV         "11010101000000110010000010011111" base sev;
    Helper SEVL        "11010101000000110010000010111111" base sevl;
}

// ------------------------------------------------------------------------------------------------ PSTATE immediates

/// MRS. What HCR_EL2.NV2 makes of it may be a load.
pub fn mrs(cpu: &mut Pe, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
    let (v, flow) = match access::may_i(cpu, sh, insn, false)? {
        Reach::Row(n) => {
            granted::grant_read(cpu, Reg::of_insn(insn), crate::sysreg::ROWS[n].reg);
            access::take(cpu, sh, n)
        }
        Reach::Memory(offset) => {
            let va = nv::address(cpu, offset);
            (nv2(cpu, sh, va, None)?, Flow::Next)
        }
    };
    cpu.x[slot::dst(insn) as usize] = v;
    Ok(flow)
}

/// MSR (register). What HCR_EL2.NV2 makes of it may be a store, of all 64 bits, whatever the register would keep of them.
pub fn msr(cpu: &mut Pe, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
    let v = cpu.x[slot::src(insn) as usize];
    Ok(match access::may_i(cpu, sh, insn, true)? {
        Reach::Row(n) => access::put(cpu, sh, n, v),
        Reach::Memory(offset) => {
            let va = nv::address(cpu, offset);
            nv2(cpu, sh, va, Some(v))?;
            Flow::Next
        }
    })
}

fn imm(i: u32) -> u32 {
    field(i, 11, 8)
}

fn not_at_el0(cpu: &mut Pe) -> Result<(), Trap> {
    if cpu.pstate.el == 0 {
        return Err(exception::undefined(cpu));
    }
    Ok(())
}

fn spsel(cpu: &mut Pe, _: &mut Shared, i: u32) -> Result<Flow, Trap> {
    not_at_el0(cpu)?;
    let mut p = cpu.pstate;
    p.sp = (imm(i) & 1) as u8;
    cpu.set_pstate(p);
    Ok(Flow::Next)
}

/// DAIF from EL0 needs SCTLR_EL1.UMA (C5.2.3).
fn uma(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<(), Trap> {
    if cpu.pstate.el > 0 {
        return Ok(());
    }
    match judge(&Who::new(cpu, &sh.config, true), &[&UMA]) {
        Verdict::Allowed => Ok(()),
        v => Err(access::refuse(cpu, sh, i, true, v)),
    }
}

fn daifset(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    uma(cpu, sh, i)?;
    cpu.pstate.daif |= imm(i) as u8;
    cpu.changed |= sees_pstate(cpu);
    Ok(if cpu.changed { Flow::Sync } else { Flow::Next })
}

fn daifclr(cpu: &mut Pe, sh: &mut Shared, i: u32) -> Result<Flow, Trap> {
    uma(cpu, sh, i)?;
    cpu.pstate.daif &= !imm(i) as u8;
    cpu.changed |= sees_pstate(cpu);
    Ok(Flow::Sync)
}

fn uao(cpu: &mut Pe, _: &mut Shared, i: u32) -> Result<Flow, Trap> {
    not_at_el0(cpu)?;
    cpu.pstate.uao = bit(imm(i) as u64, 0);
    Ok(Flow::Next)
}

fn pan(cpu: &mut Pe, _: &mut Shared, i: u32) -> Result<Flow, Trap> {
    not_at_el0(cpu)?;
    cpu.pstate.pan = bit(imm(i) as u64, 0);
    cpu.moved = true;
    Ok(Flow::Sync)
}

fn ssbs(cpu: &mut Pe, _: &mut Shared, i: u32) -> Result<Flow, Trap> {
    cpu.pstate.ssbs = bit(imm(i) as u64, 0);
    Ok(Flow::Next)
}

fn dit(cpu: &mut Pe, _: &mut Shared, i: u32) -> Result<Flow, Trap> {
    cpu.pstate.dit = bit(imm(i) as u64, 0);
    Ok(Flow::Next)
}

// ------------------------------------------------------------------------------------------------ waiting

/// The quantum ends: who spins gives way.
fn yield_(_: &mut Pe, sh: &mut Shared, _: u32) -> Result<Flow, Trap> {
    sh.yielded = true;
    Ok(Flow::Sync)
}

/// The waiting instruction, as in ISS.TI.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Wfi = 0,
    Wfe = 1,
    Wfit = 2,
    Wfet = 3,
}

/// The trap of an instruction that would wait: SCTLR_EL1.nTWI and nTWE for EL0 (SCTLR_EL2's for the host's), then HCR_EL2.TWI
/// and TWE (`AArch64.CheckForWFxTrap`; EC 0x01). The forms with a timeout tell its register (RN, RV).
fn wait_trap(cpu: &Cpu, sh: &Shared, w: Wait, insn: u32) -> Option<Exception> {
    let el = cpu.pstate.el;
    let wfe = matches!(w, Wait::Wfe | Wait::Wfet);
    let (allow, trap) = if wfe { (18, 14) } else { (16, 13) };
    let register = match w {
        Wait::Wfi | Wait::Wfe => 0,
        Wait::Wfit | Wait::Wfet => (insn & 31) << 5 | 1 << 2,
    };
    let iss = 1 << 24 | 0xe << 20 | register | w as u32;
    if el == 0 && !bit(exception::sctlr(cpu), allow) {
        let host = hcr::is_host(cpu.get(HCR_EL2));
        return Some(Exception {
            cause: match (wfe, host) {
                (true, false) => &["SCTLR_EL1.nTWE"],
                (false, false) => &["SCTLR_EL1.nTWI"],
                (true, true) => &["SCTLR_EL2.nTWE"],
                (false, true) => &["SCTLR_EL2.nTWI"],
            },
            ..Exception::sync(1, ec::WFX, iss)
        });
    }
    let who = Who::new(cpu, &sh.config, true);
    let trapped = el < 2 && !(el == 0 && who.host()) && bit(who.hcr, trap);
    trapped.then_some(Exception {
        cause: match wfe {
            true => &["HCR_EL2.TWE"],
            false => &["HCR_EL2.TWI"],
        },
        ..Exception::sync(2, ec::WFX, iss)
    })
}

/// How long the trap of a WFE to EL `target` is delayed (FEAT_TWED): 2^(TWEDEL + 8) cycles, of which an instruction takes one, by the
/// TWEDEn and TWEDEL of the register that traps it: SCTLR_ELx or HCR_EL2. Without the feature the fields are RES0.
fn trap_delay(cpu: &Cpu, target: u8) -> Option<u64> {
    let (control, enable) = match target {
        1 => (exception::sctlr(cpu), 45),
        _ => (cpu.get(HCR_EL2), 59),
    };
    bit(control, enable).then(|| 1 << (bits(control, enable + 4, enable + 1) + 8))
}

/// Wait before the trap `e`: the WFE executes again when something may have changed. Err when the time is over.
fn wait_for_trap(cpu: &mut Pe, sh: &mut Shared, e: Exception, until: u64) -> Result<Flow, Trap> {
    let now = sh.now + cpu.off as u64;
    let Some(delay) = trap_delay(cpu, e.target) else {
        return Err(cpu.raise(e));
    };
    let delayed = *cpu.twed.get_or_insert(now + delay);
    if now >= delayed {
        return Err(cpu.raise(e));
    }
    cpu.pc = cpu.here();
    wait_for_event(cpu, sh, until);
    Ok(Flow::Jump)
}

/// When (in ticks) the timeout of a WFET or WFIT in Xt ends: `u64::MAX` never, None if it has (`LocalTimeoutEvent`).
fn timeout(cpu: &Cpu, sh: &Shared, insn: u32) -> Option<u64> {
    let now = sh.ns(cpu.off);
    let count = cpu.x[slot::src(insn) as usize];
    match crate::timer::timeout(cpu, now, count) {
        Some(t) if t <= now => None,
        t => Some(t.map_or(u64::MAX, |t| sh.ticks(t))),
    }
}

/// A PE whose monitor is marked waits for somebody to write there (B2.17.3, spin locks do this): it gives way instead and looks again,
/// since a turn's end clears the monitor anyway, which is an event.
fn wait_for_event(cpu: &mut Pe, sh: &mut Shared, until: u64) {
    if cpu.monitor.is_some() {
        sh.yielded = true;
    } else {
        cpu.power = Power::Wfe;
        cpu.timeout = until;
        sh.next_event = 0; // the event stream counts now, and the timeout
    }
}

/// C6.2.468. With the event register set it is over at once, and no trap asks.
fn wfe(cpu: &mut Pe, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
    event_or(cpu, sh, Wait::Wfe, insn, Some(u64::MAX))
}

/// The same with a timeout; one that has ended does as the event does, but leaves the event register alone.
fn wfet(cpu: &mut Pe, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
    let until = timeout(cpu, sh, insn);
    event_or(cpu, sh, Wait::Wfet, insn, until)
}

fn event_or(
    cpu: &mut Pe,
    sh: &mut Shared,
    w: Wait,
    insn: u32,
    until: Option<u64>,
) -> Result<Flow, Trap> {
    let now = sh.ns(cpu.off);
    crate::timer::stream_events(cpu, now);
    let event = std::mem::take(&mut cpu.event);
    let Some(until) = until.filter(|_| !event) else {
        cpu.twed = None;
        return Ok(Flow::Next);
    };
    if let Some(e) = wait_trap(cpu, sh, w, insn) {
        return wait_for_trap(cpu, sh, e, until);
    }
    wait_for_event(cpu, sh, until);
    Ok(Flow::Sync)
}

/// C6.2.470. With an interrupt pending it is over at once, and no trap asks.
fn wfi(cpu: &mut Pe, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
    wait_for_interrupt(cpu, sh, Wait::Wfi, insn, u64::MAX)
}

/// The same with a timeout that has not ended.
fn wfit(cpu: &mut Pe, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
    match timeout(cpu, sh, insn) {
        Some(until) => wait_for_interrupt(cpu, sh, Wait::Wfit, insn, until),
        None => Ok(Flow::Next),
    }
}

fn wait_for_interrupt(
    cpu: &mut Pe,
    sh: &mut Shared,
    w: Wait,
    insn: u32,
    until: u64,
) -> Result<Flow, Trap> {
    if access::wakes(cpu, sh) {
        return Ok(Flow::Next);
    }
    if let Some(e) = wait_trap(cpu, sh, w, insn) {
        return Err(cpu.raise(e));
    }
    cpu.power = Power::Wfi;
    cpu.timeout = until;
    sh.next_event = 0;
    Ok(Flow::Sync)
}

fn sev(_: &mut Pe, sh: &mut Shared, _: u32) -> Result<Flow, Trap> {
    sh.sev = true;
    Ok(Flow::Sync)
}

fn sevl(cpu: &mut Pe, _: &mut Shared, _: u32) -> Result<Flow, Trap> {
    cpu.event = true;
    Ok(Flow::Next)
}

#[cfg(test)]
#[path = "system_tests.rs"]
mod tests;
