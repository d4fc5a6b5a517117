//! Execution: decoded code ([`code`], in [`block`]s kept by page, found through [`jumps`]), the interpreter ([`interp`]), the interface of a compiling
//! tier ([`native`]), one instruction at a time ([`single`]), and the effects of register writes on what is derived from them
//! ([`refresh`]).

pub mod block;
pub mod code;
pub mod interp;
pub mod jumps;
pub mod native;
mod page;
pub mod perf;
pub mod refresh;
pub mod single;
