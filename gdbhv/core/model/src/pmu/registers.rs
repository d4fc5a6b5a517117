//! The registers of the performance monitors as MRS and MSR access them (Arm ARM D24.5). A pair of set and clear registers is stored
//! as the set register; counters beyond MDCR_EL2.HPMN do not exist for EL1 and EL0.

use super::*;
use crate::bits::insert;
use crate::reg::field;

/// The mask of counters that exist for `el` (`GetPMUAccessMask`).
fn accessible(cpu: &Cpu, sh: &Platform, el: u8) -> u64 {
    let n = if el < 2 {
        hpmn(cpu, sh.config.has_el2)
    } else {
        COUNTERS
    };
    1 << CYCLE | ((1 << n) - 1)
}

/// The register that PMXEVTYPER_EL0 and PMXEVCNTR_EL0 access by PMSELR_EL0.SEL. None: there is no such counter, and the access is
/// CONSTRAINED UNPREDICTABLE, here RAZ/WI. An access to a counter of EL2 has been trapped before (`trap::HPMN_SEL`).
fn selected(cpu: &Cpu, r: Reg) -> Option<Reg> {
    let sel = cpu.get(PMSELR_EL0) as usize;
    match r {
        PMXEVTYPER_EL0 if sel == 31 => Some(PMCCFILTR_EL0),
        PMXEVTYPER_EL0 if sel < COUNTERS => Some(event_type(sel)),
        PMXEVCNTR_EL0 if sel < COUNTERS => Some(counter(sel)),
        _ => None,
    }
}

/// The value of a counter at virtual time `now`, without settling.
fn count(cpu: &Cpu, sh: &Platform, r: Reg, now: u64) -> u64 {
    let p = &cpu.pmu;
    let (n, t) = if r == PMCCNTR_EL0 {
        (CYCLE, Some(Total::Cycles))
    } else {
        let n = (r.0 - PMEVCNTR0_EL0.0) as usize;
        match p.what[n] {
            What::Total(t) => (n as u32, Some(t)),
            _ => (n as u32, None),
        }
    };
    let Some(t) = t.filter(|_| p.running >> n & 1 != 0) else {
        return cpu.get(r);
    };
    let v = cpu
        .get(r)
        .wrapping_add(p.all(now)[t as usize] - p.settled[t as usize]);
    if r == PMCCNTR_EL0 || sh.config.features.has(Feature::PMUv3p5) {
        v
    } else {
        v as u32 as u64
    }
}

/// Read a register as from exception level `el`, by an instruction at virtual time `now`. No side effects.
pub fn read(cpu: &Cpu, sh: &Platform, now: u64, r: Reg, el: u8) -> u64 {
    let mask = accessible(cpu, sh, el);
    match r {
        PMCR_EL0 if el < 2 => insert(cpu.get(r), 15, 11, hpmn(cpu, sh.config.has_el2) as u64),
        PMCNTENSET_EL0 | PMCNTENCLR_EL0 => cpu.get(PMCNTENSET_EL0) & mask,
        PMINTENSET_EL1 | PMINTENCLR_EL1 => cpu.get(PMINTENSET_EL1) & mask,
        PMOVSSET_EL0 | PMOVSCLR_EL0 => cpu.get(PMOVSSET_EL0) & mask,
        PMCEID0_EL0 => events::ceid(0, sh.config.features),
        PMCEID1_EL0 => events::ceid(1, sh.config.features),
        PMXEVTYPER_EL0 | PMXEVCNTR_EL0 => selected(cpu, r).map_or(0, |r| read(cpu, sh, now, r, el)),
        PMCCNTR_EL0 => count(cpu, sh, r, now),
        _ if (counter(0).0..=counter(COUNTERS - 1).0).contains(&r.0) => count(cpu, sh, r, now),
        _ => cpu.get(r),
    }
}

/// Write a register (a value cut to its fields) as from exception level `el`, by an instruction at virtual time `now`.
pub fn write(cpu: &mut Cpu, sh: &mut Platform, now: u64, r: Reg, v: u64, el: u8) {
    settle(cpu, sh, now + 1); // the instruction itself counts with the controls as they were
    let mask = accessible(cpu, sh, el);
    match r {
        PMCR_EL0 => {
            if field!(PMCR_EL0.P).is_set(v) {
                let low = mask as u32 & !(1 << CYCLE);
                for n in (0..COUNTERS).filter(|&n| low >> n & 1 != 0) {
                    cpu.set(counter(n), 0);
                }
            }
            if field!(PMCR_EL0.C).is_set(v) {
                cpu.set(PMCCNTR_EL0, 0);
            }
            // P and C act, and read as zero. DP is for regions where counting is prohibited: RES0 where there can be none.
            let act = field!(PMCR_EL0.P).mask() | field!(PMCR_EL0.C).mask();
            let gone = act | field!(PMCR_EL0.DP).put(!sh.config.has_el2 as u64);
            let mask = writable(sh, r);
            cpu.set(r, cpu.get(r) & !mask | v & mask & !gone);
        }
        PMCNTENSET_EL0 | PMINTENSET_EL1 | PMOVSSET_EL0 => cpu.set(r, cpu.get(r) | v & mask),
        PMCNTENCLR_EL0 => cpu.set(PMCNTENSET_EL0, cpu.get(PMCNTENSET_EL0) & !(v & mask)),
        PMINTENCLR_EL1 => cpu.set(PMINTENSET_EL1, cpu.get(PMINTENSET_EL1) & !(v & mask)),
        PMOVSCLR_EL0 => cpu.set(PMOVSSET_EL0, cpu.get(PMOVSSET_EL0) & !(v & mask)),
        PMSWINC_EL0 => return pulse(cpu, sh, events::SW_INCR, (v & mask) as u32 & !(1 << CYCLE)),
        PMXEVTYPER_EL0 | PMXEVCNTR_EL0 => {
            if let Some(r) = selected(cpu, r) {
                set(cpu, sh, r, v);
            }
        }
        _ => set(cpu, sh, r, v),
    }
    retype(cpu, sh);
    derive(cpu, sh);
}

fn writable(sh: &Platform, r: Reg) -> u64 {
    sh.registers.rows[crate::reg::number(r).expect("a row")].mask
}

/// Store the bits that the register's own fields can hold: PMXEVTYPER_EL0 and PMXEVCNTR_EL0 have the fields of all registers that they
/// access. NSH is RES0 without EL2.
fn set(cpu: &mut Cpu, sh: &Platform, r: Reg, v: u64) {
    let types = event_type(0).0..=event_type(COUNTERS - 1).0;
    let nsh = (r == PMCCFILTR_EL0 || types.contains(&r.0)) && !sh.config.has_el2;
    cpu.set(
        r,
        v & writable(sh, r) & !field!(PMCCFILTR_EL0.NSH).put(nsh as u64),
    );
}
