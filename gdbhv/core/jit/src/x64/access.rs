//! Loads and stores: the TLB is looked at inline, and what it does not have is the interpreter's.

use super::emit::{Emitter, HostFlags, Values, RCX, RDX};
use super::frame::MONITOR;
use super::values::Reg;
use dynasmrt::{dynasm, DynamicLabel, DynasmApi, DynasmLabelApi};
use gdbhv_model::ir::{Q, V};
use gdbhv_model::mem::size::{Acc, Size};
use gdbhv_model::mmu::entry::{Entry, ENTRIES, PAGE, PAGE_BITS, WATCH};
use gdbhv_model::mmu::tlb::Context;
use std::mem::{offset_of, size_of};

/// log2 of the bytes in a line (`Context::watched`).
const LINE_BITS: i8 = 6;

/// An address whose tag is not what it must be.
pub struct Miss {
    miss: DynamicLabel,
    back: DynamicLabel,
    slow: DynamicLabel,
    a: Reg,
    tag: i32,
    both: bool,
}

impl Emitter {
    /// Look an address up in the TLB: rax is what is to be added to it.
    pub(super) fn probe(&mut self, a: Reg, size: Size, acc: Acc, write: bool) {
        let align = size.bytes().max(1 << acc.align);
        let mask = (PAGE | (align - 1)) as i32;
        dynasm!(self.a ; .arch x64 ; mov rax, Rq(a) ; and rax, mask);
        self.find(a, write, false);
    }
    /// The same, with the tag that it must have in rax; `both`: of 16 bytes that may be in two lines.
    pub(super) fn find(&mut self, a: Reg, write: bool, both: bool) {
        const _: () = assert!(size_of::<Entry>() == 32 && offset_of!(Context, entries) == 0);
        let (miss, back) = (self.a.new_dynamic_label(), self.a.new_dynamic_label());
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
            ; jne =>miss
            ; =>back
            ; mov rax, [r13 + rcx + host]
        );
        let slow = self.aside();
        self.misses.push(Miss {
            miss,
            back,
            slow,
            a,
            tag,
            both,
        });
    }
    /// What is behind the block: a page of which lines are watched is as good as any where no watched line is accessed.
    pub(super) fn look_at_lines(&mut self, m: &Miss) {
        let (miss, back, slow, a) = (m.miss, m.back, m.slow, m.a);
        dynasm!(self.a ; .arch x64 ; =>miss);
        if a == RDX {
            dynasm!(self.a ; .arch x64 ; jmp =>slow); // the address of a literal
            return;
        }
        let watched = offset_of!(Context, watched) as i32;
        dynasm!(self.a
            ; .arch x64
            ; xor rax, WATCH as i32
            ; cmp rax, [r13 + rcx + m.tag]
            ; jne =>slow
            ; mov rax, [r13 + watched]
            ; rorx rdx, Rq(a), LINE_BITS
            ; bt rax, rdx
            ; jc =>slow
        );
        if m.both {
            dynasm!(self.a ; .arch x64 ; lea rdx, [Rq(a) + 8] ; shr rdx, LINE_BITS ; bt rax, rdx ; jc =>slow);
        }
        dynasm!(self.a ; .arch x64 ; jmp =>back);
    }
    pub(super) fn load(&mut self, v: &Values, addr: V, size: Size, acc: Acc) -> Reg {
        let a = self.reg(v, addr, RDX);
        self.probe(a, size, acc, false);
        let d = self.regs.take();
        self.read(d, a, size);
        d
    }
    /// Read what was looked up.
    fn read(&mut self, d: Reg, a: Reg, size: Size) {
        match size {
            Size::B => dynasm!(self.a ; .arch x64 ; movzx Rd(d), BYTE [rax + Rq(a)]),
            Size::H => dynasm!(self.a ; .arch x64 ; movzx Rd(d), WORD [rax + Rq(a)]),
            Size::W => dynasm!(self.a ; .arch x64 ; mov Rd(d), [rax + Rq(a)]),
            Size::X => dynasm!(self.a ; .arch x64 ; mov Rq(d), [rax + Rq(a)]),
        }
    }
    pub(super) fn store(&mut self, v: &Values, addr: V, size: Size, x: V, acc: Acc) {
        let a = self.reg(v, addr, RDX);
        self.probe(a, size, acc, true);
        let x = self.reg(v, x, RCX);
        self.write(a, x, size);
    }
    /// Write it.
    fn write(&mut self, a: Reg, x: Reg, size: Size) {
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
        self.find(a, write, by != 0);
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
    pub(super) fn load_exclusive(&mut self, v: &Values, addr: V, size: Size, acc: Acc) -> Reg {
        let a = self.reg(v, addr, RDX);
        self.probe(a, size, acc, false);
        let d = self.regs.take();
        self.read(d, a, size);
        self.mark(a, size, RCX);
        let spins = self.aside();
        dynasm!(self.a
            ; .arch x64
            ; cmp [rbx + MONITOR], rax
            ; je =>spins
            ; mov [rbx + MONITOR], rax
        );
        d
    }
    /// Make rax what the monitor would mark, of an access that was looked up.
    fn mark(&mut self, a: Reg, size: Size, scratch: Reg) {
        let pa = offset_of!(Entry, pa) as i32;
        let log2 = size.bytes().trailing_zeros() as i32;
        dynasm!(self.a
            ; .arch x64
            ; mov rax, [r13 + rcx + pa]
            ; and rax, PAGE as i32
            ; mov Rd(scratch), Rd(a)
            ; and Rd(scratch), !PAGE as i32
            ; or rax, Rq(scratch)
            ; lea rax, [rax * 8 + log2 + 1] // as `Monitor::new`
        );
    }
    pub(super) fn store_exclusive(
        &mut self,
        v: &Values,
        addr: V,
        size: Size,
        x: V,
        acc: Acc,
    ) -> Reg {
        let a = self.reg(v, addr, RDX);
        let host = offset_of!(Entry, host) as i32;
        let d = self.regs.take();
        let (fail, done) = (self.a.new_dynamic_label(), self.a.new_dynamic_label());
        dynasm!(self.a ; .arch x64 ; cmp QWORD [rbx + MONITOR], 0 ; je =>fail);
        self.probe(a, size, acc, true);
        self.mark(a, size, d);
        dynasm!(self.a
            ; .arch x64
            ; mov Rq(d), [rbx + MONITOR]
            ; mov QWORD [rbx + MONITOR], 0
            ; cmp rax, Rq(d)
            ; jne =>fail
            ; mov rax, [r13 + rcx + host]
        );
        let x = self.reg(v, x, RCX);
        self.write(a, x, size);
        dynasm!(self.a ; .arch x64 ; xor Rd(d), Rd(d) ; jmp =>done ; =>fail ; mov Rd(d), 1 ; =>done);
        d
    }
}
