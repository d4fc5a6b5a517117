//! Translation tables: where they are, how an address is cut into indexes, what a descriptor is (Arm ARM D8.2, D8.3).

use crate::bits::{bits, ones};
use crate::mmu::kind::{Granule, RegimeKind};
use borsh::{BorshDeserialize, BorshSerialize};

/// Where descriptors are: physical memory.
pub trait Tables {
    /// Read a descriptor; None is a synchronous external abort.
    fn read(&mut self, pa: u64) -> Option<u64>;
    /// Hardware update of the access flag or dirty state. A debugger's view does nothing here.
    fn update(&mut self, pa: u64, desc: u64);
    /// A cached end of the stage 2 walk for `ipa`, which is that of a stage 1 table or not.
    #[inline(always)]
    fn known(&self, _vmid: u16, _ipa: u64, _table: bool) -> Option<Leaf> {
        None
    }
    /// A cached table of the last level of stage 1.
    #[inline(always)]
    fn last_table(&self, _key: &TableKey) -> Option<LastTable> {
        None
    }
    /// A table of the last level of stage 1, to be cached.
    #[inline(always)]
    fn learn_table(&mut self, _key: &TableKey, _table: &LastTable) {}
    /// The end of the stage 2 walk for `ipa`, to be cached.
    #[inline(always)]
    fn learn(&mut self, _vmid: u16, _ipa: u64, _table: bool, _leaf: &Leaf) {}
}

/// What a table of the last level of stage 1 belongs to, and how it was reached.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableKey {
    /// Address of the first table.
    pub root: u64,
    /// The first address that the last table resolves (bits 55:0).
    pub first: u64,
    /// log2 of the bytes that it resolves.
    pub size: u8,
    /// Regime.
    pub kind: RegimeKind,
    /// VMID, 0 where stage 2 does not apply.
    pub vmid: u16,
    /// ASID: no table is global (D8.13.2).
    pub asid: u16,
    /// Granule, input and output size, HPD, DS, stage 2 on.
    pub shape: u32,
}

/// A table of the last level.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default)]
pub struct LastTable {
    /// Its address in the output space of stage 1.
    pub address: u64,
    /// Its physical address.
    pub pa: u64,
    /// The limits from the tables above it.
    pub tables: Hierarchy,
}

/// What a descriptor turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Bit 0 is clear, or the type is reserved at this level.
    Invalid,
    /// The address of the next table.
    Table,
    /// The end of the walk above the last level.
    Block,
    /// The end of the walk at the last level.
    Page,
}

/// The tables of one stage, and the address to find in them.
pub(super) struct Shape {
    pub(super) base: u64,
    /// Bits 51:48 of the first table's address are in `base`\[5:2\].
    pub(super) wide: bool,
    pub(super) ia: u64,
    pub(super) ia_bits: u32,
    pub(super) granule: Granule,
    pub(super) start: i8,
    pub(super) oa_bits: u8,
    /// Descriptors hold bits 51:50 in 9:8 (FEAT_LPA2).
    pub(super) ds: bool,
    /// 64 KiB descriptors hold bits 51:48 in 15:12 (FEAT_LPA).
    pub(super) lpa: bool,
    /// Table descriptors do not limit the levels below.
    pub(super) hpd: bool,
}

/// The end of a walk.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug)]
pub struct Leaf {
    /// The block or page descriptor.
    pub desc: u64,
    /// Its address.
    pub at: u64,
    /// Its level.
    pub level: i8,
    /// The output address.
    pub oa: u64,
    /// log2 of the bytes that it maps.
    pub block: u8,
    /// The Contiguous bit counts.
    pub contiguous: bool,
    /// The limits from the table descriptors above it.
    pub tables: Hierarchy,
}

/// How many times, as log2, a leaf of `1 << block` bytes is there in a row if its Contiguous bit is set; 0 where that bit is RES0
/// (`ContiguousSize`, `AArch64.ContiguousBit`). The size tells the granule.
pub const fn contiguous_bits(block: u8) -> u8 {
    match block {
        12 | 21 | 30 => 4, // 4 KiB, levels 3 to 1
        14 => 7,           // 16 KiB
        25 | 16 | 29 => 5, // 16 KiB level 2, 64 KiB
        _ => 0,
    }
}

impl Leaf {
    /// No leaf.
    pub const NONE: Leaf = Leaf {
        desc: 0,
        at: 0,
        level: 0,
        oa: 0,
        block: 0,
        contiguous: false,
        tables: Hierarchy {
            read_only: false,
            no_user: false,
            uxn: false,
            pxn: false,
        },
    };
}

/// Limits that table descriptors set for the levels below (APTable, UXNTable, PXNTable).
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, Default)]
pub struct Hierarchy {
    /// APTable\[1\].
    pub read_only: bool,
    /// APTable\[0\].
    pub no_user: bool,
    /// UXNTable or XNTable.
    pub uxn: bool,
    /// PXNTable.
    pub pxn: bool,
}

impl Shape {
    /// log2 of the bytes that one descriptor of `level` covers.
    pub(super) fn shift(&self, level: i8) -> u32 {
        let g = self.granule.bits();
        g + (3 - level) as u32 * (g - 3)
    }
    /// Address of the descriptor of `level` in the table at `table`.
    pub(super) fn entry(&self, table: u64, level: i8) -> u64 {
        let top = if level == self.start {
            self.ia_bits
        } else {
            self.shift(level - 1)
        };
        table | (self.ia & ones(top)) >> self.shift(level) << 3
    }
    /// `base` aligned to the size of the first table (or the concatenated ones).
    pub(super) fn first_table(&self) -> u64 {
        let lsb = self.ia_bits - self.shift(self.start) + 3;
        let base = bits(self.base, 47, 1) << 1;
        // The table is aligned to at least 64 bytes then.
        let (base, lsb) = if self.wide {
            (base & !0x3f | bits(self.base, 5, 2) << 48, lsb.max(6))
        } else {
            (base, lsb)
        };
        base & !ones(lsb)
    }
    /// The address in a descriptor, of a table or a leaf of `1 << lsb` bytes (`AArch64.NextTableBase`, `AArch64.LeafBase`).
    pub(super) fn output(&self, desc: u64, lsb: u32) -> u64 {
        if self.ds {
            bits(desc, 49, lsb) << lsb | bits(desc, 9, 8) << 50
        } else if self.lpa {
            bits(desc, 47, lsb) << lsb | bits(desc, 15, 12) << 48
        } else {
            bits(desc, 47, lsb) << lsb
        }
    }
    pub(super) fn too_large(&self, address: u64) -> bool {
        address & !ones(self.oa_bits as u32) != 0
    }
    /// `DecodeDescriptorType`.
    pub(super) fn found(&self, desc: u64, level: i8) -> Found {
        let block = match self.granule {
            Granule::K4 => level == 2 || level == 1 || level == 0 && self.ds,
            Granule::K16 => level == 2 || level == 1 && self.ds,
            Granule::K64 => level == 2 || level == 1 && self.lpa,
        };
        match (desc & 3, level) {
            (3, 3) => Found::Page,
            (3, _) => Found::Table,
            (1, _) if block => Found::Block,
            _ => Found::Invalid,
        }
    }
}
