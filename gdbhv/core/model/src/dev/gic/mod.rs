//! GICv3, one Security state, affinity routing, LPIs with an ITS: the interrupt controller of the board.
//!
//! Interrupts wait in [`irq::Irq`]s: 32 private ones (SGIs and PPIs) for each CPU, and the shared ones (SPIs). `dist.rs` and `redist.rs` show
//! them in memory; `cpuif.rs` picks, acknowledges and ends them for the CPU that they are for; `hyp.rs` does the same for a
//! guest, with list registers in the place of the Redistributor. LPIs (`lpi.rs`) come from the Interrupt Translation Service (`its`),
//! and live in memory: what an access leaves to do there, [`Gic::service`] does right after it. What changes marks the CPU dirty, and [`Gic::lines`] then
//! works out anew which of the four signals the PE sees.
//!
//! Source: Arm Generic Interrupt Controller Architecture Specification, GICv3 and GICv4 (IHI 0069).

mod choose;
pub mod cpuif;
mod dist;
pub mod hyp;
#[cfg(test)]
mod hyp_tests;
mod ids;
pub mod irq;
pub mod its;
pub mod lives;
pub mod lpi;
mod redist;
#[cfg(test)]
mod tests;
pub mod v2;

use crate::reg::names::*;
use crate::reg::Reg;
use crate::save::{put, take, Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};
use cpuif::Interface;
use hyp::Hyp;
use irq::Irq;
use lives::Lives;
use lpi::{Configs, Lpis, Work};

pub use crate::raise::Lines;
pub use redist::STRIDE as REDIST_STRIDE;

/// CPUs at most.
pub const PES: usize = 8;
/// INTIDs of SGIs and PPIs: 0 to 31.
pub const PRIVATE: usize = 32;
/// INTIDs in all.
pub const INTIDS: usize = 288;
/// The PPI of the maintenance interrupt.
pub const MAINTENANCE: u32 = 25;

/// Which architecture's registers show the interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// GICv2: everything in memory.
    V2,
    /// GICv3 with system registers.
    V3,
}

/// Which accesses to ICC_* at EL1 go to the virtual interface (HCR_EL2.FMO and IMO; neither at EL2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// HCR_EL2.FMO: registers of group 0.
    pub virtual_g0: bool,
    /// HCR_EL2.IMO: registers of group 1.
    pub virtual_g1: bool,
}

impl View {
    /// The physical interface.
    pub const PHYSICAL: View = View {
        virtual_g0: false,
        virtual_g1: false,
    };
    /// Whether `r` reaches the virtual interface. Registers of both groups do if either is virtual.
    pub fn is_virtual(self, r: Reg) -> bool {
        match r {
            ICC_IAR0_EL1 | ICC_EOIR0_EL1 | ICC_HPPIR0_EL1 | ICC_BPR0_EL1 | ICC_AP0R0_EL1
            | ICC_IGRPEN0_EL1 => self.virtual_g0,
            ICC_IAR1_EL1 | ICC_EOIR1_EL1 | ICC_HPPIR1_EL1 | ICC_BPR1_EL1 | ICC_AP1R0_EL1
            | ICC_IGRPEN1_EL1 => self.virtual_g1,
            ICC_PMR_EL1 | ICC_RPR_EL1 | ICC_CTLR_EL1 | ICC_DIR_EL1 => {
                self.virtual_g0 || self.virtual_g1
            }
            _ => false,
        }
    }
}

/// A pending interrupt, as a CPU interface weighs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Which.
    pub intid: u32,
    /// 0 is the highest.
    pub priority: u8,
    /// Group 1, else group 0.
    pub group1: bool,
}

impl Pending {
    /// Who comes first: the highest priority, of equals the lowest INTID.
    fn order(&self) -> (u8, u32) {
        (self.priority, self.intid)
    }
}

/// What belongs to one CPU.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug)]
pub struct Pe {
    /// SGIs and PPIs.
    pub private: [Irq; PRIVATE],
    /// GICR_WAKER.ProcessorSleep.
    pub waker: u32,
    /// GICR_CTLR.DPG0 and DPG1NS: takes no interrupts of group 0 or 1 that are for any PE.
    pub spared: [bool; 2],
    /// The physical CPU interface.
    pub icc: Interface,
    /// The virtual CPU interface.
    pub hyp: Hyp,
    /// LPIs.
    pub lpi: Lpis,
    /// GICv2: by SGI, which CPUs have sent it and wait for its acknowledge.
    pub sources: [u8; 16],
}

/// Everything that a snapshot keeps.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug)]
pub struct State {
    /// GICD_CTLR's writable bits.
    pub ctlr: u32,
    /// SPIs, from INTID 32.
    pub spi: Vec<Irq>,
    /// For each CPU.
    pub pe: Vec<Pe>,
    /// What the configuration table says of LPIs, as far as it has been read.
    pub configs: Configs,
    /// The ITS.
    pub its: its::State,
}

/// What is derived from the state, for one CPU.
#[derive(Clone, Copy, Debug)]
struct Derived {
    dirty: bool,
    /// What SPIs there are has to be looked at, too: they are many, and change seldom.
    spis_dirty: bool,
    /// The first SPI for it of each group.
    spis: [Option<Pending>; 2],
    best: Option<Pending>,
    lines: Lines,
}

/// The interrupt controller.
pub struct Gic {
    state: State,
    derived: Vec<Derived>,
    work: Vec<Work>,
    /// Whether some SPI is for any PE, so that what one PE does changes what others get.
    one_of_n: bool,
    version: Version,
    /// What has happened to virtual interrupts since somebody took it.
    pub lives: Lives,
}

impl Gic {
    /// After reset, for `cpus` CPUs (1 to 8) of affinity 0.0.0.n.
    pub fn new(cpus: usize) -> Gic {
        Gic::of(Version::V3, cpus)
    }
    /// The same of a version.
    pub fn of(version: Version, cpus: usize) -> Gic {
        assert!((1..=PES).contains(&cpus));
        let mut private = [Irq::default(); PRIVATE];
        private[..16].iter_mut().for_each(|i| i.edge = true);
        let pe = Pe {
            private,
            waker: 2,
            spared: [false; 2],
            icc: Interface::default(),
            hyp: Hyp::default(),
            lpi: Lpis::default(),
            sources: [0; 16],
        };
        let state = State {
            ctlr: 0,
            spi: vec![Irq::default(); INTIDS - PRIVATE],
            pe: vec![pe; cpus],
            configs: Configs::default(),
            its: its::State::default(),
        };
        let derived = Derived {
            dirty: true,
            spis_dirty: true,
            spis: [None; 2],
            best: None,
            lines: Lines::default(),
        };
        let mut gic = Gic {
            lives: Lives::of(state.pe.iter().map(|pe| &pe.hyp)),
            state,
            derived: vec![derived; cpus],
            work: Vec::new(),
            one_of_n: false,
            version,
        };
        if version == Version::V2 {
            for pe in &mut gic.state.pe {
                (pe.icc.fiq_en, pe.hyp.icv.fiq_en) = (false, false);
                pe.private[..16].iter_mut().for_each(|i| i.enabled = true);
            }
        }
        gic
    }

    /// Of which architecture.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How many CPUs.
    pub fn cpus(&self) -> usize {
        self.state.pe.len()
    }
    /// All of the state, for a snapshot or a view.
    pub fn state(&self) -> &State {
        &self.state
    }
    /// Put back a state taken from a GIC with as many CPUs.
    pub fn set_state(&mut self, state: State) {
        assert!(self.fits(&state));
        self.lives = Lives::of(state.pe.iter().map(|pe| &pe.hyp));
        self.state = state;
        self.one_of_n = self.state.spi.iter().any(|i| i.route & irq::ANY != 0);
        self.touch_all();
    }
    /// Whether `state` has the shape of this one's.
    fn fits(&self, state: &State) -> bool {
        state.pe.len() == self.state.pe.len() && state.spi.len() == self.state.spi.len()
    }
    /// Reset, but for the levels of the input lines.
    pub fn reset(&mut self) {
        let mut new = Gic::of(self.version, self.state.pe.len());
        let lines = |to: &mut [Irq], from: &[Irq]| {
            to.iter_mut().zip(from).for_each(|(t, f)| t.line = f.line);
        };
        lines(&mut new.state.spi, &self.state.spi);
        for (to, from) in new.state.pe.iter_mut().zip(&self.state.pe) {
            lines(&mut to.private, &from.private);
        }
        *self = new;
        (0..self.cpus()).for_each(|cpu| self.touch_hyp(cpu, false));
    }

    /// Drive an input line: a PPI of `cpu`, or an SPI (`cpu` is None). SGIs and INTIDs that do not exist have none.
    #[inline]
    pub fn set_level(&mut self, intid: u32, cpu: Option<usize>, level: bool) {
        match cpu {
            Some(cpu)
                if (16..PRIVATE as u32).contains(&intid)
                    && cpu < self.state.pe.len()
                    && self.state.pe[cpu].private[intid as usize].set_line(level) =>
            {
                self.touch(cpu);
            }
            None => {
                let spi = (intid as usize)
                    .checked_sub(PRIVATE)
                    .and_then(|n| self.state.spi.get_mut(n));
                if spi.is_some_and(|i| i.set_line(level)) {
                    self.touch_all();
                }
            }
            _ => {}
        }
    }

    /// Make an interrupt pending, at CPU `cpu` if it is private; false: there is no such one, or it needs a source (an SGI of GICv2).
    pub fn pend(&mut self, cpu: usize, intid: u32) -> bool {
        if intid < 16 && self.version == Version::V2 {
            return false;
        }
        let irq = self.irq_mut(cpu, intid);
        irq.map(|i| i.latch = true).is_some()
    }

    /// A PE is reset: its CPU interfaces are as after a reset, its Redistributor is what it was. (GICv2's are no part of the PE.)
    pub fn reset_interface(&mut self, cpu: usize) {
        if self.version == Version::V2 {
            return;
        }
        self.state.pe[cpu].icc = Interface::default();
        self.state.pe[cpu].hyp = Hyp::default();
        self.touch_hyp(cpu, false);
    }

    /// What a PE sees now.
    #[inline]
    pub fn lines(&mut self, cpu: usize) -> Lines {
        if self.derived[cpu].dirty {
            self.derive(cpu);
        }
        self.derived[cpu].lines
    }
    /// Whether something has changed since [`Gic::lines`] was asked for `cpu`.
    pub fn is_stale(&self, cpu: usize) -> bool {
        self.derived[cpu].dirty
    }
    /// The physical interrupt that `cpu` is signalled and would acknowledge.
    pub fn acknowledge_peek(&mut self, cpu: usize) -> Option<u32> {
        self.signalled(cpu).map(|p| p.intid)
    }

    /// ICH_MISR_EL2, if `intid` is the maintenance interrupt; else 0.
    pub fn misr_of(&self, cpu: usize, intid: Option<u32>) -> u8 {
        match intid {
            Some(MAINTENANCE) => self.state.pe[cpu].hyp.misr() as u8,
            _ => 0,
        }
    }

    /// The virtual interrupt that `cpu` is signalled and would acknowledge.
    pub fn virtual_peek(&self, cpu: usize) -> Option<u32> {
        self.state.pe[cpu].hyp.signalled().map(|(_, p)| p.intid)
    }

    /// The physical interrupt that would be signalled to `cpu` first, whether or not it may be now.
    pub fn first(&self, cpu: usize) -> Option<u32> {
        self.first_of(cpu).map(|p| p.intid)
    }

    /// The virtual interrupt that would be signalled to `cpu` first, whether or not it may be now.
    pub fn virtual_best(&self, cpu: usize) -> Option<u32> {
        self.state.pe[cpu].hyp.best().map(|(_, p)| p.intid)
    }

    /// Read a system register of the GIC (a row of `sysreg::gic`) by an access that `view` describes. Only IAR has side effects: it acknowledges.
    /// Zero if it is write-only or not the GIC's.
    pub fn sysreg_read(&mut self, cpu: usize, r: Reg, view: View) -> u64 {
        if is_ich(r) {
            self.ich_read(cpu, r)
        } else if view.is_virtual(r) {
            self.icv_read(cpu, r)
        } else {
            self.icc_read(cpu, r)
        }
    }
    /// Write a system register of the GIC. Ignored if it is read-only or not the GIC's.
    pub fn sysreg_write(&mut self, cpu: usize, r: Reg, v: u64, view: View) {
        if is_ich(r) {
            self.ich_write(cpu, r, v);
        } else if view.is_virtual(r) {
            self.icv_write(cpu, r, v);
        } else {
            self.icc_write(cpu, r, v);
        }
    }

    /// An interrupt to change, as `cpu` sees it.
    fn irq_mut(&mut self, cpu: usize, intid: u32) -> Option<&mut Irq> {
        let n = intid as usize;
        if n < PRIVATE {
            self.touch(cpu);
            return Some(&mut self.state.pe[cpu].private[n]);
        }
        self.touch_all();
        self.state.spi.get_mut(n - PRIVATE)
    }
    fn touch(&mut self, cpu: usize) {
        if self.one_of_n {
            return self.touch_all();
        }
        self.derived[cpu].dirty = true;
    }
    /// The virtual interface of `cpu` has changed, by its `guest` or the hypervisor: its maintenance interrupt follows at once, as it may be
    /// edge-triggered.
    fn touch_hyp(&mut self, cpu: usize, guest: bool) {
        let pe = &mut self.state.pe[cpu];
        let level = pe.hyp.maintenance();
        self.lives.follow(cpu, &pe.hyp, level, guest);
        pe.private[MAINTENANCE as usize].set_line(level);
        self.touch(cpu);
    }
    fn touch_all(&mut self) {
        for d in &mut self.derived {
            (d.dirty, d.spis_dirty) = (true, true);
        }
    }
}

fn is_ich(r: Reg) -> bool {
    (ICH_AP0R0_EL2.0..=ICH_LR3_EL2.0).contains(&r.0) && r != ICC_SRE_EL2
}

impl Save for Gic {
    fn save(&self, to: &mut Vec<u8>) {
        put(to, &self.state);
        put(to, &self.work);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        let state = take(from)?;
        if !self.fits(&state) {
            return Err(Unfit(format!("it has {} CPUs", state.pe.len())));
        }
        self.set_state(state);
        self.work = take(from)?;
        Ok(())
    }
}
