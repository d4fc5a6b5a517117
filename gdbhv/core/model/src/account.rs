//! Counts and exact durations of exits: for each place in a guest that exits, the instructions that the guest had executed since its
//! entry, those that the hypervisor executed until the next entry, and the virtual time until the vCPU was entered again.
//!
//! A row is a place: VM, vCPU, class, sub-reason, hypercall, PC and IPA page. Every statistic (by class, by page, by VM) is a sum of
//! rows, and a percentile is taken from the sum of their distributions, so that an exit costs one look-up.

use crate::cpu::MAX_CPUS;
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Most kinds of exits that are counted separately: a guest may cause one for each immediate of HVC, with each of 65,536 VMIDs.
pub const MOST_KINDS: usize = 4096;

/// Most places that are distinguished; exits from further ones are counted by kind alone.
pub const MOST_PLACES: usize = 8192;

/// Most vCPUs whose waiting time is measured.
const MOST_AWAY: usize = 4096;

/// Values below this have a bucket each.
const EXACT: u64 = 32;

/// Buckets of each power of two above [`EXACT`]: a value is known to 1/32 of itself.
const PARTS: u32 = 16;

/// A distribution: log-linear, exact below [`EXACT`] and for up to two values.
#[derive(Clone, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Spread {
    /// Number of values.
    pub count: u64,
    /// Their sum.
    pub total: u64,
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// Number of values in each bucket, up to the last that has any; empty for up to two values.
    buckets: Vec<u64>,
}

impl Spread {
    /// Number of buckets.
    pub const BUCKETS: usize = EXACT as usize + (64 - EXACT.ilog2() as usize) * PARTS as usize;
    /// The bucket of a value.
    fn bucket(v: u64) -> usize {
        if v < EXACT {
            return v as usize;
        }
        let octave = v.ilog2();
        let part = (v >> (octave - PARTS.ilog2())) as u32 & (PARTS - 1);
        EXACT as usize + ((octave - EXACT.ilog2()) * PARTS + part) as usize
    }
    /// The first and the last value of a bucket.
    pub fn bounds(bucket: usize) -> (u64, u64) {
        let b = bucket as u64;
        if b < EXACT {
            return (b, b);
        }
        let (octave, part) = ((b - EXACT) / PARTS as u64, (b - EXACT) % PARTS as u64);
        let width = 1 << (octave + 1); // of the octave that begins at EXACT: 2
        let low = (EXACT << octave) + part * width;
        (low, low + (width - 1))
    }
    /// Add a value.
    #[inline]
    pub fn add(&mut self, v: u64) {
        if self.count == 0 {
            (self.min, self.max) = (v, v);
        } else if self.count >= 2 {
            if self.count == 2 {
                self.put(self.min);
                self.put(self.max);
            }
            self.put(v);
        }
        self.min = self.min.min(v);
        self.max = self.max.max(v);
        self.count += 1;
        self.total = self.total.wrapping_add(v);
    }
    #[inline]
    fn put(&mut self, v: u64) {
        let n = Self::bucket(v);
        if n >= self.buckets.len() {
            self.buckets.resize(n + 1, 0);
        }
        self.buckets[n] += 1;
    }
    /// The buckets that have values, with the number of values in each.
    pub fn filled(&self) -> Vec<(usize, u64)> {
        match self.count {
            0 => vec![],
            1 => vec![(Self::bucket(self.min), 1)],
            2 => vec![(Self::bucket(self.min), 1), (Self::bucket(self.max), 1)],
            _ => {
                let all = self.buckets.iter().copied().enumerate();
                all.filter(|b| b.1 != 0).collect()
            }
        }
    }
}

/// What is always counted separately: number of the VM, VMID, class, and the key of the sub-reason (`exit::Record::key`).
pub type Kind = (u16, u16, u16, u32);

/// A vCPU: number of its VM (0: code outside any VM) and its number in it.
pub type Who = (u16, u16);

/// Where an exit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Place {
    /// Kind of the exit.
    pub kind: Kind,
    /// Number of the vCPU in its VM.
    pub vcpu: u16,
    /// Function identifier of a hypercall.
    pub call: Option<u32>,
    /// PC; None: there was no room for it.
    pub pc: Option<u64>,
    /// Page of the IPA, as a number of 4 KiB.
    pub page: Option<u64>,
}

/// A place in 32 bytes, for fast comparison: VM, VMID, class and vCPU; key and call; PC; page, with flags for absent fields above it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Packed([u64; 4]);

const NO_CALL: u64 = 1 << 61;
const NO_PC: u64 = 1 << 62;
const NO_PAGE: u64 = 1 << 63;

impl Place {
    #[inline]
    fn packed(&self) -> Packed {
        let (vm, vmid, class, key) = self.kind;
        let absent = |there: bool, bit: u64| if there { 0 } else { bit };
        Packed([
            (vm as u64) << 48 | (vmid as u64) << 32 | (class as u64) << 16 | self.vcpu as u64,
            (key as u64) << 32 | self.call.unwrap_or(0) as u64,
            self.pc.unwrap_or(0),
            self.page.unwrap_or(0)
                | absent(self.call.is_some(), NO_CALL)
                | absent(self.pc.is_some(), NO_PC)
                | absent(self.page.is_some(), NO_PAGE),
        ])
    }
}

impl Packed {
    #[inline]
    fn mixed(&self) -> u64 {
        let [a, b, c, d] = self.0;
        let one = (a ^ c.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let two = (b.rotate_left(7) ^ d).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        let mixed = one ^ two.rotate_left(29);
        mixed ^ mixed >> 32
    }
}

impl Hash for Packed {
    #[inline]
    fn hash<H: Hasher>(&self, to: &mut H) {
        to.write_u64(self.mixed());
    }
}

/// A cache of the places found last, by low bits of their hash: guests exit at few places again and again.
struct Recent(Box<[(Packed, u32); RECENT]>);

const RECENT: usize = 64;

impl Default for Recent {
    fn default() -> Recent {
        Recent(Box::new([(Packed([u64::MAX; 4]), NO_ROW); RECENT]))
    }
}

/// A hasher for [`Packed`], whose bits are already mixed. A guest that provokes collisions only slows itself down.
#[derive(Default)]
pub struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a place is one word");
    }
    #[inline]
    fn write_u64(&mut self, v: u64) {
        self.0 = v;
    }
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// The exits from one place.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Row {
    /// The place.
    pub place: Place,
    /// Number of exits.
    pub count: u64,
    /// Instructions that the guest executed between its entry and the exit.
    pub guest: Spread,
    /// Instructions that the CPU executed in the hypervisor until the next entry.
    pub host: Spread,
    /// Virtual time in nanoseconds until the vCPU was entered again.
    pub away: Spread,
    /// Of `host`, with nested virtualization (HCR_EL2.NV): instructions for exits of the hypervisor at EL1 to which this exit was
    /// forwarded.
    pub nested: Spread,
}

/// An exit that has not been followed by an entry yet.
#[derive(Clone, Copy, Debug, BorshSerialize, BorshDeserialize)]
struct Open {
    row: u32,
    who: Who,
    insns: u64,
    ns: u64,
    /// It came from a hypervisor at EL1.
    nv: bool,
}

/// By vCPU: the exit since which it waits, while its CPU has entered another vCPU.
#[derive(Clone, Copy, Debug, BorshSerialize, BorshDeserialize)]
struct Waiting {
    row: u32,
    ns: u64,
    cpu: usize,
    /// Instructions of the hypervisor since then for exits of a hypervisor at EL1, and the number of those exits.
    nested: (u64, u64),
}

/// The number of a row that does not exist, because the table was full.
const NO_ROW: u32 = u32::MAX;

/// The accounts of a machine.
#[derive(Default, BorshSerialize, BorshDeserialize)]
pub struct Accounts {
    /// The rows, in the order in which the places were found.
    pub rows: Vec<Row>,
    /// Number of exits of kinds that did not fit in the table.
    pub further: u64,
    kinds: HashSet<Kind>,
    #[borsh(skip)]
    index: HashMap<Packed, u32, BuildHasherDefault<Mixed>>,
    #[borsh(skip)]
    recent: Recent,
    /// By CPU: the exit that is being handled.
    open: [Option<Open>; MAX_CPUS],
    /// By CPU: its count of instructions at its last entry of a guest; None: it is handling an exit.
    inside: [Option<u64>; MAX_CPUS],
    /// The vCPUs that wait since an exit while their CPU has entered another.
    waiting: BTreeMap<Who, Waiting>,
}

impl Accounts {
    /// Count an exit of `who` on `cpu` from `place`, at `insns` instructions of the CPU and `ns` nanoseconds. Returns its row.
    #[inline]
    pub fn exited(
        &mut self,
        cpu: usize,
        (who, nv): (Who, bool),
        place: Place,
        insns: u64,
        ns: u64,
    ) -> u32 {
        let row = self.row(place);
        if row != NO_ROW {
            let r = &mut self.rows[row as usize];
            r.count += 1;
            if let Some(begin) = self.inside[cpu] {
                r.guest.add(insns.wrapping_sub(begin));
            }
        }
        self.inside[cpu] = None;
        if let Some(before) = self.open[cpu] {
            self.wait(cpu, before); // the hypervisor has left it without an exception return that was seen
        }
        self.open[cpu] = Some(Open {
            row,
            who,
            insns,
            ns,
            nv,
        });
        row
    }

    /// Note that `cpu` has entered `who`. If an exit came before: the instructions of the hypervisor and the nanoseconds since then.
    #[inline]
    pub fn entered(&mut self, cpu: usize, who: Who, insns: u64, ns: u64) -> Option<(u64, u64)> {
        self.inside[cpu] = Some(insns);
        let open = self.open[cpu].take();
        if let Some(o) = open.filter(|o| o.nv && !self.waiting.is_empty()) {
            self.nest(cpu, o.who, insns.wrapping_sub(o.insns));
        }
        self.settle(cpu, open, who, insns, ns);
        open.map(|o| (insns.wrapping_sub(o.insns), ns.saturating_sub(o.ns)))
    }

    #[inline]
    fn settle(&mut self, cpu: usize, open: Option<Open>, who: Who, insns: u64, ns: u64) {
        match open {
            Some(o) => {
                if let Some(r) = self.rows.get_mut(o.row as usize) {
                    r.host.add(insns.wrapping_sub(o.insns));
                    if o.who == who {
                        r.away.add(ns.saturating_sub(o.ns));
                        return;
                    }
                }
                if o.who != who {
                    self.wait(cpu, o);
                    self.resumed(who, ns);
                }
            }
            None => self.resumed(who, ns),
        }
    }

    #[cold]
    fn wait(&mut self, cpu: usize, o: Open) {
        if self.waiting.len() < MOST_AWAY {
            let (row, ns, nested) = (o.row, o.ns, (0, 0));
            let w = Waiting {
                row,
                ns,
                cpu,
                nested,
            };
            self.waiting.insert(o.who, w);
        }
    }

    /// Add `insns` instructions, executed for an exit of the nested hypervisor `who`, to the exits of its guests that wait on this CPU
    /// for it to handle them.
    #[cold]
    fn nest(&mut self, cpu: usize, who: Who, insns: u64) {
        for (other, w) in &mut self.waiting {
            if w.cpu == cpu && *other != who {
                w.nested = (w.nested.0 + insns, w.nested.1 + 1);
            }
        }
    }

    /// Note that `who` is entered again, on another CPU than before or after another vCPU ran there.
    #[cold]
    fn resumed(&mut self, who: Who, ns: u64) {
        let waited = self.waiting.remove(&who);
        let nested = waited.map_or((0, 0), |w| w.nested);
        let mut since = waited.map(|w| (w.row, w.ns));
        for o in self.open.iter_mut().flatten().filter(|o| o.who == who) {
            since = Some((o.row, o.ns));
            o.who = (u16::MAX, u16::MAX); // nobody waits for that entry any more
        }
        if let Some((row, at)) = since {
            if let Some(r) = self.rows.get_mut(row as usize) {
                r.away.add(ns.saturating_sub(at));
                if nested.1 != 0 {
                    r.nested.add(nested.0);
                }
            }
        }
    }

    #[inline]
    fn row(&mut self, place: Place) -> u32 {
        let packed = place.packed();
        let recent = packed.mixed() as usize % RECENT;
        let (known, row) = self.recent.0[recent];
        if known == packed {
            return row;
        }
        let row = match self.index.get(&packed) {
            Some(&row) => row,
            None => self.new_row(place),
        };
        if row != NO_ROW {
            self.recent.0[recent] = (packed, row);
        }
        row
    }

    #[cold]
    fn new_row(&mut self, place: Place) -> u32 {
        if !self.kinds.contains(&place.kind) {
            if self.kinds.len() >= MOST_KINDS {
                self.further += 1;
                return NO_ROW;
            }
            self.kinds.insert(place.kind);
        }
        let fits = self.rows.len() < MOST_PLACES;
        let place = match fits {
            true => place,
            false => Place {
                vcpu: 0,
                call: None,
                pc: None,
                page: None,
                ..place
            },
        };
        if let Some(&row) = self.index.get(&place.packed()) {
            return row;
        }
        let row = self.rows.len() as u32;
        self.rows.push(Row {
            place,
            count: 0,
            guest: Spread::default(),
            host: Spread::default(),
            away: Spread::default(),
            nested: Spread::default(),
        });
        self.index.insert(place.packed(), row);
        row
    }

    /// Number of exits of each kind.
    pub fn counts(&self) -> BTreeMap<Kind, u64> {
        let mut counts = BTreeMap::new();
        for r in &self.rows {
            *counts.entry(r.place.kind).or_insert(0) += r.count;
        }
        counts
    }

    /// Forget what was counted.
    pub fn clear(&mut self) {
        *self = Accounts {
            inside: self.inside,
            ..Accounts::default()
        };
    }

    /// Forget which vCPUs execute or wait, at a reset. Counts stay.
    pub fn forget_guests(&mut self) {
        self.open = Default::default();
        self.inside = Default::default();
        self.waiting.clear();
    }

    /// Recompute what is derived, after a load. Returns false if the loaded bytes were damaged.
    pub fn complete(&mut self) -> bool {
        let rows = self.rows.iter().enumerate();
        self.index = rows.map(|(n, r)| (r.place.packed(), n as u32)).collect();
        self.rows.len() <= MOST_PLACES + MOST_KINDS && self.kinds.len() <= MOST_KINDS
    }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
