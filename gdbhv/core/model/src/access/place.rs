//! Where an access goes: alignment, watchpoints, the TLB, and the walk that fills it.

use super::checking::{used, walked};
use super::fault;
use super::PAGE_BYTES;
use crate::bits::bit;
use crate::debug_events::{self, Touch};
use crate::exception;
use crate::feature::Feature;
use crate::hcr::tables_of_nv1;
use crate::mem::size::Acc;
use crate::mmu::access::Access;
use crate::mmu::entry::{Entry, DEVICE, EMPTY, IO, PAGE, SLOW, WATCH};
use crate::mmu::fault::{FaultKind, Purpose};
use crate::mmu::kind::{Mode, RegimeKind};
use crate::mmu::regime::{self, Regime};
use crate::mmu::tlb::{self, Context};
use crate::mmu::walk;
use crate::pe::{self, Pe};
use crate::physical::ReadOnly;
use crate::raise::Trap;
use crate::reg::names::HCR_EL2;
use crate::shared::Shared;
use crate::stops::Located;

/// A plain aligned load.
pub(super) const READ: Want = Want {
    purpose: Purpose::Read,
    write: false,
    unpriv: false,
    aligned: true,
};
/// A plain aligned store.
pub(super) const WRITE: Want = Want {
    purpose: Purpose::Write,
    write: true,
    ..READ
};

/// Where an access goes: a physical address, and the flags of its TLB entry.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) pa: u64,
    pub(super) flags: u64,
}

/// An access before translation.
#[derive(Clone, Copy)]
pub(super) struct Want {
    pub(super) purpose: Purpose,
    pub(super) write: bool,
    /// LDTR, STTR.
    pub(super) unpriv: bool,
    pub(super) aligned: bool,
}

/// Whether a tag is that of `va`'s page, slow or not.
#[inline(always)]
pub(super) fn hits(tag: u64, va: u64) -> bool {
    tag & !(SLOW | WATCH) == va & PAGE
}

/// Whether an access that hits a TLB entry with these flags is one access to RAM without a look at anything else.
#[inline(always)]
pub(super) fn is_plain(cpu: &Pe, va: u64, bytes: u64, acc: Acc, flags: u64) -> bool {
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
pub(super) fn check_alignment(
    cpu: &mut Pe,
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
pub(super) fn watch(
    cpu: &mut Pe,
    sh: &mut Shared,
    va: u64,
    bytes: u64,
    write: bool,
) -> Result<(), Trap> {
    if sh.debug.watches_nothing() {
        return Ok(());
    }
    watch_as(cpu, sh, cpu.pstate.el, va, bytes, write)
}

/// The same for an access with the privileges of `el`.
pub(super) fn watch_as(
    cpu: &mut Pe,
    sh: &mut Shared,
    el: u8,
    va: u64,
    bytes: u64,
    write: bool,
) -> Result<(), Trap> {
    let here = bytes.min(PAGE_BYTES - (va & !PAGE));
    for (va, bytes) in [(va, here), (va.wrapping_add(here), bytes - here)] {
        if bytes == 0 {
            continue;
        }
        let to = located(cpu, sh, va, regime::kind(cpu, el), None);
        if sh.debug.watch_hit(cpu, el, &to, bytes, write) {
            return Err(Trap);
        }
    }
    Ok(())
}

/// What watchpoints may have to know of an address: of the PA only what the caller knows, unless some of them ask for more.
fn located(cpu: &Pe, sh: &Shared, va: u64, kind: RegimeKind, pa: Option<u64>) -> Located {
    if !sh.debug.watches_physical() {
        return Located { va, ipa: None, pa };
    }
    let regime = Regime::of(cpu, kind);
    let access = Access {
        checked: false,
        ..Access::new(Purpose::Read, false, false, false)
    };
    let done = walk::translate(&regime, &mut ReadOnly(&sh.ram), &mut (), va, access);
    let (ipa, walked) = match done {
        Ok(t) => (Some(t.ipa), Some(t.pa)),
        Err(f) if f.stage2 && !f.s1ptw => (Some(f.ipa), None),
        Err(_) => (None, None),
    };
    Located {
        va,
        ipa: ipa.filter(|_| regime.s2.is_some()),
        pa: pa.or(walked),
    }
}

/// Take a guest's watchpoint exception instead of an access that nothing else stops: it comes after the faults of translation
/// (`AArch64.CheckDebug`).
#[inline]
pub(super) fn touch(cpu: &mut Pe, va: u64, bytes: u64, want: &Want) -> Result<(), Trap> {
    if !cpu.armed.watching {
        return Ok(());
    }
    let el = cpu.pstate.el;
    let el = if unprivileged(cpu, want, regime::kind(cpu, el)) {
        0
    } else {
        el
    };
    debug_events::watch(
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
fn unprivileged(cpu: &Pe, want: &Want, kind: RegimeKind) -> bool {
    want.unpriv
        && !cpu.pstate.uao
        && (cpu.pstate.el == 1 && !tables_of_nv1(cpu.get(HCR_EL2))
            || kind == RegimeKind::El20 && regime::host(cpu))
}

/// The context for an access: the one in use, or EL0's for LDTR and STTR.
fn context_for(cpu: &mut Pe, want: &Want) -> (*mut Context, RegimeKind, Mode) {
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
pub(super) fn place(cpu: &mut Pe, sh: &mut Shared, va: u64, want: Want) -> Result<Place, Trap> {
    let (ctx, kind, mode) = context_for(cpu, &want);
    place_in(cpu, sh, va, want, ctx, kind, mode)
}

/// The same with the privileges of `mode` in regime `kind`, whose context is `ctx`.
pub(super) fn place_in(
    cpu: &mut Pe,
    sh: &mut Shared,
    va: u64,
    want: Want,
    ctx: *mut Context,
    kind: RegimeKind,
    mode: Mode,
) -> Result<Place, Trap> {
    // SAFETY: `ctx` points to a box of `cpu.tlb`, which nothing else borrows here.
    let e = unsafe { *(*ctx).entry(va) };
    let tag = match want.purpose {
        Purpose::Read => e.tag_r,
        Purpose::Write => e.tag_w,
        Purpose::CacheMaintenance if want.write => e.tag_w,
        Purpose::CacheMaintenance => e.tag_r,
        _ => EMPTY,
    };
    if hits(tag, va) && (want.aligned || e.pa & DEVICE == 0) {
        let mut flags = e.pa;
        let checks = tag & SLOW != 0 && sh.check.is_some();
        let stale = checks && used(cpu, sh, va, flags, kind, mode, (want.purpose, want.write));
        if tag & SLOW != 0 && !stale && (flags & IO == 0 || sh.ram.is_flash(flags & PAGE)) {
            flags = fill_again(cpu, sh, va, ctx, kind);
        }
        return Ok(placed(sh, va, flags, want));
    }
    if let Some(flags) = cpu.tlb.second(ctx, va) {
        let (r, w) = (flags & tlb::READ != 0, flags & tlb::WRITE != 0);
        let granted = match want.purpose {
            Purpose::Read => r,
            Purpose::Write => w,
            Purpose::CacheMaintenance => (want.write && w) || (!want.write && r),
            _ => false,
        };
        if granted && (want.aligned || flags & DEVICE == 0) {
            let flags = flags & !(tlb::READ | tlb::WRITE);
            if sh.check.is_some()
                && used(cpu, sh, va, flags, kind, mode, (want.purpose, want.write))
            {
                return Ok(placed(sh, va, with_io(sh, flags), want)); // to be looked at each time
            }
            let flags = fill(cpu, sh, va, ctx, kind, flags, r, w);
            return Ok(placed(sh, va, flags, want));
        }
    }
    walk_and_fill(cpu, sh, va, want, ctx, kind, mode)
}

fn walk_and_fill(
    cpu: &mut Pe,
    sh: &mut Shared,
    va: u64,
    want: Want,
    ctx: *mut Context,
    kind: RegimeKind,
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
    let (r, walks) = pe::tlb::regime(cpu, kind);
    let found = walk::translate(r, &mut sh.tables(walks), &mut (), va, a);
    if sh.check.is_some() {
        walked(cpu, sh, va, kind, a);
    }
    let t = match found {
        Ok(t) => t,
        Err(f) => return Err(exception::abort(cpu, sh, &f)),
    };
    let mut flags = tlb::flags(ctx, &t);
    if t.mem.device() {
        flags |= DEVICE;
    }
    // Cache maintenance is not subject to PAN, so its permissions are not this context's.
    if maintenance {
        if !sh.ram.is_readable(t.pa) {
            flags |= IO;
        }
        return Ok(Place { pa: t.pa, flags });
    }
    let (r, w) = (t.perms.r, t.perms.w);
    let granted = if r { tlb::READ } else { 0 } | if w { tlb::WRITE } else { 0 };
    cpu.tlb.fill_second(ctx, va, &t, flags | granted);
    let flags = fill(cpu, sh, va, ctx, kind, t.pa & PAGE | flags, r, w);
    Ok(placed(sh, va, flags, want))
}

/// The place of `va` in the page of an entry: a store to flash goes to its device although loads see memory.
fn placed(sh: &Shared, va: u64, mut flags: u64, want: Want) -> Place {
    if want.write && sh.ram.is_flash(flags & PAGE) {
        flags |= IO;
    }
    Place {
        pa: flags & PAGE | va & !PAGE,
        flags,
    }
}

/// The flags of an entry that is not made.
fn with_io(sh: &Shared, flags: u64) -> u64 {
    if sh.ram.is_readable(flags & PAGE) {
        flags
    } else {
        flags | IO
    }
}

/// What sent an access to the slow path although its translation is known may have gone.
pub(super) fn recheck(cpu: &Pe, sh: &mut Shared, va: u64) {
    fill_again(cpu, sh, va, cpu.ctx, regime::kind(cpu, cpu.pstate.el));
}

fn fill_again(cpu: &Pe, sh: &mut Shared, va: u64, ctx: *mut Context, kind: RegimeKind) -> u64 {
    // SAFETY: as in `place_in`.
    let e = unsafe { *(*ctx).entry(va) };
    let (r, w) = (hits(e.tag_r, va), hits(e.tag_w, va));
    fill(cpu, sh, va, ctx, kind, e.pa & !IO, r, w)
}

/// Make the context's entry of `va`'s page; `pa` is the physical page with the translation's flags. Returns it with IO.
fn fill(
    cpu: &Pe,
    sh: &mut Shared,
    va: u64,
    ctx: *mut Context,
    kind: RegimeKind,
    mut pa: u64,
    r: bool,
    w: bool,
) -> u64 {
    let page = pa & PAGE;
    let ram = sh.ram.is_readable(page);
    if !ram {
        pa |= IO;
    }
    let to = located(cpu, sh, va, kind, Some(page));
    let lines = sh.debug.watched_lines(&to) | cpu.armed.watched_lines(va);
    let watch = if lines != 0 { WATCH } else { 0 };
    let slow = watch | if ram { 0 } else { SLOW };
    let guarded = sh.ram.is_code(page) || sh.ram.is_guarded(page);
    let slow_w = slow | if guarded { SLOW } else { 0 };
    let w = w && !sh.ram.is_flash(page); // a store to flash is a command: not to be found here
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
