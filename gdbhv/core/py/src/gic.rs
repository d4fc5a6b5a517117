//! The interrupt controller's state as a dictionary.

use gdbhv_model::dev::gic::irq::Irq;
use gdbhv_model::dev::gic::{Gic, Pe, Version, PRIVATE};
use gdbhv_model::mem::ram::Ram;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// Make the dictionary that `monitor gic` shows.
pub fn state<'py>(py: Python<'py>, gic: &Gic, ram: &Ram) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    let s = gic.state();
    let v2 = gic.version() == Version::V2;
    d.set_item("version", if v2 { 2 } else { 3 })?;
    d.set_item("ctlr", s.ctlr)?;
    let irqs = PyList::empty(py);
    for (cpu, pe) in s.pe.iter().enumerate() {
        for (n, i) in pe.private.iter().enumerate() {
            irqs.append(interrupt(py, n, Some(cpu), i)?)?;
        }
    }
    for (n, i) in s.spi.iter().enumerate() {
        irqs.append(interrupt(py, n + PRIVATE, None, i)?)?;
    }
    d.set_item("interrupts", irqs)?;
    let cpus = s.pe.iter().enumerate();
    let cpus = cpus.map(|(cpu, pe)| interface(py, gic, cpu, pe));
    d.set_item("cpus", cpus.collect::<PyResult<Vec<_>>>()?)?;
    d.set_item("its", if v2 { None } else { Some(its(py, gic, ram)?) })?;
    Ok(d)
}

fn interrupt<'py>(
    py: Python<'py>,
    intid: usize,
    cpu: Option<usize>,
    i: &Irq,
) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    d.set_item("intid", intid)?;
    d.set_item("cpu", cpu)?;
    d.set_item("enabled", i.enabled)?;
    d.set_item("pending", i.pending())?;
    d.set_item("active", i.active)?;
    d.set_item("line", i.line)?;
    d.set_item("edge", i.edge)?;
    d.set_item("group", i.group1 as u8)?;
    d.set_item("priority", i.priority)?;
    d.set_item("route", cpu.is_none().then_some(i.route))?;
    Ok(d)
}

fn interface<'py>(py: Python<'py>, gic: &Gic, cpu: usize, pe: &Pe) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    d.set_item("mask", pe.icc.pmr)?;
    d.set_item("running", pe.icc.running())?;
    d.set_item("groups", pe.icc.enabled)?;
    d.set_item("eoi_mode", pe.icc.eoi_mode as u8)?;
    d.set_item("fiq", pe.icc.fiq_en)?;
    d.set_item("first", gic.first(cpu))?;
    d.set_item("lists", pe.hyp.lr)?;
    let v = PyDict::new(py);
    v.set_item("mask", pe.hyp.icv.pmr)?;
    v.set_item("running", pe.hyp.icv.running())?;
    v.set_item("groups", pe.hyp.icv.enabled)?;
    v.set_item("eoi_mode", pe.hyp.icv.eoi_mode as u8)?;
    v.set_item("fiq", pe.hyp.icv.fiq_en)?;
    v.set_item("hcr", pe.hyp.hcr)?;
    v.set_item("misr", pe.hyp.misr())?;
    v.set_item("best", gic.virtual_best(cpu))?;
    v.set_item("signalled", gic.virtual_peek(cpu))?;
    d.set_item("virtual", v)?;
    d.set_item("lpis_enabled", pe.lpi.enabled)?;
    d.set_item("propbaser", pe.lpi.propbaser)?;
    d.set_item("pendbaser", pe.lpi.pendbaser)?;
    let configs = &gic.state().configs;
    let lpis = pe.lpi.pending().map(|n| (n, configs.get(n)));
    d.set_item("lpis", lpis.collect::<Vec<_>>())?;
    Ok(d)
}

fn its<'py>(py: Python<'py>, gic: &Gic, ram: &Ram) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    let its = &gic.state().its;
    d.set_item("enabled", its.enabled)?;
    d.set_item("cbaser", its.cbaser)?;
    d.set_item("cwriter", its.cwriter)?;
    d.set_item("creadr", its.creadr)?;
    d.set_item("stalled", its.stalled)?;
    d.set_item("commands", its.commands)?;
    d.set_item("errors", its.errors)?;
    let last = its.last_error;
    d.set_item(
        "last_error",
        last.map(|e| (e.name(), e.code, e.address, e.fault.text())),
    )?;
    let (devices, collections, unread) = gic.its_tables(ram);
    let list = PyList::empty(py);
    for (device, events) in devices {
        let d = PyDict::new(py);
        d.set_item("id", device.id)?;
        d.set_item("itt", device.itt)?;
        d.set_item("bits", device.bits)?;
        let events = events.iter().map(|(n, e)| (*n, e.intid, e.icid));
        d.set_item("events", events.collect::<Vec<_>>())?;
        list.append(d)?;
    }
    d.set_item("devices", list)?;
    d.set_item("collections", collections)?;
    d.set_item("unread", unread)?;
    Ok(d)
}
