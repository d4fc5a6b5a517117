//! Helper rows: one that ends in an exception has changed nothing, so that it can be executed again.

use crate::machine::{instances, one, Machine, Rng, State};
use gdbhv_model::feature::Features;
use gdbhv_model::isa::ops::Args;
use gdbhv_model::isa::{decode, RowKind, GROUPS};
use std::collections::BTreeSet;

/// Rows that change something although they end in an exception, and by which rule.
const CHANGES: &[&str] = &[];

#[test]
fn what_faults_has_changed_nothing() {
    let mut rng = Rng(12);
    let mut m = Machine::new();
    let start = m.pe().cpu.clone();
    let (mut faulted, mut changes) = (BTreeSet::new(), BTreeSet::new());
    let helpers = GROUPS.iter().flat_map(|g| g.1);
    for row in helpers.filter(|r| matches!(r.kind, RowKind::Helper | RowKind::HelperEnd)) {
        for word in instances(&mut rng, row, 150) {
            if (row.decode)(word).is_none() || decode::row(word, Features::ALL).is_none() {
                continue;
            }
            m.pe().cpu = start.clone();
            let mut before = State::random(&mut rng);
            let operands = Args {
                rn: (word >> 5 & 31) as u8,
                rm: (word >> 16 & 31) as u8,
                ..Args::default()
            };
            before.aim(&mut rng, &operands, None);
            m.set(&before);
            let done = one(&mut m, word, 0);
            if done.is_ok() {
                assert!(m.pe().raised.is_none(), "{} {word:08x}", row.name);
                continue;
            }
            faulted.insert(row.name);
            if m.state() != before || m.pe().pstate != start.pstate {
                changes.insert(row.name);
            }
        }
    }
    println!("{} rows can fault", faulted.len());
    assert!(faulted.len() > 50, "{faulted:?}");
    assert!(changes.iter().eq(CHANGES), "{changes:?}");
}
