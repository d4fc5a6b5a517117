//! Self-hosted debug (Arm ARM D2, registers D24.3). Six breakpoints, of which the last two compare context, and four watchpoints,
//! as ID_AA64DFR0_EL1 tells. What they do is in [`crate::selfhosted`]. There is no external debugger: the DCC is idle, nothing ever
//! halts.

/// Breakpoints: ID_AA64DFR0_EL1.BRPs + 1.
pub const BREAKPOINTS: usize = 6;
/// The number of breakpoints that compare context, which have the highest numbers: CTX_CMPs + 1.
pub const CONTEXT_AWARE: usize = 2;
/// Watchpoints: WRPs + 1.
pub const WATCHPOINTS: usize = 4;

pub(super) const BCR: &str = "E:0 PMC:2-1 BAS:8-5 HMC:13 SSC:15-14 LBN:19-16 BT:23-20";
pub(super) const WCR: &str =
    "E:0 PAC:2-1 LSC:4-3=,load,store,both BAS:12-5 HMC:13 SSC:15-14 LBN:19-16 WT:20 MASK:28-24";
pub(super) const BVR: &str = ""; // an address, or by BT ContextID in 31:0, VMID in 47:32, CONTEXTIDR_EL2 in 63:32
pub(super) const WVR: &str = "VA:63-2";

/// The rows of this file, handed to the macro `$rows`.
#[rustfmt::skip]
macro_rules! table { ($rows:ident) => { $rows! { Debug;
    // name           op0 1 n m 2    access reset  rules          store
    OSDTRRX_EL1       2 0 0 0 2      R1W1   0      [EL2_TDCC TDA] plain base "OS lock data transfer, receive" "DTR:31-0";
    MDCCINT_EL1       2 0 0 2 0      R1W1   0      [EL2_TDCC TDA] plain base "DCC interrupt enable" "TX:29 RX:30";
    MDSCR_EL1         2 0 0 2 2      R1W1   0      [TDA]          funcctl(own, set_mdscr) base "Monitor debug system control"
        "SS:0 ERR:6 TDCC:12 KDE:13 HDE:14 MDE:15 RAZ:18-16! SC2:19! RAZ:20! TDA:21 INTdis:23-22 TXU:26 RXO:27 TXfull:29 RXfull:30";
    OSDTRTX_EL1       2 0 0 3 2      R1W1   0      [EL2_TDCC TDA] plain base "OS lock data transfer, transmit" "DTR:31-0";
    OSECCR_EL1        2 0 0 6 2      R1W1   0      [TDA]          plain base "OS lock exception catch" "EDECCR:31-0";
    DBGBVR0_EL1       2 0 0 0 4      R1W1   0      [TDA]          ctl   base "Breakpoint 0: value" BVR;
    DBGBCR0_EL1       2 0 0 0 5      R1W1   0      [TDA]          ctl   base "Breakpoint 0: control" BCR;
    DBGBVR1_EL1       2 0 0 1 4      R1W1   0      [TDA]          ctl   base "Breakpoint 1: value" BVR;
    DBGBCR1_EL1       2 0 0 1 5      R1W1   0      [TDA]          ctl   base "Breakpoint 1: control" BCR;
    DBGBVR2_EL1       2 0 0 2 4      R1W1   0      [TDA]          ctl   base "Breakpoint 2: value" BVR;
    DBGBCR2_EL1       2 0 0 2 5      R1W1   0      [TDA]          ctl   base "Breakpoint 2: control" BCR;
    DBGBVR3_EL1       2 0 0 3 4      R1W1   0      [TDA]          ctl   base "Breakpoint 3: value" BVR;
    DBGBCR3_EL1       2 0 0 3 5      R1W1   0      [TDA]          ctl   base "Breakpoint 3: control" BCR;
    DBGBVR4_EL1       2 0 0 4 4      R1W1   0      [TDA]          ctl   base "Breakpoint 4: value" BVR;
    DBGBCR4_EL1       2 0 0 4 5      R1W1   0      [TDA]          ctl   base "Breakpoint 4: control" BCR;
    DBGBVR5_EL1       2 0 0 5 4      R1W1   0      [TDA]          ctl   base "Breakpoint 5: value" BVR;
    DBGBCR5_EL1       2 0 0 5 5      R1W1   0      [TDA]          ctl   base "Breakpoint 5: control" BCR;
    DBGWVR0_EL1       2 0 0 0 6      R1W1   0      [TDA]          ctl   base "Watchpoint 0: value" WVR;
    DBGWCR0_EL1       2 0 0 0 7      R1W1   0      [TDA]          ctl   base "Watchpoint 0: control" WCR;
    DBGWVR1_EL1       2 0 0 1 6      R1W1   0      [TDA]          ctl   base "Watchpoint 1: value" WVR;
    DBGWCR1_EL1       2 0 0 1 7      R1W1   0      [TDA]          ctl   base "Watchpoint 1: control" WCR;
    DBGWVR2_EL1       2 0 0 2 6      R1W1   0      [TDA]          ctl   base "Watchpoint 2: value" WVR;
    DBGWCR2_EL1       2 0 0 2 7      R1W1   0      [TDA]          ctl   base "Watchpoint 2: control" WCR;
    DBGWVR3_EL1       2 0 0 3 6      R1W1   0      [TDA]          ctl   base "Watchpoint 3: value" WVR;
    DBGWCR3_EL1       2 0 0 3 7      R1W1   0      [TDA]          ctl   base "Watchpoint 3: control" WCR;
    MDRAR_EL1         2 0 1 0 0      R1     0      [TDRA]         plain base "Debug ROM address: none" "";
    OSLAR_EL1         2 0 1 0 4      W1     0      [TDOSA]        funcctl(zero, set_oslar) base "OS lock access" "OSLK:0";
    OSLSR_EL1         2 0 1 1 4      R1     0xa    [TDOSA]        plain base "OS lock status" "OSLM0:0 OSLK:1=unlocked,locked nTT:2 OSLM1:3";
    OSDLR_EL1         2 0 1 3 4      R1W1   0      [TDOSA]        ctl   base "OS double lock" "DLK:0@DoubleLock";
    DBGPRCR_EL1       2 0 1 4 4      R1W1   0      [TDOSA]        ctl   base "Debug power control" "CORENPDRQ:0";
    DBGCLAIMSET_EL1   2 0 7 8 6      R1W1   0      [TDA]          func(claim_all, claim_set) base "Claim tags, set" "CLAIM:7-0";
    DBGCLAIMCLR_EL1   2 0 7 9 6      R1W1   0      [TDA]          func(claim, claim_clear) base "Claim tags, clear" "CLAIM:7-0";
    DBGAUTHSTATUS_EL1 2 0 7 14 6     R1     0      [TDA]          plain base "Authentication status" "NSID:1-0 NSNID:3-2 SID:5-4 SNID:7-6";
    MDCCSR_EL0        2 3 0 1 0      R0     0      [TDCC EL2_TDCC TDA] plain base "DCC status" "TXfull:29 RXfull:30";
    DBGDTR_EL0        2 3 0 4 0      R0W0   0      [TDCC EL2_TDCC TDA] func(zero, ignore) base "Data transfer, both halves" "";
    DBGDTRRX_EL0      2 3 0 5 0      R0W0   0      [TDCC EL2_TDCC TDA] func(zero, ignore) base "Data transfer, receive and transmit" "DTR:31-0";
    DBGVCR32_EL2      2 4 0 7 0      R2W2   0      []             plain AA32EL1 "Vector catch of an AArch32 guest" "SU:1 SS:2 SP:3 SD:4 SI:6 SF:7";
} } }
pub(crate) use table;
