//! What the PEs of a machine share: RAM, devices, time, exits, and what the debugger wants.

use crate::bus::Bus;
use crate::config::Config;
use crate::cpu::{Cpu, MAX_CPUS};
use crate::dev::gic::Gic;
use crate::exit::Exits;
use crate::mem::ram::Ram;
use crate::profile::Registers;
use crate::stops::Debug;
use std::collections::HashMap;

/// A word that no row claims, the first time it is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndefinedNote {
    /// Its address.
    pub pc: u64,
    /// The word.
    pub insn: u32,
}

/// What the firmware (PSCI) asks of the machine; served after the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Start a CPU that is off.
    CpuOn {
        /// Its index.
        cpu: usize,
        /// Where.
        entry: u64,
        /// Its x0.
        context: u64,
        /// At which exception level.
        el: u8,
    },
    /// The calling CPU goes off.
    CpuOff,
    /// The calling CPU waits as in WFI.
    Suspend,
    /// The machine goes off.
    SystemOff,
    /// The machine resets.
    SystemReset,
}

/// Everything but the PEs.
pub struct Shared {
    /// What kind of machine.
    pub config: Config,
    /// Which system registers there are, and what of them can be written.
    pub registers: Registers,
    /// Guest RAM.
    pub ram: Ram,
    /// The address map outside RAM.
    pub bus: Bus,
    /// The interrupt controller.
    pub gic: Gic,
    /// Virtual time in ticks, of which an instruction takes one: those executed and those idled, at the start of the block that
    /// executes. What is not the CPU's (timers, devices, users) counts nanoseconds: [`Shared::ns`], [`Shared::ticks`].
    pub now: u64,
    /// Nanoseconds of a tick.
    pub ns_per_insn: u64,
    /// Set by an access whose effects the dispatcher must look at after the instruction (an interrupt line, code written).
    pub leave: bool,
    /// YIELD, or a WFE that waits: the quantum ends.
    pub yielded: bool,
    /// SEV: every PE's event register is to be set.
    pub sev: bool,
    /// An exception return from EL2 to EL1 or EL0 with TGE = 0 has just happened.
    pub entered: bool,
    /// Virtual time (in ticks) of the next event of a timer or device; whoever changes one of them lowers it (or sets it to 0 to have it
    /// recomputed) and sets `leave`.
    pub next_event: u64,
    /// Posted by PSCI.
    pub requests: Vec<Request>,
    /// Which CPUs PSCI has on.
    pub cpu_on: [bool; MAX_CPUS],
    /// Breakpoints, watchpoints, and why the debugger stopped.
    pub debug: Debug,
    /// Exceptions to EL2: recorded, counted, caught.
    pub exits: Exits,
    /// By CPU: what its cached translations must follow before it next executes (`tlb::drain`).
    pub tlb_queue: Vec<Vec<crate::mmu::op::Op>>,
    /// Words without a row, each once.
    pub undefined: HashMap<u32, u64>,
    /// Those of them that the user has not been told of.
    pub undefined_new: Vec<UndefinedNote>,
}

/// Most distinct undefined words that are remembered; a guest that executes data must not eat memory.
const UNDEFINED_MAX: usize = 1000;

impl Shared {
    /// RAM of `size` bytes at `base` and an interrupt controller for one CPU; the board does the rest.
    pub fn new(config: Config, base: u64, size: u64) -> Shared {
        Shared {
            config,
            registers: Registers::new(&config),
            ram: Ram::new(base, size),
            bus: Bus::default(),
            gic: Gic::new(1),
            now: 0,
            ns_per_insn: 1,
            leave: false,
            yielded: false,
            sev: false,
            entered: false,
            next_event: 0,
            requests: Vec::new(),
            cpu_on: [false; MAX_CPUS],
            debug: Debug::default(),
            exits: Exits::default(),
            tlb_queue: vec![Vec::new(); MAX_CPUS],
            undefined: HashMap::new(),
            undefined_new: Vec::new(),
        }
    }
    /// Virtual time in nanoseconds, at instruction `off` of the block that executes.
    pub fn ns(&self, off: u16) -> u64 {
        (self.now + off as u64).saturating_mul(self.ns_per_insn)
    }
    /// The first tick at which it is `ns` nanoseconds or later.
    pub fn ticks(&self, ns: u64) -> u64 {
        ns.div_ceil(self.ns_per_insn)
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
