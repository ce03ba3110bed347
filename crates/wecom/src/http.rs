//! The only HTTP client for WeCom: HTTPS with deadlines, no redirect, no retry, a bounded answer.
//!
//! It distinguishes what was certainly not sent from what may have arrived, and never shows a URL: the credential of
//! every call is in it.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use reqwest::{Certificate, Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::Api;
use crate::forward::{Forward, Forwarded};
use crate::outcome::Fault;
use crate::text::Text;

/// Idle connections are closed before WeCom does it, which makes resets rare.
const IDLE: Duration = Duration::from_secs(20);
/// Timeout for name resolution, connection and TLS together.
const CONNECT: Duration = Duration::from_secs(5);
/// Deadline from the first byte to the last, for everything but uploads.
const DEADLINE: Duration = Duration::from_secs(10);
/// 20 MB (the largest file) at 3 Mbit/s.
const UPLOAD: Duration = Duration::from_mins(1);
/// Longest answer to a forwarded call: a file of the largest size.
const FORWARDED_BYTES: usize = 20 << 20;

/// The network settings for WeCom.
#[derive(Debug, Clone)]
pub struct Network {
    /// For example `https://qyapi.weixin.qq.com`; other hosts for private deployments and the simulator. A bot's socket
    /// has an address of its own.
    pub api_url: String,
    /// Proxy for every call; `None`: from the environment (`HTTPS_PROXY`, `NO_PROXY`), but never for loopback.
    pub proxy: Option<String>,
    /// PEM bundle that is trusted besides the roots of the system.
    pub ca_file: Option<PathBuf>,
    /// Longest time from the first byte of a request to the last of its answer; uploads have a minute.
    pub deadline: Duration,
}

impl Network {
    /// Directly to `api_url`, with the roots of the system and 10 s for each call.
    pub fn new(api_url: impl Into<String>) -> Self {
        Self { api_url: api_url.into(), proxy: None, ca_file: None, deadline: DEADLINE }
    }
}

/// Why the network settings cannot be used. Shows neither the proxy's password nor anything secret.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub enum NetworkError {
    /// The base URL is invalid.
    ApiUrl,
    /// The address of the bots' socket is invalid.
    BotUrl,
    /// The proxy is invalid.
    Proxy,
    /// The bundle cannot be read.
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The bundle has no certificate.
    CaEmpty {
        /// The file.
        path: PathBuf,
    },
    /// No trust roots, most often an image without `ca-certificates`.
    Tls(String),
}

impl NetworkError {
    /// What is wrong, and what helps.
    pub fn text(&self) -> Text {
        match self {
            Self::ApiUrl => Text::new(
                "api_url 不是 http(s) 地址，例如 https://qyapi.weixin.qq.com",
                "api_url is not an http(s) address such as https://qyapi.weixin.qq.com",
            ),
            Self::BotUrl => Text::new(
                "bot_url 不是 ws(s) 地址，例如 wss://openws.work.weixin.qq.com",
                "bot_url is not a ws(s) address such as wss://openws.work.weixin.qq.com",
            ),
            Self::Proxy => Text::new(
                "proxy 不是代理地址，例如 http://proxy.example.com:3128",
                "proxy is not the address of a proxy, such as http://proxy.example.com:3128",
            ),
            Self::CaFile { path, source } => Text::new(
                format!("ca_file 无法读取：{}：{source}", path.display()),
                format!("ca_file cannot be read: {}: {source}", path.display()),
            ),
            Self::CaEmpty { path } => Text::new(
                format!("ca_file 中没有 PEM 证书：{}", path.display()),
                format!("ca_file holds no PEM certificate: {}", path.display()),
            ),
            Self::Tls(why) => Text::new(
                format!("TLS 无法初始化，请安装 ca-certificates 或设置 ca_file：{why}"),
                format!("TLS has no roots: install ca-certificates or set ca_file: {why}"),
            ),
        }
    }
}

/// One request, without its credential.
pub(crate) struct Request {
    pub(crate) api: Api,
    /// Besides the credential.
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Body,
    /// It is not started if it might not have ended by then.
    pub(crate) end: Option<Instant>,
}

impl Request {
    pub(crate) fn get(api: Api, query: impl Into<Vec<(&'static str, String)>>) -> Self {
        Self { api, query: query.into(), body: Body::None, end: None }
    }

    pub(crate) fn post(api: Api, json: impl Into<Bytes>) -> Self {
        Self { api, query: Vec::new(), body: Body::Json(json.into()), end: None }
    }
}

/// The body of a request. The bytes are sent unchanged.
pub(crate) enum Body {
    /// GET.
    None,
    /// POST of JSON.
    Json(Bytes),
    /// POST of a file.
    Multipart { boundary: String, bytes: Bytes },
}

/// A request that got no readable answer.
pub(crate) struct Lost {
    pub(crate) fault: Fault,
    /// Whether a byte of the request may have reached WeCom.
    pub(crate) sent: bool,
    /// The text of the network, or a foreign answer; not redacted.
    pub(crate) detail: Bytes,
}

pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
    deadline: Duration,
}

impl Http {
    pub(crate) fn new(network: &Network) -> Result<Self, NetworkError> {
        let base = base_url(&network.api_url)?;
        Ok(Self { client: connector(network, &base)?, base, deadline: network.deadline })
    }

    /// The base URL.
    pub(crate) fn base(&self) -> &str {
        self.base.as_str()
    }

    /// Sends once and reads the whole answer, which is HTTP 200 and not too long.
    pub(crate) async fn exchange(
        &self,
        request: &Request,
        credential: Option<(&str, &SecretString)>,
    ) -> Result<Bytes, Lost> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/cgi-bin/{}", self.base.path().trim_end_matches('/'), request.api));
        let query = request.query.iter().map(|(key, value)| (*key, value.as_str()));
        url.query_pairs_mut()
            .extend_pairs(query.chain(credential.map(|(name, secret)| (name, secret.expose_secret()))));
        let method = if matches!(request.body, Body::None) { Method::GET } else { Method::POST };
        let mut call = self.client.request(method, url).timeout(self.deadline);
        match &request.body {
            Body::None => {}
            Body::Json(bytes) => {
                call =
                    call.header(reqwest::header::CONTENT_TYPE, "application/json; charset=utf-8").body(bytes.clone());
            }
            Body::Multipart { boundary, bytes } => {
                let kind = format!("multipart/form-data; boundary={boundary}");
                call = call
                    .header(reqwest::header::CONTENT_TYPE, kind)
                    .body(bytes.clone())
                    .timeout(UPLOAD.max(self.deadline));
            }
        }
        // The last check before the bytes are handed over.
        if request.end.is_some_and(|end| Instant::now() + self.deadline > end) {
            return Err(Lost { fault: Fault::TooLate, sent: false, detail: Bytes::new() });
        }
        answer(call, request.api.answer_bytes()).await.map(|(_, body)| body)
    }

    /// Sends a call of another program once, with the deadline of an upload.
    pub(crate) async fn forward(
        &self,
        forward: &Forward,
        credential: (&str, &SecretString),
    ) -> Result<Forwarded, Lost> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/cgi-bin/{}", self.base.path().trim_end_matches('/'), forward.path));
        let query = forward.query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        url.query_pairs_mut().extend_pairs(query.chain([(credential.0, credential.1.expose_secret())]));
        let call = match &forward.body {
            None => self.client.get(url),
            Some((kind, bytes)) => {
                let kind = kind.as_deref().unwrap_or("application/json; charset=utf-8");
                self.client.post(url).header(reqwest::header::CONTENT_TYPE, kind).body(bytes.clone())
            }
        };
        let (content_type, body) = answer(call.timeout(UPLOAD.max(self.deadline)), FORWARDED_BYTES).await?;
        Ok(Forwarded { content_type, body })
    }
}

/// Sends `call` and reads the whole answer, which is HTTP 200 and at most `most` bytes long; with its type.
async fn answer(call: reqwest::RequestBuilder, most: usize) -> Result<(Option<String>, Bytes), Lost> {
    let mut answer = call.send().await.map_err(|error| lost(&error))?;
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + chunk.len() > most {
            return Err(Lost { fault: Fault::TooLong, sent: true, detail: body.freeze() });
        }
        body.extend_from_slice(&chunk);
    }
    let kind = answer.headers().get(reqwest::header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    match answer.status() {
        StatusCode::OK => Ok((kind, body.freeze())),
        status => Err(Lost { fault: Fault::Status(status.as_u16()), sent: true, detail: body.freeze() }),
    }
}

/// The client for `to` by `network`: with its proxy and roots, no redirect, no retry.
pub(crate) fn connector(network: &Network, to: &Url) -> Result<reqwest::Client, NetworkError> {
    // reqwest uses the process's provider; `Err` means that one is installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("wegraf/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false);
    if let Some(proxy) = &network.proxy {
        builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|_| NetworkError::Proxy)?);
    } else if is_loopback(to) {
        builder = builder.no_proxy();
    }
    if let Some(path) = &network.ca_file {
        let pem = std::fs::read(path).map_err(|source| NetworkError::CaFile { path: path.clone(), source })?;
        let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(NetworkError::CaEmpty { path: path.clone() });
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| NetworkError::Tls(innermost(&error)))
}

fn base_url(text: &str) -> Result<Url, NetworkError> {
    let url = Url::parse(text).map_err(|_| NetworkError::ApiUrl)?;
    let plain = matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none();
    if plain { Ok(url) } else { Err(NetworkError::ApiUrl) }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Only a failure to connect is certain to have sent nothing: name resolution, TCP, proxy tunnel and TLS come before
/// the first byte of the request. The text of reqwest's own error is never used: it contains the URL.
pub(crate) fn lost(error: &reqwest::Error) -> Lost {
    let sent = !error.is_connect() && !error.is_builder();
    let fault = if caused_by::<rustls::Error>(error) {
        Fault::Tls
    } else if !sent && innermost(error).contains("lookup address") {
        Fault::Dns
    } else if error.is_timeout() && sent {
        Fault::Timeout
    } else if sent {
        Fault::Broken
    } else {
        Fault::Connect
    };
    Lost { fault, sent, detail: innermost(error).into() }
}

/// The text of the innermost cause: from the operating system, rustls or hyper, none of which know the URL.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    // reqwest's own text, without a cause, would contain the URL.
    if cause.is::<reqwest::Error>() { String::new() } else { cause.to_string() }
}

/// Whether `T` is among the causes; an `io::Error` hides its cause from `source`.
fn caused_by<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<T>()
        || inner.is_some_and(|inner| caused_by::<T>(inner))
        || error.source().is_some_and(|source| caused_by::<T>(source))
}
