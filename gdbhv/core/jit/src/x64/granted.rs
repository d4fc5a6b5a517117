//! Helper rows that kernels execute all the time, inline where they have been allowed before ([`gdbhv_model::sysreg::granted`]); where they
//! have not, the interpreter's function is called, which says so for the next time.

use super::emit::{Emitter, HostFlags, RCX, RDX};
use super::frame::{GRANTED, SP_EL0_AT, SYS};
use dynasmrt::{dynasm, DynasmApi, DynasmLabelApi};
use gdbhv_model::cpu::slot;
use gdbhv_model::mmu::entry::{Entry, DEVICE, PAGE};
use gdbhv_model::reg::names::SP_EL0;
use gdbhv_model::reg::Reg as Register;
use gdbhv_model::sysreg::granted;
use std::mem::offset_of;

/// What the word of a helper row does if its bit of `Cpu::granted` is set.
#[derive(Clone, Copy)]
pub enum Granted {
    /// MRS: a register of the PE to a general one.
    Read(Register, u8),
    /// DC ZVA: the 64 bytes around the address in a register are zeroed.
    Zero(u8),
}

/// What is known of a word of a helper row.
pub fn known(word: u32) -> Option<Granted> {
    const MRS: u32 = 0xd530_0000;
    const DC_ZVA: u32 = 0xd50b_7420;
    if word & 0xfff0_0000 == MRS {
        let register = Register::of_insn(word);
        granted::of_read(register)?;
        return Some(Granted::Read(register, slot::dst(word)));
    }
    (word & !31 == DC_ZVA).then_some(Granted::Zero(slot::src(word)))
}

impl Emitter {
    /// Do it, or go aside.
    pub(super) fn granted(&mut self, what: Granted) {
        let bit = match what {
            Granted::Read(register, _) => granted::of_read(register).expect("known"),
            Granted::Zero(_) => granted::ZVA,
        };
        let slow = self.aside();
        self.host = HostFlags::Nothing;
        dynasm!(self.a ; .arch x64 ; test DWORD [rbx + GRANTED], bit as i32 ; jz =>slow);
        match what {
            Granted::Read(_, slot::SINK) => {}
            Granted::Read(register, rt) => self.read_register(register, rt),
            Granted::Zero(rt) => self.zero(rt),
        }
    }
    fn read_register(&mut self, register: Register, rt: u8) {
        let d = self.regs.take();
        if register == SP_EL0 {
            dynasm!(self.a ; .arch x64 ; mov Rq(d), [rbx + SP_EL0_AT]);
        } else {
            let at = register.index() as i32 * 8;
            dynasm!(self.a ; .arch x64 ; mov Rq(d), [rbx + SYS] ; mov Rq(d), [Rq(d) + at]);
        }
        let to = rt as i32 * 8;
        dynasm!(self.a ; .arch x64 ; mov [rbx + to], Rq(d));
        self.regs.set_copy(rt, d);
        self.regs.unpin(d);
    }
    /// A line of memory that is not of Device type.
    fn zero(&mut self, rt: u8) {
        let a = if rt == slot::ZR {
            dynasm!(self.a ; .arch x64 ; xor edx, edx);
            RDX
        } else {
            self.guest(rt)
        };
        dynasm!(self.a ; .arch x64 ; mov rax, Rq(a) ; and rax, PAGE as i32);
        self.find(a, true, false);
        let slow = self.aside();
        let pa = offset_of!(Entry, pa) as i32;
        dynasm!(self.a
            ; .arch x64
            ; test BYTE [r13 + rcx + pa], DEVICE as i8
            ; jnz =>slow
            ; mov Rq(RCX), Rq(a)
            ; and rcx, -64
            ; vpxor xmm0, xmm0, xmm0
            ; vmovdqu [rax + rcx], xmm0
            ; vmovdqu [rax + rcx + 16], xmm0
            ; vmovdqu [rax + rcx + 32], xmm0
            ; vmovdqu [rax + rcx + 48], xmm0
        );
        if a != RDX {
            self.regs.unpin(a);
        }
    }
}
