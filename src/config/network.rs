//! Networks by their addresses: `10.0.0.0/8`, or one address.

use std::net::IpAddr;

use super::at::At;
use super::resolve::{Resolver, placed};

/// A block of addresses. IPv4 addresses that are written as IPv6 (`::ffff:10.0.0.1`) are IPv4 here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    /// Bits that all its addresses share with `base`.
    prefix: u8,
}

impl Network {
    /// Parses `10.0.0.0/8` or `2001:db8::/32`, or one address; `None` for anything else, and if bits are set behind the
    /// prefix: `10.1.2.3/8` is ambiguous.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let written: IpAddr = address.parse().ok()?;
        let base = written.to_canonical();
        let bits = width(base);
        // `::ffff:10.0.0.0/104` counts from the front of the IPv6 address.
        let mapped = width(written) - bits;
        let plain = |length: &&str| !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = match length {
            Some(length) => Some(length).filter(plain)?.parse::<u8>().ok()?.checked_sub(mapped)?,
            None => bits,
        };
        (prefix <= bits && value(base) & !mask(prefix, bits) == 0).then_some(Self { base, prefix })
    }

    /// Is `address` in this network?
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let bits = width(self.base);
        width(address) == bits && (value(address) ^ value(self.base)) & mask(self.prefix, bits) == 0
    }

    /// Does it hold every address?
    pub const fn is_all(&self) -> bool {
        self.prefix == 0
    }
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn value(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The first `prefix` of `bits` bits.
fn mask(prefix: u8, bits: u8) -> u128 {
    let all = if bits == 32 { u128::from(u32::MAX) } else { u128::MAX };
    let host = u32::from(bits - prefix);
    all & all.checked_shl(host).unwrap_or(0)
}

impl Resolver<'_> {
    /// The networks of the list at `path`; an invalid one is reported at its place.
    pub(super) fn networks(&mut self, written: Option<&At<Vec<At<String>>>>, path: &str) -> Vec<Network> {
        let mut networks = Vec::new();
        let Some((place, written)) = placed(written) else { return networks };
        if written.is_empty() {
            self.found.mistake(
                place,
                (format!("`{path}` 是空的"), format!("`{path}` is empty")),
                ("写上地址或网段，或删掉这一行", "name addresses or networks, or remove the line"),
            );
        }
        for (place, text) in written.iter().filter_map(|text| placed(Some(text))) {
            match Network::parse(text) {
                Some(network) => networks.push(network),
                None => self.found.mistake(
                    place,
                    (
                        format!("`{path}` 里的 `{text}` 不是地址或网段"),
                        format!("`{text}` in `{path}` is neither an address nor a network"),
                    ),
                    (
                        "写成 10.0.0.7、10.0.0.0/8 或 fd00::/8；前缀后面的位必须是 0",
                        "write 10.0.0.7, 10.0.0.0/8 or fd00::/8; the bits behind the prefix must be 0",
                    ),
                ),
            }
        }
        networks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().holds(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_its_addresses_in_either_spelling() {
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.0.0.5", "10.0.0.5") && !holds("10.0.0.5", "10.0.0.6"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3") && holds("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(holds("::ffff:10.0.0.5", "10.0.0.5"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1") && !holds("::/0", "10.0.0.1"));
        assert!(holds("192.168.1.128/25", "192.168.1.129") && !holds("192.168.1.128/25", "192.168.1.1"));
    }

    #[test]
    fn invalid_networks_are_refused() {
        for text in [
            "",
            "proxy",
            "10.0.0",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "::/129",
            "::ffff:10.0.0.0/64",
            "10.0.0.0/-1",
            "010.0.0.1",
            "10.1.2.3/8",
            " 10.0.0.1",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
