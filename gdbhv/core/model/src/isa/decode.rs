//! From a word to its row: rows bucketed by bits 28:21, so that a look-up compares a handful of masks.

use super::{Row, GROUPS};
use crate::feature::Features;
use std::sync::OnceLock;

const KEY_LO: u32 = 21;
const KEYS: usize = 256;

static TABLE: OnceLock<Vec<Vec<(usize, &'static Row)>>> = OnceLock::new();

fn table() -> &'static [Vec<(usize, &'static Row)>] {
    TABLE.get_or_init(|| {
        let mut t: Vec<Vec<(usize, &'static Row)>> = vec![Vec::new(); KEYS];
        for (n, row) in GROUPS.iter().flat_map(|g| g.1).enumerate() {
            for (key, bucket) in t.iter_mut().enumerate() {
                let mask = row.pattern.mask >> KEY_LO & 0xff;
                if key as u32 & mask == row.pattern.value >> KEY_LO & mask {
                    bucket.push((n, row));
                }
            }
        }
        t
    })
}

/// The row whose pattern `insn` matches, on a machine with `features`, and its number.
pub fn numbered(insn: u32, features: Features) -> Option<(usize, &'static Row)> {
    table()[(insn >> KEY_LO & 0xff) as usize]
        .iter()
        .find(|(_, r)| r.pattern.matches(insn) && features.has(r.feature))
        .copied()
}

/// The row whose pattern `insn` matches, on a machine with `features`.
pub fn row(insn: u32, features: Features) -> Option<&'static Row> {
    numbered(insn, features).map(|(_, r)| r)
}
