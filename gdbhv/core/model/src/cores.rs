//! The CPU profiles: what `--cpu` can be. A profile is a row here: the groups of features that the core has (which features they are
//! is in [`crate::feature`]), and what its identification registers hold besides (from the Technical Reference Manual of each core). What the core has and the
//! model lacks (SVE, pointer authentication, big-endian data, AArch32 ...) its ID registers do not promise.

use crate::feature::Cores::{self, V8_0, V8_2, V8_4};
use crate::feature::Features;

/// A CPU profile.
pub struct Profile {
    /// As `--cpu` takes it.
    pub name: &'static str,
    /// Its features.
    pub features: Features,
    /// Its other properties.
    pub core: Core,
}

/// What a profile is beyond its features.
#[derive(Debug)]
pub struct Core {
    /// `compatible` in the device tree.
    pub compatible: &'static str,
    /// MIDR_EL1.
    pub midr: u64,
    /// CTR_EL0.
    pub ctr: u64,
    /// CLIDR_EL1.
    pub clidr: u64,
    /// CCSIDR_EL1 of the L1 data cache, the L1 instruction cache and the L2 cache, in the format that the core has.
    pub ccsidr: [u64; 3],
    /// ID_AA64MMFR0_EL1.PARange.
    pub pa_range: u64,
    /// ID_AA64MMFR0_EL1.TGran16. Granules of 4 and 64 KiB every profile has.
    pub granule_16k: u64,
    /// PMCR_EL0.IMP and IDCODE.
    pub pmcr: u64,
}

/// The name of the profile that a machine has.
pub fn name(core: &Core) -> Option<&'static str> {
    let found = PROFILES
        .iter()
        .find(|p| p.core.compatible == core.compatible);
    found.map(|p| p.name)
}

/// No known core (implementer 0), so that no guest looks for errata: 52 bits of physical address (FEAT_LPA), all granules;
/// CTR_EL0.IDC and DIC say that code needs no cache maintenance. The caches are those of a Cortex-A57.
pub const MAX: Core = Core {
    compatible: "arm,armv8",
    midr: 0x000f_0510,
    ctr: 0xb444_c004,
    clidr: 0x0a20_0023,
    ccsidr: [0x701f_e00a, 0x201f_e012, 0x70ff_e07a],
    pa_range: 5,
    granule_16k: 1,
    pmcr: 0, // MIDR_EL1 identifies the PMU
};

/// The profiles.
pub const PROFILES: &[Profile] = &[
    // r0p4: 40 bits of PA; the smallest of them.
    Profile {
        name: "cortex-a53",
        features: Features::of_cores(V8_0),
        core: Core {
            compatible: "arm,cortex-a53",
            midr: 0x410f_d034,
            ctr: 0x8444_8004,
            clidr: 0x0a20_0023,
            ccsidr: [0x700f_e01a, 0x201f_e00a, 0x707f_e07a],
            pa_range: 2,
            granule_16k: 0,
            pmcr: 0x4103_0000,
        },
    },
    // r1p0: 44 bits of PA. Instruction and data caches must be kept coherent by software, as on the others of Armv8.0.
    Profile {
        name: "cortex-a57",
        features: Features::of_cores(V8_0),
        core: Core {
            compatible: "arm,cortex-a57",
            midr: 0x411f_d070,
            ctr: 0x8444_c004,
            clidr: 0x0a20_0023,
            ccsidr: [0x701f_e00a, 0x201f_e012, 0x70ff_e07a],
            pa_range: 4,
            granule_16k: 0,
            pmcr: 0x4101_0000,
        },
    },
    // r0p3.
    Profile {
        name: "cortex-a72",
        features: Features::of_cores(V8_0),
        core: Core {
            compatible: "arm,cortex-a72",
            midr: 0x410f_d083,
            ctr: 0x8444_c004,
            clidr: 0x0a20_0023,
            ccsidr: [0x701f_e00a, 0x201f_e012, 0x707f_e07a],
            pa_range: 4,
            granule_16k: 0,
            pmcr: 0x4102_0000,
        },
    },
    // r4p1: 48 bits of PA, FEAT_VHE, no AArch32 at EL1.
    Profile {
        name: "neoverse-n1",
        features: Features::of_cores(V8_2),
        core: Core {
            compatible: "arm,neoverse-n1",
            midr: 0x414f_d0c1,
            ctr: 0x8444_c004,
            clidr: 0x8200_0023,
            ccsidr: [0x701f_e01a, 0x201f_e01a, 0x70ff_e03a],
            pa_range: 5,
            granule_16k: 1,
            pmcr: 0x410c_0000,
        },
    },
    // r1p2: nested virtualization. The TRM tells of FEAT_CCIDX and then lists CCSIDR_EL1 in the format without: the caches are as its chapter 2
    // describes them (64 KiB of L1 in 4 ways, 1 MiB of L2 in 8, lines of 64 bytes). Without its SVE, pointer authentication, BFloat16, SM3 and SM4, RNDR, AMU, MPAM and SPE.
    Profile {
        name: "neoverse-v1",
        features: Features::of_cores(V8_2).with(Features::of_cores(V8_4)),
        core: Core {
            compatible: "arm,neoverse-v1",
            midr: 0x411f_d402,
            ctr: 0xb444_c004,
            clidr: 0x8200_0023,
            ccsidr: [0xff_0000_001a, 0xff_0000_001a, 0x7ff_0000_003a],
            pa_range: 5,
            granule_16k: 1,
            pmcr: 0x4121_0000,
        },
    },
    Profile {
        name: "max",
        features: Features::of_cores(Cores::MAX),
        core: MAX,
    },
];

/// The profile of that name.
pub fn profile(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|p| p.name == name)
}
