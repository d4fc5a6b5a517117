//! Registers that translation reads and that have no row yet.
#![allow(missing_docs)]
pub use crate::sysreg::names::*;
use crate::sysreg::Reg;
pub const ID_AA64MMFR0_EL1: Reg = Reg::new(3, 0, 0, 7, 0);
pub const ID_AA64MMFR1_EL1: Reg = Reg::new(3, 0, 0, 7, 1);
pub const ID_AA64MMFR2_EL1: Reg = Reg::new(3, 0, 0, 7, 2);
pub const TTBR0_EL1: Reg = Reg::new(3, 0, 2, 0, 0);
pub const TTBR1_EL1: Reg = Reg::new(3, 0, 2, 0, 1);
pub const TCR_EL1: Reg = Reg::new(3, 0, 2, 0, 2);
pub const MAIR_EL1: Reg = Reg::new(3, 0, 10, 2, 0);
pub const PAR_EL1: Reg = Reg::new(3, 0, 7, 4, 0);
pub const TTBR0_EL2: Reg = Reg::new(3, 4, 2, 0, 0);
pub const TTBR1_EL2: Reg = Reg::new(3, 4, 2, 0, 1);
pub const TCR_EL2: Reg = Reg::new(3, 4, 2, 0, 2);
pub const VTCR_EL2: Reg = Reg::new(3, 4, 2, 1, 2);
pub const MAIR_EL2: Reg = Reg::new(3, 4, 10, 2, 0);
