//! Disks in the virtio slots, of a machine or of a single device.

use crate::device::BoardDevice;
use crate::machine::Machine;
use gdbhv_model::dev::virtio::{Block, Kind, Virtio};
use gdbhv_model::mem::disk::{Disk, BLOCK, SECTOR};
use gdbhv_model::mem::image::{self, Format};
use pyo3::exceptions::{PyIndexError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeMap;

/// Open a file as a disk, and make the device for it.
fn open(path: &str, format: &str, read_only: bool) -> PyResult<(Kind, Disk)> {
    let unknown = || PyValueError::new_err(format!("format {format:?}: raw or qcow2"));
    let format = Format::named(format).ok_or_else(unknown)?;
    let base = image::open(path, format).map_err(|e| PyOSError::new_err(e.to_string()))?;
    let sectors = base.size() / SECTOR;
    let kind = Kind::Block(Block { sectors, read_only });
    Ok((kind, Disk::new(base)))
}

fn full() -> PyErr {
    PyValueError::new_err("all 32 virtio slots have a device")
}

/// Python's access to disks, by the number of their slot.
trait Drives {
    fn disks(&mut self) -> &mut BTreeMap<u8, Disk>;
    fn disk(&mut self, slot: u8) -> PyResult<&mut Disk> {
        let none = || PyIndexError::new_err(format!("there is no disk in virtio slot {slot}"));
        self.disks().get_mut(&slot).ok_or_else(none)
    }
    fn size(&mut self, slot: u8) -> PyResult<u64> {
        Ok(self.disk(slot)?.size())
    }
    fn written(&mut self, slot: u8) -> PyResult<Vec<(u64, u64)>> {
        let disk = self.disk(slot)?;
        let size = disk.size();
        let blocks = disk.written.blocks().map(|(n, _)| n * BLOCK);
        Ok(blocks.map(|at| (at, (size - at).min(BLOCK))).collect())
    }
    fn bytes<'py>(
        &mut self,
        py: Python<'py>,
        slot: u8,
        at: u64,
        length: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let disk = self.disk(slot)?;
        if !disk.has(at, length) {
            return Err(PyIndexError::new_err(format!(
                "{length} bytes at {at:#x} are not all on the disk, which has {}",
                disk.size()
            )));
        }
        PyBytes::new_with(py, length as usize, |to| {
            let done = disk.read(at, to);
            done.then_some(())
                .ok_or_else(|| PyOSError::new_err(disk.take_problem().unwrap_or_default()))
        })
    }
    fn problems(&mut self) -> Vec<(u8, String)> {
        let disks = self.disks().iter_mut();
        disks
            .filter_map(|(n, d)| Some((*n, d.take_problem()?)))
            .collect()
    }
}

impl Drives for Machine {
    fn disks(&mut self) -> &mut BTreeMap<u8, Disk> {
        &mut self.model.sh.ram.disks
    }
}

impl BoardDevice {
    pub fn slots(&mut self) -> PyResult<&mut Virtio> {
        let none = || PyValueError::new_err("this device has no slots: virtio-mmio has");
        self.device().virtio().ok_or_else(none)
    }
}

impl Drives for BoardDevice {
    fn disks(&mut self) -> &mut BTreeMap<u8, Disk> {
        &mut self.disks
    }
}

/// The methods for disks that a machine and a single device have in common.
macro_rules! drives {
    ($Of:ty) => {
        #[pymethods]
        impl $Of {
            fn drive_size(&mut self, slot: u8) -> PyResult<u64> {
                self.size(slot)
            }
            fn drive_written(&mut self, slot: u8) -> PyResult<Vec<(u64, u64)>> {
                self.written(slot)
            }
            fn drive_read<'py>(
                &mut self,
                py: Python<'py>,
                slot: u8,
                offset: u64,
                length: u64,
            ) -> PyResult<Bound<'py, PyBytes>> {
                self.bytes(py, slot, offset, length)
            }
            fn drive_problems(&mut self) -> Vec<(u8, String)> {
                self.problems()
            }
        }
    };
}

drives!(Machine);
drives!(BoardDevice);

#[pymethods]
impl Machine {
    #[pyo3(signature = (path, kind="raw", *, read_only=false))]
    fn plug_drive(&mut self, path: &str, kind: &str, read_only: bool) -> PyResult<u8> {
        let (device, disk) = open(path, kind, read_only)?;
        self.model.plug(device, Some(disk)).ok_or_else(full)
    }
    fn add_pcie(&mut self) {
        self.model.add_pcie();
    }
    fn has_pcie(&mut self) -> bool {
        self.model.sh.bus.pci().is_some_and(|p| p.present)
    }
    fn plug_rng(&mut self, seed: u64) -> PyResult<u8> {
        self.model.plug(Kind::Entropy(seed), None).ok_or_else(full)
    }
    fn plug_console(&mut self) -> PyResult<u8> {
        self.model.plug(Kind::Console, None).ok_or_else(full)
    }
}

#[pymethods]
impl BoardDevice {
    #[pyo3(signature = (path, kind="raw", *, read_only=false))]
    fn plug_drive(&mut self, path: &str, kind: &str, read_only: bool) -> PyResult<u8> {
        let (device, disk) = open(path, kind, read_only)?;
        let slot = self.slots()?.plug(device).ok_or_else(full)?;
        self.disks.insert(slot, disk);
        Ok(slot)
    }
    fn plug_rng(&mut self, seed: u64) -> PyResult<u8> {
        self.slots()?.plug(Kind::Entropy(seed)).ok_or_else(full)
    }
    fn plug_console(&mut self) -> PyResult<u8> {
        self.slots()?.plug(Kind::Console).ok_or_else(full)
    }
    fn reset_slots(&mut self) -> PyResult<()> {
        self.slots()?.reset();
        Ok(())
    }
}
