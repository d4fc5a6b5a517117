//! What the PEs of a machine share: the [`Platform`], exits, the debugger's breakpoints and watchpoints, and TLB operations in flight.

use crate::config::Config;
use crate::cpu::{Cpu, MAX_CPUS};
use crate::exits::Exits;
use crate::mmu::op::{Note, Op};
use crate::platform::Platform;
use crate::save::{put, put_part, take, take_part, Save, Unfit};
use crate::stops::Debug;
use crate::tlbcheck::TlbCheck;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

/// An instruction word without a row, when it is first executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndefinedNote {
    /// Its address.
    pub pc: u64,
    /// The word.
    pub insn: u32,
}

/// The state of a machine except its PEs.
pub struct Shared {
    /// RAM, devices, time, power.
    pub platform: Platform,
    /// Breakpoints, watchpoints, and the reason of the debugger's last stop.
    pub debug: Debug,
    /// Exceptions to EL2: records, counts, catchpoints.
    pub exits: Exits,
    /// By CPU: TLB operations of other CPUs that it must apply before it next executes (`pe::tlb::drain`).
    pub tlb_queue: Vec<Vec<Op>>,
    /// By CPU: notes of other CPUs that it must apply likewise.
    pub tlb_notes: Vec<Vec<Note>>,
    /// The TLB checker, if it is on.
    pub check: Option<Box<TlbCheck>>,
    /// Words without a row that were executed.
    pub undefined: HashMap<u32, u64>,
    /// Those that have not been reported to the user yet.
    pub undefined_new: Vec<UndefinedNote>,
}

/// Most distinct undefined words that are remembered, so that a guest that executes data does not use up memory.
const UNDEFINED_MAX: usize = 1000;

impl Shared {
    /// Make the shared state with RAM of `size` bytes at `base` and an interrupt controller for one CPU; the board adds the rest.
    pub fn new(config: Config, base: u64, size: u64) -> Shared {
        Shared {
            platform: Platform::new(config, base, size),
            debug: Debug::default(),
            exits: Exits::default(),
            tlb_queue: vec![Vec::new(); MAX_CPUS],
            tlb_notes: vec![Vec::new(); MAX_CPUS],
            check: None,
            undefined: HashMap::new(),
            undefined_new: Vec::new(),
        }
    }
    /// Trace the changes of virtual interrupts of `cpu`.
    #[inline]
    pub fn note_lives(&mut self, cpu: &Cpu) {
        if self.gic.lives.any() {
            self.trace_lives(cpu);
        }
    }
    fn trace_lives(&mut self, cpu: &Cpu) {
        let (hosted, now, ns) = (self.config.hosted, self.now, self.ns(0));
        let Shared {
            platform, exits, ..
        } = self;
        for life in platform.gic.lives.take() {
            exits.lived(cpu, hosted, life, now, ns);
        }
    }
    /// Remember an encoding that is not implemented, for the user. UDF (C6.2.459) is undefined on purpose.
    pub fn note_undefined(&mut self, cpu: &Cpu, insn: u32) {
        if insn >> 16 == 0 || self.undefined.len() >= UNDEFINED_MAX {
            return;
        }
        let count = self.undefined.entry(insn).or_insert(0);
        *count += 1;
        if *count == 1 {
            self.undefined_new.push(UndefinedNote {
                pc: cpu.here(),
                insn,
            });
        }
    }
}

/// Saves the platform, exits, and TLB operations in flight; not breakpoints and watchpoints, nor words without a row.
impl Save for Shared {
    fn save(&self, to: &mut Vec<u8>) {
        self.platform.save(to);
        put_part(to, "exits", &self.exits);
        put(to, &self.tlb_queue);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.platform.load(from)?;
        take_part(from, "exits", &mut self.exits)?;
        let queue: Vec<Vec<Op>> = take(from)?;
        if queue.len() != self.tlb_queue.len() {
            return Err(Unfit(format!("operations wait for {} TLBs", queue.len())));
        }
        self.tlb_queue = queue;
        self.tlb_notes.iter_mut().for_each(Vec::clear);
        self.debug.forget_stops();
        Ok(())
    }
}

impl Deref for Shared {
    type Target = Platform;
    #[inline(always)]
    fn deref(&self) -> &Platform {
        &self.platform
    }
}

impl DerefMut for Shared {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Platform {
        &mut self.platform
    }
}
