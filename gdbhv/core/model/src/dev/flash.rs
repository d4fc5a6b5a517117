//! NOR flash with Intel's command set: two banks of 64 MiB, each of two 16-bit chips side by side, so that a word of 32 bits has the same
//! in both halves (Common Flash Interface, JESD68; commands: Intel StrataFlash J3 datasheet, "Command Definitions").
//!
//! The cells are the machine's memory ([`Ram`](crate::mem::ram::Ram) keeps them): while a bank is in array mode it is memory to loads,
//! and only stores come here. In the other modes loads come here too. A command is the low byte of the value written.
//!
//! | command | then | |
//! | --- | --- | --- |
//! | ff | | array mode |
//! | 70, 90, 98 | | loads give status, identifiers, the CFI table |
//! | 50 | | clears the errors in the status |
//! | 10, 40 | the word | programs it: bits can only be cleared |
//! | 20 | d0 | erases the block: all bits set |
//! | e8 | count less 1, the words, d0 | programs them all |
//! | 60 | 01, d0 | locks: taken, without effect |
//!
//! All commands complete at once: erasing or programming never delays a read, and there is no suspend.

use super::{DevCtx, Device, Unseen};
use crate::bits::ones;
use crate::dev::regs;
use crate::mem::ram::BANK;
use crate::mem::Memory;
use crate::save::{Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};

/// Bytes of a block: 128 KiB in each chip.
pub const BLOCK: u64 = 0x4_0000;
/// Most words of a buffered program, as in the CFI table.
const MOST_WORDS: u32 = 1024;

/// Bits of the status.
mod status {
    /// The chip has completed its command.
    pub const READY: u8 = 1 << 7;
    /// An invalid sequence of commands.
    pub const BAD: u8 = 1 << 5 | 1 << 4;
}

/// Manufacturer and device, as on QEMU's board.
const IDENTIFIERS: [u32; 2] = [0x89, 0x18];

/// From 0x10: "QRY", Intel's extended commands, their table at 0x31; voltages; times; the geometry: 2^25 bytes in a chip, x8 and x16,
/// buffers of 2^11 bytes, one region of 256 blocks of 512 times 256 bytes; then "PRI", version 1.0, one field of protection bits.
#[rustfmt::skip]
const TABLE: [u8; 48] = [
    b'Q', b'R', b'Y', 1, 0, 0x31, 0, 0, 0, 0, 0, 0x45, 0x55, 0, 0, 7,
    7, 10, 0, 4, 4, 4, 0, 25, 2, 0, 11, 0, 1, 0xff, 0, 0,
    2, b'P', b'R', b'I', b'1', b'0', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
];

/// What a bank's loads give.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Array,
    Status,
    Identifiers,
    Query,
}

/// The meaning of the next write to a bank.
#[derive(BorshSerialize, BorshDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Command,
    /// What to program.
    Word,
    /// The confirmation of an erasure.
    Erase,
    /// What to do to a lock.
    Lock,
    /// How many words there will be.
    Count,
    /// One of so many words that are to come for the block at this offset.
    Words(u64, u32),
    /// The confirmation of a buffered program.
    Confirm,
}

/// One bank.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
struct Bank {
    mode: Mode,
    next: Next,
    /// Error bits of the status.
    errors: u8,
    /// The data to be programmed once confirmed: offset in the bank, bytes.
    buffer: Vec<(u64, Vec<u8>)>,
}

/// Something to be done to the cells; addresses are from the start of the first bank.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
enum Work {
    Program(u64, Vec<u8>),
    Erase(u64),
}

/// Everything that a snapshot keeps, but the cells, which are memory.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct State {
    banks: [Bank; 2],
    work: Vec<Work>,
    /// The mode of a bank has changed.
    changed: bool,
}

/// Both banks.
pub struct Flash {
    /// Guest-visible state.
    pub state: State,
}

impl Default for Flash {
    fn default() -> Flash {
        let bank = || Bank {
            mode: Mode::Array,
            next: Next::Command,
            errors: 0,
            buffer: Vec::new(),
        };
        let state = State {
            banks: [bank(), bank()],
            work: Vec::new(),
            changed: false,
        };
        Flash { state }
    }
}

impl Bank {
    /// The value of the word at `offset`, in both halves. (In array mode loads do not come here, unless there are no cells.)
    fn word(&self, offset: u64) -> u32 {
        let index = (offset / 4) as usize;
        let half = match self.mode {
            Mode::Array => 0,
            Mode::Status => (status::READY | self.errors) as u32,
            Mode::Identifiers => IDENTIFIERS.get(index & 0xff).copied().unwrap_or(0),
            Mode::Query => {
                let row = index.checked_sub(0x10).and_then(|i| TABLE.get(i));
                row.map_or(0, |byte| *byte as u32)
            }
        };
        half | half << 16
    }
    fn write(&mut self, base: u64, offset: u64, bytes: &[u8], work: &mut Vec<Work>) {
        let low = bytes[0];
        let next = std::mem::replace(&mut self.next, Next::Command);
        match next {
            Next::Command => self.command(low),
            Next::Word => work.push(Work::Program(base + offset, bytes.to_vec())),
            Next::Erase if low == 0xd0 => work.push(Work::Erase(base + offset / BLOCK * BLOCK)),
            Next::Lock if matches!(low, 0x01 | 0xd0) => {}
            Next::Count => {
                let less_one = low as u32 | (*bytes.get(1).unwrap_or(&0) as u32) << 8;
                if less_one < MOST_WORDS {
                    self.next = Next::Words(offset / BLOCK, less_one + 1);
                } else {
                    self.bad();
                }
            }
            Next::Words(block, _) if offset / BLOCK != block => self.bad(),
            Next::Words(block, left) => {
                self.buffer.push((offset, bytes.to_vec()));
                self.next = match left {
                    1 => Next::Confirm,
                    _ => Next::Words(block, left - 1),
                };
            }
            Next::Confirm if low == 0xd0 => {
                let parts = std::mem::take(&mut self.buffer).into_iter();
                work.extend(parts.map(|(at, bytes)| Work::Program(base + at, bytes)));
            }
            Next::Erase | Next::Lock | Next::Confirm => self.bad(),
        }
    }
    /// The first write of a sequence.
    fn command(&mut self, command: u8) {
        self.buffer.clear();
        (self.mode, self.next) = match command {
            0x70 => (Mode::Status, Next::Command),
            0x90 => (Mode::Identifiers, Next::Command),
            0x98 => (Mode::Query, Next::Command),
            0x10 | 0x40 => (Mode::Status, Next::Word),
            0x20 => (Mode::Status, Next::Erase),
            0x60 => (Mode::Status, Next::Lock),
            0xe8 => (Mode::Status, Next::Count),
            0x50 => {
                self.errors = 0;
                (self.mode, Next::Command)
            }
            _ => (Mode::Array, Next::Command), // ff, and what probes for other makers' chips
        };
    }
    fn bad(&mut self) {
        self.errors |= status::BAD;
        self.buffer.clear();
    }
}

impl Save for Flash {
    fn save(&self, to: &mut Vec<u8>) {
        self.state.save(to);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.state.load(from)
    }
}

impl Device for Flash {
    fn name(&self) -> &'static str {
        "flash"
    }
    fn read(&mut self, offset: u64, size: u8, ctx: DevCtx) -> Option<u64> {
        self.peek(offset, size, ctx).ok()
    }
    fn peek(&self, offset: u64, size: u8, _: DevCtx) -> Result<u64, Unseen> {
        let bank = &self.state.banks[(offset / BANK) as usize];
        Ok(regs::read(offset % BANK, size, |at| bank.word(at)))
    }
    fn write(&mut self, offset: u64, size: u8, value: u64, _: DevCtx) -> Option<()> {
        let State {
            banks,
            work,
            changed,
        } = &mut self.state;
        let bank = &mut banks[(offset / BANK) as usize];
        let (base, at, before) = (offset / BANK * BANK, offset % BANK, bank.mode);
        let bytes = (value & ones(size as u32 * 8)).to_le_bytes();
        for (part, bytes) in (at..).step_by(4).zip(bytes[..size as usize].chunks(4)) {
            bank.write(base, part, bytes, work);
        }
        *changed |= before != bank.mode;
        Some(())
    }
    fn has_work(&self) -> bool {
        self.state.changed || !self.state.work.is_empty()
    }
    fn service(&mut self, mem: &mut dyn Memory) {
        self.state.changed = false;
        let work = std::mem::take(&mut self.state.work);
        let Some(cells) = mem.cells() else { return };
        for (n, bank) in self.state.banks.iter().enumerate() {
            cells.show(n, bank.mode == Mode::Array);
        }
        for step in work {
            match step {
                Work::Program(at, bytes) => cells.clear_bits(at, &bytes),
                Work::Erase(at) => cells.set_bits(at, BLOCK),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::ram::Ram;

    const CTX: DevCtx = DevCtx { now: 0, cpu: 0 };

    struct Board(Flash, Ram);

    impl Board {
        fn new() -> Board {
            Board(Flash::default(), Ram::with_flash(0x4000_0000, 0x1000))
        }
        fn write(&mut self, at: u64, size: u8, value: u64) {
            self.0.write(at, size, value, CTX).expect("both banks");
            if self.0.has_work() {
                self.0.service(&mut self.1);
            }
        }
        fn read(&mut self, at: u64) -> u64 {
            let cells = self.1.load(at, 4);
            cells.unwrap_or_else(|| self.0.read(at, 4, CTX).expect("both banks"))
        }
    }

    #[test]
    fn modes() {
        let mut b = Board::new();
        for (command, at, value) in [
            (0x98, 0x40, 0x51_0051),
            (0x98, 0x9c, 0x19_0019),
            (0x90, 0, 0x89_0089),
            (0x90, 4, 0x18_0018),
            (0x70, 0x1234, 0x80_0080),
            (0xff, 0x40, 0),
        ] {
            b.write(0, 4, command);
            assert_eq!(b.read(at), value, "{command:#x} {at:#x}");
            assert_eq!(b.read(BANK + at), 0, "the other bank is another device");
        }
    }

    #[test]
    fn bits_are_cleared_by_programs_and_set_by_erasure_alone() {
        let mut b = Board::new();
        b.write(BLOCK + 0x1000, 4, 0x20);
        b.write(BLOCK + 0x1000, 4, 0xd0);
        assert_eq!(b.read(BLOCK), 0x80_0080);
        for value in [0xff00_ffff, 0x1234_5678] {
            b.write(BLOCK + 8, 4, 0x40);
            b.write(BLOCK + 8, 4, value);
        }
        b.write(0, 1, 0xff);
        assert_eq!(b.read(BLOCK + 8), 0x1200_5678);
        assert_eq!((b.read(BLOCK - 4), b.read(BLOCK)), (0, 0xffff_ffff));
        assert_eq!(b.read(2 * BLOCK - 4), 0xffff_ffff);
        assert_eq!(b.read(2 * BLOCK), 0);
    }

    #[test]
    fn a_buffer_is_programmed_when_it_is_confirmed() {
        let mut b = Board::new();
        b.write(BANK, 4, 0x20);
        b.write(BANK, 4, 0xd0);
        let fill = |b: &mut Board, confirm: u64| {
            b.write(BANK, 4, 0xe8);
            b.write(BANK, 4, 0x0002_0002);
            b.write(BANK + 0x10, 8, 0x2222_2222_1111_1111);
            b.write(BANK + 0x1c, 4, 0x3333_3333);
            b.write(BANK, 4, confirm);
        };
        fill(&mut b, 0xff);
        assert_eq!(b.read(BANK), 0xb0_00b0, "a bad sequence");
        b.write(BANK, 4, 0x50);
        assert_eq!(b.read(BANK), 0x80_0080, "cleared");
        b.write(BANK, 4, 0xff);
        assert_eq!(b.read(BANK + 0x10), 0xffff_ffff);
        fill(&mut b, 0xd0);
        b.write(BANK, 4, 0xff);
        let words = [0x10, 0x14, 0x18, 0x1c].map(|at| b.read(BANK + at));
        assert_eq!(words, [0x1111_1111, 0x2222_2222, 0xffff_ffff, 0x3333_3333]);
    }

    #[test]
    fn loads_that_know_the_cells_look_again_when_they_are_hidden() {
        let mut b = Board::new();
        b.write(0, 4, 0xff);
        assert!(!b.1.take_hiding());
        b.write(0, 4, 0x70);
        assert!(b.1.take_hiding() && !b.1.take_hiding());
        b.write(0, 4, 0x98);
        assert!(!b.1.take_hiding(), "they were hidden");
    }
}
