//! Translation regimes, and the registers that control them, as values.

use gdbhv_model::mmu::controls::Controls as Model;
use gdbhv_model::mmu::kind::RegimeKind;
use gdbhv_model::mmu::regime::Regime;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The registers that control EL1&0's translation.
#[pyclass(frozen, eq, from_py_object, module = "gdbhv._core")]
#[derive(Clone, Copy, PartialEq)]
pub struct Controls(pub Model);

#[pymethods]
impl Controls {
    #[new]
    #[pyo3(signature = (*, hcr, vtcr, vttbr, sctlr, tcr, ttbr0, ttbr1, mair))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        hcr: u64,
        vtcr: u64,
        vttbr: u64,
        sctlr: u64,
        tcr: u64,
        ttbr0: u64,
        ttbr1: u64,
        mair: u64,
    ) -> Controls {
        Controls(Model {
            hcr,
            vtcr,
            vttbr,
            sctlr,
            tcr,
            ttbr: [ttbr0, ttbr1],
            mair,
        })
    }
    #[getter]
    fn hcr(&self) -> u64 {
        self.0.hcr
    }
    #[getter]
    fn vtcr(&self) -> u64 {
        self.0.vtcr
    }
    #[getter]
    fn vttbr(&self) -> u64 {
        self.0.vttbr
    }
    #[getter]
    fn sctlr(&self) -> u64 {
        self.0.sctlr
    }
    #[getter]
    fn tcr(&self) -> u64 {
        self.0.tcr
    }
    #[getter]
    fn ttbr0(&self) -> u64 {
        self.0.ttbr[0]
    }
    #[getter]
    fn ttbr1(&self) -> u64 {
        self.0.ttbr[1]
    }
    #[getter]
    fn mair(&self) -> u64 {
        self.0.mair
    }
}

/// Convert a regime to `Regime` of `_core.pyi`.
pub fn regime<'py>(py: Python<'py>, r: &Regime) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    let name = match r.kind {
        RegimeKind::El10 => "EL1&0",
        RegimeKind::El2 => "EL2",
        RegimeKind::El20 => "EL2&0",
    };
    d.set_item("name", name)?;
    d.set_item("stage1", r.s1.on)?;
    d.set_item("stage2", r.s2.is_some())?;
    d.set_item("vmid", (r.kind == RegimeKind::El10).then_some(r.vmid))?;
    d.set_item("asid", (r.kind != RegimeKind::El2).then_some(r.asid))?;
    d.set_item("fwb", r.s2.is_some_and(|s| s.fwb))?;
    d.set_item("nv1", r.s1.nv1)?;
    Ok(d)
}
