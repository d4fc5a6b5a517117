//! The gateway's DHCP server (RFC 2131): one address, for whoever asks.

use super::map::{GATEWAY, GUEST, MASK};
use smoltcp::wire::{DhcpMessageType, DhcpPacket, DhcpRepr, Ipv4Address, Result};

/// The port that servers have.
pub const SERVER: u16 = 67;
/// The port that clients have.
pub const CLIENT: u16 = 68;
/// Seconds: a day, as QEMU's.
const LEASE: u32 = 86400;

/// What a client is answered, if it is.
///
/// # Errors
/// It is no message of DHCP.
pub fn answer(message: &[u8]) -> Result<Option<DhcpRepr<'static>>> {
    let message = DhcpPacket::new_checked(message)?;
    let asked = DhcpRepr::parse(&message)?;
    if asked.server_identifier.is_some_and(|s| s != GATEWAY) {
        return Ok(None);
    }
    // A client that has an address says it there (4.3.2), another one by the option.
    let wanted = asked.requested_ip.unwrap_or(asked.client_ip);
    let message_type = match asked.message_type {
        DhcpMessageType::Discover => DhcpMessageType::Offer,
        DhcpMessageType::Request if wanted == GUEST => DhcpMessageType::Ack,
        DhcpMessageType::Request => DhcpMessageType::Nak,
        _ => return Ok(None),
    };
    let given = message_type != DhcpMessageType::Nak;
    Ok(Some(DhcpRepr {
        message_type,
        transaction_id: asked.transaction_id,
        secs: 0,
        client_hardware_address: asked.client_hardware_address,
        client_ip: Ipv4Address::UNSPECIFIED,
        your_ip: if given {
            GUEST
        } else {
            Ipv4Address::UNSPECIFIED
        },
        server_ip: GATEWAY,
        router: given.then_some(GATEWAY),
        subnet_mask: given.then_some(MASK),
        relay_agent_ip: Ipv4Address::UNSPECIFIED,
        broadcast: true,
        requested_ip: None,
        client_identifier: None,
        server_identifier: Some(GATEWAY),
        parameter_request_list: None,
        dns_servers: None, // there is none
        max_size: None,
        lease_duration: given.then_some(LEASE),
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[],
    }))
}
