//! The instruction set: rows, collected from the group files into the decode table.
//!
//! A row is a pattern, a name, a feature, a kind and a body. Three kinds:
//! * **pure**: a function generic over the back end ([`ops::Ops`]), instantiated for the interpreter (a fast and a slow
//!   one), the effects recorder and, one day, compilers. `branch` rows are pure rows that end a block.
//! * **helper**: one concrete function of (CPU, what CPUs share, instruction word). `fp` rows are helpers behind the FP trap check.
//! * **undefined**: listed so that it is decided and not forgotten.
//!
//! Adding an instruction is adding a row to its group's file.

pub mod addsub;
pub mod atomic;
pub mod barrier;
pub mod bitfield;
pub mod branch;
pub mod condition;
pub mod crc;
pub mod crypto_aes;
pub mod crypto_sha;
pub mod crypto_sha512;
pub mod decode;
pub mod exception_gen;
pub mod exclusive;
pub mod fp_compare;
pub mod fp_data1;
pub mod fp_data2;
pub mod fp_data3;
pub mod fp_fixed;
pub mod fp_imm;
pub mod fp_int;
pub mod fp_lanes;
pub mod fp_select;
pub mod lanes;
pub mod load_store;
pub mod load_store_fp;
pub mod logical;
pub mod movewide;
pub mod muldiv;
pub mod operands;
pub mod ops;
pub mod ordered;
pub mod pair;
pub mod pattern;
pub mod pauth;
pub mod pc_relative;
pub mod shift;
pub mod simd_across;
pub mod simd_by_element;
pub mod simd_copy;
pub mod simd_extra;
pub mod simd_fp_across;
pub mod simd_fp_by_element;
pub mod simd_fp_extra;
pub mod simd_fp_three_same;
pub mod simd_fp_two_misc;
pub mod simd_imm;
pub mod simd_load_store;
pub mod simd_permute;
pub mod simd_shift_imm;
pub mod simd_three_diff;
pub mod simd_three_same;
pub mod simd_two_misc;
pub mod sysop;
pub mod system;

use crate::cpu::Cpu;
use crate::effects::Effects;
use crate::feature::Feature;
use crate::interp::Run;
use crate::raise::{Flow, Trap};
use crate::shared::Shared;
use ops::Args;
use pattern::Pattern;

/// The function of a helper row. `Cpu::pc + 4 * Cpu::off` is its address (`Cpu::here`).
pub type Helper = fn(&mut Cpu, &mut Shared, u32) -> Result<Flow, Trap>;

/// The instance of a pure row for the effects recorder.
pub type Record = fn(&Args, &mut Effects);

/// How a row is executed.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Generic over back ends.
    Pure,
    /// Pure, and ends the block.
    Branch,
    /// Concrete.
    Helper,
    /// Concrete, and ends the block.
    HelperEnd,
    /// Not allocated here: UNDEFINED.
    Undefined,
}

/// Number of instantiations of a pure row, one for each value of its specialised bits (at most 4).
pub const SPECS: usize = 16;

/// One row of the instruction table.
pub struct Row {
    /// The Arm ARM's mnemonic and a class suffix, e.g. `ADD_imm`.
    pub name: &'static str,
    /// Encoding.
    pub pattern: Pattern,
    /// The feature that brought it: without it the row is not there.
    pub feature: Feature,
    /// How it runs.
    pub kind: Kind,
    /// Bits that pick the instantiation.
    pub spec: u32,
    /// Operands of a word; None if the word is unallocated after all.
    pub decode: fn(u32) -> Option<Args>,
    /// Interpreter entries.
    pub run: [Run; SPECS],
    /// What it reads and writes (pure rows only).
    pub effects: Option<[Record; SPECS]>,
}

/// `[$f::<{i(0)}>, ... $f::<{i(15)}>]`
#[macro_export]
macro_rules! instances {
    ($f:ident, $i:ident) => {
        [
            $f::<{ $i(0) }>,
            $f::<{ $i(1) }>,
            $f::<{ $i(2) }>,
            $f::<{ $i(3) }>,
            $f::<{ $i(4) }>,
            $f::<{ $i(5) }>,
            $f::<{ $i(6) }>,
            $f::<{ $i(7) }>,
            $f::<{ $i(8) }>,
            $f::<{ $i(9) }>,
            $f::<{ $i(10) }>,
            $f::<{ $i(11) }>,
            $f::<{ $i(12) }>,
            $f::<{ $i(13) }>,
            $f::<{ $i(14) }>,
            $f::<{ $i(15) }>,
        ]
    };
}

/// Rows of one group of pure instructions:
/// `KIND NAME "pattern" "letters to specialise on" feature decode, body;` with KIND one of Pure, Branch, Fp (pure, behind the
/// FP and SIMD trap check).
///
/// `body` is `fn<B: Ops, const I: u32>(&mut B, &Args) -> Result<(), B::E>`, where I has the word's fixed and specialised bits.
#[macro_export]
macro_rules! pure_rows {
    ($($kind:ident $name:ident $pat:literal $spec:literal $feature:ident $decode:expr, $body:ident;)*) => {
        /// The rows of this group.
        pub const ROWS: &[$crate::isa::Row] = &[$({
            use $crate::{cpu::Cpu, effects::Effects, interp::{Exit, Fast, Op, Slow}, isa::ops::Args, shared::Shared};
            const P: $crate::isa::pattern::Pattern = $crate::isa::pattern::Pattern::new($pat);
            const M: u32 = P.letters($spec);
            const fn word(k: u32) -> u32 {
                P.value | $crate::isa::pattern::deposit(k, M)
            }
            fn fast<const I: u32>(cpu: &mut Cpu, op: &Op, sh: &mut Shared) -> Exit {
                $crate::pure_rows!(@guard $kind cpu op sh);
                match $body::<Fast, I>(&mut Fast { cpu }, &op.args) {
                    Ok(()) => $crate::pure_rows!(@done $kind cpu op sh),
                    Err(_) => slow::<I>(cpu, op, sh),
                }
            }
            #[cold]
            fn slow<const I: u32>(cpu: &mut Cpu, op: &Op, sh: &mut Shared) -> Exit {
                cpu.off = op.args.off;
                let done = $body::<Slow, I>(&mut Slow { cpu, sh }, &op.args);
                $crate::pure_rows!(@slow $kind cpu op sh done)
            }
            fn effects<const I: u32>(args: &Args, e: &mut Effects) {
                let _ = $body::<Effects, I>(e, args);
            }
            $crate::isa::Row {
                name: stringify!($name),
                pattern: P,
                feature: $crate::feature::Feature::$feature,
                kind: $crate::pure_rows!(@kind $kind),
                spec: M,
                decode: $decode,
                run: $crate::instances!(fast, word),
                effects: Some($crate::instances!(effects, word)),
            }
        }),*];
    };
    (@kind Branch) => { $crate::isa::Kind::Branch };
    (@kind $kind:ident) => { $crate::isa::Kind::Pure };
    (@guard Fp $cpu:ident $op:ident $sh:ident) => {
        if $cpu.fp_traps {
            return $crate::interp::fp_trap($cpu, $op, $sh);
        }
    };
    (@guard $kind:ident $cpu:ident $op:ident $sh:ident) => {};
    (@done Fp $cpu:ident $op:ident $sh:ident) => { $crate::interp::next($cpu, $op, $sh) };
    (@done Pure $cpu:ident $op:ident $sh:ident) => { $crate::interp::next($cpu, $op, $sh) };
    (@done Branch $cpu:ident $op:ident $sh:ident) => { Exit::Block };
    (@slow Fp $cpu:ident $op:ident $sh:ident $done:ident) => { $crate::interp::after_slow($cpu, $op, $sh, $done) };
    (@slow Pure $cpu:ident $op:ident $sh:ident $done:ident) => { $crate::interp::after_slow($cpu, $op, $sh, $done) };
    (@slow Branch $cpu:ident $op:ident $sh:ident $done:ident) => {
        match $done {
            Ok(()) => Exit::Block,
            Err(_) => Exit::Trap,
        }
    };
}

/// Rows of one group of helpers: `KIND NAME "pattern" feature function;` with KIND one of Helper, HelperEnd, Fp (a helper
/// behind the FP and SIMD trap check), Undefined (function is ignored: write `undefined`). `where F,` before the function: words
/// for which `F(insn)` is false are unallocated.
#[macro_export]
macro_rules! helper_rows {
    ($($kind:ident $name:ident $pat:literal $feature:ident $(where $valid:expr,)? $f:expr;)*) => {
        /// The rows of this group.
        pub const ROWS: &[$crate::isa::Row] = &[$({
            use $crate::{cpu::Cpu, interp::{Exit, Op}, shared::Shared};
            fn run(cpu: &mut Cpu, op: &Op, sh: &mut Shared) -> Exit {
                $crate::helper_rows!(@run $kind cpu op sh $f)
            }
            $crate::isa::Row {
                name: stringify!($name),
                pattern: $crate::isa::pattern::Pattern::new($pat),
                feature: $crate::feature::Feature::$feature,
                kind: $crate::helper_rows!(@kind $kind),
                spec: 0,
                decode: $crate::helper_rows!(@decode $($valid)?),
                run: [run as $crate::interp::Run; $crate::isa::SPECS],
                effects: None,
            }
        }),*];
    };
    (@decode) => { $crate::isa::whole_word };
    (@decode $valid:expr) => { |insn| if $valid(insn) { $crate::isa::whole_word(insn) } else { None } };
    (@kind Helper) => { $crate::isa::Kind::Helper };
    (@kind Fp) => { $crate::isa::Kind::Helper };
    (@kind HelperEnd) => { $crate::isa::Kind::HelperEnd };
    (@kind Undefined) => { $crate::isa::Kind::Undefined };
    (@run Undefined $cpu:ident $op:ident $sh:ident $f:expr) => { $crate::interp::undefined($cpu, $op, $sh) };
    (@run Fp $cpu:ident $op:ident $sh:ident $f:expr) => { $crate::interp::run_fp($cpu, $op, $sh, $f) };
    (@run Helper $cpu:ident $op:ident $sh:ident $f:expr) => { $crate::interp::run_helper($cpu, $op, $sh, $f) };
    (@run HelperEnd $cpu:ident $op:ident $sh:ident $f:expr) => { $crate::interp::run_helper($cpu, $op, $sh, $f) };
}

/// Decode of helper rows: the word itself is the operand.
pub fn whole_word(insn: u32) -> Option<Args> {
    Some(Args {
        imm: insn as u64,
        ..Args::default()
    })
}

/// The groups, in the order of the Arm ARM's encoding index. Patterns do not overlap (checked by the tests).
pub const GROUPS: &[(&str, &[Row])] = &[
    ("pc_relative", pc_relative::ROWS),
    ("addsub", addsub::ROWS),
    ("logical", logical::ROWS),
    ("movewide", movewide::ROWS),
    ("bitfield", bitfield::ROWS),
    ("branch", branch::ROWS),
    ("exception_gen", exception_gen::ROWS),
    ("system", system::ROWS),
    ("barrier", barrier::ROWS),
    ("load_store", load_store::ROWS),
    ("pair", pair::ROWS),
    ("load_store_fp", load_store_fp::ROWS),
    ("simd_load_store", simd_load_store::ROWS),
    ("exclusive", exclusive::ROWS),
    ("ordered", ordered::ROWS),
    ("atomic", atomic::ROWS),
    ("shift", shift::ROWS),
    ("crc", crc::ROWS),
    ("condition", condition::ROWS),
    ("muldiv", muldiv::ROWS),
    ("pauth", pauth::ROWS),
    ("simd_across", simd_across::ROWS),
    ("simd_by_element", simd_by_element::ROWS),
    ("simd_copy", simd_copy::ROWS),
    ("simd_imm", simd_imm::ROWS),
    ("simd_permute", simd_permute::ROWS),
    ("simd_shift_imm", simd_shift_imm::ROWS),
    ("simd_three_diff", simd_three_diff::ROWS),
    ("simd_three_same", simd_three_same::ROWS),
    ("simd_two_misc", simd_two_misc::ROWS),
    ("simd_extra", simd_extra::ROWS),
    ("crypto_aes", crypto_aes::ROWS),
    ("crypto_sha", crypto_sha::ROWS),
    ("crypto_sha512", crypto_sha512::ROWS),
    ("simd_fp_across", simd_fp_across::ROWS),
    ("simd_fp_by_element", simd_fp_by_element::ROWS),
    ("simd_fp_extra", simd_fp_extra::ROWS),
    ("simd_fp_three_same", simd_fp_three_same::ROWS),
    ("simd_fp_two_misc", simd_fp_two_misc::ROWS),
    ("fp_compare", fp_compare::ROWS),
    ("fp_data1", fp_data1::ROWS),
    ("fp_data2", fp_data2::ROWS),
    ("fp_data3", fp_data3::ROWS),
    ("fp_fixed", fp_fixed::ROWS),
    ("fp_imm", fp_imm::ROWS),
    ("fp_int", fp_int::ROWS),
    ("fp_select", fp_select::ROWS),
];

/// What is told about a row outside the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The file it is in.
    pub group: &'static str,
    /// `Row::name`.
    pub name: &'static str,
    /// The 32 characters of its encoding.
    pub pattern: &'static str,
    /// FEAT_ name, or `base`.
    pub feature: &'static str,
    /// `pure`, `branch`, `helper`, `helper_end` or `undefined`.
    pub kind: &'static str,
}

/// Every row.
pub fn list() -> Vec<Info> {
    let info = |group, r: &Row| Info {
        group,
        name: r.name,
        pattern: r.pattern.text,
        feature: r.feature.name(),
        kind: match r.kind {
            Kind::Pure => "pure",
            Kind::Branch => "branch",
            Kind::Helper => "helper",
            Kind::HelperEnd => "helper_end",
            Kind::Undefined => "undefined",
        },
    };
    GROUPS
        .iter()
        .flat_map(|(group, rows)| rows.iter().map(move |r| info(*group, r)))
        .collect()
}

#[cfg(test)]
mod tests;
