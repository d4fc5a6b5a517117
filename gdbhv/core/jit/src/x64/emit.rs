//! One pass over a block: each instruction's nodes to machine code, in their order.
//!
//! An instruction that cannot be had, or needs more than the TLB, is executed by the interpreter's function for one
//! ([`One`](gdbhv_model::exec::interp::One)): behind the block's code, so that the common case runs straight on. A body changes nothing before
//! it is sure to complete, so that it may begin again there.

use super::access::Miss;
use super::arithmetic::Shift;
use super::flags::Test;
use super::frame::{Asm, Frame, FP_TRAPS, MONITOR};
use super::plan::{Instruction, Plan};
use super::values::{Loc, Reg, Regs, GENERAL, VECTORS};
use dynasmrt::{dynasm, DynamicLabel, DynasmApi, DynasmLabelApi};
use gdbhv_model::cpu::slot;
use gdbhv_model::exec::block::Block;
use gdbhv_model::exec::interp::One;
use gdbhv_model::ir::Node;
use gdbhv_model::isa::ops::{Args, W};

/// The PE's.
pub const PE: Reg = 3;
/// A scratch register.
pub const RAX: Reg = 0;
/// Another.
pub const RCX: Reg = 1;
/// The third.
pub const RDX: Reg = 2;

/// What the host's flags say.
#[derive(Clone, Copy, PartialEq)]
pub enum HostFlags {
    /// Nothing of the guest's.
    Nothing,
    /// NZCV, after an addition.
    Add,
    /// NZCV, with the carry inverted.
    Sub,
    /// N and Z; C and V are clear.
    Logic,
}

/// A jump that leaves the block for another of its page: where its displacement is, and where it goes at first.
pub struct Site {
    /// Offset in the code of the displacement.
    pub at: u32,
    /// Offset of what leaves with the site's number.
    pub stub: u32,
}

/// The code of a block.
pub struct Code {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Jumps to be made direct ones.
    pub sites: Vec<Site>,
}

/// What is behind the block's code: an instruction that the interpreter executes.
pub struct Aside {
    pub(super) label: DynamicLabel,
    pub(super) back: DynamicLabel,
    pub(super) args: *const Args,
    pub(super) one: One,
    /// Copies of guest registers ([`Regs::copies`]): of 64 bits, and of 128.
    pub(super) copies: [[Option<u8>; 16]; 2],
}

/// What is behind the block's code: its first FP instruction is trapped, or gets its MXCSR.
pub struct Float {
    pub(super) begin: DynamicLabel,
    pub(super) traps: DynamicLabel,
    pub(super) back: DynamicLabel,
}

impl Emitter {
    /// For the first block, and all others.
    pub fn new(frame: Frame) -> Emitter {
        Emitter {
            a: Asm::new(0),
            regs: Regs::new(GENERAL),
            vectors: Regs::new(VECTORS),
            host: HostFlags::Nothing,
            frame,
            base: 0,
            len: 0,
            offset: 0,
            fp_checked: false,
            float: None,
            slow: None,
            asides: Vec::new(),
            misses: Vec::new(),
            outside: Vec::new(),
            sites: Vec::new(),
            site: 0,
            at: Vec::new(),
        }
    }
    /// Native code of a block, to lie at `base`; its sites have numbers from `site` on.
    pub fn block(&mut self, block: &Block, plan: &Plan, base: u32, site: u32) -> Code {
        self.regs = Regs::new(GENERAL);
        self.vectors = Regs::new(VECTORS);
        self.host = HostFlags::Nothing;
        self.fp_checked = false;
        (self.base, self.site) = (base, site);
        self.len = block.len() as i32;
        self.offset = (block.pa() & 0xfff) as i64;
        self.a.reserve_ops(block.len() as usize * USUAL_BYTES);
        self.at.clear();
        self.at.resize(plan.nodes().len(), Loc::None);
        let mut v = Values {
            nodes: plan.nodes(),
            last: &plan.last,
            at: std::mem::take(&mut self.at),
            now: 0,
        };
        let too_few = self.begin();
        let mut open = true;
        for (op, i) in block.ops().iter().zip(&plan.instructions) {
            self.instruction(&op.args, i, &mut v);
            open = !(i.pure && i.branch);
        }
        if open {
            self.go(self.len as u64 * 4);
        }
        self.at = v.at;
        self.end(block.pa(), too_few)
    }
}

/// Bytes of native code of an instruction.
const USUAL_BYTES: usize = 128;

/// The state of the pass. It is used again for the next block, so that little is allocated.
pub struct Emitter {
    pub(super) a: Asm,
    /// Those of 64 bits.
    pub(super) regs: Regs,
    /// Those of 128 bits.
    pub(super) vectors: Regs,
    pub(super) host: HostFlags,
    pub(super) frame: Frame,
    /// Offset in the memory for code of its first byte.
    pub(super) base: u32,
    /// Instructions of the block.
    pub(super) len: i32,
    /// Of the block in its page.
    pub(super) offset: i64,
    pub(super) fp_checked: bool,
    pub(super) float: Option<Float>,
    /// Where the instruction begins again, if it needs more than the TLB.
    pub(super) slow: Option<DynamicLabel>,
    pub(super) asides: Vec<Aside>,
    pub(super) misses: Vec<Miss>,
    /// Jumps to the frame: where the displacement is, and the target's offset in the memory for code.
    pub(super) outside: Vec<(usize, u32)>,
    pub(super) sites: Vec<Site>,
    /// Number of the first site.
    pub(super) site: u32,
    /// Of [`Values`], between two blocks.
    at: Vec<Loc>,
}

/// The values of the block's nodes.
pub struct Values<'a> {
    pub(super) nodes: &'a [Node],
    pub(super) last: &'a [u32],
    pub(super) at: Vec<Loc>,
    /// The node that is being emitted.
    pub(super) now: usize,
}

impl Emitter {
    /// Take the block's instructions off those that are left; the label of what is to be done if there are too few.
    fn begin(&mut self) -> DynamicLabel {
        let too_few = self.a.new_dynamic_label();
        let len = self.len;
        dynasm!(self.a ; .arch x64 ; sub r14, len ; jb =>too_few);
        too_few
    }

    fn instruction(&mut self, args: *const Args, i: &Instruction, v: &mut Values) {
        self.slow = None;
        if i.inline {
            if i.fp && !self.fp_checked {
                let traps = self.aside();
                let (begin, back) = (self.a.new_dynamic_label(), self.a.new_dynamic_label());
                dynasm!(self.a ; .arch x64 ; cmp WORD [rbx + FP_TRAPS], 0 ; jne =>begin ; =>back);
                self.host = HostFlags::Nothing;
                self.fp_checked = true;
                self.float = Some(Float { begin, traps, back });
            }
            self.nodes(i, v);
        } else if let Some(what) = i.granted {
            self.granted(what);
        } else {
            let slow = self.aside();
            dynasm!(self.a ; .arch x64 ; jmp =>slow);
            self.regs.drop_copies();
            self.vectors.drop_copies();
        }
        if let Some(label) = self.slow {
            self.host = HostFlags::Nothing;
            let back = self.a.new_dynamic_label();
            dynasm!(self.a ; .arch x64 ; =>back);
            self.asides.push(Aside {
                label,
                back,
                args,
                one: i.one,
                copies: [self.regs.copies(), self.vectors.copies()],
            });
        }
    }

    /// Where the instruction begins again.
    pub(super) fn aside(&mut self) -> DynamicLabel {
        *self.slow.get_or_insert_with(|| self.a.new_dynamic_label())
    }

    fn nodes(&mut self, i: &Instruction, v: &mut Values) {
        for n in i.nodes.clone() {
            v.now = n;
            v.at[n] = self.node(v, v.nodes[n], i.flags_needed);
            for k in i.nodes.start..=n {
                if v.last[k] as usize == n {
                    match v.at[k] {
                        Loc::Reg(h) => self.regs.unpin(h),
                        Loc::Vec(h) => self.vectors.unpin(h),
                        _ => continue,
                    }
                    v.at[k] = Loc::None;
                }
            }
        }
    }

    fn node(&mut self, v: &mut Values, node: Node, flags: bool) -> Loc {
        match node {
            Node::X(slot::ZR) => return Loc::Const(0),
            Node::X(r) => return Loc::Reg(self.guest(r)),
            Node::SetX(slot::SINK, _) => {}
            Node::SetX(r, x) => self.set_guest(v, r, x),
            Node::Imm(c) => return Loc::Const(c),
            Node::Pc(disp) => return Loc::Pc(disp),
            Node::Add(w, x, y) => return Loc::Reg(self.add(v, w, x, y)),
            Node::Sub(w, x, y) => return Loc::Reg(self.sub(v, w, x, y)),
            Node::Mul(w, x, y) => return Loc::Reg(self.mul(v, w, x, y)),
            Node::Umulh(x, y) => return Loc::Reg(self.mulh(v, x, y, false)),
            Node::Smulh(x, y) => return Loc::Reg(self.mulh(v, x, y, true)),
            Node::Udiv(w, x, y) => return Loc::Reg(self.udiv(v, w, x, y)),
            Node::Sdiv(w, x, y) => return Loc::Reg(self.sdiv(v, w, x, y)),
            Node::And(x, y) => return Loc::Reg(self.logic(v, 4, x, y)),
            Node::Or(x, y) => return Loc::Reg(self.logic(v, 1, x, y)),
            Node::Xor(x, y) => return Loc::Reg(self.logic(v, 6, x, y)),
            Node::Not(w, x) => {
                let d = self.copy_of(v, x);
                match w {
                    W::W => dynasm!(self.a ; .arch x64 ; not Rd(d)),
                    W::X => dynasm!(self.a ; .arch x64 ; not Rq(d)),
                }
                return Loc::Reg(d);
            }
            Node::Shl(w, x, by) => return Loc::Reg(self.shift(v, Shift::Left, w, x, by)),
            Node::Shr(w, x, by) => return Loc::Reg(self.shift(v, Shift::Right, w, x, by)),
            Node::Sar(w, x, by) => return Loc::Reg(self.shift(v, Shift::Arithmetic, w, x, by)),
            Node::Ror(w, x, by) => return Loc::Reg(self.ror(v, w, x, by)),
            Node::Zext(x, n) => return Loc::Reg(self.zext(v, x, n)),
            Node::Sext(w, x, n) => return Loc::Reg(self.sext(v, w, x, n)),
            Node::Clz(w, x) => {
                let x = self.reg(v, x, RAX);
                let d = self.regs.take();
                match w {
                    W::W => dynasm!(self.a ; .arch x64 ; lzcnt Rd(d), Rd(x)),
                    W::X => dynasm!(self.a ; .arch x64 ; lzcnt Rq(d), Rq(x)),
                }
                self.host = HostFlags::Nothing;
                return Loc::Reg(d);
            }
            Node::Cls(w, x) => return Loc::Reg(self.cls(v, w, x)),
            Node::Rbit(w, x) => return Loc::Reg(self.rbit(v, w, x)),
            Node::Crc32(acc, x, bits, c) => return Loc::Reg(self.crc32(v, acc, x, bits, c)),
            Node::Rev(w, x, bytes) => return Loc::Reg(self.rev(v, w, x, bytes)),
            Node::Adds(w, x, y) => return self.adds(v, w, x, y, flags),
            Node::Subs(w, x, y) => return self.subs(v, w, x, y, flags),
            Node::Adc(w, x, y) => return Loc::Reg(self.adc(v, w, x, y)),
            Node::Adcs(w, x, y) => {
                let d = self.adc(v, w, x, y);
                self.host = HostFlags::Add;
                self.keep_flags(flags);
                return Loc::Reg(d);
            }
            Node::SetNz(w, x) => {
                let x = self.reg(v, x, RAX);
                match w {
                    W::W => dynasm!(self.a ; .arch x64 ; test Rd(x), Rd(x)),
                    W::X => dynasm!(self.a ; .arch x64 ; test Rq(x), Rq(x)),
                }
                self.host = HostFlags::Logic;
                self.keep_flags(flags);
            }
            Node::Ccmp(w, c, x, y, sub, nzcv) => self.ccmp(v, w, c, (x, y), sub, nzcv),
            Node::Cond(_)
            | Node::CIs(..)
            | Node::IsZero(..)
            | Node::BitClear(..)
            | Node::Compare(..) => {} // worked out where they are used
            Node::Select(c, x, y) => return Loc::Reg(self.select(v, c, x, y)),
            Node::CheckSp(r) => {
                if r == slot::SP {
                    let slow = self.aside();
                    let base = slot::SP as i32 * 8;
                    dynasm!(self.a ; .arch x64 ; test BYTE [rbx + base], 15 ; jnz =>slow);
                    self.host = HostFlags::Nothing;
                }
            }
            Node::Q(r) => return Loc::Vec(self.guest_q(r)),
            Node::SetQ(r, x) => self.set_guest_q(v, r, x),
            Node::Wide(x) => return Loc::Vec(self.wide(v, x)),
            Node::Lane(size, x, k) => return Loc::Reg(self.lane(v, size, x, k)),
            Node::WithLane(size, x, k, y) => return Loc::Vec(self.with_lane(v, size, x, k, y)),
            Node::Splat(size, x) => return Loc::Vec(self.splat(v, size, x)),
            Node::Lanes(op, size, x, y) => return Loc::Vec(self.lanes(v, op, size, x, y)),
            Node::LanesShift(op, size, x, by) => {
                return Loc::Vec(self.lanes_shift(v, op, size, x, by))
            }
            Node::Permute(op, size, x, y) => return Loc::Vec(self.permute(v, op, size, x, y)),
            Node::Ext(x, y, by) => return Loc::Vec(self.ext(v, x, y, by)),
            Node::First(size, x) => return Loc::Vec(self.first(v, size, x)),
            Node::SelectQ(c, x, y) => return Loc::Vec(self.select_q(v, c, x, y)),
            Node::Fp(op, s, x, y) => return Loc::Vec(self.fp(v, op, s, x, y)),
            Node::FpFused(s, a, n, m) => return Loc::Vec(self.fp_fused(v, s, a, n, m)),
            Node::FpSqrt(s, x) => return Loc::Vec(self.fp_sqrt(v, s, x)),
            Node::FpCompare(f, x, y, signal) => self.fp_compare(v, f, (x, y), signal, flags),
            Node::FpConvert(from, to, x) => return Loc::Vec(self.fp_convert(v, from, to, x)),
            Node::FpFromInt(f, w, signed, x) => {
                return Loc::Vec(self.fp_from_int(v, f, w, signed, x))
            }
            Node::FpToInt(f, w, signed, x) => return Loc::Reg(self.fp_to_int(v, f, w, signed, x)),
            Node::LoadQ(addr, element) => return Loc::Vec(self.load_q(v, addr, element)),
            Node::StoreQ(addr, element, x) => self.store_q(v, addr, element, x),
            Node::Load(addr, size, acc) => return Loc::Reg(self.load(v, addr, size, acc)),
            Node::Store(addr, size, x, acc) => self.store(v, addr, size, x, acc),
            Node::LoadExclusive(addr, size, acc) => {
                return Loc::Reg(self.load_exclusive(v, addr, size, acc))
            }
            Node::StoreExclusive(addr, size, x, acc) => {
                return Loc::Reg(self.store_exclusive(v, addr, size, x, acc))
            }
            Node::ClearExclusive() => {
                dynasm!(self.a ; .arch x64 ; mov QWORD [rbx + MONITOR], 0)
            }
            Node::Jump(to) => self.jump(v, to),
            Node::JumpIf(c, taken, next) => match self.test(v, c) {
                Test::Always(true) => self.go(taken),
                Test::Always(false) => self.go(next),
                Test::Host(cc) => {
                    let there = self.a.new_dynamic_label();
                    self.jcc(cc, there);
                    self.go(next);
                    dynasm!(self.a ; .arch x64 ; =>there);
                    self.go(taken);
                }
            },
            _ => unreachable!("{} is not inline", node.name()),
        }
        Loc::None
    }
}
