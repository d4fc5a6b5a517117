//! Agent expressions: the bytecode in which GDB sends a breakpoint's condition, judged here so that a hit that does not stop costs no
//! way to the host side (GDB manual, appendix F "The GDB Agent Expression Mechanism").
//!
//! An expression has no value if it divides by zero, reads what is not there, takes from an empty stack, or does not end: then the
//! machine stops, and the host side says why.

/// Operations in one evaluation: `goto` can loop.
const OPERATIONS: u32 = 10_000;
/// Values on the stack.
const DEPTH: usize = 64;

/// What an expression reads.
pub trait Source {
    /// A register: by its number in the `g` packet (x0 to x30, sp, pc, cpsr), or a system register by its encoding.
    fn register(&mut self, number: u16) -> Option<u64>;
    /// Memory at a virtual address: 1, 2, 4 or 8 bytes, little endian.
    fn load(&mut self, address: u64, bytes: u8) -> Option<u64>;
}

/// The operands, the last on top.
struct Stack {
    values: [u64; DEPTH],
    depth: usize,
}

impl Stack {
    fn push(&mut self, value: u64) -> Option<()> {
        *self.values.get_mut(self.depth)? = value;
        self.depth += 1;
        Some(())
    }
    fn pop(&mut self) -> Option<u64> {
        self.depth = self.depth.checked_sub(1)?;
        Some(self.values[self.depth])
    }
    /// The value with `below` others above it.
    fn at(&mut self, below: usize) -> Option<&mut u64> {
        let index = self.depth.checked_sub(below + 1)?;
        self.values.get_mut(index)
    }
}

/// The value of an expression; None: it has none, or an operation that is not known here.
pub fn value(code: &[u8], from: &mut impl Source) -> Option<u64> {
    let mut stack = Stack {
        values: [0; DEPTH],
        depth: 0,
    };
    let mut at = 0;
    for _ in 0..OPERATIONS {
        let operation = *code.get(at)?;
        let bytes = match operation {
            0x16 | 0x22 | 0x2a | 0x32 => 1,
            0x20 | 0x21 | 0x23 | 0x26 => 2,
            0x24 => 4,
            0x25 => 8,
            _ => 0,
        };
        let operand = code.get(at + 1..at + 1 + bytes)?;
        let operand = operand.iter().fold(0u64, |n, b| n << 8 | *b as u64);
        at += 1 + bytes;
        match operation {
            0x27 => return stack.at(0).copied(), // end
            0x20 => {
                if stack.pop()? != 0 {
                    at = operand as usize; // if_goto
                }
            }
            0x21 => at = operand as usize,       // goto
            0x22..=0x25 => stack.push(operand)?, // const8 to const64
            0x26 => {
                let value = from.register(operand as u16)?;
                stack.push(value)?;
            }
            0x17..=0x1a => {
                let address = stack.pop()?; // ref8 to ref64
                stack.push(from.load(address, 1 << (operation - 0x17))?)?;
            }
            0x0e => {
                let a = stack.at(0)?; // log_not
                *a = (*a == 0) as u64;
            }
            0x12 => {
                let a = stack.at(0)?; // bit_not
                *a = !*a;
            }
            0x16 if operand < 64 => {
                let a = stack.at(0)?; // ext
                *a = match operand {
                    0 => 0,
                    n => ((*a << (64 - n)) as i64 >> (64 - n)) as u64,
                };
            }
            0x2a if operand < 64 => *stack.at(0)? &= (1 << operand) - 1, // zero_ext
            0x16 | 0x2a => {
                stack.at(0)?; // 64 bits and more: nothing to extend
            }
            0x28 => {
                let a = *stack.at(0)?; // dup
                stack.push(a)?;
            }
            0x29 => drop(stack.pop()?),
            0x2b => {
                let (b, a) = (stack.pop()?, stack.pop()?); // swap
                stack.push(b)?;
                stack.push(a)?;
            }
            0x32 => {
                let a = *stack.at(operand as usize)?; // pick
                stack.push(a)?;
            }
            0x33 => {
                let (c, b, a) = (stack.pop()?, stack.pop()?, stack.pop()?); // rot: a b c to c a b
                stack.push(c)?;
                stack.push(a)?;
                stack.push(b)?;
            }
            _ => {
                let (b, a) = (stack.pop()?, stack.pop()?);
                stack.push(binary(operation, a, b)?)?;
            }
        }
    }
    None
}

fn binary(operation: u8, a: u64, b: u64) -> Option<u64> {
    let (sa, sb) = (a as i64, b as i64);
    Some(match operation {
        0x02 => a.wrapping_add(b),
        0x03 => a.wrapping_sub(b),
        0x04 => a.wrapping_mul(b),
        0x05 if b != 0 => sa.wrapping_div(sb) as u64,
        0x06 => a.checked_div(b)?,
        0x07 if b != 0 => sa.wrapping_rem(sb) as u64,
        0x08 => a.checked_rem(b)?,
        0x09 => {
            if b < 64 {
                a << b
            } else {
                0
            }
        }
        0x0a => (sa >> b.min(63)) as u64,
        0x0b => {
            if b < 64 {
                a >> b
            } else {
                0
            }
        }
        0x0f => a & b,
        0x10 => a | b,
        0x11 => a ^ b,
        0x13 => (a == b) as u64,
        0x14 => (sa < sb) as u64,
        0x15 => (a < b) as u64,
        _ => return None,
    })
}
