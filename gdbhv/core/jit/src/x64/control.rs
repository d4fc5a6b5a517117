//! Where a block goes, and what is behind its code.

use super::emit::{Code, Emitter, Float, Site, Values, RAX};
use super::frame::{FP_TRAPS, V};
use super::values::{Loc, Reg};
use dynasmrt::{dynasm, DynamicLabel, DynasmApi, DynasmLabelApi};
use gdbhv_model::exec::block::Block;
use gdbhv_model::exec::jumps::{Jump, JUMPS};
use gdbhv_model::exec::native::LINK;
use gdbhv_model::ir;
use gdbhv_model::mmu::entry::PAGE_BITS;
use gdbhv_model::mmu::tlb::Context;
use std::mem::{offset_of, size_of};

impl Emitter {
    pub(super) fn jump(&mut self, v: &Values, to: ir::V) {
        match v.at[to.0 as usize] {
            Loc::Pc(disp) => self.go(disp),
            _ => {
                let to = self.reg(v, to, RAX);
                dynasm!(self.a ; .arch x64 ; mov r15, Rq(to));
                self.dispatch();
            }
        }
    }
    /// Go on so many bytes from the start of the block.
    pub(super) fn go(&mut self, disp: u64) {
        let disp = disp as i64;
        let near = i32::try_from(disp).expect("branches reach 128 MiB");
        if disp != 0 {
            dynasm!(self.a ; .arch x64 ; add r15, near);
        }
        if !(0..1 << PAGE_BITS).contains(&(self.offset + disp)) {
            self.dispatch();
            return;
        }
        self.a.push(0xe9);
        let at = self.a.offset().0 as u32;
        self.a.push_i32(0);
        let stub = self.a.offset().0 as u32;
        let number = self.site + self.sites.len() as u32;
        self.sites.push(Site { at, stub });
        let left_with = (number << 2 | LINK as u32) as i32;
        dynasm!(self.a ; .arch x64 ; mov eax, left_with);
        self.leave(self.frame.settle);
    }
    /// Go on at r15, by the jump cache.
    pub(super) fn dispatch(&mut self) {
        const _: () = assert!(size_of::<Jump>() == 24);
        let mask = JUMPS as i32 - 1;
        let uid = offset_of!(Context, uid) as i32;
        let (pc_at, uid_at, block_at) = (
            offset_of!(Jump, pc) as i32,
            offset_of!(Jump, uid) as i32,
            offset_of!(Jump, block) as i32,
        );
        let native = offset_of!(Block, tier) as i32;
        let miss = self.a.new_dynamic_label();
        dynasm!(self.a
            ; .arch x64
            ; mov rax, r15
            ; shr rax, 2
            ; and eax, mask
            ; lea rax, [rax + rax * 2]
            ; mov rcx, [rsp]
            ; lea rcx, [rcx + rax * 8]
            ; cmp r15, [rcx + pc_at]
            ; jne =>miss
            ; mov rdx, [r13 + uid]
            ; cmp rdx, [rcx + uid_at]
            ; jne =>miss
            ; mov rdx, [rcx + block_at]
            ; mov rdx, [rdx + native]
            ; test rdx, rdx
            ; jz =>miss
            ; jmp rdx
            ; =>miss
        );
        self.leave(self.frame.dispatch);
    }
    /// `jmp` to a piece of the frame.
    pub(super) fn leave(&mut self, to: u32) {
        self.a.push(0xe9);
        self.outside.push((self.a.offset().0, to));
        self.a.push_i32(0);
    }

    /// What is behind the block.
    pub(super) fn end(&mut self, pa: u64, too_few: DynamicLabel) -> Code {
        let len = self.len;
        dynasm!(self.a ; .arch x64 ; =>too_few ; add r14, len);
        self.leave(self.frame.dispatch);
        if let Some(Float { begin, traps, back }) = self.float.take() {
            dynasm!(self.a ; .arch x64 ; =>begin ; cmp BYTE [rbx + FP_TRAPS], 0 ; jne =>traps);
            self.a.push(0xe8); // call
            self.outside.push((self.a.offset().0, self.frame.float));
            self.a.push_i32(0);
            dynasm!(self.a ; .arch x64 ; jmp =>back);
        }
        let mut misses = std::mem::take(&mut self.misses);
        for miss in misses.drain(..) {
            self.look_at_lines(&miss);
        }
        self.misses = misses;
        let call = self.a.new_dynamic_label();
        let mut asides = std::mem::take(&mut self.asides);
        if !asides.is_empty() {
            dynasm!(self.a ; .arch x64 ; =>call ; mov rax, QWORD pa as i64 ; mov r8d, len);
            self.leave(self.frame.call);
        }
        for aside in asides.drain(..) {
            let (label, back) = (aside.label, aside.back);
            dynasm!(self.a
                ; .arch x64
                ; =>label
                ; mov rdx, QWORD aside.args as i64
                ; mov rcx, QWORD aside.one as *const () as i64
                ; call =>call
            );
            let [general, vectors] = aside.copies;
            for (h, r) in held(&general) {
                let at = r as i32 * 8;
                dynasm!(self.a ; .arch x64 ; mov Rq(h), [rbx + at]);
            }
            for (h, r) in held(&vectors) {
                let at = V + r as i32 * 16;
                dynasm!(self.a ; .arch x64 ; vmovdqu Rx(h), [rbx + at]);
            }
            dynasm!(self.a ; .arch x64 ; jmp =>back);
        }
        self.asides = asides;
        let mut bytes = self.a.take().expect("all labels are there");
        for (at, to) in self.outside.drain(..) {
            let rel = to.wrapping_sub(self.base + at as u32 + 4);
            bytes[at..at + 4].copy_from_slice(&rel.to_le_bytes());
        }
        Code {
            bytes,
            sites: std::mem::take(&mut self.sites),
        }
    }
}

/// The host registers that are copies, and of which guest register.
fn held(copies: &[Option<u8>; 16]) -> impl Iterator<Item = (Reg, u8)> + '_ {
    let all = copies.iter().zip(0..);
    all.filter_map(|(r, h)| r.map(|r| (h, r)))
}
