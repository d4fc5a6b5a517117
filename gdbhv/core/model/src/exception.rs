//! Exceptions: what an instruction raises, where it is routed, entry and return. The only place that changes EL.
//!
//! An instruction ends with an exception by building an [`Exception`] and handing it to [`Cpu::raise`]; the dispatcher then
//! calls [`take`]. Routing that depends on the kind of exception (a trap bit, a stage of translation) is decided where it is raised,
//! and is in `target`; routing that is common to all (HCR_EL2.TGE, never to a lower EL) is done here.

use crate::bits::{bit, insert};
use crate::cpu::Cpu;
use crate::feature::Feature;
use crate::fpen::fp_trap;
use crate::hcr;
use crate::mmu::fault::{Fault, FaultKind, Purpose, PROTECTED_WALK};
use crate::platform::Platform;
use crate::pstate::{Flags, Pstate};
use crate::raise::{Exception, ExceptionKind, Lines, Trap};
use crate::reg::field;
use crate::reg::names::*;
use crate::serror;
use crate::syndrome::{self, ec};

// ------------------------------------------------------------------------------------------------ raising

/// Raise an UNDEFINED instruction (EC 0) to EL1 (EL2 if executed there).
pub fn undefined(cpu: &mut Cpu) -> Trap {
    cpu.raise(Exception::sync(1, ec::UNKNOWN, 0))
}

/// Raise the trap of an FP or SIMD instruction: `Pe::fp_traps` is set. CPACR_EL1.FPEN comes first, then CPTR_EL2
/// (`AArch64.CheckFPAdvSIMDEnabled`; EC 0x07 with CV = 1, COND = 0xE).
pub fn fp_access(cpu: &mut Cpu, _sh: &mut Platform) -> Trap {
    let (target, cause) = fp_trap(cpu).expect("fp_traps is set only when an access would trap");
    let tge = cpu.is_set(field!(HCR_EL2.TGE));
    if target == 1 && tge {
        return undefined(cpu); // reported to EL2 as an uncategorised exception (`AArch64.AdvSIMDFPAccessTrap`)
    }
    cpu.raise(Exception {
        cause,
        ..Exception::sync(target, ec::FP, 0x1e0_0000)
    })
}

/// Refuse a misaligned SP as a base if SCTLR_ELx.SA (SA0 at EL0) says so (`CheckSPAlignment`; EC 0x26).
pub fn check_sp(cpu: &mut Cpu) -> Result<(), Trap> {
    let sctlr = sctlr(cpu);
    let on = if cpu.pstate.el == 0 {
        field!(SCTLR_EL1.SA0).is_set(sctlr)
    } else {
        field!(SCTLR_EL1.SA).is_set(sctlr)
    };
    if on && cpu.x[31] & 15 != 0 {
        return Err(cpu.raise(Exception::sync(1, ec::SP_ALIGNMENT, 0)));
    }
    Ok(())
}

/// SCTLR of the current translation regime (SCTLR_EL1 for EL0, SCTLR_EL2 with E2H and TGE).
pub fn sctlr(cpu: &Cpu) -> u64 {
    let host = hcr::is_host(cpu.get(HCR_EL2));
    if cpu.pstate.el == 2 || (cpu.pstate.el == 0 && host) {
        cpu.get(SCTLR_EL2)
    } else {
        cpu.get(SCTLR_EL1)
    }
}

/// Raise a misaligned PC (EC 0x22).
pub fn pc_alignment(cpu: &mut Cpu, pc: u64) -> Trap {
    cpu.raise(Exception {
        far: Some(pc),
        ..Exception::sync(1, ec::PC_ALIGNMENT, 0)
    })
}

/// Raise the illegal state exception (EC 0x0E).
pub fn illegal_state(cpu: &mut Cpu) -> Trap {
    cpu.raise(Exception::sync(1, ec::ILLEGAL_STATE, 0))
}

/// Raise an instruction or data abort. A stage 2 fault goes to EL2; a synchronous external abort does by HCR_EL2.TEA
/// (`AArch64.InstructionAbort`, `AArch64.DataAbort`).
pub fn abort(cpu: &mut Cpu, sh: &mut Platform, f: &Fault) -> Trap {
    let external = matches!(f.kind, FaultKind::External | FaultKind::ExternalWalk(_));
    let tea = external && cpu.is_set(field!(HCR_EL2.TEA));
    let target = if f.stage2 || (tea && cpu.pstate.el < 2) {
        2
    } else {
        1
    };
    let mut iss = f.kind.fsc() | (f.s1ptw as u32) << 7;
    let class = if f.purpose == Purpose::Fetch {
        ec::INSTRUCTION_ABORT
    } else {
        iss |= (f.write as u32) << 6;
        if matches!(f.purpose, Purpose::CacheMaintenance | Purpose::At) {
            iss |= 1 << 8 | 1 << 6; // CM; WnR is 1 for cache maintenance and address translation
        }
        if f.stage2 && !f.s1ptw && !external && f.purpose != Purpose::CacheMaintenance {
            let word = sh.ram.read(cpu.here_pa(), 4);
            iss |= word.map_or(0, |w| syndrome::isv_of(w as u32));
        }
        ec::DATA_ABORT
    };
    // HPFAR_EL2 is valid for every stage 2 fault but a plain permission fault (Arm ARM D24.2.72 HPFAR_EL2).
    let valid = f.s1ptw
        || !matches!(
            f.kind,
            FaultKind::Permission(_) | FaultKind::Alignment | FaultKind::Exclusive
        );
    cpu.raise(Exception {
        far: Some(f.va),
        ipa: f.stage2.then_some((f.ipa, valid && !external)),
        cause: if matches!(f.kind, FaultKind::ProtectedWalk(_)) {
            &[PROTECTED_WALK]
        } else if f.stage2 {
            &["HCR_EL2.VM"]
        } else if target == 2 {
            &["HCR_EL2.TEA"]
        } else {
            &[]
        },
        ..Exception::sync(target, class, iss)
    })
}

// ------------------------------------------------------------------------------------------------ interrupts

const fn asynchronous(
    kind: ExceptionKind,
    target: u8,
    cause: &'static [&'static str],
) -> Exception {
    Exception {
        kind,
        cause,
        ..Exception::sync(target, 0, 0)
    }
}

/// The interrupt that the PE takes before its next instruction, if any (Arm ARM D1.3.6: asynchronous exception routing
/// and masking). SError comes first and virtual ones last here; their order is IMPLEMENTATION DEFINED.
pub fn pending(cpu: &Cpu, lines: Lines, has_el2: bool) -> Option<Exception> {
    let hcr = if has_el2 { cpu.get(HCR_EL2) } else { 0 };
    let (el, daif) = (cpu.pstate.el, cpu.pstate.daif);
    let tge = field!(HCR_EL2.TGE).is_set(hcr);
    if let Some(e) = serror::physical(cpu, has_el2) {
        return Some(e);
    }
    // (line, kind, PSTATE mask bit, HCR_EL2 routing bit, name)
    let physical: [(bool, ExceptionKind, u8, u32, &'static [&'static str]); 2] = [
        (lines.fiq, ExceptionKind::Fiq, 1, 3, &["HCR_EL2.FMO"]),
        (lines.irq, ExceptionKind::Irq, 2, 4, &["HCR_EL2.IMO"]),
    ];
    for (line, kind, mask, route, cause) in physical {
        if !line {
            continue;
        }
        let to_el2 = bit(hcr, route) || tge;
        if !cpu.pstate.masks(hcr, to_el2, mask) {
            return Some(asynchronous(
                kind,
                if to_el2 { 2 } else { 1 },
                if to_el2 { cause } else { &[] },
            ));
        }
    }
    if el < 2 && !tge {
        if let Some(e) = serror::virtual_(cpu, hcr) {
            return Some(e);
        }
        let virt = [
            (
                (lines.vfiq || field!(HCR_EL2.VF).is_set(hcr)) && field!(HCR_EL2.FMO).is_set(hcr),
                ExceptionKind::Fiq,
                1,
            ),
            (
                (lines.virq || field!(HCR_EL2.VI).is_set(hcr)) && field!(HCR_EL2.IMO).is_set(hcr),
                ExceptionKind::Irq,
                2,
            ),
        ];
        for (line, kind, mask) in virt {
            if line && daif & mask == 0 {
                return Some(asynchronous(kind, 1, &[]));
            }
        }
    }
    None
}

/// Whether a PE in WFI wakes: an interrupt is pending that would be taken if PSTATE did not mask it (R_GJPXF).
pub fn wakes(cpu: &Cpu, lines: Lines, has_el2: bool) -> bool {
    let hcr = if has_el2 { cpu.get(HCR_EL2) } else { 0 };
    let virt = cpu.pstate.el < 2 && !field!(HCR_EL2.TGE).is_set(hcr);
    lines.irq
        || lines.fiq
        || cpu.serror.is_some()
        || virt
            && (field!(HCR_EL2.IMO).is_set(hcr) && (lines.virq || field!(HCR_EL2.VI).is_set(hcr))
                || field!(HCR_EL2.FMO).is_set(hcr)
                    && (lines.vfiq || field!(HCR_EL2.VF).is_set(hcr))
                || serror::is_virtual_pending(hcr))
}

/// Whether an interrupt ends the WFE that a PE is in: one that PSTATE masks is no event (Arm ARM D1.6.1, WFE wake-up events).
pub fn ends_wfe(cpu: &Cpu, lines: Lines, has_el2: bool) -> bool {
    pending(cpu, lines, has_el2).is_some()
}

// ------------------------------------------------------------------------------------------------ entry and return

/// Take `e`: the dispatcher has set `Cpu::pc` to the instruction's address (for an interrupt, the next one's). Returns the EL that took
/// it (`AArch64.TakeException`).
pub fn take(cpu: &mut Cpu, sh: &mut Platform, e: &Exception) -> u8 {
    if cpu.pmu.on {
        crate::pmu::exception(cpu, sh);
    }
    let from = cpu.pstate.el;
    cpu.twed = None;
    if e.kind == ExceptionKind::SError {
        serror::taken(cpu, sh.config.has_el2, e);
    }
    let tge = sh.config.has_el2 && from == 0 && cpu.is_set(field!(HCR_EL2.TGE));
    let target = if tge { 2 } else { e.target.max(from).max(1) };
    let regs = if target == 2 {
        (ESR_EL2, FAR_EL2, ELR_EL2, SPSR_EL2, VBAR_EL2, SCTLR_EL2)
    } else {
        (ESR_EL1, FAR_EL1, ELR_EL1, SPSR_EL1, VBAR_EL1, SCTLR_EL1)
    };
    let (esr, far, elr, spsr, vbar, sctlr) = regs;
    let quarter = match (from == target, cpu.pstate.sp) {
        (true, 0) => 0x000,
        (true, _) => 0x200,
        (false, _) => 0x400,
    };
    let ret = if e.next {
        cpu.pc.wrapping_add(4)
    } else {
        cpu.pc
    };
    if e.next && cpu.is_set(field!(MDSCR_EL1.SS)) {
        cpu.pstate.ss = false; // `SSAdvance`: SVC and HVC have been stepped
    }
    cpu.stepped = None;
    let mut saved = cpu.spsr();
    if (from, target) == (1, 1) && crate::hcr::spsr_of_el2(cpu.get(HCR_EL2)) {
        saved = insert(saved, 3, 2, 2);
    }
    cpu.set(spsr, saved);
    cpu.set(elr, ret);
    if e.kind == ExceptionKind::Sync || e.kind == ExceptionKind::SError {
        let class = if from == target {
            syndrome::same_el(e.ec)
        } else {
            e.ec
        };
        cpu.set(
            esr,
            (class as u64) << 26 | (e.il as u64) << 25 | e.iss as u64,
        );
    }
    if let Some(v) = e.far {
        cpu.set(far, v);
    }
    if let (2, Some((ipa, true))) = (target, e.ipa) {
        cpu.set(HPFAR_EL2, ipa >> 12 << 4);
    }
    let control = cpu.get(sctlr);
    let host = target == 2 && hcr::is_host(cpu.get(HCR_EL2));
    let span = sh.config.features.has(Feature::PAN)
        && !field!(SCTLR_EL1.SPAN).is_set(control)
        && (target == 1 || host);
    let mut p = Pstate {
        el: target,
        sp: 1,
        daif: 0xf,
        ss: false,
        il: false,
        uao: false,
        btype: 0,
        ..cpu.pstate
    };
    p.pan |= span;
    p.ssbs = sh.config.features.has(Feature::SSBS) && field!(SCTLR_EL1.DSSBS).is_set(control);
    cpu.set_pstate(p);
    let entry = match e.kind {
        ExceptionKind::Sync => 0x000,
        ExceptionKind::Irq => 0x080,
        ExceptionKind::Fiq => 0x100,
        ExceptionKind::SError => 0x180,
    };
    cpu.pc = (cpu.get(vbar) & !0x7ff) + quarter + entry;
    target
}

/// Return from the current EL's exception (`AArch64.ExceptionReturn`); an illegal return sets PSTATE.IL.
pub fn eret(cpu: &mut Cpu, sh: &mut Platform) {
    let (elr, spsr) = if cpu.pstate.el == 2 {
        (ELR_EL2, SPSR_EL2)
    } else {
        (ELR_EL1, SPSR_EL1)
    };
    return_to(cpu, sh, cpu.get(elr), cpu.get(spsr));
}

/// Return to `pc` with PSTATE from `spsr`.
pub fn return_to(cpu: &mut Cpu, sh: &mut Platform, pc: u64, spsr: u64) {
    let now = cpu.pstate;
    let (mut p, flags): (Pstate, Flags) = Pstate::from_spsr(spsr);
    let illegal = illegal_return(cpu, sh, spsr);
    p.ss = crate::selfhosted::return_ss(cpu, spsr, illegal);
    if illegal {
        p = Pstate {
            el: now.el,
            sp: now.sp,
            il: true,
            pan: now.pan,
            uao: now.uao,
            ..p
        };
    }
    if !sh.config.features.has(Feature::PAN) {
        p.pan = false;
    }
    if !sh.config.features.has(Feature::UAO) {
        p.uao = false;
    }
    if !sh.config.features.has(Feature::SSBS) {
        p.ssbs = false;
    }
    if !sh.config.features.has(Feature::DIT) {
        p.dit = false;
    }
    p.tco = false;
    p.btype = 0;
    cpu.flags = flags;
    cpu.set_pstate(p);
    cpu.pc = pc;
    cpu.landed = (pc, sh.now + cpu.off as u64);
    cpu.monitor = None; // ClearExclusiveLocal
    cpu.event = true; // an exception return is an event (`SendEventLocal`)
    if now.el == 2 && cpu.pstate.el < 2 && !cpu.is_set(field!(HCR_EL2.TGE)) {
        sh.entered = true;
    }
}

/// `IllegalExceptionReturn`.
fn illegal_return(cpu: &Cpu, sh: &Platform, spsr: u64) -> bool {
    let mode = field!(SPSR_EL2.M).of(spsr);
    let el = (mode >> 2) as u8;
    let aarch32 = field!(SPSR_EL2.nRW).is_set(spsr);
    let reserved = mode & 2 != 0 || (el == 0 && mode & 1 != 0);
    let tge = sh.config.has_el2 && cpu.is_set(field!(HCR_EL2.TGE));
    aarch32
        || reserved
        || el > cpu.pstate.el
        || (el == 2 && !sh.config.has_el2)
        || (el == 1 && cpu.pstate.el == 2 && tge)
}
