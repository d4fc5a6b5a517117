//! Where `tlbcheck` looks on: walks, uses of cached translations, stores to tables. Only called where it is switched on.

use crate::bits::bit;
use crate::exception;
use crate::feature::Feature;
use crate::mmu::access::Access;
use crate::mmu::entry::{DEVICE, PAGE};
use crate::mmu::fault::{FaultKind, Purpose};
use crate::mmu::kind::{Mode, RegimeKind};
use crate::mmu::op::Note;
use crate::mmu::walk::{self, Step};
use crate::pe::{self, Pe};
use crate::physical::ReadOnly;
use crate::shared::Shared;
use crate::tlbcheck::alarm::{By, Use};
use crate::tlbcheck::TlbCheck;

/// The instruction that executes on `cpu`.
pub fn by(cpu: &Pe, sh: &Shared, pc: u64) -> By {
    By {
        cpu: cpu.id,
        el: cpu.pstate.el,
        pc,
        now: sh.now,
        exits: sh.exits.total,
        on: bit(exception::sctlr(cpu), 0),
    }
}

/// Switch it on (and begin anew), or off.
pub fn set(sh: &mut Shared, cpus: usize, on: bool) {
    let sizes = sh.config.features.has(Feature::BBM);
    sh.ram.tell_of_tables(on);
    sh.check = on.then(|| Box::new(TlbCheck::new(cpus, sizes)));
}

/// The address of the instruction that accesses `va`: what is fetched is it.
fn place(cpu: &Pe, va: u64, p: Purpose) -> u64 {
    match p {
        Purpose::Fetch => va,
        _ => cpu.here(),
    }
}

fn purpose(p: Purpose) -> &'static str {
    match p {
        Purpose::Fetch => "fetch",
        Purpose::Write => "write",
        _ => "read",
    }
}

/// What a walk for `va` fetches, with nothing cached and nothing changed; what it finds: physical page, and whether it is Device memory.
fn walk(
    cpu: &mut Pe,
    sh: &Shared,
    va: u64,
    kind: RegimeKind,
    a: Access,
) -> (Vec<Step>, Result<(u64, bool), FaultKind>) {
    let mut steps = Vec::with_capacity(8);
    let r = pe::tlb::regime(cpu, kind).0;
    let found = walk::translate(r, &mut ReadOnly(&sh.ram), &mut steps, va, a);
    let found = found.map(|t| (t.pa & PAGE, t.mem.device()));
    (steps, found.map_err(|f| f.kind))
}

/// A walk was made for `va`.
#[cold]
pub fn walked(cpu: &mut Pe, sh: &mut Shared, va: u64, kind: RegimeKind, a: Access) {
    let (steps, _) = walk(cpu, sh, va, kind, a);
    let r = *pe::tlb::regime(cpu, kind).0;
    let by = by(cpu, sh, place(cpu, va, a.purpose));
    let Some(check) = &mut sh.check else { return };
    check.walked(cpu, by, &r, va, purpose(a.purpose), &steps);
    for page in check.take_fresh() {
        let number = sh.ram.layout().page(page);
        if let (Some(n), Some(t)) = (number, &mut sh.ram.tables) {
            t.set(n as u64, true);
            pe::tlb::protect(cpu, sh, page); // stores to it take the slow path
        }
    }
}

/// A cached translation of `va` is used, to the page and with the flags of `pa`. True if the tables do not have it.
#[cold]
pub fn used(
    cpu: &mut Pe,
    sh: &mut Shared,
    va: u64,
    pa: u64,
    kind: RegimeKind,
    mode: Mode,
    want: (Purpose, bool),
) -> bool {
    let a = Access::new(want.0, want.1, mode == Mode::User, mode == Mode::Pan);
    let (steps, found) = walk(cpu, sh, va, kind, a);
    let fetch = want.0 == Purpose::Fetch;
    let same = match found {
        Ok((page, device)) => page == pa & PAGE && (fetch || device == (pa & DEVICE != 0)),
        Err(FaultKind::AccessFlag(_)) => true, // the flag may be cached as set (D8.5.1)
        Err(_) => false,
    };
    if !same {
        let by = by(cpu, sh, place(cpu, va, want.0));
        let purpose = purpose(want.0);
        if let Some(check) = &mut sh.check {
            check.stale(Use { by, va, purpose }, &steps);
        }
    }
    !same
}

/// Follow stores to tables: by the instruction before the next one of `cpu`; `outside`: by others than PEs.
#[cold]
pub fn follow(cpu: &mut Pe, sh: &mut Shared, outside: bool) {
    let Some(tables) = &mut sh.ram.tables else {
        return;
    };
    if !tables.any() && !outside {
        return;
    }
    let written = tables.take();
    let by = (!outside).then(|| by(cpu, sh, cpu.pc.wrapping_sub(4)));
    let Shared {
        platform, check, ..
    } = sh;
    let Some(check) = check else { return };
    check.look_at(cpu);
    if check.written(&platform.ram, &written, by) {
        pe::tlb::look_again(cpu, sh, Note::Refetch);
    }
}
