//! RAM, as the host side and a debugger reach it.

use super::Machine;
use gdbhv_model::machine::Machine as Model;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[pymethods]
impl Machine {
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
}

fn no_memory(address: u64, length: u64, m: &Model) -> PyErr {
    let (base, size) = (m.sh.ram.base(), m.sh.ram.size());
    PyIndexError::new_err(format!(
        "physical {address:#x} and {length} bytes on: not in RAM, which is {base:#x} to {:#x}",
        base + size - 1
    ))
}
