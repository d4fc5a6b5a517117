//! The notation of a register's fields, and what is derived from it: the bits that can be written, and their description.
//!
//! A row writes its fields as one string of tokens, from low bits to high ones:
//!
//! ```text
//! NAME:hi-lo   or   NAME:bit     then, in this order, each optional:
//!   !           read-only: keeps its reset value (RAZ/WI, RAO/WI)
//!   @FEAT       exists only with that feature, `@~FEAT` only without it; RES0 otherwise
//!   ?COND       this meaning holds only if COND does, `?~COND` only if not: E2H (of HCR_EL2) or a field of the same register
//!   =a,b,c      names of the values from 0 up; `=3:a,7:b` gives the value; an empty name is reserved
//! ```
//!
//! Bits that no present field covers are RES0: they keep their reset value. An empty string means all 64 bits, plain.

/// One field, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name as in the Arm ARM.
    pub name: &'static str,
    /// Most significant bit.
    pub hi: u8,
    /// Least significant bit.
    pub lo: u8,
    /// Keeps its reset value.
    pub read_only: bool,
    /// The FEAT_ name (without `FEAT_`) that it needs, or empty; with `~`, the one without which it exists.
    pub feature: &'static str,
    /// When this meaning holds: empty, `E2H`, `~E2H`, or a field of the same register.
    pub condition: &'static str,
    /// Names of values.
    pub values: Vec<(u64, &'static str)>,
}

impl Field {
    /// The bits it covers.
    pub const fn mask(&self) -> u64 {
        crate::bits::ones((self.hi - self.lo + 1) as u32) << self.lo
    }
    /// Whether it exists, given the features there are.
    pub fn exists(&self, has: impl Fn(&str) -> bool) -> bool {
        match self.feature.strip_prefix('~') {
            Some(without) => !has(without),
            None => self.feature.is_empty() || has(self.feature),
        }
    }
    /// Its value in `v`.
    pub const fn of(&self, v: u64) -> u64 {
        crate::bits::bits(v, self.hi as u32, self.lo as u32)
    }
}

/// Parse a row's fields.
///
/// # Panics
/// On a string that is not in the notation: the tables are tested as a whole.
pub fn parse(text: &'static str) -> Vec<Field> {
    text.split_whitespace().map(token).collect()
}

fn token(t: &'static str) -> Field {
    let (t, names) = t.split_once('=').unwrap_or((t, ""));
    let (t, condition) = t.split_once('?').unwrap_or((t, ""));
    let (t, feature) = t.split_once('@').unwrap_or((t, ""));
    let (t, read_only) = match t.strip_suffix('!') {
        Some(t) => (t, true),
        None => (t, false),
    };
    let (name, range) = t.split_once(':').unwrap_or_else(|| panic!("no bits: {t}"));
    let (hi, lo) = range.split_once('-').unwrap_or((range, range));
    let number = |s: &str| s.parse().unwrap_or_else(|_| panic!("no bit number: {t}"));
    let (hi, lo) = (number(hi), number(lo));
    assert!(!name.is_empty() && hi >= lo && hi < 64, "{t}");
    Field {
        name,
        hi,
        lo,
        read_only,
        feature,
        condition,
        values: values(names),
    }
}

fn values(names: &'static str) -> Vec<(u64, &'static str)> {
    let mut next = 0;
    let mut out = Vec::new();
    for n in names.split(',').filter(|_| !names.is_empty()) {
        let name = match n.split_once(':') {
            Some((v, name)) => {
                next = v.parse().unwrap_or_else(|_| panic!("no value: {n}"));
                name
            }
            None => n,
        };
        if !name.is_empty() {
            out.push((next, name));
        }
        next += 1;
    }
    out
}

/// The bits of `fields` that a write changes, given the features there are.
pub fn write_mask(fields: &[Field], has: impl Fn(&str) -> bool) -> u64 {
    if fields.is_empty() {
        return u64::MAX;
    }
    fields
        .iter()
        .filter(|f| !f.read_only && f.exists(&has))
        .fold(0, |m, f| m | f.mask())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation() {
        let f = parse("M:0 T0SZ:5-1!@VHE?~E2H=a,,c,7:x");
        assert_eq!(f[0].mask(), 1);
        assert_eq!((f[1].hi, f[1].lo, f[1].read_only), (5, 1, true));
        assert_eq!((f[1].feature, f[1].condition), ("VHE", "~E2H"));
        assert_eq!(f[1].values, [(0, "a"), (2, "c"), (7, "x")]);
        assert_eq!(f[1].of(0x3e), 0x1f);
        assert_eq!(write_mask(&f, |_| true), 1);
        assert_eq!(write_mask(&parse("A:3@X B:4 C:5@~X"), |_| false), 0x30);
        assert_eq!(write_mask(&parse("A:3@X B:4 C:5@~X"), |_| true), 0x18);
        assert_eq!(write_mask(&[], |_| false), u64::MAX);
    }
}
