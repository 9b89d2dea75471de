//! Whether the machine is online, as far as it can tell without sending anything.

use std::net::IpAddr;

use url::Url;

/// Whether a network interface other than loopback has an address that reaches further than its own link.
pub fn is_online() -> bool {
    // Not knowing is no reason to put anything off.
    if_addrs::get_if_addrs().map_or(true, |interfaces| {
        interfaces.iter().any(|interface| interface.is_oper_up() && !interface.is_loopback() && !interface.is_link_local())
    })
}

/// Whether a request there needs a network at all.
pub fn is_on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Where a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses only.
    Public,
    /// Private ranges and loopback too: the person agreed.
    Local,
}

/// Whether a connection to this address is allowed. Link-local addresses, where clouds keep their metadata services, never
/// are; private ranges and loopback only by consent.
pub fn is_allowed(address: IpAddr, reach: Reach) -> bool {
    let address = address.to_canonical();
    let (never, private) = match address {
        IpAddr::V4(v4) => (
            v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || v4.is_documentation()
                // Alibaba's metadata service sits in the shared range (RFC 6598), which is nobody's public address anyway.
                || (v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]))
                || v4.octets()[0] == 0
                || v4.octets()[0] >= 240,
            v4.is_private() || v4.is_loopback(),
        ),
        IpAddr::V6(v6) => (
            v6.is_unicast_link_local()
                || v6.is_unspecified()
                || v6.is_multicast()
                // AWS's metadata service over IPv6.
                || v6.segments()[..6] == [0xfd00, 0x0ec2, 0, 0, 0, 0],
            v6.is_unique_local() || v6.is_loopback(),
        ),
    };
    !never && (reach == Reach::Local || !private)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_addresses_are_never_reached_private_ones_by_consent() {
        for (address, public, local) in [
            ("93.184.216.34", true, true),
            ("2606:2800:220:1::1", true, true),
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("10.1.2.3", false, true),
            ("192.168.1.1", false, true),
            ("172.16.0.1", false, true),
            ("fd12::1", false, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("::ffff:127.0.0.1", false, true),
            ("fe80::1", false, false),
            ("fd00:ec2::254", false, false),
            ("100.100.100.200", false, false),
            ("0.0.0.0", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(is_allowed(address, Reach::Public), public, "{address} from outside");
            assert_eq!(is_allowed(address, Reach::Local), local, "{address} by consent");
        }
    }
}
