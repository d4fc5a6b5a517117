//! What the PEs of a machine share: the [`Platform`], and above it exits, what the debugger wants, and translations to be forgotten.

use crate::config::Config;
use crate::cpu::{Cpu, MAX_CPUS};
use crate::exit::Exits;
use crate::platform::Platform;
use crate::stops::Debug;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

/// A word that no row claims, the first time it is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndefinedNote {
    /// Its address.
    pub pc: u64,
    /// The word.
    pub insn: u32,
}

/// Everything but the PEs.
pub struct Shared {
    /// RAM, devices, time, power.
    pub platform: Platform,
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
            platform: Platform::new(config, base, size),
            debug: Debug::default(),
            exits: Exits::default(),
            tlb_queue: vec![Vec::new(); MAX_CPUS],
            undefined: HashMap::new(),
            undefined_new: Vec::new(),
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
