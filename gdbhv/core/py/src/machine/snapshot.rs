//! Snapshots of a machine.

use super::Machine;
use gdbhv_model::save::Unfit;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The exception for state that does not fit.
pub fn unfit(e: Unfit) -> PyErr {
    PyValueError::new_err(e.0)
}

#[pymethods]
impl Machine {
    fn snapshot(&mut self) -> u32 {
        self.model.snapshot()
    }
    fn restore(&mut self, snapshot: u32) -> PyResult<()> {
        self.model.restore(snapshot).map_err(unfit)
    }
    fn forget_snapshot(&mut self, snapshot: u32) -> PyResult<()> {
        self.model.forget_snapshot(snapshot).map_err(unfit)
    }
    fn snapshot_size(&self, snapshot: u32) -> PyResult<(usize, usize)> {
        self.model.snapshot_size(snapshot).map_err(unfit)
    }
    #[pyo3(signature = (snapshot, other, address))]
    fn snapshots_differ(&self, snapshot: u32, other: Option<u32>, address: u64) -> PyResult<bool> {
        self.model.differ(snapshot, other, address).map_err(unfit)
    }
    fn ram_digest(&mut self, py: Python<'_>) -> u64 {
        let model = &mut self.model;
        py.detach(|| model.ram_digest())
    }
    fn export_snapshot<'py>(
        &mut self,
        py: Python<'py>,
        snapshot: u32,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let model = &mut self.model;
        let bytes = py.detach(|| model.export(snapshot)).map_err(unfit)?;
        Ok(PyBytes::new(py, &bytes))
    }
    fn import_snapshot(&mut self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        let model = &mut self.model;
        py.detach(|| model.import(data)).map_err(unfit)
    }
}
