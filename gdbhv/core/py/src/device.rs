//! A single device of the board, for a VM whose host emulates the board in Python.

use crate::machine::snapshot::unfit;
use gdbhv_model::board::{self, BoardConfig};
use gdbhv_model::dev::fw_cfg::FwCfg;
use gdbhv_model::dev::{DevCtx, Device};
use gdbhv_model::mem::disk::Disk;
use gdbhv_model::mem::Memory;
use gdbhv_model::save::{put, take, Unfit};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

#[pyclass(module = "gdbhv._core")]
pub struct BoardDevice {
    /// Never locked: Python lends the object to one thread at a time.
    device: Mutex<Box<dyn Device>>,
    /// The devices in the virtio slots, by number.
    pub disks: BTreeMap<u8, Disk>,
}

impl BoardDevice {
    pub fn device(&mut self) -> &mut dyn Device {
        &mut **self
            .device
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }
    /// The saved device, and what was written to its disks.
    fn saved(&mut self) -> Vec<u8> {
        let mut to = Vec::new();
        self.device().save(&mut to);
        for disk in self.disks.values() {
            put(&mut to, &disk.written);
        }
        to
    }
    /// Carry out the accesses to memory that are left to do after a register access or an event.
    pub fn service(&mut self, memory: &Bound<'_, PyAny>) {
        let device = self.device.get_mut();
        let device = device.unwrap_or_else(PoisonError::into_inner);
        if device.has_work() {
            device.service(&mut Outside(memory, &mut self.disks));
        }
    }
    fn put(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.device().load(from)?;
        for disk in self.disks.values_mut() {
            disk.written = take(from)?;
        }
        Ok(())
    }
}

#[pymethods]
impl BoardDevice {
    #[new]
    #[pyo3(signature = (name, *, cpus=1, epoch=1_767_225_600))]
    fn new(name: &str, cpus: usize, epoch: u32) -> PyResult<BoardDevice> {
        let config = BoardConfig {
            cpus,
            epoch,
            ..BoardConfig::default()
        };
        let device = board::row(name).and_then(|r| r.device(&config));
        let none = || PyKeyError::new_err(format!("no device of the board is called {name:?}"));
        let device = device.ok_or_else(none)?;
        Ok(BoardDevice {
            device: Mutex::new(device),
            disks: BTreeMap::new(),
        })
    }
    fn save<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.saved())
    }
    fn load(&mut self, state: &[u8]) -> PyResult<()> {
        let before = self.saved();
        let mut from = state;
        let loaded = self.put(&mut from);
        if loaded.is_ok() && from.is_empty() {
            return Ok(());
        }
        let name = self.device().name();
        self.put(&mut &before[..]).map_err(unfit)?;
        let rest = format!("{} bytes too many", from.len());
        let why = loaded.err().map_or(rest, |e| e.0);
        Err(PyValueError::new_err(format!("{name}: {why}")))
    }
    fn read(&mut self, offset: u64, size: u8, now: u64) -> PyResult<u64> {
        aligned(offset, size)?;
        Ok(self.device().read(offset, size, at(now)).unwrap_or(0))
    }
    fn peek(&mut self, offset: u64, size: u8, now: u64) -> PyResult<u64> {
        aligned(offset, size)?;
        let seen = self.device().peek(offset, size, at(now));
        seen.map_err(crate::machine::devices::unseen)
    }
    fn write(
        &mut self,
        offset: u64,
        size: u8,
        value: u64,
        now: u64,
        memory: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        aligned(offset, size)?;
        self.device().write(offset, size, value, at(now));
        self.service(memory);
        Ok(())
    }
    fn irqs(&mut self) -> Vec<(u32, bool)> {
        let mut lines = Vec::new();
        self.device().irqs(&mut |n, level| lines.push((n, level)));
        lines
    }
    fn deadline(&mut self) -> Option<u64> {
        self.device().deadline()
    }
    fn event(&mut self, now: u64, memory: &Bound<'_, PyAny>) {
        self.device().event(now);
        self.service(memory);
    }
    fn press_power_button(&mut self, now: u64) -> PyResult<()> {
        let none = || PyValueError::new_err("this device has no power button: pl061 has");
        self.device()
            .gpio()
            .ok_or_else(none)?
            .press_power_button(now);
        Ok(())
    }
    fn take_output<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let said = self.device().console().map(|c| c.take_output());
        PyBytes::new(py, &said.unwrap_or_default())
    }
    fn push_input(&mut self, data: &[u8], now: u64, memory: &Bound<'_, PyAny>) -> PyResult<()> {
        let none = || PyValueError::new_err("there is no console in a slot");
        let console = self.device().console().ok_or_else(none)?;
        console.push_input(data, false, now);
        self.service(memory);
        Ok(())
    }
    fn take_waiting<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let typed = self.device().console().map(|c| c.take_waiting().0);
        PyBytes::new(py, &typed.unwrap_or_default())
    }
    fn input_waiting(&mut self) -> usize {
        self.device().console().map_or(0, |c| c.waiting())
    }
    fn listens(&mut self) -> bool {
        self.device().console().is_some_and(|c| c.listens())
    }
    fn set_item(&mut self, key: ItemKey, data: &[u8]) -> PyResult<()> {
        set_item(self.device().fw_cfg(), key, data)
    }
}

fn at(now: u64) -> DevCtx {
    DevCtx { now, cpu: 0 }
}

fn aligned(offset: u64, size: u8) -> PyResult<()> {
    if matches!(size, 1 | 2 | 4 | 8) && offset.is_multiple_of(size as u64) {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "an access of {size} bytes at offset {offset:#x}: 1, 2, 4 or 8, aligned"
    )))
}

/// A number or a name.
#[derive(FromPyObject)]
pub enum ItemKey {
    Number(u16),
    Name(String),
}

/// Set an item of fw_cfg.
pub fn set_item(to: Option<&mut FwCfg>, key: ItemKey, data: &[u8]) -> PyResult<()> {
    let to = to.ok_or_else(|| PyValueError::new_err("this device has no items: fw-cfg has"))?;
    match key {
        ItemKey::Number(n) => {
            to.set_item(n, data.to_vec());
            Ok(())
        }
        ItemKey::Name(n) => to.set_file(&n, data.to_vec()).map_err(|_| {
            PyValueError::new_err(format!(
                "a fw_cfg item cannot be called {n:?}: 1 to 55 bytes"
            ))
        }),
    }
}

/// Memory that Python implements: `read(address, length)` returns bytes, `write(address, data)` takes them; both raise where there is
/// no memory.
struct Outside<'a, 'py>(&'a Bound<'py, PyAny>, &'a mut BTreeMap<u8, Disk>);

impl Memory for Outside<'_, '_> {
    fn read(&self, pa: u64, bytes: u64) -> Option<u64> {
        let mut v = [0; 8];
        self.read_bytes(pa, v.get_mut(..bytes as usize)?)?;
        Some(u64::from_le_bytes(v))
    }
    fn write(&mut self, pa: u64, bytes: u64, v: u64) -> Option<()> {
        self.write_bytes(pa, v.to_le_bytes().get(..bytes as usize)?)
    }
    fn read_bytes(&self, pa: u64, to: &mut [u8]) -> Option<()> {
        let bytes = self.0.call_method1("read", (pa, to.len())).ok()?;
        let bytes = bytes.cast::<PyBytes>().ok()?.as_bytes();
        to.copy_from_slice(bytes.get(..to.len())?);
        Some(())
    }
    fn write_bytes(&mut self, pa: u64, from: &[u8]) -> Option<()> {
        let data = PyBytes::new(self.0.py(), from);
        self.0.call_method1("write", (pa, data)).ok().map(|_| ())
    }
    fn disk(&mut self, number: u8) -> Option<&mut Disk> {
        self.1.get_mut(&number)
    }
}
