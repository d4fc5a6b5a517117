//! From a word to its row: rows bucketed by bits 28:21, so that a look-up compares a handful of masks.

use super::{Row, GROUPS};
use crate::feature::Features;
use std::sync::OnceLock;

const KEY_LO: u32 = 21;
const KEYS: usize = 256;

static TABLE: OnceLock<Vec<Vec<&'static Row>>> = OnceLock::new();

fn table() -> &'static [Vec<&'static Row>] {
    TABLE.get_or_init(|| {
        let mut t: Vec<Vec<&'static Row>> = vec![Vec::new(); KEYS];
        for row in GROUPS.iter().flat_map(|g| g.1) {
            for (key, bucket) in t.iter_mut().enumerate() {
                let mask = row.pattern.mask >> KEY_LO & 0xff;
                if key as u32 & mask == row.pattern.value >> KEY_LO & mask {
                    bucket.push(row);
                }
            }
        }
        t
    })
}

/// The row whose pattern `insn` matches, on a machine with `features`.
pub fn row(insn: u32, features: Features) -> Option<&'static Row> {
    table()[(insn >> KEY_LO & 0xff) as usize]
        .iter()
        .find(|r| r.pattern.matches(insn) && features.has(r.feature))
        .copied()
}
