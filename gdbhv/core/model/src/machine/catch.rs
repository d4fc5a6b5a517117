//! Comparison of exits, entries and other exceptions with the catchpoints, and access to the guest state that their conditions read.

use super::{Machine, Stop};
use crate::cpu::Cpu;
use crate::exit::record::{class_number, other};
use crate::exit::{EL1, EL2, HOST, SPAN, VIRTUAL};
use crate::halt;
use crate::mmu::regime::{self, Regime};
use crate::mmu::walk;
use crate::pe::Pe;
use crate::physical::ReadOnly;
use crate::raise::{Exception, ExceptionKind};
use crate::reg::field;
use crate::reg::names::*;
use crate::reg::Reg;
use crate::shared::Shared;
use crate::sieve::condition::{Eye, Place};
use crate::sieve::{cause_key, Event};
use crate::sysreg;

/// A CPU that has just left a guest or is about to enter one.
struct Looker<'a> {
    cpu: &'a Cpu,
    sh: &'a mut Shared,
    /// Exception level of the code that the condition is about.
    el: u8,
    spsr: u64,
}

impl Eye for Looker<'_> {
    fn x(&self, n: u8) -> u64 {
        self.cpu.x[n as usize]
    }
    fn sp(&self) -> u64 {
        let own = self.el != 0 && self.spsr & 1 != 0; // M[0]: SP_ELx
        let which = if own { self.el } else { 0 };
        match self.cpu.pstate.el == which && self.cpu.pstate.sp == own as u8 {
            true => self.cpu.x[31],
            false => self.cpu.sp[which as usize],
        }
    }
    fn system(&mut self, r: Reg) -> Option<u64> {
        sysreg::access::debug_read(self.cpu, self.sh, r).ok()
    }
    fn load(&self, space: Place, address: u64, bytes: u8) -> Option<u64> {
        halt::load(self.sh, bytes, address, |sh, at| match space {
            Place::Pa => Some(at),
            Place::Va => halt::virtual_address(self.cpu, sh, self.el, at),
            Place::Ipa => {
                let regime = Regime::of(self.cpu, regime::kind(self.cpu, self.el));
                let tables = &mut ReadOnly(&sh.ram);
                match walk::translate_ipa(&regime, tables, &mut (), at, halt::looking(self.el)) {
                    None => Some(at),
                    Some(found) => found.ok().map(|t| t.pa),
                }
            }
        })
    }
}

/// Which event of a CPU is compared.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum When {
    Exit,
    Entry,
    Other,
}

impl Machine {
    /// Whether a catchpoint matches what has just happened on a CPU.
    pub(super) fn sift(cpu: &Cpu, sh: &mut Shared, when: When) -> bool {
        let exits = &mut sh.exits;
        let Some(sieve) = exits.sieve.as_mut() else {
            return false;
        };
        let record = match when {
            When::Other => exits.other.as_deref(),
            _ => exits.last.get(cpu.id).and_then(|r| r.as_ref()),
        };
        let Some(record) = record else { return false };
        let entry = (when == When::Entry).then_some(exits.latency[cpu.id]);
        let event = Event { record, entry };
        if !sieve.sift(&event) {
            if when == When::Exit && sieve.misses_place(&event) {
                let cause = cause_key(record);
                exits.miss(cause);
            }
            return false;
        }
        if when != When::Other {
            exits.other = None;
        }
        Self::judge(cpu, sh, when)
    }

    /// Evaluate the catchpoints that may match.
    fn judge(cpu: &Cpu, sh: &mut Shared, when: When) -> bool {
        let Some(mut sieve) = sh.exits.sieve.take() else {
            return false;
        };
        let record = match when {
            When::Other => sh.exits.other.as_deref().cloned(),
            _ => sh.exits.last.get(cpu.id).cloned().flatten(),
        };
        let wanted = record.is_some_and(|record| {
            let entry = (when == When::Entry).then_some(sh.exits.latency[cpu.id]);
            let (el, spsr) = (record.el, record.spsr);
            let eye = &mut Looker { cpu, sh, el, spsr };
            sieve.judge(
                &Event {
                    record: &record,
                    entry,
                },
                eye,
            )
        });
        sh.exits.sieve = Some(sieve);
        wanted
    }

    /// Hosted: whether a catchpoint matches the entry after the last exit of CPU `i`.
    pub fn sift_entry(&mut self, i: usize) -> bool {
        self.sh.exits.latency[i] = None;
        self.sh.exits.wants(i, true) && Self::sift(&self.cpus[i], &mut self.sh, When::Entry)
    }

    /// Remember which catchpoints match the name of the event that CPU `i` has stopped for. Returns whether any is hit.
    pub fn learn(&mut self, i: usize, entry: bool, rows: &[u32]) -> bool {
        let exits = &mut self.sh.exits;
        let when = match (entry, exits.other.is_some()) {
            (true, _) => When::Entry,
            (false, true) => When::Other,
            (false, false) => When::Exit,
        };
        let record = match when {
            When::Other => exits.other.as_deref(),
            _ => exits.last.get(i).and_then(|r| r.as_ref()),
        };
        if let (Some(record), Some(sieve)) = (record, exits.sieve.as_mut()) {
            let entry = (when == When::Entry).then_some(exits.latency[i]);
            sieve.learn(&Event { record, entry }, rows);
        }
        Self::sift(&self.cpus[i], &mut self.sh, when)
    }

    /// Compare an exception that is not an exit with the catchpoints.
    #[cold]
    pub(super) fn other(
        cpu: &Pe,
        sh: &mut Shared,
        e: &Exception,
        from: u8,
        target: u8,
    ) -> Option<Stop> {
        let hcr = if sh.config.has_el2 {
            cpu.get(HCR_EL2)
        } else {
            0
        };
        let origin = match (from, target) {
            (_, 1) => match e.kind {
                ExceptionKind::Irq if field!(HCR_EL2.IMO).is_set(hcr) => VIRTUAL,
                ExceptionKind::Fiq if field!(HCR_EL2.FMO).is_set(hcr) => VIRTUAL,
                ExceptionKind::SError if field!(HCR_EL2.AMO).is_set(hcr) => VIRTUAL,
                _ => EL1,
            },
            (2, _) => EL2,
            _ => HOST,
        };
        let number = class_number(e) + origin * SPAN;
        if !sh.exits.sieve.as_ref().is_some_and(|s| s.wants(number)) {
            return None;
        }
        let word = sh.ram.read(cpu.here_pa(), 4).map(|w| w as u32);
        let intid = match (origin, e.kind) {
            (VIRTUAL, ExceptionKind::Irq | ExceptionKind::Fiq) => sh.gic.virtual_peek(cpu.id),
            _ => e.intid,
        };
        let mut r = other(cpu, word, sh.ns(0), e, (origin, from, target));
        r.intid = intid;
        // With TGE the routing bits count as set, and it takes what else would go to EL1 (D24.2.63 HCR_EL2).
        let routed = e.kind != ExceptionKind::Sync || (origin == HOST && r.cause.is_empty());
        if target == 2 && routed && field!(HCR_EL2.TGE).is_set(hcr) {
            r.cause = &["HCR_EL2.TGE"];
        }
        r.vm = if sh.config.hosted {
            r.vmid
        } else {
            sh.exits.who(cpu.id).0
        };
        sh.exits.other = Some(Box::new(r));
        Self::sift(cpu, sh, When::Other).then_some(Stop::Caught {
            cpu: cpu.id,
            entry: false,
        })
    }
}
