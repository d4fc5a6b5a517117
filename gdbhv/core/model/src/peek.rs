//! Translation and memory for debuggers: the guest's own walker, without any effect on the guest. Permissions, access flags and
//! alignment do not matter for reading and writing; devices are never touched.

use crate::cpu::Cpu;
use crate::mmu::fault::{Fault, Purpose};
use crate::mmu::regime::{self, Kind, Mode, Regime};
use crate::mmu::walk::{self, Access, Step, Translation};
use crate::physical::ReadOnly;
use crate::shared::Shared;

const PAGE_BYTES: u64 = 4096;

/// A translation with every descriptor that it read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// What the system registers say.
    pub regime: Regime,
    /// In order.
    pub steps: Vec<Step>,
    /// Where the address goes, or the fault that an access would take.
    pub result: Result<Translation, Fault>,
}

/// Translate `va` as an access of exception level `el` now: with PSTATE.PAN if `el` is the PE's own level.
pub fn explain(cpu: &Cpu, sh: &Shared, va: u64, purpose: Purpose, el: u8) -> Walk {
    let kind = regime::kind(cpu, el);
    let pan = el == cpu.pstate.el && Mode::of(cpu, kind) == Mode::Pan;
    let write = matches!(purpose, Purpose::Write | Purpose::ReadWrite);
    let a = Access::new(purpose, write, el == 0, pan);
    let regime = Regime::of(cpu, kind);
    let mut steps = Vec::new();
    let result = walk::translate(&regime, &mut ReadOnly(&sh.ram), &mut steps, va, a);
    Walk {
        regime,
        steps,
        result,
    }
}

/// Translate an IPA by stage 2 as an access from EL1. None: stage 2 is off.
pub fn explain_ipa(cpu: &Cpu, sh: &Shared, ipa: u64, purpose: Purpose) -> Option<Walk> {
    let write = matches!(purpose, Purpose::Write | Purpose::ReadWrite);
    let a = Access::new(purpose, write, false, false);
    let regime = Regime::of(cpu, Kind::El10);
    let mut steps = Vec::new();
    let result = walk::translate_ipa(&regime, &mut ReadOnly(&sh.ram), &mut steps, ipa, a)?;
    Some(Walk {
        regime,
        steps,
        result,
    })
}

/// What an address of a debugger means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// A virtual address as this exception level sees it.
    Va(u8),
    /// An intermediate physical address of EL1&0; the same as a physical one if stage 2 is off.
    Ipa,
    /// A physical address.
    Pa,
}

/// The physical address of `address`, or the fault of its translation (never one of permission).
pub fn physical(cpu: &Cpu, sh: &Shared, space: Space, address: u64) -> Result<u64, Fault> {
    let a = Access {
        checked: false,
        ..Access::new(Purpose::Read, false, false, false)
    };
    let mut tables = ReadOnly(&sh.ram);
    match space {
        Space::Pa => Ok(address),
        Space::Va(el) => {
            let r = Regime::of(cpu, regime::kind(cpu, el));
            walk::translate(&r, &mut tables, &mut (), address, a).map(|t| t.pa)
        }
        Space::Ipa => {
            let r = Regime::of(cpu, Kind::El10);
            match walk::translate_ipa(&r, &mut tables, &mut (), address, a) {
                None => Ok(address),
                Some(t) => t.map(|t| t.pa),
            }
        }
    }
}

/// Read memory; returns how many bytes from the start are RAM that is mapped.
pub fn read(cpu: &Cpu, sh: &Shared, space: Space, address: u64, to: &mut [u8]) -> usize {
    let mut done = 0;
    for (at, len) in pages(address, to.len()) {
        let bytes = physical(cpu, sh, space, at)
            .ok()
            .and_then(|pa| sh.ram.get(pa, len as u64));
        let Some(bytes) = bytes else { break };
        to[done..done + len].copy_from_slice(bytes);
        done += len;
    }
    done
}

/// Write memory, read-only for the guest or not; returns how many bytes from the start are RAM that is mapped: only those are written.
/// What was decoded from them is forgotten. Cached translations are not: a debugger that edits a table sees what the guest would.
pub fn write(cpu: &Cpu, sh: &mut Shared, space: Space, address: u64, from: &[u8]) -> usize {
    let mut done = 0;
    for (at, len) in pages(address, from.len()) {
        let Ok(pa) = physical(cpu, sh, space, at) else {
            break;
        };
        let Some(bytes) = sh.ram.get_mut(pa, len as u64) else {
            break;
        };
        bytes.copy_from_slice(&from[done..done + len]);
        sh.blocks.written(pa, len as u64);
        done += len;
    }
    done
}

/// Cut a range at page boundaries: address and length of each part.
fn pages(address: u64, len: usize) -> impl Iterator<Item = (u64, usize)> {
    let mut at = address;
    let mut left = len;
    std::iter::from_fn(move || {
        let n = left.min((PAGE_BYTES - at % PAGE_BYTES) as usize);
        let part = (at, n);
        at = at.wrapping_add(n as u64);
        left -= n;
        (n > 0).then_some(part)
    })
}
