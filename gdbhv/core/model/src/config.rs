//! What kind of machine it is.

use crate::cores::Core;
use crate::feature::Features;

/// What kind of machine it is; fixed when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// EL2 exists.
    pub has_el2: bool,
    /// EL2 is played by the host side: an exception to EL2 stops the machine, and nothing is ever fetched at EL2.
    pub hosted: bool,
    /// What the CPUs have: decides which instructions exist, and what ID registers and PSTATE tell.
    pub features: Features,
    /// What else their ID registers tell.
    pub core: &'static Core,
}
