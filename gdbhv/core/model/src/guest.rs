//! The state of a guest at its exit: for a debugger, which stops when the hypervisor has the CPU and may have changed the guest's
//! registers.

use crate::cpu::Cpu;
use crate::mmu::controls::Controls;
use crate::mmu::kind::RegimeKind;
use crate::reg::names::*;
use crate::reg::Reg;
use borsh::{BorshDeserialize, BorshSerialize};

/// The registers of EL1 and EL0 that hypervisors switch, besides those of [`Controls`]; and those of EL2 that are a vCPU's own.
pub const SWITCHED: [Reg; 17] = [
    ELR_EL1,
    SPSR_EL1,
    ESR_EL1,
    FAR_EL1,
    VBAR_EL1,
    TPIDR_EL1,
    TPIDR_EL0,
    TPIDRRO_EL0,
    CONTEXTIDR_EL1,
    CPACR_EL1,
    AMAIR_EL1,
    CNTKCTL_EL1,
    PAR_EL1,
    MDSCR_EL1,
    CSSELR_EL1,
    VMPIDR_EL2,
    VPIDR_EL2,
];

/// The state that a guest left at an exit; SPSR_EL2 is in the exit's record.
#[derive(Clone, Copy, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Left {
    /// x0 to x30.
    pub x: [u64; 31],
    /// SP_EL0 and SP_EL1.
    pub sp: [u64; 2],
    /// ELR_EL2: where it will continue.
    pub pc: u64,
    /// Its translation.
    pub controls: Controls,
    /// [`SWITCHED`].
    pub switched: [u64; SWITCHED.len()],
}

impl Left {
    /// Be that of a CPU that has just taken an exception to EL2.
    #[inline]
    pub fn fill(&mut self, cpu: &Cpu) {
        self.x.copy_from_slice(&cpu.x[..31]);
        self.sp = [cpu.sp[0], cpu.sp[1]];
        self.pc = cpu.get(ELR_EL2);
        self.controls = Controls::of(cpu, RegimeKind::El10);
        for (to, r) in self.switched.iter_mut().zip(SWITCHED) {
            *to = cpu.get(r);
        }
    }
}
