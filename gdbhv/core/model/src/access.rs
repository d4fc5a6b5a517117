//! Guest memory accesses off the fast path: addresses that are not in the TLB, not RAM, watched, or code; accesses that cross a page or are not plain.
//!
//! A cached translation is used as long as it grants the access; anything else walks again, and the walk finds the exact
//! fault. Faults go through [`exception::abort`].

use crate::debug_events::{self, Touch};
use crate::exception;
use crate::mem::size::{Acc, Size};
use crate::mmu::access::Access;
use crate::mmu::entry::{IO, PAGE, SLOW};
use crate::mmu::fault::{Fault, FaultKind, Purpose};
use crate::mmu::kind::Mode;
use crate::mmu::regime;
use crate::mmu::tlb;
use crate::mmu::walk;
use crate::pe::{self, Pe};
use crate::raise::Trap;
use crate::shared::Shared;
use crate::syndrome::ec;

pub mod checking;
mod place;

use place::{
    check_alignment, hits, is_plain, place, place_in, recheck, touch, watch, watch_as, Place, Want,
    READ, WRITE,
};

const PAGE_BYTES: u64 = 4096;

/// The physical address to fetch `pc` from; it is in RAM or flash. `Cpu::pc` loses its tag, if the regime ignores it.
pub fn fetch(cpu: &mut Pe, sh: &mut Shared, pc: u64) -> Result<u64, Trap> {
    if pc & 3 != 0 {
        return Err(exception::pc_alignment(cpu, pc));
    }
    // SAFETY: `ctx` points to a box of `cpu.tlb`, which nothing else borrows here.
    if let Some(pa) = unsafe { (*cpu.ctx).fetch_pa(pc) } {
        if sh.check.is_some() {
            check_use(cpu, sh, pc, pa, Purpose::Fetch, false);
        }
        return Ok(pa);
    }
    let kind = regime::kind(cpu, cpu.pstate.el);
    let user = cpu.pstate.el == 0;
    let (r, walks) = pe::tlb::regime(cpu, kind);
    let pc = r.untag(pc, true);
    let a = Access::new(Purpose::Fetch, false, user, false);
    let result = walk::translate(r, &mut sh.tables(walks), &mut (), pc, a);
    cpu.pc = pc;
    if sh.check.is_some() {
        checking::walked(cpu, sh, pc, kind, a);
    }
    match result {
        Ok(t) if sh.ram.is_memory(t.pa & PAGE, PAGE_BYTES) => {
            let flags = tlb::flags(cpu.ctx, &t);
            let ctx = cpu.ctx;
            cpu.tlb.fill_fetch(ctx, pc, t.pa, flags);
            Ok(t.pa)
        }
        Ok(t) => {
            debug_events::break_at(cpu, pc, t.pa)?; // before an external abort
            Err(external(cpu, sh, pc, Purpose::Fetch, false))
        }
        Err(f) => Err(exception::abort(cpu, sh, &f)),
    }
}

/// Whether a cached translation is used that the tables do not have, if somebody checks.
#[inline]
fn check_use(
    cpu: &mut Pe,
    sh: &mut Shared,
    va: u64,
    pa: u64,
    purpose: Purpose,
    write: bool,
) -> bool {
    if sh.check.is_none() {
        return false;
    }
    let kind = regime::kind(cpu, cpu.pstate.el);
    let mode = Mode::of(cpu, kind);
    checking::used(cpu, sh, va, pa, kind, mode, (purpose, write))
}

/// Load, zero-extended.
pub fn load(cpu: &mut Pe, sh: &mut Shared, va: u64, size: Size, acc: Acc) -> Result<u64, Trap> {
    let bytes = size.bytes();
    // SAFETY: `ctx` points to a box of `cpu.tlb`, which nothing else borrows here.
    let e = unsafe { *(*cpu.ctx).entry(va) };
    // What brings an access here although the translation is known: a watchpoint in the page, or no alignment.
    if hits(e.tag_r, va) && is_plain(cpu, va, bytes, acc, e.pa) {
        watch(cpu, sh, va, bytes, false)?;
        touch(cpu, va, bytes, &READ)?;
        if e.tag_r & SLOW != 0 && !check_use(cpu, sh, va, e.pa, Purpose::Read, false) {
            recheck(cpu, sh, va);
        }
        if let Some(v) = sh.ram.load(e.pa & PAGE | va & !PAGE, bytes) {
            return Ok(v);
        }
    }
    load_far(cpu, sh, va, bytes, acc)
}

fn load_far(cpu: &mut Pe, sh: &mut Shared, va: u64, bytes: u64, acc: Acc) -> Result<u64, Trap> {
    let want = check_alignment(cpu, sh, va, bytes, Purpose::Read, false, acc)?;
    watch(cpu, sh, va, bytes, false)?;
    let first = place(cpu, sh, va, want)?;
    let here = PAGE_BYTES - (va & !PAGE);
    touch(cpu, va, bytes.min(here), &want)?;
    if bytes <= here {
        return read(cpu, sh, va, first, bytes, Purpose::Read);
    }
    let rest = va.wrapping_add(here);
    let second = place(cpu, sh, rest, want)?;
    touch(cpu, rest, bytes - here, &want)?;
    let low = read(cpu, sh, va, first, here, Purpose::Read)?;
    let high = read(cpu, sh, rest, second, bytes - here, Purpose::Read)?;
    Ok(low | high << (8 * here))
}

/// Store the low bytes of `v`.
pub fn store(
    cpu: &mut Pe,
    sh: &mut Shared,
    va: u64,
    size: Size,
    v: u64,
    acc: Acc,
) -> Result<(), Trap> {
    let bytes = size.bytes();
    // SAFETY: `ctx` points to a box of `cpu.tlb`, which nothing else borrows here.
    let e = unsafe { *(*cpu.ctx).entry(va) };
    if hits(e.tag_w, va) && is_plain(cpu, va, bytes, acc, e.pa) {
        watch(cpu, sh, va, bytes, true)?;
        touch(cpu, va, bytes, &WRITE)?;
        let stale = e.tag_w & SLOW != 0 && check_use(cpu, sh, va, e.pa, Purpose::Write, true);
        sh.write_ram(e.pa & PAGE | va & !PAGE, bytes, v);
        if e.tag_w & SLOW != 0 && !stale {
            recheck(cpu, sh, va);
        }
        return Ok(());
    }
    store_far(cpu, sh, va, bytes, v, acc)
}

fn store_far(
    cpu: &mut Pe,
    sh: &mut Shared,
    va: u64,
    bytes: u64,
    v: u64,
    acc: Acc,
) -> Result<(), Trap> {
    let want = check_alignment(cpu, sh, va, bytes, Purpose::Write, true, acc)?;
    watch(cpu, sh, va, bytes, true)?;
    let first = place(cpu, sh, va, want)?;
    let here = PAGE_BYTES - (va & !PAGE);
    touch(cpu, va, bytes.min(here), &want)?;
    if bytes <= here {
        return write(cpu, sh, va, first, bytes, v);
    }
    let rest = va.wrapping_add(here);
    let second = place(cpu, sh, rest, want)?;
    touch(cpu, rest, bytes - here, &want)?;
    write(cpu, sh, va, first, here, v)?;
    write(cpu, sh, rest, second, bytes - here, v >> (8 * here))
}

/// The physical address of an access of `bytes` (1 to 16) by an exclusive or atomic instruction: in RAM, inside a page, with the
/// faults and watchpoints that the access would have.
pub fn translate_data(
    cpu: &mut Pe,
    sh: &mut Shared,
    va: u64,
    bytes: u64,
    write: bool,
    acc: Acc,
) -> Result<u64, Trap> {
    let purpose = if write { Purpose::Write } else { Purpose::Read };
    let want = check_alignment(cpu, sh, va, bytes, purpose, write, acc)?;
    watch(cpu, sh, va, bytes, write)?;
    let p = place(cpu, sh, va, want)?;
    if p.flags & IO != 0 {
        return Err(fault(cpu, sh, FaultKind::Exclusive, va, purpose, write));
    }
    touch(cpu, va, bytes, &want)?;
    Ok(p.pa)
}

/// DC ZVA: zero the 64 bytes around `va`.
pub fn dc_zva(cpu: &mut Pe, sh: &mut Shared, va: u64) -> Result<(), Trap> {
    const BLOCK: u64 = 64;
    let block = va & !(BLOCK - 1);
    watch(cpu, sh, block, BLOCK, true)?;
    let want = Want {
        // Device memory: an alignment fault of the stage that makes it Device (C5.3.8 DC ZVA; `AArch64.S2HasAlignmentFault`).
        aligned: false,
        ..WRITE
    };
    let p = place(cpu, sh, va, want)?;
    // Normal memory, but no device of the board takes a burst.
    if p.flags & IO != 0 {
        return Err(external(cpu, sh, va, Purpose::Write, true));
    }
    touch(cpu, block, BLOCK, &want)?;
    sh.zero_ram(p.pa & !(BLOCK - 1), BLOCK);
    Ok(())
}

/// The load of 8 bytes, or the store of `v`, that an access to a system register at EL1 becomes with HCR_EL2.NV2
/// (`CreateAccDescNV2`): in EL2's regime with its privileges, and without PSTATE.PAN. Its faults are EL2's: a data abort from the
/// current EL by its number, with ISS.VNCR set (`AArch64.DataAbort`, D24.2.40).
pub fn nv2(cpu: &mut Pe, sh: &mut Shared, va: u64, v: Option<u64>) -> Result<u64, Trap> {
    const VNCR: u32 = 1 << 13;
    let done = nv2_access(cpu, sh, va, v);
    if let (Err(_), Some(e)) = (&done, cpu.raised.as_mut()) {
        e.iss |= VNCR;
        if e.ec == ec::WATCHPOINT {
            e.ec = ec::NV2_WATCHPOINT; // goes to EL2 already: nothing else enables it (R_DGCTK)
        } else {
            e.target = 2;
            e.ec = ec::NV2_DATA_ABORT;
            e.cause = &["HCR_EL2.NV2"];
        }
    }
    done
}

fn nv2_access(cpu: &mut Pe, sh: &mut Shared, va: u64, v: Option<u64>) -> Result<u64, Trap> {
    const BYTES: u64 = 8;
    let purpose = v.map_or(Purpose::Read, |_| Purpose::Write);
    let want = Want {
        purpose,
        write: v.is_some(),
        unpriv: false,
        aligned: true,
    };
    if !sh.debug.watches_nothing() {
        watch_as(cpu, sh, 2, va, BYTES, want.write)?;
    }
    let kind = regime::kind(cpu, 2);
    let mode = Mode::Privileged;
    let ctx = cpu.tlb.select(regime::key(cpu, kind, mode), cpu.ctx);
    let p = place_in(cpu, sh, va, want, ctx, kind, mode)?;
    if cpu.armed.watching {
        debug_events::watch(
            cpu,
            Touch {
                va,
                bytes: BYTES,
                write: want.write,
                el: 2,
                maintenance: None,
            },
        )?;
    }
    match v {
        None => read(cpu, sh, va, p, BYTES, Purpose::Read),
        Some(v) => write(cpu, sh, va, p, BYTES, v).map(|()| 0),
    }
}

/// DC or IC by VA: nothing to do but to check that the address translates. `invalidates`: DC IVAC, which needs to write.
pub fn cache_maintenance(
    cpu: &mut Pe,
    sh: &mut Shared,
    va: u64,
    invalidates: bool,
) -> Result<(), Trap> {
    let want = Want {
        purpose: Purpose::CacheMaintenance,
        write: invalidates,
        unpriv: false,
        aligned: true,
    };
    place(cpu, sh, va, want)?;
    // DC IVAC may generate watchpoint exceptions, as a store to the line (IMPLEMENTATION DEFINED, D2.10), and Arm's cores have it so.
    if invalidates && cpu.armed.watching {
        return debug_events::watch(
            cpu,
            Touch {
                va: va & !(LINE - 1),
                bytes: LINE,
                write: true,
                el: cpu.pstate.el,
                maintenance: Some(va),
            },
        );
    }
    Ok(())
}

/// Bytes of a cache line, as in CTR_EL0.DminLine.
const LINE: u64 = 64;

// ------------------------------------------------------------------------------------------------ RAM and devices

/// Read what `place` found: RAM, or a device in pieces that it can serve.
fn read(
    cpu: &mut Pe,
    sh: &mut Shared,
    va: u64,
    p: Place,
    bytes: u64,
    purpose: Purpose,
) -> Result<u64, Trap> {
    if p.flags & IO == 0 {
        return Ok(sh.ram.load(p.pa, bytes).expect("a place without IO"));
    }
    let piece = piece(p.pa, bytes);
    let mut v = 0;
    for at in (0..bytes).step_by(piece as usize) {
        let Some(part) = sh.read_bus(cpu.id, p.pa + at, piece as u8, cpu.off) else {
            return Err(external(cpu, sh, va.wrapping_add(at), purpose, false));
        };
        v |= part << (8 * at);
    }
    Ok(v)
}

/// Write what `place` found.
fn write(cpu: &mut Pe, sh: &mut Shared, va: u64, p: Place, bytes: u64, v: u64) -> Result<(), Trap> {
    if p.flags & IO == 0 {
        sh.write_ram(p.pa, bytes, v);
        return Ok(());
    }
    let piece = piece(p.pa, bytes);
    for at in (0..bytes).step_by(piece as usize) {
        let part = v >> (8 * at) & crate::bits::ones(8 * piece as u32);
        if sh
            .write_bus(cpu.id, p.pa + at, piece as u8, part, cpu.off)
            .is_none()
        {
            return Err(external(cpu, sh, va.wrapping_add(at), Purpose::Write, true));
        }
    }
    if sh.ram.take_hiding() {
        pe::tlb::recheck(cpu, sh);
    }
    Ok(())
}

/// The size of the naturally aligned accesses that an access to a device is made of.
fn piece(pa: u64, bytes: u64) -> u64 {
    if bytes.is_power_of_two() && pa & (bytes - 1) == 0 {
        bytes
    } else {
        1
    }
}

fn external(cpu: &mut Pe, sh: &mut Shared, va: u64, purpose: Purpose, write: bool) -> Trap {
    fault(cpu, sh, FaultKind::External, va, purpose, write)
}

fn fault(
    cpu: &mut Pe,
    sh: &mut Shared,
    kind: FaultKind,
    va: u64,
    purpose: Purpose,
    write: bool,
) -> Trap {
    let f = Fault {
        kind,
        stage2: false,
        s1ptw: false,
        va,
        ipa: 0,
        purpose,
        write,
    };
    exception::abort(cpu, sh, &f)
}
