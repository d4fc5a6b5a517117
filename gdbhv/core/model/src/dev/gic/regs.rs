//! The GIC's system registers: their rows are in [`crate::sysreg::gic`].

pub use crate::sysreg::gic::names::*;
