//! What an access wants of a translation.

use super::fault::Purpose;

/// What an access wants of a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What for.
    pub purpose: Purpose,
    /// It writes (for CacheMaintenance: it invalidates; for At: the W form).
    pub write: bool,
    /// With EL0's privileges.
    pub user: bool,
    /// PSTATE.PAN applies.
    pub pan: bool,
    /// Aligned to its size, so that Device memory will do.
    pub aligned: bool,
    /// False: a debugger asks, and permissions, access flag and alignment do not matter.
    pub checked: bool,
}

impl Access {
    /// An aligned, checked access.
    pub const fn new(purpose: Purpose, write: bool, user: bool, pan: bool) -> Access {
        Access {
            purpose,
            write,
            user,
            pan,
            aligned: true,
            checked: true,
        }
    }
    /// What a fault reports as WnR unless a permission decides: an access that also reads is a read that failed
    /// (D24.2.40 ESR_ELx; `NoFault`).
    pub(super) fn wnr(&self) -> bool {
        self.purpose == Purpose::Write
    }
}
