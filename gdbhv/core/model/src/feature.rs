//! The architecture's features, by their FEAT_ names: which of them a row needs, a profile has, and the ID registers report.
//!
//! The table below is the only place where a feature is defined: `NAME kind [cores] [REGISTER.FIELD=value ...] "what it is"`.
//!
//! * kind: `rows` of instructions that name it, or `rules` that ask for it: it changes what others do
//! * cores: the groups of [`Cores`] that have it; only what is implemented is in one
//! * the fields of ID registers that report it; if several features have one field, the largest value applies. Empty: no field of its own
//!
//! Which core has which groups is in [`crate::cores`]. A row of instructions or registers names the feature that brought it; a [`Features`] set says
//! which of them a machine has, and a row outside the set is UNDEFINED there. The ID registers are derived from the same set ([`crate::profile`]).

/// The table, handed to the macro `$rows`.
#[rustfmt::skip]
macro_rules! table { ($rows:ident) => { $rows! {
    base      rows  []                   []                               "Armv8.0 without options.";
    // FP, AdvSIMD and FP16 share two fields, where 15 means absent: `profile::identification` has them.
    FP        rows  [V8_0 V8_2 MAX]      []                               "Floating point.";
    AdvSIMD   rows  [V8_0 V8_2 MAX]      []                               "Advanced SIMD.";
    CRC32     rows  [V8_0 V8_2 MAX]      [ID_AA64ISAR0_EL1.CRC32=1]       "CRC32 instructions.";
    AES       rows  [V8_0 V8_2 MAX]      [ID_AA64ISAR0_EL1.AES=1]         "AES instructions.";
    PMULL     rows  [V8_0 V8_2 MAX]      [ID_AA64ISAR0_EL1.AES=2]         "PMULL of 64 bits.";
    SHA1      rows  [V8_0 V8_2 MAX]      [ID_AA64ISAR0_EL1.SHA1=1]        "SHA-1 instructions.";
    SHA256    rows  [V8_0 V8_2 MAX]      [ID_AA64ISAR0_EL1.SHA2=1]        "SHA-256 instructions.";
    LSE       rows  [V8_2 MAX]           [ID_AA64ISAR0_EL1.Atomic=2]      "Large System Extensions: atomics.";
    LOR       rows  [V8_2 MAX]           [ID_AA64MMFR1_EL1.LO=1]          "Limited ordering regions.";
    RDM       rows  [V8_2 MAX]           [ID_AA64ISAR0_EL1.RDM=1]         "Rounding double multiply accumulate.";
    PAN       rows  [V8_2 MAX]           [ID_AA64MMFR1_EL1.PAN=1]         "Privileged access never.";
    VHE       rules [V8_2 MAX]           [ID_AA64MMFR1_EL1.VH=1 ID_AA64DFR0_EL1.DebugVer=7] "Virtualization host extensions.";
    UAO       rows  [V8_2 MAX]           [ID_AA64MMFR2_EL1.UAO=1]         "User access override.";
    DPB       rows  [V8_2 MAX]           [ID_AA64ISAR1_EL1.DPB=1]         "Clean to the point of persistence.";
    DPB2      rows  [V8_4 MAX]           [ID_AA64ISAR1_EL1.DPB=2]         "Clean to the point of deep persistence.";
    FP16      rows  [V8_2 MAX]           []                               "Half precision.";
    DotProd   rows  [V8_2 MAX]           [ID_AA64ISAR0_EL1.DP=1]          "Dot product.";
    FHM       rows  [V8_4 MAX]           [ID_AA64ISAR0_EL1.FHM=1]         "Half-precision multiply long.";
    SHA512    rows  [V8_4 MAX]           [ID_AA64ISAR0_EL1.SHA2=2]        "SHA-512 instructions.";
    SHA3      rows  [V8_4 MAX]           [ID_AA64ISAR0_EL1.SHA3=1]        "SHA-3 instructions.";
    SM3       rows  []                   [ID_AA64ISAR0_EL1.SM3=1]         "SM3 instructions.";
    SM4       rows  []                   [ID_AA64ISAR0_EL1.SM4=1]         "SM4 instructions.";
    PAuth     rows  []                   [ID_AA64ISAR1_EL1.API=1 ID_AA64ISAR1_EL1.GPI=1] "Pointer authentication.";
    JSCVT     rows  [V8_4 MAX]           [ID_AA64ISAR1_EL1.JSCVT=1]       "FJCVTZS.";
    FCMA      rows  [V8_4 MAX]           [ID_AA64ISAR1_EL1.FCMA=1]        "Complex numbers.";
    LRCPC     rows  [V8_2 MAX]           [ID_AA64ISAR1_EL1.LRCPC=1]       "Load-acquire RCpc.";
    LRCPC2    rows  [V8_4 MAX]           [ID_AA64ISAR1_EL1.LRCPC=2]       "The same with an immediate offset.";
    FlagM     rows  [V8_4 MAX]           [ID_AA64ISAR0_EL1.TS=1]          "CFINV, RMIF, SETF8, SETF16.";
    FlagM2    rows  [MAX]                [ID_AA64ISAR0_EL1.TS=2]          "AXFLAG, XAFLAG.";
    DIT       rows  [V8_4 MAX]           [ID_AA64PFR0_EL1.DIT=1]          "Data-independent timing.";
    SSBS      rules [V8_2 MAX]           [ID_AA64PFR1_EL1.SSBS=1]         "Speculative store bypass safe.";
    SSBS2     rows  [V8_2 MAX]           [ID_AA64PFR1_EL1.SSBS=2]         "MSR and MRS of PSTATE.SSBS.";
    SB        rows  [MAX]                [ID_AA64ISAR1_EL1.SB=1]          "Speculation barrier.";
    SPECRES   rows  [MAX]                [ID_AA64ISAR1_EL1.SPECRES=1]     "Prediction invalidation by context.";
    BTI       rows  []                   [ID_AA64PFR1_EL1.BT=1]           "Branch targets.";
    FRINTTS   rows  [MAX]                [ID_AA64ISAR1_EL1.FRINTTS=1]     "Rounding to 32 and 64 bits.";
    RNG       rows  []                   [ID_AA64ISAR0_EL1.RNDR=1]        "Random numbers.";
    I8MM      rows  [V8_4 MAX]           [ID_AA64ISAR1_EL1.I8MM=1]        "8-bit integer matrices.";
    BF16      rows  []                   [ID_AA64ISAR1_EL1.BF16=1]        "BFloat16.";
    TLBIOS    rows  [MAX]                [ID_AA64ISAR0_EL1.TLB=1]         "TLBI of the outer shareable domain.";
    TLBIRANGE rows  [MAX]                [ID_AA64ISAR0_EL1.TLB=2]         "TLBI by range.";
    WFxT      rows  [MAX]                [ID_AA64ISAR2_EL1.WFxT=2]        "WFET and WFIT.";
    PAN2      rows  [V8_2 MAX]           [ID_AA64MMFR1_EL1.PAN=2]         "AT with PSTATE.PAN.";
    PAN3      rules [MAX]                [ID_AA64MMFR1_EL1.PAN=3]         "PAN for execute-only pages (SCTLR_ELx.EPAN).";
    VMID16    rules [V8_2 MAX]           [ID_AA64MMFR1_EL1.VMIDBits=2]    "16 bits of VMID.";
    HAFDBS    rules [V8_2 MAX]           [ID_AA64MMFR1_EL1.HAFDBS=2]      "Access flag and dirty state by hardware.";
    HPDS      rules [V8_2 MAX]           [ID_AA64MMFR1_EL1.HPDS=1]        "Hierarchical permissions can be disabled.";
    XNX       rules [V8_2 MAX]           [ID_AA64MMFR1_EL1.XNX=1]         "Execute-never in stage 2 for EL1 and EL0 apart.";
    TTST      rules [MAX]                [ID_AA64MMFR2_EL1.ST=1]          "Small translation tables.";
    TTCNP     rules [V8_2 MAX]           [ID_AA64MMFR2_EL1.CnP=1]         "Common not private translations.";
    E0PD      rules [MAX]                [ID_AA64MMFR2_EL1.E0PD=1]        "EL0 kept out of one half of the address space.";
    S2FWB     rules [V8_4 MAX]           [ID_AA64MMFR2_EL1.FWB=1]         "Stage 2 forces write-back.";
    TTL       rules [MAX]                [ID_AA64MMFR2_EL1.TTL=1]         "Level hints of TLBI.";
    IDST      rules [V8_4 MAX]           [ID_AA64MMFR2_EL1.IDS=1]         "EL0 reads of the feature ID space are traps of their own class.";
    EVT       rules [V8_4 MAX]           [ID_AA64MMFR2_EL1.EVT=2]         "More traps of cache and TLB maintenance.";
    CSV2      rules [V8_2 MAX]           [ID_AA64PFR0_EL1.CSV2=1]
        "Branch prediction of one context is not steered by another: nothing here predicts in a way that a guest can see.";
    CSV3      rules [V8_2 MAX]           [ID_AA64PFR0_EL1.CSV3=1]
        "Data loaded under speculation with a fault is not used to form an address: nothing here speculates.";
    LSE2      rules [V8_4 MAX]           [ID_AA64MMFR2_EL1.AT=1]          "Single-copy atomicity of unaligned accesses within 16 bytes.";
    RAS       rules [V8_2 MAX]           [ID_AA64PFR0_EL1.RAS=1]
        "Reliability, availability, serviceability: ESB, DISR, virtual SError syndromes.";
    IESB      rules [V8_2 MAX]           [ID_AA64MMFR2_EL1.IESB=1]        "An implicit error synchronization barrier at exception entry and return.";
    LVA       rules [MAX]                [ID_AA64MMFR2_EL1.VARange=1]     "52 bits of VA with 64 KiB granules.";
    LPA       rules [MAX]                [ID_AA64MMFR0_EL1.PARange=6]     "52 bits of PA with 64 KiB granules.";
    LPA2      rules [MAX]                [ID_AA64MMFR0_EL1.TGran4=1 ID_AA64MMFR0_EL1.TGran16=2 ID_AA64MMFR0_EL1.TGran4_2=3 ID_AA64MMFR0_EL1.TGran16_2=3]
        "52 bits of VA and PA with granules of 4 and 16 KiB.";
    HPDS2     rules [V8_2 MAX]           [ID_AA64MMFR1_EL1.HPDS=2]        "Bits of the last-level descriptor that software may have.";
    CCIDX     rules [V8_4]               [ID_AA64MMFR2_EL1.CCIDX=1]       "CCSIDR_EL1 in a format of 64 bits.";
    BBM       rules [V8_4 MAX]           [ID_AA64MMFR2_EL1.BBM=2]         "Changes of block size without break-before-make.";
    nTLBPA    rules [MAX]                [ID_AA64MMFR1_EL1.nTLBPA=1]      "A TLB that keeps no intermediate walks beyond TLBI.";
    TWED      rules [MAX]                [ID_AA64MMFR1_EL1.TWED=1]        "A delay before WFE traps.";
    HCX       rules [MAX]                [ID_AA64MMFR1_EL1.HCX=1]         "HCRX_EL2.";
    TIDCP1    rules [MAX]                [ID_AA64MMFR1_EL1.TIDCP1=1]      "EL0's IMPLEMENTATION DEFINED encodings trapped to EL1.";
    CMOW      rows  []                   [ID_AA64MMFR1_EL1.CMOW=1]        "Cache maintenance instructions need permission to write.";
    FGT       rules [MAX]                [ID_AA64MMFR0_EL1.FGT=1]         "Fine-grained traps.";
    ECV       rules [MAX]                [ID_AA64MMFR0_EL1.ECV=1]         "Enhanced counter virtualization.";
    ECV_POFF  rules [MAX]                [ID_AA64MMFR0_EL1.ECV=2]         "CNTPOFF_EL2.";
    NV        rules [V8_4 MAX]           [ID_AA64MMFR2_EL1.NV=1]          "Nested virtualization.";
    NV2       rules [V8_4 MAX]           [ID_AA64MMFR2_EL1.NV=2]          "Nested virtualization with registers in memory.";
    PMUv3     rules [V8_0 V8_2 MAX]      [ID_AA64DFR0_EL1.PMUVer=1]       "Performance monitors.";
    PMUv3p1   rules [V8_2 MAX]           [ID_AA64DFR0_EL1.PMUVer=4]       "The same of Armv8.1.";
    PMUv3p4   rules [V8_4 MAX]           [ID_AA64DFR0_EL1.PMUVer=5]       "The same of Armv8.4.";
    PMUv3p5   rules [MAX]                [ID_AA64DFR0_EL1.PMUVer=6]       "The same of Armv8.5: 64-bit event counters.";
    PMUv3p7   rules [MAX]                [ID_AA64DFR0_EL1.PMUVer=7]       "The same of Armv8.7: freeze on overflow.";
    Debugv8p2 rules [V8_2 MAX]           [ID_AA64DFR0_EL1.DebugVer=8]     "Self-hosted debug of Armv8.2.";
    Debugv8p4 rules [V8_4 MAX]           [ID_AA64DFR0_EL1.DebugVer=9]     "Self-hosted debug of Armv8.4.";
    DoPD      rules [V8_4 MAX]           [ID_AA64DFR0_EL1.DoubleLock=15]  "No OS double lock.";
    AA32EL1   rules [V8_0]               []
        "AArch32 at EL1: of it only the registers that EL2 keeps for a guest in that state. It cannot be entered, and no ID register promises it.";
} } }
pub(crate) use table;

macro_rules! features {
    ($($name:ident $kind:ident [$($core:ident)*] [$($reg:ident.$field:ident=$value:literal)*] $doc:literal;)*) => {
        /// One feature, named as the Arm ARM (A2) does without `FEAT_`; `base` is what every A64 machine has.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Feature { $(#[doc = $doc] $name),* }

        impl Feature {
            /// All of them.
            pub const ALL: &'static [Feature] = &[$(Feature::$name),*];
            /// The name, without `FEAT_`.
            pub const fn name(self) -> &'static str {
                match self { $(Feature::$name => stringify!($name)),* }
            }
            /// Whether instructions name it; else it changes what others do.
            pub const fn has_rows(self) -> bool {
                match self { $(Feature::$name => Kind::$kind as u8 == Kind::rows as u8),* }
            }
            /// The groups of cores that have it.
            const fn cores(self) -> &'static [Cores] {
                match self { $(Feature::$name => &[$(Cores::$core),*]),* }
            }
        }
    };
}
table!(features);

/// The first column.
#[allow(non_camel_case_types)]
enum Kind {
    rows,
    rules,
}

/// Groups of features that cores have together.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cores {
    /// Armv8.0 with the options that Cortex-A53, A57 and A72 share.
    V8_0,
    /// Armv8.2, as in Neoverse N1.
    V8_2,
    /// What Neoverse V1 has besides.
    V8_4,
    /// All that is implemented.
    MAX,
}

/// A set of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features(u128);

const _: () = assert!(Feature::ALL.len() <= 128);

impl Features {
    /// Every feature that has a name here.
    pub const ALL: Features = Features::of(Feature::ALL);

    /// The set of `list`.
    pub const fn of(list: &[Feature]) -> Features {
        let (mut set, mut i) = (1u128 << Feature::base as u8, 0);
        while i < list.len() {
            set |= 1u128 << list[i] as u8;
            i += 1;
        }
        Features(set)
    }
    /// What a group of cores has.
    pub const fn of_cores(cores: Cores) -> Features {
        let (mut set, mut i) = (Features::of(&[]), 0);
        while i < Feature::ALL.len() {
            let (f, mut n) = (Feature::ALL[i], 0);
            while n < f.cores().len() {
                if f.cores()[n] as u8 == cores as u8 {
                    set = set.with(Features::of(&[f]));
                }
                n += 1;
            }
            i += 1;
        }
        set
    }
    /// This set and `other`.
    pub const fn with(self, other: Features) -> Features {
        Features(self.0 | other.0)
    }
    /// Whether `f` is in it.
    #[inline]
    pub const fn has(self, f: Feature) -> bool {
        self.0 >> f as u8 & 1 != 0
    }
    /// The members.
    pub fn iter(self) -> impl Iterator<Item = Feature> {
        Feature::ALL.iter().copied().filter(move |f| self.has(*f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cores::PROFILES;
    use crate::isa::{RowKind, GROUPS};

    #[test]
    fn every_feature_of_a_profile_has_rows() {
        let rowed = |f: Feature| {
            GROUPS
                .iter()
                .flat_map(|g| g.1)
                .any(|r| r.feature == f && !matches!(r.kind, RowKind::Undefined))
                || crate::reg::sysop::INFOS.iter().any(|r| r.feature == f)
        };
        for p in PROFILES {
            for f in p.features.iter() {
                assert_eq!(rowed(f), f.has_rows(), "{}: {f:?}", p.name);
            }
        }
    }
}
