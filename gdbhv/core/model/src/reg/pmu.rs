//! Performance monitors (Arm ARM D13, registers D24.5). What they do is in [`crate::pmu`]; here is who may touch what. Six event
//! counters, as PMCR_EL0.N tells; those from MDCR_EL2.HPMN on are EL2's own, and their registers trap.

/// Event counters of every profile: those of a Cortex-A57 (PMCR_EL0.N).
pub const COUNTERS: usize = 6;

/// E: enable. X, the export of events, is RAZ/WI: nothing takes them. D is RES0 and LC RES1 where there is no AArch32.
pub(super) const PMCR: &str = "E:0 P:1 C:2 D:3! X:4! DP:5@PMUv3p1 LC:6! LP:7@PMUv3p5 FZO:9@PMUv3p7 N:15-11! IDCODE:23-16! IMP:31-24!";
pub(super) const BITS: &str = "P0:0 P1:1 P2:2 P3:3 P4:4 P5:5 C:31";
pub(super) const USER: &str = "EN:0 SW:1 CR:2 ER:3";
pub(super) const TYPE: &str = "evtCount:9-0 evtCount_hi:15-10@PMUv3p1 NSH:27 U:30 P:31";
pub(super) const COUNT: &str = "EVCNT:31-0 EVCNT_hi:63-32@PMUv3p5";

/// The rows of this file, handed to the macro `$rows`.
#[rustfmt::skip]
macro_rules! table { ($rows:ident) => { $rows! { Pmu;
    // name           op0 1 n m 2    access reset  rules                  store
    PMINTENSET_EL1    3 0 9 14 1     R1W1   0      [TPM]                  pmu PMUv3 "Interrupt enable, set" BITS;
    PMINTENCLR_EL1    3 0 9 14 2     R1W1   0      [TPM]                  pmu PMUv3 "Interrupt enable, clear" BITS;
    PMMIR_EL1         3 0 9 14 6     R1     0      [TPM]                  pmu PMUv3p4 "Machine identification" "SLOTS:7-0!";
    PMCR_EL0          3 3 9 12 0     R0W0   0x40   [PMU_EN TPM TPMCR]     pmu PMUv3 "Control" PMCR;
    PMCNTENSET_EL0    3 3 9 12 1     R0W0   0      [PMU_EN TPM]           pmu PMUv3 "Counter enable, set" BITS;
    PMCNTENCLR_EL0    3 3 9 12 2     R0W0   0      [PMU_EN TPM]           pmu PMUv3 "Counter enable, clear" BITS;
    PMOVSCLR_EL0      3 3 9 12 3     R0W0   0      [PMU_EN TPM]           pmu PMUv3 "Overflow status, clear" BITS;
    PMSWINC_EL0       3 3 9 12 4     W0     0      [PMU_SW TPM]           pmu PMUv3 "Software increment" "P0:0 P1:1 P2:2 P3:3 P4:4 P5:5";
    PMSELR_EL0        3 3 9 12 5     R0W0   0      [PMU_SEL TPM]          pmu PMUv3 "Counter selection" "SEL:4-0";
    PMCEID0_EL0       3 3 9 12 6     R0     0      [PMU_EN TPM]           pmu PMUv3 "Common events 0" "";
    PMCEID1_EL0       3 3 9 12 7     R0     0      [PMU_EN TPM]           pmu PMUv3 "Common events 1" "";
    PMCCNTR_EL0       3 3 9 13 0     R0W0   0      [PMU_CR TPM]           pmu PMUv3 "Cycle count" "";
    PMXEVTYPER_EL0    3 3 9 13 1     R0W0   0      [PMU_EN TPM HPMN_SEL]  pmu PMUv3 "Type of the selected event" "";
    PMXEVCNTR_EL0     3 3 9 13 2     R0W0   0      [PMU_ER TPM HPMN_SEL]  pmu PMUv3 "Count of the selected event" "";
    PMUSERENR_EL0     3 3 9 14 0     R0W1   0      [TPM]                  pmu PMUv3 "Access from EL0" USER;
    PMOVSSET_EL0      3 3 9 14 3     R0W0   0      [PMU_EN TPM]           pmu PMUv3 "Overflow status, set" BITS;
    PMCCFILTR_EL0     3 3 14 15 7    R0W0   0      [PMU_EN TPM]           pmu PMUv3 "Cycle count filter" "NSH:27 U:30 P:31";
    PMEVCNTR0_EL0     3 3 14 8 0     R0W0   0      [PMU_ER TPM HPMN_0]    pmu PMUv3 "Event count 0" COUNT;
    PMEVCNTR1_EL0     3 3 14 8 1     R0W0   0      [PMU_ER TPM HPMN_1]    pmu PMUv3 "Event count 1" COUNT;
    PMEVCNTR2_EL0     3 3 14 8 2     R0W0   0      [PMU_ER TPM HPMN_2]    pmu PMUv3 "Event count 2" COUNT;
    PMEVCNTR3_EL0     3 3 14 8 3     R0W0   0      [PMU_ER TPM HPMN_3]    pmu PMUv3 "Event count 3" COUNT;
    PMEVCNTR4_EL0     3 3 14 8 4     R0W0   0      [PMU_ER TPM HPMN_4]    pmu PMUv3 "Event count 4" COUNT;
    PMEVCNTR5_EL0     3 3 14 8 5     R0W0   0      [PMU_ER TPM HPMN_5]    pmu PMUv3 "Event count 5" COUNT;
    PMEVTYPER0_EL0    3 3 14 12 0    R0W0   0      [PMU_EN TPM HPMN_0]    pmu PMUv3 "Event type 0" TYPE;
    PMEVTYPER1_EL0    3 3 14 12 1    R0W0   0      [PMU_EN TPM HPMN_1]    pmu PMUv3 "Event type 1" TYPE;
    PMEVTYPER2_EL0    3 3 14 12 2    R0W0   0      [PMU_EN TPM HPMN_2]    pmu PMUv3 "Event type 2" TYPE;
    PMEVTYPER3_EL0    3 3 14 12 3    R0W0   0      [PMU_EN TPM HPMN_3]    pmu PMUv3 "Event type 3" TYPE;
    PMEVTYPER4_EL0    3 3 14 12 4    R0W0   0      [PMU_EN TPM HPMN_4]    pmu PMUv3 "Event type 4" TYPE;
    PMEVTYPER5_EL0    3 3 14 12 5    R0W0   0      [PMU_EN TPM HPMN_5]    pmu PMUv3 "Event type 5" TYPE;
} } }
pub(crate) use table;
