//! The machine model: no Python, no JIT.
#![allow(clippy::missing_safety_doc)]
pub mod bits;
pub mod blocks;
pub mod board;
pub mod context;
pub mod cpu;
pub mod crc;
pub mod debug;
pub mod dev;
pub mod effects;
pub mod exception;
pub mod exit;
pub mod fdt;
pub mod fp;
pub mod inspect;
pub mod interp;
pub mod isa;
pub mod machine;
pub mod mem;
pub mod memory;
pub mod mmu;
pub mod physical;
pub mod psci;
pub mod pstate;
pub mod shared;
pub mod syndrome;
pub mod sysreg;
