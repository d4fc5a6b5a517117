//! Where values are: those of the nodes of one instruction, and guest registers that a host register has a copy of.
//!
//! A guest register that is written is in memory at once, so that the copies can be dropped at any time and the interpreter finds
//! everything where it belongs.

use super::emit::{Emitter, Values, RAX};
use dynasmrt::{dynasm, DynasmApi};
use gdbhv_model::ir::{Node, Value, V};
use gdbhv_model::isa::ops::W;
use std::ops::Range;

/// A host register's number.
pub type Reg = u8;

/// Those that hold values of 64 bits.
pub const GENERAL: &[Reg] = &[6, 7, 8, 9, 10, 11, 5];

/// Those that hold values of 128 bits; xmm0 to xmm2 are scratch registers.
pub const VECTORS: &[Reg] = &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loc {
    /// Nowhere.
    None,
    /// In a register.
    Reg(Reg),
    /// In a vector register.
    Vec(Reg),
    /// A constant.
    Const(u64),
    /// So many bytes from the start of the block.
    Pc(u64),
}

/// The host registers of one kind.
#[derive(Clone)]
pub struct Regs {
    pool: &'static [Reg],
    held: [Held; 16],
    /// The copy of a guest register.
    copy: [Option<Reg>; 34],
    clock: u32,
}

/// What is in a host register.
#[derive(Clone, Copy, Default)]
struct Held {
    /// When it was used last.
    used: u32,
    /// Values of the instruction.
    pins: u8,
    /// The guest register that it is a copy of.
    guest: Option<u8>,
}

impl Regs {
    /// All of `pool` are free.
    pub fn new(pool: &'static [Reg]) -> Regs {
        Regs {
            pool,
            held: [Held::default(); 16],
            copy: [None; 34],
            clock: 0,
        }
    }
    fn held(&mut self, h: Reg) -> &mut Held {
        &mut self.held[h as usize & 15]
    }
    /// The copy of guest register `r`.
    pub fn copy(&self, r: u8) -> Option<Reg> {
        self.copy[r as usize]
    }
    /// All copies: by host register, of which guest register.
    pub fn copies(&self) -> [Option<u8>; 16] {
        self.held.map(|h| h.guest)
    }
    /// Forget all copies.
    pub fn drop_copies(&mut self) {
        for h in &mut self.held {
            h.guest = None;
        }
        self.copy = [None; 34];
    }
    /// A register for a new value, pinned once: a free one, or the copy that was not used for longest.
    pub fn take(&mut self) -> Reg {
        let mut best = (true, u32::MAX);
        let mut h = None;
        for &r in self.pool {
            let held = &self.held[r as usize & 15];
            let key = (held.guest.is_some(), held.used);
            if held.pins == 0 && key < best {
                (best, h) = (key, Some(r));
            }
        }
        let h = h.expect("few values are alive");
        self.uncopy(h);
        self.pin(h);
        h
    }
    /// One more value is in `h`.
    pub fn pin(&mut self, h: Reg) {
        self.clock += 1;
        let now = self.clock;
        let held = self.held(h);
        held.used = now;
        held.pins += 1;
    }
    /// One value less.
    pub fn unpin(&mut self, h: Reg) {
        self.held(h).pins -= 1;
    }
    /// Whether a value that is alone in `h` may be overwritten there.
    pub fn alone(&self, h: Reg) -> bool {
        let held = &self.held[h as usize & 15];
        held.pins == 1 && held.guest.is_none()
    }
    /// `h` is a copy of guest register `r` from now on.
    pub fn set_copy(&mut self, r: u8, h: Reg) {
        self.forget(r);
        self.uncopy(h);
        self.held(h).guest = Some(r);
        self.copy[r as usize] = Some(h);
    }
    /// Guest register `r` has no copy.
    pub fn forget(&mut self, r: u8) {
        if let Some(h) = self.copy[r as usize].take() {
            self.held(h).guest = None;
        }
    }
    fn uncopy(&mut self, h: Reg) {
        if let Some(r) = self.held(h).guest.take() {
            self.copy[r as usize] = None;
        }
    }
}

/// Append to `last` which node needs each of the nodes behind those that it has already. A condition is worked out where it is used, so that its
/// operands are needed there. What is written to the sink is not needed.
pub fn last_uses(nodes: &[Node], last: &mut Vec<u32>) {
    let first = last.len();
    last.extend(first as u32..nodes.len() as u32);
    for (i, node) in nodes.iter().enumerate().skip(first) {
        let unused = matches!(node, Node::SetX(33, _));
        if !unused && !matches!(node.result(i), Some(Value::C(_))) {
            needs(nodes, node, i as u32, last);
        }
    }
}
/// Node `by`, or one that it works out, needs the operands of `node`.
fn needs(nodes: &[Node], node: &Node, by: u32, last: &mut [u32]) {
    node.operands(|v| {
        last[v.node()] = by;
        if let Value::C(_) = v {
            needs(nodes, &nodes[v.node()], by, last);
        }
    });
}

/// Whether there are registers for all values of these nodes, and one for the next one.
pub fn fit(nodes: &[Node], last: &[u32], of: Range<usize>) -> bool {
    if of.len() < GENERAL.len() {
        return true;
    }
    let pools = [GENERAL, VECTORS];
    let kind = |n: usize| match nodes[n].result(n) {
        Some(Value::V(_)) if !matches!(nodes[n], Node::Imm(_) | Node::Pc(_)) => Some(0),
        Some(Value::Q(_)) => Some(1),
        _ => None,
    };
    let mut made = [0, 0];
    of.clone().filter_map(kind).for_each(|k| made[k] += 1);
    (0..2).all(|k| {
        let len = pools[k].len();
        let alive = |i: usize| {
            let values = (of.start..=i).filter(|&n| last[n] as usize >= i);
            values.filter(|&n| kind(n) == Some(k)).count()
        };
        made[k] < len || of.clone().all(|i| alive(i) < len)
    })
}

impl Emitter {
    /// A guest register's value, pinned.
    pub(super) fn guest(&mut self, r: u8) -> Reg {
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
    pub(super) fn set_guest(&mut self, v: &Values, r: u8, x: V) {
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
    pub(super) fn reg(&mut self, v: &Values, x: V, scratch: Reg) -> Reg {
        match v.at[x.0 as usize] {
            Loc::Reg(h) => return h,
            Loc::Const(c) => self.load_constant(scratch, c),
            Loc::Pc(disp) => self.load_pc(scratch, disp),
            Loc::None | Loc::Vec(_) => unreachable!("a value is used after its last use"),
        }
        scratch
    }
    pub(super) fn load_constant(&mut self, d: Reg, c: u64) {
        if let Ok(c) = u32::try_from(c) {
            dynasm!(self.a ; .arch x64 ; mov Rd(d), c as i32);
        } else if let Ok(c) = i32::try_from(c as i64) {
            dynasm!(self.a ; .arch x64 ; mov Rq(d), c);
        } else {
            dynasm!(self.a ; .arch x64 ; mov Rq(d), QWORD c as i64);
        }
    }
    pub(super) fn load_pc(&mut self, d: Reg, disp: u64) {
        if let Ok(disp) = i32::try_from(disp as i64) {
            dynasm!(self.a ; .arch x64 ; lea Rq(d), [r15 + disp]);
        } else {
            self.load_constant(d, disp);
            dynasm!(self.a ; .arch x64 ; lea Rq(d), [Rq(d) + r15]);
        }
    }
    /// A value in a register of its own that may be changed.
    pub(super) fn copy_of(&mut self, v: &Values, x: V) -> Reg {
        if let Loc::Reg(h) = v.at[x.0 as usize] {
            if v.last[x.0 as usize] as usize == v.now && self.regs.alone(h) {
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
    pub(super) fn immediate(v: &Values, w: W, x: V) -> Option<i32> {
        match (v.at[x.0 as usize], w) {
            (Loc::Const(c), W::X) => i32::try_from(c as i64).ok(),
            (Loc::Const(c), W::W) => Some(c as i32),
            _ => None,
        }
    }
}
