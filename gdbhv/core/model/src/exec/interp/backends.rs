//! The two interpreting back ends: the same operations on registers and flags, and two ways to reach memory.

use super::common::{common_ops, narrow};
use crate::access;
use crate::bits::{ones, sext};
use crate::cpu::{slot, Monitor};
use crate::fp::format::Format;
use crate::fp::shape::{Fp2, Shape};
use crate::isa::float;
use crate::isa::ops::{Cmp, Ops, W};
use crate::isa::vector::{self, Lane, Permute, Shift};
use crate::mem::size::{Acc, Size};
use crate::mmu::entry::{PAGE, WATCH};
use crate::pe::Pe;
use crate::raise::Trap;
use crate::shared::Shared;

/// The access needs more than the TLB.
#[derive(Clone, Copy)]
pub struct Miss;

/// The back end of the common case. Its functions make no calls.
pub struct Fast<'a> {
    /// The PE.
    pub cpu: &'a mut Pe,
}

/// The back end that knows everything.
pub struct Slow<'a> {
    /// The PE.
    pub cpu: &'a mut Pe,
    /// What PEs share.
    pub sh: &'a mut Shared,
}

impl Fast<'_> {
    /// The host address of an aligned access that hits the TLB.
    #[inline(always)]
    fn host(&mut self, va: u64, size: Size, acc: Acc, write: bool) -> Result<*mut u8, Miss> {
        // SAFETY: `ctx` points to a box of `cpu.tlb`, which nothing else borrows here.
        let e = unsafe { (*self.cpu.ctx).entry(va) };
        let tag = if write { e.tag_w } else { e.tag_r };
        let align = size.bytes().max(1 << acc.align);
        let miss = va & (PAGE | (align - 1)) ^ tag;
        if acc.unpriv || miss != 0 {
            // A watchpoint elsewhere in the page must not make the page slow. (An aligned access is inside one line.)
            // SAFETY: as above.
            let lines = unsafe { (*self.cpu.ctx).watched };
            if acc.unpriv || miss != WATCH || lines >> (va >> 6 & 63) & 1 != 0 {
                return Err(Miss);
            }
        }
        Ok(e.host.wrapping_add(va as usize) as *mut u8)
    }
    /// The same for 16 bytes: those that are aligned, and those of elements of at most 8 that are aligned to 8, inside a page that nobody
    /// watches.
    #[inline(always)]
    fn host_q(&mut self, va: u64, element: u32, write: bool) -> Result<*mut [u8; 16], Miss> {
        const WHOLE: Acc = Acc {
            align: 4,
            ..Acc::PLAIN
        };
        const INSIDE: Acc = Acc {
            align: 3,
            ..Acc::PLAIN
        };
        if element < 4 && va & 8 != 0 {
            // SAFETY: as in `host`.
            let watched = unsafe { (*self.cpu.ctx).watched } != 0;
            if va & !PAGE > 0xff0 || watched {
                return Err(Miss);
            }
            return Ok(self.host(va, Size::X, INSIDE, write)?.cast());
        }
        Ok(self.host(va, Size::X, WHOLE, write)?.cast())
    }
    /// The same for an exclusive access, and what the monitor would mark.
    #[inline(always)]
    fn exclusive(
        &mut self,
        va: u64,
        size: Size,
        acc: Acc,
        write: bool,
    ) -> Result<(*mut u8, Monitor), Miss> {
        let p = self.host(va, size, acc, write)?;
        // SAFETY: as in `host`.
        let pa = unsafe { (*self.cpu.ctx).entry(va).pa } & PAGE | va & !PAGE;
        Ok((p, Monitor::new(pa, size.bytes())))
    }
}

/// Read what [`Fast::host`] has found.
///
/// # Safety
/// `p` is valid and aligned.
#[inline(always)]
unsafe fn read(p: *const u8, size: Size) -> u64 {
    // SAFETY: the caller's.
    unsafe {
        match size {
            Size::B => *p as u64,
            Size::H => u16::from_le(*p.cast::<u16>()) as u64,
            Size::W => u32::from_le(*p.cast::<u32>()) as u64,
            Size::X => u64::from_le(*p.cast::<u64>()),
        }
    }
}

/// Write there.
///
/// # Safety
/// As of [`read`], and nobody else looks.
#[inline(always)]
unsafe fn write(p: *mut u8, size: Size, v: u64) {
    // SAFETY: the caller's.
    unsafe {
        match size {
            Size::B => *p = v as u8,
            Size::H => *p.cast::<u16>() = (v as u16).to_le(),
            Size::W => *p.cast::<u32>() = (v as u32).to_le(),
            Size::X => *p.cast::<u64>() = v.to_le(),
        }
    }
}

impl Ops for Fast<'_> {
    type E = Miss;
    common_ops!();

    #[inline(always)]
    fn check_sp(&mut self, rn: u8) -> Result<(), Miss> {
        if rn == slot::SP && self.cpu.x[slot::SP as usize] & 15 != 0 {
            return Err(Miss);
        }
        Ok(())
    }
    #[inline(always)]
    fn load(&mut self, addr: u64, size: Size, acc: Acc) -> Result<u64, Miss> {
        let p = self.host(addr, size, acc, false)?;
        // SAFETY: a TLB entry without SLOW maps RAM, which lives as long as the machine; the access is aligned and in the page.
        Ok(unsafe { read(p, size) })
    }
    #[inline(always)]
    fn store(&mut self, addr: u64, size: Size, v: u64, acc: Acc) -> Result<(), Miss> {
        let p = self.host(addr, size, acc, true)?;
        // SAFETY: as in `load`; the tag for writes is there, so the page is writable and holds no code.
        unsafe { write(p, size, v) };
        Ok(())
    }
    #[inline(always)]
    fn load_q(&mut self, addr: u64, element: u32) -> Result<u128, Miss> {
        let p = self.host_q(addr, element, false)?;
        // SAFETY: as in `load`: 16 bytes in the page.
        Ok(u128::from_le_bytes(unsafe { *p }))
    }
    #[inline(always)]
    fn store_q(&mut self, addr: u64, element: u32, v: u128) -> Result<(), Miss> {
        let p = self.host_q(addr, element, true)?;
        // SAFETY: as in `store`: 16 bytes in the page.
        unsafe { *p = v.to_le_bytes() };
        Ok(())
    }
    #[inline(always)]
    fn load_exclusive(&mut self, addr: u64, size: Size, acc: Acc) -> Result<u64, Miss> {
        let (p, marked) = self.exclusive(addr, size, acc, false)?;
        if self.cpu.monitor == Some(marked) {
            return Err(Miss); // it spins
        }
        self.cpu.monitor = Some(marked);
        // SAFETY: as in `load`.
        Ok(unsafe { read(p, size) })
    }
    #[inline(always)]
    fn store_exclusive(&mut self, addr: u64, size: Size, v: u64, acc: Acc) -> Result<u64, Miss> {
        if self.cpu.monitor.is_none() {
            return Ok(1);
        }
        let (p, here) = self.exclusive(addr, size, acc, true)?;
        let pass = self.cpu.monitor.take() == Some(here);
        if pass {
            // SAFETY: as in `store`.
            unsafe { write(p, size, v) };
        }
        Ok(!pass as u64)
    }
}

impl Ops for Slow<'_> {
    type E = Trap;
    common_ops!();

    fn check_sp(&mut self, rn: u8) -> Result<(), Trap> {
        if rn == slot::SP {
            crate::exception::check_sp(self.cpu)?;
        }
        Ok(())
    }
    fn load(&mut self, addr: u64, size: Size, acc: Acc) -> Result<u64, Trap> {
        access::load(self.cpu, self.sh, addr, size, acc)
    }
    fn store(&mut self, addr: u64, size: Size, v: u64, acc: Acc) -> Result<(), Trap> {
        access::store(self.cpu, self.sh, addr, size, v, acc)
    }
    fn load_q(&mut self, addr: u64, element: u32) -> Result<u128, Trap> {
        let mut v = 0;
        for (at, size, acc) in parts(addr, element) {
            let part = access::load(self.cpu, self.sh, addr.wrapping_add(at), size, acc)?;
            v |= (part as u128) << (8 * at);
        }
        Ok(v)
    }
    fn store_q(&mut self, addr: u64, element: u32, v: u128) -> Result<(), Trap> {
        for (at, size, acc) in parts(addr, element) {
            let part = (v >> (8 * at)) as u64;
            access::store(self.cpu, self.sh, addr.wrapping_add(at), size, part, acc)?;
        }
        Ok(())
    }
    fn load_exclusive(&mut self, addr: u64, size: Size, acc: Acc) -> Result<u64, Trap> {
        let bytes = size.bytes();
        let pa = access::translate_data(self.cpu, self.sh, addr, bytes, false, acc)?;
        let v = access::load(self.cpu, self.sh, addr, size, acc)?;
        let marked = Some(Monitor::new(pa, bytes));
        if self.cpu.monitor == marked {
            // It has looked here before and stored nothing: it waits for another PE, which has its turn now.
            self.sh.yielded = true;
            self.sh.leave = true;
        }
        self.cpu.monitor = marked;
        Ok(v)
    }
    fn store_exclusive(&mut self, addr: u64, size: Size, v: u64, acc: Acc) -> Result<u64, Trap> {
        if self.cpu.monitor.is_none() {
            return Ok(1);
        }
        let bytes = size.bytes();
        let pa = access::translate_data(self.cpu, self.sh, addr, bytes, true, acc)?;
        let pass = self.cpu.monitor == Some(Monitor::new(pa, bytes));
        if pass {
            access::store(self.cpu, self.sh, addr, size, v, acc)?;
        }
        self.cpu.monitor = None;
        Ok(!pass as u64)
    }
}

/// The accesses that 16 bytes at `va` are made of, by offset: eight bytes each, of which the first stands for the alignment of the whole, or
/// elements where they need not be aligned to more.
fn parts(va: u64, element: u32) -> impl Iterator<Item = (u64, Size, Acc)> {
    let size = if element >= 3 || va & 7 == 0 {
        Size::X
    } else {
        Size::of(element)
    };
    (0..16).step_by(size.bytes() as usize).map(move |at| {
        let align = if element == 4 && at == 0 { 4 } else { 0 };
        let acc = Acc {
            align,
            ..Acc::PLAIN
        };
        (at, size, acc)
    })
}
