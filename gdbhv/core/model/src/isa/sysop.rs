//! SYS and SYSL: cache, TLB and translation instructions (Arm ARM C5.3 to C5.5, C4.1.94 "System instructions"), one row each.
//!
//! Caches are coherent and decoded code follows the bytes it was made from, so cache maintenance has nothing to do but to fault where the
//! architecture does.

use crate::cpu::{slot, Cpu};
use crate::exception;
use crate::feature::Feature;
use crate::raise::{Flow, Trap};
use crate::shared::Shared;
use crate::syndrome::ec;
use crate::sysreg::access::{implementation_defined, refuse};
use crate::sysreg::names::HCR_EL2;
use crate::sysreg::nv::nvx;
use crate::sysreg::trap::{self, judge, Rule, Verdict, Who};
use crate::sysreg::{fgt, Reg};

/// What a row does with the value of Xt.
type Body = fn(&mut Cpu, &mut Shared, &'static Row, u64) -> Result<Flow, Trap>;

/// One instruction.
pub struct Row {
    /// The Arm ARM's name with `_` for the space, e.g. `DC_CIVAC`.
    pub name: &'static str,
    /// `op0:op1:CRn:CRm:op2` with op0 = 1.
    pub code: u16,
    /// The least exception level that may.
    pub el: u8,
    /// The feature that brought it.
    pub feature: Feature,
    /// What may refuse or trap it, most effective first.
    pub traps: &'static [&'static Rule],
    /// What it does.
    body: Body,
}

impl Row {
    /// op1, CRm, op2.
    fn operation(&self) -> (u32, u32, u32) {
        let (_, op1, _, crm, op2) = Reg(self.code).fields();
        (op1 as u32, crm as u32, op2 as u32)
    }
}

macro_rules! rows {
    ($($name:ident $op1:literal $n:literal $m:literal $op2:literal EL $el:literal [$($rule:ident)*] $feature:ident $body:ident;)*) => {
        /// Every instruction that is known, those of absent features included.
        pub static ROWS: &[Row] = &[$(Row {
            name: stringify!($name),
            code: 1 << 14 | $op1 << 11 | $n << 7 | $m << 3 | $op2,
            el: $el,
            feature: Feature::$feature,
            traps: &[$(&trap::$rule),*],
            body: $body,
        }),*];
    };
}

#[rustfmt::skip]
rows! {
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
}

/// The row of an encoding (`op0:op1:CRn:CRm:op2`, op0 = 1).
pub fn find(code: u16) -> Option<&'static Row> {
    static TABLE: std::sync::OnceLock<Vec<Option<&'static Row>>> = std::sync::OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut t = vec![None; 1 << 14];
        for r in ROWS {
            t[(r.code & 0x3fff) as usize] = Some(r);
        }
        t
    });
    (code >> 14 == 1).then(|| table[(code & 0x3fff) as usize])?
}

/// SYS.
pub fn sys(cpu: &mut Cpu, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
    let row = match find((insn >> 5) as u16).filter(|r| sh.config.features.has(r.feature)) {
        Some(r) => r,
        None => return unallocated(cpu, sh, insn, true),
    };
    if cpu.pstate.el < row.el {
        // EL2's own, by a hypervisor at EL1 (HCR_EL2.NV): no instruction leads to memory.
        if (cpu.pstate.el, row.el) == (1, 2) && nvx(cpu.get(HCR_EL2)) != 0 {
            let verdict = Verdict::Trap(2, ec::SYSREG, &["HCR_EL2.NV"]);
            return Err(refuse(cpu, sh, insn, true, verdict));
        }
        return Err(exception::undefined(cpu));
    }
    if !row.traps.is_empty() || cpu.fgt {
        let verdict = judge(&Who::new(cpu, &sh.config, true), row.traps);
        let verdict = fgt::judge(cpu, row.code, true, verdict);
        if verdict != Verdict::Allowed {
            return Err(refuse(cpu, sh, insn, true, verdict));
        }
    }
    let v = cpu.x[slot::src(insn) as usize];
    (row.body)(cpu, sh, row, v)
}

/// SYSL: no instruction of it is there.
pub fn sysl(cpu: &mut Cpu, sh: &mut Shared, insn: u32) -> Result<Flow, Trap> {
    unallocated(cpu, sh, insn, false)
}

/// SCTLR_ELx.TIDCP (EL0) and HCR_EL2.TIDCP (EL1) trap the IMPLEMENTATION DEFINED space; everything else is UNDEFINED.
#[cold]
fn unallocated(cpu: &mut Cpu, sh: &mut Shared, insn: u32, write: bool) -> Result<Flow, Trap> {
    if implementation_defined(Reg::of_insn(insn).fields().2) {
        let verdict = judge(
            &Who::new(cpu, &sh.config, write),
            &[&trap::EL0_TIDCP, &trap::TIDCP],
        );
        if verdict != Verdict::Allowed {
            return Err(refuse(cpu, sh, insn, write, verdict));
        }
    }
    sh.note_undefined(cpu, insn);
    Err(exception::undefined(cpu))
}

fn nothing(_: &mut Cpu, _: &mut Shared, _: &'static Row, _: u64) -> Result<Flow, Trap> {
    Ok(Flow::Next)
}

/// Maintenance by VA can fault like an access.
fn by_va(cpu: &mut Cpu, sh: &mut Shared, _: &'static Row, va: u64) -> Result<Flow, Trap> {
    crate::memory::cache_maintenance(cpu, sh, va, false)?;
    Ok(Flow::Next)
}

/// DC IVAC loses data, so it needs permission to write.
fn invalidate(cpu: &mut Cpu, sh: &mut Shared, _: &'static Row, va: u64) -> Result<Flow, Trap> {
    crate::memory::cache_maintenance(cpu, sh, va, true)?;
    Ok(Flow::Next)
}

fn zva(cpu: &mut Cpu, sh: &mut Shared, _: &'static Row, va: u64) -> Result<Flow, Trap> {
    crate::memory::dc_zva(cpu, sh, va)?;
    Ok(Flow::Next)
}

fn at(cpu: &mut Cpu, sh: &mut Shared, row: &'static Row, va: u64) -> Result<Flow, Trap> {
    let (op1, crm, op2) = row.operation();
    crate::mmu::at::at(cpu, sh, op1, crm, op2, va)?;
    Ok(Flow::Next)
}

/// What follows is fetched anew, through the translations that are left.
fn tlbi(cpu: &mut Cpu, sh: &mut Shared, row: &'static Row, v: u64) -> Result<Flow, Trap> {
    let (op1, crm, op2) = row.operation();
    let what = crate::mmu::tlbi::decode(cpu, op1, crm, op2, v);
    crate::mmu::tlb::tlbi(cpu, sh, what.expect("has a row"));
    Ok(Flow::Sync)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mmu;

    /// The rows of AT and TLBI and their decoders agree on what there is.
    #[test]
    fn every_row_has_a_meaning() {
        let cpu = Cpu::new(0, 2);
        for row in ROWS.iter().filter(|r| r.name.starts_with("TLBI")) {
            let (op1, crm, op2) = row.operation();
            let t = mmu::tlbi::decode(&cpu, op1, crm, op2, 0).expect(row.name);
            let shared = row.name.ends_with("IS") || row.name.ends_with("OS");
            assert_eq!(t.broadcast, shared, "{}", row.name);
        }
        for row in ROWS.iter().filter(|r| r.name.starts_with("AT_")) {
            let (op1, crm, op2) = row.operation();
            assert!(mmu::at::exists(op1, crm, op2), "{}", row.name);
        }
    }
}
