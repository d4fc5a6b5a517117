//! Translations and their controls.

use super::Machine;
use crate::convert::{self};
use crate::translation::{self, Controls};
use gdbhv_model::mmu::access::Access;
use gdbhv_model::mmu::controls::Controls as ControlValues;
use gdbhv_model::mmu::kind::RegimeKind;
use gdbhv_model::mmu::regime::Regime;
use pyo3::prelude::*;
use pyo3::types::PyDict;

#[pymethods]
impl Machine {
    fn controls(&self, cpu: usize) -> PyResult<Controls> {
        Ok(Controls(ControlValues::of(
            self.cpu(cpu)?,
            RegimeKind::El10,
        )))
    }
    #[pyo3(signature = (cpu, el, controls=None))]
    fn regime<'py>(
        &self,
        py: Python<'py>,
        cpu: usize,
        el: u8,
        controls: Option<Controls>,
    ) -> PyResult<Bound<'py, PyDict>> {
        translation::regime(py, &self.select(cpu, el, controls)?)
    }
    #[pyo3(signature = (cpu, address, *, el=None, access="read", checked=false, controls=None, pan=None))]
    #[allow(clippy::too_many_arguments)]
    fn translate<'py>(
        &self,
        py: Python<'py>,
        cpu: usize,
        address: u64,
        el: Option<u8>,
        access: &str,
        checked: bool,
        controls: Option<Controls>,
        pan: Option<bool>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let pstate = self.cpu(cpu)?.pstate;
        let el = el.unwrap_or(pstate.el);
        let regime = self.select(cpu, el, controls)?;
        let (purpose, write) = convert::purpose(access)?;
        let pan = pan.unwrap_or(pstate.pan) && el != 0;
        let access = Access {
            checked,
            ..Access::new(purpose, write, el == 0, pan)
        };
        let (steps, done) = self.model.walk(&regime, address, access);
        convert::walk(py, &steps, &done)
    }
    #[pyo3(signature = (cpu, ipa, *, access="read", checked=false, controls=None))]
    fn translate_ipa<'py>(
        &self,
        py: Python<'py>,
        cpu: usize,
        ipa: u64,
        access: &str,
        checked: bool,
        controls: Option<Controls>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let regime = match controls {
            None => Regime::of(self.cpu(cpu)?, RegimeKind::El10),
            _ => self.select(cpu, 1, controls)?,
        };
        let (purpose, write) = convert::purpose(access)?;
        let access = Access {
            checked,
            ..Access::new(purpose, write, false, false)
        };
        match self.model.walk_ipa(&regime, ipa, access) {
            Some((steps, done)) => Ok(Some(convert::walk(py, &steps, &done)?)),
            None => Ok(None),
        }
    }
}
