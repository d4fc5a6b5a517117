//! Integer arithmetic: every node whose result is a value and that leaves NZCV alone.

use super::emit::{Emitter, HostFlags, Values, RAX, RCX};
use super::frame::Asm;
use super::values::{Loc, Reg};
use dynasmrt::{dynasm, DynasmApi, DynasmLabelApi};
use gdbhv_model::crc;
use gdbhv_model::ir::V;
use gdbhv_model::isa::ops::W;
use std::mem::size_of_val;

/// A shift.
#[derive(Clone, Copy)]
pub enum Shift {
    /// Logical, to the left.
    Left,
    /// Logical, to the right.
    Right,
    /// Arithmetic, to the right.
    Arithmetic,
}

impl Emitter {
    pub(super) fn add(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
        let (x, y) = if Self::immediate(v, w, x).is_some() {
            (y, x)
        } else {
            (x, y)
        };
        let a = self.reg(v, x, RAX);
        if let Some(c) = Self::immediate(v, w, y) {
            let d = self.regs.take();
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; lea Rd(d), [Rq(a) + c]),
                W::X => dynasm!(self.a ; .arch x64 ; lea Rq(d), [Rq(a) + c]),
            }
            return d;
        }
        let b = self.reg(v, y, RCX);
        let d = self.regs.take();
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; lea Rd(d), [Rq(a) + Rq(b)]),
            W::X => dynasm!(self.a ; .arch x64 ; lea Rq(d), [Rq(a) + Rq(b)]),
        }
        d
    }
    pub(super) fn sub(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
        if let Some(c) = Self::immediate(v, w, y).filter(|c| *c != i32::MIN) {
            let a = self.reg(v, x, RAX);
            let d = self.regs.take();
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; lea Rd(d), [Rq(a) - c]),
                W::X => dynasm!(self.a ; .arch x64 ; lea Rq(d), [Rq(a) - c]),
            }
            return d;
        }
        let y = self.reg(v, y, RCX);
        let d = self.copy_of(v, x);
        self.host = HostFlags::Nothing;
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; sub Rd(d), Rd(y)),
            W::X => dynasm!(self.a ; .arch x64 ; sub Rq(d), Rq(y)),
        }
        d
    }
    /// AND (4), OR (1), EOR (6), as the host's group 1 numbers them.
    pub(super) fn logic(&mut self, v: &Values, op: u8, x: V, y: V) -> Reg {
        let (x, y) = if matches!(v.at[x.0 as usize], Loc::Const(_)) {
            (y, x)
        } else {
            (x, y)
        };
        self.host = HostFlags::Nothing;
        if let Some(c) = Self::immediate(v, W::X, y) {
            let d = self.copy_of(v, x);
            match op {
                4 => dynasm!(self.a ; .arch x64 ; and Rq(d), c),
                1 => dynasm!(self.a ; .arch x64 ; or Rq(d), c),
                _ => dynasm!(self.a ; .arch x64 ; xor Rq(d), c),
            }
            return d;
        }
        let y = self.reg(v, y, RCX);
        let d = self.copy_of(v, x);
        match op {
            4 => dynasm!(self.a ; .arch x64 ; and Rq(d), Rq(y)),
            1 => dynasm!(self.a ; .arch x64 ; or Rq(d), Rq(y)),
            _ => dynasm!(self.a ; .arch x64 ; xor Rq(d), Rq(y)),
        }
        d
    }
    pub(super) fn mul(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
        let y = self.reg(v, y, RCX);
        let d = self.copy_of(v, x);
        self.host = HostFlags::Nothing;
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; imul Rd(d), Rd(y)),
            W::X => dynasm!(self.a ; .arch x64 ; imul Rq(d), Rq(y)),
        }
        d
    }
    pub(super) fn mulh(&mut self, v: &Values, x: V, y: V, signed: bool) -> Reg {
        let y = self.reg(v, y, RCX);
        let x = self.reg(v, x, RAX);
        let d = self.regs.take();
        self.host = HostFlags::Nothing;
        if x != RAX {
            dynasm!(self.a ; .arch x64 ; mov rax, Rq(x));
        }
        if signed {
            dynasm!(self.a ; .arch x64 ; imul Rq(y));
        } else {
            dynasm!(self.a ; .arch x64 ; mul Rq(y));
        }
        dynasm!(self.a ; .arch x64 ; mov Rq(d), rdx);
        d
    }
    /// The operands of a division: the dividend in rax, the divisor in rcx.
    pub(super) fn divide(&mut self, v: &Values, x: V, y: V) {
        self.host = HostFlags::Nothing;
        let y = self.reg(v, y, RCX);
        if y != RCX {
            dynasm!(self.a ; .arch x64 ; mov rcx, Rq(y));
        }
        let x = self.reg(v, x, RAX);
        if x != RAX {
            dynasm!(self.a ; .arch x64 ; mov rax, Rq(x));
        }
    }
    pub(super) fn udiv(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
        self.divide(v, x, y);
        let d = self.regs.take();
        let (zero, done) = (self.a.new_dynamic_label(), self.a.new_dynamic_label());
        match w {
            W::W => dynasm!(self.a
                ; .arch x64 ; test ecx, ecx ; jz =>zero ; xor edx, edx ; div ecx ; jmp =>done),
            W::X => dynasm!(self.a
                ; .arch x64 ; test rcx, rcx ; jz =>zero ; xor edx, edx ; div rcx ; jmp =>done),
        }
        dynasm!(self.a ; .arch x64 ; =>zero ; xor eax, eax ; =>done ; mov Rq(d), rax);
        d
    }
    /// The host faults on the most negative number by -1: that is a negation.
    pub(super) fn sdiv(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
        self.divide(v, x, y);
        let d = self.regs.take();
        let label = |a: &mut Asm| a.new_dynamic_label();
        let (zero, divide, done) = (label(&mut self.a), label(&mut self.a), label(&mut self.a));
        match w {
            W::W => dynasm!(self.a
                ; .arch x64
                ; test ecx, ecx
                ; jz =>zero
                ; cmp ecx, -1
                ; jne =>divide
                ; neg eax
                ; jmp =>done
                ; =>divide
                ; cdq
                ; idiv ecx
                ; jmp =>done
            ),
            W::X => dynasm!(self.a
                ; .arch x64
                ; test rcx, rcx
                ; jz =>zero
                ; cmp rcx, -1
                ; jne =>divide
                ; neg rax
                ; jmp =>done
                ; =>divide
                ; cqo
                ; idiv rcx
                ; jmp =>done
            ),
        }
        dynasm!(self.a ; .arch x64 ; =>zero ; xor eax, eax ; =>done);
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; mov Rd(d), eax),
            W::X => dynasm!(self.a ; .arch x64 ; mov Rq(d), rax),
        }
        d
    }
    pub(super) fn shift(&mut self, v: &Values, how: Shift, w: W, x: V, by: V) -> Reg {
        if let Loc::Const(by) = v.at[by.0 as usize] {
            let by = (by & (w.bits() as u64 - 1)) as i8;
            let d = self.copy_of(v, x);
            self.host = HostFlags::Nothing;
            match (how, w) {
                (Shift::Left, W::W) => dynasm!(self.a ; .arch x64 ; shl Rd(d), by),
                (Shift::Left, W::X) => dynasm!(self.a ; .arch x64 ; shl Rq(d), by),
                (Shift::Right, W::W) => dynasm!(self.a ; .arch x64 ; shr Rd(d), by),
                (Shift::Right, W::X) => dynasm!(self.a ; .arch x64 ; shr Rq(d), by),
                (Shift::Arithmetic, W::W) => dynasm!(self.a ; .arch x64 ; sar Rd(d), by),
                (Shift::Arithmetic, W::X) => dynasm!(self.a ; .arch x64 ; sar Rq(d), by),
            }
            if w == W::W && by == 0 {
                dynasm!(self.a ; .arch x64 ; mov Rd(d), Rd(d)); // a shift by nothing keeps the high half
            }
            return d;
        }
        let by = self.reg(v, by, RCX);
        let x = self.reg(v, x, RAX);
        let d = self.regs.take();
        match (how, w) {
            (Shift::Left, W::W) => dynasm!(self.a ; .arch x64 ; shlx Rd(d), Rd(x), Rd(by)),
            (Shift::Left, W::X) => dynasm!(self.a ; .arch x64 ; shlx Rq(d), Rq(x), Rq(by)),
            (Shift::Right, W::W) => dynasm!(self.a ; .arch x64 ; shrx Rd(d), Rd(x), Rd(by)),
            (Shift::Right, W::X) => dynasm!(self.a ; .arch x64 ; shrx Rq(d), Rq(x), Rq(by)),
            (Shift::Arithmetic, W::W) => dynasm!(self.a ; .arch x64 ; sarx Rd(d), Rd(x), Rd(by)),
            (Shift::Arithmetic, W::X) => dynasm!(self.a ; .arch x64 ; sarx Rq(d), Rq(x), Rq(by)),
        }
        d
    }
    pub(super) fn ror(&mut self, v: &Values, w: W, x: V, by: V) -> Reg {
        let Loc::Const(by) = v.at[by.0 as usize] else {
            let by = self.reg(v, by, RCX);
            let d = self.copy_of(v, x);
            self.host = HostFlags::Nothing;
            dynasm!(self.a ; .arch x64 ; mov ecx, Rd(by));
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; ror Rd(d), cl),
                W::X => dynasm!(self.a ; .arch x64 ; ror Rq(d), cl),
            }
            if w == W::W {
                dynasm!(self.a ; .arch x64 ; mov Rd(d), Rd(d)); // a rotation by nothing keeps the high half
            }
            return d;
        };
        let x = self.reg(v, x, RAX);
        let d = self.regs.take();
        let by = (by & (w.bits() as u64 - 1)) as i8;
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; rorx Rd(d), Rd(x), by),
            W::X => dynasm!(self.a ; .arch x64 ; rorx Rq(d), Rq(x), by),
        }
        d
    }
    pub(super) fn zext(&mut self, v: &Values, x: V, n: u32) -> Reg {
        match n {
            8 | 16 | 32 => {
                let x = self.reg(v, x, RAX);
                let d = self.regs.take();
                match n {
                    8 => dynasm!(self.a ; .arch x64 ; movzx Rd(d), Rb(x)),
                    16 => dynasm!(self.a ; .arch x64 ; movzx Rd(d), Rw(x)),
                    _ => dynasm!(self.a ; .arch x64 ; mov Rd(d), Rd(x)),
                }
                d
            }
            64 => self.copy_of(v, x),
            1..=31 => {
                let d = self.copy_of(v, x);
                self.host = HostFlags::Nothing;
                dynasm!(self.a ; .arch x64 ; and Rd(d), (1u32 << n).wrapping_sub(1) as i32);
                d
            }
            _ => {
                let d = self.copy_of(v, x);
                let by = 64 - n as i8;
                self.host = HostFlags::Nothing;
                dynasm!(self.a ; .arch x64 ; shl Rq(d), by ; shr Rq(d), by);
                d
            }
        }
    }
    pub(super) fn sext(&mut self, v: &Values, w: W, x: V, n: u32) -> Reg {
        if matches!(n, 8 | 16 | 32) {
            let x = self.reg(v, x, RAX);
            let d = self.regs.take();
            match (n, w) {
                (8, W::W) => dynasm!(self.a ; .arch x64 ; movsx Rd(d), Rb(x)),
                (8, W::X) => dynasm!(self.a ; .arch x64 ; movsx Rq(d), Rb(x)),
                (16, W::W) => dynasm!(self.a ; .arch x64 ; movsx Rd(d), Rw(x)),
                (16, W::X) => dynasm!(self.a ; .arch x64 ; movsx Rq(d), Rw(x)),
                (_, W::W) => dynasm!(self.a ; .arch x64 ; mov Rd(d), Rd(x)),
                (_, W::X) => dynasm!(self.a ; .arch x64 ; movsxd Rq(d), Rd(x)),
            }
            return d;
        }
        let d = self.copy_of(v, x);
        let by = 64 - n as i8;
        self.host = HostFlags::Nothing;
        dynasm!(self.a ; .arch x64 ; shl Rq(d), by ; sar Rq(d), by);
        if w == W::W {
            dynasm!(self.a ; .arch x64 ; mov Rd(d), Rd(d));
        }
        d
    }
    pub(super) fn rev(&mut self, v: &Values, w: W, x: V, bytes: u32) -> Reg {
        let d = self.copy_of(v, x);
        self.host = HostFlags::Nothing;
        match (w, bytes) {
            (W::W, 2) => dynasm!(self.a ; .arch x64 ; bswap Rd(d) ; ror Rd(d), 16),
            (W::X, 2) => self.swap(d, 8, 0x00ff_00ff_00ff_00ff),
            (W::W, _) => dynasm!(self.a ; .arch x64 ; bswap Rd(d)),
            (W::X, 4) => dynasm!(self.a ; .arch x64 ; bswap Rq(d) ; rol Rq(d), 32),
            (W::X, _) => dynasm!(self.a ; .arch x64 ; bswap Rq(d)),
        }
        d
    }
    /// Swap neighbours of so many bits; `low` has those of the lower one set.
    fn swap(&mut self, d: Reg, bits: i8, low: u64) {
        dynasm!(self.a
            ; .arch x64
            ; mov rcx, QWORD low as i64
            ; mov rax, Rq(d)
            ; and rax, rcx
            ; shl rax, bits
            ; shr Rq(d), bits
            ; and Rq(d), rcx
            ; or Rq(d), rax
        );
    }
    pub(super) fn rbit(&mut self, v: &Values, w: W, x: V) -> Reg {
        let d = self.copy_of(v, x);
        self.host = HostFlags::Nothing;
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; bswap Rd(d)),
            W::X => dynasm!(self.a ; .arch x64 ; bswap Rq(d)),
        }
        self.swap(d, 4, 0x0f0f_0f0f_0f0f_0f0f);
        self.swap(d, 2, 0x3333_3333_3333_3333);
        self.swap(d, 1, 0x5555_5555_5555_5555);
        d
    }
    pub(super) fn cls(&mut self, v: &Values, w: W, x: V) -> Reg {
        let x = self.reg(v, x, RCX);
        let d = self.regs.take();
        self.host = HostFlags::Nothing;
        match w {
            W::W => dynasm!(self.a
                ; .arch x64
                ; mov eax, Rd(x)
                ; sar eax, 31
                ; xor eax, Rd(x)
                ; lzcnt Rd(d), eax
                ; dec Rd(d)
            ),
            W::X => dynasm!(self.a
                ; .arch x64
                ; mov rax, Rq(x)
                ; sar rax, 63
                ; xor rax, Rq(x)
                ; lzcnt Rq(d), rax
                ; dec Rd(d)
            ),
        }
        d
    }
    /// CRC32C is an instruction of the host's; for the other polynomial there are tables ([`crc::crc32`]).
    pub(super) fn crc32(&mut self, v: &Values, acc: V, x: V, bits: u32, castagnoli: bool) -> Reg {
        let x = self.reg(v, x, RCX);
        let d = self.copy_of(v, acc);
        self.host = HostFlags::Nothing;
        if castagnoli {
            match bits {
                8 => dynasm!(self.a ; .arch x64 ; crc32 Rd(d), Rb(x)),
                16 => dynasm!(self.a ; .arch x64 ; crc32 Rd(d), Rw(x)),
                32 => dynasm!(self.a ; .arch x64 ; crc32 Rd(d), Rd(x)),
                _ => dynasm!(self.a ; .arch x64 ; mov Rd(d), Rd(d) ; crc32 Rq(d), Rq(x)),
            }
            return d;
        }
        dynasm!(self.a ; .arch x64 ; mov Rd(d), Rd(d));
        match bits {
            8 => dynasm!(self.a ; .arch x64 ; movzx ecx, Rb(x)),
            16 => dynasm!(self.a ; .arch x64 ; movzx ecx, Rw(x)),
            32 => dynasm!(self.a ; .arch x64 ; mov ecx, Rd(x)),
            _ => dynasm!(self.a ; .arch x64 ; mov rcx, Rq(x)),
        }
        let tables = crc::IEEE.as_ptr() as i64;
        dynasm!(self.a ; .arch x64 ; xor Rq(d), rcx ; mov rax, QWORD tables ; xor edx, edx);
        for k in (0..bits as i32 / 8).rev() {
            let table = k * size_of_val(&crc::IEEE[0]) as i32;
            dynasm!(self.a
                ; .arch x64
                ; movzx ecx, Rb(d)
                ; xor edx, [rax + rcx * 4 + table]
                ; shr Rq(d), 8
            );
        }
        dynasm!(self.a ; .arch x64 ; xor Rd(d), edx);
        d
    }
}
