//! The interrupt controller, devices by address, the console.

use super::Machine;
use gdbhv_model::dev::Unseen;
use pyo3::exceptions::{PyIndexError, PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

#[pymethods]
impl Machine {
    fn irq_lines(&mut self, cpu: usize) -> PyResult<(bool, bool, bool, bool)> {
        let i = self.check(cpu)?;
        let l = self.model.sh.gic.lines(i);
        Ok((l.irq, l.fiq, l.virq, l.vfiq))
    }
    fn gic<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        crate::gic::state(py, &self.model.sh.gic, &self.model.sh.ram)
    }
    fn bus_read(&mut self, cpu: usize, address: u64, size: u8) -> PyResult<u64> {
        let i = self.check(cpu)?;
        check_size(size)?;
        self.model
            .bus_read(i, address, size)
            .ok_or_else(|| no_device(address))
    }
    fn bus_peek(&mut self, cpu: usize, address: u64, size: u8) -> PyResult<u64> {
        let i = self.check(cpu)?;
        check_size(size)?;
        let seen = self.model.bus_peek(i, address, size);
        seen.map_err(|why| match why {
            Unseen::Nothing => no_device(address),
            why => unseen(why),
        })
    }
    fn bus_write(&mut self, cpu: usize, address: u64, size: u8, value: u64) -> PyResult<()> {
        let i = self.check(cpu)?;
        check_size(size)?;
        self.model
            .bus_write(i, address, size, value)
            .ok_or_else(|| no_device(address))
    }
    fn set_spi(&mut self, intid: u32, level: bool) -> PyResult<()> {
        if !(32..1020).contains(&intid) {
            return Err(PyValueError::new_err(format!(
                "INTID {intid} is no SPI: they are 32 to 1019"
            )));
        }
        self.model.sh.gic.set_level(intid, None, level);
        Ok(())
    }

    fn take_output<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.model.take_output())
    }
    #[getter]
    fn input_waiting(&mut self) -> usize {
        self.model.sh.bus.input_waiting()
    }
    #[getter]
    fn listens(&mut self) -> bool {
        self.model.sh.bus.listens()
    }
    fn press_power_button(&mut self) {
        self.model.press_power_button();
    }
    #[pyo3(signature = (data, paced=false))]
    fn push_input(&mut self, data: &[u8], paced: bool) {
        self.model.push_input(data, paced);
    }
    fn enable_semihosting(&mut self) {
        self.model.sh.semihosting = true;
    }
    fn take_typed<'py>(&mut self, py: Python<'py>, most: usize) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.model.take_typed(most))
    }
    fn undefined_seen(&mut self) -> Vec<(u64, u32)> {
        std::mem::take(&mut self.model.sh.undefined_new)
            .iter()
            .map(|n| (n.pc, n.insn))
            .collect()
    }
}

fn check_size(size: u8) -> PyResult<()> {
    match size {
        1 | 2 | 4 | 8 => Ok(()),
        _ => Err(PyValueError::new_err(format!(
            "{size} bytes: a device register is read or written by 1, 2, 4 or 8"
        ))),
    }
}

fn no_device(address: u64) -> PyErr {
    PyIndexError::new_err(format!("physical {address:#x}: no device answers there"))
}

/// Why a debugger does not see a register.
pub fn unseen(why: Unseen) -> PyErr {
    PyKeyError::new_err(match why {
        Unseen::Nothing => "no register is there".to_string(),
        Unseen::Unsaid(device) => format!("{device} does not say which reads have no effect"),
        Unseen::Effect(register, what) => format!("{register}: reading it {what}"),
    })
}
