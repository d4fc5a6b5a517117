//! `gdbhv._core`: bindings only. Logic is in `gdbhv-model`, docstrings are in `gdbhv/_core.pyi`.
#![allow(missing_docs)]

mod convert;
mod device;
mod drives;
mod gic;
mod machine;
mod network;
mod tables;
mod translation;

use pyo3::prelude::*;

#[pymodule]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add_class::<machine::Machine>()?;
    m.add_class::<machine::running::Interrupter>()?;
    m.add_class::<translation::Controls>()?;
    m.add_class::<device::BoardDevice>()?;
    tables::add(m)
}
