//! System registers. A register's number is its encoding, everywhere: in Rust, in Python, in GDB's target description.

pub mod names;

/// `op0:op1:CRn:CRm:op2` in 16 bits, as MRS and MSR have it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(pub u16);

/// Encodings have op0 2 or 3, so bit 15 is always set and the rest is an index.
pub const REG_SPACE: usize = 0x8000;

impl Reg {
    /// From the fields of the encoding.
    pub const fn new(op0: u16, op1: u16, crn: u16, crm: u16, op2: u16) -> Reg {
        assert!(op0 >= 2 && op0 <= 3 && op1 < 8 && crn < 16 && crm < 16 && op2 < 8);
        Reg(op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)
    }
    /// From the word of an MRS, MSR (register), SYS or SYSL: bits 20:5. (SYS has op0 = 1, which is no register.)
    pub const fn of_insn(insn: u32) -> Reg {
        Reg((insn >> 5) as u16)
    }
    /// Place in `Cpu::sys`.
    #[inline(always)]
    pub const fn index(self) -> usize {
        self.0 as usize & (REG_SPACE - 1)
    }
}

/// The Arm ARM's name of a register, or its generic `S<op0>_<op1>_C<n>_C<m>_<op2>`.
pub fn name_of(r: Reg) -> String {
    let e = r.0 as u32;
    format!(
        "S{}_{}_C{}_C{}_{}",
        e >> 14,
        e >> 11 & 7,
        e >> 7 & 15,
        e >> 3 & 15,
        e & 7
    )
}

/// The name of a system instruction (SYS with op0 = 1).
pub fn system_name(op1: u32, crn: u32, crm: u32, op2: u32) -> String {
    format!("SYS_{op1}_C{crn}_C{crm}_{op2}")
}
