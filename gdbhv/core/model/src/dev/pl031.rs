//! PL031 real-time clock (Arm DDI 0224): seconds of virtual time since a configured epoch, and an alarm.

use super::{DevCtx, Device, Unseen};
use crate::dev::regs;
use crate::save::{Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};

const SECOND: u64 = 1_000_000_000;

/// Everything that a snapshot keeps.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// DR less the seconds of virtual time.
    offset: u32,
    mr: u32,
    lr: u32,
    imsc: bool,
    ris: bool,
    /// When DR reaches MR.
    alarm: Option<u64>,
}

/// The clock.
pub struct Pl031 {
    /// Guest-visible state.
    pub state: State,
}

impl Pl031 {
    /// A clock that shows `epoch` (seconds since 1970) at virtual time 0.
    pub fn new(epoch: u32) -> Pl031 {
        Pl031 {
            state: State {
                offset: epoch,
                ..State::default()
            },
        }
    }
}

impl State {
    fn count(&self, now: u64) -> u32 {
        self.offset.wrapping_add((now / SECOND) as u32)
    }
    /// MR or the count was set: the alarm comes when they are equal next, which may be now.
    fn set_alarm(&mut self, now: u64) {
        let seconds = self.mr.wrapping_sub(self.count(now)) as u64;
        if seconds == 0 {
            self.alarm = None;
            self.ris = true;
        } else {
            self.alarm = (now / SECOND + seconds).checked_mul(SECOND);
        }
    }
}

impl Save for Pl031 {
    fn save(&self, to: &mut Vec<u8>) {
        self.state.save(to);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.state.load(from)
    }
}

impl Device for Pl031 {
    fn name(&self) -> &'static str {
        "pl031"
    }
    fn read(&mut self, offset: u64, size: u8, ctx: DevCtx) -> Option<u64> {
        self.peek(offset, size, ctx).ok()
    }
    fn peek(&self, offset: u64, size: u8, ctx: DevCtx) -> Result<u64, Unseen> {
        let s = &self.state;
        Ok(regs::read(offset, size, |r| match r {
            0x00 => s.count(ctx.now),
            0x04 => s.mr,
            0x08 => s.lr,
            0x0c => 1, // CR: on, and cannot be turned off
            0x10 => s.imsc as u32,
            0x14 => s.ris as u32,
            0x18 => (s.ris && s.imsc) as u32,
            _ => regs::primecell(r, 0x0014_1031),
        }))
    }
    fn write(&mut self, offset: u64, size: u8, value: u64, ctx: DevCtx) -> Option<()> {
        let s = &mut self.state;
        regs::write(offset, size, value, |r, v| match r {
            0x04 => {
                s.mr = v;
                s.set_alarm(ctx.now);
            }
            0x08 => {
                s.lr = v;
                s.offset = s.offset.wrapping_add(v.wrapping_sub(s.count(ctx.now)));
                s.set_alarm(ctx.now);
            }
            0x10 => s.imsc = v & 1 != 0,
            0x1c => s.ris = false, // any value, as on QEMU's board (DDI 0224 wants bit 0 set)
            _ => {}
        });
        Some(())
    }
    fn irq(&self) -> bool {
        self.state.ris && self.state.imsc
    }
    fn deadline(&self) -> Option<u64> {
        self.state.alarm
    }
    fn event(&mut self, _now: u64) {
        self.state.alarm = None;
        self.state.ris = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: u64) -> DevCtx {
        DevCtx { now, cpu: 0 }
    }

    #[test]
    fn counts_seconds_of_virtual_time() {
        let mut d = Pl031::new(1_000_000);
        assert_eq!(d.read(0, 4, at(0)), Some(1_000_000));
        assert_eq!(d.read(0, 4, at(SECOND - 1)), Some(1_000_000));
        assert_eq!(d.read(0, 4, at(SECOND)), Some(1_000_001));
        d.write(8, 4, 5, at(10 * SECOND));
        assert_eq!(d.read(0, 4, at(12 * SECOND)), Some(7));
        assert_eq!(d.read(8, 4, at(12 * SECOND)), Some(5));
    }

    #[test]
    fn alarm_is_exact() {
        let mut d = Pl031::new(100);
        d.write(0x10, 4, 1, at(0));
        assert_eq!((d.deadline(), d.irq()), (None, false));
        d.write(4, 4, 103, at(SECOND / 2));
        assert_eq!(d.deadline(), Some(3 * SECOND));
        d.event(3 * SECOND);
        assert!(d.irq());
        d.write(0x1c, 4, 1, at(3 * SECOND));
        assert!(!d.irq());
        d.write(4, 4, 103, at(3 * SECOND));
        assert!(d.irq(), "equal now");
    }
}
