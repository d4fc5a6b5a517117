//! The generic timer's registers (Arm ARM D13). Their state is the device's ([`crate::dev`]); here is who may touch what.
//!
//! With HCR_EL2.E2H the names of EL1's physical and virtual timers lead EL2 (and EL0 under TGE) to EL2's own, and `_EL02` leads back.

pub(super) const CTL: &str = "ENABLE:0 IMASK:1 ISTATUS:2!";
pub(super) const TVAL: &str = "TimerValue:31-0";
pub(super) const CNTHCTL: &str = "EL1PCTEN:0?~E2H EL0PCTEN:0?E2H EL1PCEN:1?~E2H EL0VCTEN:1?E2H EVNTEN:2 EVNTDIR:3=rising,falling EVNTI:7-4 EL0VTEN:8@VHE?E2H \
    EL0PTEN:9@VHE?E2H EL1PCTEN:10@VHE?E2H EL1PTEN:11@VHE?E2H ECV:12@ECV_POFF EL1TVT:13@ECV EL1TVCT:14@ECV EL1NVPCT:15@ECV \
    EL1NVVCT:16@ECV EVNTIS:17@ECV";
pub(super) const CNTKCTL: &str = "EL0PCTEN:0 EL0VCTEN:1 EVNTEN:2 EVNTDIR:3=rising,falling EVNTI:7-4 EL0VTEN:8 EL0PTEN:9 EVNTIS:17@ECV";

/// The rows of this file, handed to the macro `$rows`.
#[rustfmt::skip]
macro_rules! table { ($rows:ident) => { $rows! { Timer;
    // name           op0 1 n m 2   access reset  rules              store
    CNTKCTL_EL1       3 0 14 1 0    R1W1   0      []                 timer => CNTHCTL_EL2    base "Timer access from EL0, event stream" CNTKCTL;
    CNTFRQ_EL0        3 3 14 0 0    R0W1   0      [CNTFRQ_W EL0FRQ]  timer base "Frequency of the counter, in Hz" "Freq:31-0";
    CNTPCT_EL0        3 3 14 0 1    R0     0      [EL0PCTEN EL1PCTEN] timer base "Physical count" "";
    CNTVCT_EL0        3 3 14 0 2    R0     0      [EL0VCTEN EL1TVCT] timer base "Virtual count" "";
    CNTPCTSS_EL0      3 3 14 0 5    R0     0      [EL0PCTEN EL1PCTEN] timer ECV "Physical count, self-synchronised" "";
    CNTVCTSS_EL0      3 3 14 0 6    R0     0      [EL0VCTEN EL1TVCT] timer ECV "Virtual count, self-synchronised" "";
    CNTP_TVAL_EL0     3 3 14 2 0    R0W0   0      [EL0PTEN EL1PCEN EL1PTEN] timer => CNTHP_TVAL_EL2 base "Physical timer: time to go" TVAL;
    CNTP_CTL_EL0      3 3 14 2 1    R0W0   0      [EL0PTEN EL1PCEN EL1PTEN] timer => CNTHP_CTL_EL2  base "Physical timer: control" CTL;
    CNTP_CVAL_EL0     3 3 14 2 2    R0W0   0      [EL0PTEN EL1PCEN EL1PTEN] timer => CNTHP_CVAL_EL2 base "Physical timer: deadline" "";
    CNTV_TVAL_EL0     3 3 14 3 0    R0W0   0      [EL0VTEN EL1TVT]   timer => CNTHV_TVAL_EL2 base "Virtual timer: time to go" TVAL;
    CNTV_CTL_EL0      3 3 14 3 1    R0W0   0      [EL0VTEN EL1TVT]   timer => CNTHV_CTL_EL2  base "Virtual timer: control" CTL;
    CNTV_CVAL_EL0     3 3 14 3 2    R0W0   0      [EL0VTEN EL1TVT]   timer => CNTHV_CVAL_EL2 base "Virtual timer: deadline" "";
    CNTVOFF_EL2       3 4 14 0 3    R2W2   0      []                 timer base "Physical less virtual count" "";
    CNTPOFF_EL2       3 4 14 0 6    R2W2   0      []                 timer ECV_POFF "Offset of EL1's physical count" "";
    CNTHCTL_EL2       3 4 14 1 0    R2W2   3      []                 timer base "Timer access from EL1 and EL0, event stream" CNTHCTL;
    CNTHP_TVAL_EL2    3 4 14 2 0    R2W2   0      []                 timer base "EL2's physical timer: time to go" TVAL;
    CNTHP_CTL_EL2     3 4 14 2 1    R2W2   0      []                 timer base "EL2's physical timer: control" CTL;
    CNTHP_CVAL_EL2    3 4 14 2 2    R2W2   0      []                 timer base "EL2's physical timer: deadline" "";
    CNTHV_TVAL_EL2    3 4 14 3 0    R2W2   0      []                 timer VHE  "EL2's virtual timer: time to go" TVAL;
    CNTHV_CTL_EL2     3 4 14 3 1    R2W2   0      []                 timer VHE  "EL2's virtual timer: control" CTL;
    CNTHV_CVAL_EL2    3 4 14 3 2    R2W2   0      []                 timer VHE  "EL2's virtual timer: deadline" "";
    CNTKCTL_EL12      3 5 14 1 0    R2W2   0      []                 alias(CNTKCTL_EL1)   VHE "CNTKCTL_EL1, from EL2 with E2H" "";
    CNTP_TVAL_EL02    3 5 14 2 0    R2W2   0      []                 alias(CNTP_TVAL_EL0) VHE "CNTP_TVAL_EL0, from EL2 with E2H" "";
    CNTP_CTL_EL02     3 5 14 2 1    R2W2   0      []                 alias(CNTP_CTL_EL0)  VHE "CNTP_CTL_EL0, from EL2 with E2H" "";
    CNTP_CVAL_EL02    3 5 14 2 2    R2W2   0      []                 alias(CNTP_CVAL_EL0) VHE "CNTP_CVAL_EL0, from EL2 with E2H" "";
    CNTV_TVAL_EL02    3 5 14 3 0    R2W2   0      []                 alias(CNTV_TVAL_EL0) VHE "CNTV_TVAL_EL0, from EL2 with E2H" "";
    CNTV_CTL_EL02     3 5 14 3 1    R2W2   0      []                 alias(CNTV_CTL_EL0)  VHE "CNTV_CTL_EL0, from EL2 with E2H" "";
    CNTV_CVAL_EL02    3 5 14 3 2    R2W2   0      []                 alias(CNTV_CVAL_EL0) VHE "CNTV_CVAL_EL0, from EL2 with E2H" "";
} } }
pub(crate) use table;
