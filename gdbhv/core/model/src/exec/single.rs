//! Execution of one instruction at a time: for software step, and for breakpoints that match the context and therefore every instruction.
//!
//! The debugger's stops come first, except that a pending software step precedes them: it belongs to the previous instruction.

use super::code::Code;
use super::interp::{self, Leave};
use crate::cpu::Power;
use crate::debug_events::{break_at, breakpoint, event};
use crate::exception;
use crate::pe::Pe;
use crate::raise::Trap;
use crate::selfhosted as rules;
use crate::selfhosted::Step;
use crate::shared::Shared;
use crate::syndrome::ec;

/// The software step exception. ISV: the previous instruction was stepped; EX: it was a Load-Exclusive (`AArch64.SoftwareStepException`).
fn software_step(cpu: &mut Pe) -> Trap {
    cpu.off = 0;
    let iss = match cpu.stepped.take() {
        Some(exclusive) => 1 << 24 | (exclusive as u32) << 6,
        None => 0,
    };
    let e = event(cpu, ec::STEP, iss);
    cpu.raise(e)
}

/// Execute one instruction, or take what comes before it in the architecture's order (D1.3.5): a software step, the debugger's
/// stop, faults of the fetch, breakpoints, the illegal state.
#[cold]
pub fn execute_one(cpu: &mut Pe, sh: &mut Shared, code: &mut Code) -> Leave {
    let step = rules::step(cpu);
    if step != Step::Pending && crate::halt::stops_at(cpu, sh, cpu.pc) {
        return Leave::Debug;
    }
    let exclusive = match before(cpu, sh, step) {
        Ok(word) => rules::load_exclusive(word),
        Err(Trap) => {
            sh.now += 1;
            return Leave::Raised;
        }
    };
    let begin = sh.now;
    cpu.until = begin + 1;
    let leave = interp::execute(cpu, sh, code);
    if sh.now == begin || leave == Leave::Raised {
        return leave;
    }
    sh.debug.hit = None; // a stop before the next instruction is asked for again
    if step == Step::NotPending {
        cpu.pstate.ss = false; // `SSAdvance`
        if rules::step(cpu) == Step::Pending {
            cpu.stepped = Some(exclusive);
            // A stepped WFI or WFE is over: both may complete at any time.
            if matches!(cpu.power, Power::Wfi | Power::Wfe) {
                cpu.power = Power::On;
            }
        }
    }
    Leave::Early
}

/// Fetch the next instruction's word, unless an exception comes before it.
fn before(cpu: &mut Pe, sh: &mut Shared, step: Step) -> Result<u32, Trap> {
    if step == Step::Pending {
        return Err(software_step(cpu));
    }
    cpu.off = 0;
    let pa = crate::access::fetch(cpu, sh, cpu.pc)?;
    if rules::breaks_by_context(cpu) {
        return Err(breakpoint(cpu, pa));
    }
    break_at(cpu, cpu.pc, pa)?;
    if cpu.pstate.il {
        return Err(exception::illegal_state(cpu));
    }
    Ok(sh.ram.read(pa, 4).expect("fetch found memory") as u32)
}
