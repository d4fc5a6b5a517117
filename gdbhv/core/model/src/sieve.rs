//! Catchpoints: which exits, entries and other exceptions stop the machine. They are compared where the exception is taken, and most
//! exceptions match none, even of a thousand catchpoints.
//!
//! Whether a catchpoint matches an exit's name and the controls that caused it is decided by whoever made the catchpoint, once for each
//! name, and remembered here by [`Sieve::learn`]. Numbers are compared here ([`spans`] finds the few catchpoints whose range contains a
//! value), and a [`condition`] is evaluated last.

pub mod condition;
pub mod spans;

use crate::exit::record::{Record, HVC, SMC, SYNC};
use crate::exit::{base, NUMBERS, SPAN};
use condition::{Condition, Eye};
use spans::Spans;
use std::collections::{BTreeMap, HashMap};

/// Added to the number of an exit's class, it stands for the entry after such an exit.
pub const ENTRY_AFTER: u16 = 0x200;

/// Length in 64-bit words of a bit set of the classes of exits, and of the entries after them.
pub const WANTED: usize = SPAN as usize / 64;

/// Most names that are remembered: a guest may cause 65,536 by HVC alone.
const MOST_NAMES: usize = 4096;

macro_rules! fields {
    ($($variant:ident $name:literal $text:literal)*) => {
        /// A number of an exit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Field { $($variant),* }

        /// The fields: name, field, description.
        pub const FIELDS: &[(&str, Field, &str)] = &[$(($name, Field::$variant, $text)),*];
    };
}

// The most selective ones first: a catchpoint that compares several is found by the first.
fields! {
    Ipa "ipa" "IPA of an abort"
    Pc "pc" "address of the instruction"
    Va "va" "faulting VA (FAR)"
    Intid "intid" "interrupt"
    Nr "nr" "SMCCC function identifier of HVC and SMC"
    Vmid "vmid" "VMID"
    Vm "vm" "number of the VM"
    Cpu "cpu" "physical CPU"
    El "el" "exception level that it came from"
    Nv "nv" "nested virtualization: 0, 1 with HCR_EL2.NV, 2 with NV2 too"
    Latency "latency" "instructions of the hypervisor for the exit, at the entry"
    Away "away" "nanoseconds from the exit to the entry"
    Esr "esr" "syndrome"
    Iss "iss" "syndrome, bits 24 to 0"
    Ec "ec" "syndrome, bits 31 to 26"
    Insn "insn" "word of the instruction"
    Rt "rt" "register that is transferred"
    Value "value" "its value"
    Spsr "spsr" "PSTATE that was left"
    Seq "seq" "number of the exit"
    Now "now" "virtual time in nanoseconds"
}

impl Field {
    /// Find a field by name.
    pub fn parse(name: &str) -> Option<Field> {
        FIELDS.iter().find(|f| f.0 == name).map(|f| f.1)
    }
}

/// An event: an exit, the entry after one (with its durations), or another exception.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// The exit or the other exception.
    pub record: &'a Record,
    /// For an entry: instructions of the hypervisor and nanoseconds since the exit, if known.
    pub entry: Option<Option<(u64, u64)>>,
}

impl Event<'_> {
    fn number(&self) -> u16 {
        match self.entry {
            Some(_) => self.record.class + ENTRY_AFTER,
            None => self.record.class,
        }
    }
    /// The value of a field; None: the event does not have it.
    pub fn get(&self, field: Field) -> Option<u64> {
        let r = self.record;
        Some(match field {
            Field::Ipa => r.ipa?.0,
            Field::Pc => r.pc,
            Field::Va => r.far?,
            Field::Intid => r.intid? as u64,
            Field::Nr if matches!(base(r.class), HVC | SMC) => r.args[0] & 0xffff_ffff,
            Field::Nr => return None,
            Field::Vmid => r.vmid as u64,
            Field::Vm => r.vm as u64,
            Field::Cpu => r.cpu as u64,
            Field::El => r.el as u64,
            Field::Nv => r.nv as u64,
            Field::Latency => self.entry??.0,
            Field::Away => self.entry??.1,
            Field::Esr => r.esr,
            Field::Iss => r.esr & 0x1ff_ffff,
            Field::Ec => r.esr >> 26 & 0x3f,
            Field::Insn => r.insn? as u64,
            Field::Rt => r.transfer?.0 as u64,
            Field::Value => r.transfer?.1,
            Field::Spsr => r.spsr,
            Field::Seq => r.seq,
            Field::Now => r.now,
        })
    }
}

/// A catchpoint.
#[derive(Clone, Debug)]
pub struct Row {
    /// Numbers of the classes, plus [`ENTRY_AFTER`] for entries.
    pub classes: Vec<u16>,
    /// Ranges (field, first, last) that the event's fields must be in.
    pub ranges: Vec<(Field, u64, u64)>,
    /// A condition that must hold as well.
    pub condition: Option<Condition>,
    /// Number of matches to skip first.
    pub after: u64,
    /// After those, report every n-th match.
    pub every: u64,
    /// Report only the first match.
    pub once: bool,
    /// Report none: only count.
    pub silent: bool,
    /// Number of matches.
    pub seen: u64,
    /// Number of events for which the condition had no value.
    pub failed: u64,
    /// Instructions of all CPUs together after which it began to count.
    pub since: u64,
    /// How often it was muted: it only counts.
    pub muted: u32,
}

/// What a row has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Number of the row.
    pub number: u32,
    /// [`Row::seen`].
    pub seen: u64,
    /// [`Row::failed`].
    pub failed: u64,
    /// [`Row::since`].
    pub since: u64,
}

impl Row {
    /// Count a match. Returns whether to report it.
    fn hit(&mut self) -> bool {
        self.seen += 1;
        let n = self.seen.wrapping_sub(self.after);
        self.seen > self.after
            && n.is_multiple_of(self.every.max(1))
            && !(self.once && n > self.every.max(1))
    }
}

/// Identifies a name and the controls that caused an exit: (number and sub-reason, list of controls).
type Key = (u64, u64);

fn key_of(e: &Event) -> Key {
    let class = (e.number() as u64) << 32 | e.record.key() as u64;
    (class, cause_key(e.record))
}

/// Identifies the list of controls that caused an exit; never 0.
#[inline]
pub fn cause_key(r: &Record) -> u64 {
    (r.cause.as_ptr() as u64) << 8 | r.cause.len() as u64
}

/// The catchpoints that may match exits with a certain name.
#[derive(Default)]
struct Known {
    plain: Vec<u32>,
    by: Vec<(Field, Spans)>,
}

impl Known {
    /// Whether none of them matches an event, which is the most frequent case.
    #[inline]
    fn misses(&mut self, e: &Event) -> bool {
        self.plain.is_empty()
            && self
                .by
                .iter_mut()
                .all(|(field, spans)| e.get(*field).is_none_or(|value| spans.misses(value)))
    }
}

const RECENT: usize = 64;
const NOBODY: Key = (0, 0);

/// All catchpoints.
pub struct Sieve {
    rows: BTreeMap<u32, Row>,
    /// A bit for each class number from 0x1000 on that some row wants.
    wanted: Vec<u64>,
    known: HashMap<Key, usize>,
    lists: Vec<Known>,
    recent: [(Key, u32); RECENT],
    few: Vec<u32>,
    /// The rows that caused the last stop.
    pub hits: Vec<u32>,
    /// The last stop is for a name that is not known yet ([`Sieve::learn`]).
    pub unknown: bool,
}

impl Default for Sieve {
    fn default() -> Sieve {
        Sieve {
            rows: BTreeMap::new(),
            wanted: Vec::new(),
            known: HashMap::new(),
            lists: Vec::new(),
            recent: [(NOBODY, 0); RECENT],
            few: Vec::new(),
            hits: Vec::new(),
            unknown: false,
        }
    }
}

impl Sieve {
    /// Whether there are no catchpoints.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
    /// Add a row under a number that the caller chooses, replacing any row with that number.
    pub fn insert(&mut self, number: u32, row: Row) {
        self.rows.insert(number, row);
        self.changed();
    }
    /// Remove a row.
    pub fn remove(&mut self, number: u32) {
        if self.rows.remove(&number).is_some() {
            self.changed();
        }
    }
    /// Have those that there are only count, or no longer. It may be nested.
    pub fn mute(&mut self, muted: bool) {
        for row in self.rows.values_mut() {
            row.muted = if muted {
                row.muted + 1
            } else {
                row.muted.saturating_sub(1)
            };
        }
    }
    /// What all have counted.
    pub fn counts(&self) -> Vec<Count> {
        let count = |(&number, r): (&u32, &Row)| Count {
            number,
            seen: r.seen,
            failed: r.failed,
            since: r.since,
        };
        self.rows.iter().map(count).collect()
    }
    /// Have those of `counts` go on from there. `others`: those that are not among them begin to count after so many instructions;
    /// None: they
    /// stay as they are.
    pub fn recount(&mut self, counts: &[Count], others: Option<u64>) {
        for (number, row) in &mut self.rows {
            match (counts.iter().find(|c| c.number == *number), others) {
                (Some(c), _) => (row.seen, row.failed, row.since) = (c.seen, c.failed, c.since),
                (None, Some(now)) => (row.seen, row.failed, row.since) = (0, 0, now),
                (None, None) => {}
            }
        }
    }
    fn changed(&mut self) {
        self.wanted = vec![0; (NUMBERS as usize).div_ceil(64)];
        for &class in self.rows.values().flat_map(|r| &r.classes) {
            let n = class.wrapping_sub(SYNC) as usize;
            if let Some(word) = self.wanted.get_mut(n / 64) {
                *word |= 1 << (n % 64);
            }
        }
        self.forget();
    }
    fn forget(&mut self) {
        self.known.clear();
        self.lists.clear();
        self.recent = [(NOBODY, 0); RECENT];
    }
    /// Whether some row wants a class.
    #[inline]
    pub fn wants(&self, number: u16) -> bool {
        let n = number.wrapping_sub(SYNC) as usize;
        self.wanted
            .get(n / 64)
            .is_some_and(|w| w >> (n % 64) & 1 != 0)
    }
    /// A bit for each class that some row wants, of exits and of the entries after them.
    pub fn wanted(&self) -> [u64; WANTED] {
        std::array::from_fn(|n| self.wanted.get(n).copied().unwrap_or(0))
    }
    /// Whether some row wants exceptions that are neither exits nor entries.
    pub fn wants_others(&self) -> bool {
        self.wanted.iter().skip(WANTED).any(|w| *w != 0)
    }

    /// Find the rows that may match an event. Returns false if there are none; otherwise [`Sieve::judge`] must follow.
    #[inline]
    pub fn sift(&mut self, e: &Event) -> bool {
        let key = key_of(e);
        let place =
            (key.0 ^ key.0 >> 6 ^ key.0 >> 17 ^ key.0 >> 31 ^ key.1 >> 11) as usize % RECENT;
        let (known, list) = self.recent[place];
        if known == key && self.lists[list as usize].misses(e) {
            return false;
        }
        self.sift_few(e, key, place)
    }

    fn sift_few(&mut self, e: &Event, key: Key, place: usize) -> bool {
        self.hits.clear();
        self.few.clear();
        self.unknown = false;
        let Some(&list) = self.known.get(&key) else {
            self.unknown = true;
            return true;
        };
        self.recent[place] = (key, list as u32);
        let known = &mut self.lists[list];
        self.few.extend(&known.plain);
        for (field, spans) in &mut known.by {
            if let Some(value) = e.get(*field) {
                self.few.extend(spans.at(value));
            }
        }
        let rows = &self.rows;
        self.few.retain(|n| {
            let inside = |&(f, low, high): &(Field, u64, u64)| {
                e.get(f).is_some_and(|v| low <= v && v <= high)
            };
            rows[n].ranges.iter().all(inside)
        });
        !self.few.is_empty()
    }

    /// Whether no exit from the same place ([`crate::account::Place`]) by the same controls can match either, after [`Sieve::sift`]
    /// returned false for one.
    pub fn misses_place(&self, e: &Event) -> bool {
        let Some(&list) = self.known.get(&key_of(e)) else {
            return false;
        };
        let known = &self.lists[list];
        known.plain.is_empty()
            && known.by.iter().all(|(field, spans)| match field {
                Field::Pc | Field::Vm | Field::Vmid | Field::Nr | Field::Intid => true,
                Field::Ipa => match e.get(Field::Ipa) {
                    Some(ipa) => spans.misses_all(ipa & !0xfff, ipa | 0xfff),
                    None => true,
                },
                _ => false,
            })
    }

    /// Decide which of the rows found by [`Sieve::sift`] match. Returns true if the machine must stop: for [`Sieve::hits`], or for a name
    /// that is not known yet ([`Sieve::unknown`]).
    pub fn judge(&mut self, e: &Event, eye: &mut dyn Eye) -> bool {
        if self.unknown {
            return true;
        }
        for n in &self.few {
            let row = self.rows.get_mut(n).expect("a row that was sifted");
            match row.condition.as_ref().map(|c| c.holds(e, eye)) {
                Some(Some(false)) => continue,
                Some(None) => {
                    row.failed += 1;
                    continue;
                }
                Some(Some(true)) | None => {}
            }
            if row.hit() && !row.silent && row.muted == 0 {
                self.hits.push(*n);
            }
        }
        !self.hits.is_empty()
    }

    /// Remember which rows match the name of an event and the controls that caused it.
    pub fn learn(&mut self, e: &Event, rows: &[u32]) {
        if self.known.len() >= MOST_NAMES {
            self.forget();
        }
        let mut list = Known::default();
        let mut by: Vec<(Field, Vec<(u64, u64, u32)>)> = Vec::new();
        for n in rows {
            let Some(row) = self.rows.get(n) else {
                continue;
            };
            if !row.classes.contains(&e.number()) {
                continue;
            }
            let Some(&(field, low, high)) = row.ranges.iter().min_by_key(|r| r.0 as u8) else {
                list.plain.push(*n);
                continue;
            };
            match by.iter_mut().find(|b| b.0 == field) {
                Some(b) => b.1.push((low, high, *n)),
                None => by.push((field, vec![(low, high, *n)])),
            }
        }
        list.by = by
            .into_iter()
            .map(|(f, rows)| (f, Spans::new(&rows)))
            .collect();
        self.known.insert(key_of(e), self.lists.len());
        self.lists.push(list);
    }
}

#[cfg(test)]
#[path = "sieve_tests.rs"]
mod tests;
