//! Files that disks begin as: raw bytes, or QEMU's qcow2. They are opened to be read.

use super::disk::{Base, SECTOR};
use imago::file::File;
use imago::qcow2::Qcow2;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder, StorageOpenOptions};
use std::io::{Error, Result};
use std::os::unix::fs::FileExt;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The disk, byte for byte.
    Raw,
    /// QEMU's format, without a backing file.
    Qcow2,
}

impl Format {
    /// By its name.
    pub fn named(name: &str) -> Option<Format> {
        match name {
            "raw" => Some(Format::Raw),
            "qcow2" => Some(Format::Qcow2),
            _ => None,
        }
    }
}

struct Raw {
    file: std::fs::File,
    size: u64,
}

impl Base for Raw {
    fn size(&self) -> u64 {
        self.size
    }
    fn read(&self, at: u64, to: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(to, at)
    }
}

struct Packed {
    image: FormatAccess<File>,
    size: u64,
}

impl Base for Packed {
    fn size(&self) -> u64 {
        self.size
    }
    fn read(&self, at: u64, to: &mut [u8]) -> Result<()> {
        self.image.read(to, at)
    }
}

/// Open the file at `path`.
///
/// # Errors
/// It cannot be read, or is no disk: what is wrong with it.
pub fn open(path: &str, format: Format) -> Result<Box<dyn Base>> {
    let file = std::fs::File::open(path)?;
    let base: Box<dyn Base> = match format {
        Format::Raw => {
            let size = file.metadata()?.len();
            Box::new(Raw { file, size })
        }
        Format::Qcow2 => {
            let options = StorageOpenOptions::new().filename(path);
            let file = File::from_open_file(file, options)?;
            // What it refers to would be opened by a name that is in the image, which may come from anybody.
            let image = Qcow2::<File>::builder(file).open(DenyImplicitOpenGate::default())?;
            let image = FormatAccess::new(image);
            let size = image.size();
            Box::new(Packed { image, size })
        }
    };
    match base.size() {
        0 => Err(Error::other("it is empty: a disk has a sector at least")),
        n if n.is_multiple_of(SECTOR) => Ok(base),
        n => Err(Error::other(format!(
            "{n} bytes are not whole sectors of {SECTOR}"
        ))),
    }
}
