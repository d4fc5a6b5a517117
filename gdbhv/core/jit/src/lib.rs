//! Tier 1: native code of blocks, one pass from the nodes of the IR.
//!
//! What to read in which order: [`plan`](x64::plan) says what is known of a block before; [`emit`](x64::emit) takes its nodes to machine code
//! (with [`arithmetic`](x64::arithmetic), [`flags`](x64::flags), [`access`](x64::access), [`control`](x64::control)); [`values`](x64::values) says
//! where the values of an instruction and the guest's registers are meanwhile; [`one`](x64::one) has the interpreter execute an instruction;
//! [`frame`](x64::frame) is how native code is entered and left; [`memory`](x64::memory) is where it lies; [`tier`](x64::tier) keeps what was
//! compiled and who jumps to whom.
//!
//! A host of another kind has no such tier: [`compiler`] says so, and everything runs on the interpreter.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[allow(clippy::useless_conversion)] // dynasm! converts the numbers of registers
pub mod x64;

use gdbhv_model::exec::native::Compiler;
use gdbhv_model::feature::Features;

/// The compiler of this host, for a machine with `features`.
///
/// # Errors
/// A sentence: there is none for such a host, or it gives no memory for code.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub fn compiler(features: Features) -> Result<Box<dyn Compiler>, String> {
    Ok(Box::new(x64::tier::Tier1::new(features)?))
}

/// The compiler of this host, for a machine with `features`.
///
/// # Errors
/// A sentence: there is none for such a host.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub fn compiler(_: Features) -> Result<Box<dyn Compiler>, String> {
    Err(
        "there is a compiling tier for x86-64 under Linux alone: this host has the interpreter"
            .into(),
    )
}
