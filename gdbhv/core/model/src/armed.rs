//! Self-hosted debug, what it does: what a guest has armed, kept by [`refresh`] when a register that the rules of
//! [`crate::selfhosted`] look at has changed, and the exceptions that follow.
//!
//! It costs nothing where nothing is armed. An address breakpoint splits the blocks, stays out of the jump cache, and is judged
//! when a block begins there; a watchpoint marks its lines in the TLB, as a debugger's does ([`crate::debug`]). Software step, and
//! a breakpoint that matches the context and so every instruction, have the machine execute one instruction at a time
//! ([`execute_one`]).
//!
//! A debugger's stops come first, except before a pending software step: that is an exception of the instruction before.

use crate::cpu::{Cpu, Power};
use crate::exception;
use crate::interp::{self, Leave};
use crate::mmu::tlb;
use crate::raise::{Exception, Trap};
use crate::reg::debug::{BREAKPOINTS, WATCHPOINTS};
use crate::reg::names::MDSCR_EL1;
use crate::selfhosted as rules;
use crate::selfhosted::{key, Step, MDE, SS};
use crate::shared::Shared;
use crate::syndrome::ec;

/// "Debug exception" in IFSC and DFSC.
const DEBUG_EVENT: u32 = 0x22;

/// Addresses compared by none: [`key`] makes no such.
const NOWHERE: u64 = u64::MAX;

/// What the guest on a PE has armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// Anything at all, software step included.
    pub any: bool,
    /// Instructions are to be executed one by one.
    pub single: bool,
    /// Some watchpoint is enabled.
    pub watching: bool,
    breaks: [u64; BREAKPOINTS],
    /// First and last byte.
    watches: [(u64, u64); WATCHPOINTS],
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

    fn of(cpu: &Cpu) -> Armed {
        let mdscr = cpu.get(MDSCR_EL1);
        let mut a = Armed {
            any: mdscr & (SS | MDE) != 0,
            single: rules::step(cpu) != Step::Inactive,
            ..Armed::NOTHING
        };
        if mdscr & MDE != 0 {
            for (slot, pc) in a.breaks.iter_mut().zip(rules::break_addresses(cpu)) {
                *slot = pc;
            }
            for (n, slot) in a.watches.iter_mut().enumerate() {
                if let Some(range) = rules::watched(cpu, n) {
                    (*slot, a.watching) = (range, true);
                }
            }
            a.single |= rules::breaks_by_context(cpu);
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
        let lines = |&(first, last): &(u64, u64)| {
            if first > page | 0xfff || last < page {
                return 0;
            }
            let (from, to) = (first.max(page) >> 6 & 63, last.min(page | 0xfff) >> 6 & 63);
            u64::MAX >> (63 - to) & u64::MAX << from
        };
        self.watches.iter().map(lines).fold(0, |a, b| a | b)
    }
}

/// Follow a change of PSTATE or of a register that self-hosted debug depends on.
#[inline]
pub fn refresh(cpu: &mut Cpu, sh: &mut Shared) {
    if cpu.armed.any || cpu.get(MDSCR_EL1) & (SS | MDE) != 0 {
        rearm(cpu, sh);
    }
}

#[cold]
fn rearm(cpu: &mut Cpu, sh: &mut Shared) {
    let new = Armed::of(cpu);
    let old = std::mem::replace(&mut cpu.armed, new);
    if !new.single {
        cpu.stepped = None;
    }
    if new.breaks != old.breaks {
        for pc in new.breaks.into_iter().filter(|pc| *pc != NOWHERE) {
            sh.blocks.hold_split(pc);
            interp::forget(cpu, pc);
        }
        for pc in old.breaks.into_iter().filter(|pc| *pc != NOWHERE) {
            sh.blocks.release_split(pc);
        }
    }
    if new.watches != old.watches {
        tlb::apply(cpu, tlb::Op::Data);
    }
}

// ------------------------------------------------------------------------------------------------ exceptions

/// A debug exception but BRK's (`AArch64.BreakpointException` and its kind). To EL2 it goes by MDCR_EL2.TDE (or HCR_EL2.TGE, and
/// then is no exit).
fn event(cpu: &Cpu, class: u8, iss: u32) -> Exception {
    let target = rules::target(cpu);
    Exception {
        cause: if target == 2 { &["MDCR_EL2.TDE"] } else { &[] },
        ..Exception::sync(target, class, iss | DEBUG_EVENT)
    }
}

/// Raise a breakpoint exception before the instruction at `Cpu::pc`, which would be fetched from `pa`, if one comes there by an address.
pub fn break_at(cpu: &mut Cpu, pc: u64, pa: u64) -> Result<(), Trap> {
    if cpu.armed.breaks(pc) && rules::breaks_at(cpu, pc) {
        return Err(breakpoint(cpu, pa));
    }
    Ok(())
}

fn breakpoint(cpu: &mut Cpu, pa: u64) -> Trap {
    (cpu.block_pa, cpu.off) = (pa, 0); // the instruction that the exit record tells
    let e = event(cpu, ec::BREAKPOINT, 0);
    cpu.raise(e)
}

/// ISV: the instruction before was stepped, and EX tells whether it was a Load-Exclusive (`AArch64.SoftwareStepException`).
fn software_step(cpu: &mut Cpu) -> Trap {
    cpu.off = 0;
    let iss = match cpu.stepped.take() {
        Some(exclusive) => 1 << 24 | (exclusive as u32) << 6,
        None => 0,
    };
    let e = event(cpu, ec::STEP, iss);
    cpu.raise(e)
}

/// An access that has been translated.
#[derive(Clone, Copy)]
pub struct Touch {
    /// First byte.
    pub va: u64,
    /// Bytes.
    pub bytes: u64,
    /// Stores, DC ZVA, DC IVAC.
    pub write: bool,
    /// As from which exception level: 0 for LDTR and STTR where they act as EL0's, 2 for what HCR_EL2.NV2 makes of a register.
    pub el: u8,
    /// By DC IVAC with this operand: cache maintenance.
    pub maintenance: Option<u64>,
}

/// Raise a watchpoint exception if an access touches what a guest watches. FAR is the first watched byte of the access, or what
/// cache maintenance was given (D2.10, determining the memory location that caused a watchpoint exception).
#[cold]
pub fn watch(cpu: &mut Cpu, t: Touch) -> Result<(), Trap> {
    let first = key(t.va);
    let last = first.saturating_add(t.bytes - 1);
    let touched = |w: &(usize, (u64, u64))| w.1 .0 <= last && w.1 .1 >= first;
    let hit = cpu
        .armed
        .watches
        .into_iter()
        .enumerate()
        .filter(touched)
        .filter(|w| rules::watch_matches(cpu, w.0, t.el, t.write))
        .map(|w| w.1 .0.max(first))
        .min();
    let Some(at) = hit else { return Ok(()) };
    let cm = t.maintenance.is_some() as u32;
    let e = Exception {
        far: Some(t.maintenance.unwrap_or(t.va.wrapping_add(at - first))),
        ..event(cpu, ec::WATCHPOINT, cm << 8 | (t.write as u32) << 6)
    };
    Err(cpu.raise(e))
}

// ------------------------------------------------------------------------------------------------ one instruction at a time

/// Execute one instruction, or take what comes before it in the architecture's order (D1.3.5): a software step, the debugger's
/// stop, faults of the fetch, breakpoints, the illegal state.
#[cold]
pub fn execute_one(cpu: &mut Cpu, sh: &mut Shared) -> Leave {
    let step = rules::step(cpu);
    if step != Step::Pending && sh.debug.stops_at(cpu, cpu.pc) {
        return Leave::Debug;
    }
    let exclusive = match before(cpu, sh, step) {
        Ok(word) => rules::load_exclusive(word),
        Err(Trap) => {
            sh.now += 1;
            return Leave::Raised;
        }
    };
    let begin = sh.now;
    let leave = interp::execute(cpu, sh, begin + 1);
    if sh.now == begin || leave == Leave::Raised {
        return leave;
    }
    sh.debug.hit = None; // a stop before the next instruction is asked for again
    if step == Step::NotPending {
        cpu.pstate.ss = false; // `SSAdvance`
        if rules::step(cpu) == Step::Pending {
            cpu.stepped = Some(exclusive);
            // A stepped WFI or WFE is over: both may complete at any time.
            if matches!(cpu.power, Power::Wfi | Power::Wfe) {
                cpu.power = Power::On;
            }
        }
    }
    Leave::Early
}

/// What comes before an instruction; its word if nothing does.
fn before(cpu: &mut Cpu, sh: &mut Shared, step: Step) -> Result<u32, Trap> {
    if step == Step::Pending {
        return Err(software_step(cpu));
    }
    cpu.off = 0;
    let pa = crate::memory::fetch(cpu, sh, cpu.pc)?;
    if rules::breaks_by_context(cpu) {
        return Err(breakpoint(cpu, pa));
    }
    break_at(cpu, cpu.pc, pa)?;
    if cpu.pstate.il {
        return Err(exception::illegal_state(cpu));
    }
    Ok(sh.ram.read(pa, 4).expect("fetch found RAM") as u32)
}
