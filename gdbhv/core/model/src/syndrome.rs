//! Exception classes of ESR_ELx, and the fields of their ISS (Arm ARM D24.2.40, table of EC values, and "ISS encoding for ...").

/// The EC values, by the Arm ARM's names; of two forms the one "from a lower Exception level".
#[allow(missing_docs)]
pub mod ec {
    pub const UNKNOWN: u8 = 0x00;
    pub const WFX: u8 = 0x01;
    pub const FP: u8 = 0x07;
    pub const PAC: u8 = 0x09;
    pub const ILLEGAL_STATE: u8 = 0x0e;
    pub const SVC: u8 = 0x15;
    pub const HVC: u8 = 0x16;
    pub const SMC: u8 = 0x17;
    pub const SYSREG: u8 = 0x18;
    pub const SVE: u8 = 0x19;
    pub const ERET: u8 = 0x1a;
    pub const INSTRUCTION_ABORT: u8 = 0x20;
    pub const PC_ALIGNMENT: u8 = 0x22;
    pub const DATA_ABORT: u8 = 0x24;
    /// A data abort of EL2's own by its number; from EL1 it is that of an access in memory of FEAT_NV2.
    pub const NV2_DATA_ABORT: u8 = 0x25;
    pub const SP_ALIGNMENT: u8 = 0x26;
    pub const SERROR: u8 = 0x2f;
    pub const BREAKPOINT: u8 = 0x30;
    pub const STEP: u8 = 0x32;
    pub const WATCHPOINT: u8 = 0x34;
    /// The same of a watchpoint.
    pub const NV2_WATCHPOINT: u8 = 0x35;
    pub const BRK: u8 = 0x3c;
}

/// The class as reported when the exception is taken to the EL it came from.
pub const fn same_el(class: u8) -> u8 {
    match class {
        ec::INSTRUCTION_ABORT | ec::DATA_ABORT | ec::BREAKPOINT | ec::STEP | ec::WATCHPOINT => {
            class + 1
        }
        c => c,
    }
}

/// The fields of ISS by kind of exception, in the notation of [`mod@crate::reg::field`]; a condition is a field of the same ISS. Exit
/// classes name theirs ([`crate::exit::CLASSES`]).
#[rustfmt::skip]
pub mod iss {
    /// It is 0.
    pub const NONE: &str = "RES0:24-0";
    /// WFI, WFE; with a timeout they name a register.
    pub const WFX: &str = "TI:1-0=WFI,WFE,WFIT,WFET RV:2?RV RN:9-5?RV COND:23-20 CV:24";
    /// FP and SIMD.
    pub const FP: &str = "COND:23-20 CV:24";
    /// SVC, HVC, SMC.
    pub const CALL: &str = "imm16:15-0";
    /// BRK.
    pub const BRK: &str = "Comment:15-0";
    /// MRS, MSR, SYS, SYSL.
    pub const SYSREG: &str = "Direction:0=write,read CRm:4-1 Rt:9-5 CRn:13-10 Op1:16-14 Op2:19-17 Op0:21-20";
    /// ERET and its authenticated forms.
    pub const ERET: &str = "ERETA:0=key_A,key_B ERET:1=ERET,ERETAA/ERETAB";
    /// Instruction abort.
    pub const INSTRUCTION_ABORT: &str = "IFSC:5-0 S1PTW:7 EA:9 FnV:10 SET:12-11";
    /// Data abort; with ISV it describes its instruction too.
    pub const DATA_ABORT: &str = "DFSC:5-0 WnR:6=read,write S1PTW:7 CM:8 EA:9 FnV:10 AR:14?ISV SF:15?ISV SRT:20-16?ISV SSE:21?ISV \
        SAS:23-22?ISV=byte,halfword,word,doubleword ISV:24";
    /// Data abort of a register's access in memory.
    pub const NV2_ABORT: &str = "DFSC:5-0 WnR:6=read,write S1PTW:7 CM:8 EA:9 FnV:10 VNCR:13";
    /// SError; with IDS the rest is IMPLEMENTATION DEFINED.
    pub const SERROR: &str = "DFSC:5-0?~IDS=uncategorized,17:asynchronous EA:9?~IDS AET:12-10?~IDS=UC,UEU,UEO,UER,6:CE IESB:13?~IDS \
        ISS:23-0?IDS IDS:24";
    /// Breakpoint.
    pub const BREAKPOINT: &str = "IFSC:5-0";
    /// Software step.
    pub const STEP: &str = "IFSC:5-0 EX:6=other,load-exclusive ISV:24";
    /// Watchpoint.
    pub const WATCHPOINT: &str = "DFSC:5-0 WnR:6=read,write CM:8 FnV:10 VNCR:13";
}

/// The ISV part of a data abort's ISS (bits 24:14) for instruction `i`: valid for a load or store of a single general-purpose register
/// without write-back, exclusives left out (Arm ARM D24.2.40, ISS encoding for a Data Abort); 0 if it has none.
pub fn isv_of(i: u32) -> u32 {
    let is = |mask: u32, value: u32| i & mask == value;
    let plain = is(0x3f00_0000, 0x3900_0000)      // unsigned offset
        || is(0x3f20_0400, 0x3800_0000)           // unscaled and unprivileged
        || is(0x3f20_0c00, 0x3820_0800); // register offset
    let ordered = is(0x3fa0_0000, 0x0880_0000) // LDAR, STLR, LDLAR, STLLR
        || is(0x3fff_fc00, 0x38bf_c000); // LDAPR
    let rcpc2 = is(0x3f20_0c00, 0x1900_0000); // LDAPUR, STLUR
    let (size, opc) = (i >> 30, i >> 22 & 3);
    let (sas, sse, sf) = if plain || rcpc2 {
        if size == 3 && opc >= 2 {
            return 0; // PRFM
        }
        (
            size,
            opc >> 1,
            if opc >> 1 == 1 {
                (opc == 2) as u32
            } else {
                (size == 3) as u32
            },
        )
    } else if ordered {
        (size, 0, (size == 3) as u32)
    } else if is(0x3f00_0000, 0x1800_0000) && size < 3 {
        // literal: LDR (32), LDR (64), LDRSW
        (
            if size == 1 { 3 } else { 2 },
            (size == 2) as u32,
            (size >= 1) as u32,
        )
    } else {
        return 0;
    };
    let acquire = (ordered || rcpc2) as u32;
    1 << 24 | sas << 22 | sse << 21 | (i & 31) << 16 | sf << 15 | acquire << 14
}
