//! Which addresses a request may be connected to.

use std::net::IpAddr;

use url::{Host, Url};

use crate::{
    failure::Cause,
    integration::{Reach, is_loopback, reach},
};

/// Where a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Public addresses only.
    Public,
    /// Also private ranges and loopback, with the user's consent.
    Local,
}

/// Which addresses one request may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admits {
    /// Globally reachable ones.
    Public,
    /// Also private ranges and loopback: with consent, encrypted.
    Private,
    /// Only loopback: unencrypted. The name in the URL proves nothing, the address does.
    Loopback,
}

impl Admits {
    /// What a request to this URL may be connected to.
    pub fn of(url: &Url, consent: Consent) -> Self {
        match (url.scheme(), consent) {
            ("https", Consent::Public) => Self::Public,
            ("https", Consent::Local) => Self::Private,
            _ => Self::Loopback,
        }
    }

    /// Why no request goes to the URL's host; `None` if the addresses of its name are still to be checked. A literal address is
    /// never looked up, so it is checked here.
    pub fn refusal_of_host(self, url: &Url, consent: Consent) -> Option<Cause> {
        // Every address that may be called without encryption needs consent.
        if self == Self::Loopback && consent == Consent::Public {
            return Some(Cause::PrivateAddress);
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.refusal(address.into()),
            Some(Host::Ipv6(address)) => self.refusal(address.into()),
            Some(Host::Domain(_)) => None,
            None => Some(Cause::PrivateAddress),
        }
    }

    /// Why a connection to this address is refused ([`reach`] says where it leads); `None` if it is allowed.
    pub fn refusal(self, address: IpAddr) -> Option<Cause> {
        match (self, reach(address)) {
            (Self::Loopback, Reach::Public | Reach::Local) if !is_loopback(address) => Some(Cause::Unencrypted),
            (Self::Public, Reach::Local) | (_, Reach::Never) => Some(Cause::PrivateAddress),
            (Self::Public | Self::Private | Self::Loopback, Reach::Public | Reach::Local) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_addresses_are_never_reached_private_ones_by_consent_and_unencrypted_only_loopback() {
        use Cause::{PrivateAddress, Unencrypted};
        for (address, public, private, plain) in [
            ("93.184.216.34", None, None, Some(Unencrypted)),
            ("2606:2800:220:1::1", None, None, Some(Unencrypted)),
            ("64:ff9b::8.8.8.8", None, None, Some(Unencrypted)),
            ("127.0.0.1", Some(PrivateAddress), None, None),
            ("::1", Some(PrivateAddress), None, None),
            ("::ffff:127.0.0.1", Some(PrivateAddress), None, None),
            ("64:ff9b::127.0.0.1", Some(PrivateAddress), None, Some(Unencrypted)),
            ("10.9.8.7", Some(PrivateAddress), None, Some(Unencrypted)),
            ("192.168.1.1", Some(PrivateAddress), None, Some(Unencrypted)),
            ("198.18.0.1", Some(PrivateAddress), None, Some(Unencrypted)),
            ("fd12::1", Some(PrivateAddress), None, Some(Unencrypted)),
            ("fec0::1", Some(PrivateAddress), None, Some(Unencrypted)),
            ("169.254.169.254", Some(PrivateAddress), Some(PrivateAddress), Some(PrivateAddress)),
            ("::ffff:169.254.169.254", Some(PrivateAddress), Some(PrivateAddress), Some(PrivateAddress)),
            ("168.63.129.16", Some(PrivateAddress), Some(PrivateAddress), Some(PrivateAddress)),
            ("100.100.100.200", Some(PrivateAddress), Some(PrivateAddress), Some(PrivateAddress)),
            ("fd00:ec2::254", Some(PrivateAddress), Some(PrivateAddress), Some(PrivateAddress)),
            ("fd20:ce::254", Some(PrivateAddress), Some(PrivateAddress), Some(PrivateAddress)),
            ("100::1", Some(PrivateAddress), Some(PrivateAddress), Some(PrivateAddress)),
            ("0.0.0.0", Some(PrivateAddress), Some(PrivateAddress), Some(PrivateAddress)),
        ] {
            let ip: IpAddr = address.parse().expect("an address");
            let refusals = [Admits::Public, Admits::Private, Admits::Loopback].map(|admits| admits.refusal(ip));
            assert_eq!(refusals, [public, private, plain], "{address}");
        }
    }

    #[test]
    fn without_tls_only_loopback_is_admitted() {
        for (url, consent, expected) in [
            ("https://example.com", Consent::Public, Admits::Public),
            ("https://example.com", Consent::Local, Admits::Private),
            ("http://foo.localhost", Consent::Local, Admits::Loopback),
            ("http://example.com", Consent::Public, Admits::Loopback),
        ] {
            assert_eq!(Admits::of(&url.parse().expect("a URL"), consent), expected, "{url}");
        }
    }
}
