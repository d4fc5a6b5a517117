//! Switches for the checks of what software does.

use super::Machine;
use crate::access::checking;

impl Machine {
    /// Switch the TLB checker on (with nothing remembered) or off. Time and all that guests see stay the same; while it is on, code is
    /// interpreted.
    pub fn check_tlb(&mut self, on: bool) {
        checking::set(&mut self.sh, self.cpus.len(), on);
        self.code.set_checked(on);
        if on {
            self.code.set_tiering(None);
        }
        self.recheck();
    }
    /// Restart the TLB checker, after the machine's state was replaced.
    pub(super) fn check_anew(&mut self) {
        if self.sh.check.is_some() {
            checking::set(&mut self.sh, self.cpus.len(), true);
            self.code.set_checked(true);
        }
    }
}
