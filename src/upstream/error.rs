//! Failures upstream, with the remedy for people. Pure.

use std::fmt;

use serde_json::Value;

use crate::config::UpstreamKind;
use crate::words::Words;

/// Longest text of a server that is shown, in bytes.
const SHOWN_BYTES: usize = 200;

/// The text of an Alertmanager, with status 500, when a silence that it does not have is to be ended (seen on 0.25).
const GONE: &str = "silence not found";

/// A request to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// A new silence; does it name the rule that Grafana requires?
    Create {
        names_rule: bool,
    },
    /// The end of a silence, moved; the same question.
    Extend {
        names_rule: bool,
    },
    /// The end of a silence, now.
    Expire,
    /// Silences.
    List,
    /// One silence.
    Get,
    Alerts,
}

impl Doing {
    /// Does it change anything?
    pub(super) const fn changes(self) -> bool {
        matches!(self, Self::Create { .. } | Self::Extend { .. } | Self::Expire)
    }

    /// Is it about an existing silence?
    const fn of_one(self) -> bool {
        matches!(self, Self::Extend { .. } | Self::Expire | Self::Get)
    }

    /// Grafana's permissions for it (docs/reference/alert-sources.md#silences-of-grafana): for the whole organisation,
    /// and for a folder.
    const fn permissions(self) -> (&'static str, &'static str) {
        match self {
            Self::Create { .. } => ("alert.instances:create", "alert.silences:create"),
            Self::Extend { .. } | Self::Expire => ("alert.instances:write", "alert.silences:write"),
            Self::List | Self::Get | Self::Alerts => ("alert.instances:read", "alert.silences:read"),
        }
    }
}

/// The kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The connection failed; nothing was done.
    Unreachable,
    /// The upstream cannot serve now (409, 429, 503); nothing was done.
    NotReady,
    /// No answer in time, or the connection broke; the request would have changed nothing.
    Broken,
    /// The result is unknown: it may have been done.
    Unsure,
    /// Unauthenticated (401).
    Unknown,
    /// Unauthorised (403).
    Forbidden,
    /// There is no such silence (404).
    NotFound,
    /// The request is invalid (400, 422 and similar).
    Refused,
    /// The peer is not an Alertmanager or Grafana: a redirect, a page, a wrong path, too long an answer.
    Foreign,
    /// The upstream failed (5xx).
    Failed,
    /// The client cannot be set up: certificates.
    Setup,
}

impl Problem {
    /// The name in JSON and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::NotReady => "not_ready",
            Self::Broken => "broken",
            Self::Unsure => "unsure",
            Self::Unknown => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::Foreign => "foreign",
            Self::Failed => "failed",
            Self::Setup => "setup",
        }
    }

    /// Can the request be repeated later without a repair? For a silence with the same marker, so that it is not made
    /// twice.
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Unreachable | Self::NotReady | Self::Broken | Self::Unsure | Self::Failed)
    }
}

/// A failed request, and why. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamError {
    /// Name of the upstream.
    pub upstream: String,
    /// The kind of failure.
    pub problem: Problem,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// What happened, why, and the remedy.
    pub what: Words,
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)
    }
}

impl std::error::Error for UpstreamError {}

/// The upstream's description, for messages and for what must not appear in them.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub name: String,
    pub kind: UpstreamKind,
    pub org_id: Option<i64>,
}

impl Peer {
    /// An error of this peer.
    pub(super) fn error(&self, problem: Problem, status: Option<u16>, zh: &str, en: &str) -> UpstreamError {
        let name = &self.name;
        let what = Words::from((format!("上游 {name}：{zh}。"), format!("Upstream {name}: {en}.")));
        UpstreamError { upstream: name.clone(), problem, status, what }
    }

    /// The error for an unsuccessful answer. `words` are the server's text, see [`words_of`].
    pub(super) fn refusal(&self, doing: Doing, status: u16, words: &str) -> UpstreamError {
        let (problem, (zh, en)) = match status {
            401 => (Problem::Unknown, self.unknown(words)),
            403 => (Problem::Forbidden, self.forbidden(doing, words)),
            404 | 500 if doing.of_one() && (status == 404 || words == GONE) => (
                Problem::NotFound,
                (
                    "没有这条静默：可能早已过期并被清理，列出静默看看".to_owned(),
                    "there is no such silence: it may have ended long ago, list the silences".to_owned(),
                ),
            ),
            _ => {
                let (problem, zh, en) = by_status(doing, status);
                let (mut zh, mut en) = (format!("HTTP {status}，{zh}"), format!("HTTP {status}, {en}"));
                if !words.is_empty() {
                    (zh, en) = (format!("{zh}（{words}）"), format!("{en} ({words})"));
                }
                (problem, (zh, en))
            }
        };
        self.error(problem, Some(status), &zh, &en)
    }

    fn unknown(&self, words: &str) -> (String, String) {
        match self.kind {
            // Grafana's text when the header names another organisation than the token's.
            UpstreamKind::Grafana if words.contains("organization") => (
                format!("HTTP 401，令牌不属于组织 {}，请检查 org_id 和 token", self.org_id.unwrap_or(1)),
                format!(
                    "HTTP 401, the token is not of organisation {}: check `org_id` and `token`",
                    self.org_id.unwrap_or(1)
                ),
            ),
            UpstreamKind::Grafana => (
                "HTTP 401，不认这个令牌，请检查 token：可能过期、被删或抄错".to_owned(),
                "HTTP 401, it does not know us: check `token`, which may have expired, been deleted or been miscopied"
                    .to_owned(),
            ),
            UpstreamKind::Alertmanager | UpstreamKind::Prometheus => (
                "HTTP 401，不认这个身份，请检查 basic 或 bearer".to_owned(),
                "HTTP 401, it does not know us: check `basic` or `bearer`".to_owned(),
            ),
        }
    }

    fn forbidden(&self, doing: Doing, words: &str) -> (String, String) {
        if self.kind != UpstreamKind::Grafana {
            return (
                "HTTP 403，不允许，请检查它前面的代理给这个身份的权限".to_owned(),
                "HTTP 403, not allowed: check what the proxy before it lets us do".to_owned(),
            );
        }
        let missing = words.split_once("Permissions needed: ").map(|(_, needed)| needed.trim_end_matches('.'));
        let (global, folder) = doing.permissions();
        let needed = missing.map_or_else(|| format!("{global} / {folder}"), str::to_owned);
        let mut zh = format!("HTTP 403，权限不够，需要 {needed}：把服务账号的角色设为 Editor");
        let mut en = format!("HTTP 403, not allowed, it needs {needed}: give the service account the role Editor");
        if matches!(doing, Doing::Create { names_rule: false } | Doing::Extend { names_rule: false }) {
            zh.push_str("；只有文件夹权限时，静默必须含 __alert_rule_uid__，而这条没有");
            en.push_str("; with rights in folders only, a silence must hold __alert_rule_uid__, and this one does not");
        }
        (zh, en)
    }
}

/// The meaning of a status that does not concern authentication.
const fn by_status(doing: Doing, status: u16) -> (Problem, &'static str, &'static str) {
    match status {
        300..=399 | 404 | 405 => (
            Problem::Foreign,
            "这里没有静默接口，请检查 url：应是根地址，不带 /api",
            "there are no silences here: `url` must be the root, without /api",
        ),
        409 | 429 | 503 => (
            Problem::NotReady,
            "还没准备好或太忙，什么也没做，过一会儿再试",
            "not ready or too busy; nothing was done, try again in a while",
        ),
        500.. if doing.changes() => {
            (Problem::Unsure, "不知道做成没有，请列出静默看看", "whether it was done is unknown: list the silences")
        }
        500.. => (
            Problem::Failed,
            "对方出错，过一会儿再试，或看它的日志",
            "it failed: try again in a while, or read its log",
        ),
        _ => (
            Problem::Refused,
            "不接受这个请求，请检查匹配条件和时间",
            "it takes no such request: check the matchers and the time",
        ),
    }
}

/// The server's text on one short line: an error is a JSON string, or an object with `message`
/// (docs/reference/alert-sources.md#silences); HTML pages are not worth showing. Empty if it contains one of `secrets`.
pub(super) fn words_of(body: &[u8], secrets: &[&str]) -> String {
    let text = match serde_json::from_slice(body) {
        Ok(Value::String(text)) => text,
        Ok(Value::Object(object)) => object.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        Ok(_) => String::new(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    if text.trim_start().starts_with('<') || secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret)) {
        return String::new();
    }
    let words: Vec<&str> = text
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    let end = line.floor_char_boundary(SHOWN_BYTES);
    if end < line.len() { format!("{}…", &line[..end]) } else { line }
}

#[cfg(test)]
mod tests;
