//! Interference from outside: exits answered, exceptions and interrupts that nothing has caused; and what traps.

use super::Machine;
use crate::convert::RegisterArg;
use gdbhv_model::inspect::Register;
use gdbhv_model::machine::traps::CONTROLS;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// Name, how, causes.
type TrappedRow = (String, &'static str, Vec<&'static str>);

#[pymethods]
impl Machine {
    fn at_exit(&self, cpu: usize) -> PyResult<bool> {
        let i = self.check(cpu)?;
        Ok(self.model.at_exit(i))
    }
    fn go_back(&mut self, cpu: usize, skip: bool) -> PyResult<()> {
        let i = self.check(cpu)?;
        self.model.go_back(i, skip).map_err(PyRuntimeError::new_err)
    }
    #[pyo3(signature = (cpu, esr, far=None))]
    fn inject_exception(&mut self, cpu: usize, esr: u64, far: Option<u64>) -> PyResult<()> {
        let i = self.check(cpu)?;
        let done = self.model.inject_exception(i, esr, far);
        done.map_err(PyRuntimeError::new_err)
    }
    fn pend(&mut self, cpu: usize, intid: u32) -> PyResult<bool> {
        let i = self.check(cpu)?;
        Ok(self.model.pend(i, intid))
    }
    #[classattr]
    const TRAP_CONTROLS: &'static [&'static str] = CONTROLS;
    fn traps(
        &mut self,
        cpu: usize,
        el: u8,
        controls: Vec<(String, u64)>,
        words: Vec<(String, u32)>,
    ) -> PyResult<Vec<TrappedRow>> {
        let i = self.check(cpu)?;
        if el > 1 {
            return Err(PyValueError::new_err(format!(
                "guests execute at EL0 and EL1, not at EL{el}"
            )));
        }
        let mut set = Vec::new();
        for (name, value) in controls {
            match RegisterArg::Name(name).resolve()? {
                Register::System(r) => set.push((r, value)),
                _ => return Err(PyValueError::new_err("system registers trap")),
            }
        }
        let found = self
            .model
            .traps(i, el, &set, &words)
            .map_err(PyRuntimeError::new_err)?;
        Ok(found
            .into_iter()
            .map(|t| (t.name, t.how, t.cause.to_vec()))
            .collect())
    }
}
