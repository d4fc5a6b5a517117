//! System registers. A register's number is its encoding, everywhere: in Rust, in Python, in GDB's target description.

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
