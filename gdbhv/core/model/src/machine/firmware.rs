//! Requests of the firmware (PSCI), and the start of CPUs.

use super::{Machine, Stop};
use crate::cpu::Power;
use crate::platform::Request;
use crate::pstate::Pstate;

impl Machine {
    /// Serve the requests of the firmware.
    pub(super) fn serve(&mut self, i: usize) -> Option<Stop> {
        for r in std::mem::take(&mut self.sh.requests) {
            match r {
                Request::CpuOn {
                    cpu,
                    entry,
                    context,
                    el,
                } => self.cpu_on(cpu, entry, context, el),
                Request::CpuOff => {
                    self.cpus[i].power = Power::Off;
                    self.sh.cpu_on[i] = false;
                }
                Request::Suspend => self.cpus[i].power = Power::Wfi,
                Request::SystemOff => return Some(Stop::PowerOff { cpu: i }),
                Request::Semihosting => return Some(Stop::Semihosting { cpu: i }),
                Request::SystemReset => return Some(Stop::Reset { cpu: i }),
            }
        }
        None
    }

    /// Reset CPU `i` and start it at `entry` with `context` in x0 (PSCI CPU_ON).
    pub fn cpu_on(&mut self, i: usize, entry: u64, context: u64, el: u8) {
        let cpu = &mut *self.cpus[i];
        cpu.x = [0; 34];
        cpu.x[0] = context;
        cpu.sp = [0; 3];
        cpu.monitor = None;
        cpu.serror = None;
        cpu.twed = None;
        cpu.event = false;
        cpu.timeout = u64::MAX;
        cpu.raised = None;
        self.sh.registers.reset(cpu);
        self.sh.gic.reset_interface(i);
        crate::pmu::reset(cpu, &mut self.sh);
        cpu.set_pstate(Pstate::reset(el));
        cpu.pc = entry;
        cpu.power = Power::On;
        self.sh.cpu_on[i] = true;
    }
}
