//! VM exits: exceptions from EL0 or EL1 to EL2 while HCR_EL2.TGE is 0. One table of classes, with their names, is here; [`mod@record`] is what is
//! kept of an exit. Only `machine` asks, when an exception is taken to EL2 anyway.
//!
//! Other exceptions have the same classes, and an [`ORIGINS`] before their names; they are no exits and are not counted.

pub mod absent;
mod naming;
pub mod record;

pub use naming::{fsc_name, fsc_words};
pub use record::{record, Record, ASYNC, ENTRY};

use crate::syndrome::iss;
use naming::*;
use record::SYNC;

/// One class of exits.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// First word of an exit's name.
    pub name: &'static str,
    /// Other first words that exits of the class may have.
    pub also: &'static [&'static str],
    /// Number for `catch syscall` and everywhere else: 0x1000 + EC, asynchronous ones from 0x1100.
    pub number: u16,
    /// What KVM's tracepoints call it.
    pub kvm: &'static str,
    /// What causes it.
    pub what: &'static str,
    /// The fields of ESR_EL2.ISS, in the notation of `reg::field`.
    pub iss: &'static str,
    /// The words that the sub-reasons in its exits' names are made of, as shell patterns.
    pub subs: &'static str,
    /// What tells the sub-reasons apart.
    key: Key,
    /// Makes an exit's name of the class's and of the key.
    full_name: fn(&str, u32) -> String,
}

impl Class {
    /// ESR_EL2.EC of its exits (of those from a lower Exception level, where there are two); asynchronous ones have none.
    pub fn ec(&self) -> Option<u16> {
        (self.number < ASYNC).then(|| self.number - SYNC)
    }
}

/// What tells the sub-reasons of a class apart, for counting.
#[derive(Clone, Copy, Debug)]
enum Key {
    /// These bits of the ISS.
    Iss(u32),
    /// Something else.
    Of(fn(&Record) -> u32),
}

macro_rules! classes {
    ($($name:literal $(also $also:literal)* $number:literal $kvm:literal $what:literal $iss:ident $key:expr, $full:ident $subs:expr;)*) => {
        /// Every way into EL2 from a guest: by EC, then the asynchronous ones. Such a row is all that there is of a class: what
        /// follows its name in an exit's is made by the function in it, and Python derives the rest.
        pub const CLASSES: &[Class] = &[$(Class {
            name: $name,
            also: &[$($also),*],
            number: $number,
            kvm: $kvm,
            what: $what,
            iss: iss::$iss,
            subs: $subs,
            key: $key,
            full_name: $full,
        }),*];
    };
}

/// Words of the name of an abort.
macro_rules! abort {
    ($more:literal) => {
        concat!("asize trans af perm sea walk align tlbconflict hwupdate exclusive l-1 l0 l1 l2 l3 fsc0x[0-9a-f][0-9a-f] ", $more)
    };
}

/// Words of the name of an interrupt.
const INTID: &str =
    "maint eoi u lrenp np vgrp0e vgrp0d vgrp1e vgrp1d sgi[0-9]* ppi[0-9]* spi[0-9]* lpi[0-9]* intid[0-9]*";

const NOTHING: Key = Key::Iss(0);
const IMM16: Key = Key::Iss(0xffff);
const LOW2: Key = Key::Iss(3);
const ERROR: Key = Key::Of(|r| serror_key(r.iss()));
const LINE: Key = Key::Of(|r| r.intid.map_or(u32::MAX, |n| (r.misr as u32) << 24 | n));

#[rustfmt::skip]
classes! {
    // name number KVM, what causes it; ISS, what tells sub-reasons apart, maker of the name, sub-reasons
    "wfx"     0x1001 "WFx" "WFI or WFE (HCR_EL2.TWI, TWE)"
        WFX LOW2, wfx "wfi wfe wfit wfet";
    "fp"      0x1007 "FP_ASIMD" "FP or SIMD instruction (CPTR_EL2.TFP, FPEN)"
        FP NOTHING, plain "";
    "pac"     0x1009 "PAC" "pointer authentication (HCR_EL2.API)"
        NONE NOTHING, plain "";
    "svc"     0x1015 "SVC64" "SVC (HFGITR_EL2)"
        CALL IMM16, call "";
    "hvc"     0x1016 "HVC64" "HVC: a hypercall"
        CALL IMM16, call "";
    "smc"     0x1017 "SMC64" "SMC (HCR_EL2.TSC)"
        CALL IMM16, call "";
    "sysreg" also "sysinsn" 0x1018 "SYS64"
        "MRS, MSR or a system instruction (HCR_EL2, HFGxTR_EL2, MDCR_EL2, CPTR_EL2, CNTHCTL_EL2, ICH_HCR_EL2)"
        SYSREG Key::Iss(0x3f_fc1f), sysreg "read write"; // everything but Rt
    "sve"     0x1019 "SVE" "SVE instruction (CPTR_EL2.TZ, ZEN)"
        NONE NOTHING, plain "";
    "eret"    0x101a "ERET" "ERET at EL1 (HCR_EL2.NV, HFGITR_EL2)"
        ERET LOW2, eret "eret eretaa eretab";
    "iabt"    0x1020 "IABT_LOW" "instruction abort of stage 2"
        INSTRUCTION_ABORT Key::Of(fetch_key), instruction_abort abort!("s1ptw ptw x");
    "dabt"    0x1024 "DABT_LOW" "data abort of stage 2"
        DATA_ABORT Key::Of(data_key), data_abort abort!("s1ptw ptw r w isv noisv cm");
    "vncr"    0x1025 "DABT_CUR" "abort of a register's access in memory (HCR_EL2.NV2)"
        NV2_ABORT Key::Iss(0x1ff), nv2_abort abort!("r w"); // CM, S1PTW, WnR, DFSC; there is no ISV
    "serror"  0x102f "SERROR" "SError interrupt (HCR_EL2.AMO)"
        SERROR ERROR, serror "uc ueu ueo uer ce aet[457] impdef uncategorized fsc0x[0-9a-f][0-9a-f]";
    "bp"      0x1030 "BREAKPT_LOW" "hardware breakpoint (MDCR_EL2.TDE)"
        BREAKPOINT NOTHING, plain "";
    "step"    0x1032 "SOFTSTP_LOW" "software step (MDCR_EL2.TDE)"
        STEP NOTHING, plain "";
    "wp"      0x1034 "WATCHPT_LOW" "watchpoint (MDCR_EL2.TDE)"
        WATCHPOINT Key::Iss(0x2140), watchpoint "r w cm vncr"; // VNCR, CM, WnR
    "brk"     0x103c "BRK64" "BRK (MDCR_EL2.TDE)"
        BRK IMM16, call "";
    // Never exits: with TGE = 0 they are taken at EL1.
    "unknown" 0x1000 "UNKNOWN" "undefined instruction"
        NONE NOTHING, plain "";
    "illegal_state" 0x100e "ILLEGAL_STATE" "PSTATE.IL is set"
        NONE NOTHING, plain "";
    "pc_align" 0x1022 "PC_ALIGN" "misaligned PC"
        NONE NOTHING, plain "";
    "sp_align" 0x1026 "SP_ALIGN" "misaligned SP"
        NONE NOTHING, plain "";
    "irq"     0x1100 "IRQ" "physical IRQ (HCR_EL2.IMO)"
        NONE LINE, interrupt INTID;
    "fiq"     0x1101 "FIQ" "physical FIQ (HCR_EL2.FMO)"
        NONE LINE, interrupt INTID;
}

/// What else than an exit an exception may be: the word before its class's name, and what it is. The number of its class is [`SPAN`] times its
/// place here, from 1, above the exit's.
pub const ORIGINS: &[(&str, &str)] = &[
    ("el1", "taken at EL1: the guest's own"),
    (
        "host",
        "from EL0 to EL2, with HCR_EL2.TGE: of a process that EL2 hosts",
    ),
    ("el2", "from EL2 to EL2"),
    ("el3", "a call of the firmware, as if there were an EL3"),
    ("virt", "a virtual interrupt or SError taken at EL1"),
];

/// Taken at EL1.
pub const EL1: u16 = 1;
/// A host exception.
pub const HOST: u16 = 2;
/// EL2 to EL2.
pub const EL2: u16 = 3;
/// A call of the firmware.
pub const EL3: u16 = 4;
/// A virtual interrupt.
pub const VIRTUAL: u16 = 5;

/// Between the numbers of a class with one origin and with the next.
pub const SPAN: u16 = 0x400;

/// How many numbers there are from [`SYNC`] on, entries and all origins included.
pub const NUMBERS: u16 = SPAN * (ORIGINS.len() as u16 + 1);

/// The number of an exit's class, of one with an origin.
#[inline]
pub fn base(number: u16) -> u16 {
    SYNC | number & 0x1ff
}

/// The word before a class's name; None: it is an exit.
pub fn origin(number: u16) -> Option<&'static str> {
    let place = number.wrapping_sub(SYNC) / SPAN;
    ORIGINS.get((place as usize).wrapping_sub(1)).map(|o| o.0)
}

/// The class of an exit, or of another exception, by its number.
#[inline]
pub fn class_of(number: u16) -> &'static Class {
    let number = base(number);
    let place = match number {
        SYNC..=SYNC_END => SYNC_PLACES[(number - SYNC) as usize],
        _ => place_of(number),
    };
    &CLASSES[place as usize]
}

const SYNC_END: u16 = SYNC + 63;

/// By EC: the place of its class in [`CLASSES`].
const SYNC_PLACES: [u8; 64] = {
    let mut places = [0; 64];
    let mut ec = 0;
    while ec < 64 {
        places[ec] = place_of(SYNC + ec as u16);
        ec += 1;
    }
    places
};

/// The place of a class in [`CLASSES`], or that of EC 0.
const fn place_of(number: u16) -> u8 {
    let (mut n, mut unknown) = (0, 0);
    while n < CLASSES.len() {
        if CLASSES[n].number == number {
            return n as u8;
        }
        if CLASSES[n].number == SYNC {
            unknown = n;
        }
        n += 1;
    }
    unknown as u8
}

impl Record {
    /// What tells the sub-reasons of a class apart, for counting.
    pub fn key(&self) -> u32 {
        match class_of(self.class).key {
            Key::Iss(mask) => self.iss() & mask,
            Key::Of(key) => key(self),
        }
    }

    fn iss(&self) -> u32 {
        self.esr as u32 & 0x1ff_ffff
    }
}

/// The name of an exit: class, sub-reason and argument, e.g. `dabt.trans.l3.w.isv`, `sysreg.read:ID_AA64PFR0_EL1`, `hvc:0x0`.
pub fn name(class: u16, key: u32) -> String {
    let row = class_of(class);
    let name = (row.full_name)(row.name, key);
    match origin(class) {
        None => name,
        // What ISV says is of stage 2 alone.
        Some(word) => format!("{word}.{}", name.replace(".noisv", "")),
    }
}

#[cfg(test)]
#[path = "exit_tests.rs"]
mod tests;
