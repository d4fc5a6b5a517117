//! One pass over a block: each instruction's nodes to machine code, in their order.
//!
//! An instruction that cannot be had, or needs more than the TLB, is executed by the interpreter's function for one
//! ([`One`](gdbhv_model::exec::interp::One)): behind the block's code, so that the common case runs straight on. A body changes nothing before
//! it is sure to complete, so that it may begin again there.

use super::frame::{Asm, Frame, BLOCK_PA, FLAGS, FP_TRAPS, NOW, PC, UNTIL};
use super::values::{last_uses, most_alive, Loc, Reg, Regs, MOST_ALIVE};
use dynasmrt::{dynasm, DynamicLabel, DynasmApi, DynasmLabelApi};
use gdbhv_model::cpu::slot;
use gdbhv_model::exec::block::Block;
use gdbhv_model::exec::interp::{entry, One};
use gdbhv_model::exec::jumps::{Jump, JUMPS};
use gdbhv_model::exec::native::{EARLY, LINK, PANIC, TRAP};
use gdbhv_model::feature::Features;
use gdbhv_model::ir::{decode, How, Node, Recorder, C, V};
use gdbhv_model::isa::ops::{Args, Cmp, W};
use gdbhv_model::isa::{decode as table, pattern};
use gdbhv_model::mem::size::{Acc, Size};
use gdbhv_model::mmu::entry::{Entry, ENTRIES, PAGE, PAGE_BITS};
use gdbhv_model::mmu::tlb::Context;
use gdbhv_model::pe::Pe;
use gdbhv_model::raise::{Flow, Trap};
use gdbhv_model::shared::Shared;
use std::any::Any;
use std::cell::Cell;
use std::mem::{offset_of, size_of};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

const PE: Reg = 3;
const RAX: Reg = 0;
const RCX: Reg = 1;
const RDX: Reg = 2;

/// Condition codes of the host, as `jcc` numbers them; bit 0 inverts.
mod cc {
    pub const O: u8 = 0;
    pub const B: u8 = 2;
    pub const E: u8 = 4;
    pub const A: u8 = 7;
    pub const S: u8 = 8;
    pub const L: u8 = 12;
    pub const G: u8 = 15;
}

/// What the host's flags say.
#[derive(Clone, Copy, PartialEq)]
enum HostFlags {
    Nothing,
    /// NZCV, after an addition.
    Add,
    /// NZCV, with the carry inverted.
    Sub,
    /// N and Z; C and V are clear.
    Logic,
}

/// A condition, once it is worked out.
enum Test {
    /// It is known.
    Always(bool),
    /// The host's flags say it.
    Host(u8),
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
struct Aside {
    label: DynamicLabel,
    back: DynamicLabel,
    args: *const Args,
    one: One,
    copies: Vec<(u8, Reg)>,
}

/// An instruction of the block.
struct Instruction {
    one: One,
    pure: bool,
    branch: bool,
    fp: bool,
    nodes: Vec<Node>,
    /// By its nodes, and not by a call.
    inline: bool,
    /// The flags that it leaves may be looked at.
    flags_needed: bool,
}

/// Execute one instruction as the interpreter does. 0, or how the block is left.
#[allow(improper_ctypes_definitions)] // native code hands the function on as it got it
extern "C" fn execute_one(cpu: &mut Pe, sh: &mut Shared, args: &Args, one: One) -> u64 {
    match catch_unwind(AssertUnwindSafe(|| one(cpu, args, sh))) {
        Ok(Ok(Flow::Next)) if !sh.leave => 0,
        Ok(Ok(Flow::Next | Flow::Sync)) => {
            cpu.off = args.off;
            cpu.pc = cpu.pc.wrapping_add((args.off as u64 + 1) * 4);
            EARLY
        }
        Ok(Ok(Flow::Jump)) => EARLY,
        Ok(Err(Trap)) => TRAP,
        Err(panic) => {
            PANICKED.set(Some(panic));
            PANIC
        }
    }
}

thread_local! {
    /// The panic of [`execute_one`] that is on its way.
    static PANICKED: Cell<Option<Box<dyn Any + Send>>> = const { Cell::new(None) };
}

/// Go on with it.
pub fn go_on_panicking() -> ! {
    resume_unwind(PANICKED.take().expect("an instruction panicked"))
}

/// Native code of a block, to lie at `base`; its sites have numbers from `site` on. None: it is left to the interpreter.
pub fn block(
    block: &Block,
    words: &[u32],
    features: Features,
    frame: &Frame,
    base: u32,
    site: u32,
) -> Option<Code> {
    let mut all = instructions(words, features)?;
    flags_needed(&mut all);
    let mut e = Emitter {
        a: Asm::new(0),
        regs: Regs::new(),
        host: HostFlags::Nothing,
        frame: *frame,
        base,
        len: words.len() as i32,
        offset: (block.pa() & 0xfff) as i64,
        fp_checked: false,
        slow: None,
        asides: Vec::new(),
        outside: Vec::new(),
        sites: Vec::new(),
        site,
    };
    let too_few = e.begin();
    let mut open = true;
    for (op, i) in block.ops().iter().zip(&all) {
        e.instruction(&op.args, i);
        open = !(i.pure && i.branch);
    }
    if open {
        e.go(e.len as u64 * 4);
    }
    Some(e.end(block.pa(), too_few))
}

fn instructions(words: &[u32], features: Features) -> Option<Vec<Instruction>> {
    let one = |(off, &word): (usize, &u32)| {
        let Some((n, row)) = table::numbered(word, features) else {
            return Some(undefined());
        };
        let Some(i) = decode(word, off as u16, features) else {
            return Some(undefined());
        };
        let one = entry(n, pattern::extract(word, row.spec)).one;
        Some(match i.how {
            How::Pure(p) => {
                let mut r = Recorder::default();
                (p.record)(&mut r, &i.args);
                let inline = inline(&r.nodes);
                if p.branch && !inline {
                    return None;
                }
                Instruction {
                    one,
                    pure: true,
                    branch: p.branch,
                    fp: p.fp,
                    nodes: r.nodes,
                    inline,
                    flags_needed: true,
                }
            }
            How::Helper { .. } | How::Undefined => Instruction { one, ..undefined() },
        })
    };
    words.iter().enumerate().map(one).collect()
}

/// A word without a row.
fn undefined() -> Instruction {
    Instruction {
        one: gdbhv_model::exec::interp::undefined_one,
        pure: false,
        branch: false,
        fp: false,
        nodes: Vec::new(),
        inline: false,
        flags_needed: true,
    }
}

/// Whether there is code for all of the nodes, and registers for their values.
fn inline(nodes: &[Node]) -> bool {
    let variable = |v: V| !matches!(nodes[v.0 as usize], Node::Imm(_));
    let known = |n: &Node| match *n {
        Node::X(_)
        | Node::SetX(..)
        | Node::Imm(_)
        | Node::Pc(_)
        | Node::Add(..)
        | Node::Sub(..)
        | Node::Mul(..)
        | Node::Umulh(..)
        | Node::Smulh(..)
        | Node::Udiv(..)
        | Node::Sdiv(..)
        | Node::And(..)
        | Node::Or(..)
        | Node::Xor(..)
        | Node::Not(..)
        | Node::Shl(..)
        | Node::Shr(..)
        | Node::Sar(..)
        | Node::Zext(..)
        | Node::Sext(..)
        | Node::Clz(..)
        | Node::Adds(..)
        | Node::Subs(..)
        | Node::Adc(..)
        | Node::Adcs(..)
        | Node::SetNz(..)
        | Node::Ccmp(..)
        | Node::Cond(_)
        | Node::CIs(..)
        | Node::IsZero(..)
        | Node::BitClear(..)
        | Node::Select(..)
        | Node::CheckSp(_)
        | Node::Jump(_)
        | Node::JumpIf(..) => true,
        Node::Ror(_, _, by) => !variable(by),
        Node::Rev(_, _, bytes) => bytes != 2,
        Node::Load(_, _, acc) | Node::Store(_, _, _, acc) => !acc.unpriv,
        Node::Compare(..) => true,
        _ => false,
    };
    nodes.iter().all(known) && most_alive(nodes, &last_uses(nodes)) <= MOST_ALIVE
}

/// Which instructions must leave their flags: those before another one sets them, unless something may look in between.
fn flags_needed(all: &mut [Instruction]) {
    let mut needed = true;
    for i in all.iter_mut().rev() {
        i.flags_needed = needed;
        let writes = i.nodes.iter().any(|n| {
            matches!(
                n,
                Node::Adds(..) | Node::Subs(..) | Node::Adcs(..) | Node::SetNz(..) | Node::Ccmp(..)
            )
        });
        let reads = i.nodes.iter().any(|n| {
            matches!(
                n,
                Node::Adc(..) | Node::Adcs(..) | Node::Cond(_) | Node::Nzcv()
            )
        });
        let looks = !i.inline || i.fp || reads || i.nodes.iter().any(Node::faults);
        needed = looks || needed && !writes;
    }
}

struct Emitter {
    a: Asm,
    regs: Regs,
    host: HostFlags,
    frame: Frame,
    /// Offset in the memory for code of its first byte.
    base: u32,
    /// Instructions of the block.
    len: i32,
    /// Of the block in its page.
    offset: i64,
    fp_checked: bool,
    /// Where the instruction begins again, if it needs more than the TLB.
    slow: Option<DynamicLabel>,
    asides: Vec<Aside>,
    /// Jumps to the frame: where the displacement is, and the target's offset in the memory for code.
    outside: Vec<(usize, u32)>,
    sites: Vec<Site>,
    /// Number of the first site.
    site: u32,
}

/// The values of one instruction.
struct Values<'a> {
    nodes: &'a [Node],
    last: Vec<usize>,
    at: Vec<Loc>,
    /// The node that is being emitted.
    now: usize,
}

impl Emitter {
    /// Take the block's instructions off those that are left; the label of what is to be done if there are too few.
    fn begin(&mut self) -> DynamicLabel {
        let too_few = self.a.new_dynamic_label();
        let len = self.len;
        dynasm!(self.a ; .arch x64 ; sub r14, len ; jb =>too_few);
        too_few
    }

    fn instruction(&mut self, args: *const Args, i: &Instruction) {
        let back = self.a.new_dynamic_label();
        self.slow = None;
        if i.inline {
            if i.fp && !self.fp_checked {
                let slow = self.aside();
                dynasm!(self.a ; .arch x64 ; cmp BYTE [rbx + FP_TRAPS], 0 ; jne =>slow);
                self.host = HostFlags::Nothing;
                self.fp_checked = true;
            }
            self.nodes(i);
        } else {
            let slow = self.aside();
            dynasm!(self.a ; .arch x64 ; jmp =>slow);
            self.regs.drop_copies();
        }
        if let Some(label) = self.slow {
            self.host = HostFlags::Nothing;
            dynasm!(self.a ; .arch x64 ; =>back);
            self.asides.push(Aside {
                label,
                back,
                args,
                one: i.one,
                copies: self.regs.copies(),
            });
        }
    }

    /// Where the instruction begins again.
    fn aside(&mut self) -> DynamicLabel {
        *self.slow.get_or_insert_with(|| self.a.new_dynamic_label())
    }

    fn nodes(&mut self, i: &Instruction) {
        let mut v = Values {
            nodes: &i.nodes,
            last: last_uses(&i.nodes),
            at: vec![Loc::None; i.nodes.len()],
            now: 0,
        };
        for n in 0..i.nodes.len() {
            v.now = n;
            let made = self.node(&mut v, i.nodes[n], i.flags_needed);
            v.at[n] = made;
            for k in 0..=n {
                if v.last[k] == n {
                    if let Loc::Reg(h) = v.at[k] {
                        self.regs.unpin(h);
                        v.at[k] = Loc::None;
                    }
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
            Node::Load(addr, size, acc) => return Loc::Reg(self.load(v, addr, size, acc)),
            Node::Store(addr, size, x, acc) => self.store(v, addr, size, x, acc),
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

    // ------------------------------------------------------------------------------------------- registers

    /// A guest register's value, pinned.
    fn guest(&mut self, r: u8) -> Reg {
        if let Some(h) = self.regs.copy(r) {
            self.regs.pin(h);
            return h;
        }
        let h = self.regs.take();
        let at = r as i32 * 8;
        dynasm!(self.a ; .arch x64 ; mov Rq(h), [rbx + at]);
        self.regs.set_copy(r, h);
        h
    }
    fn set_guest(&mut self, v: &Values, r: u8, x: V) {
        let at = r as i32 * 8;
        match v.at[x.0 as usize] {
            Loc::Const(c) if i32::try_from(c as i64).is_ok() => {
                dynasm!(self.a ; .arch x64 ; mov QWORD [rbx + at], c as i32);
                self.regs.forget(r);
            }
            Loc::Reg(h) => {
                dynasm!(self.a ; .arch x64 ; mov [rbx + at], Rq(h));
                self.regs.set_copy(r, h);
            }
            _ => {
                let h = self.reg(v, x, RAX);
                dynasm!(self.a ; .arch x64 ; mov [rbx + at], Rq(h));
                self.regs.forget(r);
            }
        }
    }
    /// A register that holds a value: its own, or `scratch`. Keeps the host's flags.
    fn reg(&mut self, v: &Values, x: V, scratch: Reg) -> Reg {
        match v.at[x.0 as usize] {
            Loc::Reg(h) => return h,
            Loc::Const(c) => self.load_constant(scratch, c),
            Loc::Pc(disp) => self.load_pc(scratch, disp),
            Loc::None => unreachable!("a value is used after its last use"),
        }
        scratch
    }
    fn load_constant(&mut self, d: Reg, c: u64) {
        if let Ok(c) = u32::try_from(c) {
            dynasm!(self.a ; .arch x64 ; mov Rd(d), c as i32);
        } else if let Ok(c) = i32::try_from(c as i64) {
            dynasm!(self.a ; .arch x64 ; mov Rq(d), c);
        } else {
            dynasm!(self.a ; .arch x64 ; mov Rq(d), QWORD c as i64);
        }
    }
    fn load_pc(&mut self, d: Reg, disp: u64) {
        if let Ok(disp) = i32::try_from(disp as i64) {
            dynasm!(self.a ; .arch x64 ; lea Rq(d), [r15 + disp]);
        } else {
            self.load_constant(d, disp);
            dynasm!(self.a ; .arch x64 ; lea Rq(d), [Rq(d) + r15]);
        }
    }
    /// A value in a register of its own that may be changed.
    fn copy_of(&mut self, v: &Values, x: V) -> Reg {
        if let Loc::Reg(h) = v.at[x.0 as usize] {
            if v.last[x.0 as usize] == v.now && self.regs.alone(h) {
                self.regs.pin(h); // the result's; x's own is taken away behind this node
                return h;
            }
            let d = self.regs.take();
            dynasm!(self.a ; .arch x64 ; mov Rq(d), Rq(h));
            return d;
        }
        let d = self.regs.take();
        self.reg(v, x, d);
        d
    }
    /// A value as a sign-extended immediate of 32 bits.
    fn immediate(v: &Values, w: W, x: V) -> Option<i32> {
        match (v.at[x.0 as usize], w) {
            (Loc::Const(c), W::X) => i32::try_from(c as i64).ok(),
            (Loc::Const(c), W::W) => Some(c as i32),
            _ => None,
        }
    }

    // ------------------------------------------------------------------------------------------- arithmetic

    fn add(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
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
    fn sub(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
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
    fn logic(&mut self, v: &Values, op: u8, x: V, y: V) -> Reg {
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
    fn mul(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
        let y = self.reg(v, y, RCX);
        let d = self.copy_of(v, x);
        self.host = HostFlags::Nothing;
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; imul Rd(d), Rd(y)),
            W::X => dynasm!(self.a ; .arch x64 ; imul Rq(d), Rq(y)),
        }
        d
    }
    fn mulh(&mut self, v: &Values, x: V, y: V, signed: bool) -> Reg {
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
    fn divide(&mut self, v: &Values, x: V, y: V) {
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
    fn udiv(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
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
    fn sdiv(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
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
    fn shift(&mut self, v: &Values, how: Shift, w: W, x: V, by: V) -> Reg {
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
    fn ror(&mut self, v: &Values, w: W, x: V, by: V) -> Reg {
        let Loc::Const(by) = v.at[by.0 as usize] else {
            unreachable!("`inline` has refused it")
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
    fn zext(&mut self, v: &Values, x: V, n: u32) -> Reg {
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
    fn sext(&mut self, v: &Values, w: W, x: V, n: u32) -> Reg {
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
    fn rev(&mut self, v: &Values, w: W, x: V, bytes: u32) -> Reg {
        let d = self.copy_of(v, x);
        self.host = HostFlags::Nothing;
        match (w, bytes) {
            (W::W, _) => dynasm!(self.a ; .arch x64 ; bswap Rd(d)),
            (W::X, 4) => dynasm!(self.a ; .arch x64 ; bswap Rq(d) ; rol Rq(d), 32),
            (W::X, _) => dynasm!(self.a ; .arch x64 ; bswap Rq(d)),
        }
        d
    }

    // ------------------------------------------------------------------------------------------- flags

    fn adds(&mut self, v: &Values, w: W, x: V, y: V, flags: bool) -> Loc {
        let y = self.reg(v, y, RCX);
        let d = self.copy_of(v, x);
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; add Rd(d), Rd(y)),
            W::X => dynasm!(self.a ; .arch x64 ; add Rq(d), Rq(y)),
        }
        self.host = HostFlags::Add;
        self.keep_flags(flags);
        Loc::Reg(d)
    }
    fn subs(&mut self, v: &Values, w: W, x: V, y: V, flags: bool) -> Loc {
        let made = if v.last[v.now] == v.now {
            self.compare(v, w, x, y);
            Loc::None
        } else {
            let y = self.reg(v, y, RCX);
            let d = self.copy_of(v, x);
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; sub Rd(d), Rd(y)),
                W::X => dynasm!(self.a ; .arch x64 ; sub Rq(d), Rq(y)),
            }
            Loc::Reg(d)
        };
        self.host = HostFlags::Sub;
        self.keep_flags(flags);
        made
    }
    /// `cmp`.
    fn compare(&mut self, v: &Values, w: W, x: V, y: V) {
        let x = self.reg(v, x, RAX);
        if let Some(c) = Self::immediate(v, w, y) {
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; cmp Rd(x), c),
                W::X => dynasm!(self.a ; .arch x64 ; cmp Rq(x), c),
            }
            return;
        }
        let y = self.reg(v, y, RCX);
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; cmp Rd(x), Rd(y)),
            W::X => dynasm!(self.a ; .arch x64 ; cmp Rq(x), Rq(y)),
        }
    }
    fn adc(&mut self, v: &Values, w: W, x: V, y: V) -> Reg {
        let y = self.reg(v, y, RCX);
        let d = self.copy_of(v, x);
        self.host = HostFlags::Nothing;
        let carry = FLAGS + 2;
        dynasm!(self.a ; .arch x64 ; movzx eax, BYTE [rbx + carry] ; add al, -1); // CF = C
        match w {
            W::W => dynasm!(self.a ; .arch x64 ; adc Rd(d), Rd(y)),
            W::X => dynasm!(self.a ; .arch x64 ; adc Rq(d), Rq(y)),
        }
        d
    }
    /// Write NZCV from the host's flags.
    fn keep_flags(&mut self, needed: bool) {
        if !needed {
            return;
        }
        self.setcc(cc::S, FLAGS);
        self.setcc(cc::E, FLAGS + 1);
        match self.host {
            HostFlags::Logic => {
                let at = FLAGS + 2;
                dynasm!(self.a ; .arch x64 ; mov WORD [rbx + at], 0);
                return;
            }
            HostFlags::Sub => self.setcc(cc::B ^ 1, FLAGS + 2),
            _ => self.setcc(cc::B, FLAGS + 2),
        }
        self.setcc(cc::O, FLAGS + 3);
    }
    /// `setcc [rbx + at]`.
    fn setcc(&mut self, cc: u8, at: i32) {
        for b in [0x0f, 0x90 + cc, 0x80 | PE] {
            self.a.push(b);
        }
        self.a.push_i32(at);
    }
    fn ccmp(&mut self, v: &Values, w: W, c: C, (x, y): (V, V), sub: bool, nzcv: u32) {
        let nzcv = nzcv as i32;
        let bytes = nzcv >> 3 & 1 | (nzcv >> 2 & 1) << 8 | (nzcv >> 1 & 1) << 16 | (nzcv & 1) << 24;
        let (constant, done) = (self.a.new_dynamic_label(), self.a.new_dynamic_label());
        match self.test(v, c) {
            Test::Always(true) => {}
            Test::Always(false) => dynasm!(self.a ; .arch x64 ; jmp =>constant),
            Test::Host(cc) => self.jcc(cc ^ 1, constant),
        }
        if sub {
            self.compare(v, w, x, y);
            self.host = HostFlags::Sub;
        } else {
            let y = self.reg(v, y, RCX);
            let x = self.reg(v, x, RAX);
            if x != RAX {
                dynasm!(self.a ; .arch x64 ; mov rax, Rq(x));
            }
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; add eax, Rd(y)),
                W::X => dynasm!(self.a ; .arch x64 ; add rax, Rq(y)),
            }
            self.host = HostFlags::Add;
        }
        self.keep_flags(true);
        self.host = HostFlags::Nothing;
        dynasm!(self.a
            ; .arch x64 ; jmp =>done ; =>constant ; mov DWORD [rbx + FLAGS], bytes ; =>done);
    }
    fn select(&mut self, v: &Values, c: C, x: V, y: V) -> Reg {
        match self.test(v, c) {
            Test::Always(true) => self.copy_of(v, x),
            Test::Always(false) => self.copy_of(v, y),
            Test::Host(cc) => {
                let x = self.reg(v, x, RCX);
                let d = self.copy_of(v, y);
                // cmovcc d, x
                let rex = 0x48 | (d >> 3) << 2 | x >> 3;
                for b in [rex, 0x0f, 0x40 + cc, 0xc0 | (d & 7) << 3 | x & 7] {
                    self.a.push(b);
                }
                d
            }
        }
    }

    /// Work a condition out.
    fn test(&mut self, v: &Values, c: C) -> Test {
        match v.nodes[c.0 as usize] {
            Node::Cond(cond) => self.holds(cond),
            Node::CIs(c, want) => match self.test(v, c) {
                Test::Always(b) => Test::Always(b == want),
                Test::Host(cc) => Test::Host(cc ^ !want as u8),
            },
            Node::IsZero(w, x) => {
                let x = self.reg(v, x, RAX);
                match w {
                    W::W => dynasm!(self.a ; .arch x64 ; test Rd(x), Rd(x)),
                    W::X => dynasm!(self.a ; .arch x64 ; test Rq(x), Rq(x)),
                }
                self.host = HostFlags::Nothing;
                Test::Host(cc::E)
            }
            Node::BitClear(x, n) => {
                let x = self.reg(v, x, RAX);
                if n < 31 {
                    dynasm!(self.a ; .arch x64 ; test Rd(x), 1i32 << n);
                    self.host = HostFlags::Nothing;
                    return Test::Host(cc::E);
                }
                dynasm!(self.a ; .arch x64 ; bt Rq(x), n as i8);
                self.host = HostFlags::Nothing;
                Test::Host(cc::B ^ 1)
            }
            Node::Compare(how, w, x, y) => {
                self.compare(v, w, x, y);
                self.host = HostFlags::Nothing;
                Test::Host(match how {
                    Cmp::Eq => cc::E,
                    Cmp::Lt => cc::L,
                    Cmp::Lo => cc::B,
                })
            }
            other => unreachable!("{} is no condition", other.name()),
        }
    }
    /// Whether a condition of the guest's flags holds.
    fn holds(&mut self, cond: u32) -> Test {
        let inverted = (cond & 1) as u8;
        let not = |cc: u8| Test::Host(cc ^ inverted);
        let (n, z, c, o) = (FLAGS, FLAGS + 1, FLAGS + 2, FLAGS + 3);
        match (cond >> 1 & 7, self.host) {
            (7, _) => return Test::Always(true),
            (_, HostFlags::Nothing) => {}
            (0, _) => return not(cc::E),
            (1, HostFlags::Sub) => return not(cc::B ^ 1),
            (1, _) => return not(cc::B), // Logic: the host's carry is clear
            (2, _) => return not(cc::S),
            (3, _) => return not(cc::O),
            (4, HostFlags::Sub) => return not(cc::A),
            (4, HostFlags::Logic) => return Test::Always(inverted != 0),
            (5, _) => return not(cc::L ^ 1),
            (6, _) => return not(cc::G),
            _ => {}
        }
        self.host = HostFlags::Nothing;
        let flag = |e: &mut Emitter, at: i32| {
            dynasm!(e.a ; .arch x64 ; cmp BYTE [rbx + at], 0);
            Test::Host(cc::E ^ 1 ^ inverted)
        };
        match cond >> 1 & 7 {
            0 => flag(self, z),
            1 => flag(self, c),
            2 => flag(self, n),
            3 => flag(self, o),
            4 => {
                dynasm!(self.a ; .arch x64 ; movzx eax, BYTE [rbx + c] ; cmp al, [rbx + z]);
                not(cc::A)
            }
            5 => {
                dynasm!(self.a ; .arch x64 ; movzx eax, BYTE [rbx + n] ; cmp al, [rbx + o]);
                not(cc::E)
            }
            _ => {
                dynasm!(self.a
                    ; .arch x64
                    ; movzx eax, BYTE [rbx + n]
                    ; xor al, [rbx + o]
                    ; or al, [rbx + z]
                );
                not(cc::E)
            }
        }
    }
    fn jcc(&mut self, cc: u8, to: DynamicLabel) {
        match cc {
            0 => dynasm!(self.a ; .arch x64 ; jo =>to),
            1 => dynasm!(self.a ; .arch x64 ; jno =>to),
            2 => dynasm!(self.a ; .arch x64 ; jb =>to),
            3 => dynasm!(self.a ; .arch x64 ; jae =>to),
            4 => dynasm!(self.a ; .arch x64 ; je =>to),
            5 => dynasm!(self.a ; .arch x64 ; jne =>to),
            6 => dynasm!(self.a ; .arch x64 ; jbe =>to),
            7 => dynasm!(self.a ; .arch x64 ; ja =>to),
            8 => dynasm!(self.a ; .arch x64 ; js =>to),
            9 => dynasm!(self.a ; .arch x64 ; jns =>to),
            12 => dynasm!(self.a ; .arch x64 ; jl =>to),
            13 => dynasm!(self.a ; .arch x64 ; jge =>to),
            14 => dynasm!(self.a ; .arch x64 ; jle =>to),
            _ => dynasm!(self.a ; .arch x64 ; jg =>to),
        }
    }

    // ------------------------------------------------------------------------------------------- memory

    /// Look an address up in the TLB: rax is what is to be added to it.
    fn probe(&mut self, a: Reg, size: Size, acc: Acc, write: bool) {
        const _: () = assert!(size_of::<Entry>() == 32 && offset_of!(Context, entries) == 0);
        let slow = self.aside();
        let align = size.bytes().max(1 << acc.align);
        let mask = (PAGE | (align - 1)) as i32;
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
            ; mov rax, Rq(a)
            ; and ecx, index
            ; and rax, mask
            ; cmp rax, [r13 + rcx + tag]
            ; jne =>slow
            ; mov rax, [r13 + rcx + host]
        );
    }
    fn load(&mut self, v: &Values, addr: V, size: Size, acc: Acc) -> Reg {
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
    fn store(&mut self, v: &Values, addr: V, size: Size, x: V, acc: Acc) {
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

    // ------------------------------------------------------------------------------------------- control

    fn jump(&mut self, v: &Values, to: V) {
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
    fn go(&mut self, disp: u64) {
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
    fn dispatch(&mut self) {
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
    fn leave(&mut self, to: u32) {
        self.a.push(0xe9);
        self.outside.push((self.a.offset().0, to));
        self.a.push_i32(0);
    }

    /// What is behind the block.
    fn end(mut self, pa: u64, too_few: DynamicLabel) -> Code {
        let len = self.len;
        dynasm!(self.a ; .arch x64 ; =>too_few ; add r14, len);
        self.leave(self.frame.dispatch);
        let call = self.a.new_dynamic_label();
        let leave = self.a.new_dynamic_label();
        let asides = std::mem::take(&mut self.asides);
        if !asides.is_empty() {
            let function = execute_one as *const () as i64;
            dynasm!(self.a
                ; .arch x64
                ; =>call
                ; mov [rbx + PC], r15
                ; mov rax, QWORD pa as i64
                ; mov [rbx + BLOCK_PA], rax
                ; mov r8, [rbx + UNTIL]
                ; sub r8, len
                ; sub r8, r14
                ; mov [r12 + NOW], r8
                ; mov rdi, rbx
                ; mov rsi, r12
                ; mov rax, QWORD function
                ; sub rsp, 8
                ; call rax
                ; add rsp, 8
                ; ret
                ; =>leave
            );
            self.leave(self.frame.leave);
        }
        for aside in asides {
            let (label, back) = (aside.label, aside.back);
            dynasm!(self.a
                ; .arch x64
                ; =>label
                ; mov rdx, QWORD aside.args as i64
                ; mov rcx, QWORD aside.one as *const () as i64
                ; call =>call
                ; test eax, eax
                ; jnz =>leave
            );
            for (r, h) in aside.copies {
                let at = r as i32 * 8;
                dynasm!(self.a ; .arch x64 ; mov Rq(h), [rbx + at]);
            }
            dynasm!(self.a ; .arch x64 ; jmp =>back);
        }
        let mut bytes = self.a.finalize().expect("all labels are there");
        for (at, to) in self.outside {
            let rel = to.wrapping_sub(self.base + at as u32 + 4);
            bytes[at..at + 4].copy_from_slice(&rel.to_le_bytes());
        }
        Code {
            bytes,
            sites: self.sites,
        }
    }
}

/// A shift.
#[derive(Clone, Copy)]
enum Shift {
    Left,
    Right,
    Arithmetic,
}
