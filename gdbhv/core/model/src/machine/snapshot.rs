//! Snapshots of a machine: in memory, with pages shared until they change, and exported as bytes for a file.

use super::step::Made;
use super::Machine;
use crate::cores;
use crate::dev::fw_cfg::Told;
use crate::exits::Beside;
use crate::mem::disk::{Written, BLOCK};
use crate::mmu::op::Note;
use crate::pe;
use crate::save::{put, put_part, take, take_part, Save, Unfit};
use std::io::{Read, Write};

/// Version of the layout of saved state.
const LAYOUT: u32 = 7;

/// Bytes of a page of RAM in an export.
const PAGE: u64 = 4096;

/// Marks the end of the pages in an export.
const END: u32 = u32::MAX;

/// Marks the end of the blocks of disks in an export.
const NO_DISK: u8 = u8::MAX;

/// Most bytes of a machine's state without its RAM.
const MOST: u32 = 64 << 20;

/// zstd's fastest level: it reduces a guest's RAM to a fifth, and slower levels save little more.
const LEVEL: i32 = 1;

/// A snapshot but for RAM.
pub(super) struct Kept {
    parts: Vec<u8>,
    beside: Beside,
}

impl Machine {
    /// A description of the machine, which must equal that in a snapshot to be loaded.
    fn shape(&self) -> String {
        let (c, sh) = (&self.sh.config, &self.sh);
        format!(
            "{} of {} with {} bytes of RAM, {}GICv{}, {} ns for each instruction{}",
            match self.cpus.len() {
                1 => "1 CPU".into(),
                n => format!("{n} CPUs"),
            },
            cores::name(c.core).unwrap_or("no profile"),
            sh.ram.size(),
            if c.has_el2 { "EL2, " } else { "" },
            match sh.gic.version() {
                crate::dev::gic::Version::V2 => 2,
                crate::dev::gic::Version::V3 => 3,
            },
            sh.ns_per_insn,
            if c.hosted { ", hosted" } else { "" },
        )
    }

    /// Save everything except RAM.
    fn save_parts(&self) -> Vec<u8> {
        let last = self.snapshots.values().next_back();
        let mut to = Vec::with_capacity(last.map_or(0, |k| k.parts.len() + k.parts.len() / 8));
        put(&mut to, &(LAYOUT, self.shape()));
        put(
            &mut to,
            &(
                self.current as u32,
                self.slice_end,
                self.executed as u32,
                self.midway,
            ),
        );
        put(&mut to, &(self.insns, self.steps));
        put(&mut to, &self.chaos);
        for (i, cpu) in self.cpus.iter().enumerate() {
            put_part(&mut to, &format!("CPU {i}"), &**cpu);
        }
        self.sh.save(&mut to);
        to
    }

    /// Check that saved parts have this version and come from such a machine. Returns the rest of the bytes.
    fn fits<'a>(&self, mut from: &'a [u8]) -> Result<&'a [u8], Unfit> {
        let layout: u32 = take(&mut from)?;
        if layout != LAYOUT {
            return Err(Unfit(format!(
                "it was made by another version of gdbhv: its layout is {layout}, and this one reads {LAYOUT}"
            )));
        }
        let shape: String = take(&mut from)?;
        if shape != self.shape() {
            return Err(Unfit(format!(
                "it is of a machine with {shape}; this one has {}",
                self.shape()
            )));
        }
        Ok(from)
    }

    fn load_parts(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        *from = self.fits(from)?;
        let (current, slice_end, executed, midway): (u32, u64, u32, bool) = take(from)?;
        if current.max(executed) as usize >= self.cpus.len() {
            return Err(Unfit(format!("there is no CPU {}", current.max(executed))));
        }
        (self.current, self.executed) = (current as usize, executed as usize);
        (self.slice_end, self.midway, self.stepped) = (slice_end, midway, Made::default());
        (self.insns, self.steps) = take(from)?;
        self.chaos = take(from)?;
        for (i, cpu) in self.cpus.iter_mut().enumerate() {
            take_part(from, &format!("CPU {i}"), &mut **cpu)?;
        }
        self.check_anew();
        self.sh.load(from)
    }

    /// Take a snapshot. Returns its number. It costs little now, and a copy of each page when the page is first written to.
    pub fn snapshot(&mut self) -> u32 {
        let parts = self.save_parts();
        let id = self.sh.ram.save();
        let beside = self.sh.exits.beside();
        self.snapshots.insert(id, Kept { parts, beside });
        self.recheck();
        id
    }

    /// Restore the machine's state from a snapshot, which is kept. Breakpoints, watchpoints and catchpoints do not change.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn restore(&mut self, id: u32) -> Result<(), Unfit> {
        let kept = self.snapshots.remove(&id).ok_or_else(|| unknown(id))?;
        self.sh.ram.restore(id);
        let loaded = self.load_parts(&mut &kept.parts[..]);
        let insns = self.insns.iter().sum();
        self.sh.exits.restore(&kept.beside, insns);
        self.snapshots.insert(id, kept);
        self.recheck();
        loaded
    }

    /// Forget a snapshot.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn forget_snapshot(&mut self, id: u32) -> Result<(), Unfit> {
        self.snapshots.remove(&id).ok_or_else(|| unknown(id))?;
        self.sh.ram.forget(id);
        Ok(())
    }

    /// Whether the page of `pa` may have been written between two snapshots (None: the present).
    ///
    /// # Errors
    /// There is none of such a number.
    pub fn differ(&self, one: u32, other: Option<u32>, pa: u64) -> Result<bool, Unfit> {
        let wrong = [Some(one), other].into_iter().flatten();
        match wrong
            .into_iter()
            .find(|id| !self.snapshots.contains_key(id))
        {
            Some(id) => Err(unknown(id)),
            None => Ok(self.sh.ram.differ(one, other, pa)),
        }
    }

    /// The number of pages that only this snapshot holds, and its size in bytes.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn snapshot_size(&self, id: u32) -> Result<(usize, usize), Unfit> {
        let kept = self.snapshots.get(&id).ok_or_else(|| unknown(id))?;
        let (pages, bytes) = self.sh.ram.kept(id);
        let own = kept.parts.len() + kept.beside.trace.bytes();
        Ok((pages, own + bytes))
    }

    /// Export a snapshot as compressed bytes: with all of RAM and flash that is not zero, with what was written to disks, and with the
    /// items of fw_cfg.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn export(&mut self, id: u32) -> Result<Vec<u8>, Unfit> {
        let kept = self.snapshots.get(&id).ok_or_else(|| unknown(id))?;
        let mut parts = kept.parts.clone();
        put(&mut parts, &self.sh.bus.fw_cfg().map(|d| d.told.clone()));
        let ram = &self.sh.ram;
        let mut pages = ram.differences(id);
        for (page, now) in ram.touched_pages() {
            pages.entry(page).or_insert(now);
        }
        let write = || -> std::io::Result<Vec<u8>> {
            let mut to = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
            to.include_checksum(true)?;
            to.write_all(&(parts.len() as u32).to_le_bytes())?;
            to.write_all(&parts)?;
            for (page, bytes) in pages.iter().filter(|p| p.1.iter().any(|b| *b != 0)) {
                to.write_all(&page.to_le_bytes())?;
                to.write_all(bytes)?;
            }
            to.write_all(&END.to_le_bytes())?;
            for (disk, written) in ram.kept_disks(id).into_iter().flatten() {
                for (block, data) in written.blocks() {
                    to.write_all(&[*disk, data.is_some() as u8])?;
                    to.write_all(&block.to_le_bytes())?;
                    to.write_all(data.unwrap_or_default())?;
                }
            }
            to.write_all(&[NO_DISK, 0])?;
            to.finish()
        };
        write().map_err(|e| Unfit(format!("compressing failed: {e}")))
    }

    /// Restore the machine's state from [`Machine::export`]. The machine does not change if that fails.
    ///
    /// # Errors
    /// The bytes are damaged, of another version, or of another machine.
    pub fn import(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        let before = self.snapshot();
        let done = self.import_over(bytes);
        if done.is_err() {
            self.restore(before)?;
        }
        self.forget_snapshot(before)?;
        done
    }

    fn import_over(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        let damaged = |e: std::io::Error| Unfit(format!("damaged: {e}"));
        let mut from = zstd::stream::read::Decoder::new(bytes).map_err(damaged)?;
        let mut word = [0; 4];
        from.read_exact(&mut word).map_err(damaged)?;
        let length = u32::from_le_bytes(word);
        if length > MOST {
            return Err(Unfit(format!("damaged: {length} bytes of state")));
        }
        let mut parts = vec![0; length as usize];
        from.read_exact(&mut parts).map_err(damaged)?;
        self.fits(&parts)?;
        self.sh.ram.clear();
        let mut least = 0;
        let mut buffer = [0; PAGE as usize];
        loop {
            from.read_exact(&mut word).map_err(damaged)?;
            let page = u32::from_le_bytes(word);
            if page == END {
                break;
            }
            if page < least {
                return Err(Unfit("damaged: pages are not in order".into()));
            }
            least = page + 1;
            from.read_exact(&mut buffer).map_err(damaged)?;
            let to = self.sh.ram.page_mut(page);
            to.ok_or(Unfit(format!("damaged: there is no page {page}")))?
                .copy_from_slice(&buffer);
        }
        self.import_disks(&mut from)?;
        // Reading past the last byte makes the decoder verify the checksum.
        if from.read(&mut [0]).map_err(damaged)? != 0 {
            return Err(Unfit("damaged: too long".into()));
        }
        let mut parts = &parts[..];
        self.load_parts(&mut parts)?;
        let told: Option<Told> = take(&mut parts)?;
        if let (Some(device), Some(told)) = (self.sh.bus.fw_cfg(), told) {
            device.told = told;
        }
        self.recheck();
        Ok(())
    }

    /// Import what was written to disks: disk number, whether data follow, block.
    fn import_disks(&mut self, from: &mut impl Read) -> Result<(), Unfit> {
        let damaged = |e: std::io::Error| Unfit(format!("damaged: {e}"));
        for disk in self.sh.ram.disks.values_mut() {
            disk.written = Written::default();
        }
        loop {
            let (mut head, mut block) = ([0; 2], [0; 8]);
            from.read_exact(&mut head).map_err(damaged)?;
            let [number, has_data] = head;
            if number == NO_DISK {
                return Ok(());
            }
            from.read_exact(&mut block).map_err(damaged)?;
            let mut data = vec![0; BLOCK as usize * has_data.min(1) as usize];
            from.read_exact(&mut data).map_err(damaged)?;
            let block = u64::from_le_bytes(block);
            let disk = self.sh.ram.disks.get_mut(&number);
            let disk = disk.filter(|d| block < d.size().div_ceil(BLOCK));
            let none = || {
                Unfit(format!(
                    "damaged: there is no block {block} of a disk {number}"
                ))
            };
            let data = (has_data != 0).then_some(&data[..]);
            disk.ok_or_else(none)?.written.put(block, data);
        }
    }

    /// A digest of the contents of RAM. Its cost is proportional to what was written since the last call.
    pub fn ram_digest(&mut self) -> u64 {
        let digest = self.sh.ram.digest();
        self.recheck();
        digest
    }

    /// Make accesses look up their page again, after a change of the shared pages or of the watchpoints.
    pub(super) fn recheck(&mut self) {
        for c in &mut self.cpus {
            pe::tlb::note(c, Note::Recheck);
        }
    }
}

fn unknown(id: u32) -> Unfit {
    Unfit(format!("there is no snapshot {id}"))
}
