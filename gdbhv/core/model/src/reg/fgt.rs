//! Fine-grained traps (FEAT_FGT; Arm ARM D24.2 HFGRTR_EL2, HFGWTR_EL2, HFGITR_EL2, HDFGRTR_EL2, HDFGWTR_EL2): one row for each bit. From
//! the rows come the fields that `monitor sysreg` shows, the bits that can be written, the trap ([`crate::sysreg::fgt`]), and its name in
//! an exit's causes.

use super::names::*;
use super::row::Reg;

/// One bit, in one of the registers or in a pair of them.
pub struct Bit {
    /// The field's name.
    pub name: &'static str,
    /// Its place.
    pub bit: u8,
    /// It traps when clear. (All bits are 0 after a reset: there is no EL3.)
    pub when_clear: bool,
    /// The feature that the field needs, or `base`; RES0 without.
    pub feature: &'static str,
    /// What it traps: names of registers or system instructions, in which `#` stands for a number.
    pub targets: &'static str,
    /// For reads and for writes (instructions count as writes): the register that it is in, and `REGISTER.FIELD`.
    pub control: [Option<(Reg, &'static [&'static str])>; 2],
}

/// One field in the notation of [`mod@super::field`], if register `$control` has it.
macro_rules! field {
    (HFGRTR  HFG  RW $($f:tt)*) => { field!(@text $($f)*) };
    (HFGRTR  HFG  R  $($f:tt)*) => { field!(@text $($f)*) };
    (HFGWTR  HFG  RW $($f:tt)*) => { field!(@text $($f)*) };
    (HFGWTR  HFG  W  $($f:tt)*) => { field!(@text $($f)*) };
    (HDFGRTR HDFG RW $($f:tt)*) => { field!(@text $($f)*) };
    (HDFGRTR HDFG R  $($f:tt)*) => { field!(@text $($f)*) };
    (HDFGWTR HDFG RW $($f:tt)*) => { field!(@text $($f)*) };
    (HDFGWTR HDFG W  $($f:tt)*) => { field!(@text $($f)*) };
    (HFGITR  HFG  X  $($f:tt)*) => { field!(@text $($f)*) };
    (@text $bit:literal $name:ident base)      => { concat!(stringify!($name), ":", $bit, " ") };
    (@text $bit:literal $name:ident $f:ident)  => { concat!(stringify!($name), ":", $bit, "@", stringify!($f), " ") };
    ($($other:tt)*) => { "" };
}

/// The two halves of [`Bit::control`].
macro_rules! control {
    (HFG  RW $name:ident) => { [control!(@ HFGRTR_EL2 $name), control!(@ HFGWTR_EL2 $name)] };
    (HFG  R  $name:ident) => { [control!(@ HFGRTR_EL2 $name), None] };
    (HFG  W  $name:ident) => { [None, control!(@ HFGWTR_EL2 $name)] };
    (HFG  X  $name:ident) => { [None, control!(@ HFGITR_EL2 $name)] };
    (HDFG RW $name:ident) => { [control!(@ HDFGRTR_EL2 $name), control!(@ HDFGWTR_EL2 $name)] };
    (HDFG R  $name:ident) => { [control!(@ HDFGRTR_EL2 $name), None] };
    (HDFG W  $name:ident) => { [None, control!(@ HDFGWTR_EL2 $name)] };
    (@ $reg:ident $name:ident) => { Some(($reg, &[concat!(stringify!($reg), ".", stringify!($name))])) };
}

macro_rules! bits {
    ($($group:ident $dir:ident $bit:literal $when:ident $name:ident $feature:ident $targets:literal;)*) => {
        /// Every bit of the five registers.
        pub static BITS: &[Bit] = &[$(Bit {
            name: stringify!($name),
            bit: $bit,
            when_clear: bits!(@clear $when),
            feature: stringify!($feature),
            targets: $targets,
            control: control!($group $dir $name),
        }),*];
        /// Fields of HFGRTR_EL2.
        pub const HFGRTR: &str = concat!($(field!(HFGRTR $group $dir $bit $name $feature)),*);
        /// Fields of HFGWTR_EL2.
        pub const HFGWTR: &str = concat!($(field!(HFGWTR $group $dir $bit $name $feature)),*);
        /// Fields of HFGITR_EL2.
        pub const HFGITR: &str = concat!($(field!(HFGITR $group $dir $bit $name $feature)),*);
        /// Fields of HDFGRTR_EL2.
        pub const HDFGRTR: &str = concat!($(field!(HDFGRTR $group $dir $bit $name $feature)),*);
        /// Fields of HDFGWTR_EL2.
        pub const HDFGWTR: &str = concat!($(field!(HDFGWTR $group $dir $bit $name $feature)),*);
    };
    (@clear set) => { false };
    (@clear clear) => { true };
}

// HFG R: HFGRTR_EL2, HFG W: HFGWTR_EL2, HFG X: HFGITR_EL2, HDFG R: HDFGRTR_EL2, HDFG W: HDFGWTR_EL2.
#[rustfmt::skip]
bits! {
    // register bit traps when, name      feature     what it traps
    HFG  RW  0  set   AFSR0_EL1           base        "AFSR0_EL1";
    HFG  RW  1  set   AFSR1_EL1           base        "AFSR1_EL1";
    HFG  R   2  set   AIDR_EL1            base        "AIDR_EL1";
    HFG  RW  3  set   AMAIR_EL1           base        "AMAIR_EL1";
    HFG  RW  4  set   APDAKey             PAuth       "APDAKeyLo_EL1 APDAKeyHi_EL1";
    HFG  RW  5  set   APDBKey             PAuth       "APDBKeyLo_EL1 APDBKeyHi_EL1";
    HFG  RW  6  set   APGAKey             PAuth       "APGAKeyLo_EL1 APGAKeyHi_EL1";
    HFG  RW  7  set   APIAKey             PAuth       "APIAKeyLo_EL1 APIAKeyHi_EL1";
    HFG  RW  8  set   APIBKey             PAuth       "APIBKeyLo_EL1 APIBKeyHi_EL1";
    HFG  R   9  set   CCSIDR_EL1          base        "CCSIDR_EL1";
    HFG  R   10 set   CLIDR_EL1           base        "CLIDR_EL1";
    HFG  RW  11 set   CONTEXTIDR_EL1      base        "CONTEXTIDR_EL1";
    HFG  RW  12 set   CPACR_EL1           base        "CPACR_EL1";
    HFG  RW  13 set   CSSELR_EL1          base        "CSSELR_EL1";
    HFG  R   14 set   CTR_EL0             base        "CTR_EL0";
    HFG  R   15 set   DCZID_EL0           base        "DCZID_EL0";
    HFG  RW  16 set   ESR_EL1             base        "ESR_EL1";
    HFG  RW  17 set   FAR_EL1             base        "FAR_EL1";
    HFG  R   18 set   ISR_EL1             base        "ISR_EL1";
    HFG  RW  19 set   LORC_EL1            LOR         "LORC_EL1";
    HFG  RW  20 set   LOREA_EL1           LOR         "LOREA_EL1";
    HFG  R   21 set   LORID_EL1           LOR         "LORID_EL1";
    HFG  RW  22 set   LORN_EL1            LOR         "LORN_EL1";
    HFG  RW  23 set   LORSA_EL1           LOR         "LORSA_EL1";
    HFG  RW  24 set   MAIR_EL1            base        "MAIR_EL1";
    HFG  R   25 set   MIDR_EL1            base        "MIDR_EL1";
    HFG  R   26 set   MPIDR_EL1           base        "MPIDR_EL1";
    HFG  RW  27 set   PAR_EL1             base        "PAR_EL1";
    HFG  R   28 set   REVIDR_EL1          base        "REVIDR_EL1";
    HFG  RW  29 set   SCTLR_EL1           base        "SCTLR_EL1";
    HFG  RW  30 set   SCXTNUM_EL1         CSV2_2      "SCXTNUM_EL1";
    HFG  RW  31 set   SCXTNUM_EL0         CSV2_2      "SCXTNUM_EL0";
    HFG  RW  32 set   TCR_EL1             base        "TCR_EL1";
    HFG  RW  33 set   TPIDR_EL1           base        "TPIDR_EL1";
    HFG  RW  34 set   TPIDRRO_EL0         base        "TPIDRRO_EL0";
    HFG  RW  35 set   TPIDR_EL0           base        "TPIDR_EL0";
    HFG  RW  36 set   TTBR0_EL1           base        "TTBR0_EL1";
    HFG  RW  37 set   TTBR1_EL1           base        "TTBR1_EL1";
    HFG  RW  38 set   VBAR_EL1            base        "VBAR_EL1";
    HFG  RW  39 set   ICC_IGRPENn_EL1     base        "ICC_IGRPEN#_EL1";
    HFG  R   40 set   ERRIDR_EL1          RAS         "ERRIDR_EL1";
    HFG  RW  41 set   ERRSELR_EL1         RAS         "ERRSELR_EL1";
    HFG  R   42 set   ERXFR_EL1           RAS         "ERXFR_EL1";
    HFG  RW  43 set   ERXCTLR_EL1         RAS         "ERXCTLR_EL1";
    HFG  RW  44 set   ERXSTATUS_EL1       RAS         "ERXSTATUS_EL1";
    HFG  RW  45 set   ERXMISCn_EL1        RAS         "ERXMISC#_EL1";
    HFG  R   46 set   ERXPFGF_EL1         RASv1p1     "";
    HFG  RW  47 set   ERXPFGCTL_EL1       RASv1p1     "";
    HFG  RW  48 set   ERXPFGCDN_EL1       RASv1p1     "";
    HFG  RW  49 set   ERXADDR_EL1         RAS         "ERXADDR_EL1";
    HFG  RW  50 clear nACCDATA_EL1        LS64_ACCDATA "";
    HFG  RW  52 clear nGCS_EL0            GCS         "";
    HFG  RW  53 clear nGCS_EL1            GCS         "";
    HFG  RW  54 clear nSMPRI_EL1          SME         "SMPRI_EL1";
    HFG  RW  55 clear nTPIDR2_EL0         SME         "TPIDR2_EL0";
    HFG  RW  56 clear nRCWMASK_EL1        THE         "";
    HFG  RW  57 clear nPIRE0_EL1          S1PIE       "";
    HFG  RW  58 clear nPIR_EL1            S1PIE       "";
    HFG  RW  59 clear nPOR_EL0            S1POE       "";
    HFG  RW  60 clear nPOR_EL1            S1POE       "";
    HFG  RW  61 clear nS2POR_EL1          S2POE       "";
    HFG  RW  62 clear nMAIR2_EL1          AIE         "";
    HFG  RW  63 clear nAMAIR2_EL1         AIE         "";

    HFG  X   0  set   ICIALLUIS           base        "IC_IALLUIS";
    HFG  X   1  set   ICIALLU             base        "IC_IALLU";
    HFG  X   2  set   ICIVAU              base        "IC_IVAU";
    HFG  X   3  set   DCIVAC              base        "DC_IVAC";
    HFG  X   4  set   DCISW               base        "DC_ISW";
    HFG  X   5  set   DCCSW               base        "DC_CSW";
    HFG  X   6  set   DCCISW              base        "DC_CISW";
    HFG  X   7  set   DCCVAU              base        "DC_CVAU";
    HFG  X   8  set   DCCVAP              DPB         "DC_CVAP";
    HFG  X   9  set   DCCVADP             DPB2        "DC_CVADP";
    HFG  X   10 set   DCCIVAC             base        "DC_CIVAC";
    HFG  X   11 set   DCZVA               base        "DC_ZVA";
    HFG  X   12 set   ATS1E1R             base        "AT_S1E1R";
    HFG  X   13 set   ATS1E1W             base        "AT_S1E1W";
    HFG  X   14 set   ATS1E0R             base        "AT_S1E0R";
    HFG  X   15 set   ATS1E0W             base        "AT_S1E0W";
    HFG  X   16 set   ATS1E1RP            PAN2        "AT_S1E1RP";
    HFG  X   17 set   ATS1E1WP            PAN2        "AT_S1E1WP";
    HFG  X   18 set   TLBIVMALLE1OS       TLBIOS      "TLBI_VMALLE1OS";
    HFG  X   19 set   TLBIVAE1OS          TLBIOS      "TLBI_VAE1OS";
    HFG  X   20 set   TLBIASIDE1OS        TLBIOS      "TLBI_ASIDE1OS";
    HFG  X   21 set   TLBIVAAE1OS         TLBIOS      "TLBI_VAAE1OS";
    HFG  X   22 set   TLBIVALE1OS         TLBIOS      "TLBI_VALE1OS";
    HFG  X   23 set   TLBIVAALE1OS        TLBIOS      "TLBI_VAALE1OS";
    HFG  X   24 set   TLBIRVAE1OS         TLBIRANGE   "TLBI_RVAE1OS";
    HFG  X   25 set   TLBIRVAAE1OS        TLBIRANGE   "TLBI_RVAAE1OS";
    HFG  X   26 set   TLBIRVALE1OS        TLBIRANGE   "TLBI_RVALE1OS";
    HFG  X   27 set   TLBIRVAALE1OS       TLBIRANGE   "TLBI_RVAALE1OS";
    HFG  X   28 set   TLBIVMALLE1IS       base        "TLBI_VMALLE1IS";
    HFG  X   29 set   TLBIVAE1IS          base        "TLBI_VAE1IS";
    HFG  X   30 set   TLBIASIDE1IS        base        "TLBI_ASIDE1IS";
    HFG  X   31 set   TLBIVAAE1IS         base        "TLBI_VAAE1IS";
    HFG  X   32 set   TLBIVALE1IS         base        "TLBI_VALE1IS";
    HFG  X   33 set   TLBIVAALE1IS        base        "TLBI_VAALE1IS";
    HFG  X   34 set   TLBIRVAE1IS         TLBIRANGE   "TLBI_RVAE1IS";
    HFG  X   35 set   TLBIRVAAE1IS        TLBIRANGE   "TLBI_RVAAE1IS";
    HFG  X   36 set   TLBIRVALE1IS        TLBIRANGE   "TLBI_RVALE1IS";
    HFG  X   37 set   TLBIRVAALE1IS       TLBIRANGE   "TLBI_RVAALE1IS";
    HFG  X   38 set   TLBIRVAE1           TLBIRANGE   "TLBI_RVAE1";
    HFG  X   39 set   TLBIRVAAE1          TLBIRANGE   "TLBI_RVAAE1";
    HFG  X   40 set   TLBIRVALE1          TLBIRANGE   "TLBI_RVALE1";
    HFG  X   41 set   TLBIRVAALE1         TLBIRANGE   "TLBI_RVAALE1";
    HFG  X   42 set   TLBIVMALLE1         base        "TLBI_VMALLE1";
    HFG  X   43 set   TLBIVAE1            base        "TLBI_VAE1";
    HFG  X   44 set   TLBIASIDE1          base        "TLBI_ASIDE1";
    HFG  X   45 set   TLBIVAAE1           base        "TLBI_VAAE1";
    HFG  X   46 set   TLBIVALE1           base        "TLBI_VALE1";
    HFG  X   47 set   TLBIVAALE1          base        "TLBI_VAALE1";
    HFG  X   48 set   CFPRCTX             SPECRES     "CFP_RCTX";
    HFG  X   49 set   DVPRCTX             SPECRES     "DVP_RCTX";
    HFG  X   50 set   CPPRCTX             SPECRES     "CPP_RCTX";
    HFG  X   51 set   ERET                base        ""; // see `eret`
    HFG  X   52 set   SVC_EL0             base        ""; // see `svc`
    HFG  X   53 set   SVC_EL1             base        "";
    HFG  X   54 set   DCCVAC              base        "DC_CVAC";
    HFG  X   55 clear nBRBINJ             BRBE        "";
    HFG  X   56 clear nBRBIALL            BRBE        "";
    HFG  X   57 clear nGCSPUSHM_EL1       GCS         "";
    HFG  X   58 clear nGCSSTR_EL1         GCS         "";
    HFG  X   59 clear nGCSEPP             GCS         "";
    HFG  X   60 set   COSPRCTX            SPECRES2    "";
    HFG  X   62 set   ATS1E1A             ATS1A       "";
    HFG  X   63 set   PSBCSYNC            SPEv1p5     "";

    HDFG RW  0  set   DBGBCRn_EL1         base        "DBGBCR#_EL1";
    HDFG RW  1  set   DBGBVRn_EL1         base        "DBGBVR#_EL1";
    HDFG RW  2  set   DBGWCRn_EL1         base        "DBGWCR#_EL1";
    HDFG RW  3  set   DBGWVRn_EL1         base        "DBGWVR#_EL1";
    HDFG RW  4  set   MDSCR_EL1           base        "MDSCR_EL1";
    HDFG RW  5  set   DBGCLAIM            base        "DBGCLAIMSET_EL1 DBGCLAIMCLR_EL1";
    HDFG R   6  set   DBGAUTHSTATUS_EL1   base        "DBGAUTHSTATUS_EL1";
    HDFG RW  7  set   DBGPRCR_EL1         base        "DBGPRCR_EL1";
    HDFG W   8  set   OSLAR_EL1           base        "OSLAR_EL1";
    HDFG R   9  set   OSLSR_EL1           base        "OSLSR_EL1";
    HDFG RW  10 set   OSECCR_EL1          base        "OSECCR_EL1";
    HDFG RW  11 set   OSDLR_EL1           base        "OSDLR_EL1";
    HDFG RW  12 set   PMEVCNTRn_EL0       PMUv3       "PMEVCNTR#_EL0 PMXEVCNTR_EL0";
    HDFG RW  13 set   PMEVTYPERn_EL0      PMUv3       "PMEVTYPER#_EL0 PMXEVTYPER_EL0";
    HDFG RW  14 set   PMCCFILTR_EL0       PMUv3       "PMCCFILTR_EL0";
    HDFG RW  15 set   PMCCNTR_EL0         PMUv3       "PMCCNTR_EL0";
    HDFG RW  16 set   PMCNTEN             PMUv3       "PMCNTENSET_EL0 PMCNTENCLR_EL0";
    HDFG RW  17 set   PMINTEN             PMUv3       "PMINTENSET_EL1 PMINTENCLR_EL1";
    HDFG RW  18 set   PMOVS               PMUv3       "PMOVSSET_EL0 PMOVSCLR_EL0";
    HDFG RW  19 set   PMSELR_EL0          PMUv3       "PMSELR_EL0";
    HDFG W   20 set   PMSWINC_EL0         PMUv3       "PMSWINC_EL0";
    HDFG W   21 set   PMCR_EL0            PMUv3       "PMCR_EL0";
    HDFG R   22 set   PMMIR_EL1           PMUv3p4     "PMMIR_EL1";
    HDFG RW  23 set   PMBLIMITR_EL1       SPE         "";
    HDFG RW  24 set   PMBPTR_EL1          SPE         "";
    HDFG RW  25 set   PMBSR_EL1           SPE         "";
    HDFG RW  26 set   PMSCR_EL1           SPE         "";
    HDFG RW  27 set   PMSEVFR_EL1         SPE         "";
    HDFG RW  28 set   PMSFCR_EL1          SPE         "";
    HDFG RW  29 set   PMSICR_EL1          SPE         "";
    HDFG R   30 set   PMSIDR_EL1          SPE         "";
    HDFG RW  31 set   PMSIRR_EL1          SPE         "";
    HDFG RW  32 set   PMSLATFR_EL1        SPE         "";
    HDFG RW  33 set   TRC                 ETMv4       "";
    HDFG R   34 set   TRCAUTHSTATUS       ETMv4       "";
    HDFG RW  35 set   TRCAUXCTLR          ETMv4       "";
    HDFG RW  36 set   TRCCLAIM            ETMv4       "";
    HDFG RW  37 set   TRCCNTVRn           ETMv4       "";
    HDFG R   40 set   TRCID               ETMv4       "";
    HDFG RW  41 set   TRCIMSPECn          ETMv4       "";
    HDFG W   42 set   TRCOSLAR            ETMv4       "";
    HDFG R   43 set   TRCOSLSR            ETMv4       "";
    HDFG RW  44 set   TRCPRGCTLR          ETMv4       "";
    HDFG RW  45 set   TRCSEQSTR           ETMv4       "";
    HDFG RW  46 set   TRCSSCSRn           ETMv4       "";
    HDFG R   47 set   TRCSTATR            ETMv4       "";
    HDFG RW  48 set   TRCVICTLR           ETMv4       "";
    HDFG W   49 set   TRFCR_EL1           TRF         "TRFCR_EL1";
    HDFG RW  50 set   TRBBASER_EL1        TRBE        "";
    HDFG R   51 set   TRBIDR_EL1          TRBE        "";
    HDFG RW  52 set   TRBLIMITR_EL1       TRBE        "";
    HDFG RW  53 set   TRBMAR_EL1          TRBE        "";
    HDFG RW  54 set   TRBPTR_EL1          TRBE        "";
    HDFG RW  55 set   TRBSR_EL1           TRBE        "";
    HDFG RW  56 set   TRBTRG_EL1          TRBE        "";
    HDFG RW  57 set   PMUSERENR_EL0       PMUv3       "PMUSERENR_EL0";
    HDFG R   58 set   PMCEIDn_EL0         PMUv3       "PMCEID#_EL0";
    HDFG R   59 clear nBRBIDR             BRBE        "";
    HDFG RW  60 clear nBRBCTL             BRBE        "";
    HDFG RW  61 clear nBRBDATA            BRBE        "";
    HDFG RW  62 clear nPMSNEVFR_EL1       SPEv1p2     "";
    HDFG R   63 set   PMBIDR_EL1          SPE         "";
}

/// The five registers.
pub const CONTROLS: [Reg; 5] = [HFGRTR_EL2, HFGWTR_EL2, HFGITR_EL2, HDFGRTR_EL2, HDFGWTR_EL2];

impl Bit {
    /// Whether `name` is one of the targets: `#` stands for a number.
    pub fn covers(&self, name: &str) -> bool {
        self.targets
            .split_whitespace()
            .any(|t| match t.split_once('#') {
                None => t == name,
                Some((head, tail)) => name
                    .strip_prefix(head)
                    .and_then(|n| n.strip_suffix(tail))
                    .is_some_and(|n| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit())),
            })
    }
}
