//! System registers, what an access to them does.
//!
//! What they are is in [`crate::reg`], a row each. From the same rows come MRS and MSR ([`access`]): who may touch a register follows from
//! the rules that its row names ([`trap`]), which bits can be written from its fields, whether it is there at all from the features of the
//! CPU profile ([`crate::profile`]).

pub mod access;
pub mod behaviour;
pub mod debug;
pub mod el0;
pub mod el1;
pub mod el2;
pub mod fgt;
pub mod granted;
pub mod id;
pub mod nv;

pub mod trap;

use crate::profile::Registers;
use crate::reg::{field, Info, COUNT, INFOS};
use behaviour::{After, Behaviour, Store};

/// One register: its definition and its behaviour.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its definition.
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

/// Rows whose registers are all kept by a device: no function of their own.
mod devices {
    pub mod timer {
        use crate::sysreg::behaviour::behaviours;
        crate::reg::timer::table!(behaviours);
    }
    pub mod gic {
        use crate::sysreg::behaviour::behaviours;
        crate::reg::gic::table!(behaviours);
    }
    pub mod pmu {
        use crate::sysreg::behaviour::behaviours;
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

/// Every register that is known, those of absent features included: in the order of [`crate::reg::INFOS`], by [`crate::reg::number`].
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
    /// The fields that exist, from bit 0 up.
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
                .filter(|f| f.exists(|name| registers.has(name)))
                .collect(),
            write_mask: registers.rows[i].mask,
            reset: registers.rows[i].reset,
        })
        .collect()
}

#[cfg(test)]
mod tests;
