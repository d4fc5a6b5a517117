//! Exceptions: what an instruction raises, where it is routed, entry and return. The only place that changes EL.
//!
//! An instruction ends with an exception by building an [`Exception`] and handing it to [`Cpu::raise`]; the dispatcher then
//! calls [`take`]. Routing that depends on the kind of exception (a trap bit, a stage of translation) is decided by whoever raises it
//! and stands in `target`; routing that is common to all (HCR_EL2.TGE, never to a lower EL) is done here.

use crate::cpu::{Cpu, Trap};
use crate::shared::Shared;

/// Which of the four entries of a vector table quarter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Synchronous.
    Sync,
    /// IRQ or vIRQ.
    Irq,
    /// FIQ or vFIQ.
    Fiq,
    /// SError or vSError.
    SError,
}

/// One exception, before it is taken. All that the syndrome registers and the exit record need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Vector.
    pub kind: Kind,
    /// Exception level that takes it, 1 or 2 (raised to the current EL, and to 2 by HCR_EL2.TGE from EL0, when taken).
    pub target: u8,
    /// ESR_ELx.EC.
    pub ec: u8,
    /// ESR_ELx.ISS (25 bits) without what [`take`] adds (the ISV part of data aborts).
    pub iss: u32,
    /// ESR_ELx.IL.
    pub il: bool,
    /// The preferred return address is the next instruction's (SVC, HVC, SMC executed) and not this one's.
    pub next: bool,
    /// FAR_ELx, where it is defined for this exception.
    pub far: Option<u64>,
    /// The true IPA that faulted in stage 2 (of the descriptor if S1PTW), and whether HPFAR_EL2 is architecturally valid.
    pub ipa: Option<(u64, bool)>,
    /// The control that routes it to EL2, as `REGISTER.FIELD`, most effective first; empty if none.
    pub cause: &'static [&'static str],
    /// The interrupt that an Irq or Fiq would acknowledge, if known (for the exit record only).
    pub intid: Option<u32>,
}

impl Exception {
    /// A synchronous exception with everything else at its usual value: 32-bit instruction, returns to it.
    pub const fn sync(target: u8, ec: u8, iss: u32) -> Exception {
        Exception {
            kind: Kind::Sync,
            target,
            ec,
            iss,
            il: true,
            next: false,
            far: None,
            ipa: None,
            cause: &[],
            intid: None,
        }
    }
}

/// Raise an UNDEFINED instruction (EC 0) to EL1 (EL2 if executed there).
pub fn undefined(cpu: &mut Cpu) -> Trap {
    cpu.raise(Exception {
        ..Exception::sync(1, 0, 0)
    })
}

/// Raise the trap of an FP or SIMD instruction: `Cpu::fp_traps` is set (CPACR_EL1.FPEN first, then CPTR_EL2; EC 0x07).
pub fn fp_access(cpu: &mut Cpu, _sh: &mut Shared) -> Trap {
    cpu.raise(Exception::sync(1, 7, 0x1e0_0000))
}

/// Refuse a misaligned SP as a base if SCTLR_ELx.SA (SA0 at EL0) says so (`CheckSPAlignment`; EC 0x26).
pub fn check_sp(_cpu: &mut Cpu) -> Result<(), Trap> {
    Ok(())
}
