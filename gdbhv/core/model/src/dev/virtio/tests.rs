//! A driver of the block device, by VIRTIO 1.2; and one that follows no rule.

use super::*;
use crate::mem::disk::{Base, Disk, BLOCK};
use crate::mem::ram::Ram;
use crate::random_tests::random;

const RAM: u64 = 0x4000_0000;
const SIZE: u64 = 0x10_0000;
const FIRST: u64 = 31 * SLOT;
const ENTRIES: u64 = 8;
/// Descriptors, available ring, used ring, and where requests are.
const AREAS: [u64; 3] = [RAM, RAM + 0x1000, RAM + 0x2000];
const DATA: u64 = RAM + 0x1_0000;
const CTX: DevCtx = DevCtx { now: 0, cpu: 0 };
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// Each byte is its number's remainder by 251.
struct Numbers(u64);

impl Base for Numbers {
    fn size(&self) -> u64 {
        self.0
    }
    fn read(&self, at: u64, to: &mut [u8]) -> std::io::Result<()> {
        for (n, byte) in (at..).zip(to) {
            *byte = (n % 251) as u8;
        }
        Ok(())
    }
}

struct Driver {
    device: Virtio,
    ram: Ram,
    made: u16,
}

impl Driver {
    fn new(sectors: u64, features: u64) -> Driver {
        let mut d = Driver {
            device: Virtio::default(),
            ram: Ram::new(RAM, SIZE),
            made: 0,
        };
        let kind = Kind::Block(Block {
            sectors,
            read_only: false,
        });
        assert_eq!(d.device.plug(kind), Some(31));
        let disk = Disk::new(Box::new(Numbers(sectors * 512)));
        d.ram.disks.insert(31, disk);
        d.set_up(features | 1 << 32);
        d
    }
    fn set_up(&mut self, features: u64) {
        for (at, value) in [
            (0x070, 0),
            (0x070, 3),
            (0x024, 0),
            (0x020, features as u32),
            (0x024, 1),
            (0x020, (features >> 32) as u32),
            (0x070, 0xb),
        ] {
            self.set(at, value);
        }
        self.queue(0);
        self.set(0x070, 0xf);
        self.made = 0;
    }
    /// Set a queue up; all are the same memory.
    fn queue(&mut self, number: u32) {
        self.set(0x030, number);
        self.set(0x038, ENTRIES as u32);
        for (n, area) in AREAS.iter().enumerate() {
            self.set(0x80 + 0x10 * n as u64, *area as u32);
            self.set(0x84 + 0x10 * n as u64, (*area >> 32) as u32);
        }
        self.set(0x044, 1);
    }
    fn get(&self, at: u64) -> u32 {
        let value = self.device.peek(FIRST + at, 4, CTX);
        value.expect("no effects") as u32
    }
    fn set(&mut self, at: u64, value: u32) {
        let done = self.device.write(FIRST + at, 4, value as u64, CTX);
        done.expect("a register");
        if self.device.has_work() {
            self.device.service(&mut self.ram);
        }
    }
    fn describe(&mut self, at: u64, pa: u64, bytes: u32, flags: u16, next: u16) {
        self.ram.write(at, 8, pa);
        self.ram.write(at + 8, 4, bytes as u64);
        self.ram.write(at + 12, 2, flags as u64);
        self.ram.write(at + 14, 2, next as u64);
    }
    /// Make a chain available that begins at `head`.
    fn offer(&mut self, head: u16) {
        let at = AREAS[1] + 4 + (self.made as u64 % ENTRIES) * 2;
        self.ram.write(at, 2, head as u64);
        self.made = self.made.wrapping_add(1);
        self.ram.write(AREAS[1] + 2, 2, self.made as u64);
    }
    /// A request whose data are at DATA + 0x1000; status, and what the used ring says.
    fn request(&mut self, kind: u32, sector: u64, bytes: u32) -> (u64, u64) {
        let to_write = if kind == 1 { 0 } else { WRITE };
        self.ram.write(DATA, 8, kind as u64);
        self.ram.write(DATA + 8, 8, sector);
        self.ram.write(DATA + 16, 1, 0xff);
        self.describe(AREAS[0], DATA, 16, NEXT, 1);
        self.describe(AREAS[0] + 16, DATA + 0x1000, bytes, NEXT | to_write, 2);
        self.describe(AREAS[0] + 32, DATA + 16, 1, WRITE, 0);
        self.offer(0);
        let at = AREAS[2] + 4 + (self.made.wrapping_sub(1) as u64 % ENTRIES) * 8;
        self.set(0x050, 0);
        let used = self.ram.read(AREAS[2] + 2, 2).expect("RAM");
        assert_eq!(used, self.made as u64);
        let load = |at, n| self.ram.read(at, n).expect("RAM");
        (load(DATA + 16, 1), load(at, 8))
    }
}

#[test]
fn what_is_read_is_the_disks_and_what_is_written_is_read_again() {
    let mut d = Driver::new(100, 0);
    assert_eq!((d.get(0x008), d.get(0x004), d.get(0x100)), (2, 2, 100));
    assert_eq!(d.request(0, 3, 1024), (0, 1025 << 32));
    let expected: Vec<u8> = (0..1024).map(|n| ((1536 + n) % 251) as u8).collect();
    assert_eq!(d.ram.get(DATA + 0x1000, 1024), Some(&expected[..]));
    assert_eq!((d.get(0x060), d.device.state.slots[&31].irq()), (1, true));
    d.set(0x064, 1);
    assert_eq!(d.get(0x060), 0);
    d.ram.get_mut(DATA + 0x1000, 512).expect("RAM").fill(0xa5);
    assert_eq!(d.request(1, 99, 512), (0, 1 << 32));
    d.ram.get_mut(DATA + 0x1000, 512).expect("RAM").fill(0);
    assert_eq!(d.request(0, 99, 512).0, 0);
    assert_eq!(d.ram.get(DATA + 0x1000, 512), Some(&[0xa5; 512][..]));
}

#[test]
fn what_is_not_on_the_disk_is_an_error() {
    let mut d = Driver::new(100, 0);
    for (sector, bytes) in [
        (100, 512),
        (99, 1024),
        (u64::MAX, 512),
        (1 << 55, 512),
        (0, 100),
    ] {
        assert_eq!(d.request(0, sector, bytes).0, 1, "{sector:#x} {bytes}");
        assert_eq!(d.request(1, sector, bytes).0, 1, "{sector:#x} {bytes}");
    }
    assert_eq!(d.request(7, 0, 512).0, 2, "unsupported");
    assert_eq!(d.get(0x070), 0xf, "and no reason to stop");
}

#[test]
fn rings_that_break_the_rules_stop_the_device_until_it_is_reset() {
    type Case = fn(&mut Driver);
    let cases: [(&str, Case); 9] = [
        ("a loop", |d| d.describe(AREAS[0], DATA, 16, NEXT, 0)),
        ("outside of the table", |d| {
            d.describe(AREAS[0], DATA, 16, NEXT, 8)
        }),
        ("no memory", |d| d.describe(AREAS[0], 0, 16, NEXT, 1)),
        ("no bytes", |d| d.describe(AREAS[0], DATA, 0, NEXT, 1)),
        ("nothing to write to", |d| {
            d.describe(AREAS[0], DATA, 16, 0, 0)
        }),
        ("a short header", |d| {
            d.describe(AREAS[0], DATA, 15, NEXT, 2)
        }),
        ("to be read behind what is written", |d| {
            d.describe(AREAS[0], DATA, 16, NEXT | WRITE, 1);
            d.describe(AREAS[0] + 16, DATA, 16, 0, 1);
        }),
        ("not negotiated", |d| {
            d.describe(AREAS[0], DATA, 16, INDIRECT, 0)
        }),
        ("more than the ring has", |d| d.made += ENTRIES as u16),
    ];
    for (name, make) in cases {
        let mut d = Driver::new(100, 0);
        d.describe(AREAS[0] + 32, DATA + 16, 1, WRITE, 0);
        make(&mut d);
        d.offer(0);
        d.set(0x050, 0);
        assert_eq!((d.get(0x070), d.get(0x060)), (0x4f, 2), "{name}");
        d.set(0x070, 0);
        d.set_up(1 << 32);
        d.ram.write(AREAS[1] + 2, 2, 0);
        d.ram.write(AREAS[2] + 2, 2, 0);
        assert_eq!(d.request(0, 0, 512).0, 0, "{name}");
    }
}

#[test]
fn a_table_elsewhere_is_a_chain_too() {
    let mut d = Driver::new(100, 1 << 28);
    let table = DATA + 0x800;
    d.ram.write(DATA + 8, 8, 1);
    d.describe(table, DATA, 10, NEXT, 3); // a header in two pieces
    d.describe(table + 48, DATA + 10, 6, NEXT, 1);
    d.describe(table + 16, DATA + 0x1000, 513, WRITE, 0); // the status behind the data
    d.describe(AREAS[0] + 32, table, 64, INDIRECT, 0);
    d.offer(2);
    d.set(0x050, 0);
    assert_eq!(d.ram.read(AREAS[2] + 4, 8), Some(513 << 32 | 2));
    assert_eq!(d.ram.read(DATA + 0x1000, 1), Some(512 % 251));
    assert_eq!(d.ram.read(DATA + 0x1200, 1), Some(0));
}

#[test]
fn interrupts_come_where_the_driver_wants_them() {
    let mut d = Driver::new(100, 0);
    d.ram.write(AREAS[1], 2, 1); // VRING_AVAIL_F_NO_INTERRUPT
    d.request(0, 0, 512);
    assert_eq!(d.get(0x060), 0);
    let mut d = Driver::new(100, 1 << 29);
    let (used_event, avail_event) = (AREAS[1] + 4 + 2 * ENTRIES, AREAS[2] + 4 + 8 * ENTRIES);
    d.ram.write(used_event, 2, 2);
    for (nth, wanted) in [(1, 1), (2, 0), (3, 1), (4, 0)] {
        d.request(0, 0, 512); // the first always tells
        assert_eq!(d.get(0x060), wanted, "{nth}");
        assert_eq!(d.ram.read(avail_event, 2), Some(nth));
        d.set(0x064, 3);
    }
}

#[test]
fn features_that_are_not_offered_are_refused() {
    for (features, status) in [
        (1u64 << 32, 0xb),
        (0, 3),
        (1 << 32 | 1, 3),
        (1 << 32 | 1 << 40, 3),
    ] {
        let mut d = Driver::new(1, 0);
        d.set(0x070, 0);
        d.set(0x070, 3);
        d.set(0x024, 1);
        d.set(0x020, (features >> 32) as u32);
        d.set(0x024, 0);
        d.set(0x020, features as u32);
        d.set(0x070, 0xb);
        assert_eq!(d.get(0x070), status, "{features:#x}");
    }
}

#[test]
fn sectors_are_zeroed_and_discarded() {
    for kind in [11, 13] {
        let mut d = Driver::new(100, 1 << 13 | 1 << 14);
        let mut segment = |sector: u64, count: u64, flags: u64| {
            d.ram.write(DATA, 8, kind);
            d.ram.write(DATA + 16, 8, sector);
            d.ram.write(DATA + 24, 8, count | flags << 32);
            d.describe(AREAS[0], DATA, 32, NEXT, 1);
            d.describe(AREAS[0] + 16, DATA + 0x100, 1, WRITE, 0);
            d.offer(0);
            d.set(0x050, 0);
            d.ram.read(DATA + 0x100, 1).expect("RAM")
        };
        assert_eq!(segment(1, 60, 0), 0);
        assert_eq!(segment(99, 2, 0), 1);
        assert_eq!(segment(0, 0x40_0000, 0), 1);
        assert_eq!(segment(0, 1, 2), 2);
        assert_eq!(segment(0, 1, 1), if kind == 13 { 0 } else { 2 });
        let disk = d.ram.disks.get_mut(&31).expect("plugged");
        let mut all = vec![0; 51200];
        assert!(disk.read(0, &mut all));
        assert!(all[512..61 * 512].iter().all(|b| *b == 0) && all[61 * 512] != 0);
    }
}

#[test]
fn too_much_at_once_goes_on_later() {
    let mut d = Driver::new(BLOCK, 1 << 28);
    let table = DATA + 0x800;
    d.describe(table, DATA, 16, NEXT, 1);
    for n in 1..=8 {
        let bytes = 0x8_0000;
        d.describe(
            table + 16 * n,
            RAM + 0x8_0000,
            bytes,
            NEXT | WRITE,
            n as u16 + 1,
        );
    }
    d.describe(table + 16 * 9, DATA + 16, 1, WRITE, 0);
    for head in 0..ENTRIES {
        d.describe(AREAS[0] + 16 * head, table, 160, INDIRECT, 0);
        d.offer(head as u16);
    }
    d.set(0x050, 0);
    let used = |d: &Driver| d.ram.read(AREAS[2] + 2, 2).expect("RAM");
    assert_eq!((used(&d), d.device.deadline()), (4, Some(PAUSE)));
    d.set(0x050, 0);
    assert_eq!(used(&d), 4, "telling again does not hurry it");
    for (turn, done) in [(1, 8), (2, 8)] {
        d.device.event(turn * PAUSE);
        d.device.service(&mut d.ram);
        assert_eq!(used(&d), done);
    }
    assert_eq!(d.device.deadline(), None);
}

impl Driver {
    /// A driver of a device that is no disk, whose first queue is set up; queue 1, if there is one, is the same memory.
    fn of(kind: Kind) -> Driver {
        let mut d = Driver {
            device: Virtio::default(),
            ram: Ram::new(RAM, SIZE),
            made: 0,
        };
        d.device.plug(kind);
        d.set_up(1 << 32);
        d
    }
    fn buffer(&mut self, head: u16, bytes: u32, flags: u16) {
        self.describe(
            AREAS[0] + 16 * head as u64,
            DATA + 0x100 * head as u64,
            bytes,
            flags,
            0,
        );
        self.offer(head);
    }
    fn used(&self, nth: u64) -> Option<u64> {
        let all = self.ram.read(AREAS[2] + 2, 2).expect("RAM");
        let element = self.ram.read(AREAS[2] + 4 + 8 * nth, 8).expect("RAM");
        (nth < all).then_some(element)
    }
}

#[test]
fn numbers_follow_from_the_seed_and_go_on() {
    let drawn = |seed: u64, sizes: &[u32]| -> Vec<u8> {
        let mut d = Driver::of(Kind::Entropy(seed));
        assert_eq!(d.get(0x008), 4);
        let mut all = Vec::new();
        for (n, size) in sizes.iter().enumerate() {
            d.buffer(n as u16, *size, WRITE);
            d.set(0x050, 0);
            assert_eq!(d.used(n as u64), Some((*size as u64) << 32 | n as u64));
            all.extend(
                d.ram
                    .get(DATA + 0x100 * n as u64, *size as u64)
                    .expect("RAM"),
            );
        }
        all
    };
    let first = drawn(7, &[64]);
    assert_eq!(first, drawn(7, &[32, 32]), "the same numbers");
    assert!(first != drawn(8, &[64]) && first.iter().any(|b| *b != 0));
}

#[test]
fn a_terminal_prints_and_is_typed_on() {
    let mut d = Driver::of(Kind::Console);
    assert_eq!(d.get(0x008), 3);
    let console = |d: &mut Driver| d.device.console().is_some_and(|c| c.listens());
    assert!(console(&mut d));
    d.buffer(0, 4, WRITE);
    d.set(0x050, 0);
    assert_eq!(d.used(0), None, "nothing is typed yet");
    let type_ = |d: &mut Driver, text: &[u8]| {
        let c = d.device.console().expect("a console");
        c.push_input(text, false, 0);
        if d.device.has_work() {
            d.device.service(&mut d.ram);
        }
    };
    type_(&mut d, b"typed");
    assert_eq!((d.used(0), d.get(0x060)), (Some(4 << 32), 1));
    assert_eq!(d.ram.get(DATA, 4), Some(&b"type"[..]));
    assert_eq!(d.device.waiting(), 1);
    d.buffer(1, 4, WRITE);
    d.set(0x050, 0);
    assert_eq!(d.used(1), Some(1 << 32 | 1));
    // What it prints goes through the other queue.
    d.set(0x030, 1);
    d.set(0x038, ENTRIES as u32);
    let areas = [RAM + 0x4000, RAM + 0x5000, RAM + 0x6000];
    for (n, area) in areas.iter().enumerate() {
        d.set(0x80 + 0x10 * n as u64, *area as u32);
    }
    d.set(0x044, 1);
    d.ram.write_bytes(DATA + 0x800, b"printed");
    d.describe(areas[0], DATA + 0x800, 7, 0, 0);
    d.ram.write(areas[1] + 2, 2, 1);
    d.set(0x050, 1);
    assert_eq!(d.ram.read(areas[2] + 2, 2), Some(1));
    assert_eq!(d.device.take_output(), b"printed");
    assert_eq!(d.device.take_output(), b"");
}

#[test]
fn whatever_a_driver_writes() {
    let mut next = random(1);
    let mut ended = [0; 2];
    for _ in 0..3000 {
        let mut d = match next(5) {
            0 => Driver::of(Kind::Console),
            1 => Driver::of(Kind::Entropy(next(9))),
            2 => Driver::of(Kind::Net([2, 0, 0, 0, 0, 1])),
            _ => Driver::new(next(200) + 1, next(4) << 28),
        };
        d.queue(1); // where there is a second one
        d.set(0x030, 0);
        for _ in 0..next(60) {
            let place = |v: u64, odd: u64| match odd {
                0 => v,
                1 => RAM + SIZE - v % 64,
                2 => u64::MAX - v,
                _ => RAM + v,
            };
            let at = [AREAS[0], DATA + 0x800][next(2) as usize] + 16 * next(10);
            let pa = if next(3) == 0 {
                DATA + 0x800
            } else {
                place(next(SIZE), next(40))
            };
            let bytes = [16, 1, 512, 513, 32, 64, u32::MAX, 0][next(8) as usize];
            let flags = [NEXT, NEXT | WRITE, WRITE, INDIRECT, 0, 7, NEXT, 3][next(8) as usize];
            d.describe(at, pa, bytes, flags, next(10) as u16);
            match next(8) {
                0 => d.set(next(0x40) * 4, next(1 << 31) as u32),
                1 => drop(
                    d.device
                        .write(FIRST + next(0x1f8), 1 << next(4), next(9), CTX),
                ),
                2 => drop(
                    d.ram
                        .write(AREAS[next(3) as usize] + 2 * next(12), 2, next(1 << 16)),
                ),
                3 => drop(d.ram.write(DATA, 8, [0, 1, 4, 8, 11, 13][next(6) as usize])),
                4 => drop(d.ram.write(DATA + 8, 8, next(300))),
                _ => {
                    d.offer(next(9) as u16);
                    d.set(0x050, (next(4) & 1) as u32);
                }
            }
            if let Some(c) = d.device.console() {
                c.push_input(b"typed", false, 0);
            }
            let port = next(1 << 16) as u16;
            d.device.network(0, |c, to| match port % 3 {
                0 => c.open(port as u32, port, 0, to),
                _ => c.flows.send(port as u32, port, b"datagram", to),
            });
            d.device.event(0);
            d.device.service(&mut d.ram);
        }
        ended[(d.get(0x070) >> 6 & 1) as usize] += 1;
        let mut saved = Vec::new();
        d.device.save(&mut saved);
        assert_eq!(d.device.load(&mut &saved[..]), Ok(()));
    }
    assert!(ended[0] > 100 && ended[1] > 100, "{ended:?}");
}

#[test]
fn devices_fill_the_slots_from_the_highest_down_and_state_is_of_these_devices() {
    let block = |sectors| {
        Kind::Block(Block {
            sectors,
            read_only: true,
        })
    };
    let mut d = Virtio::default();
    let slots: Vec<_> = (0..33).map(|n| d.plug(block(n))).collect();
    assert_eq!((slots[0], slots[31], slots[32]), (Some(31), Some(0), None));
    assert!(d.plugged().eq((0..32).map(block)));
    let mut saved = Vec::new();
    d.save(&mut saved);
    let mut other = Virtio::default();
    other.plug(block(7));
    let error = other.load(&mut &saved[..]).expect_err("other devices");
    assert!(error.0.starts_with("it has other devices"), "{error}");
}
