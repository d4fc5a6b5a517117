//! Where values are: those of the nodes of one instruction, and guest registers that a host register has a copy of.
//!
//! A guest register that is written is in memory at once, so that the copies can be dropped at any time and the interpreter finds
//! everything where it belongs.

use gdbhv_model::ir::{Node, Value};

/// A host register's number.
pub type Reg = u8;

/// Those that hold values.
const POOL: [Reg; 7] = [6, 7, 8, 9, 10, 11, 5];

/// Most values of an instruction that are alive at one time: one register is for the next one.
pub const MOST_ALIVE: usize = POOL.len() - 1;

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loc {
    /// Nowhere.
    None,
    /// In a register.
    Reg(Reg),
    /// A constant.
    Const(u64),
    /// So many bytes from the start of the block.
    Pc(u64),
}

/// The registers of the pool.
#[derive(Clone)]
pub struct Regs {
    /// Values of the instruction in it.
    pins: [u8; 16],
    /// The guest register that it is a copy of.
    guest: [Option<u8>; 16],
    /// The copy of a guest register.
    copy: [Option<Reg>; 34],
    used: [u32; 16],
    clock: u32,
}

/// All free.
impl Default for Regs {
    fn default() -> Regs {
        Regs {
            pins: [0; 16],
            guest: [None; 16],
            copy: [None; 34],
            used: [0; 16],
            clock: 0,
        }
    }
}

impl Regs {
    /// The copy of guest register `r`.
    pub fn copy(&self, r: u8) -> Option<Reg> {
        self.copy[r as usize]
    }
    /// All copies: guest register, host register.
    pub fn copies(&self) -> Vec<(u8, Reg)> {
        let copies = self.copy.iter().enumerate();
        copies
            .filter_map(|(r, h)| h.map(|h| (r as u8, h)))
            .collect()
    }
    /// Forget all copies.
    pub fn drop_copies(&mut self) {
        self.guest = [None; 16];
        self.copy = [None; 34];
    }
    /// A register for a new value, pinned once: a free one, or the copy that was not used for longest.
    pub fn take(&mut self) -> Reg {
        let free = POOL.iter().copied().filter(|&h| self.pins[h as usize] == 0);
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

/// Most values in registers at one time.
pub fn most_alive(nodes: &[Node], last: &[usize]) -> usize {
    let in_register = |n: usize| {
        matches!(nodes[n].result(n), Some(Value::V(_)))
            && !matches!(nodes[n], Node::Imm(_) | Node::Pc(_))
    };
    (0..nodes.len())
        .map(|i| (0..=i).filter(|&n| in_register(n) && last[n] >= i).count())
        .max()
        .unwrap_or(0)
}
