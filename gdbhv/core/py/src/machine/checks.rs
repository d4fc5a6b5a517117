//! Checks of what software does with its tables.

use super::Machine;
use gdbhv_model::mmu::kind::RegimeKind;
use gdbhv_model::mmu::op::{Tlbi, What};
use gdbhv_model::tlbcheck::alarm::{Alarm, By, Change, Executed, Use, Wrong};
use gdbhv_model::tlbcheck::change::{Kind, Narrow};
use pyo3::prelude::*;
use pyo3::types::PyDict;

#[pymethods]
impl Machine {
    fn check_tlb(&mut self, on: bool) {
        self.model.check_tlb(on);
    }
    #[getter]
    fn tlb_check<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(c) = &self.model.sh.check else {
            return Ok(None);
        };
        let d = PyDict::new(py);
        d.set_item("tables", c.table_pages())?;
        d.set_item("stores", c.stores)?;
        d.set_item("tlbis", c.tlbis())?;
        d.set_item("stale_uses", c.stale_uses)?;
        d.set_item("waiting", c.waiting())?;
        let alarms = c.alarms.iter().map(|a| alarm(py, a));
        d.set_item("alarms", alarms.collect::<PyResult<Vec<_>>>()?)?;
        Ok(Some(d))
    }
    fn table_change<'py>(&self, py: Python<'py>, pa: u64) -> PyResult<Option<Bound<'py, PyDict>>> {
        let check = self.model.sh.check.as_ref();
        let found = check.and_then(|c| c.change(pa & !7));
        found.map(|c| change(py, c)).transpose()
    }
}

fn wrong(w: Wrong) -> &'static str {
    match w {
        Wrong::BreakBeforeMake => "break-before-make",
        Wrong::MadeBeforeTlbi => "made-before-tlbi",
        Wrong::MadeBeforeDsb => "made-before-dsb",
        Wrong::Stale => "stale",
        Wrong::TlbiBeforeDsb => "tlbi-before-dsb",
        Wrong::ReturnBeforeDsb => "return-before-dsb",
        Wrong::UsedBeforeDsb => "used-before-dsb",
        Wrong::UsedBeforeIsb => "used-before-isb",
    }
}

fn alarm<'py>(py: Python<'py>, a: &Alarm) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    d.set_item("wrong", wrong(a.wrong))?;
    d.set_item("count", a.count)?;
    d.set_item("change", a.change.map(|c| change(py, &c)).transpose()?)?;
    d.set_item("use", a.usage.map(|u| usage(py, &u)).transpose()?)?;
    let tlbi = a.tlbi.map(|(t, _)| executed(py, &t)).transpose()?;
    d.set_item("tlbi", tlbi)?;
    d.set_item("narrow", a.tlbi.and_then(|(_, n)| n).map(narrow))?;
    d.set_item("late", a.late.map(|t| executed(py, &t)).transpose()?)?;
    Ok(d)
}

fn by<'py>(d: &Bound<'py, PyDict>, by: &By) -> PyResult<()> {
    d.set_item("cpu", by.cpu)?;
    d.set_item("el", by.el)?;
    d.set_item("pc", by.pc)?;
    d.set_item("now", by.now)?;
    d.set_item("exits", by.exits)
}

fn change<'py>(py: Python<'py>, c: &Change) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    by(&d, &c.by)?;
    d.set_item("pa", c.pa)?;
    d.set_item("old", c.old)?;
    d.set_item("new", c.new)?;
    let (kind, what) = match c.kind {
        Kind::Make => ("make", None),
        Kind::Break => ("break", None),
        Kind::Replace(what) => ("replace", Some(what)),
        Kind::Narrow => ("narrow", None),
        Kind::Other => ("other", None),
    };
    d.set_item("kind", kind)?;
    d.set_item("what", what)?;
    d.set_item("stage", c.reach.stage)?;
    d.set_item("level", c.reach.level)?;
    d.set_item("regime", regime(c.reach.kind))?;
    d.set_item("vmid", c.reach.vmid)?;
    d.set_item("asid", c.reach.asid)?;
    d.set_item("address", c.reach.address(c.pa))?;
    d.set_item("size", 1u64 << c.reach.shift)?;
    let broken = c.broken.map(|b| {
        let d = PyDict::new(py);
        by(&d, &b.by)?;
        d.set_item("old", b.old)?;
        Ok::<_, PyErr>(d)
    });
    d.set_item("broken", broken.transpose()?)?;
    Ok(d)
}

fn usage<'py>(py: Python<'py>, u: &Use) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    by(&d, &u.by)?;
    d.set_item("va", u.va)?;
    d.set_item("purpose", u.purpose)?;
    Ok(d)
}

fn regime(kind: RegimeKind) -> &'static str {
    match kind {
        RegimeKind::El10 => "EL1&0",
        RegimeKind::El2 => "EL2",
        RegimeKind::El20 => "EL2&0",
    }
}

fn executed<'py>(py: Python<'py>, t: &Executed) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    by(&d, &t.by)?;
    d.set_item("complete", t.complete)?;
    d.set_item("text", text(&t.tlbi))?;
    Ok(d)
}

/// What a TLBI covers, in words.
fn text(t: &Tlbi) -> String {
    let what = match t.what {
        What::All => "all that stage 1 gives".into(),
        What::Both => "all of both stages".into(),
        What::Asid(asid) => format!("ASID {asid}"),
        What::Va {
            first, last, asid, ..
        } => {
            let pages = if first == last {
                format!("VA {first:#x}")
            } else {
                format!("VA {first:#x} to {:#x}", last | 0xfff)
            };
            asid.map_or(pages.clone(), |a| format!("{pages} of ASID {a}"))
        }
        What::Ipa { first, last, .. } if first == last => format!("IPA {first:#x}"),
        What::Ipa { first, last, .. } => format!("IPA {first:#x} to {:#x}", last | 0xfff),
    };
    let vmid = t.vmid.map_or(String::new(), |v| format!(", VMID {v}"));
    let reach = if t.broadcast { "broadcast" } else { "local" };
    format!("{what}{vmid}, {} regime, {reach}", regime(t.kind))
}

fn narrow(n: Narrow) -> String {
    match n {
        Narrow::Regime => "it is of another regime".into(),
        Narrow::Vmid(vmid) => format!("it is for VMID {vmid}"),
        Narrow::Asid(asid) => format!("it is for ASID {asid}"),
        Narrow::Global => "it is for an ASID's own, and the entry is global".into(),
        Narrow::Address => "it is for other addresses".into(),
        Narrow::Size => "its TTL or TG is of leaves of another size".into(),
        Narrow::LastLevel => "it is of the last level alone, and a table has changed".into(),
        Narrow::Combined => {
            "it takes what stage 2 alone gives; what combines both stages goes with VMALLE1".into()
        }
        Narrow::Stage2 => "it leaves what stage 2 alone gives".into(),
        Narrow::Local => "it is local to its CPU".into(),
    }
}
