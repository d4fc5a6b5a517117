//! PL011 UART (Arm DDI 0183), the board's console.
//!
//! What is sent goes out at once, so the transmitter is always empty; what is typed waits here, until the guest listens (it has the
//! receive interrupts on, or polls: drivers empty the FIFO as they begin), and then fills the receive FIFO as the guest reads. As on QEMU's board, the RX interrupt comes with the first byte whatever IFLS says, and CR's enables are not asked:
//! guests too simple to program the UART print all the same.

use super::{Console, DevCtx, Device, Unseen};
use crate::dev::regs;
use crate::save::{Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::VecDeque;

// RIS, MIS, IMSC and ICR bits.
const RX: u32 = 1 << 4;
const TX: u32 = 1 << 5;
/// Receive timeout.
const RT: u32 = 1 << 6;
const INTERRUPTS: u32 = 0x7ff;
// FR bits.
const RXFE: u32 = 1 << 4;
const RXFF: u32 = 1 << 6;
const TXFE: u32 = 1 << 7;
const DR: u64 = 0x00;
const FR: u64 = 0x18;
const LCR_FEN: u32 = 1 << 4;
const CR_LOOPBACK: u32 = 1 << 7;
/// UARTCLK of the board, in Hz.
const CLOCK: u64 = 24_000_000;
/// IBRD when it was never set: 115200 baud.
const DEFAULT_IBRD: u64 = 13;

/// Reads of FR or DR in a row that find nothing, and nothing sent between them: the guest waits for input.
const POLLS: u32 = 16;

/// Nanoseconds of silence after which a guest is taken to wait for the next line of what is typed line by line.
const SILENCE: u64 = 1_000_000_000;

/// Everything that a snapshot keeps.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Typed and not yet read; the receive FIFO is its beginning.
    rx: VecDeque<u8>,
    /// Typed before the guest listened.
    held: Vec<u8>,
    /// What is held is typed line by line, each after a silence, unless the guest polls.
    paced: bool,
    /// When the silence is looked at next.
    due: Option<u64>,
    /// When the guest sent or took a byte last, or a line was typed.
    last: u64,
    /// How often the guest has polled in vain; [`POLLS`] at most.
    polls: u32,
    /// When the receive timeout comes.
    timeout: Option<u64>,
    ris: u32,
    imsc: u32,
    ilpr: u32,
    ibrd: u32,
    fbrd: u32,
    lcr_h: u32,
    cr: u32,
    ifls: u32,
    dmacr: u32,
}

impl Default for State {
    fn default() -> State {
        State {
            rx: VecDeque::new(),
            held: Vec::new(),
            paced: false,
            due: None,
            last: 0,
            polls: 0,
            timeout: None,
            ris: 0,
            imsc: 0,
            ilpr: 0,
            ibrd: 0,
            fbrd: 0,
            lcr_h: 0,
            cr: 0x300,
            ifls: 0x12,
            dmacr: 0,
        }
    }
}

/// The UART.
#[derive(Default)]
pub struct Pl011 {
    /// Guest-visible state.
    pub state: State,
    out: Vec<u8>,
}

impl State {
    /// Bytes that the receive FIFO holds.
    fn depth(&self) -> usize {
        if self.lcr_h & LCR_FEN != 0 {
            16
        } else {
            1
        }
    }
    /// FR; the modem lines are not connected.
    fn flags(&self) -> u32 {
        let empty = if self.rx.is_empty() { RXFE } else { 0 };
        let full = if self.rx.len() >= self.depth() {
            RXFF
        } else {
            0
        };
        TXFE | empty | full
    }
    /// Whether the guest would see what is typed.
    fn listens(&self) -> bool {
        self.imsc & (RX | RT) != 0 || self.polls >= POLLS
    }
    /// The guest looks for input: count it if there is none.
    fn polled(&mut self, now: u64) {
        if self.rx.is_empty() && self.polls < POLLS {
            self.polls += 1;
            self.give(now);
        }
    }
    /// Give the guest what was held, if it listens now; or begin to wait for a silence.
    fn give(&mut self, now: u64) {
        if !self.listens() || self.held.is_empty() {
            return;
        }
        if self.paced && self.polls < POLLS {
            self.due = self.due.or(Some(now.saturating_add(SILENCE)));
        } else {
            self.due = None;
            let held = std::mem::take(&mut self.held);
            self.receive(&held, now);
        }
    }
    /// The silence is looked at: after all of it a line is typed.
    fn look(&mut self, now: u64) {
        let quiet = self.last.saturating_add(SILENCE);
        self.due = None;
        if !self.listens() {
            return; // until it listens again
        }
        if quiet > now {
            self.due = Some(quiet);
            return;
        }
        let end = |b: &u8| *b == b'\n' || *b == b'\r';
        let line = self
            .held
            .iter()
            .position(end)
            .map_or(self.held.len(), |n| n + 1);
        let line: Vec<u8> = self.held.drain(..line).collect();
        self.receive(&line, now);
        self.last = now;
        self.give(now);
    }
    fn receive(&mut self, data: &[u8], now: u64) {
        if data.is_empty() {
            return;
        }
        let before = self.rx.len();
        self.rx.extend(data);
        if before < self.depth() {
            self.ris |= RX;
        }
        self.restart_timeout(now);
    }
    /// The receive timeout is 32 bit periods of silence with data in the FIFO.
    fn restart_timeout(&mut self, now: u64) {
        let divisor = match (self.ibrd as u64) << 6 | self.fbrd as u64 {
            0 => DEFAULT_IBRD << 6,
            d => d,
        };
        let bits = 32 * 16 * divisor * 1_000_000_000 / (64 * CLOCK);
        self.timeout = (!self.rx.is_empty()).then(|| now.saturating_add(bits));
    }
    /// A register other than DR; reading it has no effect.
    fn register(&self, r: u64) -> u32 {
        match r {
            FR => self.flags(),
            0x20 => self.ilpr,
            0x24 => self.ibrd,
            0x28 => self.fbrd,
            0x2c => self.lcr_h,
            0x30 => self.cr,
            0x34 => self.ifls,
            0x38 => self.imsc,
            0x3c => self.ris,
            0x40 => self.ris & self.imsc,
            0x48 => self.dmacr,
            _ => regs::primecell(r, 0x0014_1011),
        }
    }
    fn read_data(&mut self, now: u64) -> u32 {
        let waiting = self.rx.len();
        let Some(byte) = self.rx.pop_front() else {
            return 0;
        };
        self.last = now;
        if self.rx.is_empty() {
            self.ris &= !(RX | RT);
        } else if waiting > self.depth() {
            self.ris |= RX; // another byte moves into the FIFO
        }
        self.restart_timeout(now);
        byte as u32
    }
}

impl Save for Pl011 {
    fn save(&self, to: &mut Vec<u8>) {
        self.state.save(to);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.state.load(from)
    }
}

impl Device for Pl011 {
    fn name(&self) -> &'static str {
        "pl011"
    }
    fn read(&mut self, offset: u64, size: u8, ctx: DevCtx) -> Option<u64> {
        let s = &mut self.state;
        Some(regs::read(offset, size, |r| {
            if matches!(r, DR | FR) {
                s.polled(ctx.now);
            }
            match r {
                DR => s.read_data(ctx.now),
                _ => s.register(r),
            }
        }))
    }
    fn peek(&self, offset: u64, size: u8, _: DevCtx) -> Result<u64, Unseen> {
        if offset & !3 == DR {
            return Err(Unseen::Effect("UARTDR", "takes a character"));
        }
        Ok(regs::read(offset, size, |r| self.state.register(r)))
    }
    fn write(&mut self, offset: u64, size: u8, value: u64, ctx: DevCtx) -> Option<()> {
        let (s, out) = (&mut self.state, &mut self.out);
        regs::write(offset, size, value, |r, v| match r {
            DR => {
                s.ris |= TX;
                s.last = ctx.now;
                if s.polls < POLLS {
                    s.polls = 0;
                }
                if s.cr & CR_LOOPBACK != 0 {
                    // Bounded: what finds no room in the FIFO is lost, as on the wire.
                    if s.rx.len() < s.depth() {
                        s.receive(&[v as u8], ctx.now);
                    }
                } else {
                    out.push(v as u8);
                }
            }
            0x20 => s.ilpr = v & 0xff,
            0x24 => s.ibrd = v & 0xffff,
            0x28 => s.fbrd = v & 0x3f,
            0x2c => s.lcr_h = v & 0xff,
            0x30 => s.cr = v & 0xff87,
            0x34 => s.ifls = v & 0x3f,
            0x38 => {
                s.imsc = v & INTERRUPTS;
                s.give(ctx.now);
            }
            0x44 => s.ris &= !v,
            0x48 => s.dmacr = v & 7,
            _ => {}
        });
        Some(())
    }
    fn irq(&self) -> bool {
        self.state.ris & self.state.imsc != 0
    }
    fn deadline(&self) -> Option<u64> {
        [self.state.timeout, self.state.due]
            .into_iter()
            .flatten()
            .min()
    }
    fn event(&mut self, now: u64) {
        let s = &mut self.state;
        if s.timeout.is_some_and(|t| t <= now) {
            s.timeout = None;
            s.ris |= RT;
        }
        if s.due.is_some_and(|t| t <= now) {
            s.look(now);
        }
    }
    fn console(&mut self) -> Option<&mut dyn Console> {
        Some(self)
    }
}

impl Console for Pl011 {
    fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
    fn push_input(&mut self, data: &[u8], paced: bool, now: u64) {
        self.state.paced |= paced;
        self.state.held.extend(data);
        self.state.give(now);
    }
    fn listens(&self) -> bool {
        self.state.listens()
    }
    fn waiting(&self) -> usize {
        self.state.rx.len() + self.state.held.len()
    }
    fn take_waiting(&mut self) -> (Vec<u8>, bool) {
        let kept = self.state.depth().min(self.state.rx.len());
        let held = std::mem::take(&mut self.state.held);
        let waiting = self.state.rx.drain(kept..).chain(held).collect();
        (waiting, self.state.paced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CTX: DevCtx = DevCtx { now: 1000, cpu: 0 };

    fn rd(d: &mut Pl011, offset: u64) -> u64 {
        d.read(offset, 4, CTX).expect("a register")
    }
    fn wr(d: &mut Pl011, offset: u64, v: u64) {
        d.write(offset, 4, v, CTX).expect("a register");
    }

    #[test]
    fn sends_at_every_width() {
        let mut d = Pl011::default();
        for (size, byte) in [(1, b'a'), (2, b'b'), (4, b'c'), (8, b'd')] {
            d.write(0, size, byte as u64, CTX);
        }
        assert_eq!(d.take_output(), b"abcd");
        assert_eq!(rd(&mut d, 0x18), 0x90);
        assert_eq!(d.take_output(), b"");
    }

    #[test]
    fn tx_interrupt_until_cleared() {
        let mut d = Pl011::default();
        wr(&mut d, 0x38, TX as u64);
        assert!(!d.irq());
        wr(&mut d, 0, 0x41);
        assert!(d.irq());
        assert_eq!(rd(&mut d, 0x40), TX as u64);
        wr(&mut d, 0x44, TX as u64);
        assert!(!d.irq());
    }

    #[test]
    fn receives_more_than_the_fifo_holds() {
        let mut d = Pl011::default();
        wr(&mut d, 0x2c, LCR_FEN as u64);
        wr(&mut d, 0x38, RX as u64);
        d.push_input(&[7; 20], false, 1000);
        assert!(d.irq());
        wr(&mut d, 0x44, RX as u64);
        assert!(!d.irq());
        for left in (0..20).rev() {
            assert_eq!(rd(&mut d, 0x18) & RXFF as u64 != 0, left + 1 >= 16);
            assert_eq!(rd(&mut d, 0), 7);
            assert_eq!(d.irq(), (4..20).contains(&left) || left > 0, "{left}");
        }
        assert_eq!(rd(&mut d, 0x18), 0x90);
        assert_eq!(rd(&mut d, 0), 0);
    }

    #[test]
    fn what_is_typed_waits_until_the_guest_listens() {
        let mut d = Pl011::default();
        d.push_input(b"ab", false, 1000);
        for _ in 1..POLLS {
            assert_eq!(rd(&mut d, 0x18), 0x90);
        }
        wr(&mut d, 0, 0x41); // it was about the transmitter
        for _ in 1..POLLS {
            assert_eq!((rd(&mut d, 0x18), d.listens()), (0x90, false));
        }
        assert_eq!((rd(&mut d, 0x18) & RXFE as u64, d.listens()), (0, true));
        assert_eq!(rd(&mut d, 0), 0x61);
        let mut d = Pl011::default();
        d.push_input(b"ab", false, 1000);
        assert_eq!(
            rd(&mut d, 0),
            0,
            "a driver that empties the FIFO before it begins"
        );
        wr(&mut d, 0x38, RT as u64);
        assert_eq!((rd(&mut d, 0), rd(&mut d, 0)), (0x61, 0x62));
    }

    #[test]
    fn line_by_line_after_a_silence() {
        let mut d = Pl011::default();
        d.push_input(b"a\nbc\n", true, 1000);
        assert_eq!(d.deadline(), None, "nobody listens");
        wr(&mut d, 0x38, RX as u64);
        assert_eq!(d.deadline(), Some(1000 + SILENCE));
        let send = |d: &mut Pl011, now| d.write(0, 4, 0x41, DevCtx { now, cpu: 0 });
        send(&mut d, SILENCE);
        d.event(1000 + SILENCE);
        assert_eq!(
            (d.irq(), d.deadline()),
            (false, Some(2 * SILENCE)),
            "it spoke meanwhile"
        );
        d.event(2 * SILENCE);
        assert!(d.irq());
        assert_eq!([rd(&mut d, 0), rd(&mut d, 0), rd(&mut d, 0)], [0x61, 10, 0]);
        assert_eq!(d.deadline(), Some(3 * SILENCE));
        d.event(3 * SILENCE);
        assert_eq!(
            [rd(&mut d, 0), rd(&mut d, 0), rd(&mut d, 0)],
            [0x62, 0x63, 10]
        );
        assert_eq!(d.deadline(), None);
    }

    #[test]
    fn receive_timeout() {
        let mut d = Pl011::default();
        wr(&mut d, 0x24, 13);
        wr(&mut d, 0x38, RT as u64);
        assert_eq!(d.deadline(), None);
        d.push_input(b"x", false, 1000);
        let at = d.deadline().expect("a byte waits");
        assert_eq!(at, 1000 + 32 * 16 * 13 * 1000 / 24);
        assert!(!d.irq());
        d.event(at);
        assert!(d.irq() && d.deadline().is_none());
        rd(&mut d, 0);
        assert!(!d.irq());
    }

    #[test]
    fn identifies_itself() {
        let mut d = Pl011::default();
        let ids: Vec<u64> = (0..8).map(|n| rd(&mut d, 0xfe0 + 4 * n)).collect();
        assert_eq!(ids, [0x11, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1]);
        assert_eq!(d.read(0xfe5, 1, CTX), Some(0), "lane 1 of PeriphID1");
    }
}
