//! What happens to virtual interrupts in the list registers, told to whoever keeps the trace of it.
//!
//! The state of a list register says it: a change by the hypervisor lists an interrupt or takes it away, a change by the guest's interface is an
//! acknowledgement or an end (IHI 0069, 4.1.2 and 6.2). What is told follows from the state, and is no part of it.

use super::hyp::{Hyp, LRS};
use crate::bits::bit;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It is pending in a list register now.
    Listed,
    /// The hypervisor has taken it out before the guest acknowledged it.
    Unlisted,
    /// The guest has read IAR.
    Acknowledged,
    /// The guest has made it inactive: EOIR, or DIR.
    Ended,
    /// The maintenance interrupt is asserted.
    Maintenance,
}

/// Something that has happened on a CPU's virtual interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// What.
    pub happened: Happened,
    /// Of which interrupt; 0 for the maintenance interrupt.
    pub intid: u32,
    /// Number of the list register; for the maintenance interrupt, ICH_MISR_EL2.
    pub value: u64,
}

/// Most that wait to be taken: an instruction causes a few, a debugger that writes registers as many as it likes.
const MOST: usize = 64;

/// What was seen last, and what has not been taken yet.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    seen: Vec<([u64; LRS], bool)>,
    told: Vec<Life>,
}

impl Lives {
    /// Of CPUs whose virtual interfaces are these.
    pub(super) fn of<'a>(hyps: impl Iterator<Item = &'a Hyp>) -> Lives {
        Lives {
            seen: hyps.map(|h| (h.lr, h.maintenance())).collect(),
            told: Vec::new(),
        }
    }
    /// Whether there is something to take.
    #[inline]
    pub fn any(&self) -> bool {
        !self.told.is_empty()
    }
    /// Take it.
    pub fn take(&mut self) -> std::vec::Drain<'_, Life> {
        self.told.drain(..)
    }
    /// The interface of `cpu` has changed, by its `guest` or by the hypervisor; `maintenance`: its interrupt is asserted.
    #[inline]
    pub(super) fn follow(&mut self, cpu: usize, h: &Hyp, maintenance: bool, guest: bool) {
        let seen = &self.seen[cpu];
        if seen.0 != h.lr || seen.1 != maintenance {
            self.tell(cpu, h, (h.lr, maintenance), guest);
        }
    }
    fn tell(&mut self, cpu: usize, h: &Hyp, now: ([u64; LRS], bool), guest: bool) {
        let before = std::mem::replace(&mut self.seen[cpu], now);
        let told = &mut self.told;
        let mut add = |happened, intid, value| {
            if told.len() < MOST {
                told.push(Life {
                    happened,
                    intid,
                    value,
                });
            }
        };
        for (n, (old, new)) in (0..).zip(before.0.into_iter().zip(now.0)) {
            let (old_id, new_id) = (old as u32, new as u32);
            let was = |state: u32| bit(old, state) && !(bit(new, state) && old_id == new_id);
            let (pending, active) = (was(62), was(63));
            if guest {
                if pending {
                    add(Happened::Acknowledged, old_id, n);
                }
                if active {
                    add(Happened::Ended, old_id, n);
                }
                continue;
            }
            if pending {
                add(Happened::Unlisted, old_id, n);
            }
            if bit(new, 62) && !(bit(old, 62) && old_id == new_id) {
                add(Happened::Listed, new_id, n);
            }
        }
        if now.1 && !before.1 {
            add(Happened::Maintenance, 0, h.misr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Gic;
    use super::*;
    use crate::reg::names::*;

    fn told(gic: &mut Gic) -> Vec<(Happened, u32, u64)> {
        let lives = gic.lives.take();
        lives.map(|l| (l.happened, l.intid, l.value)).collect()
    }

    #[test]
    fn a_life_from_the_list_register_to_its_end() {
        let mut gic = Gic::new(1);
        let view = super::super::View {
            virtual_g0: true,
            virtual_g1: true,
        };
        let lr = |state: u64, id: u64| state << 62 | 1 << 60 | 0x80 << 48 | id;
        for (r, v) in [
            (ICH_HCR_EL2, 0b11), // En, UIE
            (ICH_VMCR_EL2, 0xff00_0002),
            (ICH_LR1_EL2, lr(1, 27)),
        ] {
            gic.sysreg_write(0, r, v, view);
        }
        // Underflow: none or one list register is valid.
        let listed = [(Happened::Maintenance, 0, 2), (Happened::Listed, 27, 1)];
        assert_eq!(told(&mut gic), listed);
        assert_eq!(gic.sysreg_read(0, ICC_IAR1_EL1, view), 27);
        assert_eq!(told(&mut gic), [(Happened::Acknowledged, 27, 1)]);
        gic.sysreg_write(0, ICC_EOIR1_EL1, 27, view);
        assert_eq!(told(&mut gic), [(Happened::Ended, 27, 1)]);
        // Saved and put back by the hypervisor, then another in its place.
        for v in [lr(1, 40), 0, lr(2, 40), lr(1, 41), lr(3, 41)] {
            gic.sysreg_write(0, ICH_LR0_EL2, v, view);
        }
        let moved = [
            (Happened::Listed, 40, 0),
            (Happened::Unlisted, 40, 0),
            (Happened::Listed, 41, 0),
        ];
        assert_eq!(told(&mut gic), moved);
        for _ in 0..2 * MOST {
            gic.sysreg_write(0, ICH_LR3_EL2, lr(1, 50), view);
            gic.sysreg_write(0, ICH_LR3_EL2, 0, view);
        }
        assert_eq!(told(&mut gic).len(), MOST);
    }
}
