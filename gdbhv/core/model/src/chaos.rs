//! Chaos by seed: what the architecture leaves open is decided by generators, so that one run meets what other machines would do to it.
//!
//! Decisions are made where a turn begins and where a CPU begins to wait, places that no engine and no debugger moves: the same seed makes
//! the same run. Each kind of decision has a generator of its own, so that a kind that is left out changes no other one.

use crate::cpu::MAX_CPUS;
use borsh::{BorshDeserialize, BorshSerialize};

macro_rules! kinds {
    ($($variant:ident $name:literal $usual:literal $default:literal $most:literal $text:literal)*) => {
        /// What is decided.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Kind { $($variant),* }

        /// The kinds, in the order of [`Kind`].
        pub const KINDS: &[Row] = &[$(Row { name: $name, usual: $usual, default: $default, most: $most, text: $text }),*];
    };
}

/// A kind of decision.
pub struct Row {
    /// What a profile calls it.
    pub name: &'static str,
    /// It is part of the usual profile.
    pub usual: bool,
    /// Its N, if a profile does not say it.
    pub default: u64,
    /// The greatest N.
    pub most: u64,
    /// What it does with N.
    pub text: &'static str,
}

kinds! {
    Turns      "turns"      true  10_000 1_000_000     "a turn has 1 to N instructions, mostly few"
    Order      "order"      true  100    100           "of N % of the turns any CPU that can execute has the next one"
    Interrupts "interrupts" true  20_000 1_000_000_000 "interrupts (timers too) are taken up to N ns late"
    Exclusives "exclusives" true  50     100           "N % of the turns begin with the exclusive monitor cleared"
    Waits      "waits"      true  25     100           "N % of the waits in WFI and WFE end early, with nothing to wake them"
    Tlb        "tlb"        true  5      100           "N % of the turns begin with an empty TLB"
    Serror     "serror"     false 1_000  1_000_000_000 "one of N turns begins with an SError"
}

/// One of so many turns is one in which interrupts come late.
const LATE: u64 = 4;

/// Ticks in which a wait that ends early does so.
const EARLY: u64 = 10_000;

/// What is decided by a seed, and how far the generators are.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Chaos {
    seed: u64,
    /// N of each kind; 0: it is left out.
    amounts: [u64; KINDS.len()],
    generators: [u64; KINDS.len()],
    /// By CPU: the tick until which it takes no interrupt.
    pub late: [u64; MAX_CPUS],
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

impl Chaos {
    /// `SEED`, or `SEED:PROFILE`: `usual`, or kinds with `+` between them, each with `=N` or without.
    ///
    /// # Errors
    /// A sentence: it is none.
    pub fn parse(text: &str) -> Result<Chaos, String> {
        let (seed, profile) = text.split_once(':').unwrap_or((text, "usual"));
        let seed = seed
            .parse()
            .map_err(|_| format!("{seed:?} is no seed: a number below 2^64"))?;
        let mut amounts = [0; KINDS.len()];
        for word in profile.split('+') {
            let (name, n) = match word.split_once('=') {
                Some((name, n)) => (name, Some(n)),
                None => (word, None),
            };
            if name == "usual" && n.is_none() {
                for (amount, row) in amounts.iter_mut().zip(KINDS).filter(|k| k.1.usual) {
                    *amount = row.default;
                }
                continue;
            }
            let Some(k) = KINDS.iter().position(|row| row.name == name) else {
                let names: Vec<_> = KINDS.iter().map(|row| row.name).collect();
                return Err(format!(
                    "{word:?} is no kind of chaos; there are usual, {}",
                    names.join(", ")
                ));
            };
            let row = &KINDS[k];
            amounts[k] = match n {
                None => row.default,
                Some(n) => n
                    .parse()
                    .ok()
                    .filter(|n| (1..=row.most).contains(n))
                    .ok_or_else(|| format!("{word}: N is 1 to {}", row.most))?,
            };
        }
        Ok(Chaos::new(seed, amounts))
    }

    fn new(seed: u64, amounts: [u64; KINDS.len()]) -> Chaos {
        let mut first = seed;
        Chaos {
            seed,
            amounts,
            generators: std::array::from_fn(|_| next(&mut first)),
            late: [0; MAX_CPUS],
        }
    }

    /// The same from its beginning.
    pub fn anew(&self) -> Chaos {
        Chaos::new(self.seed, self.amounts)
    }

    /// As [`Chaos::parse`] takes it.
    pub fn text(&self) -> String {
        let words: Vec<_> = KINDS
            .iter()
            .zip(self.amounts)
            .filter(|k| k.1 != 0)
            .map(|(row, n)| format!("{}={n}", row.name))
            .collect();
        format!("{}:{}", self.seed, words.join("+"))
    }

    fn amount(&self, kind: Kind) -> u64 {
        self.amounts[kind as usize]
    }

    /// A number below `n`, which is not 0.
    fn below(&mut self, kind: Kind, n: u64) -> u64 {
        let drawn = next(&mut self.generators[kind as usize]);
        (drawn as u128 * n as u128 >> 64) as u64
    }

    /// Whether what happens in N % of the cases does now; never if it is left out.
    fn percent(&mut self, kind: Kind) -> bool {
        let n = self.amount(kind);
        n != 0 && self.below(kind, 100) < n
    }

    /// Instructions of a turn that begins; `usual`: if that is not decided here. Of each two lengths, the one that is four times as long is
    /// half as likely.
    pub fn quantum(&mut self, usual: u64) -> u64 {
        let most = self.amount(Kind::Turns);
        if most == 0 {
            return usual;
        }
        let drawn = next(&mut self.generators[Kind::Turns as usize]);
        let k = (2 * drawn.leading_zeros() + (drawn & 1) as u32).min(most.ilog2());
        (1 + self.below(Kind::Turns, 2 << k)).min(most)
    }

    /// Which of `n` CPUs that can execute has the next turn; 0 is the one that would have it.
    pub fn pick(&mut self, n: usize) -> usize {
        if n > 1 && self.percent(Kind::Order) {
            self.below(Kind::Order, n as u64) as usize
        } else {
            0
        }
    }

    /// A turn of CPU `i` begins at `now`, in ticks of `ns`: until when it takes no interrupt.
    pub fn hold(&mut self, i: usize, now: u64, ns: u64) {
        let most = self.amount(Kind::Interrupts);
        if most != 0 && self.late[i] <= now && self.below(Kind::Interrupts, LATE) == 0 {
            self.late[i] = now.saturating_add(self.below(Kind::Interrupts, most / ns + 1));
        }
    }

    /// Whether the exclusive monitor is cleared at the beginning of a turn.
    pub fn clears(&mut self) -> bool {
        self.percent(Kind::Exclusives)
    }

    /// Whether a turn begins with an empty TLB.
    pub fn drops(&mut self) -> bool {
        self.percent(Kind::Tlb)
    }

    /// Whether a turn begins with an SError.
    pub fn serror(&mut self) -> bool {
        let n = self.amount(Kind::Serror);
        n != 0 && self.below(Kind::Serror, n) == 0
    }

    /// When (in ticks) a wait that begins at `now` ends though nothing ends it; None: it does not.
    pub fn early(&mut self, now: u64) -> Option<u64> {
        self.percent(Kind::Waits)
            .then(|| now.saturating_add(1 + self.below(Kind::Waits, EARLY)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<u64> {
        let mut c = Chaos::parse(text).expect("chaos");
        (0..1000).map(|_| c.quantum(7)).collect()
    }

    #[test]
    fn the_generator_is_splitmix64() {
        let mut state = 1234567;
        let drawn: Vec<u64> = (0..3).map(|_| next(&mut state)).collect();
        let known = [
            6457827717110365317,
            3203168211198807973,
            9817491932198370423,
        ];
        assert_eq!(drawn, known);
    }

    #[test]
    fn a_seed_decides_and_a_kind_that_is_left_out_changes_no_other() {
        assert_eq!(lengths("1"), lengths("1:turns"));
        assert_ne!(lengths("1"), lengths("2"));
        assert_eq!(lengths("1:order"), vec![7; 1000]);
        let mut c = Chaos::parse("1").expect("chaos");
        let before = c.clone();
        c.quantum(1);
        c.early(0);
        assert_ne!(c, before);
        assert_eq!(c.anew(), before);
    }

    #[test]
    fn turns_have_all_lengths() {
        let all = lengths("3");
        assert!(all.iter().all(|n| (1..=10_000).contains(n)));
        let long = all.iter().filter(|&&n| n > 1000).count();
        assert!((5..200).contains(&long), "{long}");
        assert!(all.iter().filter(|&&n| n < 5).count() > 200);
        assert!(lengths("3:turns=1").iter().all(|&n| n == 1));
    }

    #[test]
    fn profiles_are_read_and_written() {
        let text = |t: &str| Chaos::parse(t).map(|c| c.text());
        assert_eq!(text("7:tlb=100+turns"), Ok("7:turns=10000+tlb=100".into()));
        assert_eq!(
            text("7:usual+serror=9").map(|t| t.matches('=').count()),
            Ok(7)
        );
        assert_eq!(text(&text("5").expect("usual")), text("5"));
        for (wrong, why) in [
            ("x", "\"x\" is no seed: a number below 2^64"),
            ("1:tlb=101", "tlb=101: N is 1 to 100"),
            ("1:tlb=0", "tlb=0: N is 1 to 100"),
            (
                "1:",
                "\"\" is no kind of chaos; there are usual, turns, order, interrupts, exclusives, waits, tlb, serror",
            ),
        ] {
            assert_eq!(text(wrong), Err(why.into()));
        }
    }

    #[test]
    fn interrupts_are_late_by_no_more_than_was_said() {
        let mut c = Chaos::parse("1:interrupts=500").expect("chaos");
        let mut late = 0;
        for now in (0..100_000).step_by(100) {
            c.hold(0, now, 10);
            assert!(c.late[0] <= now + 50);
            late += (c.late[0] > now) as u32;
        }
        assert!(late > 100);
        assert_eq!(c.late[1], 0);
    }
}
