//! Self-checks of the table: what must hold for every row.

use super::pattern::{deposit, extract};
use super::*;
use crate::cpu::slot;
use crate::feature::Features;

/// Pairs that overlap on purpose. Empty: features and guards tell rows apart.
const OVERLAPS: &[(&str, &str)] = &[];

fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|g| g.1)
}

/// Instances of a row: its free bits from a counter spread by a multiplier, so that small tests reach all fields.
fn instances(row: &Row, n: u32) -> impl Iterator<Item = u32> + '_ {
    let free = !row.pattern.mask;
    (0..n)
        .map(move |k| row.pattern.value | deposit(k.wrapping_mul(0x9e37_79b1) >> 3 ^ k, free))
        .filter(|&word| row.pattern.matches(word))
}

#[test]
fn patterns_do_not_overlap() {
    let all: Vec<_> = rows().collect();
    let mut used = Vec::new();
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            if a.pattern.overlaps(&b.pattern) {
                let allowed = OVERLAPS.iter().position(|&p| p == (a.name, b.name));
                assert!(allowed.is_some(), "{} and {} overlap", a.name, b.name);
                used.extend(allowed);
            }
        }
    }
    assert_eq!(
        used.len(),
        OVERLAPS.len(),
        "an overlap is allowed that is not there"
    );
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = rows().map(|r| r.name).collect();
    names.sort_unstable();
    let n = names.len();
    names.dedup();
    assert_eq!(names.len(), n);
}

#[test]
fn every_row_has_instances_and_they_decode_to_it() {
    for row in rows() {
        assert!(
            row.spec.count_ones() <= 4 && row.spec & row.pattern.mask == 0,
            "{}",
            row.name
        );
        let mut any = false;
        for word in instances(row, 4096) {
            let found = decode::row(word, Features::ALL).expect(row.name);
            assert_eq!(found.name, row.name, "{word:08x}");
            any |= (row.decode)(word).is_some();
        }
        assert!(any, "{} has no instance", row.name);
    }
}

/// The interpreter reads `Cpu::x` without a bounds check.
#[test]
fn operands_are_registers() {
    for row in rows() {
        for a in instances(row, 4096).filter_map(row.decode) {
            for r in [a.rd, a.rn, a.rm, a.ra] {
                assert!(r <= slot::SINK, "{}: {a:?}", row.name);
            }
        }
    }
}

#[test]
fn a_row_is_absent_without_its_feature() {
    let base = Features::of(&[]);
    for row in rows() {
        let word = instances(row, 4096).next().expect(row.name);
        let there = decode::row(word, base).is_some();
        assert_eq!(there, row.feature == Feature::base, "{}", row.name);
    }
}

#[test]
fn list_tells_every_row() {
    let list = list();
    assert_eq!(list.len(), rows().count());
    let add = list.iter().find(|i| i.name == "ADD_imm").expect("ADD_imm");
    assert_eq!(
        (add.group, add.feature, add.kind),
        ("addsub", "base", "pure")
    );
}

#[test]
fn deposit_and_extract_are_inverse() {
    for k in 0..16 {
        assert_eq!(extract(deposit(k, 0xa00c), 0xa00c), k);
    }
}
