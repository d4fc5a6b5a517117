//! The behaviour of a register's row: which accesses are allowed, where the value is kept, and what a write affects.

use super::trap::Rule;
use crate::cpu::Cpu;
use crate::platform::Platform;
use crate::reg::Reg;

/// How a computed register is read; `el` is the exception level it is read from (or as if from).
pub type ReadFn = fn(&Cpu, &mut Platform, Reg, u8) -> u64;
/// How a computed register is written, with a value already cut to its write mask.
pub type WriteFn = fn(&mut Cpu, &mut Platform, Reg, u64);

/// Where a register's value lives.
#[derive(Clone, Copy)]
pub enum Store {
    /// In `Cpu::sys`.
    Plain,
    /// In another row: an `_EL12` or `_EL02` name, for EL2 with HCR_EL2.E2H only.
    Alias,
    /// Computed.
    Func(ReadFn, WriteFn),
    /// In the interrupt controller.
    Gic,
    /// In the generic timer.
    Timer,
    /// In the performance monitors, or one of their controls.
    Pmu,
}

/// What must be updated after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// Translation or traps: the context is recomputed.
    Context,
    /// Interrupts.
    Look,
}

/// The behaviour of a row of [`crate::reg`].
#[derive(Clone, Copy)]
pub struct Behaviour {
    /// Encoding.
    pub reg: Reg,
    /// What may refuse or trap an access, most effective first.
    pub traps: &'static [&'static Rule],
    /// Where the value lives.
    pub store: Store,
    /// What a write may have changed.
    pub after: After,
}

/// The behaviours of the rows of one file of [`crate::reg`].
macro_rules! behaviours {
    ($group:ident; $($name:ident $op0:literal $op1:literal $n:literal $m:literal $op2:literal $acc:ident $reset:literal
        [$($rule:ident)*] $store:ident $(($($arg:ident),*))? $(=> $e2h:ident)? $feat:ident $doc:literal $fields:expr;)*) => {
        /// Row by row.
        pub const BEHAVIOURS: &[crate::sysreg::behaviour::Behaviour] = &[$({
            #[allow(unused_imports)]
            use crate::sysreg::behaviour::{After, Store};
            #[allow(unused_imports)]
            use crate::sysreg::trap;
            use crate::reg::names as all;
            crate::sysreg::behaviour::Behaviour {
                reg: all::$name,
                traps: &[$(&trap::$rule),*],
                store: crate::sysreg::behaviour::behaviours!(@store $store $($($arg)*)?),
                after: crate::sysreg::behaviour::behaviours!(@after $store),
            }
        }),*];
    };
    (@store plain) => { Store::Plain };
    (@store ctl) => { Store::Plain };
    (@store look) => { Store::Plain };
    (@store gic) => { Store::Gic };
    (@store timer) => { Store::Timer };
    (@store pmu) => { Store::Pmu };
    (@store pmuctl) => { Store::Pmu };
    (@store alias $r:ident) => { Store::Alias };
    (@store func $r:ident $w:ident) => { Store::Func($r, $w) };
    (@store funcctl $r:ident $w:ident) => { Store::Func($r, $w) };
    (@store funclook $r:ident $w:ident) => { Store::Func($r, $w) };
    (@after ctl) => { After::Context };
    (@after funcctl) => { After::Context };
    (@after look) => { After::Look };
    (@after funclook) => { After::Look };
    (@after gic) => { After::Look };
    (@after timer) => { After::Look };
    (@after pmu) => { After::Look };
    (@after pmuctl) => { After::Context };
    (@after $other:ident) => { After::Nothing };
}
pub(crate) use behaviours;
