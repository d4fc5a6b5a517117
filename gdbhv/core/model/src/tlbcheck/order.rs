//! The order of TLBI, DSB, ISB and exception returns.

use super::alarm::{Alarm, Answer, By, Change, Executed, Use, Wrong};
use super::change::{covers, Narrow};
use super::{TlbCheck, MOST_TLBIS};
use crate::mmu::op::{Tlbi, What};

/// How close a TLBI comes to covering a change, by the reason why it does not.
fn nearness(why: Narrow) -> u8 {
    match why {
        Narrow::Regime => 0,
        Narrow::Stage2 => 1,
        Narrow::Address => 2,
        _ => 3,
    }
}

impl TlbCheck {
    /// Find the TLBI after a change that covers it, for the TLB of `cpu` (None: for all).
    pub(super) fn answer(&self, c: &Change, cpu: Option<usize>) -> Answer {
        let (old, since) = c.broken.map_or((c.old, c.tlbis), |b| (b.old, b.tlbis));
        let Some(skip) = since.checked_sub(self.forgotten) else {
            return Answer::Unknown;
        };
        let mut last = None;
        let (mut by_ipa, mut incomplete) = (false, None);
        for t in self.tlbis.iter().skip(skip as usize) {
            let local = !t.tlbi.broadcast && self.cpus > 1 && cpu.is_none_or(|cpu| cpu != t.by.cpu);
            let mut covered = covers(&t.tlbi, &c.reach, c.pa, old);
            match covered {
                Err(Narrow::Combined) => by_ipa = true,
                // First stage 2 entries by IPA, then entries that combine both stages.
                Err(Narrow::Stage2) if by_ipa && t.tlbi.what == What::All => covered = Ok(()),
                _ => {}
            }
            // A table that only one CPU uses needs no broadcast.
            if covered.is_ok() && local && self.names(&c.reach, Some(t.by.cpu)) {
                covered = Err(Narrow::Local);
            }
            match covered {
                Ok(()) if t.complete => return Answer::Complete,
                Ok(()) => incomplete = Some(*t),
                Err(why) if last.is_none_or(|(_, known)| nearness(why) >= nearness(known)) => {
                    last = Some((*t, why))
                }
                Err(_) => {}
            }
        }
        incomplete.map_or(Answer::No(last), Answer::Incomplete)
    }
    /// Note a TLBI by `by`.
    pub fn tlbi(&mut self, by: By, tlbi: Tlbi) {
        let executed = Executed {
            tlbi,
            by,
            complete: false,
        };
        let needed = if tlbi.broadcast && self.cpus > 1 {
            2
        } else {
            1
        };
        for pa in self.pes[by.cpu].stored.clone() {
            let Some(&c) = self.changes.get(&pa) else {
                continue;
            };
            if c.by.cpu != by.cpu || !c.kind.needs_tlbi() || c.dsb >= needed {
                continue;
            }
            if matches!(
                covers(&tlbi, &c.reach, pa, c.old),
                Ok(()) | Err(Narrow::Combined)
            ) {
                let (wrong, tlbi) = (Wrong::TlbiBeforeDsb, Some((executed, None)));
                self.alarm(Alarm {
                    wrong,
                    change: Some(c),
                    usage: None,
                    tlbi,
                    late: None,
                    count: 1,
                });
            }
        }
        for a in self
            .alarms
            .iter_mut()
            .filter(|a| a.late.is_none() && a.wrong == Wrong::Stale)
        {
            let covered = a.change.map(|c| {
                let old = c.broken.map_or(c.old, |b| b.old);
                covers(&tlbi, &c.reach, c.pa, old)
            });
            if matches!(covered, Some(Ok(()) | Err(Narrow::Combined))) {
                a.late = Some(executed);
            }
        }
        if self.tlbis.len() >= MOST_TLBIS {
            self.tlbis.pop_front();
            self.forgotten += 1;
        }
        self.tlbis.push_back(executed);
        let number = self.tlbis() - 1;
        let incomplete = &mut self.pes[by.cpu].incomplete;
        if incomplete.len() < MOST_TLBIS {
            incomplete.push(number);
        }
    }
    /// Note a DSB or an ISB by `cpu`.
    pub fn barrier(&mut self, cpu: usize, word: u32) {
        const DSB: u32 = 0xd503_309f;
        if word & 0xffff_f0ff != DSB {
            self.pes[cpu].synced += 1;
            return;
        }
        let crm = word >> 8 & 15;
        let (own, types) = (crm >> 2 == 1, crm & 3);
        if types < 2 {
            return; // loads alone, SSBB, PSSBB
        }
        let synced = self.pes[cpu].synced;
        let stored = std::mem::take(&mut self.pes[cpu].stored);
        for pa in &stored {
            if let Some(c) = self.changes.get_mut(pa).filter(|c| c.by.cpu == cpu) {
                c.dsb = c.dsb.max(if own { 1 } else { 2 });
                c.synced = synced;
            }
        }
        if own {
            self.pes[cpu].stored = stored;
        }
        if types == 3 {
            for n in std::mem::take(&mut self.pes[cpu].incomplete) {
                let at = n.checked_sub(self.forgotten).map(|n| n as usize);
                if let Some(t) = at.and_then(|n| self.tlbis.get_mut(n)) {
                    t.complete = !(own && t.tlbi.broadcast && self.cpus > 1);
                }
            }
        }
    }
    /// Note that `cpu` has taken an exception.
    pub fn synchronized(&mut self, cpu: usize) {
        self.pes[cpu].synced += 1;
    }
    /// Note an exception return by `by` to EL `to`.
    pub fn returned(&mut self, by: By, to: u8) {
        self.pes[by.cpu].synced += 1;
        if to >= by.el || self.pes[by.cpu].incomplete.is_empty() {
            return;
        }
        for n in std::mem::take(&mut self.pes[by.cpu].incomplete) {
            let at = n.checked_sub(self.forgotten).map(|n| n as usize);
            if let Some(&t) = at.and_then(|n| self.tlbis.get(n)) {
                let usage = Some(Use {
                    by,
                    va: by.pc,
                    purpose: "return",
                });
                let (wrong, tlbi) = (Wrong::ReturnBeforeDsb, Some((t, None)));
                self.alarm(Alarm {
                    wrong,
                    change: None,
                    usage,
                    tlbi,
                    late: None,
                    count: 1,
                });
            }
        }
    }
}
