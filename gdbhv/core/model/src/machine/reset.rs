//! Power-on, and reset.

use super::step::Made;
use super::Machine;
use crate::board::{self, BoardConfig};
use crate::bus::{BadRange, Bus};
use crate::chaos::Chaos;
use crate::config::Config;
use crate::cpu::Power;
use crate::dev::gic::{Gic, Version};
use crate::dev::virtio::Kind;
use crate::exec::code::Code;
use crate::mem::ram::Ram;
use crate::pe::Pe;
use crate::shared::Shared;

/// Make `count` CPUs in their reset state, all off but the first, at the highest implemented exception level.
pub(super) fn cpus(sh: &mut Shared, count: usize) -> Vec<Box<Pe>> {
    let el = if sh.config.has_el2 { 2 } else { 1 };
    let mut list: Vec<Box<Pe>> = (0..count).map(|i| Box::new(Pe::new(i, el))).collect();
    for (i, cpu) in list.iter_mut().enumerate() {
        cpu.power = if i == 0 { Power::On } else { Power::Off };
        sh.registers.reset(cpu);
    }
    sh.cpu_on[0] = true;
    list
}

/// Make the devices of a machine's board, and its interrupt controller.
pub(super) fn board(config: &Config, cpus: usize, gic: Version) -> Result<(Bus, Gic), BadRange> {
    board::devices(&BoardConfig {
        cpus,
        gic,
        el2: config.has_el2,
        flash: !config.hosted,
        ..BoardConfig::default()
    })
}

impl Machine {
    /// Switch the board off and on: RAM becomes zero; CPUs, devices, interrupt controller and virtual time are reset. Flash and disks keep
    /// their contents.
    ///
    /// What is not guest state stays: snapshots, breakpoints and watchpoints, counts of instructions and of exits, catchpoints, the
    /// items of
    /// fw_cfg. Typed input that did not fit in the UART's FIFO yet is typed again.
    pub fn reset(&mut self) {
        let count = self.cpus.len();
        self.steps += 1; // the places before it and after it differ, though time begins again
        let (base, size) = (self.sh.ram.base(), self.sh.ram.size());
        let (typed, paced) = self.sh.bus.take_waiting();
        let pcie = self.sh.bus.pci().is_some_and(|p| p.present);
        let plugged = self.sh.bus.virtio().map(|d| d.plugged().collect());
        let plugged: Vec<Kind> = plugged.unwrap_or_default();
        let told = self.sh.bus.fw_cfg().map(|d| std::mem::take(&mut d.told));
        self.cpus.clear(); // their caches point into RAM and blocks
        let mut ram = std::mem::replace(&mut self.sh.ram, Ram::new(base, 0));
        if self.snapshots.is_empty() && !ram.has_flash() {
            drop(ram); // free before it is allocated again
            ram = Ram::new(base, size);
        } else {
            ram.zero();
        }
        let config = self.sh.config;
        let mut new = Shared::new(config, base, 0);
        new.platform.ram = ram;
        std::mem::swap(&mut self.sh.platform, &mut new.platform);
        let (old, sh) = (new.platform, &mut self.sh);
        sh.tlb_queue.iter_mut().for_each(Vec::clear);
        sh.tlb_notes.iter_mut().for_each(Vec::clear);
        sh.ns_per_insn = old.ns_per_insn;
        sh.semihosting = old.semihosting;
        sh.registers = old.registers;
        sh.exits.forget_guests();
        sh.debug.forget_stops();
        let tiering = self.code.set_tiering(None);
        self.code = Code::new(&sh.ram, config.features, count);
        self.code.set_tiering(tiering);
        for va in sh.debug.addresses() {
            self.code.split(va);
        }
        (sh.bus, sh.gic) =
            board(&config, count, old.gic.version()).expect("the same map as before");
        if pcie {
            board::add_pcie(&mut sh.bus);
        }
        if let (Some(d), Some(told)) = (sh.bus.fw_cfg(), told) {
            d.told = told;
        }
        for kind in plugged {
            sh.bus.plug(kind).expect("the same board");
        }
        self.cpus = cpus(sh, count);
        (self.current, self.slice_end, self.executed) = (0, 0, 0);
        (self.midway, self.stepped) = (false, Made::default());
        self.chaos = self.chaos.as_ref().map(Chaos::anew);
        self.check_anew();
        if !typed.is_empty() {
            self.push_input(&typed, paced);
        }
    }

    /// Clear RAM, and discard the code decoded from it. Returns false, and does nothing, if some of the range is not RAM.
    pub fn zero_pa(&mut self, pa: u64, len: u64) -> bool {
        if !self.sh.ram.contains(pa, len) {
            return false;
        }
        for (at, n) in self.sh.ram.touched(pa, len, 0x1000) {
            // The host allocates a page when it is written, even with zeros.
            if self.sh.ram.get(at, n).expect("RAM").iter().any(|b| *b != 0) {
                self.sh.ram.get_mut(at, n).expect("RAM").fill(0);
            }
        }
        true
    }
}
