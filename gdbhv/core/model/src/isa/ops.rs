//! The back-end vocabulary: everything that a pure instruction can do at run time.
//!
//! The body of a pure row is a function generic over [`Ops`]. What is known when an instruction is decoded (register numbers,
//! immediates, sizes, the fixed and specialised bits of the word) are ordinary Rust values, on which a body may branch. What is known
//! only when it runs is of the back end's own types [`Ops::V`] and [`Ops::C`], on which a body cannot branch. So one body serves
//! the interpreter (V is u64) and the recorder (V is a node of the IR, from which compilers work).
//!
//! Rules of bodies: reserved encodings are refused at decode time; checks and loads come before the first write of a
//! register, so that a body that fails has changed nothing and may be run again from its start.

use super::vector::{Lane, Permute, Shift};
use crate::fp::format::Format;
use crate::fp::shape::{Fp2, Shape};
use crate::mem::size::{Acc, Size};

/// Operand width of the integer instructions (`sf`). 32-bit results are zero-extended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum W {
    /// 32 bits.
    W,
    /// 64 bits.
    X,
}

impl W {
    /// The width that bit `sf` names.
    #[inline(always)]
    pub const fn of(sf: u32) -> W {
        if sf & 1 != 0 {
            W::X
        } else {
            W::W
        }
    }
    /// Bits.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        match self {
            W::W => 32,
            W::X => 64,
        }
    }
}

/// A comparison of two values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cmp {
    /// x == y
    Eq,
    /// x < y, signed
    Lt,
    /// x < y, unsigned
    Lo,
}

/// What a body works on: the operands of one instruction, decoded. Register numbers are indexes of `Cpu::x` (see
/// [`crate::cpu::slot`]), immediates are complete (scaled, sign-extended, expanded), PC-relative ones are relative to the block's start.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// The immediate, or the instruction word of a helper row.
    pub imm: u64,
    /// Destination (`Rd`, `Rt`, `Rs` of exclusives).
    pub rd: u8,
    /// First source or base (`Rn`).
    pub rn: u8,
    /// Second source or index (`Rm`).
    pub rm: u8,
    /// Third source or second transfer register (`Ra`, `Rt2`).
    pub ra: u8,
    /// Position in the block, in instructions.
    pub off: u16,
    /// A small second immediate (shift amount, condition, NZCV).
    pub aux: u16,
}

/// A back end. `Err` ends the instruction without any effect of it.
pub trait Ops {
    /// A value known at run time, 64 bits.
    type V: Copy;
    /// A condition known at run time.
    type C: Copy;
    /// A value known at run time, 128 bits.
    type Q: Copy;
    /// Why an instruction did not complete.
    type E;

    // --- registers and constants
    /// Read a register (index of `Cpu::x`).
    fn x(&mut self, r: u8) -> Self::V;
    /// Write a register.
    fn set_x(&mut self, r: u8, v: Self::V);
    /// Read a SIMD register.
    fn q(&mut self, r: u8) -> Self::Q;
    /// Write a SIMD register.
    fn set_q(&mut self, r: u8, v: Self::Q);
    /// A constant.
    fn imm(&mut self, v: u64) -> Self::V;
    /// The address `disp` bytes from the block's start.
    fn pc(&mut self, disp: u64) -> Self::V;

    // --- integer arithmetic; results of W::W are zero-extended, operands are taken modulo 2^32
    /// x + y
    fn add(&mut self, w: W, x: Self::V, y: Self::V) -> Self::V;
    /// x - y
    fn sub(&mut self, w: W, x: Self::V, y: Self::V) -> Self::V;
    /// x * y
    fn mul(&mut self, w: W, x: Self::V, y: Self::V) -> Self::V;
    /// High half of the unsigned 128-bit product.
    fn umulh(&mut self, x: Self::V, y: Self::V) -> Self::V;
    /// High half of the signed 128-bit product.
    fn smulh(&mut self, x: Self::V, y: Self::V) -> Self::V;
    /// Unsigned division, 0 for a zero divisor.
    fn udiv(&mut self, w: W, x: Self::V, y: Self::V) -> Self::V;
    /// Signed division, rounding to zero, 0 for a zero divisor.
    fn sdiv(&mut self, w: W, x: Self::V, y: Self::V) -> Self::V;
    /// x AND y
    fn and(&mut self, x: Self::V, y: Self::V) -> Self::V;
    /// x OR y
    fn or(&mut self, x: Self::V, y: Self::V) -> Self::V;
    /// x EOR y
    fn xor(&mut self, x: Self::V, y: Self::V) -> Self::V;
    /// NOT x
    fn not(&mut self, w: W, x: Self::V) -> Self::V;
    /// Logical shift left by the low 5 or 6 bits of `by`.
    fn shl(&mut self, w: W, x: Self::V, by: Self::V) -> Self::V;
    /// Logical shift right.
    fn shr(&mut self, w: W, x: Self::V, by: Self::V) -> Self::V;
    /// Arithmetic shift right.
    fn sar(&mut self, w: W, x: Self::V, by: Self::V) -> Self::V;
    /// Rotate right.
    fn ror(&mut self, w: W, x: Self::V, by: Self::V) -> Self::V;
    /// Zero-extend the low `n` bits (1 to 64).
    fn zext(&mut self, x: Self::V, n: u32) -> Self::V;
    /// Sign-extend the low `n` bits (1 to 64) to `w`.
    fn sext(&mut self, w: W, x: Self::V, n: u32) -> Self::V;
    /// Leading zeros.
    fn clz(&mut self, w: W, x: Self::V) -> Self::V;
    /// Leading sign bits, less one.
    fn cls(&mut self, w: W, x: Self::V) -> Self::V;
    /// Reverse the bits.
    fn rbit(&mut self, w: W, x: Self::V) -> Self::V;
    /// Reverse the bytes in each container of `bytes` (2, 4, 8).
    fn rev(&mut self, w: W, x: Self::V, bytes: u32) -> Self::V;
    /// CRC32 (or CRC32C) of the low `bits` of `x` over the accumulator.
    fn crc32(&mut self, acc: Self::V, x: Self::V, bits: u32, castagnoli: bool) -> Self::V;

    // --- flags
    /// x + y, setting NZCV.
    fn adds(&mut self, w: W, x: Self::V, y: Self::V) -> Self::V;
    /// x - y, setting NZCV.
    fn subs(&mut self, w: W, x: Self::V, y: Self::V) -> Self::V;
    /// x + y + C.
    fn adc(&mut self, w: W, x: Self::V, y: Self::V) -> Self::V;
    /// x + y + C, setting NZCV.
    fn adcs(&mut self, w: W, x: Self::V, y: Self::V) -> Self::V;
    /// Set N and Z from `v`, clear C and V.
    fn set_nz(&mut self, w: W, v: Self::V);
    /// Read NZCV as in PSTATE (bits 31:28).
    fn nzcv(&mut self) -> Self::V;
    /// Write NZCV from bits 31:28.
    fn set_nzcv_from(&mut self, v: Self::V);
    /// If `c`: flags of x - y (or x + y); else the constant (N is bit 3).
    fn ccmp(&mut self, w: W, c: Self::C, x: Self::V, y: Self::V, sub: bool, nzcv: u32);
    /// Whether condition code `cond` (0 to 15) holds (`ConditionHolds`).
    fn cond(&mut self, cond: u32) -> Self::C;
    /// Whether `c` is `want`: the condition or its opposite, as decoded.
    fn c_is(&mut self, c: Self::C, want: bool) -> Self::C;
    /// Whether the low `w` bits of `x` are zero.
    fn is_zero(&mut self, w: W, x: Self::V) -> Self::C;
    /// Whether bit `n` of `x` is clear.
    fn bit_clear(&mut self, x: Self::V, n: u32) -> Self::C;
    /// Whether x compares with y so, in the low `w` bits.
    fn compare(&mut self, how: Cmp, w: W, x: Self::V, y: Self::V) -> Self::C;
    /// c ? x : y
    fn select(&mut self, c: Self::C, x: Self::V, y: Self::V) -> Self::V;

    // --- 128-bit values; lane 0 is the lowest
    /// Zero-extend.
    fn wide(&mut self, x: Self::V) -> Self::Q;
    /// Lane `k`, zero-extended.
    fn lane(&mut self, size: Size, x: Self::Q, k: u32) -> Self::V;
    /// x with the low bits of `v` as lane `k`.
    fn with_lane(&mut self, size: Size, x: Self::Q, k: u32, v: Self::V) -> Self::Q;
    /// The low bits of `v` in all lanes.
    fn splat(&mut self, size: Size, v: Self::V) -> Self::Q;
    /// An operation on each pair of lanes.
    fn lanes(&mut self, op: Lane, size: Size, x: Self::Q, y: Self::Q) -> Self::Q;
    /// A shift of each lane.
    fn lanes_shift(&mut self, op: Shift, size: Size, x: Self::Q, by: u32) -> Self::Q;
    /// Lanes of x and y in another order.
    fn permute(&mut self, op: Permute, size: Size, x: Self::Q, y: Self::Q) -> Self::Q;
    /// Bytes `by` to `by + 15` (0 to 15) of y:x.
    fn ext(&mut self, x: Self::Q, y: Self::Q, by: u32) -> Self::Q;

    /// Lane 0, zero-extended to 128 bits.
    fn first(&mut self, size: Size, x: Self::Q) -> Self::Q;
    /// `if c { x } else { y }`
    fn select_q(&mut self, c: Self::C, x: Self::Q, y: Self::Q) -> Self::Q;

    // --- floating point, as FPCR says; exceptions are added to FPSR (`isa::float`)
    /// An operation on each pair of lanes.
    fn fp(&mut self, op: Fp2, shape: Shape, x: Self::Q, y: Self::Q) -> Self::Q;
    /// a + n * m in each lane, rounded once.
    fn fp_fused(&mut self, shape: Shape, a: Self::Q, n: Self::Q, m: Self::Q) -> Self::Q;
    /// The square root of each lane.
    fn fp_sqrt(&mut self, shape: Shape, x: Self::Q) -> Self::Q;
    /// NZCV of the comparison of the lowest lanes; `signal`: a quiet NaN is invalid too.
    fn fp_compare(&mut self, format: Format, x: Self::Q, y: Self::Q, signal: bool);
    /// The lowest lane in another format.
    fn fp_convert(&mut self, from: Format, to: Format, x: Self::Q) -> Self::Q;
    /// An integer as a number.
    fn fp_from_int(&mut self, format: Format, w: W, signed: bool, x: Self::V) -> Self::Q;
    /// The lowest lane as an integer, towards zero, saturated.
    fn fp_to_int(&mut self, format: Format, w: W, signed: bool, x: Self::Q) -> Self::V;

    // --- memory
    /// Refuse a misaligned SP as a base (`CheckSPAlignment`); nothing for other registers.
    fn check_sp(&mut self, rn: u8) -> Result<(), Self::E>;
    /// Load, zero-extended.
    fn load(&mut self, addr: Self::V, size: Size, acc: Acc) -> Result<Self::V, Self::E>;
    /// Store the low bytes.
    fn store(&mut self, addr: Self::V, size: Size, v: Self::V, acc: Acc) -> Result<(), Self::E>;

    /// Load 16 bytes that are elements of `1 << element` bytes (element 0 to 4): they are what must be aligned, where anything must.
    fn load_q(&mut self, addr: Self::V, element: u32) -> Result<Self::Q, Self::E>;
    /// Store 16 bytes, the same way.
    fn store_q(&mut self, addr: Self::V, element: u32, v: Self::Q) -> Result<(), Self::E>;
    /// Load as an exclusive, and mark the place.
    fn load_exclusive(&mut self, addr: Self::V, size: Size, acc: Acc) -> Result<Self::V, Self::E>;
    /// Store if the place is marked, and clear the mark: 0 if it has stored, else 1. Without any mark there is no access that could fault.
    fn store_exclusive(
        &mut self,
        addr: Self::V,
        size: Size,
        v: Self::V,
        acc: Acc,
    ) -> Result<Self::V, Self::E>;
    /// Clear the mark.
    fn clear_exclusive(&mut self);

    // --- control; the last effect of a row of kind Branch
    /// Go to an address (its low bits are the guest's; the fetch checks them).
    fn jump(&mut self, to: Self::V);
    /// If `c` go to `taken`, else to `next`, both relative to the block's start.
    fn jump_if(&mut self, c: Self::C, taken: u64, next: u64);
}
