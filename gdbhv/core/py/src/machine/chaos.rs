//! What a seed decides.

use super::Machine;
use gdbhv_model::chaos::Chaos;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

#[pymethods]
impl Machine {
    #[getter]
    fn chaos(&self) -> Option<String> {
        self.model.chaos().map(Chaos::text)
    }
    #[setter]
    fn set_chaos(&mut self, text: Option<&str>) -> PyResult<()> {
        let chaos = text.map(Chaos::parse).transpose();
        self.model.set_chaos(chaos.map_err(PyValueError::new_err)?);
        Ok(())
    }
    fn wait_until(&mut self, until: Option<u64>) -> Option<u64> {
        self.model.wait_until(until)
    }
}
