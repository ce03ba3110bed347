//! Who may post: how a source proves itself, and the alert of its that must never fall silent.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::at::{At, Named};
use super::file;
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use super::{Algorithm, Carrier, Encoding, Part, Proof, SignedTime, Signing, Source, TimeUnit, Watchdog};
use crate::names::SourceId;

/// How far the signed time may be from ours. Grafana prescribes nothing; clocks that NTP keeps are within a second.
const TOLERANCE: Duration = Duration::from_mins(5);
/// Grafana's own default.
const SIGNATURE_HEADER: &str = "X-Grafana-Alerting-Signature";
/// The alert that ships with kube-prometheus and its kin.
const WATCHDOG: &str = "alertname=\"Watchdog\"";
/// Alertmanager repeats an unchanged alert every `repeat_interval`, which runbooks set to 5 min for this one.
const WITHIN: Duration = Duration::from_mins(15);
const WITHINS: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(7 * 24));

impl Resolver<'_> {
    pub(super) fn sources(&mut self, sources: Option<&Named<file::Source>>) -> Vec<Source> {
        let mut resolved: Vec<Source> = Vec::new();
        for (name, place, source) in sources.into_iter().flat_map(Named::iter) {
            self.source_name(place, name);
            let watchdog = value(source.watchdog.as_ref()).map(|watchdog| self.watchdog(name, watchdog));
            if let Some(proof) = self.proof(name, place, source) {
                resolved.push(Source { name: name.to_owned(), proofs: vec![proof], addresses: Vec::new(), watchdog });
            }
        }
        resolved.sort_by(|a, b| a.name.cmp(&b.name));
        resolved
    }

    /// A name for a source: none that the program itself uses, so that nobody mistakes one for the other.
    fn source_name(&mut self, place: Place, name: &str) {
        if SourceId::is_reserved(name) {
            let words = SourceId::RESERVED;
            self.found.mistake(
                place,
                (
                    format!("来源不能叫 `{name}`：{} 是程序自己用的名字", words.join("、")),
                    format!("a source cannot be called `{name}`: the program itself uses {}", words.join(" and ")),
                ),
                (format!("换一个名字，例如 {name}-1"), format!("choose another name, for example {name}-1")),
            );
        } else {
            self.name(place, name);
        }
    }

    fn proof(&mut self, name: &str, place: Place, source: &file::Source) -> Option<Proof> {
        match (&source.bearer, &source.basic, &source.hmac) {
            (Some(token), None, None) => {
                let token = self.secret(token, &format!("sources.{name}.bearer"))?;
                Some(Proof::Bearer { scheme: "Bearer".to_owned(), token })
            }
            (None, Some(basic), None) => {
                let (username, password) = self.basic(basic.get()?, &format!("sources.{name}.basic"))?;
                Some(Proof::Basic { username, password })
            }
            (None, None, Some(hmac)) => self.hmac(name, place, hmac.get()?),
            (None, None, None) => {
                self.found.mistake(
                    place,
                    (
                        format!("来源 `{name}` 没有写怎样证明自己"),
                        format!("source `{name}` does not say how it proves itself"),
                    ),
                    ("加上 bearer、basic 或 hmac 之一", "add one of bearer, basic and hmac"),
                );
                None
            }
            _ => {
                self.found.mistake(
                    place,
                    (
                        format!("来源 `{name}` 有不止一种证明方式"),
                        format!("source `{name}` has more than one way to prove itself"),
                    ),
                    (
                        "bearer、basic、hmac 只留一种；要几种就写成几个来源",
                        "keep one of bearer, basic and hmac; several ways are several sources",
                    ),
                );
                None
            }
        }
    }

    /// A user name and a password that may stand in a header.
    pub(super) fn basic(&mut self, basic: &file::Basic, path: &str) -> Option<(String, SecretString)> {
        let password = self.secret(&basic.password, &format!("{path}.password"));
        let username = basic.username.get()?;
        if username.is_empty() || username.contains(':') {
            self.found.mistake(
                basic.username.place,
                ("用户名不能为空，也不能含冒号", "the user name cannot be empty or hold a colon"),
                ("换一个用户名", "choose another user name"),
            );
        }
        Some((username.clone(), password?))
    }

    fn hmac(&mut self, name: &str, place: Place, hmac: &file::Hmac) -> Option<Proof> {
        if hmac.timestamp_header.is_none() {
            self.found.note(
                place,
                (
                    format!("来源 `{name}` 没有 `timestamp_header`，签过名的请求可被重放"),
                    format!("source `{name}` has no `timestamp_header`: a signed request can be replayed"),
                ),
                (
                    "在 Grafana 和这里都设为 X-Grafana-Alerting-Timestamp",
                    "set it to X-Grafana-Alerting-Timestamp in Grafana and here",
                ),
            );
        }
        let secret = self.secret(&hmac.secret, &format!("sources.{name}.hmac.secret"));
        let header = self.header(hmac.header.as_ref()).unwrap_or_else(|| SIGNATURE_HEADER.to_owned());
        let timestamp_header = self.header(hmac.timestamp_header.as_ref());
        let time = timestamp_header.map(|header| SignedTime {
            carrier: Carrier::Header(header),
            unit: TimeUnit::S,
            tolerance: TOLERANCE,
        });
        let signed = match time {
            Some(_) => vec![Part::Timestamp, Part::Text(":".to_owned()), Part::Body],
            None => vec![Part::Body],
        };
        Some(Proof::Hmac(Box::new(Signing {
            secret: secret?.expose_secret().as_bytes().to_vec().into(),
            key: vec![Part::Secret],
            signed,
            algorithm: Algorithm::Sha256,
            signature: Carrier::Header(header),
            prefix: String::new(),
            encoding: Encoding::Hex,
            several: None,
            time,
        })))
    }

    fn header(&mut self, header: Option<&At<String>>) -> Option<String> {
        let (place, text) = placed(header)?;
        if axum::http::HeaderName::from_bytes(text.as_bytes()).is_err() {
            self.found.mistake(
                place,
                (format!("`{text}` 不能做请求头的名字"), format!("`{text}` cannot be the name of a header")),
                ("只用字母、数字和连字符", "use letters, digits and hyphens only"),
            );
        }
        Some(text.clone())
    }

    fn watchdog(&mut self, name: &str, watchdog: &file::Watchdog) -> Watchdog {
        let path = format!("sources.{name}.watchdog");
        if let Some((place, _)) = placed(watchdog.matchers.as_ref()).filter(|(_, matchers)| matchers.is_empty()) {
            self.found.mistake(
                place,
                (
                    format!("`{path}.matchers` 是空的：任何告警都算"),
                    format!("`{path}.matchers` is empty: any alert would count"),
                ),
                (
                    format!("例如 ['{WATCHDOG}']，或删掉这一行"),
                    format!("for example ['{WATCHDOG}'], or remove the line"),
                ),
            );
        }
        let matchers = match watchdog.matchers {
            Some(_) => self.matchers(watchdog.matchers.as_ref()),
            None => crate::route::parse_matchers(WATCHDOG).unwrap_or_default(),
        };
        let within = self.duration(watchdog.within.as_ref(), &format!("{path}.within"), WITHINS.0..=WITHINS.1);
        Watchdog { matchers, within: within.unwrap_or(WITHIN) }
    }
}
