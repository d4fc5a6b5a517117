//! What a row of the register tables is made of.

/// `op0:op1:CRn:CRm:op2` in 16 bits, as in MRS and MSR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
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
    /// op0, op1, CRn, CRm, op2.
    pub const fn fields(self) -> (u16, u16, u16, u16, u16) {
        let r = self.0;
        (r >> 14, r >> 11 & 7, r >> 7 & 15, r >> 3 & 15, r & 7)
    }
    /// ISS of EC 0x18 for an access with `rt` (Arm ARM D24.2.40, "ISS encoding for an exception from MSR, MRS, or System
    /// instruction execution in AArch64 state").
    pub const fn iss(self, rt: u32, read: bool) -> u32 {
        let (op0, op1, crn, crm, op2) = self.fields();
        (op0 as u32) << 20
            | (op2 as u32) << 17
            | (op1 as u32) << 14
            | (crn as u32) << 10
            | (rt & 31) << 5
            | (crm as u32) << 1
            | read as u32
    }
    /// The register that an ISS of EC 0x18 names.
    pub const fn of_iss(iss: u32) -> Reg {
        Reg(((iss >> 20 & 3) << 14
            | (iss >> 14 & 7) << 11
            | (iss >> 10 & 15) << 7
            | (iss >> 1 & 15) << 3
            | (iss >> 17 & 7)) as u16)
    }
}

/// The owner of the register: the file that its row is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Identification.
    Id,
    /// Of EL0, and PSTATE's fields.
    El0,
    /// Control of EL1&0.
    El1,
    /// Control of EL2 and of virtualization.
    El2,
    /// Generic timer.
    Timer,
    /// GIC CPU interface and its virtual half.
    Gic,
    /// Self-hosted debug.
    Debug,
    /// Performance monitors.
    Pmu,
}

impl Group {
    /// As `monitor sysreg` and target descriptions spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Id => "id",
            Group::El0 => "el0",
            Group::El1 => "el1",
            Group::El2 => "el2",
            Group::Timer => "timer",
            Group::Gic => "gic",
            Group::Debug => "debug",
            Group::Pmu => "pmu",
        }
    }
}

/// The lowest exception level that may read, and the one that may write; [`Access::NEVER`] if none may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// To read.
    pub read: u8,
    /// To write.
    pub write: u8,
}

impl Access {
    /// No level may.
    pub const NEVER: u8 = 0xff;

    /// From the table's spelling: `R0W1` is read at EL0, written at EL1; `R1` read-only; `W1` write-only.
    pub const fn parse(text: &str) -> Access {
        let s = text.as_bytes();
        let mut a = Access {
            read: Access::NEVER,
            write: Access::NEVER,
        };
        let mut i = 0;
        while i < s.len() {
            let el = s[i + 1] - b'0';
            assert!(el <= 2);
            match s[i] {
                b'R' => a.read = el,
                b'W' => a.write = el,
                _ => panic!("R or W"),
            }
            i += 2;
        }
        a
    }
}

/// What one register is.
#[derive(Clone, Copy)]
pub struct Info {
    /// The Arm ARM's name.
    pub name: &'static str,
    /// Encoding.
    pub reg: Reg,
    /// The file it is in.
    pub group: Group,
    /// Who may read and write.
    pub access: Access,
    /// Value after a reset, before the profile changes it.
    pub reset: u64,
    /// The row that holds its value: for an `_EL12` or `_EL02` name, which is for EL2 with HCR_EL2.E2H only.
    pub alias: Option<Reg>,
    /// What this name reaches when used at EL2 with HCR_EL2.E2H (and, for timers, at EL0 with E2H and TGE).
    pub e2h: Option<Reg>,
    /// The feature that it needs, or `base`.
    pub feature: &'static str,
    /// One line.
    pub doc: &'static str,
    /// Fields, in the notation of [`mod@super::field`].
    pub fields: &'static str,
}
