//! Whether FP and SIMD instructions trap now: CPACR_EL1.FPEN and CPTR_EL2.

use crate::cpu::Cpu;
use crate::reg::field;
use crate::reg::names::*;

/// Where an FP access traps to now, and by which control; None if it does not.
pub fn fp_trap(cpu: &Cpu) -> Option<(u8, &'static [&'static str])> {
    let hcr = cpu.get(HCR_EL2);
    let (e2h, tge) = (
        field!(HCR_EL2.E2H).is_set(hcr),
        field!(HCR_EL2.TGE).is_set(hcr),
    );
    let el = cpu.pstate.el;
    if el < 2 && !(e2h && tge) {
        let fpen = cpu.field(field!(CPACR_EL1.FPEN));
        if fpen & 1 == 0 || (fpen == 1 && el == 0) {
            return Some((1, &["CPACR_EL1.FPEN"]));
        }
    }
    let cptr = cpu.get(CPTR_EL2);
    let traps = if e2h {
        let fpen = field!(CPTR_EL2.FPEN).of(cptr);
        fpen & 1 == 0 || (fpen == 1 && el == 0 && tge)
    } else {
        field!(CPTR_EL2.TFP).is_set(cptr)
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
