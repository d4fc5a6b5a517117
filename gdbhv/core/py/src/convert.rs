//! Conversion of values between the model and Python.

use gdbhv_model::exit::{self, Record};
use gdbhv_model::inspect::Register;
use gdbhv_model::mmu::fault::{Fault, Purpose};
use gdbhv_model::mmu::walk::{Found, Step, Translation};
use gdbhv_model::reg::Reg;
use gdbhv_model::stops::Space;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// A register by name or by 16-bit encoding.
#[derive(FromPyObject)]
pub enum RegisterArg {
    Encoding(u16),
    Name(String),
}

impl RegisterArg {
    pub fn resolve(&self) -> PyResult<Register> {
        match self {
            RegisterArg::Encoding(e) if *e >= 0x8000 => Ok(Register::System(Reg(*e))),
            RegisterArg::Encoding(e) => Err(PyKeyError::new_err(format!(
                "register number {e:#x} is no system register: their encodings have op0 2 or 3"
            ))),
            RegisterArg::Name(n) => {
                Register::parse(n).ok_or_else(|| PyKeyError::new_err("no such register"))
            }
        }
    }
}

/// Convert the record of an exit (`exit-record` in `_core.pyi`).
pub fn record<'py>(py: Python<'py>, r: &Record) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    let name = exit::name(r.class, r.key());
    d.set_item(intern!(py, "seq"), r.seq)?;
    d.set_item(intern!(py, "cpu"), r.cpu)?;
    d.set_item(intern!(py, "now"), r.now)?;
    d.set_item(intern!(py, "el"), r.el)?;
    d.set_item(intern!(py, "nv"), r.nv)?;
    d.set_item(intern!(py, "vmid"), r.vmid)?;
    d.set_item(intern!(py, "vm"), r.vm)?;
    d.set_item(intern!(py, "number"), r.class)?;
    d.set_item(intern!(py, "class"), exit::class_of(r.class).name)?;
    d.set_item(intern!(py, "name"), name)?;
    d.set_item(intern!(py, "pc"), r.pc)?;
    d.set_item(intern!(py, "spsr"), r.spsr)?;
    d.set_item(intern!(py, "esr"), r.esr)?;
    d.set_item(intern!(py, "far"), r.far)?;
    d.set_item(intern!(py, "ipa"), r.ipa.map(|i| i.0))?;
    d.set_item(intern!(py, "hpfar_valid"), r.ipa.is_some_and(|i| i.1))?;
    d.set_item(intern!(py, "insn"), r.insn)?;
    d.set_item(intern!(py, "rt"), r.transfer.map(|t| t.0))?;
    d.set_item(intern!(py, "rt_value"), r.transfer.map(|t| t.1))?;
    d.set_item(intern!(py, "args"), r.args.to_vec())?;
    d.set_item(intern!(py, "cause"), r.cause.to_vec())?;
    d.set_item(intern!(py, "intid"), r.intid)?;
    d.set_item(intern!(py, "misr"), r.misr)?;
    Ok(d)
}

/// Parse the name of an access: "read", "write", "fetch".
pub fn purpose(access: &str) -> PyResult<(Purpose, bool)> {
    match access {
        "read" => Ok((Purpose::Read, false)),
        "write" => Ok((Purpose::Write, true)),
        "fetch" => Ok((Purpose::Fetch, false)),
        a => Err(PyValueError::new_err(format!(
            "{a:?} is none of read, write, fetch"
        ))),
    }
}

/// Parse the name of an address space: "va", "ipa", "pa".
pub fn space(name: &str) -> PyResult<Space> {
    match name {
        "va" => Ok(Space::Va),
        "ipa" => Ok(Space::Ipa),
        "pa" => Ok(Space::Pa),
        s => Err(PyValueError::new_err(format!(
            "{s:?} is none of va, ipa, pa"
        ))),
    }
}

/// Convert a walk: its steps and its result (`Walk` in `_core.pyi`).
pub fn walk<'py>(
    py: Python<'py>,
    steps: &[Step],
    done: &Result<Translation, Fault>,
) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    let list = PyList::empty(py);
    for s in steps {
        let e = PyDict::new(py);
        e.set_item("stage", s.stage)?;
        e.set_item("level", s.level)?;
        e.set_item("for_s1", s.for_s1)?;
        e.set_item("address", s.address)?;
        e.set_item("pa", s.pa)?;
        e.set_item("value", s.value)?;
        let found = match s.found {
            Found::Invalid => "invalid",
            Found::Table => "table",
            Found::Block => "block",
            Found::Page => "page",
        };
        e.set_item("found", found)?;
        e.set_item("output", s.output)?;
        e.set_item("wide", s.wide)?;
        list.append(e)?;
    }
    d.set_item("steps", list)?;
    match done {
        Ok(t) => {
            d.set_item("pa", t.pa)?;
            d.set_item("ipa", t.ipa)?;
            d.set_item("read", t.perms.r)?;
            d.set_item("write", t.perms.w)?;
            d.set_item("execute", t.perms.x)?;
            d.set_item("memory", t.mem.attr)?;
            d.set_item("s1_memory", t.s1_mem.attr)?;
            d.set_item("shareability", t.mem.sh)?;
            d.set_item("block", t.block)?;
            d.set_item("s2_block", t.s2_block)?;
            d.set_item("global", t.global)?;
        }
        Err(f) => {
            d.set_item("fault", exit::fsc_name(f.kind.fsc()))?;
            d.set_item("words", exit::fsc_words(f.kind.fsc()))?;
            d.set_item("fsc", f.kind.fsc())?;
            d.set_item("stage", if f.stage2 { 2 } else { 1 })?;
            d.set_item("s1ptw", f.s1ptw)?;
            if f.stage2 && !f.s1ptw {
                d.set_item("ipa", f.ipa)?;
            }
            d.set_item("fault_ipa", f.stage2.then_some(f.ipa))?;
        }
    }
    Ok(d)
}
