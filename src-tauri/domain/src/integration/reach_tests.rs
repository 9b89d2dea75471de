use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is an address"))
}

/// First and last address of each block of the registries and of its neighbors.
#[test]
fn only_globally_reachable_ipv4_addresses_are_public() {
    use Reach::{Local, Never, Public};
    for (first, last, expected) in [
        ("0.0.0.0", "0.255.255.255", Never),
        ("1.0.0.0", "9.255.255.255", Public),
        ("10.0.0.0", "10.255.255.255", Local),
        ("11.0.0.0", "100.63.255.255", Public),
        ("100.64.0.0", "100.100.100.199", Local),
        ("100.100.100.200", "100.100.100.200", Never),
        ("100.100.100.201", "100.127.255.255", Local),
        ("100.128.0.0", "126.255.255.255", Public),
        ("127.0.0.0", "127.255.255.255", Local),
        ("128.0.0.0", "168.63.129.15", Public),
        ("168.63.129.16", "168.63.129.16", Never),
        ("168.63.129.17", "169.253.255.255", Public),
        ("169.254.0.0", "169.254.255.255", Never),
        ("169.255.0.0", "172.15.255.255", Public),
        ("172.16.0.0", "172.31.255.255", Local),
        ("172.32.0.0", "191.255.255.255", Public),
        ("192.0.0.0", "192.0.0.255", Never),
        ("192.0.0.192", "192.0.0.192", Never),
        ("192.0.1.0", "192.0.1.255", Public),
        ("192.0.2.0", "192.0.2.255", Never),
        ("192.0.3.0", "192.88.98.255", Public),
        ("192.88.99.0", "192.88.99.255", Never),
        ("192.88.100.0", "192.167.255.255", Public),
        ("192.168.0.0", "192.168.255.255", Local),
        ("192.169.0.0", "198.17.255.255", Public),
        ("198.18.0.0", "198.19.255.255", Local),
        ("198.20.0.0", "198.51.99.255", Public),
        ("198.51.100.0", "198.51.100.255", Never),
        ("198.51.101.0", "203.0.112.255", Public),
        ("203.0.113.0", "203.0.113.255", Never),
        ("203.0.114.0", "223.255.255.255", Public),
        ("224.0.0.0", "239.255.255.255", Never),
        ("240.0.0.0", "255.255.255.255", Never),
    ] {
        assert_eq!((reach(ip(first)), reach(ip(last))), (expected, expected), "{first} to {last}");
    }
}

#[test]
fn only_globally_reachable_ipv6_addresses_are_public() {
    use Reach::{Local, Never, Public};
    for (first, last, expected) in [
        ("::", "::", Never),
        ("::1", "::1", Local),
        ("::2", "::ffff:ffff", Never),
        ("::127.0.0.1", "::8.8.8.8", Never),
        ("::fffe:0:0", "::fffe:ffff:ffff", Never),
        ("::ffff:0:7f00:1", "::ffff:0:808:808", Never),
        ("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9a::", Never),
        ("64:ff9b:0:0:0:1::", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", Never),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Local),
        ("64:ff9b:2::", "64:ff9b:2:ffff:ffff:ffff:ffff:ffff", Never),
        ("100::", "100::ffff:ffff:ffff:ffff", Never),
        ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", Never),
        ("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "1000::", Never),
        ("2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Public),
        ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Never),
        ("2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", Public),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Never),
        ("2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Public),
        ("2003::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Public),
        ("2606:4700::1111", "2a00:1450:4001:80b::200e", Public),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Never),
        ("3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Public),
        ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Never),
        ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Never),
        ("fc00::", "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Local),
        ("fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Local),
        ("fd00:ec2::254", "fd00:ec2::23", Never),
        ("fd20:ce::254", "fd20:ce::", Never),
        ("fd00:42::42", "fd00:42::42", Never),
        ("fd00:42::41", "fd00:ec3::254", Local),
        ("fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Never),
        ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Never),
        ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Local),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Never),
    ] {
        assert_eq!((reach(ip(first)), reach(ip(last))), (expected, expected), "{first} to {last}");
    }
}

#[test]
fn an_embedded_ipv4_address_counts() {
    use Reach::{Local, Never, Public};
    for (address, expected) in [
        ("::ffff:8.8.8.8", Public),
        ("::ffff:127.0.0.1", Local),
        ("::ffff:169.254.169.254", Never),
        ("64:ff9b::8.8.8.8", Public),
        ("64:ff9b::10.9.8.7", Local),
        ("64:ff9b::127.0.0.1", Local),
        ("64:ff9b::192.0.0.192", Never),
        ("64:ff9b::169.254.169.254", Never),
        ("64:ff9b:1::8.8.8.8", Local),
        ("64:ff9b:1::169.254.169.254", Never),
        ("64:ff9b:1:a9fe:a9:fe00::", Never),
        ("64:ff9b:1:ffa9:fe:a9fe::", Never),
        ("64:ff9b:1:ffff:a9:fea9:fe00:0", Never),
        ("2002:808:808::1", Public),
        ("2002:a09:807::1", Local),
        ("2002:7f00:1::", Local),
        ("2002:a9fe:a9fe::1", Never),
        ("2002:6464:64c8::1", Never),
        // Teredo: the server 8.8.8.8 and the client 9.9.9.9, then one of them elsewhere.
        ("2001:0:808:808::f6f6:f6f6", Public),
        ("2001:0:808:808::f5f6:f7f8", Local),
        ("2001:0:a09:807::f6f6:f6f6", Local),
        ("2001:0:808:808::5601:5601", Never),
        ("2001:0:a9fe:a9fe::f6f6:f6f6", Never),
        ("2606:4700::5efe:8.8.8.8", Public),
        ("2606:4700::5efe:10.0.0.1", Local),
        ("2606:4700::200:5efe:169.254.169.254", Never),
        ("fd12::5efe:8.8.8.8", Local),
    ] {
        assert_eq!(reach(ip(address)), expected, "{address}");
    }
}

#[test]
fn only_addresses_of_this_machine_need_no_encryption() {
    for (address, expected) in [
        ("127.0.0.1", true),
        ("127.255.255.254", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("128.0.0.1", false),
        ("10.9.8.7", false),
        ("0.0.0.0", false),
        ("::", false),
        ("::2", false),
        ("::127.0.0.1", false),
        ("64:ff9b::127.0.0.1", false),
        ("2002:7f00:1::", false),
    ] {
        assert_eq!(is_loopback(ip(address)), expected, "{address}");
    }
}

/// Any IPv4 address, often one that isn't public.
fn v4_bits() -> impl Strategy<Value = u32> {
    let special =
        ["127.0.0.1", "10.9.8.7", "100.64.0.1", "169.254.169.254", "168.63.129.16", "192.0.0.192", "198.18.0.1"];
    let special = special.map(|text| text.parse::<Ipv4Addr>().expect("an address").to_bits());
    prop_oneof![any::<u32>(), prop::sample::select(special.to_vec())]
}

proptest! {
    #[test]
    fn embedding_an_address_never_widens_its_reach(bits in v4_bits(), prefix: u64, interface: u64) {
        let v4 = Ipv4Addr::from_bits(bits);
        let own = reach(v4.into());
        let [a, b, c, d] = v4.octets().map(u16::from);
        let (high, low) = ((a << 8) | b, (c << 8) | d);
        let [p0, p1, p2, p3] = [48, 32, 16, 0].map(|shift| u16::try_from((prefix >> shift) & 0xffff).unwrap_or(0));
        let [i0, i1, i2, i3] = [48, 32, 16, 0].map(|shift| u16::try_from((interface >> shift) & 0xffff).unwrap_or(0));
        for v6 in [
            v4.to_ipv6_mapped(),
            v4.to_ipv6_compatible(),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, p3, i0, i1, i2, i3),
            Ipv6Addr::new(0x2001, 0, high, low, i0, i1, i2, i3),
            Ipv6Addr::new(0x2001, 0, p2, p3, i0, i1, !high, !low),
            Ipv6Addr::new(p0, p1, p2, p3, 0, 0x5efe, high, low),
        ] {
            prop_assert!(reach(v6.into()) >= own, "{v6} embeds {v4}");
        }
        // A gateway in the local network may reach more than the address alone tells, so it needs consent at least.
        let local = Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low);
        prop_assert!(reach(local.into()) >= Reach::Local);
    }

    #[test]
    fn outside_global_unicast_nothing_but_nat64_and_mapped_addresses_is_public(bits: u128) {
        let v6 = Ipv6Addr::from_bits(bits);
        if reach(v6.into()) == Reach::Public {
            prop_assert!(matches!(v6.segments()[0], 0x2000..=0x3fff), "{v6}");
        }
    }
}
