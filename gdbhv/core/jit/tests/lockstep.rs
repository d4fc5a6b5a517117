//! Native code against the interpreter: random blocks and random programs of every pure row, from fixed seeds, on two machines in
//! lock-step. A host without a compiling tier has nothing to compare.

#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

#[allow(dead_code)]
#[path = "../../model/tests/ir/machine.rs"]
mod machine;
#[path = "../../model/tests/support/mod.rs"]
mod support;

use gdbhv_model::cpu::{slot, Monitor};
use gdbhv_model::exec::code::Code;
use gdbhv_model::exec::interp::{execute, Leave};
use gdbhv_model::exec::native::Tiering;
use gdbhv_model::exec::refresh::follow;
use gdbhv_model::feature::Features;
use gdbhv_model::ir::{decode, How};
use gdbhv_model::isa::{RowKind, GROUPS};
use gdbhv_model::raise::Exception;
use gdbhv_model::reg::Reg;
use gdbhv_model::sysreg::granted::READ;
use machine::{instances, Machine, Rng, State, CODE, PA, WINDOW};

/// `n`, so many times as GDBHV_LOCKSTEP says: for an hour's search. Its number is in the seed too.
fn rounds(n: usize) -> usize {
    n * many()
}
fn many() -> usize {
    let many = std::env::var("GDBHV_LOCKSTEP").ok();
    many.map_or(1, |n| n.parse().expect("a number"))
}
fn seeded(seed: u64) -> Rng {
    Rng(seed + 1000 * (many() as u64 - 1))
}

/// A machine and its decoded code.
struct Side {
    machine: Machine,
    code: Code,
}

impl Side {
    fn new(compiled: bool) -> Side {
        let mut machine = Machine::new();
        let (pe, _) = machine.parts();
        for (n, r) in READ.into_iter().enumerate() {
            pe.set(r, 0x8123_4567_89ab_cdef >> n);
        }
        pe.set_sp_el(0, 0x1234_5678_0000);
        let (_, sh) = machine.parts();
        let mut code = Code::new(&sh.ram, Features::ALL, 1);
        if compiled {
            let compiler = gdbhv_jit::compiler(Features::ALL).expect("a compiler");
            code.set_tiering(Some(Tiering::new(compiler, 1)));
        }
        Side { machine, code }
    }
    /// Run `n` instructions from `before`: all that can be seen afterwards.
    fn run(&mut self, before: &State, n: u64) -> (State, Leave, Option<Exception>, u64) {
        self.machine.set(before);
        let (cpu, sh) = self.machine.parts();
        follow(cpu, sh, &mut self.code);
        self.code.collect(); // or an hour's search takes gigabytes
        self.code.follow_writes(&mut sh.ram);
        let begin = sh.now;
        cpu.until = begin + n;
        let leave = execute(cpu, sh, &mut self.code);
        let raised = cpu.raised.take();
        let took = sh.now - begin;
        sh.leave = false;
        let mut after = self.machine.state();
        after.x[slot::SINK as usize] = 0; // nobody reads it
        (after, leave, raised, took)
    }
}

/// Groups of helper rows that change more than [`State`] has.
const SYSTEM: [&str; 3] = ["exception_gen", "system", "barrier"];

/// MRS of what compiled code reads itself, by any register; DC ZVA.
fn granted(rng: &mut Rng) -> Vec<u32> {
    let mrs = |r: &Reg| 0xd520_0000 | (r.0 as u32) << 5;
    let words = READ.iter().map(mrs).chain([0xd50b_7420]);
    words
        .flat_map(|w| [w, w, w, w].map(|w| w | rng.below(32) as u32))
        .collect()
}

/// Words of pure rows, and of helper rows that do the same things: those that go on to the next instruction, and branches.
fn words(rng: &mut Rng, of_each: usize) -> (Vec<u32>, Vec<u32>) {
    let groups = GROUPS.iter().filter(|g| !SYSTEM.contains(&g.0));
    let rows = groups.flat_map(|g| g.1);
    let mut all: Vec<u32> = rows.flat_map(|row| instances(rng, row, of_each)).collect();
    for _ in 0..of_each / 4 {
        all.extend(granted(rng));
    }
    let branch = |w: &u32| match decode(*w, 0, Features::ALL).map(|i| i.how) {
        Some(How::Pure(p)) => Some(p.branch),
        Some(How::Helper { .. }) => Some(false),
        _ => None,
    };
    let of = |want: bool| {
        let those = all.iter().copied();
        those.filter(|w| branch(w) == Some(want)).collect()
    };
    (of(false), of(true))
}

/// A state in which most registers lead to the window.
fn state(rng: &mut Rng) -> State {
    let mut s = State::random(rng);
    for r in 0..32 {
        if rng.below(3) != 0 {
            let page = [0, 0, 0, 3, 3, 5, 1, 2, 4][rng.below(9) as usize];
            let byte = rng.below(0x1000) & [!15, !15, !7, !0][rng.below(4) as usize];
            s.x[r] = WINDOW + page * 0x1000 + byte;
        } else if rng.below(2) != 0 {
            s.x[r] = rng.below(64) * 8;
        }
    }
    s.x[32] = 0;
    let marked = s.x[rng.below(32) as usize].wrapping_sub(WINDOW);
    s.monitor = (rng.below(3) != 0).then(|| Monitor::new(PA + marked % 0x6000, 1 << rng.below(5)));
    s
}

fn pick(rng: &mut Rng, words: &[u32]) -> u32 {
    words[rng.below(words.len() as u64) as usize]
}

/// What two sides do with the same code from the same state.
fn compare(sides: &mut [Side; 2], before: &State, n: u64, code: &[u32]) -> State {
    let [a, b] = sides;
    let (x, y) = (a.run(before, n), b.run(before, n));
    assert!(
        x == y,
        "{code:08x?}\nfrom {before:x?}\ninterpreted {x:x?}\ncompiled {y:x?}\ndifferent: {:?}",
        x.0.differences(&y.0)
    );
    x.0
}

#[test]
fn blocks() {
    let mut rng = seeded(3);
    let (plain, branches) = words(&mut rng, 400);
    let mut sides = [Side::new(false), Side::new(true)];
    for round in 0..rounds(60_000) {
        let len = 1 + rng.below(10) as usize;
        let mut code: Vec<u32> = (0..len).map(|_| pick(&mut rng, &plain)).collect();
        code.push(pick(&mut rng, &branches));
        let at = rng.below(1024 - 16);
        for side in &mut sides {
            side.machine.put_code(at, &code);
        }
        let mut before = state(&mut rng);
        before.pc = CODE + 4 * at;
        compare(&mut sides, &before, code.len() as u64, &code);
        if round % 500 == 0 {
            let [a, b] = &sides;
            assert!(
                a.machine.memory() == b.machine.memory(),
                "memory, round {round}"
            );
        }
    }
    let [a, b] = &sides;
    assert!(a.machine.memory() == b.machine.memory());
    assert!(b.code.tiering().expect("compiled").stats.blocks > 50_000);
}

/// A number at an edge, or near one: in single and in double precision.
fn edge(rng: &mut Rng) -> u64 {
    let double = rng.below(2) != 0;
    let (fraction, all) = if double {
        (52, u64::MAX)
    } else {
        (23, u32::MAX as u64)
    };
    let top = if double { 0x7ff } else { 0xff };
    let exponent = match rng.below(8) {
        0 => 0,
        1 => 1,
        2 => top,
        3 => top - 1,
        4 => rng.below(top),
        _ => top / 2 + rng.below(9) - 4,
    };
    let low = match rng.below(4) {
        0 => 0,
        1 => 1 << rng.below(fraction),
        2 => (1 << fraction) - 1 - rng.below(3),
        _ => rng.next() & ((1 << fraction) - 1),
    };
    let v = (exponent << fraction | low) & all | (rng.below(2)) << if double { 63 } else { 31 };
    match rng.below(3) {
        0 if !double => v | v << 32,
        1 if !double => v | rng.next() << 32,
        _ => v,
    }
}

/// Blocks of floating-point rows alone, from numbers at the edges, with FPCR mostly 0.
#[test]
fn floats() {
    let mut rng = seeded(5);
    let rows = GROUPS
        .iter()
        .filter(|g| g.0.contains("fp"))
        .flat_map(|g| g.1);
    let pure = rows.filter(|row| matches!(row.kind, RowKind::Pure));
    let words: Vec<u32> = pure.flat_map(|row| instances(&mut rng, row, 400)).collect();
    let arithmetic: Vec<u32> = words
        .into_iter()
        .filter(|w| w & 0x1a00_0000 != 0x0800_0000)
        .collect();
    let mut sides = [Side::new(false), Side::new(true)];
    let mut raised = 0;
    for _ in 0..rounds(150_000) {
        let len = 1 + rng.below(5) as usize;
        let mut code: Vec<u32> = (0..len).map(|_| pick(&mut rng, &arithmetic)).collect();
        code.push(0xd65f_0000); // RET
        let at = rng.below(1024 - 16);
        for side in &mut sides {
            side.machine.put_code(at, &code);
        }
        let mut before = state(&mut rng);
        before.pc = CODE + 4 * at;
        for v in &mut before.v {
            *v = edge(&mut rng) as u128;
            if rng.below(2) != 0 {
                *v |= (edge(&mut rng) as u128) << 64;
            }
        }
        for x in &mut before.x[..31] {
            *x = rng.next() >> rng.below(64);
        }
        before.fpcr = if rng.below(6) == 0 {
            (rng.next() as u32) & 0x07c8_0000
        } else {
            0
        };
        before.fpsr = if rng.below(2) != 0 {
            rng.next() as u32 & 0x9f
        } else {
            0
        };
        let after = compare(&mut sides, &before, code.len() as u64, &code);
        raised |= after.fpsr & !before.fpsr;
    }
    assert_eq!(
        raised, 0x9f,
        "each exception has been raised by some instruction"
    );
}

/// Branches that stay in the page, so that blocks are linked; what raises is stepped over.
#[test]
fn programs() {
    let mut rng = seeded(4);
    let (plain, branches) = words(&mut rng, 400);
    let mut sides = [Side::new(false), Side::new(true)];
    for _ in 0..rounds(400) {
        let code: Vec<u32> = (0..1024u64)
            .map(|i| {
                let near = (rng.below(1024) as i64 - i as i64) as u32;
                match rng.below(12) {
                    0 => 0x1400_0000 | near & 0x3ff_ffff, // B
                    1 => 0x5400_0000 | (near & 0x7_ffff) << 5 | rng.below(14) as u32, // B.cond
                    2 => 0xb400_0000 | (near & 0x7_ffff) << 5 | rng.below(31) as u32, // CBZ
                    3 => 0x3600_0000 | (near & 0x3fff) << 5 | rng.below(31) as u32, // TBZ
                    4 if rng.below(20) == 0 => pick(&mut rng, &branches),
                    _ => pick(&mut rng, &plain),
                }
            })
            .collect();
        for side in &mut sides {
            side.machine.put_code(0, &code);
        }
        let mut s = state(&mut rng);
        s.pc = CODE + 4 * rng.below(1024);
        for _ in 0..60 {
            let n = 1 + rng.below(400);
            s = compare(&mut sides, &s, n, &[]);
            if s.pc & !0xfff == CODE {
                s.pc = CODE + (s.pc + 4 & 0xffc);
            } else {
                s = state(&mut rng);
                s.pc = CODE + 4 * rng.below(1024);
            }
        }
        let [a, b] = &sides;
        assert!(a.machine.memory() == b.machine.memory());
    }
}
