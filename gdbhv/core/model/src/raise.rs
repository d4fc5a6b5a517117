//! What ends an instruction early: the values passed from execution to exception entry. No behaviour.
//!
//! An instruction raises by building an [`Exception`], handing it to `Cpu::raise`, and returning the [`Trap`] that it gets. A
//! fault of the guest is such a value; it is never an error of the host side.

/// What a helper did with the flow of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// On to the next instruction.
    Next,
    /// On to the next instruction, but look at interrupts, the context and the debugger first.
    Sync,
    /// `Cpu::pc` holds the next instruction's address.
    Jump,
}

/// The instruction did not complete; `Cpu::raised` says why, or the debugger wants to stop before it (`Shared::debug`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap;

/// Which of the four entries of a vector table quarter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionKind {
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
    pub kind: ExceptionKind,
    /// Exception level that takes it, 1 or 2 (raised to the current EL, and to 2 by HCR_EL2.TGE from EL0, when taken).
    pub target: u8,
    /// ESR_ELx.EC, of the "from a lower EL" form where there are two.
    pub ec: u8,
    /// ESR_ELx.ISS (25 bits) without what `exception::take` adds (the ISV part of data aborts).
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
    /// ICH_MISR_EL2, if that is the maintenance interrupt.
    pub misr: u8,
}

impl Exception {
    /// A synchronous exception with everything else at its usual value: 32-bit instruction, returns to it.
    pub const fn sync(target: u8, ec: u8, iss: u32) -> Exception {
        Exception {
            kind: ExceptionKind::Sync,
            target,
            ec,
            iss,
            il: true,
            next: false,
            far: None,
            ipa: None,
            cause: &[],
            intid: None,
            misr: 0,
        }
    }
}

/// What interrupt lines a PE sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Physical IRQ.
    pub irq: bool,
    /// Physical FIQ.
    pub fiq: bool,
    /// Virtual IRQ from the list registers.
    pub virq: bool,
    /// Virtual FIQ from the list registers.
    pub vfiq: bool,
}
