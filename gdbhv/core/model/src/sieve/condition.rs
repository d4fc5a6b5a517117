//! Conditions of catchpoints: an expression in postfix order, on 64-bit unsigned numbers.

use super::{Event, Field};
use crate::reg::Reg;

/// The guest state that an expression may read, besides the exit's own fields.
pub trait Eye {
    /// x0 to x30, as the guest left them.
    fn x(&self, n: u8) -> u64;
    /// The guest's stack pointer.
    fn sp(&self) -> u64;
    /// A system register, read without side effects; None: it cannot be read.
    fn system(&mut self, r: Reg) -> Option<u64>;
    /// Memory: `bytes` (1, 2, 4 or 8) at an address; None: there is no memory.
    fn load(&self, space: Place, address: u64, bytes: u8) -> Option<u64>;
}

/// The address space of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Virtual, of the exiting guest.
    Va,
    /// Intermediate physical.
    Ipa,
    /// Physical.
    Pa,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Op {
    Number(u64),
    Field(Field),
    X(u8),
    Sp,
    System(Reg),
    Load(Place, u8),
    Unary(Unary),
    Binary(Binary),
}

/// An operator with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Unary {
    Minus,
    Complement,
    Not,
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Binary {
    Or,
    And,
    BitOr,
    BitXor,
    BitAnd,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Left,
    Right,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
}

/// Unary operators by their names in C.
pub const UNARY: &[(&str, Unary)] = &[
    ("-", Unary::Minus),
    ("~", Unary::Complement),
    ("!", Unary::Not),
];
/// Binary operators by their names in C, with their precedence.
pub const BINARY: &[(&str, Binary, u8)] = &[
    ("||", Binary::Or, 1),
    ("&&", Binary::And, 2),
    ("|", Binary::BitOr, 3),
    ("^", Binary::BitXor, 4),
    ("&", Binary::BitAnd, 5),
    ("==", Binary::Equal, 6),
    ("!=", Binary::Unequal, 6),
    ("<", Binary::Less, 7),
    ("<=", Binary::LessEqual, 7),
    (">", Binary::Greater, 7),
    (">=", Binary::GreaterEqual, 7),
    ("<<", Binary::Left, 8),
    (">>", Binary::Right, 8),
    ("+", Binary::Plus, 9),
    ("-", Binary::Minus, 9),
    ("*", Binary::Times, 10),
    ("/", Binary::Divide, 10),
    ("%", Binary::Modulo, 10),
];

/// Depth of the operand stack.
const DEPTH: usize = 32;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition(Vec<Op>);

impl Condition {
    /// Make a condition of operations in postfix order. None: they lack operands, leave more than one value, or need too deep a stack.
    pub fn new(ops: Vec<Op>) -> Option<Condition> {
        let mut depth = 0usize;
        for op in &ops {
            let takes = match op {
                Op::Number(_) | Op::Field(_) | Op::X(_) | Op::Sp | Op::System(_) => 0,
                Op::Load(..) | Op::Unary(_) => 1,
                Op::Binary(_) => 2,
            };
            depth = depth.checked_sub(takes)? + 1;
            if depth > DEPTH {
                return None;
            }
        }
        (depth == 1).then_some(Condition(ops))
    }

    /// Whether the condition holds; None: it has no value, because something that it reads does not exist.
    pub fn holds(&self, e: &Event, eye: &mut dyn Eye) -> Option<bool> {
        let mut stack = [0u64; DEPTH];
        let mut n = 0;
        for op in &self.0 {
            let value = match *op {
                Op::Number(v) => v,
                Op::Field(f) => e.get(f)?,
                Op::X(i) => eye.x(i),
                Op::Sp => eye.sp(),
                Op::System(r) => eye.system(r)?,
                Op::Load(place, bytes) => {
                    n -= 1;
                    eye.load(place, stack[n], bytes)?
                }
                Op::Unary(u) => {
                    n -= 1;
                    unary(u, stack[n])
                }
                Op::Binary(b) => {
                    n -= 2;
                    binary(b, stack[n], stack[n + 1])?
                }
            };
            stack[n] = value;
            n += 1;
        }
        Some(stack[0] != 0)
    }
}

fn unary(u: Unary, a: u64) -> u64 {
    match u {
        Unary::Minus => a.wrapping_neg(),
        Unary::Complement => !a,
        Unary::Not => (a == 0) as u64,
    }
}

fn binary(b: Binary, x: u64, y: u64) -> Option<u64> {
    Some(match b {
        Binary::Or => (x != 0 || y != 0) as u64,
        Binary::And => (x != 0 && y != 0) as u64,
        Binary::BitOr => x | y,
        Binary::BitXor => x ^ y,
        Binary::BitAnd => x & y,
        Binary::Equal => (x == y) as u64,
        Binary::Unequal => (x != y) as u64,
        Binary::Less => (x < y) as u64,
        Binary::LessEqual => (x <= y) as u64,
        Binary::Greater => (x > y) as u64,
        Binary::GreaterEqual => (x >= y) as u64,
        Binary::Left => x.checked_shl(u32::try_from(y).ok()?).unwrap_or(0),
        Binary::Right => x.checked_shr(u32::try_from(y).ok()?).unwrap_or(0),
        Binary::Plus => x.wrapping_add(y),
        Binary::Minus => x.wrapping_sub(y),
        Binary::Times => x.wrapping_mul(y),
        Binary::Divide => x.checked_div(y)?,
        Binary::Modulo => x.checked_rem(y)?,
    })
}
