//! Executing: decoded code ([`code`], in [`block`]s, found by [`jumps`]), the interpreter ([`interp`]), a compiling tier ([`native`]), one instruction at a time ([`single`]), and what follows from a change
//! of registers before the next instruction ([`refresh`]).

pub mod block;
pub mod code;
pub mod interp;
pub mod jumps;
pub mod native;
pub mod perf;
pub mod refresh;
pub mod single;
