//! One call to an upstream.
//!
//! Credentials are sent to the configured host only: redirects are not followed. reqwest's own error texts contain the
//! URL and are not used.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Certificate, Method, RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::error::{Doing, Peer, words_of};
use super::{Problem, UpstreamError};
use crate::config::{Credential, Upstream, UpstreamKind};
use crate::words::Words;

/// Timeout for name resolution, connection and TLS together.
const CONNECT: Duration = Duration::from_secs(3);
/// Deadline of a whole call: a user waits for it, and a healthy upstream answers in milliseconds.
const DEADLINE: Duration = Duration::from_secs(5);
/// Idle connections are closed before the other side does it, which makes resets rare.
const IDLE: Duration = Duration::from_secs(20);
/// Longest answer that is read: some ten thousand silences or alerts.
const ANSWER_BYTES: usize = 16 << 20;
/// Longest rejection that is read; a line of it is shown.
const REFUSAL_BYTES: usize = 64 << 10;

/// The connection to one upstream.
#[derive(Debug)]
pub(super) struct Wire {
    http: reqwest::Client,
    pub peer: Peer,
    /// The root that was configured.
    pub url: String,
    /// Above `/silences`, `/silence/…` and `/alerts`.
    root: String,
    credential: Option<Sent>,
    tenant: Option<String>,
}

/// The credential as it is sent.
#[derive(Debug)]
enum Sent {
    Bearer(SecretString),
    Basic(String, SecretString),
}

/// An unsuccessful call.
pub(super) struct Lost {
    /// The connection broke, as an idle one may; the call can be repeated at once if it changes nothing.
    pub broke: bool,
    pub error: UpstreamError,
}

/// Why [`Wire::ask`] has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// No complete answer in time.
    Slow,
    /// No connection, or it broke.
    Unreachable,
    /// Another status than 200; a redirect is one.
    Refused(u16),
    /// The answer exceeds the limit.
    Large,
}

/// What [`Wire::ask`] sends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question<'a> {
    /// Nothing.
    Get,
    Form(&'a str),
    Json(&'a str),
}

/// A request.
pub(super) struct Call<'a> {
    pub doing: Doing,
    pub method: Method,
    /// Below the root, with a slash at its beginning.
    pub path: &'a str,
    pub query: &'a [(&'a str, String)],
    pub body: Option<&'a Value>,
}

impl Wire {
    /// The connection to the one of its peers that is at `url`.
    pub fn new(upstream: &Upstream, url: &str) -> Result<Self, UpstreamError> {
        let peer = Peer { name: upstream.name.clone(), kind: upstream.kind, org_id: upstream.org_id };
        let http = http(upstream, url).map_err(|what| peer.error(Problem::Setup, None, &what.zh, &what.en))?;
        let path = match upstream.kind {
            UpstreamKind::Alertmanager => "/api/v2",
            UpstreamKind::Grafana => "/api/alertmanager/grafana/api/v2",
            UpstreamKind::Prometheus => "/api/v1",
        };
        let credential = upstream.credential.as_ref().map(|credential| match credential {
            Credential::Bearer(token) => Sent::Bearer(token.clone()),
            Credential::Basic { username, password } => Sent::Basic(username.clone(), password.clone()),
        });
        Ok(Self {
            http,
            peer,
            url: url.to_owned(),
            root: format!("{}{path}", url.trim_end_matches('/')),
            credential,
            tenant: upstream.tenant.clone(),
        })
    }

    /// The connection for rules and series.
    pub fn for_series(upstream: &Upstream) -> Result<Self, UpstreamError> {
        let path = match upstream.kind {
            UpstreamKind::Grafana => "/api",
            UpstreamKind::Alertmanager | UpstreamKind::Prometheus => "/api/v1",
        };
        let wire = Self::new(upstream, &upstream.url)?;
        Ok(Self { root: format!("{}{path}", upstream.url.trim_end_matches('/')), ..wire })
    }

    /// The body of a success: 200, or Grafana's 202 (docs/reference/alert-sources.md#silences-of-grafana).
    pub async fn exchange(&self, call: Call<'_>) -> Result<Vec<u8>, Lost> {
        let doing = call.doing;
        let mut answer = self.request(call).send().await.map_err(|error| self.lost(doing, &error))?;
        let status = answer.status();
        let room = if status.is_success() { ANSWER_BYTES } else { REFUSAL_BYTES };
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.lost(doing, &error))? {
            if bytes.len() + chunk.len() > room {
                if status.is_success() {
                    return Err(Lost { broke: false, error: self.too_long(doing) });
                }
                break;
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(bytes);
        }
        let words = words_of(&bytes, &[self.secret()]);
        Err(Lost { broke: false, error: self.peer.refusal(doing, status.as_u16(), &words) })
    }

    /// Sends a request below the root: GET without a body, otherwise POST. Reads at most `most` bytes within `deadline`;
    /// the text of a failed answer is dropped.
    pub async fn ask(
        &self,
        path: &str,
        question: Question<'_>,
        deadline: Duration,
        most: usize,
    ) -> Result<Vec<u8>, Unanswered> {
        let asked = async {
            let url = format!("{}{path}", self.root);
            let sent =
                |kind: &'static str, body: &str| self.http.post(&url).header(CONTENT_TYPE, kind).body(body.to_owned());
            let request = match question {
                Question::Get => self.http.get(&url),
                Question::Form(form) => sent("application/x-www-form-urlencoded", form),
                Question::Json(json) => sent("application/json", json),
            };
            let mut request = self.proven(request);
            if let Some(org) = self.peer.org_id {
                request = request.header("X-Grafana-Org-Id", org);
            }
            if let Some(tenant) = &self.tenant {
                request = request.header("X-Scope-OrgID", tenant);
            }
            let mut answer = request.send().await.map_err(|_| Unanswered::Unreachable)?;
            if answer.status() != StatusCode::OK {
                return Err(Unanswered::Refused(answer.status().as_u16()));
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|_| Unanswered::Unreachable)? {
                if bytes.len() + chunk.len() > most {
                    return Err(Unanswered::Large);
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        };
        tokio::time::timeout(deadline, asked).await.unwrap_or(Err(Unanswered::Slow))
    }

    fn proven(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credential {
            Some(Sent::Bearer(token)) => request.bearer_auth(token.expose_secret()),
            Some(Sent::Basic(username, password)) => request.basic_auth(username, Some(password.expose_secret())),
            None => request,
        }
    }

    fn request(&self, call: Call<'_>) -> RequestBuilder {
        let Call { method, path, query, body, .. } = call;
        let request = self.http.request(method, format!("{}{path}", self.root)).timeout(DEADLINE).query(query);
        let mut request = self.proven(request);
        if let Some(org) = self.peer.org_id {
            // A token of another organisation is then refused instead of silencing there.
            request = request.header("X-Grafana-Org-Id", org);
        }
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    fn secret(&self) -> &str {
        match &self.credential {
            Some(Sent::Bearer(secret) | Sent::Basic(_, secret)) => secret.expose_secret(),
            None => "",
        }
    }

    fn too_long(&self, doing: Doing) -> UpstreamError {
        let problem = if doing.changes() { Problem::Unsure } else { Problem::Foreign };
        let zh = format!("回答超过 {} MiB，没有读完，请用更窄的匹配条件", ANSWER_BYTES >> 20);
        let en = format!("the answer is over {} MiB and was not read: ask with narrower matchers", ANSWER_BYTES >> 20);
        self.peer.error(problem, None, &zh, &en)
    }

    /// Only a failure to connect is certain to have sent nothing.
    fn lost(&self, doing: Doing, error: &reqwest::Error) -> Lost {
        let words = words_of(innermost(error).as_bytes(), &[self.secret()]);
        let behind = |text: &str, open, close| {
            if words.is_empty() { text.to_owned() } else { format!("{text}{open}{words}{close}") }
        };
        if error.is_connect() || error.is_builder() {
            let zh = behind("连不上，请检查 url、网络和证书", "（", "）");
            let en = behind("it cannot be reached: check `url`, the network and the certificate", " (", ")");
            return Lost { broke: false, error: self.peer.error(Problem::Unreachable, None, &zh, &en) };
        }
        let slow = error.is_timeout();
        let (zh, en) = if slow {
            (format!("{} 秒内没有回答", DEADLINE.as_secs()), format!("no answer in {} s", DEADLINE.as_secs()))
        } else {
            (behind("连接中断", "（", "）"), behind("the connection broke", " (", ")"))
        };
        let (problem, then_zh, then_en) = if doing.changes() {
            (Problem::Unsure, "不知道做成没有，请列出静默看看", "whether it was done is unknown: list the silences")
        } else {
            (Problem::Broken, "过一会儿再试，或看它的日志", "try again in a while, or read its log")
        };
        let error = self.peer.error(problem, None, &format!("{zh}，{then_zh}"), &format!("{en}; {then_en}"));
        Lost { broke: !slow, error }
    }
}

/// The HTTP client; the error is the reason why it cannot be built.
fn http(upstream: &Upstream, url: &str) -> Result<reqwest::Client, Words> {
    // reqwest uses the process's provider; `Err` means that one is installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("wegraf/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false);
    if Url::parse(url).is_ok_and(|url| is_loopback(&url)) {
        builder = builder.no_proxy();
    }
    if let Some(path) = &upstream.ca_file {
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|error| {
            Words::from((
                format!("读不到 ca_file {shown}（{error}）"),
                format!("cannot read `ca_file` {shown} ({error})"),
            ))
        })?;
        let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if certificates.is_empty() {
            let zh = format!("ca_file {shown} 里没有 PEM 证书");
            return Err((zh, format!("`ca_file` {shown} holds no PEM certificate")).into());
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| {
        let why = innermost(&error);
        let zh = format!("TLS 无法初始化，请安装 ca-certificates 或设置 ca_file（{why}）");
        (zh, format!("TLS has no roots: install ca-certificates or set `ca_file` ({why})")).into()
    })
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The text of the innermost cause: from the operating system, rustls or hyper, none of which know the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    cause.filter(|cause| !cause.is::<reqwest::Error>()).map(ToString::to_string).unwrap_or_default()
}
