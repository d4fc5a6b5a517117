//! Guest RAM: one zeroed host allocation, touched pages only cost memory.

/// Physical memory from `base`.
pub struct Ram {
    base: u64,
    bytes: Vec<u8>,
    /// By chunk: whether anything may have been written to it.
    touched: Vec<bool>,
}

const CHUNK: usize = 1 << 21;

impl Ram {
    /// `size` zero bytes at physical address `base`.
    pub fn new(base: u64, size: u64) -> Ram {
        Ram {
            base,
            bytes: vec![0; size as usize],
            touched: vec![false; (size as usize).div_ceil(CHUNK)],
        }
    }
    /// First address.
    pub fn base(&self) -> u64 {
        self.base
    }
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
    /// Whether all of `pa .. pa + len` is here.
    #[inline]
    pub fn contains(&self, pa: u64, len: u64) -> bool {
        pa >= self.base && pa - self.base <= self.size() && len <= self.size() - (pa - self.base)
    }
    /// The bytes at `pa`, if all of them are here.
    #[inline]
    pub fn get(&self, pa: u64, len: u64) -> Option<&[u8]> {
        let at = pa.checked_sub(self.base)? as usize;
        self.bytes.get(at..at.checked_add(len as usize)?)
    }
    /// The bytes at `pa`, writable.
    #[inline]
    pub fn get_mut(&mut self, pa: u64, len: u64) -> Option<&mut [u8]> {
        let at = pa.checked_sub(self.base)? as usize;
        let end = at.checked_add(len as usize)?;
        let bytes = self.bytes.get_mut(at..end)?;
        if len != 0 {
            self.touched[at / CHUNK..=(end - 1) / CHUNK].fill(true);
        }
        Some(bytes)
    }
    /// The parts of `pa .. pa + len`, at most `most` bytes each within a boundary of as many, that something may have been written to.
    pub fn touched(&self, pa: u64, len: u64, most: u64) -> Vec<(u64, u64)> {
        let (mut at, end) = (pa, pa + len);
        let mut found = Vec::new();
        while at < end {
            let chunk = (at - self.base) as usize / CHUNK;
            if !self.touched[chunk] {
                at = self.base + ((chunk + 1) * CHUNK) as u64;
                continue;
            }
            let n = (end - at).min(most - at % most);
            found.push((at, n));
            at += n;
        }
        found
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
        let at = (pa_page - self.base) as usize;
        self.touched[at / CHUNK] = true;
        (self.bytes.as_mut_ptr() as usize)
            .wrapping_add(at)
            .wrapping_sub(va_page as usize)
    }
}
