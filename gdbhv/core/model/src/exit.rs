//! VM exits: exceptions from EL0 or EL1 to EL2 while HCR_EL2.TGE is 0. One table of classes, one record for each exit, counters, and
//! the mask of classes that a catchpoint wants. Only `machine` asks, when an exception is taken to EL2 anyway.

use crate::cpu::Cpu;
use crate::guest::{Guests, Left, Seen};
use crate::mmu::controls::Controls;
use crate::mmu::fault::FaultKind;
use crate::mmu::regime::{self, Kind as Regime};
use crate::raise::{Exception, ExceptionKind};
use crate::reg::names::*;
use crate::reg::Reg;
use crate::shared::Shared;
use crate::syndrome::{ec, iss};
use crate::sysreg::nv;
use std::collections::HashMap;

/// One class of exits.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// First word of an exit's name.
    pub name: &'static str,
    /// Number for `catch syscall` and everywhere else: 0x1000 + EC, asynchronous ones from 0x1100.
    pub number: u16,
    /// What KVM's tracepoints call it.
    pub kvm: &'static str,
    /// What causes it.
    pub what: &'static str,
    /// The fields of ESR_EL2.ISS, in the notation of `sysreg::field`.
    pub iss: &'static str,
    /// The words that the sub-reasons in its exits' names are made of, as shell patterns.
    pub subs: &'static str,
}

/// Number of the first asynchronous class.
pub const ASYNC: u16 = 0x1100;
/// Number of an entry (an exception return from EL2 to EL1 or EL0).
pub const ENTRY: u16 = 0x1200;

macro_rules! classes {
    ($($name:literal $number:literal $kvm:literal $what:literal $iss:ident $subs:expr;)*) => {
        /// Every way into EL2 from a guest: by EC, then the asynchronous ones.
        pub const CLASSES: &[Class] = &[$(Class {
            name: $name,
            number: $number,
            kvm: $kvm,
            what: $what,
            iss: iss::$iss,
            subs: $subs,
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
const INTID: &str = "maint sgi[0-9]* ppi[0-9]* spi[0-9]* lpi[0-9]* intid[0-9]*";

#[rustfmt::skip]
classes! {
    // name   number KVM            what causes it                                          ISS                sub-reasons
    "wfx"     0x1001 "WFx"          "WFI or WFE (HCR_EL2.TWI, TWE)"                         WFX                "wfi wfe wfit wfet";
    "fp"      0x1007 "FP_ASIMD"     "FP or SIMD instruction (CPTR_EL2.TFP, FPEN)"           FP                 "";
    "pac"     0x1009 "PAC"          "pointer authentication (HCR_EL2.API)"                  NONE               "";
    "svc"     0x1015 "SVC64"        "SVC (HFGITR_EL2)"                                      CALL               "";
    "hvc"     0x1016 "HVC64"        "HVC: a hypercall"                                      CALL               "";
    "smc"     0x1017 "SMC64"        "SMC (HCR_EL2.TSC)"                                     CALL               "";
    "sysreg"  0x1018 "SYS64"
        "MRS, MSR or a system instruction (HCR_EL2, HFGxTR_EL2, MDCR_EL2, CPTR_EL2, CNTHCTL_EL2, ICH_HCR_EL2)" SYSREG "read write";
    "sve"     0x1019 "SVE"          "SVE instruction (CPTR_EL2.TZ, ZEN)"                    NONE               "";
    "eret"    0x101a "ERET"         "ERET at EL1 (HCR_EL2.NV, HFGITR_EL2)"                  ERET               "eret eretaa eretab";
    "iabt"    0x1020 "IABT_LOW"     "instruction abort of stage 2"                          INSTRUCTION_ABORT  abort!("s1ptw x");
    "dabt"    0x1024 "DABT_LOW"     "data abort of stage 2"                                 DATA_ABORT         abort!("s1ptw r w isv noisv cm");
    "vncr"    0x1025 "DABT_CUR"     "abort of a register's access in memory (HCR_EL2.NV2)"  NV2_ABORT          abort!("r w");
    "serror"  0x102f "SERROR"       "SError interrupt (HCR_EL2.AMO)"                        SERROR
        "uc ueu ueo uer ce aet[457] impdef uncategorized fsc0x[0-9a-f][0-9a-f]";
    "bp"      0x1030 "BREAKPT_LOW"  "hardware breakpoint (MDCR_EL2.TDE)"                    BREAKPOINT         "";
    "step"    0x1032 "SOFTSTP_LOW"  "software step (MDCR_EL2.TDE)"                          STEP               "";
    "wp"      0x1034 "WATCHPT_LOW"  "watchpoint (MDCR_EL2.TDE)"                             WATCHPOINT         "r w cm vncr";
    "brk"     0x103c "BRK64"        "BRK (MDCR_EL2.TDE)"                                    BRK                "";
    "unknown" 0x1000 "UNKNOWN"      "undefined instruction taken to EL2: none can be with TGE = 0" NONE        "";
    "irq"     0x1100 "IRQ"          "physical IRQ (HCR_EL2.IMO)"                            NONE               INTID;
    "fiq"     0x1101 "FIQ"          "physical FIQ (HCR_EL2.FMO)"                            NONE               INTID;
}

/// The class of an exit by its number.
pub fn class_of(number: u16) -> &'static Class {
    CLASSES
        .iter()
        .find(|c| c.number == number)
        .or(CLASSES.iter().find(|c| c.number == 0x1000))
        .expect("the table has the class of EC 0")
}

/// One exit. `name` and `sub` are made from it on demand.
#[derive(Clone, Debug, Default)]
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
    /// Controls that route it to EL2.
    pub cause: &'static [&'static str],
    /// INTID of an interrupt.
    pub intid: Option<u32>,
    /// The guest's registers.
    pub left: Left,
}

/// The exits of a machine.
#[derive(Default)]
pub struct Exits {
    /// How many.
    pub total: u64,
    /// How many by (VMID, class, what tells sub-reasons apart: see [`Record::key`]).
    pub counts: HashMap<(u16, u16, u32), u64>,
    /// The last one of each CPU.
    pub last: Vec<Option<Record>>,
    /// Who has run.
    pub guests: Guests,
    /// Numbers of classes that stop the machine.
    pub catch: Vec<u16>,
    /// Entries stop the machine.
    pub catch_entry: bool,
}

impl Exits {
    /// Record the exception that has just been taken to EL2 from `from`; true if a catchpoint may want it.
    pub fn record(&mut self, mut r: Record) -> bool {
        self.total += 1;
        r.seq = self.total;
        *self.counts.entry((r.vmid, r.class, r.key())).or_insert(0) += 1;
        let caught = self.catch.contains(&r.class);
        if self.last.len() <= r.cpu {
            self.last.resize(r.cpu + 1, None);
        }
        let cpu = r.cpu;
        self.guests.note(Seen {
            controls: r.left.controls,
            cpu,
            now: r.now,
            entry: false,
        });
        self.last[cpu] = Some(r);
        caught
    }

    /// EL2 of `cpu` has just entered a guest.
    pub fn entered(&mut self, cpu: &Cpu, now: u64) {
        self.guests.note(Seen {
            controls: Controls::of(cpu, Regime::El10),
            cpu: cpu.id,
            now,
            entry: true,
        });
    }
}

/// Make the record of `e`, which `cpu` has just taken to EL2 from EL `from`; `gpr` are the registers.
pub fn record(cpu: &Cpu, sh: &Shared, e: &Exception, from: u8) -> Record {
    let sync = e.kind == ExceptionKind::Sync;
    let class = match e.kind {
        ExceptionKind::Sync if e.ec == ec::NV2_WATCHPOINT => 0x1034,
        ExceptionKind::Sync => 0x1000 + e.ec as u16,
        ExceptionKind::Irq => ASYNC,
        ExceptionKind::Fiq => ASYNC + 1,
        ExceptionKind::SError => 0x102f,
    };
    let insn = (sync && !matches!(e.ec, ec::INSTRUCTION_ABORT | ec::STEP))
        .then(|| word(cpu, sh))
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
    Record {
        seq: 0,
        cpu: cpu.id,
        now: sh.ns(0),
        el: from,
        nv: match nv::nvx(cpu.get(HCR_EL2)) {
            0 => 0,
            nvx => 1 + (nvx >> 2),
        },
        vmid: regime::vmid(cpu),
        class,
        pc: if e.next {
            cpu.get(ELR_EL2).wrapping_sub(4)
        } else {
            cpu.get(ELR_EL2)
        },
        esr,
        far: e.far,
        ipa: e.ipa,
        spsr: cpu.get(SPSR_EL2),
        insn,
        transfer: rt.map(|r| (r, if r == 31 { 0 } else { cpu.x[r as usize] })),
        args: [cpu.x[0], cpu.x[1], cpu.x[2], cpu.x[3]],
        cause: e.cause,
        intid: e.intid,
        left: Left::of(cpu),
    }
}

/// The word of the instruction that executes.
fn word(cpu: &Cpu, sh: &Shared) -> Option<u32> {
    sh.ram.read(cpu.here_pa(), 4).map(|w| w as u32)
}

impl Record {
    /// What tells the sub-reasons of a class apart, for counting.
    pub fn key(&self) -> u32 {
        let iss = self.esr as u32 & 0x1ff_ffff;
        match self.class {
            0x1001 => iss & 3,
            0x1015 | 0x1016 | 0x1017 | 0x103c => iss & 0xffff,
            0x1018 => iss & 0x3f_fc1f,  // everything but Rt
            0x1020 => iss & 0xbf,       // S1PTW, IFSC
            0x1024 => iss & 0x100_01ff, // ISV, CM, S1PTW, WnR, DFSC
            0x1025 => iss & 0x1ff,      // CM, S1PTW, WnR, DFSC; there is no ISV
            0x1034 => iss & 0x2140,     // VNCR, CM, WnR
            0x101a => iss & 3,
            0x102f => serror_key(iss),
            ASYNC | 0x1101 => self.intid.unwrap_or(u32::MAX),
            _ => 0,
        }
    }
}

/// The name of an exit: class, sub-reason and argument, e.g. `dabt.trans.l3.w.isv`, `sysreg.read:ID_AA64PFR0_EL1`, `hvc:0x0`.
pub fn name(class: u16, key: u32) -> String {
    let base = class_of(class).name;
    match class {
        0x1001 => format!("wfx.{}", ["wfi", "wfe", "wfit", "wfet"][key as usize & 3]),
        0x1015 | 0x1016 | 0x1017 | 0x103c => format!("{base}:{key:#x}"),
        0x1018 => sysreg_name(key),
        0x101a => format!(
            "eret.{}",
            ["eret", "eret", "eretaa", "eretab"][key as usize & 3]
        ),
        0x1020 => format!("iabt.{}{}.x", fsc_name(key & 0x3f), s1ptw(key)),
        0x1024 => {
            let write = if key >> 6 & 1 != 0 { ".w" } else { ".r" };
            let isv = if key >> 24 & 1 != 0 { ".isv" } else { ".noisv" };
            let cm = if key >> 8 & 1 != 0 { ".cm" } else { "" };
            format!(
                "dabt.{}{}{write}{isv}{cm}",
                fsc_name(key & 0x3f),
                s1ptw(key)
            )
        }
        0x1025 => format!(
            "vncr.{}.{}",
            fsc_name(key & 0x3f),
            if key >> 6 & 1 != 0 { "w" } else { "r" }
        ),
        0x1034 => format!(
            "wp{}.{}{}",
            if key >> 13 & 1 != 0 { ".vncr" } else { "" },
            if key >> 6 & 1 != 0 { "w" } else { "r" },
            if key >> 8 & 1 != 0 { ".cm" } else { "" }
        ),
        0x102f => format!("serror.{}", serror_name(key)),
        ASYNC | 0x1101 if key != u32::MAX => format!("{base}.{}", intid_name(key)),
        _ => base.to_string(),
    }
}

const IDS: u32 = 1 << 24;

/// The part of an SError's ISS that says what kind of error it is: IDS, else AET (if DFSC says that it is valid) and DFSC.
fn serror_key(iss: u32) -> u32 {
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
    if key >> 7 & 1 != 0 {
        ".s1ptw"
    } else {
        ""
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

fn sysreg_name(iss: u32) -> String {
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
    format!("sysreg.{dir}:{}", r.name())
}

#[cfg(test)]
#[path = "exit_tests.rs"]
mod tests;
