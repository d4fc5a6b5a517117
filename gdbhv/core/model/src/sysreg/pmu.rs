//! Performance monitors (Arm ARM D13, registers D24.5): known and absent. ID_AA64DFR0_EL1.PMUVer is 0, so guests do not touch
//! them, and every access is UNDEFINED.

use crate::sysreg_rows;

sysreg_rows! { Pmu;
    // name           op0 1 n m 2    access reset  rules                  store
    PMINTENSET_EL1    3 0 9 14 1     R1W1   0      [TPM]                  plain PMUv3 "Interrupt enable, set" "";
    PMINTENCLR_EL1    3 0 9 14 2     R1W1   0      [TPM]                  plain PMUv3 "Interrupt enable, clear" "";
    PMMIR_EL1         3 0 9 14 6     R1     0      [TPM]                  plain PMUv3 "Machine identification" "";
    PMCR_EL0          3 3 9 12 0     R0W0   0      [PMUSER TPM TPMCR]     plain PMUv3 "Control" "";
    PMCNTENSET_EL0    3 3 9 12 1     R0W0   0      [PMUSER TPM]           plain PMUv3 "Counter enable, set" "";
    PMCNTENCLR_EL0    3 3 9 12 2     R0W0   0      [PMUSER TPM]           plain PMUv3 "Counter enable, clear" "";
    PMOVSCLR_EL0      3 3 9 12 3     R0W0   0      [PMUSER TPM]           plain PMUv3 "Overflow status, clear" "";
    PMSWINC_EL0       3 3 9 12 4     W0     0      [PMUSER TPM]           plain PMUv3 "Software increment" "";
    PMSELR_EL0        3 3 9 12 5     R0W0   0      [PMUSER TPM]           plain PMUv3 "Counter selection" "";
    PMCEID0_EL0       3 3 9 12 6     R0     0      [PMUSER TPM]           plain PMUv3 "Common events 0" "";
    PMCEID1_EL0       3 3 9 12 7     R0     0      [PMUSER TPM]           plain PMUv3 "Common events 1" "";
    PMCCNTR_EL0       3 3 9 13 0     R0W0   0      [PMUSER TPM]           plain PMUv3 "Cycle count" "";
    PMXEVTYPER_EL0    3 3 9 13 1     R0W0   0      [PMUSER TPM]           plain PMUv3 "Type of the selected event" "";
    PMXEVCNTR_EL0     3 3 9 13 2     R0W0   0      [PMUSER TPM]           plain PMUv3 "Count of the selected event" "";
    PMUSERENR_EL0     3 3 9 14 0     R0W1   0      [TPM]                  plain PMUv3 "Access from EL0" "";
    PMOVSSET_EL0      3 3 9 14 3     R0W0   0      [PMUSER TPM]           plain PMUv3 "Overflow status, set" "";
    PMCCFILTR_EL0     3 3 14 15 7    R0W0   0      [PMUSER TPM]           plain PMUv3 "Cycle count filter" "";
    PMEVCNTR0_EL0     3 3 14 8 0     R0W0   0      [PMUSER TPM]           plain PMUv3 "Event count 0" "";
    PMEVCNTR1_EL0     3 3 14 8 1     R0W0   0      [PMUSER TPM]           plain PMUv3 "Event count 1" "";
    PMEVCNTR2_EL0     3 3 14 8 2     R0W0   0      [PMUSER TPM]           plain PMUv3 "Event count 2" "";
    PMEVCNTR3_EL0     3 3 14 8 3     R0W0   0      [PMUSER TPM]           plain PMUv3 "Event count 3" "";
    PMEVCNTR4_EL0     3 3 14 8 4     R0W0   0      [PMUSER TPM]           plain PMUv3 "Event count 4" "";
    PMEVCNTR5_EL0     3 3 14 8 5     R0W0   0      [PMUSER TPM]           plain PMUv3 "Event count 5" "";
    PMEVTYPER0_EL0    3 3 14 12 0    R0W0   0      [PMUSER TPM]           plain PMUv3 "Event type 0" "";
    PMEVTYPER1_EL0    3 3 14 12 1    R0W0   0      [PMUSER TPM]           plain PMUv3 "Event type 1" "";
    PMEVTYPER2_EL0    3 3 14 12 2    R0W0   0      [PMUSER TPM]           plain PMUv3 "Event type 2" "";
    PMEVTYPER3_EL0    3 3 14 12 3    R0W0   0      [PMUSER TPM]           plain PMUv3 "Event type 3" "";
    PMEVTYPER4_EL0    3 3 14 12 4    R0W0   0      [PMUSER TPM]           plain PMUv3 "Event type 4" "";
    PMEVTYPER5_EL0    3 3 14 12 5    R0W0   0      [PMUSER TPM]           plain PMUv3 "Event type 5" "";
}
