//! System registers. A register's number is its encoding, everywhere: in Rust, in Python, in GDB's target description.
//!
//! A register is one row in the file of its owner ([`id`], [`el0`], [`el1`], [`el2`], [`timer`], [`gic`], [`debug`], [`pmu`]); see
//! [`sysreg_rows!`] for the columns. From the rows come the constants of [`names`], MRS and MSR ([`access`]), `monitor sysreg` and
//! GDB's target description ([`list`]). Which bits can be written follows from a row's fields ([`field`]), who may touch it from
//! the rules that it names ([`trap`]), whether it is there at all from the features of the CPU profile ([`profile`]).

pub mod access;
pub mod debug;
pub mod el0;
pub mod el1;
pub mod el2;
pub mod fgt;
pub mod field;
pub mod gic;
pub mod id;
pub mod nv;
pub mod pmu;
pub mod profile;
pub mod timer;
pub mod trap;

use crate::cpu::Cpu;
use crate::shared::Shared;
use profile::Registers;
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

/// How a computed register is read; `el` is the exception level it is read from (or as if from).
pub type ReadFn = fn(&Cpu, &mut Shared, Reg, u8) -> u64;
/// How a computed register is written, with a value already cut to its write mask.
pub type WriteFn = fn(&mut Cpu, &mut Shared, Reg, u64);

/// Where a register's value lives.
#[derive(Clone, Copy)]
pub enum Store {
    /// In `Cpu::sys`.
    Plain,
    /// In another row: an `_EL12` or `_EL02` name, for EL2 with HCR_EL2.E2H only.
    Alias(Reg),
    /// Computed.
    Func(ReadFn, WriteFn),
    /// In the interrupt controller.
    Gic,
    /// In the generic timer.
    Timer,
    /// In the performance monitors, or one of their controls.
    Pmu,
}

/// What must be looked at after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing.
    Nothing,
    /// Translation or traps: the context is made anew.
    Context,
    /// Interrupts.
    Look,
}

/// One register.
#[derive(Clone, Copy)]
pub struct Row {
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
    /// What may refuse or trap an access, most effective first.
    pub traps: &'static [&'static trap::Rule],
    /// Where the value lives.
    pub store: Store,
    /// What a write may have changed.
    pub after: After,
    /// What this name reaches when used at EL2 with HCR_EL2.E2H (and, for timers, at EL0 with E2H and TGE).
    pub e2h: Option<Reg>,
    /// The feature that it needs, or `base`.
    pub feature: &'static str,
    /// One line.
    pub doc: &'static str,
    /// Fields, in the notation of [`field`].
    pub fields: &'static str,
}

/// The rows of one file:
///
/// `NAME op0 op1 CRn CRm op2 access reset [rules] store feature "doc" fields;`
///
/// * access: `R0W1`, see [`Access::parse`]
/// * rules: names from [`trap`], most effective first
/// * store: `plain`; `ctl` (plain; a write changes translation or traps); `look` (plain; interrupts are looked at);
///   `func(read, write)`, `funcctl(read, write)`, `funclook(read, write)`; `alias(OTHER)`; `gic`; `timer`; `pmu`; `pmuctl` (a
///   control of the performance monitors that changes traps too); then perhaps
///   `=> OTHER`, the row that this name reaches with E2H
/// * feature: the FEAT_ name that it needs, or `base`
#[macro_export]
macro_rules! sysreg_rows {
    ($group:ident; $($name:ident $op0:literal $op1:literal $n:literal $m:literal $op2:literal $acc:ident $reset:literal
        [$($rule:ident)*] $store:ident $(($($arg:ident),*))? $(=> $e2h:ident)? $feat:ident $doc:literal $fields:expr;)*) => {
        /// The registers of this file, by name.
        #[allow(non_upper_case_globals)]
        pub mod names {
            use $crate::sysreg::Reg;
            $(#[doc = $doc] pub const $name: Reg = Reg::new($op0, $op1, $n, $m, $op2);)*
        }
        /// The rows of this file.
        pub const ROWS: &[$crate::sysreg::Row] = &[$({
            #[allow(unused_imports)]
            use $crate::sysreg::{names as all, trap, After, Store};
            $crate::sysreg::Row {
                name: stringify!($name),
                reg: names::$name,
                group: $crate::sysreg::Group::$group,
                access: $crate::sysreg::Access::parse(stringify!($acc)),
                reset: $reset,
                traps: &[$(&trap::$rule),*],
                store: $crate::sysreg_rows!(@store $store $($($arg)*)?),
                after: $crate::sysreg_rows!(@after $store),
                e2h: $crate::sysreg_rows!(@e2h $($e2h)?),
                feature: stringify!($feat),
                doc: $doc,
                fields: $fields,
            }
        }),*];
    };
    (@store plain) => { Store::Plain };
    (@store ctl) => { Store::Plain };
    (@store look) => { Store::Plain };
    (@store gic) => { Store::Gic };
    (@store timer) => { Store::Timer };
    (@store pmu) => { Store::Pmu };
    (@store pmuctl) => { Store::Pmu };
    (@store alias $r:ident) => { Store::Alias(all::$r) };
    (@store func $r:ident $w:ident) => { Store::Func($r, $w) };
    (@store funcctl $r:ident $w:ident) => { Store::Func($r, $w) };
    (@store funclook $r:ident $w:ident) => { Store::Func($r, $w) };
    (@after ctl) => { After::Context };
    (@after funcctl) => { After::Context };
    (@after look) => { After::Look };
    (@after funclook) => { After::Look };
    (@after gic) => { After::Look };
    (@after timer) => { After::Look };
    (@after pmu) => { After::Look };
    (@after pmuctl) => { After::Context };
    (@after $other:ident) => { After::Nothing };
    (@e2h) => { None };
    (@e2h $r:ident) => { Some(all::$r) };
}

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

const FILES: [&[Row]; 8] = [
    id::ROWS,
    el0::ROWS,
    el1::ROWS,
    el2::ROWS,
    timer::ROWS,
    gic::ROWS,
    debug::ROWS,
    pmu::ROWS,
];

const COUNT: usize = {
    let (mut n, mut f) = (0, 0);
    while f < FILES.len() {
        n += FILES[f].len();
        f += 1;
    }
    n
};

const fn flatten() -> [Row; COUNT] {
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
}

static ALL: [Row; COUNT] = flatten();

/// Every register that is known, those of absent features included.
pub static ROWS: [Row; COUNT] = ALL;

const NONE: u16 = u16::MAX;

/// Row number by encoding; two rows with one encoding do not compile.
static INDEX: [u16; REG_SPACE] = {
    let mut index = [NONE; REG_SPACE];
    let mut i = 0;
    while i < COUNT {
        let at = ALL[i].reg.index();
        assert!(index[at] == NONE, "two registers have the same encoding");
        index[at] = i as u16;
        i += 1;
    }
    index
};

/// The number of the row of `reg` in [`ROWS`].
#[inline]
pub fn number(reg: Reg) -> Option<usize> {
    match INDEX[reg.index()] {
        NONE => None,
        i => Some(i as usize),
    }
}

/// The row of `reg`, present or not. (Encodings of SYS instructions have none.)
#[inline]
pub fn find(reg: Reg) -> Option<&'static Row> {
    if reg.0 >> 15 == 0 {
        return None;
    }
    number(reg).map(|i| &ROWS[i])
}

/// The row of that name (as the Arm ARM spells it; case does not matter).
pub fn by_name(name: &str) -> Option<&'static Row> {
    static NAMES: OnceLock<HashMap<String, usize>> = OnceLock::new();
    let upper = |(n, row): (usize, &Row)| (row.name.to_ascii_uppercase(), n);
    let names = NAMES.get_or_init(|| ROWS.iter().enumerate().map(upper).collect());
    names.get(&name.to_ascii_uppercase()).map(|&n| &ROWS[n])
}

/// The Arm ARM's name of a register, or its generic `S<op0>_<op1>_C<n>_C<m>_<op2>`.
pub fn name_of(r: Reg) -> String {
    r.name()
}

/// The name of a system instruction (SYS with op0 = 1), e.g. `DC_CIVAC`, or its generic one.
pub fn system_name(op1: u32, crn: u32, crm: u32, op2: u32) -> String {
    match crate::isa::sysop::find(1 << 14 | (op1 << 11 | crn << 7 | crm << 3 | op2) as u16) {
        Some(op) => op.name.to_string(),
        None => format!("SYS_{op1}_C{crn}_C{crm}_{op2}"),
    }
}

/// What users see of one register.
pub struct RegInfo {
    /// The row.
    pub row: &'static Row,
    /// The fields that are there, by rising bit.
    pub fields: Vec<field::Field>,
    /// Bits that a write changes.
    pub write_mask: u64,
    /// Value after reset.
    pub reset: u64,
}

/// The registers that a machine has.
pub fn list(registers: &Registers) -> Vec<RegInfo> {
    ROWS.iter()
        .enumerate()
        .filter(|(i, _)| registers.rows[*i].present)
        .map(|(i, row)| RegInfo {
            row,
            fields: field::parse(row.fields)
                .into_iter()
                .filter(|f| f.feature.is_empty() || registers.has(f.feature))
                .collect(),
            write_mask: registers.rows[i].mask,
            reset: registers.rows[i].reset,
        })
        .collect()
}

#[cfg(test)]
mod tests;
