//! The model's tables as data.

use gdbhv_model::board::{self, Make};
use gdbhv_model::chaos;
use gdbhv_model::config::Config;
use gdbhv_model::cores::{self, Profile};
use gdbhv_model::dev::gic::Version;
use gdbhv_model::fdt::{self, Conduit, Controller, FdtConfig};
use gdbhv_model::feature::Feature;
use gdbhv_model::profile::Registers;
use gdbhv_model::reg::field::{self, Field};
use gdbhv_model::reg::Access;
use gdbhv_model::sieve::{self, condition};
use gdbhv_model::{exit, isa, sysreg};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

pub fn add(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(exit_classes, m)?)?;
    m.add_function(wrap_pyfunction!(exit_origins, m)?)?;
    m.add_function(wrap_pyfunction!(exit_absent, m)?)?;
    m.add_function(wrap_pyfunction!(exit_absent_words, m)?)?;
    m.add_function(wrap_pyfunction!(exit_fields, m)?)?;
    m.add_function(wrap_pyfunction!(condition_operators, m)?)?;
    m.add_function(wrap_pyfunction!(fault_words, m)?)?;
    m.add_function(wrap_pyfunction!(instructions, m)?)?;
    m.add_function(wrap_pyfunction!(registers, m)?)?;
    m.add_function(wrap_pyfunction!(profiles, m)?)?;
    m.add_function(wrap_pyfunction!(chaos_kinds, m)?)?;
    m.add_function(wrap_pyfunction!(chaos_text, m)?)?;
    m.add_function(wrap_pyfunction!(board_rows, m)?)?;
    m.add("RAM_BASE", board::RAM_BASE)?;
    m.add_function(wrap_pyfunction!(device_tree, m)?)?;
    Ok(())
}

#[pyfunction]
fn exit_classes(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for c in exit::CLASSES {
        let d = PyDict::new(py);
        d.set_item("name", c.name)?;
        d.set_item("also", c.also.to_vec())?;
        d.set_item("number", c.number)?;
        d.set_item("ec", c.ec())?;
        d.set_item("kvm", c.kvm)?;
        d.set_item("what", c.what)?;
        d.set_item("iss", fields(py, &field::parse(c.iss))?)?;
        d.set_item("subs", c.subs.split_whitespace().collect::<Vec<_>>())?;
        list.append(d)?;
    }
    Ok(list)
}

#[pyfunction]
fn exit_origins() -> Vec<(&'static str, &'static str, u16)> {
    let numbered = (1..).zip(exit::ORIGINS);
    numbered.map(|(n, o)| (o.0, o.1, n * exit::SPAN)).collect()
}

#[pyfunction]
fn exit_absent(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for a in exit::absent::ABSENT {
        let d = PyDict::new(py);
        d.set_item("name", a.name)?;
        d.set_item("ec", a.ec)?;
        d.set_item("kvm", a.kvm)?;
        d.set_item("what", a.what)?;
        d.set_item("why", a.why)?;
        list.append(d)?;
    }
    Ok(list)
}

#[pyfunction]
fn exit_absent_words() -> Vec<(&'static str, &'static str)> {
    exit::absent::WORDS.to_vec()
}

#[pyfunction]
fn exit_fields() -> Vec<(&'static str, &'static str)> {
    sieve::FIELDS.iter().map(|f| (f.0, f.2)).collect()
}

#[pyfunction]
fn condition_operators() -> (Vec<&'static str>, Vec<(&'static str, u8)>) {
    let unary = condition::UNARY.iter().map(|o| o.0).collect();
    (
        unary,
        condition::BINARY.iter().map(|o| (o.0, o.2)).collect(),
    )
}

#[pyfunction]
fn fault_words(fsc: u32) -> String {
    exit::fsc_words(fsc)
}

/// Convert the fields of a register or a syndrome.
fn fields<'py>(py: Python<'py>, fields: &[Field]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for f in fields {
        let e = PyDict::new(py);
        e.set_item("name", f.name)?;
        e.set_item("msb", f.hi)?;
        e.set_item("lsb", f.lo)?;
        e.set_item("condition", f.condition)?;
        let values = PyDict::new(py);
        for (v, n) in &f.values {
            values.set_item(v, n)?;
        }
        e.set_item("values", values)?;
        list.append(e)?;
    }
    Ok(list)
}

#[pyfunction]
fn instructions(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for i in isa::list() {
        let d = PyDict::new(py);
        d.set_item("name", i.name)?;
        d.set_item("pattern", i.pattern)?;
        d.set_item("feature", i.feature)?;
        d.set_item("kind", i.kind)?;
        d.set_item("group", i.group)?;
        list.append(d)?;
    }
    Ok(list)
}

fn profile(name: &str) -> PyResult<&'static Profile> {
    cores::profile(name)
        .ok_or_else(|| PyValueError::new_err(format!("no CPU profile is called {name:?}")))
}

#[pyfunction]
fn chaos_kinds() -> Vec<(&'static str, bool, u64, u64, &'static str)> {
    chaos::KINDS
        .iter()
        .map(|k| (k.name, k.usual, k.default, k.most, k.text))
        .collect()
}

#[pyfunction]
#[pyo3(name = "chaos")]
fn chaos_text(text: &str) -> PyResult<String> {
    let chaos = chaos::Chaos::parse(text).map_err(PyValueError::new_err)?;
    Ok(chaos.text())
}

#[pyfunction]
fn profiles() -> Vec<(&'static str, Vec<&'static str>)> {
    cores::PROFILES
        .iter()
        .map(|p| (p.name, p.features.iter().map(|f| f.name()).collect()))
        .collect()
}

fn level(el: u8) -> Option<u8> {
    (el != Access::NEVER).then_some(el)
}

#[pyfunction]
#[pyo3(signature = (cpu="max", *, el2=true, gic=3))]
fn registers<'py>(py: Python<'py>, cpu: &str, el2: bool, gic: u32) -> PyResult<Bound<'py, PyList>> {
    let config = Config {
        has_el2: el2,
        hosted: false,
        features: profile(cpu)?.features,
        core: &profile(cpu)?.core,
    };
    let list = PyList::empty(py);
    let mut registers = Registers::new(&config);
    if gic == 2 {
        registers.without_gic();
    }
    for r in sysreg::list(&registers) {
        let d = PyDict::new(py);
        let access = r.row.access;
        d.set_item("name", r.row.name)?;
        d.set_item("encoding", r.row.reg.0)?;
        d.set_item("group", r.row.group.name())?;
        d.set_item("el", access.read.min(access.write))?;
        d.set_item("read", level(access.read))?;
        d.set_item("write", level(access.write))?;
        d.set_item("writable", access.write != Access::NEVER)?;
        d.set_item("bits", 64)?;
        d.set_item("reset", r.reset)?;
        d.set_item("write_mask", r.write_mask)?;
        d.set_item("description", r.row.doc)?;
        d.set_item("fields", fields(py, &r.fields)?)?;
        list.append(d)?;
    }
    Ok(list)
}

#[pyfunction]
#[pyo3(name = "board", signature = (gic=3))]
fn board_rows(py: Python<'_>, gic: u32) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    let gic = match gic {
        2 => Version::V2,
        3 => Version::V3,
        _ => {
            return Err(PyValueError::new_err(format!(
                "GIC version {gic}: 2 and 3 are there"
            )))
        }
    };
    for r in board::rows(gic) {
        let d = PyDict::new(py);
        d.set_item("name", r.name)?;
        d.set_item("base", r.base)?;
        d.set_item("size", r.size)?;
        d.set_item("intid", r.intid())?;
        d.set_item("lines", r.lines())?;
        d.set_item("device", matches!(r.make, Make::Device(_)))?;
        list.append(d)?;
    }
    Ok(list)
}

#[pyfunction]
#[pyo3(signature = (*, cpus, memory, bootargs="", initrd=None, psci="hvc", gic="v3-its", cpu="max", pmu=true, flash=true, pcie=false))]
fn device_tree<'py>(
    py: Python<'py>,
    cpus: usize,
    memory: u64,
    bootargs: &str,
    initrd: Option<(u64, u64)>,
    psci: &str,
    gic: &str,
    cpu: &str,
    pmu: bool,
    flash: bool,
    pcie: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let psci = match psci {
        "hvc" => Conduit::Hvc,
        "smc" => Conduit::Smc,
        p => {
            return Err(PyValueError::new_err(format!(
                "PSCI conduit {p:?}: hvc or smc"
            )))
        }
    };
    let gic = match gic {
        "v3" => Controller::V3,
        "v3-its" => Controller::V3Its,
        "v2" => Controller::V2,
        g => {
            return Err(PyValueError::new_err(format!(
                "interrupt controller {g:?}: v3, v3-its or v2"
            )))
        }
    };
    let profile = profile(cpu)?;
    let config = FdtConfig {
        cpus,
        memory,
        bootargs,
        initrd,
        psci,
        gic,
        el2_virtual_timer: psci == Conduit::Smc && profile.features.has(Feature::VHE),
        compatible: profile.core.compatible,
        pmu,
        flash,
        pcie,
    };
    fdt::build(&config)
        .map(|b| PyBytes::new(py, &b))
        .map_err(|e| PyValueError::new_err(e.to_string()))
}
