//! The VMs of a hypervisor in the machine, and what their vCPUs left at their exits.

use super::Machine;
use crate::convert;
use crate::translation::Controls;
use gdbhv_model::exit::Record;
use gdbhv_model::guest::{Left, SWITCHED};
use gdbhv_model::vms::{At, Vcpu, Vm, FIRST};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

#[pymethods]
impl Machine {
    fn vms<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = self.model.sh.exits.vms.list().iter().enumerate();
        let rows: Vec<_> = rows
            .map(|(n, vm)| self.one_vm(py, n as u16, vm))
            .collect::<PyResult<_>>()?;
        PyList::new(py, rows)
    }
    fn vm<'py>(&self, py: Python<'py>, number: u64) -> PyResult<Option<Bound<'py, PyDict>>> {
        let n: Option<u16> = number
            .checked_sub(FIRST.into())
            .and_then(|n| n.try_into().ok());
        let list = self.model.sh.exits.vms.list();
        let found = n.and_then(|n| Some((n, list.get(n as usize)?)));
        found.map(|(n, vm)| self.one_vm(py, n, vm)).transpose()
    }
    #[getter]
    fn further_entries(&self) -> u64 {
        self.model.sh.exits.vms.further
    }
    fn vm_here(&self, cpu: usize) -> PyResult<Option<(u16, u16)>> {
        let here = self.model.sh.exits.vms.here(self.check(cpu)?);
        Ok(here.map(|at| (at.number(), at.vcpu)))
    }
    fn vcpu<'py>(
        &self,
        py: Python<'py>,
        vm: u64,
        vcpu: u64,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let vm = vm.checked_sub(FIRST.into());
        let at = vm.and_then(|vm| {
            Some(At {
                vm: vm.try_into().ok()?,
                vcpu: vcpu.try_into().ok()?,
            })
        });
        let found = at.and_then(|at| Some((at, self.model.sh.exits.vms.vcpu(at)?)));
        found.map(|(at, v)| self.one_vcpu(py, at, v)).transpose()
    }
    fn hosts(&self) -> Vec<usize> {
        let host = self.model.sh.exits.vms.host;
        (0..self.model.cpus.len()).filter(|&i| host[i]).collect()
    }
    fn vcpu_exit<'py>(
        &self,
        py: Python<'py>,
        vm: u16,
        vcpu: u16,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let last = self.last_of(vm, vcpu);
        last.map(|r| convert::record(py, r)).transpose()
    }
    fn vcpu_left<'py>(
        &self,
        py: Python<'py>,
        vm: u16,
        vcpu: u16,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let last = self.last_of(vm, vcpu);
        last.map(|r| left(py, &r.left)).transpose()
    }
    fn left<'py>(&self, py: Python<'py>, cpu: usize) -> PyResult<Option<Bound<'py, PyDict>>> {
        let i = self.check(cpu)?;
        let last = self.model.sh.exits.last.get(i).and_then(Option::as_ref);
        last.map(|r| left(py, &r.left)).transpose()
    }
}

impl Machine {
    fn last_of(&self, vm: u16, vcpu: u16) -> Option<&Record> {
        let vm = vm.checked_sub(FIRST)?;
        self.model.sh.exits.last_of(At { vm, vcpu })
    }
    /// As `Vm` of `_core.pyi`.
    fn one_vm<'py>(&self, py: Python<'py>, n: u16, vm: &Vm) -> PyResult<Bound<'py, PyDict>> {
        let vms = &self.model.sh.exits.vms;
        let d = PyDict::new(py);
        d.set_item("number", n + FIRST)?;
        d.set_item("vmid", vm.key.vmid)?;
        d.set_item("vttbr", (vm.key.vmid as u64) << 48 | vm.key.root)?;
        d.set_item("last", vm.last)?;
        d.set_item("replaced", vms.replaced(vm))?;
        let vcpus = PyList::empty(py);
        for (i, v) in vm.vcpus.iter().enumerate() {
            let at = At {
                vm: n,
                vcpu: i as u16,
            };
            vcpus.append(self.one_vcpu(py, at, v)?)?;
        }
        d.set_item("vcpus", vcpus)?;
        Ok(d)
    }
    /// As `Vcpu` of `_core.pyi`.
    fn one_vcpu<'py>(&self, py: Python<'py>, at: At, v: &Vcpu) -> PyResult<Bound<'py, PyDict>> {
        let d = PyDict::new(py);
        d.set_item("mpidr", v.mpidr)?;
        d.set_item("cpu", v.cpu)?;
        d.set_item("inside", v.inside)?;
        d.set_item("here", self.model.sh.exits.vms.here(v.cpu) == Some(at))?;
        d.set_item("entries", v.entries)?;
        d.set_item("exits", v.exits)?;
        d.set_item("insns", v.insns)?;
        Ok(d)
    }
}

/// What a guest left at an exit, as `Left` of `_core.pyi`.
fn left<'py>(py: Python<'py>, l: &Left) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    d.set_item("x", l.x.to_vec())?;
    d.set_item("sp_el0", l.sp[0])?;
    d.set_item("sp_el1", l.sp[1])?;
    d.set_item("pc", l.pc)?;
    d.set_item("controls", Controls(l.controls))?;
    let switched = PyDict::new(py);
    for (r, v) in SWITCHED.iter().zip(l.switched) {
        switched.set_item(r.name(), v)?;
    }
    d.set_item("switched", switched)?;
    Ok(d)
}
