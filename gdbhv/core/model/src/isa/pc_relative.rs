//! ADR and ADRP (Arm ARM C4.1.92, PC-relative addressing).

use super::ops::{Args, Ops, W};
use crate::bits::{field, sext};
use crate::cpu::slot;
use crate::pure_rows;

pure_rows! {
    Pure ADR  "0ll10000iiiiiiiiiiiiiiiiiiiddddd" "" base imm21, adr;
    Pure ADRP "1ll10000iiiiiiiiiiiiiiiiiiiddddd" "" base imm21, adr;
}

fn imm21(i: u32) -> Option<Args> {
    let imm = sext((field(i, 23, 5) << 2 | field(i, 30, 29)) as u64, 21);
    Some(Args {
        rd: slot::dst(i),
        imm: imm << (12 * (i >> 31)),
        ..Args::default()
    })
}

/// ADRP counts from the page of the PC, and a block lies in one page.
#[inline(always)]
fn adr<B: Ops, const I: u32>(b: &mut B, a: &Args) -> Result<(), B::E> {
    let r = if I >> 31 == 0 {
        b.pc((a.off as u64 * 4).wrapping_add(a.imm))
    } else {
        let (start, mask, imm) = (b.pc(0), b.imm(!0xfff), b.imm(a.imm));
        let page = b.and(start, mask);
        b.add(W::X, page, imm)
    };
    b.set_x(a.rd, r);
    Ok(())
}
