//! What is known of a block before its code is emitted: how each instruction is executed, and whose flags may be looked at.

use super::float;
use super::granted::{self, Granted};
use super::values::{fit, last_uses};
use super::vector;
use gdbhv_model::exec::interp::{entry, undefined_one, One};
use gdbhv_model::feature::Features;
use gdbhv_model::ir::{decode, How, Node, Recorder};
use gdbhv_model::isa::pattern;
use std::ops::Range;

/// An instruction of the block.
pub struct Instruction {
    /// The interpreter's function for it.
    pub one: One,
    /// It has nodes.
    pub pure: bool,
    /// Its last node goes somewhere.
    pub branch: bool,
    /// It is behind the FP and SIMD trap check.
    pub fp: bool,
    /// What it does, in [`Plan::nodes`].
    pub nodes: Range<usize>,
    /// By its nodes, and not by a call.
    pub inline: bool,
    /// What it does without nodes, where that is granted.
    pub granted: Option<Granted>,
    /// The flags that it leaves may be looked at.
    pub flags_needed: bool,
}

/// What is known of all instructions of a block. It is used again for the next block, so that it allocates nothing.
#[derive(Default)]
pub struct Plan {
    /// Of each instruction.
    pub instructions: Vec<Instruction>,
    recorder: Recorder,
    /// Which node needs each node last.
    pub last: Vec<u32>,
}

impl Plan {
    /// What they do.
    pub fn nodes(&self) -> &[Node] {
        &self.recorder.nodes
    }
    /// Look at a block's words; false if it cannot be compiled.
    pub fn make(&mut self, words: &[u32], features: Features) -> bool {
        self.instructions.clear();
        self.recorder.nodes.clear();
        self.last.clear();
        for (off, &word) in words.iter().enumerate() {
            let Some(i) = self.instruction(word, off as u16, features) else {
                return false;
            };
            self.instructions.push(i);
        }
        self.flags_needed();
        true
    }
    fn instruction(&mut self, word: u32, off: u16, features: Features) -> Option<Instruction> {
        let Some(i) = decode(word, off, features) else {
            return Some(undefined());
        };
        let one = entry(i.number, pattern::extract(word, i.row.spec)).one;
        Some(match i.how {
            How::Pure(p) => {
                let first = self.recorder.nodes.len();
                (p.record)(&mut self.recorder, &i.args);
                let nodes = first..self.recorder.nodes.len();
                last_uses(&self.recorder.nodes, &mut self.last);
                let inline = self.inline(nodes.clone());
                if p.branch && !inline {
                    return None;
                }
                Instruction {
                    one,
                    pure: true,
                    branch: p.branch,
                    fp: p.fp,
                    nodes,
                    inline,
                    granted: None,
                    flags_needed: true,
                }
            }
            How::Helper { .. } => Instruction {
                one,
                granted: granted::known(word),
                ..undefined()
            },
            How::Undefined => Instruction { one, ..undefined() },
        })
    }
    /// Whether there is code for all of the nodes, and registers for their values.
    fn inline(&self, of: Range<usize>) -> bool {
        self.nodes()[of.clone()].iter().all(known) && fit(self.nodes(), &self.last, of)
    }
    /// Which instructions must leave their flags: those before another one sets them, unless something may look in between.
    fn flags_needed(&mut self) {
        let mut needed = true;
        for i in self.instructions.iter_mut().rev() {
            i.flags_needed = needed;
            let (mut writes, mut looks) = (false, !i.inline || i.fp);
            for n in &self.recorder.nodes[i.nodes.clone()] {
                match n {
                    Node::Adc(..) | Node::Cond(_) | Node::Nzcv() => looks = true,
                    Node::Adcs(..) => (writes, looks) = (true, true),
                    Node::Adds(..)
                    | Node::Subs(..)
                    | Node::SetNz(..)
                    | Node::Ccmp(..)
                    | Node::FpCompare(..) => writes = true,
                    n => looks |= n.faults(),
                }
            }
            needed = looks || needed && !writes;
        }
    }
}

/// A word without a row.
fn undefined() -> Instruction {
    Instruction {
        one: undefined_one,
        pure: false,
        branch: false,
        fp: false,
        nodes: 0..0,
        inline: false,
        granted: None,
        flags_needed: true,
    }
}

/// Whether there is code for a node.
fn known(n: &Node) -> bool {
    match *n {
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
        | Node::JumpIf(..)
        | Node::Ror(..)
        | Node::Rev(..)
        | Node::Cls(..)
        | Node::Rbit(..)
        | Node::Crc32(..)
        | Node::LoadExclusive(..)
        | Node::StoreExclusive(..)
        | Node::ClearExclusive() => true,
        Node::Load(_, _, acc) | Node::Store(_, _, _, acc) => !acc.unpriv,
        Node::Compare(..) => true,
        Node::Q(_)
        | Node::SetQ(..)
        | Node::Wide(_)
        | Node::Lane(..)
        | Node::WithLane(..)
        | Node::Splat(..)
        | Node::LanesShift(..)
        | Node::Permute(..)
        | Node::Ext(..)
        | Node::First(..)
        | Node::SelectQ(..)
        | Node::LoadQ(..)
        | Node::StoreQ(..) => true,
        Node::Fp(..)
        | Node::FpFused(..)
        | Node::FpSqrt(..)
        | Node::FpCompare(..)
        | Node::FpConvert(..)
        | Node::FpFromInt(..)
        | Node::FpToInt(..) => float::known(n),
        Node::Lanes(..) => vector::known(n),
        _ => false,
    }
}
