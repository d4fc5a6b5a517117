//! The machine: CPUs in turns on one thread, virtual time, interrupts, and [`Machine::run`] up to a [`Stop`].
//!
//! Deterministic by construction. CPUs take turns in quanta of [`QUANTUM`] instructions, cut short by WFI, WFE that waits and YIELD.
//! Interrupts are looked at only at points that the instruction stream defines: at a deadline of the timers and devices (exact in
//! virtual time), after an instruction that asked for it, and when a CPU's turn begins. So neither block boundaries nor the
//! debugger's stops change what the guest sees. (With [`crate::chaos`] a seed decides what turns are.) A step ([`step`]) is a run that
//! stops sooner: it changes no turn.

mod answer;
mod catch;
mod checks;
mod disturb;
mod firmware;
mod outside;
mod place;
mod reset;
mod snapshot;
mod step;
pub mod traps;
pub mod trial;
mod turns;

pub use place::{Pause, Place};
pub use step::Step;

use crate::board;
use crate::chaos::Chaos;
use crate::config::Config;
use crate::cores;
use crate::cpu::MAX_CPUS;
use crate::dev::gic::Version;
use crate::exec::code::Code;
use crate::mem::ram::Ram;
use crate::pe::Pe;
use crate::raise::ExceptionKind;
use crate::shared::Shared;
use crate::stops::Hit;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// Most RAM: what the address map has room for.
pub const MAX_MEMORY: u64 = 255 << 30;

/// Instructions in one turn of a CPU.
pub const QUANTUM: u64 = 10_000;

/// Why [`Machine::run`] returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Virtual time or the instruction count has reached the given limit.
    Budget,
    /// [`Machine::interrupter`] was set.
    Interrupted,
    /// Hosted: this CPU has exited from its guest; EL2's registers say why.
    Exit {
        /// CPU.
        cpu: usize,
        /// A catchpoint wants the class of this exit.
        caught: bool,
    },
    /// An exit (bare: the CPU is at EL2's vector), an entry, or another exception that a catchpoint wants.
    Caught {
        /// CPU.
        cpu: usize,
        /// An entry and not an exit.
        entry: bool,
    },
    /// Hosted: an interrupt is pending for a CPU on which the host side runs nothing.
    Wake {
        /// CPU.
        cpu: usize,
    },
    /// The debugger stops before an instruction.
    Debug {
        /// CPU.
        cpu: usize,
        /// Breakpoint or watchpoint.
        hit: Hit,
    },
    /// A [`Step`] is complete.
    Step {
        /// CPU.
        cpu: usize,
        /// An interrupt that it would have taken meanwhile without [`Step::hold`].
        held: Option<ExceptionKind>,
    },
    /// The CPU takes the same exception again and again ([`crate::repeat`]). Reported once.
    Loop {
        /// CPU.
        cpu: usize,
    },
    /// PSCI SYSTEM_OFF.
    PowerOff {
        /// CPU that asked.
        cpu: usize,
    },
    /// PSCI SYSTEM_RESET.
    Reset {
        /// CPU that asked.
        cpu: usize,
    },
    /// This CPU has executed a semihosting call.
    Semihosting {
        /// CPU.
        cpu: usize,
    },
    /// Every CPU waits or is off, and no event will ever wake one.
    Stuck,
    /// Every CPU waits or is off until virtual time `next` (`u64::MAX`: for ever), which is behind [`Machine::idle_limit`].
    Idle {
        /// Time of the next event in ticks.
        next: u64,
    },
    /// [`Machine::pause`] is reached, or it is an exact place that was missed.
    Pause,
}

/// A machine.
pub struct Machine {
    /// The CPUs. Boxed: their contexts point into themselves.
    pub cpus: Vec<Box<Pe>>,
    /// What the CPUs share.
    pub sh: Shared,
    /// Decoded code.
    pub code: Code,
    /// The CPU whose turn it is, or was last.
    pub current: usize,
    slice_end: u64,
    /// The CPU that executed last, for the exclusive monitors.
    executed: usize,
    interrupt: Arc<AtomicBool>,
    /// How far virtual time may jump while every CPU waits; `u64::MAX`: no limit.
    pub idle_limit: u64,
    /// A step ended just before the current CPU would have looked for interrupts; its turn continues until it has.
    midway: bool,
    stepped: step::Made,
    /// Instructions executed by each CPU.
    pub insns: [u64; MAX_CPUS],
    /// What a seed decides of what the architecture leaves open.
    chaos: Option<Chaos>,
    /// Number of turns begun, exceptions taken and wake-ups reported: distinguishes places at the same instruction.
    steps: u64,
    /// Another place to stop at.
    pub pause: Option<Pause>,
    /// Snapshots without their RAM, by their number in RAM's history.
    snapshots: BTreeMap<u32, snapshot::Kept>,
}

// SAFETY: the raw pointers in CPUs (contexts, jump caches) and blocks point to boxes that the same machine owns, so they move with it.
unsafe impl Send for Machine {}
// SAFETY: nothing is changed through `&Machine`.
unsafe impl Sync for Machine {}

impl Machine {
    /// Make a machine with `cpus` CPUs, all off but the first, which starts at EL2 (EL1 without EL2).
    pub fn new(mut sh: Shared, cpus: usize) -> Machine {
        assert!((1..=MAX_CPUS).contains(&cpus));
        Machine {
            cpus: reset::cpus(&mut sh, cpus),
            code: Code::new(&sh.ram, sh.config.features, cpus),
            sh,
            current: 0,
            slice_end: 0,
            executed: 0,
            interrupt: Arc::new(AtomicBool::new(false)),
            idle_limit: u64::MAX,
            midway: false,
            stepped: step::Made::default(),
            insns: [0; MAX_CPUS],
            chaos: None,
            steps: 0,
            pause: None,
            snapshots: BTreeMap::new(),
        }
    }

    /// Make a machine with the board's devices, `memory` bytes of RAM and CPUs of `profile`.
    ///
    /// # Errors
    /// A sentence: what is out of range, and what is allowed.
    pub fn build(
        cpus: usize,
        memory: u64,
        profile: &str,
        hosted: bool,
        has_el2: bool,
        gic: u32,
    ) -> Result<Machine, String> {
        if !(1..=MAX_CPUS).contains(&cpus) {
            return Err(format!("{cpus} CPUs: a machine has 1 to {MAX_CPUS}"));
        }
        if memory == 0 || !memory.is_multiple_of(4096) || memory > MAX_MEMORY {
            return Err(format!(
                "{memory:#x} bytes of RAM: whole 4 KiB pages, at most {} GiB",
                MAX_MEMORY >> 30
            ));
        }
        // RAM and the block cache's index of its pages are touched lazily, but the host may refuse their size: ask before it aborts.
        let size = usize::try_from(memory + memory / 64).unwrap_or(usize::MAX);
        if Vec::<u8>::new().try_reserve_exact(size).is_err() {
            return Err(format!(
                "{} MiB of RAM are more than this computer can give",
                memory >> 20
            ));
        }
        if hosted && !has_el2 {
            return Err("a hosted machine needs EL2".into());
        }
        let gic = match gic {
            2 if hosted => {
                return Err("a hosted machine has a GICv3: GICv2 is for bare ones".into())
            }
            2 => Version::V2,
            3 => Version::V3,
            n => return Err(format!("GIC version {n}: 2 or 3")),
        };
        let Some(p) = cores::profile(profile) else {
            let known: Vec<_> = cores::PROFILES.iter().map(|p| p.name).collect();
            return Err(format!(
                "no CPU profile is called {profile:?}; there are {}",
                known.join(", ")
            ));
        };
        let config = Config {
            has_el2,
            hosted,
            features: p.features,
            core: &p.core,
        };
        let mut sh = Shared::new(config, board::RAM_BASE, memory);
        if !hosted {
            sh.ram = Ram::with_flash(board::RAM_BASE, memory);
        }
        sh.tlb_queue.truncate(cpus);
        sh.tlb_notes.truncate(cpus);
        (sh.bus, sh.gic) = reset::board(&config, cpus, gic).map_err(|e| e.to_string())?;
        if gic == Version::V2 {
            sh.registers.without_gic();
        }
        Ok(Machine::new(sh, cpus))
    }

    /// Set the duration of an instruction, on a machine that has not run yet.
    ///
    /// # Errors
    /// A sentence: it is not 1 to 1000.
    pub fn set_speed(&mut self, ns_per_insn: u64) -> Result<(), String> {
        if !(1..=1000).contains(&ns_per_insn) {
            return Err(format!(
                "{ns_per_insn} ns for each instruction: 1 to 1000 are possible"
            ));
        }
        self.sh.ns_per_insn = ns_per_insn;
        Ok(())
    }

    /// A flag that stops [`Machine::run`] within a quantum when any thread sets it.
    pub fn interrupter(&self) -> Arc<AtomicBool> {
        self.interrupt.clone()
    }
}
