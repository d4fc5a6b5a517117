//! QEMU's firmware configuration device (QEMU's specification "QEMU Firmware Configuration (fw_cfg) Device"): items of bytes by a 16-bit key,
//! read through a data register or by DMA, and a directory of those that have a name.
//!
//! | offset | register | |
//! | --- | --- | --- |
//! | 0x00 | data, 1 to 8 bytes | the next bytes of the item that is selected, zeros behind its end |
//! | 0x08 | selector, 2 bytes, big-endian | begins an item |
//! | 0x10 | DMA, 8 bytes, big-endian | where a command is; writing the low half starts it. Reads "QEMU CFG" |
//!
//! A command in memory, big-endian: control (4 bytes), length (4), address (8). Items are read-only here.

use crate::save::{Save, Unfit};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

use super::{DevCtx, Device, Unseen};
use crate::bits::ones;
use crate::mem::Memory;

const DATA: u64 = 0x00;
const SELECTOR: u64 = 0x08;
const DMA: u64 = 0x10;
const DMA_LOW: u64 = 0x14;
/// The value of the DMA register: "QEMU CFG".
const DMA_SIGNATURE: u64 = 0x5145_4d55_2043_4647;

/// Keys of items without a name.
pub mod key {
    /// "QEMU".
    pub const SIGNATURE: u16 = 0x00;
    /// Which interfaces there are: bit 0 the registers, bit 1 DMA.
    pub const ID: u16 = 0x01;
    /// The machine's UUID.
    pub const UUID: u16 = 0x02;
    /// Whether the console is a serial one.
    pub const NOGRAPHIC: u16 = 0x04;
    /// CPUs.
    pub const CPUS: u16 = 0x05;
    /// Whether to ask what to boot.
    pub const BOOT_MENU: u16 = 0x0e;
    /// The directory: count, then size, key, 0 and name of each; big-endian.
    pub const DIRECTORY: u16 = 0x19;
    /// The first item that has a name.
    pub const FIRST_FILE: u16 = 0x20;
}

/// Control bits of a command.
mod control {
    pub const ERROR: u32 = 1;
    pub const READ: u32 = 1 << 1;
    pub const SKIP: u32 = 1 << 2;
    /// Begin the item in the upper half first.
    pub const SELECT: u32 = 1 << 3;
    pub const WRITE: u32 = 1 << 4;
}

/// Bytes of a command.
const COMMAND: u64 = 16;
/// Bytes of a name in the directory, with the zero behind it.
const NAME: usize = 56;
/// Bytes that move at a time.
const PIECE: u64 = 1 << 16;

/// Everything that a snapshot keeps.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The item that is read.
    selected: u16,
    /// Its next byte.
    offset: u64,
    /// The upper half of a command's address.
    high: u32,
    /// A command that waits to be carried out.
    command: Option<u64>,
}

/// The device and its items.
pub struct FwCfg {
    /// Guest-visible state.
    pub state: State,
    /// The items, which belong to the configuration: a reset does not change them.
    pub told: Told,
}

/// The items that can be read.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    items: BTreeMap<u16, Vec<u8>>,
    /// By name; their keys count from [`key::FIRST_FILE`] in this order.
    files: BTreeMap<String, Vec<u8>>,
}

/// A name that the directory cannot have: empty, too long, or with a zero in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadName;

impl FwCfg {
    /// The items that every board has.
    pub fn new(cpus: usize) -> FwCfg {
        let mut d = FwCfg {
            state: State::default(),
            told: Told::default(),
        };
        d.set_item(key::SIGNATURE, b"QEMU".to_vec());
        d.set_item(key::ID, vec![3, 0, 0, 0]);
        d.set_item(key::UUID, vec![0; 16]);
        d.set_item(key::NOGRAPHIC, vec![1, 0]);
        d.set_item(key::CPUS, vec![cpus as u8, 0]);
        d.set_item(key::BOOT_MENU, vec![0, 0]);
        d.set_item(key::DIRECTORY, vec![0; 4]);
        d
    }
    /// Give an item by its key.
    pub fn set_item(&mut self, key: u16, data: Vec<u8>) {
        self.told.items.insert(key, data);
    }
    /// Give an item by its name, which the directory then lists (in the order of names).
    ///
    /// # Errors
    /// The directory cannot have the name.
    pub fn set_file(&mut self, name: &str, data: Vec<u8>) -> Result<(), BadName> {
        if name.is_empty() || name.len() >= NAME || name.contains('\0') {
            return Err(BadName);
        }
        self.told.files.insert(name.to_string(), data);
        let mut directory = (self.told.files.len() as u32).to_be_bytes().to_vec();
        for (key, (name, data)) in (key::FIRST_FILE..).zip(&self.told.files) {
            directory.extend((data.len() as u32).to_be_bytes());
            directory.extend(key.to_be_bytes());
            directory.extend([0; 2]);
            directory.extend(name.bytes().chain(std::iter::repeat(0)).take(NAME));
        }
        self.set_item(key::DIRECTORY, directory);
        Ok(())
    }

    fn select(&mut self, key: u16) {
        self.state.selected = key;
        self.state.offset = 0;
    }
    /// The selected item; None if it does not exist, which reads as zeros.
    fn item(&self) -> Option<&[u8]> {
        let key = self.state.selected;
        let file = || {
            let n = key.checked_sub(key::FIRST_FILE)?;
            self.told.files.values().nth(n as usize)
        };
        self.told.items.get(&key).or_else(file).map(|v| &v[..])
    }
    /// Fill `to` with the next bytes; zeros behind the end.
    fn next(&mut self, to: &mut [u8]) {
        to.fill(0);
        let offset = self.state.offset;
        if let Some(rest) = self.item().and_then(|v| v.get(offset as usize..)) {
            let n = rest.len().min(to.len());
            to[..n].copy_from_slice(&rest[..n]);
        }
        self.state.offset = offset.saturating_add(to.len() as u64);
    }
    /// Carry out the command at `at`; the result is in its control word.
    fn run(&mut self, at: u64, mem: &mut dyn Memory) {
        let mut command = [0; COMMAND as usize];
        let result = match mem.read_bytes(at, &mut command) {
            Some(()) => self.transfer(&command, mem).map_or(control::ERROR, |()| 0),
            None => control::ERROR,
        };
        // Without memory there, the result is lost.
        let _ = mem.write_bytes(at, &result.to_be_bytes());
    }
    fn transfer(&mut self, command: &[u8; COMMAND as usize], mem: &mut dyn Memory) -> Option<()> {
        let word = |at: usize| u32::from_be_bytes(std::array::from_fn(|n| command[at + n]));
        let (control, length) = (word(0), word(4) as u64);
        let to = (word(8) as u64) << 32 | word(12) as u64;
        if control & control::SELECT != 0 {
            self.select((control >> 16) as u16);
        }
        if control & control::READ != 0 {
            let mut piece = [0; PIECE as usize];
            let mut done = 0;
            while done < length {
                let n = (length - done).min(PIECE);
                self.next(&mut piece[..n as usize]);
                mem.write_bytes(to.checked_add(done)?, &piece[..n as usize])?;
                done += n;
            }
        } else if control & control::WRITE != 0 {
            return None;
        } else if control & control::SKIP != 0 {
            self.state.offset = self.state.offset.saturating_add(length);
        }
        Some(())
    }
}

impl Save for FwCfg {
    fn save(&self, to: &mut Vec<u8>) {
        self.state.save(to);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        self.state.load(from)
    }
}

impl Device for FwCfg {
    fn name(&self) -> &'static str {
        "fw-cfg"
    }
    fn read(&mut self, offset: u64, size: u8, ctx: DevCtx) -> Option<u64> {
        if offset == DATA {
            let mut bytes = [0; 8];
            self.next(&mut bytes[..size as usize]);
            return Some(u64::from_le_bytes(bytes));
        }
        self.peek(offset, size, ctx).ok()
    }
    fn peek(&self, offset: u64, size: u8, _: DevCtx) -> Result<u64, Unseen> {
        Ok(match offset {
            DATA => return Err(Unseen::Effect("the data register", "takes the next bytes")),
            DMA..=0x17 => {
                let from = DMA_SIGNATURE.swap_bytes() >> ((offset - DMA) * 8);
                from & ones(size as u32 * 8)
            }
            _ => 0,
        })
    }
    fn write(&mut self, offset: u64, size: u8, value: u64, _: DevCtx) -> Option<()> {
        match (offset, size) {
            (SELECTOR, 2) => self.select((value as u16).swap_bytes()),
            (DMA, 4) => self.state.high = (value as u32).swap_bytes(),
            (DMA_LOW, 4) => {
                let low = (value as u32).swap_bytes();
                self.state.command = Some((self.state.high as u64) << 32 | low as u64);
                self.state.high = 0;
            }
            (DMA, 8) => self.state.command = Some(value.swap_bytes()),
            _ => {}
        }
        Some(())
    }
    fn has_work(&self) -> bool {
        self.state.command.is_some()
    }
    fn service(&mut self, mem: &mut dyn Memory) {
        if let Some(at) = self.state.command.take() {
            self.run(at, mem);
        }
    }
    fn fw_cfg(&mut self) -> Option<&mut FwCfg> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::ram::Ram;
    use crate::random_tests::random;

    const CTX: DevCtx = DevCtx { now: 0, cpu: 0 };
    const RAM: u64 = 0x4000_0000;

    fn device() -> FwCfg {
        let mut d = FwCfg::new(2);
        d.set_file("opt/b", b"second".to_vec()).expect("a name");
        d.set_file("opt/a", b"first".to_vec()).expect("a name");
        d
    }
    fn command(d: &mut FwCfg, ram: &mut Ram, control: u32, length: u32, to: u64) -> u32 {
        let bytes = [&control.to_be_bytes()[..], &length.to_be_bytes()].concat();
        let at = RAM + 0x100;
        ram.write_bytes(at, &[&bytes[..], &to.to_be_bytes()].concat());
        d.write(DMA, 4, ((at >> 32) as u32).swap_bytes() as u64, CTX);
        assert!(!d.has_work(), "the low half starts it");
        d.write(DMA_LOW, 4, (at as u32).swap_bytes() as u64, CTX);
        d.service(ram);
        u32::from_be_bytes(ram.get(at, 4).expect("RAM").try_into().expect("4"))
    }

    #[test]
    fn the_data_register_keeps_the_order_of_bytes() {
        let mut d = device();
        assert_eq!(
            d.read(DATA, 4, CTX),
            Some(u32::from_le_bytes(*b"QEMU") as u64)
        );
        assert_eq!(d.read(DATA, 4, CTX), Some(0), "behind the end");
        d.write(SELECTOR, 2, 0x0500, CTX);
        assert_eq!(d.read(DATA, 1, CTX), Some(2), "CPUs");
        assert_eq!(
            d.read(DMA, 8, CTX),
            Some(u64::from_le_bytes(*b"QEMU CFG")),
            "DMA"
        );
    }

    #[test]
    fn the_directory_is_in_order_of_names() {
        let mut d = device();
        d.write(SELECTOR, 2, 0x1900, CTX);
        let mut all = [0; 4 + 2 * 64];
        d.next(&mut all);
        assert_eq!(all[..12], [0, 0, 0, 2, 0, 0, 0, 5, 0, 0x20, 0, 0]);
        assert_eq!(all[12..18], *b"opt/a\0");
        assert_eq!(all[76..82], *b"opt/b\0");
        d.select(0x21);
        assert_eq!(d.item(), Some(&b"second"[..]));
        let long = "n".repeat(NAME);
        assert_eq!(d.set_file(&long, vec![]), Err(BadName));
    }

    #[test]
    fn commands() {
        let (mut d, mut ram) = (device(), Ram::new(RAM, 0x1000));
        assert_eq!(command(&mut d, &mut ram, 0x0020_000a, 3, RAM), 0);
        assert_eq!(ram.get(RAM, 4), Some(&b"fir\0"[..]));
        assert_eq!(command(&mut d, &mut ram, control::SKIP, 1, 0), 0);
        assert_eq!(command(&mut d, &mut ram, control::READ, 3, RAM), 0);
        assert_eq!(ram.get(RAM, 3), Some(&b"t\0\0"[..]), "zeros behind the end");
        assert_eq!(
            command(&mut d, &mut ram, 0x0020_0018, 1, RAM),
            1,
            "read-only"
        );
        assert_eq!(
            command(&mut d, &mut ram, 0x7fff_000a, 1, RAM),
            0,
            "no item: zeros"
        );
        assert_eq!(ram.get(RAM, 1), Some(&[0][..]));
        assert_eq!(command(&mut d, &mut ram, 0x0020_000a, 1, 0), 1, "no memory");
        let most = command(&mut d, &mut ram, 0x0020_000a, u32::MAX, RAM);
        assert_eq!(most, 1, "it ends where memory does");
    }

    #[test]
    fn whatever_a_guest_writes() {
        const SIZE: u64 = 0x1000;
        let mut next = random(1);
        let mut ended = [0; 2];
        for _ in 0..3000 {
            let (mut d, mut ram) = (device(), Ram::new(RAM, SIZE));
            for _ in 0..next(40) {
                let mut place = || match next(8) {
                    0 => RAM + SIZE - next(64),
                    1 => u64::MAX - next(64),
                    2 => next(1 << 31) << 16,
                    _ => RAM + next(SIZE),
                };
                let (to, at) = (place(), place());
                if next(2) == 0 {
                    let item = [0, 2, 5, 0x19, 0x20, 0x21, 0x7fff, 0xffff][next(8) as usize];
                    let control = next(0x20) as u32 | item << 16;
                    let length = [0, 1, 4, 200, 0x1001, u32::MAX, 64, 17][next(8) as usize];
                    let result = command(&mut d, &mut ram, control, length, to);
                    // What is written may be the command itself; else it says how it went.
                    let itself = RAM + 0x100 - 0x1001 <= to && to < RAM + 0x200;
                    assert!(itself || result & !control::ERROR == 0, "{result:#x}");
                    ended[(result & 1) as usize] += 1;
                } else {
                    let size = 1u8 << next(4);
                    let offset = next(0x18) & !(size as u64 - 1);
                    let seen = d.peek(offset, size, CTX);
                    match next(3) {
                        0 => drop(d.write(offset, size, at.swap_bytes(), CTX)),
                        1 => drop(d.write(SELECTOR, 2, next(1 << 16), CTX)),
                        _ => {
                            let read = d.read(offset, size, CTX);
                            assert!(seen.is_err() || seen.ok() == read, "{offset:#x} {size}");
                        }
                    }
                    d.service(&mut ram);
                }
            }
            let mut saved = Vec::new();
            d.save(&mut saved);
            assert_eq!(device().load(&mut &saved[..]), Ok(()));
        }
        assert!(ended[0] > 1000 && ended[1] > 1000, "{ended:?}");
    }
}
