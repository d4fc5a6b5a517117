//! The network behind a virtio-net device: one gateway, at QEMU's addresses of `-netdev user`, and nothing else on the wire.
//!
//! It answers ARP, gives the guest an address by DHCP, answers ping, and carries TCP connections from outside to the guest's ports
//! ([`tcp`]), and datagrams likewise (`udp`). The guest reaches nobody: its own connections are refused, and packets for elsewhere are unreachable. IPv4 only.
//!
//! Frames are read and written by smoltcp's `wire`. Its sockets are not used: they cannot be saved, and all of this is the machine's
//! state, so that a run with a network is as deterministic as without, and a snapshot has its connections.

mod dhcp;
mod map;
pub mod tcp;
mod udp;
mod wire;

use borsh::{BorshDeserialize, BorshSerialize};
use map::{checked, GATEWAY_MAC, QUOTED};
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetFrame, EthernetProtocol, Icmpv4DstUnreachable,
    Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr, UdpPacket, UdpRepr,
};
use std::collections::VecDeque;
use tcp::{Connections, Told};

pub use map::{Mac, GATEWAY, GUEST, LONGEST, MTU};
pub use wire::Sender;

/// The other end of the wire.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Whom frames go to: who sent the last one with the guest's address.
    guest: Mac,
    /// Frames for the guest.
    frames: VecDeque<Vec<u8>>,
    /// Connections from outside.
    pub tcp: Connections,
}

impl Gateway {
    /// One whose wire ends at a device with the address `mac`.
    pub fn new(mac: Mac) -> Gateway {
        Gateway {
            guest: mac,
            frames: VecDeque::new(),
            tcp: Connections::default(),
        }
    }
    /// The next frame for the guest, which stays.
    pub fn front(&self) -> Option<&[u8]> {
        self.frames.front().map(|f| &f[..])
    }
    /// The guest has the next frame, or none at all can be for it.
    pub fn pop(&mut self) {
        self.frames.pop_front();
    }
    /// Take a frame from the guest at virtual time `now`. What is no frame of IPv4 or ARP is ignored, as by any host.
    pub fn receive(&mut self, frame: &[u8], now: u64) {
        let _ = self.take(frame, now);
    }
    fn take(&mut self, frame: &[u8], now: u64) -> smoltcp::wire::Result<()> {
        let frame = EthernetFrame::new_checked(frame)?;
        let (to, from) = (frame.dst_addr(), frame.src_addr());
        if to.0 != GATEWAY_MAC && !to.is_broadcast() || !from.is_unicast() {
            return Ok(());
        }
        match frame.ethertype() {
            EthernetProtocol::Arp => self.arp(frame.payload()),
            EthernetProtocol::Ipv4 => self.ip(frame.payload(), from.0, now),
            _ => Ok(()),
        }
    }
    /// Answer who the gateway is (RFC 826).
    fn arp(&mut self, packet: &[u8]) -> smoltcp::wire::Result<()> {
        let ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: mac,
            source_protocol_addr: ip,
            target_protocol_addr: wanted,
            ..
        } = ArpRepr::parse(&ArpPacket::new_checked(packet)?)?
        else {
            return Ok(());
        };
        if ip == GUEST {
            self.guest = mac.0;
        }
        if operation == ArpOperation::Request && wanted == GATEWAY {
            self.send(|s| s.arp_reply(mac, ip));
        }
        Ok(())
    }
    fn ip(&mut self, bytes: &[u8], mac: Mac, now: u64) -> smoltcp::wire::Result<()> {
        let packet = Ipv4Packet::new_checked(bytes)?;
        let ip = Ipv4Repr::parse(&packet, &checked())?;
        // In pieces it is for nobody here: whoever sends to the gateway knows the MTU.
        if packet.more_frags() || packet.frag_offset() != 0 {
            return Ok(());
        }
        if ip.src_addr == GUEST {
            self.guest = mac;
        }
        let payload = packet.payload();
        if ip.next_header == IpProtocol::Udp
            && (ip.dst_addr == GATEWAY || ip.dst_addr.is_broadcast())
            && UdpPacket::new_checked(payload)?.dst_port() == dhcp::SERVER
        {
            if let Some(reply) = dhcp::answer(UdpPacket::new_checked(payload)?.payload())? {
                self.send(|s| s.dhcp(&reply));
            }
            return Ok(());
        }
        if ip.next_header == IpProtocol::Udp && (ip.src_addr, ip.dst_addr) == (GUEST, GATEWAY) {
            let datagram = UdpPacket::new_checked(payload)?;
            let ports = (datagram.dst_port(), datagram.src_port());
            if let Some(client) = self.tcp.flows.of(ports) {
                UdpRepr::parse(&datagram, &GUEST.into(), &GATEWAY.into(), &checked())?;
                self.tcp
                    .tell(client, Told::Datagram(datagram.payload().to_vec()));
                return Ok(());
            }
        }
        let many = |a: Ipv4Address| a.is_broadcast() || a.is_multicast() || a.is_unspecified();
        if many(ip.dst_addr) || many(ip.src_addr) {
            return Ok(());
        }
        let own = ip.dst_addr == GATEWAY;
        match ip.next_header {
            IpProtocol::Icmp if own => {
                let message = Icmpv4Packet::new_checked(payload)?;
                if let Icmpv4Repr::EchoRequest {
                    ident,
                    seq_no,
                    data,
                } = Icmpv4Repr::parse(&message, &checked())?
                {
                    let reply = Icmpv4Repr::EchoReply {
                        ident,
                        seq_no,
                        data,
                    };
                    self.send(|s| s.icmp(ip.src_addr, &reply));
                }
            }
            // What it says of errors needs no answer (RFC 1122, 3.2.2).
            IpProtocol::Icmp if matches!(payload.first(), Some(3 | 4 | 5 | 11 | 12)) => {}
            IpProtocol::Tcp => {
                let (guest, frames) = (self.guest, &mut self.frames);
                let mut sender = Sender::new(guest, frames);
                self.tcp.receive(payload, &ip, now, &mut sender)?;
            }
            next => {
                let reason = match (own, next) {
                    (true, IpProtocol::Udp) => Icmpv4DstUnreachable::PortUnreachable,
                    (true, _) => Icmpv4DstUnreachable::ProtoUnreachable,
                    (false, _) => Icmpv4DstUnreachable::NetUnreachable,
                };
                let reply = Icmpv4Repr::DstUnreachable {
                    reason,
                    header: ip,
                    data: &payload[..payload.len().min(QUOTED)],
                };
                self.send(|s| s.icmp(ip.src_addr, &reply));
            }
        }
        Ok(())
    }
    fn send(&mut self, with: impl FnOnce(&mut Sender)) {
        with(&mut Sender::new(self.guest, &mut self.frames));
    }
    /// Do something with the connections, and send what they have to say.
    pub fn outside<T>(&mut self, with: impl FnOnce(&mut Connections, &mut Sender) -> T) -> T {
        let mut sender = Sender::new(self.guest, &mut self.frames);
        with(&mut self.tcp, &mut sender)
    }
}

#[cfg(test)]
mod tests;
