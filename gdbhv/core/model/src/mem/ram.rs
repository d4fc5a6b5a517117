//! Guest RAM, and behind it the cells of the flash: one zeroed host allocation, touched pages only cost memory.
//!
//! Flash is memory to be read and executed from, and nobody's to be written to but its device's ([`Ram::program`]). Loads see its cells
//! only while that shows them ([`Ram::show`]); fetches and descriptors see them always.
//!
//! RAM knows which of its bytes have been decoded, by lines of 64, and keeps a list of writes to such lines: whoever executes decoded code
//! forgets what stands there before it executes again. A write by other means than the methods here ([`Ram::host`]) must not go to a
//! page that [`Ram::is_code`] or [`Ram::is_guarded`].

use super::digest::Digest;
use super::disk::{Disk, Written};
use super::history::History;
use super::tables::TablePages;
use crate::bits::lines_of_page;
use memmap2::{Advice, MmapMut};
use std::collections::{BTreeMap, BTreeSet};

/// Where physical memory is: RAM from `base`, and flash from address 0, whose pages come behind RAM's.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    base: u64,
    ram: u64,
    flash: u64,
}

impl Layout {
    /// Position of `pa .. pa + len` among all bytes, if all of it is RAM or all of it flash.
    #[inline(always)]
    pub fn at(&self, pa: u64, len: u64) -> Option<usize> {
        let at = pa.wrapping_sub(self.base);
        if at <= self.ram && len <= self.ram - at {
            return Some(at as usize);
        }
        self.flash_at(pa, len)
    }
    #[cold]
    fn flash_at(&self, pa: u64, len: u64) -> Option<usize> {
        (pa <= self.flash && len <= self.flash - pa).then(|| (self.ram + pa) as usize)
    }
    /// The address of a position.
    fn pa(&self, at: u64) -> u64 {
        if at < self.ram {
            self.base + at
        } else {
            at - self.ram
        }
    }
    /// Pages of both.
    pub fn pages(&self) -> usize {
        (self.ram + self.flash).div_ceil(PAGE) as usize
    }
    /// The page of `pa`, counted from the start of RAM.
    #[inline(always)]
    pub fn page(&self, pa: u64) -> Option<usize> {
        self.at(pa, 1).map(|at| at / PAGE as usize)
    }
}

/// Physical memory.
pub struct Ram {
    layout: Layout,
    bytes: MmapMut,
    /// By bank of flash: loads do not see its cells.
    hidden: [bool; 2],
    /// A bank has been hidden since [`Ram::take_hiding`], and loads may know its cells.
    hiding: bool,
    /// By chunk: whether anything may have been written to it.
    touched: Vec<bool>,
    /// By page of 4 KiB: which lines of 64 bytes hold decoded code.
    code: Vec<u64>,
    /// Writes to such lines, each within a page.
    written: Vec<(u64, u64)>,
    /// By page, 64 to a word: it is as the last snapshot has it.
    shared: Vec<u64>,
    history: History,
    digest: Digest,
    /// Pages of translation tables whose writes are told of, if somebody has asked for it.
    pub tables: Option<Box<TablePages>>,
    /// Disks, by number.
    pub disks: BTreeMap<u8, Disk>,
    /// By snapshot: what was written to each of them.
    kept_disks: BTreeMap<u32, BTreeMap<u8, Written>>,
}

const PAGE: u64 = 4096;

/// Writes to decoded code that are listed one by one.
const MANY: usize = 1 << 16;

const CHUNK: usize = 1 << 21;

/// Zero bytes, in huge pages of the host if it has any to give: a guest touches much memory once.
fn zeros(n: usize) -> MmapMut {
    let bytes = MmapMut::map_anon(n.max(1)).expect("the host has memory for the guest's");
    let _ = bytes.advise(Advice::HugePage); // a wish
    bytes
}

/// Bytes of a bank of flash.
pub const BANK: u64 = 64 << 20;

impl Ram {
    /// `size` zero bytes at physical address `base`, and no flash.
    pub fn new(base: u64, size: u64) -> Ram {
        Ram::of(base, size, 0)
    }
    /// The same with two banks of flash at address 0, whose bytes are zero too.
    pub fn with_flash(base: u64, size: u64) -> Ram {
        Ram::of(base, size, 2 * BANK)
    }
    fn of(base: u64, size: u64, flash: u64) -> Ram {
        let layout = Layout {
            base,
            ram: size,
            flash,
        };
        let all = (size + flash) as usize;
        Ram {
            layout,
            bytes: zeros(all),
            hidden: [false; 2],
            hiding: false,
            touched: vec![false; all.div_ceil(CHUNK)],
            code: vec![0; layout.pages()],
            written: Vec::new(),
            shared: vec![0; layout.pages().div_ceil(64)],
            history: History::default(),
            digest: Digest::default(),
            tables: None,
            disks: BTreeMap::new(),
            kept_disks: BTreeMap::new(),
        }
    }
    /// Where it is.
    pub fn layout(&self) -> Layout {
        self.layout
    }
    /// First address of RAM.
    pub fn base(&self) -> u64 {
        self.layout.base
    }
    /// Bytes of RAM.
    pub fn size(&self) -> u64 {
        self.layout.ram
    }
    /// Whether all of `pa .. pa + len` is RAM.
    #[inline]
    pub fn contains(&self, pa: u64, len: u64) -> bool {
        let at = pa.wrapping_sub(self.layout.base);
        at <= self.layout.ram && len <= self.layout.ram - at
    }
    /// Whether `pa` is in the flash.
    #[inline]
    pub fn is_flash(&self, pa: u64) -> bool {
        pa < self.layout.flash
    }
    /// Whether instructions can be fetched from all of `pa .. pa + len`.
    #[inline]
    pub fn is_memory(&self, pa: u64, len: u64) -> bool {
        self.layout.at(pa, len).is_some()
    }
    /// Whether loads from the page of `pa` see memory: RAM, or flash that shows its cells.
    #[inline]
    pub fn is_readable(&self, pa: u64) -> bool {
        self.contains(pa, 1) || self.is_flash(pa) && !self.hidden[(pa / BANK) as usize]
    }
    /// Show the cells of a bank of flash to loads, or hide them.
    pub fn show(&mut self, bank: usize, shown: bool) {
        self.hiding |= !shown && !self.hidden[bank];
        self.hidden[bank] = !shown;
    }
    /// Whether a bank was hidden since the last call: loads that know its cells must look again.
    #[inline]
    pub fn take_hiding(&mut self) -> bool {
        std::mem::take(&mut self.hiding)
    }
    /// The bytes at `pa`, if all of them are here.
    #[inline]
    pub fn get(&self, pa: u64, len: u64) -> Option<&[u8]> {
        let at = self.layout.at(pa, len)?;
        Some(&self.bytes[at..at + len as usize])
    }
    /// The bytes of RAM at `pa`, writable.
    #[inline]
    pub fn get_mut(&mut self, pa: u64, len: u64) -> Option<&mut [u8]> {
        self.contains(pa, len)
            .then(|| self.change((pa - self.layout.base) as usize, len as usize))
    }
    /// Change the cells of the flash at `pa`, as its device does. False: not all of it is flash.
    pub fn program(&mut self, pa: u64, len: u64, change: impl FnOnce(&mut [u8])) -> bool {
        let at = self.layout.flash_at(pa, len);
        at.map(|at| change(self.change(at, len as usize))).is_some()
    }
    /// Bytes that are about to be written.
    #[inline]
    fn change(&mut self, at: usize, len: usize) -> &mut [u8] {
        let end = at + len;
        if len != 0 {
            self.touched[at / CHUNK..=(end - 1) / CHUNK].fill(true);
            let pages = at as u64 / PAGE..=(end as u64 - 1) / PAGE;
            if self.history.keeps() || self.digest.watches() {
                pages.clone().for_each(|page| self.keep(page));
            }
            if let Some(t) = &mut self.tables {
                for page in pages.clone() {
                    if !t.has(page) {
                        continue;
                    }
                    let begin = page * PAGE;
                    let (first, last) =
                        (begin.max(at as u64), (end as u64 - 1).min(begin + PAGE - 1));
                    let all = self.bytes.len().min((begin + PAGE) as usize);
                    let bytes = &self.bytes[begin as usize..all];
                    t.note(self.layout.pa(begin), bytes, first - begin, last - begin);
                }
            }
            for page in pages.filter(|p| self.code[*p as usize] != 0) {
                let lines = lines_of_page(page * PAGE, at as u64, end as u64 - 1);
                if self.code[page as usize] & lines != 0 {
                    let from = (at as u64).max(page * PAGE);
                    let to = (end as u64).min((page + 1) * PAGE);
                    self.written.push((self.layout.pa(from), to - from));
                }
            }
            if self.written.len() > MANY + self.code.len() {
                self.forget_details();
            }
        }
        &mut self.bytes[at..end]
    }
    /// Whether the page of `pa` holds decoded code.
    #[inline]
    pub fn is_code(&self, pa: u64) -> bool {
        let page = self.layout.page(pa);
        page.is_some_and(|page| self.code[page] != 0)
    }
    /// Whether the page of `pa` is as a snapshot has it, so that it must be kept before it is written to, or as the last digest found it.
    #[inline]
    pub fn is_guarded(&self, pa: u64) -> bool {
        let Some(page) = self.layout.page(pa) else {
            return false;
        };
        self.shared[page / 64] >> (page % 64) & 1 != 0
            || self.digest.is_clean(page as u64)
            || self.tables.as_ref().is_some_and(|t| t.has(page as u64))
    }
    /// A page is about to be written to.
    fn keep(&mut self, page: u64) {
        self.digest.written(page);
        let (word, bit) = (&mut self.shared[page as usize / 64], 1 << (page % 64));
        if *word & bit != 0 {
            *word &= !bit;
            let at = (page * PAGE) as usize;
            let end = (at + PAGE as usize).min(self.bytes.len());
            self.history.keep(page as u32, &self.bytes[at..end]);
        }
    }
    /// Make all of RAM zero, and forget that something was decoded from memory. Snapshots stay, and so does what is in the flash.
    pub fn zero(&mut self) {
        for (at, n) in self.touched(self.base(), self.size(), PAGE) {
            let bytes = self.get_mut(at, n).expect("RAM");
            bytes.fill(0);
        }
        self.hidden = [false; 2];
        self.code.fill(0);
        self.written.clear();
    }
    /// Make all of RAM and flash zero.
    pub fn clear(&mut self) {
        let some = |p: &(u32, &[u8])| p.1.iter().any(|b| *b != 0);
        let pages: Vec<u32> = self.touched_pages().filter(some).map(|p| p.0).collect();
        for page in pages {
            self.page_mut(page).expect("a page").fill(0);
        }
    }
    /// Make a snapshot of all of it. Whoever writes by [`Ram::host`] has to look again at what it may write to.
    pub fn save(&mut self) -> u32 {
        self.shared.fill(u64::MAX);
        let id = self.history.add();
        let disks = self.disks.iter();
        let written = disks.map(|(n, d)| (*n, d.written.clone())).collect();
        self.kept_disks.insert(id, written);
        id
    }
    /// Make it what it was at a snapshot. The same goes for [`Ram::host`].
    pub fn restore(&mut self, id: u32) {
        for (n, written) in self.kept_disks.get(&id).into_iter().flatten() {
            if let Some(disk) = self.disks.get_mut(n) {
                disk.written = written.clone();
            }
        }
        for page in self.history.restore(id, &mut self.bytes) {
            self.touched[page as usize * PAGE as usize / CHUNK] = true;
            self.digest.written(page as u64);
            if self.code[page as usize] != 0 {
                let pa = self.layout.pa(page as u64 * PAGE);
                self.written.push((pa, PAGE));
            }
        }
        self.shared.fill(u64::MAX);
    }
    /// A digest of all of it: equal if what it holds is. It costs what has changed since the last one; for [`Ram::host`] the same goes as for
    /// snapshots.
    pub fn digest(&mut self) -> u64 {
        self.digest.of(&self.bytes, &self.touched, CHUNK)
    }
    /// Forget a snapshot.
    pub fn forget(&mut self, id: u32) {
        self.history.remove(id);
        self.kept_disks.remove(&id);
        // The nearest snapshot may be another one now, which has other pages already.
        for page in self.history.kept_pages() {
            self.shared[page as usize / 64] &= !(1 << (page % 64));
        }
        if !self.history.keeps() {
            self.shared.fill(0);
        }
    }
    /// The pages (by number from the start) in which a snapshot is not as memory is now, and what it has there.
    pub fn differences(&self, id: u32) -> BTreeMap<u32, &[u8]> {
        self.history.differences(id)
    }
    /// Whether the page of `pa` may have been written between two snapshots (None: now). What is no memory never is.
    pub fn differ(&self, one: u32, other: Option<u32>, pa: u64) -> bool {
        let page = self.layout.page(pa);
        page.is_some_and(|page| self.history.differ(one, other, page as u32))
    }
    /// What was written to each disk at a snapshot.
    pub fn kept_disks(&self, id: u32) -> Option<&BTreeMap<u8, Written>> {
        self.kept_disks.get(&id)
    }
    /// How many pages a snapshot keeps for itself, and how many bytes they take.
    pub fn kept(&self, id: u32) -> (usize, usize) {
        self.history.kept(id)
    }
    /// `len` bytes at `pa`, within a page, have been decoded. True if the page held no code before.
    pub fn decoded(&mut self, pa: u64, len: u64) -> bool {
        let page = self.layout.page(pa).expect("memory");
        let lines = &mut self.code[page];
        let new = *lines == 0;
        *lines |= lines_of_page(pa & !(PAGE - 1), pa, pa + len - 1);
        new
    }
    /// What was decoded from these bytes, within a page, is forgotten; of the lines that they are in, `left` hold other code.
    pub fn not_decoded(&mut self, pa: u64, len: u64, left: u64) {
        let page = self.layout.page(pa).expect("memory");
        let lines = &mut self.code[page];
        *lines &= left | !lines_of_page(pa & !(PAGE - 1), pa, pa + len - 1);
    }
    /// So much has been written while nothing executed that whole pages are as well forgotten: the list stays as short as RAM is.
    #[cold]
    fn forget_details(&mut self) {
        let pages: BTreeSet<u64> = self.written.iter().map(|w| w.0 & !(PAGE - 1)).collect();
        self.written = pages.into_iter().map(|page| (page, PAGE)).collect();
    }
    /// Tell of writes to translation tables, whichever they will be, or of none.
    pub fn tell_of_tables(&mut self, on: bool) {
        let pages = self.layout.pages();
        self.tables = on.then(|| Box::new(TablePages::new(pages)));
    }
    /// Whether something was written that the dispatcher has to follow before the next instruction.
    #[inline]
    pub fn to_follow(&self) -> bool {
        self.code_written() || self.tables.as_ref().is_some_and(|t| t.any())
    }
    /// Whether decoded code has been written to since [`Ram::take_written`].
    #[inline]
    pub fn code_written(&self) -> bool {
        !self.written.is_empty()
    }
    /// The writes to decoded code (address and length, each within a page) since the last call.
    pub fn take_written(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.written)
    }
    /// The parts of `pa .. pa + len` (in RAM), at most `most` bytes each within a boundary of as many, that something may have been written to.
    pub fn touched(&self, pa: u64, len: u64, most: u64) -> Vec<(u64, u64)> {
        let (mut at, end) = (pa, pa + len);
        let mut found = Vec::new();
        while at < end {
            let chunk = (at - self.base()) as usize / CHUNK;
            if !self.touched[chunk] {
                at = self.base() + ((chunk + 1) * CHUNK) as u64;
                continue;
            }
            let n = (end - at).min(most - at % most);
            found.push((at, n));
            at += n;
        }
        found
    }
    /// Every page that something may have been written to, by number from the start of RAM, those of the flash behind it.
    pub fn touched_pages(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let pages = self.bytes.chunks(PAGE as usize);
        let chunks = |page: usize| self.touched[page * PAGE as usize / CHUNK];
        (0u32..).zip(pages).filter(move |p| chunks(p.0 as usize))
    }
    /// The page of this number, writable.
    pub fn page_mut(&mut self, page: u32) -> Option<&mut [u8]> {
        let at = page as usize * PAGE as usize;
        (at + PAGE as usize <= self.bytes.len()).then(|| self.change(at, PAGE as usize))
    }
    /// Whether it has flash.
    pub fn has_flash(&self) -> bool {
        self.layout.flash != 0
    }
    /// A load of 1 to 8 bytes, little endian, within a page; None: no memory, or flash that does not show its cells.
    #[inline]
    pub fn load(&self, pa: u64, bytes: u64) -> Option<u64> {
        if !self.contains(pa, bytes) && !self.is_readable(pa) {
            return None;
        }
        self.read(pa, bytes)
    }
    /// Read 1 to 8 bytes, little endian.
    #[inline]
    pub fn read(&self, pa: u64, bytes: u64) -> Option<u64> {
        let mut b = [0u8; 8];
        b[..bytes as usize].copy_from_slice(self.get(pa, bytes)?);
        Some(u64::from_le_bytes(b))
    }
    /// Write 1 to 8 bytes, little endian.
    #[inline]
    pub fn write(&mut self, pa: u64, bytes: u64, v: u64) -> Option<()> {
        self.get_mut(pa, bytes)?
            .copy_from_slice(&v.to_le_bytes()[..bytes as usize]);
        Some(())
    }
    /// The host address that `va` has when its page maps to `pa`'s, for `Entry::host` (wrapping difference to `va`).
    #[inline]
    pub fn host(&mut self, va_page: u64, pa_page: u64) -> usize {
        let at = self.layout.at(pa_page, PAGE).expect("memory");
        self.touched[at / CHUNK] = true;
        (self.bytes.as_mut_ptr() as usize)
            .wrapping_add(at)
            .wrapping_sub(va_page as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_to_code_are_listed_and_the_list_is_bounded() {
        let mut ram = Ram::new(0x4000_0000, 4 * PAGE);
        ram.write(0x4000_1000, 4, 0).expect("RAM");
        assert!(ram.decoded(0x4000_1000, 8) && !ram.decoded(0x4000_1100, 8));
        assert!(!ram.code_written());
        ram.write(0x4000_1040, 4, 0).expect("RAM");
        assert!(!ram.code_written(), "another line");
        ram.get_mut(0x4000_0ff0, 0x20).expect("RAM").fill(1);
        assert_eq!(ram.take_written(), [(0x4000_1000, 0x10)]);
        for _ in 0..3 * MANY {
            ram.write(0x4000_1100, 4, 0).expect("RAM");
        }
        let listed = ram.take_written();
        assert!(listed.len() <= MANY + 5 && listed[0] == (0x4000_1000, PAGE));
    }
}
