//! Datagrams from outside to the guest's ports, and the guest's answers: the gateway has a port for each who sends some (RFC 768).
//!
//! Nothing says when one of them is gone. So the gateway remembers a few, and the one it has known longest gives way to the next.

use super::map::{GATEWAY, MTU};
use super::wire::Sender;
use borsh::{BorshDeserialize, BorshSerialize};

/// Most who are remembered.
pub const MOST: usize = 64;
/// Bytes of the longest datagram: with the headers of IPv4 and UDP it is one packet.
pub const LONGEST: usize = MTU - 28;
/// The gateway's ports: those of RFC 6335 that nobody has.
const FIRST: u16 = 49152;
const PORTS: u32 = 1 << 14;

#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
struct Flow {
    /// Who sends is called so outside.
    client: u32,
    /// The gateway's port, and the guest's.
    ports: (u16, u16),
}

/// Who has sent datagrams, in the order of their first.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    list: Vec<Flow>,
    /// How many there were: it decides the next one's port.
    seen: u32,
}

impl Flows {
    /// A client sends a datagram to the guest's port. What is too long for a packet is lost.
    pub fn send(&mut self, client: u32, port: u16, data: &[u8], to: &mut Sender) {
        if data.len() > LONGEST {
            return;
        }
        let own = self.own(client, port);
        to.udp(GATEWAY, (own, port), data);
    }
    fn own(&mut self, client: u32, port: u16) -> u16 {
        let mut known = self.list.iter();
        if let Some(f) = known.find(|f| (f.client, f.ports.1) == (client, port)) {
            return f.ports.0;
        }
        if self.list.len() == MOST {
            self.list.remove(0);
        }
        let free = (0..PORTS)
            .map(|n| FIRST + (self.seen.wrapping_add(n) % PORTS) as u16)
            .find(|p| self.list.iter().all(|f| f.ports.0 != *p));
        let own = free.expect("more ports than clients");
        self.seen = self.seen.wrapping_add(1);
        let ports = (own, port);
        self.list.push(Flow { client, ports });
        own
    }
    /// Who sent to the guest's port `ports.1` from the gateway's `ports.0`.
    pub fn of(&self, ports: (u16, u16)) -> Option<u32> {
        self.list
            .iter()
            .find(|f| f.ports == ports)
            .map(|f| f.client)
    }
    /// Whether a client is remembered.
    pub fn has(&self, client: u32) -> bool {
        self.list.iter().any(|f| f.client == client)
    }
}
