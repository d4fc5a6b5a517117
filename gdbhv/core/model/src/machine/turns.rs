//! The run loop: the CPUs' turns, virtual time and interrupts, up to a [`Stop`].

use super::catch::When;
use super::{step, Machine, Step, Stop};
use crate::access::checking;
use crate::cpu::{Cpu, Power};
use crate::exception;
use crate::exec::interp::{self, Leave};
use crate::exec::refresh::follow;
use crate::exec::single;
use crate::hcr;
use crate::pe::{self, Pe};
use crate::raise::{Exception, ExceptionKind, Lines};
use crate::reg::field;
use crate::reg::names::*;
use crate::shared::Shared;
use crate::stops::Hit;
use crate::timer;
use std::sync::atomic::Ordering;

/// Most jumps of idle time in a row, with no instruction in between, in a run with a budget of instructions.
const IDLE_JUMPS: u32 = 1 << 16;

/// What the look for interrupts before an instruction found.
enum Look {
    Nothing,
    /// An interrupt that stays pending because of [`Step::hold`].
    Held(ExceptionKind),
    /// An exception was taken; with the stop, if it is an exit that stops the machine.
    Taken(Option<Stop>),
}

/// Whether an exception was an exit.
enum Taken {
    /// An exit, with the stop if the machine stops for it.
    Exit(Option<Stop>),
    /// Not an exit.
    Other,
}

impl Machine {
    /// Run the CPUs of `mask` until virtual time `until` (in ticks), until all CPUs together have executed `insns` instructions since the
    /// machine was made, or until a stop. CPUs outside the mask do not move.
    pub fn run(&mut self, until: u64, insns: u64, mask: u32) -> Stop {
        self.advance(until, insns, mask, None)
    }

    /// As [`Machine::run`], returning [`Stop::Step`] as soon as the step is complete.
    pub fn advance(&mut self, until: u64, insns: u64, mask: u32, step: Option<Step>) -> Stop {
        self.advance_polled(until, insns, mask, step, &mut || false)
    }

    /// As [`Machine::advance`]; `poll` is called between turns and interrupts the run by returning true.
    pub fn advance_polled(
        &mut self,
        until: u64,
        insns: u64,
        mask: u32,
        step: Option<Step>,
        poll: &mut dyn FnMut() -> bool,
    ) -> Stop {
        for i in 0..self.cpus.len() {
            if mask >> i & 1 != 0 && self.sh.debug.armed() {
                self.sh.debug.resume(i, self.cpus[i].pc);
            }
        }
        self.stepped = step::Made::default();
        let mut idle = 0;
        loop {
            if self.interrupt.swap(false, Ordering::Relaxed) || poll() {
                return Stop::Interrupted;
            }
            let Some(before_pause) = self.before_pause() else {
                return Stop::Pause;
            };
            let left = insns.saturating_sub(self.insns.iter().sum());
            if self.sh.now >= until || left == 0 || (idle > IDLE_JUMPS && insns != u64::MAX) {
                return Stop::Budget;
            }
            if self.sh.now >= self.sh.next_event && !self.midway {
                self.events();
            }
            let Some(i) = self.choose(mask) else {
                // Every CPU waits: time jumps to the next event, or as far as it may.
                let next = self.next_event(mask);
                let pause = self.pause_in_idle();
                if next == u64::MAX && self.idle_limit == u64::MAX && pause == u64::MAX {
                    return Stop::Stuck;
                }
                let to = next.min(until).min(pause);
                self.sh.now = to.min(self.idle_limit).max(self.sh.now);
                self.sh.next_event = self.sh.now;
                self.midway = false;
                idle += 1;
                if to > self.sh.now {
                    return Stop::Idle { next };
                }
                continue;
            };
            if self.pause.is_some() && self.before_pause().is_none() {
                return Stop::Pause; // before anything of its turn
            }
            if self.cpus[i].power == Power::Idle {
                self.steps += 1;
                return Stop::Wake { cpu: i };
            }
            idle = 0;
            let step = step.filter(|s| s.cpu == i);
            let left = left.min(before_pause);
            if let Some(stop) = self.turn(i, until.min(self.sh.now.saturating_add(left)), step) {
                return stop;
            }
            if let Some(stop) = step.and_then(|s| self.made(s)) {
                return stop;
            }
        }
    }

    /// Choose the CPU whose turn it is: the current one while its quantum lasts, else the next that can execute. While none can,
    /// nothing changes, so that the order of turns does not depend on where a run ends in idle time.
    fn choose(&mut self, mask: u32) -> Option<usize> {
        let n = self.cpus.len();
        let over = (self.sh.now >= self.slice_end || self.sh.yielded) && !self.midway;
        let first = self.current + over as usize;
        let i = (first..first + n)
            .map(|k| k % n)
            .find(|&i| mask >> i & 1 != 0 && self.ready(i))?;
        if !over && i == self.current {
            return Some(i);
        }
        self.current = self.pick(mask, i);
        self.steps += 1;
        self.slice_end = self.begin_turn(self.current);
        self.sh.yielded = false;
        Some(self.current)
    }

    /// Whether CPU `i` can execute now; ends its wait if something woke it.
    pub(super) fn ready(&mut self, i: usize) -> bool {
        let lines = self.sh.gic.lines(i);
        let cpu = &mut self.cpus[i];
        let woken = match cpu.power {
            Power::On => return true,
            Power::Off => return false,
            Power::Idle => return lines.irq || lines.fiq,
            Power::Wfi => exception::wakes(cpu, lines, self.sh.config.has_el2),
            Power::Wfe => {
                let event = match cpu.twed {
                    // A WFE that will trap consumes the event itself when it executes again.
                    Some(t) => cpu.event || self.sh.now >= t,
                    None => std::mem::take(&mut cpu.event),
                };
                event || exception::ends_wfe(cpu, lines, self.sh.config.has_el2)
            }
        } || self.sh.now >= cpu.timeout;
        if woken {
            cpu.power = Power::On;
            cpu.timeout = u64::MAX;
        }
        woken
    }

    /// Run one turn of CPU `i`, at most to the end of its quantum, the next event, `until`, or one event of a step.
    fn turn(&mut self, i: usize, until: u64, step: Option<Step>) -> Option<Stop> {
        self.midway = false;
        let pause = self.pause_in_turn();
        let late = self.late(i);
        let (cpu, sh, code) = (&mut *self.cpus[i], &mut self.sh, &mut self.code);
        if self.executed != i {
            // Other CPUs have executed since, and their stores to the marked address would have cleared this CPU's monitor. Clearing
            // it always is allowed (B2.17: the monitor may be cleared at any time), and is an event for WFE: without it a turn that
            // ends between a spin lock's LDAXR and its WFE would lose the wake-up.
            if cpu.monitor.take().is_some() {
                cpu.event = true;
            }
            self.executed = i;
        }
        pe::tlb::drain(cpu, sh);
        code.collect();
        if sh.check.is_some() {
            checking::follow(cpu, sh, true);
            let now = sh.now;
            sh.check.as_mut().expect("it is on").ripen(now);
        }
        let mut end = until.min(self.slice_end).min(sh.next_event);
        if step.is_some() || sh.debug.resuming(i) {
            end = end.min(sh.now + 1);
        }
        let begin = sh.now;
        if late > begin {
            end = end.min(late);
        }
        sh.exits
            .begin(begin, self.insns.iter().sum(), self.insns[i]);
        let hold = step.is_some_and(|s| s.hold);
        let mut taken = false;
        cpu.pmu.enter(begin);
        let stop = loop {
            follow(cpu, sh, code);
            if sh.check.is_some() {
                checking::follow(cpu, sh, false);
            }
            code.follow_writes(&mut sh.ram);
            if sh.now >= cpu.pmu.due() {
                let now = sh.now;
                crate::pmu::settle(cpu, sh, now);
            }
            if step.is_some() && sh.now > begin {
                self.midway = true; // what interrupts the CPU now is the next step's event
                break None;
            }
            if pause == Some((sh.now, self.steps)) {
                self.midway = true; // the turn is not over: it ends here for the pause's sake
                break None;
            }
            let look = match sh.now < late {
                true => Look::Nothing,
                false => Self::interrupt(cpu, sh, hold),
            };
            match look {
                Look::Nothing => {}
                Look::Held(kind) => self.stepped.held = Some(kind),
                Look::Taken(Some(stop)) => {
                    self.steps += 1;
                    break Some(stop);
                }
                Look::Taken(None) => {
                    self.steps += 1;
                    taken = true;
                    if step.is_none() {
                        continue; // another one may not be masked at the vector
                    }
                    self.midway = true;
                    break None;
                }
            }
            if sh.now >= end {
                break None;
            }
            cpu.until = end.min(cpu.pmu.due());
            let leave = if cpu.armed.single || cpu.pstate.il {
                single::execute_one(cpu, sh, code)
            } else {
                interp::execute(cpu, sh, code)
            };
            match leave {
                Leave::Time if sh.now < end => {} // a counter may have overflowed
                Leave::Time => break None,
                Leave::Early => {
                    if let Some(stop) = Self::requests(cpu, sh) {
                        break stop;
                    }
                }
                Leave::Raised => {
                    let e = cpu.raised.take().expect("an exception was raised");
                    if !e.next {
                        cpu.pmu.not_retired();
                    }
                    self.steps += 1;
                    if let Some(stop) = Self::take(cpu, sh, &e) {
                        break Some(stop);
                    }
                }
                Leave::Debug => {
                    let hit = sh.debug.hit.take().expect("the debugger stopped");
                    if sh.now >= self.slice_end && matches!(hit, Hit::Break(_)) {
                        break None; // the turn ended first: the stop is the next turn's
                    }
                    sh.debug.stop(i, cpu.pc);
                    break Some(Stop::Debug { cpu: i, hit });
                }
            }
            if cpu.power != Power::On || sh.yielded || sh.sev || !sh.requests.is_empty() {
                break None;
            }
            end = end.min(sh.next_event);
        };
        if sh.now >= cpu.pmu.due() {
            let now = sh.now;
            crate::pmu::settle(cpu, sh, now); // a counter may overflow at the WFI that ends the turn
        }
        cpu.pmu.leave(sh.now);
        self.insns[i] += self.sh.now - begin;
        self.stepped.made = self.sh.now > begin || taken;
        if self.sh.now > begin && self.sh.debug.resuming(i) {
            self.sh.debug.moved(i);
        }
        if std::mem::take(&mut self.sh.sev) {
            for c in &mut self.cpus {
                c.event = true;
            }
        }
        if self.cpus[i].power != Power::On {
            self.sh.yielded = true;
            self.begin_wait(i);
        }
        stop.or_else(|| self.serve(i))
    }

    /// Take an interrupt, if there is one, before the CPU's next instruction. `hold`: leave those pending that the guest would take.
    #[inline]
    fn interrupt(cpu: &mut Pe, sh: &mut Shared, hold: bool) -> Look {
        let lines = sh.gic.lines(cpu.id);
        if lines != Lines::default() || cpu.get(HCR_EL2) & hcr::PENDING != 0 || cpu.serror.is_some()
        {
            if let Some(mut e) = exception::pending(cpu, lines, sh.config.has_el2) {
                if hold && !(sh.config.hosted && e.target == 2) {
                    return Look::Held(e.kind);
                }
                e.intid = if e.target == 2 && e.kind != ExceptionKind::SError {
                    sh.gic.acknowledge_peek(cpu.id)
                } else {
                    None
                };
                e.misr = sh.gic.misr_of(cpu.id, e.intid);
                cpu.off = 0;
                return Look::Taken(Self::take(cpu, sh, &e));
            }
        }
        Look::Nothing
    }

    /// Take an exception. Returns a stop if it is an exit that the host side handles or a catchpoint matches.
    fn take(cpu: &mut Pe, sh: &mut Shared, e: &Exception) -> Option<Stop> {
        let (from, landed, pc) = (cpu.pstate.el, cpu.landed, cpu.pc);
        let target = exception::take(cpu, sh, e);
        cpu.landed = (cpu.pc, sh.now);
        if let Some(check) = &mut sh.check {
            check.synchronized(cpu.id);
        }
        let now = sh.now;
        let often = sh.exits.repeats.taken(cpu, e, from, landed, pc, now);
        let stop = match Self::exit(cpu, sh, e, from, target) {
            Taken::Exit(stop) => stop,
            Taken::Other if sh.exits.others => Self::other(cpu, sh, e, from, target),
            Taken::Other => None,
        };
        // An interrupt that is not routed to EL2 is physical and belongs to EL1.
        let routing = match e.kind {
            ExceptionKind::Sync => None,
            ExceptionKind::Irq => Some(field!(HCR_EL2.IMO)),
            ExceptionKind::Fiq => Some(field!(HCR_EL2.FMO)),
            ExceptionKind::SError => Some(field!(HCR_EL2.AMO)),
        };
        if target == 1 && sh.config.has_el2 && routing.is_some_and(|f| cpu.is_set(f)) {
            let intid = match e.kind {
                ExceptionKind::SError => None,
                _ => sh.gic.virtual_peek(cpu.id),
            };
            let ns = sh.ns(0);
            let hosted = sh.config.hosted;
            sh.exits.virtual_taken(cpu, hosted, e, intid, now, ns);
        }
        match stop {
            None if often && sh.exits.repeats.stops => Some(Stop::Loop { cpu: cpu.id }),
            stop => stop,
        }
    }

    /// Record an exception that has been taken, if it is an exit.
    fn exit(cpu: &mut Pe, sh: &mut Shared, e: &Exception, from: u8, target: u8) -> Taken {
        let tge = cpu.is_set(field!(HCR_EL2.TGE));
        if target != 2 || from == 2 || tge {
            return Taken::Other;
        }
        let word = sh.ram.read(cpu.here_pa(), 4).map(|w| w as u32);
        let (hosted, times) = (sh.config.hosted, (sh.now, sh.ns(0)));
        let mut caught = sh.exits.taken(cpu, word, e, from, hosted, times);
        caught |= sh.exits.wants(cpu.id, false) && Self::sift(cpu, sh, When::Exit);
        Taken::Exit(if sh.config.hosted {
            Some(Stop::Exit {
                cpu: cpu.id,
                caught,
            })
        } else {
            caught.then_some(Stop::Caught {
                cpu: cpu.id,
                entry: false,
            })
        })
    }

    /// Serve the requests of the last instruction that end the turn.
    fn requests(cpu: &mut Pe, sh: &mut Shared) -> Option<Option<Stop>> {
        sh.note_lives(cpu);
        if std::mem::take(&mut sh.exits.calls) && Self::sift(cpu, sh, When::Other) {
            return Some(Some(Stop::Caught {
                cpu: cpu.id,
                entry: false,
            }));
        }
        let entered = Self::note_entry(cpu, sh);
        let caught = entered
            && (sh.exits.catch_entry
                | (sh.exits.wants(cpu.id, true) && Self::sift(cpu, sh, When::Entry)));
        caught.then_some(Some(Stop::Caught {
            cpu: cpu.id,
            entry: true,
        }))
    }

    /// Record whether EL2 has just entered a guest on `cpu`. The VM is found out only for a hypervisor in the machine.
    pub(super) fn note_entry(cpu: &Cpu, sh: &mut Shared) -> bool {
        let entered = std::mem::take(&mut sh.entered);
        if entered {
            let (now, ns) = (sh.now, sh.ns(0));
            let hosted = sh.config.hosted;
            sh.exits.entered(cpu, hosted, now, ns);
        }
        entered
    }

    /// Handle the events of timers and devices that are due.
    pub(super) fn events(&mut self) {
        let ns = self.sh.ns(0);
        for cpu in &mut self.cpus {
            timer::update(cpu, ns, &mut self.sh.gic);
            if cpu.power == Power::Wfe {
                timer::stream_events(cpu, ns);
            }
        }
        let p = &mut self.sh.platform;
        p.bus.events(ns, &mut p.gic);
        p.serve();
        self.sh.next_event = self.next_event(u32::MAX);
    }

    /// The time in ticks of the next event that needs no instruction; `u64::MAX`: never. Of the waiting CPUs only those in `mask`
    /// count.
    fn next_event(&self, mask: u32) -> u64 {
        let ns = self.sh.ns(0);
        let asked = |c: &&Box<Pe>| mask >> c.id & 1 != 0;
        let waits = |c: &&Box<Pe>| asked(c) && matches!(c.power, Power::Wfi | Power::Wfe);
        let wfe = |c: &&Box<Pe>| asked(c) && c.power == Power::Wfe;
        let timers = self.cpus.iter().filter_map(|c| timer::deadline(c, ns));
        let streams = self.cpus.iter().filter(wfe);
        let streams = streams.filter_map(|c| timer::event_deadline(c, ns));
        let outside = timers.chain(streams).chain(self.sh.bus.deadline());
        let delays = self.cpus.iter().filter(wfe).filter_map(|c| c.twed);
        let timeouts = self.cpus.iter().filter(waits).map(|c| c.timeout);
        let own = delays.chain(timeouts).filter(|&t| t > self.sh.now);
        let first = outside.map(|t| self.sh.ticks(t)).chain(own).min();
        first.unwrap_or(u64::MAX)
    }
}
