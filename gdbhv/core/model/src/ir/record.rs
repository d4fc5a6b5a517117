//! The recording back end: nodes from the bodies of rows.

use super::nodes::Recorder;
use crate::feature::Features;
use crate::isa::ops::Args;
use crate::isa::{self, decode, pattern, Backend, Concrete, Helper, Row, SPECS};
use std::sync::OnceLock;

/// An instance of a pure row.
#[derive(Clone, Copy)]
pub struct Pure {
    /// It is behind the FP and SIMD trap check.
    pub fp: bool,
    /// Its last node goes somewhere.
    pub branch: bool,
    /// Append its nodes.
    pub record: fn(&mut Recorder, &Args),
}

/// How an instruction is executed.
#[derive(Clone, Copy)]
pub enum How {
    /// By its nodes.
    Pure(Pure),
    /// By a call.
    Helper {
        /// It is behind the FP and SIMD trap check.
        fp: bool,
        /// The function; it gets the word.
        call: Helper,
    },
    /// It is UNDEFINED.
    Undefined,
}

/// How a word is executed, as known when it is decoded.
pub struct Instruction {
    /// Its row.
    pub row: &'static Row,
    /// The row's number.
    pub number: usize,
    /// Its operands.
    pub args: Args,
    /// How it is executed.
    pub how: How,
}

impl Backend for Recorder {
    type Entry = How;
    fn pure<R: isa::Pure, const I: u32>() -> How {
        fn record<R: isa::Pure, const I: u32>(r: &mut Recorder, args: &Args) {
            let Ok(()) = R::body::<Recorder, I>(r, args);
        }
        How::Pure(Pure {
            fp: R::FP,
            branch: R::BRANCH,
            record: record::<R, I>,
        })
    }
    fn helper<R: Concrete>() -> How {
        How::Helper {
            fp: R::FP,
            call: R::call,
        }
    }
    fn undefined() -> How {
        How::Undefined
    }
}

/// Decode a word that is instruction `off` of its block; None if no row has it, which is UNDEFINED too.
pub fn decode(word: u32, off: u16, features: Features) -> Option<Instruction> {
    static ENTRIES: OnceLock<Vec<[How; SPECS]>> = OnceLock::new();
    let (n, row) = decode::numbered(word, features)?;
    let args = (row.decode)(word)?;
    let entries = ENTRIES.get_or_init(isa::entries::<Recorder>);
    Some(Instruction {
        row,
        number: n,
        args: Args { off, ..args },
        how: entries[n][pattern::extract(word, row.spec) as usize],
    })
}
