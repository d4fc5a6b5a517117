//! A debugger's points.

use super::Machine;
use crate::convert::{self, RegisterArg};
use gdbhv_model::inspect::Register;
use gdbhv_model::stops::{Breakpoint, Scope, Watchpoint};
use gdbhv_model::vms::Key;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;

#[pymethods]
impl Machine {
    #[pyo3(signature = (address, *, hardware=false, vmid=None, scope=None, conditions=None))]
    fn insert_breakpoint(
        &mut self,
        address: u64,
        hardware: bool,
        vmid: Option<u16>,
        scope: Option<ScopeArg>,
        conditions: Option<Vec<Vec<u8>>>,
    ) -> PyResult<()> {
        let breakpoint = Breakpoint {
            va: address,
            hardware,
            scope: scope_of(vmid, scope)?,
        };
        let conditions = conditions.into_iter().flatten().map(Vec::into_boxed_slice);
        self.model
            .insert_breakpoint(breakpoint, conditions.collect());
        Ok(())
    }
    #[pyo3(signature = (address, *, hardware=false, vmid=None, scope=None))]
    fn remove_breakpoint(
        &mut self,
        address: u64,
        hardware: bool,
        vmid: Option<u16>,
        scope: Option<ScopeArg>,
    ) -> PyResult<()> {
        self.model.sh.debug.remove_breakpoint(Breakpoint {
            va: address,
            hardware,
            scope: scope_of(vmid, scope)?,
        });
        Ok(())
    }
    #[pyo3(signature = (address, length, *, read=false, write=true, vmid=None, space="va", scope=None))]
    fn insert_watchpoint(
        &mut self,
        address: u64,
        length: u64,
        read: bool,
        write: bool,
        vmid: Option<u16>,
        space: &str,
        scope: Option<ScopeArg>,
    ) -> PyResult<bool> {
        Ok(self.model.insert_watchpoint(Watchpoint {
            space: convert::space(space)?,
            at: address,
            len: length,
            read,
            write,
            scope: scope_of(vmid, scope)?,
        }))
    }
    #[pyo3(signature = (address, length, *, read=false, write=true, vmid=None, space="va", scope=None))]
    fn remove_watchpoint(
        &mut self,
        address: u64,
        length: u64,
        read: bool,
        write: bool,
        vmid: Option<u16>,
        space: &str,
        scope: Option<ScopeArg>,
    ) -> PyResult<()> {
        self.model.remove_watchpoint(Watchpoint {
            space: convert::space(space)?,
            at: address,
            len: length,
            read,
            write,
            scope: scope_of(vmid, scope)?,
        });
        Ok(())
    }

    fn take_passed(&mut self) -> Option<u64> {
        self.model.sh.debug.passed.take()
    }
    fn held(&self, cpu: usize) -> PyResult<Option<(u64, bool)>> {
        Ok(self.model.sh.debug.held(self.check(cpu)?))
    }
    #[pyo3(signature = (cpu, held))]
    fn hold(&mut self, cpu: usize, held: Option<(u64, bool)>) -> PyResult<()> {
        let i = self.check(cpu)?;
        self.model.sh.debug.hold(i, held);
        Ok(())
    }
    #[pyo3(signature = (register))]
    fn follow_register(&mut self, register: Option<RegisterArg>) -> PyResult<()> {
        let debug = &mut self.model.sh.debug;
        (debug.register, debug.register_written) = (None, None);
        if let Some(register) = register {
            let Register::System(r) = register.resolve()? else {
                return Err(PyKeyError::new_err("it is no system register"));
            };
            debug.register = Some(r);
        }
        Ok(())
    }
    #[getter]
    fn register_written(&self) -> Option<(usize, u64)> {
        self.model.sh.debug.register_written
    }
    #[getter]
    fn quiet(&self) -> bool {
        self.model.sh.debug.quiet
    }
    #[setter]
    fn set_quiet(&mut self, quiet: bool) {
        self.model.sh.debug.quiet = quiet;
    }
}

/// The scope of a point, from a VM's root and VMID, or from a word.
#[derive(FromPyObject)]
enum ScopeArg {
    Vm(u64, u16),
    Word(String),
}

fn scope_of(vmid: Option<u16>, scope: Option<ScopeArg>) -> PyResult<Scope> {
    Ok(match (vmid, scope) {
        (Some(vmid), None) => Scope::Vmid(vmid),
        (None, None) => Scope::All,
        (None, Some(ScopeArg::Vm(root, vmid))) => Scope::Vm(Key { root, vmid }),
        (None, Some(ScopeArg::Word(word))) if word == "host" => Scope::Host,
        (None, Some(ScopeArg::Word(word))) if word == "el2" => Scope::El2,
        _ => {
            return Err(PyValueError::new_err(
                "a scope is (root, vmid), \"host\" or \"el2\", and there is no vmid besides",
            ))
        }
    })
}
