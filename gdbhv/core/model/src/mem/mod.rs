//! Memory as devices and CPUs see it.

pub mod access;
pub mod bus;
pub mod ram;
