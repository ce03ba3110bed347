//! Paths as logs and metrics may show them: without tokens.

use axum::http::Method;

use crate::config::{Area, Config};
use crate::http::dropin;
use crate::proof;

/// Longer segments are not shown: the segments of our paths and the names in them are short, and a token is not.
const PART: usize = 24;
/// Any segment behind one of these can be a token.
const BEFORE_TOKENS: [&str; 8] = ["services", "slack", "hook", "hooks", "teams", "webhooks", "bark", "ntfy"];
/// Segments that are shown.
const PARTS: usize = 8;

/// The callers of a path: a closed set for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Senders of alerts.
    Webhook,
    /// Senders of alerts that push to an Alertmanager.
    Push,
    /// People, to the page behind a message.
    Page,
    /// WeCom, to an app's callback.
    Callback,
    /// Commands, and programs where they share a path.
    Order,
    /// Programs with a token.
    Api,
    /// Health and figures.
    Monitoring,
    /// Anything else.
    Other,
}

impl Place {
    /// The caller of this path.
    pub fn of(path: &str) -> Self {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let first = parts.next().unwrap_or_default();
        let rest: Vec<&str> = parts.take(PARTS).collect();
        let pushes = |parts: &[&str]| matches!(parts, [.., "api", "v1" | "v2", "alerts"]);
        match first {
            "webhook" | "check_service" => {
                if pushes(&rest) {
                    Self::Push
                } else {
                    Self::Webhook
                }
            }
            "api" => match rest.as_slice() {
                ["v1" | "v2", "alerts"] => Self::Push,
                ["model", ..] => Self::Webhook,
                ["v1", "deliveries" | "acts" | "links" | "console", ..] => Self::Order,
                ["v1", ..] => Self::Api,
                _ => Self::Other,
            },
            "d" | "c" | "l" | "assets" | "login" | "now" | "i" | "m" | "silences" | "state" | "me" | "events"
            | "people" | "duty" | "noise" | "routes" | "senders" | "mappings" | "templates" | "search" | "audit" => {
                Self::Page
            }
            "wecom" => Self::Callback,
            "healthz" | "readyz" | "metrics" | "-" => Self::Monitoring,
            _ if pushes(&rest) => Self::Push,
            _ => Self::Other,
        }
    }

    /// The same for a request: senders push to the address at which programs list alerts.
    pub fn asked(method: &Method, path: &str) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match Self::of(path) {
            Self::Push if reads && path == "/api/v1/alerts" => Self::Api,
            place => place,
        }
    }

    /// The name in the metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Push => "push",
            Self::Page => "page",
            Self::Callback => "callback",
            Self::Order => "order",
            Self::Api => "api",
            Self::Monitoring => "monitoring",
            Self::Other => "other",
        }
    }

    /// Whom an address has to serve for it.
    pub const fn areas(self) -> &'static [Area] {
        match self {
            Self::Webhook | Self::Push | Self::Other => &[Area::Webhook],
            Self::Page => &[Area::Pages],
            // Also the proof of the domain, for people who sign in by WeCom.
            Self::Callback => &[Area::Callback, Area::Pages],
            Self::Order | Self::Api => &[Area::Api],
            Self::Monitoring => &[Area::Monitoring],
        }
    }

    /// Do alert senders call it, or a client that misses all of our paths, perhaps a sender?
    pub const fn is_for_senders(self) -> bool {
        matches!(self, Self::Webhook | Self::Push | Self::Other)
    }
}

/// `path` as the log may show it. The query is never included. A segment that could be a credential is replaced by `…`:
/// one that is long, has other characters than letters, digits, `.`, `_`, `-`, or is in the place of a token
/// (`/webhook/t/TOKEN`); the names of receivers and apps are shown at any length.
pub(in crate::http) fn shown(path: &str, config: &Config) -> String {
    let mut shown = String::new();
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let mut before = ["", ""];
    let mut behind = false;
    for part in parts.by_ref().take(PARTS) {
        behind |= BEFORE_TOKENS.contains(&before[1]);
        let token = behind || before == ["webhook", "t"];
        let known = config.receivers.contains_key(part) || config.wecom.apps.contains_key(part);
        let plain = |c: char| c.is_alphanumeric() || "._-".contains(c);
        let short = part.chars().count() <= PART && part.chars().all(plain);
        shown.push('/');
        shown.push_str(if !token && (known || short) && !is_secret(part, config) { part } else { "…" });
        before = [before[1], part];
    }
    if parts.next().is_some() {
        shown.push_str("/…");
    }
    if shown.is_empty() { "/".to_owned() } else { shown }
}

/// Is this a secret of a source? Takes constant time for each secret.
fn is_secret(part: &str, config: &Config) -> bool {
    // A service takes its token with this end.
    let part = part.strip_suffix(".send").unwrap_or(part);
    proof::is_secret(&config.sources, part) | dropin::is_token(config, part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let text = "sources: { g: { bearer: short-token }, b: { basic: { username: u, password: pass-word } }, \
                    s: { serverchan: { tokens: { '*': tok } } } }\n\
                    receivers: { a-receiver-with-a-rather-long-name: { targets: [ { webhook: w } ] } }\n\
                    wecom: { webhooks: { w: { key: k } } }\n";
        Config::parse(text, std::path::Path::new("test.yaml")).expect("the test's configuration is right").0
    }

    #[test]
    fn programs_list_alerts_where_senders_push_them() {
        let areas = |method: Method, path: &str| Place::asked(&method, path).areas();
        assert_eq!(areas(Method::GET, "/api/v1/alerts"), [Area::Api]);
        assert_eq!(areas(Method::POST, "/api/v1/alerts"), [Area::Webhook]);
        assert_eq!(areas(Method::GET, "/api/v2/alerts"), [Area::Webhook]);
    }

    #[test]
    fn no_base_path_begins_like_an_address_of_our_own() {
        for own in crate::config::OWN {
            assert_ne!(Place::of(&format!("/{own}/v1")), Place::Other, "{own}");
        }
    }

    #[test]
    fn a_path_is_shown_without_what_could_be_a_token() {
        let config = config();
        for (path, expected) in [
            ("/", "/"),
            ("", "/"),
            ("/webhook", "/webhook"),
            ("//webhook//ops/", "/webhook/ops"),
            ("/api/v2/alerts", "/api/v2/alerts"),
            ("/d/17", "/d/17"),
            ("/wecom/callback/ops", "/wecom/callback/ops"),
            ("/webhook/a-receiver-with-a-rather-long-name", "/webhook/a-receiver-with-a-rather-long-name"),
            ("/webhook/t/x1", "/webhook/t/…"),
            ("/alertmanager/webhook/t/x1/ops", "/alertmanager/webhook/t/…/ops"),
            ("/webhook/short-token", "/webhook/…"),
            ("/pass-word", "/…"),
            ("/services/T0/B0/x1", "/services/…/…/…"),
            ("/api/webhooks/7/x1/slack", "/api/webhooks/…/…/…"),
            ("/tok.send", "/…"),
            ("/x.send", "/x.send"),
            ("/webhook/0123456789abcdef0123456789abcdef", "/webhook/…"),
            ("/webhook%3Ftoken=abc", "/…"),
            ("/webhook;token=abc", "/…"),
            ("/webhook/a%2Fb", "/webhook/…"),
            ("/a/b/c/d/e/f/g/h/i", "/a/b/c/d/e/f/g/h/…"),
            ("/<script>/\u{202e}x", "/…/…"),
        ] {
            assert_eq!(shown(path, &config), expected, "{path}");
        }
        assert!(shown(&"/aaaa".repeat(10_000), &config).len() < 100);
    }

    #[test]
    fn every_path_has_a_caller_of_a_closed_set() {
        for (path, place) in [
            ("/webhook", Place::Webhook),
            ("/webhook/ops/", Place::Webhook),
            ("/webhook/ops/api/v2/alerts", Place::Push),
            ("/api/v2/alerts", Place::Push),
            ("/alertmanager/api/v1/alerts", Place::Push),
            ("/api/model/send_sms/", Place::Webhook),
            ("/d/17", Place::Page),
            ("/wecom/callback/ops", Place::Callback),
            ("/api/v1/deliveries/17/resend", Place::Order),
            ("/api/v1/links/rotate", Place::Order),
            ("/api/v1/incidents/7K2Q", Place::Api),
            ("/metrics", Place::Monitoring),
            ("/wp-login.php", Place::Other),
            ("/", Place::Other),
        ] {
            assert_eq!(Place::of(path), place, "{path}");
        }
    }
}
