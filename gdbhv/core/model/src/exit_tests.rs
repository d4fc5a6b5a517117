//! Oracle: the exit-class table of the Arm ARM's EC values and ISS encodings (D24.2.40).

use super::*;
use crate::mmu::fault::PROTECTED_WALK;
use crate::reg::field;
use crate::syndrome::isv_of;

/// Whether `word` is matched by a pattern of `[...]` for one character and `*` for any.
fn matches(pattern: &[u8], word: &[u8]) -> bool {
    match (pattern, word) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=word.len()).any(|n| matches(rest, &word[n..])),
        ([b'[', ..], [c, tail @ ..]) => {
            let end = pattern.iter().position(|&p| p == b']').expect("closed");
            let set = &pattern[1..end];
            let mut one = set
                .windows(3)
                .any(|w| w[1] == b'-' && (w[0]..=w[2]).contains(c));
            one |= !set.contains(&b'-') && set.contains(c) || set.len() > 3 && set[3..].contains(c);
            one && matches(&pattern[end + 1..], tail)
        }
        ([p, rest @ ..], [c, tail @ ..]) => p == c && matches(rest, tail),
        _ => false,
    }
}

/// Every name that an ISS can give is made of the class's words, and each word is in some name.
#[test]
fn names_are_made_of_the_sub_reasons() {
    let esr = |iss: u32| Record {
        esr: iss as u64,
        ..Record::default()
    };
    for c in CLASSES {
        let mut unused: Vec<_> = c.subs.split_whitespace().collect();
        let all = (0..1 << 16)
            .chain((0..1 << 25).step_by(0x1_0fff))
            .chain([1 << 24, 0x30_0001]);
        for iss in all {
            let r = Record {
                class: c.number,
                intid: Some(iss & 0xff_ffff),
                misr: iss as u8,
                cause: if iss & 1 == 0 { &[PROTECTED_WALK] } else { &[] },
                ..esr(iss)
            };
            let name = name(c.number, r.key());
            let (head, _) = name.split_once(':').unwrap_or((&name, ""));
            for word in head.split('.').skip(1) {
                let by = |p: &&str| matches(p.as_bytes(), word.as_bytes());
                assert!(c.subs.split_whitespace().any(|p| by(&p)), "{name}: {word}");
                unused.retain(|p| !by(p));
            }
        }
        assert!(unused.is_empty(), "{}: {unused:?}", c.name);
    }
}

#[test]
fn layouts_fit_and_overlap_only_under_a_condition() {
    for c in CLASSES {
        let fields = field::parse(c.iss);
        for f in &fields {
            assert_eq!(f.mask() >> 25, 0, "{}.{}", c.name, f.name);
            let known = f.condition.trim_start_matches('~');
            assert!(known.is_empty() || fields.iter().any(|g| g.name == known));
            for g in fields
                .iter()
                .filter(|g| g.name != f.name && f.mask() & g.mask() != 0)
            {
                let conditional = !f.condition.is_empty() && !g.condition.is_empty();
                assert!(
                    conditional && f.condition != g.condition,
                    "{}.{}",
                    c.name,
                    f.name
                );
            }
        }
    }
}

#[test]
fn isv_has_size_register_and_sign() {
    // ldrh w3, [x1]; ldrsb x4, [x1, x2]; str x5, [x1]; ldp x0, x1, [x2]; ldr x0, [x1], #8; ldxr x0, [x1]; ldar w0, [x1]
    assert_eq!(isv_of(0x7940_0023), 1 << 24 | 1 << 22 | 3 << 16);
    assert_eq!(isv_of(0x38a2_6824), 1 << 24 | 1 << 21 | 4 << 16 | 1 << 15);
    assert_eq!(isv_of(0xf900_0025), 1 << 24 | 3 << 22 | 5 << 16 | 1 << 15);
    for word in [0xa940_0440, 0xf840_8420, 0xc85f_7c20] {
        assert_eq!(isv_of(word), 0);
    }
    assert_eq!(isv_of(0x88df_fc20), 1 << 24 | 2 << 22 | 1 << 14);
}
