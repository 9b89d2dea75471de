//! How far this machine's network reaches, and where a request may go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use relink_domain::integration::{Reach, reach};
use url::Url;

/// How far this machine's network reaches, as far as that can be told without sending anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Network {
    /// The machine is offline.
    Down,
    /// An interface is up, but there is no route to the internet.
    Local,
    /// There is a route to the internet.
    Up,
}

/// The current reach. An interface that is up doesn't imply internet access: virtual machines and containers leave
/// interfaces behind that aren't connected to anything.
pub fn now() -> Network {
    // Any public address works. Connecting a UDP socket looks up its route and sends nothing.
    let way = |from: IpAddr, to: IpAddr| UdpSocket::bind((from, 0)).and_then(|socket| socket.connect((to, 443)));
    let v4 = || way(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(1, 1, 1, 1).into());
    let v6 = || way(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0, 0, 0x1111).into());
    if v4().is_ok() || v6().is_ok() {
        return Network::Up;
    }
    // If it can't be determined, nothing is deferred.
    let is_up = if_addrs::get_if_addrs().map_or(true, |interfaces| {
        let reaches = |it: &if_addrs::Interface| it.is_oper_up() && !it.is_loopback() && !it.is_link_local();
        interfaces.iter().any(reaches)
    });
    if is_up { Network::Local } else { Network::Down }
}

/// Whether the address is on this machine, so that no network is needed.
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
pub enum Consent {
    /// Public addresses only.
    Public,
    /// Also private ranges and loopback, with the user's consent.
    Local,
}

/// Whether a connection to this address is allowed ([`reach`] says where it leads).
pub fn is_allowed(address: IpAddr, consent: Consent) -> bool {
    match reach(address) {
        Reach::Public => true,
        Reach::Local => consent == Consent::Local,
        Reach::Never => false,
    }
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
            ("0.0.0.0", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(is_allowed(address, Consent::Public), public, "{address} from outside");
            assert_eq!(is_allowed(address, Consent::Local), local, "{address} by consent");
        }
    }
}
