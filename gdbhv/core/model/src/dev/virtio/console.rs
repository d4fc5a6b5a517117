//! The console device (VIRTIO 1.2, 5.3) with one port: queue 0 takes what is typed, queue 1 gives what the guest prints.

use super::queue::{Broken, Chain};
use crate::mem::Memory;
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::VecDeque;

/// The queue that the device fills.
pub const RECEIVE: usize = 0;
/// Most bytes of one request; what a driver prints beyond them is cut off.
const MOST: u64 = 1 << 16;
/// What a byte costs of the budget of bytes that are moved at once: a guest cannot print without bound while nobody looks.
pub const COST: u64 = 256;

/// What is on the wire.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// Typed, and not yet with the driver.
    pub typed: VecDeque<u8>,
    /// Printed, and not yet taken.
    #[borsh(skip)]
    pub printed: Vec<u8>,
}

impl Wire {
    /// Serve a chain of a queue; how many bytes of it were written.
    ///
    /// # Errors
    /// There is no room for what is typed, or no memory where it says.
    pub fn serve(
        &mut self,
        queue: usize,
        chain: &Chain,
        mem: &mut dyn Memory,
    ) -> Result<u32, Broken> {
        if queue != RECEIVE {
            let mut bytes = vec![0; chain.read.len().min(MOST) as usize];
            chain.read.get(mem, 0, &mut bytes)?;
            self.printed.extend(bytes);
            return Ok(0);
        }
        let room = chain.write.len().min(MOST).min(self.typed.len() as u64);
        if chain.write.is_empty() {
            return Err(Broken);
        }
        let bytes: Vec<u8> = self.typed.drain(..room as usize).collect();
        chain.write.put(mem, 0, &bytes)?;
        Ok(room as u32)
    }
}
