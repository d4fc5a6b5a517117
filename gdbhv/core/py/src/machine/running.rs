//! Execution: stops, steps, signals, power.

use super::Machine;
use gdbhv_model::cpu::Power;
use gdbhv_model::machine::{Pause, Place, Step, Stop};
use gdbhv_model::raise::ExceptionKind;
use gdbhv_model::serror;
use gdbhv_model::stops::{Hit, Scope, Space};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
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

/// Instructions, virtual time, steps, midway.
type PlaceArg = (u64, u64, u64, bool);

#[pymethods]
impl Machine {
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
        model.idle_limit = idle.map_or(u64::MAX, |ns| ns / model.sh.ns_per_insn);
        let until = model.sh.ticks(until);
        let insns = insns.unwrap_or(u64::MAX);
        let mut raised = None;
        let mut poll = signals(&mut raised);
        let stop = py.detach(|| model.advance_polled(until, insns, mask, step, &mut poll));
        drop(poll);
        match raised {
            Some(error) => Err(error),
            None => stop_dict(py, &stop, model.sh.ns_per_insn),
        }
    }
    #[getter]
    fn place(&self) -> PlaceArg {
        let p = self.model.place();
        (p.insns, self.model.sh.ns(0), p.steps, p.midway)
    }
    #[pyo3(signature = (insns=None, place=None))]
    fn pause(&mut self, insns: Option<u64>, place: Option<PlaceArg>) {
        let at = |(insns, now, steps, midway)| Place {
            insns,
            now: self.model.sh.ticks(now),
            steps,
            midway,
        };
        let exact = place.map(|p| Pause::At(at(p)));
        self.model.pause = exact.or(insns.map(Pause::Insns));
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
}

/// Run Python's signal handlers while guests execute; true once one of them has raised.
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

fn stop_dict<'py>(py: Python<'py>, stop: &Stop, ns_per_insn: u64) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    let (kind, cpu) = match stop {
        Stop::Budget => ("budget", None),
        Stop::Interrupted => ("interrupted", None),
        Stop::Exit { cpu, caught } => {
            d.set_item("caught", caught)?;
            ("exit", Some(cpu))
        }
        Stop::Semihosting { cpu } => ("semihosting", Some(cpu)),
        Stop::Caught { cpu, entry: false } => ("caught", Some(cpu)),
        Stop::Caught { cpu, entry: true } => ("entry", Some(cpu)),
        Stop::Wake { cpu } => ("wake", Some(cpu)),
        Stop::Debug {
            cpu,
            hit: Hit::Break(b),
        } => {
            d.set_item("address", b.va)?;
            d.set_item("of_vm", matches!(b.scope, Scope::Vm(_)))?;
            (if b.hardware { "hwbreak" } else { "swbreak" }, Some(cpu))
        }
        Stop::Debug {
            cpu,
            hit: Hit::Watch(w, at, write),
        } => {
            d.set_item("address", at)?;
            d.set_item("of_vm", matches!(w.scope, Scope::Vm(_)))?;
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
        Stop::Loop { cpu } => ("loop", Some(cpu)),
        Stop::PowerOff { cpu } => ("poweroff", Some(cpu)),
        Stop::Reset { cpu } => ("reset", Some(cpu)),
        Stop::Stuck => ("stuck", None),
        Stop::Idle { next } => {
            d.set_item("next", next.saturating_mul(ns_per_insn))?;
            ("idle", None)
        }
        Stop::Pause => ("pause", None),
    };
    d.set_item(intern!(py, "kind"), kind)?;
    d.set_item(intern!(py, "cpu"), cpu)?;
    Ok(d)
}
