//! The registers of a CPU profile: which exist, which bits can be written, and their values after a reset. The ID registers
//! are derived here from the list of features ([`crate::feature`]), so that they report what is implemented.

use crate::bits::insert;
use crate::config::Config;
use crate::cpu::Cpu;
use crate::feature::Feature;
use crate::reg::debug::{BREAKPOINTS, CONTEXT_AWARE, WATCHPOINTS};
use crate::reg::field;
use crate::reg::field::{parse, write_mask};
use crate::reg::named::RegField;
use crate::reg::names::*;
use crate::reg::pmu::COUNTERS;
use crate::reg::{Group, Info, Reg, INFOS};
use crate::timer::FREQUENCY;

/// What one row is on this machine.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// The register exists.
    pub present: bool,
    /// Bits that a write changes.
    pub mask: u64,
    /// Value after reset.
    pub reset: u64,
}

/// What every row is, by row number.
pub struct Registers {
    /// By row number ([`crate::reg::number`]).
    pub rows: Box<[State]>,
    config: Config,
}

impl Registers {
    /// Of a machine.
    pub fn new(config: &Config) -> Registers {
        let has = |name: &str| has(config, name);
        let ids = identification(config);
        let state = |row: &Info| State {
            present: (row.feature == "base" || has(row.feature))
                && (config.has_el2 || row.access.read.min(row.access.write) < 2),
            mask: match row.alias {
                // What an alias writes is cut by the row it leads to.
                Some(_) => u64::MAX,
                None => write_mask(&parse(row.fields), has),
            },
            reset: ids
                .iter()
                .find(|i| i.0 == row.reg)
                .map_or(row.reset, |i| i.1),
        };
        Registers {
            rows: INFOS.iter().map(state).collect(),
            config: *config,
        }
    }
    /// The machine has a GICv2: no ICC_* and ICH_* registers, and ID registers that say so.
    pub fn without_gic(&mut self) {
        for (row, state) in INFOS.iter().zip(&mut self.rows) {
            state.present &= row.group != Group::Gic;
            let field = match row.reg {
                ID_AA64PFR0_EL1 => 24,
                ID_PFR1_EL1 => 28,
                _ => continue,
            };
            state.reset = insert(state.reset, field + 3, field, 0);
        }
    }
    /// Whether the machine has a feature; names that no list of features has are absent.
    pub fn has(&self, feature: &str) -> bool {
        has(&self.config, feature)
    }
    /// Set every register of `cpu` to its reset value, except those that the GIC holds.
    pub fn reset(&self, cpu: &mut Cpu) {
        cpu.changed = true;
        for (row, state) in INFOS.iter().zip(&self.rows) {
            if state.present && row.alias.is_none() {
                cpu.set(row.reg, state.reset);
            }
        }
        let mpidr = self.value(MPIDR_EL1) | cpu.id as u64;
        cpu.set(MPIDR_EL1, mpidr);
        cpu.set(VMPIDR_EL2, mpidr);
        cpu.set(VPIDR_EL2, self.value(MIDR_EL1));
    }
    fn value(&self, r: Reg) -> u64 {
        crate::reg::number(r).map_or(0, |n| self.rows[n].reset)
    }
}

/// The only feature that another one removes (FEAT_DoPD, A2.2.1).
pub const DOUBLE_LOCK: &str = "DoubleLock";

fn has(config: &Config, name: &str) -> bool {
    if name == DOUBLE_LOCK {
        return !config.features.has(Feature::DoPD);
    }
    Feature::ALL
        .iter()
        .any(|f| f.name() == name && config.features.has(*f))
}

macro_rules! fields {
    ($($name:ident $kind:ident [$($core:ident)*] [$($reg:ident.$field:ident=$value:literal)*] $doc:literal;)*) => {
        /// The field of an ID register that reports a feature, and its value. Of several values the largest applies.
        const FIELDS: &[(Feature, RegField, u64)] =
            &[$($((Feature::$name, field!($reg.$field), $value),)*)*];
    };
}
crate::feature::table!(fields);

/// The registers whose reset value depends on the profile, if it is not zero.
fn identification(config: &Config) -> Vec<(Reg, u64)> {
    let f = config.features;
    let core = config.core;
    let fp = |there| match (f.has(there), f.has(Feature::FP16)) {
        (false, _) => 15,
        (true, half) => half as u64,
    };
    let pfr0 = 0x11 // EL1 and EL0 in AArch64 only
        | field!(ID_AA64PFR0_EL1.EL2).put(config.has_el2 as u64)
        | field!(ID_AA64PFR0_EL1.FP).put(fp(Feature::FP))
        | field!(ID_AA64PFR0_EL1.AdvSIMD).put(fp(Feature::AdvSIMD))
        | field!(ID_AA64PFR0_EL1.GIC).put(1); // the system registers of GICv3
    let dfr0 = field!(ID_AA64DFR0_EL1.DebugVer).put(6)
        | field!(ID_AA64DFR0_EL1.BRPs).put(BREAKPOINTS as u64 - 1)
        | field!(ID_AA64DFR0_EL1.WRPs).put(WATCHPOINTS as u64 - 1)
        | field!(ID_AA64DFR0_EL1.CTX_CMPs).put(CONTEXT_AWARE as u64 - 1);
    // Of Non-secure state: invasive debug is implemented and disabled, and so is the other, but with FEAT_Debugv8p4 always enabled.
    let dbgauthstatus = if f.has(Feature::Debugv8p4) { 0xe } else { 0xa };
    let mmfr0 = core.pa_range
        | field!(ID_AA64MMFR0_EL1.ASIDBits).put(2) // 16 bits
        | field!(ID_AA64MMFR0_EL1.TGran16).put(core.granule_16k); // 0 in TGran64 and TGran4 means that there are these granules
    let mut ids = vec![
        (MIDR_EL1, core.midr),
        (MPIDR_EL1, 1 << 31),
        (CTR_EL0, core.ctr),
        (DCZID_EL0, 4), // 64 bytes
        (CLIDR_EL1, core.clidr),
        (CNTFRQ_EL0, FREQUENCY),
        // N, and LC, which is RES1 without AArch32
        (PMCR_EL0, core.pmcr | (COUNTERS as u64) << 11 | 1 << 6),
        (ID_AA64PFR0_EL1, pfr0),
        (ID_AA64DFR0_EL1, dfr0),
        (DBGAUTHSTATUS_EL1, dbgauthstatus),
        (
            MDCR_EL2,
            if f.has(Feature::PMUv3) {
                COUNTERS as u64
            } else {
                0
            },
        ), // HPMN
        (ID_AA64MMFR0_EL1, mmfr0),
    ];
    for (_, field, value) in FIELDS.iter().filter(|row| f.has(row.0)) {
        let i = ids
            .iter()
            .position(|i| i.0 == field.reg())
            .unwrap_or_else(|| {
                ids.push((field.reg(), 0));
                ids.len() - 1
            });
        let old = ids[i].1;
        ids[i].1 = old & !field.mask() | field.put(field.of(old).max(*value));
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::bits;

    fn id(cpu: &str, r: Reg, has_el2: bool) -> u64 {
        let profile = crate::cores::profile(cpu).expect(cpu);
        let config = Config {
            has_el2,
            hosted: false,
            features: profile.features,
            core: &profile.core,
        };
        Registers::new(&config).value(r)
    }

    #[test]
    fn cortex_a57() {
        assert_eq!(id("cortex-a57", MIDR_EL1, true), 0x411f_d070);
        assert_eq!(id("cortex-a57", ID_AA64PFR0_EL1, true), 0x0100_0111);
        assert_eq!(id("cortex-a57", ID_AA64PFR0_EL1, false), 0x0100_0011);
        assert_eq!(id("cortex-a57", ID_AA64ISAR0_EL1, true), 0x1_1120);
        assert_eq!(id("cortex-a57", ID_AA64ISAR1_EL1, true), 0);
        assert_eq!(id("cortex-a57", ID_AA64MMFR1_EL1, true), 0);
        assert_eq!(id("cortex-a57", ID_AA64DFR0_EL1, true), 0x1030_5106);
    }

    #[test]
    fn other_cores() {
        let ids = |cpu| {
            [
                ID_AA64PFR0_EL1,
                ID_AA64MMFR0_EL1,
                ID_AA64MMFR1_EL1,
                ID_AA64DFR0_EL1,
            ]
            .map(|r| id(cpu, r, true))
        };
        assert_eq!(ids("cortex-a53"), [0x0100_0111, 0x22, 0, 0x1030_5106]);
        assert_eq!(ids("cortex-a72"), ids("cortex-a57"));
        let n1 = [0x1100_0000_1111_0111, 0x10_0025, 0x1021_2122, 0x1030_5408];
        assert_eq!(ids("neoverse-n1"), n1);
        let v1 = [
            0x1101_0000_1111_0111,
            0x10_0025,
            0x1021_2122,
            0xf0_1030_5509,
        ];
        assert_eq!(ids("neoverse-v1"), v1);
        let v1 = [
            ID_AA64ISAR0_EL1,
            ID_AA64ISAR1_EL1,
            ID_AA64MMFR2_EL1,
            ID_AA64PFR1_EL1,
        ];
        let told = v1.map(|r| id("neoverse-v1", r, true));
        assert_eq!(
            told,
            [
                0x11_1001_1021_2120 | 1 << 32,
                0x10_0000_0021_1002,
                0x220_0111_0210_1011,
                0x20
            ]
        );
    }

    #[test]
    fn fields_of_several_features_hold_the_largest() {
        assert_eq!(bits(id("max", ID_AA64ISAR1_EL1, true), 23, 20), 2);
        assert_eq!(bits(id("max", ID_AA64ISAR0_EL1, true), 55, 52), 2);
        assert_eq!(id("max", MIDR_EL1, true), 0x000f_0510);
    }
}
