//! The network device (VIRTIO 1.2, 5.1): queue 0 takes frames for the guest, queue 1 gives the guest's. Nothing is offloaded.

use super::queue::{Broken, Chain};
use crate::dev::net::{Gateway, Mac, LONGEST, MTU};
use crate::mem::Memory;
use virtio_bindings::virtio_net as b;

/// The queue that the device fills.
pub const RECEIVE: usize = 0;
/// Bytes of the header before each frame (5.1.6): what is not offloaded is 0, and a frame is in one buffer.
const HEADER: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];

/// Features, besides those of all devices.
pub const FEATURES: u64 =
    1 << b::VIRTIO_NET_F_MAC | 1 << b::VIRTIO_NET_F_STATUS | 1 << b::VIRTIO_NET_F_MTU;

/// The configuration space (5.1.4): address, status (the link is up), pairs of queues, MTU.
pub fn config(mac: Mac) -> Vec<u8> {
    let mut c = mac.to_vec();
    for half in [b::VIRTIO_NET_S_LINK_UP as u16, 1, MTU as u16] {
        c.extend(half.to_le_bytes());
    }
    c
}

/// Serve a chain of a queue at virtual time `now`; how many bytes of it were written.
///
/// # Errors
/// There is no room for a frame (5.1.6.3.1 says how much), or no header before one; or no memory where it says.
pub fn serve(
    gateway: &mut Gateway,
    queue: usize,
    chain: &Chain,
    mem: &mut dyn Memory,
    now: u64,
) -> Result<u32, Broken> {
    if queue != RECEIVE {
        let bytes = chain.read.len().checked_sub(HEADER.len() as u64);
        let bytes = bytes.ok_or(Broken)?;
        // What is longer than a frame goes nowhere.
        if bytes <= LONGEST as u64 {
            let mut frame = vec![0; bytes as usize];
            chain.read.get(mem, HEADER.len() as u64, &mut frame)?;
            gateway.receive(&frame, now);
        }
        return Ok(0);
    }
    let Some(frame) = gateway.front() else {
        return Ok(0);
    };
    let all = [&HEADER, frame].concat();
    if chain.write.len() < all.len() as u64 {
        return Err(Broken);
    }
    chain.write.put(mem, 0, &all)?;
    gateway.pop();
    Ok(all.len() as u32)
}
