//! Measures the interpreter on a few loops.
use gdbhv_model::config::Config;
use gdbhv_model::exec::code::Code;
use gdbhv_model::exec::interp;
use gdbhv_model::feature::Features;
use gdbhv_model::pe::Pe;
use gdbhv_model::shared::Shared;
fn run(name: &str, words: &[u32], n: u64) {
    let base = 0x4000_0000;
    let config = Config {
        has_el2: false,
        hosted: false,
        features: Features::ALL,
        core: &gdbhv_model::cores::MAX,
    };
    let mut sh = Shared::new(config, base, 64 << 20);
    for (i, w) in words.iter().enumerate() {
        sh.ram.write(base + 4 * i as u64, 4, *w as u64).unwrap();
    }
    let mut cpu = Pe::new(0, 1);
    cpu.pc = base;
    cpu.x[20] = base + 0x10_0000;
    let mut code = Code::new(&sh.ram, config.features, 1);
    let t = std::time::Instant::now();
    cpu.until = n;
    let leave = interp::execute(&mut cpu, &mut sh, &mut code);
    println!(
        "{name:20} {:7.1} MIPS {leave:?} {}",
        n as f64 / t.elapsed().as_secs_f64() / 1e6,
        sh.now
    );
}
fn main() {
    // ALU mix 16 insns: adds/subs on rotating regs, last b
    let add = |d: u32, n: u32, m: u32| 0x8b00_0000 | m << 16 | n << 5 | d;
    let sub = |d: u32, n: u32, m: u32| 0xcb00_0000 | m << 16 | 3 << 10 | n << 5 | d;
    let addi = |d: u32, n: u32, i: u32| 0x9100_0000 | i << 10 | n << 5 | d;
    let subsi = |d: u32, n: u32, i: u32| 0xf100_0000u32 | i << 10 | n << 5 | d;
    let mut l: Vec<u32> = (0..14)
        .map(|i| match i % 3 {
            0 => add(i % 7, (i + 1) % 7, (i + 2) % 7),
            1 => sub(i % 7, (i + 3) % 7, 8),
            _ => addi(i % 7, i % 7, i),
        })
        .collect();
    l.push(subsi(9, 9, 1));
    l.push(0x5400_0001 | ((-15i32 as u32) & 0x7ffff) << 5); // b.ne
    run("alu16", &l, 1_000_000_000);
    // ld/st: ldr x1,[x20,#8]; add; str x1,[x20,#16]; subs; b.ne
    let ldr = |t: u32, n: u32, i: u32| 0xf940_0000 | i << 10 | n << 5 | t;
    let str_ = |t: u32, n: u32, i: u32| 0xf900_0000 | i << 10 | n << 5 | t;
    run(
        "ldst",
        &[
            ldr(1, 20, 1),
            add(2, 1, 2),
            str_(2, 20, 2),
            ldr(3, 20, 3),
            str_(1, 20, 8),
            subsi(9, 9, 1),
            0x5400_0001 | ((-6i32 as u32) & 0x7ffff) << 5,
        ],
        500_000_000,
    );
    // 64k instructions, random order of kinds, small blocks
    let mut seed = 12345u64;
    let mut rnd = || {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (seed >> 33) as u32
    };
    let mut c = Vec::new();
    for i in 0..65536u32 {
        let r = rnd();
        let (d, n, m) = (r % 19, r / 19 % 19, r / 400 % 19);
        c.push(match r / 8000 % 8 {
            0 => add(d, n, m),
            1 => sub(d, n, m),
            2 => addi(d, n, m),
            3 => ldr(d, 20, m),
            4 => str_(d, 20, m),
            5 => subsi(d, n, m),
            6 => 0xab00_0000 | m << 16 | n << 5 | d,
            _ => {
                if i % 2 == 0 {
                    0x5400_0020 | r % 14 | 1 << 6
                } else {
                    0x8b80_0000 | m << 16 | (r % 60) << 10 | n << 5 | d
                }
            }
        });
    }
    c.push(0x1400_0000 | ((-65536i32) as u32 & 0x3ff_ffff));
    run("cold64k", &c, 500_000_000);
}
