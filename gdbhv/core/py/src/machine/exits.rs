//! Exits: records, accounts, the trace, what stops the machine.

use super::Machine;
use crate::convert::{self};
use gdbhv_model::account::{Place, Spread};
use gdbhv_model::dev::gic::lives::Happened;
use gdbhv_model::exit::{self, class_of};
use gdbhv_model::repeat::Repeated;
use gdbhv_model::trace::{Event, What};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A distribution (`Spread` in `_core.pyi`).
fn spread<'py>(py: Python<'py>, s: &Spread) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    d.set_item("count", s.count)?;
    d.set_item("total", s.total)?;
    d.set_item("min", s.min)?;
    d.set_item("max", s.max)?;
    d.set_item("buckets", s.filled())?;
    Ok(d)
}

fn place<'py>(py: Python<'py>, p: &Place) -> PyResult<Bound<'py, PyDict>> {
    let (vm, vmid, class, key) = p.kind;
    let d = PyDict::new(py);
    d.set_item("vm", vm)?;
    d.set_item("vmid", vmid)?;
    d.set_item("vcpu", p.vcpu)?;
    d.set_item("number", class)?;
    d.set_item("class", class_of(class).name)?;
    d.set_item("name", exit::name(class, key))?;
    d.set_item("call", p.call)?;
    d.set_item("pc", p.pc)?;
    d.set_item("page", p.page.map(|n| n << 12))?;
    Ok(d)
}

fn event<'py>(py: Python<'py>, seq: u64, e: &Event) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    let what = match e.what {
        What::Entry => "entry",
        What::Exit => "exit",
        What::Virtual => "virtual",
        What::Pended => "pended",
        What::Lived(Happened::Listed) => "listed",
        What::Lived(Happened::Unlisted) => "unlisted",
        What::Lived(Happened::Acknowledged) => "acknowledged",
        What::Lived(Happened::Ended) => "ended",
        What::Lived(Happened::Maintenance) => "maintenance",
    };
    let known = exit::name(e.class, e.key);
    let name = match e.what {
        What::Entry => "entry".into(),
        What::Exit => known,
        What::Virtual => format!("virt.{known}"),
        What::Lived(Happened::Maintenance) => what.into(),
        _ => known.replacen("irq", what, 1),
    };
    let interrupt = !matches!(e.what, What::Entry | What::Exit) && e.key != u32::MAX;
    d.set_item("seq", seq)?;
    d.set_item("what", what)?;
    d.set_item("name", name)?;
    d.set_item("cpu", e.cpu)?;
    d.set_item("el", e.el)?;
    d.set_item("vm", e.who.0)?;
    d.set_item("vcpu", e.who.1)?;
    d.set_item("vmid", e.vmid)?;
    d.set_item("number", e.class)?;
    d.set_item("class", class_of(e.class).name)?;
    d.set_item("now", e.now)?;
    d.set_item("insns", e.insns)?;
    d.set_item("pc", e.pc)?;
    d.set_item("intid", interrupt.then_some(e.key))?;
    d.set_item("value", (e.value != Event::NONE).then_some(e.value))?;
    d.set_item("cause", e.cause.to_vec())?;
    Ok(d)
}

fn repeated<'py>(py: Python<'py>, r: &Repeated) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    d.set_item("cpu", r.cpu)?;
    d.set_item("el", r.el)?;
    d.set_item("target", r.target)?;
    d.set_item("pc", r.pc)?;
    d.set_item("vector", r.vector)?;
    d.set_item(
        "kind",
        ["sync", "irq", "fiq", "serror"][r.kind as usize & 3],
    )?;
    d.set_item("esr", r.esr)?;
    d.set_item("far", r.far)?;
    d.set_item("ipa", r.ipa)?;
    d.set_item("intid", r.intid)?;
    d.set_item("cause", r.cause.to_vec())?;
    d.set_item("count", r.count)?;
    Ok(d)
}

#[pymethods]
impl Machine {
    fn exit_record<'py>(
        &self,
        py: Python<'py>,
        cpu: usize,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let i = self.check(cpu)?;
        match self.model.sh.exits.last.get(i) {
            Some(Some(r)) => Ok(Some(convert::record(py, r)?)),
            _ => Ok(None),
        }
    }
    fn exit_counts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let counts = self.model.sh.exits.accounts.counts();
        counts
            .into_iter()
            .map(|((vm, vmid, class, key), count)| {
                let d = PyDict::new(py);
                d.set_item("vm", vm)?;
                d.set_item("vmid", vmid)?;
                d.set_item("number", class)?;
                d.set_item("name", exit::name(class, key))?;
                d.set_item("count", count)?;
                Ok(d)
            })
            .collect()
    }
    fn exit_accounts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let rows = self.model.sh.exits.accounts.rows.iter();
        rows.map(|r| {
            let d = place(py, &r.place)?;
            d.set_item("count", r.count)?;
            d.set_item("guest", spread(py, &r.guest)?)?;
            d.set_item("host", spread(py, &r.host)?)?;
            d.set_item("away", spread(py, &r.away)?)?;
            d.set_item("nested", spread(py, &r.nested)?)?;
            Ok(d)
        })
        .collect()
    }
    #[staticmethod]
    fn spread_bounds(bucket: usize) -> PyResult<(u64, u64)> {
        if bucket >= Spread::BUCKETS {
            return Err(pyo3::exceptions::PyIndexError::new_err(format!(
                "bucket {bucket}: there are {}",
                Spread::BUCKETS
            )));
        }
        Ok(Spread::bounds(bucket))
    }
    #[getter]
    fn exits(&self) -> u64 {
        self.model.sh.exits.total
    }
    #[getter]
    fn further_exits(&self) -> u64 {
        self.model.sh.exits.accounts.further
    }
    fn clear_exit_counts(&mut self) {
        self.model.sh.exits.clear_accounts();
    }
    fn trace<'py>(&self, py: Python<'py>, last: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let events = self.model.sh.exits.trace.last(last);
        events.iter().map(|(seq, e)| event(py, *seq, e)).collect()
    }
    fn trace_pended(&mut self, vm: u16, vcpu: u16, intid: u32) {
        let m = &mut self.model;
        let (now, ns) = (m.sh.now, m.sh.ns(0));
        let here = &m.cpus[m.current];
        m.sh.exits.pended(here, (vm, vcpu), intid, now, ns);
    }
    #[getter]
    fn trace_total(&self) -> u64 {
        self.model.sh.exits.trace.total
    }
    #[getter]
    fn trace_size(&self) -> usize {
        self.model.sh.exits.trace.size()
    }
    #[setter]
    fn set_trace_size(&mut self, events: usize) -> PyResult<()> {
        if !(1..=1 << 22).contains(&events) {
            return Err(PyValueError::new_err(format!(
                "{events} events: 1 to {} can be kept",
                1 << 22
            )));
        }
        self.model.sh.exits.trace.resize(events);
        Ok(())
    }
    #[getter]
    fn stops_on_loop(&self) -> bool {
        self.model.sh.exits.repeats.stops
    }
    #[setter]
    fn set_stops_on_loop(&mut self, stops: bool) {
        self.model.sh.exits.repeats.stops = stops;
    }
    fn take_loop<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let found = self.model.sh.exits.repeats.found.take();
        found.map(|r| repeated(py, &r)).transpose()
    }
    fn repeated<'py>(&self, py: Python<'py>, cpu: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let often = self.model.sh.exits.repeats.often(self.check(cpu)?);
        often.map(|r| repeated(py, r)).collect()
    }
    #[pyo3(signature = (cpu, word, guest=false))]
    fn trial<'py>(
        &mut self,
        py: Python<'py>,
        cpu: usize,
        word: u32,
        guest: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let i = self.check(cpu)?;
        let t = self
            .model
            .trial(i, word, guest)
            .map_err(pyo3::exceptions::PyRuntimeError::new_err)?;
        let d = PyDict::new(py);
        d.set_item("el", t.el)?;
        d.set_item("pc", t.pc)?;
        d.set_item("target", t.taken.as_ref().map(|e| e.0))?;
        d.set_item(
            "exit",
            t.exit
                .as_ref()
                .map(|r| convert::record(py, r))
                .transpose()?,
        )?;
        let e = t.taken.as_ref().map(|e| &e.1);
        d.set_item(
            "esr",
            e.map(|e| (e.ec as u64) << 26 | (e.il as u64) << 25 | e.iss as u64),
        )?;
        d.set_item("far", e.and_then(|e| e.far))?;
        d.set_item("cause", e.map_or(vec![], |e| e.cause.to_vec()))?;
        d.set_item("waits", t.waits)?;
        d.set_item("firmware", t.firmware)?;
        Ok(d)
    }
    #[pyo3(signature = (classes, entries=false))]
    fn catch_exits(&mut self, classes: Vec<u16>, entries: bool) {
        self.model.sh.exits.catch = classes;
        self.model.sh.exits.catch_entry = entries;
    }
}
