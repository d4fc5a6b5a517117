//! Measures loads and stores with translation off, by stage 1, and by both stages (4 KiB leaves): hits, and strides that miss.
use gdbhv_model::access;
use gdbhv_model::config::Config;
use gdbhv_model::exec::code::Code;
use gdbhv_model::exec::interp;
use gdbhv_model::exec::refresh::refresh;
use gdbhv_model::feature::Features;
use gdbhv_model::mem::size::{Acc, Size};
use gdbhv_model::mmu::kind::RegimeKind;
use gdbhv_model::mmu::op::{Op, Tlbi, What};
use gdbhv_model::pe;
use gdbhv_model::pe::Pe;
use gdbhv_model::reg::Reg;
use gdbhv_model::shared::Shared;
use gdbhv_model::stops::{Debug, Scope, Space, Watchpoint};

/// CPU time of this process in seconds: the machine may be busy.
fn cpu_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    let ns: f64 = stat
        .split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("ns");
    ns / 1e9
}

const RAM: u64 = 0x4000_0000;
const CODE: u64 = RAM;
const DATA: u64 = RAM + (16 << 20);
const S1: u64 = RAM + (96 << 20);
const S2: u64 = RAM + (100 << 20);

/// Map 128 MiB at RAM one to one by 4 KiB pages: a table each of levels 0 to 2 (from `start`), then the last level.
fn tables(sh: &mut Shared, at: u64, start: u32, leaf: u64) {
    let mut table = at;
    for level in start..3 {
        let shift = 12 + 9 * (3 - level);
        let n = if level == 2 { 64 } else { 1 };
        let next = table + 4096;
        for i in 0..n {
            let index = (RAM >> shift & 511) + i;
            let entry = (next + 4096 * i) | 3;
            sh.ram.write(table + 8 * index, 8, entry).expect("RAM");
        }
        table = next;
    }
    for i in 0..64 * 512 {
        sh.ram
            .write(table + 8 * i, 8, (RAM + 4096 * i) | leaf)
            .expect("RAM");
    }
}

fn machine(stages: u32) -> (Pe, Box<Shared>) {
    let config = Config {
        has_el2: true,
        hosted: false,
        features: Features::ALL,
        core: &gdbhv_model::cores::MAX,
    };
    let mut sh = Box::new(Shared::new(config, RAM, 128 << 20));
    sh.tlb_queue.truncate(1);
    let mut cpu = Pe::new(0, 1);
    cpu.set(Reg::new(3, 0, 0, 7, 0), 0x1125); // ID_AA64MMFR0_EL1
    tables(&mut sh, S1, 0, 0x703); // AF, inner shareable, page
    tables(&mut sh, S2, 1, 0x7ff); // AF, S2AP = RW, Normal
    cpu.set(Reg::new(3, 0, 10, 2, 0), 0xff); // MAIR_EL1
    cpu.set(Reg::new(3, 0, 2, 0, 0), S1);
    cpu.set(Reg::new(3, 0, 2, 0, 2), 0x15_8010_0010); // TCR_EL1
    cpu.set(Reg::new(3, 4, 2, 1, 0), S2);
    cpu.set(Reg::new(3, 4, 2, 1, 2), 25 | 1 << 6 | 5 << 16); // VTCR_EL2: 39 bits from level 1
    cpu.set(Reg::new(3, 0, 1, 0, 0), (stages >= 1) as u64); // SCTLR_EL1.M
    cpu.set(Reg::new(3, 4, 1, 1, 0), (stages >= 2) as u64); // HCR_EL2.VM
    refresh(&mut cpu, &mut sh);
    (cpu, sh)
}

fn run(name: &str, stages: u32, words: &[u32], n: u64) {
    run_with(name, stages, words, n, DATA, |_| ());
}

fn run_with(name: &str, stages: u32, words: &[u32], n: u64, data: u64, set: fn(&mut Debug)) {
    let (mut cpu, mut sh) = machine(stages);
    set(&mut sh.debug);
    for (i, w) in words.iter().enumerate() {
        sh.ram
            .write(CODE + 4 * i as u64, 4, *w as u64)
            .expect("RAM");
    }
    cpu.pc = CODE;
    cpu.x[20] = data;
    cpu.x[21] = DATA;
    cpu.x[22] = 4160;
    cpu.x[23] = DATA + (64 << 20);
    let mut code = Code::new(&sh.ram, sh.config.features, 1);
    let t = cpu_time();
    cpu.until = n;
    let leave = interp::execute(&mut cpu, &mut sh, &mut code);
    assert_eq!(leave, interp::Leave::Time, "{:?}", cpu.raised);
    let s = cpu_time() - t;
    println!("{name:10} stages {stages} {:7.1} MIPS", n as f64 / s / 1e6);
}

fn main() {
    let add = |d: u32, n: u32, m: u32| 0x8b00_0000 | m << 16 | n << 5 | d;
    let subs1 = |d: u32| 0xf100_0400u32 | d << 5 | d;
    let ldr = |t: u32, n: u32, i: u32| 0xf940_0000 | i << 10 | n << 5 | t;
    let str_ = |t: u32, n: u32, i: u32| 0xf900_0000 | i << 10 | n << 5 | t;
    let b_ne = |by: i32| 0x5400_0001 | (by as u32 & 0x7_ffff) << 5;
    let hits = [
        ldr(1, 20, 1),
        add(2, 1, 2),
        str_(2, 20, 2),
        ldr(3, 20, 3),
        str_(1, 20, 8),
        subs1(9),
        b_ne(-6),
    ];
    // for (p = data; p < end; p += 4160) { load, store }: again and again
    let stride = [
        ldr(1, 20, 0),
        str_(1, 20, 1),
        add(20, 20, 22),
        0xeb17_029f,                                      // cmp x20, x23
        0x5400_0000 | (-4i32 as u32 & 0x7_ffff) << 5 | 3, // b.lo
        0xaa15_03f4,                                      // mov x20, x21
        0x1400_0000 | (-6i32 as u32 & 0x3ff_ffff),
    ];
    for stages in 0..3 {
        run("ldst", stages, &hits, 500_000_000);
    }
    run_with("unaligned", 2, &hits, 200_000_000, DATA + 1, |_| ());
    run_with("watched", 2, &hits, 200_000_000, DATA, |d| {
        d.insert_watchpoint(Watchpoint {
            space: Space::Va,
            at: DATA + 0x800,
            len: 8,
            read: true,
            write: true,
            scope: Scope::All,
        });
    });
    for stages in 0..3 {
        run("stride", stages, &stride, 50_000_000);
    }
    for stages in 0..3 {
        let (mut cpu, mut sh) = machine(stages);
        let n = 1_000_000u64;
        let t = cpu_time();
        for i in 0..n {
            let va = DATA + (i & 0x3fff) * 4096;
            access::load(&mut cpu, &mut sh, va, Size::X, Acc::PLAIN).expect("mapped");
        }
        let ns = (cpu_time() - t) / n as f64 * 1e9;
        println!("walk       stages {stages} {ns:7.1} ns");
        let t = cpu_time();
        for _ in 0..n / 10 {
            pe::tlb::apply(&mut cpu, Op::All);
        }
        let ns = (cpu_time() - t) / n as f64 * 1e10;
        println!("flush      stages {stages} {ns:7.1} ns");
        let page = |i: u64| DATA + (i & 3) * 4096;
        let touch = |cpu: &mut Pe, sh: &mut Shared, n| {
            for i in 0..n {
                access::load(cpu, sh, page(i), Size::X, Acc::PLAIN).expect("mapped");
            }
        };
        for (name, what) in [
            (
                "vaae1",
                What::Va {
                    first: DATA,
                    last: DATA,
                    asid: None,
                    last_level: true,
                    sizes: u64::MAX,
                },
            ),
            ("vmalle1", What::All),
        ] {
            let op = Tlbi {
                kind: RegimeKind::El10,
                vmid: Some(0),
                what,
                broadcast: true,
            };
            let t = cpu_time();
            for _ in 0..n / 10 {
                pe::tlb::tlbi(&mut cpu, &mut sh, op);
                touch(&mut cpu, &mut sh, 4);
            }
            let ns = (cpu_time() - t) / n as f64 * 1e10;
            println!("{name:10} stages {stages} {ns:7.1} ns, 4 pages touched");
        }
        let t = cpu_time();
        for i in 0..n / 10 {
            cpu.set(Reg::new(3, 0, 2, 0, 0), S1 | (i & 7) << 48);
            refresh(&mut cpu, &mut sh);
            touch(&mut cpu, &mut sh, 16);
        }
        let ns = (cpu_time() - t) / n as f64 * 1e10;
        println!("asid       stages {stages} {ns:7.1} ns a switch, 16 pages touched");
    }
}
