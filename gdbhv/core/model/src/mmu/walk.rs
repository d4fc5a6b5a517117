//! The one walker, for both stages: execution, AT, and `monitor walk` all come here (`AArch64.S1Translate`,
//! `AArch64.S2Translate` and what they call; Arm ARM J1.1.5, D8.2).
//!
//! [`translate`] follows a [`Regime`], reads descriptors through [`Tables`] and reports each step to an [`Observer`].
//! The observer `()` costs nothing. Nothing is cached here.

use super::combine::{share, MemAttr, DEVICE_NGNRNE, NORMAL_NC, NORMAL_WB, NORMAL_WT};
use super::fault::{Fault, FaultKind, Purpose};
use super::permission::{is_data, makes_dirty, permitted, s1_perms};
use super::regime::{Range, Regime};
use super::tables::{Hierarchy, Shape};
use crate::bits::{bit, bits, ones};
use crate::mmu::access::Access;
use crate::mmu::kind::Granule;

pub use super::permission::Perms;
pub use super::tables::{contiguous_bits, Found, LastTable, Leaf, TableKey, Tables};

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
    /// It has the layout of 52-bit descriptors (FEAT_LPA2): bits 9:8 belong to the address.
    pub wide: bool,
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

/// Where an address goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Physical address.
    pub pa: u64,
    /// Intermediate physical address; equal to `pa` without stage 2.
    pub ipa: u64,
    /// Memory type of both stages.
    pub mem: MemAttr,
    /// Memory type of stage 1 only.
    pub s1_mem: MemAttr,
    /// Permissions of both stages, for the privileges that asked.
    pub perms: Perms,
    /// log2 of the bytes that stage 1 maps in one descriptor; 12 if it is off.
    pub block: u8,
    /// Its Contiguous bit is set (and not RES0).
    pub contiguous: bool,
    /// The same for stage 2.
    pub s2_block: u8,
    /// The same for stage 2.
    pub s2_contiguous: bool,
    /// Not tied to an ASID.
    pub global: bool,
}

/// A fault, before it is known what instruction it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) kind: FaultKind,
    pub(super) stage2: bool,
    pub(super) s1ptw: bool,
    pub(super) ipa: u64,
    pub(super) write: bool,
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

/// Translate an IPA by stage 2 only; a fault has `va` as its address. `None` if stage 2 is off.
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
        .stage2(s2, ipa, For::Access, normal)
        .map(|two| Translation {
            pa: two.pa,
            ipa,
            mem: two.mem,
            s1_mem: normal,
            perms: two.perms,
            block: 12,
            contiguous: false,
            s2_block: two.block,
            s2_contiguous: two.contiguous,
            global: true,
        });
    Some(done.map_err(|s| s.fault(0, &a)))
}

/// What stage 2 translates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// The access.
    Access,
    /// The fetch of the stage 1 descriptor of a level.
    Fetch(i8),
    /// The update of its access flag or dirty state, which reads and writes.
    Update(i8),
}

impl For {
    fn level(self) -> Option<i8> {
        match self {
            For::Access => None,
            For::Fetch(l) | For::Update(l) => Some(l),
        }
    }
}

/// The result of stage 1.
struct One {
    ipa: u64,
    mem: MemAttr,
    perms: Perms,
    block: u8,
    contiguous: bool,
    global: bool,
    /// Descriptor to update: address, new value.
    update: Option<(u64, u64)>,
    level: i8,
}

pub(super) struct Walker<'a, M, O> {
    pub(super) r: &'a Regime,
    pub(super) m: &'a mut M,
    pub(super) o: &'a mut O,
    pub(super) a: Access,
}

impl<M: Tables, O: Observer> Walker<'_, M, O> {
    /// `AArch64.S1Translate`, but for the update of the descriptor, which waits for stage 2's consent.
    fn stage1(&mut self, va: u64) -> Result<One, Stop> {
        let s1 = &self.r.s1;
        if !s1.on {
            return self.stage1_off(va);
        }
        let a = self.a;
        let fail = |kind| Err(Stop::s1(kind, a.wnr()));
        let range = self.r.range(va);
        let Some(shape) = self.stage1_shape(range, va) else {
            return fail(FaultKind::Translation(0));
        };
        let leaf = self.descend(&shape, 1, None)?;
        let desc = leaf.desc;
        if !bit(desc, 10) && !s1.ha && a.checked {
            return fail(FaultKind::AccessFlag(leaf.level));
        }
        let mair = (s1.mair >> (8 * bits(desc, 4, 2))) as u8;
        let sh = if range.ds {
            range.sh
        } else {
            bits(desc, 9, 8) as u8
        };
        let mem = MemAttr::of_stage1(mair, sh, self.r.s2.is_some());
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
        let mem = self.cached(mem);
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
            contiguous: leaf.contiguous,
            global: !s1.user || !bit(desc, 11),
            update: (new != desc && a.checked).then_some((leaf.at, new)),
            level: leaf.level,
        })
    }

    /// What SCTLR.C and SCTLR.I leave of a memory type. A fetch from Device memory is as from Normal, non-cacheable memory
    /// (one of the choices of `Unpredictable_INSTRDEVICE`).
    fn cached(&self, mem: MemAttr) -> MemAttr {
        let s1 = &self.r.s1;
        let non_cacheable = if self.a.purpose == Purpose::Fetch {
            mem.device() || !s1.icache
        } else {
            !mem.device() && !s1.dcache
        };
        if non_cacheable {
            MemAttr::of_stage1(NORMAL_NC, mem.sh, self.r.s2.is_some())
        } else {
            mem
        }
    }

    /// `AArch64.S1DisabledOutput`.
    fn stage1_off(&self, va: u64) -> Result<One, Stop> {
        let (s1, a) = (&self.r.s1, self.a);
        let fetch = a.purpose == Purpose::Fetch;
        let address = self.r.untag(va, fetch);
        if address & !ones(self.r.features.pa_bits as u32) != 0 {
            return Err(Stop::s1(FaultKind::AddressSize(0), a.wnr()));
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
            return Err(Stop::s1(FaultKind::Alignment, a.wnr()));
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
            contiguous: false,
            global: true,
            update: None,
            level: 0,
        })
    }

    /// The tables for `va`; None is a translation fault of level 0.
    fn stage1_shape(&self, range: &Range, va: u64) -> Option<Shape> {
        let (s1, f) = (&self.r.s1, &self.r.features);
        let granule = range.granule;
        // Out of bounds is a fault (`AArch64.S1TxSZFaults`: mandatory below the least with FEAT_LVA, else an IMPLEMENTATION
        // DEFINED choice); QEMU chooses the same.
        let min = if range.ds || granule == Granule::K64 && f.lva {
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
            wide: range.wide,
            ia: untagged,
            ia_bits,
            granule,
            start: 4 - levels as i8,
            oa_bits: s1.oa_bits,
            ds: range.ds,
            lpa: granule == Granule::K64 && f.lpa(),
            hpd: range.hpd,
        })
    }

    /// Walk the tables of `stage` from the top (`AArch64.S1Walk`, `AArch64.S2Walk`). `ipa` is what stage 2 resolves, and for what.
    pub(super) fn descend(
        &mut self,
        shape: &Shape,
        stage: u8,
        two: Option<(u64, For)>,
    ) -> Result<Leaf, Stop> {
        let write = self.a.wnr();
        let stop = |kind| Stop {
            kind,
            stage2: stage == 2,
            s1ptw: two.is_some_and(|t| t.1 != For::Access),
            ipa: two.map_or(0, |t| t.0),
            write,
        };
        let mut table = shape.first_table();
        if shape.too_large(table) {
            return Err(stop(FaultKind::AddressSize(0)));
        }
        let mut tables = Hierarchy::default();
        let mut level = shape.start;
        let key = (stage == 1).then(|| self.table_key(shape, table));
        let mut last = key.and_then(|k| self.m.last_table(&k));
        if let Some(l) = last {
            (table, tables, level) = (l.address, l.tables, 3);
        }
        loop {
            let at = shape.entry(table, level);
            let pa = match (&self.r.s2, stage) {
                _ if last.is_some() => last.map_or(0, |l| l.pa + (at - table)),
                (Some(s2), 1) => self.descriptor_pa(s2, at, For::Fetch(level))?,
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
            let (base, output) = match found {
                Found::Invalid => (0, 0),
                Found::Table => (shape.output(desc, g), shape.output(desc, g)),
                _ => {
                    let lsb = shape.shift(level);
                    let base = shape.output(desc, lsb);
                    (base, base | shape.ia & ones(lsb))
                }
            };
            self.o.step(&Step {
                stage,
                level,
                for_s1: two.and_then(|t| t.1.level()),
                address: at,
                pa,
                value: desc,
                found,
                output,
                wide: shape.ds,
            });
            match found {
                Found::Invalid => return Err(stop(FaultKind::Translation(level))),
                // What the descriptor holds counts (`AArch64.OAOutOfRange` of the base): a block may be larger than the output size.
                _ if shape.too_large(base) => return Err(stop(FaultKind::AddressSize(level))),
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
                    let block = shape.shift(level) as u8;
                    return Ok(Leaf {
                        desc,
                        at,
                        level,
                        oa: output,
                        block,
                        contiguous: bit(desc, 52) && contiguous_bits(block) != 0,
                        tables,
                    });
                }
            }
        }
    }

    fn table_key(&self, shape: &Shape, root: u64) -> TableKey {
        let r = self.r;
        let size = shape.shift(2);
        TableKey {
            root,
            first: shape.ia & ones(56) & !ones(size),
            size: size as u8,
            kind: r.kind,
            vmid: r.vmid,
            asid: r.asid,
            shape: shape.granule as u32
                | shape.ia_bits << 5
                | (shape.oa_bits as u32) << 11
                | (shape.hpd as u32) << 17
                | (r.s2.is_some() as u32) << 18
                | (shape.ds as u32) << 19,
        }
    }

    /// Stage 2 of the access itself, and the pending update of the stage 1 descriptor (`AArch64.FullTranslate`).
    fn finish(&mut self, one: One) -> Result<Translation, Stop> {
        if let Some((at, desc)) = one.update {
            let pa = match self.r.s2 {
                Some(s2) => self.descriptor_pa(&s2, at, For::Update(one.level))?,
                None => at,
            };
            self.m.update(pa, desc);
        }
        let Some(s2) = self.r.s2.filter(|_| !self.r.s1_only) else {
            return Ok(Translation {
                pa: one.ipa,
                ipa: one.ipa,
                mem: MemAttr::new(one.mem.attr, one.mem.sh),
                s1_mem: one.mem,
                perms: one.perms,
                block: one.block,
                contiguous: one.contiguous,
                s2_block: 12,
                s2_contiguous: false,
                global: one.global,
            });
        };
        let two = self.stage2(&s2, one.ipa, For::Access, one.mem)?;
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
            contiguous: one.contiguous,
            s2_block: two.block,
            s2_contiguous: two.contiguous,
            global: one.global,
        })
    }
}
