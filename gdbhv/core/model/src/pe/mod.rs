//! One PE: its architectural state, and what is derived from it or cached for it. Of the latter only the TLB's contents are saved.

pub mod tlb;

use crate::cpu::Cpu;
use crate::mmu::tlb::{Context, Key, Tlb};
use crate::save::{put, take, Save, Unfit};
use crate::selfhosted::Armed;
use std::ops::{Deref, DerefMut};

/// A [`Cpu`] and its caches.
#[repr(C, align(64))]
pub struct Pe {
    /// Architectural state. First: its registers are at the start of the PE, where addressing them is cheapest.
    pub cpu: Cpu,
    /// The translation context in use: owned by `tlb`, replaced when it changes.
    pub ctx: *mut Context,
    /// Virtual time at which its execution returns to the run loop (`exec::interp::execute`).
    pub until: u64,
    /// Whether an FP or SIMD instruction would trap now (CPACR_EL1, CPTR_EL2).
    pub fp_traps: bool,
    /// MXCSR is that of the process: native code that executes has not needed its own yet. True while none executes.
    pub host_mxcsr: bool,
    /// Whether a fine-grained trap may hit now (`sysreg::fgt`).
    pub fgt: bool,
    /// The guest's own breakpoints, watchpoints and software step that are enabled.
    pub armed: Armed,
    /// Cached translations.
    pub tlb: Tlb,
    /// What has been derived for other values of PSTATE (`exec::refresh`).
    pub derived: [Derived; 6],
}

/// What is derived for an Exception level and PSTATE.PAN, while no register is written that it depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Derived {
    /// `Pe::ctx`; null if nothing is known.
    pub ctx: *mut Context,
    /// That of `ctx`, unless the context has been given to another key since.
    pub key: Key,
    /// `Pe::fp_traps`.
    pub fp_traps: bool,
    /// `Pe::fgt`.
    pub fgt: bool,
    /// `Tlb::strict`.
    pub strict: bool,
}

impl Derived {
    /// Nothing is known.
    pub const NOTHING: Derived = Derived {
        ctx: std::ptr::null_mut(),
        key: Key {
            regime: 0,
            vmid: 0,
            asid: 0,
            mode: 0,
        },
        fp_traps: false,
        fgt: false,
        strict: false,
    };
}

// SAFETY: `ctx` and `derived` point to boxes that `tlb` owns; a Pe moves between threads only with its machine.
unsafe impl Send for Pe {}

impl Pe {
    /// A PE after reset at exception level `el`, with zeroed general registers.
    pub fn new(id: usize, el: u8) -> Pe {
        let mut tlb = Tlb::new();
        let ctx = tlb.initial();
        Pe {
            cpu: Cpu::new(id, el),
            ctx,
            fp_traps: true,
            host_mxcsr: true,
            fgt: false,
            armed: Armed::NOTHING,
            tlb,
            until: 0,
            derived: [Derived::NOTHING; 6],
        }
    }
}

impl Deref for Pe {
    type Target = Cpu;
    #[inline(always)]
    fn deref(&self) -> &Cpu {
        &self.cpu
    }
}

impl DerefMut for Pe {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Cpu {
        &mut self.cpu
    }
}

/// Saves the CPU, the contents of its TLB, and which of its contexts is in use. The rest is derived ([`Cpu::changed`]).
impl Save for Pe {
    fn save(&self, to: &mut Vec<u8>) {
        self.cpu.save(to);
        self.tlb.save(to);
        put(to, &(self.tlb.number(self.ctx) as u32));
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.cpu.load(from)?;
        let loaded = self.tlb.load(from);
        // The context that was in use no longer exists, whether or not the load succeeded.
        match self.tlb.numbered(0) {
            Some(ctx) => self.ctx = ctx,
            None => {
                self.tlb = Tlb::new();
                self.ctx = self.tlb.initial();
            }
        }
        loaded?;
        let n = take::<u32>(from)? as usize;
        self.ctx = self
            .tlb
            .numbered(n)
            .ok_or(Unfit(format!("there is no context {n}")))?;
        Ok(())
    }
}
