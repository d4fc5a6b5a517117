//! Two whole machines in lock-step, one of them compiled: random code on two CPUs that branches, faults, takes interrupts, rewrites itself, changes
//! tables and invalidates TLBs ([`guest`]), under a debugger that comes and goes. From fixed seeds; GDBHV_LOCKSTEP asks for more.
//! A host without a compiling tier has nothing to compare.

#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

mod code;
mod guest;
#[allow(dead_code)]
#[path = "../../../model/tests/ir/machine.rs"]
mod machine;
#[path = "../../../model/tests/support/mod.rs"]
mod support;

use gdbhv_model::exec::native::Tiering;
use gdbhv_model::machine::{Machine, Stop};
use gdbhv_model::save::Save;
use gdbhv_model::stops::{Breakpoint, Scope, Space, Watchpoint};
use machine::Rng;

const MEMORY: u64 = 4 << 20;
/// Instructions of one guest, if it does not end before.
const INSNS: u64 = 60_000;

fn machine(threshold: u32) -> Machine {
    let mut m = Machine::build(2, MEMORY, "max", false, true, 3).expect("a machine");
    if threshold > 0 {
        let compiler = gdbhv_jit::compiler(m.sh.config.features).expect("a compiler");
        m.code.set_tiering(Some(Tiering::new(compiler, threshold)));
    }
    m
}

/// All that can be seen of a CPU.
fn cpus(m: &Machine) -> Vec<Vec<u8>> {
    let one = |c: &Box<gdbhv_model::pe::Pe>| {
        let mut to = Vec::new();
        c.cpu.save(&mut to);
        to
    };
    m.cpus.iter().map(one).collect()
}
fn memory(m: &Machine) -> &[u8] {
    m.sh.ram.get(m.sh.ram.base(), MEMORY).expect("RAM")
}
fn describe(m: &Machine) -> String {
    let one = |c: &Box<gdbhv_model::pe::Pe>| {
        let (x, p) = (c.cpu.x, c.cpu.pstate);
        format!(
            "pc {:#x} {p:?} {:?} fpsr {:#x} x {x:x?}",
            c.cpu.pc, c.cpu.flags, c.cpu.fpsr
        )
    };
    m.cpus.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// Near where a CPU is.
fn breakpoint(rng: &mut Rng, m: &Machine) -> Breakpoint {
    let pc = m.cpus[rng.below(2) as usize].cpu.pc & !3;
    Breakpoint {
        va: pc + rng.below(8) * 4,
        hardware: false,
        scope: Scope::All,
    }
}
fn watchpoint(rng: &mut Rng) -> Watchpoint {
    Watchpoint {
        space: Space::Va,
        at: guest::DATA + rng.below(0x8000),
        len: 8,
        read: rng.below(2) == 0,
        write: true,
        scope: Scope::All,
    }
}

/// One guest, to its end; how many instructions, and how many stops of the debugger's.
fn guest(sides: &mut [Machine; 2], seed: u64, rows: &[u32]) -> (u64, u64) {
    for m in sides.iter_mut() {
        m.reset();
        guest::load(m, seed, rows);
    }
    let begin: u64 = sides[0].insns.iter().sum();
    let mut rng = Rng(!seed);
    let mut asked = (None, None);
    let (mut done, mut stopped) = (0, 0);
    while done < INSNS {
        let most = [20, 4_000, 12_000][rng.below(3) as usize];
        done += 1 + rng.below(most);
        if rng.below(6) == 0 {
            let new = (rng.below(2) == 0).then(|| breakpoint(&mut rng, &sides[0]));
            let w = (rng.below(2) == 0).then(|| watchpoint(&mut rng));
            for m in sides.iter_mut() {
                if let Some(b) = asked.0 {
                    m.sh.debug.remove_breakpoint(b);
                }
                if let Some(w) = asked.1 {
                    m.remove_watchpoint(w);
                }
                if let Some(b) = new {
                    m.insert_breakpoint(b, [].into());
                }
                if let Some(w) = w {
                    m.insert_watchpoint(w);
                }
            }
            asked = (new, w);
        }
        let stops = sides.each_mut().map(|m| m.run(u64::MAX, begin + done, 3));
        let [a, b] = &*sides;
        assert!(
            stops[0] == stops[1]
                && (a.insns, a.sh.now) == (b.insns, b.sh.now)
                && cpus(a) == cpus(b),
            "seed {seed}, after {done}: {stops:?} {:?} {:?}\ninterpreted\n{}\ncompiled\n{}",
            a.insns,
            b.insns,
            describe(a),
            describe(b)
        );
        match stops[0] {
            Stop::Budget => {}
            Stop::Debug { .. } => stopped += 1,
            _ => break,
        }
    }
    let [a, b] = &mut *sides;
    assert!(memory(a) == memory(b), "seed {seed}: memory");
    for m in [a, b] {
        m.take_output();
        if let Some(b) = asked.0 {
            m.sh.debug.remove_breakpoint(b);
        }
        if let Some(w) = asked.1 {
            m.remove_watchpoint(w);
        }
    }
    (sides[0].insns.iter().sum::<u64>() - begin, stopped)
}

#[test]
fn storms() {
    let many = std::env::var("GDBHV_LOCKSTEP").ok();
    let many: u64 = many.map_or(1, |n| n.parse().expect("a number"));
    let rows = code::rows(&mut Rng(many), machine(0).sh.config.features);
    let (mut executed, mut stopped) = (0, 0);
    for threshold in [1, 2] {
        let mut sides = [machine(0), machine(threshold)];
        for round in 0..40 * many {
            let seed = many << 32 | (threshold as u64) << 24 | round;
            let (n, stops) = guest(&mut sides, seed, &rows);
            executed += n;
            stopped += stops;
        }
        let stats = sides[1].code.tiering().expect("compiled").stats;
        println!(
            "{executed} instructions, {stopped} stops, {} compiled in {} blocks, {} executed so",
            stats.instructions, stats.blocks, stats.executed
        );
        assert!(stats.executed > INSNS && stopped > 0);
    }
}
