//! A change of a descriptor: what it means for cached translations, and which TLBI covers them (Arm ARM D8.16 and D8.17, R_WHZWS and
//! what follows it: break-before-make; C5.5: what each TLBI covers).

use crate::bits::ones;
use crate::mmu::kind::{Granule, RegimeKind};
use crate::mmu::op::{Tlbi, What};

/// The position in translation tables of a page of descriptors, as of the last walk that read it.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// Stage of translation, 1 or 2.
    pub stage: u8,
    /// Translation regime.
    pub kind: RegimeKind,
    /// VMID.
    pub vmid: u16,
    /// ASID in use.
    pub asid: u16,
    /// Level of its descriptors.
    pub level: i8,
    /// The first address that its first descriptor resolves.
    pub base: u64,
    /// log2 of the bytes that a descriptor resolves.
    pub shift: u32,
    /// Page of the first table, as in the register: for stage 1 with stage 2 on, an IPA.
    pub root: u64,
    /// The table descriptor that points to it: its address, and the next-table address in it.
    pub parent: Option<(u64, u64)>,
    /// Granule.
    pub granule: Granule,
    /// Descriptors have the 52-bit format (FEAT_LPA2).
    pub wide: bool,
}

/// The bits of a table descriptor that are an address.
pub const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

impl Reach {
    /// Whether both are the same position in the same tables.
    pub fn is(&self, other: &Reach) -> bool {
        let of = |r: &Reach| (r.stage, r.kind, r.vmid, r.asid, r.root, r.base, r.shift);
        of(self) == of(other)
    }
    /// The first address that the descriptor at `pa` resolves, bits 55:0.
    pub fn address(&self, pa: u64) -> u64 {
        self.base.wrapping_add((pa & 0xfff) / 8 << self.shift) & ones(56)
    }
    fn output(&self) -> u64 {
        if self.wide {
            ADDRESS | 3 << 48 | 3 << 8
        } else {
            ADDRESS
        }
    }
    /// Whether a descriptor is a table descriptor; None: TLBs hold nothing of it.
    fn is_table(&self, desc: u64) -> Option<bool> {
        match (desc & 3, self.level) {
            (3, 3) => (desc & AF != 0).then_some(false),
            (3, _) => Some(true),
            (1, 1 | 2) => (desc & AF != 0).then_some(false),
            (1, 0) if self.wide => (desc & AF != 0).then_some(false),
            _ => None,
        }
    }
    /// Whether a TLB entry made from `desc` belongs to one ASID alone.
    pub fn local(&self, desc: u64) -> bool {
        self.stage == 1 && self.kind != RegimeKind::El2 && desc >> 11 & 1 != 0
    }
}

const AF: u64 = 1 << 10;
const CONTIGUOUS: u64 = 1 << 52;

/// What a change of a descriptor means for TLBs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Invalid to valid: nothing was cached.
    Make,
    /// Valid to invalid.
    Break,
    /// Valid to another valid value that needs break-before-make: what differs.
    Replace(&'static str),
    /// Permissions were removed.
    Narrow,
    /// Any other change, after which TLBs may keep the old value: permissions added, the access flag, bits for software.
    Other,
}

impl Kind {
    /// Classify a change from `old` to `new`; `sizes`: a change of block size needs no break (FEAT_BBM).
    pub fn of(r: &Reach, old: u64, new: u64, sizes: bool) -> Kind {
        // The access flag and dirty state, which hardware sets too, and the bits for software.
        let free = AF | 0xf << 55 | if r.stage == 1 { 1 << 7 } else { 1 << 7 & new };
        if old & new & 1 != 0 && (old ^ new) & !free == 0 && (r.stage == 2 || new & 1 << 7 == 0) {
            return Kind::Other;
        }
        let (before, after) = (r.is_table(old), r.is_table(new));
        match (before, after) {
            (None, None) => Kind::Other,
            (None, Some(_)) => Kind::Make,
            (Some(_), None) => Kind::Break,
            (Some(a), Some(b)) if a != b => match sizes {
                true => Kind::Other,
                false => Kind::Replace("its size: a table and a block"),
            },
            (Some(true), _) if (old ^ new) & r.output() != 0 => Kind::Replace("the next table"),
            (Some(true), _) => match new & !old & (0x1f << 59) {
                0 => Kind::Other,
                _ => Kind::Narrow,
            },
            _ => Kind::of_leaves(r, old, new, sizes),
        }
    }
    fn of_leaves(r: &Reach, old: u64, new: u64, sizes: bool) -> Kind {
        let differs = |mask: u64| (old ^ new) & mask != 0;
        let attributes = if r.stage == 1 { 7 << 2 } else { 15 << 2 };
        if differs(r.output()) {
            return Kind::Replace("the output address");
        }
        if differs(attributes) {
            return Kind::Replace("the memory type");
        }
        if !r.wide && differs(3 << 8) {
            return Kind::Replace("the shareability");
        }
        if r.stage == 1 && r.kind != RegimeKind::El2 && differs(1 << 11) {
            return Kind::Replace("nG");
        }
        if !sizes && differs(CONTIGUOUS) {
            return Kind::Replace("the Contiguous bit");
        }
        // With DBM, AP[2] is the dirty state and not a permission.
        let lost = if r.stage == 1 {
            (new & !old & (1 << 7 | 3 << 53)) & !(if new >> 51 & 1 != 0 { 1 << 7 } else { 0 })
                | old & !new & 1 << 6
        } else {
            old & !new & (3 << 6) | new & !old & (3 << 53)
        };
        match lost {
            0 => Kind::Other,
            _ => Kind::Narrow,
        }
    }
    /// Whether TLBs must not use the old value any more.
    pub fn needs_tlbi(self) -> bool {
        !matches!(self, Kind::Make | Kind::Other)
    }
}

/// Why a TLBI does not cover a descriptor's cached translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrow {
    /// Another translation regime.
    Regime,
    /// Another VMID, which is given.
    Vmid(u16),
    /// Another ASID, which is given.
    Asid(u16),
    /// It is by ASID, and the entry is global.
    Global,
    /// Other addresses.
    Address,
    /// TTL or TG of another size.
    Size,
    /// It is for the last level, and a table descriptor has changed.
    LastLevel,
    /// It is by IPA, and entries that combine both stages stay.
    Combined,
    /// It does not cover stage 2 entries.
    Stage2,
    /// It is local, and another PE has the entry.
    Local,
}

/// Whether `t` invalidates all TLB entries made from the descriptor at `pa` when its value was `old`.
pub fn covers(t: &Tlbi, r: &Reach, pa: u64, old: u64) -> Result<(), Narrow> {
    if t.kind != r.kind {
        return Err(Narrow::Regime);
    }
    if let Some(vmid) = t.vmid.filter(|v| *v != r.vmid) {
        return Err(Narrow::Vmid(vmid));
    }
    let low = r.address(pa);
    let high = low | ones(r.shift);
    let table = r.is_table(old) == Some(true);
    let inside = |first: u64, last: u64| low <= last | 0xfff && high >= first;
    let sized = |sizes: u64| table || sizes >> r.shift & 1 != 0;
    match (r.stage, t.what) {
        (_, What::Both) | (1, What::All) => Ok(()),
        (1, What::Asid(asid)) if asid != r.asid => Err(Narrow::Asid(asid)),
        (1, What::Asid(_)) if !table && !r.local(old) => Err(Narrow::Global),
        (1, What::Asid(_)) => Ok(()),
        (1, What::Va { first, last, .. }) if !inside(first, last) => Err(Narrow::Address),
        (
            1,
            What::Va {
                last_level: true, ..
            },
        ) if table => Err(Narrow::LastLevel),
        (1, What::Va { sizes, .. }) if !sized(sizes) => Err(Narrow::Size),
        (1, What::Va { asid, .. }) => match asid
            .filter(|a| *a != r.asid && (table || r.local(old)) && r.kind != RegimeKind::El2)
        {
            Some(asid) => Err(Narrow::Asid(asid)),
            None => Ok(()),
        },
        (1, What::Ipa { .. }) => Err(Narrow::Stage2),
        (_, What::Ipa { first, last, .. }) if !inside(first, last) => Err(Narrow::Address),
        (_, What::Ipa { sizes, .. }) if !sized(sizes) => Err(Narrow::Size),
        (_, What::Ipa { .. }) => Err(Narrow::Combined),
        _ => Err(Narrow::Stage2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 3 | AF | 3 << 8 | 1 << 11;

    fn reach(stage: u8, level: i8) -> Reach {
        Reach {
            stage,
            kind: RegimeKind::El10,
            vmid: 3,
            asid: 5,
            level,
            base: 0x4000_0000,
            shift: 12 + 9 * (3 - level) as u32,
            root: 0x8000,
            parent: None,
            granule: Granule::K4,
            wide: false,
        }
    }
    fn tlbi(what: What) -> Tlbi {
        Tlbi {
            kind: RegimeKind::El10,
            vmid: Some(3),
            what,
            broadcast: true,
        }
    }

    #[test]
    fn changes_are_what_they_mean_for_a_tlb() {
        let page = |old: u64, new: u64| Kind::of(&reach(1, 3), old, new, false);
        assert_eq!(page(0, PAGE), Kind::Make);
        assert_eq!(page(PAGE, 0), Kind::Break);
        assert_eq!(
            page(PAGE & !AF, PAGE),
            Kind::Other,
            "it was not cached, and hardware may do it"
        );
        assert_eq!(
            page(PAGE, PAGE | 0x1000),
            Kind::Replace("the output address")
        );
        assert_eq!(page(PAGE, PAGE | 1 << 2), Kind::Replace("the memory type"));
        assert_eq!(page(PAGE, PAGE ^ 1 << 8), Kind::Replace("the shareability"));
        assert_eq!(page(PAGE, PAGE ^ 1 << 11), Kind::Replace("nG"));
        assert_eq!(
            page(PAGE, PAGE | CONTIGUOUS),
            Kind::Replace("the Contiguous bit")
        );
        assert_eq!(
            Kind::of(&reach(1, 3), PAGE, PAGE | CONTIGUOUS, true),
            Kind::Other
        );
        assert_eq!(page(PAGE, PAGE | 1 << 7), Kind::Narrow, "read-only");
        assert_eq!(page(PAGE | 1 << 7, PAGE), Kind::Other, "writable");
        assert_eq!(page(PAGE, PAGE | 1 << 54), Kind::Narrow, "UXN");
        assert_eq!(page(PAGE, PAGE | 1 << 56), Kind::Other, "software's");
        let two = |old: u64, new: u64| Kind::of(&reach(2, 3), old, new, false);
        assert_eq!(two(0x7ff, 0x77f), Kind::Narrow, "S2AP");
        assert_eq!(two(0x77f, 0x7ff), Kind::Other);
        let table = |old: u64, new: u64| Kind::of(&reach(2, 2), old, new, false);
        assert_eq!(table(0x9003, 0xa003), Kind::Replace("the next table"));
        assert_eq!(
            table(0x9003, 0x20_07fd),
            Kind::Replace("its size: a table and a block")
        );
        assert_eq!(Kind::of(&reach(2, 2), 0x9003, 0x20_07fd, true), Kind::Other);
    }

    #[test]
    fn what_a_tlbi_covers() {
        let va = |first, last, asid, last_level, sizes| What::Va {
            first,
            last,
            asid,
            last_level,
            sizes,
        };
        let at = 0x9008; // the second descriptor
        let page = 0x4000_1000;
        let one = |what| covers(&tlbi(what), &reach(1, 3), at, PAGE);
        let any = u64::MAX;
        assert_eq!(one(What::All), Ok(()));
        assert_eq!(one(What::Asid(5)), Ok(()));
        assert_eq!(one(What::Asid(6)), Err(Narrow::Asid(6)));
        let global = PAGE & !(1 << 11);
        let asid = tlbi(What::Asid(5));
        assert_eq!(covers(&asid, &reach(1, 3), at, global), Err(Narrow::Global));
        assert_eq!(one(va(page, page, None, true, any)), Ok(()));
        assert_eq!(
            one(va(page, page, Some(6), true, any)),
            Err(Narrow::Asid(6))
        );
        assert_eq!(
            one(va(page + 0x1000, any, None, true, any)),
            Err(Narrow::Address)
        );
        assert_eq!(
            one(va(0, page - 0x1000, None, true, any)),
            Err(Narrow::Address)
        );
        assert_eq!(one(va(page, page, None, true, 1 << 21)), Err(Narrow::Size));
        let table = |last_level| {
            let t = tlbi(va(0x4020_3000, 0x4020_3000, None, last_level, any));
            covers(&t, &reach(1, 2), at, 0x9003)
        };
        assert_eq!(table(false), Ok(()));
        assert_eq!(table(true), Err(Narrow::LastLevel));
        let two = |what| covers(&tlbi(what), &reach(2, 3), at, 0x7ff);
        let ipa = |first| What::Ipa {
            first,
            last: first,
            sizes: any,
        };
        assert_eq!(two(What::Both), Ok(()));
        assert_eq!(two(ipa(page)), Err(Narrow::Combined));
        assert_eq!(two(ipa(page + 0x1000)), Err(Narrow::Address));
        assert_eq!(two(What::All), Err(Narrow::Stage2));
        let other = Tlbi {
            vmid: Some(4),
            ..tlbi(What::Both)
        };
        assert_eq!(
            covers(&other, &reach(2, 3), at, 0x7ff),
            Err(Narrow::Vmid(4))
        );
        let regime = Tlbi {
            kind: RegimeKind::El2,
            ..tlbi(What::All)
        };
        assert_eq!(covers(&regime, &reach(1, 3), at, PAGE), Err(Narrow::Regime));
    }
}
