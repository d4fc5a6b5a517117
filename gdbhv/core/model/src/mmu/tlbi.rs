//! TLBI instructions: what each covers (Arm ARM D8.14, C5.5; `AArch64.TLBI_VA` and its kind).

use super::regime;
use crate::bits::{bit, bits, ones, sext};
use crate::cpu::Cpu;
use crate::hcr;
use crate::mmu::kind::RegimeKind;
use crate::mmu::op::{Tlbi, What};
use crate::reg::names::*;

/// The translations that the TLBI with this encoding (op0 = 1, CRn = 8) and operand covers, executed by `cpu` now; None if there is no such TLBI.
///
/// The nXS forms (CRn = 9) cover the same. Outer shareable forms act as inner shareable ones: there is one shareability domain.
pub fn decode(cpu: &Cpu, op1: u32, crm: u32, op2: u32, xt: u64) -> Option<Tlbi> {
    match (op1, crm) {
        (4, 0 | 4) => by_ipa(cpu, crm, op2, xt),
        (0 | 4, 1 | 3 | 7) => by_address_or_all(cpu, op1, crm, op2, xt),
        (0 | 4, 2 | 5 | 6) => by_range(cpu, op1, crm, op2, xt),
        _ => None,
    }
}

/// The regime that a TLBI of `op1` names, and the VMID that limits it.
fn scope(cpu: &Cpu, op1: u32) -> (RegimeKind, Option<u16>) {
    let h = cpu.get(HCR_EL2);
    let kind = match op1 {
        0 if cpu.pstate.el == 2 && regime::host(cpu) => RegimeKind::El20,
        0 => RegimeKind::El10,
        _ if h & hcr::E2H != 0 => RegimeKind::El20,
        _ => RegimeKind::El2,
    };
    let vmid = (kind == RegimeKind::El10).then(|| regime::vmid(cpu));
    (kind, vmid)
}

/// HCR_EL2.FB makes the guest's local forms inner shareable.
fn broadcast(cpu: &Cpu, crm_is_local: bool) -> bool {
    !crm_is_local || cpu.pstate.el < 2 && cpu.get(HCR_EL2) & hcr::FB != 0
}

/// The ASID in an operand; 8 bits if TCR says so.
fn operand_asid(cpu: &Cpu, kind: RegimeKind, xt: u64) -> u16 {
    let tcr = match kind {
        RegimeKind::El10 => cpu.get(TCR_EL1),
        _ => cpu.get(TCR_EL2),
    };
    let asid = (xt >> 48) as u16;
    if bit(tcr, 36) {
        asid
    } else {
        asid & 0xff
    }
}

/// Leaves of every size.
const ANY: u64 = u64::MAX;

/// log2 of the bytes of a leaf of `level` with a granule as TTL and TG encode it.
fn leaf(granule: u64, level: u64) -> u32 {
    let g = 10 + 2 * granule as u32;
    g + (3 - level as u32) * (g - 3)
}

/// The leaf sizes that an operand's TTL (bits 47:44) admits: granule and level. What is no level at which the granule has leaves says nothing,
/// as does granule 0 (C5.5; level 0 of 4 KiB and level 1 of 16 KiB have them with FEAT_LPA2). The architecture does not
/// require that a wrong one takes anything, and it takes nothing here: software that is wrong sees it.
fn ttl(cpu: &Cpu, xt: u64) -> u64 {
    let f = regime::Features::of(cpu);
    match (bits(xt, 47, 46), bits(xt, 45, 44)) {
        (0, _) | (2 | 3, 0) => ANY,
        (1, 0) if !(f.lpa2[0] || f.lpa2_s2[0]) => ANY,
        (2, 1) if !(f.lpa2[1] || f.lpa2_s2[1]) => ANY,
        (granule, level) => 1 << leaf(granule, level),
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
        sizes: ttl(cpu, xt),
    };
    let asid = operand_asid(cpu, kind, xt);
    let own = (kind != RegimeKind::El2).then_some(asid);
    let (kind, vmid, what) = match (op1, op2) {
        (_, 0) => (kind, vmid, What::All),
        // VAE1, VALE1, VAE2, VALE2
        (_, 1 | 5) => (kind, vmid, va(own)),
        (0, 2) => (kind, vmid, What::Asid(asid)),
        (0, 3 | 7) => (kind, vmid, va(None)),
        (4, 4) => (RegimeKind::El10, None, What::Both),
        (4, 6) => (RegimeKind::El10, Some(regime::vmid(cpu)), What::Both),
        _ => return None,
    };
    Some(Tlbi {
        kind,
        vmid,
        what,
        broadcast: broadcast(cpu, crm == 7),
    })
}

/// IPAS2E1 and RIPAS2E1 and their kind. There are no entries of stage 2 above the last level, so that the last-level forms are the same.
fn by_ipa(cpu: &Cpu, crm: u32, op2: u32, xt: u64) -> Option<Tlbi> {
    let (local, ranged) = match (crm, op2) {
        (0, 1 | 5) | (4, 0 | 4) => (false, false),
        (0, 2 | 6) | (4, 3 | 7) => (false, true),
        (4, 1 | 5) => (true, false),
        (4, 2 | 6) => (true, true),
        _ => return None,
    };
    let what = if ranged {
        match range(xt, bit(cpu.get(VTCR_EL2), 32)) {
            Some((first, last, sizes)) => What::Ipa { first, last, sizes },
            None => NOTHING,
        }
    } else {
        let page = bits(xt, 39, 0) << 12;
        What::Ipa {
            first: page,
            last: page,
            sizes: ttl(cpu, xt),
        }
    };
    Some(Tlbi {
        kind: RegimeKind::El10,
        vmid: Some(regime::vmid(cpu)),
        what,
        broadcast: broadcast(cpu, local),
    })
}

/// Covers no leaf of any size.
const NOTHING: What = What::Ipa {
    first: 0,
    last: 0,
    sizes: 0,
};

/// FEAT_TLBIRANGE: first and last page, and the leaf sizes that it covers; None for the reserved granule, which does nothing.
///
/// `BaseADDR` counts pages of the granule, and 64 KiB where addresses have 52 bits (`large`; `TLBIRange`, `HasLargeAddress`);
/// `(NUM + 1) << (5 * SCALE + 1)` pages follow, not across the middle of the address space. A leaf of another granule is not covered, nor one of
/// another level than TTL's, if that is not 0.
fn range(xt: u64, large: bool) -> Option<(u64, u64, u64)> {
    let granule = bits(xt, 47, 46);
    if granule == 0 {
        return None;
    }
    let page = 10 + 2 * granule as u32;
    let unit = if large { 16 } else { page };
    let first = (sext(bits(xt, 36, 0), 37) << unit) & ones(56);
    let pages = (bits(xt, 43, 39) + 1) << (5 * bits(xt, 45, 44) + 1);
    let end = if bit(first, 55) { ones(56) } else { ones(55) };
    let last = (first + (pages << page) - 1).min(end) & !0xfff;
    let sizes = match bits(xt, 38, 37) {
        0 => (0..4).fold(0, |sizes, level| sizes | 1 << leaf(granule, level)),
        level => 1 << leaf(granule, level),
    };
    Some((first, last, sizes))
}

fn by_range(cpu: &Cpu, op1: u32, crm: u32, op2: u32, xt: u64) -> Option<Tlbi> {
    let (kind, vmid) = scope(cpu, op1);
    let asid = match (op1, op2) {
        (0, 3 | 7) => None,
        (0, 1 | 5) => Some(operand_asid(cpu, kind, xt)),
        (4, 1 | 5) => (kind != RegimeKind::El2).then(|| operand_asid(cpu, kind, xt)),
        _ => return None,
    };
    let large = match kind {
        RegimeKind::El10 => bit(cpu.get(TCR_EL1), 59),
        RegimeKind::El20 => bit(cpu.get(TCR_EL2), 59),
        RegimeKind::El2 => bit(cpu.get(TCR_EL2), 32),
    };
    let what = match range(xt, large) {
        Some((first, last, sizes)) => What::Va {
            first,
            last,
            asid,
            last_level: op2 >= 5,
            sizes,
        },
        None => NOTHING,
    };
    Some(Tlbi {
        kind,
        vmid,
        what,
        broadcast: broadcast(cpu, crm == 6),
    })
}
