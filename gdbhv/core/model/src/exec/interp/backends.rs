//! The two interpreting back ends: the same operations on registers and flags, and two ways to reach memory.

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

macro_rules! common_ops {
    () => {
        type V = u64;
        type C = bool;
        type Q = u128;

        #[inline(always)]
        fn x(&mut self, r: u8) -> u64 {
            // SAFETY: decode makes register indexes of 0 to 33 only (`ops::reg`).
            unsafe { *self.cpu.x.get_unchecked(r as usize) }
        }
        #[inline(always)]
        fn set_x(&mut self, r: u8, v: u64) {
            // SAFETY: as in `x`.
            unsafe { *self.cpu.x.get_unchecked_mut(r as usize) = v }
        }
        #[inline(always)]
        fn q(&mut self, r: u8) -> u128 {
            self.cpu.v[r as usize & 31]
        }
        #[inline(always)]
        fn set_q(&mut self, r: u8, v: u128) {
            self.cpu.v[r as usize & 31] = v;
        }
        #[inline(always)]
        fn imm(&mut self, v: u64) -> u64 {
            v
        }
        #[inline(always)]
        fn pc(&mut self, disp: u64) -> u64 {
            self.cpu.pc.wrapping_add(disp)
        }
        #[inline(always)]
        fn add(&mut self, w: W, x: u64, y: u64) -> u64 {
            narrow(w, x.wrapping_add(y))
        }
        #[inline(always)]
        fn sub(&mut self, w: W, x: u64, y: u64) -> u64 {
            narrow(w, x.wrapping_sub(y))
        }
        #[inline(always)]
        fn mul(&mut self, w: W, x: u64, y: u64) -> u64 {
            narrow(w, x.wrapping_mul(y))
        }
        #[inline(always)]
        fn umulh(&mut self, x: u64, y: u64) -> u64 {
            ((x as u128 * y as u128) >> 64) as u64
        }
        #[inline(always)]
        fn smulh(&mut self, x: u64, y: u64) -> u64 {
            ((x as i64 as i128 * y as i64 as i128) >> 64) as u64
        }
        #[inline(always)]
        fn udiv(&mut self, w: W, x: u64, y: u64) -> u64 {
            narrow(w, x).checked_div(narrow(w, y)).unwrap_or(0)
        }
        #[inline(always)]
        fn sdiv(&mut self, w: W, x: u64, y: u64) -> u64 {
            let (x, y) = (sext(x, w.bits()) as i64, sext(y, w.bits()) as i64);
            narrow(w, if y == 0 { 0 } else { x.wrapping_div(y) } as u64)
        }
        #[inline(always)]
        fn and(&mut self, x: u64, y: u64) -> u64 {
            x & y
        }
        #[inline(always)]
        fn or(&mut self, x: u64, y: u64) -> u64 {
            x | y
        }
        #[inline(always)]
        fn xor(&mut self, x: u64, y: u64) -> u64 {
            x ^ y
        }
        #[inline(always)]
        fn not(&mut self, w: W, x: u64) -> u64 {
            narrow(w, !x)
        }
        #[inline(always)]
        fn shl(&mut self, w: W, x: u64, by: u64) -> u64 {
            match w {
                W::W => ((x as u32) << (by & 31)) as u64,
                W::X => x << (by & 63),
            }
        }
        #[inline(always)]
        fn shr(&mut self, w: W, x: u64, by: u64) -> u64 {
            match w {
                W::W => (x as u32 >> (by & 31)) as u64,
                W::X => x >> (by & 63),
            }
        }
        #[inline(always)]
        fn sar(&mut self, w: W, x: u64, by: u64) -> u64 {
            match w {
                W::W => (x as i32 >> (by & 31)) as u32 as u64,
                W::X => (x as i64 >> (by & 63)) as u64,
            }
        }
        #[inline(always)]
        fn ror(&mut self, w: W, x: u64, by: u64) -> u64 {
            match w {
                W::W => (x as u32).rotate_right(by as u32 & 31) as u64,
                W::X => x.rotate_right(by as u32 & 63),
            }
        }
        #[inline(always)]
        fn zext(&mut self, x: u64, n: u32) -> u64 {
            x & ones(n)
        }
        #[inline(always)]
        fn sext(&mut self, w: W, x: u64, n: u32) -> u64 {
            narrow(w, sext(x, n))
        }
        #[inline(always)]
        fn clz(&mut self, w: W, x: u64) -> u64 {
            match w {
                W::W => (x as u32).leading_zeros() as u64,
                W::X => x.leading_zeros() as u64,
            }
        }
        #[inline(always)]
        fn cls(&mut self, w: W, x: u64) -> u64 {
            let x = sext(x, w.bits());
            (x ^ (x as i64 >> 63) as u64).leading_zeros() as u64 - 1 - (64 - w.bits()) as u64
        }
        #[inline(always)]
        fn rbit(&mut self, w: W, x: u64) -> u64 {
            match w {
                W::W => (x as u32).reverse_bits() as u64,
                W::X => x.reverse_bits(),
            }
        }
        #[inline(always)]
        fn rev(&mut self, w: W, x: u64, bytes: u32) -> u64 {
            let r = x.swap_bytes();
            narrow(
                w,
                match bytes {
                    2 => (x & 0x00ff_00ff_00ff_00ff) << 8 | (x >> 8 & 0x00ff_00ff_00ff_00ff),
                    4 => r.rotate_right(32),
                    _ => r,
                },
            )
        }
        #[inline(always)]
        fn crc32(&mut self, acc: u64, x: u64, bits: u32, castagnoli: bool) -> u64 {
            crate::crc::crc32(acc as u32, x, bits, castagnoli) as u64
        }
        #[inline(always)]
        fn adds(&mut self, w: W, x: u64, y: u64) -> u64 {
            let f = &mut self.cpu.flags;
            match w {
                W::X => {
                    let (r, c) = x.overflowing_add(y);
                    let v = (x as i64).overflowing_add(y as i64).1;
                    (f.n, f.z, f.c, f.v) =
                        (((r as i64) < 0) as u8, (r == 0) as u8, c as u8, v as u8);
                    r
                }
                W::W => {
                    let (x, y) = (x as u32, y as u32);
                    let (r, c) = x.overflowing_add(y);
                    let v = (x as i32).overflowing_add(y as i32).1;
                    (f.n, f.z, f.c, f.v) =
                        (((r as i32) < 0) as u8, (r == 0) as u8, c as u8, v as u8);
                    r as u64
                }
            }
        }
        #[inline(always)]
        fn subs(&mut self, w: W, x: u64, y: u64) -> u64 {
            let f = &mut self.cpu.flags;
            match w {
                W::X => {
                    let r = x.wrapping_sub(y);
                    let v = (x as i64).overflowing_sub(y as i64).1;
                    (f.n, f.z, f.c, f.v) = (
                        ((r as i64) < 0) as u8,
                        (x == y) as u8,
                        (x >= y) as u8,
                        v as u8,
                    );
                    r
                }
                W::W => {
                    let (x, y) = (x as u32, y as u32);
                    let r = x.wrapping_sub(y);
                    let v = (x as i32).overflowing_sub(y as i32).1;
                    (f.n, f.z, f.c, f.v) = (
                        ((r as i32) < 0) as u8,
                        (x == y) as u8,
                        (x >= y) as u8,
                        v as u8,
                    );
                    r as u64
                }
            }
        }
        #[inline(always)]
        fn adc(&mut self, w: W, x: u64, y: u64) -> u64 {
            narrow(w, x.wrapping_add(y).wrapping_add(self.cpu.flags.c as u64))
        }
        #[inline(always)]
        fn adcs(&mut self, w: W, x: u64, y: u64) -> u64 {
            let n = w.bits();
            let (x, y) = (narrow(w, x), narrow(w, y));
            let wide = x as u128 + y as u128 + self.cpu.flags.c as u128;
            let r = narrow(w, wide as u64);
            self.cpu.flags = crate::pstate::Flags {
                n: (r >> (n - 1) & 1) as u8,
                z: (r == 0) as u8,
                c: (wide >> n) as u8,
                v: (((x ^ r) & (y ^ r)) >> (n - 1) & 1) as u8,
            };
            r
        }
        #[inline(always)]
        fn set_nz(&mut self, w: W, v: u64) {
            let v = narrow(w, v);
            self.cpu.flags = crate::pstate::Flags {
                n: (v >> (w.bits() - 1) & 1) as u8,
                z: (v == 0) as u8,
                c: 0,
                v: 0,
            };
        }
        #[inline(always)]
        fn nzcv(&mut self) -> u64 {
            self.cpu.flags.pack()
        }
        #[inline(always)]
        fn set_nzcv_from(&mut self, v: u64) {
            self.cpu.flags = crate::pstate::Flags::unpack(v);
        }
        #[inline(always)]
        fn ccmp(&mut self, w: W, c: bool, x: u64, y: u64, sub: bool, nzcv: u32) {
            if !c {
                self.cpu.flags = crate::pstate::Flags::unpack((nzcv as u64) << 28);
            } else if sub {
                self.subs(w, x, y);
            } else {
                self.adds(w, x, y);
            }
        }
        #[inline(always)]
        fn cond(&mut self, cond: u32) -> bool {
            self.cpu.flags.holds(cond)
        }
        #[inline(always)]
        fn c_is(&mut self, c: bool, want: bool) -> bool {
            c == want
        }
        #[inline(always)]
        fn is_zero(&mut self, w: W, x: u64) -> bool {
            narrow(w, x) == 0
        }
        #[inline(always)]
        fn bit_clear(&mut self, x: u64, n: u32) -> bool {
            x >> n & 1 == 0
        }
        #[inline(always)]
        fn compare(&mut self, how: Cmp, w: W, x: u64, y: u64) -> bool {
            let (x, y) = (narrow(w, x), narrow(w, y));
            match how {
                Cmp::Eq => x == y,
                Cmp::Lt => (sext(x, w.bits()) as i64) < sext(y, w.bits()) as i64,
                Cmp::Lo => x < y,
            }
        }
        #[inline(always)]
        fn select(&mut self, c: bool, x: u64, y: u64) -> u64 {
            if c {
                x
            } else {
                y
            }
        }
        #[inline(always)]
        fn wide(&mut self, x: u64) -> u128 {
            x as u128
        }
        #[inline(always)]
        fn lane(&mut self, size: Size, x: u128, k: u32) -> u64 {
            vector::lane(size, x, k)
        }
        #[inline(always)]
        fn with_lane(&mut self, size: Size, x: u128, k: u32, v: u64) -> u128 {
            vector::with_lane(size, x, k, v)
        }
        #[inline(always)]
        fn splat(&mut self, size: Size, v: u64) -> u128 {
            vector::splat(size, v)
        }
        #[inline(always)]
        fn lanes(&mut self, op: Lane, size: Size, x: u128, y: u128) -> u128 {
            vector::lanes(op, size, x, y)
        }
        #[inline(always)]
        fn lanes_shift(&mut self, op: Shift, size: Size, x: u128, by: u32) -> u128 {
            vector::shift(op, size, x, by)
        }
        #[inline(always)]
        fn permute(&mut self, op: Permute, size: Size, x: u128, y: u128) -> u128 {
            vector::permute(op, size, x, y)
        }
        #[inline(always)]
        fn ext(&mut self, x: u128, y: u128, by: u32) -> u128 {
            vector::ext(x, y, by)
        }
        #[inline(always)]
        fn first(&mut self, size: Size, x: u128) -> u128 {
            vector::lane(size, x, 0) as u128
        }
        #[inline(always)]
        fn select_q(&mut self, c: bool, x: u128, y: u128) -> u128 {
            if c {
                x
            } else {
                y
            }
        }
        #[inline(always)]
        fn fp(&mut self, op: Fp2, shape: Shape, x: u128, y: u128) -> u128 {
            float::two(self.cpu, op, shape, x, y)
        }
        #[inline(always)]
        fn fp_fused(&mut self, shape: Shape, a: u128, n: u128, m: u128) -> u128 {
            float::fused(self.cpu, shape, a, n, m)
        }
        #[inline(always)]
        fn fp_sqrt(&mut self, shape: Shape, x: u128) -> u128 {
            float::root(self.cpu, shape, x)
        }
        #[inline(always)]
        fn fp_compare(&mut self, format: Format, x: u128, y: u128, signal: bool) {
            float::flags(self.cpu, format, x, y, signal);
        }
        #[inline(always)]
        fn fp_convert(&mut self, from: Format, to: Format, x: u128) -> u128 {
            float::converted(self.cpu, from, to, x)
        }
        #[inline(always)]
        fn fp_from_int(&mut self, format: Format, w: W, signed: bool, x: u64) -> u128 {
            float::from_int(self.cpu, format, w, signed, x)
        }
        #[inline(always)]
        fn fp_to_int(&mut self, format: Format, w: W, signed: bool, x: u128) -> u64 {
            float::to_int(self.cpu, format, w, signed, x)
        }
        #[inline(always)]
        fn clear_exclusive(&mut self) {
            self.cpu.monitor = None;
        }
        #[inline(always)]
        fn jump(&mut self, to: u64) {
            self.cpu.pc = to;
        }
        #[inline(always)]
        fn jump_if(&mut self, c: bool, taken: u64, next: u64) {
            self.cpu.pc = self.cpu.pc.wrapping_add(if c { taken } else { next });
        }
    };
}

/// Cut to the operand width.
#[inline(always)]
fn narrow(w: W, v: u64) -> u64 {
    match w {
        W::W => v as u32 as u64,
        W::X => v,
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
