//! Loads and stores: the TLB is looked at inline, and what it does not have is the interpreter's.

use super::emit::{Emitter, HostFlags, Values, RCX, RDX};
use super::values::Reg;
use dynasmrt::{dynasm, DynasmApi, DynasmLabelApi};
use gdbhv_model::ir::{Q, V};
use gdbhv_model::mem::size::{Acc, Size};
use gdbhv_model::mmu::entry::{Entry, ENTRIES, PAGE, PAGE_BITS};
use gdbhv_model::mmu::tlb::Context;
use std::mem::{offset_of, size_of};

impl Emitter {
    /// Look an address up in the TLB: rax is what is to be added to it.
    pub(super) fn probe(&mut self, a: Reg, size: Size, acc: Acc, write: bool) {
        let align = size.bytes().max(1 << acc.align);
        let mask = (PAGE | (align - 1)) as i32;
        dynasm!(self.a ; .arch x64 ; mov rax, Rq(a) ; and rax, mask);
        self.find(a, write);
    }
    /// The same, with the tag that it must have in rax.
    fn find(&mut self, a: Reg, write: bool) {
        const _: () = assert!(size_of::<Entry>() == 32 && offset_of!(Context, entries) == 0);
        let slow = self.aside();
        let index = ((ENTRIES - 1) * size_of::<Entry>()) as i32;
        let shift = PAGE_BITS as i8 - 5;
        let tag = if write {
            offset_of!(Entry, tag_w)
        } else {
            offset_of!(Entry, tag_r)
        } as i32;
        let host = offset_of!(Entry, host) as i32;
        self.host = HostFlags::Nothing;
        dynasm!(self.a
            ; .arch x64
            ; rorx rcx, Rq(a), shift
            ; and ecx, index
            ; cmp rax, [r13 + rcx + tag]
            ; jne =>slow
            ; mov rax, [r13 + rcx + host]
        );
    }
    pub(super) fn load(&mut self, v: &Values, addr: V, size: Size, acc: Acc) -> Reg {
        let a = self.reg(v, addr, RDX);
        self.probe(a, size, acc, false);
        let d = self.regs.take();
        match size {
            Size::B => dynasm!(self.a ; .arch x64 ; movzx Rd(d), BYTE [rax + Rq(a)]),
            Size::H => dynasm!(self.a ; .arch x64 ; movzx Rd(d), WORD [rax + Rq(a)]),
            Size::W => dynasm!(self.a ; .arch x64 ; mov Rd(d), [rax + Rq(a)]),
            Size::X => dynasm!(self.a ; .arch x64 ; mov Rq(d), [rax + Rq(a)]),
        }
        d
    }
    pub(super) fn store(&mut self, v: &Values, addr: V, size: Size, x: V, acc: Acc) {
        let a = self.reg(v, addr, RDX);
        self.probe(a, size, acc, true);
        let x = self.reg(v, x, RCX);
        match size {
            Size::B => dynasm!(self.a ; .arch x64 ; mov [rax + Rq(a)], Rb(x)),
            Size::H => dynasm!(self.a ; .arch x64 ; mov [rax + Rq(a)], Rw(x)),
            Size::W => dynasm!(self.a ; .arch x64 ; mov [rax + Rq(a)], Rd(x)),
            Size::X => dynasm!(self.a ; .arch x64 ; mov [rax + Rq(a)], Rq(x)),
        }
    }
    /// The same of 16 bytes, as `Fast::host_q` of the interpreter: those of elements of at most 8 need be aligned to 8 only, inside a page.
    fn probe_q(&mut self, a: Reg, element: u32, write: bool) {
        let by = if element < 4 { 8 } else { 0 };
        let mask = (PAGE | (15 - by)) as i32;
        dynasm!(self.a ; .arch x64 ; lea rax, [Rq(a) + by as i32] ; and rax, mask);
        self.find(a, write);
    }
    pub(super) fn load_q(&mut self, v: &Values, addr: V, element: u32) -> Reg {
        let a = self.reg(v, addr, RDX);
        self.probe_q(a, element, false);
        let d = self.vectors.take();
        dynasm!(self.a ; .arch x64 ; vmovdqu Rx(d), [rax + Rq(a)]);
        d
    }
    pub(super) fn store_q(&mut self, v: &Values, addr: V, element: u32, x: Q) {
        let a = self.reg(v, addr, RDX);
        self.probe_q(a, element, true);
        let x = self.q(v, x);
        dynasm!(self.a ; .arch x64 ; vmovdqu [rax + Rq(a)], Rx(x));
    }
}
