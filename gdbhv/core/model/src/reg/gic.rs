//! The GIC's CPU interface as system registers: ICC_* (of which EL1 sees the virtual ICV_* where HCR_EL2 routes the
//! interrupts to EL2) and ICH_* (GICv3 specification, IHI 0069, 12.2 to 12.4). Their state is the device's.
//!
//! Five bits of priority need one active priorities register for each group; there are four list registers (ICH_VTR_EL2).

pub(super) const IAR: &str = "INTID:23-0";
pub(super) const PRIORITIES: &str = "P:31-0";
pub(super) const SGI: &str =
    "TargetList:15-0 Aff1:23-16 INTID:27-24 Aff2:39-32 IRM:40=list,all_others RS:47-44 Aff3:55-48";
pub(super) const SRE: &str = "SRE:0! DFB:1! DIB:2!";
pub(super) const LR: &str = "vINTID:31-0 pINTID:44-32?HW EOI:41?~HW Priority:55-48 Group:60 HW:61 State:63-62=inactive,pending,active,active+pending";

/// The rows of this file, handed to the macro `$rows`.
#[rustfmt::skip]
macro_rules! table { ($rows:ident) => { $rows! { Gic;
    // name           op0 1 n m 2    access reset  rules                  store
    ICC_PMR_EL1       3 0 4 6 0      R1W1   0      [ICH_TC]               gic base "Interrupt priority mask" "Priority:7-0";
    ICC_IAR0_EL1      3 0 12 8 0     R1     0      [ICH_TALL0]            gic base "Acknowledge an interrupt of group 0" IAR;
    ICC_EOIR0_EL1     3 0 12 8 1     W1     0      [ICH_TALL0]            gic base "End of an interrupt of group 0" IAR;
    ICC_HPPIR0_EL1    3 0 12 8 2     R1     0      [ICH_TALL0]            gic base "Highest priority pending interrupt of group 0" IAR;
    ICC_BPR0_EL1      3 0 12 8 3     R1W1   0      [ICH_TALL0]            gic base "Binary point of group 0" "BinaryPoint:2-0";
    ICC_AP0R0_EL1     3 0 12 8 4     R1W1   0      [ICH_TALL0]            gic base "Active priorities of group 0" PRIORITIES;
    ICC_AP1R0_EL1     3 0 12 9 0     R1W1   0      [ICH_TALL1]            gic base "Active priorities of group 1" PRIORITIES;
    ICC_DIR_EL1       3 0 12 11 1    W1     0      [ICH_TC ICH_TDIR]      gic base "Deactivate an interrupt" IAR;
    ICC_RPR_EL1       3 0 12 11 3    R1     0      [ICH_TC]               gic base "Running priority" "Priority:7-0";
    ICC_SGI1R_EL1     3 0 12 11 5    W1     0      [SGI_FMO SGI_IMO ICH_TC] gic base "Send an SGI of group 1" SGI;
    ICC_ASGI1R_EL1    3 0 12 11 6    W1     0      [SGI_FMO SGI_IMO ICH_TC] gic base "Send an SGI to the other Security state" SGI;
    ICC_SGI0R_EL1     3 0 12 11 7    W1     0      [SGI_FMO SGI_IMO ICH_TC] gic base "Send an SGI of group 0" SGI;
    ICC_IAR1_EL1      3 0 12 12 0    R1     0      [ICH_TALL1]            gic base "Acknowledge an interrupt of group 1" IAR;
    ICC_EOIR1_EL1     3 0 12 12 1    W1     0      [ICH_TALL1]            gic base "End of an interrupt of group 1" IAR;
    ICC_HPPIR1_EL1    3 0 12 12 2    R1     0      [ICH_TALL1]            gic base "Highest priority pending interrupt of group 1" IAR;
    ICC_BPR1_EL1      3 0 12 12 3    R1W1   0      [ICH_TALL1]            gic base "Binary point of group 1" "BinaryPoint:2-0";
    ICC_CTLR_EL1      3 0 12 12 4    R1W1   0      [ICH_TC]               gic base "CPU interface control"
        "CBPR:0 EOImode:1=drop+deactivate,drop PMHE:6! PRIbits:10-8! IDbits:13-11!=16,24 SEIS:14! A3V:15! RSS:18! ExtRange:19!";
    ICC_SRE_EL1       3 0 12 12 5    R1W1   7      [SRE]                  plain base "System register enable of EL1" SRE;
    ICC_IGRPEN0_EL1   3 0 12 12 6    R1W1   0      [ICH_TALL0]            gic base "Enable of group 0" "Enable:0";
    ICC_IGRPEN1_EL1   3 0 12 12 7    R1W1   0      [ICH_TALL1]            gic base "Enable of group 1" "Enable:0";
    ICC_SRE_EL2       3 4 12 9 5     R2W2   0xf    []                     plain base "System register enable of EL2" "SRE:0! DFB:1! DIB:2! Enable:3";
    ICH_AP0R0_EL2     3 4 12 8 0     R2W2   0      []                     gic base "Active virtual priorities of group 0" PRIORITIES;
    ICH_AP1R0_EL2     3 4 12 9 0     R2W2   0      []                     gic base "Active virtual priorities of group 1" PRIORITIES;
    ICH_HCR_EL2       3 4 12 11 0    R2W2   0      []                     gic base "Virtual interface control"
        "En:0 UIE:1 LRENPIE:2 NPIE:3 VGrp0EIE:4 VGrp0DIE:5 VGrp1EIE:6 VGrp1DIE:7 TC:10 TALL0:11 TALL1:12 TSEI:13! TDIR:14 EOIcount:31-27";
    ICH_VTR_EL2       3 4 12 11 1    R2     0x90b8_0003 []                gic base "Virtual interface type"
        "ListRegs:4-0 TDS:19 nV4:20 A3V:21 SEIS:22 IDbits:25-23=16,24 PREbits:28-26 PRIbits:31-29";
    ICH_MISR_EL2      3 4 12 11 2    R2     0      []                     gic base "Maintenance interrupts pending"
        "EOI:0 U:1 LRENP:2 NP:3 VGrp0E:4 VGrp0D:5 VGrp1E:6 VGrp1D:7";
    ICH_EISR_EL2      3 4 12 11 3    R2     0      []                     gic base "List registers with an EOI" "Status:15-0";
    ICH_ELRSR_EL2     3 4 12 11 5    R2     0      []                     gic base "Empty list registers" "Status:15-0";
    ICH_VMCR_EL2      3 4 12 11 7    R2W2   0      []                     gic base "Virtual CPU interface state"
        "VENG0:0 VENG1:1 VAckCtl:2 VFIQEn:3 VCBPR:4 VEOIM:9 VBPR1:20-18 VBPR0:23-21 VPMR:31-24";
    ICH_LR0_EL2       3 4 12 12 0    R2W2   0      []                     gic base "List register 0" LR;
    ICH_LR1_EL2       3 4 12 12 1    R2W2   0      []                     gic base "List register 1" LR;
    ICH_LR2_EL2       3 4 12 12 2    R2W2   0      []                     gic base "List register 2" LR;
    ICH_LR3_EL2       3 4 12 12 3    R2W2   0      []                     gic base "List register 3" LR;
} } }
pub(crate) use table;
