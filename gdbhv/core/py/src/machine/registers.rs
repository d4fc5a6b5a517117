//! Registers of the CPUs.

use super::Machine;
use crate::convert::RegisterArg;
use gdbhv_model::inspect::{self, Register};
use gdbhv_model::sysreg;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

#[pymethods]
impl Machine {
    fn read_register(&mut self, cpu: usize, register: RegisterArg) -> PyResult<u128> {
        let i = self.check(cpu)?;
        let m = &mut self.model;
        inspect::read(&m.cpus[i], &mut m.sh, register.resolve()?).map_err(PyKeyError::new_err)
    }
    fn virtual_by(&self, cpu: usize, register: RegisterArg) -> PyResult<Option<&'static str>> {
        let i = self.check(cpu)?;
        Ok(inspect::virtual_by(
            &self.model.cpus[i],
            &self.model.sh,
            register.resolve()?,
        ))
    }
    fn write_register(&mut self, cpu: usize, register: RegisterArg, value: u128) -> PyResult<()> {
        let i = self.check(cpu)?;
        let m = &mut self.model;
        let r = register.resolve()?;
        inspect::write(&mut m.cpus[i], &mut m.sh, r, value).map_err(PyKeyError::new_err)?;
        m.reschedule();
        Ok(())
    }
    fn read_core<'py>(&self, py: Python<'py>, cpu: usize) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &inspect::core(self.cpu(cpu)?)))
    }
    fn x(&self, cpu: usize, n: usize) -> PyResult<u64> {
        let x = &self.cpu(cpu)?.x;
        Ok(if n < 31 { x[n] } else { 0 })
    }
    fn set_x(&mut self, cpu: usize, n: usize, value: u64) -> PyResult<()> {
        let i = self.check(cpu)?;
        if n < 31 {
            self.model.cpus[i].x[n] = value;
        }
        Ok(())
    }
    /// As MRS executed at EL2 would.
    fn mrs(&mut self, cpu: usize, register: RegisterArg) -> PyResult<u64> {
        let i = self.check(cpu)?;
        let Register::System(r) = register.resolve()? else {
            return Err(PyKeyError::new_err("MRS takes a system register"));
        };
        let m = &mut self.model;
        sysreg::access::el2_read(&m.cpus[i], &mut m.sh, r).map_err(PyKeyError::new_err)
    }
    /// As MSR executed at EL2 would.
    fn msr(&mut self, cpu: usize, register: RegisterArg, value: u64) -> PyResult<()> {
        let i = self.check(cpu)?;
        let Register::System(r) = register.resolve()? else {
            return Err(PyKeyError::new_err("MSR takes a system register"));
        };
        let m = &mut self.model;
        sysreg::access::el2_write(&mut m.cpus[i], &mut m.sh, r, value)
            .map_err(PyKeyError::new_err)?;
        m.sh.next_event = 0;
        Ok(())
    }
    /// What a hypervisor does that has emulated the instruction that exited.
    fn skip(&mut self, cpu: usize) -> PyResult<()> {
        let i = self.check(cpu)?;
        self.model.skip(i);
        Ok(())
    }
    fn software_increment(&mut self, cpu: usize, counters: u32, el: u8) -> PyResult<()> {
        let i = self.check(cpu)?;
        if el > 1 {
            let what = format!("software increments are for EL0 or EL1, not for EL{el}");
            return Err(PyValueError::new_err(what));
        }
        let m = &mut self.model;
        gdbhv_model::pmu::increment(&mut m.cpus[i], &mut m.sh, counters, el);
        m.sh.next_event = 0;
        Ok(())
    }
    fn mrs_many(&mut self, cpu: usize, registers: Vec<u16>) -> PyResult<Vec<u64>> {
        registers
            .into_iter()
            .map(|r| self.mrs(cpu, RegisterArg::Encoding(r)))
            .collect()
    }
    fn msr_many(&mut self, cpu: usize, registers: Vec<u16>, values: Vec<u64>) -> PyResult<()> {
        if registers.len() != values.len() {
            return Err(PyValueError::new_err(
                "as many values as registers are needed",
            ));
        }
        registers
            .into_iter()
            .zip(values)
            .try_for_each(|(r, v)| self.msr(cpu, RegisterArg::Encoding(r), v))
    }
    fn gprs(&self, cpu: usize) -> PyResult<Vec<u64>> {
        Ok(self.cpu(cpu)?.x[..31].to_vec())
    }
    fn set_gprs(&mut self, cpu: usize, values: Vec<u64>) -> PyResult<()> {
        let i = self.check(cpu)?;
        if values.len() != 31 {
            return Err(PyValueError::new_err("31 values are needed, x0 to x30"));
        }
        self.model.cpus[i].x[..31].copy_from_slice(&values);
        Ok(())
    }
    fn vregs(&self, cpu: usize) -> PyResult<Vec<u128>> {
        Ok(self.cpu(cpu)?.v.to_vec())
    }
    fn set_vregs(&mut self, cpu: usize, values: Vec<u128>) -> PyResult<()> {
        let i = self.check(cpu)?;
        let values: [u128; 32] = values
            .try_into()
            .map_err(|_| PyValueError::new_err("32 values are needed, v0 to v31"))?;
        self.model.cpus[i].v = values;
        Ok(())
    }
}
