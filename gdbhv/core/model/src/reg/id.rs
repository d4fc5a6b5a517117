//! Identification registers: what the PE is and has. Their values come from the CPU profile ([`crate::profile`]); fields of
//! absent features are 0, so that they report what is implemented. Source: Arm ARM D24.2.
//!
//! There is no AArch32: the ID_*_EL1 of AArch32 read as zero, as do the reserved encodings of their space (see
//! [`crate::sysreg::access`]). Reads at EL0 are UNDEFINED (no FEAT_IDST), but for CTR_EL0 and DCZID_EL0.

pub(super) const MIDR: &str = "Revision:3-0 PartNum:15-4 Architecture:19-16=15:by_id_registers Variant:23-20 Implementer:31-24=65:Arm";
pub(super) const MPIDR: &str =
    "Aff0:7-0 Aff1:15-8 Aff2:23-16 MT:24 U:30=multiprocessor,uniprocessor RES1:31 Aff3:39-32";
pub(super) const AA32: &str = "AArch32:31-0";
/// In two formats: that of FEAT_CCIDX has 64 bits.
pub(super) const CCSIDR: &str =
    "LineSize:2-0=16B,32B,64B,128B Associativity:12-3@~CCIDX NumSets:27-13@~CCIDX Associativity:23-3@CCIDX NumSets:55-32@CCIDX";

/// The rows of this file, handed to the macro `$rows`.
#[rustfmt::skip]
macro_rules! table { ($rows:ident) => { $rows! { Id;
    // name           op0 1 n m 2  access reset  rules        store feature
    MIDR_EL1          3 0 0 0 0    R1     0      []           func(midr, ro)   base "Main ID" MIDR;
    MPIDR_EL1         3 0 0 0 5    R1     0      []           func(mpidr, ro)  base "Multiprocessor affinity" MPIDR;
    REVIDR_EL1        3 0 0 0 6    R1     0      [TID1]       plain base "Revision ID" "";
    AIDR_EL1          3 1 0 0 7    R1     0      [TID1]       plain base "Auxiliary ID" "";
    ID_PFR0_EL1       3 0 0 1 0    R1     0      [TID3]       plain base "AArch32 processor features 0" AA32;
    ID_PFR1_EL1       3 0 0 1 1    R1     0      [TID3]       plain base "AArch32 processor features 1" AA32;
    ID_DFR0_EL1       3 0 0 1 2    R1     0      [TID3]       plain base "AArch32 debug features 0" AA32;
    ID_AFR0_EL1       3 0 0 1 3    R1     0      [TID3]       plain base "AArch32 auxiliary features 0" AA32;
    ID_MMFR0_EL1      3 0 0 1 4    R1     0      [TID3]       plain base "AArch32 memory model features 0" AA32;
    ID_MMFR1_EL1      3 0 0 1 5    R1     0      [TID3]       plain base "AArch32 memory model features 1" AA32;
    ID_MMFR2_EL1      3 0 0 1 6    R1     0      [TID3]       plain base "AArch32 memory model features 2" AA32;
    ID_MMFR3_EL1      3 0 0 1 7    R1     0      [TID3]       plain base "AArch32 memory model features 3" AA32;
    ID_ISAR0_EL1      3 0 0 2 0    R1     0      [TID3]       plain base "AArch32 instruction set 0" AA32;
    ID_ISAR1_EL1      3 0 0 2 1    R1     0      [TID3]       plain base "AArch32 instruction set 1" AA32;
    ID_ISAR2_EL1      3 0 0 2 2    R1     0      [TID3]       plain base "AArch32 instruction set 2" AA32;
    ID_ISAR3_EL1      3 0 0 2 3    R1     0      [TID3]       plain base "AArch32 instruction set 3" AA32;
    ID_ISAR4_EL1      3 0 0 2 4    R1     0      [TID3]       plain base "AArch32 instruction set 4" AA32;
    ID_ISAR5_EL1      3 0 0 2 5    R1     0      [TID3]       plain base "AArch32 instruction set 5" AA32;
    ID_MMFR4_EL1      3 0 0 2 6    R1     0      [TID3]       plain base "AArch32 memory model features 4" AA32;
    ID_ISAR6_EL1      3 0 0 2 7    R1     0      [TID3]       plain base "AArch32 instruction set 6" AA32;
    MVFR0_EL1         3 0 0 3 0    R1     0      [TID3]       plain base "AArch32 media and VFP features 0" AA32;
    MVFR1_EL1         3 0 0 3 1    R1     0      [TID3]       plain base "AArch32 media and VFP features 1" AA32;
    MVFR2_EL1         3 0 0 3 2    R1     0      [TID3]       plain base "AArch32 media and VFP features 2" AA32;
    ID_PFR2_EL1       3 0 0 3 4    R1     0      [TID3]       plain base "AArch32 processor features 2" AA32;
    ID_DFR1_EL1       3 0 0 3 5    R1     0      [TID3]       plain base "AArch32 debug features 1" AA32;
    ID_MMFR5_EL1      3 0 0 3 6    R1     0      [TID3]       plain base "AArch32 memory model features 5" AA32;
    ID_AA64PFR0_EL1   3 0 0 4 0    R1     0      [TID3]       plain base "Processor features 0"
        "EL0:3-0=,aarch64,aarch32 EL1:7-4=,aarch64,aarch32 EL2:11-8=none,aarch64,aarch32 EL3:15-12=none,aarch64,aarch32 \
         FP:19-16=yes,fp16,15:none AdvSIMD:23-20=yes,fp16,15:none GIC:27-24=none,v3,3:v4.1 RAS:31-28 SVE:35-32 SEL2:39-36 MPAM:43-40 \
         AMU:47-44 DIT:51-48 RME:55-52 CSV2:59-56 CSV3:63-60";
    ID_AA64PFR1_EL1   3 0 0 4 1    R1     0      [TID3]       plain base "Processor features 1"
        "BT:3-0 SSBS:7-4 MTE:11-8 RAS_frac:15-12 MPAM_frac:19-16 SME:27-24 RNDR_trap:31-28 CSV2_frac:35-32 NMI:39-36";
    ID_AA64PFR2_EL1   3 0 0 4 2    R1     0      [TID3]       plain base "Processor features 2" "";
    ID_AA64ZFR0_EL1   3 0 0 4 4    R1     0      [TID3]       plain base "SVE features" "";
    ID_AA64SMFR0_EL1  3 0 0 4 5    R1     0      [TID3]       plain base "SME features" "";
    ID_AA64DFR0_EL1   3 0 0 5 0    R1     0      [TID3]       plain base "Debug features 0"
        "DebugVer:3-0=6:v8.0,7:vhe,v8.2,v8.4,v8.8,v8.9 TraceVer:7-4 PMUVer:11-8=none,v3 BRPs:15-12 PMSS:19-16 WRPs:23-20 \
         CTX_CMPs:31-28 PMSVer:35-32 DoubleLock:39-36 TraceFilt:43-40 TraceBuffer:47-44 MTPMU:51-48 BRBE:55-52 HPMN0:63-60";
    ID_AA64DFR1_EL1   3 0 0 5 1    R1     0      [TID3]       plain base "Debug features 1" "";
    ID_AA64AFR0_EL1   3 0 0 5 4    R1     0      [TID3]       plain base "Auxiliary features 0" "";
    ID_AA64AFR1_EL1   3 0 0 5 5    R1     0      [TID3]       plain base "Auxiliary features 1" "";
    ID_AA64ISAR0_EL1  3 0 0 6 0    R1     0      [TID3]       plain base "Instruction set 0"
        "AES:7-4=none,aes,pmull SHA1:11-8 SHA2:15-12=none,sha256,sha512 CRC32:19-16 Atomic:23-20=none,2:lse,lse128 TME:27-24 \
         RDM:31-28 SHA3:35-32 SM3:39-36 SM4:43-40 DP:47-44 FHM:51-48 TS:55-52=none,flagm,flagm2 TLB:59-56=none,os,range RNDR:63-60";
    ID_AA64ISAR1_EL1  3 0 0 6 1    R1     0      [TID3]       plain base "Instruction set 1"
        "DPB:3-0=none,dpb,dpb2 APA:7-4 API:11-8 JSCVT:15-12 FCMA:19-16 LRCPC:23-20=none,ldapr,ldapur GPA:27-24 GPI:31-28 \
         FRINTTS:35-32 SB:39-36 SPECRES:43-40 BF16:47-44 DGH:51-48 I8MM:55-52 XS:59-56 LS64:63-60";
    ID_AA64ISAR2_EL1  3 0 0 6 2    R1     0      [TID3]       plain base "Instruction set 2"
        "WFxT:3-0=none,2:wfxt RPRES:7-4 GPA3:11-8 APA3:15-12 MOPS:19-16 BC:23-20 PAC_frac:27-24 CLRBHB:31-28 SYSREG_128:35-32 \
         SYSINSTR_128:39-36 PRFMSLC:43-40 RPRFM:51-48 CSSC:55-52";
    ID_AA64MMFR0_EL1  3 0 0 7 0    R1     0      [TID3]       plain base "Memory model features 0"
        "PARange:3-0=32,36,40,42,44,48,52 ASIDBits:7-4=8,2:16 BigEnd:11-8 SNSMem:15-12 BigEndEL0:19-16 TGran16:23-20=no,yes,52bit \
         TGran64:27-24=yes,15:no TGran4:31-28=yes,52bit,15:no TGran16_2:35-32 TGran64_2:39-36 TGran4_2:43-40 ExS:47-44 FGT:59-56 ECV:63-60";
    ID_AA64MMFR1_EL1  3 0 0 7 1    R1     0      [TID3]       plain base "Memory model features 1"
        "HAFDBS:3-0=none,af,af+dirty VMIDBits:7-4=8,2:16 VH:11-8 HPDS:15-12 LO:19-16 PAN:23-20=none,pan,pan2,pan3 SpecSEI:27-24 XNX:31-28 \
         TWED:35-32 ETS:39-36 HCX:43-40 AFP:47-44 nTLBPA:51-48 TIDCP1:55-52 CMOW:59-56 ECBHB:63-60";
    ID_AA64MMFR2_EL1  3 0 0 7 2    R1     0      [TID3]       plain base "Memory model features 2"
        "CnP:3-0 UAO:7-4 LSM:11-8 IESB:15-12 VARange:19-16=48,52 CCIDX:23-20 NV:27-24=none,nv,nv2 ST:31-28 AT:35-32 IDS:39-36 FWB:43-40 \
         TTL:51-48 BBM:55-52 EVT:59-56 E0PD:63-60";
    ID_AA64MMFR3_EL1  3 0 0 7 3    R1     0      [TID3]       plain base "Memory model features 3" "";
    ID_AA64MMFR4_EL1  3 0 0 7 4    R1     0      [TID3]       plain base "Memory model features 4" "";
    CCSIDR_EL1        3 1 0 0 0    R1     0      [TID2 TID4]  func(ccsidr, ro) base "The cache that CSSELR_EL1 selects" CCSIDR;
    CLIDR_EL1         3 1 0 0 1    R1     0      [TID2 TID4]  plain base "Cache levels"
        "Ctype1:2-0=none,i,d,i+d,unified Ctype2:5-3=none,i,d,i+d,unified Ctype3:8-6=none,i,d,i+d,unified LoUIS:23-21 LoC:26-24 LoUU:29-27 ICB:32-30";
    CCSIDR2_EL1       3 1 0 0 2    R1     0      [TID2 TID4]  func(ccsidr2, ro) CCIDX "The selected cache, for AArch32: the upper half of CCSIDR_EL1" "NumSets:23-0";
    GMID_EL1          3 1 0 0 4    R1     0      [TID5]       plain MTE2 "Tag block size" "";
    SMIDR_EL1         3 1 0 0 6    R1     0      [TID1]       plain SME "Streaming mode ID" "";
    CSSELR_EL1        3 2 0 0 0    R1W1   0      [TID2 TID4]  plain base "Cache size selection" "InD:0=data,instruction Level:3-1=L1,L2,L3";
    CTR_EL0           3 3 0 0 1    R0     0      [UCT TID2]   plain base "Cache type"
        "IminLine:3-0 L1Ip:15-14=,,vipt,pipt DminLine:19-16 ERG:23-20 CWG:27-24 IDC:28 DIC:29 RES1:31";
    DCZID_EL0         3 3 0 0 7    R0     0      []           func(dczid, ro) base "Block size of DC ZVA" "BS:3-0 DZP:4=permitted,prohibited";
} } }
pub(crate) use table;
