//! The intermediate representation: what one instruction does, as a list of typed nodes.
//!
//! [`decode`] says how a word is executed. If its row is pure, [`Recorder`] runs the row's body and keeps every operation of it as a
//! [`Node`]; nodes of several instructions may stand in one list, which is how a compiler takes a block. [`execute`] gives nodes to any
//! back end again.
//!
//! # Values
//!
//! A node names its operands by the place in the list of the nodes that made them: a [`V`] is 64 bits, a [`Q`] 128, a [`C`] a condition. A value is
//! made once, before it is used, and its node has no other type than the operand (checked by [`verify`]). What was known when the
//! instruction was decoded is in the node itself: numbers of registers (indexes of `Cpu::x`, so that 32 reads as zero and 33 swallows
//! what is written, [`slot`](crate::cpu::slot)), widths, immediates. Addresses of code are relative to the start of the block
//! (`Args::off` has counted the instructions before): a block's nodes do not change with its address.
//!
//! With width [`W::W`](crate::isa::ops::W) a node takes the low 32 bits of its operands and its result is zero-extended.
//!
//! # Order and effects
//!
//! Nodes happen in the order of the list. Only what [`Node::reads`] and [`Node::writes`] tell binds them to it: the rest may be moved,
//! shared or dropped. A node reads a register as it is at that point of the list.
//!
//! # Faults
//!
//! Only nodes of which [`Node::faults`] is true can end an instruction: the check of SP and accesses to memory. They fault in the order of the list
//! and the first one ends the instruction, with the exception in `Cpu::raised`; nodes after it do not happen. All nodes that write a
//! register, the flags or the PC come after the last of them, so that an instruction that faults has changed nothing and may be executed again from
//! its start. There is one exception: the first stores of an instruction with several may have been done when a later one
//! faults (the architecture has it so, B2.2.1: the instruction is not one access); done again, they are the same.
//!
//! What each of them can raise, most urgent first (D1.3.5.5):
//!
//! | node | raises |
//! |---|---|
//! | `CheckSp` | SP alignment fault (D1.8.2), if the register is SP, the check is on for this EL (SCTLR_ELx.SA, SA0), and bits 3:0 are not zero |
//! | `Load`, `Store` | alignment fault of the size (SCTLR_ELx.A, or `Acc::ordered`, `Acc::atomic`); the debugger's watchpoint (not an exception); MMU faults of stage 1, then of stage 2, byte for byte upwards if the access crosses a page; alignment fault for Device memory; watchpoint; synchronous external abort |
//!
//! | `LoadQ`, `StoreQ` | the same, as two accesses of 8 bytes, upwards, or, if the address is not a multiple of 8 and elements are smaller than 16 bytes, one of each element; the alignment is the element's, which of 16 bytes the first access stands for |
//! | `LoadExclusive` | the same as `Load`, and in place of a synchronous external abort a fault of an unsupported exclusive access where no RAM is (ISS.DFSC 0b110101). The monitor is marked last |
//! | `StoreExclusive` | the same, for a write; nothing if the monitor marks nothing. The monitor is cleared last |
//!
//! Before the nodes comes the guard: if [`Pure::fp`] (or [`How::Helper`]'s) is set and `Pe::fp_traps` is, the instruction is trapped instead (D1.9.5,
//! `exception::fp_access`) and none of its nodes happens.
//!
//! # What is not in nodes
//!
//! Helper rows ([`How::Helper`]) are called: the function gets the word, finds its address in `Cpu::here` and may do anything that an instruction
//! may. Time is not in nodes: an instruction counts one, also if it ends in an exception.

mod nodes;
mod record;
mod replay;
mod values;

pub use nodes::{Node, Place, Recorder};
pub use record::{decode, How, Instruction, Pure};
pub use replay::execute;
pub use values::{Value, C, Q, V};

/// The first operand of `nodes` that no earlier node makes, or that another type of value, as (node, operand).
pub fn verify(nodes: &[Node]) -> Option<(usize, Value)> {
    nodes.iter().enumerate().find_map(|(at, node)| {
        let mut wrong = None;
        node.operands(|v| {
            let made = v.node() < at && nodes[v.node()].result(v.node()) == Some(v);
            wrong = wrong.or((!made).then_some((at, v)));
        });
        wrong
    })
}
