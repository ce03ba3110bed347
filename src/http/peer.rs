//! The real address of a request's sender.
//!
//! Behind a proxy every socket has the proxy's address. A header with the sender's address is trusted only as far as
//! `trusted_proxies` reaches: read from the right, each hop was written by the one after it, and the first that is not
//! trusted is the peer. Everything further left was written by the peer itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::{Extensions, HeaderMap, header};

use crate::config::Network;

/// The header of most proxies: addresses between commas, the nearest last.
const X_FORWARDED_FOR: &str = "x-forwarded-for";
/// Hops that are examined; a longer chain of trusted proxies is forged or a loop.
const HOPS: usize = 32;
/// The prefix of an IPv6 network of a site or a machine: the holder of one of its addresses has them all.
const SITE: u8 = 64;

/// The address of the socket of a request: the sender's, or its proxy's. The accept loop puts it into the extensions of
/// each request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Socket(pub SocketAddr);

/// The sender of a request, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(IpAddr);

impl Peer {
    /// The sender of a request with these headers and extensions. Without `trusted` proxies no header is read.
    pub(super) fn of(headers: &HeaderMap, extensions: &Extensions, trusted: &[Network]) -> Self {
        // Only a test calls the router without a socket.
        let socket = extensions.get::<Socket>().map_or(Ipv4Addr::UNSPECIFIED.into(), |socket| socket.0.ip());
        Self::behind(socket, headers, trusted)
    }

    /// The sender behind the socket with address `socket`.
    pub(super) fn behind(socket: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let mut peer = socket.to_canonical();
        let trusts = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
        if !trusts(peer) {
            return Self(peer);
        }
        for hop in hops(headers).take(HOPS) {
            // A hop without an address (`unknown`, `_hidden`) ends the chain: everything further left is unreliable.
            let Some(address) = hop else { break };
            peer = address;
            if !trusts(peer) {
                break;
            }
        }
        Self(peer)
    }

    /// The sender if only the socket is known.
    pub(super) fn direct(socket: IpAddr) -> Self {
        Self(socket.to_canonical())
    }

    /// Its address; one of IPv4 is never written as IPv6.
    pub const fn address(self) -> IpAddr {
        self.0
    }

    /// The unit that is tracked as one sender: all addresses of an IPv6 /64.
    pub(super) fn site(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (u128::MAX << (128 - SITE))).into()),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The hops in the headers, the nearest first; `None` for one without an address. `Forwarded` (RFC 7239) is read only
/// without `X-Forwarded-For`: a proxy writes the one that it is configured for, and passes on the sender's text in the
/// other.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> + '_ {
    let standard = !headers.contains_key(X_FORWARDED_FOR);
    let name = if standard { header::FORWARDED.as_str() } else { X_FORWARDED_FOR };
    let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default()).collect();
    lines.into_iter().rev().flat_map(move |line| if standard { forwarded(line) } else { plain(line) })
}

/// The hops of a line of `X-Forwarded-For`, the nearest first.
fn plain(line: &str) -> Vec<Option<IpAddr>> {
    line.rsplit(',').take(HOPS).map(address).collect()
}

/// The hops of a line of `Forwarded`, the nearest first. A quote that is not closed makes all of it unreliable: the sender's
/// text could hide what the proxy wrote after it.
fn forwarded(line: &str) -> Vec<Option<IpAddr>> {
    let Some(elements) = unquoted(line, ',') else { return vec![None] };
    elements.into_iter().rev().take(HOPS).map(forwarded_for).collect()
}

/// The parts of `text` between the `mark`s that stand in no quotes; `None`: a quote is not closed.
fn unquoted(text: &str, mark: char) -> Option<Vec<&str>> {
    let (mut parts, mut begun) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if letter == mark && !quoted => {
                parts.push(&text[begun..at]);
                begun = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[begun..]);
    (!quoted).then_some(parts)
}

/// The address behind `for=` in an element of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pair = unquoted(element, ';')?.into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    address(pair?)
}

/// `10.0.0.1`, `10.0.0.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`, each in quotes or not.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    const TRUSTED: [&str; 3] = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"];

    fn peer(socket: &str, headers: &[(&str, &str)], trusted: &[&str]) -> String {
        let trusted: Vec<Network> = trusted.iter().map(|text| Network::parse(text).unwrap()).collect();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        Peer::behind(socket.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn a_header_counts_only_as_far_as_the_proxies_are_trusted() {
        const XFF: &str = "X-Forwarded-For";
        for (socket, forwarded, expected) in [
            // from a peer that is not trusted
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            // through one proxy, through two
            ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("127.0.0.1", "203.0.113.9, 10.0.0.7", "203.0.113.9"),
            // written by the peer itself, left of it
            ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("127.0.0.1", "10.0.0.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
            ("127.0.0.1", "127.0.0.1,203.0.113.9", "203.0.113.9"),
            // a request of a trusted machine itself
            ("127.0.0.1", "10.0.0.7", "10.0.0.7"),
            ("127.0.0.1", "10.0.0.8, 10.0.0.7", "10.0.0.8"),
            // ports, brackets, IPv4 as IPv6, blanks
            ("127.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
            ("::ffff:127.0.0.1", " ::ffff:203.0.113.9 ", "203.0.113.9"),
            ("2001:db8::5", "[2001:db9::1]:80", "2001:db9::1"),
            ("2001:db8::5", "2001:db9::1", "2001:db9::1"),
            // an invalid address ends the chain at the last trusted hop
            ("127.0.0.1", "203.0.113.9, unknown", "127.0.0.1"),
            ("127.0.0.1", "203.0.113.9, unknown, 10.0.0.7", "10.0.0.7"),
            ("127.0.0.1", "", "127.0.0.1"),
            ("127.0.0.1", "203.0.113.9,", "127.0.0.1"),
            ("127.0.0.1", "<script>", "127.0.0.1"),
        ] {
            assert_eq!(peer(socket, &[(XFF, forwarded)], &TRUSTED), expected, "{socket} {forwarded}");
            assert_ne!(peer(socket, &[(XFF, forwarded)], &[]), "198.51.100.1");
        }
        assert_eq!(peer("127.0.0.1", &[(XFF, "203.0.113.9")], &[]), "127.0.0.1", "nothing is trusted");
        assert_eq!(peer("127.0.0.1", &[], &TRUSTED), "127.0.0.1");
        let twice = [(XFF, "198.51.100.1"), (XFF, "203.0.113.9")];
        assert_eq!(peer("127.0.0.1", &twice, &TRUSTED), "203.0.113.9", "two lines are one list");
    }

    #[test]
    fn the_standard_header_is_read_where_there_is_no_other() {
        for (forwarded, expected) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("for=198.51.100.1, for=203.0.113.9;proto=https", "203.0.113.9"),
            ("proto=https; For=\"203.0.113.9:4711\" ;by=10.0.0.1", "203.0.113.9"),
            ("for=\"[2001:db9::1]:4711\"", "2001:db9::1"),
            ("for=203.0.113.9, for=10.0.0.7", "203.0.113.9"),
            ("for=203.0.113.9, for=_hidden", "127.0.0.1"),
            ("proto=https", "127.0.0.1"),
            // commas and semicolons in quotes, which a proxy may write around a text of the sender
            ("for=203.0.113.9;host=\"a, for=10.0.0.7\"", "203.0.113.9"),
            ("for=203.0.113.9;host=\"a\\\", for=10.0.0.7\"", "203.0.113.9"),
            ("host=\"x;for=198.51.100.1\";for=203.0.113.9", "203.0.113.9"),
            // a quote of the sender's that is not closed does not hide what the proxy adds
            ("for=198.51.100.1;host=\"a, for=203.0.113.9", "127.0.0.1"),
            ("for=198.51.100.1;host=\"a, for=\"203.0.113.9:4711\"", "127.0.0.1"),
        ] {
            assert_eq!(peer("127.0.0.1", &[("Forwarded", forwarded)], &TRUSTED), expected, "{forwarded}");
            assert_eq!(peer("203.0.113.1", &[("Forwarded", forwarded)], &TRUSTED), "203.0.113.1", "{forwarded}");
        }
        let both = [("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=198.51.100.1")];
        assert_eq!(peer("127.0.0.1", &both, &TRUSTED), "203.0.113.9");
    }

    #[test]
    fn an_endless_chain_is_not_followed() {
        let chain = vec!["10.0.0.7"; 10_000].join(",");
        assert_eq!(peer("127.0.0.1", &[("X-Forwarded-For", &format!("203.0.113.9,{chain}"))], &TRUSTED), "10.0.0.7");
    }

    #[test]
    fn one_site_is_one_peer() {
        let site = |text: &str| Peer(text.parse().unwrap()).site();
        assert_eq!(site("2001:db8:1:2:3::4"), site("2001:db8:1:2::9"));
        assert_ne!(site("2001:db8:1:2::1"), site("2001:db8:1:3::1"));
        assert_ne!(site("10.0.0.1"), site("10.0.0.2"));
    }
}
