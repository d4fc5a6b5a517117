//! Guest memory accesses off the fast path: what is not in the TLB, not RAM, watched, code, unaligned over a page, or not plain.
//!
//! A cached translation is used as long as it grants the access; anything else walks again, and the walk finds the exact
//! fault. Faults go through [`exception::abort`].

use crate::armed::{self, Touch};
use crate::bits::bit;
use crate::cpu::{Cpu, Trap};
use crate::exception;
use crate::isa::feature::Feature;
use crate::mem::access::{Acc, Size};
use crate::mmu::fault::{Fault, FaultKind, Purpose};
use crate::mmu::regime::{self, Kind, Mode};
use crate::mmu::tlb::{self, Context, Entry, Op, DEVICE, EMPTY, IO, PAGE, SLOW, WATCH};
use crate::mmu::walk::{self, Access};
use crate::shared::Shared;
use crate::syndrome::ec;
use crate::sysreg::names::HCR_EL2;
use crate::sysreg::nv;

const PAGE_BYTES: u64 = 4096;

/// A plain aligned load.
const READ: Want = Want {
    purpose: Purpose::Read,
    write: false,
    unpriv: false,
    aligned: true,
};
/// A plain aligned store.
const WRITE: Want = Want {
    purpose: Purpose::Write,
    write: true,
    ..READ
};

/// Where an access goes: a physical address, and the flags of its TLB entry.
#[derive(Clone, Copy)]
struct Place {
    pa: u64,
    flags: u64,
}

/// An access before translation.
#[derive(Clone, Copy)]
struct Want {
    purpose: Purpose,
    write: bool,
    /// LDTR, STTR.
    unpriv: bool,
    aligned: bool,
}

/// The physical address to fetch `pc` from; it is in RAM. `Cpu::pc` loses its tag, if the regime ignores it.
pub fn fetch(cpu: &mut Cpu, sh: &mut Shared, pc: u64) -> Result<u64, Trap> {
    if pc & 3 != 0 {
        return Err(exception::pc_alignment(cpu, pc));
    }
    // SAFETY: `ctx` points to a box of `cpu.tlb`, which nothing else borrows here.
    if let Some(pa) = unsafe { (*cpu.ctx).fetch_pa(pc) } {
        return Ok(pa);
    }
    let kind = regime::kind(cpu, cpu.pstate.el);
    let user = cpu.pstate.el == 0;
    let (r, walks) = tlb::regime(cpu, kind);
    let pc = r.untag(pc, true);
    let a = Access::new(Purpose::Fetch, false, user, false);
    let result = walk::translate(r, &mut sh.tables(walks), &mut (), pc, a);
    cpu.pc = pc;
    match result {
        Ok(t) if sh.ram.contains(t.pa & PAGE, PAGE_BYTES) => {
            let flags = tlb::flags(cpu.ctx, &t);
            // SAFETY: as above.
            unsafe { (*cpu.ctx).fill_fetch(pc, t.pa, flags) };
            Ok(t.pa)
        }
        Ok(t) => {
            armed::break_at(cpu, pc, t.pa)?; // before an external abort
            Err(external(cpu, sh, pc, Purpose::Fetch, false))
        }
        Err(f) => Err(exception::abort(cpu, sh, &f)),
    }
}

/// Load, zero-extended.
pub fn load(cpu: &mut Cpu, sh: &mut Shared, va: u64, size: Size, acc: Acc) -> Result<u64, Trap> {
    let bytes = size.bytes();
    // SAFETY: `ctx` points to a box of `cpu.tlb`, which nothing else borrows here.
    let e = unsafe { *(*cpu.ctx).entry(va) };
    // What brings an access here although the translation is known: a watchpoint in the page, or no alignment.
    if hits(e.tag_r, va) && is_plain(cpu, va, bytes, acc, e.pa) {
        watch(cpu, sh, va, bytes, false)?;
        touch(cpu, va, bytes, &READ)?;
        let pa = e.pa & PAGE | va & !PAGE;
        return Ok(sh.ram.read(pa, bytes).expect("a TLB entry without IO"));
    }
    load_far(cpu, sh, va, bytes, acc)
}

fn load_far(cpu: &mut Cpu, sh: &mut Shared, va: u64, bytes: u64, acc: Acc) -> Result<u64, Trap> {
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
    cpu: &mut Cpu,
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
        sh.write_ram(e.pa & PAGE | va & !PAGE, bytes, v);
        return Ok(());
    }
    store_far(cpu, sh, va, bytes, v, acc)
}

fn store_far(
    cpu: &mut Cpu,
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
    cpu: &mut Cpu,
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
pub fn dc_zva(cpu: &mut Cpu, sh: &mut Shared, va: u64) -> Result<(), Trap> {
    const BLOCK: u64 = 64;
    let block = va & !(BLOCK - 1);
    watch(cpu, sh, block, BLOCK, true)?;
    let want = Want {
        // Device memory: an alignment fault of the stage that makes it Device (C5.3.8 DC ZVA; `AArch64.S2HasAlignmentFault`).
        aligned: false,
        ..WRITE
    };
    let p = place(cpu, sh, va, want)?;
    // Normal memory, but nothing of the board's that takes a burst.
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
pub fn nv2(cpu: &mut Cpu, sh: &mut Shared, va: u64, v: Option<u64>) -> Result<u64, Trap> {
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

fn nv2_access(cpu: &mut Cpu, sh: &mut Shared, va: u64, v: Option<u64>) -> Result<u64, Trap> {
    const BYTES: u64 = 8;
    let purpose = v.map_or(Purpose::Read, |_| Purpose::Write);
    let want = Want {
        purpose,
        write: v.is_some(),
        unpriv: false,
        aligned: true,
    };
    if sh.debug.watch_hit(cpu, 2, va, BYTES, want.write) {
        return Err(Trap);
    }
    let kind = regime::kind(cpu, 2);
    let mode = Mode::Privileged;
    let ctx = cpu.tlb.select(regime::key(cpu, kind, mode), cpu.ctx);
    let p = place_in(cpu, sh, va, want, ctx, kind, mode)?;
    if cpu.armed.watching {
        armed::watch(
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
    cpu: &mut Cpu,
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
        return armed::watch(
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

/// Bytes of a line, as CTR_EL0.DminLine tells.
const LINE: u64 = 64;

// ------------------------------------------------------------------------------------------------ translation

/// Whether a tag is that of `va`'s page, slow or not.
#[inline(always)]
fn hits(tag: u64, va: u64) -> bool {
    tag & !(SLOW | WATCH) == va & PAGE
}

/// Whether an access that hits a TLB entry with these flags is one access to RAM without a look at anything else.
#[inline(always)]
fn is_plain(cpu: &Cpu, va: u64, bytes: u64, acc: Acc, flags: u64) -> bool {
    let aligned = va & ((bytes - 1) | ((1 << acc.align) - 1)) == 0;
    let may_be_unaligned = !cpu.tlb.strict
        && flags & DEVICE == 0
        && !acc.ordered
        && !acc.atomic
        && (va & !PAGE) + bytes <= PAGE_BYTES;
    flags & IO == 0 && !acc.unpriv && (aligned || may_be_unaligned)
}

/// Alignment that does not depend on the memory (`AArch64.UnalignedAccessFaults`): all accesses by SCTLR_ELx.A, exclusive, atomic and
/// ordered ones anyway. With FEAT_LSE2 those may be unaligned inside 16 aligned bytes, and ordered ones everywhere by SCTLR_ELx.nAA.
/// (Where memory is Normal but not write-back, an alignment fault would be allowed; there is none.)
fn check_alignment(
    cpu: &mut Cpu,
    sh: &mut Shared,
    va: u64,
    bytes: u64,
    purpose: Purpose,
    write: bool,
    acc: Acc,
) -> Result<Want, Trap> {
    let unit = bytes.max(1 << acc.align);
    let aligned = va & (unit - 1) == 0;
    let inside = va & 15 <= 16 - unit.min(16);
    let refused = || {
        let anywhere = acc.ordered && !acc.atomic && bit(exception::sctlr(cpu), 6); // nAA
        !sh.config.features.has(Feature::LSE2) || !inside && !anywhere
    };
    if !aligned && (cpu.tlb.strict || (acc.atomic || acc.ordered) && refused()) {
        return Err(fault(cpu, sh, FaultKind::Alignment, va, purpose, write));
    }
    Ok(Want {
        purpose,
        write,
        unpriv: acc.unpriv,
        aligned,
    })
}

/// Stop before an access that the debugger watches.
#[inline]
fn watch(cpu: &mut Cpu, sh: &mut Shared, va: u64, bytes: u64, write: bool) -> Result<(), Trap> {
    let el = cpu.pstate.el;
    if sh.debug.watch_hit(cpu, el, va, bytes, write) {
        return Err(Trap);
    }
    Ok(())
}

/// Take a guest's watchpoint exception instead of an access that nothing else stops: it comes after the faults of translation
/// (`AArch64.CheckDebug`).
#[inline]
fn touch(cpu: &mut Cpu, va: u64, bytes: u64, want: &Want) -> Result<(), Trap> {
    if !cpu.armed.watching {
        return Ok(());
    }
    let el = cpu.pstate.el;
    let el = if unprivileged(cpu, want, regime::kind(cpu, el)) {
        0
    } else {
        el
    };
    armed::watch(
        cpu,
        Touch {
            va,
            bytes,
            write: want.write,
            el,
            maintenance: None,
        },
    )
}

/// Whether LDTR or STTR acts as EL0 would.
fn unprivileged(cpu: &Cpu, want: &Want, kind: Kind) -> bool {
    want.unpriv
        && !cpu.pstate.uao
        && (cpu.pstate.el == 1 && !nv::tables_of_nv1(cpu.get(HCR_EL2))
            || kind == Kind::El20 && regime::host(cpu))
}

/// The context for an access: the one in use, or EL0's for LDTR and STTR.
fn context_for(cpu: &mut Cpu, want: &Want) -> (*mut Context, Kind, Mode) {
    let kind = regime::kind(cpu, cpu.pstate.el);
    let mode = Mode::of(cpu, kind);
    let user = unprivileged(cpu, want, kind);
    if !user || mode == Mode::User {
        return (cpu.ctx, kind, mode);
    }
    let key = regime::key(cpu, kind, Mode::User);
    (cpu.tlb.select(key, cpu.ctx), kind, Mode::User)
}

/// Translate the page of `va`; from the TLB if it grants the access.
fn place(cpu: &mut Cpu, sh: &mut Shared, va: u64, want: Want) -> Result<Place, Trap> {
    let (ctx, kind, mode) = context_for(cpu, &want);
    place_in(cpu, sh, va, want, ctx, kind, mode)
}

/// The same with the privileges of `mode` in regime `kind`, whose context is `ctx`.
fn place_in(
    cpu: &mut Cpu,
    sh: &mut Shared,
    va: u64,
    want: Want,
    ctx: *mut Context,
    kind: Kind,
    mode: Mode,
) -> Result<Place, Trap> {
    // SAFETY: `ctx` points to a box of `cpu.tlb`, which nothing else borrows here.
    let e = unsafe { *(*ctx).entry(va) };
    let hit = |tag: u64| hits(tag, va);
    let granted = match want.purpose {
        Purpose::Read => hit(e.tag_r),
        Purpose::Write => hit(e.tag_w),
        Purpose::CacheMaintenance if want.write => hit(e.tag_w),
        Purpose::CacheMaintenance => hit(e.tag_r),
        _ => false,
    };
    if granted && (want.aligned || e.pa & DEVICE == 0) {
        return Ok(Place {
            pa: e.pa & PAGE | va & !PAGE,
            flags: e.pa,
        });
    }
    if let Some(flags) = tlb::second(cpu, ctx, va) {
        let (r, w) = (flags & tlb::READ != 0, flags & tlb::WRITE != 0);
        let granted = match want.purpose {
            Purpose::Read => r,
            Purpose::Write => w,
            Purpose::CacheMaintenance => (want.write && w) || (!want.write && r),
            _ => false,
        };
        if granted && (want.aligned || flags & DEVICE == 0) {
            let flags = fill(cpu, sh, va, ctx, flags & !(tlb::READ | tlb::WRITE), r, w);
            return Ok(Place {
                pa: flags & PAGE | va & !PAGE,
                flags,
            });
        }
    }
    walk_and_fill(cpu, sh, va, want, ctx, kind, mode)
}

fn walk_and_fill(
    cpu: &mut Cpu,
    sh: &mut Shared,
    va: u64,
    want: Want,
    ctx: *mut Context,
    kind: Kind,
    mode: Mode,
) -> Result<Place, Trap> {
    let maintenance = want.purpose == Purpose::CacheMaintenance;
    let a = Access {
        aligned: want.aligned,
        ..Access::new(
            want.purpose,
            want.write,
            mode == Mode::User,
            mode == Mode::Pan && !maintenance,
        )
    };
    let (r, walks) = tlb::regime(cpu, kind);
    let t = match walk::translate(r, &mut sh.tables(walks), &mut (), va, a) {
        Ok(t) => t,
        Err(f) => return Err(exception::abort(cpu, sh, &f)),
    };
    let mut flags = tlb::flags(ctx, &t);
    if t.mem.device() {
        flags |= DEVICE;
    }
    // Cache maintenance is not subject to PAN, so its permissions are not this context's.
    if maintenance {
        if !sh.ram.contains(t.pa & PAGE, PAGE_BYTES) {
            flags |= IO;
        }
        return Ok(Place { pa: t.pa, flags });
    }
    let (r, w) = (t.perms.r, t.perms.w);
    let granted = if r { tlb::READ } else { 0 } | if w { tlb::WRITE } else { 0 };
    tlb::fill_second(cpu, ctx, va, &t, flags | granted);
    let flags = fill(cpu, sh, va, ctx, t.pa & PAGE | flags, r, w);
    Ok(Place { pa: t.pa, flags })
}

/// Make the context's entry of `va`'s page; `pa` is the physical page with the translation's flags. Returns it with IO.
fn fill(
    cpu: &Cpu,
    sh: &mut Shared,
    va: u64,
    ctx: *mut Context,
    mut pa: u64,
    r: bool,
    w: bool,
) -> u64 {
    let page = pa & PAGE;
    let ram = sh.ram.contains(page, PAGE_BYTES);
    if !ram {
        pa |= IO;
    }
    let lines = sh.debug.watched_lines(va) | cpu.armed.watched_lines(va);
    let watch = if lines != 0 { WATCH } else { 0 };
    let slow = watch | if ram { 0 } else { SLOW };
    let slow_w = slow | if sh.blocks.is_code(page) { SLOW } else { 0 };
    let tag = |ok: bool, slow: u64| if ok { va & PAGE | slow } else { EMPTY };
    let e = Entry {
        tag_r: tag(r, slow),
        tag_w: tag(w, slow_w),
        host: if ram { sh.ram.host(va & PAGE, page) } else { 0 },
        pa,
    };
    // SAFETY: as in `place`.
    unsafe {
        (*ctx).watched |= lines;
        (*ctx).fill(va, e);
    };
    pa
}

// ------------------------------------------------------------------------------------------------ RAM and devices

/// Read what `place` found: RAM, or a device in pieces that it can serve.
fn read(
    cpu: &mut Cpu,
    sh: &mut Shared,
    va: u64,
    p: Place,
    bytes: u64,
    purpose: Purpose,
) -> Result<u64, Trap> {
    if p.flags & IO == 0 {
        return Ok(sh.ram.read(p.pa, bytes).expect("a place without IO"));
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
fn write(
    cpu: &mut Cpu,
    sh: &mut Shared,
    va: u64,
    p: Place,
    bytes: u64,
    v: u64,
) -> Result<(), Trap> {
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

fn external(cpu: &mut Cpu, sh: &mut Shared, va: u64, purpose: Purpose, write: bool) -> Trap {
    fault(cpu, sh, FaultKind::External, va, purpose, write)
}

fn fault(
    cpu: &mut Cpu,
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

/// A page now holds decoded code: every PE's writes to it take the slow path.
pub fn protect(cpu: &mut Cpu, sh: &mut Shared, pa: u64) {
    let op = Op::Protect(pa & PAGE);
    tlb::apply(cpu, op);
    tlb::post(cpu, sh, op);
}
