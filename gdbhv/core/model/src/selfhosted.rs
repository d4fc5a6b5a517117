//! The rules of self-hosted debug: whether debug exceptions are enabled and which level takes them, the state of software step, which of a
//! guest's breakpoints and watchpoints match (Arm ARM D2; the pseudocode functions named below are its). Nothing here has a side effect;
//! applying the rules while a guest executes is in [`crate::debug_events`] and [`crate::exec::single`], a debugger's own stops in
//! [`crate::stops`].
//!
//! There is one Security state and no EL3, and EL0 and EL1 are AArch64 only. Halting debug is never allowed: there is no external debugger.

use crate::bits::{bit, lines_of_page, ones};
use crate::cpu::Cpu;
use crate::reg::debug::{BREAKPOINTS, CONTEXT_AWARE, WATCHPOINTS};
use crate::reg::field;
use crate::reg::names::*;
use crate::reg::Reg;

const BVR: [Reg; BREAKPOINTS] = [
    DBGBVR0_EL1,
    DBGBVR1_EL1,
    DBGBVR2_EL1,
    DBGBVR3_EL1,
    DBGBVR4_EL1,
    DBGBVR5_EL1,
];
const BCR: [Reg; BREAKPOINTS] = [
    DBGBCR0_EL1,
    DBGBCR1_EL1,
    DBGBCR2_EL1,
    DBGBCR3_EL1,
    DBGBCR4_EL1,
    DBGBCR5_EL1,
];
const WVR: [Reg; WATCHPOINTS] = [DBGWVR0_EL1, DBGWVR1_EL1, DBGWVR2_EL1, DBGWVR3_EL1];
const WCR: [Reg; WATCHPOINTS] = [DBGWCR0_EL1, DBGWCR1_EL1, DBGWCR2_EL1, DBGWCR3_EL1];

/// MDSCR_EL1.SS.
pub const SS: u64 = field!(MDSCR_EL1.SS).mask();
/// MDSCR_EL1.MDE.
pub const MDE: u64 = field!(MDSCR_EL1.MDE).mask();
/// PSTATE.D in [`crate::pstate::Pstate::daif`].
const D: u8 = 8;

// ------------------------------------------------------------------------------------------------ enabled, and where to

/// Which level debug exceptions go to (`DebugTarget`), whether or not they are enabled.
pub fn target(cpu: &Cpu) -> u8 {
    1 + (cpu.is_set(field!(MDCR_EL2.TDE)) || cpu.is_set(field!(HCR_EL2.TGE))) as u8
}

/// Whether a debug exception other than BRK's could be taken from `el` with PSTATE.D = `masked`
/// (`AArch64.GenerateDebugExceptionsFrom`): not under the OS lock or the OS double lock; from the level that would take it only
/// with MDSCR_EL1.KDE.
fn enabled_from(cpu: &Cpu, el: u8, masked: bool) -> bool {
    let double = cpu.is_set(field!(OSDLR_EL1.DLK)) && !cpu.is_set(field!(DBGPRCR_EL1.CORENPDRQ));
    if cpu.is_set(field!(OSLSR_EL1.OSLK)) || double {
        return false;
    }
    let target = target(cpu);
    if el == target {
        cpu.is_set(field!(MDSCR_EL1.KDE)) && !masked
    } else {
        target > el
    }
}

/// Whether one could be taken in the present state (`AArch64.GenerateDebugExceptions`).
pub fn enabled(cpu: &Cpu) -> bool {
    enabled_from(cpu, cpu.pstate.el, cpu.pstate.daif & D != 0)
}

// ------------------------------------------------------------------------------------------------ software step

/// The state of software step (D2.12, the state machine).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is stepped.
    Inactive,
    /// The next instruction executes, and then a step is pending.
    NotPending,
    /// The software step exception comes before the next instruction.
    Pending,
}

/// The present state (`CheckSoftwareStep`).
pub fn step(cpu: &Cpu) -> Step {
    match (cpu.get(MDSCR_EL1) & SS != 0 && enabled(cpu), cpu.pstate.ss) {
        (false, _) => Step::Inactive,
        (true, true) => Step::NotPending,
        (true, false) => Step::Pending,
    }
}

/// PSTATE.SS after an exception return with `spsr`, which is `illegal` or not (`DebugExceptionReturnSS`): SPSR_ELx.SS if the return
/// starts a software step.
pub fn return_ss(cpu: &Cpu, spsr: u64, illegal: bool) -> bool {
    if cpu.get(MDSCR_EL1) & SS == 0 || enabled(cpu) {
        return false;
    }
    let el = if illegal {
        cpu.pstate.el
    } else {
        (field!(SPSR_EL1.M).of(spsr) >> 2) as u8
    };
    field!(SPSR_EL1.SS).is_set(spsr) && enabled_from(cpu, el, field!(SPSR_EL1.D).is_set(spsr))
}

/// Whether a word is a Load-Exclusive, as the syndrome of a step tells (`SoftwareStep_SteppedEX`): LDXR, LDAXR, LDXP, LDAXP.
pub const fn load_exclusive(word: u32) -> bool {
    word & 0x3fc0_0000 == 0x0840_0000
}

// ------------------------------------------------------------------------------------------------ state and context

/// The exception levels, a bit each, that HMC, SSC and PMC or PAC select (`AArch64.StateMatch`, and Table "Summary of breakpoint
/// HMC, SSC, and PMC encodings" of D2.9). Reserved combinations are one that is not, or disabled (`CheckValidStateMatch`): with one
/// Security state, SSC = 0b01 is 0b00; HMC = 1 with PMC = 0 is EL2, which is 0b11 in SSC.
pub const fn levels(control: u64) -> u8 {
    let (hmc, ssc, pxc) = (
        field!(DBGBCR0_EL1.HMC).is_set(control),
        field!(DBGBCR0_EL1.SSC).of(control),
        field!(DBGBCR0_EL1.PMC).of(control) as u8,
    );
    let low = (pxc & 1) << 1 | pxc >> 1;
    match (hmc, ssc, pxc) {
        (_, 2, _) | (false, 3, _) | (true, _, 2) => 0,
        (false, _, _) => low,
        (true, _, _) => 4 | low,
    }
}

/// Whether the control of a breakpoint or watchpoint matches an access made as from `el`; `linked`: the breakpoint that LBN selects
/// must match, too.
fn state_matches(cpu: &Cpu, control: u64, el: u8, linked: bool) -> bool {
    levels(control) >> el & 1 != 0
        && (!linked || link_matches(cpu, field!(DBGBCR0_EL1.LBN).of(control) as usize))
}

/// Whether breakpoint `n` is linked and matches. A link to one that does not compare context never does (allowed:
/// Unpredictable_BPNOTCTXCMP).
fn link_matches(cpu: &Cpu, n: usize) -> bool {
    (BREAKPOINTS - CONTEXT_AWARE..BREAKPOINTS).contains(&n) && {
        let control = cpu.get(BCR[n]);
        field!(DBGBCR0_EL1.E).is_set(control) && is_linked(control) && context_matches(cpu, n)
    }
}

/// Whether a breakpoint's BT is one of the linked kinds.
const fn is_linked(control: u64) -> bool {
    field!(DBGBCR0_EL1.BT).of(control) & 1 != 0
}

/// Whether a breakpoint's BT is for addresses.
const fn by_address(control: u64) -> bool {
    field!(DBGBCR0_EL1.BT).of(control) < 2
}

/// Whether the context is what context-aware breakpoint `n` compares with (`AArch64.BreakpointValueMatch`). Reserved values of BT
/// match nothing.
fn context_matches(cpu: &Cpu, n: usize) -> bool {
    let (bt, value) = (
        field!(DBGBCR0_EL1.BT).of(cpu.get(BCR[n])) & 0xe,
        cpu.get(BVR[n]),
    );
    let (el, hcr) = (cpu.pstate.el, cpu.get(HCR_EL2));
    let in_host =
        field!(HCR_EL2.E2H).is_set(hcr) && (el == 2 || el == 0 && field!(HCR_EL2.TGE).is_set(hcr));
    let guest = el < 2 && !in_host;
    let el2 = cpu.field(field!(ID_AA64PFR0_EL1.EL2)) != 0;
    let debug_v8p1 = cpu.field(field!(ID_AA64DFR0_EL1.DebugVer)) >= 7;
    let (low, high) = (value & ones(32), value >> 32);
    let id1 = || cpu.get(CONTEXTIDR_EL1) & ones(32) == low;
    let id2 = |with: u64| el2 && cpu.get(CONTEXTIDR_EL2) & ones(32) == with;
    let vmid = || {
        let width = if cpu.is_set(field!(VTCR_EL2.VS)) {
            16
        } else {
            8
        };
        el2 && (cpu.get(VTTBR_EL2) >> 48 ^ high) & ones(width) == 0
    };
    match bt {
        0x2 if in_host => id2(low),
        0x2 => el < 2 && id1(),
        0x6 => debug_v8p1 && guest && id1(),
        0x8 => guest && vmid(),
        0xa => guest && vmid() && id1(),
        0xc => debug_v8p1 && id2(high),
        0xe => debug_v8p1 && guest && id1() && id2(high),
        _ => false,
    }
}

// ------------------------------------------------------------------------------------------------ breakpoints

/// Bits 55:0: tags, and whether the RESS bits are a sign extension, are not compared.
pub const fn key(va: u64) -> u64 {
    va & ones(56)
}

/// The addresses of the address breakpoints that are enabled one by one, whatever else they ask for.
pub fn break_addresses(cpu: &Cpu) -> impl Iterator<Item = u64> + '_ {
    (0..BREAKPOINTS).filter_map(|n| {
        let control = cpu.get(BCR[n]);
        (field!(DBGBCR0_EL1.E).is_set(control) && by_address(control))
            .then(|| key(cpu.get(BVR[n])) & !3)
    })
}

/// Whether a breakpoint exception comes before the instruction at `pc` by an address (`AArch64.BreakpointMatch`). BAS is RES1
/// without AArch32 (D24.3), and is not looked at.
pub fn breaks_at(cpu: &Cpu, pc: u64) -> bool {
    let matches = |n: usize| {
        let control = cpu.get(BCR[n]);
        field!(DBGBCR0_EL1.E).is_set(control)
            && by_address(control)
            && key(cpu.get(BVR[n])) & !3 == key(pc)
            && state_matches(cpu, control, cpu.pstate.el, is_linked(control))
    };
    cpu.get(MDSCR_EL1) & MDE != 0 && (0..BREAKPOINTS).any(matches) && enabled(cpu)
}

/// Whether a breakpoint exception comes before every instruction, by the context.
pub fn breaks_by_context(cpu: &Cpu) -> bool {
    let matches = |n: usize| {
        let control = cpu.get(BCR[n]);
        field!(DBGBCR0_EL1.E).is_set(control)
            && !is_linked(control)
            && !by_address(control)
            && state_matches(cpu, control, cpu.pstate.el, false)
            && context_matches(cpu, n)
    };
    let aware = BREAKPOINTS - CONTEXT_AWARE..BREAKPOINTS;
    cpu.get(MDSCR_EL1) & MDE != 0 && aware.into_iter().any(matches) && enabled(cpu)
}

// ------------------------------------------------------------------------------------------------ watchpoints

/// The first and the last byte (bits 55:0) that watchpoint `n` watches, if it is enabled (`AArch64.WatchpointByteMatch`). Where the
/// programming is CONSTRAINED UNPREDICTABLE: reserved masks disable; with a mask, BAS is not looked at, nor are the masked bits of
/// the address; of bytes that are not contiguous the lowest run is watched.
pub fn watched(cpu: &Cpu, n: usize) -> Option<(u64, u64)> {
    let (control, va) = (cpu.get(WCR[n]), key(cpu.get(WVR[n])));
    let mask = field!(DBGWCR0_EL1.MASK).of(control) as u32;
    if !field!(DBGWCR0_EL1.E).is_set(control)
        || field!(DBGWCR0_EL1.LSC).of(control) == 0
        || matches!(mask, 1 | 2)
    {
        return None;
    }
    if mask != 0 {
        let low = ones(mask);
        return Some((va & !low, va | low));
    }
    // A word-aligned address selects from four bytes (deprecated), a doubleword-aligned one from eight.
    let (base, bas) = if bit(va, 2) {
        (va & !3, field!(DBGWCR0_EL1.BAS).of(control) & 0xf)
    } else {
        (va & !7, field!(DBGWCR0_EL1.BAS).of(control))
    };
    (bas != 0).then(|| {
        let first = bas.trailing_zeros();
        let run = (bas >> first).trailing_ones();
        (base + first as u64, base + (first + run - 1) as u64)
    })
}

/// Whether watchpoint `n`, whose bytes are touched, matches an access (`AArch64.WatchpointMatch`). `el`: 0 for LDTR and STTR that
/// are unprivileged; 2 at EL1 for what HCR_EL2.NV2 makes of a register, for which debug exceptions must be enabled at EL2
/// (R_YGWHK), and so go there (R_DGCTK).
pub fn watch_matches(cpu: &Cpu, n: usize, el: u8, write: bool) -> bool {
    let control = cpu.get(WCR[n]);
    field!(DBGWCR0_EL1.LSC).of(control) & 1 << write as u64 != 0
        && state_matches(cpu, control, el, field!(DBGWCR0_EL1.WT).is_set(control))
        && enabled_from(cpu, el.max(cpu.pstate.el), cpu.pstate.daif & D != 0)
}

/// An address that no breakpoint matches: [`key`] never returns it.
pub const NOWHERE: u64 = u64::MAX;

/// The breakpoints, watchpoints and step that the guest on a PE has enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// Something is enabled, software step included.
    pub any: bool,
    /// Instructions must be executed one by one.
    pub single: bool,
    /// Some watchpoint is enabled.
    pub watching: bool,
    /// Addresses of breakpoints, as [`key`] makes them, or [`NOWHERE`].
    pub breaks: [u64; BREAKPOINTS],
    /// First and last byte of watched ranges.
    pub watches: [(u64, u64); WATCHPOINTS],
}

impl Armed {
    /// Nothing.
    pub const NOTHING: Armed = Armed {
        any: false,
        single: false,
        watching: false,
        breaks: [NOWHERE; BREAKPOINTS],
        watches: [(NOWHERE, 0); WATCHPOINTS],
    };

    /// The present state, from the registers of a PE.
    pub fn of(cpu: &Cpu) -> Armed {
        let mdscr = cpu.get(MDSCR_EL1);
        let mut a = Armed {
            any: mdscr & (SS | MDE) != 0,
            single: step(cpu) != Step::Inactive,
            ..Armed::NOTHING
        };
        if mdscr & MDE != 0 {
            for (slot, pc) in a.breaks.iter_mut().zip(break_addresses(cpu)) {
                *slot = pc;
            }
            for (n, slot) in a.watches.iter_mut().enumerate() {
                if let Some(range) = watched(cpu, n) {
                    (*slot, a.watching) = (range, true);
                }
            }
            a.single |= breaks_by_context(cpu);
        }
        a
    }
    /// Whether `pc` must stay out of the jump cache.
    pub fn breaks(&self, pc: u64) -> bool {
        self.breaks.contains(&key(pc))
    }
    /// The lines of 64 bytes in the page of `va` that hold watched bytes; bit 0 is the first.
    pub fn watched_lines(&self, va: u64) -> u64 {
        let page = key(va) & !0xfff;
        let lines = |w: &(u64, u64)| lines_of_page(page, w.0, w.1);
        self.watches.iter().map(lines).fold(0, |a, b| a | b)
    }
}

/// Whether PSTATE matters to self-hosted debug now: a change of PSTATE.D must then recompute [`Armed`].
pub fn sees_pstate(cpu: &Cpu) -> bool {
    cpu.get(MDSCR_EL1) & (SS | MDE) != 0
}

#[cfg(test)]
#[path = "selfhosted_tests.rs"]
mod tests;
