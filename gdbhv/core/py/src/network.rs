//! The outer end of a network's wire, of a machine or of a single device.

use crate::device::BoardDevice;
use crate::machine::Machine;
use gdbhv_model::dev::net::tcp::{Connections, Told};
use gdbhv_model::dev::net::{Mac, Sender};
use gdbhv_model::dev::virtio::Kind;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// An action of the guest: client, kind, and bytes.
type Heard<'py> = (u32, &'static str, Bound<'py, PyBytes>);

fn none() -> PyErr {
    PyValueError::new_err("there is no network device")
}

/// Pass an action of a client to the guest, at virtual time `now`.
fn tell(
    what: &str,
    client: u32,
    port: u16,
    data: &[u8],
    now: u64,
) -> PyResult<impl FnOnce(&mut Connections, &mut Sender)> {
    if !["open", "data", "end", "abort", "datagram"].contains(&what) {
        return Err(PyValueError::new_err(format!(
            "{what:?}: open, data, end, abort or datagram"
        )));
    }
    let (what, data) = (what.to_owned(), data.to_vec());
    Ok(move |all: &mut Connections, to: &mut Sender| match &*what {
        "open" => all.open(client, port, now, to),
        "data" => all.send(client, &data, now, to),
        "datagram" => all.flows.send(client, port, &data, to),
        "end" => all.end(client, now, to),
        _ => all.abort(client, to),
    })
}

fn heard<'py>(py: Python<'py>, told: Vec<(u32, Told)>) -> Vec<Heard<'py>> {
    let words = |(client, told)| match told {
        Told::Data(data) => (client, "data", PyBytes::new(py, &data)),
        Told::Datagram(data) => (client, "datagram", PyBytes::new(py, &data)),
        Told::End => (client, "end", PyBytes::new(py, &[])),
        Told::Abort => (client, "abort", PyBytes::new(py, &[])),
    };
    told.into_iter().map(words).collect()
}

fn mac(bytes: [u8; 6]) -> PyResult<Mac> {
    if bytes[0] & 1 != 0 {
        return Err(PyValueError::new_err("a MAC address of a group"));
    }
    Ok(bytes)
}

fn full() -> PyErr {
    PyValueError::new_err("all 32 virtio slots have a device")
}

#[pymethods]
impl Machine {
    fn plug_net(&mut self, address: [u8; 6]) -> PyResult<u8> {
        let kind = Kind::Net(mac(address)?);
        self.model.plug(kind, None).ok_or_else(full)
    }
    fn net_tell(&mut self, client: u32, what: &str, data: &[u8], port: u16) -> PyResult<()> {
        let now = self.model.sh.platform.ns(0);
        let done = self.model.network(tell(what, client, port, data, now)?);
        done.ok_or_else(none)
    }
    fn net_take<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Heard<'py>>> {
        let slots = self.model.sh.bus.virtio().ok_or_else(none)?;
        Ok(heard(py, slots.take_told().ok_or_else(none)?))
    }
    fn net_waiting(&mut self, client: u32) -> PyResult<Option<usize>> {
        let slots = self.model.sh.bus.virtio().ok_or_else(none)?;
        slots.waiting_for(client).ok_or_else(none)
    }
}

#[pymethods]
impl BoardDevice {
    fn plug_net(&mut self, address: [u8; 6]) -> PyResult<u8> {
        let kind = Kind::Net(mac(address)?);
        self.slots()?.plug(kind).ok_or_else(full)
    }
    fn net_tell(
        &mut self,
        client: u32,
        what: &str,
        data: &[u8],
        port: u16,
        now: u64,
        memory: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let with = tell(what, client, port, data, now)?;
        self.slots()?.network(now, with).ok_or_else(none)?;
        self.service(memory);
        Ok(())
    }
    fn net_take<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Heard<'py>>> {
        Ok(heard(py, self.slots()?.take_told().ok_or_else(none)?))
    }
    fn net_waiting(&mut self, client: u32) -> PyResult<Option<usize>> {
        self.slots()?.waiting_for(client).ok_or_else(none)
    }
}
