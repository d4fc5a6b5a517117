//! Barriers, and the hints that do nothing (Arm ARM C4.1.94, "Barriers" and "Hints").
//!
//! PEs take turns and see memory in program order, and what an instruction changes is in force for the next one, so that a
//! barrier has nothing to wait for. (CLREX is with the exclusives, hints that do something are in [`super::system`].) Hint space
//! is NOP where a feature is absent: pointer authentication, branch targets, the profilers.

use super::ops::{Args, Ops};
use crate::pure_rows;

pure_rows! {
    Pure DSB       "11010101000000110011mmmm10011111" "" base none, nop;
    Pure DMB       "11010101000000110011mmmm10111111" "" base none, nop;
    Pure ISB       "11010101000000110011mmmm11011111" "" base none, nop;
    Pure SB        "11010101000000110011000011111111" "" SB   none, nop;
    Pure NOP       "11010101000000110010000000011111" "" base none, nop;
    Pure DGH       "11010101000000110010000011011111" "" base none, nop;
    Pure XPACLRI   "11010101000000110010000011111111" "" base none, nop;
    Pure HINT_1x   "11010101000000110010---1---11111" "" base none, nop;
    Pure HINT_2x   "11010101000000110010--10--111111" "" base none, nop;
    Pure HINT_2xb  "11010101000000110010--10-1011111" "" base none, nop;
    Pure HINT_2xc  "11010101000000110010--1010011111" "" base none, nop;
    Pure HINT_3x   "11010101000000110010-11000011111" "" base none, nop;
    Pure HINT_5x   "11010101000000110010101000011111" "" base none, nop;
    Pure HINT_4x   "11010101000000110010-100---11111" "" base none, nop;
    Pure HINT_8x   "110101010000001100101000---11111" "" base none, nop;
}

fn none(_: u32) -> Option<Args> {
    Some(Args::default())
}

#[inline(always)]
fn nop<B: Ops, const I: u32>(_: &mut B, _: &Args) -> Result<(), B::E> {
    Ok(())
}
