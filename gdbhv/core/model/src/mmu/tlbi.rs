//! TLBI instructions: what each covers (Arm ARM D8.14, C5.5).

use super::regime::{self, hcr, Kind};
use super::tlb::{Tlbi, What};
use crate::bits::{bit, bits, ones, sext};
use crate::cpu::Cpu;
use crate::sysreg::names::*;

/// What the TLBI with this encoding (op0 = 1, CRn = 8) and operand covers, executed by `cpu` now; None if there is no such TLBI.
///
/// The nXS forms (CRn = 9) cover the same. Outer shareable forms act as inner shareable ones: there is one shareability domain.
pub fn decode(cpu: &Cpu, op1: u32, crm: u32, op2: u32, xt: u64) -> Option<Tlbi> {
    match (op1, crm) {
        (4, 0 | 4) => stage2(cpu, crm, op2),
        (0 | 4, 1 | 3 | 7) => by_address_or_all(cpu, op1, crm, op2, xt),
        (0 | 4, 2 | 5 | 6) => by_range(cpu, op1, crm, op2, xt),
        _ => None,
    }
}

/// The regime that a TLBI of `op1` names, and the VMID that limits it.
fn scope(cpu: &Cpu, op1: u32) -> (Kind, Option<u16>) {
    let h = cpu.get(HCR_EL2);
    let kind = match op1 {
        0 if cpu.pstate.el == 2 && h & hcr::E2H != 0 && h & hcr::TGE != 0 => Kind::El20,
        0 => Kind::El10,
        _ if h & hcr::E2H != 0 => Kind::El20,
        _ => Kind::El2,
    };
    let vmid = (kind == Kind::El10).then(|| regime::vmid(cpu));
    (kind, vmid)
}

/// HCR_EL2.FB makes the guest's local forms inner shareable.
fn broadcast(cpu: &Cpu, crm_is_local: bool) -> bool {
    !crm_is_local || cpu.pstate.el < 2 && cpu.get(HCR_EL2) & hcr::FB != 0
}

/// The ASID in an operand; 8 bits if TCR says so.
fn operand_asid(cpu: &Cpu, kind: Kind, xt: u64) -> u16 {
    let tcr = match kind {
        Kind::El10 => cpu.get(TCR_EL1),
        _ => cpu.get(TCR_EL2),
    };
    let asid = (xt >> 48) as u16;
    if bit(tcr, 36) {
        asid
    } else {
        asid & 0xff
    }
}

fn by_address_or_all(cpu: &Cpu, op1: u32, crm: u32, op2: u32, xt: u64) -> Option<Tlbi> {
    let (kind, vmid) = scope(cpu, op1);
    let page = bits(xt, 43, 0) << 12;
    let va = |asid| What::Va {
        first: page,
        last: page,
        asid,
        last_level: op2 >= 5,
    };
    let asid = operand_asid(cpu, kind, xt);
    let own = (kind != Kind::El2).then_some(asid);
    let (kind, vmid, what) = match (op1, op2) {
        (_, 0) => (kind, vmid, What::All),
        // VAE1, VALE1, VAE2, VALE2
        (_, 1 | 5) => (kind, vmid, va(own)),
        (0, 2) => (kind, vmid, What::Asid(asid)),
        (0, 3 | 7) => (kind, vmid, va(None)),
        (4, 4) => (Kind::El10, None, What::Both),
        (4, 6) => (Kind::El10, Some(regime::vmid(cpu)), What::Both),
        _ => return None,
    };
    Some(Tlbi {
        kind,
        vmid,
        what,
        broadcast: broadcast(cpu, crm == 7),
    })
}

fn stage2(cpu: &Cpu, crm: u32, op2: u32) -> Option<Tlbi> {
    let local = match (crm, op2) {
        (0, 1 | 2 | 5 | 6) | (4, 0 | 3 | 4 | 7) => false,
        (4, 1 | 2 | 5 | 6) => true,
        _ => return None,
    };
    Some(Tlbi {
        kind: Kind::El10,
        vmid: Some(regime::vmid(cpu)),
        what: What::Stage2,
        broadcast: broadcast(cpu, local),
    })
}

/// FEAT_TLBIRANGE: `BaseADDR` of the granule's pages, `(NUM + 1) << (5 * SCALE + 1)` of them.
fn by_range(cpu: &Cpu, op1: u32, crm: u32, op2: u32, xt: u64) -> Option<Tlbi> {
    let (kind, vmid) = scope(cpu, op1);
    let granule = match bits(xt, 47, 46) {
        1 => 12,
        2 => 14,
        3 => 16,
        _ => 12, // reserved: acts on something, which is allowed
    };
    let first = (sext(bits(xt, 36, 0), 37) << granule) & ones(56);
    let pages = (bits(xt, 43, 39) + 1) << (5 * bits(xt, 45, 44) + 1);
    let last = (first + (pages << granule) - 1).min(ones(56)) & !0xfff;
    let asid = match (op1, op2) {
        (0, 3 | 7) => None,
        (0, 1 | 5) => Some(operand_asid(cpu, kind, xt)),
        (4, 1 | 5) => (kind != Kind::El2).then(|| operand_asid(cpu, kind, xt)),
        _ => return None,
    };
    Some(Tlbi {
        kind,
        vmid,
        what: What::Va {
            first,
            last,
            asid,
            last_level: op2 >= 5,
        },
        broadcast: broadcast(cpu, crm == 6),
    })
}
