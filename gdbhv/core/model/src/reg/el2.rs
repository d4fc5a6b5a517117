//! Control of EL2 and of virtualization, and the `_EL12` names (Arm ARM D24.2).
//!
//! Fields marked `?E2H` hold with HCR_EL2.E2H set, `?~E2H` with it clear. The `_EL12` rows are other names of EL1's registers,
//! for EL2 with E2H; elsewhere they are UNDEFINED.

pub(super) const SCTLR: &str = "M:0 A:1 C:2 SA:3 SA0:4@VHE CP15BEN:5 nAA:6@LSE2 ITD:7 SED:8 EnRCTX:10@SPECRES EOS:11 I:12 EnDB:13@PAuth DZE:14@VHE UCT:15@VHE \
    nTWI:16 nTWE:18 WXN:19 TSCXT:20 IESB:21@IESB EIS:22 SPAN:23 E0E:24@MixedEnd EE:25@MixedEnd UCI:26@VHE EnDA:27@PAuth nTLSMD:28 LSMAOE:29 \
    EnIB:30@PAuth EnIA:31@PAuth BT0:35@BTI BT:36@BTI DSSBS:44@SSBS TWEDEn:45@TWED TWEDEL:49-46@TWED EPAN:57@PAN3 TIDCP:63@TIDCP1";
pub(super) const HCR: &str = "VM:0 SWIO:1 PTW:2 FMO:3 IMO:4 AMO:5 VF:6 VI:7 VSE:8 FB:9 BSU:11-10=none,inner,outer,full DC:12 TWI:13 TWE:14 TID0:15 TID1:16 TID2:17 \
    TID3:18 TSC:19 TIDCP:20 TACR:21 TSW:22 TPCP:23 TPU:24 TTLB:25 TVM:26 TGE:27 TDZ:28 HCD:29 TRVM:30 RW:31! CD:32 ID:33 E2H:34@VHE TLOR:35@LOR \
    TERR:36@RAS TEA:37@RAS MIOCNCE:38 APK:40@PAuth API:41@PAuth NV:42@NV NV1:43@NV AT:44@NV NV2:45@NV2 FWB:46@S2FWB FIEN:47@RASv1p1 TID4:49@EVT \
    TICAB:50@EVT AMVOFFEN:51@AMUv1p1 TOCU:52@EVT EnSCXT:53@CSV2_2 TTLBIS:54@EVT TTLBOS:55@EVT ATA:56@MTE2 DCT:57@MTE2 TID5:58@MTE2 TWEDEn:59@TWED \
    TWEDEL:63-60@TWED";
pub(super) const HCRX: &str = "EnAS0:0@LS64_ACCDATA EnALS:1@LS64 EnASR:2@LS64_V FnXS:3@XS FGTnXS:4@XS SMPME:5@SME TALLINT:6@NMI VINMI:7@NMI VFNMI:8@NMI \
    CMOW:9@CMOW MCE2:10@MOPS MSCEn:11@MOPS TCR2En:14@TCR2 SCTLR2En:15@SCTLR2 PTTWI:16@THE D128En:17@D128 EnSNERR:18@ANERR TMEA:19@DoubleFault2 \
    EnSDERR:20@ADERR EnIDCP128:21@SYSREG128 GCSEn:22@GCS";
pub(super) const MDCR: &str = "HPMN:4-0@PMUv3 TPMCR:5@PMUv3 TPM:6@PMUv3 HPME:7@PMUv3 TDE:8 TDA:9 TDOSA:10 TDRA:11 E2PB:13-12@SPE TPMS:14@SPE HPMD:17@PMUv3p1 \
    TTRF:19@TRF HCCD:23@PMUv3p5 E2TB:25-24@TRBE HLP:26@PMUv3p5 TDCC:27@FGT HPMFZO:29@PMUv3p7";
pub(super) const CPTR: &str = "TZ:8@SVE?~E2H TFP:10?~E2H TSM:12@SME?~E2H ZEN:17-16@SVE?E2H=trap,trap_el0,trap,none TTA:20?~E2H \
    FPEN:21-20?E2H=trap,trap_el0,trap,none SMEN:25-24@SME?E2H TTA:28?E2H E0POE:29@S1POE?E2H TAM:30@AMUv1 TCPAC:31 RES1:7-0?~E2H RES1:9?~E2H \
    RES1:13?~E2H RES1:8?~E2H RES1:12?~E2H";
pub(super) const HSTR: &str =
    "T0:0 T1:1 T2:2 T3:3 T5:5 T6:6 T7:7 T8:8 T9:9 T10:10 T11:11 T12:12 T13:13 T15:15";
pub(super) const TCR: &str = "T0SZ:5-0 EPD0:7@VHE?E2H IRGN0:9-8=nc,wbwa,wt,wb ORGN0:11-10=nc,wbwa,wt,wb SH0:13-12=non,,outer,inner TG0:15-14=4K,64K,16K \
    PS:18-16?~E2H=32,36,40,42,44,48,52 T1SZ:21-16@VHE?E2H TBI:20?~E2H HA:21@HAFDBS?~E2H HD:22@HAFDBS?~E2H A1:22@VHE?E2H EPD1:23@VHE?E2H RES1:23?~E2H \
    HPD:24@HPDS?~E2H IRGN1:25-24@VHE?E2H ORGN1:27-26@VHE?E2H HWU:28-25@HPDS2?~E2H SH1:29-28@VHE?E2H TBID:29@PAuth?~E2H TG1:31-30@VHE?E2H=,16K,4K,64K \
    RES1:31?~E2H DS:32@LPA2?~E2H IPS:34-32@VHE?E2H=32,36,40,42,44,48,52 AS:36@VHE?E2H TBI0:37@VHE?E2H TBI1:38@VHE?E2H HA:39@HAFDBS?E2H HD:40@HAFDBS?E2H \
    HPD0:41@HPDS?E2H HPD1:42@HPDS?E2H HWU0:46-43@HPDS2?E2H HWU1:50-47@HPDS2?E2H TBID0:51@PAuth?E2H TBID1:52@PAuth?E2H E0PD0:55@E0PD?E2H E0PD1:56@E0PD?E2H \
    DS:59@LPA2?E2H";
pub(super) const VTCR: &str = "T0SZ:5-0 SL0:7-6 IRGN0:9-8=nc,wbwa,wt,wb ORGN0:11-10=nc,wbwa,wt,wb SH0:13-12=non,,outer,inner TG0:15-14=4K,64K,16K \
    PS:18-16=32,36,40,42,44,48,52 VS:19@VMID16=8bit,16bit HA:21@HAFDBS HD:22@HAFDBS HWU:28-25@HPDS2 RES1:31 DS:32@LPA2 SL2:33@LPA2";
pub(super) const DACR32: &str = "D0:1-0 D1:3-2 D2:5-4 D3:7-6 D4:9-8 D5:11-10 D6:13-12 D7:15-14 D8:17-16 D9:19-18 D10:21-20 D11:23-22 D12:25-24 D13:27-26 \
    D14:29-28 D15:31-30";
pub(super) const SPSR32: &str = "M:4-0 T:5 F:6 I:7 A:8 E:9 IT_7_2:15-10 GE:19-16 IL:20 DIT:21@DIT PAN:22@PAN SSBS:23@SSBS IT_1_0:26-25 Q:27 V:28 C:29 Z:30 N:31";
pub(super) const IFSR32: &str = "STATUS:5-0 LPAE:9 FS_4:10 ExT:12 FnV:16";

/// The rows of this file, handed to the macro `$rows`.
#[rustfmt::skip]
macro_rules! table { ($rows:ident) => { $rows! { El2;
    // name           op0 1 n m 2  access reset       rules        store
    VPIDR_EL2         3 4 0 0 0    R2W2   0           []           plain base "MIDR_EL1 as EL1 reads it" "MIDR:31-0";
    VMPIDR_EL2        3 4 0 0 5    R2W2   0           []           plain base "MPIDR_EL1 as EL1 reads it" "Aff0:7-0 Aff1:15-8 Aff2:23-16 MT:24 U:30 RES1:31 Aff3:39-32";
    SCTLR_EL2         3 4 1 0 0    R2W2   0x30c5_0830 []           ctl   base "System control of EL2" SCTLR;
    ACTLR_EL2         3 4 1 0 1    R2W2   0           []           func(zero, ignore) base "Auxiliary control of EL2" "";
    HCR_EL2           3 4 1 1 0    R2W2   0x8000_0000 []           ctl   base "Hypervisor configuration" HCR;
    MDCR_EL2          3 4 1 1 1    R2W2   0           []           pmuctl base "Debug and PMU traps" MDCR;
    CPTR_EL2          3 4 1 1 2    R2W2   0x0000_33ff []           ctl   base "FP and trace traps" CPTR;
    HSTR_EL2          3 4 1 1 3    R2W2   0           []           plain base "AArch32 register traps" HSTR;
    HFGRTR_EL2        3 4 1 1 4    R2W2   0           []           ctl   FGT "Fine-grained read traps" fgt::HFGRTR;
    HFGWTR_EL2        3 4 1 1 5    R2W2   0           []           ctl   FGT "Fine-grained write traps" fgt::HFGWTR;
    HFGITR_EL2        3 4 1 1 6    R2W2   0           []           ctl   FGT "Fine-grained instruction traps" fgt::HFGITR;
    HACR_EL2          3 4 1 1 7    R2W2   0           []           func(zero, ignore) base "Hypervisor auxiliary control" "";
    ZCR_EL2           3 4 1 2 0    R2W2   0           []           plain SVE "SVE control of EL2" "";
    TRFCR_EL2         3 4 1 2 1    R2W2   0           []           plain TRF "Trace filter of EL2" "";
    HCRX_EL2          3 4 1 2 2    R2W2   0           []           plain HCX "Hypervisor configuration, continued" HCRX;
    SMPRIMAP_EL2      3 4 1 2 5    R2W2   0           []           plain SME "Streaming mode priorities" "";
    SMCR_EL2          3 4 1 2 6    R2W2   0           []           plain SME "SME control of EL2" "";
    TTBR0_EL2         3 4 2 0 0    R2W2   0           []           ctl   base "Stage 1 table of EL2, or its lower VA range" TTBR;
    TTBR1_EL2         3 4 2 0 1    R2W2   0           []           ctl   VHE  "Stage 1 table of EL2's upper VA range" TTBR;
    TCR_EL2           3 4 2 0 2    R2W2   0           []           ctl   base "Translation control of EL2" TCR;
    VTTBR_EL2         3 4 2 1 0    R2W2   0           []           ctl   base "Stage 2 table and VMID" "CnP:0@TTCNP BADDR:47-1 VMID:55-48 VMID_hi:63-56@VMID16";
    VTCR_EL2          3 4 2 1 2    R2W2   0           []           ctl   base "Stage 2 translation control" VTCR;
    VNCR_EL2          3 4 2 2 0    R2W2   0           []           plain NV2 "Page of a nested hypervisor's registers" "BADDR:56-12 RESS:63-57";
    HDFGRTR_EL2       3 4 3 1 4    R2W2   0           []           ctl   FGT "Fine-grained debug read traps" fgt::HDFGRTR;
    HDFGWTR_EL2       3 4 3 1 5    R2W2   0           []           ctl   FGT "Fine-grained debug write traps" fgt::HDFGWTR;
    HAFGRTR_EL2       3 4 3 1 6    R2W2   0           []           plain AMUv1 "Fine-grained activity monitor traps" "";
    DACR32_EL2        3 4 3 0 0    R2W2   0           []           plain AA32EL1 "Domains of an AArch32 guest" DACR32;
    SPSR_EL2          3 4 4 0 0    R2W2   0           []           plain base "PSTATE saved by an exception to EL2" SPSR;
    ELR_EL2           3 4 4 0 1    R2W2   0           []           plain base "Return address of an exception to EL2" "";
    SP_EL1            3 4 4 1 0    R2W2   0           []           func(sp_el1, set_sp_el1) base "Stack pointer of EL1" "";
    SPSR_irq          3 4 4 3 0    R2W2   0           []           plain AA32EL1 "SPSR of IRQ mode of an AArch32 guest" SPSR32;
    SPSR_abt          3 4 4 3 1    R2W2   0           []           plain AA32EL1 "SPSR of Abort mode of an AArch32 guest" SPSR32;
    SPSR_und          3 4 4 3 2    R2W2   0           []           plain AA32EL1 "SPSR of Undefined mode of an AArch32 guest" SPSR32;
    SPSR_fiq          3 4 4 3 3    R2W2   0           []           plain AA32EL1 "SPSR of FIQ mode of an AArch32 guest" SPSR32;
    IFSR32_EL2        3 4 5 0 1    R2W2   0           []           plain AA32EL1 "Instruction fault status of an AArch32 guest" IFSR32;
    AFSR0_EL2         3 4 5 1 0    R2W2   0           []           func(zero, ignore) base "Auxiliary fault status 0 of EL2" "";
    AFSR1_EL2         3 4 5 1 1    R2W2   0           []           func(zero, ignore) base "Auxiliary fault status 1 of EL2" "";
    ESR_EL2           3 4 5 2 0    R2W2   0           []           plain base "Syndrome of an exception to EL2" ESR;
    VSESR_EL2         3 4 5 2 3    R2W2   0           []           plain RAS "Syndrome of a virtual SError" "ISS:23-0 IDS:24";
    FPEXC32_EL2       3 4 5 3 0    R2W2   0x700       [FP]         plain AA32EL1 "Floating-point control of an AArch32 guest" "RES1:10-8 EN:30";
    TFSR_EL2          3 4 5 6 0    R2W2   0           []           plain MTE2 "Tag faults of EL2" "";
    FAR_EL2           3 4 6 0 0    R2W2   0           []           plain base "Faulting VA of an exception to EL2" "";
    HPFAR_EL2         3 4 6 0 4    R2W2   0           []           plain base "Faulting IPA of a stage 2 fault" "FIPA:43-4";
    MAIR_EL2          3 4 10 2 0   R2W2   0           []           ctl   base "Memory attributes of EL2" MAIR;
    AMAIR_EL2         3 4 10 3 0   R2W2   0           []           func(zero, ignore) base "Auxiliary memory attributes of EL2" "";
    VBAR_EL2          3 4 12 0 0   R2W2   0           []           plain base "Vectors of EL2" VBAR;
    RVBAR_EL2         3 4 12 0 1   R2     0           []           plain base "Reset address" "";
    VDISR_EL2         3 4 12 1 1   R2W2   0           []           plain RAS "Virtual deferred error" "ISS:23-0 IDS:24 A:31";
    CONTEXTIDR_EL2    3 4 13 0 1   R2W2   0           []           ctl   VHE "Context of EL2, for debug" "PROCID:31-0";
    TPIDR_EL2         3 4 13 0 2   R2W2   0           []           plain base "Thread ID of EL2" "";
    SCXTNUM_EL2       3 4 13 0 7   R2W2   0           []           plain CSV2_2 "Software context number of EL2" "";

    SCTLR_EL12        3 5 1 0 0    R2W2   0           []           alias(SCTLR_EL1)      VHE "SCTLR_EL1, from EL2 with E2H" "";
    CPACR_EL12        3 5 1 0 2    R2W2   0           []           alias(CPACR_EL1)      VHE "CPACR_EL1, from EL2 with E2H" "";
    ZCR_EL12          3 5 1 2 0    R2W2   0           []           alias(ZCR_EL1)        SVE "ZCR_EL1, from EL2 with E2H" "";
    TTBR0_EL12        3 5 2 0 0    R2W2   0           []           alias(TTBR0_EL1)      VHE "TTBR0_EL1, from EL2 with E2H" "";
    TTBR1_EL12        3 5 2 0 1    R2W2   0           []           alias(TTBR1_EL1)      VHE "TTBR1_EL1, from EL2 with E2H" "";
    TCR_EL12          3 5 2 0 2    R2W2   0           []           alias(TCR_EL1)        VHE "TCR_EL1, from EL2 with E2H" "";
    SPSR_EL12         3 5 4 0 0    R2W2   0           []           alias(SPSR_EL1)       VHE "SPSR_EL1, from EL2 with E2H" "";
    ELR_EL12          3 5 4 0 1    R2W2   0           []           alias(ELR_EL1)        VHE "ELR_EL1, from EL2 with E2H" "";
    AFSR0_EL12        3 5 5 1 0    R2W2   0           []           alias(AFSR0_EL1)      VHE "AFSR0_EL1, from EL2 with E2H" "";
    AFSR1_EL12        3 5 5 1 1    R2W2   0           []           alias(AFSR1_EL1)      VHE "AFSR1_EL1, from EL2 with E2H" "";
    ESR_EL12          3 5 5 2 0    R2W2   0           []           alias(ESR_EL1)        VHE "ESR_EL1, from EL2 with E2H" "";
    FAR_EL12          3 5 6 0 0    R2W2   0           []           alias(FAR_EL1)        VHE "FAR_EL1, from EL2 with E2H" "";
    MAIR_EL12         3 5 10 2 0   R2W2   0           []           alias(MAIR_EL1)       VHE "MAIR_EL1, from EL2 with E2H" "";
    AMAIR_EL12        3 5 10 3 0   R2W2   0           []           alias(AMAIR_EL1)      VHE "AMAIR_EL1, from EL2 with E2H" "";
    VBAR_EL12         3 5 12 0 0   R2W2   0           []           alias(VBAR_EL1)       VHE "VBAR_EL1, from EL2 with E2H" "";
    CONTEXTIDR_EL12   3 5 13 0 1   R2W2   0           []           alias(CONTEXTIDR_EL1) VHE "CONTEXTIDR_EL1, from EL2 with E2H" "";
} } }
pub(crate) use table;
