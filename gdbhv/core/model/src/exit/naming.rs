//! Names of exits: what follows the class's name is made of what tells the sub-reasons of a class apart ([`super::Record::key`]).

use super::record::Record;
use crate::mmu::fault::{FaultKind, PROTECTED_WALK};
use crate::reg::Reg;

/// Why the maintenance interrupt is asserted: the bits of ICH_MISR_EL2 from 0 on (Arm ARM D24.8).
const MAINTENANCE: [&str; 8] = [
    "eoi", "u", "lrenp", "np", "vgrp0e", "vgrp0d", "vgrp1e", "vgrp1d",
];

pub(super) fn plain(class: &str, _: u32) -> String {
    class.into()
}

pub(super) fn call(class: &str, imm16: u32) -> String {
    format!("{class}:{imm16:#x}")
}

pub(super) fn wfx(class: &str, key: u32) -> String {
    format!(
        "{class}.{}",
        ["wfi", "wfe", "wfit", "wfet"][key as usize & 3]
    )
}

pub(super) fn eret(class: &str, key: u32) -> String {
    format!(
        "{class}.{}",
        ["eret", "eret", "eretaa", "eretab"][key as usize & 3]
    )
}

pub(super) fn instruction_abort(class: &str, key: u32) -> String {
    format!("{class}.{}{}.x", fsc_name(key & 0x3f), s1ptw(key))
}

/// A bit of an abort's key that no ISS has: HCR_EL2.PTW is why.
const PTW: u32 = 1 << 25;

/// What tells instruction aborts apart: S1PTW, IFSC, and what no bit says.
pub(super) fn fetch_key(r: &Record) -> u32 {
    r.iss() & 0xbf | ptw_key(r)
}

/// The same of data aborts: ISV, CM, S1PTW, WnR, DFSC.
pub(super) fn data_key(r: &Record) -> u32 {
    r.iss() & 0x100_01ff | ptw_key(r)
}

fn ptw_key(r: &Record) -> u32 {
    match r.cause {
        [PROTECTED_WALK, ..] => PTW,
        _ => 0,
    }
}

pub(super) fn data_abort(class: &str, key: u32) -> String {
    let isv = if key >> 24 & 1 != 0 { ".isv" } else { ".noisv" };
    format!(
        "{class}.{}{}.{}{isv}{}",
        fsc_name(key & 0x3f),
        s1ptw(key),
        direction(key),
        maintenance(key)
    )
}

pub(super) fn nv2_abort(class: &str, key: u32) -> String {
    format!("{class}.{}.{}", fsc_name(key & 0x3f), direction(key))
}

pub(super) fn watchpoint(class: &str, key: u32) -> String {
    let vncr = if key >> 13 & 1 != 0 { ".vncr" } else { "" };
    format!("{class}{vncr}.{}{}", direction(key), maintenance(key))
}

pub(super) fn serror(class: &str, key: u32) -> String {
    format!("{class}.{}", serror_name(key))
}

pub(super) fn interrupt(class: &str, key: u32) -> String {
    match key {
        u32::MAX => class.into(),
        _ => {
            let why = (0..8).filter(|b| key >> (24 + b) & 1 != 0);
            let words: String = why.map(|b| format!(".{}", MAINTENANCE[b])).collect();
            format!("{class}.{}{words}", intid_name(key & 0xff_ffff))
        }
    }
}

/// WnR.
fn direction(key: u32) -> &'static str {
    if key >> 6 & 1 != 0 {
        "w"
    } else {
        "r"
    }
}

/// CM: cache maintenance.
fn maintenance(key: u32) -> &'static str {
    if key >> 8 & 1 != 0 {
        ".cm"
    } else {
        ""
    }
}

const IDS: u32 = 1 << 24;

/// The part of an SError's ISS that says what kind of error it is: IDS, else AET (if DFSC says that it is valid) and DFSC.
pub(super) fn serror_key(iss: u32) -> u32 {
    match iss {
        _ if iss & IDS != 0 => IDS,
        _ if iss & 0x3f == 0x11 => iss & (7 << 10 | 0x3f),
        _ => iss & 0x3f,
    }
}

/// The sub-reason of an SError (Arm ARM D24.2.40, ISS encoding for an SError exception).
fn serror_name(key: u32) -> String {
    let aet = ["uc", "ueu", "ueo", "uer", "aet4", "aet5", "ce", "aet7"];
    match (key & IDS != 0, key & 0x3f) {
        (true, _) => "impdef".into(),
        (_, 0x11) => aet[(key >> 10 & 7) as usize].into(),
        (_, 0) => "uncategorized".into(),
        (_, other) => format!("fsc{other:#04x}"),
    }
}

fn s1ptw(key: u32) -> &'static str {
    match (key >> 7 & 1, key & PTW) {
        (0, _) => "",
        (_, 0) => ".s1ptw",
        _ => ".s1ptw.ptw",
    }
}

/// The sub-reason of a fault status code.
pub fn fsc_name(fsc: u32) -> String {
    let kinds = [
        ("asize", FaultKind::AddressSize as fn(i8) -> FaultKind),
        ("trans", FaultKind::Translation),
        ("af", FaultKind::AccessFlag),
        ("perm", FaultKind::Permission),
        ("sea.walk", FaultKind::ExternalWalk),
    ];
    for (name, kind) in kinds {
        if let Some(level) = (-1..=3).find(|&l| kind(l).fsc() == fsc) {
            return format!("{name}.l{level}");
        }
    }
    match fsc {
        0x10 => "sea".into(),
        0x21 => "align".into(),
        0x30 => "tlbconflict".into(),
        0x31 => "hwupdate".into(),
        0x35 => "exclusive".into(),
        other => format!("fsc{other:#04x}"),
    }
}

/// What a fault status code says, in words (Arm ARM D24.2.40, DFSC).
pub fn fsc_words(fsc: u32) -> String {
    let name = fsc_name(fsc);
    let (kind, level) = name.rsplit_once(".l").unwrap_or((&name, ""));
    let words = match kind {
        "asize" => "address size fault",
        "trans" => "translation fault",
        "af" => "access flag fault",
        "perm" => "permission fault",
        "sea" => "external abort",
        "sea.walk" => "external abort on a table walk",
        "align" => "alignment fault",
        "tlbconflict" => "TLB conflict abort",
        "hwupdate" => "unsupported atomic update of a descriptor",
        "exclusive" => "unsupported exclusive or atomic access",
        _ => return format!("fault status {fsc:#04x}"),
    };
    match level {
        "" => words.into(),
        _ => format!("{words}, level {level}"),
    }
}

/// What an INTID is on this board.
fn intid_name(intid: u32) -> String {
    match intid {
        25 => "maint".into(),
        0..=15 => format!("sgi{intid}"),
        16..=31 => format!("ppi{intid}"),
        32..=1019 => format!("spi{intid}"),
        8192.. => format!("lpi{intid}"),
        _ => format!("intid{intid}"),
    }
}

pub(super) fn sysreg(class: &str, iss: u32) -> String {
    let (op0, op2, op1, crn, crm) = (
        iss >> 20 & 3,
        iss >> 17 & 7,
        iss >> 14 & 7,
        iss >> 10 & 15,
        iss >> 1 & 15,
    );
    let dir = if iss & 1 != 0 { "read" } else { "write" };
    if op0 < 2 {
        return format!("sysinsn:{}", crate::reg::sysop::name(op1, crn, crm, op2));
    }
    let r = Reg::new(op0 as u16, op1 as u16, crn as u16, crm as u16, op2 as u16);
    format!("{class}.{dir}:{}", r.name())
}
