//! Oracle: each catchpoint asked by itself.

use super::condition::{Binary, Op, Place, Unary};
use super::*;
use crate::reg::Reg;

struct Nothing;

impl Eye for Nothing {
    fn x(&self, n: u8) -> u64 {
        n as u64 * 0x10
    }
    fn sp(&self) -> u64 {
        0x8000
    }
    fn system(&mut self, _: Reg) -> Option<u64> {
        None
    }
    fn load(&self, _: Place, address: u64, bytes: u8) -> Option<u64> {
        (address != 0).then_some(address + bytes as u64)
    }
}

fn row(ranges: &[(Field, u64, u64)]) -> Row {
    Row {
        classes: vec![HVC],
        ranges: ranges.to_vec(),
        condition: None,
        after: 0,
        every: 1,
        once: false,
        silent: false,
        seen: 0,
        since: 0,
        muted: 0,
        failed: 0,
    }
}

fn hvc(pc: u64) -> Record {
    Record {
        class: HVC,
        pc,
        args: [0x8400_0008, 0, 0, 0],
        ..Record::default()
    }
}

fn hits(sieve: &mut Sieve, r: &Record) -> Vec<u32> {
    let e = Event {
        record: r,
        entry: None,
    };
    if sieve.wants(HVC) && sieve.sift(&e) && sieve.judge(&e, &mut Nothing) {
        if sieve.unknown {
            let all: Vec<u32> = sieve.rows.keys().copied().collect();
            sieve.learn(&e, &all);
            return hits(sieve, r);
        }
        let mut found = sieve.hits.clone();
        found.sort_unstable();
        return found;
    }
    vec![]
}

/// Ranges that overlap in any way give what each of them says by itself.
#[test]
fn ranges_are_found() {
    let mut state = 7u64;
    let mut next = move || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        state >> 50
    };
    let mut rows: Vec<(u64, u64)> = (0..300)
        .map(|_| {
            let low = next();
            (low, low + next() % 500)
        })
        .collect();
    rows.extend([(0, 0), (u64::MAX, u64::MAX), (16_000, u64::MAX)]);
    let mut sieve = Sieve::default();
    for (n, r) in rows.iter().enumerate() {
        sieve.insert(n as u32, row(&[(Field::Pc, r.0, r.1)]));
    }
    let values = (0..3000)
        .map(|_| next())
        .chain([0, 1, 15_999, 16_000, u64::MAX - 1, u64::MAX]);
    for pc in values.chain(
        rows.iter()
            .flat_map(|r| [r.0, r.1, r.1.wrapping_add(1), r.0.wrapping_sub(1)]),
    ) {
        let want: Vec<u32> = (0..)
            .zip(&rows)
            .filter(|(_, r)| r.0 <= pc && pc <= r.1)
            .map(|r| r.0)
            .collect();
        assert_eq!(hits(&mut sieve, &hvc(pc)), want, "{pc:#x}");
    }
}

#[test]
fn every_range_of_a_row_counts() {
    let mut sieve = Sieve::default();
    sieve.insert(
        1,
        row(&[(Field::Nr, 0x8400_0008, 0x8400_0008), (Field::Pc, 4, 8)]),
    );
    sieve.insert(2, row(&[(Field::Nr, 0x8400_0009, 0x8400_0009)]));
    sieve.insert(3, row(&[(Field::Ipa, 0, u64::MAX)])); // a hypercall has none
    assert_eq!(hits(&mut sieve, &hvc(4)), [1]);
    assert_eq!(hits(&mut sieve, &hvc(9)), [0u32; 0]);
    assert_eq!(sieve.counts()[0].seen, 1);
}

#[test]
fn after_every_and_once() {
    let told = |after, every, once| {
        let mut sieve = Sieve::default();
        sieve.insert(
            1,
            Row {
                after,
                every,
                once,
                ..row(&[])
            },
        );
        let told: Vec<u32> = (1..=9)
            .filter(|_| !hits(&mut sieve, &hvc(0)).is_empty())
            .collect();
        assert_eq!(sieve.counts()[0].seen, 9);
        told
    };
    assert_eq!(told(0, 1, false), (1..=9).collect::<Vec<_>>());
    assert_eq!(told(0, 3, false), [3, 6, 9]);
    assert_eq!(told(2, 3, false), [5, 8]);
    assert_eq!(told(4, 1, true), [5]);
    assert_eq!(told(1, 4, true), [5]);
}

#[test]
fn conditions() {
    let holds = |ops: &[Op]| {
        let r = hvc(0x1000);
        Condition::new(ops.to_vec()).map(|c| {
            c.holds(
                &Event {
                    record: &r,
                    entry: None,
                },
                &mut Nothing,
            )
        })
    };
    let (x3, pc) = (Op::X(3), Op::Field(Field::Pc));
    assert_eq!(
        holds(&[x3, Op::Number(0x30), Op::Binary(Binary::Equal)]),
        Some(Some(true))
    );
    assert_eq!(
        holds(&[pc, Op::Number(0x1000), Op::Binary(Binary::Less)]),
        Some(Some(false))
    );
    assert_eq!(holds(&[Op::Field(Field::Ipa)]), Some(None));
    assert_eq!(holds(&[Op::Number(0), Op::Load(Place::Va, 8)]), Some(None));
    assert_eq!(
        holds(&[
            x3,
            Op::Load(Place::Va, 8),
            Op::Number(0x38),
            Op::Binary(Binary::Equal)
        ]),
        Some(Some(true))
    );
    assert_eq!(
        holds(&[Op::Number(1), Op::Number(0), Op::Binary(Binary::Divide)]),
        Some(None)
    );
    assert_eq!(
        holds(&[Op::Number(1), Op::Number(64), Op::Binary(Binary::Left)]),
        Some(Some(false))
    );
    assert_eq!(
        holds(&[Op::Number(0), Op::Unary(Unary::Not)]),
        Some(Some(true))
    );
    assert_eq!(holds(&[]), None);
    assert_eq!(holds(&[Op::Binary(Binary::Plus)]), None);
    assert_eq!(holds(&[x3, x3]), None);
}
