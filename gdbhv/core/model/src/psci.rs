//! The board's firmware: PSCI 1.1 (Arm DEN 0022) by SMCCC, and nothing else.
//!
//! The function number is in W0, arguments in X1 to X3, the result in X0. What a call does to other CPUs or to the machine
//! is requested in `Platform::requests` and done by the machine after the instruction; `Platform::cpu_on` changes at once.

use crate::cpu::Cpu;
use crate::platform::Platform;
use crate::platform::Request;

// Results (DEN 0022, "Return error codes").
const SUCCESS: i64 = 0;
const NOT_SUPPORTED: i64 = -1;
const INVALID_PARAMETERS: i64 = -2;
const ALREADY_ON: i64 = -4;
const INVALID_ADDRESS: i64 = -9;

/// PSCI_VERSION: 1.1.
const VERSION: i64 = 0x1_0001;
/// MIGRATE_INFO_TYPE: there is no Trusted OS that would have to move.
const NO_TRUSTED_OS: i64 = 2;
/// Aff3, Aff2, Aff1, Aff0 of an MPIDR. The other bits of a target must be zero; firmware in the field ignores them, and hypervisors pass
/// MPIDR_EL1 as read, with bit 31.
const AFFINITY: u64 = 0xff_00ff_ffff;
/// Function numbers without bit 30, which means SMC64.
const SMC64: u32 = 1 << 30;

/// A function: its number, whether it also has an SMC64 form, and its implementation with arguments X1 to X3.
struct Function {
    id: u32,
    smc64: bool,
    call: fn(&mut Cpu, &mut Platform, [u64; 3]) -> i64,
}

const fn function(
    id: u32,
    smc64: bool,
    call: fn(&mut Cpu, &mut Platform, [u64; 3]) -> i64,
) -> Function {
    Function { id, smc64, call }
}

#[rustfmt::skip]
const FUNCTIONS: [Function; 9] = [
    function(0x8400_0000, false, |_, _, _| VERSION),
    function(0x8400_0001, true,  cpu_suspend),
    function(0x8400_0002, false, cpu_off),
    function(0x8400_0003, true,  cpu_on),
    function(0x8400_0004, true,  affinity_info),
    function(0x8400_0006, false, |_, _, _| NO_TRUSTED_OS),
    function(0x8400_0008, false, |_, sh, _| request(sh, Request::SystemOff)),
    function(0x8400_0009, false, |_, sh, _| request(sh, Request::SystemReset)),
    function(0x8400_000a, false, |_, _, [id, ..]| if find(id as u32).is_some() { 0 } else { NOT_SUPPORTED }),
];

fn find(id: u32) -> Option<&'static Function> {
    FUNCTIONS
        .iter()
        .find(|f| f.id == id || (f.smc64 && f.id | SMC64 == id))
}

/// Carry out the call in the registers of `cpu` (an SMC, or an HVC where the board's firmware answers those). A function that does not
/// exist returns NOT_SUPPORTED (SMCCC).
pub fn call(cpu: &mut Cpu, sh: &mut Platform) {
    let id = cpu.x[0] as u32;
    let args = [1, 2, 3].map(|n| {
        if id & SMC64 != 0 {
            cpu.x[n]
        } else {
            cpu.x[n] as u32 as u64
        }
    });
    let result = match find(id) {
        Some(f) => (f.call)(cpu, sh, args),
        None => NOT_SUPPORTED,
    };
    cpu.x[0] = result as u64;
    sh.leave |= !sh.requests.is_empty();
}

fn request(sh: &mut Platform, r: Request) -> i64 {
    sh.requests.push(r);
    SUCCESS
}

/// The CPUs whose affinity is `target` from level `level` up.
fn matching(sh: &Platform, target: u64, level: u32) -> Vec<usize> {
    let mask = AFFINITY >> (8 * level) << (8 * level);
    (0..sh.gic.cpus())
        .filter(|&n| (n as u64 ^ target) & mask == 0)
        .collect()
}

/// X1: power state, X2: entry after a power-down, X3: its context. A power-down may be carried out as a standby, which returns.
/// Levels above the CPU's own (bits 25:24) cannot be suspended, and bits 31:26 and 23:17 are reserved (DEN 0022, CPU_SUSPEND, "power_state").
fn cpu_suspend(_: &mut Cpu, sh: &mut Platform, [state, ..]: [u64; 3]) -> i64 {
    if state & 0xfffe_0000 != 0 {
        return INVALID_PARAMETERS;
    }
    request(sh, Request::Suspend)
}

fn cpu_off(cpu: &mut Cpu, sh: &mut Platform, _: [u64; 3]) -> i64 {
    sh.cpu_on[cpu.id] = false;
    request(sh, Request::CpuOff)
}

/// X1: target, X2: entry, X3: context.
fn cpu_on(_: &mut Cpu, sh: &mut Platform, [target, entry, context]: [u64; 3]) -> i64 {
    let Some(&n) = matching(sh, target, 0).first() else {
        return INVALID_PARAMETERS;
    };
    if sh.cpu_on[n] {
        return ALREADY_ON;
    }
    if entry & 3 != 0 || !sh.ram.is_memory(entry, 4) {
        return INVALID_ADDRESS;
    }
    sh.cpu_on[n] = true;
    // The highest exception level of the caller's world: EL2 where there is one.
    let el = if sh.config.has_el2 { 2 } else { 1 };
    request(
        sh,
        Request::CpuOn {
            cpu: n,
            entry,
            context,
            el,
        },
    )
}

/// X1: target, X2: lowest affinity level that counts (0 to 3). 0 is on, 1 off; a CPU asked to start counts as on.
fn affinity_info(_: &mut Cpu, sh: &mut Platform, [target, level, _]: [u64; 3]) -> i64 {
    if level > 3 {
        return INVALID_PARAMETERS;
    }
    let cpus = matching(sh, target, level as u32);
    if cpus.is_empty() {
        return INVALID_PARAMETERS;
    }
    !cpus.iter().any(|&n| sh.cpu_on[n]) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const RAM: u64 = 0x4000_0000;

    /// Four CPUs of which the first is on.
    fn board() -> (Cpu, Platform) {
        let config = Config {
            has_el2: true,
            hosted: false,
            features: crate::feature::Features::ALL,
            core: &crate::cores::MAX,
        };
        let mut sh = Platform::new(config, RAM, 1 << 20);
        sh.gic = crate::dev::gic::Gic::new(4);
        sh.cpu_on[0] = true;
        (Cpu::new(0, 2), sh)
    }
    fn call_with(cpu: &mut Cpu, sh: &mut Platform, id: u32, args: [u64; 3]) -> i64 {
        cpu.x[0] = 0xdead_0000_0000_0000 | id as u64; // only W0 counts
        cpu.x[1..4].copy_from_slice(&args);
        call(cpu, sh);
        cpu.x[0] as i64
    }

    /// Function, X1 to X3, result; in order on one board.
    #[rustfmt::skip]
    const CALLS: &[(u32, [u64; 3], i64)] = &[
        (0x8400_0000, [0, 0, 0], 0x1_0001),
        (0xc400_0000, [0, 0, 0], NOT_SUPPORTED),
        (0x8000_0000, [0, 0, 0], NOT_SUPPORTED), // SMCCC_VERSION
        (0x8400_0005, [0, 0, 0], NOT_SUPPORTED), // MIGRATE
        (0x8400_0006, [0, 0, 0], 2),
        (0x8400_000a, [0x8400_0000, 0, 0], 0),
        (0x8400_000a, [0xc400_0003, 0, 0], 0),
        (0x8400_000a, [0x8000_0000, 0, 0], NOT_SUPPORTED),
        (0x8400_000a, [0xc400_000e, 0, 0], NOT_SUPPORTED), // SYSTEM_SUSPEND
        (0xc400_0004, [0, 0, 0], 0),
        (0xc400_0004, [1, 0, 0], 1),
        (0xc400_0004, [4, 0, 0], INVALID_PARAMETERS),
        (0xc400_0004, [7, 1, 0], 0),
        (0xc400_0004, [0x100, 1, 0], INVALID_PARAMETERS),
        (0xc400_0004, [0x100, 2, 0], 0),
        (0xc400_0004, [0, 4, 0], INVALID_PARAMETERS),
        (0xc400_0003, [0, RAM, 0], ALREADY_ON),
        (0xc400_0003, [4, RAM, 0], INVALID_PARAMETERS),
        (0xc400_0003, [0x100, RAM, 0], INVALID_PARAMETERS),
        (0xc400_0003, [1 << 32, RAM, 0], INVALID_PARAMETERS),
        (0xc400_0003, [1, RAM + 2, 0], INVALID_ADDRESS),
        (0xc400_0003, [1, 0, 0], INVALID_ADDRESS),
        (0xc400_0003, [1, RAM + (1 << 20), 0], INVALID_ADDRESS),
        (0xc400_0003, [1, u64::MAX - 3, 0], INVALID_ADDRESS),
        (0xc400_0003, [1, RAM + 4, 77], SUCCESS),
        (0xc400_0003, [1, RAM + 4, 77], ALREADY_ON),
        (0xc400_0004, [1, 0, 0], 0),
        (0xc400_0003, [0x8000_0002, RAM, 1], SUCCESS), // as MPIDR_EL1 reads
        (0x8400_0003, [0xffff_ffff_0000_0003, 0xffff_ffff_4000_0000, 0x1_0000_0002], SUCCESS), // SMC32
        (0xc400_0001, [1 << 24, 0, 0], INVALID_PARAMETERS), // the cluster too
        (0xc400_0001, [1 << 17, 0, 0], INVALID_PARAMETERS),
        (0xc400_0001, [0, 0, 0], SUCCESS),
        (0x8400_0008, [0, 0, 0], SUCCESS),
        (0x8400_0009, [0, 0, 0], SUCCESS),
        (0x8400_0002, [0, 0, 0], SUCCESS),
        (0xc400_0004, [0, 0, 0], 1),
    ];

    #[test]
    fn results_and_requests() {
        let (mut cpu, mut sh) = board();
        for (n, &(id, args, result)) in CALLS.iter().enumerate() {
            assert_eq!(call_with(&mut cpu, &mut sh, id, args), result, "call {n}");
        }
        let on = |cpu, entry, context| Request::CpuOn {
            cpu,
            entry,
            context,
            el: 2,
        };
        assert_eq!(
            sh.requests,
            [
                on(1, RAM + 4, 77),
                on(2, RAM, 1),
                on(3, RAM, 2),
                Request::Suspend,
                Request::SystemOff,
                Request::SystemReset,
                Request::CpuOff
            ]
        );
        assert!(sh.leave);
    }

    #[test]
    fn any_call_returns() {
        let (mut cpu, mut sh) = board();
        let mut seed = 7u64;
        for _ in 0..100_000 {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let x = seed >> 16;
            let id = [0x8400_0000, 0xc400_0000, x as u32 & !0x1f][x as usize % 3]
                | (x >> 8) as u32 & 0x1f;
            let r = call_with(&mut cpu, &mut sh, id, [x & 0xf, seed, x]);
            assert!((-9..=2).contains(&r) || r == VERSION, "{id:#x}: {r}");
            sh.requests.clear();
        }
    }
}
