//! Exception classes of ESR_ELx (Arm ARM D24.2.40, table of EC values).

/// The EC values, by the Arm ARM's names; of two forms the one "from a lower Exception level".
#[allow(missing_docs)]
pub mod ec {
    pub const UNKNOWN: u8 = 0x00;
    pub const WFX: u8 = 0x01;
    pub const FP: u8 = 0x07;
    pub const PAC: u8 = 0x09;
    pub const ILLEGAL_STATE: u8 = 0x0e;
    pub const SVC: u8 = 0x15;
    pub const HVC: u8 = 0x16;
    pub const SMC: u8 = 0x17;
    pub const SYSREG: u8 = 0x18;
    pub const SVE: u8 = 0x19;
    pub const ERET: u8 = 0x1a;
    pub const INSTRUCTION_ABORT: u8 = 0x20;
    pub const PC_ALIGNMENT: u8 = 0x22;
    pub const DATA_ABORT: u8 = 0x24;
    /// A data abort of EL2's own by its number; from EL1 it is that of an access in memory of FEAT_NV2.
    pub const NV2_DATA_ABORT: u8 = 0x25;
    pub const SP_ALIGNMENT: u8 = 0x26;
    pub const SERROR: u8 = 0x2f;
    pub const BREAKPOINT: u8 = 0x30;
    pub const STEP: u8 = 0x32;
    pub const WATCHPOINT: u8 = 0x34;
    /// The same of a watchpoint.
    pub const NV2_WATCHPOINT: u8 = 0x35;
    pub const BRK: u8 = 0x3c;
}

/// The class as reported when the exception is taken to the EL it came from.
pub const fn same_el(class: u8) -> u8 {
    match class {
        ec::INSTRUCTION_ABORT | ec::DATA_ABORT | ec::BREAKPOINT | ec::STEP | ec::WATCHPOINT => {
            class + 1
        }
        c => c,
    }
}
