//! The debugger's breakpoints and watchpoints, and the reason of its last stop. They cost nothing while they are not hit: a breakpoint
//! splits blocks and keeps its address out of the jump cache; a watchpoint makes accesses to its page take the slow path.

use crate::bits::lines_of_page;
use crate::cpu::{Cpu, MAX_CPUS};
use crate::hcr;
use crate::reg::names::{HCR_EL2, VTTBR_EL2};
use crate::reg::Reg;
use crate::vms::Key;
use std::sync::Arc;

/// Which contexts an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// EL1 and EL0 while this VMID is in VTTBR_EL2: a VM of the host side.
    Vmid(u16),
    /// EL1 and EL0 of a VM that a hypervisor in the machine runs, with stage 1 on or off.
    Vm(Key),
    /// All but VMs: EL2, and what runs below it without stage 2.
    Host,
    /// EL2, and the processes that it hosts (HCR_EL2.E2H and TGE).
    El2,
    /// Any context.
    All,
}

impl Scope {
    fn covers(self, cpu: &Cpu, el: u8) -> bool {
        match self {
            Scope::All => true,
            Scope::Vmid(id) => el < 2 && (cpu.get(VTTBR_EL2) >> 48) as u16 == id,
            Scope::Vm(key) => el < 2 && Key::of(cpu) == Some(key),
            Scope::Host => el == 2 || Key::of(cpu).is_none(),
            Scope::El2 => el == 2 || el == 0 && hcr::is_host(cpu.get(HCR_EL2)),
        }
    }
}

/// A breakpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breakpoint {
    /// Address of the instruction.
    pub va: u64,
    /// Z0 or Z1, for the stop reply.
    pub hardware: bool,
    /// The contexts that it is for.
    pub scope: Scope,
}

impl Breakpoint {
    fn is_at(&self, cpu: &Cpu, pc: u64) -> bool {
        self.va == pc && self.scope.covers(cpu, cpu.pstate.el)
    }
}

/// Agent expressions ([`crate::agent`]): the debugger stops if one of them holds, or if there are none.
pub type Conditions = Arc<[Box<[u8]>]>;

/// The address space of a watched address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Space {
    /// Virtual.
    #[default]
    Va,
    /// Intermediate physical: the output of stage 1, if stage 2 is on.
    Ipa,
    /// Physical.
    Pa,
}

/// The addresses of an access inside a page. None: there is no such address, or the translation faults before it is known.
#[derive(Clone, Copy, Debug)]
pub struct Located {
    /// Virtual.
    pub va: u64,
    /// Intermediate physical.
    pub ipa: Option<u64>,
    /// Physical.
    pub pa: Option<u64>,
}

impl Located {
    fn in_space(&self, space: Space) -> Option<u64> {
        match space {
            Space::Va => Some(self.va),
            Space::Ipa => self.ipa,
            Space::Pa => self.pa,
        }
    }
}

/// A watchpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchpoint {
    /// The address space.
    pub space: Space,
    /// First byte.
    pub at: u64,
    /// Length in bytes.
    pub len: u64,
    /// Stops reads.
    pub read: bool,
    /// Stops writes.
    pub write: bool,
    /// The contexts that it is for.
    pub scope: Scope,
}

/// Why the debugger stops before an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// A breakpoint at the PC.
    Break(Breakpoint),
    /// The instruction would access a watched byte: the address in the watchpoint's space, and whether it writes.
    Watch(Watchpoint, u64, bool),
}

/// What the debugger wants of the machine.
#[derive(Default)]
pub struct Debug {
    breakpoints: Vec<(Breakpoint, Conditions)>,
    /// Some breakpoint has a condition.
    conditional: bool,
    watchpoints: Vec<Watchpoint>,
    /// Some watchpoint is on an IPA or a PA.
    physical: bool,
    /// Breakpoints and watchpoints do not stop: the machine is on its way to a place where it will be shown.
    pub quiet: bool,
    /// A system register whose writes by MSR are noted.
    pub register: Option<Reg>,
    /// The last such write: the CPU, and the instructions that all CPUs had executed before.
    pub register_written: Option<(usize, u64)>,
    /// The stop that [`crate::exec::interp::Leave::Debug`] is about.
    pub hit: Option<Hit>,
    /// The address of a breakpoint that was last reached in a context that it is not for.
    pub passed: Option<u64>,
    /// By CPU: the address of the stop that it resumes from, which does not stop it again before it has moved.
    skip: [Option<u64>; MAX_CPUS],
    /// By CPU: its PC when it last stopped for the debugger, until it moves.
    stopped: [Option<u64>; MAX_CPUS],
    /// By CPU: its PC when it last stopped for a watchpoint; the access is allowed when the run resumes.
    watched: [Option<u64>; MAX_CPUS],
}

impl Debug {
    /// Add a breakpoint, or replace its conditions. The caller splits the blocks (`Blocks::split`) and clears jump caches.
    pub fn insert_breakpoint(&mut self, b: Breakpoint, conditions: Conditions) {
        match self.breakpoints.iter_mut().find(|x| x.0 == b) {
            Some(there) => there.1 = conditions,
            None => self.breakpoints.push((b, conditions)),
        }
        self.count();
    }
    /// Remove a breakpoint.
    pub fn remove_breakpoint(&mut self, b: Breakpoint) {
        self.breakpoints.retain(|x| x.0 != b);
        self.count();
    }
    /// Whether some breakpoint has a condition.
    #[inline]
    pub fn has_conditions(&self) -> bool {
        self.conditional
    }
    /// The `n`th of the breakpoints that apply to a CPU before `pc`, and its conditions.
    pub fn nth_at(&self, cpu: &Cpu, pc: u64, n: usize) -> Option<(Breakpoint, Conditions)> {
        let mut here = self.breakpoints.iter().filter(|x| x.0.is_at(cpu, pc));
        here.nth(n).cloned()
    }
    /// Add a watchpoint. The caller makes the page's TLB entries slow. False: it is there already.
    pub fn insert_watchpoint(&mut self, w: Watchpoint) -> bool {
        let new = !self.watchpoints.contains(&w);
        if new {
            self.watchpoints.push(w);
        }
        self.count();
        new
    }
    /// Remove a watchpoint.
    pub fn remove_watchpoint(&mut self, w: Watchpoint) {
        self.watchpoints.retain(|x| *x != w);
        self.count();
    }
    fn count(&mut self) {
        self.conditional = self.breakpoints.iter().any(|b| !b.1.is_empty());
        self.physical = self.watchpoints.iter().any(|w| w.space != Space::Va);
    }
    /// Note that `cpu` stops for the debugger at `pc`.
    pub fn stop(&mut self, cpu: usize, pc: u64) {
        self.stopped[cpu] = Some(pc);
    }
    /// Begin a run of `cpu` at `pc`: the instruction that it last stopped before may execute now. A CPU whose turn ended at a
    /// breakpoint, or that reaches it from an exit, has not stopped there yet.
    pub fn resume(&mut self, cpu: usize, pc: u64) {
        self.stopped[cpu] = self.stopped[cpu].filter(|at| *at == pc);
        self.skip[cpu] = self.stopped[cpu];
        self.hit = None;
    }
    /// Whether `cpu` has not moved since [`Debug::resume`]: it must execute one instruction and then call [`Debug::moved`].
    pub fn resuming(&self, cpu: usize) -> bool {
        self.skip[cpu].is_some()
    }
    /// Note that the first instruction of `cpu` has executed.
    pub fn moved(&mut self, cpu: usize) {
        self.skip[cpu] = None;
        self.stopped[cpu] = None;
        self.watched[cpu] = None;
    }
    /// The stop that `cpu` has not moved from since: its address, and whether a watchpoint caused it.
    pub fn held(&self, cpu: usize) -> Option<(u64, bool)> {
        self.stopped[cpu].map(|pc| (pc, self.watched[cpu] == Some(pc)))
    }
    /// Restore a value of [`Debug::held`], or None, when the host side switches what `cpu` executes.
    pub fn hold(&mut self, cpu: usize, held: Option<(u64, bool)>) {
        self.stopped[cpu] = held.map(|h| h.0);
        self.watched[cpu] = held.filter(|h| h.1).map(|h| h.0);
    }
    /// Forget where CPUs have stopped, at a reset.
    pub fn forget_stops(&mut self) {
        self.hit = None;
        self.skip = Default::default();
        self.stopped = Default::default();
        self.watched = Default::default();
    }
    /// The addresses of all breakpoints.
    pub fn addresses(&self) -> Vec<u64> {
        self.breakpoints.iter().map(|b| b.0.va).collect()
    }
    /// Whether there is anything to stop at.
    pub fn armed(&self) -> bool {
        !self.breakpoints.is_empty() || !self.watchpoints.is_empty()
    }
    /// Whether `pc` must stay out of the jump cache.
    pub fn watches_pc(&self, pc: u64) -> bool {
        self.breakpoints.iter().any(|b| b.0.va == pc)
    }
    /// Whether execution stops before `pc`, conditions left out of account; sets [`Debug::hit`] if so.
    pub fn stops_at(&mut self, cpu: &Cpu, pc: u64) -> bool {
        let Some((b, _)) = self.breakpoints.iter().find(|b| b.0.is_at(cpu, pc)) else {
            if self.watches_pc(pc) {
                self.passed = Some(pc);
            }
            return false;
        };
        if self.quiet || self.skip[cpu.id] == Some(pc) {
            return false;
        }
        self.hit = Some(Hit::Break(*b));
        true
    }
    /// Whether some watchpoint is on an IPA or a PA, so that [`Debug::watched_lines`] and [`Debug::watch_hit`] need these addresses of
    /// an access.
    #[inline]
    pub fn watches_physical(&self) -> bool {
        self.physical
    }
    /// The lines of 64 bytes in the page of an access that hold watched bytes; bit 0 is the first (accesses to them must be slow).
    pub fn watched_lines(&self, to: &Located) -> u64 {
        let lines = |w: &Watchpoint| {
            let last = w.at.saturating_add(w.len.max(1) - 1);
            let page = to.in_space(w.space).map(|at| at & !0xfff);
            page.map_or(0, |page| lines_of_page(page, w.at, last))
        };
        self.watchpoints.iter().map(lines).fold(0, |a, b| a | b)
    }
    /// Whether there are no watchpoints.
    #[inline]
    pub fn watches_nothing(&self) -> bool {
        self.watchpoints.is_empty()
    }
    /// Whether an access as from `el` of `bytes` inside a page hits a watchpoint; sets [`Debug::hit`] if so.
    pub fn watch_hit(&mut self, cpu: &Cpu, el: u8, to: &Located, bytes: u64, write: bool) -> bool {
        let hit = self.watchpoints.iter().find_map(|w| {
            let at = to.in_space(w.space)?;
            let overlaps = at < w.at.wrapping_add(w.len) && w.at < at.wrapping_add(bytes);
            let wanted = if write { w.write } else { w.read };
            (overlaps && wanted && w.scope.covers(cpu, el)).then_some((*w, at.max(w.at)))
        });
        let Some((w, at)) = hit.filter(|_| !self.quiet) else {
            return false;
        };
        if self.watched[cpu.id] == Some(cpu.here()) && self.skip[cpu.id].is_some() {
            return false;
        }
        self.watched[cpu.id] = Some(cpu.here());
        self.hit = Some(Hit::Watch(w, at, write));
        true
    }
}
