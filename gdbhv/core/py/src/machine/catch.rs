//! Catchpoints, as Python sets them.

use super::Machine;
use crate::convert;
use gdbhv_model::inspect::Register;
use gdbhv_model::sieve::condition::{Condition, Op, Place, BINARY, UNARY};
use gdbhv_model::sieve::{Count, Field, Row};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

#[pymethods]
impl Machine {
    #[pyo3(signature = (number, classes, *, ranges=vec![], condition=None, after=0, every=1, once=false, silent=false))]
    #[allow(clippy::too_many_arguments)]
    fn set_catchpoint(
        &mut self,
        number: u32,
        classes: Vec<u16>,
        ranges: Vec<(String, u64, u64)>,
        condition: Option<Vec<OpArg>>,
        after: u64,
        every: u64,
        once: bool,
        silent: bool,
    ) -> PyResult<()> {
        let ranges: PyResult<Vec<_>> = ranges
            .into_iter()
            .map(|(name, low, high)| Ok((field(&name)?, low, high)))
            .collect();
        let row = Row {
            classes,
            ranges: ranges?,
            condition: condition.map(compiled).transpose()?,
            after,
            every,
            once,
            silent,
            seen: 0,
            failed: 0,
            since: self.model.insns.iter().sum(),
            muted: 0,
        };
        self.model.sh.exits.with_sieve(|s| s.insert(number, row));
        Ok(())
    }
    fn drop_catchpoint(&mut self, number: u32) {
        if self.model.sh.exits.sieve.is_some() {
            self.model.sh.exits.with_sieve(|s| s.remove(number));
        }
    }
    fn mute_catchpoints(&mut self, muted: bool) {
        if let Some(sieve) = &mut self.model.sh.exits.sieve {
            sieve.mute(muted);
        }
    }
    fn catchpoint_counts(&self) -> Vec<CountTuple> {
        let counts = self.model.sh.exits.counts().into_iter();
        counts
            .map(|c| (c.number, c.seen, c.failed, c.since))
            .collect()
    }
    fn put_catchpoint_counts(&mut self, counts: Vec<CountTuple>) {
        let counts: Vec<_> = counts
            .into_iter()
            .map(|(number, seen, failed, since)| Count {
                number,
                seen,
                failed,
                since,
            })
            .collect();
        if let Some(sieve) = &mut self.model.sh.exits.sieve {
            sieve.recount(&counts, None);
        }
    }
    #[getter]
    fn catch_hits(&self) -> Option<Vec<u32>> {
        match self.model.sh.exits.sieve.as_ref() {
            Some(s) if s.unknown => None,
            Some(s) => Some(s.hits.clone()),
            None => Some(vec![]),
        }
    }
    fn learn_catchpoints(&mut self, cpu: usize, rows: Vec<u32>, entry: bool) -> PyResult<bool> {
        let i = self.check(cpu)?;
        Ok(self.model.learn(i, entry, &rows))
    }
    fn sift_entry(&mut self, cpu: usize) -> PyResult<bool> {
        let i = self.check(cpu)?;
        Ok(self.model.sift_entry(i))
    }
    fn other_record<'py>(
        &self,
        py: Python<'py>,
        cpu: usize,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let i = self.check(cpu)?;
        let other = self.model.sh.exits.other.as_ref();
        other
            .filter(|r| r.cpu == i)
            .map(|r| convert::record(py, r))
            .transpose()
    }
}

/// Number of a catchpoint, how many it meant, of how many its condition had no value, and instructions after which it began to count.
type CountTuple = (u32, u64, u64, u64);

/// An operation of a condition: what, and a number or a name.
type OpArg = (String, OperandArg);

#[derive(FromPyObject)]
enum OperandArg {
    Number(u64),
    Name(String),
}

fn field(name: &str) -> PyResult<Field> {
    let known = || PyValueError::new_err(format!("no number of an exit is called {name:?}"));
    Field::parse(name).ok_or_else(known)
}

fn compiled(ops: Vec<OpArg>) -> PyResult<Condition> {
    let ops: PyResult<Vec<Op>> = ops.into_iter().map(operation).collect();
    let wrong = || PyValueError::new_err("the condition is too deep, or its operands do not fit");
    Condition::new(ops?).ok_or_else(wrong)
}

fn operation((what, operand): OpArg) -> PyResult<Op> {
    let unknown = |name: &str| PyValueError::new_err(format!("{what} {name:?} is not known"));
    Ok(match (&*what, operand) {
        ("number", OperandArg::Number(n)) => Op::Number(n),
        ("field", OperandArg::Name(name)) => Op::Field(field(&name)?),
        ("register", OperandArg::Name(name)) => match Register::parse(&name) {
            Some(Register::X(n)) => Op::X(n),
            Some(Register::Sp) => Op::Sp,
            Some(Register::System(r)) => Op::System(r),
            _ => return Err(unknown(&name)),
        },
        ("va", OperandArg::Number(n)) => Op::Load(Place::Va, bytes(n)?),
        ("ipa", OperandArg::Number(n)) => Op::Load(Place::Ipa, bytes(n)?),
        ("pa", OperandArg::Number(n)) => Op::Load(Place::Pa, bytes(n)?),
        ("unary", OperandArg::Name(name)) => {
            let found = UNARY.iter().find(|o| o.0 == name);
            Op::Unary(found.ok_or_else(|| unknown(&name))?.1)
        }
        ("binary", OperandArg::Name(name)) => {
            let found = BINARY.iter().find(|o| o.0 == name);
            Op::Binary(found.ok_or_else(|| unknown(&name))?.1)
        }
        (_, OperandArg::Name(name)) => return Err(unknown(&name)),
        (_, OperandArg::Number(n)) => return Err(unknown(&n.to_string())),
    })
}

fn bytes(n: u64) -> PyResult<u8> {
    match n {
        1 | 2 | 4 | 8 => Ok(n as u8),
        _ => Err(PyValueError::new_err(format!(
            "{n} bytes: 1, 2, 4 or 8 are loaded"
        ))),
    }
}
