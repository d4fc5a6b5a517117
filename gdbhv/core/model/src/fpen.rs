//! Whether FP and SIMD instructions trap now: CPACR_EL1.FPEN and CPTR_EL2.

use crate::bits::bit;
use crate::cpu::Cpu;
use crate::reg::names::*;

/// Where an FP access traps to now, and by which control; None if it does not.
pub fn fp_trap(cpu: &Cpu) -> Option<(u8, &'static [&'static str])> {
    let hcr = cpu.get(HCR_EL2);
    let (e2h, tge) = (bit(hcr, 34), bit(hcr, 27));
    let el = cpu.pstate.el;
    if el < 2 && !(e2h && tge) {
        let fpen = cpu.get(CPACR_EL1) >> 20 & 3;
        if fpen & 1 == 0 || (fpen == 1 && el == 0) {
            return Some((1, &["CPACR_EL1.FPEN"]));
        }
    }
    let cptr = cpu.get(CPTR_EL2);
    let traps = if e2h {
        let fpen = cptr >> 20 & 3;
        fpen & 1 == 0 || (fpen == 1 && el == 0 && tge)
    } else {
        bit(cptr, 10)
    };
    traps.then_some((
        2,
        if e2h {
            &["CPTR_EL2.FPEN"]
        } else {
            &["CPTR_EL2.TFP"]
        },
    ))
}
