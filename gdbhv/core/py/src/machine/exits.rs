//! Exits: records, counts, what stops the machine.

use super::Machine;
use crate::convert::{self};
use pyo3::prelude::*;
use pyo3::types::PyDict;

#[pymethods]
impl Machine {
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
            .map(|(&(vm, vmid, class, key), &count)| {
                let d = PyDict::new(py);
                d.set_item("vm", vm)?;
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
}
