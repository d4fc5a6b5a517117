//! For x86-64 hosts.

pub mod access;
pub mod arithmetic;
pub mod control;
pub mod emit;
pub mod flags;
pub mod float;
pub mod frame;
pub mod granted;
pub mod memory;
pub mod one;
pub mod plan;
pub mod tier;
pub mod values;
pub mod vector;
