//! What both interpreting back ends do alike: registers, arithmetic, flags, lanes, jumps. [`common_ops`] is these methods of
//! [`Ops`](crate::isa::ops::Ops), for a type that has the PE as `cpu`.

use crate::isa::ops::W;

/// Cut to the operand width.
#[inline(always)]
pub fn narrow(w: W, v: u64) -> u64 {
    match w {
        W::W => v as u32 as u64,
        W::X => v,
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

pub(super) use common_ops;
