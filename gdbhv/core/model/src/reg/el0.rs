//! Registers that EL0 can reach, and the fields of PSTATE that have a register view (Arm ARM C5.2).

/// The rows of this file, handed to the macro `$rows`.
#[rustfmt::skip]
macro_rules! table { ($rows:ident) => { $rows! { El0;
    // name           op0 1 n m 2  access reset  rules        store
    NZCV              3 3 4 2 0    R0W0   0      []           func(nzcv, set_nzcv)         base "Condition flags" "V:28 C:29 Z:30 N:31";
    DAIF              3 3 4 2 1    R0W0   0      [UMA]        funclook(daif, set_daif)     base "Interrupt mask bits" "F:6 I:7 A:8 D:9";
    DIT               3 3 4 2 5    R0W0   0      []           func(dit, set_dit)           DIT "Data-independent timing" "DIT:24";
    SSBS              3 3 4 2 6    R0W0   0      []           func(ssbs, set_ssbs)         SSBS2 "Speculative store bypass safe" "SSBS:12";
    TCO               3 3 4 2 7    R0W0   0      []           plain MTE "Tag check override" "TCO:25";
    FPCR              3 3 4 4 0    R0W0   0      [FP]         func(fpcr, set_fpcr)         base "Floating-point control"
        "FIZ:0@AFP AH:1@AFP NEP:2@AFP FZ16:19@FP16 RMode:23-22=nearest,plus_inf,minus_inf,zero FZ:24 DN:25 AHP:26";
    FPSR              3 3 4 4 1    R0W0   0      [FP]         func(fpsr, set_fpsr)         base "Floating-point status"
        "IOC:0 DZC:1 OFC:2 UFC:3 IXC:4 IDC:7 QC:27";
    TPIDR_EL0         3 3 13 0 2   R0W0   0      []           plain base "Thread ID of EL0" "";
    TPIDRRO_EL0       3 3 13 0 3   R0W1   0      []           plain base "Thread ID that EL0 reads" "";
    TPIDR2_EL0        3 3 13 0 5   R0W0   0      []           plain SME "Second thread ID of EL0" "";
    SCXTNUM_EL0       3 3 13 0 7   R0W0   0      [TSCXT ENSCXT] plain CSV2_2 "Software context number of EL0" "";
    RNDR              3 3 2 4 0    R0     0      []           plain RNG "Random number" "";
    RNDRRS            3 3 2 4 1    R0     0      []           plain RNG "Reseeded random number" "";
    CurrentEL         3 0 4 2 2    R1     0      []           func(current_el, nothing)    base "Current exception level" "EL:3-2=EL0,EL1,EL2,EL3";
    SPSel             3 0 4 2 0    R1W1   0      []           func(spsel, set_spsel)       base "Stack pointer selection" "SP:0=SP_EL0,SP_ELx";
    PAN               3 0 4 2 3    R1W1   0      []           funcctl(pan, set_pan)        PAN "Privileged access never" "PAN:22";
    UAO               3 0 4 2 4    R1W1   0      []           funcctl(uao, set_uao)        UAO "User access override" "UAO:23";
    SP_EL0            3 0 4 1 0    R1W1   0      [SP_EL0_IN_USE] func(sp_el0, set_sp_el0)  base "Stack pointer of EL0" "";
} } }
pub(crate) use table;
