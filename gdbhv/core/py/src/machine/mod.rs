//! The machine.

mod catch;
mod chaos;
mod checks;
mod debugger;
pub mod devices;
mod exits;
mod interference;
mod memory;
mod registers;
pub mod running;
pub mod snapshot;
mod tlb;
mod translate;
mod vms;

use crate::device::{self, ItemKey};
use crate::translation::Controls;
use gdbhv_model::cpu::Cpu;
use gdbhv_model::exec::native::{Stats, Tiering};
use gdbhv_model::exec::perf::Map;
use gdbhv_model::machine::Machine as Model;
use gdbhv_model::mmu::regime::Regime;
use pyo3::exceptions::{PyIndexError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;

/// Entries of a block after which it is compiled, unless it is said.
const COMPILE_AFTER: u32 = 40;

/// The environment's word for it, for whole test suites.
const COMPILE_AFTER_VARIABLE: &str = "GDBHV_COMPILE_AFTER";

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
        let mut machine = Machine { model };
        match std::env::var(COMPILE_AFTER_VARIABLE) {
            Ok(asked) => machine.compile_after(asked.parse().map_err(|_| {
                PyValueError::new_err(format!(
                    "{COMPILE_AFTER_VARIABLE}={asked}: a number is needed"
                ))
            })?)?,
            // A host without a compiling tier has the interpreter.
            Err(_) => drop(machine.compile_after(COMPILE_AFTER)),
        }
        Ok(machine)
    }

    fn compile_after(&mut self, entries: u32) -> PyResult<()> {
        let features = self.model.sh.config.features;
        let tiering = match entries {
            0 => None,
            n => {
                let compiler = gdbhv_jit::compiler(features).map_err(PyRuntimeError::new_err)?;
                Some(Tiering::new(compiler, n))
            }
        };
        self.model.code.set_tiering(tiering);
        Ok(())
    }

    #[getter]
    fn compiled_blocks(&self) -> u64 {
        self.model.code.tiering().map_or(0, |t| t.stats.blocks)
    }
    fn compiled<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let s = self
            .model
            .code
            .tiering()
            .map_or(Stats::default(), |t| t.stats);
        let d = PyDict::new(py);
        d.set_item("blocks", s.blocks)?;
        d.set_item("instructions", s.instructions)?;
        d.set_item("bytes", s.bytes)?;
        d.set_item("seconds", s.time.as_secs_f64())?;
        d.set_item("executed", s.executed)?;
        Ok(d)
    }
    fn perf_map(&mut self, path: PathBuf, symbols: Vec<(u64, String)>) -> PyResult<()> {
        let none = || PyRuntimeError::new_err("nothing is compiled: there is no code to map");
        let tiering = self.model.code.tiering_mut().ok_or_else(none)?;
        tiering.map = Some(Map::create(&path, symbols)?);
        Ok(())
    }

    fn set_flash(&mut self, bank: usize, data: &[u8]) -> PyResult<()> {
        let done = self.model.set_flash(bank, data);
        let why = || {
            PyValueError::new_err(format!(
                "{} bytes for bank {bank} of the flash: a bare machine has two, of 64 MiB",
                data.len()
            ))
        };
        done.then_some(()).ok_or_else(why)
    }
    fn set_fw_cfg(&mut self, key: ItemKey, data: &[u8]) -> PyResult<()> {
        device::set_item(self.model.sh.bus.fw_cfg(), key, data)
    }
}
