//! Source of expectations: IHI 0069 (GICv3), sections cited at each test.

use super::command::Fault;
use super::*;
use crate::dev::gic::tests::{gic, rd, wr};
use crate::dev::gic::View;
use crate::mem::ram::Ram;
use crate::reg::names::*;

const BASE: u64 = 0x4000_0000;
const QUEUE: u64 = BASE;
const DEVICES: u64 = BASE + 0x1_0000;
const COLLECTIONS_AT: u64 = BASE + 0x2_0000;
const CONFIG: u64 = BASE + 0x3_0000;
const PENDING: u64 = BASE + 0x4_0000;
const ITT: u64 = BASE + 0x8_0000;
const VALID: u64 = 1 << 63;

/// Two CPUs with LPIs on, an ITS with tables, device 7 with 4 bits of events, collections 0 and 1 at CPUs 0 and 1, LPIs of priority 0xa0.
struct Bench {
    g: Gic,
    ram: Ram,
    at: u64,
}

impl Bench {
    fn bare() -> Bench {
        let mut b = Bench {
            g: gic(),
            ram: Ram::new(BASE, 1 << 20),
            at: 0,
        };
        for n in 0..64 {
            b.ram.write(CONFIG + n, 1, 0xa1);
        }
        for cpu in 0..2u64 {
            b.gicr(cpu, 0x70, CONFIG | 15);
            b.gicr(cpu, 0x78, PENDING + 0x1_0000 * cpu);
            b.gicr(cpu, 0, 1);
        }
        b
    }
    fn new() -> Bench {
        let mut b = Bench::bare();
        b.gits(BASER0, VALID | DEVICES);
        b.gits(BASER1, VALID | COLLECTIONS_AT);
        b.gits(CBASER, VALID | QUEUE);
        b.gits(CTLR, 1);
        b.mapd(7, ITT, 4);
        b.mapc(0, 0);
        b.mapc(1, 1);
        b
    }
    fn gits(&mut self, at: u64, v: u64) {
        let size = if at == CTLR || at == TRANSLATER { 4 } else { 8 };
        self.g.its_write(at, size, v);
        self.g.service(&mut self.ram);
    }
    fn gicr(&mut self, cpu: u64, at: u64, v: u64) {
        let size = if at == 0 { 4 } else { 8 };
        self.g.redist_write(cpu * 0x2_0000 + at, size, v);
        self.g.service(&mut self.ram);
    }
    /// One command; what was wrong with it.
    fn command(&mut self, words: [u64; 4]) -> Option<Fault> {
        for (n, w) in words.into_iter().enumerate() {
            self.ram.write(QUEUE + self.at + n as u64 * 8, 8, w);
        }
        let errors = self.g.state.its.errors;
        self.at = (self.at + 32) % 0x1000;
        self.gits(CWRITER, self.at);
        assert_eq!(self.g.its_read(CREADR, 8), self.at);
        let e = self.g.state.its.last_error.map(|e| e.fault);
        e.filter(|_| self.g.state.its.errors != errors)
    }
    fn mapd(&mut self, id: u64, itt: u64, bits: u64) -> Option<Fault> {
        self.command([8 | id << 32, bits - 1, itt | VALID, 0])
    }
    fn mapc(&mut self, icid: u64, cpu: u64) -> Option<Fault> {
        self.command([9, 0, icid | cpu << 16 | VALID, 0])
    }
    fn mapti(&mut self, id: u64, event: u64, intid: u64, icid: u64) -> Option<Fault> {
        self.command([10 | id << 32, event | intid << 32, icid, 0])
    }
    /// INT (3), CLEAR (4), INV (12), DISCARD (15).
    fn event(&mut self, code: u64, id: u64, event: u64) -> Option<Fault> {
        self.command([code | id << 32, event, 0, 0])
    }
    fn taken(&mut self, cpu: usize) -> u64 {
        let id = self.g.sysreg_read(cpu, ICC_IAR1_EL1, View::PHYSICAL);
        if !(1020..8192).contains(&id) {
            self.g.sysreg_write(cpu, ICC_EOIR1_EL1, id, View::PHYSICAL);
        }
        id
    }
}

/// 12.18: what software sizes its tables by.
#[test]
fn registers_tell_what_there_is() {
    let mut b = Bench::bare();
    let typer = b.g.its_read(TYPER_AT, 8);
    assert_eq!(typer & 1, 1, "Physical");
    assert_eq!(
        (typer >> 4 & 15, typer >> 8 & 31, typer >> 13 & 31),
        (7, 15, 15)
    );
    assert_eq!(
        (typer >> 19 & 1, typer >> 24 & 255, typer >> 32 & 31),
        (0, 0, 31),
        "PTA, HCC; CIL and 16 bits"
    );
    assert_eq!(b.g.its_read(CTLR, 4), 1 << 31, "Quiescent");
    assert_eq!(b.g.its_read(0xffe8, 4) >> 4 & 15, 3, "PIDR2.ArchRev");
    for n in 0..8 {
        b.gits(BASER0 + 8 * n, u64::MAX);
        let v = b.g.its_read(BASER0 + 8 * n, 8);
        let kind = [1, 4, 0, 0, 0, 0, 0, 0][n as usize];
        assert_eq!(v >> 56 & 7, kind, "Type of GITS_BASER{n}");
        assert_eq!(v >> 48 & 31, if kind == 0 { 0 } else { 7 }, "Entry_Size");
        assert_eq!(
            v >> 8 & 3,
            if kind == 0 { 0 } else { 2 },
            "Page_Size 0b11 is reserved"
        );
    }
    b.g.its_write(CBASER, 4, 0x4000_0000);
    b.g.its_write(CBASER + 4, 4, 0x8000_0000);
    assert_eq!(
        b.g.its_read(CBASER, 8),
        VALID | 0x4000_0000,
        "32-bit halves"
    );
    assert_eq!(b.g.its_read(CBASER + 4, 4), 0x8000_0000);
    assert_eq!(b.g.its_read(TRANSLATER, 4), 0);
    assert_eq!(rd(&mut b.g, ICC_IAR1_EL1), 1023);
    assert_eq!(b.g.dist_read(4, 4) >> 17 & 1, 1, "GICD_TYPER.LPIS");
    assert_eq!(
        b.g.redist_read(8, 8).expect("GICR_TYPER") & 9,
        1,
        "PLPIS, not DirectLPI"
    );
}

/// 5.2.10, 5.3.5 (INT), 5.1: an LPI is never active.
#[test]
fn an_event_becomes_an_lpi_at_its_cpu() {
    let mut b = Bench::new();
    assert_eq!(b.mapti(7, 3, 8195, 1), None);
    assert_eq!(b.event(3, 7, 3), None);
    assert_eq!(b.g.acknowledge_peek(1), Some(8195));
    assert!(b.g.lines(1).irq && !b.g.lines(0).irq);
    let g = &mut b.g;
    assert_eq!(g.sysreg_read(1, ICC_IAR1_EL1, View::PHYSICAL), 8195);
    assert_eq!(g.sysreg_read(1, ICC_RPR_EL1, View::PHYSICAL), 0xa0);
    b.event(3, 7, 3);
    assert!(!b.g.lines(1).irq, "its priority is still active");
    b.g.sysreg_write(1, ICC_EOIR1_EL1, 8195, View::PHYSICAL);
    assert_eq!(b.taken(1), 8195, "pending again meanwhile");
    assert_eq!(b.taken(1), 1023);
    b.gits(TRANSLATER, 3);
    assert_eq!(b.taken(1), 1023, "a PE's message is device 0's");
    b.mapd(0, ITT + 0x100, 4);
    b.mapti(0, 3, 8196, 0);
    b.gits(TRANSLATER, 3);
    assert_eq!(b.taken(0), 8196);
    b.gits(CTLR, 0);
    b.gits(TRANSLATER, 3);
    assert_eq!(b.taken(0), 1023, "disabled");
}

/// 5.1.2: the configuration is read when it is needed, and kept until INV or INVALL.
#[test]
fn configuration_is_kept_until_invalidated() {
    let mut b = Bench::new();
    b.mapti(7, 1, 8193, 0);
    b.ram.write(CONFIG + 1, 1, 0xa0);
    b.event(12, 7, 1);
    b.event(3, 7, 1);
    assert_eq!(b.taken(0), 1023, "disabled");
    b.ram.write(CONFIG + 1, 1, 0x51);
    b.event(3, 7, 1);
    assert_eq!(b.taken(0), 1023, "not told of the change");
    b.command([13, 0, 0, 0]);
    assert_eq!(b.g.best(0).expect("pending").priority, 0x50);
    assert_eq!(b.taken(0), 8193, "it stayed pending");
    b.ram.write(CONFIG + 1, 1, 0xa0);
    b.gicr(0, 0xa0, 8193);
    b.event(3, 7, 1);
    assert_eq!(b.taken(0), 1023);
    b.ram.write(CONFIG + 1, 1, 0xa1);
    b.gicr(0, 0xb0, 0);
    assert_eq!(b.g.redist_read(0xc0, 4), Some(0), "GICR_SYNCR: not busy");
    assert_eq!(b.taken(0), 8193, "GICR_INVALLR");
}

#[test]
fn priorities_and_preemption() {
    let mut b = Bench::new();
    for n in 0..3 {
        b.mapti(7, n, 8192 + n, 0);
    }
    b.ram.write(CONFIG, 1, 0xc1);
    b.ram.write(CONFIG + 2, 1, 0x41);
    wr(&mut b.g, ICC_PMR_EL1, 0xb0);
    b.event(3, 7, 0);
    assert_eq!(b.taken(0), 1023, "masked");
    assert_eq!(rd(&mut b.g, ICC_HPPIR1_EL1), 8192);
    b.event(3, 7, 1);
    assert_eq!(rd(&mut b.g, ICC_IAR1_EL1), 8193);
    b.event(3, 7, 2);
    assert_eq!(rd(&mut b.g, ICC_IAR1_EL1), 8194, "preempts");
    assert_eq!(rd(&mut b.g, ICC_RPR_EL1), 0x40);
    wr(&mut b.g, ICC_EOIR1_EL1, 8194);
    wr(&mut b.g, ICC_EOIR1_EL1, 8193);
    assert_eq!(rd(&mut b.g, ICC_RPR_EL1), 0xff);
    b.g.dist_write(0, 4, 1);
    wr(&mut b.g, ICC_PMR_EL1, 0xff);
    assert_eq!(b.taken(0), 1023, "GICD_CTLR.EnableGrp1");
    b.g.dist_write(0, 4, 2);
    assert_eq!(b.taken(0), 8192);
}

/// 5.3: MOVI, MOVALL, CLEAR, DISCARD, MAPI.
#[test]
fn pending_lpis_move_and_go() {
    let mut b = Bench::new();
    b.mapti(7, 1, 8193, 0);
    b.mapti(7, 2, 8194, 0);
    b.event(3, 7, 1);
    b.event(3, 7, 2);
    assert_eq!(b.command([1 | 7 << 32, 1, 1, 0]), None, "MOVI");
    assert_eq!(b.taken(1), 8193);
    assert_eq!(b.command([14, 0, 0, 1 << 16]), None, "MOVALL 0 to 1");
    assert_eq!((b.taken(0), b.taken(1)), (1023, 8194));
    b.event(3, 7, 2);
    assert_eq!(b.event(4, 7, 2), None, "CLEAR");
    assert_eq!(b.taken(0), 1023);
    b.event(3, 7, 2);
    assert_eq!(b.event(15, 7, 2), None, "DISCARD");
    assert_eq!(b.taken(0), 1023);
    assert_eq!(b.event(3, 7, 2), Some(Fault::Event));
    b.mapd(8, ITT + 0x200, 14);
    assert_eq!(b.command([11 | 8 << 32, 8200, 1, 0]), None, "MAPI");
    b.event(3, 8, 8200);
    assert_eq!(b.taken(1), 8200);
}

/// 5.3.2: errors are ignored, and the queue goes on.
#[test]
fn errors() {
    let mut b = Bench::new();
    assert_eq!(b.event(3, 9, 0), Some(Fault::Device));
    assert_eq!(b.event(3, 0x1_0000, 0), Some(Fault::DeviceRange));
    assert_eq!(
        b.event(3, 512, 0),
        Some(Fault::DeviceRange),
        "a table of 4 KiB"
    );
    assert_eq!(b.event(3, 7, 16), Some(Fault::EventRange));
    assert_eq!(b.event(3, 7, 15), Some(Fault::Event));
    assert_eq!(b.mapti(7, 0, 8191, 0), Some(Fault::IntidRange));
    assert_eq!(b.mapti(7, 0, 65536, 0), Some(Fault::IntidRange));
    assert_eq!(b.mapti(7, 0, 65535, 512), Some(Fault::CollectionRange));
    assert_eq!(b.mapti(7, 0, 65535, 5), None, "not mapped yet");
    assert_eq!(b.event(3, 7, 0), Some(Fault::Collection));
    assert_eq!(b.mapd(7, ITT, 17), Some(Fault::SizeRange));
    assert_eq!(b.mapc(2, 2), Some(Fault::Processor));
    assert_eq!(b.command([0x29, 0, 0, 0]), Some(Fault::Unknown), "VMAPP");
    assert_eq!(b.command([5, 0, 0, 0]), None, "SYNC");
    assert_eq!(b.mapd(7, 0, 1), None);
    assert_eq!(b.command([8 | 7 << 32, 0, 0, 0]), None, "MAPD, not valid");
    assert_eq!(b.event(3, 7, 0), Some(Fault::Device));
    assert_eq!(b.command([9, 0, 1, 0]), None, "MAPC, not valid");
    assert_eq!(b.command([13, 0, 1, 0]), Some(Fault::Collection));
    // A queue outside memory stalls at its first command, and goes on when it is told to retry.
    b.gits(CTLR, 0);
    b.gits(CBASER, VALID | 0x1000_0000);
    b.gits(CTLR, 1);
    b.gits(CWRITER, 32);
    assert_eq!(b.g.its_read(CREADR, 8), 1);
    b.gits(CWRITER, 33);
    assert_eq!(b.g.its_read(CREADR, 8), 1);
    b.gits(CWRITER, 0x1000);
    assert_eq!(b.g.its_read(CWRITER, 8), 32, "beyond the queue");
}

/// 5.2.1: two levels, and pages of each size.
#[test]
fn indirect_tables() {
    for page in 0..3u64 {
        let bytes = 0x1000u64 << (2 * page);
        let mut b = Bench::bare();
        b.gits(BASER0, VALID | 1 << 62 | DEVICES | page << 8);
        b.gits(BASER1, VALID | COLLECTIONS_AT);
        b.gits(CBASER, VALID | QUEUE);
        b.gits(CTLR, 1);
        b.mapc(0, 0);
        let id = bytes / 8 + 1;
        assert_eq!(
            b.mapd(id, ITT, 4),
            Some(Fault::DeviceRange),
            "no second level"
        );
        b.ram.write(DEVICES + 8, 8, VALID | (ITT + 0x1_0000));
        assert_eq!(b.mapd(id, ITT, 4), None);
        assert_ne!(b.ram.read(ITT + 0x1_0008, 8), Some(0));
        b.mapti(id, 0, 8192, 0);
        b.event(3, id, 0);
        assert_eq!(b.taken(0), 8192);
    }
}

/// 12.11.33 GICR_PENDBASER: the table is read when LPIs are enabled, and memory's again when they no longer are.
#[test]
fn the_pending_table() {
    let mut b = Bench::new();
    b.mapti(7, 1, 8193, 0);
    b.event(3, 7, 1);
    b.gicr(0, 0x78, 0);
    assert_eq!(b.g.redist_read(0x78, 8), Some(PENDING), "not while enabled");
    b.gicr(0, 0, 0);
    assert!(!b.g.lines(0).irq);
    assert_eq!(b.ram.read(PENDING + 8192 / 8, 8), Some(2));
    b.event(3, 7, 1);
    b.gicr(0, 0, 1);
    assert_eq!(b.taken(0), 8193, "from memory");
    b.event(3, 7, 1);
    b.gicr(0, 0, 0);
    b.gicr(0, 0x78, PENDING | 1 << 62);
    assert_eq!(b.g.redist_read(0x78, 8), Some(PENDING), "PTZ reads as zero");
    b.gicr(0, 0, 1);
    assert_eq!(b.taken(0), 1023, "PTZ");
    b.gicr(0, 0, 0);
    b.gicr(0, 0x70, CONFIG | 12);
    b.gicr(0, 0, 1);
    b.event(3, 7, 1);
    assert_eq!(b.taken(0), 1023, "13 bits of INTID are no LPIs");
}

#[test]
fn the_tables_are_shown() {
    let mut b = Bench::new();
    b.mapti(7, 3, 8195, 1);
    let (devices, collections, unread) = b.g.its_tables(&b.ram);
    let event = Event {
        intid: 8195,
        icid: 1,
    };
    let device = Device {
        id: 7,
        itt: ITT,
        bits: 4,
    };
    assert_eq!(devices, [(device, vec![(3, event)])]);
    assert_eq!(collections, [(0, 0), (1, 1)]);
    assert_eq!(unread, 0);
}

#[test]
fn of_tables_that_claim_too_much_the_rest_is_told() {
    let mut b = Bench::new();
    b.mapti(7, 3, 8195, 1);
    let huge = Device {
        id: 9,
        itt: ITT,
        bits: 32,
    };
    let its = b.g.state().its.clone();
    its.set_device(9, Some(huge), &mut b.ram).expect("room");
    let (devices, _, unread) = b.g.its_tables(&b.ram);
    assert_eq!(devices.len(), 2);
    assert_eq!(unread, (1 << 32) + 16 - (1 << 20));
}
