//! The exits of a machine: their counts, the last ones, and which VM and vCPU they belong to.

use crate::account::{Accounts, Place, Who};
use crate::cpu::{Cpu, MAX_CPUS};
use crate::dev::gic::lives::{Happened, Life};
use crate::dev::gic::MAINTENANCE;
use crate::exit::class_of;
use crate::exit::record::{call, class_number, fill, Record, ASYNC, ENTRY, HVC, SMC};
use crate::mmu::regime;
use crate::raise::Exception;
use crate::reg::names::*;
use crate::repeat::Repeats;
use crate::save::{put, take, Kept, Save, Unfit};
use crate::sieve::{cause_key, Count, Sieve, ENTRY_AFTER, WANTED};
use crate::trace::{Event, Trace, What};
use crate::vms::{At, Vms};
use std::collections::BTreeMap;

/// The immediate of HVC for Xen's hypercalls, whose number is in x16 (Xen's public/arch-arm.h).
const XEN: u32 = 0xea1;

/// The exits of a machine.
#[derive(Default)]
pub struct Exits {
    /// Number of exits.
    pub total: u64,
    /// Counts and durations by place.
    pub accounts: Accounts,
    /// The saved form of `accounts`.
    kept_accounts: Kept,
    /// The last events.
    pub trace: Trace,
    /// Exceptions that CPUs take again and again.
    pub repeats: Repeats,
    /// The last exit of each CPU.
    pub last: Vec<Option<Record>>,
    /// The VMs that have run, if the hypervisor is in the machine.
    pub vms: Vms,
    /// By CPU: the vCPU of its last exit.
    last_vcpu: [Option<At>; MAX_CPUS],
    /// By vCPU: its last exit, if its CPU has taken another one since.
    kept: BTreeMap<At, Box<Record>>,
    /// Ticks of virtual time in which no CPU executed an instruction, as of this turn.
    idle: u64,
    /// Ticks of virtual time in which the CPU of this turn executed no instruction.
    own: u64,
    /// Catchpoints, if there are any.
    pub sieve: Option<Box<Sieve>>,
    /// A bit for each class of exits that some catchpoint wants, and for the entry after each class.
    pub wanted: [u64; WANTED],
    /// By row of the accounts: the key of the controls with which exits of that place match no catchpoint.
    missed: Vec<u64>,
    /// The row of the accounts for the last exit.
    row: u32,
    /// Some catchpoint wants exceptions that are neither exits nor entries.
    pub others: bool,
    /// The exception of the last stop, if it is not an exit.
    pub other: Option<Box<Record>>,
    /// `other` is a call of the firmware that has not been compared with catchpoints yet.
    pub calls: bool,
    /// By CPU: instructions of the hypervisor and nanoseconds between its last exit and the entry after it.
    pub latency: [Option<(u64, u64)>; MAX_CPUS],
    /// Numbers of classes that stop the machine.
    pub catch: Vec<u16>,
    /// Entries stop the machine.
    pub catch_entry: bool,
}

/// What a snapshot in memory keeps besides: what is a debugger's, and of that place in the run.
pub struct Beside {
    /// The last events.
    pub trace: Trace,
    /// What the catchpoints have counted.
    pub counts: Vec<Count>,
}

impl Exits {
    /// Begin a turn at tick `now`, when all CPUs together have executed `insns` instructions and its CPU `own`. (A reset sets virtual
    /// time back to 0, but not the counts of instructions.)
    pub fn begin(&mut self, now: u64, insns: u64, own: u64) {
        self.idle = now.wrapping_sub(insns);
        self.own = now.wrapping_sub(own);
    }
    /// Instructions that all CPUs have executed, at tick `now` of a turn.
    pub fn insns(&self, now: u64) -> u64 {
        now.wrapping_sub(self.idle)
    }

    /// Record `e`, which `cpu` has just taken to EL2 from EL `from`. Returns true if a catchpoint may want it. `word` is the
    /// instruction that
    /// was executing; `now` is the time in ticks and `ns` in nanoseconds. `hosted`: only the host side knows its VM.
    #[inline]
    pub fn taken(
        &mut self,
        cpu: &Cpu,
        word: Option<u32>,
        e: &Exception,
        from: u8,
        hosted: bool,
        (now, ns): (u64, u64),
    ) -> bool {
        let id = cpu.id;
        let (of, who) = if hosted {
            let vmid = regime::vmid(cpu); // the host side gives each VM its number for a VMID
            (None, (vmid, hosted_vcpu(cpu)))
        } else {
            let of = self.vms.exited(id, self.insns(now));
            (of, of.map_or((0, id as u16), |at| (at.number(), at.vcpu)))
        };
        if self.last.len() <= id {
            self.last.resize(id + 1, None);
        }
        if self.last_vcpu[id] != of {
            self.keep(id);
            self.last_vcpu[id] = of;
        }
        self.kept_accounts.forget();
        self.total += 1;
        let r = self.last[id].get_or_insert_default();
        fill(r, cpu, word, ns, e, from);
        (r.seq, r.vm) = (self.total, who.0);
        let insns = now.wrapping_sub(self.own);
        self.row = Self::account((&mut self.accounts, &mut self.trace), r, who, insns);
        self.catch.contains(&r.class)
    }

    #[inline]
    fn account(
        (accounts, trace): (&mut Accounts, &mut Trace),
        r: &Record,
        who: Who,
        insns: u64,
    ) -> u32 {
        let key = r.key();
        let call = match r.class {
            HVC if key == XEN => Some(r.left.x[16] as u32),
            HVC | SMC => Some(r.args[0] as u32),
            _ => None,
        };
        let place = Place {
            kind: (r.vm, r.vmid, r.class, key),
            vcpu: who.1,
            call,
            pc: Some(r.pc),
            page: r.ipa.map(|i| i.0 >> 12),
        };
        let row = accounts.exited(r.cpu, (who, r.nv != 0), place, insns, r.now);
        trace.add(Event {
            what: What::Exit,
            cpu: r.cpu as u8,
            el: r.el,
            who,
            vmid: r.vmid,
            class: r.class,
            key,
            now: r.now,
            insns,
            pc: r.pc,
            value: r
                .ipa
                .map(|i| i.0)
                .or(call.map(u64::from))
                .unwrap_or(Event::NONE),
            cause: r.cause,
        });
        row
    }

    /// Record that EL2 of `cpu` has just entered a lower level, at tick `now` (`ns` in nanoseconds); `hosted`: a vCPU of the host side.
    pub fn entered(&mut self, cpu: &Cpu, hosted: bool, now: u64, ns: u64) {
        let who = if hosted {
            (regime::vmid(cpu), hosted_vcpu(cpu))
        } else {
            let insns = self.insns(now);
            if let Some((at, from)) = self.vms.entered(cpu, insns) {
                if self.last_vcpu[from] == Some(at) {
                    self.keep(from);
                    self.last_vcpu[from] = None;
                }
            }
            self.who(cpu.id)
        };
        let insns = now.wrapping_sub(self.own);
        self.kept_accounts.forget();
        self.latency[cpu.id] = self.accounts.entered(cpu.id, who, insns, ns);
        self.trace.add(Event {
            what: What::Entry,
            cpu: cpu.id as u8,
            el: cpu.pstate.el,
            who,
            vmid: regime::vmid(cpu),
            class: ENTRY,
            key: 0,
            now: ns,
            insns,
            pc: cpu.pc,
            value: Event::NONE,
            cause: &[],
        });
    }

    /// The vCPU that executes on a CPU, if it is one of the machine's hypervisor; else what stands for code outside any VM.
    pub fn who(&self, cpu: usize) -> Who {
        self.vms
            .here(cpu)
            .map_or((0, cpu as u16), |at| (at.number(), at.vcpu))
    }

    /// Record the virtual interrupt `e` that a guest has just taken at EL1, with the INTID that it will acknowledge, if known.
    pub fn virtual_taken(
        &mut self,
        cpu: &Cpu,
        hosted: bool,
        e: &Exception,
        intid: Option<u32>,
        now: u64,
        ns: u64,
    ) {
        let who = match hosted {
            true => (regime::vmid(cpu), hosted_vcpu(cpu)),
            false => self.who(cpu.id),
        };
        self.trace.add(Event {
            what: What::Virtual,
            cpu: cpu.id as u8,
            el: 1,
            who,
            vmid: regime::vmid(cpu),
            class: class_number(e),
            key: intid.unwrap_or(u32::MAX),
            now: ns,
            insns: now.wrapping_sub(self.own),
            pc: cpu.get(ELR_EL1),
            value: Event::NONE,
            cause: e.cause,
        });
    }

    /// Record what has happened to a virtual interrupt in the list registers of `cpu`. When EL2 writes them, it may be for the vCPU that
    /// it enters next or for the one that exited last; which is not known.
    pub fn lived(&mut self, cpu: &Cpu, hosted: bool, life: Life, now: u64, ns: u64) {
        let who = match (cpu.pstate.el, hosted) {
            (2, _) => (0, cpu.id as u16),
            (_, true) => (regime::vmid(cpu), hosted_vcpu(cpu)),
            (_, false) => self.who(cpu.id),
        };
        let intid = match life.happened {
            Happened::Maintenance => MAINTENANCE,
            _ => life.intid,
        };
        self.trace.add(Event {
            what: What::Lived(life.happened),
            cpu: cpu.id as u8,
            el: cpu.pstate.el,
            who,
            vmid: regime::vmid(cpu),
            class: ASYNC,
            key: intid,
            now: ns,
            insns: now.wrapping_sub(self.own),
            pc: cpu.pc,
            value: life.value,
            cause: &[],
        });
    }

    /// Record that gdbhv's hypervisor, on `cpu`, has made an interrupt pending for the vCPU `who`.
    pub fn pended(&mut self, cpu: &Cpu, who: Who, intid: u32, now: u64, ns: u64) {
        self.trace.add(Event {
            what: What::Pended,
            cpu: cpu.id as u8,
            el: cpu.pstate.el,
            who,
            vmid: who.0,
            class: ASYNC,
            key: intid,
            now: ns,
            insns: now.wrapping_sub(self.own),
            pc: cpu.pc,
            value: Event::NONE,
            cause: &[],
        });
    }

    /// Keep the last exit of a CPU for its vCPU, before another exit replaces it.
    #[cold]
    fn keep(&mut self, cpu: usize) {
        if let (Some(at), Some(r)) = (self.last_vcpu[cpu], &self.last[cpu]) {
            self.kept.insert(at, Box::new(r.clone()));
        }
    }

    /// The last exit of a vCPU.
    pub fn last_of(&self, at: At) -> Option<&Record> {
        let v = self.vms.vcpu(at)?;
        if self.last_vcpu[v.cpu] == Some(at) {
            return self.last.get(v.cpu)?.as_ref();
        }
        self.kept.get(&at).map(|r| &**r)
    }

    /// Whether a catchpoint may want the last exit of CPU `id`, which has just been taken (`entry`: the entry after it).
    #[inline]
    pub fn wants(&self, id: usize, entry: bool) -> bool {
        self.last.get(id).and_then(|r| r.as_ref()).is_some_and(|r| {
            let n = (r.class & (ENTRY_AFTER - 1) | ENTRY_AFTER * entry as u16) as usize;
            self.wanted[n / 64] >> (n % 64) & 1 != 0 && (entry || !self.missed(r))
        })
    }
    #[inline]
    fn missed(&self, r: &Record) -> bool {
        self.missed.get(self.row as usize) == Some(&cause_key(r))
    }
    /// Note that no catchpoint wants the last exit, nor any other from the same place by the same controls (key `cause`).
    pub fn miss(&mut self, cause: u64) {
        let row = self.row as usize;
        if self
            .accounts
            .rows
            .get(row)
            .is_some_and(|r| r.place.pc.is_some())
        {
            if self.missed.len() <= row {
                self.missed.resize(row + 1, 0);
            }
            self.missed[row] = cause;
        }
    }
    /// Forget what was counted.
    pub fn clear_accounts(&mut self) {
        self.kept_accounts.forget();
        self.accounts.clear();
        self.missed.clear();
    }

    /// Record that `cpu` calls the firmware with the instruction `word`.
    #[cold]
    pub fn called(&mut self, cpu: &Cpu, word: u32, ns: u64) {
        let mut r = call(cpu, word, ns);
        r.vm = self.who(cpu.id).0;
        self.other = Some(Box::new(r));
        self.calls = true;
    }

    /// Change the catchpoints.
    pub fn with_sieve(&mut self, change: impl FnOnce(&mut Sieve)) {
        let sieve = self.sieve.get_or_insert_default();
        change(sieve);
        self.others = sieve.wants_others();
        self.wanted = sieve.wanted();
        self.missed.clear();
        if sieve.is_empty() {
            self.sieve = None;
        }
    }
    /// What is kept beside a snapshot.
    pub fn beside(&self) -> Beside {
        Beside {
            trace: self.trace.clone(),
            counts: self.counts(),
        }
    }
    /// What the catchpoints have counted.
    pub fn counts(&self) -> Vec<Count> {
        self.sieve.as_ref().map_or(Vec::new(), |s| s.counts())
    }
    /// The snapshot is restored, after so many instructions.
    pub fn restore(&mut self, beside: &Beside, insns: u64) {
        self.trace.restore(&beside.trace);
        if let Some(sieve) = &mut self.sieve {
            sieve.recount(&beside.counts, Some(insns));
        }
    }

    /// Forget which VMs have run, at a reset. Counts stay.
    pub fn forget_guests(&mut self) {
        self.last.clear();
        self.other = None;
        self.vms = Vms::default();
        self.last_vcpu = Default::default();
        self.kept.clear();
        self.kept_accounts.forget();
        self.accounts.forget_guests();
        self.trace.clear();
        self.repeats.forget();
    }
}

/// Saves the counts, the records, and the VMs that have run; not the catchpoints.
impl Save for Exits {
    fn save(&self, to: &mut Vec<u8>) {
        put(to, &self.total);
        self.kept_accounts.save(to, |to| put(to, &self.accounts));
        put(to, &self.last);
        put(to, &(&self.vms, self.last_vcpu));
        put(to, &self.kept);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.total = take(from)?;
        self.missed.clear();
        if let Some(own) = self.kept_accounts.load(from)? {
            let mut rest = own;
            self.accounts = take(&mut rest)?;
            if !self.accounts.complete() {
                return Err(Unfit(
                    "damaged: more kinds of exits than are counted".into(),
                ));
            }
            self.kept_accounts.is(own, rest)?;
        }
        self.trace.clear();
        self.repeats.forget();
        self.last = take(from)?;
        (self.vms, self.last_vcpu) = take(from)?;
        self.kept = take(from)?;
        let places = self.last_vcpu.iter().flatten().chain(self.kept.keys());
        if !self.vms.sound() || !places.copied().all(|at| self.vms.vcpu(at).is_some()) {
            return Err(Unfit("damaged: it names a vCPU that there is not".into()));
        }
        match self
            .last
            .iter()
            .flatten()
            .chain(self.kept.values().map(|r| &**r))
            .find(|r| class_of(r.class).number != r.class)
        {
            Some(r) => Err(Unfit(format!("damaged: no exit has class {:#x}", r.class))),
            None => Ok(()),
        }
    }
}

/// The number in its VM of a vCPU of the host side, from VMPIDR_EL2 as the host side sets it.
pub fn hosted_vcpu(cpu: &Cpu) -> u16 {
    cpu.get(VMPIDR_EL2) as u16
}
