//! PL061 GPIO (Arm DDI 0190): eight pins, pulled down; pin 3 is the power button, as on QEMU's `virt`.

use super::{DevCtx, Device, Unseen};
use crate::dev::regs;
use crate::save::{Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};

/// The pin of the power button, which is high while it is pressed.
pub const POWER_BUTTON: u32 = 3;
/// How long it is pressed, in virtual nanoseconds: 100 ms, as on QEMU's board.
const PRESSED: u64 = 100_000_000;

/// Everything that a snapshot keeps.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
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
    /// Levels from outside.
    input: u8,
    /// Edges that were seen on inputs, until GPIOIC clears them.
    edges: u8,
    /// When the power button is released.
    released: Option<u64>,
}

/// The GPIO block.
#[derive(Default)]
pub struct Pl061 {
    /// Guest-visible state.
    pub state: State,
}

impl State {
    /// Levels of the pins: of outputs the driven level, of inputs the level from outside.
    fn pins(&self) -> u8 {
        self.out & self.dir | self.input & !self.dir
    }
    /// RIS: edges that were seen; a level-sensitive pin interrupts while it has the level.
    fn ris(&self) -> u8 {
        self.edges & !self.is | self.is & !(self.pins() ^ self.iev)
    }
    /// A level from outside.
    fn drive(&mut self, pin: u32, high: bool) {
        let was = self.pins();
        self.input = self.input & !(1 << pin) | (high as u8) << pin;
        let changed = was ^ self.pins();
        self.edges |= changed & !self.is & (self.ibe | !(self.pins() ^ self.iev));
    }
}

impl Pl061 {
    /// Press the power button at virtual time `now`; it is released after 100 ms.
    pub fn press_power_button(&mut self, now: u64) {
        self.state.drive(POWER_BUTTON, true);
        self.state.released = Some(now.saturating_add(PRESSED));
    }
}

impl Save for Pl061 {
    fn save(&self, to: &mut Vec<u8>) {
        self.state.save(to);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.state.load(from)
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
                0x41c => s.edges &= !v, // GPIOIC
                0x420 => s.afsel = v,
                _ => {}
            }
        });
        Some(())
    }
    fn irq(&self) -> bool {
        self.state.ris() & self.state.ie != 0
    }
    fn deadline(&self) -> Option<u64> {
        self.state.released
    }
    fn event(&mut self, _: u64) {
        self.state.released = None;
        self.state.drive(POWER_BUTTON, false);
    }
    fn gpio(&mut self) -> Option<&mut Pl061> {
        Some(self)
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

    /// GPIOIS, GPIOIBE, GPIOIEV; RIS while the button is pressed, after GPIOIC, and once it is released.
    const PRESSES: &[(u8, u8, u8, [u64; 3])] = &[
        (0, 0, 8, [8, 0, 0]), // rising edge
        (0, 0, 0, [0, 0, 8]), // falling edge
        (0, 8, 0, [8, 0, 8]), // both
        (8, 0, 8, [8, 8, 0]), // high level
        (8, 8, 0, [0, 0, 8]), // low level
    ];

    #[test]
    fn a_press_of_the_power_button() {
        for &(is, ibe, iev, expected) in PRESSES {
            let mut d = Pl061::default();
            for (offset, value) in [(0x404, is), (0x408, ibe), (0x40c, iev), (0x410, 8)] {
                d.write(offset, 1, value as u64, CTX);
            }
            d.press_power_button(5);
            assert_eq!(d.read(0x3fc, 1, CTX), Some(8));
            let pressed = d.read(0x414, 1, CTX);
            assert_eq!(d.irq(), expected[0] != 0);
            d.write(0x41c, 1, 8, CTX);
            let cleared = d.read(0x414, 1, CTX);
            assert_eq!(d.deadline(), Some(5 + PRESSED));
            d.event(5 + PRESSED);
            assert_eq!((d.deadline(), d.read(0x3fc, 1, CTX)), (None, Some(0)));
            let seen = [pressed, cleared, d.read(0x414, 1, CTX)].map(|v| v.expect("there"));
            assert_eq!(seen, expected, "{is} {ibe} {iev}");
        }
    }

    #[test]
    fn an_output_is_not_the_button() {
        let mut d = Pl061::default();
        d.write(0x400, 1, 8, CTX);
        d.write(0x40c, 1, 8, CTX);
        d.press_power_button(0);
        assert_eq!(
            (d.read(0x3fc, 1, CTX), d.read(0x414, 1, CTX)),
            (Some(0), Some(0))
        );
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
