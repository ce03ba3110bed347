//! Networks by their addresses: `10.0.0.0/8`, or one address.

use std::fmt;
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
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a single address. Bits behind the prefix must be zero: with one that
    /// is set, either the address or the length is a mistake. The error says what is wrong, in Chinese and English.
    pub fn parse(text: &str) -> Result<Self, [String; 2]> {
        let text = text.trim();
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let not_one =
            || [format!("`{text}` 不是 IP 地址或网段"), format!("`{text}` is neither an address nor a network")];
        let written: IpAddr = address.parse().map_err(|_| not_one())?;
        let base = written.to_canonical();
        let bits = width(base);
        // `::ffff:10.0.0.0/104` counts from the front of the IPv6 address.
        let mapped = width(written) - bits;
        let prefix = match length {
            None => bits,
            Some(length) => {
                let plain = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
                let number = length.parse::<u8>().ok().filter(|_| plain).and_then(|number| number.checked_sub(mapped));
                number.filter(|number| *number <= bits).ok_or_else(not_one)?
            }
        };
        let network = Self { base, prefix };
        if value(base) & !mask(prefix, bits) != 0 {
            let right = Self { base: address_of(value(base) & mask(prefix, bits), base), prefix };
            return Err([
                format!("`{text}` 的地址部分超出了掩码，网段是 {right}"),
                format!("`{text}` has bits behind its prefix; the network is {right}"),
            ]);
        }
        Ok(network)
    }

    /// Is `address` in this network?
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let bits = width(self.base);
        width(address) == bits && (value(address) ^ value(self.base)) & mask(self.prefix, bits) == 0
    }

    /// The network of `prefix` bits around `address`; all its bits if `prefix` is larger than the address.
    pub fn around(address: IpAddr, prefix: u8) -> Self {
        let address = address.to_canonical();
        let bits = width(address);
        let prefix = prefix.min(bits);
        Self { base: address_of(value(address) & mask(prefix, bits), address), prefix }
    }

    /// Does it hold every address?
    pub const fn is_all(&self) -> bool {
        self.prefix == 0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
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

/// An address of the same family as `like`.
fn address_of(value: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(value).expect("a masked IPv4 address has 32 bits").into()),
        IpAddr::V6(_) => IpAddr::V6(value.into()),
    }
}

/// The first `prefix` of `bits` bits.
fn mask(prefix: u8, bits: u8) -> u128 {
    let all = if bits == 32 { u128::from(u32::MAX) } else { u128::MAX };
    let host = u32::from(bits - prefix);
    all & all.checked_shl(host).unwrap_or(0)
}

impl Resolver<'_> {
    /// The networks of a list; what is no network is a mistake at its place. `key` is the list's name.
    pub(super) fn networks(&mut self, key: &str, list: &[At<String>]) -> Vec<Network> {
        let mut networks = Vec::new();
        for (place, text) in list.iter().filter_map(|text| placed(Some(text))) {
            match Network::parse(text) {
                Ok(network) => networks.push(network),
                Err([zh, en]) => self.found.mistake(
                    place,
                    (format!("{key}：{zh}"), format!("{key}: {en}")),
                    ("写成 10.0.0.5 或 10.0.0.0/8", "write it like 10.0.0.5 or 10.0.0.0/8"),
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
    fn what_is_no_network_is_refused_with_the_right_one() {
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
        ] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
        let [zh, en] = Network::parse("10.1.2.3/8").unwrap_err();
        assert!(zh.contains("10.0.0.0/8") && en.contains("10.0.0.0/8"), "{zh} {en}");
        assert_eq!(Network::around("2001:db8:1:2:3::4".parse().unwrap(), 64).to_string(), "2001:db8:1:2::/64");
        assert_eq!(Network::around("10.1.2.3".parse().unwrap(), 64).to_string(), "10.1.2.3/32");
    }
}
