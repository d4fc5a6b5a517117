//! For x86-64 hosts.

pub mod emit;
pub mod frame;
pub mod memory;
pub mod tier;
pub mod values;
