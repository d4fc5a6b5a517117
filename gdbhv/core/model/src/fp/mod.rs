//! Floating-point arithmetic as the Arm ARM's pseudocode defines it (J1.3, `shared/functions/float`): exact, in integers, one
//! body for half, single and double precision.
//!
//! Operands and results are bit strings in a `u64` with a [`format::Format`]. An [`env::Env`] carries FPCR in and the cumulative
//! exception bits of FPSR out. In between a number is a [`num::Num`]: class, sign, exponent and a 64-bit significand;
//! `round` is the only way back. What makes Arm special is all in there and in `num`: flushing before rounding, tininess
//! before rounding, NaN propagation by operand order, the default NaN, the alternative half precision.
//!
//! * `format` encodings; * `env` FPCR and FPSR; * `num` unpack and NaNs; * `round`; * `arith` add, multiply, divide, square
//!   root, fused; * `compare` with minimum and maximum; * `convert` between formats and integers; * `estimate` the reciprocal tables;
//! * `shape` lanes of vectors; `host` the same results from the host's own arithmetic, where it is known to give them.

pub mod arith;
pub mod compare;
pub mod convert;
pub mod env;
pub mod estimate;
pub mod format;
pub mod host;
pub mod num;
pub mod round;
pub mod shape;

#[cfg(test)]
mod tests;
