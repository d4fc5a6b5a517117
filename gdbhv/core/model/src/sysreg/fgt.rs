//! Fine-grained traps (FEAT_FGT; Arm ARM D24.2 HFGRTR_EL2, HFGWTR_EL2, HFGITR_EL2, HDFGRTR_EL2, HDFGWTR_EL2): one row for each bit. From
//! the rows come the fields that `monitor sysreg` shows, the bits that can be written, the trap, and its name in an exit's causes.
//!
//! They are asked last: what EL1 refuses, and what is UNDEFINED, comes first (the accessibility pseudocode of each register), and the
//! order among traps to EL2 changes nothing but the order of the causes. They trap EL1, and EL0 but for the host's (HCR_EL2.E2H and TGE).
//! `Pe::fgt` tells whether there is anything to ask, so that they cost nothing while they are not used.

use super::trap::{intern, Verdict};
use crate::bits::bit;
use crate::config::Config;
use crate::feature::Feature;
use crate::hcr;
use crate::pe::Pe;
use crate::reg::fgt::{Bit, BITS, CONTROLS};
use crate::reg::field;
use crate::reg::names::*;
use crate::reg::{sysop, INFOS};
use crate::syndrome::ec;
use std::sync::OnceLock;

/// The bit for an encoding (`op0` 1 for system instructions, 2 and 3 for registers), if it has one.
pub fn find(code: u16) -> Option<&'static Bit> {
    static TABLE: OnceLock<Vec<Option<&'static Bit>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut t = vec![None; 1 << 16];
        let registers = INFOS.iter().map(|r| (r.name, r.reg.0));
        for (name, code) in registers.chain(sysop::INFOS.iter().map(|r| (r.name, r.code))) {
            t[code as usize] = BITS.iter().find(|b| b.covers(name));
        }
        t
    });
    table[code as usize]
}

/// Whether any fine-grained trap is to be asked at the current Exception level: `Pe::fgt`, kept by `exec::refresh`. Bits that
/// trap when clear belong to features that no profile has.
pub fn in_use(cpu: &Pe, config: &Config) -> bool {
    let host = hcr::is_host(cpu.get(HCR_EL2));
    config.has_el2
        && config.features.has(Feature::FGT)
        && cpu.pstate.el < 2
        && !(cpu.pstate.el == 0 && host)
        && CONTROLS.iter().any(|r| cpu.get(*r) != 0)
}

/// What becomes of the verdict of a row's own rules.
#[inline]
pub fn judge(cpu: &Pe, code: u16, write: bool, verdict: Verdict) -> Verdict {
    match cpu.fgt {
        false => verdict,
        true => judge_bit(cpu, code, write, verdict),
    }
}

#[cold]
fn judge_bit(cpu: &Pe, code: u16, write: bool, verdict: Verdict) -> Verdict {
    let Some(b) = find(code) else { return verdict };
    let Some((control, cause)) = b.control[write as usize] else {
        return verdict;
    };
    if bit(cpu.get(control), b.bit as u32) == b.when_clear {
        return verdict;
    }
    match verdict {
        Verdict::Allowed => Verdict::Trap(2, ec::SYSREG, cause),
        Verdict::Trap(2, class, causes) => {
            Verdict::Trap(2, class, intern([causes, cause].concat()))
        }
        other => other,
    }
}

/// The cause of the trap of an SVC, if it is trapped (`AArch64.CheckForSVCTrap`).
pub fn svc(cpu: &Pe) -> Option<&'static [&'static str]> {
    let (control, cause): (_, &[_]) = match cpu.pstate.el {
        0 => (field!(HFGITR_EL2.SVC_EL0), &["HFGITR_EL2.SVC_EL0"]),
        _ => (field!(HFGITR_EL2.SVC_EL1), &["HFGITR_EL2.SVC_EL1"]),
    };
    (cpu.fgt && cpu.is_set(control)).then_some(cause)
}

/// The cause of the trap of an ERET at EL1, if it is trapped (`AArch64.CheckForERetTrap`).
pub fn eret(cpu: &Pe) -> Option<&'static [&'static str]> {
    let trapped = cpu.fgt && cpu.pstate.el == 1 && cpu.is_set(field!(HFGITR_EL2.ERET));
    trapped.then_some(&["HFGITR_EL2.ERET"])
}

#[cfg(test)]
#[path = "fgt_tests.rs"]
mod tests;
