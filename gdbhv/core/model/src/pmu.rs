//! The performance monitors of each PE, over virtual time (Arm ARM D13, PMUv3).
//!
//! Nothing ticks. Counters are derived from running totals: instructions executed (one cycle each, so cycles stop while the PE
//! waits in WFI or WFE and while other CPUs have their turn, as D13.2 allows for a stopped clock), instructions retired, and classes of
//! instructions ([`classes`]). [`settle`] adds the increase of the totals to the counters that are counting; it is called only before a
//! change of which ones count (an exception level, a control) and where a counter may overflow
//! ([`Pmu::due`](crate::cpu::counters::Pmu::due)).
//! So counting costs nothing per instruction, and block boundaries, the debugger's stops and the order of turns are invisible.
//!
//! [`events`] is the table of what can be counted, [`registers`] how MRS and MSR see it. An instruction that writes a control
//! counts with the controls as they were; one that ends in an exception takes a cycle but does not retire, unless the exception is
//! what it is for (SVC, HVC, SMC). Events of exceptions count at the exception level that they come from (D13.5.3).

pub mod classes;
pub mod events;
pub mod registers;
#[cfg(test)]
mod tests;

use crate::bits::bit;
use crate::cpu::counters::{Total, What};
use crate::cpu::Cpu;
use crate::feature::Feature;
use crate::platform::Platform;
use crate::reg::field;
use crate::reg::names::*;
use crate::reg::pmu::COUNTERS;
use crate::reg::Reg;
use events::CHAIN;

/// The cycle counter's bit in PMCNTENSET_EL0 and its kind.
pub const CYCLE: u32 = 31;
/// INTID of the overflow interrupt: PPI 7.
pub const INTID: u32 = 23;

/// PMEVCNTR<n>_EL0.
fn counter(n: usize) -> Reg {
    Reg(PMEVCNTR0_EL0.0 + n as u16)
}
/// PMEVTYPER<n>_EL0.
fn event_type(n: usize) -> Reg {
    Reg(PMEVTYPER0_EL0.0 + n as u16)
}

/// MDCR_EL2.HPMN: event counters from this number on belong to EL2. A value above the number of counters is treated as that number,
/// and 0 leaves none for EL1 (both CONSTRAINED UNPREDICTABLE).
pub fn hpmn(cpu: &Cpu, has_el2: bool) -> usize {
    if has_el2 {
        (cpu.field(field!(MDCR_EL2.HPMN)) as usize).min(COUNTERS)
    } else {
        COUNTERS
    }
}

/// The controls, as `CountPMUEvents` and its neighbours read them.
struct Controls {
    pmcr: u64,
    mdcr: u64,
    hpmn: usize,
    el: u8,
}

impl Controls {
    fn new(cpu: &Cpu, sh: &Platform) -> Controls {
        Controls {
            pmcr: cpu.get(PMCR_EL0),
            mdcr: if sh.config.has_el2 {
                cpu.get(MDCR_EL2)
            } else {
                0
            },
            hpmn: hpmn(cpu, sh.config.has_el2),
            el: cpu.pstate.el,
        }
    }
    /// Event counter `n` belongs to EL2 (`PMUCounterIsHyp`).
    fn hyp(&self, n: usize) -> bool {
        n >= self.hpmn
    }
    fn enabled(&self, n: usize) -> bool {
        if self.hyp(n) {
            field!(MDCR_EL2.HPME).is_set(self.mdcr)
        } else {
            field!(PMCR_EL0.E).is_set(self.pmcr)
        }
    }
    /// Event counter `n` overflows from bit 63 instead of bit 31. The control bits are RES0 before FEAT_PMUv3p5.
    fn long(&self, n: usize) -> bool {
        if self.hyp(n) {
            field!(MDCR_EL2.HLP).is_set(self.mdcr)
        } else {
            field!(PMCR_EL0.LP).is_set(self.pmcr)
        }
    }
    /// Freeze on overflow (FEAT_PMUv3p7; RES0 before): an event counter of the same range has overflowed.
    fn frozen(&self, hyp: bool, overflowed: u64) -> bool {
        let low = (1u64 << self.hpmn) - 1;
        let range = if hyp { 0x3f & !low } else { low };
        let on = if hyp {
            field!(MDCR_EL2.HPMFZO).is_set(self.mdcr)
        } else {
            field!(PMCR_EL0.FZO).is_set(self.pmcr)
        };
        on && overflowed & range != 0
    }
    /// The filter of a type register lets this exception level through. There is no EL3, so NSK, NSU, M and SH are RES0.
    fn passes(&self, filter: u64) -> bool {
        match self.el {
            0 => !field!(PMCCFILTR_EL0.U).is_set(filter),
            1 => !field!(PMCCFILTR_EL0.P).is_set(filter),
            _ => field!(PMCCFILTR_EL0.NSH).is_set(filter),
        }
    }
}

/// The counters that count now (`CountPMUEvents`).
fn running(cpu: &Cpu, c: &Controls) -> u32 {
    let (enabled, overflowed) = (cpu.get(PMCNTENSET_EL0), cpu.get(PMOVSSET_EL0));
    let prohibited = c.el == 2 && field!(MDCR_EL2.HPMD).is_set(c.mdcr);
    let counts = |n: usize| {
        let hyp = c.hyp(n);
        bit(enabled, n as u32)
            && c.enabled(n)
            && !(prohibited && !hyp)
            && !c.frozen(hyp, overflowed)
            && c.passes(cpu.get(event_type(n)))
    };
    let events = (0..COUNTERS)
        .filter(|&n| counts(n))
        .fold(0, |m, n| m | 1 << n);
    // Prohibition and freezing stop the cycle counter only with PMCR_EL0.DP; MDCR_EL2.HCCD does so by itself.
    let held = field!(PMCR_EL0.DP).is_set(c.pmcr) && (prohibited || c.frozen(false, overflowed));
    let cycles = bit(enabled, CYCLE)
        && field!(PMCR_EL0.E).is_set(c.pmcr)
        && !held
        && !(c.el == 2 && field!(MDCR_EL2.HCCD).is_set(c.mdcr))
        && c.passes(cpu.get(PMCCFILTR_EL0));
    events | (cycles as u32) << CYCLE
}

/// Recompute what each event counter counts, after a change of a type register.
fn retype(cpu: &mut Cpu, sh: &Platform) {
    cpu.pmu.what =
        std::array::from_fn(|n| events::what(cpu.get(event_type(n)), sh.config.features));
}

/// Recompute which counters count, when the next may overflow, and the interrupt. [`settle`] must just have run, unless nothing counted.
fn derive(cpu: &mut Cpu, sh: &mut Platform) {
    let c = Controls::new(cpu, sh);
    let enabled = cpu.get(PMCNTENSET_EL0);
    let on = (0..COUNTERS).any(|n| bit(enabled, n as u32) && c.enabled(n))
        || bit(enabled, CYCLE) && field!(PMCR_EL0.E).is_set(c.pmcr);
    let running = running(cpu, &c);
    let what = cpu.pmu.what;
    let due = (0..COUNTERS)
        .filter(|&n| running >> n & 1 != 0 && matches!(what[n], What::Total(_)))
        .map(|n| {
            let v = cpu.get(counter(n));
            if c.long(n) {
                v.wrapping_neg().wrapping_sub(1)
            } else {
                (v as u32).wrapping_neg().wrapping_sub(1) as u64
            }
        })
        .chain(
            (running >> CYCLE & 1 != 0)
                .then(|| cpu.get(PMCCNTR_EL0).wrapping_neg().wrapping_sub(1)),
        )
        .min();
    let p = &mut cpu.pmu;
    p.on = on;
    p.running = running;
    p.classes = (0..COUNTERS).any(|n| {
        running >> n & 1 != 0
            && matches!(what[n], What::Total(t) if t as usize > Total::Retired as usize)
    });
    let now = p.settled[Total::Cycles as usize];
    p.due = due.map_or(u64::MAX, |d| now.saturating_add(d).saturating_add(1));
    let level = overflow(cpu, &c);
    sh.gic.set_level(INTID, Some(cpu.id), level);
}

/// The overflow interrupt's level (`CheckForPMUOverflow`).
fn overflow(cpu: &Cpu, c: &Controls) -> bool {
    let signals = cpu.get(PMOVSSET_EL0) & cpu.get(PMINTENSET_EL1);
    (0..COUNTERS).any(|n| bit(signals, n as u32) && c.enabled(n))
        || bit(signals, CYCLE) && field!(PMCR_EL0.E).is_set(c.pmcr)
}

/// Bring the counters and the interrupt up to date at virtual time `now` (which matters only in the PE's turn).
pub fn settle(cpu: &mut Cpu, sh: &mut Platform, now: u64) {
    let all = cpu.pmu.all(now);
    let old = std::mem::replace(&mut cpu.pmu.settled, all);
    let (running, what) = (cpu.pmu.running, cpu.pmu.what);
    let c = Controls::new(cpu, sh);
    let before = cpu.get(PMOVSSET_EL0);
    for (n, w) in what.iter().enumerate() {
        if let (true, What::Total(t)) = (running >> n & 1 != 0, w) {
            add(cpu, sh, &c, n, all[*t as usize] - old[*t as usize]);
        }
    }
    if running >> CYCLE & 1 != 0 {
        let by = all[Total::Cycles as usize] - old[Total::Cycles as usize];
        let (v, wraps) = cpu.get(PMCCNTR_EL0).overflowing_add(by);
        cpu.set(PMCCNTR_EL0, v);
        if wraps {
            cpu.set(PMOVSSET_EL0, cpu.get(PMOVSSET_EL0) | 1 << CYCLE);
        }
    }
    if all[Total::Cycles as usize] >= cpu.pmu.due || cpu.get(PMOVSSET_EL0) != before {
        derive(cpu, sh);
    }
}

/// Add `by` to event counter `n` (`AArch64.IncrementEventCounter`). Its overflow is an event for the next, odd counter.
fn add(cpu: &mut Cpu, sh: &Platform, c: &Controls, n: usize, by: u64) {
    let old = cpu.get(counter(n));
    let (v, carries) = if c.long(n) {
        let (v, wraps) = old.overflowing_add(by);
        (v, wraps as u64)
    } else {
        (
            old.wrapping_add(by),
            (old & 0xffff_ffff).saturating_add(by) >> 32,
        )
    };
    let long_registers = sh.config.features.has(Feature::PMUv3p5);
    cpu.set(counter(n), if long_registers { v } else { v as u32 as u64 });
    if carries == 0 {
        return;
    }
    cpu.set(PMOVSSET_EL0, cpu.get(PMOVSSET_EL0) | 1 << n);
    let chained = n.is_multiple_of(2) && !c.long(n) && c.hyp(n) == c.hyp(n + 1);
    if chained && cpu.pmu.running >> (n + 1) & 1 != 0 && cpu.pmu.what[n + 1] == What::Pulse(CHAIN) {
        add(cpu, sh, c, n + 1, carries);
    }
}

/// Count one occurrence of an event on those counters of `mask` that count it now. The counters must be settled.
fn pulse(cpu: &mut Cpu, sh: &mut Platform, event: u16, mask: u32) {
    let c = Controls::new(cpu, sh);
    let hit = cpu.pmu.running & mask;
    let what = cpu.pmu.what;
    for n in (0..COUNTERS).filter(|&n| hit >> n & 1 != 0 && what[n] == What::Pulse(event)) {
        add(cpu, sh, &c, n, 1);
    }
    derive(cpu, sh);
}

/// Write PMSWINC_EL0 on behalf of software at `el`, from outside the PE's turn.
pub fn increment(cpu: &mut Cpu, sh: &mut Platform, mask: u32, el: u8) {
    settle(cpu, sh, 0);
    let there = Controls {
        el,
        ..Controls::new(cpu, sh)
    };
    cpu.pmu.running = running(cpu, &there);
    pulse(cpu, sh, events::SW_INCR, mask & !(1 << CYCLE)); // recomputes what counts at the present level
}

/// Count an exception that is about to be taken, at [`Platform::now`]. To be called only if [`Pmu::on`](crate::cpu::counters::Pmu::on).
#[cold]
pub fn exception(cpu: &mut Cpu, sh: &mut Platform) {
    let now = sh.now;
    settle(cpu, sh, now);
    pulse(cpu, sh, events::EXC_TAKEN, u32::MAX);
}

/// Count an ERET that is about to return. To be called only if [`Pmu::on`](crate::cpu::counters::Pmu::on).
#[cold]
pub fn exception_return(cpu: &mut Cpu, sh: &mut Platform) {
    let now = sh.now + cpu.off as u64 + 1;
    settle(cpu, sh, now);
    pulse(cpu, sh, events::EXC_RETURN, u32::MAX);
}

/// Follow a change, at [`Platform::now`], of the exception level or of a control that filters depend on. To be called only if
/// [`Pmu::on`](crate::cpu::counters::Pmu::on).
#[cold]
pub fn refresh(cpu: &mut Cpu, sh: &mut Platform) {
    let now = sh.now;
    settle(cpu, sh, now);
    derive(cpu, sh);
}

/// Follow a reset of the registers: nothing counts, and the interrupt is deasserted.
pub fn reset(cpu: &mut Cpu, sh: &mut Platform) {
    let all = cpu.pmu.all(sh.now);
    cpu.pmu.settled = all;
    cpu.pmu.running = 0;
    retype(cpu, sh);
    derive(cpu, sh);
}
