//! Frames from the gateway to the guest.

use super::dhcp;
use super::map::{checked, Mac, GATEWAY, GATEWAY_MAC, GUEST, HEADER, MOST};
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, DhcpPacket, DhcpRepr, EthernetAddress, EthernetFrame,
    EthernetProtocol, EthernetRepr, Icmpv4Packet, Icmpv4Repr, IpProtocol, Ipv4Address, Ipv4Packet,
    Ipv4Repr, TcpPacket, TcpRepr, UdpPacket, UdpRepr,
};
use std::collections::VecDeque;

/// Hops that a packet may take.
const HOPS: u8 = 64;

/// Writes frames.
pub struct Sender<'a> {
    guest: Mac,
    frames: &'a mut VecDeque<Vec<u8>>,
}

impl<'a> Sender<'a> {
    /// One to the hardware address `guest`.
    pub fn new(guest: Mac, frames: &'a mut VecDeque<Vec<u8>>) -> Sender<'a> {
        Sender { guest, frames }
    }
    fn frame(
        &mut self,
        to: EthernetAddress,
        ethertype: EthernetProtocol,
        bytes: usize,
        fill: impl FnOnce(&mut [u8]),
    ) {
        if self.frames.len() == MOST {
            return; // as a wire loses it
        }
        let mut frame = EthernetFrame::new_unchecked(vec![0; HEADER + bytes]);
        let header = EthernetRepr {
            src_addr: EthernetAddress(GATEWAY_MAC),
            dst_addr: to,
            ethertype,
        };
        header.emit(&mut frame);
        fill(frame.payload_mut());
        self.frames.push_back(frame.into_inner());
    }
    fn ip(
        &mut self,
        src_addr: Ipv4Address,
        to: (EthernetAddress, Ipv4Address),
        next_header: IpProtocol,
        bytes: usize,
        fill: impl FnOnce(&mut [u8]),
    ) {
        let header = Ipv4Repr {
            src_addr,
            dst_addr: to.1,
            next_header,
            payload_len: bytes,
            hop_limit: HOPS,
        };
        let all = header.buffer_len() + bytes;
        self.frame(to.0, EthernetProtocol::Ipv4, all, |buffer| {
            let mut packet = Ipv4Packet::new_unchecked(buffer);
            header.emit(&mut packet, &checked());
            fill(packet.payload_mut());
        });
    }
    fn to_guest(&self, ip: Ipv4Address) -> (EthernetAddress, Ipv4Address) {
        (EthernetAddress(self.guest), ip)
    }
    /// Who the gateway is.
    pub fn arp_reply(&mut self, mac: EthernetAddress, ip: Ipv4Address) {
        let reply = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Reply,
            source_hardware_addr: EthernetAddress(GATEWAY_MAC),
            source_protocol_addr: GATEWAY,
            target_hardware_addr: mac,
            target_protocol_addr: ip,
        };
        self.frame(mac, EthernetProtocol::Arp, reply.buffer_len(), |buffer| {
            reply.emit(&mut ArpPacket::new_unchecked(buffer));
        });
    }
    /// A message of ICMP.
    pub fn icmp(&mut self, to: Ipv4Address, message: &Icmpv4Repr) {
        let to = self.to_guest(to);
        let bytes = message.buffer_len();
        self.ip(GATEWAY, to, IpProtocol::Icmp, bytes, |buffer| {
            message.emit(&mut Icmpv4Packet::new_unchecked(buffer), &checked());
        });
    }
    /// A reply of DHCP; to everybody, since the guest has no address yet.
    pub fn dhcp(&mut self, reply: &DhcpRepr) {
        let to = (EthernetAddress::BROADCAST, Ipv4Address::BROADCAST);
        let ports = UdpRepr {
            src_port: dhcp::SERVER,
            dst_port: dhcp::CLIENT,
        };
        let bytes = ports.header_len() + reply.buffer_len();
        self.ip(GATEWAY, to, IpProtocol::Udp, bytes, |buffer| {
            ports.emit(
                &mut UdpPacket::new_unchecked(buffer),
                &GATEWAY.into(),
                &to.1.into(),
                reply.buffer_len(),
                |payload| {
                    let done = reply.emit(&mut DhcpPacket::new_unchecked(payload));
                    done.expect("as long as it says");
                },
                &checked(),
            );
        });
    }
    /// A datagram from and to these ports.
    pub fn udp(&mut self, from: Ipv4Address, ports: (u16, u16), data: &[u8]) {
        let (src_port, dst_port) = ports;
        let header = UdpRepr { src_port, dst_port };
        let (to, bytes) = (self.to_guest(GUEST), header.header_len() + data.len());
        self.ip(from, to, IpProtocol::Udp, bytes, |buffer| {
            header.emit(
                &mut UdpPacket::new_unchecked(buffer),
                &from.into(),
                &GUEST.into(),
                data.len(),
                |payload| payload.copy_from_slice(data),
                &checked(),
            );
        });
    }
    /// A segment of TCP, from whom the guest wanted to reach.
    pub fn tcp(&mut self, to: Ipv4Address, from: Ipv4Address, segment: &TcpRepr) {
        let (place, bytes) = (self.to_guest(to), segment.buffer_len());
        self.ip(from, place, IpProtocol::Tcp, bytes, |buffer| {
            let mut packet = TcpPacket::new_unchecked(buffer);
            segment.emit(&mut packet, &from.into(), &to.into(), &checked());
        });
    }
}
