//! Access to a machine from outside while it does not run: by the host side of a hosted machine, the debugger, the console.

use super::Machine;
use crate::board;
use crate::cpu::Power;
use crate::dev::net::tcp::Connections;
use crate::dev::net::Sender;
use crate::dev::virtio::Kind;
use crate::dev::{DevCtx, Unseen};
use crate::exception;
use crate::feature::Feature;
use crate::mem::disk::Disk;
use crate::mem::ram::BANK;
use crate::mmu::access::Access;
use crate::mmu::controls::Controls;
use crate::mmu::fault::Fault;
use crate::mmu::kind::RegimeKind;
use crate::mmu::op::{Op, Tlbi, What};
use crate::mmu::regime::{self, Features, Regime};
use crate::mmu::walk::{self, Step, Translation};
use crate::pe;
use crate::physical::ReadOnly;
use crate::reg::field;
use crate::reg::names::{ELR_EL2, SPSR_EL2};
use crate::serror;
use crate::stops::{Breakpoint, Conditions, Watchpoint};

impl Machine {
    /// Recompute the next event after the timers or devices were changed from outside.
    pub fn reschedule(&mut self) {
        self.events();
    }

    /// Hosted: enter the guest, as ERET at EL2 does.
    pub fn eret(&mut self, i: usize) {
        let (cpu, sh) = (&mut *self.cpus[i], &mut self.sh);
        cpu.power = Power::On;
        cpu.timeout = u64::MAX;
        cpu.off = 0;
        exception::eret(cpu, sh);
        sh.exits.begin(sh.platform.now, 0, self.insns[i]); // between turns only the CPU's own count is asked for
        Self::note_entry(cpu, sh);
    }

    /// Hosted: skip the guest's instruction that exited, because it has been emulated. The guest's own software step advances
    /// (`SSAdvance`).
    pub fn skip(&mut self, i: usize) {
        let cpu = &mut self.cpus[i].cpu;
        cpu.set(ELR_EL2, cpu.get(ELR_EL2).wrapping_add(4));
        cpu.set(SPSR_EL2, cpu.get(SPSR_EL2) & !field!(SPSR_EL2.SS).mask());
    }

    /// Hosted: enter the guest as [`Machine::eret`] does, inside the WFE that trapped: it waits for an event, at most until virtual
    /// time `until`. The entry itself does not count as an event, so that a hypervisor can wait on behalf of a guest as the hardware
    /// would. If the guest's exclusive monitor is set, the entry clears it, which is an event (B2.17), and the guest continues.
    pub fn eret_waiting(&mut self, i: usize, until: u64) {
        let marked = self.cpus[i].monitor.is_some();
        self.eret(i);
        self.sh.yielded = true;
        if !marked {
            let cpu = &mut *self.cpus[i];
            cpu.event = false;
            cpu.power = Power::Wfe;
            cpu.timeout = until;
            self.begin_wait(i);
            self.sh.next_event = 0;
        }
    }

    /// Make a physical SError pending on CPU `i`, with this syndrome (ESR_ELx.ISS; None: an uncontainable error, or no syndrome
    /// without FEAT_RAS). It replaces one that is pending.
    pub fn inject_serror(&mut self, i: usize, syndrome: Option<u32>) {
        let ras = self.sh.config.features.has(Feature::RAS);
        let usual = if ras { serror::UNCONTAINABLE } else { 0 };
        self.cpus[i].serror = Some(syndrome.unwrap_or(usual) & serror::ISS);
    }

    /// Write RAM, keeping decoded code coherent. Returns false, and writes nothing, if some of the range is not RAM.
    pub fn write_pa(&mut self, pa: u64, data: &[u8]) -> bool {
        let Some(bytes) = self.sh.ram.get_mut(pa, data.len() as u64) else {
            return false;
        };
        bytes.copy_from_slice(data);
        true
    }

    /// Invalidate the translations of both stages of a VM on every CPU, as TLBI VMALLS12E1IS does with its VMID.
    pub fn invalidate_vm(&mut self, vmid: u16) {
        let t = Tlbi {
            kind: RegimeKind::El10,
            vmid: Some(vmid),
            what: What::Both,
            broadcast: false,
        };
        for c in &mut self.cpus {
            pe::tlb::apply(c, Op::Invalidate(t));
        }
    }

    /// Insert a breakpoint, or replace its conditions: split blocks there, and remove the address from all jump caches.
    pub fn insert_breakpoint(&mut self, b: Breakpoint, conditions: Conditions) {
        self.code.split(b.va);
        for pe in 0..self.cpus.len() {
            self.code.forget(pe, b.va);
        }
        self.sh.debug.insert_breakpoint(b, conditions);
    }

    /// Insert a watchpoint: its pages' TLB entries become slow. False: it is there already.
    pub fn insert_watchpoint(&mut self, w: Watchpoint) -> bool {
        let new = self.sh.debug.insert_watchpoint(w);
        self.recheck();
        new
    }

    /// Remove a watchpoint.
    pub fn remove_watchpoint(&mut self, w: Watchpoint) {
        self.sh.debug.remove_watchpoint(w);
        self.recheck();
    }

    /// The translation regime that EL `el` of CPU `i` uses now; with `controls`, EL1&0 with these registers.
    pub fn regime(&self, i: usize, el: u8, controls: Option<&Controls>) -> Regime {
        let cpu = &*self.cpus[i];
        match controls {
            None => Regime::of(cpu, regime::kind(cpu, el)),
            Some(c) => Regime::from(Features::of(cpu), RegimeKind::El10, c),
        }
    }

    /// Translate `va` of CPU `i` in `regime`, recording each step, without side effects. Permissions for `access` matter only if it is
    /// checked.
    pub fn walk(
        &self,
        regime: &Regime,
        va: u64,
        access: Access,
    ) -> (Vec<Step>, Result<Translation, Fault>) {
        let mut steps = Vec::new();
        let done = walk::translate(regime, &mut ReadOnly(&self.sh.ram), &mut steps, va, access);
        (steps, done)
    }

    /// Translate an IPA by stage 2, recording each step; None if stage 2 is off.
    pub fn walk_ipa(
        &self,
        regime: &Regime,
        ipa: u64,
        access: Access,
    ) -> Option<(Vec<Step>, Result<Translation, Fault>)> {
        let mut steps = Vec::new();
        let ram = &mut ReadOnly(&self.sh.ram);
        let done = walk::translate_ipa(regime, ram, &mut steps, ipa, access)?;
        Some((steps, done))
    }

    /// Take what the board's UART has sent since the last call.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.sh.bus.take_output()
    }

    /// Type on the board's UART, now.
    pub fn push_input(&mut self, data: &[u8], paced: bool) {
        let p = &mut self.sh.platform;
        p.bus.push_input(data, paced, p.ns(0), &mut p.gic);
        p.serve();
        p.next_event = 0;
    }

    /// Take back typed bytes that have not reached the UART yet, at most `most`.
    pub fn take_typed(&mut self, most: usize) -> Vec<u8> {
        let (mut typed, paced) = self.sh.bus.take_waiting();
        if typed.len() > most {
            let rest = typed.split_off(most);
            self.push_input(&rest, paced);
        }
        typed
    }

    /// Call a function with the outer end of the network's wire. None: there is no network.
    pub fn network<T>(
        &mut self,
        with: impl FnOnce(&mut Connections, &mut Sender) -> T,
    ) -> Option<T> {
        let p = &mut self.sh.platform;
        let now = p.ns(0);
        let done = p.bus.network(now, with);
        p.serve();
        p.next_event = 0;
        done
    }

    /// Press the board's power button, now.
    pub fn press_power_button(&mut self) {
        let p = &mut self.sh.platform;
        let now = p.ns(0);
        p.bus.press_power_button(now, &mut p.gic);
        p.next_event = 0;
    }

    /// Read a device register as CPU `i` would. None: no device answers.
    pub fn bus_read(&mut self, i: usize, pa: u64, size: u8) -> Option<u64> {
        let p = &mut self.sh.platform;
        let ctx = DevCtx {
            now: p.ns(0),
            cpu: i,
        };
        if let Some(v) = p.cells(pa, size) {
            return Some(v);
        }
        p.next_event = 0;
        p.bus.read(pa, size, ctx, &mut p.gic)
    }

    /// What [`Machine::bus_read`] would return, without its effects.
    pub fn bus_peek(&mut self, i: usize, pa: u64, size: u8) -> Result<u64, Unseen> {
        let p = &mut self.sh.platform;
        let ctx = DevCtx {
            now: p.ns(0),
            cpu: i,
        };
        if let Some(v) = p.cells(pa, size) {
            return Ok(v);
        }
        p.bus.peek(pa, size, ctx, &mut p.gic)
    }

    /// Write a device register as CPU `i` would. None: no device answers.
    pub fn bus_write(&mut self, i: usize, pa: u64, size: u8, value: u64) -> Option<()> {
        let p = &mut self.sh.platform;
        let ctx = DevCtx {
            now: p.ns(0),
            cpu: i,
        };
        p.next_event = 0;
        let done = p.bus.write(pa, size, value, ctx, &mut p.gic);
        p.serve();
        if p.ram.take_hiding() {
            self.recheck();
        }
        done
    }

    /// Add PCIe to the board; devices plugged in from now on go there.
    pub fn add_pcie(&mut self) {
        board::add_pcie(&mut self.sh.bus);
    }

    /// Put a device (a disk with its contents) into the next virtio slot, or on PCIe. Returns the slot's number; None: all are in use.
    pub fn plug(&mut self, kind: Kind, disk: Option<Disk>) -> Option<u8> {
        let slot = self.sh.bus.plug(kind)?;
        if let Some(disk) = disk {
            self.sh.ram.disks.insert(slot, disk);
        }
        Some(slot)
    }

    /// Fill a bank of flash from its start. Returns false, and writes nothing, if the data exceed the bank or there is no such bank.
    pub fn set_flash(&mut self, bank: usize, data: &[u8]) -> bool {
        let fits = bank < 2 && data.len() as u64 <= BANK;
        fits && self
            .sh
            .ram
            .program(bank as u64 * BANK, data.len() as u64, |cells| {
                cells.copy_from_slice(data);
            })
    }
}
