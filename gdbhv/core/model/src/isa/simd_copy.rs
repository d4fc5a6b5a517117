//! Advanced SIMD copy: between elements, and between elements and general registers (Arm ARM C4.1.96, `AdvSIMD copy`). The lowest
//! set bit of imm5 is the element's size, the bits above it its index.

use super::lanes::*;
use crate::bits::field;
use crate::cpu::slot;
use crate::cpu::Cpu;
use crate::helper_rows;
use crate::pe::Pe;
use crate::shared::Shared;

helper_rows! {
    Fp DUP_elem    "0q001110000fffff000001nnnnnddddd" AdvSIMD where sized, |c, _, i| dup(c, i, span(i, 0));
    Fp DUP_scalar  "01011110000fffff000001nnnnnddddd" AdvSIMD where |i| field(i, 19, 16) != 0, |c, _, i| dup(c, i, size(i));
    Fp DUP_general "0q001110000fffff000011nnnnnddddd" AdvSIMD where sized, dup_general;
    Fp SMOV        "0q001110000fffff001011nnnnnddddd" AdvSIMD where |i| field(i, 17, 16) != 0 || q(i) && field(i, 18, 16) != 0, smov;
    Fp UMOV        "0q001110000fffff001111nnnnnddddd" AdvSIMD where |i| size_ok(i) && q(i) == (size(i) == 64), umov;
    Fp INS_general "01001110000fffff000111nnnnnddddd" AdvSIMD where size_ok, ins_general;
    Fp INS_elem    "01101110000fffff0iiii1nnnnnddddd" AdvSIMD where size_ok, ins_elem;
}

/// Element width.
const fn size(i: u32) -> u32 {
    8 << field(i, 20, 16).trailing_zeros()
}
/// Element index.
const fn index(i: u32) -> u32 {
    field(i, 20, 16) >> (field(i, 20, 16).trailing_zeros() + 1)
}
const fn size_ok(i: u32) -> bool {
    field(i, 19, 16) != 0
}
const fn sized(i: u32) -> bool {
    size_ok(i) && (size(i) != 64 || q(i))
}
fn x(c: &Cpu, i: u32) -> u64 {
    c.x[slot::src(i >> 5) as usize]
}

fn dup(c: &mut Cpu, i: u32, bits: u32) -> Done {
    let x = elem(c.v[rn(i)], index(i), size(i));
    c.v[rd(i)] = build(bits, size(i), |_, _| x as i128);
    DONE
}
fn dup_general(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let x = x(c, i);
    c.v[rd(i)] = build(span(i, 0), size(i), |_, _| x as i128);
    DONE
}
fn smov(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let x = int(c.v[rn(i)], index(i), size(i), false) as u64;
    c.x[slot::dst(i) as usize] = if q(i) { x } else { x as u32 as u64 };
    DONE
}
fn umov(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    c.x[slot::dst(i) as usize] = elem(c.v[rn(i)], index(i), size(i));
    DONE
}
fn ins_general(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    c.v[rd(i)] = with(c.v[rd(i)], index(i), size(i), x(c, i));
    DONE
}
fn ins_elem(c: &mut Pe, _: &mut Shared, i: u32) -> Done {
    let from = field(i, 14, 11) >> field(i, 20, 16).trailing_zeros();
    let x = elem(c.v[rn(i)], from, size(i));
    c.v[rd(i)] = with(c.v[rd(i)], index(i), size(i), x);
    DONE
}
