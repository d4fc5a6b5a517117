//! One instruction by the interpreter, called from native code.

use gdbhv_model::exec::interp::One;
use gdbhv_model::exec::native::{EARLY, PANIC, TRAP};
use gdbhv_model::isa::ops::Args;
use gdbhv_model::pe::Pe;
use gdbhv_model::raise::{Flow, Trap};
use gdbhv_model::shared::Shared;
use std::any::Any;
use std::cell::Cell;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

/// Execute one instruction as the interpreter does. 0, or how the block is left.
#[allow(improper_ctypes_definitions)] // native code hands the function on as it got it
pub extern "C" fn execute_one(cpu: &mut Pe, sh: &mut Shared, args: &Args, one: One) -> u64 {
    match catch_unwind(AssertUnwindSafe(|| one(cpu, args, sh))) {
        Ok(Ok(Flow::Next)) if !sh.leave => 0,
        Ok(Ok(Flow::Next | Flow::Sync)) => {
            cpu.off = args.off;
            cpu.pc = cpu.pc.wrapping_add((args.off as u64 + 1) * 4);
            EARLY
        }
        Ok(Ok(Flow::Jump)) => EARLY,
        Ok(Err(Trap)) => TRAP,
        Err(panic) => {
            PANICKED.set(Some(panic));
            PANIC
        }
    }
}

thread_local! {
    /// The panic of [`execute_one`] that is on its way.
    static PANICKED: Cell<Option<Box<dyn Any + Send>>> = const { Cell::new(None) };
}

/// Go on with it.
pub fn go_on_panicking() -> ! {
    resume_unwind(PANICKED.take().expect("an instruction panicked"))
}
