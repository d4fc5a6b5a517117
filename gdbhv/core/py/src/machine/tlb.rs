//! What TLBs hold.

use super::Machine;
use gdbhv_model::bits::ones;
use gdbhv_model::mmu::held::Held;
use gdbhv_model::mmu::kind::{Mode, RegimeKind};
use gdbhv_model::mmu::walk_cache::HeldStage2;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

#[pymethods]
impl Machine {
    #[pyo3(signature = (cpu, first=0, last=u64::MAX))]
    fn tlb<'py>(
        &self,
        py: Python<'py>,
        cpu: usize,
        first: u64,
        last: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let pe = &self.model.cpus[self.check(cpu)?];
        let rows = pe.tlb.held(pe.ctx, &self.model.sh.tlb_queue[cpu]);
        let there = |h: &&Held| h.va <= last && h.va + ones(h.size as u32) >= first;
        let rows: Vec<_> = rows
            .iter()
            .filter(there)
            .map(|h| held(py, h))
            .collect::<PyResult<_>>()?;
        PyList::new(py, rows)
    }
    fn tlb_stage2<'py>(&self, py: Python<'py>, cpu: usize) -> PyResult<Bound<'py, PyList>> {
        let pe = &self.model.cpus[self.check(cpu)?];
        let rows = pe.tlb.held_stage2(&self.model.sh.tlb_queue[cpu]);
        let rows: Vec<_> = rows
            .iter()
            .map(|h| held_stage2(py, h))
            .collect::<PyResult<_>>()?;
        PyList::new(py, rows)
    }
}

/// As `Held` of `_core.pyi`.
fn held<'py>(py: Python<'py>, h: &Held) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    let regime = match h.key.regime & 3 {
        r if r == RegimeKind::El2 as u8 => "EL2",
        r if r == RegimeKind::El20 as u8 => "EL2&0",
        _ => "EL1&0",
    };
    d.set_item("regime", regime)?;
    d.set_item("stage1", h.key.regime & 4 != 0)?;
    d.set_item("stage2", h.key.regime & 8 != 0)?;
    d.set_item("vmid", h.key.vmid)?;
    d.set_item("asid", h.key.asid)?;
    d.set_item("user", h.key.mode == Mode::User as u8)?;
    d.set_item("pan", h.key.mode == Mode::Pan as u8)?;
    d.set_item("now", h.now)?;
    d.set_item("idle", h.idle)?;
    d.set_item("va", h.va)?;
    d.set_item("size", 1u64 << h.size)?;
    d.set_item("pa", h.pa)?;
    d.set_item("read", h.read)?;
    d.set_item("write", h.write)?;
    d.set_item("fetch", h.fetch)?;
    d.set_item("global", h.global)?;
    d.set_item("device", h.device)?;
    d.set_item("block", 1u64 << h.block)?;
    d.set_item("contiguous", h.contiguous)?;
    Ok(d)
}

/// As `HeldStage2` of `_core.pyi`.
fn held_stage2<'py>(py: Python<'py>, h: &HeldStage2) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    d.set_item("vmid", h.vmid)?;
    d.set_item("ipa", h.ipa)?;
    d.set_item("pa", h.leaf.oa)?;
    d.set_item("descriptor", h.leaf.desc)?;
    d.set_item("address", h.leaf.at)?;
    d.set_item("block", 1u64 << h.leaf.block)?;
    d.set_item("contiguous", h.leaf.contiguous)?;
    d.set_item("table", h.table)?;
    Ok(d)
}
