//! Detection of an exception that is taken at the same place again and again with no instruction in between: a vector that faults, an
//! abort whose cause stays, an interrupt that is never cleared.

use crate::cpu::{Cpu, MAX_CPUS};
use crate::raise::{Exception, ExceptionKind};

/// Number of times in a row from which it counts as a loop.
pub const TOO_OFTEN: u64 = 1000;

/// Most instructions since the last exception that still count as none: an instruction that faults is counted.
const NONE: u64 = 2;

/// An exception that is taken again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeated {
    /// CPU.
    pub cpu: usize,
    /// Exception level that it comes from.
    pub el: u8,
    /// Exception level that takes it.
    pub target: u8,
    /// PC at which it is taken.
    pub pc: u64,
    /// Address of the vector.
    pub vector: u64,
    /// The exception.
    pub kind: u8,
    /// Its syndrome: EC, IL and ISS.
    pub esr: u64,
    /// FAR, if it has one.
    pub far: Option<u64>,
    /// IPA, if it is a fault of stage 2.
    pub ipa: Option<u64>,
    /// INTID, if known.
    pub intid: Option<u32>,
    /// Controls that send it to EL2.
    pub cause: &'static [&'static str],
    /// Number of times in a row.
    pub count: u64,
}

impl Repeated {
    fn same(&self, e: &Exception, pc: u64, target: u8) -> bool {
        self.pc == pc
            && self.target == target
            && self.kind == number(e.kind)
            && self.esr == syndrome(e)
            && self.far == e.far
    }
}

/// The last exceptions of each CPU, by the level that they were taken from.
#[derive(Default)]
pub struct Repeats {
    last: [[Repeated; 3]; MAX_CPUS],
    /// The one that has just reached [`TOO_OFTEN`].
    pub found: Option<Repeated>,
    /// Stop the machine in that case: set by a user that handles such stops.
    pub stops: bool,
}

impl Repeats {
    /// Note that `cpu` has just taken `e` from EL `from`, at tick `now`; it had been at `pc` since tick `landed`. Returns true if the count
    /// has reached [`TOO_OFTEN`].
    #[inline]
    pub fn taken(
        &mut self,
        cpu: &Cpu,
        e: &Exception,
        from: u8,
        landed: (u64, u64),
        pc: u64,
        now: u64,
    ) -> bool {
        let (at, since) = landed;
        let last = &mut self.last[cpu.id][from as usize];
        if at != pc {
            last.count = 0;
            return false;
        }
        let stands = !e.next && now.saturating_sub(since) <= NONE;
        if !stands || last.count == 0 || !last.same(e, pc, cpu.pstate.el) {
            Self::first(last, cpu, e, from, pc);
            return false;
        }
        last.count += 1;
        if last.count == TOO_OFTEN {
            self.found = Some(last.clone());
            return true;
        }
        false
    }

    fn first(last: &mut Repeated, cpu: &Cpu, e: &Exception, from: u8, pc: u64) {
        *last = Repeated {
            cpu: cpu.id,
            el: from,
            target: cpu.pstate.el,
            pc,
            vector: cpu.pc,
            kind: number(e.kind),
            esr: syndrome(e),
            far: e.far,
            ipa: e.ipa.map(|i| i.0),
            intid: e.intid,
            cause: e.cause,
            count: 1,
        };
    }

    /// The exceptions that `cpu` keeps taking, at least [`TOO_OFTEN`] times so far.
    pub fn often(&self, cpu: usize) -> impl Iterator<Item = &Repeated> {
        self.last[cpu].iter().filter(|r| r.count >= TOO_OFTEN)
    }

    /// Forget all, after the machine's state was replaced.
    pub fn forget(&mut self) {
        *self = Repeats {
            stops: self.stops,
            ..Repeats::default()
        };
    }
}

fn number(kind: ExceptionKind) -> u8 {
    match kind {
        ExceptionKind::Sync => 0,
        ExceptionKind::Irq => 1,
        ExceptionKind::Fiq => 2,
        ExceptionKind::SError => 3,
    }
}

fn syndrome(e: &Exception) -> u64 {
    (e.ec as u64) << 26 | (e.il as u64) << 25 | e.iss as u64
}
