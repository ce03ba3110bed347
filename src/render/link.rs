//! Addresses: which links are safe for people, and which pictures may be given to WeCom.
//!
//! Alert text decides the target of a link, never its spelling: the result cannot end the markup around it. Nothing is
//! resolved or fetched.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::LinkRewrite;

/// `url` for a message: as by [`harmless_url`], in at most [`wecom::message::URL_BYTES`] bytes.
pub(super) fn safe_url(url: &str) -> Option<String> {
    harmless_url(url).filter(|url| url.len() <= wecom::message::URL_BYTES)
}

/// A link with `words` in plain text: with `tags` in markup, else as words and address. `url` is as [`safe_url`] makes
/// it, so that it cannot end the attribute.
pub(super) fn plain_link(words: &str, url: &str, tags: bool) -> String {
    if tags { format!("<a href=\"{url}\">{words}</a>") } else { format!("{words} {url}") }
}

/// `url` in a form safe for people: http(s), no credentials, with everything percent-encoded that could end a link, a
/// tag or a table cell. `None` if that is impossible. Messages and pages have the same rule.
pub fn harmless_url(url: &str) -> Option<String> {
    let url = url.trim();
    let (scheme, authority, rest) = split(url)?;
    let named = |c: char| c.is_alphanumeric() || ".-_:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(named) {
        return None;
    }
    let mut out = format!("{scheme}{authority}");
    for c in rest.chars() {
        // A client that takes `\\` for `/` would see another host.
        if c.is_control() || c == '\\' {
            return None;
        }
        if c.is_ascii_alphanumeric() || "-._~/?#&=+,:%!'".contains(c) {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    Some(out)
}

/// `url` as people can follow it: rewritten by the first rule whose prefix it has; `None` if it cannot be opened from a
/// phone and its host is none of `known`, or [`safe_url`] refuses it.
pub(super) fn shown(url: &str, rewrites: &[LinkRewrite], known: &[IpAddr]) -> Option<String> {
    let url = url.trim();
    let rewritten = rewrites.iter().find_map(|rule| {
        let head = url.get(..rule.from.len()).filter(|head| head.eq_ignore_ascii_case(&rule.from))?;
        let rest = &url[head.len()..];
        (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then(|| format!("{}{rest}", rule.to))
    });
    match rewritten {
        Some(url) => safe_url(&url),
        None if leads_nowhere(url, known) => None,
        None => safe_url(url),
    }
}

/// Is the host known only to its own machine or cluster: localhost, a bare word, a name of a cluster, a private
/// address?
fn leads_nowhere(url: &str, known: &[IpAddr]) -> bool {
    let Some((_, authority, _)) = split(url) else { return true };
    if let Some(v6) = authority.strip_prefix('[') {
        let host = v6.split(']').next().unwrap_or_default();
        return host.parse::<Ipv6Addr>().is_ok_and(|ip| {
            (ip.is_loopback() || ip.is_unique_local() || ip.is_unspecified()) && !known.contains(&ip.into())
        });
    }
    let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        let is_private = ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified();
        return is_private && !known.contains(&ip.into());
    }
    let labels: Vec<&str> = host.split('.').collect();
    labels.len() < 2
        || labels.contains(&"svc")
        || matches!(labels.last(), Some(&("local" | "localhost" | "localdomain")))
}

/// Scheme with `://`, authority, and what follows it.
fn split(url: &str) -> Option<(&'static str, &str, &str)> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)))?;
    let rest = &url[scheme.len()..];
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    Some((scheme, &rest[..end], &rest[end..]))
}

/// `url` if WeCom's servers and phones could reach it: a public host by name or address. An address inside a private
/// network is never passed on (docs/reference/alert-sources.md#pictures), in any spelling.
pub fn public_picture(url: &str) -> Option<&str> {
    safe_url(url)?;
    let url = url.trim();
    let (_, authority, _) = split(url)?;
    let host =
        if let Some(v6) = authority.strip_prefix('[') { v6.split_once(']')?.0 } else { authority.split(':').next()? };
    let public = if authority.starts_with('[') {
        host.parse().is_ok_and(is_public_v6)
    } else {
        is_public_name(&host.trim_end_matches('.').to_ascii_lowercase())
    };
    public.then_some(url)
}

/// Names that exist only inside a network, and services that resolve any name to an inside address.
const INSIDE: [&str; 18] = [
    "local",
    "localhost",
    "localdomain",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "arpa",
    "test",
    "invalid",
    "onion",
    "svc",
    "nip.io",
    "sslip.io",
    "xip.io",
    "localtest.me",
];

fn is_public_name(host: &str) -> bool {
    let Some((_, last)) = host.rsplit_once('.') else { return false };
    // A numeric last label makes the whole an IPv4 address for every client, in any spelling (`127.1`, `0x7f.0.0.1`,
    // `017700000001`): only the plain dotted quad is accepted.
    if last.starts_with(|c: char| c.is_ascii_digit()) {
        return host.parse().is_ok_and(is_public_v4);
    }
    host.is_ascii()
        && !host.contains(['_', ':'])
        && host.split('.').all(|label| !label.is_empty() && label.len() <= 63)
        && !INSIDE.iter().any(|inside| host.strip_suffix(inside).is_some_and(|rest| rest.ends_with('.')))
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

/// Global unicast only, without the ranges that carry an IPv4 address inside (6to4, Teredo).
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    (0x2000..0x4000).contains(&a) && a != 0x2002 && !(a == 0x2001 && (b == 0 || b == 0x0db8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_links_are_left_out_and_rewritten_ones_stay() {
        let rules = [
            LinkRewrite { from: "http://prometheus-k8s-0:9090".to_owned(), to: "https://prom.example.com".to_owned() },
            LinkRewrite { from: "http://10.0.0.5:3000".to_owned(), to: "http://10.0.0.5:3000".to_owned() },
        ];
        let known = ["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()];
        for (url, follows) in [
            ("http://prometheus-k8s-0:9090/graph?g0.expr=up", Some("https://prom.example.com/graph?g0.expr=up")),
            ("http://prometheus-k8s-0:90901/graph", None),
            ("http://10.0.0.5:3000/d/1", Some("http://10.0.0.5:3000/d/1")),
            ("http://10.0.0.6:3000/d/1", None),
            ("http://10.0.0.7:9090/graph", Some("http://10.0.0.7:9090/graph")),
            ("http://[fd00::7]:9090/graph", Some("http://[fd00::7]:9090/graph")),
            ("http://[fd00::8]:9090/graph", None),
            ("http://localhost:3000/", None),
            ("http://:9090/graph", None),
            ("http://prom.monitoring.svc.cluster.local:9090/", None),
            ("http://prom.monitoring.svc/", None),
            ("http://nas.local/", None),
            ("http://[::1]:3000/", None),
            ("https://grafana.example.com/d/1", Some("https://grafana.example.com/d/1")),
            ("http://8.8.8.8/x", Some("http://8.8.8.8/x")),
        ] {
            assert_eq!(shown(url, &rules, &known).as_deref(), follows, "{url}");
        }
    }

    #[test]
    fn an_address_cannot_end_the_markup_around_it() {
        assert_eq!(
            safe_url("https://g.example.com/d/a(b)?x=[1]|<2>&q=\"a b\"").as_deref(),
            Some("https://g.example.com/d/a%28b%29?x=%5B1%5D%7C%3C2%3E&q=%22a%20b%22")
        );
        assert_eq!(safe_url("HTTP://[2001:db8::1]:3000/a").as_deref(), Some("http://[2001:db8::1]:3000/a"));
        assert_eq!(safe_url("https://g.example.com/面板").as_deref(), Some("https://g.example.com/%E9%9D%A2%E6%9D%BF"));
        for bad in [
            "",
            "www.time.com",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://",
            "https://user:pw@g.example.com/",
            "https://a b.example.com/",
            "https://g.example.com/a\nb",
            "https://x)](evil.example/",
        ] {
            assert_eq!(safe_url(bad), None, "{bad}");
        }
        let long = format!("https://g.example.com/{}", "a".repeat(1100));
        assert_eq!((safe_url(&long), harmless_url(&long)), (None, Some(long)), "too long for a message only");
        assert_eq!(safe_url(&format!("https://g.example.com/{}", "（".repeat(200))), None, "longer once encoded");
    }

    #[test]
    fn only_a_public_picture_is_passed_on() {
        for good in [
            "https://pictures.example.com/a.png",
            "https://s3.cn-north-1.amazonaws.com.cn/b/a.png?X-Sig=1",
            "http://8.8.8.8/a.png",
            "https://[2606:4700::1111]/a.png",
        ] {
            assert_eq!(public_picture(good), Some(good));
        }
        for bad in [
            "http://127.0.0.1/a.png",
            "http://127.1/a.png",
            "http://2130706433/a.png",
            "http://a.0x7f/a.png",
            "http://0177.0.0.1/a.png",
            "http://10.1.2.3/a.png",
            "http://172.20.0.1/a.png",
            "http://192.168.1.1/a.png",
            "http://169.254.169.254/latest/meta-data",
            "http://100.100.100.200/latest",
            "http://0.0.0.0/a.png",
            "http://224.0.0.1/a.png",
            "http://[::1]/a.png",
            "http://[::ffff:127.0.0.1]/a.png",
            "http://[::ffff:8.8.8.8]/a.png",
            "http://[fd00:ec2::254]/a.png",
            "http://[fe80::1]/a.png",
            "http://[64:ff9b::7f00:1]/a.png",
            "http://[2002:7f00:1::]/a.png",
            "http://localhost/a.png",
            "http://localhost./a.png",
            "http://grafana/a.png",
            "http://grafana:3000/a.png",
            "http://grafana.monitoring.svc/a.png",
            "http://grafana.monitoring.svc.cluster.local/a.png",
            "http://metadata.google.internal/a.png",
            "http://METADATA.GOOGLE.INTERNAL./a.png",
            "http://10.0.0.1.nip.io/a.png",
            "http://user@pictures.example.com/a.png",
            "http://１２７.0.0.1/a.png",
            "http://pictures.example.com\\@127.0.0.1/a.png",
            "gopher://pictures.example.com/a.png",
            "/a.png",
        ] {
            assert_eq!(public_picture(bad), None, "{bad}");
        }
    }
}
