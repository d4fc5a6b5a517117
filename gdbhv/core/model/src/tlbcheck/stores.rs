//! Stores to descriptors.

use super::alarm::{Alarm, Answer, Broken, By, Change, Wrong};
use super::change::{Kind, Reach, ADDRESS};
use super::{TlbCheck, MOST_CHANGES};
use crate::mem::ram::Ram;

/// Most stores of a PE without a DSB that are remembered.
const MOST_STORED: usize = 1 << 12;

/// Words of 8 bytes that DC ZVA makes zero.
const ZEROED: usize = 8;

impl TlbCheck {
    /// Note stores to words, given with their old values, by an instruction (None: from outside the machine). Returns true if TLBs may hold
    /// entries that are no longer in the tables.
    pub fn written(&mut self, ram: &Ram, words: &[(u64, u64)], by: Option<By>) -> bool {
        // DC ZVA is not used to unmap: the page was freed and is being cleared for another use.
        let zero = |(pa, _): &(u64, u64)| ram.read(*pa, 8) == Some(0);
        if by.is_some() && words.len() >= ZEROED && words.iter().all(zero) {
            self.pages.remove(&(words[0].0 & !0xfff));
            for (pa, _) in words {
                self.changes.remove(pa);
            }
            return true;
        }
        let mut again = false;
        for (pa, old) in words {
            again |= self.stored(ram, *pa, *old, by);
        }
        again
    }
    fn stored(&mut self, ram: &Ram, pa: u64, old: u64, by: Option<By>) -> bool {
        let (Some(&reach), Some(new)) = (self.pages.get(&(pa & !0xfff)), ram.read(pa, 8)) else {
            return false;
        };
        let Some(by) = by else {
            self.changes.remove(&pa); // whoever writes from outside invalidates TLBs, too
            return true;
        };
        if old == new {
            return false;
        }
        self.stores += 1;
        let kind = Kind::of(&reach, old, new, self.sizes);
        let before = self.changes.get(&pa).copied();
        let live = self.live(ram, pa);
        let same = |b: &Change| b.live && live && b.reach.is(&reach);
        let broken = before.filter(|b| kind == Kind::Make && b.kind == Kind::Break && same(b));
        let change = Change {
            pa,
            old,
            new,
            kind,
            reach,
            by,
            broken: broken.map(|b| Broken {
                old: b.old,
                by: b.by,
                tlbis: b.tlbis,
            }),
            live,
            tlbis: self.tlbis(),
            dsb: 0,
            synced: self.pes[by.cpu].synced,
            used: !by.on, // before the MMU is on, nothing is late
        };
        if kind != Kind::Other || before.is_none_or(|b| b.kind == Kind::Other) {
            if self.changes.len() >= MOST_CHANGES {
                self.changes.clear();
            }
            self.changes.insert(pa, change);
            let stored = &mut self.pes[by.cpu].stored;
            if stored.len() < MOST_STORED {
                stored.push(pa);
            }
        }
        self.check_order(change, broken);
        kind.needs_tlbi()
    }
    /// Check the rules of break-before-make for a change.
    fn check_order(&mut self, change: Change, broken: Option<Change>) {
        let alarm = |wrong, tlbi| Alarm {
            wrong,
            change: Some(change),
            usage: None,
            tlbi,
            late: None,
            count: 1,
        };
        if matches!(change.kind, Kind::Replace(_)) && change.live {
            self.alarm(alarm(Wrong::BreakBeforeMake, None));
        }
        // Making the same descriptor valid again changes nothing for a TLB.
        let other = |b: &Change| Kind::of(&change.reach, b.old, change.new, self.sizes);
        let Some(b) = broken.filter(|b| matches!(other(b), Kind::Replace(_))) else {
            return;
        };
        match self.answer(&b, None) {
            Answer::Complete | Answer::Unknown => {}
            Answer::Incomplete(t) if t.by.cpu != change.by.cpu => {}
            Answer::Incomplete(t) => self.alarm(alarm(Wrong::MadeBeforeDsb, Some((t, None)))),
            Answer::No(t) => {
                let nearest = t.map(|(t, why)| (t, Some(why)));
                self.alarm(alarm(Wrong::MadeBeforeTlbi, nearest));
            }
        }
    }
    /// Whether the descriptor at `pa` is still in tables that are in use: each table descriptor above it is unchanged, and the first
    /// table is
    /// in a register or belongs to stage 2 (a VM that is not executing still has its translations).
    fn live(&mut self, ram: &Ram, pa: u64) -> bool {
        let mut page = pa & !0xfff;
        for _ in 0..6 {
            let Some(&reach) = self.pages.get(&page) else {
                return false;
            };
            let Some((parent, address)) = reach.parent else {
                return reach.stage == 2 || self.names(&reach, None);
            };
            let now = ram.read(parent, 8).unwrap_or(0);
            if now & 3 != 3 || now & ADDRESS != address {
                self.pages.remove(&(pa & !0xfff));
                return false;
            }
            page = parent & !0xfff;
        }
        false
    }
    /// Whether the registers of some CPU (except `but`) point to the tables that a descriptor is in.
    pub(super) fn names(&self, reach: &Reach, but: Option<usize>) -> bool {
        let mut bases = self.bases.iter().enumerate();
        bases.any(|(cpu, b)| Some(cpu) != but && b.has(reach))
    }
}
