//! How far this machine's network reaches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

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
