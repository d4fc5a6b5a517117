//! 128-bit values: registers, lanes, shifts, orders of lanes ([`gdbhv_model::isa::vector`] says what they mean).

use super::emit::{Emitter, Values, RAX};
use super::flags::Test;
use super::frame::V as V_AT;
use super::values::{Loc, Reg};
use dynasmrt::{dynasm, DynasmApi, DynasmLabelApi};
use gdbhv_model::ir::{Node, C, Q, V};
use gdbhv_model::isa::vector::{Lane, Permute, Shift};
use gdbhv_model::mem::size::Size;

/// Scratch vector registers: nothing is in them between two nodes.
pub const T0: Reg = 0;
/// Another.
pub const T1: Reg = 1;
/// The third.
pub const T2: Reg = 2;

/// Three registers, or two and a number.
macro_rules! vex {
    ($e:ident $op:ident $d:ident $x:ident $y:ident) => {
        dynasm!($e.a ; .arch x64 ; $op Rx($d), Rx($x), Rx($y))
    };
    ($e:ident $op:ident $d:ident $x:ident, $by:expr) => {
        dynasm!($e.a ; .arch x64 ; $op Rx($d), Rx($x), $by as i8)
    };
}

/// Three registers and a number. The assembler takes the two sources in the other order than Intel writes them.
macro_rules! vex_by {
    ($e:ident $op:ident $d:ident $x:ident $y:ident, $by:expr) => {
        dynasm!($e.a ; .arch x64 ; $op Rx($d), Rx($y), Rx($x), $by as i8)
    };
}

/// Whether there is code for an operation on lanes.
pub fn known(node: &Node) -> bool {
    use Lane::{Mul, Smax, Smin, Umax, Umin};
    !matches!(
        node,
        Node::Lanes(Mul | Smax | Smin | Umax | Umin, Size::X, ..)
    )
}

impl Emitter {
    /// A guest register's value, pinned.
    pub(super) fn guest_q(&mut self, r: u8) -> Reg {
        if let Some(h) = self.vectors.copy(r) {
            self.vectors.pin(h);
            return h;
        }
        let h = self.vectors.take();
        let at = V_AT + r as i32 * 16;
        dynasm!(self.a ; .arch x64 ; vmovdqu Rx(h), [rbx + at]);
        self.vectors.set_copy(r, h);
        h
    }
    pub(super) fn set_guest_q(&mut self, v: &Values, r: u8, x: Q) {
        let (x, at) = (self.q(v, x), V_AT + r as i32 * 16);
        dynasm!(self.a ; .arch x64 ; vmovdqu [rbx + at], Rx(x));
        self.vectors.set_copy(r, x);
    }
    /// The register that holds a value.
    pub(super) fn q(&self, v: &Values, x: Q) -> Reg {
        match v.at[x.0 as usize] {
            Loc::Vec(h) => h,
            _ => unreachable!("a value is used after its last use"),
        }
    }
    pub(super) fn wide(&mut self, v: &Values, x: V) -> Reg {
        let d = self.vectors.take();
        if v.at[x.0 as usize] == Loc::Const(0) {
            vex!(self vpxor d d d);
            return d;
        }
        let x = self.reg(v, x, RAX);
        dynasm!(self.a ; .arch x64 ; vmovq Rx(d), Rq(x));
        d
    }
    pub(super) fn lane(&mut self, v: &Values, size: Size, x: Q, k: u32) -> Reg {
        let (x, k) = (self.q(v, x), k as i8);
        let d = self.regs.take();
        match size {
            Size::B => dynasm!(self.a ; .arch x64 ; vpextrb Rd(d), Rx(x), k),
            Size::H => dynasm!(self.a ; .arch x64 ; vpextrw Rd(d), Rx(x), k),
            Size::W if k == 0 => dynasm!(self.a ; .arch x64 ; vmovd Rd(d), Rx(x)),
            Size::W => dynasm!(self.a ; .arch x64 ; vpextrd Rd(d), Rx(x), k),
            Size::X if k == 0 => dynasm!(self.a ; .arch x64 ; vmovq Rq(d), Rx(x)),
            Size::X => dynasm!(self.a ; .arch x64 ; vpextrq Rq(d), Rx(x), k),
        }
        d
    }
    pub(super) fn with_lane(&mut self, v: &Values, size: Size, x: Q, k: u32, y: V) -> Reg {
        let (x, k) = (self.q(v, x), k as i8);
        let y = self.reg(v, y, RAX);
        let d = self.vectors.take();
        match size {
            Size::B => dynasm!(self.a ; .arch x64 ; vpinsrb Rx(d), Rx(x), Rd(y), k),
            Size::H => dynasm!(self.a ; .arch x64 ; vpinsrw Rx(d), Rx(x), Rd(y), k),
            Size::W => dynasm!(self.a ; .arch x64 ; vpinsrd Rx(d), Rx(x), Rd(y), k),
            Size::X => dynasm!(self.a ; .arch x64 ; vpinsrq Rx(d), Rx(x), Rq(y), k),
        }
        d
    }
    pub(super) fn splat(&mut self, v: &Values, size: Size, x: V) -> Reg {
        let d = self.wide(v, x);
        match size {
            Size::B => dynasm!(self.a ; .arch x64 ; vpbroadcastb Rx(d), Rx(d)),
            Size::H => dynasm!(self.a ; .arch x64 ; vpbroadcastw Rx(d), Rx(d)),
            Size::W => dynasm!(self.a ; .arch x64 ; vpbroadcastd Rx(d), Rx(d)),
            Size::X => dynasm!(self.a ; .arch x64 ; vpbroadcastq Rx(d), Rx(d)),
        }
        d
    }
    pub(super) fn lanes(&mut self, v: &Values, op: Lane, size: Size, x: Q, y: Q) -> Reg {
        let (x, y) = (self.q(v, x), self.q(v, y));
        let d = self.vectors.take();
        match (op, size) {
            (Lane::And, _) => vex!(self vpand d x y),
            (Lane::Or, _) => vex!(self vpor d x y),
            (Lane::Xor, _) => vex!(self vpxor d x y),
            (Lane::Bic, _) => vex!(self vpandn d y x),
            (Lane::Add, Size::B) => vex!(self vpaddb d x y),
            (Lane::Add, Size::H) => vex!(self vpaddw d x y),
            (Lane::Add, Size::W) => vex!(self vpaddd d x y),
            (Lane::Add, Size::X) => vex!(self vpaddq d x y),
            (Lane::Sub, Size::B) => vex!(self vpsubb d x y),
            (Lane::Sub, Size::H) => vex!(self vpsubw d x y),
            (Lane::Sub, Size::W) => vex!(self vpsubd d x y),
            (Lane::Sub, Size::X) => vex!(self vpsubq d x y),
            (Lane::Mul, Size::B) => self.mul_bytes(d, x, y),
            (Lane::Mul, Size::H) => vex!(self vpmullw d x y),
            (Lane::Mul, Size::W) => vex!(self vpmulld d x y),
            (Lane::Smax, Size::B) => vex!(self vpmaxsb d x y),
            (Lane::Smax, Size::H) => vex!(self vpmaxsw d x y),
            (Lane::Smax, Size::W) => vex!(self vpmaxsd d x y),
            (Lane::Smin, Size::B) => vex!(self vpminsb d x y),
            (Lane::Smin, Size::H) => vex!(self vpminsw d x y),
            (Lane::Smin, Size::W) => vex!(self vpminsd d x y),
            (Lane::Umax, Size::B) => vex!(self vpmaxub d x y),
            (Lane::Umax, Size::H) => vex!(self vpmaxuw d x y),
            (Lane::Umax, Size::W) => vex!(self vpmaxud d x y),
            (Lane::Umin, Size::B) => vex!(self vpminub d x y),
            (Lane::Umin, Size::H) => vex!(self vpminuw d x y),
            (Lane::Umin, Size::W) => vex!(self vpminud d x y),
            (Lane::Eq, Size::B) => vex!(self vpcmpeqb d x y),
            (Lane::Eq, Size::H) => vex!(self vpcmpeqw d x y),
            (Lane::Eq, Size::W) => vex!(self vpcmpeqd d x y),
            (Lane::Eq, Size::X) => vex!(self vpcmpeqq d x y),
            (Lane::Gt, _) => self.greater(size, d, x, y),
            (Lane::Ge, _) => {
                self.greater(size, d, y, x);
                self.invert(d);
            }
            (Lane::Hi, _) => self.higher(size, d, x, y),
            (Lane::Hs, _) => {
                self.higher(size, d, y, x);
                self.invert(d);
            }
            (Lane::Mul | Lane::Smax | Lane::Smin | Lane::Umax | Lane::Umin, Size::X) => {
                unreachable!("{op:?} of 64 bits is not inline")
            }
        }
        d
    }
    fn invert(&mut self, d: Reg) {
        vex!(self vpcmpeqd T0 T0 T0);
        vex!(self vpxor d d T0);
    }
    fn greater(&mut self, size: Size, d: Reg, x: Reg, y: Reg) {
        match size {
            Size::B => vex!(self vpcmpgtb d x y),
            Size::H => vex!(self vpcmpgtw d x y),
            Size::W => vex!(self vpcmpgtd d x y),
            Size::X => vex!(self vpcmpgtq d x y),
        }
    }
    /// The same of unsigned numbers: of signed ones, with their highest bits inverted.
    fn higher(&mut self, size: Size, d: Reg, x: Reg, y: Reg) {
        vex!(self vpcmpeqd T2 T2 T2);
        match size {
            Size::B => {
                vex!(self vpsrlw T2 T2, 15); // 1 in each half word
                vex!(self vpsllw T0 T2, 7);
                vex!(self vpsllw T2 T2, 15);
                vex!(self vpor T2 T2 T0);
            }
            Size::H => vex!(self vpsllw T2 T2, 15),
            Size::W => vex!(self vpslld T2 T2, 31),
            Size::X => vex!(self vpsllq T2 T2, 63),
        }
        vex!(self vpxor T0 x T2);
        vex!(self vpxor T1 y T2);
        self.greater(size, d, T0, T1);
    }
    /// Products of bytes: of the odd ones by the high halves of words, of the even ones by words.
    fn mul_bytes(&mut self, d: Reg, x: Reg, y: Reg) {
        vex!(self vpsrlw T0 x, 8);
        vex!(self vpsrlw T1 y, 8);
        vex!(self vpmullw T0 T0 T1);
        vex!(self vpsllw T0 T0, 8);
        vex!(self vpmullw T1 x y);
        self.low_bytes(T1, T1);
        vex!(self vpor d T0 T1);
    }
    /// The low bytes of half words.
    fn low_bytes(&mut self, d: Reg, x: Reg) {
        vex!(self vpsllw d x, 8);
        vex!(self vpsrlw d d, 8);
    }
    pub(super) fn lanes_shift(&mut self, v: &Values, op: Shift, size: Size, x: Q, by: u32) -> Reg {
        let x = self.q(v, x);
        let d = self.vectors.take();
        match (op, size) {
            (Shift::Left, Size::B) => {
                vex!(self vpsllw d x, by);
                self.splat_byte(T0, 0xffu8 << by);
                vex!(self vpand d d T0);
            }
            (Shift::Left, Size::H) => vex!(self vpsllw d x, by),
            (Shift::Left, Size::W) => vex!(self vpslld d x, by),
            (Shift::Left, Size::X) => vex!(self vpsllq d x, by),
            (Shift::Logical, Size::B) => {
                vex!(self vpsrlw d x, by);
                self.splat_byte(T0, 0xffu8.checked_shr(by).unwrap_or(0));
                vex!(self vpand d d T0);
            }
            (Shift::Logical, Size::H) => vex!(self vpsrlw d x, by),
            (Shift::Logical, Size::W) => vex!(self vpsrld d x, by),
            (Shift::Logical, Size::X) => vex!(self vpsrlq d x, by),
            (Shift::Arithmetic, Size::B) => {
                let by = by.min(7);
                vex!(self vpsrlw d x, by);
                self.splat_byte(T0, 0xffu8 >> by);
                vex!(self vpand d d T0);
                self.splat_byte(T0, 0x80u8 >> by); // where the sign is now
                vex!(self vpxor d d T0);
                vex!(self vpsubb d d T0);
            }
            (Shift::Arithmetic, Size::H) => vex!(self vpsraw d x, by),
            (Shift::Arithmetic, Size::W) => vex!(self vpsrad d x, by),
            (Shift::Arithmetic, Size::X) => {
                let by = by.min(63);
                vex!(self vpxor T0 T0 T0);
                vex!(self vpcmpgtq T0 T0 x);
                vex!(self vpsllq T0 T0, 64 - by); // nothing is left for by = 0
                vex!(self vpsrlq d x, by);
                vex!(self vpor d d T0);
            }
        }
        d
    }
    /// A byte in all lanes.
    fn splat_byte(&mut self, d: Reg, byte: u8) {
        dynasm!(self.a ; .arch x64 ; mov eax, byte as i32 ; vmovd Rx(d), eax ; vpbroadcastb Rx(d), Rx(d));
    }
    pub(super) fn permute(&mut self, v: &Values, op: Permute, size: Size, x: Q, y: Q) -> Reg {
        let (x, y) = (self.q(v, x), self.q(v, y));
        let d = self.vectors.take();
        match (op, size) {
            (Permute::Zip1, Size::B) => vex!(self vpunpcklbw d x y),
            (Permute::Zip1, Size::H) => vex!(self vpunpcklwd d x y),
            (Permute::Zip1, Size::W) => vex!(self vpunpckldq d x y),
            (Permute::Zip2, Size::B) => vex!(self vpunpckhbw d x y),
            (Permute::Zip2, Size::H) => vex!(self vpunpckhwd d x y),
            (Permute::Zip2, Size::W) => vex!(self vpunpckhdq d x y),
            (Permute::Zip1 | Permute::Uzp1 | Permute::Trn1, Size::X) => {
                vex!(self vpunpcklqdq d x y)
            }
            (Permute::Zip2 | Permute::Uzp2 | Permute::Trn2, Size::X) => {
                vex!(self vpunpckhqdq d x y)
            }
            (Permute::Uzp1, Size::B) => {
                self.low_bytes(T0, x);
                self.low_bytes(T1, y);
                vex!(self vpackuswb d T0 T1);
            }
            (Permute::Uzp2, Size::B) => {
                vex!(self vpsrlw T0 x, 8);
                vex!(self vpsrlw T1 y, 8);
                vex!(self vpackuswb d T0 T1);
            }
            (Permute::Uzp1, Size::H) => {
                for (t, from) in [(T0, x), (T1, y)] {
                    vex!(self vpslld t from, 16);
                    vex!(self vpsrld t t, 16);
                }
                vex!(self vpackusdw d T0 T1);
            }
            (Permute::Uzp2, Size::H) => {
                vex!(self vpsrld T0 x, 16);
                vex!(self vpsrld T1 y, 16);
                vex!(self vpackusdw d T0 T1);
            }
            (Permute::Uzp1, Size::W) => vex_by!(self vshufps d x y, 0x88u8),
            (Permute::Uzp2, Size::W) => vex_by!(self vshufps d x y, 0xddu8),
            (Permute::Trn1, Size::B) => {
                self.low_bytes(T0, x);
                vex!(self vpsllw T1 y, 8);
                vex!(self vpor d T0 T1);
            }
            (Permute::Trn2, Size::B) => {
                vex!(self vpsrlw T0 x, 8);
                vex!(self vpsrlw T1 y, 8);
                vex!(self vpsllw T1 T1, 8);
                vex!(self vpor d T0 T1);
            }
            (Permute::Trn1, Size::H) => {
                vex!(self vpslld T0 y, 16);
                vex_by!(self vpblendw d x T0, 0xaau8);
            }
            (Permute::Trn2, Size::H) => {
                vex!(self vpsrld T0 x, 16);
                vex_by!(self vpblendw d T0 y, 0xaau8);
            }
            (Permute::Trn1, Size::W) => {
                vex!(self vpsllq T0 y, 32);
                vex_by!(self vpblendd d x T0, 0xau8);
            }
            (Permute::Trn2, Size::W) => {
                vex!(self vpsrlq T0 x, 32);
                vex_by!(self vpblendd d T0 y, 0xau8);
            }
        }
        d
    }
    pub(super) fn ext(&mut self, v: &Values, x: Q, y: Q, by: u32) -> Reg {
        let (x, y) = (self.q(v, x), self.q(v, y));
        let d = self.vectors.take();
        vex_by!(self vpalignr d y x, by);
        d
    }
    pub(super) fn first(&mut self, v: &Values, size: Size, x: Q) -> Reg {
        let x = self.q(v, x);
        let d = self.vectors.take();
        match size {
            Size::X => dynasm!(self.a ; .arch x64 ; vmovq Rx(d), Rx(x)),
            Size::W => self.first_word(d, x),
            Size::H => {
                dynasm!(self.a ; .arch x64 ; vpextrw eax, Rx(x), 0 ; vmovd Rx(d), eax);
            }
            Size::B => {
                dynasm!(self.a ; .arch x64 ; vpextrb eax, Rx(x), 0 ; vmovd Rx(d), eax);
            }
        }
        d
    }
    pub(super) fn select_q(&mut self, v: &Values, c: C, x: Q, y: Q) -> Reg {
        let (x, y) = (self.q(v, x), self.q(v, y));
        let d = self.vectors.take();
        match self.test(v, c) {
            Test::Always(first) => {
                let from = if first { x } else { y };
                dynasm!(self.a ; .arch x64 ; vmovaps Rx(d), Rx(from));
            }
            Test::Host(cc) => {
                let done = self.a.new_dynamic_label();
                dynasm!(self.a ; .arch x64 ; vmovaps Rx(d), Rx(x));
                self.jcc(cc, done);
                dynasm!(self.a ; .arch x64 ; vmovaps Rx(d), Rx(y) ; =>done);
            }
        }
        d
    }
}
