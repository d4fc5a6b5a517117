//! One interrupt's state, and the registers that hold one field for each interrupt.
//!
//! GICD_ISENABLER, GICR_IPRIORITYR and their kin are arrays of fields of 1, 2, 8 or 64 bits, one for each INTID. Each is one row of
//! [`BANKS`]; one routine serves them all, in the Distributor's frame and in a Redistributor's SGI frame, where they have
//! the same offsets (GIC architecture, IHI 0069, 12.8 and 12.10).

use crate::bits::{insert, ones};
use borsh::{BorshDeserialize, BorshSerialize};

/// Priority bits that are implemented: 5, so 32 levels (ICC_CTLR_EL1.PRIbits = 4).
pub const PRIORITY: u8 = 0xf8;

/// State of one interrupt.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Irq {
    /// Forwarded to CPUs.
    pub enabled: bool,
    /// Made pending by an edge, an SGI or a write to ISPENDR, until acknowledged or cleared.
    pub latch: bool,
    /// Level of the input line.
    pub line: bool,
    /// Acknowledged and not yet deactivated.
    pub active: bool,
    /// Edge-triggered, else level-sensitive.
    pub edge: bool,
    /// Group 1 (signalled as IRQ), else group 0 (FIQ).
    pub group1: bool,
    /// 0 is the highest.
    pub priority: u8,
    /// GICD_IROUTER: affinity of the target.
    pub route: u64,
}

impl Irq {
    /// Pending, or active and pending.
    pub fn pending(&self) -> bool {
        self.latch || (self.line && !self.edge)
    }
    /// Drive the input line; returns whether a pending state may have changed.
    pub fn set_line(&mut self, level: bool) -> bool {
        let changed = self.line != level;
        self.latch |= changed && level && self.edge;
        self.line = level;
        changed
    }
    /// Pending becomes active (a level-sensitive line that stays high: active and pending).
    pub fn acknowledge(&mut self) {
        self.active = true;
        self.latch = false;
    }
}

/// An array of fields, one for each interrupt.
pub struct Bank {
    /// Register name without its GICD_ or GICR_.
    pub name: &'static str,
    /// Offset in the frame.
    pub base: u64,
    /// Bits of one field.
    pub width: u64,
    read: fn(&Irq) -> u64,
    write: fn(&mut Irq, u64),
}

const fn bank(
    name: &'static str,
    base: u64,
    width: u64,
    read: fn(&Irq) -> u64,
    write: fn(&mut Irq, u64),
) -> Bank {
    Bank {
        name,
        base,
        width,
        read,
        write,
    }
}

/// IROUTER: Aff3, IRM, and Aff2.Aff1.Aff0.
const ROUTE: u64 = 0xff_80ff_ffff;
/// IROUTER.IRM: any one PE takes the interrupt (1 of N).
pub const ANY: u64 = 1 << 31;

/// All of them.
#[rustfmt::skip]
pub const BANKS: [Bank; 10] = [
    bank("IGROUPR",    0x0080, 1,  |i| i.group1 as u64,      |i, v| i.group1 = v != 0),
    bank("ISENABLER",  0x0100, 1,  |i| i.enabled as u64,     |i, v| i.enabled |= v != 0),
    bank("ICENABLER",  0x0180, 1,  |i| i.enabled as u64,     |i, v| i.enabled &= v == 0),
    bank("ISPENDR",    0x0200, 1,  |i| i.pending() as u64,   |i, v| i.latch |= v != 0),
    bank("ICPENDR",    0x0280, 1,  |i| i.pending() as u64,   |i, v| i.latch &= v == 0),
    bank("ISACTIVER",  0x0300, 1,  |i| i.active as u64,      |i, v| i.active |= v != 0),
    bank("ICACTIVER",  0x0380, 1,  |i| i.active as u64,      |i, v| i.active &= v == 0),
    bank("IPRIORITYR", 0x0400, 8,  |i| i.priority as u64,    |i, v| i.priority = v as u8 & PRIORITY),
    bank("ICFGR",      0x0c00, 2,  |i| (i.edge as u64) << 1, |i, v| i.edge = v & 2 != 0),
    bank("IROUTER",    0x6000, 64, |i| i.route,              |i, v| i.route = v & ROUTE),
];

/// The bank at `offset`, the INTID of its first field touched, and the bit of that field that `offset` stands for.
fn find(offset: u64) -> Option<(&'static Bank, usize, u64)> {
    // 1020 INTIDs, rounded up to whole words.
    let b = BANKS
        .iter()
        .find(|b| offset >= b.base && offset - b.base < 128 * b.width)?;
    let bit = (offset - b.base) * 8;
    Some((b, (bit / b.width) as usize, bit % b.width))
}

/// Read `size` bytes at `offset` of a frame whose interrupts are `irqs`, the first with INTID `first`. None: no bank there.
/// Fields of interrupts that do not exist read as zero.
pub fn read(offset: u64, size: u8, irqs: &[Irq], first: usize) -> Option<u64> {
    let (bank, intid, bit) = find(offset)?;
    let bits = size as u64 * 8;
    let get = |n: usize| {
        n.checked_sub(first)
            .and_then(|at| irqs.get(at))
            .map_or(0, bank.read)
    };
    if bank.width > bits {
        return Some(get(intid) >> bit & ones(bits as u32));
    }
    Some((0..bits / bank.width).fold(0, |v, k| v | get(intid + k as usize) << (k * bank.width)))
}

/// Write `size` bytes at `offset`, as [`read`]. Bits of a field outside the access keep their value.
pub fn write(offset: u64, size: u8, value: u64, irqs: &mut [Irq], first: usize) -> Option<()> {
    let (bank, intid, bit) = find(offset)?;
    let bits = size as u64 * 8;
    let mut put = |n: usize, f: &dyn Fn(&Irq) -> u64| {
        if let Some(i) = n.checked_sub(first).and_then(|at| irqs.get_mut(at)) {
            let v = f(i);
            (bank.write)(i, v);
        }
    };
    if bank.width > bits {
        put(intid, &|i| {
            insert((bank.read)(i), (bit + bits - 1) as u32, bit as u32, value)
        });
    } else {
        for k in 0..bits / bank.width {
            put(intid + k as usize, &|_| {
                value >> (k * bank.width) & ones(bank.width as u32)
            });
        }
    }
    Some(())
}
