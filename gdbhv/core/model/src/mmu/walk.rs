//! The one walker, for both stages: execution, AT, and `monitor walk` all come here (`AArch64.S1Translate`,
//! `AArch64.S2Translate` and what they call; Arm ARM J1.1.5, D8.2).
//!
//! [`translate`] asks a [`Regime`] what to do, reads descriptors through [`Tables`] and tells an [`Observer`] each step.
//! The observer `()` costs nothing. Nothing is cached here.

use super::combine::{combine, share, MemAttr, DEVICE_NGNRNE, NORMAL_NC, NORMAL_WB, NORMAL_WT};
use super::fault::{Fault, FaultKind, Purpose};
use super::regime::{Granule, Range, Regime, Stage1, Stage2};
use crate::bits::{bit, bits, ones};

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

/// What a table of the last level of stage 1 belongs to: the first table, the addresses, and how they are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TableKey {
    /// Address of the first table.
    pub root: u64,
    /// The input address above what the last table resolves.
    pub block: u64,
    /// VMID, regime, granule, input and output size, HPD, stage 2 on.
    pub shape: u64,
}

/// A table of the last level.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastTable {
    /// Its address in the output space of stage 1.
    pub address: u64,
    /// Its physical address.
    pub pa: u64,
    /// What the tables above it say.
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

/// One descriptor fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// 1 or 2.
    pub stage: u8,
    /// Lookup level, -1 to 3.
    pub level: i8,
    /// A stage 2 step on the way to the stage 1 descriptor of this level; None: for the final address.
    pub for_s1: Option<i8>,
    /// Address of the descriptor in the stage's output space: an IPA if stage 2 is still to come.
    pub address: u64,
    /// Physical address of the descriptor.
    pub pa: u64,
    /// The descriptor.
    pub value: u64,
    /// What it is.
    pub found: Found,
    /// The address in it: next table, or the output address of `va` or the IPA.
    pub output: u64,
}

/// Sees every step of a walk.
pub trait Observer {
    /// One descriptor has been read.
    fn step(&mut self, step: &Step);
}

impl Observer for () {
    #[inline(always)]
    fn step(&mut self, _: &Step) {}
}

impl Observer for Vec<Step> {
    fn step(&mut self, step: &Step) {
        self.push(*step);
    }
}

/// What an access wants of a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What for.
    pub purpose: Purpose,
    /// It writes (for CacheMaintenance: it invalidates; for At: the W form).
    pub write: bool,
    /// With EL0's privileges.
    pub user: bool,
    /// PSTATE.PAN applies.
    pub pan: bool,
    /// Aligned to its size, so that Device memory will do.
    pub aligned: bool,
    /// False: a debugger asks, and permissions, access flag and alignment do not matter.
    pub checked: bool,
}

impl Access {
    /// An aligned, checked access.
    pub const fn new(purpose: Purpose, write: bool, user: bool, pan: bool) -> Access {
        Access {
            purpose,
            write,
            user,
            pan,
            aligned: true,
            checked: true,
        }
    }
}

/// What an access may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Perms {
    /// Read.
    pub r: bool,
    /// Write, without first updating a descriptor's dirty state.
    pub w: bool,
    /// Execute.
    pub x: bool,
}

/// Where an address goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Physical address.
    pub pa: u64,
    /// Intermediate physical address; equal to `pa` without stage 2.
    pub ipa: u64,
    /// Memory type of both stages.
    pub mem: MemAttr,
    /// Memory type of stage 1 alone.
    pub s1_mem: MemAttr,
    /// Permissions of both stages, for the privileges that asked.
    pub perms: Perms,
    /// log2 of the bytes that stage 1 maps in one descriptor; 12 if it is off.
    pub block: u8,
    /// The same for stage 2.
    pub s2_block: u8,
    /// Not tied to an ASID.
    pub global: bool,
}

/// A fault, before it is known what instruction it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stop {
    kind: FaultKind,
    stage2: bool,
    s1ptw: bool,
    ipa: u64,
    write: bool,
}

impl Stop {
    fn s1(kind: FaultKind, write: bool) -> Stop {
        Stop {
            kind,
            stage2: false,
            s1ptw: false,
            ipa: 0,
            write,
        }
    }
    fn fault(self, va: u64, a: &Access) -> Fault {
        Fault {
            kind: self.kind,
            stage2: self.stage2,
            s1ptw: self.s1ptw,
            va,
            ipa: self.ipa,
            purpose: a.purpose,
            write: self.write || matches!(a.purpose, Purpose::CacheMaintenance | Purpose::At),
        }
    }
}

/// Translate `va`, with its tag, in regime `r`.
pub fn translate<M: Tables, O: Observer>(
    r: &Regime,
    m: &mut M,
    o: &mut O,
    va: u64,
    a: Access,
) -> Result<Translation, Fault> {
    let mut w = Walker { r, m, o, a };
    let done = w.stage1(va).and_then(|one| w.finish(one));
    done.map_err(|s| s.fault(va, &a))
}

/// Translate an IPA by stage 2 alone; `va` stands in the fault. `None` if stage 2 is off.
pub fn translate_ipa<M: Tables, O: Observer>(
    r: &Regime,
    m: &mut M,
    o: &mut O,
    ipa: u64,
    a: Access,
) -> Option<Result<Translation, Fault>> {
    let s2 = r.s2.as_ref()?;
    let mut w = Walker { r, m, o, a };
    let normal = MemAttr::new(NORMAL_WB, share::INNER);
    let done = w
        .stage2(s2, ipa, None, a.write, normal)
        .map(|two| Translation {
            pa: two.pa,
            ipa,
            mem: two.mem,
            s1_mem: normal,
            perms: two.perms,
            block: 12,
            s2_block: two.block,
            global: true,
        });
    Some(done.map_err(|s| s.fault(0, &a)))
}

/// The tables of one stage, and the address to find in them.
struct Shape {
    base: u64,
    ia: u64,
    ia_bits: u32,
    granule: Granule,
    start: i8,
    oa_bits: u8,
    /// Descriptors hold bits 51:50 in 9:8 (FEAT_LPA2).
    ds: bool,
    /// 64 KiB descriptors hold bits 51:48 in 15:12 (FEAT_LPA).
    lpa: bool,
    /// Table descriptors do not limit what is below.
    hpd: bool,
}

/// The end of a walk.
#[derive(Clone, Copy, Debug)]
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
    /// What the table descriptors above it say.
    pub tables: Hierarchy,
}

impl Leaf {
    /// No leaf.
    pub const NONE: Leaf = Leaf {
        desc: 0,
        at: 0,
        level: 0,
        oa: 0,
        block: 0,
        tables: Hierarchy {
            read_only: false,
            no_user: false,
            uxn: false,
            pxn: false,
        },
    };
}

/// Limits that table descriptors put on what is below (APTable, UXNTable, PXNTable).
#[derive(Clone, Copy, Debug, Default)]
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

/// What stage 1 says.
struct One {
    ipa: u64,
    mem: MemAttr,
    perms: Perms,
    block: u8,
    global: bool,
    /// Descriptor to update: address, new value.
    update: Option<(u64, u64)>,
    level: i8,
}

/// What stage 2 says.
struct Two {
    pa: u64,
    mem: MemAttr,
    perms: Perms,
    block: u8,
}

impl Shape {
    /// log2 of the bytes that one descriptor of `level` covers.
    fn shift(&self, level: i8) -> u32 {
        let g = self.granule.bits();
        g + (3 - level) as u32 * (g - 3)
    }
    /// Address of the descriptor of `level` in the table at `table`.
    fn entry(&self, table: u64, level: i8) -> u64 {
        let top = if level == self.start {
            self.ia_bits
        } else {
            self.shift(level - 1)
        };
        table | (self.ia & ones(top)) >> self.shift(level) << 3
    }
    /// `base` aligned to the size of the first table (or the concatenated ones).
    fn first_table(&self) -> u64 {
        let lsb = self.ia_bits - self.shift(self.start) + 3;
        let base = bits(self.base, 47, 1) << 1;
        // With 52-bit addresses, bits 51:48 are in 5:2 and the table is aligned to at least 64 bytes.
        let (base, lsb) = if self.oa_bits == 52 {
            (base & !0x3f | bits(self.base, 5, 2) << 48, lsb.max(6))
        } else {
            (base, lsb)
        };
        base & !ones(lsb)
    }
    fn output(&self, desc: u64, lsb: u32) -> u64 {
        if self.ds {
            bits(desc, 49, lsb) << lsb | bits(desc, 9, 8) << 50
        } else if self.lpa {
            bits(desc, 47, lsb) << lsb | bits(desc, 15, 12) << 48
        } else {
            bits(desc, 47, lsb) << lsb
        }
    }
    fn too_large(&self, address: u64) -> bool {
        address & !ones(self.oa_bits as u32) != 0
    }
    /// `DecodeDescriptorType`.
    fn found(&self, desc: u64, level: i8) -> Found {
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

struct Walker<'a, M, O> {
    r: &'a Regime,
    m: &'a mut M,
    o: &'a mut O,
    a: Access,
}

impl<M: Tables, O: Observer> Walker<'_, M, O> {
    /// `AArch64.S1Translate`, but for the update of the descriptor, which waits for stage 2's consent.
    fn stage1(&mut self, va: u64) -> Result<One, Stop> {
        let s1 = &self.r.s1;
        if !s1.on {
            return self.stage1_off(va);
        }
        let a = self.a;
        let fail = |kind| Err(Stop::s1(kind, a.write));
        let range = self.r.range(va);
        let Some(shape) = self.stage1_shape(range, va) else {
            return fail(FaultKind::Translation(0));
        };
        let leaf = self.descend(&shape, 1, None, a.write)?;
        let desc = leaf.desc;
        if !bit(desc, 10) && !s1.ha && a.checked {
            return fail(FaultKind::AccessFlag(leaf.level));
        }
        let mem = MemAttr::new(
            (s1.mair >> (8 * bits(desc, 4, 2))) as u8,
            bits(desc, 9, 8) as u8,
        );
        let (perms, dirty) = s1_perms(s1, &leaf, &a);
        if a.checked {
            if !a.aligned && mem.device() && is_data(a.purpose) {
                return fail(FaultKind::Alignment);
            }
            let writable = Perms {
                w: perms.w || dirty,
                ..perms
            };
            if let Err(write) = permitted(&writable, &a) {
                return Err(Stop::s1(FaultKind::Permission(leaf.level), write));
            }
        }
        let mut new = desc;
        if s1.ha {
            new |= 1 << 10;
        }
        let makes_dirty = dirty && a.write && makes_dirty(a.purpose);
        if makes_dirty {
            new &= !(1 << 7);
        }
        Ok(One {
            ipa: leaf.oa,
            mem,
            perms: Perms {
                w: perms.w || makes_dirty,
                ..perms
            },
            block: leaf.block,
            global: !s1.user || !bit(desc, 11),
            update: (new != desc && a.checked).then_some((leaf.at, new)),
            level: leaf.level,
        })
    }

    /// `AArch64.S1DisabledOutput`.
    fn stage1_off(&self, va: u64) -> Result<One, Stop> {
        let (s1, a) = (&self.r.s1, self.a);
        let fetch = a.purpose == Purpose::Fetch;
        let address = self.r.untag(va, fetch);
        if address & !ones(self.r.features.pa_bits as u32) != 0 {
            return Err(Stop::s1(FaultKind::AddressSize(0), a.write));
        }
        let mem = if s1.dc {
            MemAttr::new(NORMAL_WB, share::NON)
        } else if fetch {
            let attr = if s1.icache { NORMAL_WT } else { NORMAL_NC };
            MemAttr::new(attr, share::OUTER)
        } else {
            MemAttr::new(DEVICE_NGNRNE, share::OUTER)
        };
        if !a.aligned && mem.device() && a.checked && is_data(a.purpose) {
            return Err(Stop::s1(FaultKind::Alignment, a.write));
        }
        Ok(One {
            ipa: address,
            mem,
            perms: Perms {
                r: true,
                w: true,
                x: true,
            },
            block: 12,
            global: true,
            update: None,
            level: 0,
        })
    }

    /// The tables for `va`; None is a translation fault of level 0.
    fn stage1_shape(&self, range: &Range, va: u64) -> Option<Shape> {
        let (s1, f) = (&self.r.s1, &self.r.features);
        let granule = range.granule;
        let min = if s1.ds || granule == Granule::K64 && f.lva {
            12
        } else {
            16
        };
        let max = match (f.ttst, granule) {
            (false, _) => 39,
            (true, Granule::K64) => 47,
            (true, _) => 48,
        };
        if range.txsz < min || range.txsz > max {
            return None;
        }
        let ia_bits = 64 - range.txsz as u32;
        let untagged = self.r.untag(va, self.a.purpose == Purpose::Fetch);
        let high = untagged & !ones(ia_bits);
        let upper = s1.two && bit(va, 55);
        if high != if upper { !ones(ia_bits) } else { 0 } {
            return None;
        }
        if range.epd || range.e0pd && self.a.user {
            return None;
        }
        let g = granule.bits();
        let levels = (ia_bits - g).div_ceil(g - 3);
        Some(Shape {
            base: range.ttbr,
            ia: untagged,
            ia_bits,
            granule,
            start: 4 - levels as i8,
            oa_bits: s1.oa_bits,
            ds: s1.ds,
            lpa: granule == Granule::K64 && f.pa_bits == 52,
            hpd: range.hpd,
        })
    }

    /// Walk the tables of `stage` from the top (`AArch64.S1Walk`, `AArch64.S2Walk`). `ipa` is what stage 2 resolves, and for what.
    fn descend(
        &mut self,
        shape: &Shape,
        stage: u8,
        two: Option<(u64, Option<i8>)>,
        write: bool,
    ) -> Result<Leaf, Stop> {
        let stop = |kind| Stop {
            kind,
            stage2: stage == 2,
            s1ptw: two.is_some_and(|t| t.1.is_some()),
            ipa: two.map_or(0, |t| t.0),
            write,
        };
        let mut table = shape.first_table();
        if shape.too_large(table) {
            return Err(stop(FaultKind::AddressSize(0)));
        }
        let mut tables = Hierarchy::default();
        let mut level = shape.start;
        let key = (stage == 1).then(|| self.table_key(shape));
        let mut last = key.and_then(|k| self.m.last_table(&k));
        if let Some(l) = last {
            (table, tables, level) = (l.address, l.tables, 3);
        }
        loop {
            let at = shape.entry(table, level);
            let pa = match (&self.r.s2, stage) {
                _ if last.is_some() => last.map_or(0, |l| l.pa + (at - table)),
                (Some(s2), 1) => self.descriptor_pa(s2, at, level, false)?,
                _ => at,
            };
            if level == 3 && last.is_none() && level != shape.start {
                if let Some(k) = key {
                    let l = LastTable {
                        address: table,
                        pa: pa - (at - table),
                        tables,
                    };
                    // Stage 2 maps pages of 4 KiB: a larger table may be in pieces.
                    if shape.granule == Granule::K4 || self.r.s2.is_none() {
                        self.m.learn_table(&k, &l);
                    }
                }
            }
            last = None;
            let Some(desc) = self.m.read(pa) else {
                return Err(stop(FaultKind::ExternalWalk(level)));
            };
            let found = shape.found(desc, level);
            let g = shape.granule.bits();
            let output = match found {
                Found::Invalid => 0,
                Found::Table => shape.output(desc, g),
                _ => {
                    let lsb = shape.shift(level);
                    shape.output(desc, lsb) | shape.ia & ones(lsb)
                }
            };
            self.o.step(&Step {
                stage,
                level,
                for_s1: two.and_then(|t| t.1),
                address: at,
                pa,
                value: desc,
                found,
                output,
            });
            match found {
                Found::Invalid => return Err(stop(FaultKind::Translation(level))),
                _ if shape.too_large(output) => return Err(stop(FaultKind::AddressSize(level))),
                Found::Table => {
                    if !shape.hpd {
                        tables.read_only |= bit(desc, 62);
                        tables.no_user |= bit(desc, 61);
                        tables.uxn |= bit(desc, 60);
                        tables.pxn |= bit(desc, 59);
                    }
                    table = output;
                    level += 1;
                }
                Found::Block | Found::Page => {
                    return Ok(Leaf {
                        desc,
                        at,
                        level,
                        oa: output,
                        block: shape.shift(level) as u8,
                        tables,
                    })
                }
            }
        }
    }

    fn table_key(&self, shape: &Shape) -> TableKey {
        let r = self.r;
        TableKey {
            root: shape.base,
            block: shape.ia >> shape.shift(2),
            shape: (r.vmid as u64)
                | (r.kind as u64) << 16
                | (shape.granule as u64) << 24
                | (shape.ia_bits as u64) << 32
                | (shape.oa_bits as u64) << 40
                | (shape.hpd as u64) << 48
                | (r.s2.is_some() as u64) << 49
                | (shape.ds as u64) << 50,
        }
    }

    /// Where the stage 1 descriptor of `level` at IPA `at` is.
    fn descriptor_pa(&mut self, s2: &Stage2, at: u64, level: i8, write: bool) -> Result<u64, Stop> {
        let normal = MemAttr::new(NORMAL_WB, share::INNER);
        Ok(self.stage2(s2, at, Some(level), write, normal)?.pa)
    }

    /// `AArch64.S2Translate`: for a stage 1 descriptor (`for_s1`) or for the access itself.
    fn stage2(
        &mut self,
        s2: &Stage2,
        ipa: u64,
        for_s1: Option<i8>,
        write: bool,
        s1_mem: MemAttr,
    ) -> Result<Two, Stop> {
        let a = self.a;
        let stop = |kind, write| Stop {
            kind,
            stage2: true,
            s1ptw: for_s1.is_some(),
            ipa,
            write,
        };
        let (vmid, table) = (self.r.vmid, for_s1.is_some());
        let leaf = match self.m.known(vmid, ipa, table) {
            Some(leaf) => leaf,
            None => {
                let Some(shape) = self.stage2_shape(s2, ipa) else {
                    return Err(stop(FaultKind::Translation(0), write));
                };
                let leaf = self.descend(&shape, 2, Some((ipa, for_s1)), write)?;
                // A descriptor without the access flag is never cached.
                if bit(leaf.desc, 10) {
                    self.m.learn(vmid, ipa, table, &leaf);
                }
                leaf
            }
        };
        let desc = leaf.desc;
        if !bit(desc, 10) && !s2.ha && a.checked {
            return Err(stop(FaultKind::AccessFlag(leaf.level), write));
        }
        let fetch = a.purpose == Purpose::Fetch && for_s1.is_none();
        let nc = if fetch { s2.id } else { s2.cd };
        let memattr = bits(desc, 5, 2) as u8;
        let mem = combine(s1_mem, memattr, bits(desc, 9, 8) as u8, s2.fwb, nc);
        let dirty = s2.hd && bit(desc, 51) && !bit(desc, 7);
        let xn = bits(desc, 54, 53);
        let perms = Perms {
            r: bit(desc, 6),
            w: bit(desc, 7),
            x: match (self.r.features.xnx, a.user) {
                (false, _) => xn & 2 == 0,
                (true, false) => xn == 0 || xn == 3,
                (true, true) => xn < 2,
            },
        };
        let writable = Perms {
            w: perms.w || dirty,
            ..perms
        };
        let mut makes = dirty && write;
        if a.checked {
            match for_s1 {
                None => {
                    if !a.aligned && mem.device() && is_data(a.purpose) {
                        return Err(stop(FaultKind::Alignment, write));
                    }
                    if let Err(write) = permitted(&writable, &a) {
                        return Err(stop(FaultKind::Permission(leaf.level), write));
                    }
                    makes &= makes_dirty(a.purpose);
                }
                Some(_) => {
                    let own = combine(s1_mem, memattr, 0, s2.fwb, false);
                    let ok = if write { writable.w } else { writable.r };
                    if !ok || s2.ptw && own.device() {
                        return Err(stop(FaultKind::Permission(leaf.level), write));
                    }
                }
            }
            let mut new = desc;
            if s2.ha {
                new |= 1 << 10;
            }
            if makes {
                new |= 1 << 7;
            }
            if new != desc {
                self.m.update(leaf.at, new);
                self.m.learn(vmid, ipa, table, &Leaf { desc: new, ..leaf });
            }
        }
        Ok(Two {
            pa: leaf.oa,
            mem,
            perms: Perms {
                w: perms.w || makes,
                ..perms
            },
            block: leaf.block,
        })
    }

    /// The stage 2 tables for `ipa`; None is a translation fault of level 0 (`AArch64.S2InvalidTxSZ`, `S2InvalidSL`, `S2InconsistentSL`,
    /// `IPAIsOutOfRange`).
    fn stage2_shape(&self, s2: &Stage2, ipa: u64) -> Option<Shape> {
        let f = &self.r.features;
        let granule = s2.granule;
        let lpa = granule == Granule::K64 && f.pa_bits == 52;
        let min = if s2.ds || lpa { 12 } else { 16 };
        let max = match (f.ttst, granule) {
            (false, _) => 39,
            (true, Granule::K64) => 47,
            (true, _) => 48,
        };
        if s2.t0sz < min || s2.t0sz > max {
            return None;
        }
        let pa = f.pa_bits;
        let start: i8 = match (granule, s2.sl) {
            (Granule::K4, 0) => 2,
            (Granule::K4, 1) => 1,
            (Granule::K4, 2) if pa >= 44 => 0,
            (Granule::K4, 3) if f.ttst => 3,
            (Granule::K4, 4) if s2.ds => -1,
            (Granule::K16 | Granule::K64, 0) => 3,
            (Granule::K16 | Granule::K64, 1) => 2,
            (Granule::K16, 2) if pa >= 42 => 1,
            (Granule::K64, 2) if pa >= 44 => 1,
            (Granule::K16, 3) if s2.ds => 0,
            _ => return None,
        };
        let ia_bits = 64 - s2.t0sz as u32;
        let g = granule.bits();
        let least = (3 - start) as u32 * (g - 3) + g + 1;
        let most = least + (g - 3 - 1) + 4; // up to 16 concatenated tables
        if ia_bits < least || ia_bits > most || ipa & !ones(ia_bits) != 0 {
            return None;
        }
        Some(Shape {
            base: s2.vttbr,
            ia: ipa,
            ia_bits,
            granule,
            start,
            oa_bits: s2.oa_bits,
            ds: s2.ds,
            lpa,
            hpd: true,
        })
    }

    /// Stage 2 of the access itself, and the pending update of the stage 1 descriptor (`AArch64.FullTranslate`).
    fn finish(&mut self, one: One) -> Result<Translation, Stop> {
        if let Some((at, desc)) = one.update {
            let pa = match self.r.s2 {
                Some(s2) => self.descriptor_pa(&s2, at, one.level, true)?,
                None => at,
            };
            self.m.update(pa, desc);
        }
        let Some(s2) = self.r.s2.filter(|_| !self.r.s1_only) else {
            return Ok(Translation {
                pa: one.ipa,
                ipa: one.ipa,
                mem: one.mem,
                s1_mem: one.mem,
                perms: one.perms,
                block: one.block,
                s2_block: 12,
                global: one.global,
            });
        };
        let two = self.stage2(&s2, one.ipa, None, self.a.write, one.mem)?;
        Ok(Translation {
            pa: two.pa,
            ipa: one.ipa,
            mem: two.mem,
            s1_mem: one.mem,
            perms: Perms {
                r: one.perms.r && two.perms.r,
                w: one.perms.w && two.perms.w,
                x: one.perms.x && two.perms.x,
            },
            block: one.block,
            s2_block: two.block,
            global: one.global,
        })
    }
}

/// Whether Device memory demands alignment of it.
fn is_data(p: Purpose) -> bool {
    matches!(p, Purpose::Read | Purpose::Write | Purpose::ReadWrite)
}

/// Whether a write for this purpose marks memory dirty.
fn makes_dirty(p: Purpose) -> bool {
    matches!(p, Purpose::Write | Purpose::ReadWrite)
}

/// Whether `a` may go on (`AArch64.S1HasPermissionsFault`); if not, whether the fault is for writing (WnR).
fn permitted(p: &Perms, a: &Access) -> Result<(), bool> {
    let (ok, write) = match a.purpose {
        Purpose::Fetch => (p.x, false),
        Purpose::Read => (p.r, false),
        Purpose::Write => (p.w, true),
        Purpose::ReadWrite if !p.r => (false, false),
        Purpose::ReadWrite => (p.w, true),
        Purpose::At if a.write => (p.w, true),
        Purpose::At => (p.r, true),
        // DC IVAC needs to write; other maintenance only asks EL0 for the right to read.
        Purpose::CacheMaintenance if a.write => (p.w, true),
        Purpose::CacheMaintenance => (p.r || !a.user, true),
    };
    if ok {
        Ok(())
    } else {
        Err(write)
    }
}

/// Permissions by a stage 1 descriptor, and whether a write is allowed once the descriptor is marked dirty
/// (`AArch64.S1DirectBasePermissions`).
fn s1_perms(s1: &Stage1, leaf: &Leaf, a: &Access) -> (Perms, bool) {
    let (desc, t) = (leaf.desc, leaf.tables);
    let dirty = s1.hd && bit(desc, 51) && bit(desc, 7) && !t.read_only;
    let w = !bit(desc, 7) && !t.read_only;
    // What hardware dirty state would allow counts as writable for WXN and for PXN of what EL0 writes.
    let writable = w || dirty;
    if !s1.user {
        let xn = bit(desc, 54) || t.uxn || s1.wxn && writable;
        return (Perms { r: true, w, x: !xn }, dirty);
    }
    let user = bit(desc, 6) && !t.no_user;
    let ux = !bit(desc, 54) && !t.uxn && !(s1.wxn && user && writable);
    if a.user {
        return (
            Perms {
                r: user,
                w: user && w,
                x: ux,
            },
            user && dirty,
        );
    }
    let px = !bit(desc, 53) && !t.pxn && !(user && writable) && !(s1.wxn && writable);
    let refused = a.pan && (user || s1.epan && ux);
    (
        Perms {
            r: !refused,
            w: w && !refused,
            x: px,
        },
        dirty && !refused,
    )
}
