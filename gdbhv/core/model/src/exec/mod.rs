//! Executing: decoded code ([`code`], in [`block`]s), the interpreter ([`interp`]), one instruction at a time ([`single`]), and what follows from a change
//! of registers before the next instruction ([`refresh`]).

pub mod block;
pub mod code;
pub mod interp;
pub mod refresh;
pub mod single;
