//! Which user is at the other end of a connection.
//!
//! Every user of the machine can connect to a loopback port, and a token that another user has stolen must be of no use there.
//! The system tells the user of a Unix socket's peer; for TCP, Linux tells the owner of the peer's socket. Root counts as the
//! user: it can do everything as that user anyway.

use std::net::SocketAddr;

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// This user or root, or the system doesn't tell.
    Own,
    OtherUser,
}

/// The peer of an accepted TCP connection, by both of its addresses.
pub(crate) async fn of_tcp(peer: SocketAddr, own: SocketAddr) -> Peer {
    #[cfg(target_os = "linux")]
    return linux::of_tcp(peer, own).await;
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (peer, own);
        Peer::Own
    }
}

#[cfg(unix)]
pub(crate) fn of_uid(uid: u32) -> Peer {
    if is_own(uid) { Peer::Own } else { Peer::OtherUser }
}

#[cfg(unix)]
fn is_own(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// Whether the program that listens on this loopback port may be this user's: false only if the system says that it isn't.
pub fn may_be_own_listener(port: u16) -> bool {
    #[cfg(target_os = "linux")]
    return linux::listener(port).is_none_or(is_own);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = port;
        true
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs, io, net::SocketAddr};

    use super::{Peer, of_uid};

    /// Who owns a TCP socket.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Owner {
        User(u32),
        /// Its program has closed it. Such a socket seems to be root's.
        Closed,
        NotFound,
        /// The system doesn't tell.
        Unknown,
    }

    impl From<Owner> for Peer {
        fn from(owner: Owner) -> Self {
            match owner {
                Owner::User(uid) => of_uid(uid),
                Owner::Closed | Owner::NotFound => Self::OtherUser,
                Owner::Unknown => Self::Own,
            }
        }
    }

    pub(super) async fn of_tcp(peer: SocketAddr, own: SocketAddr) -> Peer {
        match super::sock_diag::owner(peer, own) {
            Ok(owner @ (Owner::User(_) | Owner::Closed)) => owner.into(),
            // Not found may also mean that this kernel can't be asked like this. Its tables take milliseconds to read.
            Ok(Owner::NotFound | Owner::Unknown) | Err(_) => {
                let owner = tokio::task::spawn_blocking(move || owner_in(&tables(), peer, own)).await;
                owner.map_or(Peer::OtherUser, Peer::from)
            }
        }
    }

    /// The user whose program listens on this loopback port.
    pub(super) fn listener(port: u16) -> Option<u32> {
        listener_in(&tables().unwrap_or_default(), port)
    }

    /// The tables of IPv4 and IPv6 sockets (`proc_pid_net(5)`).
    fn tables() -> io::Result<String> {
        let ipv4 = fs::read_to_string("/proc/net/tcp")?;
        // It doesn't exist if IPv6 is disabled.
        Ok(ipv4 + &fs::read_to_string("/proc/net/tcp6").unwrap_or_default())
    }

    /// One line of a table.
    struct Row<'t> {
        local: &'t str,
        remote: &'t str,
        state: &'t str,
        uid: u32,
        inode: u64,
    }

    fn rows(tables: &str) -> impl Iterator<Item = Row<'_>> {
        tables.lines().filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
            let uid = fields.nth(3)?.parse().ok()?;
            let inode = fields.nth(1)?.parse().ok()?;
            Some(Row { local, remote, state, uid, inode })
        })
    }

    fn owner_in(tables: &io::Result<String>, peer: SocketAddr, own: SocketAddr) -> Owner {
        let Ok(tables) = tables else { return Owner::Unknown };
        // A program that uses an IPv6 socket is in the other table, with IPv4-mapped addresses.
        let ends = [[hex(peer), hex(own)], [mapped_hex(peer), mapped_hex(own)]];
        let row = rows(tables).find(|row| ends.iter().any(|[peer, own]| row.local == peer && row.remote == own));
        match row {
            Some(Row { inode: 0, .. }) => Owner::Closed,
            Some(row) => Owner::User(row.uid),
            None => Owner::NotFound,
        }
    }

    fn listener_in(tables: &str, port: u16) -> Option<u32> {
        const LISTEN: &str = "0A";
        let suffix = format!(":{port:04X}");
        // The one for 127.0.0.1 is preferred to those for all addresses.
        let mut listeners: Vec<_> =
            rows(tables).filter(|row| row.state == LISTEN && row.local.ends_with(&suffix)).collect();
        listeners.sort_by_key(|row| row.local.starts_with("00000000"));
        listeners.first().map(|row| row.uid)
    }

    /// An address as the table has it: the address as a number in the machine's byte order, and the port.
    fn hex(address: SocketAddr) -> String {
        match address {
            SocketAddr::V4(address) => {
                format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
            }
            SocketAddr::V6(address) => hex_of_16_bytes(address.ip().octets(), address.port()),
        }
    }

    fn mapped_hex(address: SocketAddr) -> String {
        match address {
            SocketAddr::V4(v4) => hex_of_16_bytes(v4.ip().to_ipv6_mapped().octets(), v4.port()),
            SocketAddr::V6(_) => hex(address),
        }
    }

    fn hex_of_16_bytes(octets: [u8; 16], port: u16) -> String {
        let (words, _) = octets.as_chunks::<4>();
        let words: Vec<_> = words.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect();
        format!("{}:{port:04X}", words.concat())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const HEADER: &str =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

        fn at(text: &str) -> SocketAddr {
            text.parse().expect("an address")
        }

        fn row(local: &str, remote: &str, state: &str, uid: u32, inode: u64) -> String {
            format!(
                "   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 1 0 20 4 30 10 -1\n"
            )
        }

        #[cfg(target_endian = "little")]
        #[test]
        fn the_owner_of_the_peers_socket_is_found_by_both_addresses() {
            let (peer, own) = (at("127.0.0.1:45729"), at("127.0.0.1:54741"));
            let mapped = "0000000000000000FFFF00000100007F";
            for (rows, owner) in [
                (vec![row("0100007F:B2A1", "0100007F:D5D5", "01", 1001, 7)], Owner::User(1001)),
                // The server's end of the same connection, and other connections.
                (vec![row("0100007F:D5D5", "0100007F:B2A1", "01", 1000, 7)], Owner::NotFound),
                (vec![row("0100007F:B2A1", "0100007F:D5D6", "01", 1001, 7)], Owner::NotFound),
                (vec![row("0200007F:B2A1", "0100007F:D5D5", "01", 1001, 7)], Owner::NotFound),
                (vec![row("0100007F:B2A0", "0100007F:D5D5", "01", 1001, 7)], Owner::NotFound),
                (
                    vec![
                        row("0100007F:D5D5", "0100007F:B2A1", "01", 1000, 7),
                        row(&format!("{mapped}:B2A1"), &format!("{mapped}:D5D5"), "01", 1001, 7),
                    ],
                    Owner::User(1001),
                ),
                // Closed by its program: it counts neither as root's nor as anybody's.
                (vec![row("0100007F:B2A1", "0100007F:D5D5", "06", 0, 0)], Owner::Closed),
                (vec![row("0100007F:B2A1", "0100007F:D5D5", "05", 0, 0)], Owner::Closed),
                (vec!["nonsense\n".to_owned(), "   0: 0100007F:B2A1\n".to_owned()], Owner::NotFound),
                (vec![], Owner::NotFound),
            ] {
                let tables = Ok(format!("{HEADER}{}", rows.concat()));
                assert_eq!(owner_in(&tables, peer, own), owner, "{rows:?}");
            }
            assert_eq!(owner_in(&Err(io::ErrorKind::NotFound.into()), peer, own), Owner::Unknown);
        }

        #[test]
        fn only_the_user_and_root_count_as_the_user() {
            let own = rustix::process::geteuid().as_raw();
            for (owner, peer) in [
                (Owner::User(own), Peer::Own),
                (Owner::User(0), Peer::Own),
                (Owner::User(own + 1), Peer::OtherUser),
                (Owner::User(65_534), Peer::OtherUser),
                (Owner::Closed, Peer::OtherUser),
                (Owner::NotFound, Peer::OtherUser),
                (Owner::Unknown, Peer::Own),
            ] {
                assert_eq!(Peer::from(owner), peer, "{owner:?}");
            }
        }

        #[cfg(target_endian = "little")]
        #[test]
        fn the_listener_on_a_port_is_found() {
            let table = [
                row("00000000:1CF9", "00000000:0000", "0A", 1001, 5),
                row("0100007F:1CF9", "0100007F:B2A1", "01", 1002, 6),
                row("0100007F:1CF9", "00000000:0000", "0A", 1003, 7),
            ];
            assert_eq!(listener_in(&table.concat(), 7417), Some(1003));
            assert_eq!(listener_in(&table[..2].concat(), 7417), Some(1001));
            assert_eq!(listener_in(&table.concat(), 7418), None);
        }

        #[tokio::test]
        async fn both_ways_to_ask_find_the_owner_of_a_real_connection() {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let own = listener.local_addr().expect("an address");
            let stream = std::net::TcpStream::connect(own).expect("connected");
            let (accepted, peer) = listener.accept().expect("accepted");
            let user = Owner::User(rustix::process::geteuid().as_raw());
            assert_eq!(owner_in(&tables(), peer, own), user);
            assert_eq!(of_tcp(peer, own).await, Peer::Own);
            match super::super::sock_diag::owner(peer, own) {
                Ok(Owner::NotFound) | Err(_) => eprintln!("skipped: this kernel has no sock_diag(7)"),
                owner => assert_eq!(owner.expect("asked"), user),
            }
            drop(stream);
            assert_eq!(of_tcp(peer, own).await, Peer::OtherUser, "nobody has it any more");
            assert_eq!(
                listener_in(&tables().expect("tables"), own.port()),
                match user {
                    Owner::User(uid) => Some(uid),
                    _ => None,
                }
            );
            drop(accepted);
        }
    }
}

/// Asks the kernel for one socket (`sock_diag(7)`), which takes microseconds, however many sockets there are.
#[cfg(target_os = "linux")]
mod sock_diag {
    use std::{
        io,
        net::{IpAddr, SocketAddr},
    };

    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

    use super::linux::Owner;

    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLMSG_ERROR: u16 = 2;
    const NLM_F_REQUEST: u16 = 1;
    const AF_INET: u8 = 2;
    const IPPROTO_TCP: u8 = 6;
    const ALL_STATES: u32 = u32::MAX;
    /// `struct nlmsghdr`
    const HEADER_BYTES: usize = 16;
    /// Where `idiag_uid` and `idiag_inode` are in `struct inet_diag_msg`.
    const UID_OFFSET: usize = 64;
    const INODE_OFFSET: usize = 68;

    pub(super) fn owner(peer: SocketAddr, own: SocketAddr) -> io::Result<Owner> {
        let Some(request) = request(peer, own) else { return Ok(Owner::Unknown) };
        let socket =
            socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
        send(&socket, &request, SendFlags::empty())?;
        // The kernel has answered when `send` returns.
        let mut response = [0; 512];
        let (_, length) = recv(&socket, &mut response, RecvFlags::DONTWAIT)?;
        response.get(..length).and_then(read).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// `struct nlmsghdr` and `struct inet_diag_req_v2`: the peer's socket is the one whose local address is the peer's.
    fn request(peer: SocketAddr, own: SocketAddr) -> Option<Vec<u8>> {
        let (IpAddr::V4(peer_ip), IpAddr::V4(own_ip)) = (peer.ip(), own.ip()) else { return None };
        let mut body = vec![AF_INET, IPPROTO_TCP, 0, 0];
        body.extend(ALL_STATES.to_ne_bytes());
        body.extend(peer.port().to_be_bytes());
        body.extend(own.port().to_be_bytes());
        for ip in [peer_ip, own_ip] {
            body.extend(ip.octets());
            body.extend([0; 12]);
        }
        // Any interface, and any cookie.
        body.extend(0_u32.to_ne_bytes());
        body.extend([u8::MAX; 8]);
        let length = u32::try_from(HEADER_BYTES + body.len()).ok()?;
        let mut request = Vec::from(length.to_ne_bytes());
        request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        request.extend(NLM_F_REQUEST.to_ne_bytes());
        request.extend([0; 8]);
        request.extend(body);
        Some(request)
    }

    fn read(response: &[u8]) -> Option<Owner> {
        let kind = u16::from_ne_bytes(response.get(4..6)?.try_into().ok()?);
        let number = |offset: usize| {
            let offset = HEADER_BYTES + offset;
            Some(u32::from_ne_bytes(response.get(offset..offset + 4)?.try_into().ok()?))
        };
        match kind {
            SOCK_DIAG_BY_FAMILY if number(INODE_OFFSET)? == 0 => Some(Owner::Closed),
            SOCK_DIAG_BY_FAMILY => Some(Owner::User(number(UID_OFFSET)?)),
            NLMSG_ERROR => Some(Owner::NotFound),
            _ => None,
        }
    }
}
