//! Advanced SIMD shift by immediate, vector and scalar (Arm ARM C4.1.96). The highest set bit of immh is the element's size;
//! immh:immb is 2 * size - shift for right shifts, size + shift for left shifts.

use super::lanes::*;
use crate::bits::field;
use crate::cpu::Cpu;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp SSHR_vec         "0q0011110++++bbb000001nnnnnddddd" AdvSIMD where vector, shr_imm;
    Fp SSHR_scalar      "0101111101hhhbbb000001nnnnnddddd" AdvSIMD shr_imm;
    Fp USHR_vec         "0q1011110++++bbb000001nnnnnddddd" AdvSIMD where vector, shr_imm;
    Fp USHR_scalar      "0111111101hhhbbb000001nnnnnddddd" AdvSIMD shr_imm;
    Fp SSRA_vec         "0q0011110++++bbb000101nnnnnddddd" AdvSIMD where vector, sra_imm;
    Fp SSRA_scalar      "0101111101hhhbbb000101nnnnnddddd" AdvSIMD sra_imm;
    Fp USRA_vec         "0q1011110++++bbb000101nnnnnddddd" AdvSIMD where vector, sra_imm;
    Fp USRA_scalar      "0111111101hhhbbb000101nnnnnddddd" AdvSIMD sra_imm;
    Fp SRSHR_vec        "0q0011110++++bbb001001nnnnnddddd" AdvSIMD where vector, rshr_imm;
    Fp SRSHR_scalar     "0101111101hhhbbb001001nnnnnddddd" AdvSIMD rshr_imm;
    Fp URSHR_vec        "0q1011110++++bbb001001nnnnnddddd" AdvSIMD where vector, rshr_imm;
    Fp URSHR_scalar     "0111111101hhhbbb001001nnnnnddddd" AdvSIMD rshr_imm;
    Fp SRSRA_vec        "0q0011110++++bbb001101nnnnnddddd" AdvSIMD where vector, rsra_imm;
    Fp SRSRA_scalar     "0101111101hhhbbb001101nnnnnddddd" AdvSIMD rsra_imm;
    Fp URSRA_vec        "0q1011110++++bbb001101nnnnnddddd" AdvSIMD where vector, rsra_imm;
    Fp URSRA_scalar     "0111111101hhhbbb001101nnnnnddddd" AdvSIMD rsra_imm;
    Fp SRI_vec          "0q1011110++++bbb010001nnnnnddddd" AdvSIMD where vector, sri;
    Fp SRI_scalar       "0111111101hhhbbb010001nnnnnddddd" AdvSIMD sri;
    Fp SHL_vec          "0q0011110++++bbb010101nnnnnddddd" AdvSIMD where vector, shl_imm;
    Fp SHL_scalar       "0101111101hhhbbb010101nnnnnddddd" AdvSIMD shl_imm;
    Fp SLI_vec          "0q1011110++++bbb010101nnnnnddddd" AdvSIMD where vector, sli;
    Fp SLI_scalar       "0111111101hhhbbb010101nnnnnddddd" AdvSIMD sli;
    Fp SQSHLU_vec       "0q1011110++++bbb011001nnnnnddddd" AdvSIMD where vector, qshlu_imm;
    Fp SQSHLU_scalar    "011111110++++bbb011001nnnnnddddd" AdvSIMD qshlu_imm;
    Fp SQSHL_imm_vec    "0q0011110++++bbb011101nnnnnddddd" AdvSIMD where vector, qshl_imm;
    Fp SQSHL_imm_scalar "010111110++++bbb011101nnnnnddddd" AdvSIMD qshl_imm;
    Fp UQSHL_imm_vec    "0q1011110++++bbb011101nnnnnddddd" AdvSIMD where vector, qshl_imm;
    Fp UQSHL_imm_scalar "011111110++++bbb011101nnnnnddddd" AdvSIMD qshl_imm;
    Fp SHRN             "0q00111100+++bbb100001nnnnnddddd" AdvSIMD shrn;
    Fp RSHRN            "0q00111100+++bbb100011nnnnnddddd" AdvSIMD rshrn;
    Fp SQSHRUN_vec      "0q10111100+++bbb100001nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, true, false);
    Fp SQSHRUN_scalar   "0111111100+++bbb100001nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, true, false);
    Fp SQRSHRUN_vec     "0q10111100+++bbb100011nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, true, true);
    Fp SQRSHRUN_scalar  "0111111100+++bbb100011nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, true, true);
    Fp SQSHRN_vec       "0q00111100+++bbb100101nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, false, false);
    Fp SQSHRN_scalar    "0101111100+++bbb100101nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, false, false);
    Fp SQRSHRN_vec      "0q00111100+++bbb100111nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, false, true);
    Fp SQRSHRN_scalar   "0101111100+++bbb100111nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, false, false, true);
    Fp UQSHRN_vec       "0q10111100+++bbb100101nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, true, true, false);
    Fp UQSHRN_scalar    "0111111100+++bbb100101nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, true, true, false);
    Fp UQRSHRN_vec      "0q10111100+++bbb100111nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, true, true, true);
    Fp UQRSHRN_scalar   "0111111100+++bbb100111nnnnnddddd" AdvSIMD |c, _, i| qshrn(c, i, true, true, true);
    Fp SSHLL            "0q00111100+++bbb101001nnnnnddddd" AdvSIMD shll;
    Fp USHLL            "0q10111100+++bbb101001nnnnnddddd" AdvSIMD shll;
}

/// Element width.
const fn size(i: u32) -> u32 {
    8 << field(i, 22, 19).ilog2()
}
/// Amount of a right shift.
const fn right(i: u32) -> u32 {
    2 * size(i) - field(i, 22, 16)
}
/// Amount of a left shift.
const fn left(i: u32) -> u32 {
    field(i, 22, 16) - size(i)
}
/// Not one 64-bit element.
const fn vector(i: u32) -> bool {
    field(i, 22, 22) == 0 || q(i)
}

fn shr_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    map_e(c, i, size(i), |x, _| shr(x, right(i), false))
}
fn rshr_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    map_e(c, i, size(i), |x, _| shr(x, right(i), true))
}
fn sra_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    accumulate(c, i, |d, x| d + shr(x, right(i), false))
}
fn rsra_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    accumulate(c, i, |d, x| d + shr(x, right(i), true))
}
fn sri(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let kept = (mask(size(i)) & !(mask(size(i)) >> right(i))) as i128;
    accumulate(c, i, |d, x| d & kept | x >> right(i))
}
fn sli(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let kept = (1 << left(i)) - 1;
    accumulate(c, i, |d, x| d & kept | x << left(i))
}
fn shl_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    map_e(c, i, size(i), |x, _| x << left(i))
}
fn qshl_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    shl_saturated(c, i, u(i))
}
fn qshlu_imm(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    shl_saturated(c, i, false)
}

fn shrn(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    narrow(c, i, false)
}
fn rshrn(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    narrow(c, i, true)
}
/// Shift right and narrow with saturation: from `unsigned` (or signed) elements to `to_unsigned` ones.
fn qshrn(c: &mut Cpu, i: u32, unsigned: bool, to_unsigned: bool, round: bool) -> Done {
    let n = c.v[rn(i)];
    let mut qc = 0;
    let bits = if scalar(i) { size(i) } else { 64 };
    let r = build(bits, size(i), |k, e| {
        let x = shr(int(n, k, 2 * e, unsigned), right(i), round);
        sat(x, e, to_unsigned, &mut qc)
    });
    set_part(c, i, r);
    c.fpsr |= qc;
    DONE
}
fn shll(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let n = part(c.v[rn(i)], i);
    c.v[rd(i)] = build(128, 2 * size(i), |k, e| int(n, k, e / 2, u(i)) << left(i));
    DONE
}

/// `Vd[k] = f(Vd[k], Vn[k])`.
#[inline(always)]
fn accumulate(c: &mut Cpu, i: u32, f: impl Fn(i128, i128) -> i128) -> Done {
    let (d, n, e) = (c.v[rd(i)], c.v[rn(i)], size(i));
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        f(int(d, k, e, u(i)), int(n, k, e, u(i)))
    });
    DONE
}
/// Shift elements left; the result saturates as bit 29 says (`SQSHLU` has signed elements and unsigned results).
fn shl_saturated(c: &mut Cpu, i: u32, unsigned: bool) -> Done {
    let (n, e) = (c.v[rn(i)], size(i));
    let mut qc = 0;
    c.v[rd(i)] = build(span(i, e), e, |k, e| {
        sat(int(n, k, e, unsigned) << left(i), e, u(i), &mut qc)
    });
    c.fpsr |= qc;
    DONE
}
/// Shift right and narrow.
fn narrow(c: &mut Cpu, i: u32, round: bool) -> Done {
    let n = c.v[rn(i)];
    let r = build(64, size(i), |k, e| {
        shr(int(n, k, 2 * e, false), right(i), round)
    });
    set_part(c, i, r);
    DONE
}
