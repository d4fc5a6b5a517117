//! Stage 2 of the walker: for the access itself, and for the descriptors of stage 1 (`AArch64.S2Translate`).

use super::combine::{combine, share, MemAttr, NORMAL_NC, NORMAL_WB};
use super::fault::{FaultKind, Purpose};
use super::permission::{is_data, makes_dirty, permitted, Perms};
use super::regime::Stage2;
use super::tables::{Leaf, Shape, Tables};
use super::walk::{For, Observer, Stop, Walker};
use crate::bits::{bit, bits, ones};
use crate::mmu::kind::Granule;

/// The result of stage 2.
pub(super) struct Two {
    pub(super) pa: u64,
    pub(super) mem: MemAttr,
    pub(super) perms: Perms,
    pub(super) block: u8,
    pub(super) contiguous: bool,
}

impl<M: Tables, O: Observer> Walker<'_, M, O> {
    /// Where the stage 1 descriptor at IPA `at` is.
    pub(super) fn descriptor_pa(&mut self, s2: &Stage2, at: u64, why: For) -> Result<u64, Stop> {
        let normal = MemAttr::new(NORMAL_WB, share::INNER);
        Ok(self.stage2(s2, at, why, normal)?.pa)
    }

    /// `AArch64.S2Translate`: for a stage 1 descriptor or for the access itself. A fault's WnR is the access's in either case, but
    /// where a permission of its own decides (`AArch64.S2CheckPermissions`).
    pub(super) fn stage2(
        &mut self,
        s2: &Stage2,
        ipa: u64,
        why: For,
        s1_mem: MemAttr,
    ) -> Result<Two, Stop> {
        let a = self.a;
        let table = why != For::Access;
        let stop = |kind, write| Stop {
            kind,
            stage2: true,
            s1ptw: table,
            ipa,
            write,
        };
        let vmid = self.r.vmid;
        let leaf = match self.m.known(vmid, ipa, table) {
            Some(leaf) => leaf,
            None => {
                let Some(shape) = self.stage2_shape(s2, ipa) else {
                    return Err(stop(FaultKind::Translation(0), a.wnr()));
                };
                let leaf = self.descend(&shape, 2, Some((ipa, why)))?;
                // A descriptor without the access flag is never cached.
                if bit(leaf.desc, 10) {
                    self.m.learn(vmid, ipa, table, &leaf);
                }
                leaf
            }
        };
        let desc = leaf.desc;
        if !bit(desc, 10) && !s2.ha && a.checked {
            return Err(stop(FaultKind::AccessFlag(leaf.level), a.wnr()));
        }
        let fetch = a.purpose == Purpose::Fetch && !table;
        let nc = if fetch { s2.id } else { s2.cd };
        let memattr = bits(desc, 5, 2) as u8;
        let sh = if s2.ds { s2.sh } else { bits(desc, 9, 8) as u8 };
        let mut mem = combine(s1_mem, memattr, sh, s2.fwb, nc);
        if fetch && mem.device() {
            // As in stage 1: `Unpredictable_INSTRDEVICE`.
            mem = MemAttr::new(NORMAL_NC, share::OUTER);
        }
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
        let update = matches!(why, For::Update(_));
        let makes = dirty
            && match why {
                For::Access => makes_dirty(a.purpose),
                _ => update,
            };
        if a.checked {
            if !table {
                if !a.aligned && mem.device() && is_data(a.purpose) {
                    return Err(stop(FaultKind::Alignment, a.wnr()));
                }
                if let Err(write) = permitted(&writable, &a) {
                    return Err(stop(FaultKind::Permission(leaf.level), write));
                }
            } else {
                let own = combine(s1_mem, memattr, 0, s2.fwb, false);
                if s2.ptw && own.device() {
                    return Err(stop(FaultKind::ProtectedWalk(leaf.level), a.wnr()));
                }
                let ok = writable.r && (writable.w || !update);
                if !ok {
                    return Err(stop(FaultKind::Permission(leaf.level), a.wnr()));
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
            contiguous: leaf.contiguous,
        })
    }

    /// The stage 2 tables for `ipa`; None is a translation fault of level 0 (`AArch64.S2InvalidTxSZ`, `S2InvalidSL`, `S2InconsistentSL`,
    /// `IPAIsOutOfRange`).
    pub(super) fn stage2_shape(&self, s2: &Stage2, ipa: u64) -> Option<Shape> {
        let f = &self.r.features;
        let granule = s2.granule;
        let lpa = granule == Granule::K64 && f.lpa();
        // The IPA may be as large as a PA, and 52 bits only with descriptors that can hold them (`AArch64.S2MinTxSZ`). Out of
        // bounds is a fault, as in stage 1 (`AArch64.S2TxSZFaults`).
        let widest = if s2.ds || lpa { 52 } else { 48 };
        let min = 64 - f.pa_bits.min(widest);
        let max = match (f.ttst, granule) {
            (false, _) => 39,
            (true, Granule::K64) => 47,
            (true, _) => 48,
        };
        if s2.t0sz < min || s2.t0sz > max {
            return None;
        }
        let pa = f.pa_bits;
        // `AArch64.S2InvalidSL`, `AArch64.S2StartLevel`
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
        // `AArch64.S2InconsistentSL`
        let g = granule.bits();
        let least = (3 - start) as u32 * (g - 3) + g + 1;
        let most = least + (g - 3 - 1) + 4; // up to 16 concatenated tables
        if ia_bits < least || ia_bits > most || ipa & !ones(ia_bits) != 0 {
            return None;
        }
        Some(Shape {
            base: s2.vttbr,
            wide: s2.wide,
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
}
