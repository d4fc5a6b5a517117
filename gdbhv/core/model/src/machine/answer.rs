//! Interventions of a user: answering an exit in place of the hypervisor, and injecting exceptions and interrupts.

use super::Machine;
use crate::cpu::Power;
use crate::exception;
use crate::raise::Exception;
use crate::reg::names::*;

impl Machine {
    /// Whether CPU `i` stands at EL2's vector after an exit that its hypervisor has not begun to handle.
    pub fn at_exit(&self, i: usize) -> bool {
        let cpu = &self.cpus[i];
        let last = self.sh.exits.last.get(i).and_then(|r| r.as_ref());
        last.is_some_and(|r| {
            cpu.pstate.el == 2
                && r.now == self.sh.ns(0)
                && cpu.landed == (cpu.pc, self.sh.now)
                && cpu.get(SPSR_EL2) == r.spsr
        })
    }

    /// Return to the guest from an exit as its hypervisor would: to the next instruction (`skip`) or to the same one.
    ///
    /// # Errors
    /// A sentence: the CPU is not at an exit.
    pub fn go_back(&mut self, i: usize, skip: bool) -> Result<(), &'static str> {
        if !self.at_exit(i) {
            return Err("its CPU does not stand at an exit that is still to be handled");
        }
        let (cpu, sh) = (&mut *self.cpus[i], &mut self.sh);
        let elr = cpu.get(ELR_EL2);
        let pc = if skip { elr.wrapping_add(4) } else { elr };
        cpu.power = Power::On;
        cpu.off = 0;
        let spsr = cpu.get(SPSR_EL2);
        exception::return_to(cpu, sh, pc, spsr);
        sh.exits.begin(sh.platform.now, 0, self.insns[i]);
        Self::note_entry(cpu, sh);
        Ok(())
    }

    /// Make CPU `i` take a synchronous exception at EL1, with this syndrome (EC in the form for a lower level) and FAR_EL1.
    ///
    /// # Errors
    /// A sentence: the CPU is not in a guest.
    pub fn inject_exception(
        &mut self,
        i: usize,
        esr: u64,
        far: Option<u64>,
    ) -> Result<(), &'static str> {
        let (cpu, sh) = (&mut *self.cpus[i], &mut self.sh);
        if cpu.pstate.el > 1 {
            return Err("its CPU is at EL2: the guest does not execute now");
        }
        cpu.off = 0;
        cpu.power = Power::On;
        let e = Exception {
            far,
            il: esr >> 25 & 1 != 0,
            ..Exception::sync(1, (esr >> 26 & 0x3f) as u8, esr as u32 & 0x1ff_ffff)
        };
        exception::take(cpu, sh, &e);
        cpu.landed = (cpu.pc, sh.now);
        Ok(())
    }

    /// Make interrupt `intid` pending in the machine's interrupt controller, for CPU `i` if it is private. False: there is no such
    /// interrupt.
    pub fn pend(&mut self, i: usize, intid: u32) -> bool {
        let done = self.sh.gic.pend(i, intid);
        self.sh.next_event = 0;
        done
    }
}
