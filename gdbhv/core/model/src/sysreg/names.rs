//! Registers that other modules name before their rows exist.
#![allow(missing_docs)]
use super::Reg;
pub const SCTLR_EL1: Reg = Reg::new(3, 0, 1, 0, 0);
pub const CPACR_EL1: Reg = Reg::new(3, 0, 1, 0, 2);
pub const SPSR_EL1: Reg = Reg::new(3, 0, 4, 0, 0);
pub const ELR_EL1: Reg = Reg::new(3, 0, 4, 0, 1);
pub const ESR_EL1: Reg = Reg::new(3, 0, 5, 2, 0);
pub const FAR_EL1: Reg = Reg::new(3, 0, 6, 0, 0);
pub const VBAR_EL1: Reg = Reg::new(3, 0, 12, 0, 0);
pub const MDSCR_EL1: Reg = Reg::new(2, 0, 0, 2, 2);
pub const SCTLR_EL2: Reg = Reg::new(3, 4, 1, 0, 0);
pub const HCR_EL2: Reg = Reg::new(3, 4, 1, 1, 0);
pub const CPTR_EL2: Reg = Reg::new(3, 4, 1, 1, 2);
pub const VTTBR_EL2: Reg = Reg::new(3, 4, 2, 1, 0);
pub const SPSR_EL2: Reg = Reg::new(3, 4, 4, 0, 0);
pub const ELR_EL2: Reg = Reg::new(3, 4, 4, 0, 1);
pub const ESR_EL2: Reg = Reg::new(3, 4, 5, 2, 0);
pub const FAR_EL2: Reg = Reg::new(3, 4, 6, 0, 0);
pub const HPFAR_EL2: Reg = Reg::new(3, 4, 6, 0, 4);
pub const VBAR_EL2: Reg = Reg::new(3, 4, 12, 0, 0);
