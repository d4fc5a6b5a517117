//! What the architecture has of exits, and this machine has not: classes and words of their names, each with the reason. They are here so
//! that who asks for one is told, instead of waiting for what never comes.

/// A class of exceptions that is no row of [`super::CLASSES`].
#[derive(Clone, Copy, Debug)]
pub struct Absent {
    /// What it would be called.
    pub name: &'static str,
    /// ESR_ELx.EC.
    pub ec: u8,
    /// What KVM's tracepoints call it; empty: nothing.
    pub kvm: &'static str,
    /// What causes it.
    pub what: &'static str,
    /// Why no exception here has it.
    pub why: &'static str,
}

macro_rules! absent {
    ($($name:literal $ec:literal $kvm:literal $what:literal, $why:expr;)*) => {
        /// The allocated values of EC (Arm ARM D24.2.40, ESR_EL2.EC) that no exception of the model has.
        pub const ABSENT: &[Absent] = &[$(Absent { name: $name, ec: $ec, kvm: $kvm, what: $what, why: $why }),*];
    };
}

const AARCH32: &str = "no CPU here has AArch32 state";

#[rustfmt::skip]
absent! {
    "cp15_mcr"  0x03 "CP15_32"   "MCR or MRC of CP15 in AArch32", AARCH32;
    "cp15_mcrr" 0x04 "CP15_64"   "MCRR or MRRC of CP15 in AArch32", AARCH32;
    "cp14_mcr"  0x05 "CP14_MR"   "MCR or MRC of CP14 in AArch32", AARCH32;
    "cp14_ldc"  0x06 "CP14_LS"   "LDC or STC of CP14 in AArch32", AARCH32;
    "cp10_vmrs" 0x08 "CP10_ID"   "VMRS of an ID register in AArch32", AARCH32;
    "other"     0x0a ""          "LD64B, ST64B, ST64BV, ST64BV0, TSB CSYNC, PSB CSYNC",
        "FEAT_LS64, FEAT_TRF and FEAT_SPE are not modelled";
    "cp14_mrrc" 0x0c "CP14_64"   "MRRC of CP14 in AArch32", AARCH32;
    "bti"       0x0d ""          "branch target exception", "FEAT_BTI is not modelled; it would go to EL2 with HCR_EL2.TGE alone";
    "svc32"     0x11 ""          "SVC in AArch32", AARCH32;
    "hvc32"     0x12 "HVC32"     "HVC in AArch32", AARCH32;
    "smc32"     0x13 "SMC32"     "SMC in AArch32", AARCH32;
    "sysreg128" 0x14 ""          "MRRS, MSRR or a system instruction of 128 bits", "FEAT_SYSREG128 is not modelled";
    "tme"       0x1b ""          "TSTART", "FEAT_TME is not modelled";
    "fpac"      0x1c ""          "failed pointer authentication", "FEAT_FPAC is not modelled; it would go to EL2 with HCR_EL2.TGE alone";
    "sme"       0x1d ""          "SME instruction or register", "FEAT_SME is not modelled";
    "gpc"       0x1e ""          "granule protection check", "FEAT_RME is not modelled; it would go to EL3";
    "impdef"    0x1f "IMP_DEF"   "IMPLEMENTATION DEFINED exception", "it would go to EL3, which the board has not";
    "mops"      0x27 ""          "memory copy or set with another option", "FEAT_MOPS is not modelled";
    "fp_exc32"  0x28 "FP_EXC32"  "trapped floating-point exception in AArch32", AARCH32;
    "fp_exc"    0x2c "FP_EXC64"  "trapped floating-point exception", "FPCR has no trap enables here; it would go to EL2 with HCR_EL2.TGE alone";
    "gcs"       0x2d ""          "guarded control stack", "FEAT_GCS is not modelled; it would go to EL2 with HCR_EL2.TGE alone";
    "bkpt32"    0x38 "BKPT32"    "BKPT in AArch32", AARCH32;
    "vcatch32"  0x3a "VECTOR32"  "vector catch in AArch32", AARCH32;
    "prof"      0x3d ""          "profiling exception", "FEAT_EBEP, FEAT_SPE_EXC and FEAT_TRBE_EXC are not modelled";
}

/// Words that names of exits would have by the architecture, and have not here: the word, and why.
pub const WORDS: &[(&str, &str)] = &[
    ("parity", "memory has no ECC: `inject serror` and `inject abort` are how errors come"),
    ("gpf", "FEAT_RME is not modelled"),
    ("tagcheck", "FEAT_MTE2 is not modelled; it would go to EL1"),
    ("lockdown", "it is IMPLEMENTATION DEFINED, and no CPU here has it"),
    ("tlbconflict", "of two entries that conflict the TLB here uses one: `tlb check on` tells of the missing break-before-make"),
    ("hwupdate", "tables are in memory that hardware can update"),
    ("exclusive", "exclusives and atomics are supported in memory of every type here"),
    ("l-2", "FEAT_D128 is not modelled"),
    ("overlay", "FEAT_S2POE is not modelled"),
    ("dirty", "FEAT_S2PIE is not modelled"),
    ("assured", "FEAT_THE is not modelled"),
    ("tl0", "FEAT_THE is not modelled"),
    ("tl1", "FEAT_THE is not modelled"),
    ("ea", "ISS.EA is 0: external aborts here have no IMPLEMENTATION DEFINED classification"),
    ("fnv", "ISS.FnV is 0: the FAR of an abort is always known here"),
    ("nmi", "FEAT_NMI is not modelled"),
    ("spe", "FEAT_SPE is not modelled"),
    ("trbe", "FEAT_TRBE is not modelled"),
];
