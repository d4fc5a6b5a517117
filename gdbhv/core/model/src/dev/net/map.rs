//! Who is who on the wire.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::Ipv4Address;

/// The gateway, as QEMU's.
pub const GATEWAY: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
/// The address that DHCP gives, and to which connections go.
pub const GUEST: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
/// Of the network.
pub const MASK: Ipv4Address = Ipv4Address::new(255, 255, 255, 0);
/// The gateway's hardware address.
pub const GATEWAY_MAC: Mac = [0x52, 0x55, 10, 0, 2, 2];
/// Bytes of the longest packet in a frame.
pub const MTU: usize = 1500;
/// Bytes before it.
pub const HEADER: usize = 14;
/// Bytes of the longest frame.
pub const LONGEST: usize = HEADER + MTU;
/// Bytes of a packet's payload that an error quotes: with three headers, 576 (RFC 1812, 4.3.2.3).
pub const QUOTED: usize = 576 - 20 - 8 - 20;
/// Most frames that wait for the guest; more are lost.
pub const MOST: usize = 256;

/// A hardware address.
pub type Mac = [u8; 6];

/// Whether something is to be done about a checksum: all are right, and looked at.
pub fn checked() -> ChecksumCapabilities {
    ChecksumCapabilities::default()
}
