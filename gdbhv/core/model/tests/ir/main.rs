//! Instructions as nodes: what is recorded is what the interpreter does, and nothing is written before an instruction is sure to complete.
//! Random instances of every row, from fixed seeds, at EL1 with stage 1 on: pages that can be written, read, neither, and Device memory.

mod helpers;
#[allow(dead_code)] // what compiles code is tested on it too
mod machine;
#[path = "../support/mod.rs"]
mod support;

use gdbhv_model::exec::interp::{Fast, Miss, Slow};
use gdbhv_model::feature::Features;
use gdbhv_model::ir::{self, How, Node, Place, Pure, Recorder};
use gdbhv_model::isa::ops::Args;
use gdbhv_model::isa::{Row, GROUPS};
use gdbhv_model::raise::{Exception, Trap};
use machine::{instances, one, Machine, Rng, State};
use std::collections::BTreeSet;

/// Instances of each row.
const MANY: usize = 2000;

/// An instance of a pure row.
struct Case {
    row: &'static Row,
    word: u32,
    args: Args,
    pure: Pure,
    nodes: Vec<Node>,
}

impl Case {
    fn of(word: u32) -> Option<Case> {
        let i = ir::decode(word, (word % 7) as u16, Features::ALL)?;
        let How::Pure(pure) = i.how else { return None };
        let mut r = Recorder::default();
        (pure.record)(&mut r, &i.args);
        Some(Case {
            row: i.row,
            word,
            args: i.args,
            pure,
            nodes: r.nodes,
        })
    }
    /// Where its literal is, from the block's start.
    fn literal(&self) -> Option<u64> {
        self.nodes.iter().find_map(|n| match n {
            Node::Load(addr, ..) => match self.nodes[addr.0 as usize] {
                Node::Pc(disp) => Some(disp),
                _ => None,
            },
            _ => None,
        })
    }
    /// A state for it, in which addresses are likely to be mapped.
    fn state(&self, rng: &mut Rng) -> State {
        let mut s = State::random(rng);
        if self.nodes.iter().any(Node::faults) {
            s.aim(rng, &self.args, self.literal());
        }
        s
    }
}

/// Random instances of every pure row.
fn cases(rng: &mut Rng, of_each: usize) -> impl Iterator<Item = Case> + '_ {
    let rows = GROUPS.iter().flat_map(|g| g.1);
    rows.flat_map(move |row| instances(rng, row, of_each))
        .filter_map(Case::of)
}

type Outcome = (State, Option<Exception>);

fn outcome(m: &mut Machine, done: Result<(), Trap>) -> Outcome {
    let raised = m.pe().raised.take();
    assert_eq!(done.is_err(), raised.is_some());
    (m.state(), raised)
}

fn interpreted(m: &mut Machine, c: &Case, before: &State) -> Outcome {
    m.set(before);
    let done = one(m, c.word, c.args.off);
    outcome(m, done.map(|_| ()))
}

fn replayed(m: &mut Machine, c: &Case, before: &State) -> Outcome {
    m.set(before);
    m.pe().off = c.args.off;
    let (cpu, sh) = m.parts();
    let done = ir::execute(&c.nodes, &mut Slow { cpu, sh });
    outcome(m, done)
}

/// As the interpreter's blocks do: fast, and once more from the start if that is not enough.
fn replayed_fast(m: &mut Machine, c: &Case, before: &State) -> (Outcome, bool) {
    m.set(before);
    let (cpu, _) = m.parts();
    match ir::execute(&c.nodes, &mut Fast { cpu }) {
        Ok(()) => ((m.state(), None), true),
        Err(Miss) => {
            assert_eq!(
                m.state(),
                *before,
                "{} {:08x}: a miss changes nothing",
                c.row.name,
                c.word
            );
            (replayed(m, c, before), false)
        }
    }
}

#[test]
fn replay_equals_the_interpreter() {
    let mut rng = Rng(20_26);
    let mut machines = [Machine::new(), Machine::new(), Machine::new()];
    let (mut faults, mut fast, mut total, mut last) = (0, 0, 0, "");
    let mut rows = BTreeSet::new();
    for c in cases(&mut Rng(1), MANY) {
        let before = c.state(&mut rng);
        let [a, b, f] = &mut machines;
        let expected = interpreted(a, &c, &before);
        assert_eq!(
            replayed(b, &c, &before),
            expected,
            "{} {:08x}",
            c.row.name,
            c.word
        );
        let (quick, hit) = replayed_fast(f, &c, &before);
        assert_eq!(quick, expected, "{} {:08x}, fast", c.row.name, c.word);
        faults += expected.1.is_some() as u32;
        fast += hit as u32;
        total += 1;
        if c.nodes
            .iter()
            .any(|n| n.writes().any(|p| p == Place::Memory))
            || last != c.row.name
        {
            assert!(
                a.memory() == b.memory() && a.memory() == f.memory(),
                "{} {:08x}: memory",
                c.row.name,
                c.word
            );
        }
        last = c.row.name;
        rows.insert(last);
    }
    println!(
        "{} rows, {total} instances, {fast} on the fast path, {faults} faults",
        rows.len()
    );
    assert!(
        faults > 5_000 && fast > total / 2,
        "{faults} {fast} {total}"
    );
}

/// A copy is the original; values are made before they are used, with the type that they are used as; a jump is the last node, of branches only.
#[test]
fn lists_are_well_formed() {
    for c in cases(&mut Rng(2), 500) {
        let name = c.row.name;
        let mut copy = Recorder::default();
        let Ok(()) = ir::execute(&c.nodes, &mut copy);
        assert_eq!(copy.nodes, c.nodes, "{name}");
        assert_eq!(ir::verify(&c.nodes), None, "{name}");
        let jumps = c
            .nodes
            .iter()
            .filter(|n| n.writes().any(|p| p == Place::Pc))
            .count();
        assert_eq!(jumps, c.pure.branch as usize, "{name}");
        let last = c.nodes.last().and_then(|n| n.writes().next());
        assert_eq!(last == Some(Place::Pc), c.pure.branch, "{name}");
        // A second instruction in the same list stands on its own.
        let mut both = Recorder {
            nodes: c.nodes.clone(),
        };
        (c.pure.record)(&mut both, &c.args);
        assert_eq!(ir::verify(&both.nodes), None, "{name}");
        assert_eq!(both.nodes.len(), 2 * c.nodes.len(), "{name}");
    }
}

/// Rows of several stores, of which the first may be done when a later one faults (B2.2.1).
const SEVERAL_STORES: &[&str] = &[
    "CASP",
    "ST1_multiple_2",
    "ST1_multiple_3",
    "ST1_multiple_4",
    "STNP",
    "STNP_fp",
    "STNP_q",
    "STP",
    "STP_fp",
    "STP_fp_post",
    "STP_fp_pre",
    "STP_post",
    "STP_pre",
    "STP_q",
    "STP_q_post",
    "STP_q_pre",
];

#[test]
fn nothing_is_written_before_an_instruction_is_sure_to_complete() {
    let mut several = BTreeSet::new();
    for c in cases(&mut Rng(3), MANY) {
        let Some(last) = c.nodes.iter().rposition(Node::faults) else {
            continue;
        };
        for place in c.nodes[..last].iter().flat_map(Node::writes) {
            assert_eq!(place, Place::Memory, "{} {:08x}", c.row.name, c.word);
            several.insert(c.row.name);
        }
    }
    assert!(several.iter().eq(SEVERAL_STORES), "{several:?}");
}

/// Each node changes what it tells and nothing else.
#[test]
fn writes_are_told() {
    let mut rng = Rng(4);
    let mut m = Machine::new();
    for c in cases(&mut Rng(5), 24) {
        let before = c.state(&mut rng);
        let mut last = (before.clone(), m.memory());
        let start = last.1.clone();
        for k in 1..=c.nodes.len() {
            m.set(&before);
            if last.1 != start {
                m.set_memory(&start);
            }
            m.pe().off = c.args.off;
            let (cpu, sh) = m.parts();
            let done = ir::execute(&c.nodes[..k], &mut Slow { cpu, sh });
            if outcome(&mut m, done).1.is_some() {
                break;
            }
            let now = (m.state(), m.memory());
            let told: Vec<_> = c.nodes[k - 1].writes().collect();
            let mut changed = now.0.differences(&last.0);
            changed.extend((now.1 != last.1).then_some(Place::Memory));
            assert!(
                changed.iter().all(|p| told.contains(p)),
                "{:?}: {changed:?}",
                c.nodes[k - 1]
            );
            last = now;
        }
    }
}

/// What no node reads makes no difference.
#[test]
fn reads_are_told() {
    let mut rng = Rng(6);
    let mut m = Machine::new();
    for c in cases(&mut Rng(7), 300) {
        let read: Vec<_> = c.nodes.iter().flat_map(Node::reads).collect();
        if read.contains(&Place::Memory) {
            continue; // the second run would see the first one's stores
        }
        let first = c.state(&mut rng);
        let mut second = State::random(&mut rng).with(&first, &read);
        second.pc = first.pc; // what `Pc` and the branches count from
        let (a, raised) = replayed(&mut m, &c, &first);
        let (b, again) = replayed(&mut m, &c, &second);
        assert_eq!(raised, again, "{} {:08x}", c.row.name, c.word);
        if raised.is_none() {
            let written: Vec<_> = c.nodes.iter().flat_map(Node::writes).collect();
            assert_eq!(
                b,
                second.with(&a, &written),
                "{} {:08x}",
                c.row.name,
                c.word
            );
        }
    }
}

/// The guard of a row is a fact that both back ends have.
#[test]
fn fp_rows_are_guarded() {
    let mut m = Machine::new();
    let mut rng = Rng(8);
    m.trap_fp();
    for c in cases(&mut Rng(9), 8) {
        let before = c.state(&mut rng);
        let (after, raised) = interpreted(&mut m, &c, &before);
        let trapped = raised.is_some_and(|e| e.ec == gdbhv_model::syndrome::ec::FP);
        assert_eq!(trapped, c.pure.fp, "{}", c.row.name);
        assert!(!trapped || after == before, "{}", c.row.name);
    }
}

/// Every node is made by some row, and the page of the IR tells which can fault.
#[test]
fn every_node_is_in_use() {
    let page = include_str!("../../src/ir/nodes.rs");
    let table = &page[page.find("\nnodes! {").expect("the table")..];
    let listed: BTreeSet<_> = table
        .lines()
        .filter(|l| l.starts_with("    ") && l.contains(" = ") && l.ends_with(';'))
        .filter_map(|l| l.trim().split_once(" = "))
        .map(|l| l.0)
        .filter(|n| !n.starts_with("Node::"))
        .collect();
    let (mut made, mut faulting) = (BTreeSet::new(), BTreeSet::new());
    for c in cases(&mut Rng(10), 200) {
        for n in &c.nodes {
            made.insert(n.name());
            if n.faults() {
                faulting.insert(n.name());
            }
        }
    }
    assert_eq!(made, listed);
    let manual = include_str!("../../src/ir/mod.rs");
    for name in faulting {
        assert!(
            manual
                .lines()
                .any(|l| l.starts_with("//! | `") && l.contains(&format!("`{name}`"))),
            "{name}"
        );
    }
}
