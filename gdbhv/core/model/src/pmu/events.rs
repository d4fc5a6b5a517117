//! The events that can be counted, as one table: PMCEID0_EL0 and PMCEID1_EL0 report exactly these (Arm ARM D13.11, "Common event
//! numbers"). All are exact. Nothing stalls here, so that the stall events, which PMUv3p1 and PMUv3p4 require, stay 0; events
//! that need caches, TLBs, prediction or speculation to be seen are not there.

use crate::cpu::counters::{Total, What};
use crate::feature::{Feature, Features};

/// An event.
pub struct Event {
    /// The value of PMEVTYPER<n>_EL0.evtCount.
    pub number: u16,
    /// The Arm ARM's mnemonic.
    pub name: &'static str,
    /// How it is counted.
    pub what: What,
    /// The feature that introduced it.
    pub feature: Feature,
}

/// Software increment.
pub const SW_INCR: u16 = 0x00;
/// Exception taken.
pub const EXC_TAKEN: u16 = 0x09;
/// Exception return, executed.
pub const EXC_RETURN: u16 = 0x0a;
/// Overflow of the preceding, even counter.
pub const CHAIN: u16 = 0x1e;

const fn event(number: u16, name: &'static str, what: What, feature: Feature) -> Event {
    Event {
        number,
        name,
        what,
        feature,
    }
}

use Feature::{PMUv3, PMUv3p1, PMUv3p4};

/// The events.
#[rustfmt::skip]
pub const EVENTS: &[Event] = &[
    event(0x00, "SW_INCR",           What::Pulse(SW_INCR),            PMUv3),
    event(0x06, "LD_RETIRED",        What::Total(Total::Loads),       PMUv3),
    event(0x07, "ST_RETIRED",        What::Total(Total::Stores),      PMUv3),
    event(0x08, "INST_RETIRED",      What::Total(Total::Retired),     PMUv3),
    event(0x09, "EXC_TAKEN",         What::Pulse(EXC_TAKEN),          PMUv3),
    event(0x0a, "EXC_RETURN",        What::Pulse(EXC_RETURN),         PMUv3),
    event(0x0d, "BR_IMMED_RETIRED",  What::Total(Total::Immediate),   PMUv3),
    event(0x0e, "BR_RETURN_RETIRED", What::Total(Total::Returns),     PMUv3),
    event(0x11, "CPU_CYCLES",        What::Total(Total::Cycles),      PMUv3),
    event(0x13, "MEM_ACCESS",        What::Total(Total::Accesses),    PMUv3),
    event(0x1e, "CHAIN",             What::Pulse(CHAIN),              PMUv3),
    event(0x21, "BR_RETIRED",        What::Total(Total::Branches),    PMUv3),
    event(0x23, "STALL_FRONTEND",    What::Nothing,                   PMUv3p1),
    event(0x24, "STALL_BACKEND",     What::Nothing,                   PMUv3p1),
    event(0x3c, "STALL",             What::Nothing,                   PMUv3p4),
];

/// What a counter of type `value` (PMEVTYPER<n>_EL0) counts. evtCount has 10 bits before PMUv3p1, 16 from then on.
pub fn what(value: u64, features: Features) -> What {
    let wide = features.has(PMUv3p1);
    let number = (value & if wide { 0xffff } else { 0x3ff }) as u16;
    EVENTS
        .iter()
        .find(|e| e.number == number && features.has(e.feature))
        .map_or(What::Nothing, |e| e.what)
}

/// PMCEID<n>_EL0: bit i of the low half is for event 32n + i. (The upper half is for events from 0x4000 on.)
pub fn ceid(n: u16, features: Features) -> u64 {
    EVENTS
        .iter()
        .filter(|e| e.number / 32 == n && features.has(e.feature))
        .fold(0, |m, e| m | 1 << (e.number % 32))
}
