//! A debugger's points.

use super::Machine;
use crate::convert::{self};
use gdbhv_model::stops::{Breakpoint, Scope, Watchpoint};
use pyo3::prelude::*;

#[pymethods]
impl Machine {
    #[pyo3(signature = (address, *, hardware=false, vmid=None))]
    fn insert_breakpoint(&mut self, address: u64, hardware: bool, vmid: Option<u16>) {
        self.model.insert_breakpoint(Breakpoint {
            va: address,
            hardware,
            scope: scope(vmid),
        });
    }
    #[pyo3(signature = (address, *, hardware=false, vmid=None))]
    fn remove_breakpoint(&mut self, address: u64, hardware: bool, vmid: Option<u16>) {
        self.model.sh.debug.remove_breakpoint(Breakpoint {
            va: address,
            hardware,
            scope: scope(vmid),
        });
    }
    #[pyo3(signature = (address, length, *, read=false, write=true, vmid=None, space="va"))]
    fn insert_watchpoint(
        &mut self,
        address: u64,
        length: u64,
        read: bool,
        write: bool,
        vmid: Option<u16>,
        space: &str,
    ) -> PyResult<()> {
        self.model.insert_watchpoint(Watchpoint {
            space: convert::space(space)?,
            at: address,
            len: length,
            read,
            write,
            scope: scope(vmid),
        });
        Ok(())
    }
    #[pyo3(signature = (address, length, *, read=false, write=true, vmid=None, space="va"))]
    fn remove_watchpoint(
        &mut self,
        address: u64,
        length: u64,
        read: bool,
        write: bool,
        vmid: Option<u16>,
        space: &str,
    ) -> PyResult<()> {
        self.model.remove_watchpoint(Watchpoint {
            space: convert::space(space)?,
            at: address,
            len: length,
            read,
            write,
            scope: scope(vmid),
        });
        Ok(())
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
}

fn scope(vmid: Option<u16>) -> Scope {
    vmid.map_or(Scope::All, Scope::Vmid)
}
