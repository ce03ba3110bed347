//! Destinations besides WeCom: the mail server, hooks, the heartbeat; and the receiver of self-alerts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::at::{At, Named};
use super::file::{self, File, Secret};
use super::resolve::{Resolver, placed, value};
use super::{Heartbeat, Hook, Smtp, Tls, To, Traces};

/// Submission (RFC 6409) and submission over TLS (RFC 8314).
const PORTS: (u16, u16) = (587, 465);
/// Recipients that every mail server takes at a time (RFC 5321 §4.5.3.1.8).
const MOST_ADDRESSES: usize = 100;
/// Headers that the protocol sets.
const SET_BY_OTLP: [HeaderName; 3] = [CONTENT_TYPE, CONTENT_LENGTH, HOST];
const INTERVAL: Duration = Duration::from_mins(1);
/// A shorter interval is noise; a longer one reveals an outage too late.
const INTERVALS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_hours(1));

impl Resolver<'_> {
    pub(super) fn smtp(&mut self, smtp: Option<&file::Smtp>) -> Option<Smtp> {
        let smtp = smtp?;
        let tls = value(smtp.tls.as_ref()).copied().unwrap_or_default();
        let login = self.login(smtp);
        let host = placed(Some(&smtp.host)).filter(|(_, host)| !is_host(host));
        if let Some((place, _)) = host {
            self.found.mistake(
                place,
                ("`smtp.host` 不是主机名或 IP", "`smtp.host` is not the name or address of a host"),
                (
                    "只写主机名：smtp.example.com；端口写在 port",
                    "write the host alone: smtp.example.com; the port goes to port",
                ),
            );
        }
        if let Some((place, _)) = placed(Some(&smtp.from)).filter(|(_, from)| !is_address(from)) {
            self.found.mistake(
                place,
                ("`smtp.from` 不是邮件地址", "`smtp.from` is not a mail address"),
                ("只写地址：wegraf@example.com", "write the address alone: wegraf@example.com"),
            );
        }
        let open = tls == Tls::None && !smtp.host.get().is_none_or(|host| is_loopback(host));
        if let Some(password) = smtp.password.as_ref().filter(|_| open) {
            self.found.note(
                password.place,
                (
                    "`tls: none`：邮件密码在网络上明文传输",
                    "`tls: none`: the password of the mail account goes over the network in the clear",
                ),
                ("改用 tls: starttls 或 tls: tls", "use tls: starttls or tls: tls"),
            );
        }
        let port = self.port(smtp.port.as_ref(), tls);
        Some(Smtp {
            host: smtp.host.get()?.clone(),
            port: port?,
            tls,
            ca_file: self.ca_file(smtp.ca_file.as_ref(), "smtp.ca_file"),
            login: login?,
            from: smtp.from.get()?.clone(),
        })
    }

    fn port(&mut self, port: Option<&At<i64>>, tls: Tls) -> Option<u16> {
        let Some((place, &port)) = placed(port) else {
            return Some(if tls == Tls::Tls { PORTS.1 } else { PORTS.0 });
        };
        let fits = u16::try_from(port).ok().filter(|&port| port > 0);
        if fits.is_none() {
            self.found.mistake(
                place,
                ("`smtp.port` 应在 1 到 65535 之间", "`smtp.port` must be from 1 to 65535"),
                ("一般是 587（starttls）或 465（tls）", "mostly 587 (starttls) or 465 (tls)"),
            );
        }
        fits
    }

    /// User name and password belong together. `None`: one is missing or wrong, which is reported.
    #[expect(clippy::option_option, reason = "no login is a good answer, a half one is a mistake")]
    fn login(&mut self, smtp: &file::Smtp) -> Option<Option<(String, SecretString)>> {
        let password = smtp.password.as_ref().map(|password| self.secret(password, "smtp.password"));
        match (&smtp.username, password) {
            (None, None) => Some(None),
            (Some(username), Some(password)) => Some(Some((username.get()?.clone(), password?))),
            (username, _) => {
                let at = username.as_ref().map(|at| at.place).or(smtp.password.as_ref().map(|at| at.place));
                self.found.mistake(
                    at.unwrap_or_default(),
                    ("`smtp.username` 和 `smtp.password` 要一起写", "`smtp.username` and `smtp.password` go together"),
                    (
                        "补上缺的那个，或都删掉（服务器不要求登录）",
                        "add the missing one, or remove both if the server wants no login",
                    ),
                );
                None
            }
        }
    }

    pub(super) fn hooks(&mut self, hooks: Option<&Named<file::Hook>>) -> BTreeMap<String, Hook> {
        let mut resolved = BTreeMap::new();
        for (name, place, hook) in hooks.into_iter().flat_map(Named::iter) {
            self.name(place, name);
            let bearer = hook.bearer.as_ref().map(|bearer| self.bearer(bearer, &format!("hooks.{name}.bearer")));
            let url = self.secret_url(&hook.url, &format!("hooks.{name}.url"), "https://hooks.example.com/wegraf");
            if let Some(url) = url {
                resolved.insert(name.to_owned(), Hook { url, bearer: bearer.flatten() });
            }
        }
        resolved
    }

    /// Addresses to mail to, each once.
    pub(super) fn email(&mut self, email: &At<Vec<At<String>>>, file: &File) -> Option<To> {
        if file.smtp.is_none() {
            self.found.mistake(
                email.place,
                ("有 `email` 目标，但没有 `smtp`", "there is an `email` target and no `smtp`"),
                (
                    "加上 smtp: { host: smtp.example.com, from: wegraf@example.com }",
                    "add smtp: { host: smtp.example.com, from: wegraf@example.com }",
                ),
            );
        }
        let (place, written) = placed(Some(email))?;
        if !(1..=MOST_ADDRESSES).contains(&written.len()) {
            self.found.mistake(
                place,
                (
                    format!("`email` 有 {} 个地址，应是 1 到 {MOST_ADDRESSES} 个", written.len()),
                    format!("`email` holds {} addresses and must hold 1 to {MOST_ADDRESSES}", written.len()),
                ),
                ("多了就拆成几个目标，或用邮件组", "make several targets of many, or use a mailing list"),
            );
        }
        let mut to: Vec<String> = Vec::new();
        for (place, address) in written.iter().filter_map(|address| placed(Some(address))) {
            if !is_address(address) {
                self.found.mistake(
                    place,
                    ("这不是邮件地址", "this is not a mail address"),
                    ("只写地址：ops@example.com", "write the address alone: ops@example.com"),
                );
            } else if !to.iter().any(|known| known.eq_ignore_ascii_case(address)) {
                to.push(address.clone());
            }
        }
        (!to.is_empty()).then_some(To::Email { to })
    }

    /// A token that may stand in a header.
    pub(super) fn bearer(&mut self, bearer: &At<Secret>, path: &str) -> Option<SecretString> {
        let token = self.secret(bearer, path)?;
        if !token.expose_secret().bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            self.found.mistake(
                bearer.place,
                (format!("`{path}` 含有空格或不可见字符"), format!("`{path}` holds blanks or invisible characters")),
                ("只写令牌本身，不带 Bearer", "write the token alone, without Bearer"),
            );
            return None;
        }
        Some(token)
    }

    pub(super) fn heartbeat(&mut self, heartbeat: Option<&file::Heartbeat>) -> Option<Heartbeat> {
        let heartbeat = heartbeat?;
        let interval = self.duration(heartbeat.interval.as_ref(), "heartbeat.interval", INTERVALS.0..=INTERVALS.1);
        let url = self.secret_url(&heartbeat.url, "heartbeat.url", "https://hc.example.com/ping")?;
        Some(Heartbeat { url, interval: interval.unwrap_or(INTERVAL) })
    }

    pub(super) fn traces(&mut self, traces: Option<&file::Traces>) -> Option<Traces> {
        let traces = traces?;
        let mut headers = BTreeMap::new();
        for (name, place, secret) in value(traces.headers.as_ref()).into_iter().flat_map(Named::iter) {
            let fits = HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| !SET_BY_OTLP.contains(&name));
            if !fits {
                self.found.mistake(
                    place,
                    (format!("`traces.headers` 里不能有 `{name}`"), format!("`traces.headers` cannot have `{name}`")),
                    ("写头的名字，例如 Authorization", "write the name of a header, for example Authorization"),
                );
                continue;
            }
            let path = format!("traces.headers.{name}");
            let Some(value) = self.secret_at(place, secret, &path) else { continue };
            if HeaderValue::from_str(value.expose_secret()).is_err() {
                self.found.mistake(
                    place,
                    (format!("`{path}` 里有不可见字符"), format!("`{path}` holds invisible characters")),
                    ("只写头的值，一行", "write the value of the header alone, on one line"),
                );
                continue;
            }
            headers.insert(name.to_owned(), value);
        }
        let sample = placed(traces.sample.as_ref());
        if let Some((place, share)) = sample.filter(|(_, share)| !(0.0..=1.0).contains(*share)) {
            self.found.mistake(
                place,
                (
                    format!("`traces.sample` 是 {share}，应在 0 到 1 之间"),
                    format!("`traces.sample` is {share} and must be from 0 to 1"),
                ),
                ("1 是全部，0.1 是十分之一", "1 is all, 0.1 is a tenth"),
            );
        }
        let otlp = self.secret_url(&traces.otlp, "traces.otlp", "http://127.0.0.1:4318")?;
        Some(Traces { otlp, headers, sample: sample.map_or(1.0, |(_, share)| *share) })
    }

    pub(super) fn alarm(&mut self, file: &File) -> Option<String> {
        let receivers = value(file.receivers.as_ref());
        if let Some(alarm) = value(file.alarm.as_ref()) {
            return self.known(&alarm.receiver, receivers, "接收者", "receiver", "receivers");
        }
        let sources = value(file.sources.as_ref()).into_iter().flat_map(Named::iter);
        let watches = |watchdog: &&At<file::Watchdog>| {
            watchdog.get().is_some_and(|watchdog| value(watchdog.swallow.as_ref()) != Some(&false))
        };
        for watchdog in sources.filter_map(|(_, _, source)| source.watchdog.as_ref()).filter(watches) {
            self.found.note(
                watchdog.place,
                (
                    "有 `watchdog`，但没有 `alarm`：断了告诉路由根上的接收者",
                    "there is a `watchdog` and no `alarm`: its absence is told to the receiver at the root of the route",
                ),
                ("加上 alarm: { receiver: 接收者 }", "add alarm: { receiver: NAME }"),
            );
        }
        None
    }

    /// An http(s) URL that is a secret: it may hold a query, a user name and a password.
    pub(super) fn secret_url(&mut self, at: &At<Secret>, path: &str, example: &str) -> Option<SecretString> {
        let url = self.secret(at, path)?;
        let parsed = reqwest::Url::parse(url.expose_secret()).ok();
        let fits = parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !fits && !self.is_stand_in(&url) {
            self.found.mistake(
                at.place,
                (format!("`{path}` 不是 http(s) 地址"), format!("`{path}` is not an http(s) URL")),
                (format!("例如 {example}"), format!("for example {example}")),
            );
            return None;
        }
        Some(url)
    }
}

/// A host name or an IP address, without port and scheme.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && text.split('.').all(label))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A plain mail address (RFC 5321 §4.5.3.1): no display name, no quotes, ASCII, nothing that ends a header line. `|`
/// separates addresses in the name of a lane.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{}~.".contains(&byte);
    let dots = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    (1..=64).contains(&local.len())
        && local.bytes().all(atom)
        && dots
        && is_host(domain)
        && domain.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_address_is_plain_and_holds_nothing_that_ends_a_line() {
        for text in ["ops@example.com", "a.b+c@x-y.example", "root@localhost"] {
            assert!(is_address(text), "{text}");
        }
        let wrong = [
            "",
            "ops",
            "@x",
            "a@",
            "a b@x.com",
            "a@x.com\r\nBcc: b@x.com",
            "<a@x.com>",
            "a|b@x.com",
            "张三@x.com",
            "\"a\"@x.com",
            "a..b@x.com",
            "a@x..com",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@x.com,b@x.com",
        ];
        for text in wrong {
            assert!(!is_address(text), "{text}");
        }
    }
}
