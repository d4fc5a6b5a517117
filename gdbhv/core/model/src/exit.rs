//! VM exits: exceptions from EL0 or EL1 to EL2 while HCR_EL2.TGE is 0. One table of classes, one record for each exit, accounts, and
//! the mask of classes that a catchpoint wants. Only `machine` asks, when an exception is taken to EL2 anyway.

use crate::account::{Accounts, Place, Who};
use crate::cpu::{Cpu, MAX_CPUS};
use crate::guest::Left;
use crate::hcr::nvx;
use crate::mmu::fault::FaultKind;
use crate::mmu::regime;
use crate::raise::{Exception, ExceptionKind};
use crate::reg::names::*;
use crate::reg::Reg;
use crate::repeat::Repeats;
use crate::save::{put, take, Save, Unfit};
use crate::syndrome::{ec, iss};
use crate::trace::{Event, Trace, What};
use crate::vms::{At, Vms};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

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

/// Number of the class of EC 0.
const SYNC: u16 = 0x1000;
/// Number of the first asynchronous class.
pub const ASYNC: u16 = 0x1100;
const HVC: u16 = SYNC + ec::HVC as u16;
const SMC: u16 = SYNC + ec::SMC as u16;
/// Number of an entry (an exception return from EL2 to EL1 or EL0).
pub const ENTRY: u16 = 0x1200;

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
const INTID: &str = "maint sgi[0-9]* ppi[0-9]* spi[0-9]* lpi[0-9]* intid[0-9]*";

const NOTHING: Key = Key::Iss(0);
const IMM16: Key = Key::Iss(0xffff);
const LOW2: Key = Key::Iss(3);
const ERROR: Key = Key::Of(|r| serror_key(r.iss()));
const LINE: Key = Key::Of(|r| r.intid.unwrap_or(u32::MAX));

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
        INSTRUCTION_ABORT Key::Iss(0xbf), instruction_abort abort!("s1ptw x"); // S1PTW, IFSC
    "dabt"    0x1024 "DABT_LOW" "data abort of stage 2"
        DATA_ABORT Key::Iss(0x100_01ff), data_abort abort!("s1ptw r w isv noisv cm"); // ISV, CM, S1PTW, WnR, DFSC
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
    "unknown" 0x1000 "UNKNOWN" "undefined instruction taken to EL2: none can be with TGE = 0"
        NONE NOTHING, plain "";
    "irq"     0x1100 "IRQ" "physical IRQ (HCR_EL2.IMO)"
        NONE LINE, interrupt INTID;
    "fiq"     0x1101 "FIQ" "physical FIQ (HCR_EL2.FMO)"
        NONE LINE, interrupt INTID;
}

/// The class of an exit by its number.
#[inline]
pub fn class_of(number: u16) -> &'static Class {
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
    /// Number of the VM that exited: 0 if none is known (hosted, the host side knows).
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
    /// Controls that route it to EL2.
    #[borsh(deserialize_with = "take_cause")]
    pub cause: &'static [&'static str],
    /// INTID of an interrupt.
    pub intid: Option<u32>,
    /// The guest's registers.
    pub left: Left,
}

/// The immediate of HVC by which Xen's guests call it, with the number of the hypercall in x16 (Xen's public/arch-arm.h).
const XEN: u32 = 0xea1;

/// The exits of a machine.
#[derive(Default)]
pub struct Exits {
    /// How many.
    pub total: u64,
    /// How many from where, and how long they took.
    pub accounts: Accounts,
    /// The last events.
    pub trace: Trace,
    /// What CPUs take again and again.
    pub repeats: Repeats,
    /// The last one of each CPU.
    pub last: Vec<Option<Record>>,
    /// Who has run, if the hypervisor is in the machine.
    pub vms: Vms,
    /// By CPU: whose the last one is.
    whose: [Option<At>; MAX_CPUS],
    /// The last exits of vCPUs that are no longer the last of a CPU.
    kept: BTreeMap<At, Box<Record>>,
    /// Ticks of virtual time in which no instruction was executed, as of the turn of a CPU.
    idle: u64,
    /// The same of the CPU alone: ticks in which it executed none.
    own: u64,
    /// Numbers of classes that stop the machine.
    pub catch: Vec<u16>,
    /// Entries stop the machine.
    pub catch_entry: bool,
}

impl Exits {
    /// A turn begins at `now`, after so many instructions of all CPUs, and of its own. (Counts of instructions go on when virtual
    /// time begins anew.)
    pub fn begin(&mut self, now: u64, insns: u64, own: u64) {
        self.idle = now.wrapping_sub(insns);
        self.own = now.wrapping_sub(own);
    }
    /// How many instructions all CPUs have executed, in a turn.
    pub fn insns(&self, now: u64) -> u64 {
        now.wrapping_sub(self.idle)
    }

    /// Record `e`, which `cpu` has just taken to EL2 from EL `from`; true if a catchpoint may want it. `word` is the instruction that was
    /// executing, and it is tick `now`, `ns` in nanoseconds. `hosted`: whose it is, only the host side knows.
    #[inline]
    pub fn taken(
        &mut self,
        cpu: &Cpu,
        word: Option<u32>,
        e: &Exception,
        from: u8,
        hosted: bool,
        (now, ns): (u64, u64),
    ) -> bool {
        let id = cpu.id;
        let (of, who) = if hosted {
            let vmid = regime::vmid(cpu); // the host side gives each VM its number for a VMID
            (None, (vmid, hosted_vcpu(cpu)))
        } else {
            let of = self.vms.exited(id, self.insns(now));
            (of, of.map_or((0, id as u16), |at| (at.number(), at.vcpu)))
        };
        if self.last.len() <= id {
            self.last.resize(id + 1, None);
        }
        if self.whose[id] != of {
            self.keep(id);
            self.whose[id] = of;
        }
        self.total += 1;
        let r = self.last[id].get_or_insert_default();
        fill(r, cpu, word, ns, e, from);
        (r.seq, r.vm) = (self.total, who.0);
        let insns = now.wrapping_sub(self.own);
        Self::account((&mut self.accounts, &mut self.trace), r, who, insns);
        self.catch.contains(&r.class)
    }

    #[inline]
    fn account((accounts, trace): (&mut Accounts, &mut Trace), r: &Record, who: Who, insns: u64) {
        let key = r.key();
        let call = match r.class {
            HVC if key == XEN => Some(r.left.x[16] as u32),
            HVC | SMC => Some(r.args[0] as u32),
            _ => None,
        };
        let place = Place {
            kind: (r.vm, r.vmid, r.class, key),
            vcpu: who.1,
            call,
            pc: Some(r.pc),
            page: r.ipa.map(|i| i.0 >> 12),
        };
        accounts.exited(r.cpu, who, place, insns, r.now);
        trace.add(Event {
            what: What::Exit,
            cpu: r.cpu as u8,
            el: r.el,
            who,
            vmid: r.vmid,
            class: r.class,
            key,
            now: r.now,
            insns,
            pc: r.pc,
            value: r
                .ipa
                .map(|i| i.0)
                .or(call.map(u64::from))
                .unwrap_or(Event::NONE),
            cause: r.cause,
        });
    }

    /// EL2 of `cpu` has just entered something, at `now` (`ns` in nanoseconds); `hosted`: a vCPU of the host side's.
    pub fn entered(&mut self, cpu: &Cpu, hosted: bool, now: u64, ns: u64) {
        let who = if hosted {
            (regime::vmid(cpu), hosted_vcpu(cpu))
        } else {
            let insns = self.insns(now);
            if let Some((at, from)) = self.vms.entered(cpu, insns) {
                if self.whose[from] == Some(at) {
                    self.keep(from);
                    self.whose[from] = None;
                }
            }
            self.who(cpu.id)
        };
        let insns = now.wrapping_sub(self.own);
        self.accounts.entered(cpu.id, who, insns, ns);
        self.trace.add(Event {
            what: What::Entry,
            cpu: cpu.id as u8,
            el: cpu.pstate.el,
            who,
            vmid: regime::vmid(cpu),
            class: ENTRY,
            key: 0,
            now: ns,
            insns,
            pc: cpu.pc,
            value: Event::NONE,
            cause: &[],
        });
    }

    /// Who executes on a CPU, as far as it is known: a vCPU of the machine's hypervisor, or what runs without one.
    fn who(&self, cpu: usize) -> Who {
        self.vms
            .here(cpu)
            .map_or((0, cpu as u16), |at| (at.number(), at.vcpu))
    }

    /// A guest has just taken a virtual interrupt at EL1: `e`, with the INTID that it will acknowledge, if that is known.
    pub fn virtual_taken(
        &mut self,
        cpu: &Cpu,
        hosted: bool,
        e: &Exception,
        intid: Option<u32>,
        now: u64,
        ns: u64,
    ) {
        let who = match hosted {
            true => (regime::vmid(cpu), hosted_vcpu(cpu)),
            false => self.who(cpu.id),
        };
        self.trace.add(Event {
            what: What::Virtual,
            cpu: cpu.id as u8,
            el: 1,
            who,
            vmid: regime::vmid(cpu),
            class: class_number(e),
            key: intid.unwrap_or(u32::MAX),
            now: ns,
            insns: now.wrapping_sub(self.own),
            pc: cpu.get(ELR_EL1),
            value: Event::NONE,
            cause: e.cause,
        });
    }

    /// The last exit of a CPU will no longer be where that of its vCPU is found.
    #[cold]
    fn keep(&mut self, cpu: usize) {
        if let (Some(at), Some(r)) = (self.whose[cpu], &self.last[cpu]) {
            self.kept.insert(at, Box::new(r.clone()));
        }
    }

    /// The last exit of a vCPU.
    pub fn last_of(&self, at: At) -> Option<&Record> {
        let v = self.vms.vcpu(at)?;
        if self.whose[v.cpu] == Some(at) {
            return self.last.get(v.cpu)?.as_ref();
        }
        self.kept.get(&at).map(|r| &**r)
    }

    /// The machine is reset: nobody has run. Counts stay.
    pub fn forget_guests(&mut self) {
        self.last.clear();
        self.vms = Vms::default();
        self.whose = Default::default();
        self.kept.clear();
        self.accounts.forget_guests();
        self.trace.clear();
        self.repeats.forget();
    }
}

/// Lists of causes at most.
const MOST_LISTS: usize = 4096;

/// Words of a [`Record::cause`] at most.
const MOST_CAUSES: u32 = 8;

/// Take a [`Record::cause`]. Its words live as long as the program, as those that the source has: each list that is not known is kept once.
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

/// The counts, the records, and who has run; not what is caught.
impl Save for Exits {
    fn save(&self, to: &mut Vec<u8>) {
        put(to, &self.total);
        put(to, &self.accounts);
        put(to, &self.last);
        put(to, &(&self.vms, self.whose));
        put(to, &self.kept);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.total = take(from)?;
        self.accounts = take(from)?;
        if !self.accounts.complete() {
            return Err(Unfit(
                "damaged: more kinds of exits than are counted".into(),
            ));
        }
        self.trace.clear();
        self.repeats.forget();
        self.last = take(from)?;
        (self.vms, self.whose) = take(from)?;
        self.kept = take(from)?;
        let places = self.whose.iter().flatten().chain(self.kept.keys());
        if !self.vms.sound() || !places.copied().all(|at| self.vms.vcpu(at).is_some()) {
            return Err(Unfit("damaged: it names a vCPU that there is not".into()));
        }
        match self
            .last
            .iter()
            .flatten()
            .chain(self.kept.values().map(|r| &**r))
            .find(|r| class_of(r.class).number != r.class)
        {
            Some(r) => Err(Unfit(format!("damaged: no exit has class {:#x}", r.class))),
            None => Ok(()),
        }
    }
}

/// The place of a vCPU of the host side's in its VM, by VMPIDR_EL2 as that has it.
pub fn hosted_vcpu(cpu: &Cpu) -> u16 {
    cpu.get(VMPIDR_EL2) as u16
}

/// The number of the class that an exception has as an exit.
fn class_number(e: &Exception) -> u16 {
    match e.kind {
        ExceptionKind::Sync if e.ec == ec::NV2_WATCHPOINT => SYNC + ec::WATCHPOINT as u16,
        ExceptionKind::Sync => SYNC + e.ec as u16,
        ExceptionKind::Irq => ASYNC,
        ExceptionKind::Fiq => ASYNC + 1,
        ExceptionKind::SError => SYNC + ec::SERROR as u16,
    }
}

/// Make the record of `e`, which `cpu` has just taken to EL2 from EL `from`; `word` is the instruction that was executing, `now` the virtual
/// time in nanoseconds.
pub fn record(cpu: &Cpu, word: Option<u32>, now: u64, e: &Exception, from: u8) -> Record {
    let mut r = Record::default();
    fill(&mut r, cpu, word, now, e, from);
    r
}

/// The same in the place of another record, all but its numbers. (Exits are frequent, and a record is large.)
#[inline]
fn fill(r: &mut Record, cpu: &Cpu, word: Option<u32>, now: u64, e: &Exception, from: u8) {
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
    r.left.fill(cpu);
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
    let class = class_of(class);
    (class.full_name)(class.name, key)
}

fn plain(class: &str, _: u32) -> String {
    class.into()
}

fn call(class: &str, imm16: u32) -> String {
    format!("{class}:{imm16:#x}")
}

fn wfx(class: &str, key: u32) -> String {
    format!(
        "{class}.{}",
        ["wfi", "wfe", "wfit", "wfet"][key as usize & 3]
    )
}

fn eret(class: &str, key: u32) -> String {
    format!(
        "{class}.{}",
        ["eret", "eret", "eretaa", "eretab"][key as usize & 3]
    )
}

fn instruction_abort(class: &str, key: u32) -> String {
    format!("{class}.{}{}.x", fsc_name(key & 0x3f), s1ptw(key))
}

fn data_abort(class: &str, key: u32) -> String {
    let isv = if key >> 24 & 1 != 0 { ".isv" } else { ".noisv" };
    format!(
        "{class}.{}{}.{}{isv}{}",
        fsc_name(key & 0x3f),
        s1ptw(key),
        direction(key),
        maintenance(key)
    )
}

fn nv2_abort(class: &str, key: u32) -> String {
    format!("{class}.{}.{}", fsc_name(key & 0x3f), direction(key))
}

fn watchpoint(class: &str, key: u32) -> String {
    let vncr = if key >> 13 & 1 != 0 { ".vncr" } else { "" };
    format!("{class}{vncr}.{}{}", direction(key), maintenance(key))
}

fn serror(class: &str, key: u32) -> String {
    format!("{class}.{}", serror_name(key))
}

fn interrupt(class: &str, key: u32) -> String {
    match key {
        u32::MAX => class.into(),
        intid => format!("{class}.{}", intid_name(intid)),
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

fn sysreg(class: &str, iss: u32) -> String {
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

#[cfg(test)]
#[path = "exit_tests.rs"]
mod tests;
