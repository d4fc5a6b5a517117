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
    /// The features of the CPUs: they decide which instructions exist, and the values of ID registers and the fields of PSTATE.
    pub features: Features,
    /// The other contents of their ID registers.
    pub core: &'static Core,
}
