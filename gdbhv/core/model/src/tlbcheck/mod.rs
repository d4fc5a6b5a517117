//! The TLB checker. It checks how software maintains its translation tables: stores to descriptors, TLBI, DSB, ISB, and uses of stale TLB
//! entries.
//!
//! A page belongs to translation tables once a walk has fetched a descriptor from it. A store to a descriptor is a [`Change`]. An error
//! found is an [`Alarm`]. None of this is state of the machine: it begins empty whenever the checker is switched on.
//!
//! What is an alarm (Arm ARM D8.16, D8.17, B2.3.12):
//!
//! * a valid descriptor becomes another valid one where break-before-make is required, or is made again before a TLBI has covered
//!   what it was, or before a DSB has completed that TLBI;
//! * a translation is used that the tables do not have any more: by the PE that changed them, after its exception return or at the
//!   same exception level;
//!   by another, or another process, if no TLBI follows within [`PATIENCE`] instructions (software may break, and invalidate a little
//!   later);
//! * a TLBI follows a store to a descriptor that it is for without a DSB between them, or an exception return to a lower level comes
//!   before the DSB that completes it;
//! * a PE uses a descriptor that it has made itself before a DSB, or in its own regime before an ISB after that.

pub mod alarm;
pub mod change;
mod order;
mod stores;

use crate::cpu::{Cpu, MAX_CPUS};
use crate::mmu::kind::RegimeKind;
use crate::mmu::regime::Regime;
use crate::mmu::walk::{Found, Step};
use crate::reg::names::*;
use alarm::{Alarm, Answer, By, Change, Executed, Use, Wrong};
use change::{Kind, Reach, ADDRESS};
use std::collections::{HashMap, VecDeque};

/// Instructions of the machine after a use of a stale translation by another CPU or process than the one that changed the tables, within
/// which a TLBI counts as late and not as missing.
pub const PATIENCE: u64 = 2_000_000;

/// Most pages of tables that are kept. The next ones limit changes, alarms and TLBIs.
const MOST_PAGES: usize = 1 << 18;
const MOST_CHANGES: usize = 1 << 18;
const MOST_ALARMS: usize = 256;
const MOST_TLBIS: usize = 1 << 14;

/// The base addresses of tables in a CPU's registers: of EL1, of EL2, and of stage 2.
#[derive(Clone, Copy, Default)]
struct Bases([[u64; 2]; 3]);

impl Bases {
    fn of(cpu: &Cpu) -> Bases {
        let page = |r| cpu.get(r) & ADDRESS;
        Bases([
            [page(TTBR0_EL1), page(TTBR1_EL1)],
            [page(TTBR0_EL2), page(TTBR1_EL2)],
            [page(VTTBR_EL2); 2],
        ])
    }
    fn has(&self, r: &Reach) -> bool {
        let row = match (r.stage, r.kind) {
            (2, _) => 2,
            (_, RegimeKind::El10) => 0,
            _ => 1,
        };
        self.0[row].contains(&r.root)
    }
}

#[derive(Clone, Default)]
struct PeState {
    /// Number of context synchronization events.
    synced: u64,
    /// Descriptors that it has stored to since its last shareable DSB.
    stored: Vec<u64>,
    /// Numbers of its TLBIs since its last DSB.
    incomplete: Vec<u64>,
}

/// The checker's state.
pub struct TlbCheck {
    sizes: bool,
    cpus: usize,
    pages: HashMap<u64, Reach>,
    fresh: Vec<u64>,
    changes: HashMap<u64, Change>,
    pes: Vec<PeState>,
    /// By CPU: the tables that its registers name, as of its last turn.
    bases: Vec<Bases>,
    tlbis: VecDeque<Executed>,
    /// Number of TLBIs that are not kept any more.
    forgotten: u64,
    suspects: Vec<(Change, Use)>,
    /// The errors found.
    pub alarms: Vec<Alarm>,
    /// Number of stores that changed descriptors.
    pub stores: u64,
    /// Number of uses of translations that are no longer in the tables, whether or not they are errors.
    pub stale_uses: u64,
}

impl TlbCheck {
    /// Make a checker for a machine of `cpus` CPUs; `sizes`: it has FEAT_BBM.
    pub fn new(cpus: usize, sizes: bool) -> TlbCheck {
        TlbCheck {
            sizes,
            cpus,
            pages: HashMap::new(),
            fresh: Vec::new(),
            changes: HashMap::new(),
            pes: vec![PeState::default(); MAX_CPUS],
            bases: vec![Bases::default(); MAX_CPUS],
            tlbis: VecDeque::new(),
            forgotten: 0,
            suspects: Vec::new(),
            alarms: Vec::new(),
            stores: 0,
            stale_uses: 0,
        }
    }

    /// Take the pages of tables that were found since the last call.
    pub fn take_fresh(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.fresh)
    }
    /// The last change of the descriptor at `pa`.
    pub fn change(&self, pa: u64) -> Option<&Change> {
        self.changes.get(&pa)
    }
    /// Number of TLBIs so far.
    pub fn tlbis(&self) -> u64 {
        self.forgotten + self.tlbis.len() as u64
    }
    /// Number of pages of tables that are known.
    pub fn table_pages(&self) -> usize {
        self.pages.len()
    }

    fn alarm(&mut self, new: Alarm) {
        let place = |a: &Alarm| {
            let change = a.change.map(|c| c.by.pc);
            let tlbi = a.tlbi.map(|t| t.0.by.pc);
            (
                a.wrong,
                change,
                a.usage.map(|u| u.by.el),
                tlbi.filter(|_| change.is_none()),
            )
        };
        if let Some(known) = self.alarms.iter_mut().find(|a| place(a) == place(&new)) {
            known.count += 1;
        } else if self.alarms.len() < MOST_ALARMS {
            self.alarms.push(new);
        }
    }

    // --- walks

    /// Note that `cpu` has walked the tables for `va` in regime `r`, with these steps.
    pub fn walked(
        &mut self,
        cpu: &Cpu,
        by: By,
        r: &Regime,
        va: u64,
        purpose: &'static str,
        steps: &[Step],
    ) {
        let mut above: [Option<Step>; 3] = [None; 3];
        let mut root = [0; 3];
        for (n, s) in steps.iter().enumerate() {
            let stage = s.stage as usize;
            let goes_on =
                above[stage].is_some_and(|a| a.found == Found::Table && a.for_s1 == s.for_s1);
            if !goes_on {
                (above[stage], root[stage]) = (None, s.address & !0xfff);
            }
            if let Some(input) = input(r, va, steps, n) {
                let granule = if stage == 1 {
                    r.range(va).granule
                } else {
                    r.s2.map_or(crate::mmu::kind::Granule::K4, |t| t.granule)
                };
                let g = granule.bits();
                let shift = g + (3 - s.level) as u32 * (g - 3);
                let first = input >> shift << shift;
                let reach = Reach {
                    stage: s.stage,
                    kind: r.kind,
                    vmid: r.vmid,
                    asid: r.asid,
                    level: s.level,
                    base: first.wrapping_sub((s.pa & 0xfff) / 8 << shift),
                    shift,
                    root: root[stage],
                    parent: above[stage].map(|a| (a.pa, a.value & ADDRESS)),
                    granule,
                    wide: s.wide,
                };
                self.found(s.pa & !0xfff, reach);
            }
            self.first_use(cpu, by, va, purpose, s);
            above[stage] = Some(*s);
        }
    }
    fn found(&mut self, page: u64, reach: Reach) {
        if self.pages.len() >= MOST_PAGES && !self.pages.contains_key(&page) {
            return;
        }
        if self.pages.insert(page, reach).is_none() {
            self.fresh.push(page);
        }
    }
    /// Check the first use by a PE of a descriptor that it may have written itself: it may come too early.
    fn first_use(&mut self, cpu: &Cpu, by: By, va: u64, purpose: &'static str, s: &Step) {
        let synced = self.pes[cpu.id].synced;
        let Some(c) = self.changes.get_mut(&s.pa) else {
            return;
        };
        if c.used || c.by.cpu != cpu.id || c.kind != Kind::Make {
            return;
        }
        c.used = true;
        let own = c.reach.stage == 1 && c.by.el == by.el;
        let process = s.found != Found::Table && c.reach.local(c.new);
        // If a process sees its new mapping late, it takes a fault that its kernel handles; Linux relies on that.
        let wrong = if own && !process || c.reach.stage == 2 && c.by.el > by.el {
            match (c.dsb, own && synced <= c.synced) {
                (0, _) => Wrong::UsedBeforeDsb,
                (_, true) => Wrong::UsedBeforeIsb,
                _ => return,
            }
        } else {
            return;
        };
        let change = Some(*c);
        let usage = Some(Use { by, va, purpose });
        self.alarm(Alarm {
            wrong,
            change,
            usage,
            tlbi: None,
            late: None,
            count: 1,
        });
    }

    /// Note the tables that the registers of `cpu` point to.
    pub fn look_at(&mut self, cpu: &Cpu) {
        self.bases[cpu.id] = Bases::of(cpu);
    }

    // --- uses of TLB entries

    /// Note the use of a translation that a walk with these steps does not find.
    pub fn stale(&mut self, usage: Use, steps: &[Step]) {
        self.stale_uses += 1;
        let mut changes = steps.iter().filter_map(|s| self.changes.get(&s.pa));
        let responsible = |c: &&Change| c.kind.needs_tlbi() || c.broken.is_some();
        let Some(&c) = changes.find(responsible) else {
            return;
        };
        if !matches!(self.answer(&c, Some(usage.by.cpu)), Answer::No(_)) {
            return; // the TLB of this model had it again, by a walk before the tables changed back
        }
        let own = c.by.cpu == usage.by.cpu;
        if own && (c.by.el == usage.by.el || c.reach.stage == 2 && c.by.el > usage.by.el) {
            self.stale_alarm(c, usage);
        } else if self.suspects.len() < MOST_ALARMS && !self.suspects.iter().any(|s| s.0.pa == c.pa)
        {
            self.suspects.push((c, usage));
        }
    }
    fn stale_alarm(&mut self, c: Change, usage: Use) {
        if let Answer::No(t) = self.answer(&c, Some(usage.by.cpu)) {
            let tlbi = t.map(|(t, why)| (t, Some(why)));
            let (change, usage) = (Some(c), Some(usage));
            self.alarm(Alarm {
                wrong: Wrong::Stale,
                change,
                usage,
                tlbi,
                late: None,
                count: 1,
            });
        }
    }
    /// Raise an alarm for each stale use that has waited too long for a TLBI, at tick `now`.
    pub fn ripen(&mut self, now: u64) {
        if self
            .suspects
            .first()
            .is_some_and(|s| now > s.1.by.now + PATIENCE)
        {
            let (c, usage) = self.suspects.remove(0);
            self.stale_alarm(c, usage);
        }
    }
    /// Number of stale uses that become alarms if no TLBI follows.
    pub fn waiting(&self) -> usize {
        let open =
            |s: &&(Change, Use)| matches!(self.answer(&s.0, Some(s.1.by.cpu)), Answer::No(_));
        self.suspects.iter().filter(open).count()
    }
}

/// The input address of step `n` of a walk for `va`; None: the walk ended before the descriptor that the step was for.
fn input(r: &Regime, va: u64, steps: &[Step], n: usize) -> Option<u64> {
    let s = &steps[n];
    if s.stage == 1 {
        return Some(va);
    }
    if let Some(level) = s.for_s1 {
        let next = steps[n..].iter().find(|t| t.stage == 1 && t.level == level);
        return next.map(|t| t.address);
    }
    match steps[..n].iter().rev().find(|t| t.stage == 1) {
        Some(t) => Some(t.output),
        None => (!r.s1.on).then(|| r.untag(va, false)),
    }
}
