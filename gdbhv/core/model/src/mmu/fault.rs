//! What goes wrong in a translation or an access: a value, turned into an exception by `exception::abort`.

/// RegimeKind of a fault, with the level where one belongs to it (-1 to 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Address size fault.
    AddressSize(i8),
    /// Translation fault.
    Translation(i8),
    /// Access flag fault.
    AccessFlag(i8),
    /// Permission fault.
    Permission(i8),
    /// The same of a table in Device memory, by HCR_EL2.PTW.
    ProtectedWalk(i8),
    /// Alignment fault.
    Alignment,
    /// Synchronous external abort on the access.
    External,
    /// Synchronous external abort on a table walk.
    ExternalWalk(i8),
    /// Unsupported exclusive or atomic access (Device memory).
    Exclusive,
    /// Unsupported atomic hardware update of a descriptor.
    HwUpdate,
    /// TLB conflict.
    TlbConflict,
}

impl FaultKind {
    /// The fault status code, DFSC or IFSC (Arm ARM D24.2.40 ESR_EL1, `EncodeLDFSC`).
    pub const fn fsc(self) -> u32 {
        const fn level(base: u32, l: i8, minus_one: u32) -> u32 {
            if l < 0 {
                minus_one
            } else {
                base | l as u32
            }
        }
        match self {
            FaultKind::AddressSize(l) => level(0x00, l, 0x29),
            FaultKind::Translation(l) => level(0x04, l, 0x2b),
            FaultKind::AccessFlag(l) => level(0x08, l, 0x08),
            FaultKind::Permission(l) | FaultKind::ProtectedWalk(l) => level(0x0c, l, 0x0c),
            FaultKind::External => 0x10,
            FaultKind::ExternalWalk(l) => level(0x14, l, 0x13),
            FaultKind::Alignment => 0x21,
            FaultKind::TlbConflict => 0x30,
            FaultKind::HwUpdate => 0x31,
            FaultKind::Exclusive => 0x35,
        }
    }
}

/// The control of [`FaultKind::ProtectedWalk`].
pub const PROTECTED_WALK: &str = "HCR_EL2.PTW";

/// The purpose of the access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Instruction fetch.
    Fetch,
    /// Load.
    Read,
    /// Store.
    Write,
    /// Atomic read and write: write permission is needed, a missing read permission is reported first.
    ReadWrite,
    /// DC or IC by VA, or DC ZVA with `write`: ESR.CM for the former.
    CacheMaintenance,
    /// Address translation instruction.
    At,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// RegimeKind and level.
    pub kind: FaultKind,
    /// Detected in stage 2.
    pub stage2: bool,
    /// The stage 2 fault happened on the fetch or update of a stage 1 descriptor.
    pub s1ptw: bool,
    /// The address as the instruction gave it (tag included: FAR).
    pub va: u64,
    /// The IPA that stage 2 refused (of the descriptor if `s1ptw`); 0 if `stage2` is false.
    pub ipa: u64,
    /// The purpose of the access.
    pub purpose: Purpose,
    /// It writes (WnR).
    pub write: bool,
}
