//! The definition of system registers: names, encodings, fields, reset values. A register's number is its encoding, everywhere: in Rust, in
//! Python, in GDB's target description.
//!
//! A register is one row in the file of its owner ([`id`], [`el0`], [`el1`], [`el2`], [`timer`], [`gic`], [`debug`], [`pmu`]):
//!
//! `NAME op0 op1 CRn CRm op2 access reset [rules] store feature "doc" fields;`
//!
//! * access: `R0W1`, see [`Access::parse`]
//! * rules: names from [`crate::sysreg::trap`], most effective first
//! * store: `plain`; `ctl` (plain; a write changes translation or traps); `look` (plain; interrupts are looked at);
//!   `func(read, write)`, `funcctl(read, write)`, `funclook(read, write)`; `alias(OTHER)`; `gic`; `timer`; `pmu`; `pmuctl` (a
//!   control of the performance monitors that changes traps too); then perhaps
//!   `=> OTHER`, the row that this name reaches with E2H. Functions are those of the file of the same name in [`crate::sysreg`].
//! * feature: the FEAT_ name that it needs, or `base`
//! * fields: in the notation of [`mod@field`]
//!
//! A row is read twice: here, for what depends on nothing (the constants of [`names`], [`INFOS`]), and in [`crate::sysreg`], for what an
//! access does.

pub mod debug;
pub mod el0;
pub mod el1;
pub mod el2;
pub mod fgt;
pub mod field;
pub mod gic;
pub mod id;
mod info;
pub mod named;
pub mod names;
pub mod pmu;
pub mod row;
pub mod sysop;
pub mod timer;

pub use info::{by_name, find, number, COUNT, INFOS};
pub(crate) use named::field;
pub use row::{Access, Group, Info, Reg, REG_SPACE};
