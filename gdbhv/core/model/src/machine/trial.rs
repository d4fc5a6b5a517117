//! Finding out what an instruction would do if it were executed next: the model executes it and is restored afterwards.

use super::Machine;
use crate::cpu::Power;
use crate::exception;
use crate::exec::interp::Leave;
use crate::exec::refresh::follow;
use crate::exec::single;
use crate::exit::{self, Record};
use crate::raise::Exception;
use crate::reg::field;

/// The outcome of a trial.
#[derive(Debug, Default)]
pub struct Trial {
    /// Exception level of the execution.
    pub el: u8,
    /// Address of the instruction.
    pub pc: u64,
    /// The exception, with the level that it is taken to.
    pub taken: Option<(u8, Exception)>,
    /// The record of the exit, if the exception is one.
    pub exit: Option<Record>,
    /// It waits (WFI, WFE).
    pub waits: bool,
    /// It calls the firmware (SMC, HVC without EL2).
    pub firmware: bool,
}

impl Machine {
    /// Execute `word` on CPU `i` at its PC; `guest`: in the guest that EL2 would return to, at its PC. All effects are undone.
    ///
    /// # Errors
    /// There is no instruction at the PC that could be executed.
    pub fn trial(&mut self, i: usize, word: u32, guest: bool) -> Result<Trial, String> {
        // State that is not the guest's is set aside: breakpoints must not stop the attempt, and it must leave no trace.
        let debug = std::mem::take(&mut self.sh.debug);
        let trace = std::mem::take(&mut self.sh.exits.trace);
        let repeats = std::mem::take(&mut self.sh.exits.repeats);
        let sieve = std::mem::take(&mut self.sh.exits.sieve);
        let others = std::mem::take(&mut self.sh.exits.others);
        let undefined = self.sh.undefined.clone();
        let told = self.sh.undefined_new.len();
        let before = self.snapshot();
        let done = self.tried(i, word, guest);
        self.cpus[i].raised = None;
        let back = self
            .restore(before)
            .and_then(|()| self.forget_snapshot(before));
        self.sh.debug = debug;
        self.sh.exits.trace = trace;
        self.sh.exits.repeats = repeats;
        (self.sh.exits.sieve, self.sh.exits.others) = (sieve, others);
        self.sh.undefined = undefined;
        self.sh.undefined_new.truncate(told);
        self.recheck();
        back.map_err(|e| e.0)?;
        done
    }

    fn tried(&mut self, i: usize, word: u32, guest: bool) -> Result<Trial, String> {
        let (cpu, sh) = (&mut *self.cpus[i], &mut self.sh);
        if guest && cpu.pstate.el == 2 {
            exception::eret(cpu, sh);
            sh.entered = false;
        }
        cpu.power = Power::On;
        cpu.pstate.il = false;
        cpu.off = 0;
        let (el, pc) = (cpu.pstate.el, cpu.pc);
        follow(cpu, sh, &mut self.code);
        let found = crate::access::fetch(cpu, sh, pc);
        cpu.raised = None;
        let Ok(pa) = found else {
            return Err(format!(
                "there is no instruction at the PC, {pc:#x}: its translation faults"
            ));
        };
        if !self.write_pa(pa, &word.to_le_bytes()) {
            return Err(format!(
                "the PC, {pc:#x}, is not in RAM (PA {pa:#x}): nothing can be tried there"
            ));
        }
        let (cpu, sh, code) = (&mut *self.cpus[i], &mut self.sh, &mut self.code);
        code.follow_writes(&mut sh.ram);
        let leave = single::execute_one(cpu, sh, code);
        let mut trial = Trial {
            el,
            pc,
            waits: cpu.power != Power::On || sh.yielded,
            firmware: !sh.requests.is_empty(),
            ..Trial::default()
        };
        if leave == Leave::Raised {
            let e = cpu.raised.take().expect("an exception was raised");
            let target = exception::take(cpu, sh, &e);
            if target == 2 && el < 2 && !cpu.is_set(field!(HCR_EL2.TGE)) {
                trial.exit = Some(exit::record(cpu, Some(word), sh.ns(0), &e, el));
            }
            trial.taken = Some((target, e));
        }
        Ok(trial)
    }
}
