//! Values of nodes: how operands refer to them, and their types in a back end.

use crate::fp::format::Format;
use crate::fp::shape::{Fp2, Shape};
use crate::isa::ops::{Cmp, Ops, W};
use crate::isa::vector::{Lane, Permute, Shift};
use crate::mem::size::{Acc, Size};

/// A 64-bit value: the node that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V(pub u32);

/// A condition: the node that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct C(pub u32);

/// A 128-bit value: the node that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Q(pub u32);

/// A value of some type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// 64 bits.
    V(V),
    /// A condition.
    C(C),
    /// 128 bits.
    Q(Q),
}

impl Value {
    /// Index of the node that makes it.
    pub fn node(self) -> usize {
        match self {
            Value::V(V(n)) | Value::C(C(n)) | Value::Q(Q(n)) => n as usize,
        }
    }
}

/// What a node has made.
enum Made<B: Ops> {
    Nothing,
    V(B::V),
    C(B::C),
    Q(B::Q),
}

/// By node.
pub(super) struct Values<B: Ops> {
    made: Vec<Made<B>>,
}

#[allow(non_snake_case)] // named as the types
impl<B: Ops> Values<B> {
    pub(super) fn with_capacity(nodes: usize) -> Values<B> {
        Values {
            made: Vec::with_capacity(nodes),
        }
    }
    pub(super) fn nothing(&mut self) {
        self.made.push(Made::Nothing);
    }
    pub(super) fn V(&mut self, v: B::V) {
        self.made.push(Made::V(v));
    }
    pub(super) fn C(&mut self, c: B::C) {
        self.made.push(Made::C(c));
    }
    pub(super) fn Q(&mut self, q: B::Q) {
        self.made.push(Made::Q(q));
    }
}

/// An operand of a node, as a type of a back end.
pub(super) trait Operand: Copy {
    type In<B: Ops>;
    fn within<B: Ops>(self, values: &Values<B>) -> Self::In<B>;
    fn value(self) -> Option<Value> {
        None
    }
}

macro_rules! constants {
    ($($kind:ident)*) => {
        $(impl Operand for $kind {
            type In<B: Ops> = $kind;
            fn within<B: Ops>(self, _: &Values<B>) -> $kind {
                self
            }
        })*
    };
}
constants! { u8 u32 u64 bool W Cmp Size Acc Lane Shift Permute Fp2 Shape Format }

macro_rules! values {
    ($($kind:ident)*) => {
        $(impl Operand for $kind {
            type In<B: Ops> = B::$kind;
            fn within<B: Ops>(self, values: &Values<B>) -> B::$kind {
                match values.made[self.0 as usize] {
                    Made::$kind(v) => v,
                    _ => panic!("node {} makes no {}", self.0, stringify!($kind)),
                }
            }
            fn value(self) -> Option<Value> {
                Some(Value::$kind(self))
            }
        })*
    };
}
values! { V C Q }
