//! A guest with another stack: smoltcp's own, by the frames that its device takes and gives. And one that sends anything.

use super::udp as udp_flows;
use super::*;
use crate::random_tests::random;
use crate::save::Save;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{dhcpv4, icmp, tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, Icmpv4Repr, IpAddress, IpCidr, IpEndpoint};

const MAC: Mac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const PORT: u16 = 7;
const CLIENT: u32 = 5;

/// The guest's end of the wire. Of `loses` frames one is lost, whichever way it goes; 0: none.
struct Card {
    gateway: Gateway,
    now: u64,
    loses: u64,
    count: u64,
}

impl Card {
    fn lost(&mut self) -> bool {
        let x = self.count.wrapping_mul(6364136223846793005);
        self.count = x.wrapping_add(1442695040888963407);
        self.loses != 0 && (self.count >> 33).is_multiple_of(self.loses)
    }
}

struct Received(Vec<u8>);
struct Transmit<'a>(&'a mut Card);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let done = f(&mut frame);
        if !self.0.lost() {
            self.0.gateway.receive(&frame, self.0.now);
        }
        done
    }
}

impl Device for Card {
    type RxToken<'a> = Received;
    type TxToken<'a> = Transmit<'a>;
    fn receive(&mut self, _: Instant) -> Option<(Received, Transmit<'_>)> {
        loop {
            let frame = self.gateway.front()?.to_vec();
            self.gateway.pop();
            assert!(frame.len() <= LONGEST);
            if !self.lost() {
                return Some((Received(frame), Transmit(self)));
            }
        }
    }
    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        Some(Transmit(self))
    }
    fn capabilities(&self) -> DeviceCapabilities {
        let mut all = DeviceCapabilities::default();
        all.max_transmission_unit = LONGEST;
        all.medium = Medium::Ethernet;
        all
    }
}

struct Guest {
    card: Card,
    stack: Interface,
    sockets: SocketSet<'static>,
}

impl Guest {
    fn new() -> Guest {
        let mut card = Card {
            gateway: Gateway::new(MAC),
            now: 0,
            loses: 0,
            count: 0,
        };
        let config = Config::new(EthernetAddress(MAC).into());
        let stack = Interface::new(config, &mut card, Instant::ZERO);
        Guest {
            card,
            stack,
            sockets: SocketSet::new(Vec::new()),
        }
    }
    /// One that has its address, and listens with so large a buffer.
    fn listening(bytes: usize) -> (Guest, SocketHandle) {
        let mut g = Guest::new();
        let address = IpCidr::new(IpAddress::Ipv4(GUEST), 24);
        g.stack
            .update_ip_addrs(|all| all.push(address).expect("room"));
        g.stack
            .routes_mut()
            .add_default_ipv4_route(GATEWAY)
            .expect("room");
        let buffer = || tcp::SocketBuffer::new(vec![0; bytes]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.listen(PORT).expect("a port");
        let socket = g.sockets.add(socket);
        (g, socket)
    }
    /// A tenth of a millisecond passes.
    fn turn(&mut self) {
        self.card.now += 100_000;
        let now = self.card.now;
        if self.card.gateway.tcp.deadline().is_some_and(|t| t <= now) {
            self.card.gateway.outside(|c, to| c.event(now, to));
        }
        let at = Instant::from_micros((now / 1000) as i64);
        self.stack.poll(at, &mut self.card, &mut self.sockets);
    }
    fn client(&mut self, with: impl FnOnce(&mut Connections, u64, &mut Sender)) {
        let now = self.card.now;
        self.card.gateway.outside(|c, to| with(c, now, to));
    }
    fn tcp(&mut self, of: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(of)
    }
}

#[test]
fn dhcp_gives_the_address_and_the_gateway() {
    let mut g = Guest::new();
    let handle = g.sockets.add(dhcpv4::Socket::new());
    for _ in 0..100_000 {
        g.turn();
        let event = g.sockets.get_mut::<dhcpv4::Socket>(handle).poll();
        if let Some(dhcpv4::Event::Configured(c)) = event {
            assert_eq!((c.address.address(), c.address.prefix_len()), (GUEST, 24));
            assert_eq!((c.router, c.server.address), (Some(GATEWAY), GATEWAY));
            assert!(c.dns_servers.is_empty());
            return;
        }
    }
    panic!("no address");
}

#[test]
fn the_gateway_answers_ping_and_says_what_cannot_be_reached() {
    let (mut g, _) = Guest::listening(100);
    let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 4], vec![0; 2000]);
    let mut socket = icmp::Socket::new(buffer(), buffer());
    socket.bind(icmp::Endpoint::Ident(0x1234)).expect("free");
    let ping = g.sockets.add(socket);
    let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 4], vec![0; 2000]);
    let mut socket = icmp::Socket::new(buffer(), buffer());
    let own = IpEndpoint::new(IpAddress::Ipv4(GUEST), 999);
    socket.bind(icmp::Endpoint::Udp(own.into())).expect("free");
    let errors = g.sockets.add(socket);
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 2000]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(999).expect("free");
    let lone = g.sockets.add(socket);
    let data = [7; 900];
    let echo = Icmpv4Repr::EchoRequest {
        ident: 0x1234,
        seq_no: 3,
        data: &data,
    };
    let socket = g.sockets.get_mut::<icmp::Socket>(ping);
    let room = socket.send(echo.buffer_len(), IpAddress::Ipv4(GATEWAY));
    echo.emit(
        &mut Icmpv4Packet::new_unchecked(room.expect("room")),
        &checked(),
    );
    for to in [GATEWAY, Ipv4Address::new(8, 8, 8, 8)] {
        let socket = g.sockets.get_mut::<udp::Socket>(lone);
        let to = IpEndpoint::new(IpAddress::Ipv4(to), 53);
        socket.send_slice(b"who?", to).expect("room");
    }
    (0..40_000).for_each(|_| g.turn());
    let socket = g.sockets.get_mut::<icmp::Socket>(ping);
    let (bytes, from) = socket.recv().expect("an answer");
    assert_eq!(from, IpAddress::Ipv4(GATEWAY));
    let packet = Icmpv4Packet::new_checked(bytes).expect("ICMP");
    let Ok(Icmpv4Repr::EchoReply { seq_no, data, .. }) = Icmpv4Repr::parse(&packet, &checked())
    else {
        panic!("no reply");
    };
    assert_eq!((seq_no, data), (3, &[7; 900][..]));
    let socket = g.sockets.get_mut::<icmp::Socket>(errors);
    for wanted in [
        Icmpv4DstUnreachable::PortUnreachable,
        Icmpv4DstUnreachable::NetUnreachable,
    ] {
        let (bytes, _) = socket.recv().expect("an error");
        let packet = Icmpv4Packet::new_checked(bytes).expect("ICMP");
        let Ok(Icmpv4Repr::DstUnreachable { reason, .. }) = Icmpv4Repr::parse(&packet, &checked())
        else {
            panic!("no error");
        };
        assert_eq!(reason, wanted);
    }
}

/// A guest that echoes datagrams to port 7, and clients: each has its own answers, a late one goes to nobody else.
#[test]
fn datagrams_go_in_and_their_answers_come_out() {
    let (mut g, _) = Guest::listening(100);
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 128], vec![0; 9000]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(PORT).expect("free");
    let echo = g.sockets.add(socket);
    let long = [1; 1472];
    for (client, data) in [
        (1, &b"one"[..]),
        (2, b"two"),
        (1, b""),
        (3, &long),
        (3, &[1; 1473]),
    ] {
        g.client(|c, _, to| c.flows.send(client, PORT, data, to));
        assert_eq!(g.card.gateway.tcp.waiting(client), Some(0));
    }
    let mut asked = Vec::new();
    for _ in 0..20_000 {
        g.turn();
        let socket = g.sockets.get_mut::<udp::Socket>(echo);
        while let Ok((data, from)) = socket.recv() {
            asked.push((data.to_vec(), from.endpoint));
        }
    }
    assert_eq!(asked.len(), 4); // what is longer than a packet is lost
    for (data, to) in &asked {
        assert_eq!(to.addr, IpAddress::Ipv4(GATEWAY));
        let socket = g.sockets.get_mut::<udp::Socket>(echo);
        socket.send_slice(data, *to).expect("room");
    }
    assert_eq!(asked[0].1, asked[2].1);
    (0..20_000).for_each(|_| g.turn());
    let told = |client, data: &[u8]| (client, Told::Datagram(data.to_vec()));
    let answers = vec![
        told(1, b"one"),
        told(2, b"two"),
        told(1, b""),
        told(3, &long),
    ];
    assert_eq!(g.card.gateway.tcp.take_told(), answers);

    let saved = g.card.gateway.clone();
    let bytes = borsh::to_vec(&saved).expect("memory");
    assert_eq!(borsh::from_slice::<Gateway>(&bytes).expect("saved"), saved);
    // Who has been known longest is forgotten: its answer is for nobody.
    for client in 4..=udp_flows::MOST as u32 + 1 {
        g.client(|c, _, to| c.flows.send(client, PORT, b"more", to));
    }
    assert_eq!(g.card.gateway.tcp.waiting(1), None);
    assert_eq!(g.card.gateway.tcp.waiting(2), Some(0));
    for (data, to) in &asked[..2] {
        let socket = g.sockets.get_mut::<udp::Socket>(echo);
        socket.send_slice(data, *to).expect("room");
    }
    (0..20_000).for_each(|_| g.turn());
    assert_eq!(g.card.gateway.tcp.take_told(), [told(2, b"two")]);
}

/// The client sends `bytes`, the guest echoes through buffers of `buffer` bytes, of `loses` frames one is lost; then both end.
fn echo(bytes: usize, buffer: usize, loses: u64) {
    let (mut g, handle) = Guest::listening(buffer);
    g.card.loses = loses;
    let data: Vec<u8> = (0..bytes).map(|n| (n * n % 251) as u8).collect();
    g.client(|c, now, to| c.open(CLIENT, PORT, now, to));
    g.client(|c, now, to| c.send(CLIENT, &data, now, to)); // before the guest has said anything
    g.client(|c, now, to| c.end(CLIENT, now, to));
    let (mut back, mut ended) = (Vec::new(), false);
    for n in 0..4_000_000 {
        g.turn();
        let s = g.tcp(handle);
        if s.can_recv() && s.can_send() {
            let room = s.send_capacity() - s.send_queue();
            let taken = s
                .recv(|b| (b.len().min(room), b[..b.len().min(room)].to_vec()))
                .expect("open");
            assert_eq!(s.send_slice(&taken), Ok(taken.len()));
        }
        if !s.may_recv() && s.recv_queue() == 0 && s.state() == tcp::State::CloseWait {
            s.close();
        }
        if n % 50 == 0 {
            // Saved and loaded on the way.
            let mut saved = Vec::new();
            let told = g.card.gateway.tcp.take_told();
            g.card.gateway.save(&mut saved);
            g.card.gateway = Gateway::new([0; 6]);
            g.card.gateway.load(&mut &saved[..]).expect("as it was");
            for (client, what) in told {
                assert_eq!(client, CLIENT);
                match what {
                    Told::Data(d) => back.extend(d),
                    Told::Datagram(d) => panic!("no connection: {d:?}"),
                    Told::End => ended = true,
                    Told::Abort => panic!("aborted after {} bytes", back.len()),
                }
            }
            if ended && g.card.gateway.tcp.waiting(CLIENT).is_none() {
                break;
            }
        }
    }
    assert!(ended, "{} of {bytes}", back.len());
    assert!(back == data);
    assert_eq!(g.card.gateway.tcp.waiting(CLIENT), None, "both ends");
    assert_eq!(g.card.gateway.tcp.deadline(), None);
}

#[test]
fn what_a_client_sends_arrives_and_comes_back() {
    echo(0, 4000, 0);
    echo(1, 4000, 0);
    echo(500_000, 60_000, 0);
    echo(100_000, 1000, 0); // less than a segment: the window closes
}

#[test]
fn what_is_lost_is_sent_again() {
    for loses in [3, 7, 19] {
        echo(20_000, 8000, loses);
    }
}

#[test]
fn nobody_listens_and_nobody_answers() {
    let (mut g, handle) = Guest::listening(100);
    g.client(|c, now, to| c.open(1, PORT + 1, now, to));
    (0..15_000).for_each(|_| g.turn()); // its stack answers the second time: the first it has asked who the gateway is
    assert_eq!(g.card.gateway.tcp.take_told(), [(1, Told::Abort)]);
    g.tcp(handle).close();
    g.card.loses = 1; // all of them
    g.client(|c, now, to| c.open(2, PORT, now, to));
    let begun = g.card.now / 1_000_000_000;
    let mut seconds = 0;
    while g.card.gateway.tcp.waiting(2).is_some() {
        g.card.now = g.card.gateway.tcp.deadline().expect("it is tried again");
        seconds = g.card.now / 1_000_000_000;
        g.client(|c, now, to| c.event(now, to));
    }
    assert_eq!(g.card.gateway.tcp.take_told(), [(2, Told::Abort)]);
    assert_eq!(seconds - begun, 127, "1 + 2 + ... + 64");
}

#[test]
fn either_side_aborts() {
    for by_guest in [true, false] {
        let (mut g, handle) = Guest::listening(100);
        g.client(|c, now, to| c.open(CLIENT, PORT, now, to));
        (0..10).for_each(|_| g.turn());
        assert_eq!(g.tcp(handle).state(), tcp::State::Established);
        if by_guest {
            g.tcp(handle).abort();
        } else {
            g.client(|c, _, to| c.abort(CLIENT, to));
        }
        (0..10).for_each(|_| g.turn());
        assert_eq!(g.tcp(handle).state(), tcp::State::Closed);
        let told = g.card.gateway.tcp.take_told();
        assert_eq!(!told.is_empty(), by_guest);
        assert_eq!(g.card.gateway.tcp.waiting(CLIENT), None);
    }
}

#[test]
fn connections_from_the_guest_are_refused() {
    let (mut g, handle) = Guest::listening(100);
    for to in [GATEWAY, Ipv4Address::new(192, 0, 2, 1)] {
        g.tcp(handle).abort();
        g.turn();
        let s = g.sockets.get_mut::<tcp::Socket>(handle);
        let to = IpEndpoint::new(IpAddress::Ipv4(to), 80);
        s.connect(g.stack.context(), to, 5555).expect("a port");
        (0..100).for_each(|_| g.turn());
        assert_eq!(g.tcp(handle).state(), tcp::State::Closed, "{to}");
    }
}

#[test]
fn connections_are_not_without_bound() {
    let (mut g, _) = Guest::listening(100);
    for client in 0..70 {
        g.client(|c, now, to| c.open(client, PORT, now, to));
    }
    let told = g.card.gateway.tcp.take_told();
    assert_eq!(told.first(), Some(&(64, Told::Abort)));
    assert_eq!(told.len(), 6);
    g.client(|c, now, to| c.open(3, PORT, now, to));
    assert_eq!(g.card.gateway.tcp.take_told(), [(3, Told::Abort)], "taken");
}

#[test]
fn any_frame_is_survived() {
    let mut next = random(1);
    let (mut g, _) = Guest::listening(4000);
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for n in 0..200_000u64 {
        match next(40) {
            0 => g.client(|c, now, to| c.open(n as u32 % 9, PORT, now, to)),
            1 => g.client(|c, now, to| c.send(n as u32 % 9, &[1; 3000], now, to)),
            2 => g.client(|c, now, to| c.end(n as u32 % 9, now, to)),
            3 => g.client(|c, _, to| c.abort(n as u32 % 9, to)),
            4 => {
                g.card.now += 1_000_000_000;
                g.client(|c, now, to| c.event(now, to));
            }
            _ => {}
        }
        // A frame of the gateway's, turned round and then damaged in a few places, or bytes of no meaning.
        if let Some(frame) = g.card.gateway.front() {
            if seen.len() < 500 {
                seen.push(frame.to_vec());
            } else {
                let at = next(500) as usize;
                seen[at] = frame.to_vec();
            }
            g.card.gateway.pop();
        }
        let mut frame = match seen.len() as u64 {
            0 => vec![next(256) as u8; next(100) as usize],
            many => seen[next(many) as usize].clone(),
        };
        if frame.len() > 34 && next(10) != 0 {
            let (left, right) = frame.split_at_mut(6);
            left.swap_with_slice(&mut right[..6]);
            let (left, right) = frame.split_at_mut(30);
            left[26..].swap_with_slice(&mut right[..4]);
        }
        if frame.len() > 38 && next(10) != 0 {
            let (left, right) = frame.split_at_mut(36);
            left[34..].swap_with_slice(&mut right[..2]);
        }
        for _ in 0..next(4) {
            if !frame.is_empty() {
                let at = next(frame.len() as u64) as usize;
                frame[at] = next(256) as u8;
            }
        }
        mended(&mut frame);
        frame.truncate(frame.len() - next(10).saturating_sub(8) as usize * frame.len() / 2);
        let now = g.card.now;
        g.card.gateway.receive(&frame, now);
        let mut saved = Vec::new();
        if n.is_multiple_of(1000) {
            g.card.gateway.save(&mut saved);
            assert!(saved.len() < 4 << 20);
            g.card.gateway.tcp.take_told();
        }
    }
}

/// Make its checksums right, so that what they stand for is looked at.
fn mended(frame: &mut [u8]) {
    let Ok(mut frame) = EthernetFrame::new_checked(frame) else {
        return;
    };
    let Ok(mut packet) = Ipv4Packet::new_checked(frame.payload_mut()) else {
        return;
    };
    packet.fill_checksum();
    let (src, dst) = (packet.src_addr().into(), packet.dst_addr().into());
    let next = packet.next_header();
    match next {
        IpProtocol::Tcp => {
            if let Ok(mut p) = smoltcp::wire::TcpPacket::new_checked(packet.payload_mut()) {
                p.fill_checksum(&src, &dst);
            }
        }
        IpProtocol::Udp => {
            if let Ok(mut p) = UdpPacket::new_checked(packet.payload_mut()) {
                p.fill_checksum(&src, &dst);
            }
        }
        IpProtocol::Icmp => {
            if let Ok(mut p) = Icmpv4Packet::new_checked(packet.payload_mut()) {
                p.fill_checksum();
            }
        }
        _ => {}
    }
}
