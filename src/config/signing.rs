//! HMAC signatures: the manners of known senders, and the configuration's changes to them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use super::at::At;
use super::file::{self, KeyForm, Preset};
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use super::{Algorithm, Carrier, Encoding, Part, SignedTime, Signing, TimeUnit};

/// How far the signed time may be from ours; clocks that NTP keeps are within a second.
const TOLERANCE: Duration = Duration::from_mins(5);
/// `DingTalk` and Feishu allow an hour, and their clients reuse a signature for as long.
const ROBOTS_TOLERANCE: Duration = Duration::from_hours(1);
/// A signature that is valid for longer does not protect against replays.
const TOLERANCES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

/// The manner in which a sender signs.
struct Manner {
    signature: Carrier,
    time: Option<(Carrier, TimeUnit, Duration)>,
    /// In the form of the key `signed`; empty: the body, preceded by the time if there is one.
    signed: &'static str,
    /// The prefix of each signature; `{algorithm}` is its name.
    prefix: &'static str,
    encoding: Encoding,
    several: Option<char>,
    key_form: KeyForm,
    /// The parts of the key, in the form of `signed`.
    key: &'static str,
}

impl Manner {
    fn header(name: &str) -> Self {
        Self {
            signature: Carrier::Header(name.to_owned()),
            time: None,
            signed: "",
            prefix: "",
            encoding: Encoding::Hex,
            several: None,
            key_form: KeyForm::Text,
            key: "{secret}",
        }
    }

    fn timed(self, carrier: Carrier, unit: TimeUnit, tolerance: Duration) -> Self {
        Self { time: Some((carrier, unit, tolerance)), ..self }
    }

    fn of(preset: Preset) -> Self {
        let header = |name: &str| Carrier::Header(name.to_owned());
        match preset {
            Preset::Grafana => Self::header("X-Grafana-Alerting-Signature"),
            Preset::Github => Self { prefix: "{algorithm}=", ..Self::header("X-Hub-Signature-256") },
            Preset::Flux => Self { prefix: "{algorithm}=", ..Self::header("X-Signature") },
            Preset::Sentry => Self::header("Sentry-Hook-Signature"),
            Preset::Pagerduty => Self { prefix: "v1=", several: Some(','), ..Self::header("X-PagerDuty-Signature") },
            Preset::Gitlab | Preset::StandardWebhooks => Self {
                prefix: "v1,",
                encoding: Encoding::Base64,
                several: Some(' '),
                signed: "{header:webhook-id}.{timestamp}.{body}",
                key_form: KeyForm::Base64,
                ..Self::header("webhook-signature")
            }
            .timed(header("webhook-timestamp"), TimeUnit::S, TOLERANCE),
            Preset::Slack => {
                Self { prefix: "v0=", signed: "v0:{timestamp}:{body}", ..Self::header("X-Slack-Signature") }.timed(
                    header("X-Slack-Request-Timestamp"),
                    TimeUnit::S,
                    TOLERANCE,
                )
            }
            Preset::Dingtalk => Self {
                signature: Carrier::Query("sign".to_owned()),
                signed: "{timestamp}\n{secret}",
                encoding: Encoding::Base64,
                ..Self::header("")
            }
            .timed(Carrier::Query("timestamp".to_owned()), TimeUnit::Ms, ROBOTS_TOLERANCE),
            // The signed message is empty: everything is in the key.
            Preset::Feishu => Self {
                signature: Carrier::Body("sign".to_owned()),
                signed: "{nothing}",
                key: "{timestamp}\n{secret}",
                encoding: Encoding::Base64,
                ..Self::header("")
            }
            .timed(Carrier::Body("timestamp".to_owned()), TimeUnit::S, ROBOTS_TOLERANCE),
        }
    }
}

impl Resolver<'_> {
    pub(super) fn hmac(&mut self, name: &str, place: Place, hmac: &file::Hmac, path: &str) -> Option<Signing> {
        let preset = value(hmac.preset.as_ref()).copied();
        let manner = Manner::of(preset.unwrap_or(Preset::Grafana));
        let secret = self.secret(&hmac.secret, &format!("{path}.secret"));
        if let Some(secret) = &secret {
            self.note_token(hmac.secret.place, name, &format!("{path}.secret"), secret, false);
        }
        let secret = self.key(hmac, &secret?, manner.key_form, path);
        let time = self.signed_time(hmac, &manner, path);
        if time.is_none() && matches!(preset, None | Some(Preset::Grafana)) {
            self.note_replay(name, place);
        }
        let algorithm = value(hmac.algorithm.as_ref()).copied().unwrap_or_default();
        let prefix = value(hmac.prefix.as_ref()).cloned();
        let prefix = prefix.unwrap_or_else(|| manner.prefix.replace("{algorithm}", algorithm.as_str()));
        self.prefix_fits(hmac, algorithm, &prefix);
        let separator = value(hmac.separator.as_ref()).map_or(":", String::as_str);
        let default = match (manner.signed, &time) {
            ("", Some(_)) => vec![Part::Timestamp, Part::Text(separator.to_owned()), Part::Body],
            ("", None) => vec![Part::Body],
            (signed, _) => parts(signed).unwrap_or_default(),
        };
        let signed = self.signed(hmac.signed.as_ref(), time.is_some(), path).unwrap_or(default);
        Some(Signing {
            secret: secret?,
            key: parts(manner.key).unwrap_or_default(),
            signed,
            algorithm,
            signature: self.header(hmac.header.as_ref()).map_or(manner.signature, Carrier::Header),
            prefix,
            encoding: value(hmac.encoding.as_ref()).copied().unwrap_or(manner.encoding),
            several: self.separator(hmac.several.as_ref()).or(manner.several),
            time,
        })
    }

    fn note_replay(&mut self, name: &str, place: Place) {
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

    /// The bytes of the key, in any of its forms.
    fn key(&mut self, hmac: &file::Hmac, secret: &SecretString, form: KeyForm, path: &str) -> Option<SecretSlice<u8>> {
        let form = value(hmac.key.as_ref()).copied().unwrap_or(form);
        if form == KeyForm::Text || self.is_stand_in(secret) {
            return Some(secret.expose_secret().as_bytes().to_vec().into());
        }
        let text = secret.expose_secret();
        let decoded = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text));
        if let Ok(bytes) =
            decoded.as_ref().map_err(drop).and_then(|bytes| if bytes.is_empty() { Err(()) } else { Ok(bytes) })
        {
            return Some(bytes.clone().into());
        }
        self.found.mistake(
            hmac.secret.place,
            (format!("`{path}.secret` 不是 Base64"), format!("`{path}.secret` is not Base64")),
            ("从发送方原样复制，或写 key: text", "copy it from the sender as it is, or say key: text"),
        );
        None
    }

    fn signed_time(&mut self, hmac: &file::Hmac, manner: &Manner, path: &str) -> Option<SignedTime> {
        let written = self.header(hmac.timestamp_header.as_ref()).map(Carrier::Header);
        let (carrier, unit, tolerance) = match (written, manner.time.clone()) {
            (Some(carrier), Some((_, unit, tolerance))) => (carrier, unit, tolerance),
            (Some(carrier), None) => (carrier, TimeUnit::S, TOLERANCE),
            (None, Some(time)) => time,
            (None, None) => return None,
        };
        let bounds = TOLERANCES.0..=TOLERANCES.1;
        let tolerance =
            self.duration(hmac.tolerance.as_ref(), &format!("{path}.tolerance"), bounds).unwrap_or(tolerance);
        let unit = value(hmac.timestamp_unit.as_ref()).copied().unwrap_or(unit);
        Some(SignedTime { carrier, unit, tolerance })
    }

    /// The signed parts, if the configuration gives them.
    fn signed(&mut self, signed: Option<&At<String>>, timed: bool, path: &str) -> Option<Vec<Part>> {
        let (place, text) = placed(signed)?;
        let path = format!("{path}.signed");
        let reason = match parts(text) {
            Err(word) => {
                (format!("`{path}` 里不认识 {{{word}}}"), format!("`{path}` holds the unknown part {{{word}}}"))
            }
            Ok(parts) if !parts.contains(&Part::Body) => (
                format!("`{path}` 没有 {{body}}：签名保护不了正文"),
                format!("`{path}` has no {{body}}: the text would not be covered"),
            ),
            Ok(parts) if timed && !parts.contains(&Part::Timestamp) => (
                format!("`{path}` 没有 {{timestamp}}：时间可以随意改"),
                format!("`{path}` has no {{timestamp}}: the time could be changed at will"),
            ),
            Ok(parts) if !timed && parts.contains(&Part::Timestamp) => (
                format!("`{path}` 有 {{timestamp}}，但没有 timestamp_header"),
                format!("`{path}` has {{timestamp}}, and there is no timestamp_header"),
            ),
            Ok(parts) => return Some(parts),
        };
        self.found.mistake(
            place,
            reason,
            (
                "例如 '{method}:{path}:{timestamp}:{body}'；还有 {query}、{header:名字}、{secret}",
                "for example '{method}:{path}:{timestamp}:{body}'; there are {query}, {header:NAME}, {secret}, too",
            ),
        );
        None
    }

    fn separator(&mut self, several: Option<&At<String>>) -> Option<char> {
        let (place, text) = placed(several)?;
        let mut letters = text.chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            return Some(letter);
        }
        self.found.mistake(
            place,
            ("`several` 应是一个字符", "`several` is one character"),
            ("写成 ',' 或 ' '", "write ',' or ' '"),
        );
        None
    }

    /// A prefix that names an algorithm must name the configured one.
    fn prefix_fits(&mut self, hmac: &file::Hmac, algorithm: Algorithm, prefix: &str) {
        let all = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];
        let named = all.into_iter().find(|named| prefix.trim_end_matches('=').eq_ignore_ascii_case(named.as_str()));
        let Some(named) = named.filter(|&named| named != algorithm) else { return };
        let place = hmac.prefix.as_ref().map(|prefix| prefix.place).unwrap_or_default();
        let (named, used) = (named.as_str(), algorithm.as_str());
        self.found.mistake(
            place,
            (format!("前缀说的是 {named}，用的却是 {used}"), format!("the prefix says {named}, and {used} is used")),
            (format!("加上 algorithm: {named}"), format!("add algorithm: {named}")),
        );
    }
}

/// The parts of a text like `v0:{timestamp}:{body}`; the error is the unknown word in braces.
fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let (word, after) = after.split_once('}').ok_or_else(|| after.to_owned())?;
        rest = after;
        parts.push(match word {
            "method" => Part::Method,
            "path" => Part::Path,
            "query" => Part::Query,
            "timestamp" => Part::Timestamp,
            "secret" => Part::Secret,
            "body" => Part::Body,
            "nothing" => continue,
            word => match word
                .strip_prefix("header:")
                .filter(|name| axum::http::HeaderName::from_bytes(name.as_bytes()).is_ok())
            {
                Some(name) => Part::Header(name.to_owned()),
                None => return Err(word.to_owned()),
            },
        });
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}
