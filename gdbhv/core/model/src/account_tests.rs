//! Oracle: arithmetic, and the order of entries and exits.

use super::*;

fn place(pc: u64) -> Place {
    Place {
        kind: (1, 1, 0x1016, 0),
        vcpu: 0,
        call: None,
        pc: Some(pc),
        page: None,
    }
}

/// Buckets follow each other without a hole, and a value is in its own: told to 1/32 of it by the middle.
#[test]
fn buckets_are_log_linear() {
    let mut next = 0;
    for b in 0..EXACT as usize + 58 * PARTS as usize {
        let (low, high) = Spread::bounds(b);
        assert_eq!(low, next);
        assert_eq!((Spread::bucket(low), Spread::bucket(high)), (b, b));
        assert!(high - low <= low / 16);
        next = high.wrapping_add(1);
    }
    assert_eq!(Spread::bounds(Spread::bucket(u64::MAX)).1, u64::MAX);
}

#[test]
fn up_to_two_values_need_no_bucket() {
    let mut s = Spread::default();
    s.add(1000);
    s.add(7);
    assert!(s.buckets.is_empty());
    assert_eq!((s.count, s.total, s.min, s.max), (2, 1007, 7, 1000));
    assert_eq!(s.filled(), [(7, 1), (Spread::bucket(1000), 1)]);
    s.add(7);
    assert_eq!(s.filled(), [(7, 2), (Spread::bucket(1000), 1)]);
}

#[test]
fn time_goes_to_the_exit_that_took_it() {
    let mut a = Accounts::default();
    a.entered(0, (1, 0), 100, 0);
    a.exited(0, ((1, 0), false), place(0x10), 107, 10);
    a.entered(0, (1, 0), 130, 50);
    let r = &a.rows[0];
    assert_eq!((r.guest.total, r.host.total, r.away.total), (7, 23, 40));
    // Another one has the CPU: the hypervisor is through with the exit, and the vCPU waits.
    a.exited(0, ((1, 0), false), place(0x10), 140, 100);
    a.entered(0, (1, 1), 150, 200);
    assert_eq!((a.rows[0].host.total, a.rows[0].away.total), (33, 40));
    a.entered(1, (1, 0), 0, 700); // on another CPU
    assert_eq!(a.rows[0].away.total, 640);
    // Its CPU enters nothing, and it goes on elsewhere.
    a.exited(1, ((1, 0), false), place(0x20), 5, 800);
    a.entered(2, (1, 0), 0, 900);
    assert_eq!((a.rows[1].host.count, a.rows[1].away.total), (0, 100));
    a.entered(1, (1, 9), 9, 950);
    assert_eq!((a.rows[1].host.total, a.rows[1].away.total), (4, 100));
}

#[test]
fn places_beyond_the_most_are_counted_by_kind() {
    let mut a = Accounts::default();
    for pc in 0..MOST_PLACES as u64 + 100 {
        a.exited(0, ((1, 0), false), place(pc), 0, 0);
    }
    assert_eq!(a.rows.len(), MOST_PLACES + 1);
    assert_eq!(a.rows[MOST_PLACES].count, 100);
    assert_eq!(a.counts()[&(1, 1, 0x1016, 0)], MOST_PLACES as u64 + 100);
    let bytes = borsh::to_vec(&a).expect("saved");
    let mut b: Accounts = borsh::from_slice(&bytes).expect("loaded");
    assert!(b.complete());
    b.exited(0, ((1, 0), false), place(3), 0, 0);
    assert_eq!((b.rows.len(), b.rows[3].count), (MOST_PLACES + 1, 2));
}

/// A guest that causes ever new kinds of exits: memory is bounded, and the totals are exact.
#[test]
fn kinds_beyond_the_most_are_counted_together() {
    let mut a = Accounts::default();
    let hvc = |key| Place {
        kind: (0, 0, 0x1016, key),
        ..place(0)
    };
    let keys = (0..MOST_KINDS as u32 + 1000).chain([7, 5000]);
    let total = keys
        .map(|key| a.exited(0, ((1, 0), false), hvc(key), 0, 0))
        .count();
    let counts = a.counts();
    assert_eq!((counts.len(), a.further), (MOST_KINDS, 1001));
    assert_eq!(counts.values().sum::<u64>() + a.further, total as u64);
    assert_eq!(counts[&(0, 0, 0x1016, 7)], 2);
    a.clear();
    assert_eq!((a.rows.len(), a.further), (0, 0));
}

/// A guest's exit that is passed on to a hypervisor at EL1, whose own two exits are part of how long the guest waits.
#[test]
fn an_exit_within_the_handling_of_another_is_told_apart() {
    let (inner, outer) = ((2, 0), (1, 0));
    let mut a = Accounts::default();
    a.entered(0, inner, 0, 0);
    a.exited(0, (inner, false), place(0x10), 100, 1000);
    a.entered(0, outer, 110, 1100); // passed on
    for n in 0..2 {
        a.exited(0, (outer, true), place(0x20), 120 + 20 * n, 1200);
        a.entered(0, outer, 127 + 20 * n, 1300);
    }
    a.exited(0, (outer, true), place(0x30), 160, 1600); // its ERET
    a.entered(0, inner, 165, 1650);
    let spread = |r: &Row| (r.nested.count, r.nested.total);
    assert_eq!(spread(&a.rows[0]), (1, 7 + 7 + 5));
    assert_eq!((a.rows[0].away.count, a.rows[0].away.total), (1, 650));
    assert_eq!(a.rows[0].host.total, 10);
    assert_eq!(spread(&a.rows[1]), (0, 0));
}
