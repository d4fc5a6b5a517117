//! Breakpoints and watchpoints.
use crate::cpu::Cpu;
/// What the debugger wants.
#[derive(Default)]
pub struct Debug {}
impl Debug {
    /// Whether execution stops before `pc`.
    pub fn stops_at(&self, _cpu: &Cpu, _pc: u64) -> bool {
        false
    }
}
