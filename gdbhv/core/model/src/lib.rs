//! The machine model: no Python, no JIT.
//!
//! Modules are layers, and `tests/guards/test_core_layering.py` holds the table of which may use which. From the ground up:
//!
//! | layer | modules |
//! |---|---|
//! | values | [`save`], [`bits`], [`feature`], [`reg`] (what system registers are), [`raise`], [`syndrome`], [`pstate`], [`hcr`], [`fp`] |
//! | state | [`cpu`], [`mem`], [`dev`], [`bus`], [`board`], [`platform`]: what a machine is |
//! | translation | [`mmu`]: what registers say about it, the walker, cached results |
//! | rules | [`timer`], [`pmu`], [`sysreg`] (what an access to a register does), [`exception`], [`serror`], [`selfhosted`], [`vms`] and [`exit`] (with [`account`], [`trace`], [`repeat`], [`sieve`]), [`psci`] |
//! | a PE at work | [`pe`] (a CPU and its caches), [`access`] (loads and stores off the fast path), [`isa`] (instructions) |
//! | compilers | [`ir`]: instructions as typed nodes |
//! | the debugger | [`stops`], [`inspect`], [`halt`] (whether it stops, with [`agent`] expressions) |
//! | execution | [`exec`]: decoded code, the interpreter, what follows from a change of registers |
//! | the whole | [`machine`] (and what a seed decides in it, [`chaos`]) |
//!
//! A newcomer reads [`isa`] for an instruction, [`reg`] and [`sysreg`] for a register, [`exit`] for an exit, [`board`] for a device, and
//! [`machine`] for how they come together.
#![allow(clippy::missing_safety_doc)]
pub mod access;
pub mod account;
pub mod agent;
pub mod bits;
pub mod board;
pub mod bus;
pub mod chaos;
pub mod config;
pub mod cores;
pub mod cpu;
pub mod crc;
pub mod debug_events;
pub mod dev;
pub mod exception;
pub mod exec;
pub mod exit;
pub mod exits;
pub mod fdt;
pub mod feature;
pub mod fp;
pub mod fpen;
pub mod guest;
pub mod halt;
pub mod hcr;
pub mod inspect;
pub mod ir;
pub mod isa;
pub mod machine;
pub mod mem;
pub mod mmu;
pub mod pe;
pub mod physical;
pub mod platform;
pub mod pmu;
pub mod profile;
pub mod psci;
pub mod pstate;
pub mod raise;
#[cfg(test)]
mod random_tests;
pub mod reg;
pub mod repeat;
pub mod save;
pub mod selfhosted;
pub mod serror;
pub mod shared;
pub mod sieve;
pub mod stops;
pub mod syndrome;
pub mod sysreg;
pub mod timer;
pub mod tlbcheck;
pub mod trace;
pub mod vms;
