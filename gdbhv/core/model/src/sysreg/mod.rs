//! System registers, what an access to them does.
//!
//! What they are is in [`crate::reg`], a row each. From the same rows come MRS and MSR ([`access`]): who may touch a register follows from
//! the rules that its row names ([`trap`]), which bits can be written from its fields, whether it is there at all from the features of the
//! CPU profile ([`crate::profile`]).

pub mod access;
pub mod debug;
pub mod el0;
pub mod el1;
pub mod el2;
pub mod fgt;
pub mod id;
pub mod nv;

pub mod trap;

use crate::cpu::Cpu;
use crate::profile::Registers;
use crate::reg::{field, Info, Reg, COUNT, INFOS};
use crate::shared::Shared;

/// How a computed register is read; `el` is the exception level it is read from (or as if from).
pub type ReadFn = fn(&Cpu, &mut Shared, Reg, u8) -> u64;
/// How a computed register is written, with a value already cut to its write mask.
pub type WriteFn = fn(&mut Cpu, &mut Shared, Reg, u64);

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

/// What must be looked at after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// Translation or traps: the context is made anew.
    Context,
    /// Interrupts.
    Look,
}

/// One register: what it is, and what an access does.
#[derive(Clone, Copy)]
pub struct Row {
    /// What it is.
    pub info: &'static Info,
    /// What may refuse or trap an access, most effective first.
    pub traps: &'static [&'static trap::Rule],
    /// Where the value lives.
    pub store: Store,
    /// What a write may have changed.
    pub after: After,
}

impl std::ops::Deref for Row {
    type Target = Info;
    #[inline(always)]
    fn deref(&self) -> &Info {
        self.info
    }
}

/// What a row of [`crate::reg`] says of accesses.
#[derive(Clone, Copy)]
pub struct Behaviour {
    reg: Reg,
    traps: &'static [&'static trap::Rule],
    store: Store,
    after: After,
}

/// What the rows of one file of [`crate::reg`] say of accesses.
macro_rules! behaviours {
    ($group:ident; $($name:ident $op0:literal $op1:literal $n:literal $m:literal $op2:literal $acc:ident $reset:literal
        [$($rule:ident)*] $store:ident $(($($arg:ident),*))? $(=> $e2h:ident)? $feat:ident $doc:literal $fields:expr;)*) => {
        /// Row by row.
        pub const BEHAVIOURS: &[crate::sysreg::Behaviour] = &[$({
            #[allow(unused_imports)]
            use crate::sysreg::{After, Store, trap};
            use crate::reg::names as all;
            crate::sysreg::Behaviour {
                reg: all::$name,
                traps: &[$(&trap::$rule),*],
                store: crate::sysreg::behaviours!(@store $store $($($arg)*)?),
                after: crate::sysreg::behaviours!(@after $store),
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

/// Rows whose registers are all kept by a device: no function of their own.
mod devices {
    pub mod timer {
        crate::reg::timer::table!(behaviours);
    }
    pub mod gic {
        crate::reg::gic::table!(behaviours);
    }
    pub mod pmu {
        crate::reg::pmu::table!(behaviours);
    }
}

/// In the order of [`crate::reg::INFOS`].
const FILES: [&[Behaviour]; 8] = [
    id::BEHAVIOURS,
    el0::BEHAVIOURS,
    el1::BEHAVIOURS,
    el2::BEHAVIOURS,
    devices::timer::BEHAVIOURS,
    devices::gic::BEHAVIOURS,
    debug::BEHAVIOURS,
    devices::pmu::BEHAVIOURS,
];

/// Every register that is known, those of absent features included: in the order of [`crate::reg::INFOS`], by [`number`].
pub static ROWS: [Row; COUNT] = {
    let first = Row {
        info: &INFOS[0],
        traps: &[],
        store: Store::Plain,
        after: After::Nothing,
    };
    let mut all = [first; COUNT];
    let (mut n, mut f) = (0, 0);
    while f < FILES.len() {
        let mut i = 0;
        while i < FILES[f].len() {
            let b = FILES[f][i];
            assert!(INFOS[n].reg.0 == b.reg.0, "the files are in another order");
            all[n] = Row {
                info: &INFOS[n],
                traps: b.traps,
                store: b.store,
                after: b.after,
            };
            n += 1;
            i += 1;
        }
        f += 1;
    }
    all
};

/// What users see of one register.
pub struct RegInfo {
    /// The row.
    pub row: &'static Row,
    /// The fields that are there, by rising bit.
    pub fields: Vec<field::Field>,
    /// Bits that a write changes.
    pub write_mask: u64,
    /// Value after reset.
    pub reset: u64,
}

/// The registers that a machine has.
pub fn list(registers: &Registers) -> Vec<RegInfo> {
    ROWS.iter()
        .enumerate()
        .filter(|(i, _)| registers.rows[*i].present)
        .map(|(i, row)| RegInfo {
            row,
            fields: field::parse(row.fields)
                .into_iter()
                .filter(|f| f.feature.is_empty() || registers.has(f.feature))
                .collect(),
            write_mask: registers.rows[i].mask,
            reset: registers.rows[i].reset,
        })
        .collect()
}

#[cfg(test)]
mod tests;
