//! Where an IP address leads: the one classifier, for integrations, webhooks and the resolver.
//!
//! Without consent only addresses are called that are globally reachable by the registries of IANA
//! (iana-ipv4-special-registry, iana-ipv6-special-registry). An IPv6 address that embeds an IPv4 address is treated as both,
//! and the narrower one counts: a gateway would deliver the packet to the IPv4 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a URL or an IP address leads, from the widest to the narrowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The internet.
    Public,
    /// This machine or its private network: only with the person's consent.
    Local,
    /// Link-local addresses, metadata services, and addresses that belong to no single host: never called.
    Never,
}

/// Where an IP address leads.
pub fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

/// Whether packets to the address stay on this machine, so that they need no encryption. Addresses that a gateway
/// translates don't count.
pub fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    if is_metadata(ip) {
        return Reach::Never;
    }
    match ip.octets() {
        // Loopback (RFC 1122), private use (RFC 1918), shared address space (RFC 6598), which overlay networks use, and
        // benchmarking (RFC 2544), whose addresses VPNs and proxies give out on a machine.
        [127 | 10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] | [198, 18..=19, ..] => Reach::Local,
        // "This network", IETF assignments, documentation, deprecated 6to4 relays, multicast, reserved (RFC 6890, 5737, 7526).
        [0 | 224.., ..] | [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _] => Reach::Never,
        _ => Reach::Public,
    }
}

/// Link-local addresses (RFC 3927), where most metadata services are, and the metadata services elsewhere: Azure, Alibaba
/// Cloud, Oracle Cloud.
fn is_metadata(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [169, 254, ..] | [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192])
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    if ip.is_loopback() {
        return Reach::Local;
    }
    let octets = ip.octets();
    let embedded = |at: [usize; 4]| Ipv4Addr::from(at.map(|index| octets[index]));
    let last = embedded([12, 13, 14, 15]);
    let own = match ip.segments() {
        // IPv4-mapped (RFC 4291 §2.5.5.2), and NAT64 with the well-known prefix (RFC 6052 §2.1), by which networks without
        // IPv4 reach the rest of the internet.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => reach_v4(last),
        // NAT64 with a local prefix (RFC 8215), whose length isn't known: any of RFC 6052's layouts (§2.2) may hold.
        [0x64, 0xff9b, 1, ..] => {
            let layouts = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]];
            if layouts.map(embedded).into_iter().any(is_metadata) { Reach::Never } else { Reach::Local }
        }
        // 6to4 (RFC 3056 §2).
        [0x2002, ..] => reach_v4(embedded([2, 3, 4, 5])),
        // Teredo (RFC 4380 §4): the server, and the client with its bits inverted.
        [0x2001, 0, ..] => reach_v4(embedded([4, 5, 6, 7])).max(reach_v4(Ipv4Addr::from_bits(!last.to_bits()))),
        // Metadata services: AWS, Google Cloud, Scaleway; and IETF assignments, documentation (RFC 3849, RFC 9637).
        [0xfd00, 0xec2, ..]
        | [0xfd20, 0xce, ..]
        | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]
        | [0x2001, 0..=0x1ff | 0xdb8, ..]
        | [0x3fff, 0..=0xfff, ..] => Reach::Never,
        // Unique local (RFC 4193), and site-local, which it replaced (RFC 3879).
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Reach::Local,
        // Global unicast (RFC 4291 §2.4). No hosts are elsewhere.
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never,
    };
    // An ISATAP interface identifier (RFC 5214 §6.1) follows any prefix.
    match ip.segments() {
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => own.max(reach_v4(last)),
        _ => own,
    }
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
