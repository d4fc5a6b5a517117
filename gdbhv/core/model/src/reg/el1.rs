//! Control of the EL1&0 regime and of exceptions taken to EL1 (Arm ARM D24.2).
//!
//! `=> X` is where the name leads when EL2 uses it with HCR_EL2.E2H set; the `_EL12` names, which lead back, are in [`super::el2`].

/// ESR_ELx.
pub const ESR: &str = "ISS:24-0 IL:25=16bit,32bit \
    EC:31-26=unknown,wfx,7:fp,9:pac,14:illegal_state,21:svc,hvc,smc,sysreg,sve,eret,32:iabt_lower,iabt_same,pc_align,\
36:dabt_lower,dabt_same,sp_align,47:serror,bp_lower,bp_same,step_lower,step_same,wp_lower,wp_same,60:brk ISS2:55-32";
/// SPSR_ELx.
pub const SPSR: &str = "M:3-0=EL0t,4:EL1t,EL1h,8:EL2t,EL2h nRW:4=aarch64,aarch32 F:6 I:7 A:8 D:9 BTYPE:11-10@BTI SSBS:12@SSBS IL:20 SS:21 \
    PAN:22@PAN UAO:23@UAO DIT:24@DIT TCO:25@MTE V:28 C:29 Z:30 N:31";
/// MAIR_ELx.
pub const MAIR: &str =
    "Attr0:7-0 Attr1:15-8 Attr2:23-16 Attr3:31-24 Attr4:39-32 Attr5:47-40 Attr6:55-48 Attr7:63-56";
/// TTBRx_ELx.
pub const TTBR: &str = "CnP:0@TTCNP BADDR:47-1 ASID:63-48";
/// VBAR_ELx.
pub const VBAR: &str = "VBA:63-11";
pub(super) const SCTLR: &str = "M:0 A:1 C:2 SA:3 SA0:4 CP15BEN:5 nAA:6@LSE2 ITD:7 SED:8 UMA:9 EnRCTX:10@SPECRES EOS:11 I:12 EnDB:13@PAuth DZE:14 UCT:15 \
    nTWI:16 nTWE:18 WXN:19 TSCXT:20 IESB:21@IESB EIS:22 SPAN:23 E0E:24@MixedEnd EE:25@MixedEnd UCI:26 EnDA:27@PAuth nTLSMD:28 LSMAOE:29 \
    EnIB:30@PAuth EnIA:31@PAuth CMOW:32@CMOW MSCEn:33@MOPS BT0:35@BTI BT1:36@BTI ITFSB:37@MTE2 TCF0:39-38@MTE2 TCF:41-40@MTE2 ATA0:42@MTE2 \
    ATA:43@MTE2 DSSBS:44@SSBS TWEDEn:45@TWED TWEDEL:49-46@TWED EPAN:57@PAN3 TIDCP:63@TIDCP1";
pub(super) const TCR: &str = "T0SZ:5-0 EPD0:7 IRGN0:9-8=nc,wbwa,wt,wb ORGN0:11-10=nc,wbwa,wt,wb SH0:13-12=non,,outer,inner TG0:15-14=4K,64K,16K T1SZ:21-16 \
    A1:22=ttbr0,ttbr1 EPD1:23 IRGN1:25-24=nc,wbwa,wt,wb ORGN1:27-26=nc,wbwa,wt,wb SH1:29-28=non,,outer,inner TG1:31-30=,16K,4K,64K \
    IPS:34-32=32,36,40,42,44,48,52 AS:36=8bit,16bit TBI0:37 TBI1:38 HA:39@HAFDBS HD:40@HAFDBS HPD0:41@HPDS HPD1:42@HPDS HWU0:46-43@HPDS2 \
    HWU1:50-47@HPDS2 TBID0:51@PAuth TBID1:52@PAuth NFD0:53@SVE NFD1:54@SVE E0PD0:55@E0PD E0PD1:56@E0PD TCMA0:57@MTE2 TCMA1:58@MTE2 DS:59@LPA2";
pub(super) const CPACR: &str = "ZEN:17-16@SVE=trap,trap_el0,trap,none FPEN:21-20=trap,trap_el0,trap,none SMEN:25-24@SME TTA:28 E0POE:29@S1POE";
pub(super) const DISR: &str =
    "DFSC:5-0?~IDS EA:9?~IDS AET:12-10?~IDS=uc,ueu,ueo,uer,6:ce ISS:23-0?IDS IDS:24 A:31";
pub(super) const PAR: &str = "F:0=done,fault FST:6-1?F SH:8-7?~F=non,,outer,inner PTW:8?F S:9?F=stage1,stage2 NS:9?~F IMPDEF:10 NSE:11 PA:47-12?~F ATTR:63-56?~F";

/// The rows of this file, handed to the macro `$rows`.
#[rustfmt::skip]
macro_rules! table { ($rows:ident) => { $rows! { El1;
    // name           op0 1 n m 2  access reset       rules        store
    SCTLR_EL1         3 0 1 0 0    R1W1   0x00c5_0838 [TVM TRVM]   ctl => SCTLR_EL2     base "System control of EL1" SCTLR;
    ACTLR_EL1         3 0 1 0 1    R1W1   0           [TACR]       func(zero, ignore)   base "Auxiliary control of EL1" "";
    CPACR_EL1         3 0 1 0 2    R1W1   0           [TCPAC]      ctl => CPTR_EL2      base "FP and trace access from EL0 and EL1" CPACR;
    SCTLR2_EL1        3 0 1 0 3    R1W1   0           []           plain SCTLR2 "System control of EL1, continued" "";
    RGSR_EL1          3 0 1 0 5    R1W1   0           []           plain MTE2 "Random tag seed" "";
    GCR_EL1           3 0 1 0 6    R1W1   0           []           plain MTE2 "Tag control" "";
    ZCR_EL1           3 0 1 2 0    R1W1   0           []           plain SVE "SVE control of EL1" "";
    TRFCR_EL1         3 0 1 2 1    R1W1   0           [TTRF]       plain TRF "Trace filter of EL1" "";
    SMPRI_EL1         3 0 1 2 4    R1W1   0           []           plain SME "Streaming mode priority" "";
    SMCR_EL1          3 0 1 2 6    R1W1   0           []           plain SME "SME control of EL1" "";
    TTBR0_EL1         3 0 2 0 0    R1W1   0           [TVM TRVM]   ctl => TTBR0_EL2     base "Stage 1 table of the lower VA range" TTBR;
    TTBR1_EL1         3 0 2 0 1    R1W1   0           [TVM TRVM]   ctl => TTBR1_EL2     base "Stage 1 table of the upper VA range" TTBR;
    TCR_EL1           3 0 2 0 2    R1W1   0           [TVM TRVM]   ctl => TCR_EL2       base "Translation control of EL1&0" TCR;
    TCR2_EL1          3 0 2 0 3    R1W1   0           [TVM TRVM]   plain TCR2 "Translation control of EL1&0, continued" "";
    APIAKeyLo_EL1     3 0 2 1 0    R1W1   0           [APK]        plain PAuth "Instruction key A, low half" "";
    APIAKeyHi_EL1     3 0 2 1 1    R1W1   0           [APK]        plain PAuth "Instruction key A, high half" "";
    APIBKeyLo_EL1     3 0 2 1 2    R1W1   0           [APK]        plain PAuth "Instruction key B, low half" "";
    APIBKeyHi_EL1     3 0 2 1 3    R1W1   0           [APK]        plain PAuth "Instruction key B, high half" "";
    APDAKeyLo_EL1     3 0 2 2 0    R1W1   0           [APK]        plain PAuth "Data key A, low half" "";
    APDAKeyHi_EL1     3 0 2 2 1    R1W1   0           [APK]        plain PAuth "Data key A, high half" "";
    APDBKeyLo_EL1     3 0 2 2 2    R1W1   0           [APK]        plain PAuth "Data key B, low half" "";
    APDBKeyHi_EL1     3 0 2 2 3    R1W1   0           [APK]        plain PAuth "Data key B, high half" "";
    APGAKeyLo_EL1     3 0 2 3 0    R1W1   0           [APK]        plain PAuth "Generic key, low half" "";
    APGAKeyHi_EL1     3 0 2 3 1    R1W1   0           [APK]        plain PAuth "Generic key, high half" "";
    SPSR_EL1          3 0 4 0 0    R1W1   0           [NV1]        plain => SPSR_EL2    base "PSTATE saved by an exception to EL1" SPSR;
    ELR_EL1           3 0 4 0 1    R1W1   0           [NV1]        plain => ELR_EL2     base "Return address of an exception to EL1" "";
    AFSR0_EL1         3 0 5 1 0    R1W1   0           [TVM TRVM]   func(zero, ignore)   base "Auxiliary fault status 0 of EL1" "";
    AFSR1_EL1         3 0 5 1 1    R1W1   0           [TVM TRVM]   func(zero, ignore)   base "Auxiliary fault status 1 of EL1" "";
    ESR_EL1           3 0 5 2 0    R1W1   0           [TVM TRVM]   plain => ESR_EL2     base "Syndrome of an exception to EL1" ESR;
    ERRIDR_EL1        3 0 5 3 0    R1     0           [TERR]       plain RAS "Number of error records" "NUM:15-0";
    ERRSELR_EL1       3 0 5 3 1    R1W1   0           [TERR]       func(zero, ignore) RAS "Error record selection" "SEL:15-0";
    ERXFR_EL1         3 0 5 4 0    R1     0           [TERR]       plain RAS "Features of the selected error record" "";
    ERXCTLR_EL1       3 0 5 4 1    R1W1   0           [TERR]       func(zero, ignore) RAS "Control of the selected error record" "";
    ERXSTATUS_EL1     3 0 5 4 2    R1W1   0           [TERR]       func(zero, ignore) RAS "Status of the selected error record" "";
    ERXADDR_EL1       3 0 5 4 3    R1W1   0           [TERR]       func(zero, ignore) RAS "Address of the selected error record" "";
    ERXMISC0_EL1      3 0 5 5 0    R1W1   0           [TERR]       func(zero, ignore) RAS "More of the selected error record, 0" "";
    ERXMISC1_EL1      3 0 5 5 1    R1W1   0           [TERR]       func(zero, ignore) RAS "More of the selected error record, 1" "";
    TFSR_EL1          3 0 5 6 0    R1W1   0           []           plain MTE2 "Tag faults of EL1" "";
    TFSRE0_EL1        3 0 5 6 1    R1W1   0           []           plain MTE2 "Tag faults of EL0" "";
    FAR_EL1           3 0 6 0 0    R1W1   0           [TVM TRVM]   plain => FAR_EL2     base "Faulting VA of an exception to EL1" "";
    PAR_EL1           3 0 7 4 0    R1W1   0           []           plain base "Result of an AT instruction" PAR;
    MAIR_EL1          3 0 10 2 0   R1W1   0           [TVM TRVM]   ctl => MAIR_EL2      base "Memory attributes of EL1&0" MAIR;
    AMAIR_EL1         3 0 10 3 0   R1W1   0           [TVM TRVM]   func(zero, ignore)   base "Auxiliary memory attributes of EL1&0" "";
    LORSA_EL1         3 0 10 4 0   R1W1   0           [TLOR]       plain LOR "Limited ordering region start" "Valid:0 SA:47-16";
    LOREA_EL1         3 0 10 4 1   R1W1   0           [TLOR]       plain LOR "Limited ordering region end" "EA:47-16";
    LORN_EL1          3 0 10 4 2   R1W1   0           [TLOR]       plain LOR "Limited ordering region number" "Num:7-0";
    LORC_EL1          3 0 10 4 3   R1W1   0           [TLOR]       plain LOR "Limited ordering region control" "EN:0 DS:9-2";
    LORID_EL1         3 0 10 4 7   R1     0           [TLOR]       plain LOR "Limited ordering regions there are: none" "LR:7-0 LD:23-16";
    VBAR_EL1          3 0 12 0 0   R1W1   0           [NV1]        plain => VBAR_EL2    base "Vectors of EL1" VBAR;
    RVBAR_EL1         3 0 12 0 1   R1     0           [HIGHEST_EL1] plain base "Reset address" "";
    ISR_EL1           3 0 12 1 0   R1     0           []           func(isr, ignore)    base "Interrupts pending for EL1" "F:6 I:7 A:8";
    DISR_EL1          3 0 12 1 1   R1W1   0           []           plain RAS "Deferred error" DISR;
    CONTEXTIDR_EL1    3 0 13 0 1   R1W1   0           [TVM TRVM]   ctl => CONTEXTIDR_EL2 base "Context of EL1&0, for debug" "PROCID:31-0";
    TPIDR_EL1         3 0 13 0 4   R1W1   0           []           plain base "Thread ID of EL1" "";
    SCXTNUM_EL1       3 0 13 0 7   R1W1   0           [ENSCXT]     plain CSV2_2 "Software context number of EL1" "";
} } }
pub(crate) use table;
