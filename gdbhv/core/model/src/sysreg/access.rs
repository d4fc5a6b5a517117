//! What MRS and MSR do (`isa::system`): find the row, ask whether the access is allowed, redirect ([`may_i`]), read ([`take`]) or legalize and
//! write ([`put`]). Each is a function of its own: a debugger reads and writes without being asked ([`debug_read`], [`debug_write`]), and the host side that plays EL2
//! does so with all side effects ([`el2_read`], [`el2_write`]).

use super::behaviour::{After, Store};
use super::fgt;
use super::nv::{self, Reach};
use super::trap::{judge, Verdict, Who, EL0_TIDCP, TIDCP};
use super::ROWS;
use crate::cpu::Cpu;
use crate::dev::gic::View;
use crate::exception;
use crate::feature::Feature;
use crate::hcr::nvx;
use crate::pe::Pe;
use crate::pmu;
use crate::raise::{Exception, Flow, Trap};
use crate::reg::field;
use crate::reg::names::*;
use crate::reg::{find, number, Reg};
use crate::serror;
use crate::shared::Shared;
use crate::syndrome::ec;
use crate::timer;

/// Read what an MRS may: row `n`, as it is for this instruction.
pub fn take(cpu: &Pe, sh: &mut Shared, n: usize) -> (u64, Flow) {
    let v = read(cpu, sh, n, cpu.pstate.el, cpu.off);
    let acts = acknowledges(ROWS[n].reg);
    (v, if acts { Flow::Sync } else { Flow::Next })
}

/// Write what an MSR may: row `n`, the bits of `v` that can be written.
pub fn put(cpu: &mut Pe, sh: &mut Shared, n: usize, v: u64) -> Flow {
    let v = legalize(cpu, sh, n, v);
    write(cpu, sh, n, v, cpu.pstate.el, cpu.off);
    if sh.debug.register == Some(ROWS[resolve(n)].reg) {
        let before = sh.exits.insns(sh.now + cpu.off as u64);
        sh.debug.register_written = Some((cpu.id, before));
    }
    match ROWS[resolve(n)].after {
        After::Nothing => Flow::Next,
        After::Context | After::Look => Flow::Sync,
    }
}

/// Check whether the access is allowed, and find the register that it accesses.
pub fn may_i(cpu: &mut Pe, sh: &mut Shared, insn: u32, write: bool) -> Result<Reach, Trap> {
    let named = Reg::of_insn(insn);
    let el = cpu.pstate.el;
    let n = match number(named).filter(|n| sh.registers.rows[*n].present) {
        Some(n) => n,
        None => unallocated(cpu, sh, insn, write)?,
    };
    let row = &ROWS[n];
    let least = if write {
        row.access.write
    } else {
        row.access.read
    };
    let who = Who::new(cpu, &sh.config, write);
    if el < least {
        if (el, least) == (1, 2) && nvx(who.hcr) != 0 {
            let reach = nv::of_el2(&who, row.reg);
            return reach.map_err(|v| refuse(cpu, sh, insn, write, v));
        }
        return Err(undefined(cpu, sh, insn, write));
    }
    if matches!(row.store, Store::Alias) && !who.e2h() {
        return Err(exception::undefined(cpu));
    }
    let to = row.e2h.filter(|_| match el {
        2 => who.e2h(),
        0 => who.host(),
        _ => false,
    });
    let to = to.or_else(|| serror::disr(named, el, who.hcr));
    match fgt::judge(cpu, named.0, write, judge(&who, row.traps)) {
        Verdict::Allowed if el == 1 && to.is_none() && nvx(who.hcr) != 0 => {
            Ok(nv::of_el1(who.hcr, row.reg, n))
        }
        Verdict::Allowed => Ok(Reach::Row(to.and_then(number).unwrap_or(n))),
        v => Err(refuse(cpu, sh, insn, write, v)),
    }
}

/// UNDEFINED. But with FEAT_IDST every exception of a read in the feature ID space is of the class of trapped accesses, at whatever level
/// (D24.2 ID_AA64MMFR2_EL1, IDS).
#[cold]
fn undefined(cpu: &mut Pe, sh: &Shared, insn: u32, write: bool) -> Trap {
    let (op0, op1, crn, crm, _) = Reg::of_insn(insn).fields();
    let ids = (op0, crn) == (3, 0) && matches!(op1, 0 | 1 | 3) && crm < 8;
    if ids && !write && sh.config.features.has(Feature::IDST) {
        let iss = Reg::of_insn(insn).iss(insn, true);
        return cpu.raise(Exception::sync(1, ec::SYSREG, iss));
    }
    exception::undefined(cpu)
}

/// Raise what the rules have decided. MRS, MSR, SYS and SYSL share the syndrome.
#[cold]
pub fn refuse(cpu: &mut Pe, sh: &mut Shared, insn: u32, write: bool, v: Verdict) -> Trap {
    match v {
        Verdict::Allowed => unreachable!("nothing to refuse"),
        Verdict::Undefined => exception::undefined(cpu),
        Verdict::Fp => exception::fp_access(cpu, sh),
        Verdict::Trap(target, class, cause) => {
            let iss = match class {
                ec::SYSREG => Reg::of_insn(insn).iss(insn, !write),
                _ => 0,
            };
            cpu.raise(Exception {
                cause,
                ..Exception::sync(target, class, iss)
            })
        }
    }
}

/// An encoding without a register here. The ID registers' space reads as zero where it is reserved (D24.1.3); the
/// IMPLEMENTATION DEFINED space is empty, but SCTLR_ELx.TIDCP (EL0) and HCR_EL2.TIDCP (EL1) trap it first.
#[cold]
fn unallocated(cpu: &mut Pe, sh: &mut Shared, insn: u32, write: bool) -> Result<usize, Trap> {
    let (op0, op1, crn, crm, _) = Reg::of_insn(insn).fields();
    if (op0, op1, crn) == (3, 0, 0) && (1..8).contains(&crm) && !write {
        return Ok(number(ID_AFR0_EL1).expect("has a row"));
    }
    if op0 == 3 && implementation_defined(crn) {
        let verdict = judge(&Who::new(cpu, &sh.config, write), &[&EL0_TIDCP, &TIDCP]);
        if verdict != Verdict::Allowed {
            return Err(refuse(cpu, sh, insn, write, verdict));
        }
    }
    sh.note_undefined(cpu, insn);
    Err(undefined(cpu, sh, insn, write))
}

/// CRn of the space that TIDCP covers.
pub const fn implementation_defined(crn: u16) -> bool {
    crn == 11 || crn == 15
}

/// The row that holds the value: an alias leads to another one.
fn resolve(n: usize) -> usize {
    match ROWS[n].store {
        Store::Alias => ROWS[n]
            .alias
            .and_then(number)
            .expect("an alias leads to a row"),
        _ => n,
    }
}

/// The registers that act when they are read.
fn acknowledges(r: Reg) -> bool {
    matches!(r, ICC_IAR0_EL1 | ICC_IAR1_EL1)
}

/// Which CPU interface `el` uses: the virtual one for the groups that HCR_EL2 routes to EL2.
fn view(cpu: &Cpu, sh: &Shared, el: u8) -> View {
    if el == 2 || !sh.config.has_el2 {
        return View::PHYSICAL;
    }
    let hcr = cpu.get(HCR_EL2);
    View {
        virtual_g0: field!(HCR_EL2.FMO).is_set(hcr),
        virtual_g1: field!(HCR_EL2.IMO).is_set(hcr),
    }
}

/// Read a row, as from exception level `el` by instruction `off` of the block. Without side effects but for those that [`acknowledges`] names.
fn read(cpu: &Cpu, sh: &mut Shared, n: usize, el: u8, off: u16) -> u64 {
    let row = &ROWS[resolve(n)];
    match row.store {
        Store::Plain => cpu.get(row.reg),
        Store::Func(read, _) => read(cpu, sh, row.reg, el),
        Store::Gic => {
            let view = view(cpu, sh, el);
            sh.gic.sysreg_read(cpu.id, row.reg, view)
        }
        Store::Timer => timer::read(cpu, sh.ns(off), row.reg, el),
        Store::Pmu => pmu::registers::read(cpu, sh, sh.now + off as u64, row.reg, el),
        Store::Alias => unreachable!("resolved"),
    }
}

/// What a write of `v` leaves in the register: bits that nothing implements keep their values.
fn legalize(cpu: &Cpu, sh: &Shared, n: usize, v: u64) -> u64 {
    let n = resolve(n);
    let mask = sh.registers.rows[n].mask;
    match ROWS[n].store {
        Store::Plain => cpu.get(ROWS[n].reg) & !mask | v & mask,
        _ => v & mask,
    }
}

/// Write a legal value, as from exception level `el`, with all effects.
fn write(cpu: &mut Pe, sh: &mut Shared, n: usize, v: u64, el: u8, off: u16) {
    let row = &ROWS[resolve(n)];
    match row.store {
        Store::Plain => cpu.set(row.reg, v),
        Store::Func(_, write) => write(cpu, sh, row.reg, v),
        Store::Gic => {
            let view = view(cpu, sh, el);
            sh.gic.sysreg_write(cpu.id, row.reg, v, view);
            if row.reg == ICH_HCR_EL2 {
                cpu.set(ICH_HCR_EL2, v); // where the trap rules look
            }
        }
        Store::Timer => {
            timer::write(cpu, sh.ns(off), row.reg, v, el);
            timer::update(cpu, sh.ns(off), &mut sh.gic);
            sh.next_event = 0;
        }
        Store::Pmu => {
            let now = sh.now + off as u64;
            pmu::registers::write(cpu, sh, now, row.reg, v, el)
        }
        Store::Alias => unreachable!("resolved"),
    }
    if row.reg == HCR_EL2 && timer::follows_tge(cpu) {
        timer::update(cpu, sh.ns(off), &mut sh.gic);
        sh.next_event = 0;
    }
    match row.after {
        After::Nothing => {}
        After::Context => cpu.changed = true,
        After::Look => sh.leave = true,
    }
}

/// Whether an interrupt is pending that ends a WFI.
pub fn wakes(cpu: &Cpu, sh: &mut Shared) -> bool {
    let lines = sh.gic.lines(cpu.id);
    exception::wakes(cpu, lines, sh.config.has_el2)
}

fn debug_row(sh: &Shared, r: Reg) -> Result<usize, &'static str> {
    match find(r).and_then(|_| number(r)) {
        None => Err("no such register"),
        Some(n) if !sh.registers.rows[n].present => Err("the CPU does not have this register"),
        Some(n) => Ok(n),
    }
}

/// The exception level as which a debugger's accesses are made to a row that `least` may use: EL2 sees all; what the guests of
/// the host side have, it sees as they do; and ICC_* are the interface that code at the CPU's own level would reach.
fn seen_from(cpu: &Cpu, sh: &Shared, n: usize, least: u8) -> u8 {
    let gic = matches!(ROWS[resolve(n)].store, Store::Gic);
    let guest = cpu.pstate.el == 1 || (cpu.pstate.el == 0 && !cpu.is_set(field!(HCR_EL2.TGE))); // TGE: a process of a host at EL2
    if least < 2 && (sh.config.hosted || (gic && guest)) {
        1
    } else {
        2
    }
}

/// The controls by which a debugger's access to `r` reaches the virtual CPU interface; None: the physical one.
pub fn virtual_by(cpu: &Cpu, sh: &Shared, r: Reg) -> Option<&'static str> {
    let n = debug_row(sh, r).ok()?;
    let row = &ROWS[resolve(n)];
    if !matches!(row.store, Store::Gic) {
        return None;
    }
    let view = view(cpu, sh, seen_from(cpu, sh, n, ROWS[n].access.read));
    let of = |virtual_g0, virtual_g1| {
        View {
            virtual_g0,
            virtual_g1,
        }
        .is_virtual(row.reg)
    };
    match (of(view.virtual_g0, false), of(false, view.virtual_g1)) {
        (true, true) => Some("HCR_EL2.FMO, IMO"),
        (true, false) => Some("HCR_EL2.FMO"),
        (false, true) => Some("HCR_EL2.IMO"),
        (false, false) => None,
    }
}

/// Read for a debugger: no traps, no redirection, no side effects. Registers that act when read are refused.
pub fn debug_read(cpu: &Cpu, sh: &mut Shared, r: Reg) -> Result<u64, &'static str> {
    let n = debug_row(sh, r)?;
    if ROWS[n].access.read == crate::reg::Access::NEVER {
        return Err("write-only");
    }
    if acknowledges(r) {
        return Err("reading it acknowledges an interrupt; ICC_HPPIR tells which");
    }
    let el = seen_from(cpu, sh, n, ROWS[n].access.read);
    Ok(read(cpu, sh, n, el, 0))
}

/// Write for a debugger: no traps, no redirection; the bits that MSR would write.
pub fn debug_write(cpu: &mut Pe, sh: &mut Shared, r: Reg, v: u64) -> Result<(), &'static str> {
    let n = debug_row(sh, r)?;
    if ROWS[n].access.write == crate::reg::Access::NEVER {
        return Err("read-only");
    }
    if ROWS[n].access.read == crate::reg::Access::NEVER {
        return Err("write-only: writing it is an action of the guest");
    }
    let el = seen_from(cpu, sh, n, ROWS[n].access.write);
    let v = legalize(cpu, sh, n, v);
    write(cpu, sh, n, v, el, 0);
    Ok(())
}

/// Read as code at EL2 would, by a name of EL2's own or of EL1's (no E2H redirection), with side effects.
pub fn el2_read(cpu: &Cpu, sh: &mut Shared, r: Reg) -> Result<u64, &'static str> {
    let n = debug_row(sh, r)?;
    match ROWS[n].access.read {
        crate::reg::Access::NEVER => Err("write-only"),
        _ => Ok(read(cpu, sh, n, 2, 0)),
    }
}

/// Write as code at EL2 would, by a name of EL2's own or of EL1's (no E2H redirection), with side effects.
pub fn el2_write(cpu: &mut Pe, sh: &mut Shared, r: Reg, v: u64) -> Result<(), &'static str> {
    let n = debug_row(sh, r)?;
    if ROWS[n].access.write == crate::reg::Access::NEVER {
        return Err("read-only");
    }
    let v = legalize(cpu, sh, n, v);
    write(cpu, sh, n, v, 2, 0);
    sh.note_lives(cpu);
    Ok(())
}
