//! Encodings of the GIC's system registers.

use crate::sysreg::Reg;

macro_rules! regs {
    ($($name:ident $op1:literal $crn:literal $crm:literal $op2:literal)*) => {
        $(#[allow(missing_docs)] pub const $name: Reg = Reg::new(3, $op1, $crn, $crm, $op2);)*
        /// All that this GIC implements, with their names. The others of the architecture (AP0R1 and on: 5 priority bits) are UNDEFINED.
        pub const REGS: &[(&str, Reg)] = &[$((stringify!($name), $name)),*];
    };
}

#[rustfmt::skip]
regs! {
    ICC_PMR_EL1      0 4 6 0
    ICC_IAR0_EL1     0 12 8 0    ICC_EOIR0_EL1    0 12 8 1    ICC_HPPIR0_EL1   0 12 8 2    ICC_BPR0_EL1     0 12 8 3
    ICC_AP0R0_EL1    0 12 8 4    ICC_AP1R0_EL1    0 12 9 0
    ICC_DIR_EL1      0 12 11 1   ICC_RPR_EL1      0 12 11 3
    ICC_SGI1R_EL1    0 12 11 5   ICC_ASGI1R_EL1   0 12 11 6   ICC_SGI0R_EL1    0 12 11 7
    ICC_IAR1_EL1     0 12 12 0   ICC_EOIR1_EL1    0 12 12 1   ICC_HPPIR1_EL1   0 12 12 2   ICC_BPR1_EL1     0 12 12 3
    ICC_CTLR_EL1     0 12 12 4   ICC_SRE_EL1      0 12 12 5   ICC_IGRPEN0_EL1  0 12 12 6   ICC_IGRPEN1_EL1  0 12 12 7
    ICC_SRE_EL2      4 12 9 5
    ICH_AP0R0_EL2    4 12 8 0    ICH_AP1R0_EL2    4 12 9 0
    ICH_HCR_EL2      4 12 11 0   ICH_VTR_EL2      4 12 11 1   ICH_MISR_EL2     4 12 11 2   ICH_EISR_EL2     4 12 11 3
    ICH_ELRSR_EL2    4 12 11 5   ICH_VMCR_EL2     4 12 11 7
    ICH_LR0_EL2      4 12 12 0   ICH_LR1_EL2      4 12 12 1   ICH_LR2_EL2      4 12 12 2   ICH_LR3_EL2      4 12 12 3
}
