//! AT instructions and PAR_EL1 (Arm ARM C5.4, D24.2.126 PAR_EL1; `AArch64.AT`).

use crate::hcr;
use crate::mmu::access::Access;
use crate::mmu::fault::{Fault, FaultKind, Purpose};
use crate::mmu::kind::RegimeKind;
use crate::mmu::regime::{self, Regime};
use crate::mmu::walk::{self, Translation};
use crate::pe::Pe;
use crate::raise::Trap;
use crate::reg::names::*;
use crate::shared::Shared;

/// The AT instructions by op1, CRm and op2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    /// The EL whose regime and privileges the instruction uses.
    el: u8,
    write: bool,
    /// Both stages.
    both: bool,
    /// PSTATE.PAN applies (FEAT_PAN2).
    pan: bool,
}

fn form(op1: u32, crm: u32, op2: u32) -> Option<Form> {
    let write = op2 & 1 != 0;
    let (el, both, pan) = match (op1, crm, op2) {
        (0, 8, 0 | 1) => (1, false, false),
        (0, 8, 2 | 3) => (0, false, false),
        (0, 9, 0 | 1) => (1, false, true),
        (4, 8, 0 | 1) => (2, false, false),
        (4, 8, 4 | 5) => (1, true, false),
        (4, 8, 6 | 7) => (0, true, false),
        _ => return None,
    };
    Some(Form {
        el,
        write,
        both,
        pan,
    })
}

/// Whether there is an AT of this encoding.
pub fn exists(op1: u32, crm: u32, op2: u32) -> bool {
    form(op1, crm, op2).is_some()
}

/// Execute AT (op0 = 1, CRn = 7), one that [`exists`]: PAR_EL1 gets the result. A stage 2 fault on the walk of a stage 1 form
/// executed at EL1, or an external abort on a walk, is taken as an exception.
pub fn at(
    cpu: &mut Pe,
    sh: &mut Shared,
    op1: u32,
    crm: u32,
    op2: u32,
    va: u64,
) -> Result<(), Trap> {
    let f = form(op1, crm, op2).expect("an AT that exists");
    // Both stages are EL1&0's; with E2H and TGE, stage 1 of EL1 and EL0 is that of EL2&0 (`AArch64.AT`).
    let kind = match f.el {
        2 if cpu.get(HCR_EL2) & hcr::E2H == 0 => RegimeKind::El2,
        2 => RegimeKind::El20,
        _ if !f.both && regime::host(cpu) => RegimeKind::El20,
        _ => RegimeKind::El10,
    };
    let mut r = Regime::of(cpu, kind);
    let a = Access::new(Purpose::At, f.write, f.el == 0, f.pan && cpu.pstate.pan);
    // The stage 1 forms give the IPA, but the walk itself goes through stage 2.
    r.s1_only = !f.both;
    let result = walk::translate(&r, &mut sh.tables(&mut cpu.tlb.walks), &mut (), va, a);
    if let Err(fault) = &result {
        let external = matches!(fault.kind, FaultKind::ExternalWalk(_));
        if external || fault.s1ptw && cpu.pstate.el == 1 {
            return Err(crate::exception::abort(cpu, sh, fault));
        }
    }
    cpu.set(PAR_EL1, par(&result));
    Ok(())
}

/// PAR_EL1 of a result.
fn par(result: &Result<Translation, Fault>) -> u64 {
    const RES1: u64 = 1 << 11;
    const NS: u64 = 1 << 9;
    match result {
        Ok(t) => {
            (t.mem.attr as u64) << 56
                | t.pa & 0x000f_ffff_ffff_f000
                | RES1
                | NS
                | (t.mem.sh as u64) << 7
        }
        Err(f) => {
            RES1 | (f.stage2 as u64) << 9 | (f.s1ptw as u64) << 8 | (f.kind.fsc() as u64) << 1 | 1
        }
    }
}
