//! Checks of what software does, switched on and off.

use super::Machine;
use crate::access::checking;

impl Machine {
    /// Check what is done with translation tables and TLBs, from now on (beginning anew), or no longer. Time and all that guests see stays as
    /// it is; code is interpreted meanwhile.
    pub fn check_tlb(&mut self, on: bool) {
        checking::set(&mut self.sh, self.cpus.len(), on);
        self.code.set_checked(on);
        if on {
            self.code.set_tiering(None);
        }
        self.recheck();
    }
    /// After what the check knows has become another machine's.
    pub(super) fn check_anew(&mut self) {
        if self.sh.check.is_some() {
            checking::set(&mut self.sh, self.cpus.len(), true);
            self.code.set_checked(true);
        }
    }
}
