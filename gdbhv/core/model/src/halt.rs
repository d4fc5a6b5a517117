//! Whether the debugger stops before an instruction: its breakpoints, and their conditions, judged in the machine.

use crate::agent::{self, Source};
use crate::cpu::Cpu;
use crate::inspect::{self, Register};
use crate::mmu::access::Access;
use crate::mmu::fault::Purpose;
use crate::mmu::regime::{self, Regime};
use crate::mmu::walk;
use crate::physical::ReadOnly;
use crate::reg::Reg;
use crate::shared::Shared;
use crate::stops::Hit;

/// The first encoding of a system register (op0 is 2 or 3); smaller numbers are those of the `g` packet.
const SYSTEM: u16 = 0x8000;

/// A CPU before an instruction.
struct Here<'a> {
    cpu: &'a Cpu,
    sh: &'a mut Shared,
}

impl Source for Here<'_> {
    fn register(&mut self, number: u16) -> Option<u64> {
        let r = match number {
            0..=30 => Register::X(number as u8),
            31 => Register::Sp,
            32 => Register::Pc,
            33 => Register::Cpsr,
            SYSTEM.. => Register::System(Reg(number)),
            _ => return None,
        };
        inspect::read(self.cpu, self.sh, r).ok().map(|v| v as u64)
    }
    fn load(&mut self, address: u64, bytes: u8) -> Option<u64> {
        load(self.sh, bytes, address, |sh, va| {
            virtual_address(self.cpu, sh, self.cpu.pstate.el, va)
        })
    }
}

/// RAM at an address that `physical` translates; None: there is none.
pub fn load(
    sh: &Shared,
    bytes: u8,
    address: u64,
    physical: impl Fn(&Shared, u64) -> Option<u64>,
) -> Option<u64> {
    if address & 0xfff <= 0x1000 - bytes as u64 {
        return sh.ram.read(physical(sh, address)?, bytes as u64);
    }
    let one = |n: u64| Some(sh.ram.read(physical(sh, address.wrapping_add(n))?, 1)? << (8 * n));
    (0..bytes as u64).try_fold(0, |all, n| Some(all | one(n)?)) // it crosses a page
}

/// The physical address of a virtual one as the tables have it for exception level `el`, whatever their permissions.
pub fn virtual_address(cpu: &Cpu, sh: &Shared, el: u8, va: u64) -> Option<u64> {
    let regime = Regime::of(cpu, regime::kind(cpu, el));
    let found = walk::translate(&regime, &mut ReadOnly(&sh.ram), &mut (), va, looking(el));
    found.ok().map(|t| t.pa)
}

/// A debugger's access, for which permissions do not matter.
pub fn looking(el: u8) -> Access {
    let mut access = Access::new(Purpose::Read, false, el == 0, false);
    access.checked = false;
    access
}

/// Whether execution stops before `pc` for the debugger, by a breakpoint whose condition holds or has no value; sets
/// [`crate::stops::Debug::hit`] if so.
#[inline]
pub fn stops_at(cpu: &Cpu, sh: &mut Shared, pc: u64) -> bool {
    sh.debug.stops_at(cpu, pc) && (!sh.debug.has_conditions() || judge(cpu, sh, pc))
}

#[cold]
fn judge(cpu: &Cpu, sh: &mut Shared, pc: u64) -> bool {
    let mut nth = 0;
    while let Some((breakpoint, conditions)) = sh.debug.nth_at(cpu, pc, nth) {
        let here = &mut Here { cpu, sh };
        let mut values = conditions.iter().map(|code| agent::value(code, here));
        if conditions.is_empty() || values.any(|v| v != Some(0)) {
            sh.debug.hit = Some(Hit::Break(breakpoint));
            return true;
        }
        nth += 1;
    }
    sh.debug.hit = None;
    false
}
