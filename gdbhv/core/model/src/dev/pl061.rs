//! PL061 GPIO (Arm DDI 0190): eight pins, of which nothing is connected here; inputs are pulled down.

use super::{DevCtx, Device, Unseen};
use crate::dev::regs;

/// Everything that a snapshot keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Last written to the data register.
    out: u8,
    /// 1: the pin is an output.
    dir: u8,
    /// 1: the interrupt is level-sensitive.
    is: u8,
    ibe: u8,
    /// 1: rising edge or high level.
    iev: u8,
    ie: u8,
    afsel: u8,
}

/// The GPIO block.
#[derive(Default)]
pub struct Pl061 {
    /// Guest-visible state.
    pub state: State,
}

impl State {
    /// Levels of the pins: what is driven, zero for inputs.
    fn pins(&self) -> u8 {
        self.out & self.dir
    }
    /// RIS. Inputs never change, so there are no edges to latch; a level-sensitive pin interrupts while it has the level.
    fn ris(&self) -> u8 {
        self.is & !(self.pins() ^ self.iev)
    }
}

impl Device for Pl061 {
    fn name(&self) -> &'static str {
        "pl061"
    }
    fn read(&mut self, offset: u64, size: u8, ctx: DevCtx) -> Option<u64> {
        self.peek(offset, size, ctx).ok()
    }
    fn peek(&self, offset: u64, size: u8, _: DevCtx) -> Result<u64, Unseen> {
        let s = &self.state;
        Ok(regs::read(offset, size, |r| match r {
            // Address bits 9:2 select the pins.
            0x000..=0x3ff => (s.pins() & (r >> 2) as u8) as u32,
            0x400 => s.dir as u32,
            0x404 => s.is as u32,
            0x408 => s.ibe as u32,
            0x40c => s.iev as u32,
            0x410 => s.ie as u32,
            0x414 => s.ris() as u32,
            0x418 => (s.ris() & s.ie) as u32,
            0x420 => s.afsel as u32,
            _ => regs::primecell(r, 0x0004_1061),
        }))
    }
    fn write(&mut self, offset: u64, size: u8, value: u64, _: DevCtx) -> Option<()> {
        let s = &mut self.state;
        regs::write(offset, size, value, |r, v| {
            let v = v as u8;
            match r {
                0x000..=0x3ff => {
                    let mask = (r >> 2) as u8 & s.dir;
                    s.out = s.out & !mask | v & mask;
                }
                0x400 => s.dir = v,
                0x404 => s.is = v,
                0x408 => s.ibe = v,
                0x40c => s.iev = v,
                0x410 => s.ie = v,
                0x420 => s.afsel = v,
                _ => {}
            }
        });
        Some(())
    }
    fn irq(&self) -> bool {
        self.state.ris() & self.state.ie != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CTX: DevCtx = DevCtx { now: 0, cpu: 0 };

    #[test]
    fn the_address_selects_the_pins() {
        let mut d = Pl061::default();
        d.write(0x400, 1, 0x0f, CTX);
        d.write(0x3fc, 1, 0xff, CTX);
        assert_eq!(d.read(0x3fc, 1, CTX), Some(0x0f), "outputs only");
        d.write(0x05 << 2, 4, 0, CTX);
        assert_eq!(d.read(0x3fc, 4, CTX), Some(0x0a));
        assert_eq!(d.read(0x02 << 2, 4, CTX), Some(0x02));
    }

    #[test]
    fn low_level_interrupts() {
        let mut d = Pl061::default();
        d.write(0x404, 1, 0x08, CTX);
        d.write(0x410, 1, 0x08, CTX);
        assert!(d.irq(), "pin 3 is low");
        assert_eq!(d.read(0x418, 1, CTX), Some(8));
        d.write(0x40c, 1, 0x08, CTX);
        assert!(!d.irq());
    }
}
