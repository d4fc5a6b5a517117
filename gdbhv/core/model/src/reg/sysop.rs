//! System instructions, which SYS and SYSL execute: cache, TLB and translation maintenance (Arm ARM C5.3 to C5.5), one row each. What they
//! do is in [`crate::isa::sysop`].

use crate::feature::Feature;
use std::sync::OnceLock;

/// One instruction.
pub struct Info {
    /// The Arm ARM's name with `_` for the space, e.g. `DC_CIVAC`.
    pub name: &'static str,
    /// `op0:op1:CRn:CRm:op2` with op0 = 1.
    pub code: u16,
    /// The least exception level that may.
    pub el: u8,
    /// The feature that brought it.
    pub feature: Feature,
}

/// The rows, handed to the macro `$rows`: `NAME op1 CRn CRm op2 EL least-level [traps] feature body;`
#[rustfmt::skip]
macro_rules! table { ($rows:ident) => { $rows! {
    // name           op1 n m op2      rules           feature
    IC_IALLUIS         0 7 1  0  EL 1  [TPU TICAB]      base nothing;
    IC_IALLU           0 7 5  0  EL 1  [TPU TOCU]       base nothing;
    IC_IVAU            3 7 5  1  EL 0  [UCI TPU TOCU]   base by_va;
    DC_IVAC            0 7 6  1  EL 1  [TPCP]           base invalidate;
    DC_ISW             0 7 6  2  EL 1  [TSW]            base nothing;
    DC_CSW             0 7 10 2  EL 1  [TSW]            base nothing;
    DC_CISW            0 7 14 2  EL 1  [TSW]            base nothing;
    DC_ZVA             3 7 4  1  EL 0  [DZE TDZ]        base zva;
    DC_CVAC            3 7 10 1  EL 0  [UCI TPCP]       base by_va;
    DC_CVAU            3 7 11 1  EL 0  [UCI TPU TOCU]   base by_va;
    DC_CVAP            3 7 12 1  EL 0  [UCI TPCP]       DPB  by_va;
    DC_CVADP           3 7 13 1  EL 0  [UCI TPCP]       DPB2 by_va;
    DC_CIVAC           3 7 14 1  EL 0  [UCI TPCP]       base by_va;

    AT_S1E1R           0 7 8  0  EL 1  [AT]             base at;
    AT_S1E1W           0 7 8  1  EL 1  [AT]             base at;
    AT_S1E0R           0 7 8  2  EL 1  [AT]             base at;
    AT_S1E0W           0 7 8  3  EL 1  [AT]             base at;
    AT_S1E1RP          0 7 9  0  EL 1  [AT]             PAN2 at;
    AT_S1E1WP          0 7 9  1  EL 1  [AT]             PAN2 at;
    AT_S1E2R           4 7 8  0  EL 2  []               base at;
    AT_S1E2W           4 7 8  1  EL 2  []               base at;
    AT_S12E1R          4 7 8  4  EL 2  []               base at;
    AT_S12E1W          4 7 8  5  EL 2  []               base at;
    AT_S12E0R          4 7 8  6  EL 2  []               base at;
    AT_S12E0W          4 7 8  7  EL 2  []               base at;

    TLBI_VMALLE1       0 8 7  0  EL 1  [TTLB]           base tlbi;
    TLBI_VAE1          0 8 7  1  EL 1  [TTLB]           base tlbi;
    TLBI_ASIDE1        0 8 7  2  EL 1  [TTLB]           base tlbi;
    TLBI_VAAE1         0 8 7  3  EL 1  [TTLB]           base tlbi;
    TLBI_VALE1         0 8 7  5  EL 1  [TTLB]           base tlbi;
    TLBI_VAALE1        0 8 7  7  EL 1  [TTLB]           base tlbi;
    TLBI_VMALLE1IS     0 8 3  0  EL 1  [TTLB TTLBIS]    base tlbi;
    TLBI_VAE1IS        0 8 3  1  EL 1  [TTLB TTLBIS]    base tlbi;
    TLBI_ASIDE1IS      0 8 3  2  EL 1  [TTLB TTLBIS]    base tlbi;
    TLBI_VAAE1IS       0 8 3  3  EL 1  [TTLB TTLBIS]    base tlbi;
    TLBI_VALE1IS       0 8 3  5  EL 1  [TTLB TTLBIS]    base tlbi;
    TLBI_VAALE1IS      0 8 3  7  EL 1  [TTLB TTLBIS]    base tlbi;
    TLBI_VMALLE1OS     0 8 1  0  EL 1  [TTLB TTLBOS]    TLBIOS tlbi;
    TLBI_VAE1OS        0 8 1  1  EL 1  [TTLB TTLBOS]    TLBIOS tlbi;
    TLBI_ASIDE1OS      0 8 1  2  EL 1  [TTLB TTLBOS]    TLBIOS tlbi;
    TLBI_VAAE1OS       0 8 1  3  EL 1  [TTLB TTLBOS]    TLBIOS tlbi;
    TLBI_VALE1OS       0 8 1  5  EL 1  [TTLB TTLBOS]    TLBIOS tlbi;
    TLBI_VAALE1OS      0 8 1  7  EL 1  [TTLB TTLBOS]    TLBIOS tlbi;
    TLBI_RVAE1         0 8 6  1  EL 1  [TTLB]           TLBIRANGE tlbi;
    TLBI_RVAAE1        0 8 6  3  EL 1  [TTLB]           TLBIRANGE tlbi;
    TLBI_RVALE1        0 8 6  5  EL 1  [TTLB]           TLBIRANGE tlbi;
    TLBI_RVAALE1       0 8 6  7  EL 1  [TTLB]           TLBIRANGE tlbi;
    TLBI_RVAE1IS       0 8 2  1  EL 1  [TTLB TTLBIS]    TLBIRANGE tlbi;
    TLBI_RVAAE1IS      0 8 2  3  EL 1  [TTLB TTLBIS]    TLBIRANGE tlbi;
    TLBI_RVALE1IS      0 8 2  5  EL 1  [TTLB TTLBIS]    TLBIRANGE tlbi;
    TLBI_RVAALE1IS     0 8 2  7  EL 1  [TTLB TTLBIS]    TLBIRANGE tlbi;
    TLBI_RVAE1OS       0 8 5  1  EL 1  [TTLB TTLBOS]    TLBIRANGE tlbi;
    TLBI_RVAAE1OS      0 8 5  3  EL 1  [TTLB TTLBOS]    TLBIRANGE tlbi;
    TLBI_RVALE1OS      0 8 5  5  EL 1  [TTLB TTLBOS]    TLBIRANGE tlbi;
    TLBI_RVAALE1OS     0 8 5  7  EL 1  [TTLB TTLBOS]    TLBIRANGE tlbi;

    TLBI_IPAS2E1       4 8 4  1  EL 2  []               base tlbi;
    TLBI_IPAS2LE1      4 8 4  5  EL 2  []               base tlbi;
    TLBI_IPAS2E1IS     4 8 0  1  EL 2  []               base tlbi;
    TLBI_IPAS2LE1IS    4 8 0  5  EL 2  []               base tlbi;
    TLBI_IPAS2E1OS     4 8 4  0  EL 2  []               TLBIOS tlbi;
    TLBI_IPAS2LE1OS    4 8 4  4  EL 2  []               TLBIOS tlbi;
    TLBI_RIPAS2E1      4 8 4  2  EL 2  []               TLBIRANGE tlbi;
    TLBI_RIPAS2LE1     4 8 4  6  EL 2  []               TLBIRANGE tlbi;
    TLBI_RIPAS2E1IS    4 8 0  2  EL 2  []               TLBIRANGE tlbi;
    TLBI_RIPAS2LE1IS   4 8 0  6  EL 2  []               TLBIRANGE tlbi;
    TLBI_RIPAS2E1OS    4 8 4  3  EL 2  []               TLBIRANGE tlbi;
    TLBI_RIPAS2LE1OS   4 8 4  7  EL 2  []               TLBIRANGE tlbi;
    TLBI_ALLE2         4 8 7  0  EL 2  []               base tlbi;
    TLBI_VAE2          4 8 7  1  EL 2  []               base tlbi;
    TLBI_ALLE1         4 8 7  4  EL 2  []               base tlbi;
    TLBI_VALE2         4 8 7  5  EL 2  []               base tlbi;
    TLBI_VMALLS12E1    4 8 7  6  EL 2  []               base tlbi;
    TLBI_ALLE2IS       4 8 3  0  EL 2  []               base tlbi;
    TLBI_VAE2IS        4 8 3  1  EL 2  []               base tlbi;
    TLBI_ALLE1IS       4 8 3  4  EL 2  []               base tlbi;
    TLBI_VALE2IS       4 8 3  5  EL 2  []               base tlbi;
    TLBI_VMALLS12E1IS  4 8 3  6  EL 2  []               base tlbi;
    TLBI_ALLE2OS       4 8 1  0  EL 2  []               TLBIOS tlbi;
    TLBI_VAE2OS        4 8 1  1  EL 2  []               TLBIOS tlbi;
    TLBI_ALLE1OS       4 8 1  4  EL 2  []               TLBIOS tlbi;
    TLBI_VALE2OS       4 8 1  5  EL 2  []               TLBIOS tlbi;
    TLBI_VMALLS12E1OS  4 8 1  6  EL 2  []               TLBIOS tlbi;
    TLBI_RVAE2         4 8 6  1  EL 2  []               TLBIRANGE tlbi;
    TLBI_RVALE2        4 8 6  5  EL 2  []               TLBIRANGE tlbi;
    TLBI_RVAE2IS       4 8 2  1  EL 2  []               TLBIRANGE tlbi;
    TLBI_RVALE2IS      4 8 2  5  EL 2  []               TLBIRANGE tlbi;
    TLBI_RVAE2OS       4 8 5  1  EL 2  []               TLBIRANGE tlbi;
    TLBI_RVALE2OS      4 8 5  5  EL 2  []               TLBIRANGE tlbi;

    CFP_RCTX           3 7 3  4  EL 0  [ENRCTX]         SPECRES nothing;
    DVP_RCTX           3 7 3  5  EL 0  [ENRCTX]         SPECRES nothing;
    CPP_RCTX           3 7 3  7  EL 0  [ENRCTX]         SPECRES nothing;
} } }
pub(crate) use table;

macro_rules! infos {
    ($($name:ident $op1:literal $n:literal $m:literal $op2:literal EL $el:literal [$($rule:ident)*] $feature:ident $body:ident;)*) => {
        /// Every instruction that is known, those of absent features included.
        pub static INFOS: &[Info] = &[$(Info {
            name: stringify!($name),
            code: 1 << 14 | $op1 << 11 | $n << 7 | $m << 3 | $op2,
            el: $el,
            feature: Feature::$feature,
        }),*];
    };
}
table!(infos);

/// The number of the row of an encoding (`op0:op1:CRn:CRm:op2`, op0 = 1).
pub fn number(code: u16) -> Option<usize> {
    static TABLE: OnceLock<Vec<Option<usize>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut t = vec![None; 1 << 14];
        for (i, r) in INFOS.iter().enumerate() {
            t[(r.code & 0x3fff) as usize] = Some(i);
        }
        t
    });
    (code >> 14 == 1).then(|| table[(code & 0x3fff) as usize])?
}

/// The row of an encoding.
pub fn find(code: u16) -> Option<&'static Info> {
    number(code).map(|i| &INFOS[i])
}

/// The name of a system instruction, e.g. `DC_CIVAC`, or its generic one.
pub fn name(op1: u32, crn: u32, crm: u32, op2: u32) -> String {
    match find(1 << 14 | (op1 << 11 | crn << 7 | crm << 3 | op2) as u16) {
        Some(op) => op.name.to_string(),
        None => format!("SYS_{op1}_C{crn}_C{crm}_{op2}"),
    }
}
