//! Fields of registers by name, at compile time: `field!(HCR_EL2.TGE)`.
//!
//! Where a field is stands in its register's row and nowhere else. A name that the row does not have, or has twice, does not compile; what is
//! left of it at run time is a constant. Where a row has two fields of one name, the condition of the row says which is meant:
//! `field!(TCR_EL2.HA ?~E2H)`.

use super::info::FILES;
use super::row::Reg;
use crate::bits::ones;

/// Where a field is in its register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegField {
    reg: Reg,
    hi: u32,
    lo: u32,
}

impl RegField {
    /// The register.
    #[inline(always)]
    pub const fn reg(self) -> Reg {
        self.reg
    }
    /// The field's bits, in place.
    #[inline(always)]
    pub const fn mask(self) -> u64 {
        ones(self.hi - self.lo + 1) << self.lo
    }
    /// The field of a register's value.
    #[inline(always)]
    pub const fn of(self, value: u64) -> u64 {
        value >> self.lo & ones(self.hi - self.lo + 1)
    }
    /// Whether the field of a register's value is not 0.
    #[inline(always)]
    pub const fn is_set(self, value: u64) -> bool {
        value & self.mask() != 0
    }
    /// A register's value that has only this field, which is `value`.
    #[inline(always)]
    pub const fn put(self, value: u64) -> u64 {
        value << self.lo & self.mask()
    }
}

/// The place of field `name` of `reg` under `condition` (empty: whichever the one field of that name has).
///
/// # Panics
/// The row has no such field, or several: `field!` evaluates this at compile time.
pub const fn find(reg: Reg, name: &str, condition: &str) -> RegField {
    let text = fields(reg).as_bytes();
    let mut found: Option<RegField> = None;
    let mut start = 0;
    while start < text.len() {
        let mut end = start;
        while end < text.len() && text[end] != b' ' {
            end += 1;
        }
        let colon = find_byte(text, start, end, b':');
        if same(text, start, colon, name)
            && (condition.is_empty() || holds(text, start, end, condition))
        {
            assert!(
                found.is_none(),
                "several fields of that name: say the condition of one"
            );
            let (hi, after) = number(text, colon + 1);
            let lo = if after < end && text[after] == b'-' {
                number(text, after + 1).0
            } else {
                hi
            };
            found = Some(RegField { reg, hi, lo });
        }
        start = end + 1;
    }
    found.expect("the register's row has no such field")
}

/// The fields of a register's row.
const fn fields(reg: Reg) -> &'static str {
    let mut f = 0;
    while f < FILES.len() {
        let mut i = 0;
        while i < FILES[f].len() {
            if FILES[f][i].reg.0 == reg.0 {
                return FILES[f][i].fields;
            }
            i += 1;
        }
        f += 1;
    }
    panic!("no row of that register")
}

/// The first `byte` from `start` on, or `end`.
const fn find_byte(text: &[u8], start: usize, end: usize, byte: u8) -> usize {
    let mut at = start;
    while at < end && text[at] != byte {
        at += 1;
    }
    at
}

const fn same(text: &[u8], start: usize, end: usize, word: &str) -> bool {
    let word = word.as_bytes();
    let mut i = 0;
    while i < word.len() && start + i < end && text[start + i] == word[i] {
        i += 1;
    }
    i == word.len() && start + i == end
}

const fn holds(text: &[u8], start: usize, end: usize, condition: &str) -> bool {
    let end = find_byte(text, start, end, b'=');
    let mark = find_byte(text, start, end, b'?');
    mark < end && same(text, mark + 1, end, condition)
}

/// The decimal number at `at`, and where it ends.
const fn number(text: &[u8], mut at: usize) -> (u32, usize) {
    let mut n = 0;
    while at < text.len() && text[at].is_ascii_digit() {
        n = n * 10 + (text[at] - b'0') as u32;
        at += 1;
    }
    (n, at)
}

/// The [`RegField`] of a register's field, as a constant: `field!(HCR_EL2.TGE)`, `field!(TCR_EL2.HA ?~E2H)`, `field!(TCR_EL2.HA ?E2H)`.
macro_rules! field {
    ($reg:ident . $name:ident) => {
        const { $crate::reg::named::find($crate::reg::names::$reg, stringify!($name), "") }
    };
    ($reg:ident . $name:ident ? $condition:ident) => {
        const {
            $crate::reg::named::find(
                $crate::reg::names::$reg,
                stringify!($name),
                stringify!($condition),
            )
        }
    };
    ($reg:ident . $name:ident ? ~ $condition:ident) => {
        const {
            $crate::reg::named::find(
                $crate::reg::names::$reg,
                stringify!($name),
                concat!("~", stringify!($condition)),
            )
        }
    };
}
pub(crate) use field;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reg::field::parse;
    use crate::reg::INFOS;

    #[test]
    fn as_people_see_them() {
        for row in &INFOS {
            let all = parse(row.fields);
            for f in &all {
                if all
                    .iter()
                    .filter(|g| (g.name, g.condition) == (f.name, f.condition))
                    .count()
                    > 1
                {
                    continue; // RES1, of several parts
                }
                let twice = all.iter().filter(|g| g.name == f.name).count() > 1;
                let found = find(row.reg, f.name, if twice { f.condition } else { "" });
                assert_eq!(
                    (found.hi, found.lo),
                    (f.hi as u32, f.lo as u32),
                    "{}.{}",
                    row.name,
                    f.name
                );
                assert_eq!(found.mask(), f.mask());
                assert_eq!(found.of(0x5a5a_a5a5_1234_8765), f.of(0x5a5a_a5a5_1234_8765));
                assert_eq!(found.put(f.of(u64::MAX)), f.mask());
            }
        }
    }

    #[test]
    fn values() {
        assert_eq!(field!(HCR_EL2.TGE).mask(), 1 << 27);
        assert_eq!(field!(HCR_EL2.BSU).of(0xc00), 3);
        assert!(
            field!(CPTR_EL2.TTA ?E2H).is_set(1 << 28) && field!(CPTR_EL2.TTA ?~E2H).is_set(1 << 20)
        );
    }

    #[test]
    #[should_panic(expected = "no such field")]
    fn an_unknown_name() {
        find(crate::reg::names::HCR_EL2, "TG", "");
    }

    #[test]
    #[should_panic(expected = "several fields")]
    fn a_name_of_two_fields() {
        find(crate::reg::names::TCR_EL2, "HA", "");
    }
}
