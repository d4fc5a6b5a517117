//! The table of nodes. A row is an operation of [`Ops`]: its operands, its result, and whether it can fault. From it come
//! the type, the recording back end, and [`execute`](super::execute).

use super::values::{Operand, Value, Values, C, Q, V};
use crate::fp::format::Format;
use crate::fp::shape::{Fp2, Shape};
use crate::isa::ops::{Cmp, Ops, W};
use crate::isa::vector::{Lane, Permute, Shift};
use crate::mem::size::{Acc, Size};
use std::convert::Infallible;

/// A part of the state of a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An index of `Cpu::x`.
    X(u8),
    /// A SIMD and FP register.
    V(u8),
    /// NZCV.
    Flags,
    /// FPSR. (FPCR is a constant where nodes are.)
    Fpsr,
    /// `Cpu::pc`.
    Pc,
    /// Guest memory and devices.
    Memory,
    /// The exclusive monitor.
    Monitor,
}

/// Keeps what bodies do.
#[derive(Default, Debug)]
pub struct Recorder {
    /// In order, of all instructions recorded so far.
    pub nodes: Vec<Node>,
}

impl Recorder {
    /// Keep a node; its index.
    fn put(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }
}

macro_rules! nodes {
    ($(
        $(#[$doc:meta])*
        $node:ident = $op:ident($($arg:ident: $kind:ident),*) $(-> $result:ident)? $(, $faults:ident)?;
    )*) => {
        /// An operation of an instruction. Operands are those of the method of [`Ops`], in its order.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Node {
            $($(#[$doc])* $node($($kind),*),)*
        }

        impl Node {
            /// Call `f` with each value that it takes.
            pub fn operands(&self, mut f: impl FnMut(Value)) {
                match *self {
                    $(Node::$node($($arg),*) => { $($arg.value().map(&mut f);)* })*
                }
            }
            /// Its result, as the node at index `at`.
            pub fn result(&self, at: usize) -> Option<Value> {
                match self {
                    $(Node::$node(..) => nodes!(@result at $($result)?),)*
                }
            }
            /// Whether it can end the instruction.
            pub fn faults(&self) -> bool {
                match self {
                    $(Node::$node(..) => nodes!(@faults $($faults)?),)*
                }
            }
            /// The variant's name.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Node::$node(..) => stringify!($node),)*
                }
            }
            /// Do it on `back`.
            pub(super) fn execute<B: Ops>(self, back: &mut B, values: &mut Values<B>) -> Result<(), B::E> {
                match self {
                    $(Node::$node($($arg),*) => {
                        let done = back.$op($($arg.within(values)),*);
                        nodes!(@keep values done ($($result)?) ($($faults)?))
                    })*
                }
                Ok(())
            }
        }

        impl Ops for Recorder {
            type V = V;
            type C = C;
            type Q = Q;
            type E = Infallible;
            $(nodes!(@record $node $op ($($arg $kind)*) ($($result)?) ($($faults)?));)*
        }
    };
    (@result $at:ident) => { None };
    (@result $at:ident $kind:ident) => { Some(Value::$kind($kind($at as u32))) };
    (@faults) => { false };
    (@faults faults) => { true };
    (@keep $values:ident $done:ident () ()) => { { let () = $done; $values.nothing() } };
    (@keep $values:ident $done:ident () (faults)) => { { let () = $done?; $values.nothing() } };
    (@keep $values:ident $done:ident ($kind:ident) ()) => { $values.$kind($done) };
    (@keep $values:ident $done:ident ($kind:ident) (faults)) => { $values.$kind($done?) };
    (@record $node:ident $op:ident ($($arg:ident $kind:ident)*) () ()) => {
        fn $op(&mut self, $($arg: $kind),*) {
            self.put(Node::$node($($arg),*));
        }
    };
    (@record $node:ident $op:ident ($($arg:ident $kind:ident)*) () (faults)) => {
        fn $op(&mut self, $($arg: $kind),*) -> Result<(), Infallible> {
            self.put(Node::$node($($arg),*));
            Ok(())
        }
    };
    (@record $node:ident $op:ident ($($arg:ident $kind:ident)*) ($result:ident) ()) => {
        fn $op(&mut self, $($arg: $kind),*) -> $result {
            $result(self.put(Node::$node($($arg),*)))
        }
    };
    (@record $node:ident $op:ident ($($arg:ident $kind:ident)*) ($result:ident) (faults)) => {
        fn $op(&mut self, $($arg: $kind),*) -> Result<$result, Infallible> {
            Ok($result(self.put(Node::$node($($arg),*))))
        }
    };
}

nodes! {
    /// A register.
    X = x(r: u8) -> V;
    /// Write a register.
    SetX = set_x(r: u8, v: V);
    /// A SIMD register.
    Q = q(r: u8) -> Q;
    /// Write a SIMD register.
    SetQ = set_q(r: u8, v: Q);
    /// A constant.
    Imm = imm(v: u64) -> V;
    /// The address so many bytes from the block's start.
    Pc = pc(disp: u64) -> V;

    /// x + y.
    Add = add(w: W, x: V, y: V) -> V;
    /// x - y.
    Sub = sub(w: W, x: V, y: V) -> V;
    /// x * y.
    Mul = mul(w: W, x: V, y: V) -> V;
    /// High half of the unsigned product.
    Umulh = umulh(x: V, y: V) -> V;
    /// High half of the signed product.
    Smulh = smulh(x: V, y: V) -> V;
    /// Unsigned quotient; 0 for a zero divisor.
    Udiv = udiv(w: W, x: V, y: V) -> V;
    /// Signed quotient, rounded to zero; 0 for a zero divisor; the most negative number by -1 is itself.
    Sdiv = sdiv(w: W, x: V, y: V) -> V;
    /// x AND y.
    And = and(x: V, y: V) -> V;
    /// x OR y.
    Or = or(x: V, y: V) -> V;
    /// x EOR y.
    Xor = xor(x: V, y: V) -> V;
    /// NOT x.
    Not = not(w: W, x: V) -> V;
    /// Shift left by y modulo the width.
    Shl = shl(w: W, x: V, by: V) -> V;
    /// Logical shift right by y modulo the width.
    Shr = shr(w: W, x: V, by: V) -> V;
    /// Arithmetic shift right by y modulo the width.
    Sar = sar(w: W, x: V, by: V) -> V;
    /// Rotate right by y modulo the width.
    Ror = ror(w: W, x: V, by: V) -> V;
    /// Zero-extend the low bits, 1 to 64 of them.
    Zext = zext(x: V, n: u32) -> V;
    /// Sign-extend the low bits, 1 to 64 of them.
    Sext = sext(w: W, x: V, n: u32) -> V;
    /// Leading zeros.
    Clz = clz(w: W, x: V) -> V;
    /// Leading sign bits, less one.
    Cls = cls(w: W, x: V) -> V;
    /// Bits in reverse.
    Rbit = rbit(w: W, x: V) -> V;
    /// Bytes in reverse in each container of 2, 4 or 8.
    Rev = rev(w: W, x: V, bytes: u32) -> V;
    /// CRC32 (true: CRC32C) of the low bits (8, 16, 32, 64) of x over the accumulator.
    Crc32 = crc32(acc: V, x: V, bits: u32, castagnoli: bool) -> V;

    /// x + y, and its NZCV.
    Adds = adds(w: W, x: V, y: V) -> V;
    /// x - y, and its NZCV.
    Subs = subs(w: W, x: V, y: V) -> V;
    /// x + y + C.
    Adc = adc(w: W, x: V, y: V) -> V;
    /// x + y + C, and its NZCV.
    Adcs = adcs(w: W, x: V, y: V) -> V;
    /// N and Z of v; C and V are clear.
    SetNz = set_nz(w: W, v: V);
    /// NZCV, in bits 31:28.
    Nzcv = nzcv() -> V;
    /// NZCV is bits 31:28 of v.
    SetNzcvFrom = set_nzcv_from(v: V);
    /// NZCV of x - y (false: x + y) if c, else the constant.
    Ccmp = ccmp(w: W, c: C, x: V, y: V, sub: bool, nzcv: u32);
    /// Whether a condition code (0 to 15) holds.
    Cond = cond(cond: u32) -> C;
    /// c, or (false) its opposite.
    CIs = c_is(c: C, want: bool) -> C;
    /// Whether x is zero.
    IsZero = is_zero(w: W, x: V) -> C;
    /// Whether bit n of x is clear.
    BitClear = bit_clear(x: V, n: u32) -> C;
    /// Whether x compares with y so.
    Compare = compare(how: Cmp, w: W, x: V, y: V) -> C;
    /// x if c, else y.
    Select = select(c: C, x: V, y: V) -> V;

    /// x, zero-extended.
    Wide = wide(x: V) -> Q;
    /// Lane k, zero-extended. Lane 0 is the lowest.
    Lane = lane(size: Size, x: Q, k: u32) -> V;
    /// x with the low bits of v as lane k.
    WithLane = with_lane(size: Size, x: Q, k: u32, v: V) -> Q;
    /// The low bits of v in all lanes.
    Splat = splat(size: Size, v: V) -> Q;
    /// An operation on each pair of lanes.
    Lanes = lanes(op: Lane, size: Size, x: Q, y: Q) -> Q;
    /// A shift of each lane by a constant.
    LanesShift = lanes_shift(op: Shift, size: Size, x: Q, by: u32) -> Q;
    /// Lanes of x and y in another order.
    Permute = permute(op: Permute, size: Size, x: Q, y: Q) -> Q;
    /// Bytes by to by + 15 (0 to 15) of y:x.
    Ext = ext(x: Q, y: Q, by: u32) -> Q;

    /// Lane 0, zero-extended to 128 bits.
    First = first(size: Size, x: Q) -> Q;
    /// x if c, else y.
    SelectQ = select_q(c: C, x: Q, y: Q) -> Q;

    /// A floating-point operation on each pair of lanes.
    Fp = fp(op: Fp2, shape: Shape, x: Q, y: Q) -> Q;
    /// a + n * m in each lane, rounded once.
    FpFused = fp_fused(shape: Shape, a: Q, n: Q, m: Q) -> Q;
    /// The square root of each lane.
    FpSqrt = fp_sqrt(shape: Shape, x: Q) -> Q;
    /// NZCV of the comparison of the lowest lanes.
    FpCompare = fp_compare(format: Format, x: Q, y: Q, signal: bool);
    /// The lowest lane in another format.
    FpConvert = fp_convert(from: Format, to: Format, x: Q) -> Q;
    /// An integer as a number.
    FpFromInt = fp_from_int(format: Format, w: W, signed: bool, x: V) -> Q;
    /// The lowest lane as an integer, towards zero, saturated.
    FpToInt = fp_to_int(format: Format, w: W, signed: bool, x: Q) -> V;

    /// Nothing, unless the register is SP and must be aligned and is not.
    CheckSp = check_sp(r: u8), faults;
    /// Memory at an address, zero-extended.
    Load = load(addr: V, size: Size, acc: Acc) -> V, faults;
    /// Write the low bytes of v to memory.
    Store = store(addr: V, size: Size, v: V, acc: Acc), faults;

    /// 16 bytes of memory, as elements of 1 << element bytes (0 to 4).
    LoadQ = load_q(addr: V, element: u32) -> Q, faults;
    /// Write 16 bytes to memory, as elements.
    StoreQ = store_q(addr: V, element: u32, v: Q), faults;
    /// Memory at an address, zero-extended; then the monitor marks it.
    LoadExclusive = load_exclusive(addr: V, size: Size, acc: Acc) -> V, faults;
    /// 1, and no access, if the monitor marks nothing. Else write v if it marks this place: 0, or 1 if it does not. Clears the monitor.
    StoreExclusive = store_exclusive(addr: V, size: Size, v: V, acc: Acc) -> V, faults;
    /// The monitor marks nothing.
    ClearExclusive = clear_exclusive();

    /// Go to an address. The last node of its instruction.
    Jump = jump(to: V);
    /// Go to the first place if c, else to the second, both relative to the block's start. The last node of its instruction.
    JumpIf = jump_if(c: C, taken: u64, next: u64);
}

impl Node {
    /// The state that it reads, beside its operands. (`Pc` is a constant of the block.)
    pub fn reads(&self) -> impl Iterator<Item = Place> {
        let places = match *self {
            Node::X(r) | Node::CheckSp(r) => [Some(Place::X(r)), None],
            Node::Q(r) => [Some(Place::V(r)), None],
            Node::Adc(..) | Node::Adcs(..) | Node::Nzcv() | Node::Cond(_) => {
                [Some(Place::Flags), None]
            }
            Node::Load(..) | Node::LoadQ(..) | Node::LoadExclusive(..) => {
                [Some(Place::Memory), None]
            }
            Node::StoreExclusive(..) => [Some(Place::Monitor), None],
            _ => [None, None],
        };
        places.into_iter().flatten()
    }
    /// The state that it writes.
    pub fn writes(&self) -> impl Iterator<Item = Place> {
        let places = match *self {
            Node::SetX(r, _) => [Some(Place::X(r)), None],
            Node::SetQ(r, _) => [Some(Place::V(r)), None],
            Node::Adds(..) | Node::Subs(..) | Node::Adcs(..) => [Some(Place::Flags), None],
            Node::SetNz(..) | Node::SetNzcvFrom(_) | Node::Ccmp(..) => [Some(Place::Flags), None],
            Node::Fp(..) | Node::FpFused(..) | Node::FpSqrt(..) => [Some(Place::Fpsr), None],
            Node::FpConvert(..) | Node::FpFromInt(..) | Node::FpToInt(..) => {
                [Some(Place::Fpsr), None]
            }
            Node::FpCompare(..) => [Some(Place::Flags), Some(Place::Fpsr)],
            Node::Store(..) | Node::StoreQ(..) => [Some(Place::Memory), None],
            Node::LoadExclusive(..) | Node::ClearExclusive() => [Some(Place::Monitor), None],
            Node::StoreExclusive(..) => [Some(Place::Memory), Some(Place::Monitor)],
            Node::Jump(_) | Node::JumpIf(..) => [Some(Place::Pc), None],
            _ => [None, None],
        };
        places.into_iter().flatten()
    }
}
