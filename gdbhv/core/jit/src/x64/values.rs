//! Where values are: those of the nodes of one instruction, and guest registers that a host register has a copy of.
//!
//! A guest register that is written is in memory at once, so that the copies can be dropped at any time and the interpreter finds
//! everything where it belongs.

use gdbhv_model::ir::{Node, Value};

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
    /// Values of the instruction in it.
    pins: [u8; 16],
    /// The guest register that it is a copy of.
    guest: [Option<u8>; 16],
    /// The copy of a guest register.
    copy: [Option<Reg>; 34],
    used: [u32; 16],
    clock: u32,
}

impl Regs {
    /// All of `pool` are free.
    pub fn new(pool: &'static [Reg]) -> Regs {
        Regs {
            pool,
            pins: [0; 16],
            guest: [None; 16],
            copy: [None; 34],
            used: [0; 16],
            clock: 0,
        }
    }
    /// The copy of guest register `r`.
    pub fn copy(&self, r: u8) -> Option<Reg> {
        self.copy[r as usize]
    }
    /// All copies: by host register, of which guest register.
    pub fn copies(&self) -> [Option<u8>; 16] {
        self.guest
    }
    /// Forget all copies.
    pub fn drop_copies(&mut self) {
        self.guest = [None; 16];
        self.copy = [None; 34];
    }
    /// A register for a new value, pinned once: a free one, or the copy that was not used for longest.
    pub fn take(&mut self) -> Reg {
        let free = self
            .pool
            .iter()
            .copied()
            .filter(|&h| self.pins[h as usize] == 0);
        let key = |h: &Reg| (self.guest[*h as usize].is_some(), self.used[*h as usize]);
        let h = free.min_by_key(key).expect("few values are alive");
        self.uncopy(h);
        self.pin(h);
        h
    }
    /// One more value is in `h`.
    pub fn pin(&mut self, h: Reg) {
        self.clock += 1;
        self.used[h as usize] = self.clock;
        self.pins[h as usize] += 1;
    }
    /// One value less.
    pub fn unpin(&mut self, h: Reg) {
        self.pins[h as usize] -= 1;
    }
    /// Whether a value that is alone in `h` may be overwritten there.
    pub fn alone(&self, h: Reg) -> bool {
        self.pins[h as usize] == 1 && self.guest[h as usize].is_none()
    }
    /// `h` is a copy of guest register `r` from now on.
    pub fn set_copy(&mut self, r: u8, h: Reg) {
        self.forget(r);
        self.uncopy(h);
        self.guest[h as usize] = Some(r);
        self.copy[r as usize] = Some(h);
    }
    /// Guest register `r` has no copy.
    pub fn forget(&mut self, r: u8) {
        if let Some(h) = self.copy[r as usize].take() {
            self.guest[h as usize] = None;
        }
    }
    fn uncopy(&mut self, h: Reg) {
        if let Some(r) = self.guest[h as usize].take() {
            self.copy[r as usize] = None;
        }
    }
}

/// Which node needs each value of `nodes` last. A condition is worked out where it is used, so that its operands are needed there. What
/// is written to the sink is not needed.
pub fn last_uses(nodes: &[Node]) -> Vec<usize> {
    let mut last: Vec<usize> = (0..nodes.len()).collect();
    for (i, node) in nodes.iter().enumerate() {
        if matches!(node, Node::SetX(33, _)) || matches!(node.result(i), Some(Value::C(_))) {
            continue;
        }
        let mut open = Vec::new();
        node.operands(|v| open.push(v));
        while let Some(v) = open.pop() {
            last[v.node()] = i;
            if let Value::C(_) = v {
                nodes[v.node()].operands(|v| open.push(v));
            }
        }
    }
    last
}

/// Whether there are registers for all values of `nodes`, and one for the next one.
pub fn fit(nodes: &[Node], last: &[usize]) -> bool {
    if nodes.len() < GENERAL.len() {
        return true;
    }
    let kind = |n: usize| match nodes[n].result(n) {
        Some(Value::V(_)) if !matches!(nodes[n], Node::Imm(_) | Node::Pc(_)) => Some(GENERAL),
        Some(Value::Q(_)) => Some(VECTORS),
        _ => None,
    };
    (0..nodes.len()).all(|i| {
        [GENERAL, VECTORS].into_iter().all(|pool| {
            let alive = (0..=i).filter(|&n| last[n] >= i && kind(n) == Some(pool));
            alive.count() < pool.len()
        })
    })
}
