//! What a guest was when EL2 last took the CPU from it or gave it back: for a debugger, which stops when the hypervisor has the CPU and
//! may have put values of its own into the guest's registers.

use crate::cpu::Cpu;
use crate::mmu::controls::Controls;
use crate::mmu::kind::RegimeKind;
use crate::reg::names::*;
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

/// The state that a guest left at an exit; SPSR_EL2 is in the exit's record.
#[derive(Clone, Copy, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Left {
    /// x0 to x30.
    pub x: [u64; 31],
    /// SP_EL0 and SP_EL1.
    pub sp: [u64; 2],
    /// ELR_EL2: where it goes on.
    pub pc: u64,
    /// Its translation.
    pub controls: Controls,
}

impl Left {
    /// Of a CPU that has just taken an exception to EL2.
    pub fn of(cpu: &Cpu) -> Left {
        Left {
            x: cpu.x[..31].try_into().expect("31 registers"),
            sp: [cpu.sp[0], cpu.sp[1]],
            pc: cpu.get(ELR_EL2),
            controls: Controls::of(cpu, RegimeKind::El10),
        }
    }
}

/// The translation of a VMID's guest at its last exit or entry.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug)]
pub struct Seen {
    /// Its registers.
    pub controls: Controls,
    /// On which CPU.
    pub cpu: usize,
    /// When, in virtual time.
    pub now: u64,
    /// It was an entry.
    pub entry: bool,
}

/// The guests so far, by VMID.
#[derive(BorshSerialize, BorshDeserialize, Default)]
pub struct Guests(BTreeMap<u16, Seen>);

impl Guests {
    /// Keep what a guest has at an exit or an entry.
    pub fn note(&mut self, seen: Seen) {
        let c = &seen.controls;
        self.0
            .insert(crate::mmu::select::vmid_of(c.vttbr, c.vtcr), seen);
    }
    /// One of them.
    pub fn get(&self, vmid: u16) -> Option<&Seen> {
        self.0.get(&vmid)
    }
    /// The VMIDs, in order.
    pub fn vmids(&self) -> Vec<u16> {
        self.0.keys().copied().collect()
    }
}
