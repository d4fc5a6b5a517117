//! Advanced SIMD permute, extract and table look-up (Arm ARM C4.1.96).

use super::lanes::*;
use crate::bits::field;
use crate::cpu::Cpu;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp UZP1 "0q001110ss0mmmmm000110nnnnnddddd" AdvSIMD where not_1d, |c, _, i| permute(c, i, |k, _| 2 * k);
    Fp UZP2 "0q001110ss0mmmmm010110nnnnnddddd" AdvSIMD where not_1d, |c, _, i| permute(c, i, |k, _| 2 * k + 1);
    Fp TRN1 "0q001110ss0mmmmm001010nnnnnddddd" AdvSIMD where not_1d, |c, _, i| permute(c, i, |k, n| (k & !1) + (k & 1) * n);
    Fp TRN2 "0q001110ss0mmmmm011010nnnnnddddd" AdvSIMD where not_1d, |c, _, i| permute(c, i, |k, n| (k | 1) + (k & 1) * n);
    Fp ZIP1 "0q001110ss0mmmmm001110nnnnnddddd" AdvSIMD where not_1d, |c, _, i| permute(c, i, |k, n| k / 2 + (k & 1) * n);
    Fp ZIP2 "0q001110ss0mmmmm011110nnnnnddddd" AdvSIMD where not_1d, |c, _, i| permute(c, i, |k, n| k / 2 + (k & 1) * n + n / 2);
    Fp EXT  "0q101110000mmmmm0iiii0nnnnnddddd" AdvSIMD where |i| q(i) || field(i, 14, 14) == 0, ext;
    Fp TBL  "0q001110000mmmmm0ll000nnnnnddddd" AdvSIMD |c, _, i| table(c, i, 0);
    Fp TBX  "0q001110000mmmmm0ll100nnnnnddddd" AdvSIMD |c, _, i| { let d = c.v[rd(i)]; table(c, i, d) };
}

/// `Vd[k]` is element `from(k, elements)` of Vm:Vn.
#[inline(always)]
fn permute(c: &mut Cpu, i: u32, from: impl Fn(u32, u32) -> u32) -> Done {
    let (n, m, e) = (c.v[rn(i)], c.v[rm(i)], esize(i));
    let count = span(i, 0) / e;
    c.v[rd(i)] = build(span(i, 0), e, |k, e| {
        let k = from(k, count);
        let (v, k) = if k < count { (n, k) } else { (m, k - count) };
        elem(v, k, e) as i128
    });
    DONE
}
fn ext(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let (n, m, by) = (c.v[rn(i)], c.v[rm(i)], 8 * field(i, 14, 11));
    c.v[rd(i)] = if !q(i) {
        (n as u64 as u128 | m << 64) >> by & mask(64)
    } else if by == 0 {
        n
    } else {
        n >> by | m << (128 - by)
    };
    DONE
}
/// Bytes of one to four registers by index; `other` where the index is beyond them.
fn table(c: &mut Cpu, i: u32, other: u128) -> Done {
    let (m, size) = (c.v[rm(i)], 16 * (field(i, 14, 13) + 1));
    let r = build(span(i, 0), 8, |k, e| {
        let at = elem(m, k, e) as u32;
        let v = if at < size {
            elem(c.v[(rn(i) + at as usize / 16) & 31], at % 16, 8)
        } else {
            elem(other, k, 8)
        };
        v as i128
    });
    c.v[rd(i)] = r;
    DONE
}
