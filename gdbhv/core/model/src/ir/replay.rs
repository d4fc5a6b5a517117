//! Nodes given to a back end again.

use super::nodes::Node;
use super::values::Values;
use crate::isa::ops::Ops;

/// Do `nodes` on a back end, in order, to the first that faults. On the interpreter's back ends this executes; on the recorder it copies.
pub fn execute<B: Ops>(nodes: &[Node], back: &mut B) -> Result<(), B::E> {
    let mut values = Values::with_capacity(nodes.len());
    nodes
        .iter()
        .try_for_each(|node| node.execute(back, &mut values))
}
