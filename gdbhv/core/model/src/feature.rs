//! The architecture's features, by their FEAT_ names: what a row needs, what a profile has, what the ID registers tell.
//!
//! [`Feature`] is the one list; which CPU has what is in [`crate::cores`]. A row names the feature that brought it; a [`Features`] set says which of them a machine
//! has, and a row outside the set is UNDEFINED there. The ID registers are derived from the same set.

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// One feature, named as the Arm ARM (A2) does without `FEAT_`; `base` is what every A64 machine has.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Feature { $($(#[$doc])* $name),* }

        impl Feature {
            /// All of them.
            pub const ALL: &'static [Feature] = &[$(Feature::$name),*];
            /// The name, without `FEAT_`.
            pub const fn name(self) -> &'static str {
                match self { $(Feature::$name => stringify!($name)),* }
            }
        }
    };
}

features! {
    /// Armv8.0 without options.
    base
    /// Floating point.
    FP
    /// Advanced SIMD.
    AdvSIMD
    /// CRC32 instructions.
    CRC32
    /// AES instructions.
    AES
    /// PMULL of 64 bits.
    PMULL
    /// SHA-1 instructions.
    SHA1
    /// SHA-256 instructions.
    SHA256
    /// Large System Extensions: atomics.
    LSE
    /// Limited ordering regions.
    LOR
    /// Rounding double multiply accumulate.
    RDM
    /// Privileged access never.
    PAN
    /// Virtualization host extensions.
    VHE
    /// User access override.
    UAO
    /// Clean to the point of persistence.
    DPB
    /// Clean to the point of deep persistence.
    DPB2
    /// Half precision.
    FP16
    /// Dot product.
    DotProd
    /// Half-precision multiply long.
    FHM
    /// SHA-512 instructions.
    SHA512
    /// SHA-3 instructions.
    SHA3
    /// SM3 instructions.
    SM3
    /// SM4 instructions.
    SM4
    /// Pointer authentication.
    PAuth
    /// FJCVTZS.
    JSCVT
    /// Complex numbers.
    FCMA
    /// Load-acquire RCpc.
    LRCPC
    /// The same with an immediate offset.
    LRCPC2
    /// CFINV, RMIF, SETF8, SETF16.
    FlagM
    /// AXFLAG, XAFLAG.
    FlagM2
    /// Data-independent timing.
    DIT
    /// Speculative store bypass safe.
    SSBS
    /// MSR and MRS of PSTATE.SSBS.
    SSBS2
    /// Speculation barrier.
    SB
    /// Prediction invalidation by context.
    SPECRES
    /// Branch targets.
    BTI
    /// Rounding to 32 and 64 bits.
    FRINTTS
    /// Random numbers.
    RNG
    /// 8-bit integer matrices.
    I8MM
    /// BFloat16.
    BF16
    /// TLBI of the outer shareable domain.
    TLBIOS
    /// TLBI by range.
    TLBIRANGE
    /// WFET and WFIT.
    WFxT
    /// AT with PSTATE.PAN.
    PAN2
    /// PAN for execute-only pages (SCTLR_ELx.EPAN).
    PAN3
    /// 16 bits of VMID.
    VMID16
    /// Access flag and dirty state by hardware.
    HAFDBS
    /// Hierarchical permissions can be disabled.
    HPDS
    /// Execute-never in stage 2 for EL1 and EL0 apart.
    XNX
    /// Small translation tables.
    TTST
    /// Common not private translations.
    TTCNP
    /// EL0 kept out of one half of the address space.
    E0PD
    /// Stage 2 forces write-back.
    S2FWB
    /// Level hints of TLBI.
    TTL
    /// EL0 reads of the feature ID space are traps of their own class.
    IDST
    /// More traps of cache and TLB maintenance.
    EVT
    /// Branch prediction of one context is not steered by another: nothing here predicts in a way that a guest can see.
    CSV2
    /// Data loaded under speculation with a fault is not used to form an address: nothing here speculates.
    CSV3
    /// Single-copy atomicity of unaligned accesses within 16 bytes.
    LSE2
    /// Reliability, availability, serviceability: ESB, DISR, virtual SError syndromes.
    RAS
    /// An implicit error synchronization barrier at exception entry and return.
    IESB
    /// 52 bits of VA with 64 KiB granules.
    LVA
    /// 52 bits of PA with 64 KiB granules.
    LPA
    /// 52 bits of VA and PA with granules of 4 and 16 KiB.
    LPA2
    /// Bits of the last-level descriptor that software may have.
    HPDS2
    /// Changes of block size without break-before-make.
    BBM
    /// A TLB that keeps no intermediate walks beyond TLBI.
    nTLBPA
    /// A delay before WFE traps.
    TWED
    /// HCRX_EL2.
    HCX
    /// EL0's IMPLEMENTATION DEFINED encodings trapped to EL1.
    TIDCP1
    /// Cache maintenance instructions need permission to write.
    CMOW
    /// Fine-grained traps.
    FGT
    /// Enhanced counter virtualization.
    ECV
    /// CNTPOFF_EL2.
    ECV_POFF
    /// Nested virtualization.
    NV
    /// Nested virtualization with registers in memory.
    NV2
    /// Performance monitors.
    PMUv3
    /// The same of Armv8.1.
    PMUv3p1
    /// The same of Armv8.4.
    PMUv3p4
    /// The same of Armv8.5: 64-bit event counters.
    PMUv3p5
    /// The same of Armv8.7: freeze on overflow.
    PMUv3p7
    /// Self-hosted debug of Armv8.2.
    Debugv8p2
    /// Self-hosted debug of Armv8.4.
    Debugv8p4
    /// No OS double lock.
    DoPD
    /// AArch32 at EL1: of it only the registers that EL2 keeps for a guest in that state. It cannot be entered, and no ID register
    /// promises it.
    AA32EL1
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
    use super::Feature::*;
    use super::*;
    use crate::cores::PROFILES;
    use crate::isa::{RowKind, GROUPS};

    /// Features that change behaviour but bring no instruction of their own.
    #[rustfmt::skip]
    const WITHOUT_ROWS: &[Feature] = &[
        HPDS2, LVA, LPA, LPA2, BBM, nTLBPA,
        VHE, PAN3, SSBS, VMID16, HAFDBS, HPDS, XNX, TTST, TTCNP, E0PD, S2FWB, TTL, IDST, EVT,
        CSV2, CSV3, LSE2, NV, NV2, Debugv8p2, Debugv8p4, DoPD,
        FGT, HCX, TIDCP1, TWED, RAS, IESB,
        ECV, ECV_POFF, PMUv3, PMUv3p1, PMUv3p4, PMUv3p5, PMUv3p7, AA32EL1,
    ];

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
                assert!(rowed(f) != WITHOUT_ROWS.contains(&f), "{}: {f:?}", p.name);
            }
        }
    }
}
