//! The instruction set: rows, collected from the group files into the decode table.
//!
//! A row is a pattern, a name, a feature, a kind and a body. Three kinds:
//! * **pure**: a function generic over the vocabulary of run-time effects ([`ops::Ops`]). `branch` rows are pure rows that end a block.
//! * **helper**: one concrete function of (CPU, what CPUs share, instruction word). `Fp` rows of either kind are behind the FP trap check.
//! * **undefined**: listed so that it is decided and not forgotten.
//!
//! Adding an instruction is adding a row to its group's file.
//!
//! Rows name no back end. A [`Backend`] makes an entry of its own for each row ([`entries`]): the interpreter a function, the recorder
//! another one.

pub mod addsub;
pub mod at;
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
pub mod float;
pub mod fp_bodies;
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
pub mod simd;
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
pub mod vector;

use crate::feature::Feature;
use crate::pe::Pe;
use crate::raise::{Flow, Trap};
use crate::shared::Shared;
use ops::{Args, Ops};
use pattern::Pattern;

/// The function of a helper row. `Cpu::pc + 4 * Cpu::off` is its address (`Cpu::here`).
pub type Helper = fn(&mut Pe, &mut Shared, u32) -> Result<Flow, Trap>;

/// A pure row, for a back end to instantiate.
pub trait Pure {
    /// It is behind the FP and SIMD trap check.
    const FP: bool;
    /// It ends its block.
    const BRANCH: bool;
    /// The body; `I` has the word's fixed and specialised bits.
    fn body<B: Ops, const I: u32>(b: &mut B, args: &Args) -> Result<(), B::E>;
}

/// A helper row, for a back end to call.
pub trait Concrete {
    /// It is behind the FP and SIMD trap check.
    const FP: bool;
    /// The function ([`Helper`]).
    fn call(cpu: &mut Pe, sh: &mut Shared, insn: u32) -> Result<Flow, Trap>;
}

/// What executes, records or compiles rows.
pub trait Backend {
    /// Its entry for a row.
    type Entry: Copy;
    /// Of an instance of a pure row.
    fn pure<R: Pure, const I: u32>() -> Self::Entry;
    /// Of a helper row.
    fn helper<R: Concrete>() -> Self::Entry;
    /// Of an encoding that is UNDEFINED.
    fn undefined() -> Self::Entry;
}

/// How a row is executed.
#[derive(Clone, Copy)]
pub enum RowKind {
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
#[derive(Clone, Copy)]
pub struct Row {
    /// The Arm ARM's mnemonic and a class suffix, e.g. `ADD_imm`.
    pub name: &'static str,
    /// Encoding.
    pub pattern: Pattern,
    /// The feature that brought it: without it the row is not there.
    pub feature: Feature,
    /// How it runs.
    pub kind: RowKind,
    /// Bits that pick the instantiation.
    pub spec: u32,
    /// Operands of a word; None if the word is unallocated after all.
    pub decode: fn(u32) -> Option<Args>,
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
            const P: $crate::isa::pattern::Pattern = $crate::isa::pattern::Pattern::new($pat);
            $crate::isa::Row {
                name: stringify!($name),
                pattern: P,
                feature: $crate::feature::Feature::$feature,
                kind: $crate::pure_rows!(@kind $kind),
                spec: P.letters($spec),
                decode: $decode,
            }
        }),*];
        /// What a back end makes of them.
        pub fn entries<B: $crate::isa::Backend>(all: &mut Vec<[B::Entry; $crate::isa::SPECS]>) {
            $({
                use $crate::isa::{ops::{Args, Ops}, pattern, Pure};
                struct R;
                impl Pure for R {
                    const FP: bool = $crate::pure_rows!(@is Fp $kind);
                    const BRANCH: bool = $crate::pure_rows!(@is Branch $kind);
                    #[inline(always)]
                    fn body<B: Ops, const I: u32>(b: &mut B, args: &Args) -> Result<(), B::E> {
                        $body::<B, I>(b, args)
                    }
                }
                const P: pattern::Pattern = pattern::Pattern::new($pat);
                const fn word(k: u32) -> u32 {
                    P.value | pattern::deposit(k, P.letters($spec))
                }
                all.push([
                    B::pure::<R, { word(0) }>(), B::pure::<R, { word(1) }>(), B::pure::<R, { word(2) }>(), B::pure::<R, { word(3) }>(),
                    B::pure::<R, { word(4) }>(), B::pure::<R, { word(5) }>(), B::pure::<R, { word(6) }>(), B::pure::<R, { word(7) }>(),
                    B::pure::<R, { word(8) }>(), B::pure::<R, { word(9) }>(), B::pure::<R, { word(10) }>(), B::pure::<R, { word(11) }>(),
                    B::pure::<R, { word(12) }>(), B::pure::<R, { word(13) }>(), B::pure::<R, { word(14) }>(), B::pure::<R, { word(15) }>(),
                ]);
            })*
        }
    };
    (@kind Branch) => { $crate::isa::RowKind::Branch };
    (@kind $kind:ident) => { $crate::isa::RowKind::Pure };
    (@is Fp Fp) => { true };
    (@is Branch Branch) => { true };
    (@is $what:ident $kind:ident) => { false };
}

/// Rows of one group of helpers: `KIND NAME "pattern" feature function;` with KIND one of Helper, HelperEnd, Fp (a helper
/// behind the FP and SIMD trap check), Undefined (function is ignored: write `undefined`). `where F,` before the function: words
/// for which `F(insn)` is false are unallocated.
#[macro_export]
macro_rules! helper_rows {
    ($($kind:ident $name:ident $pat:literal $feature:ident $(where $valid:expr,)? $f:expr;)*) => {
        /// The rows of this group.
        pub const ROWS: &[$crate::isa::Row] = &[$({
            $crate::isa::Row {
                name: stringify!($name),
                pattern: $crate::isa::pattern::Pattern::new($pat),
                feature: $crate::feature::Feature::$feature,
                kind: $crate::helper_rows!(@kind $kind),
                spec: 0,
                decode: $crate::helper_rows!(@decode $($valid)?),
            }
        }),*];
        /// What a back end makes of them.
        pub fn entries<B: $crate::isa::Backend>(all: &mut Vec<[B::Entry; $crate::isa::SPECS]>) {
            $( $crate::helper_rows!(@entry $kind all $f); )*
        }
    };
    (@decode) => { $crate::isa::whole_word };
    (@decode $valid:expr) => { |insn| if $valid(insn) { $crate::isa::whole_word(insn) } else { None } };
    (@kind Helper) => { $crate::isa::RowKind::Helper };
    (@kind Fp) => { $crate::isa::RowKind::Helper };
    (@kind HelperEnd) => { $crate::isa::RowKind::HelperEnd };
    (@kind Undefined) => { $crate::isa::RowKind::Undefined };
    (@entry Undefined $all:ident $f:expr) => { $all.push([B::undefined(); $crate::isa::SPECS]); };
    (@entry $kind:ident $all:ident $f:expr) => {{
        use $crate::{pe::Pe, isa::Concrete, raise::{Flow, Trap}, shared::Shared};
        struct R;
        impl Concrete for R {
            const FP: bool = $crate::pure_rows!(@is Fp $kind);
            #[inline(always)]
            fn call(cpu: &mut Pe, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
                const F: $crate::isa::Helper = $f;
                F(cpu, sh, insn)
            }
        }
        $all.push([B::helper::<R>(); $crate::isa::SPECS]);
    }};
}

/// Rows of one group of which some are pure and some are helpers: `pure { rows } helper { rows }`, each as [`pure_rows`] and
/// [`helper_rows`] take them.
#[macro_export]
macro_rules! mixed_rows {
    (pure { $($pure:tt)* } helper { $($helper:tt)* }) => {
        mod pure {
            use super::*;
            $crate::pure_rows! { $($pure)* }
        }
        mod helper {
            use super::*;
            $crate::helper_rows! { $($helper)* }
        }
        /// The rows of this group.
        pub const ROWS: &[$crate::isa::Row] =
            &$crate::isa::join::<{ pure::ROWS.len() + helper::ROWS.len() }>(pure::ROWS, helper::ROWS);
        /// What a back end makes of them.
        pub fn entries<B: $crate::isa::Backend>(all: &mut Vec<[B::Entry; $crate::isa::SPECS]>) {
            pure::entries::<B>(all);
            helper::entries::<B>(all);
        }
    };
}

/// The rows of `a`, then those of `b`.
pub const fn join<const N: usize>(a: &[Row], b: &[Row]) -> [Row; N] {
    let (mut all, mut k) = ([a[0]; N], 0);
    while k < N {
        all[k] = if k < a.len() { a[k] } else { b[k - a.len()] };
        k += 1;
    }
    all
}

/// Decode of helper rows: the word itself is the operand.
pub fn whole_word(insn: u32) -> Option<Args> {
    Some(Args {
        imm: insn as u64,
        ..Args::default()
    })
}

macro_rules! groups {
    ($($group:ident)*) => {
        /// The groups, in the order of the Arm ARM's encoding index. Patterns do not overlap (checked by the tests).
        pub const GROUPS: &[(&str, &[Row])] = &[$((stringify!($group), $group::ROWS)),*];

        /// What a back end makes of every row, by the row's number ([`decode::numbered`]) and the value of its specialised bits.
        pub fn entries<B: Backend>() -> Vec<[B::Entry; SPECS]> {
            let mut all = Vec::new();
            $($group::entries::<B>(&mut all);)*
            all
        }
    };
}

groups! {
    pc_relative addsub logical movewide bitfield branch exception_gen system barrier load_store pair
    load_store_fp simd_load_store exclusive ordered atomic shift crc condition muldiv pauth simd_across simd_by_element simd_copy
    simd_imm simd_permute simd_shift_imm simd_three_diff simd_three_same simd_two_misc simd_extra crypto_aes crypto_sha crypto_sha512
    simd_fp_across simd_fp_by_element simd_fp_extra simd_fp_three_same simd_fp_two_misc fp_compare fp_data1 fp_data2 fp_data3 fp_fixed fp_imm fp_int fp_select
}

/// The description of a row for users outside the core.
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
            RowKind::Pure => "pure",
            RowKind::Branch => "branch",
            RowKind::Helper => "helper",
            RowKind::HelperEnd => "helper_end",
            RowKind::Undefined => "undefined",
        },
    };
    GROUPS
        .iter()
        .flat_map(|(group, rows)| rows.iter().map(move |r| info(*group, r)))
        .collect()
}

#[cfg(test)]
mod tests;
