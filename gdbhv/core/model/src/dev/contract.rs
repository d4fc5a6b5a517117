//! What every device of the board must stand: each offset at each width, with no panic, no access turned away inside the frame, the same
//! answers for the same history (a debugger that looks is none), and events that come to rest.

use super::{DevCtx, Unseen};
use crate::board::{self, BoardConfig, Make};
use crate::bus::Bus;
use crate::dev::gic::{Gic, Version};
use crate::mem::ram::Ram;
use crate::reg::Reg;
use crate::save::Save;

/// A board's devices without its CPUs.
struct Board {
    bus: Bus,
    gic: Gic,
    ram: Ram,
    now: u64,
}

impl Board {
    fn new(cpus: usize) -> Board {
        Board::of(Version::V3, cpus)
    }
    fn of(gic: Version, cpus: usize) -> Board {
        let (bus, gic) = board::devices(&BoardConfig {
            cpus,
            gic,
            ..BoardConfig::default()
        })
        .expect("ranges are disjoint");
        Board {
            bus,
            gic,
            ram: Ram::new(board::RAM_BASE, 1 << 20),
            now: 0,
        }
    }
    fn read(&mut self, pa: u64, size: u8) -> Option<u64> {
        let ctx = DevCtx {
            now: self.now,
            cpu: 0,
        };
        self.bus.read(pa, size, ctx, &mut self.gic)
    }
    fn write(&mut self, pa: u64, size: u8, v: u64) -> Option<()> {
        let ctx = DevCtx {
            now: self.now,
            cpu: 0,
        };
        let done = self.bus.write(pa, size, v, ctx, &mut self.gic);
        self.gic.service(&mut self.ram);
        if self.bus.has_work() {
            self.bus.service(&mut self.ram, &mut self.gic);
        }
        done
    }
    fn peek(&mut self, pa: u64, size: u8) -> Result<u64, Unseen> {
        let ctx = DevCtx {
            now: self.now,
            cpu: 0,
        };
        self.bus.peek(pa, size, ctx, &mut self.gic)
    }
    /// The same state in new devices.
    fn moved(self, gic: Version) -> Board {
        let mut saved = Vec::new();
        self.bus.save(&mut saved);
        self.gic.save(&mut saved);
        let mut new = Board {
            ram: self.ram,
            now: self.now,
            ..Board::of(gic, 3)
        };
        let mut from = &saved[..];
        new.bus.load(&mut from).expect("of the same board");
        new.gic.load(&mut from).expect("of the same board");
        assert!(from.is_empty());
        let mut again = Vec::new();
        new.bus.save(&mut again);
        new.gic.save(&mut again);
        assert!(again == saved);
        new
    }
    fn events(&mut self) {
        for _ in 0..100 {
            match self.bus.deadline() {
                Some(t) if t <= self.now => self.bus.events(self.now, &mut self.gic),
                _ => return,
            }
        }
        panic!("deadlines do not move on");
    }
}

/// The part of a range that answers, or of one that answers alike everywhere its beginning.
fn frame(size: u64, make: Make, cpus: usize) -> u64 {
    match make {
        Make::Gicr => crate::dev::gic::REDIST_STRIDE * cpus as u64,
        Make::Its => size,
        _ => size.min(0x1_0000),
    }
}

#[test]
fn every_offset_at_every_width() {
    for gic in [Version::V2, Version::V3] {
        all_offsets(gic);
    }
}

fn all_offsets(gic: Version) {
    let mut b = Board::of(gic, 2);
    for r in board::rows(gic) {
        for size in [1u8, 2, 4, 8] {
            for offset in (0..frame(r.size, r.make, 2)).step_by(size as usize) {
                let pa = r.base + offset;
                let seen = b.peek(pa, size);
                let v = b.read(pa, size);
                match seen {
                    Ok(seen) => assert_eq!(Some(seen), v, "{} + {offset:#x}", r.name),
                    Err(e) => assert!(matches!(e, Unseen::Effect(..)), "{} {offset:#x}", r.name),
                }
                let v = v.unwrap_or_else(|| panic!("{} + {offset:#x}", r.name));
                assert!(
                    size == 8 || v >> (size * 8) == 0,
                    "{} {offset:#x} {size}: {v:#x}",
                    r.name
                );
                for v in [u64::MAX, 0, v] {
                    assert!(b.write(pa, size, v).is_some(), "{} + {offset:#x}", r.name);
                }
                b.now += 1000;
                b.events();
            }
        }
    }
    for cpu in 0..2 {
        b.gic.lines(cpu);
    }
}

#[test]
fn redistributors_end_with_the_cpus() {
    for cpus in [1, 8] {
        let mut b = Board::new(cpus);
        let end = board::row("gicr").expect("a row").base + 0x20000 * cpus as u64;
        assert!(b.read(end - 8, 8).is_some());
        assert_eq!(b.read(end, 4), None);
        assert_eq!(b.write(end, 4, 0), None);
    }
}

#[test]
fn the_same_history_gives_the_same_answers_looked_at_or_not_saved_and_loaded_or_not() {
    let gic = |r: &&crate::reg::Info| r.group == crate::reg::Group::Gic;
    let registers: Vec<Reg> = crate::reg::INFOS
        .iter()
        .filter(gic)
        .map(|r| r.reg)
        .collect();
    let run = |gic: Version, debugged: bool, moved: bool| {
        let mut b = Board::of(gic, 3);
        let mut seed = 1u64;
        let mut log = Vec::new();
        for step in 0..200_000 {
            if moved && step % 500 == 0 {
                b = b.moved(gic);
            }
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let x = seed >> 20;
            let rows: Vec<_> = board::rows(gic).collect();
            let r = rows[(x % rows.len() as u64) as usize];
            let size = 1u8 << (x >> 4 & 3);
            let offset = (x >> 8) % frame(r.size, r.make, 3) & !(size as u64 - 1);
            // Most registers are low in a frame.
            let offset = if x >> 6 & 1 != 0 {
                offset
            } else {
                offset & 0x10fff
            };
            let pa = r.base + offset.min(r.size - 8);
            if debugged {
                let _ = b.peek(pa, size);
            }
            if x >> 7 & 1 != 0 {
                log.push(b.read(pa, size));
            } else {
                b.write(pa, size, seed.rotate_left(17));
            }
            if x.is_multiple_of(64) {
                let mut now = b.now;
                b.bus.push_input(&[x as u8], false, now, &mut b.gic);
                now += x % 100_000;
                b.now = now;
                b.events();
                log.push(b.gic.lines((x % 3) as usize).irq.then_some(1));
                let reg = registers[(x >> 9) as usize % registers.len()];
                let view = crate::dev::gic::View {
                    virtual_g0: x & 1 != 0,
                    virtual_g1: x & 2 != 0,
                };
                log.push(Some(b.gic.sysreg_read((x >> 3) as usize % 3, reg, view)));
                b.gic.sysreg_write((x >> 3) as usize % 3, reg, seed, view);
                b.bus.take_output();
            }
        }
        log
    };
    for gic in [Version::V2, Version::V3] {
        let plain = run(gic, false, false);
        assert!(plain == run(gic, true, false), "looked at");
        assert!(plain == run(gic, false, true), "saved and loaded");
    }
}
