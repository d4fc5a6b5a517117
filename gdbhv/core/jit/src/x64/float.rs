//! Floating point by the host's arithmetic, where its results are the guest's bit for bit.
//!
//! Only while FPCR asks for what the host does (round to nearest, no flushing, NaNs propagated): else the instruction is the interpreter's.
//! So it is again if a result is a NaN, since the two disagree on which, or the least normal number, before whose rounding the guest looks
//! for tininess and the host behind it. Exceptions gather in MXCSR, which is added to FPSR before anybody looks ([`super::frame`]).

use super::emit::{Emitter, HostFlags, Values, RAX};
use super::frame::{FLAGS, FPCR};
use super::values::Reg;
use super::vector::{T0, T1, T2};
use dynasmrt::{dynasm, DynamicLabel, DynasmApi, DynasmLabelApi};
use gdbhv_model::fp::format::Format;
use gdbhv_model::fp::shape::{Fp2, Shape};
use gdbhv_model::ir::{Node, Q, V};
use gdbhv_model::isa::ops::W;

/// FPCR.{DN, FZ, RMode}: what must be 0.
const UNUSUAL: i32 = 0xf << 22;

/// Comparisons of `vcmpps`.
const UNORDERED: i8 = 3;
/// Equal, or unordered.
const EQUAL_OR_UNORDERED: i8 = 8;

/// Whether there is code for an operation.
pub fn known(node: &Node) -> bool {
    let wide = |f: &Format| f.bits >= 32;
    match node {
        // What is above the lanes would be 0 / 0.
        Node::Fp(Fp2::Div, s, ..) => wide(&s.format) && half_empty(*s).is_none(),
        Node::Fp(_, s, ..) | Node::FpFused(s, ..) | Node::FpSqrt(s, _) => wide(&s.format),
        Node::FpCompare(f, ..) | Node::FpFromInt(f, ..) | Node::FpToInt(f, ..) => wide(f),
        Node::FpConvert(from, to, _) => wide(from) && wide(to),
        _ => false,
    }
}

/// Of vectors of 64 bits.
fn half_empty(s: Shape) -> Option<Shape> {
    Some(s).filter(|s| s.lanes > 1 && s.lanes * s.format.bits == 64)
}

/// An operation of single or double precision, of one lane or of all.
macro_rules! float {
    ($e:ident $s:ident $ss:ident $sd:ident $ps:ident $pd:ident $d:ident $x:ident $y:ident) => {
        match ($s.lanes, $s.format.bits) {
            (1, 32) => dynasm!($e.a ; .arch x64 ; $ss Rx($d), Rx($x), Rx($y)),
            (1, _) => dynasm!($e.a ; .arch x64 ; $sd Rx($d), Rx($x), Rx($y)),
            (_, 32) => dynasm!($e.a ; .arch x64 ; $ps Rx($d), Rx($x), Rx($y)),
            _ => dynasm!($e.a ; .arch x64 ; $pd Rx($d), Rx($x), Rx($y)),
        }
    };
}

impl Emitter {
    /// The instruction is the interpreter's while FPCR is unusual.
    fn usual(&mut self) -> DynamicLabel {
        let slow = self.aside();
        self.host = HostFlags::Nothing;
        dynasm!(self.a ; .arch x64 ; test DWORD [rbx + FPCR], UNUSUAL ; jne =>slow);
        slow
    }
    /// An operand: as it is, or in `scratch` without what is above a vector of 64 bits.
    fn lanes_of(&mut self, v: &Values, s: Shape, x: Q, scratch: Reg) -> Reg {
        let x = self.q(v, x);
        if half_empty(s).is_none() {
            return x;
        }
        dynasm!(self.a ; .arch x64 ; vmovq Rx(scratch), Rx(x));
        scratch
    }
    pub(super) fn fp(&mut self, v: &Values, op: Fp2, s: Shape, x: Q, y: Q) -> Reg {
        let slow = self.usual();
        let (x, y) = (self.lanes_of(v, s, x, T1), self.lanes_of(v, s, y, T2));
        let d = self.vectors.take();
        match op {
            Fp2::Add => float!(self s vaddss vaddsd vaddps vaddpd d x y),
            Fp2::Sub => float!(self s vsubss vsubsd vsubps vsubpd d x y),
            Fp2::Mul => float!(self s vmulss vmulsd vmulps vmulpd d x y),
            Fp2::Div => float!(self s vdivss vdivsd vdivps vdivpd d x y),
            // Of two zeros the host takes the second: both ways, and what they have in common is the right one.
            Fp2::Max | Fp2::MaxNum => {
                self.ordered(s, x, y, slow);
                float!(self s vmaxss vmaxsd vmaxps vmaxpd T0 x y);
                float!(self s vmaxss vmaxsd vmaxps vmaxpd d y x);
                dynasm!(self.a ; .arch x64 ; vandps Rx(d), Rx(d), Rx(T0));
            }
            Fp2::Min | Fp2::MinNum => {
                self.ordered(s, x, y, slow);
                float!(self s vminss vminsd vminps vminpd T0 x y);
                float!(self s vminss vminsd vminps vminpd d y x);
                dynasm!(self.a ; .arch x64 ; vorps Rx(d), Rx(d), Rx(T0));
            }
        }
        match op {
            Fp2::Add | Fp2::Sub => self.ordered(s, d, d, slow), // a tiny sum is exact
            Fp2::Mul | Fp2::Div => self.settled(s, d, slow),
            _ => {}
        }
        self.alone(s, d);
        d
    }
    pub(super) fn fp_fused(&mut self, v: &Values, s: Shape, a: Q, n: Q, m: Q) -> Reg {
        let slow = self.usual();
        let (n, m) = (self.lanes_of(v, s, n, T1), self.lanes_of(v, s, m, T2));
        let a = self.lanes_of(v, s, a, T0);
        let d = self.vectors.take();
        dynasm!(self.a ; .arch x64 ; vmovaps Rx(d), Rx(a));
        match (s.lanes, s.format.bits) {
            (1, 32) => dynasm!(self.a ; .arch x64 ; vfmadd231ss Rx(d), Rx(n), Rx(m)),
            (1, _) => dynasm!(self.a ; .arch x64 ; vfmadd231sd Rx(d), Rx(n), Rx(m)),
            (_, 32) => dynasm!(self.a ; .arch x64 ; vfmadd231ps Rx(d), Rx(n), Rx(m)),
            // vfmadd231pd, which the assembler takes for vfmadd231ps (its VEX.W is clear)
            _ => self.a.extend([
                0xc4,
                (d >> 3 ^ 1) << 7 | 1 << 6 | (m >> 3 ^ 1) << 5 | 2,
                1 << 7 | (n ^ 15) << 3 | 1,
                0xb8,
                0xc0 | (d & 7) << 3 | m & 7,
            ]),
        }
        self.settled(s, d, slow);
        self.alone(s, d);
        d
    }
    pub(super) fn fp_sqrt(&mut self, v: &Values, s: Shape, x: Q) -> Reg {
        let slow = self.usual();
        let x = self.lanes_of(v, s, x, T1);
        let d = self.vectors.take();
        match (s.lanes, s.format.bits) {
            (1, 32) => dynasm!(self.a ; .arch x64 ; vsqrtss Rx(d), Rx(x), Rx(x)),
            (1, _) => dynasm!(self.a ; .arch x64 ; vsqrtsd Rx(d), Rx(x), Rx(x)),
            (_, 32) => dynasm!(self.a ; .arch x64 ; vsqrtps Rx(d), Rx(x)),
            _ => dynasm!(self.a ; .arch x64 ; vsqrtpd Rx(d), Rx(x)),
        }
        self.ordered(s, d, d, slow);
        self.alone(s, d);
        d
    }
    /// No pair of lanes has a NaN.
    fn ordered(&mut self, s: Shape, x: Reg, y: Reg, slow: DynamicLabel) {
        self.host = HostFlags::Nothing;
        match (s.lanes, s.format.bits) {
            (1, 32) => dynasm!(self.a ; .arch x64 ; vucomiss Rx(x), Rx(y) ; jp =>slow),
            (1, _) => dynasm!(self.a ; .arch x64 ; vucomisd Rx(x), Rx(y) ; jp =>slow),
            (_, 32) => {
                dynasm!(self.a ; .arch x64 ; vcmpps Rx(T0), Rx(y), Rx(x), UNORDERED);
                dynasm!(self.a ; .arch x64 ; vptest Rx(T0), Rx(T0) ; jnz =>slow);
            }
            _ => {
                dynasm!(self.a ; .arch x64 ; vcmppd Rx(T0), Rx(y), Rx(x), UNORDERED);
                dynasm!(self.a ; .arch x64 ; vptest Rx(T0), Rx(T0) ; jnz =>slow);
            }
        }
    }
    /// No lane is a NaN or the least normal number.
    fn settled(&mut self, s: Shape, d: Reg, slow: DynamicLabel) {
        self.host = HostFlags::Nothing;
        let single = s.format.bits == 32;
        let (magnitude, least) = self.frame.edges(single);
        dynasm!(self.a ; .arch x64 ; vandps Rx(T0), Rx(d), [rip + 0]);
        self.outside.push((self.a.offset().0 - 4, magnitude));
        if s.lanes == 1 {
            if single {
                dynasm!(self.a ; .arch x64 ; vucomiss Rx(T0), DWORD [rip + 0]);
            } else {
                dynasm!(self.a ; .arch x64 ; vucomisd Rx(T0), QWORD [rip + 0]);
            }
            self.outside.push((self.a.offset().0 - 4, least));
            dynasm!(self.a ; .arch x64 ; je =>slow); // unordered too
            return;
        }
        dynasm!(self.a ; .arch x64 ; vmovups Rx(T1), [rip + 0]);
        self.outside.push((self.a.offset().0 - 4, least));
        if single {
            dynasm!(self.a ; .arch x64 ; vcmpps Rx(T0), Rx(T1), Rx(T0), EQUAL_OR_UNORDERED);
        } else {
            dynasm!(self.a ; .arch x64 ; vcmppd Rx(T0), Rx(T1), Rx(T0), EQUAL_OR_UNORDERED);
        }
        dynasm!(self.a ; .arch x64 ; vptest Rx(T0), Rx(T0) ; jnz =>slow);
    }
    /// Nothing is above the only lane.
    fn alone(&mut self, s: Shape, d: Reg) {
        match (s.lanes, s.format.bits) {
            (1, 32) => self.first_word(d, d),
            (1, _) => dynasm!(self.a ; .arch x64 ; vmovq Rx(d), Rx(d)),
            _ => {}
        }
    }
    /// The lowest 32 bits alone.
    pub(super) fn first_word(&mut self, d: Reg, x: Reg) {
        dynasm!(self.a ; .arch x64 ; vinsertps Rx(d), Rx(x), Rx(x), 0xe);
    }
    /// NZCV in memory, if `needed`; the exceptions in any case.
    pub(super) fn fp_compare(
        &mut self,
        v: &Values,
        f: Format,
        (x, y): (Q, Q),
        signal: bool,
        needed: bool,
    ) {
        self.usual();
        let (x, y) = (self.q(v, x), self.q(v, y));
        match (f.bits, signal) {
            (32, false) => dynasm!(self.a ; .arch x64 ; vucomiss Rx(y), Rx(x)),
            (32, true) => dynasm!(self.a ; .arch x64 ; vcomiss Rx(y), Rx(x)),
            (_, false) => dynasm!(self.a ; .arch x64 ; vucomisd Rx(y), Rx(x)),
            (_, true) => dynasm!(self.a ; .arch x64 ; vcomisd Rx(y), Rx(x)),
        }
        self.host = HostFlags::Nothing;
        if needed {
            dynasm!(self.a
                ; .arch x64
                ; seta [rbx + FLAGS] // y > x, and neither is a NaN
                ; sete al
                ; setnp cl
                ; setbe [rbx + FLAGS + 2]
                ; setp [rbx + FLAGS + 3]
                ; and al, cl
                ; mov [rbx + FLAGS + 1], al
            );
        }
    }
    pub(super) fn fp_convert(&mut self, v: &Values, from: Format, to: Format, x: Q) -> Reg {
        let slow = self.usual();
        let x = self.q(v, x);
        let d = self.vectors.take();
        let s = Shape::scalar(to);
        match (from.bits, to.bits) {
            (32, 64) => {
                dynasm!(self.a ; .arch x64 ; vcvtss2sd Rx(d), Rx(x), Rx(x));
                self.ordered(s, d, d, slow);
            }
            _ => {
                dynasm!(self.a ; .arch x64 ; vcvtsd2ss Rx(d), Rx(x), Rx(x));
                self.settled(s, d, slow);
            }
        }
        self.alone(s, d);
        d
    }
    pub(super) fn fp_from_int(&mut self, v: &Values, f: Format, w: W, signed: bool, x: V) -> Reg {
        let slow = self.usual();
        let mut x = self.reg(v, x, RAX);
        let d = self.vectors.take();
        dynasm!(self.a ; .arch x64 ; vpxor Rx(d), Rx(d), Rx(d));
        if !signed {
            self.host = HostFlags::Nothing;
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; mov eax, Rd(x)),
                W::X => dynasm!(self.a ; .arch x64 ; mov rax, Rq(x) ; test rax, rax ; js =>slow),
            }
            x = RAX;
        }
        match (f.bits, w == W::W && signed) {
            (32, true) => dynasm!(self.a ; .arch x64 ; vcvtsi2ss Rx(d), Rx(d), Rd(x)),
            (32, false) => dynasm!(self.a ; .arch x64 ; vcvtsi2ss Rx(d), Rx(d), Rq(x)),
            (_, true) => dynasm!(self.a ; .arch x64 ; vcvtsi2sd Rx(d), Rx(d), Rd(x)),
            (_, false) => dynasm!(self.a ; .arch x64 ; vcvtsi2sd Rx(d), Rx(d), Rq(x)),
        }
        d
    }
    pub(super) fn fp_to_int(&mut self, v: &Values, f: Format, w: W, signed: bool, x: Q) -> Reg {
        let slow = self.usual();
        let x = self.q(v, x);
        let d = self.regs.take();
        self.host = HostFlags::Nothing;
        if !signed {
            // As integers, negative numbers and NaNs are greater than the first one that the host's signed conversion does not take, 2^63,
            // and than 2^32.
            let exponent = if w == W::W { 32 } else { 63 };
            if f.bits == 32 {
                let first = (127 + exponent) << 23;
                dynasm!(self.a ; .arch x64 ; vmovd eax, Rx(x) ; cmp eax, first);
            } else {
                let first = (1023 + exponent as i64) << 52;
                dynasm!(self.a ; .arch x64 ; vmovq rax, Rx(x) ; mov rcx, QWORD first ; cmp rax, rcx);
            }
            dynasm!(self.a ; .arch x64 ; jae =>slow);
        }
        match (f.bits, w == W::W && signed) {
            (32, true) => dynasm!(self.a ; .arch x64 ; vcvttss2si Rd(d), Rx(x)),
            (32, false) => dynasm!(self.a ; .arch x64 ; vcvttss2si Rq(d), Rx(x)),
            (_, true) => dynasm!(self.a ; .arch x64 ; vcvttsd2si Rd(d), Rx(x)),
            (_, false) => dynasm!(self.a ; .arch x64 ; vcvttsd2si Rq(d), Rx(x)),
        }
        if signed {
            // What the host answers where it has no answer.
            match w {
                W::W => dynasm!(self.a ; .arch x64 ; cmp Rd(d), i32::MIN ; je =>slow),
                W::X => {
                    dynasm!(self.a ; .arch x64 ; mov rax, QWORD i64::MIN ; cmp Rq(d), rax ; je =>slow)
                }
            }
        }
        d
    }
}
