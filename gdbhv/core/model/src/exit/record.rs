//! The record of one exit, and how it is made.

use crate::cpu::Cpu;
use crate::guest::Left;
use crate::hcr::nvx;
use crate::mmu::regime;
use crate::raise::{Exception, ExceptionKind};
use crate::reg::names::*;
use crate::syndrome::ec;
use borsh::{BorshDeserialize, BorshSerialize};
use std::io::Read;
use std::sync::{Mutex, PoisonError};

/// Number of the class of EC 0.
pub const SYNC: u16 = 0x1000;
/// Number of the first asynchronous class.
pub const ASYNC: u16 = 0x1100;
/// Number of the class of HVC from A64.
pub const HVC: u16 = SYNC + ec::HVC as u16;
/// Number of the class of SMC from A64.
pub const SMC: u16 = SYNC + ec::SMC as u16;
/// Number of an entry (an exception return from EL2 to EL1 or EL0).
pub const ENTRY: u16 = 0x1200;

/// One exit. `name` and `sub` are made from it on demand.
#[derive(Clone, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Record {
    /// Number of this exit, from 1.
    pub seq: u64,
    /// CPU that took it.
    pub cpu: usize,
    /// Virtual time.
    pub now: u64,
    /// Exception level it came from.
    pub el: u8,
    /// Nested virtualization: 0 without HCR_EL2.NV, 1 with it, 2 with NV2 too.
    pub nv: u8,
    /// VMID in use.
    pub vmid: u16,
    /// Number of the VM that exited; 0: not known here (hosted, the host side knows).
    pub vm: u16,
    /// Class number.
    pub class: u16,
    /// PC of the instruction (or where the interrupt came).
    pub pc: u64,
    /// ESR_EL2 (0 for interrupts).
    pub esr: u64,
    /// FAR_EL2, if this exit defines it.
    pub far: Option<u64>,
    /// The true IPA, and whether HPFAR_EL2 has it.
    pub ipa: Option<(u64, bool)>,
    /// SPSR_EL2.
    pub spsr: u64,
    /// The instruction's word, if one was executing.
    pub insn: Option<u32>,
    /// The general-purpose register that the instruction transfers, and its value.
    pub transfer: Option<(u8, u64)>,
    /// x0 to x3: the operands of a hypercall.
    pub args: [u64; 4],
    /// Controls that route the exception to EL2.
    #[borsh(deserialize_with = "take_cause")]
    pub cause: &'static [&'static str],
    /// INTID of an interrupt.
    pub intid: Option<u32>,
    /// ICH_MISR_EL2, if it is the maintenance interrupt.
    pub misr: u8,
    /// The guest's registers at the exit.
    pub left: Left,
}

/// Most lists of causes that are loaded from snapshots.
const MOST_LISTS: usize = 4096;

/// Most words in a [`Record::cause`].
const MOST_CAUSES: u32 = 8;

/// Load a [`Record::cause`]. Like the lists in the source, it lives as long as the program; each list that is not known yet is kept once.
fn take_cause<R: Read>(from: &mut R) -> std::io::Result<&'static [&'static str]> {
    static KNOWN: Mutex<Vec<&'static [&'static str]>> = Mutex::new(Vec::new());
    let wrong = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    let count = u32::deserialize_reader(from)?;
    if count > MOST_CAUSES {
        return Err(wrong("too many causes of an exit"));
    }
    let mut words = Vec::new();
    for _ in 0..count {
        let word = String::deserialize_reader(from)?;
        words.push(word);
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = known.iter().find(|k| k.iter().eq(words.iter())) {
        return Ok(same);
    }
    if known.len() >= MOST_LISTS || words.iter().any(|w| w.len() > 64) {
        return Err(wrong("no exit has such a cause"));
    }
    let words: Vec<&'static str> = words.into_iter().map(|w| &*w.leak()).collect();
    known.push(words.leak());
    Ok(known[known.len() - 1])
}

/// Make the record of `e`, which `cpu` has just taken to EL2 from EL `from`; `word` is the instruction that was executing, `now` the virtual
/// time in nanoseconds.
pub fn record(cpu: &Cpu, word: Option<u32>, now: u64, e: &Exception, from: u8) -> Record {
    let mut r = Record::default();
    fill(&mut r, cpu, word, now, e, from);
    r
}

/// As [`record`], overwriting another record except its numbers. (Exits are frequent, and a record is large.)
#[inline]
pub fn fill(r: &mut Record, cpu: &Cpu, word: Option<u32>, now: u64, e: &Exception, from: u8) {
    let sync = e.kind == ExceptionKind::Sync;
    let class = class_number(e);
    let insn = (sync && !matches!(e.ec, ec::INSTRUCTION_ABORT | ec::STEP))
        .then_some(word)
        .flatten();
    let esr = if sync || e.kind == ExceptionKind::SError {
        cpu.get(ESR_EL2)
    } else {
        0
    };
    let rt = match e.ec {
        ec::SYSREG if sync => Some((esr >> 5 & 31) as u8),
        ec::DATA_ABORT if sync && esr >> 24 & 1 != 0 => Some((esr >> 16 & 31) as u8),
        _ => None,
    };
    r.cpu = cpu.id;
    r.now = now;
    r.el = from;
    r.nv = match nvx(cpu.get(HCR_EL2)) {
        0 => 0,
        nvx => 1 + (nvx >> 2),
    };
    r.vmid = regime::vmid(cpu);
    r.class = class;
    r.pc = if e.next {
        cpu.get(ELR_EL2).wrapping_sub(4)
    } else {
        cpu.get(ELR_EL2)
    };
    r.esr = esr;
    r.far = e.far;
    r.ipa = e.ipa;
    r.spsr = cpu.get(SPSR_EL2);
    r.insn = insn;
    r.transfer = rt.map(|r| (r, if r == 31 { 0 } else { cpu.x[r as usize] }));
    r.args = [cpu.x[0], cpu.x[1], cpu.x[2], cpu.x[3]];
    r.cause = e.cause;
    r.intid = e.intid;
    r.misr = if sync { 0 } else { e.misr };
    r.left.fill(cpu);
}

/// The record of an exception that is no exit: `cpu` has just taken it at EL `target`, from EL `from`; `origin` as in [`super::ORIGINS`].
pub fn other(
    cpu: &Cpu,
    word: Option<u32>,
    now: u64,
    e: &Exception,
    (origin, from, target): (u16, u8, u8),
) -> Record {
    let mut r = record(cpu, word, now, e, from);
    if target == 1 {
        let elr = cpu.get(ELR_EL1);
        r.pc = if e.next { elr.wrapping_sub(4) } else { elr };
        r.spsr = cpu.get(SPSR_EL1);
        let has_syndrome = matches!(e.kind, ExceptionKind::Sync | ExceptionKind::SError);
        r.esr = if has_syndrome { cpu.get(ESR_EL1) } else { 0 };
        r.transfer = None;
    }
    r.class += origin * super::SPAN;
    r
}

/// The record of a firmware call by `cpu`, which is at the instruction `word`.
pub fn call(cpu: &Cpu, word: u32, now: u64) -> Record {
    let iss = word >> 5 & 0xffff;
    let class = if word & 3 == 2 { ec::HVC } else { ec::SMC };
    let mut r = Record {
        cpu: cpu.id,
        now,
        el: cpu.pstate.el,
        vmid: regime::vmid(cpu),
        class: SYNC + class as u16 + super::EL3 * super::SPAN,
        pc: cpu.here(),
        esr: (class as u64) << 26 | 1 << 25 | iss as u64,
        spsr: cpu.spsr(),
        insn: Some(word),
        args: [cpu.x[0], cpu.x[1], cpu.x[2], cpu.x[3]],
        ..Record::default()
    };
    r.left.fill(cpu);
    r.left.pc = cpu.here();
    r
}

/// The number of the class that an exception has as an exit.
pub fn class_number(e: &Exception) -> u16 {
    match e.kind {
        ExceptionKind::Sync if e.ec == ec::NV2_WATCHPOINT => SYNC + ec::WATCHPOINT as u16,
        ExceptionKind::Sync => SYNC + e.ec as u16,
        ExceptionKind::Irq => ASYNC,
        ExceptionKind::Fiq => ASYNC + 1,
        ExceptionKind::SError => SYNC + ec::SERROR as u16,
    }
}
