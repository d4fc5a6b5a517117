//! Translation as instructions see it: loads, stores and fetches through both stages, with the faults they end in. The oracle is
//! the Arm ARM (D8 and the pseudocode J1.1.5; section cited where a rule is not obvious).

mod instructions;
mod permissions;
mod shapes;
mod stages;
#[path = "../support/mod.rs"]
mod support;
mod wide;

use support::RAM;

const PAGE: u64 = RAM + 0x10_0000;
