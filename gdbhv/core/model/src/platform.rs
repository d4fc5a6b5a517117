//! A machine without its PEs: RAM, devices, the interrupt controller, virtual time, power.

use crate::bus::Bus;
use crate::config::Config;
use crate::cpu::MAX_CPUS;
use crate::dev::gic::Gic;
use crate::dev::DevCtx;
use crate::mem::ram::Ram;
use crate::profile::Registers;
use crate::save::{put, put_part, take, take_part, Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};

/// The firmware's (PSCI) requests to the machine, served after the instruction.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Start a CPU that is off.
    CpuOn {
        /// Its index.
        cpu: usize,
        /// Where.
        entry: u64,
        /// Its x0.
        context: u64,
        /// At which exception level.
        el: u8,
    },
    /// The calling CPU goes off.
    CpuOff,
    /// The calling CPU waits as in WFI.
    Suspend,
    /// The machine goes off.
    SystemOff,
    /// The machine resets.
    SystemReset,
    /// The calling CPU stands at a semihosting call.
    Semihosting,
}

/// What software finds beside the PEs.
pub struct Platform {
    /// What kind of machine.
    pub config: Config,
    /// Which system registers there are, and what of them can be written.
    pub registers: Registers,
    /// Guest RAM.
    pub ram: Ram,
    /// The address map outside RAM.
    pub bus: Bus,
    /// The interrupt controller.
    pub gic: Gic,
    /// Virtual time in ticks, of which an instruction takes one: those executed and those idled, at the start of the block that
    /// executes. What is not the CPU's (timers, devices, users) counts nanoseconds: [`Platform::ns`], [`Platform::ticks`].
    pub now: u64,
    /// Nanoseconds of a tick.
    pub ns_per_insn: u64,
    /// There is a host for semihosting calls.
    pub semihosting: bool,
    /// Set by an access whose effects the dispatcher must look at after the instruction (an interrupt line, code written).
    pub leave: bool,
    /// YIELD, or a WFE that waits: the quantum ends.
    pub yielded: bool,
    /// SEV: every PE's event register is to be set.
    pub sev: bool,
    /// An exception return from EL2 to EL1 or EL0 with TGE = 0 has just happened.
    pub entered: bool,
    /// Virtual time (in ticks) of the next event of a timer or device; whoever changes one of them lowers it (or sets it to 0 to have it
    /// recomputed) and sets `leave`.
    pub next_event: u64,
    /// Posted by PSCI.
    pub requests: Vec<Request>,
    /// Which CPUs PSCI has on.
    pub cpu_on: [bool; MAX_CPUS],
}

impl Platform {
    /// RAM of `size` bytes at `base` and an interrupt controller for one CPU; the board does the rest.
    pub fn new(config: Config, base: u64, size: u64) -> Platform {
        Platform {
            config,
            registers: Registers::new(&config),
            ram: Ram::new(base, size),
            bus: Bus::default(),
            gic: Gic::new(1),
            now: 0,
            ns_per_insn: 1,
            semihosting: false,
            leave: false,
            yielded: false,
            sev: false,
            entered: false,
            next_event: 0,
            requests: Vec::new(),
            cpu_on: [false; MAX_CPUS],
        }
    }
    /// Virtual time in nanoseconds, at instruction `off` of the block that executes.
    pub fn ns(&self, off: u16) -> u64 {
        (self.now + off as u64).saturating_mul(self.ns_per_insn)
    }
    /// The first tick at which it is `ns` nanoseconds or later.
    pub fn ticks(&self, ns: u64) -> u64 {
        ns.div_ceil(self.ns_per_insn)
    }
    /// Write 1 to 8 bytes of RAM inside a page. The caller knows that it is RAM.
    #[inline]
    pub fn write_ram(&mut self, pa: u64, bytes: u64, v: u64) {
        self.ram.write(pa, bytes, v).expect("RAM");
        self.leave |= self.ram.to_follow();
    }
    /// Zero `bytes` of RAM inside a page.
    pub fn zero_ram(&mut self, pa: u64, bytes: u64) {
        self.ram.get_mut(pa, bytes).expect("RAM").fill(0);
        self.leave |= self.ram.to_follow();
    }
    /// Read a device; None is an external abort. `off` is the position of the instruction in its block.
    pub fn read_bus(&mut self, cpu: usize, pa: u64, bytes: u8, off: u16) -> Option<u64> {
        if let Some(v) = self.cells(pa, bytes) {
            return Some(v);
        }
        let ctx = DevCtx {
            now: self.ns(off),
            cpu,
        };
        let v = self.bus.read(pa, bytes, ctx, &mut self.gic);
        self.leave |= self.gic.is_stale(cpu); // a read has no other effect that somebody must look at before the next instruction
        v
    }
    /// What a load from flash sees that shows its cells.
    pub fn cells(&self, pa: u64, bytes: u8) -> Option<u64> {
        let flash = self.ram.is_flash(pa);
        flash.then(|| self.ram.load(pa, bytes as u64)).flatten()
    }
    /// Write a device; None is an external abort.
    pub fn write_bus(&mut self, cpu: usize, pa: u64, bytes: u8, v: u64, off: u16) -> Option<()> {
        self.leave = true;
        self.next_event = 0;
        let ctx = DevCtx {
            now: self.ns(off),
            cpu,
        };
        let done = self.bus.write(pa, bytes, v, ctx, &mut self.gic);
        self.serve();
        done
    }
    /// Do what a write to a device has left to do in memory (tables and commands of LPIs, DMA).
    #[inline]
    pub fn serve(&mut self) {
        if self.bus.has_work() {
            self.bus.service(&mut self.ram, &mut self.gic); // messages to the ITS are its work
        }
        if self.gic.has_work() {
            self.gic.service(&mut self.ram);
        }
    }
}

/// All but RAM, which snapshots share.
impl Save for Platform {
    fn save(&self, to: &mut Vec<u8>) {
        put(to, &(self.now, self.yielded, self.sev, self.entered));
        put(to, &(self.next_event, self.cpu_on));
        put(to, &self.requests);
        put_part(to, "GIC", &self.gic);
        self.bus.save(to);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        (self.now, self.yielded, self.sev, self.entered) = take(from)?;
        self.leave = false; // a run begins with a look anyway
        (self.next_event, self.cpu_on) = take(from)?;
        self.requests = take(from)?;
        take_part(from, "GIC", &mut self.gic)?;
        self.bus.load(from)?;
        self.bus.service(&mut self.ram, &mut self.gic); // which flash shows its cells
        Ok(())
    }
}
