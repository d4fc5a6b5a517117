//! System registers, what they are: names, encodings, fields, reset values. A register's number is its encoding, everywhere: in Rust, in
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
//! * fields: in the notation of [`field`]
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
pub mod pmu;
pub mod sysop;
pub mod timer;

use std::collections::HashMap;
use std::sync::OnceLock;

/// `op0:op1:CRn:CRm:op2` in 16 bits, as MRS and MSR have it.
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
    /// Its name in the table; `S3_0_C1_C0_0` if it has none (Arm ARM C5.1.4).
    pub fn name(self) -> String {
        match find(self) {
            Some(r) => r.name.to_string(),
            None => {
                let (op0, op1, crn, crm, op2) = self.fields();
                format!("S{op0}_{op1}_C{crn}_C{crm}_{op2}")
            }
        }
    }
}

/// Whose register it is: the file that its row is in.
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

/// The least exception level that may read, and the one that may write; [`Access::NEVER`] where nobody may.
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
    /// Value after a reset, before the profile has its say.
    pub reset: u64,
    /// The row that holds its value: for an `_EL12` or `_EL02` name, which is for EL2 with HCR_EL2.E2H only.
    pub alias: Option<Reg>,
    /// What this name reaches when used at EL2 with HCR_EL2.E2H (and, for timers, at EL0 with E2H and TGE).
    pub e2h: Option<Reg>,
    /// The feature that it needs, or `base`.
    pub feature: &'static str,
    /// One line.
    pub doc: &'static str,
    /// Fields, in the notation of [`field`].
    pub fields: &'static str,
}

/// What depends on nothing in the rows of one file: `names` and `INFOS`.
macro_rules! infos {
    ($group:ident; $($name:ident $op0:literal $op1:literal $n:literal $m:literal $op2:literal $acc:ident $reset:literal
        [$($rule:ident)*] $store:ident $(($($arg:ident),*))? $(=> $e2h:ident)? $feat:ident $doc:literal $fields:expr;)*) => {
        /// The registers of this file, by name.
        #[allow(non_upper_case_globals)]
        pub mod names {
            use crate::reg::Reg;
            $(#[doc = $doc] pub const $name: Reg = Reg::new($op0, $op1, $n, $m, $op2);)*
        }
        /// What the registers of this file are.
        pub const INFOS: &[crate::reg::Info] = &[$({
            #[allow(unused_imports)]
            use crate::reg::names as all;
            crate::reg::Info {
                name: stringify!($name),
                reg: names::$name,
                group: crate::reg::Group::$group,
                access: crate::reg::Access::parse(stringify!($acc)),
                reset: $reset,
                alias: crate::reg::infos!(@alias $store $($($arg)*)?),
                e2h: crate::reg::infos!(@e2h $($e2h)?),
                feature: stringify!($feat),
                doc: $doc,
                fields: $fields,
            }
        }),*];
    };
    (@alias alias $r:ident) => { Some(all::$r) };
    (@alias $($other:ident)*) => { None };
    (@e2h) => { None };
    (@e2h $r:ident) => { Some(all::$r) };
}
pub(crate) use infos;

/// All registers by name.
pub mod names {
    pub use super::debug::names::*;
    pub use super::el0::names::*;
    pub use super::el1::names::*;
    pub use super::el2::names::*;
    pub use super::gic::names::*;
    pub use super::id::names::*;
    pub use super::pmu::names::*;
    pub use super::timer::names::*;
}

const FILES: [&[Info]; 8] = [
    id::INFOS,
    el0::INFOS,
    el1::INFOS,
    el2::INFOS,
    timer::INFOS,
    gic::INFOS,
    debug::INFOS,
    pmu::INFOS,
];

/// How many registers are known.
pub const COUNT: usize = {
    let (mut n, mut f) = (0, 0);
    while f < FILES.len() {
        n += FILES[f].len();
        f += 1;
    }
    n
};

/// Every register that is known, those of absent features included.
pub static INFOS: [Info; COUNT] = {
    let mut all = [FILES[0][0]; COUNT];
    let (mut n, mut f) = (0, 0);
    while f < FILES.len() {
        let mut i = 0;
        while i < FILES[f].len() {
            all[n] = FILES[f][i];
            n += 1;
            i += 1;
        }
        f += 1;
    }
    all
};

const NONE: u16 = u16::MAX;

/// Row number by encoding; two rows with one encoding do not compile.
static INDEX: [u16; REG_SPACE] = {
    let mut index = [NONE; REG_SPACE];
    let mut i = 0;
    while i < COUNT {
        let at = INFOS[i].reg.index();
        assert!(index[at] == NONE, "two registers have the same encoding");
        index[at] = i as u16;
        i += 1;
    }
    index
};

/// The number of the row of `reg` in [`INFOS`].
#[inline]
pub fn number(reg: Reg) -> Option<usize> {
    match INDEX[reg.index()] {
        NONE => None,
        i => Some(i as usize),
    }
}

/// What `reg` is, present or not. (Encodings of SYS instructions have no row.)
#[inline]
pub fn find(reg: Reg) -> Option<&'static Info> {
    if reg.0 >> 15 == 0 {
        return None;
    }
    number(reg).map(|i| &INFOS[i])
}

/// The register of that name (as the Arm ARM spells it; case does not matter).
pub fn by_name(name: &str) -> Option<&'static Info> {
    static NAMES: OnceLock<HashMap<String, usize>> = OnceLock::new();
    let upper = |(n, row): (usize, &Info)| (row.name.to_ascii_uppercase(), n);
    let names = NAMES.get_or_init(|| INFOS.iter().enumerate().map(upper).collect());
    names.get(&name.to_ascii_uppercase()).map(|&n| &INFOS[n])
}
