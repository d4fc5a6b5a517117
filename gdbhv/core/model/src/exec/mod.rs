//! Execution: decoded code ([`code`], in [`block`]s, found through [`jumps`]), the interpreter ([`interp`]), the interface of a compiling
//! tier ([`native`]), one instruction at a time ([`single`]), and the effects of register writes on what is derived from them
//! ([`refresh`]).

pub mod block;
pub mod code;
pub mod interp;
pub mod jumps;
pub mod native;
pub mod perf;
pub mod refresh;
pub mod single;
