//! Connections from outside to the guest's ports: the gateway's end of TCP (RFC 9293), which is always the one that begins.
//!
//! Outside somebody opens, sends, ends and aborts ([`Connections`]'s methods, all at a known virtual time) and is told what the guest
//! does ([`Told`]). No segment is lost on this wire, but the guest may drop some: what is not acknowledged is sent again, from there on.

use super::map::{checked, GATEWAY, GUEST, MTU};
use super::udp::Flows;
use super::wire::Sender;
use borsh::{BorshDeserialize, BorshSerialize};
use smoltcp::wire::{Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber};
use std::collections::VecDeque;

/// Most connections at once; more are refused.
const MOST: usize = 64;
/// The gateway's ports: those of RFC 6335 that nobody has.
const PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;
/// Bytes that the guest may send ahead. All of it is taken at once.
const WINDOW: u16 = 65535;
/// Bytes of the longest segment, headers without options.
const SEGMENT: u16 = MTU as u16 - 40;
/// What a peer that says nothing of it can take (3.7.1).
const SMALL: u16 = 536;
/// Nanoseconds after which the first segment without an answer is sent again; then twice as many, and so on.
const AGAIN: u64 = 1_000_000_000;
/// How often it is sent again.
const TRIES: u8 = 6;

/// What the guest has done, for the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It sent these bytes.
    Data(Vec<u8>),
    /// It sent these bytes to somebody who sends datagrams.
    Datagram(Vec<u8>),
    /// It sends no more.
    End,
    /// There is no connection, or no longer.
    Abort,
}

#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, PartialEq, Eq)]
struct Connection {
    /// What it is called outside.
    client: u32,
    /// The gateway's port, and the guest's.
    ports: (u16, u16),
    /// The handshake is through.
    open: bool,
    /// The first number that the guest has not acknowledged; the next to send, and the highest that was sent.
    first: u32,
    next: u32,
    highest: u32,
    /// What the guest will send next.
    expected: u32,
    /// Bytes that the guest takes from `first` on; bytes of a segment.
    window: u32,
    segment: u16,
    /// What was given to be sent, from `first` on.
    out: VecDeque<u8>,
    /// Nothing more will be.
    ending: bool,
    /// The guest's end was seen; that of outside was acknowledged.
    ended: bool,
    finished: bool,
    /// When to send again, and how often that was done.
    due: Option<u64>,
    tries: u8,
}

/// All of them.
#[derive(BorshSerialize, BorshDeserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    list: Vec<Connection>,
    /// How many there were: it decides the next one's port and numbers.
    opened: u32,
    /// Who sends datagrams, and opens nothing.
    pub flows: Flows,
    /// What is to be told outside, by client.
    #[borsh(skip)]
    told: Vec<(u32, Told)>,
}

impl Connection {
    fn segment<'a>(&self, control: TcpControl, at: u32, payload: &'a [u8]) -> TcpRepr<'a> {
        let syn = control == TcpControl::Syn;
        TcpRepr {
            src_port: self.ports.0,
            dst_port: self.ports.1,
            control,
            seq_number: TcpSeqNumber(at as i32),
            ack_number: (!syn).then_some(TcpSeqNumber(self.expected as i32)),
            window_len: WINDOW,
            window_scale: None,
            max_seg_size: syn.then_some(SEGMENT),
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload,
        }
    }
    fn send(&self, control: TcpControl, at: u32, payload: &[u8], to: &mut Sender) {
        to.tcp(GUEST, GATEWAY, &self.segment(control, at, payload));
    }
    /// Send what the guest has room for, from `next` on; a `probe` sends a byte even if there is none. Whether something was sent.
    fn push(&mut self, now: u64, probe: bool, to: &mut Sender) -> bool {
        let (before, window) = (self.next, self.window.max(probe as u32) as usize);
        while self.open {
            let sent = self.next.wrapping_sub(self.first) as usize;
            let Some(left) = self.out.len().checked_sub(sent) else {
                break; // the end is sent
            };
            let room = window.saturating_sub(sent);
            let bytes = left.min(self.segment as usize).min(room);
            let last = self.ending && bytes == left;
            if bytes == 0 && !last {
                break;
            }
            let payload: Vec<u8> = self.out.range(sent..sent + bytes).copied().collect();
            let control = match (last, bytes == left) {
                (true, _) => TcpControl::Fin,
                (false, true) => TcpControl::Psh,
                (false, false) => TcpControl::None,
            };
            self.send(control, self.next, &payload, to);
            self.next = self.next.wrapping_add(bytes as u32 + last as u32);
        }
        if self.next.wrapping_sub(self.highest) as i32 > 0 {
            self.highest = self.next;
        }
        let waits = self.next != self.first || !self.out.is_empty();
        if waits && self.due.is_none() {
            self.due = Some(now.saturating_add(AGAIN << self.tries));
        }
        self.next != before
    }
    /// The guest has all up to `ack`, and takes `window` bytes more.
    fn acknowledged(&mut self, ack: u32, window: u16) {
        let count = ack.wrapping_sub(self.first);
        if count > self.highest.wrapping_sub(self.first) {
            return; // never sent, or long ago
        }
        self.finished |= self.ending && count as usize == self.out.len() + 1;
        self.out.drain(..self.out.len().min(count as usize));
        self.first = ack;
        if self.next.wrapping_sub(self.first) as i32 <= 0 {
            self.next = self.first;
        }
        self.window = window as u32;
        self.tries = 0;
        if count != 0 {
            self.due = None;
        }
    }
}

impl Connections {
    /// Whom the outside calls `client` opens a connection to the guest's port.
    pub fn open(&mut self, client: u32, port: u16, now: u64, to: &mut Sender) {
        if self.list.len() == MOST || self.find(client).is_some() {
            self.told.push((client, Told::Abort));
            return;
        }
        let ports = PORTS.count() as u32;
        let own = (0..ports)
            .map(|n| PORTS.start() + (self.opened.wrapping_add(n) % ports) as u16)
            .find(|p| self.list.iter().all(|c| c.ports.0 != *p));
        let number = self.opened.wrapping_mul(0x0100_0001); // another one each time, and far from the last
        self.opened = self.opened.wrapping_add(1);
        let connection = Connection {
            client,
            ports: (own.expect("more than connections"), port),
            open: false,
            first: number,
            next: number.wrapping_add(1),
            highest: number.wrapping_add(1),
            expected: 0,
            window: 0,
            segment: SMALL,
            out: VecDeque::new(),
            ending: false,
            ended: false,
            finished: false,
            due: Some(now.saturating_add(AGAIN)),
            tries: 0,
        };
        connection.send(TcpControl::Syn, number, &[], to);
        self.list.push(connection);
    }
    /// Send bytes.
    pub fn send(&mut self, client: u32, data: &[u8], now: u64, to: &mut Sender) {
        if let Some(n) = self.find(client).filter(|n| !self.list[*n].ending) {
            self.list[n].out.extend(data);
            self.list[n].push(now, false, to);
        }
    }
    /// Nothing more comes from there.
    pub fn end(&mut self, client: u32, now: u64, to: &mut Sender) {
        if let Some(n) = self.find(client) {
            self.list[n].ending = true;
            self.list[n].push(now, false, to);
        }
    }
    /// Nobody is there any more.
    pub fn abort(&mut self, client: u32, to: &mut Sender) {
        if let Some(n) = self.find(client) {
            let gone = self.list.remove(n);
            gone.send(TcpControl::Rst, gone.next, &[], to);
        }
    }
    /// Tell a client of something.
    pub fn tell(&mut self, client: u32, what: Told) {
        self.told.push((client, what));
    }
    /// What is to be told outside since the last call, by client.
    pub fn take_told(&mut self) -> Vec<(u32, Told)> {
        std::mem::take(&mut self.told)
    }
    /// Bytes that a client has sent and the guest has not acknowledged; None: there is no such client.
    pub fn waiting(&self, client: u32) -> Option<usize> {
        let connected = self.find(client).map(|n| self.list[n].out.len());
        connected.or(self.flows.has(client).then_some(0))
    }
    /// When something is to be sent again.
    pub fn deadline(&self) -> Option<u64> {
        self.list.iter().filter_map(|c| c.due).min()
    }
    /// Send again what has had no answer for too long.
    pub fn event(&mut self, now: u64, to: &mut Sender) {
        let told = &mut self.told;
        self.list.retain_mut(|c| {
            if c.due.is_none_or(|due| due > now) {
                return true;
            }
            c.due = None;
            c.tries += 1;
            if c.tries > TRIES {
                c.send(TcpControl::Rst, c.next, &[], to);
                told.push((c.client, Told::Abort));
                return false;
            }
            if c.open {
                c.next = c.first;
                c.push(now, true, to);
            } else {
                c.send(TcpControl::Syn, c.first, &[], to);
                c.due = Some(now.saturating_add(AGAIN << c.tries));
            }
            true
        });
    }
    fn find(&self, client: u32) -> Option<usize> {
        self.list.iter().position(|c| c.client == client)
    }
    /// Take a segment from the guest.
    ///
    /// # Errors
    /// It is none.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        ip: &Ipv4Repr,
        now: u64,
        to: &mut Sender,
    ) -> smoltcp::wire::Result<()> {
        let packet = TcpPacket::new_checked(bytes)?;
        let (src, dst) = (ip.src_addr.into(), ip.dst_addr.into());
        let segment = TcpRepr::parse(&packet, &src, &dst, &checked())?;
        let ports = (segment.dst_port, segment.src_port);
        let ours = ip.src_addr == GUEST && ip.dst_addr == GATEWAY;
        let known = self.list.iter().position(|c| ours && c.ports == ports);
        let Some(n) = known else {
            refuse(&segment, ip, to);
            return Ok(());
        };
        let c = &mut self.list[n];
        let (at, ack) = (segment.seq_number.0 as u32, segment.ack_number);
        if segment.control == TcpControl::Rst {
            let right = if c.open {
                at == c.expected
            } else {
                ack == Some(TcpSeqNumber(c.next as i32))
            };
            if right {
                self.told.push((c.client, Told::Abort));
                self.list.remove(n);
            }
            return Ok(());
        }
        let Some(TcpSeqNumber(ack)) = ack else {
            return Ok(()); // 3.10.7.4: without an acknowledgement it is dropped
        };
        let ack = ack as u32;
        if !c.open {
            if ack != c.next {
                refuse(&segment, ip, to);
            } else if segment.control == TcpControl::Syn {
                c.open = true;
                c.expected = at.wrapping_add(1);
                c.segment = segment.max_seg_size.unwrap_or(SMALL).clamp(1, SEGMENT);
                c.first = ack; // the beginning itself has a number, and is none of what was given
                c.acknowledged(ack, segment.window_len);
                (c.due, c.tries) = (None, 0);
                if !c.push(now, false, to) {
                    c.send(TcpControl::None, c.next, &[], to);
                }
            }
            return Ok(());
        }
        c.acknowledged(ack, segment.window_len);
        let mut answer = segment.control == TcpControl::Syn; // of old: say where we are (RFC 5961)
        let fin = segment.control == TcpControl::Fin;
        let payload = segment.payload;
        if !payload.is_empty() || fin {
            answer = true;
            let behind = c.expected.wrapping_sub(at) as usize; // of it we have
            if let Some(fresh) = payload.get(behind..).filter(|_| !c.ended) {
                if !fresh.is_empty() {
                    self.told.push((c.client, Told::Data(fresh.to_vec())));
                    c.expected = c.expected.wrapping_add(fresh.len() as u32);
                }
                if fin {
                    c.expected = c.expected.wrapping_add(1);
                    c.ended = true;
                    self.told.push((c.client, Told::End));
                }
            }
        }
        if !c.push(now, false, to) && answer {
            c.send(TcpControl::None, c.next, &[], to);
        }
        if c.ended && c.finished {
            self.list.remove(n);
        }
        Ok(())
    }
}

/// Say that there is no such connection (3.10.7.1).
fn refuse(segment: &TcpRepr, ip: &Ipv4Repr, to: &mut Sender) {
    if segment.control == TcpControl::Rst {
        return;
    }
    let taken = segment.payload.len() + segment.control.len();
    let reset = TcpRepr {
        src_port: segment.dst_port,
        dst_port: segment.src_port,
        control: TcpControl::Rst,
        seq_number: segment.ack_number.unwrap_or(TcpSeqNumber(0)),
        ack_number: match segment.ack_number {
            Some(_) => None,
            None => Some(segment.seq_number + taken),
        },
        window_len: 0,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    to.tcp(ip.src_addr, ip.dst_addr, &reset);
}
