//! The table of what traps to EL2: each access to a system register and each system instruction is tried as a guest would execute it.

use super::Machine;
use crate::exec::refresh::follow;
use crate::isa::sysop;
use crate::pe::Pe;
use crate::reg::sysop::INFOS;
use crate::reg::Reg;
use crate::shared::Shared;
use crate::sysreg::access;
use crate::sysreg::trap::Verdict;
use crate::sysreg::ROWS;

/// The registers with trap controls.
pub const CONTROLS: &[&str] = &[
    "HCR_EL2",
    "HCRX_EL2",
    "CPTR_EL2",
    "MDCR_EL2",
    "CNTHCTL_EL2",
    "ICH_HCR_EL2",
    "ICC_SRE_EL2",
    "HFGRTR_EL2",
    "HFGWTR_EL2",
    "HFGITR_EL2",
    "HDFGRTR_EL2",
    "HDFGWTR_EL2",
];

/// An access or instruction that traps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trapped {
    /// Name of the register or the instruction.
    pub name: String,
    /// "read", "write" or "insn".
    pub how: &'static str,
    /// The control bits, the effective one first; empty: it always exits.
    pub cause: &'static [&'static str],
}

impl Machine {
    /// List what exits for a guest at EL `el` of CPU `i`, with the values in `controls` for some of [`CONTROLS`]; `words` are further
    /// instructions to try. No state changes.
    ///
    /// # Errors
    /// The words cannot be tried: there is nothing at the PC.
    pub fn traps(
        &mut self,
        i: usize,
        el: u8,
        controls: &[(Reg, u64)],
        words: &[(String, u32)],
    ) -> Result<Vec<Trapped>, String> {
        let before: Vec<_> = controls
            .iter()
            .map(|(r, _)| (*r, self.cpus[i].get(*r)))
            .collect();
        let (pstate, raised) = (self.cpus[i].pstate, self.cpus[i].raised.take());
        let (undefined, told) = (self.sh.undefined.clone(), self.sh.undefined_new.len());
        self.set_controls(i, controls);
        let mut found = Vec::new();
        for (name, word) in words {
            match self.trial(i, *word, true) {
                Ok(t) if t.el == el => found.extend(t.exit.map(|r| Trapped {
                    name: name.clone(),
                    how: "insn",
                    cause: r.cause,
                })),
                Ok(_) => {} // the guest is at the other level now
                Err(e) => {
                    self.set_controls(i, &before);
                    return Err(e);
                }
            }
        }
        let (cpu, sh) = (&mut *self.cpus[i], &mut self.sh);
        cpu.pstate.el = el;
        for n in 0..ROWS.len() {
            registers(cpu, sh, n, &mut found);
        }
        for n in 0..INFOS.len() {
            if !sh.config.features.has(INFOS[n].feature) {
                continue;
            }
            let verdict = sysop::may(cpu, sh, n);
            if let Verdict::Trap(2, _, cause) = verdict {
                let (name, how) = (INFOS[n].name.into(), "insn");
                found.push(Trapped { name, how, cause });
            }
        }
        self.cpus[i].pstate = pstate;
        self.set_controls(i, &before);
        self.cpus[i].raised = raised;
        self.sh.undefined = undefined;
        self.sh.undefined_new.truncate(told);
        Ok(found)
    }

    fn set_controls(&mut self, i: usize, controls: &[(Reg, u64)]) {
        for (r, v) in controls {
            self.cpus[i].set(*r, *v);
        }
        self.cpus[i].changed = true;
        follow(&mut self.cpus[i], &mut self.sh, &mut self.code);
    }
}

/// Try to read and to write a register.
fn registers(cpu: &mut Pe, sh: &mut Shared, n: usize, found: &mut Vec<Trapped>) {
    if !sh.registers.rows[n].present {
        return;
    }
    for write in [false, true] {
        let insn = 0xd500_0000 | (!write as u32) << 21 | (ROWS[n].reg.0 as u32) << 5;
        if access::may_i(cpu, sh, insn, write).is_ok() {
            continue;
        }
        let e = cpu.raised.take().expect("it was refused");
        if e.target == 2 {
            found.push(Trapped {
                name: ROWS[n].name.into(),
                how: if write { "write" } else { "read" },
                cause: e.cause,
            });
        }
    }
}
