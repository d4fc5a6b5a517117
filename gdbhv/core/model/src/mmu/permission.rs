//! Who may do what, by the descriptors of stage 1 (Arm ARM D8.4), and what an access needs.

use super::fault::Purpose;
use super::regime::Stage1;
use super::tables::Leaf;
use crate::bits::bit;
use crate::mmu::access::Access;

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

/// Whether Device memory demands alignment of it.
pub(super) fn is_data(p: Purpose) -> bool {
    matches!(p, Purpose::Read | Purpose::Write | Purpose::ReadWrite)
}

/// Whether a write for this purpose marks memory dirty.
pub(super) fn makes_dirty(p: Purpose) -> bool {
    matches!(p, Purpose::Write | Purpose::ReadWrite)
}

/// Whether `a` may go on (`AArch64.S1HasPermissionsFault`); if not, whether the fault is for writing (WnR).
pub(super) fn permitted(p: &Perms, a: &Access) -> Result<(), bool> {
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
pub(super) fn s1_perms(s1: &Stage1, leaf: &Leaf, a: &Access) -> (Perms, bool) {
    let (desc, t) = (leaf.desc, leaf.tables);
    let dirty = s1.hd && bit(desc, 51) && bit(desc, 7) && !t.read_only;
    let w = !bit(desc, 7) && !t.read_only;
    // What hardware dirty state would allow counts as writable for WXN and for PXN of what EL0 writes.
    let writable = w || dirty;
    if !s1.user {
        let xn = bit(desc, 54) || t.uxn || s1.wxn && writable;
        return (Perms { r: true, w, x: !xn }, dirty);
    }
    if s1.nv1 {
        return nv1_perms(s1, leaf, a);
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

/// The same in the format of HCR_EL2.{NV, NV1} = {1, 1}, that of a regime with one privilege: AP\[1\] and APTable\[0\] count as 0,
/// bit 54 is PXN and bit 60 PXNTable, 53 and 59 are RES0, and there is no PAN (D24.2.63 HCR_EL2, NV1; `AArch64.S1ApplyOutputPerms`,
/// `AArch64.S1ApplyTablePerms`).
fn nv1_perms(s1: &Stage1, leaf: &Leaf, a: &Access) -> (Perms, bool) {
    let (desc, t) = (leaf.desc, leaf.tables);
    if a.user {
        // Nothing to read or write, and UXN is 0.
        let (r, w, x) = (false, false, true);
        return (Perms { r, w, x }, false);
    }
    let dirty = s1.hd && bit(desc, 51) && bit(desc, 7) && !t.read_only;
    let w = !bit(desc, 7) && !t.read_only;
    let xn = bit(desc, 54) || t.uxn || s1.wxn && (w || dirty);
    (Perms { r: true, w, x: !xn }, dirty)
}
