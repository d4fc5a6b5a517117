//! The machine.

use crate::convert::{self, RegisterArg};
use crate::device::{self, ItemKey};
use crate::translation::{self, Controls};
use gdbhv_model::cpu::{Cpu, Power};
use gdbhv_model::dev::Unseen;
use gdbhv_model::inspect::{self, Register};
use gdbhv_model::machine::{Machine as Model, Step, Stop};
use gdbhv_model::mmu::access::Access;
use gdbhv_model::mmu::controls::Controls as ControlValues;
use gdbhv_model::mmu::kind::RegimeKind;
use gdbhv_model::mmu::regime::Regime;
use gdbhv_model::raise::ExceptionKind;
use gdbhv_model::serror;
use gdbhv_model::stops::{Breakpoint, Hit, Scope, Space, Watchpoint};
use gdbhv_model::sysreg;
use pyo3::exceptions::{PyIndexError, PyKeyError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Stops a running machine from any thread.
#[pyclass(frozen, module = "gdbhv._core")]
pub struct Interrupter(Arc<AtomicBool>);

#[pymethods]
impl Interrupter {
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
    fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// CPU, range of addresses, whether interrupts are held back.
type StepArg = (usize, Option<(u64, u64)>, bool);

#[pyclass(module = "gdbhv._core")]
pub struct Machine {
    pub model: Model,
}

impl Machine {
    fn cpu(&self, i: usize) -> PyResult<&Cpu> {
        let n = self.model.cpus.len();
        self.model
            .cpus
            .get(i)
            .map(|c| &c.cpu)
            .ok_or_else(|| PyIndexError::new_err(format!("no CPU {i}: there are {n}")))
    }
    fn check(&self, i: usize) -> PyResult<usize> {
        self.cpu(i).map(|_| i)
    }
    fn select(&self, cpu: usize, el: u8, controls: Option<Controls>) -> PyResult<Regime> {
        let highest = if self.model.sh.config.has_el2 { 2 } else { 1 };
        if el > highest || (el == 2 && controls.is_some()) {
            return Err(PyValueError::new_err(match (el, highest) {
                (2, 2) => "EL2 translates with its own registers, not with those of EL1&0".into(),
                (_, 2) => format!("EL{el}: there are EL0, EL1 and EL2"),
                _ => format!("EL{el}: this machine has EL0 and EL1"),
            }));
        }
        let i = self.check(cpu)?;
        Ok(self.model.regime(i, el, controls.map(|c| c.0).as_ref()))
    }
}

#[pymethods]
impl Machine {
    #[new]
    #[pyo3(signature = (*, cpus=1, memory=1 << 30, cpu="max", hosted=true, el2=true, gic=3, ns_per_insn=1))]
    fn new(
        cpus: usize,
        memory: u64,
        cpu: &str,
        hosted: bool,
        el2: bool,
        gic: u32,
        ns_per_insn: u64,
    ) -> PyResult<Machine> {
        let mut model =
            Model::build(cpus, memory, cpu, hosted, el2, gic).map_err(PyValueError::new_err)?;
        model
            .set_speed(ns_per_insn)
            .map_err(PyValueError::new_err)?;
        Ok(Machine { model })
    }

    fn set_fw_cfg(&mut self, key: ItemKey, data: &[u8]) -> PyResult<()> {
        device::set_item(self.model.sh.bus.fw_cfg(), key, data)
    }

    // --- memory
    fn read_pa<'py>(
        &self,
        py: Python<'py>,
        address: u64,
        length: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        match self.model.sh.ram.get(address, length) {
            Some(b) => Ok(PyBytes::new(py, b)),
            None => Err(no_memory(address, length, &self.model)),
        }
    }
    fn write_pa(&mut self, address: u64, data: &[u8]) -> PyResult<()> {
        if !self.model.write_pa(address, data) {
            return Err(no_memory(address, data.len() as u64, &self.model));
        }
        Ok(())
    }
    fn zero_pa(&mut self, py: Python<'_>, address: u64, length: u64) -> PyResult<()> {
        let model = &mut self.model;
        if !py.detach(|| model.zero_pa(address, length)) {
            return Err(no_memory(address, length, &self.model));
        }
        Ok(())
    }
    fn reset(&mut self) {
        self.model.reset();
    }
    fn invalidate_vm(&mut self, vmid: u16) {
        self.model.invalidate_vm(vmid);
    }
    #[getter]
    fn ram(&self) -> (u64, u64) {
        (self.model.sh.ram.base(), self.model.sh.ram.size())
    }

    // --- registers
    fn read_register(&mut self, cpu: usize, register: RegisterArg) -> PyResult<u128> {
        let i = self.check(cpu)?;
        let m = &mut self.model;
        inspect::read(&m.cpus[i], &mut m.sh, register.resolve()?).map_err(PyKeyError::new_err)
    }
    fn virtual_by(&self, cpu: usize, register: RegisterArg) -> PyResult<Option<&'static str>> {
        let i = self.check(cpu)?;
        Ok(inspect::virtual_by(
            &self.model.cpus[i],
            &self.model.sh,
            register.resolve()?,
        ))
    }
    fn write_register(&mut self, cpu: usize, register: RegisterArg, value: u128) -> PyResult<()> {
        let i = self.check(cpu)?;
        let m = &mut self.model;
        let r = register.resolve()?;
        inspect::write(&mut m.cpus[i], &mut m.sh, r, value).map_err(PyKeyError::new_err)?;
        m.reschedule();
        Ok(())
    }
    fn read_core<'py>(&self, py: Python<'py>, cpu: usize) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &inspect::core(self.cpu(cpu)?)))
    }
    fn x(&self, cpu: usize, n: usize) -> PyResult<u64> {
        let x = &self.cpu(cpu)?.x;
        Ok(if n < 31 { x[n] } else { 0 })
    }
    fn set_x(&mut self, cpu: usize, n: usize, value: u64) -> PyResult<()> {
        let i = self.check(cpu)?;
        if n < 31 {
            self.model.cpus[i].x[n] = value;
        }
        Ok(())
    }
    /// As MRS executed at EL2 would.
    fn mrs(&mut self, cpu: usize, register: RegisterArg) -> PyResult<u64> {
        let i = self.check(cpu)?;
        let Register::System(r) = register.resolve()? else {
            return Err(PyKeyError::new_err("MRS takes a system register"));
        };
        let m = &mut self.model;
        sysreg::access::el2_read(&m.cpus[i], &mut m.sh, r).map_err(PyKeyError::new_err)
    }
    /// As MSR executed at EL2 would.
    fn msr(&mut self, cpu: usize, register: RegisterArg, value: u64) -> PyResult<()> {
        let i = self.check(cpu)?;
        let Register::System(r) = register.resolve()? else {
            return Err(PyKeyError::new_err("MSR takes a system register"));
        };
        let m = &mut self.model;
        sysreg::access::el2_write(&mut m.cpus[i], &mut m.sh, r, value)
            .map_err(PyKeyError::new_err)?;
        m.sh.next_event = 0;
        Ok(())
    }
    fn software_increment(&mut self, cpu: usize, counters: u32, el: u8) -> PyResult<()> {
        let i = self.check(cpu)?;
        if el > 1 {
            let what = format!("software increments are for EL0 or EL1, not for EL{el}");
            return Err(PyValueError::new_err(what));
        }
        let m = &mut self.model;
        gdbhv_model::pmu::increment(&mut m.cpus[i], &mut m.sh, counters, el);
        m.sh.next_event = 0;
        Ok(())
    }
    fn mrs_many(&mut self, cpu: usize, registers: Vec<u16>) -> PyResult<Vec<u64>> {
        registers
            .into_iter()
            .map(|r| self.mrs(cpu, RegisterArg::Encoding(r)))
            .collect()
    }
    fn msr_many(&mut self, cpu: usize, registers: Vec<u16>, values: Vec<u64>) -> PyResult<()> {
        if registers.len() != values.len() {
            return Err(PyValueError::new_err(
                "as many values as registers are needed",
            ));
        }
        registers
            .into_iter()
            .zip(values)
            .try_for_each(|(r, v)| self.msr(cpu, RegisterArg::Encoding(r), v))
    }
    fn gprs(&self, cpu: usize) -> PyResult<Vec<u64>> {
        Ok(self.cpu(cpu)?.x[..31].to_vec())
    }
    fn set_gprs(&mut self, cpu: usize, values: Vec<u64>) -> PyResult<()> {
        let i = self.check(cpu)?;
        if values.len() != 31 {
            return Err(PyValueError::new_err("31 values are needed, x0 to x30"));
        }
        self.model.cpus[i].x[..31].copy_from_slice(&values);
        Ok(())
    }
    fn vregs(&self, cpu: usize) -> PyResult<Vec<u128>> {
        Ok(self.cpu(cpu)?.v.to_vec())
    }
    fn set_vregs(&mut self, cpu: usize, values: Vec<u128>) -> PyResult<()> {
        let i = self.check(cpu)?;
        let values: [u128; 32] = values
            .try_into()
            .map_err(|_| PyValueError::new_err("32 values are needed, v0 to v31"))?;
        self.model.cpus[i].v = values;
        Ok(())
    }

    // --- running
    #[pyo3(signature = (until, mask=0xff, insns=None, idle=None, step=None))]
    fn run<'py>(
        &mut self,
        py: Python<'py>,
        until: u64,
        mask: u32,
        insns: Option<u64>,
        idle: Option<u64>,
        step: Option<StepArg>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let step = match step {
            Some((cpu, range, hold)) => Some(Step {
                cpu: self.check(cpu)?,
                range,
                hold,
            }),
            None => None,
        };
        let model = &mut self.model;
        model.idle_limit = idle.unwrap_or(u64::MAX);
        let until = model.sh.ticks(until);
        let insns = insns.unwrap_or(u64::MAX);
        let mut raised = None;
        let mut poll = signals(&mut raised);
        let stop = py.detach(|| model.advance_polled(until, insns, mask, step, &mut poll));
        drop(poll);
        match raised {
            Some(error) => Err(error),
            None => stop_dict(py, &stop),
        }
    }
    fn interrupter(&self) -> Interrupter {
        Interrupter(self.model.interrupter())
    }
    #[getter]
    fn now(&self) -> u64 {
        self.model.sh.ns(0)
    }
    #[getter]
    fn ns_per_insn(&self) -> u64 {
        self.model.sh.ns_per_insn
    }
    #[getter]
    fn insns(&self) -> Vec<u64> {
        self.model.insns[..self.model.cpus.len()].to_vec()
    }
    #[getter]
    fn cpus(&self) -> usize {
        self.model.cpus.len()
    }
    fn power(&self, cpu: usize) -> PyResult<&'static str> {
        Ok(match self.cpu(cpu)?.power {
            Power::On => "on",
            Power::Wfi => "wfi",
            Power::Wfe => "wfe",
            Power::Off => "off",
            Power::Idle => "idle",
        })
    }
    fn set_power(&mut self, cpu: usize, power: &str) -> PyResult<()> {
        let i = self.check(cpu)?;
        self.model.cpus[i].power = match power {
            "on" => Power::On,
            "wfi" => Power::Wfi,
            "wfe" => Power::Wfe,
            "off" => Power::Off,
            "idle" => Power::Idle,
            p => {
                return Err(PyValueError::new_err(format!(
                    "{p:?} is none of on, wfi, wfe, off, idle"
                )))
            }
        };
        Ok(())
    }
    #[pyo3(signature = (cpu, entry, context=0, el=1))]
    fn cpu_on(&mut self, cpu: usize, entry: u64, context: u64, el: u8) -> PyResult<()> {
        let i = self.check(cpu)?;
        self.model.cpu_on(i, entry, context, el);
        Ok(())
    }
    #[pyo3(signature = (cpu, wait=None))]
    fn eret(&mut self, cpu: usize, wait: Option<u64>) -> PyResult<()> {
        let i = self.check(cpu)?;
        match wait {
            None => self.model.eret(i),
            Some(until) => self.model.eret_waiting(i, until),
        }
        Ok(())
    }
    #[pyo3(signature = (cpu, syndrome=None))]
    fn inject_serror(&mut self, cpu: usize, syndrome: Option<u64>) -> PyResult<()> {
        let i = self.check(cpu)?;
        let iss = match syndrome.map(|s| (s, u32::try_from(s))) {
            None => None,
            Some((_, Ok(iss))) if iss & !serror::ISS == 0 => Some(iss),
            Some((s, _)) => {
                return Err(PyValueError::new_err(format!(
                    "syndrome {s:#x}: an ISS has 25 bits"
                )))
            }
        };
        self.model.inject_serror(i, iss);
        Ok(())
    }
    fn serror(&self, cpu: usize) -> PyResult<Option<u32>> {
        Ok(self.cpu(cpu)?.serror)
    }
    fn end_turn(&mut self) {
        self.model.sh.yielded = true;
    }
    fn irq_lines(&mut self, cpu: usize) -> PyResult<(bool, bool, bool, bool)> {
        let i = self.check(cpu)?;
        let l = self.model.sh.gic.lines(i);
        Ok((l.irq, l.fiq, l.virq, l.vfiq))
    }
    fn gic<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        crate::gic::state(py, &self.model.sh.gic, &self.model.sh.ram)
    }
    fn bus_read(&mut self, cpu: usize, address: u64, size: u8) -> PyResult<u64> {
        let i = self.check(cpu)?;
        check_size(size)?;
        self.model
            .bus_read(i, address, size)
            .ok_or_else(|| no_device(address))
    }
    fn bus_peek(&mut self, cpu: usize, address: u64, size: u8) -> PyResult<u64> {
        let i = self.check(cpu)?;
        check_size(size)?;
        let seen = self.model.bus_peek(i, address, size);
        seen.map_err(|why| match why {
            Unseen::Nothing => no_device(address),
            why => unseen(why),
        })
    }
    fn bus_write(&mut self, cpu: usize, address: u64, size: u8, value: u64) -> PyResult<()> {
        let i = self.check(cpu)?;
        check_size(size)?;
        self.model
            .bus_write(i, address, size, value)
            .ok_or_else(|| no_device(address))
    }
    fn set_spi(&mut self, intid: u32, level: bool) -> PyResult<()> {
        if !(32..1020).contains(&intid) {
            return Err(PyValueError::new_err(format!(
                "INTID {intid} is no SPI: they are 32 to 1019"
            )));
        }
        self.model.sh.gic.set_level(intid, None, level);
        Ok(())
    }

    // --- translation
    fn controls(&self, cpu: usize) -> PyResult<Controls> {
        Ok(Controls(ControlValues::of(
            self.cpu(cpu)?,
            RegimeKind::El10,
        )))
    }
    fn vmids(&self) -> Vec<u16> {
        self.model.sh.exits.guests.vmids()
    }
    fn guest<'py>(&self, py: Python<'py>, vmid: u16) -> PyResult<Option<Bound<'py, PyDict>>> {
        let seen = self.model.sh.exits.guests.get(vmid);
        seen.map(|s| translation::guest(py, s)).transpose()
    }
    fn left<'py>(&self, py: Python<'py>, cpu: usize) -> PyResult<Option<Bound<'py, PyDict>>> {
        let i = self.check(cpu)?;
        let last = self.model.sh.exits.last.get(i).and_then(Option::as_ref);
        last.map(|r| translation::left(py, &r.left)).transpose()
    }
    #[pyo3(signature = (cpu, el, controls=None))]
    fn regime<'py>(
        &self,
        py: Python<'py>,
        cpu: usize,
        el: u8,
        controls: Option<Controls>,
    ) -> PyResult<Bound<'py, PyDict>> {
        translation::regime(py, &self.select(cpu, el, controls)?)
    }
    #[pyo3(signature = (cpu, address, *, el=None, access="read", checked=false, controls=None, pan=None))]
    #[allow(clippy::too_many_arguments)]
    fn translate<'py>(
        &self,
        py: Python<'py>,
        cpu: usize,
        address: u64,
        el: Option<u8>,
        access: &str,
        checked: bool,
        controls: Option<Controls>,
        pan: Option<bool>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let pstate = self.cpu(cpu)?.pstate;
        let el = el.unwrap_or(pstate.el);
        let regime = self.select(cpu, el, controls)?;
        let (purpose, write) = convert::purpose(access)?;
        let pan = pan.unwrap_or(pstate.pan) && el != 0;
        let access = Access {
            checked,
            ..Access::new(purpose, write, el == 0, pan)
        };
        let (steps, done) = self.model.walk(&regime, address, access);
        convert::walk(py, &steps, &done)
    }
    #[pyo3(signature = (cpu, ipa, *, access="read", checked=false, controls=None))]
    fn translate_ipa<'py>(
        &self,
        py: Python<'py>,
        cpu: usize,
        ipa: u64,
        access: &str,
        checked: bool,
        controls: Option<Controls>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let regime = match controls {
            None => Regime::of(self.cpu(cpu)?, RegimeKind::El10),
            _ => self.select(cpu, 1, controls)?,
        };
        let (purpose, write) = convert::purpose(access)?;
        let access = Access {
            checked,
            ..Access::new(purpose, write, false, false)
        };
        match self.model.walk_ipa(&regime, ipa, access) {
            Some((steps, done)) => Ok(Some(convert::walk(py, &steps, &done)?)),
            None => Ok(None),
        }
    }

    // --- debugger
    #[pyo3(signature = (address, *, hardware=false, vmid=None))]
    fn insert_breakpoint(&mut self, address: u64, hardware: bool, vmid: Option<u16>) {
        self.model.insert_breakpoint(Breakpoint {
            va: address,
            hardware,
            scope: scope(vmid),
        });
    }
    #[pyo3(signature = (address, *, hardware=false, vmid=None))]
    fn remove_breakpoint(&mut self, address: u64, hardware: bool, vmid: Option<u16>) {
        self.model.sh.debug.remove_breakpoint(Breakpoint {
            va: address,
            hardware,
            scope: scope(vmid),
        });
    }
    #[pyo3(signature = (address, length, *, read=false, write=true, vmid=None, space="va"))]
    fn insert_watchpoint(
        &mut self,
        address: u64,
        length: u64,
        read: bool,
        write: bool,
        vmid: Option<u16>,
        space: &str,
    ) -> PyResult<()> {
        self.model.insert_watchpoint(Watchpoint {
            space: convert::space(space)?,
            at: address,
            len: length,
            read,
            write,
            scope: scope(vmid),
        });
        Ok(())
    }
    #[pyo3(signature = (address, length, *, read=false, write=true, vmid=None, space="va"))]
    fn remove_watchpoint(
        &mut self,
        address: u64,
        length: u64,
        read: bool,
        write: bool,
        vmid: Option<u16>,
        space: &str,
    ) -> PyResult<()> {
        self.model.remove_watchpoint(Watchpoint {
            space: convert::space(space)?,
            at: address,
            len: length,
            read,
            write,
            scope: scope(vmid),
        });
        Ok(())
    }

    fn held(&self, cpu: usize) -> PyResult<Option<(u64, bool)>> {
        Ok(self.model.sh.debug.held(self.check(cpu)?))
    }
    #[pyo3(signature = (cpu, held))]
    fn hold(&mut self, cpu: usize, held: Option<(u64, bool)>) -> PyResult<()> {
        let i = self.check(cpu)?;
        self.model.sh.debug.hold(i, held);
        Ok(())
    }

    // --- exits
    fn exit_record<'py>(
        &self,
        py: Python<'py>,
        cpu: usize,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let i = self.check(cpu)?;
        match self.model.sh.exits.last.get(i) {
            Some(Some(r)) => Ok(Some(convert::record(py, r)?)),
            _ => Ok(None),
        }
    }
    fn exit_counts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let mut rows: Vec<_> = self.model.sh.exits.counts.iter().collect();
        rows.sort();
        rows.into_iter()
            .map(|(&(vmid, class, key), &count)| {
                let d = PyDict::new(py);
                d.set_item("vmid", vmid)?;
                d.set_item("number", class)?;
                d.set_item("name", gdbhv_model::exit::name(class, key))?;
                d.set_item("count", count)?;
                Ok(d)
            })
            .collect()
    }
    #[getter]
    fn exits(&self) -> u64 {
        self.model.sh.exits.total
    }
    #[getter]
    fn further_exits(&self) -> u64 {
        self.model.sh.exits.further
    }
    fn clear_exit_counts(&mut self) {
        self.model.sh.exits.clear_counts();
    }
    #[pyo3(signature = (classes, entries=false))]
    fn catch_exits(&mut self, classes: Vec<u16>, entries: bool) {
        self.model.sh.exits.catch = classes;
        self.model.sh.exits.catch_entry = entries;
    }

    // --- console and reports
    fn take_output<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.model.take_output())
    }
    #[getter]
    fn input_waiting(&mut self) -> usize {
        self.model.sh.bus.input_waiting()
    }
    #[getter]
    fn listens(&mut self) -> bool {
        self.model.sh.bus.listens()
    }
    fn press_power_button(&mut self) {
        self.model.press_power_button();
    }
    #[pyo3(signature = (data, paced=false))]
    fn push_input(&mut self, data: &[u8], paced: bool) {
        self.model.push_input(data, paced);
    }
    fn undefined_seen(&mut self) -> Vec<(u64, u32)> {
        std::mem::take(&mut self.model.sh.undefined_new)
            .iter()
            .map(|n| (n.pc, n.insn))
            .collect()
    }
}

fn scope(vmid: Option<u16>) -> Scope {
    vmid.map_or(Scope::All, Scope::Vmid)
}

/// What lets Python's signal handlers run while guests execute: true once one of them has raised.
fn signals(raised: &mut Option<PyErr>) -> impl FnMut() -> bool + '_ {
    const EVERY: Duration = Duration::from_millis(50);
    let (mut last, mut calls) = (Instant::now(), 0u32);
    move || {
        calls = calls.wrapping_add(1);
        if !calls.is_multiple_of(16) || last.elapsed() < EVERY {
            return false;
        }
        last = Instant::now();
        *raised = Python::try_attach(|py| py.check_signals().err()).flatten();
        raised.is_some()
    }
}

fn check_size(size: u8) -> PyResult<()> {
    match size {
        1 | 2 | 4 | 8 => Ok(()),
        _ => Err(PyValueError::new_err(format!(
            "{size} bytes: a device register is read or written by 1, 2, 4 or 8"
        ))),
    }
}

fn no_device(address: u64) -> PyErr {
    PyIndexError::new_err(format!("physical {address:#x}: no device answers there"))
}

fn no_memory(address: u64, length: u64, m: &Model) -> PyErr {
    let (base, size) = (m.sh.ram.base(), m.sh.ram.size());
    PyIndexError::new_err(format!(
        "physical {address:#x} and {length} bytes on: not in RAM, which is {base:#x} to {:#x}",
        base + size - 1
    ))
}

fn stop_dict<'py>(py: Python<'py>, stop: &Stop) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    let (kind, cpu) = match stop {
        Stop::Budget => ("budget", None),
        Stop::Interrupted => ("interrupted", None),
        Stop::Exit { cpu, caught } => {
            d.set_item("caught", caught)?;
            ("exit", Some(cpu))
        }
        Stop::Caught { cpu, entry: false } => ("caught", Some(cpu)),
        Stop::Caught { cpu, entry: true } => ("entry", Some(cpu)),
        Stop::Wake { cpu } => ("wake", Some(cpu)),
        Stop::Debug {
            cpu,
            hit: Hit::Break(b),
        } => {
            d.set_item("address", b.va)?;
            (if b.hardware { "hwbreak" } else { "swbreak" }, Some(cpu))
        }
        Stop::Debug {
            cpu,
            hit: Hit::Watch(w, at, write),
        } => {
            d.set_item("address", at)?;
            d.set_item("write", write)?;
            let kind = match (w.space, w.read, w.write) {
                (Space::Ipa, ..) => "watch_ipa",
                (Space::Pa, ..) => "watch_pa",
                (Space::Va, true, true) => "awatch",
                (Space::Va, true, false) => "rwatch",
                (Space::Va, ..) => "watch",
            };
            (kind, Some(cpu))
        }
        Stop::Step { cpu, held } => {
            let held = held.map(|kind| match kind {
                ExceptionKind::Irq => "IRQ",
                ExceptionKind::Fiq => "FIQ",
                ExceptionKind::SError | ExceptionKind::Sync => "SError",
            });
            d.set_item("held", held)?;
            ("step", Some(cpu))
        }
        Stop::PowerOff { cpu } => ("poweroff", Some(cpu)),
        Stop::Reset { cpu } => ("reset", Some(cpu)),
        Stop::Stuck => ("stuck", None),
        Stop::Idle { next } => {
            d.set_item("next", next)?;
            ("idle", None)
        }
    };
    d.set_item(intern!(py, "kind"), kind)?;
    d.set_item(intern!(py, "cpu"), cpu)?;
    Ok(d)
}

/// Why a debugger does not see a register.
pub fn unseen(why: Unseen) -> PyErr {
    PyKeyError::new_err(match why {
        Unseen::Nothing => "no register is there".to_string(),
        Unseen::Unsaid(device) => format!("{device} does not say which reads have no effect"),
        Unseen::Effect(register, what) => format!("{register}: reading it {what}"),
    })
}
