//! What is known of a block before its code is emitted: how each instruction is executed, and whose flags may be looked at.

use super::float;
use super::granted::{self, Granted};
use super::values::{fit, last_uses};
use super::vector;
use gdbhv_model::exec::interp::{entry, undefined_one, One};
use gdbhv_model::feature::Features;
use gdbhv_model::ir::{decode, How, Node, Recorder};
use gdbhv_model::isa::pattern;

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
    /// What it does.
    pub nodes: Vec<Node>,
    /// By its nodes, and not by a call.
    pub inline: bool,
    /// What it does without nodes, where that is granted.
    pub granted: Option<Granted>,
    /// The flags that it leaves may be looked at.
    pub flags_needed: bool,
}

/// How the instructions are executed; None if the block cannot be compiled.
pub fn instructions(words: &[u32], features: Features) -> Option<Vec<Instruction>> {
    let one = |(off, &word): (usize, &u32)| {
        let Some(i) = decode(word, off as u16, features) else {
            return Some(undefined());
        };
        let one = entry(i.number, pattern::extract(word, i.row.spec)).one;
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
    };
    let mut all: Vec<Instruction> = words.iter().enumerate().map(one).collect::<Option<_>>()?;
    flags_needed(&mut all);
    Some(all)
}

/// A word without a row.
fn undefined() -> Instruction {
    Instruction {
        one: undefined_one,
        pure: false,
        branch: false,
        fp: false,
        nodes: Vec::new(),
        inline: false,
        granted: None,
        flags_needed: true,
    }
}

/// Whether there is code for all of the nodes, and registers for their values.
fn inline(nodes: &[Node]) -> bool {
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
    };
    nodes.iter().all(known) && fit(nodes, &last_uses(nodes))
}

/// Which instructions must leave their flags: those before another one sets them, unless something may look in between.
fn flags_needed(all: &mut [Instruction]) {
    let mut needed = true;
    for i in all.iter_mut().rev() {
        i.flags_needed = needed;
        let writes = i.nodes.iter().any(|n| {
            matches!(
                n,
                Node::Adds(..)
                    | Node::Subs(..)
                    | Node::Adcs(..)
                    | Node::SetNz(..)
                    | Node::Ccmp(..)
                    | Node::FpCompare(..)
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
