//! Which of the pending interrupts a CPU is signalled, on which of its lines.

use super::{dist, irq, Derived, Gic, Irq, Lines, Pe, Pending, Version, PRIVATE};

impl Gic {
    /// The highest-priority pending interrupt of the groups that are enabled, whether or not it may be signalled now.
    pub(super) fn best(&mut self, cpu: usize) -> Option<Pending> {
        self.lines(cpu);
        self.derived[cpu].best
    }
    pub(super) fn signalled(&mut self, cpu: usize) -> Option<Pending> {
        let best = self.best(cpu);
        best.filter(|p| self.state.pe[cpu].icc.signals(p))
    }

    /// The same without remembering it.
    pub(super) fn first_of(&self, cpu: usize) -> Option<Pending> {
        self.select(cpu, self.spis(cpu))
    }
    pub(super) fn derive(&mut self, cpu: usize) {
        if self.derived[cpu].spis_dirty {
            self.derived[cpu].spis = self.spis(cpu);
        }
        let spis = self.derived[cpu].spis;
        let best = self.select(cpu, spis);
        let pe = &self.state.pe[cpu];
        let signalled = best.filter(|p| pe.icc.signals(p));
        let guest = pe.hyp.signalled();
        self.derived[cpu] = Derived {
            dirty: false,
            spis_dirty: false,
            spis,
            best,
            lines: Lines {
                irq: signalled.is_some_and(|p| p.group1 || !pe.icc.fiq_en),
                fiq: signalled.is_some_and(|p| !p.group1 && pe.icc.fiq_en),
                virq: guest.is_some_and(|(_, p)| p.group1 || !pe.hyp.icv.fiq_en),
                vfiq: guest.is_some_and(|(_, p)| !p.group1 && pe.hyp.icv.fiq_en),
            },
        };
    }
    /// Who takes an interrupt that is for any PE (3.3.2, the 1 of N model): one that is awake, has its group enabled and does not
    /// want to be spared; the choice among them is the GIC's: the first that would be signalled it now, else the first.
    fn taker(&self, i: &Irq) -> Option<usize> {
        let group = i.group1 as usize;
        let p = Pending {
            intid: 0,
            priority: i.priority,
            group1: i.group1,
        };
        let pes = || self.state.pe.iter().enumerate();
        let willing = |pe: &Pe| pe.icc.enabled[group] && !pe.spared[group];
        let awake = |pe: &Pe| pe.waker == 0 && willing(pe);
        let wakes = self.state.ctlr & dist::E1NWF != 0;
        let first = pes().find(|(_, pe)| awake(pe) && pe.icc.signals(&p));
        let first = first.or_else(|| pes().find(|(_, pe)| awake(pe)));
        let first = first.or_else(|| pes().find(|(_, pe)| wakes && willing(pe)));
        first.map(|(cpu, _)| cpu)
    }
    /// The SPIs of either group that are enabled, pending, not active and routed here, and would be first.
    fn spis(&self, cpu: usize) -> [Option<Pending>; 2] {
        let here = |i: &Irq| {
            if self.version == Version::V2 {
                // A mask of targets; with one CPU there is nothing to say. Of several, the first to acknowledge has it.
                return self.state.pe.len() == 1 || i.route >> cpu & 1 != 0;
            }
            i.route == cpu as u64 || i.route & irq::ANY != 0 && self.taker(i) == Some(cpu)
        };
        let mut first = [None; 2];
        for (n, i) in self.state.spi.iter().enumerate() {
            if wants(i) && here(i) {
                let p = pending(n + PRIVATE, i);
                let of_group = &mut first[i.group1 as usize];
                *of_group = (*of_group)
                    .into_iter()
                    .chain([p])
                    .min_by_key(Pending::order);
            }
        }
        first
    }
    /// Of what is enabled, pending, not active, here, in a group that the Distributor and this CPU interface enable: the highest priority, of
    /// equals the lowest INTID.
    fn select(&self, cpu: usize, spis: [Option<Pending>; 2]) -> Option<Pending> {
        let pe = &self.state.pe[cpu];
        let groups = [0, 1].map(|g| self.state.ctlr >> g & 1 != 0 && pe.icc.enabled[g]);
        if groups == [false, false] {
            return None;
        }
        let private = pe.private.iter().enumerate();
        let private = private
            .filter(|(_, i)| wants(i))
            .map(|(n, i)| pending(n, i));
        let lpi = if groups[1] { self.best_lpi(cpu) } else { None };
        let all = private.chain(spis.into_iter().flatten()).chain(lpi);
        all.filter(|p| groups[p.group1 as usize])
            .min_by_key(Pending::order)
    }
}

/// Whether there is an interrupt to be signalled.
fn wants(i: &Irq) -> bool {
    i.enabled && i.pending() && !i.active
}

fn pending(n: usize, i: &Irq) -> Pending {
    Pending {
        intid: n as u32,
        priority: i.priority,
        group1: i.group1,
    }
}
