//! A driver of a disk on PCI, by the PCI Local Bus Specification 3.0 and VIRTIO 1.2; and one that follows no rule.

use super::*;
use crate::dev::virtio::{Block, Kind};
use crate::mem::disk::{Base, Disk};
use crate::mem::ram::Ram;
use crate::random_tests::random;

const RAM: u64 = 0x4000_0000;
const CTX: DevCtx = DevCtx { now: 0, cpu: 0 };
const FIRST: u64 = 1 << 15;
const TABLE: u64 = 0x1000_0000;
const REGISTERS: u64 = 0x80_0000_0000;
const DOORBELL: u64 = 0x808_0040;

struct Zeros;

impl Base for Zeros {
    fn size(&self) -> u64 {
        1 << 20
    }
    fn read(&self, _: u64, to: &mut [u8]) -> std::io::Result<()> {
        to.fill(0x5a);
        Ok(())
    }
}

struct Driver {
    pci: Pci,
    ram: Ram,
    sent: Vec<Message>,
    made: u64,
}

impl Driver {
    fn new() -> Driver {
        let mut d = Driver {
            pci: Pci {
                present: true,
                ..Pci::default()
            },
            ram: Ram::new(RAM, 1 << 20),
            sent: Vec::new(),
            made: 0,
        };
        let disk = Kind::Block(Block {
            sectors: 2048,
            read_only: false,
        });
        assert_eq!(d.pci.plug(disk), Some(33));
        d.ram.disks.insert(33, Disk::new(Box::new(Zeros)));
        assert_eq!(d.pci.plug(Kind::Entropy(1)), Some(34));
        d
    }
    fn get(&mut self, at: u64, size: u8) -> u64 {
        self.pci.read(at, size, CTX).expect("all answers")
    }
    fn set(&mut self, at: u64, size: u8, value: u64) {
        self.pci.write(at, size, value, CTX).expect("all answers");
        self.serve();
    }
    fn serve(&mut self) {
        if self.pci.has_work() {
            self.pci.service(&mut self.ram);
        }
        self.sent.append(&mut self.pci.messages());
    }
    fn memory(&mut self, at: u64, size: u8) -> u64 {
        self.get(WINDOW | at, size)
    }
    fn set_memory(&mut self, at: u64, size: u8, value: u64) {
        self.set(WINDOW | at, size, value);
    }
    /// Give the disk its BARs, and leave to do all.
    fn enable(&mut self) {
        self.set(FIRST + 0x14, 4, TABLE);
        self.set(FIRST + 0x20, 4, REGISTERS);
        self.set(FIRST + 0x24, 4, REGISTERS >> 32);
        self.set(FIRST + 4, 2, 6);
    }
    /// What the capability of this kind says: its place, BAR and offset.
    fn capability(&mut self, kind: u64) -> (u64, u64, u64) {
        let mut at = self.get(FIRST + 0x34, 1);
        while at != 0 {
            let (id, next) = (self.get(FIRST + at, 1), self.get(FIRST + at + 1, 1));
            if id == 9 && self.get(FIRST + at + 3, 1) == kind {
                let field = |d: &mut Driver, n: u64, size| d.get(FIRST + at + n, size);
                return (at, field(self, 4, 1), field(self, 8, 4));
            }
            at = next;
        }
        panic!("no capability {kind}");
    }
    /// Begin, with vectors for configuration and queue.
    fn begin(&mut self, vectors: (u64, u64)) {
        let base = REGISTERS;
        self.set_memory(base + 0x14, 1, 3);
        self.set_memory(base + 0x08, 4, 1);
        self.set_memory(base + 0x0c, 4, 1); // VIRTIO_F_VERSION_1
        self.set_memory(base + 0x14, 1, 0xb);
        assert_eq!(self.memory(base + 0x14, 1), 0xb);
        self.set_memory(base + 0x10, 2, vectors.0);
        self.set_memory(base + 0x16, 2, 0);
        assert_eq!(self.memory(base + 0x18, 2), 1024);
        self.set_memory(base + 0x18, 2, 8);
        self.set_memory(base + 0x1a, 2, vectors.1);
        for (n, area) in [RAM, RAM + 0x1000, RAM + 0x2000].into_iter().enumerate() {
            self.set_memory(base + 0x20 + 8 * n as u64, 8, area);
        }
        self.set_memory(base + 0x1c, 2, 1);
        self.set_memory(base + 0x14, 1, 0xf);
    }
    /// Read a sector; whether it is done.
    fn read_sector(&mut self) -> bool {
        let (data, table) = (RAM + 0x8000, RAM);
        for (n, (at, bytes, flags)) in
            [(data, 16, 1u64), (data + 0x1000, 512, 3), (data + 16, 1, 2)]
                .into_iter()
                .enumerate()
        {
            self.ram.write(table + 16 * n as u64, 8, at);
            let rest = bytes | flags << 32 | (n as u64 + 1) << 48;
            self.ram.write(table + 16 * n as u64 + 8, 8, rest);
        }
        self.ram.write(RAM + 0x1004 + self.made % 8 * 2, 2, 0);
        self.made += 1;
        self.ram.write(RAM + 0x1002, 2, self.made);
        let (_, bar, offset) = self.capability(2);
        assert_eq!(bar, 4);
        self.set_memory(REGISTERS + offset, 2, 0);
        self.ram.read(RAM + 0x2002, 2) == Some(self.made)
    }
}

#[test]
fn the_bus_has_a_bridge_and_what_was_plugged_in() {
    let mut d = Driver::new();
    let ids: Vec<u64> = (0..32).map(|n| d.get(n << 15, 4)).collect();
    assert_eq!(
        ids[..4],
        [0x0008_1b36, 0x1042_1af4, 0x1044_1af4, 0xffff_ffff]
    );
    assert!(ids[3..].iter().all(|id| *id == 0xffff_ffff));
    assert_eq!(d.get(FIRST + 0x1000, 4), 0xffff_ffff, "one function");
    assert_eq!(d.get(1 << 20, 4), 0xffff_ffff, "one bus");
    assert_eq!(
        (d.get(8, 4), d.get(FIRST + 8, 4)),
        (0x0600_0000, 0x0100_0001)
    );
    assert_eq!(d.get(FIRST + 0x100, 4), 0, "no extended capability");
    let mut absent = Pci::default();
    assert_eq!(absent.read(0, 4, CTX), Some(0xffff_ffff));
    assert!(absent.virtio().is_none());
}

#[test]
fn bars_have_sizes_and_places() {
    let mut d = Driver::new();
    for (at, size) in [
        (0x10, 0),
        (0x14, 0xffff_f000),
        (0x18, 0),
        (0x1c, 0),
        (0x20, 0xffff_c00c),
        (0x24, 0xffff_ffff),
    ] {
        d.set(FIRST + at, 4, 0xffff_ffff);
        assert_eq!(d.get(FIRST + at, 4), size, "{at:#x}");
    }
    d.enable();
    assert_eq!(d.memory(REGISTERS + 0x12, 2), 1, "queues");
    assert_eq!(d.memory(REGISTERS + 0x2000, 8), 2048, "sectors");
    d.set(FIRST + 4, 2, 4);
    assert_eq!(d.memory(REGISTERS + 0x12, 2), 0xffff, "nothing is decoded");
    d.set(FIRST + 4, 2, 6);
    d.set(FIRST + 0x20, 4, 0x2000_0000);
    d.set(FIRST + 0x24, 4, 0);
    assert_eq!(d.memory(0x2000_2000, 8), 2048);
    assert_eq!(d.memory(REGISTERS + 0x2000, 4), 0xffff_ffff);
}

#[test]
fn the_line_is_high_until_the_reason_is_read() {
    let mut d = Driver::new();
    d.enable();
    d.begin((0xffff, 0xffff));
    let lines = |d: &Driver| {
        let mut all = Vec::new();
        d.pci.irqs(&mut |_, level| all.push(level));
        all
    };
    assert!(d.read_sector());
    assert_eq!(d.ram.read(RAM + 0x9000, 1), Some(0x5a));
    assert_eq!(lines(&d), [false, true, false, false], "device 1, pin A");
    assert_eq!(d.get(FIRST + 4, 4) >> 16 & 8, 8, "Interrupt Status");
    d.set(FIRST + 4, 2, 0x406);
    assert_eq!(lines(&d), [false; 4], "Interrupt Disable");
    d.set(FIRST + 4, 2, 6);
    let isr = WINDOW | (REGISTERS + 0x1000);
    assert!(matches!(
        d.pci.peek(isr, 1, CTX),
        Err(Unseen::Effect("ISR", _))
    ));
    assert_eq!(d.get(isr, 1), 1);
    assert_eq!((d.get(isr, 1), lines(&d)), (0, vec![false; 4]));
    assert!(d.sent.is_empty());
}

#[test]
fn messages_are_sent_or_wait_for_their_vector() {
    let mut d = Driver::new();
    d.enable();
    let control = FIRST + 0x42;
    assert_eq!(d.get(control, 2), 1, "two vectors");
    d.set(control, 2, 0xc000);
    for (n, data) in [(0, 0x10), (1, 0x11)] {
        d.set_memory(TABLE + 16 * n, 8, DOORBELL);
        d.set_memory(TABLE + 16 * n + 8, 4, data);
        d.set_memory(TABLE + 16 * n + 12, 4, 0);
    }
    d.begin((0, 1));
    let message = Message {
        device: 1 << 3,
        address: DOORBELL,
        data: 0x11,
    };
    assert!(d.read_sector());
    assert_eq!(
        (d.sent.len(), d.memory(TABLE + 0x800, 8)),
        (0, 2),
        "all are masked"
    );
    d.set(control, 2, 0x8000);
    assert_eq!(std::mem::take(&mut d.sent), [message]);
    assert_eq!(d.memory(TABLE + 0x800, 8), 0);
    assert!(d.read_sector());
    assert_eq!(std::mem::take(&mut d.sent), [message]);
    d.set_memory(TABLE + 16 + 12, 4, 1);
    assert!(d.read_sector());
    assert_eq!(
        (d.sent.len(), d.memory(TABLE + 0x800, 8)),
        (0, 2),
        "one is masked"
    );
    d.set_memory(TABLE + 16 + 12, 4, 0);
    assert_eq!(std::mem::take(&mut d.sent), [message]);
    // A chain that breaks the rules is told of by the configuration's vector.
    d.ram.write(RAM + 8, 8, 0);
    d.ram.write(RAM + 0x1002, 2, 20_000);
    d.set_memory(REGISTERS + 0x3000, 2, 0);
    assert_eq!(d.sent.iter().map(|m| m.data).collect::<Vec<_>>(), [0x10]);
    // A reset takes the vectors away.
    d.set_memory(REGISTERS + 0x14, 1, 0);
    assert_eq!(d.memory(REGISTERS + 0x10, 2), 0xffff);
}

#[test]
fn without_leave_to_do_dma_nothing_is_done() {
    let mut d = Driver::new();
    d.enable();
    d.begin((0xffff, 0xffff));
    d.set(FIRST + 4, 2, 2);
    assert!(!d.read_sector());
    d.set(FIRST + 4, 2, 6);
    d.made -= 1;
    assert!(d.read_sector());
}

#[test]
fn registers_are_reached_by_configuration_space_too() {
    let mut d = Driver::new();
    let (at, ..) = d.capability(5);
    d.set(FIRST + at + 4, 1, 4);
    d.set(FIRST + at + 8, 4, 0x2000);
    d.set(FIRST + at + 12, 4, 4);
    assert_eq!(d.get(FIRST + at + 16, 4), 2048);
    d.set(FIRST + at + 8, 4, 0x14);
    d.set(FIRST + at + 12, 4, 1);
    d.set(FIRST + at + 16, 4, 3);
    assert_eq!(d.get(FIRST + at + 16, 4), 3);
}

#[test]
fn what_is_saved_is_all_and_of_these_devices() {
    let mut d = Driver::new();
    d.enable();
    d.begin((0, 1));
    assert!(d.read_sector());
    let mut saved = Vec::new();
    d.pci.save(&mut saved);
    let mut other = Driver::new();
    other.pci.load(&mut &saved[..]).expect("the same devices");
    let mut again = Vec::new();
    other.pci.save(&mut again);
    assert_eq!(saved, again);
    assert_eq!(other.memory(REGISTERS + 0x14, 1), 0xf);
    let mut less = Pci {
        present: true,
        ..Pci::default()
    };
    assert!(less.load(&mut &saved[..]).is_err());
    assert!(Driver::new()
        .pci
        .load(&mut &saved[..saved.len() - 1])
        .is_err());
}

#[test]
fn any_access_is_survived_and_looking_changes_nothing() {
    let mut next = random(1);
    for round in 0..50 {
        let mut d = Driver::new();
        d.enable();
        if round % 2 == 0 {
            d.begin((0, 1));
            d.set(FIRST + 0x42, 2, 0x8000);
        }
        for _ in 0..2000 {
            let size = 1u8 << next(4);
            let at = match next(4) {
                0 => FIRST * next(4) + next(0x100),
                1 => WINDOW | (TABLE + next(0x1000)),
                _ => WINDOW | (REGISTERS + next(4) * 0x1000 + next(0x40)),
            } & !(size as u64 - 1);
            // BARs stay where they are found again.
            let moved = at < WINDOW && matches!(at & 0xfff, 0x04..0x08 | 0x10..0x28);
            let seen = d.pci.peek(at, size, CTX);
            match next(3) {
                0 if !moved => d.set(at, size, next(1 << 32) * next(3)),
                1 => {
                    d.ram.write(RAM + next(0x3000) & !1, 2, next(1 << 16));
                }
                _ => {
                    let read = d.get(at, size);
                    let by_space = at < WINDOW && at & 0xff == 0xa8;
                    assert!(
                        seen.is_err() || by_space || seen == Ok(read),
                        "{at:#x} {size}"
                    );
                }
            }
            d.pci.event(0);
            d.serve();
            d.sent.clear();
        }
        let mut saved = Vec::new();
        d.pci.save(&mut saved);
        Driver::new().pci.load(&mut &saved[..]).expect("as it was");
    }
}
